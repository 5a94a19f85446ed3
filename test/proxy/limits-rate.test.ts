// Limits on requests: who is counted, what clients are told, what a reload and several workers make of them. In Redis:
// limits-redis.test.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AuthenticatorConfig } from '../../src/http/authentication.ts'
import type { LimitConfig } from '../../src/http/gateway.ts'
import { later } from '../support/flow.ts'
import { gatewayTo, loopback } from '../support/gateways.ts'
import { problemIn, valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf } from '../support/process.ts'
import { READ_PATHS, type Stand, startStand } from '../support/proxy.ts'
import { ok, RawUpstream, type Wire, type WireMessage } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET /x HTTP/1.1\r\n${HOST}\r\n`
const LIMIT: LimitConfig = { requests: 2, window: 60_000, by: 'address', store: 'memory', whenDown: 'open' }

function statusOf({ head }: WireMessage): number {
  return Number(head.slice(9, 12))
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/limits-rate (${readPath})`)
  const stands: Stand[] = []
  test.after.each(async () => {
    for (const stand of stands.splice(0)) {
      assert.is(stand.log.filter(({ event }) => event === 'fault').length, 0)
      await stand.close()
    }
  })

  /** A stand whose one route has this limit. */
  async function startLimited(
    limit: Partial<LimitConfig> = {},
    more: { authenticators?: readonly AuthenticatorConfig[]; authenticate?: readonly string[] } = {},
  ): Promise<Stand> {
    const { authenticators = [], authenticate } = more
    const stand = await startStand({ SIGNET_READ_PATH: readPath }, undefined, (port) => {
      const gateway = gatewayTo([loopback(port)])
      const access = authenticate === undefined ? {} : { authenticate }
      const routes = gateway.routes.map((route) => ({ ...route, ...access, limit: { ...LIMIT, ...limit } }))
      return { ...gateway, routes, authenticators, trustedProxies: ['127.0.0.0/8'] }
    })
    stands.push(stand)
    return stand
  }

  /** One that answers everything with 200. */
  async function start(limit: Partial<LimitConfig> = {}): Promise<Stand> {
    const stand = await startLimited(limit)
    stand.upstream.serve(() => ok())
    return stand
  }

  async function ask(client: Wire, fields = ''): Promise<WireMessage> {
    client.send(`GET /x HTTP/1.1\r\n${HOST}${fields}\r\n`)
    return client.message()
  }

  test('requests within the limit pass and are told what is left; beyond, 429 with Retry-After (RFC 6585 §4)', async () => {
    const stand = await start()
    const client = await stand.client()
    for (const left of [1, 0]) {
      const { head } = await ask(client)
      assert.match(head, /^HTTP\/1\.1 200 /)
      assert.equal(valuesOf(head, 'RateLimit-Policy'), ['"all";q=2;w=60'])
      assert.equal(valuesOf(head, 'RateLimit'), [`"all";r=${left};t=60`])
    }
    const { head, body } = await ask(client)
    assert.match(head, /^HTTP\/1\.1 429 Too Many Requests\r\n/)
    assert.equal(valuesOf(head, 'RateLimit-Policy'), ['"all";q=2;w=60'])
    assert.equal(valuesOf(head, 'RateLimit'), ['"all";r=0;t=60'])
    assert.equal(valuesOf(head, 'Retry-After'), ['60'])
    assert.is(problemIn(body).code, 'ERR_LIMIT_EXCEEDED')
    const [, , refused] = await stand.exchanges(3)
    assert.equal([refused?.status, refused?.failure], [429, 'ERR_LIMIT_EXCEEDED'])
  })

  test('the connection of who sent too many goes on, and upstream nothing of it is seen', async () => {
    const stand = await start({ requests: 1, window: 1000 })
    const client = await stand.client()
    assert.is(statusOf(await ask(client)), 200)
    assert.is(statusOf(await ask(client)), 429)
    await later(1100)
    assert.is(statusOf(await ask(client)), 200)
    assert.is(stand.upstream.wires.length, 1)
    assert.is((await stand.exchanges(3)).filter(({ upstream }) => upstream !== undefined).length, 2)
  })

  test('a body beyond the limit is not waited for, nor sent on', async () => {
    const stand = await start({ requests: 1 })
    await ask(await stand.client())
    const client = await stand.client()
    client.send(`POST /x HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\nhello`)
    assert.is(statusOf(await client.message()), 429)
    assert.is(stand.upstream.wires.length, 1)
  })

  test('a body within the limit arrives whole, however it comes', async () => {
    const stand = await startLimited()
    const client = await stand.client()
    client.send(`POST /x HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhello`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.send('world')
    assert.is((await upstream.take(10)).toString(), 'helloworld')
    upstream.send(ok())
    assert.is(statusOf(await client.message()), 200)
    client.send(`POST /x HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nagain`)
    assert.is((await upstream.message()).body.toString(), 'again')
  })

  test('callers are counted apart by their addresses; a trusted proxy says whose', async () => {
    const stand = await start({ requests: 1 })
    const client = await stand.client()
    const from = async (address: string) => statusOf(await ask(client, `X-Forwarded-For: ${address}\r\n`))
    assert.equal([await from('192.0.2.1'), await from('192.0.2.2')], [200, 200])
    assert.equal([await from('192.0.2.1'), await from('192.0.2.2')], [429, 429])
    assert.equal(
      [await from('2001:db8::1'), await from('2001:db8::2'), await from('2001:db8:0:1::1')],
      [200, 429, 200],
    )
  })

  test('by a field, its values are counted apart; without it the address counts', async () => {
    const stand = await start({ requests: 1, by: 'field:x-api-key' })
    const client = await stand.client()
    const statuses = []
    for (const fields of ['X-API-Key: a\r\n', 'x-api-key: b\r\n', 'X-Api-Key: a\r\n', '', ''])
      statuses.push(statusOf(await ask(client, fields)))
    assert.equal(statuses, [200, 200, 429, 200, 429])
  })

  test('by subject, where a route asks nobody who it is, the address counts', async () => {
    const stand = await start({ requests: 1, by: 'subject' })
    const client = await stand.client()
    assert.equal([statusOf(await ask(client)), statusOf(await ask(client))], [200, 429])
  })

  test('by subject, the anonymous are counted by their addresses: none of them can shut out the others', async () => {
    const anybody = { kind: 'anonymous', name: 'anybody', forward: false, subject: 'nobody' } as const
    const access = { authenticators: [anybody], authenticate: ['anybody'] }
    const stand = await startLimited({ requests: 1, by: 'subject' }, access)
    stand.upstream.serve(() => ok())
    const client = await stand.client()
    const from = async (address: string) => statusOf(await ask(client, `X-Forwarded-For: ${address}\r\n`))
    assert.equal([await from('192.0.2.1'), await from('192.0.2.1'), await from('192.0.2.2')], [200, 429, 200])
  })

  test('requests that come together are counted in their order', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET.repeat(5))
    const statuses = []
    for (let n = 0; n < 5; n++) statuses.push(statusOf(await client.message()))
    assert.equal(statuses, [200, 200, 429, 429, 429])
  })

  test('what an upstream says of its own limits stays beside', async () => {
    const stand = await startLimited()
    stand.upstream.serve(() => ok('ok', 'RateLimit: "app";r=1;t=1\r\n'))
    const { head } = await ask(await stand.client())
    assert.equal(valuesOf(head, 'RateLimit'), ['"app";r=1;t=1', '"all";r=1;t=60'])
  })

  test('a failure of the upstream and a tunnel are told what is left as well', async () => {
    const stand = await startLimited()
    const failing = await stand.client()
    failing.send(`POST /x HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.message()
    upstream.end()
    const failed = await failing.message()
    assert.match(failed.head, /^HTTP\/1\.1 502 /)
    assert.equal(valuesOf(failed.head, 'RateLimit'), ['"all";r=1;t=60'])

    const client = await stand.client()
    client.send(`GET /x HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
    const other = await stand.upstream.accept()
    await other.head()
    other.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    const switched = await client.head()
    assert.match(switched, /^HTTP\/1\.1 101 /)
    assert.equal(valuesOf(switched, 'RateLimit'), ['"all";r=0;t=60'])
  })

  test('a route without a limit says nothing of limits', async () => {
    const stand = await startStand({ SIGNET_READ_PATH: readPath })
    stands.push(stand)
    stand.upstream.serve(() => ok())
    const { head } = await ask(await stand.client())
    assert.equal(valuesOf(head, 'RateLimit'), [])
    assert.equal(valuesOf(head, 'RateLimit-Policy'), [])
  })

  test.run()
}

