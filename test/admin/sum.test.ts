import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { deserialize, serialize } from 'node:v8'
import { createMetrics, renderSum } from '../../src/admin/metrics.ts'
import { settledRuntime } from '../../src/admin/runtime-metrics.ts'
import { type Reports, sumOf } from '../../src/admin/sum.ts'
import { settled, Traffic, type TrafficTally, type WorkerSnapshot } from '../../src/admin/traffic.ts'
import type { TargetState } from '../../src/net/balancer.ts'
import { readExposition } from './exposition.ts'

const test = suite('admin/sum')

const INSTANCE = { name: 'signet', version: '1.2.3', id: 'a1b2', startedAt: 0 }
const TARGET: TargetState = {
  upstream: 'main',
  condition: 'up',
  origin: 'upstream.example:8081',
  open: 3,
  idle: 1,
  busy: 2,
  connecting: 5,
  waiting: 4,
  size: 64,
  queue: 256,
}

function fresh(): Traffic {
  return new Traffic(INSTANCE)
}

type Step = (traffic: Traffic) => void

const step: fc.Arbitrary<Step> = fc.oneof(
  fc
    .record({
      method: fc.constantFrom('GET', 'POST', 'BREW'),
      status: fc.constantFrom(200, 404, 502, 999),
      ms: fc.integer({ min: 1, max: 100_000 }),
      asked: fc.boolean(),
      failed: fc.boolean(),
    })
    .map(
      ({ method, status, ms, asked, failed }): Step =>
        (traffic) => {
          traffic.exchangeStarted()
          traffic.exchangeFinished(
            method,
            status,
            ms,
            asked ? ms : undefined,
            failed ? 'ERR_POOL_FULL' : undefined,
          )
        },
    ),
  fc.constantFrom<Step>(
    (traffic) => traffic.exchangeStarted(),
    (traffic) => traffic.connectionOpened('downstream'),
    (traffic) => traffic.connectionClosed('downstream'),
    (traffic) => traffic.connectionOpened('upstream'),
    (traffic) => traffic.connectionRefusedAtCap(),
    (traffic) => traffic.upstreamReused(),
    (traffic) => traffic.retried(),
    (traffic) => traffic.tokenMinted(),
    (traffic) => traffic.imitationDropped(2),
    (traffic) => traffic.tunnelOpened(),
    (traffic) => traffic.tunnelClosed(),
    (traffic) => traffic.reloaded(true),
    (traffic) => traffic.credentialNeeded('api', 'cached'),
    (traffic) => traffic.credentialNeeded('time', 'denied'),
    (traffic) => traffic.credentialAsked('api', 8),
    (traffic) => traffic.reloaded(false),
    (traffic) => {
      traffic.downstream.octetsReceived += 2 ** 40
      traffic.upstream.octetsSent += 3
    },
  ),
)

/** As between two processes. */
function sent(tally: TrafficTally): TrafficTally {
  return deserialize(serialize(tally)) as TrafficTally
}

test('what several processes have counted is, added up, what one would have counted', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2), step)), (steps) => {
      const alone = fresh()
      const several = [fresh(), fresh(), fresh()]
      for (const [which, happen] of steps) {
        happen(alone)
        happen(several[which]!)
      }
      const sum = fresh()
      for (const one of several) sum.add(sent(one.tally()))
      assert.equal(sum.snapshot(1000, [TARGET]), alone.snapshot(1000, [TARGET]))
      assert.equal(new Set(sum.credentialCounts()), new Set(alone.credentialCounts()))
      assert.equal(new Set(sum.credentialQuestions()), new Set(alone.credentialQuestions()))
    }),
  )
})

test('a tally is not changed by what is counted later', () => {
  const traffic = fresh()
  const tally = traffic.tally()
  traffic.exchangeStarted()
  traffic.exchangeFinished('GET', 200, 1, 1, 'ERR_POOL_FULL')
  traffic.connectionOpened('downstream')
  assert.equal(tally, fresh().tally())
})

test('of a process that is gone all counts stay, and nothing is open or under way', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const traffic = fresh()
      for (const happen of steps) happen(traffic)
      const past = fresh()
      past.add(settled(traffic.tally()))
      const before = traffic.snapshot(0, [TARGET])
      const after = past.snapshot(0, [TARGET])
      assert.equal(after, {
        ...before,
        requests: { ...before.requests, inFlight: 0 },
        downstream: { ...before.downstream, open: 0 },
        upstream: { ...before.upstream, open: 0 },
        tunnels: { ...before.tunnels, open: 0 },
      })
    }),
  )
})

