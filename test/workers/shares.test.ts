import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfig } from '../../src/config.ts'
import { gatewayShareOf, shareOf } from '../../src/workers/shares.ts'
import { gatewayTo, loopback } from '../support/gateways.ts'

const test = suite('workers/shares')

function shares(env: Record<string, string>) {
  const { config } = readConfig({ flags: {}, env, readFile: () => '' })
  const { maxConnections, poolSize, poolQueue, maxCompressions } = shareOf(config)
  return [maxConnections, poolSize, poolQueue, maxCompressions]
}

test('connections, the pool and its queue, and compressions are divided among the workers', () => {
  assert.equal(shares({ SIGNET_WORKERS: '1' }), [10_000, 256, 1024, 128])
  assert.equal(shares({ SIGNET_WORKERS: '4' }), [2500, 64, 256, 32])
})

test('a share is rounded up, so that nobody has none; a queue that nobody may wait in stays that', () => {
  const limits = { SIGNET_MAX_CONNECTIONS: '7', SIGNET_POOL_SIZE: '1', SIGNET_POOL_QUEUE: '0' }
  const compressions = { SIGNET_MAX_COMPRESSIONS: '0' }
  assert.equal(shares({ ...limits, ...compressions, SIGNET_WORKERS: '3' }), [3, 1, 0, 0])
})

test('nothing else is divided', () => {
  const { config } = readConfig({ flags: {}, env: { SIGNET_WORKERS: '3' }, readFile: () => '' })
  const { maxConnections: _, poolSize: __, poolQueue: ___, maxCompressions: _m, ...others } = shareOf(config)
  const { maxConnections: ____, poolSize: _____, poolQueue: ______, maxCompressions: _n, ...before } = config
  assert.equal(others, before)
})

test('what a limit allows is divided where each worker counts for itself, and nothing else of the gateway', () => {
  const gateway = gatewayTo([loopback(1)])
  const limit = { requests: 5, window: 1000, by: 'address', store: 'memory', whenDown: 'open' } as const
  const withLimits = (...requests: number[]) =>
    ({
      ...gateway,
      routes: [
        { name: 'memory', upstream: 'main', path: '/a', limit: { ...limit, requests: requests[0]! } },
        {
          name: 'redis',
          upstream: 'main',
          path: '/b',
          limit: { ...limit, store: 'redis', requests: requests[1]! },
        },
        ...gateway.routes,
      ],
    }) as const
  assert.equal(gatewayShareOf(withLimits(5, 5), 2), withLimits(3, 5))
  assert.equal(gatewayShareOf(withLimits(1, 1), 4), withLimits(1, 1))
})

test.run()
