// The load of one measurement, in a process of its own: autocannon, small POSTs over keep-alive connections.
// In: port, connections, seconds. Out: one line of JSON. Latencies in µs: autocannon's own have whole ms only.

import autocannon from 'autocannon'

/** What one run came to. */
export interface LoadResult {
  readonly requests: number
  readonly perSecond: number
  /** µs */
  readonly p50: number
  /** µs */
  readonly p99: number
  /** errors, timeouts, answers that were not 2xx, and wrong bodies */
  readonly failed: number
}

const [port, connections, seconds] = process.argv.slice(2).map(Number) as [number, number, number]
const durations: number[] = []
let first = 0
let last = 0

const run = autocannon({
  url: `http://127.0.0.1:${port}/protected`,
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ hello: 'world', list: [1, 2, 3] }),
  expectBody: JSON.stringify({ id: 42, name: 'signet', ok: true }),
  connections,
  duration: seconds,
  sampleInt: 100,
})
run.on('response', (_client, _status, _octets, milliseconds) => {
  last = performance.now()
  if (durations.length === 0) first = last
  durations.push(milliseconds * 1000)
})

const { errors, timeouts, non2xx, mismatches } = await run
const sorted = Float64Array.from(durations).sort()
const result: LoadResult = {
  requests: sorted.length,
  perSecond: sorted.length / ((last - first) / 1000),
  p50: sorted[Math.floor(sorted.length * 0.5)] ?? Number.NaN,
  p99: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
  failed: errors + timeouts + non2xx + mismatches,
}
console.log(JSON.stringify(result))
