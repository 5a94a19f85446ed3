// Several processes as one. In: what each of them reports, and what those had counted that are gone. Out: one Traffic, one
// pool, from which the pages are drawn as if there were a single process.

import type { PoolState } from '../net/pool.ts'
import type { RuntimeFamilies } from './runtime-metrics.ts'
import { type Instance, Traffic, type TrafficTally, type WorkerSnapshot } from './traffic.ts'

/** What one process tells when it is asked: plain data. */
export interface Report {
  readonly traffic: TrafficTally
  readonly pool: PoolState
  /** only where it is asked for: looking resets what the event loop has measured since the last look */
  readonly runtime: RuntimeFamilies | undefined
}

/** What all processes of a signet told at one moment: plain data. */
export interface Reports {
  /** of them all, and what those had counted that are gone */
  readonly traffic: TrafficTally
  /** of processes that answered */
  readonly pools: readonly PoolState[]
  readonly runtime: readonly RuntimeFamilies[]
  readonly workers: readonly WorkerSnapshot[]
  /** of signet as a whole */
  readonly uptimeSeconds: number
}

/** All processes of a signet, added up. */
export interface Sum {
  readonly traffic: Traffic
  readonly pool: PoolState
  readonly runtime: readonly RuntimeFamilies[]
  readonly workers: readonly WorkerSnapshot[]
}

/**
 * Adds up.
 *
 * @param now milliseconds of the monotonic clock
 * @param pool of the process that asks: for what is the same everywhere
 */
export function sumOf(reports: Reports, instance: Instance, now: number, pool: PoolState): Sum {
  const traffic = new Traffic({ ...instance, startedAt: now - reports.uptimeSeconds * 1000 })
  traffic.add(reports.traffic)
  const { runtime, workers } = reports
  return { traffic, pool: sumOfPools(pool.origin, reports.pools), runtime, workers }
}

const POOL_COUNTS = ['open', 'idle', 'busy', 'connecting', 'waiting', 'size', 'queue'] as const

function sumOfPools(origin: string, pools: readonly PoolState[]): PoolState {
  const sum = { open: 0, idle: 0, busy: 0, connecting: 0, waiting: 0, size: 0, queue: 0 }
  for (const pool of pools) for (const name of POOL_COUNTS) sum[name] += pool[name]
  return { origin, ...sum }
}
