import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfig } from '../../src/config.ts'
import { shareOf } from '../../src/workers/shares.ts'

const test = suite('workers/shares')

function shares(env: Record<string, string>) {
  const { config } = readConfig({ flags: {}, env, readFile: () => '' })
  const { maxConnections, poolSize, poolQueue } = shareOf(config)
  return [maxConnections, poolSize, poolQueue]
}

test('connections, the pool and its queue are divided among the workers', () => {
  assert.equal(shares({ SIGNET_WORKERS: '1' }), [10_000, 256, 1024])
  assert.equal(shares({ SIGNET_WORKERS: '4' }), [2500, 64, 256])
})

test('a share is rounded up, so that nobody has none; a queue that nobody may wait in stays that', () => {
  const limits = { SIGNET_MAX_CONNECTIONS: '7', SIGNET_POOL_SIZE: '1', SIGNET_POOL_QUEUE: '0' }
  assert.equal(shares({ ...limits, SIGNET_WORKERS: '3' }), [3, 1, 0])
})

test('nothing else is divided', () => {
  const { config } = readConfig({ flags: {}, env: { SIGNET_WORKERS: '3' }, readFile: () => '' })
  const { maxConnections: _, poolSize: __, poolQueue: ___, ...others } = shareOf(config)
  const { maxConnections: ____, poolSize: _____, poolQueue: ______, ...before } = config
  assert.equal(others, before)
})

test.run()