const test = suite('proxy/limits-rate (process)')
const run = processesOf(test)
const closing = closedAfter(test)
const folders: string[] = []
test.after.each(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A configuration file whose one route has this limit. */
async function fileWith(limit: string): Promise<{ path: string; write: (limit: string) => void }> {
  const upstream = closing(await RawUpstream.listen())
  upstream.serve(() => ok())
  const folder = mkdtempSync(join(tmpdir(), 'signet-limits-'))
  folders.push(folder)
  const path = join(folder, 'signet.yaml')
  const write = (text: string) =>
    writeFileSync(
      path,
      `upstreams: { app: "http://127.0.0.1:${upstream.port}" }\nroutes: [{ name: all, upstream: app, limit: ${text} }]\n`,
    )
  write(limit)
  return { path, write }
}

test('a reload keeps the counts of a limit that stays the same, and begins anew with one that changes', async () => {
  const { path, write } = await fileWith('{ requests: 1, window: 60000 }')
  const signet = run(['run', '--config', path])
  const client = await signet.client()
  const ask = async () => {
    client.send(GET)
    return statusOf(await client.message())
  }
  const reload = async (limit: string) => {
    const before = signet.events('reloaded').length
    write(limit)
    signet.signal('SIGHUP')
    await signet.printed(() => signet.events('reloaded').length > before, 'a reload', 10_000)
  }
  assert.equal([await ask(), await ask()], [200, 429])
  await reload('{ requests: 1, window: 60000, by: subject }')
  assert.is(await ask(), 429)
  await reload('{ requests: 2, window: 60000 }')
  assert.equal([await ask(), await ask(), await ask()], [200, 200, 429])
  client.destroy()
})

test('several workers share a limit that is counted in memory', async () => {
  const { path } = await fileWith('{ requests: 4, window: 60000 }')
  const signet = run(['run', '--config', path], { SIGNET_WORKERS: '2' })
  const port = await signet.listening()
  assert.ok(port > 0)
  const client = await signet.client()
  const policies = []
  const statuses = []
  for (let n = 0; n < 3; n++) {
    client.send(GET)
    const message = await client.message()
    statuses.push(statusOf(message))
    policies.push(...valuesOf(message.head, 'RateLimit-Policy'))
  }
  assert.equal(statuses, [200, 200, 429])
  assert.equal(policies, Array(3).fill('"all";q=2;w=60'))
  client.destroy()
})

test.run()
