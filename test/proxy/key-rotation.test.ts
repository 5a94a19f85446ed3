// Keys change while traffic runs: an upstream that verifies each token by the published keys refuses none.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
} from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { valuesOf } from '../support/heads.ts'
import { makePem } from '../support/keys.ts'
import { closedAfter, processesOf, type SignetProcess } from '../support/process.ts'
import { eventually, ok, RawUpstream, Wire } from '../support/wire.ts'

const GET = 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n'
const JWKS = '/.well-known/jwks.json'

const test = suite('proxy/key-rotation')
const run = processesOf(test)
const closing = closedAfter(test)
const folders: string[] = []

test.after.each(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** Writes files of one test, whole or not at all. */
function folder(): (name: string, text: string) => string {
  const made = mkdtempSync(join(tmpdir(), 'signet-keys-'))
  folders.push(made)
  return (name, text) => {
    writeFileSync(join(made, `${name}.new`), text)
    renameSync(join(made, `${name}.new`), join(made, name))
    return join(made, name)
  }
}

/** A configuration whose tokens are signed with the first of these files; the others are published as well. */
function signedWith(upstreamPort: number, ...files: string[]): string {
  const keys = files.map((file) => `    - { algorithm: ES256, privateKey: "file:${file}" }\n`)
  const token = 'token: { key: main, audience: app, lifetime: 60000 }'
  return `keys:\n  main:\n${keys.join('')}upstreams:\n  app:\n    targets: [http://127.0.0.1:${upstreamPort}]\n    ${token}\nroutes:\n  - upstream: app\n`
}

interface Verified {
  readonly upstream: RawUpstream
  /** by kid: how many tokens were believed */
  readonly believed: Map<string, number>
  readonly refused: unknown[]
  /** where the public keys are; known once signet listens */
  keysAt(port: number): void
  /** the last token of each key */
  readonly last: Map<string, string>
}

/** An upstream that believes nothing but the published keys. */
async function verifying(): Promise<Verified> {
  const upstream = closing(await RawUpstream.listen())
  const believed = new Map<string, number>()
  const last = new Map<string, string>()
  const refused: unknown[] = []
  let keySet: ReturnType<typeof createRemoteJWKSet>
  upstream.onConnection(async (wire) => {
    for (;;) {
      const { head } = await wire.message(60_000)
      const [jwt = ''] = valuesOf(head, 'x-my-jwt')
      try {
        await jwtVerify(jwt, keySet, { algorithms: ['ES256'], audience: 'app' })
        const { kid = '' } = decodeProtectedHeader(jwt)
        believed.set(kid, (believed.get(kid) ?? 0) + 1)
        last.set(kid, jwt)
        wire.send(ok())
      } catch (error) {
        refused.push(error)
        wire.send('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
      }
    }
  })
  return {
    upstream,
    believed,
    refused,
    last,
    keysAt(port) {
      // A key that is not known is asked for at once, as often as it takes.
      keySet = createRemoteJWKSet(new URL(`http://127.0.0.1:${port}${JWKS}`), { cooldownDuration: 0 })
    },
  }
}

async function reloads(signet: SignetProcess, times: number): Promise<void> {
  await signet.printed(() => signet.events('reloaded').length >= times, `${times} reloads`, 10_000)
  assert.is(signet.events('reload-refused').length, 0)
}

/** The published keys, as one who has just come sees them. */
async function published(port: number): Promise<JSONWebKeySet> {
  const client = await Wire.connect(port)
  client.send(`GET ${JWKS} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  const { body } = await client.message()
  client.destroy()
  return JSON.parse(body.toString()) as JSONWebKeySet
}

/** Requests without an end, by several clients. */
function load(port: number) {
  const failures: unknown[] = []
  let answered = 0
  let ending = false
  const clients = Array.from({ length: 8 }, async () => {
    try {
      const client = await Wire.connect(port)
      while (!ending) {
        const { head } = await client.send(GET).message()
        if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(head)
        answered++
      }
      client.destroy()
    } catch (error) {
      failures.push(error)
    }
  })
  return {
    failures,
    /** Waits for so many more answers. */
    async more(count: number): Promise<void> {
      const wanted = answered + count
      await eventually(() => answered >= wanted || failures.length > 0, `${count} answers`, 30_000)
    },
    async end(): Promise<number> {
      ending = true
      await Promise.all(clients)
      return answered
    },
  }
}

for (const workers of [1, 2]) {
  test(`six rotations under load lose nothing: publish, sign, let go (${workers} process${workers > 1 ? 'es' : ''})`, async () => {
    const write = folder()
    const { upstream, believed, refused, keysAt } = await verifying()
    const names = Array.from({ length: 7 }, (_, at) => write(`${at}.pem`, makePem('ES256')))
    const file = write('signet.yaml', signedWith(upstream.port, names[0]!))
    const env = { SIGNET_ACCESS_LOG: 'off', SIGNET_WORKERS: String(workers) }
    const signet = run(['run', '--config', file], env)
    const port = await signet.listening()
    keysAt(port)
    const traffic = load(port)
    let times = 0
    for (let at = 1; at < names.length; at++) {
      const [old, next] = [names[at - 1]!, names[at]!]
      for (const keys of [[old, next], [next, old], [next]]) {
        write('signet.yaml', signedWith(upstream.port, ...keys))
        signet.signal('SIGHUP')
        await reloads(signet, ++times)
        await traffic.more(100)
      }
    }
    const answered = await traffic.end()
    assert.equal([traffic.failures, refused], [[], []])
    assert.is(believed.size, 7)
    assert.ok(answered >= 1800, `${answered}`)
    // All that have signed are still there, for tokens that are under way.
    const { keys } = await published(port)
    assert.equal(keys.map(({ kid }) => kid).sort(), [...believed.keys()].sort())
  })
}

test('a key file that is replaced in place is enough: the new key signs, tokens of the old one are still believed', async () => {
  const write = folder()
  const { upstream, believed, refused, last, keysAt } = await verifying()
  const pem = write('main.pem', makePem('ES256'))
  const file = write('signet.yaml', signedWith(upstream.port, pem))
  const signet = run(['run', '--config', file], { SIGNET_ACCESS_LOG: 'off' })
  const port = await signet.listening()
  keysAt(port)
  const traffic = load(port)
  await traffic.more(50)
  write('main.pem', makePem('ES256'))
  await reloads(signet, 1) // nobody said so: the file is watched
  await traffic.more(50)
  await traffic.end()
  assert.equal([traffic.failures, refused], [[], []])
  assert.is(believed.size, 2)
  const keySet = createLocalJWKSet(await published(port))
  for (const jwt of last.values()) await jwtVerify(jwt, keySet, { audience: 'app' })
})

test('a worker that is started after a rotation publishes the old keys as well', async () => {
  const write = folder()
  const { upstream, keysAt } = await verifying()
  const file = write('signet.yaml', signedWith(upstream.port, write('0.pem', makePem('ES256'))))
  const signet = run(['run', '--config', file], { SIGNET_WORKERS: '2' })
  const port = await signet.listening()
  keysAt(port)
  write('signet.yaml', signedWith(upstream.port, write('1.pem', makePem('ES256'))))
  signet.signal('SIGHUP')
  await reloads(signet, 1)
  for (const [at, { pid }] of signet.events('worker-started').entries()) {
    process.kill(pid as number, 'SIGKILL')
    const count = 3 + at // one after the other: with none of them the port would be gone
    const started = () => signet.events('worker-started').length >= count
    await signet.printed(started, 'a new worker', 10_000)
  }
  for (let asked = 0; asked < 4; asked++) assert.is((await published(port)).keys.length, 2)
})

test('a key that cannot be used is refused in the words of signet check, and the old one goes on', async () => {
  const write = folder()
  const { upstream, refused, keysAt } = await verifying()
  const pem = write('main.pem', makePem('ES256'))
  const file = write('signet.yaml', signedWith(upstream.port, pem))
  const signet = run(['run', '--config', file])
  const port = await signet.listening()
  keysAt(port)
  write('main.pem', makePem('EdDSA'))
  signet.signal('SIGHUP')
  await signet.printed(() => signet.events('reload-refused').length > 0, 'the refusal')
  const [problem = ''] = signet.events('reload-refused')[0]!.problems as string[]
  assert.ok(
    problem.startsWith(
      `${file}:3:39 keys.main[0].privateKey: the key cannot be used: it is a key of type ed25519`,
    ),
    problem,
  )
  const client = await Wire.connect(port)
  assert.match((await client.send(GET).message()).head, /^HTTP\/1\.1 200 /)
  client.destroy()
  assert.equal(refused, [])
})

test.run()
