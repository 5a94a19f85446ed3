// A run as Markdown: what it ran on, a table for each workload, and the verdicts.

import { figure, spread, table } from '../support/figures.ts'
import { describeMachine } from '../support/results.ts'
import { NAMES } from './contestants.ts'
import {
  cpuOf,
  instructionsOf,
  middle,
  type Results,
  type Round,
  type Row,
  ratios,
  type WorkloadResult,
} from './results.ts'
import { verdictTable } from './verdicts.ts'

const MEBIBYTE = 1024 ** 2

/** A column: its title, and its cell for a row. `reference` is signet's row. */
interface Column {
  readonly title: string
  readonly cell: (row: Row, reference: Row | undefined) => string
}

/** Everything a run came to. */
export function report(results: Results): string {
  return [
    describeRun(results),
    ...results.workloads.map((one) => section(one, results)),
    conclusion(results),
  ].join('\n\n')
}

function describeRun(results: Results): string {
  const { machine, versions, load, upstream, noInstructions, rounds, seconds, skipped } = results
  const lines = [
    describeMachine(versions, machine),
    `- load by ${load}; upstream of the requests: ${upstream}`,
    `- ${rounds} rounds, of ${seconds} s where time is the measure`,
  ]
  if (noInstructions !== undefined) lines.push(`- instructions were not counted: ${noInstructions}`)
  return [...lines, ...skipped.map((line) => `- not measured: ${line}`)].join('\n')
}

/** One workload: its heading and its table. */
export function section(
  workload: WorkloadResult,
  { noInstructions }: Pick<Results, 'noInstructions'>,
): string {
  const { id, title, unit, rows, rate } = workload
  const reference = rows.find(({ contestant }) => contestant === NAMES.signet)
  const columns = columnsFor(workload).filter(
    (column) => noInstructions === undefined || column !== INSTRUCTIONS,
  )
  const cells = rows.map((row) => [named(row), ...columns.map(({ cell }) => cell(row, reference))])
  const asked = rate === undefined ? '' : ` (${figure(rate)} ${unit}s/s)`
  return `### ${id}: ${title}${asked}\n\n${table(['proxy', ...columns.map((column) => column.title)], cells)}`
}

function named({ contestant, rounds, failure }: Row): string {
  const failed = rounds.reduce((sum, round) => sum + (round.failed ?? 0), 0)
  if (failure !== undefined) return `${contestant} (FAILED: ${failure})`
  return failed === 0 ? contestant : `${contestant} (${failed} FAILED)`
}

function columnsFor({ id, unit }: WorkloadResult): readonly Column[] {
  if (id === 'm') return [number('grew by MiB', (row) => row.growth && row.growth / MEBIBYTE)]
  if (unit === 'GiB') return PER_GIBIBYTE
  return id === 'i' ? [...PER_REQUEST, IDLE] : PER_REQUEST
}

function number(title: string, pick: (row: Row) => number | undefined, digits = 0): Column {
  return { title, cell: (row) => figure(pick(row), digits) }
}

function median(title: string, pick: (round: Round) => number | undefined, digits = 0): Column {
  return number(title, (row) => middle(row, pick), digits)
}

function scaled(pick: (round: Round) => number | undefined, unit: number) {
  return (round: Round) => {
    const value = pick(round)
    return value === undefined ? undefined : value / unit
  }
}

const RESIDENT = median(
  'RSS MiB',
  scaled(({ resident }) => resident, MEBIBYTE),
)
const IDLE = number('octets per idle connection', (row) => row.idleConnection)
const RATIO: Column = {
  title: 'CPU ratio',
  cell: (row, reference) => (reference === undefined ? '–' : spread(ratios(row, reference, cpuOf), 2)),
}
const INSTRUCTIONS = median('instructions', instructionsOf)

const PER_REQUEST: readonly Column[] = [
  median('requests/s', ({ perSecond }) => perSecond),
  median(
    'p50 ms',
    scaled(({ p50 }) => p50, 1000),
    2,
  ),
  median(
    'p99 ms',
    scaled(({ p99 }) => p99, 1000),
    2,
  ),
  { title: 'CPU µs/request', cell: ({ rounds }) => spread(rounds.map(cpuOf)) },
  median('user', ({ user }) => user),
  median('system', ({ system }) => system),
  RATIO,
  INSTRUCTIONS,
  RESIDENT,
]

const PER_GIBIBYTE: readonly Column[] = [
  median('GiB/s', ({ perSecond }) => perSecond, 2),
  { title: 'CPU s/GiB', cell: ({ rounds }) => spread(rounds.map(scaled(cpuOf, 1e6)), 2) },
  median(
    'user',
    scaled(({ user }) => user, 1e6),
    2,
  ),
  median(
    'system',
    scaled(({ system }) => system, 1e6),
    2,
  ),
  RATIO,
  INSTRUCTIONS,
  RESIDENT,
]

/** What signet was to reach. */
export function conclusion(results: Results): string {
  return `### Numbers to reach\n\n${verdictTable(results)}`
}
