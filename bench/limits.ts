// What counting a request costs: `node build/bench/limits.js`. ns of CPU time per request, best of several rounds. The claim: a
// limit in memory, promise and all, at most 5 % of a whole request.

import type { LimitConfig } from '../src/http/gateway.ts'
import { MemoryLimiter } from '../src/limits/memory-limiter.ts'
import { RateLimits } from '../src/limits/rate-limits.ts'
import { table } from './support/figures.ts'

/** ns of CPU time that a whole request costs, about (bench/run) */
const REQUEST = 26_000
const ROUNDS = 5
const REQUESTS = 200_000

const LIMIT: LimitConfig = {
  requests: 1e9,
  window: 86_400_000,
  by: 'address',
  store: 'memory',
  whenDown: 'open',
}
const KEY = 'address:192.0.2.1'
const limiter = new MemoryLimiter(LIMIT)
const route = { name: 'all', upstream: 'u', path: '/*', limit: LIMIT }
const limit = new RateLimits([route], undefined, () => undefined, undefined).of('all')!
const told = { tellClient: () => undefined }
const counts = new Map<string, { requests: number; end: number }>()
let others = 0

/** The same without a package and without a promise. */
function countInMap(key: string): number {
  const now = Date.now()
  let count = counts.get(key)
  if (count === undefined || count.end <= now) {
    count = { requests: 0, end: now + LIMIT.window }
    counts.set(key, count)
  }
  return ++count.requests
}

const CONTESTANTS: readonly (readonly [name: string, count: () => unknown])[] = [
  ['a Map, without a promise', () => countInMap(KEY)],
  ['… waited for', async () => countInMap(KEY)],
  ['MemoryLimiter, the same caller', () => limiter.count(KEY)],
  ['MemoryLimiter, another caller each time', () => limiter.count(`address:${others++}`)],
  // The section of fields is not looked at by address.
  [
    'the whole check',
    () => limit.check({ fields: undefined as never }, '192.0.2.1', undefined, undefined, told),
  ],
]

/** Best of {@link ROUNDS}: what disturbs a measurement only ever adds to it. */
async function nsPerRequest(count: () => unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    for (let request = 0; request < REQUESTS; request++) {
      const counted = count()
      if (counted instanceof Promise) await counted
    }
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, ((user + system) * 1000) / REQUESTS)
  }
  return best
}

const rows: string[][] = []
for (const [name, count] of CONTESTANTS) {
  const ns = await nsPerRequest(count)
  rows.push([name, ns.toFixed(0), `${((ns / REQUEST) * 100).toFixed(1)} %`])
}
console.log(`ns per request, Node ${process.versions.node}; of one of ${REQUEST / 1000} µs\n`)
console.log(table(['counted by', 'ns', 'of a request'], rows))
