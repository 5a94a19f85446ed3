// What the comparison comes to, as it stands in bench/results.json: tables, verdicts and the chart are made from this.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { medianOf } from '../support/figures.ts'
import { inRoot } from '../support/paths.ts'
import type { Machine } from '../support/results.ts'
import type { Kind } from './contestants.ts'

const FILE = inRoot('bench', 'results.json')

/** One measurement; what could not be measured is not there. */
export interface Round {
  /** requests, or GiB */
  readonly perSecond?: number | undefined
  /** µs */
  readonly p50?: number | undefined
  /** µs */
  readonly p99?: number | undefined
  /** µs of CPU time per request, or per GiB */
  readonly user?: number | undefined
  /** µs of CPU time per request, or per GiB */
  readonly system?: number | undefined
  /** per request, or per GiB */
  readonly userInstructions?: number | undefined
  /** per request, or per GiB */
  readonly kernelInstructions?: number | undefined
  /** octets, at the end */
  readonly resident?: number | undefined
  /** requests that were not answered as they should be */
  readonly failed?: number | undefined
}

/** What one contestant came to in one workload. */
export interface Row {
  readonly contestant: string
  readonly kind: Kind
  readonly rounds: Round[]
  /** octets of resident memory for each idle connection, in workload i */
  idleConnection?: number
  /** octets by which resident memory grew, in workload m */
  growth?: number
  /** why it was not measured to the end */
  failure?: string
}

/** One workload. */
export interface WorkloadResult {
  readonly id: string
  readonly title: string
  readonly unit: 'request' | 'GiB'
  /** requests per second that were asked for, where they were */
  readonly rate?: number
  readonly rows: Row[]
}

/** One run of the comparison. */
export interface Results {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  /** what made the load, and what answered */
  readonly load: string
  readonly upstream: string
  /** why there are no instructions, if there are none */
  readonly noInstructions?: string | undefined
  readonly rounds: number
  readonly seconds: number
  readonly skipped: readonly string[]
  readonly workloads: WorkloadResult[]
}

/** All runs that are kept: one for each major version of Node. */
export type ResultsFile = Readonly<Record<string, Results>>

/** What was written last, or nothing. */
export function readResults(): ResultsFile {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as ResultsFile) : {}
}

/** Replaces the run of this major version of Node. @returns the file */
export function writeResults(results: Results): string {
  const file: ResultsFile = { ...readResults(), [results.machine.node.split('.')[0]!]: results }
  writeFileSync(FILE, `${JSON.stringify(file, rounded, 1)}\n`)
  return FILE
}

/** Four digits are more than any of these figures is worth. */
function rounded(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isInteger(value)) return value
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : undefined
}

/** The row of a contestant in a workload, if it was measured without failure. */
export function rowOf(results: Results, workload: string, contestant: string): Row | undefined {
  const rows = results.workloads.find(({ id }) => id === workload)?.rows
  return rows?.find(
    (row) => row.contestant === contestant && row.rounds.length > 0 && row.failure === undefined,
  )
}

/** CPU time of a round, user and system together, in µs per request or GiB. */
export function cpuOf({ user, system }: Round): number | undefined {
  return user === undefined || system === undefined ? undefined : user + system
}

/** Instructions of a round, user and kernel together, per request or GiB. */
export function instructionsOf({ userInstructions, kernelInstructions }: Round): number | undefined {
  if (userInstructions === undefined || kernelInstructions === undefined) return undefined
  return userInstructions + kernelInstructions
}

/** The median over the rounds of a row. */
export function middle(row: Row | undefined, pick: (round: Round) => number | undefined): number | undefined {
  return medianOf((row?.rounds ?? []).map(pick))
}

/** A figure against the other's of the same round, so that what disturbed both is not counted. */
export function ratios(
  row: Row,
  other: Row,
  pick: (round: Round) => number | undefined,
): (number | undefined)[] {
  return row.rounds.map((round, at) => {
    const [own, others] = [pick(round), other.rounds[at] && pick(other.rounds[at])]
    return own === undefined || others === undefined ? undefined : own / others
  })
}
