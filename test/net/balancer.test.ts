import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type FailureCode, ProxyError } from '../../src/errors.ts'
import type { Origin, UpstreamConfig } from '../../src/http/gateway.ts'
import { Balancer, blamesTarget, type TargetCondition } from '../../src/net/balancer.ts'
import { Pool, type PoolContext } from '../../src/net/pool.ts'
import { noFault } from '../support/faults.ts'

const test = suite('net/balancer')

/** A pool that connects nowhere, and is as busy as it is told. */
class IdlePool extends Pool {
  busy = 0

  constructor(origin: Origin) {
    // Of its context a pool uses nothing before it is asked for a connection, and no limits but in its state.
    super(origin, { limits: { poolSize: 1, poolQueue: 1 } } as unknown as PoolContext)
  }

  override get load(): number {
    return this.busy
  }
}

interface Bench {
  readonly balancer: Balancer
  readonly pools: readonly IdlePool[]
  /** ms on the balancer's clock */
  now: number
  /** how often it was read */
  looks: number
  readonly changes: string[]
  /** The numbers of the targets chosen by `count` choices. */
  choose(count: number): number[]
  /** How often each target is chosen by `count` choices. */
  shares(count: number): number[]
  fail(target: number, times?: number): void
  conditions(): TargetCondition[]
}

const EJECTION = { failures: 3, duration: 1000, slowStart: 2000 }
const CLOSED = new ProxyError('ERR_UPSTREAM_CLOSED', 'closed')

function originAt(port: number): Origin {
  return { host: 'a.test', port, authority: `a.test:${port}` }
}

function benchOf(weights: readonly number[], settings: Partial<UpstreamConfig> = {}): Bench {
  const pools: IdlePool[] = []
  const targets = weights.map((weight, n) => ({ origin: originAt(n + 1), weight }))
  const config: UpstreamConfig = {
    name: 'main',
    targets,
    balance: 'round-robin',
    host: 'pass',
    ejection: EJECTION,
    ...settings,
  }
  const bench: Bench = {
    balancer: new Balancer(config, {
      createPool: (origin) => {
        const pool = new IdlePool(origin)
        pools.push(pool)
        return pool
      },
      clock: () => {
        bench.looks++
        return bench.now
      },
      onChange: (...change) => bench.changes.push(change.join(' ')),
      onFault: noFault,
    }),
    pools,
    now: 5000,
    looks: 0,
    changes: [],
    choose: (count) =>
      Array.from({ length: count }, () => pools.indexOf(bench.balancer.choose() as IdlePool)),
    shares: (count) => {
      const shares = pools.map(() => 0)
      for (const n of bench.choose(count)) shares[n]!++
      return shares
    },
    fail: (target, times = 1) => {
      for (let n = 0; n < times; n++) bench.balancer.onFailure(pools[target]!, CLOSED)
    },
    conditions: () => bench.balancer.states().map(({ condition }) => condition),
  }
  return bench
}

test('each target gets its weight of each round, whatever the weights', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(weights, (given) => {
      const bench = benchOf(given)
      const round = given.reduce((sum, weight) => sum + weight)
      for (let n = 0; n < 3; n++) assert.equal(bench.shares(round), given)
    }),
  )
})

test('the light ones are spread over the round', () => {
  assert.equal(benchOf([5, 1, 1]).choose(7), [0, 0, 1, 0, 2, 0, 0])
})

test('while all are up the clock is not read', () => {
  const bench = benchOf([1, 1])
  bench.choose(10)
  assert.is(bench.looks, 0)
  bench.fail(0, 3)
  bench.now += EJECTION.duration + EJECTION.slowStart
  bench.choose(1)
  bench.looks = 0
  bench.choose(10)
  assert.is(bench.looks, 0, 'nor when it is over')
  assert.equal(bench.conditions(), ['up', 'up'])
})

test('the only target is chosen whatever becomes of it', () => {
  const bench = benchOf([3])
  assert.not(bench.balancer.several)
  assert.equal(bench.choose(3), [0, 0, 0])
  assert.is(bench.balancer.chooseAnother([bench.pools[0]!]), undefined)
})

