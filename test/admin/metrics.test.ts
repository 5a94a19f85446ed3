import { execFile } from 'node:child_process'
import perfHooks from 'node:perf_hooks'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { register } from 'prom-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createMetrics, type Metrics } from '../../src/admin/metrics.ts'
import { Traffic } from '../../src/admin/traffic.ts'
import type { TargetState } from '../../src/net/balancer.ts'
import { FAILURES } from '../../src/errors.ts'
import { type Family, readExposition } from './exposition.ts'

const test = suite('admin/metrics')

const TARGET: TargetState = {
  upstream: 'main',
  condition: 'up',
  origin: 'http://upstream.example:8081',
  open: 3,
  idle: 1,
  busy: 2,
  connecting: 5,
  waiting: 4,
  size: 64,
  queue: 256,
}

function fresh(): Traffic {
  return new Traffic({ name: 'signet', version: '1.2.3', id: 'a1b2', startedAt: 0 })
}

/** Runs `use` with the metrics of `traffic`, and closes them whatever happens. */
async function withMetrics(
  traffic: Traffic,
  use: (scrape: () => Promise<Map<string, Family>>, metrics: Metrics) => Promise<void>,
): Promise<void> {
  const metrics = createMetrics(traffic, () => [TARGET], '1.2.3')
  try {
    await use(async () => readExposition(await metrics.render()), metrics)
  } finally {
    metrics.close()
  }
}

/** The value of the one sample with these labels. */
function sampleValue(
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const wanted = JSON.stringify(labels)
  const found = families.get(name)?.samples.filter((sample) => JSON.stringify(sample.labels) === wanted)
  assert.is(found?.length, 1, `${name}${wanted}`)
  return found![0]!.value
}

test('every event shows up under its name, and only there', () =>
  withMetrics(fresh(), async (scrape) => {
    const families = await scrape()
    assert.is(sampleValue(families, 'signet_build_info', { version: '1.2.3', node: process.version }), 1)
    const types = [...families]
      .filter(([name]) => name.startsWith('signet_'))
      .map(([name, { type }]) => [name, type])
    assert.equal(Object.fromEntries(types), {
      signet_build_info: 'gauge',
      signet_requests_total: 'counter',
      signet_requests_in_flight: 'gauge',
      signet_failures_total: 'counter',
      signet_connections_open: 'gauge',
      signet_connections_total: 'counter',
      signet_connections_refused_total: 'counter',
      signet_bytes_total: 'counter',
      signet_upstream_pool_connections: 'gauge',
      signet_upstream_pool_waiting: 'gauge',
      signet_upstream_up: 'gauge',
      signet_upstream_reused_total: 'counter',
      signet_upstream_retries_total: 'counter',
      signet_jwt_signed_total: 'counter',
      signet_header_spoof_total: 'counter',
      signet_auth_total: 'counter',
      signet_credential_total: 'counter',
      signet_credential_questions_total: 'counter',
      signet_credential_seconds_total: 'counter',
      signet_tunnels_open: 'gauge',
      signet_tunnels_total: 'counter',
      signet_request_duration_seconds: 'histogram',
      signet_upstream_duration_seconds: 'histogram',
      signet_config_reloads_total: 'counter',
    })
  }))

test('a target that is gone is no longer told of', async () => {
  const targets = [TARGET, { ...TARGET, origin: 'other.example' }]
  const metrics = createMetrics(fresh(), () => targets, '1.2.3')
  const told = async () => {
    const samples = readExposition(await metrics.render()).get('signet_upstream_up')?.samples ?? []
    return samples.map(({ labels }) => labels.target)
  }
  try {
    assert.equal(await told(), [TARGET.origin, 'other.example'])
    targets.shift()
    assert.equal(await told(), ['other.example'])
  } finally {
    metrics.close()
  }
})

