// The listener for clients that have signet as their forward proxy: absolute-form and CONNECT, to what is on the list.

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf } from '../support/process.ts'
import { type Stand, startStand } from '../support/proxy.ts'
import { ok, type RawUpstream, Wire, within } from '../support/wire.ts'

const test = suite('proxy/forward')
const run = processesOf(test)
const closing = closedAfter(test)
const folders: string[] = []
const clients: Wire[] = []

test.after.each(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
  for (const client of clients.splice(0)) client.destroy()
})

interface Forwarding {
  readonly stand: Stand
  /** an upstream on the list */
  readonly listed: RawUpstream
  readonly port: number
  client(): Promise<Wire>
}

/** signet in front of an upstream, and as a forward proxy to it by the given names. */
async function start(
  hosts: readonly string[] = ['127.0.0.1', 'localhost'],
  privateAddresses: readonly string[] = ['127.0.0.0/8', '::1'],
): Promise<Forwarding> {
  const stand = closing(
    await startStand({}, undefined, (upstreamPort) => ({
      forward: {
        host: '127.0.0.1',
        port: 0,
        allow: hosts.map((host) => ({ host, ports: [upstreamPort] })),
        privateAddresses,
      },
    })),
  )
  const port = stand.forwardPort ?? 0
  return {
    stand,
    listed: stand.upstream,
    port,
    async client() {
      const client = await Wire.connect(port)
      clients.push(client)
      return client
    },
  }
}

async function statusOf(
  client: Wire,
  request: string,
): Promise<{ status: number; head: string; body: string }> {
  client.send(request)
  const { head, body } = await client.message()
  return { status: Number(head.split(' ')[1]), head, body: body.toString() }
}

test('absolute-form: forwarded in origin-form, with Host of the target and a token', async () => {
  const { listed, client } = await start()
  const one = await client()
  one.send(`GET http://127.0.0.1:${listed.port}/a?b HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n`)
  const end = await listed.accept()
  const head = await end.head()
  assert.ok(head.startsWith('GET /a?b HTTP/1.1\r\n'), head)
  assert.equal(valuesOf(head, 'host'), [`127.0.0.1:${listed.port}`])
  assert.is(valuesOf(head, 'x-my-jwt').length, 1)
  end.send(ok('here'))
  assert.is((await one.message()).body.toString(), 'here')
})

test('one client, several destinations by turns, on one connection', async () => {
  const { listed, client } = await start()
  listed.serve(({ head }) => ok(valuesOf(head, 'host')[0]))
  const one = await client()
  for (const host of ['127.0.0.1', 'localhost', '127.0.0.1', 'LOCALHOST.', 'localhost']) {
    const { status, body } = await statusOf(
      one,
      `GET http://${host}:${listed.port}/ HTTP/1.1\r\nHost: a\r\n\r\n`,
    )
    assert.equal([status, body], [200, `${host}:${listed.port}`])
  }
})

for (const [what, target] of [
  ['a host that is not on the list', 'http://other.test:PORT/'],
  ['a port that is not on the list', 'http://127.0.0.1:1/'],
  ['the default port, which is not on the list', 'http://127.0.0.1/'],
  ['a name below one on the list', 'http://a.localhost:PORT/'],
  ['a host that only ends alike', 'http://notlocalhost:PORT/'],
] as const) {
  test(`${what} is refused: 403`, async () => {
    const { listed, client } = await start()
    const url = target.replace('PORT', String(listed.port))
    const { status, body } = await statusOf(await client(), `GET ${url} HTTP/1.1\r\nHost: a\r\n\r\n`)
    assert.is(status, 403, body)
    assert.is(JSON.parse(body).code, 'ERR_DESTINATION_FORBIDDEN')
    const connect = new URL(url).host.includes(':') ? new URL(url).host : `${new URL(url).host}:80`
    const refused = await client()
    assert.is(
      (await statusOf(refused, `CONNECT ${connect} HTTP/1.1\r\nHost: ${connect}\r\n\r\n`)).status,
      403,
    )
    assert.is((await refused.rest()).ending, 'fin')
    assert.is(listed.wires.length, 0)
  })
}

for (const allow of [undefined, []]) {
  test(`with ${allow === undefined ? 'no' : 'an empty'} list there is no forward proxy: signet does not start`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signet-forward-'))
    folders.push(folder)
    const file = join(folder, 'signet.json')
    writeFileSync(file, JSON.stringify({ forward: { port: 0, allow } }))
    const signet = run(['run', '--config', file])
    assert.equal(await signet.exited(), { code: 78, signal: null })
    assert.match(signet.stderr, /signet\.json:1:\d+ forward/)
  })
}