test('a target is ejected by failures in a row, not by as many with a success between them', () => {
  const bench = benchOf([1, 1])
  bench.fail(0, 2)
  bench.balancer.onSuccess(bench.pools[0]!)
  bench.fail(0, 2)
  assert.equal(bench.conditions(), ['up', 'up'])
  bench.fail(0)
  assert.equal(bench.conditions(), ['ejected', 'up'])
  assert.equal(bench.changes, ['main a.test:1 ejected closed'])
  assert.equal(bench.shares(10), [0, 10])
})

test('an ejected target comes back with a tenth of its share, which grows to the whole', () => {
  const bench = benchOf([1, 1])
  bench.fail(0, 3)
  bench.now += EJECTION.duration - 1
  assert.equal(bench.shares(100), [0, 100])
  bench.now += 1
  assert.equal(bench.conditions(), ['returning', 'up'])
  assert.equal(bench.shares(110), [10, 100])
  bench.now += EJECTION.slowStart / 2
  assert.equal(bench.shares(150), [50, 100])
  bench.now += EJECTION.slowStart / 2
  assert.equal(bench.conditions(), ['up', 'up'])
  assert.equal(bench.shares(100), [50, 50])
})

test('a target that came back is ejected again by one failure, until it has succeeded', () => {
  const bench = benchOf([1, 1])
  bench.fail(0, 3)
  bench.now += EJECTION.duration
  bench.fail(0)
  assert.equal(bench.conditions(), ['ejected', 'up'])
  bench.now += EJECTION.duration
  bench.balancer.onSuccess(bench.pools[0]!)
  bench.fail(0, 2)
  assert.equal(bench.conditions(), ['returning', 'up'])
})

test('word of what was under way does not make an ejection longer', () => {
  const bench = benchOf([1, 1])
  bench.fail(0, 3)
  bench.now += EJECTION.duration - 1
  bench.fail(0, 10)
  bench.now += 1
  assert.equal(bench.conditions(), ['returning', 'up'])
})

test('when all are ejected, all are used', () => {
  const bench = benchOf([1, 2])
  bench.fail(0, 3)
  bench.fail(1, 3)
  assert.equal(bench.conditions(), ['ejected', 'ejected'])
  assert.equal(bench.shares(30), [10, 20])
})

test('another is one that was not tried; one that is ejected only when no other is left', () => {
  const bench = benchOf([1, 1, 1])
  const [a, b, c] = bench.pools as [IdlePool, IdlePool, IdlePool]
  bench.fail(1, 3)
  for (let n = 0; n < 5; n++) assert.is(bench.balancer.chooseAnother([a]), c)
  assert.is(bench.balancer.chooseAnother([a, c]), b)
  assert.is(bench.balancer.chooseAnother([a, b, c]), undefined)
})

test('least busy is by exchanges for each unit of weight, and round robin among equals', () => {
  const bench = benchOf([1, 3], { balance: 'least-busy' })
  const [light, heavy] = bench.pools as [IdlePool, IdlePool]
  assert.equal(bench.shares(4), [1, 3])
  light.busy = 1
  heavy.busy = 2
  assert.equal(bench.shares(10), [0, 10])
  heavy.busy = 4
  assert.equal(bench.shares(10), [10, 0])
  bench.fail(0, 3)
  assert.equal(bench.shares(10), [0, 10])
})

test('least busy never chooses one that is busier than another', () => {
  const loads = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 9 }), busy: fc.nat(99) }), {
    minLength: 2,
    maxLength: 6,
  })
  fc.assert(
    fc.property(loads, (targets) => {
      const weights = targets.map(({ weight }) => weight)
      const bench = benchOf(weights, { balance: 'least-busy' })
      for (const [n, { busy }] of targets.entries()) bench.pools[n]!.busy = busy
      const relative = targets.map(({ weight, busy }) => busy / weight)
      for (const n of bench.choose(20)) assert.is(relative[n], Math.min(...relative))
    }),
  )
})