const EVENTS: readonly (readonly [
  happen: (traffic: Traffic) => void,
  name: string,
  labels: Record<string, string>,
  value: number,
])[] = [
  [
    (t) => t.exchangeFinished('PUT', 201, 1, 1, undefined),
    'signet_requests_total',
    { method: 'PUT', code: '201' },
    1,
  ],
  [(t) => t.exchangeStarted(), 'signet_requests_in_flight', {}, 1],
  [
    (t) => t.exchangeFinished('GET', 503, 1, undefined, 'ERR_POOL_FULL'),
    'signet_failures_total',
    { code: 'ERR_POOL_FULL' },
    1,
  ],
  [(t) => t.connectionOpened('downstream'), 'signet_connections_open', { side: 'downstream' }, 1],
  [(t) => t.connectionOpened('upstream'), 'signet_connections_total', { side: 'upstream' }, 1],
  [(t) => t.connectionRefusedAtCap(), 'signet_connections_refused_total', {}, 1],
  [
    (t) => {
      t.downstream.octetsReceived += 2 ** 40
    },
    'signet_bytes_total',
    { side: 'downstream', direction: 'received' },
    2 ** 40,
  ],
  [
    (t) => {
      t.upstream.octetsSent += 7
    },
    'signet_bytes_total',
    { side: 'upstream', direction: 'sent' },
    7,
  ],
  [(t) => t.upstreamReused(), 'signet_upstream_reused_total', {}, 1],
  [(t) => t.retried(), 'signet_upstream_retries_total', {}, 1],
  [(t) => t.tokenMinted(), 'signet_jwt_signed_total', {}, 1],
  [(t) => t.imitationDropped(3), 'signet_header_spoof_total', {}, 3],
  [(t) => t.tunnelOpened(), 'signet_tunnels_open', {}, 1],
  [(t) => t.tunnelOpened(), 'signet_tunnels_total', {}, 1],
  [(t) => t.reloaded(true), 'signet_config_reloads_total', { result: 'success' }, 1],
  [(t) => t.reloaded(false), 'signet_config_reloads_total', { result: 'failure' }, 1],
  [() => {}, 'signet_upstream_pool_connections', { state: 'connecting' }, 5],
  [() => {}, 'signet_upstream_pool_waiting', {}, 4],
  [() => {}, 'signet_upstream_up', { upstream: 'main', target: 'http://upstream.example:8081' }, 1],
]
for (const [happen, name, labels, value] of EVENTS) {
  test(`${name}${JSON.stringify(labels)} is ${value} after its event, on every scrape`, async () => {
    const traffic = fresh()
    await withMetrics(traffic, async (scrape) => {
      happen(traffic)
      assert.is(sampleValue(await scrape(), name, labels), value)
      assert.is(sampleValue(await scrape(), name, labels), value)
    })
  })
}

const exchange = fc.record({
  method: fc.oneof(fc.constantFrom('GET', 'POST', 'get', 'BREW'), fc.string({ unit: 'binary' })),
  status: fc.oneof(fc.integer({ min: 100, max: 599 }), fc.constantFrom(0, 999)),
  durationMs: fc.oneof(
    fc.double({ min: 0, max: 100, noNaN: true }),
    fc.double({ min: 0, max: 1e5, noNaN: true }),
  ),
})

test('buckets are cumulative and +Inf is the count, which is the number of requests', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(exchange), async (exchanges) => {
      const traffic = fresh()
      await withMetrics(traffic, async (scrape) => {
        for (const { method, status, durationMs } of exchanges) {
          traffic.exchangeFinished(method, status, durationMs, undefined, undefined)
        }
        const families = await scrape()
        const { samples } = families.get('signet_request_duration_seconds')!
        const buckets = samples.filter(({ name }) => name.endsWith('_bucket'))
        const bounds = buckets.map(({ labels }) => Number(labels.le!.replace('+Inf', 'Infinity')))
        assert.equal(
          bounds,
          bounds.toSorted((a, b) => a - b),
        )
        assert.is(bounds.at(-1), Number.POSITIVE_INFINITY)
        for (const [index, { value }] of buckets.entries()) {
          assert.ok(value >= (buckets[index - 1]?.value ?? 0))
          // Within 1/64 of the bound, and within the half microsecond that rounding takes.
          const inside = exchanges.filter(
            ({ durationMs: ms }) => (ms + 0.001) * (1 + 1 / 64) <= bounds[index]! * 1000,
          )
          const near = exchanges.filter(
            ({ durationMs: ms }) => (ms - 0.001) * (1 - 1 / 64) <= bounds[index]! * 1000,
          )
          assert.ok(value >= inside.length && value <= near.length)
        }
        const count = samples.find(({ name }) => name.endsWith('_count'))!.value
        assert.is(count, buckets.at(-1)!.value)
        assert.is(count, exchanges.length)
        const total = samples.find(({ name }) => name.endsWith('_sum'))!.value
        const exact = exchanges.reduce((seconds, { durationMs }) => seconds + durationMs / 1000, 0)
        assert.ok(Math.abs(total - exact) <= (exchanges.length + 1) * 1e-6)
        const requests = families.get('signet_requests_total')!.samples
        assert.is(
          requests.reduce((a, { value }) => a + value, 0),
          exchanges.length,
        )
      })
    }),
    { numRuns: 50 },
  )
})

test('counters and buckets never fall from one scrape to the next', async () => {
  const traffic = fresh()
  await withMetrics(traffic, async (scrape) => {
    const before = new Map<string, number>()
    for (let round = 0; round < 20; round++) {
      for (const [happen] of EVENTS) happen(traffic)
      traffic.exchangeFinished('GET', 200 + round, round * 7, round, undefined)
      for (const [family, { type, samples }] of await scrape()) {
        if (type === 'gauge' || !family.startsWith('signet_')) continue
        for (const { name, labels, value } of samples) {
          const series = name + JSON.stringify(labels)
          assert.ok(value >= (before.get(series) ?? 0), series)
          before.set(series, value)
        }
      }
    }
  })
})

