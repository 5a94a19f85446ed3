// bench/budget.json: what each part may cost. In: the file, and the names of what is measured. Out: limits for this Node,
// and how measurements compare with them.

import { readFileSync } from 'node:fs'
import { figure, table } from '../support/figures.ts'
import { inRoot } from '../support/paths.ts'

/** What was measured. */
export interface Measured {
  readonly name: string
  /** undefined where it could not be measured */
  readonly value: number | undefined
  /** what `value` is the median of, where the rounds are worth showing */
  readonly rounds?: readonly number[]
  /** why it could not be measured */
  readonly missing?: string
}

/** One entry of the file. */
export interface Entry {
  readonly name: string
  /** what it measures, in a sentence */
  readonly measures: string
  /** the limit; by major version of Node where they differ; null for what is shown and not judged */
  readonly atMost: number | Readonly<Record<string, number>> | null
  readonly unit: string
}

const KEYS = ['name', 'measures', 'atMost', 'unit']

/** The committed budget. @throws {Error} see {@link parseBudget} */
export function readBudget(names: readonly string[]): Entry[] {
  return parseBudget(readFileSync(inRoot('bench', 'budget.json'), 'utf8'), names)
}

/**
 * A budget from its text.
 *
 * @param names of all that is measured: each needs one entry
 * @throws {Error} that names all that is wrong with it: what is missing, unknown, there twice or of the wrong kind
 */
export function parseBudget(text: string, names: readonly string[]): Entry[] {
  const entries: unknown = JSON.parse(text)
  if (!Array.isArray(entries)) throw new Error('the budget is not a list')
  const problems = entries.flatMap((entry, at) => problemsOf(entry, `entry ${at + 1}`))
  const found = entries.map((entry) => (entry as Partial<Entry> | null)?.name)
  for (const [at, name] of found.entries()) {
    if (typeof name !== 'string') continue // said already
    if (!names.includes(name)) problems.push(`${name}: nothing is measured under this name`)
    if (found.indexOf(name) !== at) problems.push(`${name}: it is there twice`)
  }
  for (const name of names) if (!found.includes(name)) problems.push(`${name}: it has no entry`)
  if (problems.length > 0) throw new Error(`the budget is not well formed:\n  ${problems.join('\n  ')}`)
  return entries as Entry[]
}

function problemsOf(entry: unknown, place: string): string[] {
  if (typeof entry !== 'object' || entry === null) return [`${place}: it is not an object`]
  const { name, measures, atMost, unit } = entry as Record<string, unknown>
  const what = typeof name === 'string' ? name : place
  const problems = Object.keys(entry)
    .filter((key) => !KEYS.includes(key))
    .map((key) => `${what}: unknown key ${key}`)
  for (const [key, value] of Object.entries({ name, measures, unit }))
    if (typeof value !== 'string' || value === '') problems.push(`${what}: ${key} is not a text`)
  if (!isLimit(atMost))
    problems.push(`${what}: atMost is neither a number, nor null, nor numbers by Node's major version`)
  return problems
}

function isLimit(atMost: unknown): boolean {
  const positive = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value > 0
  if (atMost === null || positive(atMost)) return true
  if (typeof atMost !== 'object') return false
  const byMajor = Object.entries(atMost as object)
  return byMajor.length > 0 && byMajor.every(([major, value]) => /^\d+$/.test(major) && positive(value))
}

/** The limit on a Node; that of the next older one which the entry knows, or of the oldest. */
export function limitOn(major: number, { atMost }: Entry): number | undefined {
  if (atMost === null) return undefined
  if (typeof atMost === 'number') return atMost
  const majors = Object.keys(atMost).map(Number)
  const older = majors.filter((one) => one <= major)
  return atMost[older.length > 0 ? Math.max(...older) : Math.min(...majors)]
}

/** What became of one entry. */
export interface Verdict {
  readonly entry: Entry
  readonly measured: Measured
  readonly limit: number | undefined
  readonly outcome: 'within' | 'OVER' | 'not measured' | 'not judged'
}

/** @param slack what limits are multiplied with: 1, or more where less is asked for */
export function judge(
  entries: readonly Entry[],
  measured: readonly Measured[],
  slack = 1,
  major = Number(process.versions.node.split('.')[0]),
): Verdict[] {
  return measured.map((one) => {
    const entry = entries.find(({ name }) => name === one.name)
    if (entry === undefined) throw new Error(`${one.name} has no entry in the budget`)
    const most = limitOn(major, entry)
    const limit = most === undefined ? undefined : most * slack
    return { entry, measured: one, limit, outcome: outcomeOf(one.value, limit) }
  })
}

function outcomeOf(value: number | undefined, limit: number | undefined): Verdict['outcome'] {
  if (value === undefined) return 'not measured'
  if (limit === undefined) return 'not judged'
  return value <= limit ? 'within' : 'OVER'
}

/** All of them as a table; below it why some could not be measured, and what those that are over measure. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ entry, measured: { value, rounds }, limit, outcome }) => {
    const digits = digitsOf(limit ?? value ?? 0)
    const [low, high] = rounds === undefined ? [] : [Math.min(...rounds), Math.max(...rounds)]
    const range = low === undefined ? '–' : `${figure(low, digits)}–${figure(high, digits)}`
    const share = value === undefined || limit === undefined ? '–' : `${figure((100 * value) / limit)} %`
    return [entry.name, figure(value, digits), range, figure(limit, digits), share, entry.unit, outcome]
  })
  const missing = verdicts.flatMap(({ measured: { name, missing } }) =>
    missing === undefined ? [] : [`${name}: ${missing}`],
  )
  const over = verdicts
    .filter(({ outcome }) => outcome === 'OVER')
    .map(({ entry }) => `OVER: ${entry.name}: ${entry.measures}`)
  const header = ['', 'measured', 'rounds', 'at most', 'used', 'unit', '']
  const notes = [...missing, ...over]
  return [table(header, rows), ...(notes.length === 0 ? [] : ['', ...notes])].join('\n')
}

/** How many digits after the point show three that say something. */
function digitsOf(value: number): number {
  return value >= 100 ? 0 : value >= 1 ? 2 : 3
}
