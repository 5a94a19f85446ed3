// Several processes as one. In: what each of them reports, and what those had counted that are gone. Out: one Traffic, one
// state of each target, from which the pages are drawn as if there were a single process.

import type { TargetState } from '../net/balancer.ts'
import type { RuntimeFamilies } from './runtime-metrics.ts'
import { sumOfTargets } from './targets.ts'
import { type Instance, Traffic, type TrafficTally, type WorkerSnapshot } from './traffic.ts'

/** What one process tells when it is asked: plain data. */
export interface Report {
  readonly traffic: TrafficTally
  readonly targets: readonly TargetState[]
  /** only where it is asked for: looking resets what the event loop has measured since the last look */
  readonly runtime: RuntimeFamilies | undefined
}

/** What all processes of a signet told at one moment: plain data. */
export interface Reports {
  /** of them all, and what those had counted that are gone */
  readonly traffic: TrafficTally
  /** of processes that answered, each target once for each of them */
  readonly targets: readonly TargetState[]
  readonly runtime: readonly RuntimeFamilies[]
  readonly workers: readonly WorkerSnapshot[]
  /** of signet as a whole */
  readonly uptimeSeconds: number
}

/** All processes of a signet, added up. */
export interface Sum {
  readonly traffic: Traffic
  readonly targets: readonly TargetState[]
  readonly runtime: readonly RuntimeFamilies[]
  readonly workers: readonly WorkerSnapshot[]
}

/**
 * Adds up.
 *
 * @param now milliseconds of the monotonic clock
 * @param known targets of the process that asks: there are the same everywhere
 */
export function sumOf(reports: Reports, instance: Instance, now: number, known: readonly TargetState[]): Sum {
  const traffic = new Traffic({ ...instance, startedAt: now - reports.uptimeSeconds * 1000 })
  traffic.add(reports.traffic)
  const { runtime, workers } = reports
  return { traffic, targets: sumOfTargets(known, reports.targets), runtime, workers }
}
