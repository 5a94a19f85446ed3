import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createAuthLimits } from '../src/auth/authenticators.ts'
import { Compressors } from '../src/compression/compression.ts'
import { Gateway, type GatewayContext } from '../src/gateway.ts'
import type { GatewayConfig, Origin, UpstreamConfig } from '../src/http/gateway.ts'
import { Balancer } from '../src/net/balancer.ts'
import { Deadlines } from '../src/net/deadlines.ts'
import { Pool, type PoolContext } from '../src/net/pool.ts'
import { noFault } from './support/faults.ts'
import { gatewayTo, loopback } from './support/gateways.ts'

const test = suite('gateway')

/** A pool that connects nowhere, and knows whether it was closed. */
class NotedPool extends Pool {
  closed = false

  constructor(origin: Origin) {
    super(origin, {} as PoolContext) // nobody asks it for a connection
  }

  override close(): void {
    this.closed = true
  }

  override destroy(): void {
    this.closed = true
  }
}

/** Two upstreams of two targets each. */
function configOf(one: readonly number[], two: readonly number[], weight = 1): GatewayConfig {
  const [first] = gatewayTo(one.map(loopback)).upstreams
  const [second] = gatewayTo(two.map(loopback)).upstreams
  const weigh = (upstream: UpstreamConfig) => upstream.targets.map(({ origin }) => ({ origin, weight }))
  return {
    upstreams: [
      { ...first!, name: 'one', targets: weigh(first!) },
      { ...second!, name: 'two' },
    ],
    routes: [
      { name: 'a', upstream: 'one', path: '/a' },
      { name: 'b', upstream: 'two', path: '/b' },
    ],
  }
}

function createBalancer(upstream: UpstreamConfig): Balancer {
  return new Balancer(upstream, {
    createPool: (origin) => new NotedPool(origin),
    clock: () => 0,
    onChange: () => undefined,
    onFault: noFault,
  })
}

const auth = { now: () => 0, clock: () => 0 }
const CONTEXT: GatewayContext = {
  createBalancer,
  auth,
  authLimits: createAuthLimits(auth),
  onAdmission: () => undefined,
  credentials: { onResult: () => undefined, onAsked: () => undefined, onCondition: () => undefined },
  onRedis: () => undefined,
  compressors: new Compressors(
    { deadlines: new Deadlines(() => 0, noFault), onFault: noFault },
    { maxCompressions: 0 },
  ),
}

/** The pools of a gateway by port, and those of them that are closed. */
function poolsOf(gateway: Gateway): { all: Map<number, Pool>; closed: number[] } {
  const pools = gateway.balancers.flatMap(({ pools: its }) => its as NotedPool[])
  const all = new Map(pools.map((pool) => [pool.origin.port, pool]))
  return { all, closed: pools.filter(({ closed }) => closed).map(({ origin }) => origin.port) }
}

test('an upstream that is defined alike is the same, and of another one each target that stays', () => {
  const before = new Gateway(configOf([1, 2], [3, 4]), CONTEXT, undefined)
  const after = new Gateway(configOf([2, 5], [3, 4], 7), CONTEXT, before)
  assert.is(after.balancers[1], before.balancers[1])
  assert.is.not(after.balancers[0], before.balancers[0])
  const [old, now] = [poolsOf(before).all, poolsOf(after).all]
  assert.is(now.get(2), old.get(2))
  before.makeWayFor(after)
  assert.equal(poolsOf(before).closed, [1])
  assert.equal(poolsOf(after).closed, [])
})

test('a gateway that makes way for the one before it closes nothing of that one', () => {
  const before = new Gateway(configOf([1, 2], [3, 4]), CONTEXT, undefined)
  const after = new Gateway(configOf([2, 5], [3, 4], 7), CONTEXT, before)
  after.makeWayFor(before)
  assert.equal(poolsOf(before).closed, [])
  assert.equal(poolsOf(after).closed, [5])
})

test('a gateway that cannot be made leaves the one before it as it was', () => {
  const before = new Gateway(configOf([1, 2], [3, 4]), CONTEXT, undefined)
  const config = configOf([1, 2], [3, 4], 7)
  const routes = [{ name: 'a', upstream: 'none', path: '/a' }]
  assert.throws(() => new Gateway({ ...config, routes }, CONTEXT, before), RangeError)
  assert.equal(poolsOf(before).closed, [])
})

test('targets with other TLS settings are other targets', () => {
  const withTls = (serverName: string) => {
    const config = configOf([1], [3])
    const [one, two] = config.upstreams as [UpstreamConfig, UpstreamConfig]
    const targets = one.targets.map(({ origin, weight }) => ({
      origin: { ...origin, tls: { serverName } },
      weight,
    }))
    return { ...config, upstreams: [{ ...one, targets }, two] }
  }
  const before = new Gateway(withTls('a.test'), CONTEXT, undefined)
  const after = new Gateway(withTls('b.test'), CONTEXT, before)
  before.makeWayFor(after)
  assert.equal(poolsOf(before).closed, [1])
  assert.equal(poolsOf(after).closed, [])
})

test.run()
