// Limits that are counted in Redis, by a real redis-server: several signets share them, and what becomes of requests while it
// does not answer.

import { Redis } from 'ioredis'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfig } from '../../src/config.ts'
import type { GatewayConfig, LimitConfig, RedisConfig } from '../../src/http/gateway.ts'
import { later } from '../support/flow.ts'
import { gatewayTo, loopback } from '../support/gateways.ts'
import { problemIn, valuesOf } from '../support/heads.ts'
import { closedAfter } from '../support/process.ts'
import { KEY, type Stand, startStand } from '../support/proxy.ts'
import { freePort, hasRedis, RedisServer } from '../support/redis.ts'
import { eventually, ok, type WireMessage, within } from '../support/wire.ts'

const base = suite('proxy/limits-redis')
const closing = closedAfter(base)
/** Where there is no redis-server each test is skipped, and named. */
const test = hasRedis() ? base : skip

function skip(name: string): void {
  console.log(`! skipped, since there is no redis-server: ${name}`)
  base.skip(name)
}

const LIMIT: LimitConfig = { requests: 3, window: 60_000, by: 'address', store: 'redis', whenDown: 'open' }
const TIMEOUT = 300

async function startRedis(port?: number, settings?: readonly string[]): Promise<RedisServer> {
  return closing(await RedisServer.start(port ?? (await freePort()), settings))
}

function gatewayAt(
  upstreamPort: number,
  port: number,
  limit: Partial<LimitConfig> = {},
  redis: Partial<RedisConfig> = {},
): GatewayConfig {
  const gateway = gatewayTo([loopback(upstreamPort)])
  return {
    ...gateway,
    routes: gateway.routes.map((route) => ({ ...route, limit: { ...LIMIT, ...limit } })),
    redis: { url: `redis://127.0.0.1:${port}`, timeout: TIMEOUT, ...redis },
  }
}

/** A signet that answers everything with 200, and counts in the Redis on that port. */
async function startAt(
  port: number,
  limit: Partial<LimitConfig> = {},
  redis: Partial<RedisConfig> = {},
): Promise<Stand> {
  const stand = await startStand({}, undefined, (upstreamPort) => gatewayAt(upstreamPort, port, limit, redis))
  closing(stand)
  stand.upstream.serve(() => ok())
  return stand
}