test('nothing a stranger sends becomes a label', async () => {
  const traffic = fresh()
  await withMetrics(traffic, async (scrape) => {
    const strange = ['BREW', 'get', '', 'a"} 1\nsignet_fake 1', '__proto__', 'x'.repeat(1000)]
    for (const method of strange) traffic.exchangeFinished(method, 12_345, 1, undefined, undefined)
    const { samples } = (await scrape()).get('signet_requests_total')!
    assert.equal(samples, [
      { name: 'signet_requests_total', labels: { method: 'other', code: 'other' }, value: strange.length },
    ])
  })
})

test('every failure has its series from the start, so that its first occurrence is seen as a rise', () =>
  withMetrics(fresh(), async (scrape) => {
    const { samples } = (await scrape()).get('signet_failures_total')!
    assert.equal(
      samples.map(({ labels, value }) => [labels.code, value]),
      Object.keys(FAILURES).map((code) => [code, 0]),
    )
  }))

test('counts past 2^32 are written out in full', async () => {
  const traffic = fresh()
  await withMetrics(traffic, async (_scrape, metrics) => {
    traffic.latency.record(1000, 2 ** 33)
    const page = await metrics.render()
    assert.match(page, 'signet_request_duration_seconds_bucket{le="+Inf"} 8589934592\n')
    assert.match(page, 'signet_request_duration_seconds_count 8589934592\n')
  })
})

test('the page is the text format 0.0.4 and carries the metrics of the process', () =>
  withMetrics(fresh(), async (scrape, { contentType }) => {
    assert.is(contentType, 'text/plain; version=0.0.4; charset=utf-8')
    const families = await scrape()
    for (const name of [
      'process_cpu_seconds_total',
      'process_start_time_seconds',
      'nodejs_eventloop_lag_p99_seconds',
    ]) {
      assert.ok(families.has(name), name)
    }
  }))

test("the registry is our own: two proxies do not collide, and prom-client's global one stays empty", () =>
  withMetrics(fresh(), () =>
    withMetrics(fresh(), async (scrape) => {
      assert.ok((await scrape()).size > 0)
      assert.is(register.getMetricsAsArray().length, 0)
    }),
  ))

test('close stops both observers, once, and a last scrape still answers', async () => {
  const { PerformanceObserver, monitorEventLoopDelay } = perfHooks
  const hooks = perfHooks as { -readonly [K in keyof typeof perfHooks]: (typeof perfHooks)[K] }
  const stopped: string[] = []
  hooks.PerformanceObserver = class extends PerformanceObserver {
    override disconnect(): void {
      stopped.push('gc')
      super.disconnect()
    }
  }
  hooks.monitorEventLoopDelay = (options) => {
    const delays = monitorEventLoopDelay(options)
    const disable = delays.disable.bind(delays)
    delays.disable = () => {
      stopped.push('delay')
      return disable()
    }
    return delays
  }
  try {
    const traffic = fresh()
    const metrics = createMetrics(traffic, () => [TARGET], '1.2.3')
    assert.equal(stopped, [])
    metrics.close()
    metrics.close()
    assert.equal(stopped.toSorted(), ['delay', 'gc'])
    traffic.tokenMinted()
    assert.is(sampleValue(readExposition(await metrics.render()), 'signet_jwt_signed_total'), 1)
  } finally {
    Object.assign(hooks, { PerformanceObserver, monitorEventLoopDelay })
  }
})

test('preparing metrics leaves node:perf_hooks as it was', () =>
  withMetrics(fresh(), async () => {
    const { PerformanceObserver, monitorEventLoopDelay } = perfHooks
    createMetrics(fresh(), () => [TARGET], '1').close()
    assert.is(perfHooks.PerformanceObserver, PerformanceObserver)
    assert.is(perfHooks.monitorEventLoopDelay, monitorEventLoopDelay)
    assert.is(PerformanceObserver.name, 'PerformanceObserver')
  }))

test('metrics that are never closed do not keep the process alive', async () => {
  const source = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const script = `
    const { createMetrics } = await import(${source('../../src/admin/metrics.js')})
    const { Traffic } = await import(${source('../../src/admin/traffic.js')})
    const traffic = new Traffic({ name: 'signet', version: '1', id: 'x', startedAt: 0 })
    const page = await createMetrics(traffic, () => (${JSON.stringify([TARGET])}), '1').render()
    console.log(page.length > 0)`
  const run = promisify(execFile)
  const args = ['--input-type=module', '--eval', script]
  assert.is((await run(process.execPath, args, { timeout: 20_000 })).stdout, 'true\n')
})

test.run()
