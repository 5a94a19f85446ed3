// The load of one measurement, in a process of its own: autocannon, over keep-alive connections unless the request asks
// for another. In: a LoadSpec as JSON. Out: one line of JSON. Latencies in µs: autocannon's own have whole ms only.

import autocannon from 'autocannon'
import type { LoadResult, LoadSpec } from '../support/load.ts'

const { port, connections, seconds, request } = JSON.parse(process.argv[2]!) as LoadSpec
const durations: number[] = []
let first = 0
let last = 0

const run = autocannon({
  url: `http://127.0.0.1:${port}${request.target}`,
  method: request.method,
  headers: request.fields,
  ...(request.body === '' ? {} : { body: request.body }),
  expectBody: request.answer,
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