async function ask(stand: Stand, fields = ''): Promise<WireMessage & { status: number; ms: number }> {
  const client = await stand.client()
  const began = performance.now()
  client.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`)
  const message = await client.message()
  client.destroy()
  return { ...message, status: Number(message.head.slice(9, 12)), ms: performance.now() - began }
}

async function statusesOf(stand: Stand, times: number): Promise<number[]> {
  const statuses = []
  for (let n = 0; n < times; n++) statuses.push((await ask(stand)).status)
  return statuses
}

function said(stand: Stand): unknown[] {
  return stand.log.filter(({ event }) => event === 'redis').map(({ condition }) => condition)
}

test('several signets share one limit, and whoever comes later finds what was counted', async () => {
  const { port } = await startRedis()
  const one = await startAt(port)
  const other = await startAt(port)
  const first = await ask(one)
  assert.equal(valuesOf(first.head, 'RateLimit'), ['"all";r=2;t=60'])
  assert.equal((await ask(other)).status, 200)
  assert.equal((await ask(one)).status, 200)
  const refused = await ask(other)
  assert.is(refused.status, 429)
  assert.ok(Number(valuesOf(refused.head, 'Retry-After')) >= 59)
  assert.equal(await statusesOf(await startAt(port), 1), [429])
  assert.equal([...said(one), ...said(other)], [])
})

test('each key is gone with its window, and none holds what may be a secret', async () => {
  const { port } = await startRedis()
  const stand = await startAt(port, { by: 'field:x-api-key' })
  await ask(stand, 'X-API-Key: hunter2\r\n')
  await ask(stand)
  const redis = new Redis(port, '127.0.0.1')
  try {
    const keys = await redis.keys('*')
    assert.is(keys.filter((key) => key !== 'signet:probe').length, 2)
    for (const key of keys) {
      if (key === 'signet:probe') continue // by which signet sees that there is a Redis
      assert.match(key, /^signet:all:3\/60000:(address:127\.0\.0\.1|field:[\w-]{43})$/)
      const left = await redis.pttl(key)
      assert.ok(left > 0 && left <= 60_000, `${left}`)
    }
  } finally {
    redis.disconnect()
  }
})

for (const [whenDown, status] of [
  ['open', 200],
  ['closed', 503],
] as const) {
  test(`Redis gone: requests get ${status} where the route is ${whenDown}, at once, and it is said once`, async () => {
    const redis = await startRedis()
    const stand = await startAt(redis.port, { requests: 1, whenDown })
    assert.equal(await statusesOf(stand, 2), [200, 429])
    await redis.close()
    for (let n = 0; n < 5; n++) {
      const { head, body, status: found, ms } = await ask(stand)
      assert.is(found, status)
      assert.equal(valuesOf(head, 'RateLimit'), [])
      assert.ok(ms < TIMEOUT, `${ms} ms`)
      if (status === 503) {
        assert.is(problemIn(body).code, 'ERR_LIMIT_UNKNOWN')
        assert.equal(valuesOf(head, 'Retry-After'), ['1'])
      }
    }
    assert.equal(said(stand), ['gone'])
    await startRedis(redis.port)
    await eventually(() => said(stand).length === 2, 'word that Redis is back')
    assert.equal(said(stand), ['gone', 'back'])
    assert.equal(await statusesOf(stand, 2), [200, 429])
  })
}

test('a Redis that hangs holds a request up to its deadline, the others not at all', async () => {
  const redis = await startRedis()
  const stand = await startAt(redis.port, { requests: 1, whenDown: 'closed' })
  assert.equal(await statusesOf(stand, 1), [200])
  redis.freeze()
  const first = await ask(stand)
  assert.is(first.status, 503)
  assert.ok(first.ms >= TIMEOUT - 20 && first.ms < TIMEOUT + 500, `${first.ms} ms`)
  const next = await ask(stand)
  assert.is(next.status, 503)
  assert.ok(next.ms < TIMEOUT, `${next.ms} ms`)
  redis.thaw()
  await eventually(() => said(stand).length === 2, 'word that Redis is back', 10_000)
  assert.equal(said(stand), ['gone', 'back'])
  assert.is((await ask(stand)).status, 429)
})

test('a client that leaves while Redis hangs leaves nothing behind', async () => {
  const redis = await startRedis()
  const stand = await startAt(redis.port, { whenDown: 'open' })
  await ask(stand)
  redis.freeze()
  const client = await stand.client()
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await new Promise((resolve) => setTimeout(resolve, 50))
  client.reset()
  const [, left] = await stand.exchanges(2)
  assert.is(left?.failure, 'ERR_CLIENT_CLOSED')
  await eventually(() => said(stand).length === 1, 'word that Redis is gone')
  redis.thaw()
  await eventually(() => said(stand).length === 2, 'word that Redis is back', 10_000)
  assert.is(stand.upstream.wires.length, 1)
  assert.is((await stand.exchanges(2)).length, 2)
})

test('a Redis that comes later than signet is found', async () => {
  const port = await freePort()
  const stand = await startAt(port, { requests: 1 })
  assert.equal(await statusesOf(stand, 3), [200, 200, 200])
  assert.equal(said(stand), ['gone'])
  await startRedis(port)
  await eventually(() => said(stand).length === 2, 'word that Redis is back')
  assert.equal(await statusesOf(stand, 2), [200, 429])
})

test('a Redis that takes no more is gone until it does, however often it is looked at', async () => {
  const { port } = await startRedis(undefined, ['--maxmemory', '1'])
  const stand = await startAt(port, { requests: 1, whenDown: 'closed' })
  assert.equal(await statusesOf(stand, 1), [503])
  await new Promise((resolve) => setTimeout(resolve, 2500))
  assert.equal(said(stand), ['gone'])
  assert.is(stand.log.find(({ event }) => event === 'redis')?.reason, 'OOM')
  const redis = new Redis(port, '127.0.0.1')
  try {
    await redis.config('SET', 'maxmemory', '0')
  } finally {
    redis.disconnect()
  }
  await eventually(() => said(stand).length === 2, 'word that Redis is back')
  assert.equal(await statusesOf(stand, 2), [200, 429])
})

test('a reload keeps the connection and the counts; without such a limit, and at the end, it is closed', async () => {
  const { port } = await startRedis()
  const stand = await startAt(port, { requests: 1 })
  const redis = new Redis(port, '127.0.0.1')
  const connections = async () => String(await redis.client('LIST')).match(/^id=\d+/gm) ?? []
  /** Waits until Redis has seen that signet's connection is closed. */
  const onlyOurs = async () => {
    for (let left = 2; left > 1; left = (await connections()).length) await later(10)
  }
  const upstream = stand.upstream.port
  const { config } = readConfig({
    flags: {},
    env: { SIGNET_UPSTREAM: `http://127.0.0.1:${upstream}`, SIGNET_DRAIN_TIMEOUT: '50' },
    readFile: () => '',
  })
  try {
    assert.equal(await statusesOf(stand, 1), [200])
    const before = await connections()
    assert.is(before.length, 2)
    stand.proxy.reload({
      config,
      gateway: gatewayAt(upstream, port, { requests: 1, by: 'subject' }),
      key: KEY,
    })
    assert.equal(await statusesOf(stand, 1), [429])
    assert.equal(await connections(), before)
    stand.proxy.reload({ config, gateway: gatewayTo([loopback(upstream)]), key: KEY })
    assert.equal(await statusesOf(stand, 2), [200, 200])
    await within(onlyOurs(), 'the end of the connection')
    stand.proxy.reload({ config, gateway: gatewayAt(upstream, port, { requests: 1 }), key: KEY })
    assert.equal(await statusesOf(stand, 1), [429])
    assert.is((await connections()).length, 2)
    await stand.proxy.close()
    await within(onlyOurs(), 'the end of the connection')
    assert.equal(said(stand), [])
  } finally {
    redis.disconnect()
  }
})

test('with a wrong password Redis is gone, with the right one it is there; neither is logged', async () => {
  const { port } = await startRedis(undefined, ['--requirepass', 'open-sesame'])
  const wrong = await startAt(port, { whenDown: 'closed' }, { url: `redis://:hunter2@127.0.0.1:${port}` })
  assert.is((await ask(wrong)).status, 503)
  assert.equal(said(wrong), ['gone'])
  const right = await startAt(port, { requests: 1 }, { url: `redis://:open-sesame@127.0.0.1:${port}` })
  assert.equal(await statusesOf(right, 2), [200, 429])
  assert.not.match(JSON.stringify([wrong.log, right.log]), /hunter2|open-sesame/)
})

base.run()
