// The workloads of requests: rounds of all contestants in turn, A B C A B C, so that what disturbs disturbs them all.

import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { figure, medianOf } from '../support/figures.ts'
import { openIdleClients } from '../support/idle-clients.ts'
import { cpuTime, residentMemory } from '../support/proc.ts'
import { NAMES } from './contestants.ts'
import { type Instruments, measureLoad } from './measure.ts'
import { cpuOf, type Round, type Row, type WorkloadResult } from './results.ts'
import { briefly, type Entry, rowsFor, type Setting } from './stage.ts'
import type { PacedWorkload, RequestWorkload } from './workloads.ts'

/** ms until memory is looked at, for a collector to be done. */
const SETTLE = 1000
/** ms between two looks at who is still busy, and how often that is looked at at most. */
const LOOK_EVERY = 300
const LOOKS = 60
/** µs of CPU time in which all contestants together count as quiet: timers go on. */
const QUIET = 20_000
/** s of the load that finds HAProxy's peak rate, when workload a32 was not measured. */
const PEAK_SECONDS = 2

/** How much is measured. */
export interface Extent {
  readonly rounds: number
  readonly seconds: number
}

/** All rounds of one workload. */
export async function runRequests(
  setting: Setting,
  instruments: Instruments,
  workload: RequestWorkload,
  entries: readonly Entry[],
  extent: Extent,
): Promise<WorkloadResult> {
  const { id, title, request, connections, idle } = workload
  const rows = rowsFor(entries)
  const clients = idle === undefined ? [] : await openIdle(setting, entries, rows, idle)
  await eachRound(setting, id, entries, rows, extent.rounds, ({ server }) =>
    measureLoad(instruments, server.pid, setting.tool, {
      port: server.port,
      connections,
      seconds: extent.seconds,
      request,
    }),
  )
  await Promise.all(clients.map((client) => setting.children.stop(client)))
  if (clients.length > 0) await untilQuiet(entries)
  return { id, title, unit: 'request', rows }
}

/**
 * All rounds at half of HAProxy's peak rate.
 *
 * @param peak rows of workload a32, if it was measured
 * @returns undefined without HAProxy
 */
export async function runPaced(
  setting: Setting,
  instruments: Instruments,
  { id, title, request, connections }: PacedWorkload,
  entries: readonly Entry[],
  extent: Extent,
  peak: readonly Row[] | undefined,
): Promise<WorkloadResult | undefined> {
  const haproxy = entries.find(({ contestant }) => contestant.name === NAMES.haproxy)?.server
  if (haproxy === undefined) return undefined
  const seconds = Math.max(extent.seconds, PEAK_SECONDS)
  const known = peak?.find(({ contestant }) => contestant === NAMES.haproxy)?.rounds
  const spec = { port: haproxy.port, connections, seconds, request }
  const rounds = known ?? [await measureLoad(instruments, haproxy.pid, setting.tool, spec)]
  const rate = Math.round((medianOf(rounds.map(({ perSecond }) => perSecond)) ?? 0) / 2)
  const rows = rowsFor(entries)
  await eachRound(setting, id, entries, rows, extent.rounds, ({ server }) =>
    measureLoad(instruments, server.pid, 'paced', { ...spec, port: server.port, rate }),
  )
  return { id, title, unit: 'request', rate, rows }
}

/** A B C, A B C. One that fails is not asked again. */
async function eachRound(
  { progress }: Setting,
  id: string,
  entries: readonly Entry[],
  rows: readonly Row[],
  rounds: number,
  measure: (entry: Entry) => Promise<Round>,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    for (const [at, entry] of entries.entries()) {
      const row = rows[at]!
      progress.begin(`${id}, round ${round}, ${entry.contestant.name}`)
      if (row.failure !== undefined) {
        progress.end('left out')
        continue
      }
      try {
        const measured = await measure(entry)
        row.rounds.push(measured)
        const { perSecond, p99, failed = 0 } = measured
        const failures = failed === 0 ? '' : `, ${failed} FAILED`
        progress.end(
          `${figure(perSecond)} requests/s, p99 ${figure((p99 ?? Number.NaN) / 1000, 2)} ms, ` +
            `${figure(cpuOf(measured), 1)} µs CPU each${failures}`,
        )
      } catch (error) {
        row.failure = briefly(error)
        progress.end(`FAILED: ${row.failure}`)
      }
    }
  }
}

/** Opens the idle connections to everybody before the first round, and notes what each of them keeps resident. */
async function openIdle(
  { children, progress }: Setting,
  entries: readonly Entry[],
  rows: readonly Row[],
  connections: number,
): Promise<ChildProcess[]> {
  const clients: ChildProcess[] = []
  for (const [at, { contestant, server }] of entries.entries()) {
    const row = rows[at]!
    progress.note(`opening ${connections} connections to ${contestant.name}`)
    await untilQuiet(entries)
    const before = residentMemory(server.pid)
    try {
      clients.push(await openIdleClients(children, server.port, connections))
      await sleep(SETTLE)
      const after = residentMemory(server.pid)
      if (before !== undefined && after !== undefined) row.idleConnection = (after - before) / connections
    } catch (error) {
      row.failure = briefly(error)
    }
  }
  return clients
}

/** Waits until nobody has work left: thousands of connections that close at once keep a contestant busy for a while. */
async function untilQuiet(entries: readonly Entry[]): Promise<void> {
  const used = () => {
    const times = entries.map(({ server }) => cpuTime(server.pid))
    return times.reduce((sum, time) => sum + (time?.user ?? 0) + (time?.system ?? 0), 0)
  }
  let before = used()
  for (let look = 0; look < LOOKS; look++) {
    await sleep(LOOK_EVERY)
    const now = used()
    if (now - before <= QUIET) return
    before = now
  }
}