const WORKER: WorkerSnapshot = {
  worker: 1,
  pid: 10,
  state: 'serving',
  uptimeSeconds: 1,
  restarts: 2,
  requests: 3,
  connections: 4,
}

test('targets are added up, each by itself and in the order of whoever asks; the uptime is that of all', () => {
  const traffic = fresh().tally()
  const other: TargetState = { ...TARGET, origin: 'other.example' }
  const reports: Reports = {
    traffic,
    targets: [other, TARGET, { ...other, condition: 'ejected' }, { ...TARGET, condition: 'returning' }],
    runtime: [],
    workers: [WORKER],
    uptimeSeconds: 9,
  }
  const silent: TargetState = { ...TARGET, upstream: 'silent', condition: 'ejected' }
  const sum = sumOf(reports, INSTANCE, 20_000, [{ ...TARGET, open: 99 }, other, silent])
  const counts = {
    open: 6,
    idle: 2,
    busy: 4,
    connecting: 10,
    waiting: 8,
    size: 128,
    queue: 512,
  }
  const none = { open: 0, idle: 0, busy: 0, connecting: 0, waiting: 0, size: 0, queue: 0 }
  assert.equal(sum.targets, [
    { upstream: 'main', condition: 'returning', origin: 'upstream.example:8081', ...counts },
    { upstream: 'main', condition: 'ejected', origin: 'other.example', ...counts },
    { upstream: 'silent', condition: 'up', origin: 'upstream.example:8081', ...none },
  ])
  const { pool } = sum.traffic.snapshot(20_000, sum.targets)
  assert.is(pool.origin, 'upstream.example:8081, other.example')
  assert.equal([pool.open, pool.queue], [12, 1024])
  assert.is(sum.traffic.snapshot(20_000, [TARGET]).uptimeSeconds, 9)
})

/** Runs `use` with the runtime families of a process, as they arrive at another. */
async function withRuntime(use: (page: string, families: never) => Promise<void>): Promise<void> {
  const metrics = createMetrics(fresh(), () => [TARGET], '1.2.3')
  try {
    await use(await metrics.render(), deserialize(serialize(await metrics.runtime())) as never)
  } finally {
    metrics.close()
  }
}

test('the metrics page of several is well-formed, has each family of one process, and says who the workers are', () =>
  withRuntime(async (one, families) => {
    const workers = [WORKER, { ...WORKER, worker: 2, state: 'silent', restarts: 5 } as const]
    const sum = { traffic: fresh(), targets: [TARGET], runtime: [families, families], workers }
    const page = readExposition(await renderSum(sum, '1.2.3'))
    const expected = [...readExposition(one).keys(), 'signet_workers', 'signet_worker_restarts_total']
    assert.equal([...page.keys()].sort(), expected.sort())
    const values = (name: string) => page.get(name)!.samples.map(({ value }) => value)
    assert.equal(values('signet_workers'), [1, 0, 1])
    assert.equal(values('signet_worker_restarts_total'), [7])
    assert.equal(values('signet_build_info'), [1])
    assert.equal(values('nodejs_version_info'), [1])
  }))

test('of the event loops the slowest is shown; memory is added up; a process that is gone leaves its CPU time', () => {
  const family = (name: string, type: string, aggregator: string, value: number) => ({
    name,
    type,
    aggregator,
    help: 'x',
    values: [{ labels: {}, value }],
  })
  const processWith = (value: number) => [
    family('process_cpu_seconds_total', 'counter', 'sum', value),
    family('process_resident_memory_bytes', 'gauge', 'sum', value),
    family('nodejs_eventloop_lag_p99_seconds', 'gauge', 'max', value),
  ]
  return (async () => {
    const gone = await settledRuntime([await settledRuntime([processWith(3)]), processWith(4)])
    const runtime = [gone, processWith(10), processWith(20)]
    const sum = { traffic: fresh(), targets: [TARGET], runtime, workers: [WORKER] }
    const page = readExposition(await renderSum(sum, '1.2.3'))
    const value = (name: string) => page.get(name)!.samples[0]!.value
    assert.is(value('process_cpu_seconds_total'), 37)
    assert.is(value('process_resident_memory_bytes'), 30)
    assert.is(value('nodejs_eventloop_lag_p99_seconds'), 20)
  })()
})

test.run()
