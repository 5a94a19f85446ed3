// What the loads over raw sockets have in common: the octets they send, and what they report.

import type { LoadResult } from '../support/load.ts'
import type { RequestSpec } from './requests.ts'

/** A request as it goes over the wire. */
export function octetsOf(request: RequestSpec, port: number): Buffer {
  const lines = [
    `${request.method} ${request.target} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    ...Object.entries(request.fields).map(([name, value]) => `${name}: ${value}`),
    ...(request.body === '' ? [] : [`Content-Length: ${Buffer.byteLength(request.body)}`]),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${request.body}`)
}

/** Reports a load on stdout. @param latencies in µs, of those that are to be looked at */
export function report(latencies: readonly number[], totals: Omit<LoadResult, 'p50' | 'p99'>): void {
  const sorted = Float64Array.from(latencies).sort()
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  console.log(JSON.stringify({ ...totals, p50: at(0.5), p99: at(0.99) } satisfies LoadResult))
}