test('Host is passed on, or the target’s, or set', () => {
  const origin = { host: 'a.test', port: 1, authority: 'a.test:1' }
  for (const [host, expected] of [
    ['pass', undefined],
    ['target', 'a.test:1'],
    ['b.test', 'b.test'],
  ] as const)
    assert.is(benchOf([1], { host }).balancer.authorityFor(origin), expected)
})

test('by another configuration targets go on where they were, each with its connections', () => {
  const old = benchOf([1, 1, 1])
  old.fail(0, 3)
  old.fail(2, 2)
  const targets = [3, 4, 1].map((port) => ({ origin: originAt(port), weight: 2 }))
  const bench = benchOf([], { targets })
  bench.now = old.now + 100
  bench.balancer.takeOver(old.balancer)
  assert.equal(bench.conditions(), ['up', 'up', 'ejected'])
  assert.equal(bench.balancer.pools, [old.pools[2], bench.pools[1], old.pools[0]])
  for (let n = 0; n < 8; n++) assert.is.not(bench.balancer.choose(), old.pools[0])

  bench.now = old.now + EJECTION.duration - 1
  assert.equal(bench.conditions(), ['up', 'up', 'ejected'], 'for as long as it was to be')
  bench.now++
  assert.equal(bench.conditions(), ['up', 'up', 'returning'])
  bench.balancer.onFailure(old.pools[0]!, CLOSED)
  assert.equal(bench.conditions(), ['up', 'up', 'ejected'], 'and then on probation')
  bench.balancer.onFailure(old.pools[2]!, CLOSED)
  assert.equal(bench.conditions(), ['ejected', 'up', 'ejected'], 'failures are counted on')
  assert.equal(old.conditions(), ['ejected', 'up', 'up'], 'the old one is as it was')
})

test('an ejection lasts no longer than by the new configuration', () => {
  const old = benchOf([1, 1])
  old.fail(0, 3)
  const bench = benchOf([1, 1], { ejection: { failures: 5, duration: 200, slowStart: 100 } })
  bench.balancer.takeOver(old.balancer)
  assert.equal(bench.conditions(), ['ejected', 'up'])
  bench.now += 200
  assert.equal(bench.conditions(), ['returning', 'up'])
  bench.now += 100
  assert.equal(bench.conditions(), ['up', 'up'])
})

test('an origin that is there twice is taken over twice', () => {
  const twice = { targets: [1, 1].map((port) => ({ origin: originAt(port), weight: 1 })) }
  const old = benchOf([], twice)
  old.fail(1, 3)
  const bench = benchOf([], twice)
  bench.balancer.takeOver(old.balancer)
  assert.equal(bench.conditions(), ['up', 'ejected'])
  assert.equal(bench.balancer.pools, old.pools)
})

test('what the client or signet itself did, or an answer that cannot be read, is not held against a target', () => {
  const shortage = Object.assign(new Error('no more'), { code: 'EMFILE' })
  const expected: Partial<Record<FailureCode, boolean>> = {
    ERR_UPSTREAM_UNREACHABLE: true,
    ERR_CONNECT_TIMEOUT: true,
    ERR_UPSTREAM_CLOSED: true,
    ERR_RESPONSE_MALFORMED: false,
    ERR_RESPONSE_AMBIGUOUS: false,
    ERR_RESPONSE_TOO_LARGE: false,
    ERR_RESPONSE_TIMEOUT: true,
    ERR_CLIENT_CLOSED: false,
    ERR_CLIENT_STALLED: false,
    ERR_POOL_FULL: false,
    ERR_POOL_TIMEOUT: false,
    ERR_INTERNAL: false,
  }
  for (const [code, blamed] of Object.entries(expected))
    assert.is(blamesTarget(new ProxyError(code as FailureCode, '')), blamed, code)
  assert.not(blamesTarget(new ProxyError('ERR_UPSTREAM_UNREACHABLE', '', { cause: shortage })))
})

test.run()