for (const host of [
  '127.0.0.1',
  '127.1',
  '0x7f.0.0.1',
  '0x7f000001',
  '017700000001',
  '2130706433',
  '0.0.0.0',
  '0',
  '10.0.0.1',
  '169.254.169.254',
  '192.168.1.1',
  '100.64.0.1',
  '[::1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  '[fe80::1]',
  '[fd00::1]',
  'localhost',
]) {
  test(`${host} is no public address, and none is connected to though the name is on the list: 403`, async () => {
    const { listed, client } = await start([host.replace(/[[\]]/g, '')], [])
    const authority = `${host}:${listed.port}`
    for (const request of [`GET http://${authority}/`, `CONNECT ${authority}`]) {
      const { status, body } = await statusOf(
        await client(),
        `${request} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
      )
      assert.is(status, 403, body)
    }
    assert.is(listed.wires.length, 0)
  })
}

test('CONNECT opens a tunnel; octets sent with the request go through it', async () => {
  const { stand, listed, client } = await start()
  const one = await client()
  one.send(`CONNECT localhost:${listed.port} HTTP/1.1\r\nHost: localhost:${listed.port}\r\n\r\nearly`)
  const end = await listed.accept()
  assert.is((await end.take(5)).toString(), 'early')
  assert.match(await one.head(), /^HTTP\/1\.1 200 [^\r]*\r\n(?!.*content-length)/is)
  one.send('\x16\x03\x01')
  assert.is((await end.take(3)).toString('latin1'), '\x16\x03\x01')
  end.send('back').end()
  assert.is((await one.take(4)).toString(), 'back')
  one.send('late').end()
  assert.equal(await end.rest(), { octets: 'late', ending: 'fin' })
  assert.equal(await one.rest(), { octets: '', ending: 'fin' })
  const [line] = await stand.exchanges(1)
  assert.equal([line!.method, line!.status, line!.path], ['CONNECT', 200, `localhost:${listed.port}`])
})

test('CONNECT to what cannot be reached: 502, and the connection ends', async () => {
  const { listed, client } = await start()
  const { port } = listed
  await listed.close()
  const one = await client()
  const { status } = await statusOf(
    one,
    `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
  )
  assert.is(status, 502)
  assert.equal(await one.rest(), { octets: '', ending: 'fin' })
})

test('origin-form is not for a forward proxy: 400; nor has it pages', async () => {
  const { listed, client } = await start()
  for (const target of ['/', '/status', '/metrics']) {
    const { status } = await statusOf(
      await client(),
      `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${listed.port}\r\n\r\n`,
    )
    assert.is(status, 400)
  }
  assert.is(listed.wires.length, 0)
})

test('the main listener is no forward proxy: absolute-form goes to the upstream, CONNECT is refused', async () => {
  const { stand, listed } = await start()
  listed.serve(({ head }) => ok(valuesOf(head, 'host')[0]))
  const one = await stand.client()
  const { status, body } = await statusOf(one, 'GET http://other.test/ HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal([status, body], [200, 'other.test'])
  assert.is(
    (await statusOf(await stand.client(), 'CONNECT a.test:1 HTTP/1.1\r\nHost: a\r\n\r\n')).status,
    501,
  )
})

const CURL = ['/usr/bin/curl', '/usr/local/bin/curl'].find((path) => existsSync(path))
const withCurl = CURL === undefined ? test.skip : test

async function curl(env: Record<string, string>, ...args: string[]): Promise<string> {
  const child = spawn(CURL!, ['-sS', '--max-time', '5', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += piece))
  await within(new Promise((resolve) => child.once('close', resolve)), 'curl', 8000)
  return output
}

withCurl('http_proxy=… curl (skipped where there is no curl)', async () => {
  const { listed, port } = await start()
  listed.serve(({ head }) => ok(head.split(' ')[1]))
  const env = { http_proxy: `http://127.0.0.1:${port}` }
  assert.is(await curl(env, `http://localhost:${listed.port}/by-curl?x`), '/by-curl?x')
  assert.is(await curl(env, '-p', `http://localhost:${listed.port}/tunnelled`), '/tunnelled')
  assert.match(await curl(env, 'http://example.test/'), /ERR_DESTINATION_FORBIDDEN/)
})

test.run()
