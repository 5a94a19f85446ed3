// The configuration changes while traffic runs: what is under way keeps what it began with, and nothing is lost.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Certificate } from '../../src/http/gateway.ts'
import { verifyToken } from '../../src/jwt/verify.ts'
import { readHmacKey } from '../../src/jwt/keys.ts'
import { valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf, type SignetProcess } from '../support/process.ts'
import { connectTls, makeCertificate } from '../support/tls.ts'
import { eventually, ok, RawUpstream, Wire } from '../support/wire.ts'

const GET = 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n'

const test = suite('proxy/reload')
const run = processesOf(test)
const closing = closedAfter(test)
const folders: string[] = []

test.after.each(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A folder for the files of one test. */
function folder(): { path: (name: string) => string; write: (name: string, text: string) => string } {
  const made = mkdtempSync(join(tmpdir(), 'signet-reload-'))
  folders.push(made)
  const path = (name: string) => join(made, name)
  const write = (name: string, text: string) => {
    // As tools do it that are careful: the name is put on a file that is whole.
    writeFileSync(path(`${name}.new`), text)
    renameSync(path(`${name}.new`), path(name))
    return path(name)
  }
  return { path, write }
}

/** A configuration that sends everything to the given ports, in turn. */
function everythingTo(ports: readonly number[], settings = ''): string {
  const targets = ports.map((port) => `http://127.0.0.1:${port}`).join(', ')
  return `${settings}\nupstreams:\n  all: [${targets}]\nroutes:\n  - upstream: all\n`
}

async function upstreamSaying(body: string): Promise<RawUpstream> {
  const upstream = closing(await RawUpstream.listen())
  upstream.serve(() => ok(body))
  return upstream
}

async function reloads(signet: SignetProcess, times: number): Promise<void> {
  await signet.printed(() => signet.events('reloaded').length >= times, `${times} reloads`, 10_000)
}

async function ask(client: Wire, request = GET): Promise<{ head: string; body: string }> {
  client.send(request)
  const { head, body } = await client.message()
  return { head, body: body.toString() }
}

for (const workers of [1, 2]) {
  test(`50 reloads under load lose not one request of 20,000 (${workers} process${workers > 1 ? 'es' : ''})`, async () => {
    const files = folder()
    const upstreams = [
      await upstreamSaying('one'),
      await upstreamSaying('two'),
      await upstreamSaying('three'),
    ]
    const ports = upstreams.map(({ port }) => port)
    // Each differs from the one before: an upstream that stays, one that goes, one that comes; deadlines; the user.
    const turns = [
      everythingTo([ports[0]!]),
      everythingTo([ports[0]!, ports[1]!], 'responseTimeout: 50000'),
      everythingTo([ports[2]!], 'user: another'),
    ]
    const file = files.write('signet.yaml', turns[0]!)
    const signet = run(['run', '--config', file], {
      SIGNET_ACCESS_LOG: 'off',
      SIGNET_WORKERS: String(workers),
    })
    const port = await signet.listening()
    let answered = 0
    let ending = false
    const failures: unknown[] = []
    async function load(): Promise<void> {
      const client = await Wire.connect(port)
      while (!ending) {
        const { head } = await ask(client)
        if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(head)
        // No reason to end a connection: a reload is not a shutdown.
        if (valuesOf(head, 'connection').includes('close')) throw new Error(head)
        answered++
      }
      client.destroy()
    }
    const clients = Array.from({ length: 24 }, () => load().catch((error: unknown) => failures.push(error)))
    for (let times = 1; times <= 50; times++) {
      files.write('signet.yaml', turns[times % turns.length]!)
      signet.signal('SIGHUP')
      await reloads(signet, times)
      await eventually(() => answered > times * 400 || failures.length > 0, 'the load', 30_000)
    }
    ending = true
    await Promise.all(clients)
    assert.equal(failures, [])
    assert.ok(answered >= 20_000, `${answered}`)
    assert.is(signet.events('reload-refused').length, 0)
    assert.is(signet.events('worker-started').length, workers === 1 ? 0 : workers)
  })
}

test('tunnels, long downloads and uploads keep the upstream they began with', async () => {
  const files = folder()
  const old = closing(await RawUpstream.listen())
  const next = await upstreamSaying('next')
  const file = files.write('signet.yaml', everythingTo([old.port]))
  const signet = run(['run', '--config', file])
  const port = await signet.listening()

  const tunnel = await Wire.connect(port)
  tunnel.send('GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  const tunnelEnd = await old.accept()
  await tunnelEnd.head()
  tunnelEnd.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await tunnel.head()

  const download = await Wire.connect(port)
  download.send(GET)
  const downloadEnd = await old.accept()
  await downloadEnd.head()
  downloadEnd.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n')
  await download.until('begun\r\n')

  const upload = await Wire.connect(port)
  upload.send('POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nbegun')
  const uploadEnd = await old.accept()
  await uploadEnd.until('begun')

  const waiting = await Wire.connect(port)
  waiting.send(GET)
  const waitingEnd = await old.accept()
  await waitingEnd.head()

  files.write('signet.yaml', everythingTo([next.port]))
  signet.signal('SIGHUP')
  await reloads(signet, 1)
  const fresh = await Wire.connect(port)
  assert.is((await ask(fresh)).body, 'next')

  tunnel.send('ping')
  assert.is((await tunnelEnd.take(4)).toString(), 'ping')
  tunnelEnd.send('pong')
  assert.is((await tunnel.take(4)).toString(), 'pong')
  downloadEnd.send('3\r\nend\r\n0\r\n\r\n')
  assert.is(await download.until('0\r\n\r\n'), '3\r\nend\r\n0\r\n\r\n')
  upload.send('ended')
  assert.is((await uploadEnd.take(5)).toString(), 'ended')
  uploadEnd.send(ok('uploaded'))
  assert.is((await upload.message()).body.toString(), 'uploaded')
  waitingEnd.send(ok('waited for'))
  assert.is((await waiting.message()).body.toString(), 'waited for')

  // Their connections go on, with what is new; what the old upstream has left is closed.
  for (const client of [download, upload, waiting]) assert.is((await ask(client)).body, 'next')
  for (const end of [downloadEnd, uploadEnd, waitingEnd]) assert.is((await end.rest()).ending, 'fin')
})

test('an upstream that stays as it was keeps its connections', async () => {
  const files = folder()
  const upstream = await upstreamSaying('same')
  const file = files.write('signet.yaml', everythingTo([upstream.port]))
  const signet = run(['run', '--config', file])
  const client = await signet.client()
  await ask(client)
  files.write('signet.yaml', everythingTo([upstream.port], 'keepAliveTimeout: 50000'))
  signet.signal('SIGHUP')
  await reloads(signet, 1)
  await ask(client)
  assert.is(upstream.wires.length, 1)
})

test('a change of an upstream forgets neither which of its targets are unwell, nor their connections', async () => {
  const files = folder()
  const good = closing(await RawUpstream.listen())
  /** connections that requests came over; health checks have one each */
  const used = new Set<Wire>()
  good.serve(({ head }, wire) => {
    if (head.startsWith('GET /a ')) used.add(wire)
    return ok('good')
  })
  const bad = closing(await RawUpstream.listen())
  let well = false
  bad.serve(() => (well ? ok('bad') : 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n'))
  const upstreams = (weight: number, interval: number) => `upstreams:
  all:
    targets: [{ url: 'http://127.0.0.1:${bad.port}', weight: ${weight} }, 'http://127.0.0.1:${good.port}']
    health: { path: /h, interval: ${interval} }
    ejection: { slowStart: 1 }
routes: [{ upstream: all }]\n`
  const file = files.write('signet.yaml', upstreams(1, 1000))
  const signet = run(['run', '--config', file])
  const client = await signet.client()
  await signet.printed(() => signet.events('target').length > 0, 'the bad one to be unwell', 10_000)
  assert.is((await ask(client)).body, 'good')
  files.write('signet.yaml', upstreams(2, 1000))
  await reloads(signet, 1)
  for (let n = 0; n < 20; n++) assert.is((await ask(client)).body, 'good')
  assert.is(used.size, 1, 'the connection that was there is used')
  well = true
  await signet.printed(() => signet.events('target').length > 1, 'it to be well again', 10_000)
  assert.equal(
    signet.events('target').map(({ condition }) => condition),
    ['unwell', 'returning'],
  )
  const bodies = new Set<string>()
  for (let n = 0; n < 6; n++) bodies.add((await ask(client)).body)
  assert.equal([...bodies].sort(), ['bad', 'good'])
})

test('a file that is wrong changes nothing, and is refused in the words of signet check; mended, it counts', async () => {
  const files = folder()
  const one = await upstreamSaying('one')
  const two = await upstreamSaying('two')
  const file = files.write('signet.yaml', everythingTo([one.port]))
  const signet = run(['run', '--config', file])
  const client = await signet.client()
  files.write('signet.yaml', everythingTo([two.port]).replace('routes:', 'rotues:'))
  await signet.printed(() => signet.events('reload-refused').length > 0, 'the refusal')
  const [refusal] = signet.events('reload-refused')
  const said = `${file}:4:1 rotues: no such key (did you mean "routes"?)`
  assert.ok((refusal!.problems as string[]).includes(said), JSON.stringify(refusal))
  assert.is((await ask(client)).body, 'one')
  files.write('signet.yaml', everythingTo([two.port]))
  await reloads(signet, 1)
  assert.is((await ask(client)).body, 'two')
})

test('a change of the file is enough, and so is one of a file that it names', async () => {
  const files = folder()
  const secrets = ['ab', 'cd'].map((octet) => octet.repeat(64))
  const upstream = closing(await RawUpstream.listen())
  const tokens: string[] = []
  upstream.serve(({ head }) => {
    tokens.push(valuesOf(head, 'x-my-jwt')[0]!)
    return ok()
  })
  files.write('secret', secrets[0]!)
  const file = files.write('signet.yaml', everythingTo([upstream.port], 'secret: file:secret'))
  const signet = run(['run', '--config', file])
  const client = await signet.client()
  await ask(client)
  files.write('secret', secrets[1]!)
  await reloads(signet, 1)
  await ask(client)
  files.write('signet.yaml', everythingTo([upstream.port], 'secret: file:secret\nuser: somebody'))
  await reloads(signet, 2)
  await ask(client)
  for (const [at, secret] of [secrets[0]!, secrets[1]!, secrets[1]!].entries()) {
    const verified = await verifyToken(tokens[at]!, readHmacKey(secret, 'hex'))
    const { payload } = (verified.ok ? verified.claims : {}) as { payload?: { user: string } }
    assert.is(payload?.user, at === 2 ? 'somebody' : 'username', JSON.stringify(verified))
  }
})

/** Whether a new connection is shown that certificate: nothing else is trusted. */
async function isShown(port: number, certificate: Certificate): Promise<boolean> {
  const client = await connectTls(port, certificate).catch(() => undefined)
  client?.wire.destroy()
  return client !== undefined
}

for (const workers of [1, 2]) {
  for (const how of ['SIGHUP', 'the watch'] as const) {
    test(`a new certificate in its files counts for new connections, by ${how} (${workers} process${workers > 1 ? 'es' : ''})`, async () => {
      const files = folder()
      const upstream = await upstreamSaying('one')
      const [old, next] = [await makeCertificate(), await makeCertificate()]
      const put = ({ certificate, key }: Certificate) => {
        files.write('key.pem', key)
        files.write('cert.pem', certificate)
      }
      put(old)
      const tls = 'tls: { certificate: file:cert.pem, key: file:key.pem }'
      const file = files.write('signet.yaml', everythingTo([upstream.port], tls))
      const signet = run(['run', '--config', file], { SIGNET_WORKERS: String(workers) })
      const port = await signet.listening()
      const before = await connectTls(port, old)
      assert.is((await ask(before.wire)).body, 'one')

      put(next)
      if (how === 'SIGHUP') signet.signal('SIGHUP')
      await reloads(signet, 1)
      // Of several processes each has it: connections go to them in turn.
      for (let connection = 0; connection < 2 * workers; connection++) {
        assert.ok(await isShown(port, next), `connection ${connection}`)
        assert.not(await isShown(port, old), `connection ${connection}`)
      }
      assert.is((await ask(before.wire)).body, 'one') // what is open goes on
      before.wire.destroy()

      const refused = signet.events('reload-refused').length // between the two files they may not have fitted
      files.write('cert.pem', 'no certificate')
      if (how === 'SIGHUP') signet.signal('SIGHUP')
      await signet.printed(() => signet.events('reload-refused').length > refused, 'the refusal', 10_000)
      assert.ok(await isShown(port, next))
    })
  }
}

test('what only a start can change is named, and the rest counts', async () => {
  const files = folder()
  const upstream = await upstreamSaying('one')
  const file = files.write('signet.yaml', everythingTo([upstream.port], 'maxFields: 100'))
  const signet = run(['run', '--config', file])
  const client = await signet.client()
  files.write('signet.yaml', everythingTo([upstream.port], 'maxFields: 50\nkeepAliveTimeout: 200'))
  signet.signal('SIGHUP')
  await reloads(signet, 1)
  assert.equal(signet.events('reloaded')[0]!.needsRestart, ['maxFields'])
  await ask(client)
  assert.is((await client.rest(2000)).ending, 'fin') // by the new keep-alive deadline
})

test('a file that was emptied, or has lost its signing key, is refused: no fall back to the echo and the demo secret', async () => {
  const files = folder()
  const upstream = await upstreamSaying('one')
  files.write('secret', 'ab'.repeat(64))
  const file = files.write('signet.yaml', everythingTo([upstream.port], 'secret: file:secret'))
  const signet = run(['run', '--config', file])
  const client = await signet.client()
  for (const [at, text] of ['', everythingTo([upstream.port]), 'secret: file:secret'].entries()) {
    files.write('signet.yaml', text)
    await signet.printed(() => signet.events('reload-refused').length === at + 1, 'the refusal')
    assert.is((await ask(client)).body, 'one')
  }
  const problems = signet.events('reload-refused').map((line) => (line.problems as string[]).join())
  assert.match(problems[0]!, /no signing key is named any more.*no upstream is named any more/)
  assert.match(problems[1]!, /^no signing key[^,]*$/)
  assert.match(problems[2]!, /^no upstream[^,]*$/)
})

test('a file that a refused configuration names is watched: when it comes, the configuration counts', async () => {
  const files = folder()
  const upstream = await upstreamSaying('one')
  const file = files.write('signet.yaml', everythingTo([upstream.port]))
  const signet = run(['run', '--config', file])
  await signet.listening()
  files.write('signet.yaml', everythingTo([upstream.port], 'secret: file:late.key'))
  await signet.printed(() => signet.events('reload-refused').length === 1, 'the refusal')
  files.write('late.key', 'ab'.repeat(64))
  await reloads(signet, 1)
})

test('the level of the log changes with the configuration', async () => {
  const files = folder()
  const upstream = await upstreamSaying('one')
  const file = files.write('signet.yaml', everythingTo([upstream.port], 'logLevel: info'))
  const signet = run(['run', '--config', file])
  const client = await signet.client()
  const counts = () => [signet.events('exchange').length, signet.events('field-dropped').length] as const
  /** Access log lines of one request at a level, and whether dropped fields are told. */
  const linesAt = async (level: string): Promise<[exchanges: number, drops: boolean]> => {
    files.write('signet.yaml', everythingTo([upstream.port], `logLevel: ${level}`))
    await new Promise((resolve) => setTimeout(resolve, 1500)) // at warn nothing says that it is in force
    const [exchanges, drops] = counts()
    await ask(client)
    await new Promise((resolve) => setTimeout(resolve, 500))
    return [counts()[0] - exchanges, counts()[1] > drops]
  }
  assert.equal(await linesAt('warn'), [0, false])
  assert.equal(await linesAt('debug'), [1, true])
  assert.equal(await linesAt('info'), [1, false])
})

test('a forward proxy that is taken out of the configuration lets nothing through any more', async () => {
  const files = folder()
  const upstream = await upstreamSaying('one')
  const forward = (list: string) => `forward: { port: 0, privateAddresses: [127.0.0.0/8], allow: [${list}] }`
  const here = `{ host: 127.0.0.1, ports: [${upstream.port}] }`
  const file = files.write('signet.yaml', everythingTo([upstream.port], forward(here)))
  const signet = run(['run', '--config', file])
  await signet.listening()
  await signet.printed(() => signet.events('listening').length === 1, 'the line that it listens')
  const port = Number(signet.events('listening')[0]!.forwardPort)
  const client = await Wire.connect(port)
  const absolute = `GET http://127.0.0.1:${upstream.port}/ HTTP/1.1\r\nHost: a\r\n\r\n`
  assert.match((await ask(client, absolute)).head, /^HTTP\/1\.1 200 /)
  const connections = upstream.wires.length
  files.write('signet.yaml', everythingTo([upstream.port], `${forward(here)}\nuser: other`))
  await reloads(signet, 1)
  assert.match((await ask(client, absolute)).head, /^HTTP\/1\.1 200 /)
  assert.is(upstream.wires.length, connections) // the same list keeps its connections
  files.write('signet.yaml', everythingTo([upstream.port], forward('{ host: other.test, ports: [80] }')))
  await reloads(signet, 2)
  assert.match((await ask(client, absolute)).head, /^HTTP\/1\.1 403 /)
  files.write('signet.yaml', everythingTo([upstream.port], forward(here)))
  await reloads(signet, 3)
  assert.match((await ask(client, absolute)).head, /^HTTP\/1\.1 200 /)
  files.write('signet.yaml', everythingTo([upstream.port]))
  await reloads(signet, 4)
  assert.equal(signet.events('reloaded').at(-1)!.needsRestart, ['forward'])
  assert.match((await ask(client, absolute)).head, /^HTTP\/1\.1 403 /)
  client.destroy()
})

test("a name that was the token's when a request began is no trailer of it afterwards either", async () => {
  const files = folder()
  const upstream = closing(await RawUpstream.listen())
  const file = files.write('signet.yaml', everythingTo([upstream.port]))
  const signet = run(['run', '--config', file])
  const client = await signet.client()
  client.send('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n')
  const end = await upstream.accept()
  await end.until('1\r\na\r\n')
  files.write('signet.yaml', everythingTo([upstream.port], 'jwtHeader: x-other'))
  await reloads(signet, 1)
  client.send('0\r\nX-My-Jwt: forged\r\nX-Passes: 1\r\n\r\n')
  assert.is(await end.until('\r\n\r\n'), '0\r\nX-Passes: 1\r\n\r\n')
})

test.run()
