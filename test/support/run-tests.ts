// Runs the compiled test files, each in a process of its own under the Node that runs this, and sums what uvu counted.
// In: words, of which a file's path must contain one; none means all. Out: a line per file, what failed, and last of all
// `N passed, N failed`; exit code 1 unless every file ran to its end and nothing failed.

import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One test file. */
export interface TestFile {
  /** path below test/, without `.test.ts` */
  readonly name: string
  /** path of the compiled file */
  readonly script: string
  /** no other file runs meanwhile */
  readonly alone: boolean
  /** ms until the file is killed */
  readonly deadline: number
}

/** How one file ended. A problem counts as one failure more. */
export interface Outcome {
  readonly file: TestFile
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly ms: number
  /** what went wrong beside failed tests */
  readonly problem: string | undefined
  /** what there is to read about failures; empty without any */
  readonly report: string
}

/** What {@link runFiles} may be told. */
export interface RunOptions {
  /** files that run at a time */
  readonly lanes: number
  /** takes what is printed */
  readonly print: (text: string) => void
  readonly color?: boolean
  /** ms that a file may take to end once its tests have; 5000 when not given */
  readonly grace?: number
  /** its abort kills what is running */
  readonly signal?: AbortSignal
}

const DEADLINE = 120_000 // ms
/** Files that measure, and would measure their neighbours too; they may take longer. */
const MEASURES = /(^|[/-])(memory|bench|load|soak|idle)([/-]|$)/
const MEASURE_DEADLINE = 300_000 // ms
/** Files that take longest: begun first, so that none of them is what the others have to wait for. */
const LONG = /(^|\/)(workers|conformance|backpressure)$/
const SILENCE = 15_000 // ms without a line, after which one says what is still running
const INTERRUPTED = 'it was interrupted'
const MOST_OUTPUT = 1_048_576 // characters kept of what one file prints

/** Every test file below `root` whose path contains one of `words`, by name. Only those whose source is still there. */
export function findTests(root: string, words: readonly string[]): TestFile[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.split(sep).join('/'))
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => path.slice(0, -'.test.ts'.length))
    .filter((name) => words.length === 0 || words.some((word) => `test/${name}.test.ts`.includes(word)))
    .sort()
    .map((name) => {
      const alone = MEASURES.test(name)
      const script = join(root, 'build', 'test', `${name}.test.js`)
      return { name, script, alone, deadline: alone ? MEASURE_DEADLINE : DEADLINE }
    })
}

/** Runs every file, first the many side by side, then those that must be alone; prints a line as each ends. */
export async function runFiles(files: readonly TestFile[], options: RunOptions): Promise<Outcome[]> {
  const { lanes, print, signal } = options
  const outcomes: Outcome[] = []
  const running = new Set<string>()
  let spoke = performance.now()
  const say = (text: string) => {
    spoke = performance.now()
    print(text)
  }
  const reminder = setInterval(() => {
    if (performance.now() - spoke >= SILENCE) say(`  …    still running: ${[...running].join(', ')}\n`)
  }, 1000)

  const work = async (queue: TestFile[]) => {
    for (let file = queue.shift(); file !== undefined && !signal?.aborted; file = queue.shift()) {
      running.add(file.name)
      const outcome = await runFile(file, options)
      running.delete(file.name)
      outcomes.push(outcome)
      if (outcome.problem === INTERRUPTED) continue
      say(lineOf(outcome, `${outcomes.length}/${files.length}`) + outcome.report)
    }
  }
  const together = files
    .filter(({ alone }) => !alone)
    .sort((one, other) => Number(LONG.test(other.name)) - Number(LONG.test(one.name)))
  await Promise.all(Array.from({ length: lanes }, () => work(together)))
  await work(files.filter(({ alone }) => alone))
  clearInterval(reminder)
  return outcomes
}

/** Runs one file to its end, or kills it at its deadline with every process it started. Never rejects. */
function runFile(file: TestFile, { color = false, grace = 5000, signal }: RunOptions): Promise<Outcome> {
  const started = performance.now()
  if (!existsSync(file.script)) return Promise.resolve(conclude(file, 0, '', '', 'it was not compiled'))
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--enable-source-maps', file.script], {
      env: environment(color),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own: what the file started can be killed with it
    })
    let stdout = ''
    let all = ''
    let problem: string | undefined
    const killGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // nothing of it is left
      }
    }
    const giveUp = (why: string) => {
      problem ??= why
      killGroup()
    }
    const abort = () => giveUp(INTERRUPTED)
    const late = setTimeout(
      () =>
        giveUp(
          `killed: ${endedIn(stdout)} of its tests ended within ${file.deadline / 1000} s, and then no more`,
        ),
      file.deadline,
    )
    let ending: NodeJS.Timeout | undefined
    const keep = (piece: string) => {
      all = (all + piece).slice(-MOST_OUTPUT)
    }
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      keep(piece)
      stdout = (stdout + piece).slice(-MOST_OUTPUT)
      if (ending !== undefined || totalsIn(stdout).length === 0) return
      const why = 'killed: its tests ended, but something they opened keeps the process running'
      ending = setTimeout(() => giveUp(why), grace)
    })
    child.stderr.setEncoding('utf8').on('data', keep)
    child.once('error', (error) => giveUp(`it cannot be started: ${error.message}`))
    child.once('exit', (code, killer) => {
      clearTimeout(ending)
      if (killer !== null) problem ??= `it died of ${killer}`
      else if (code !== 0 && failedIn(stdout) === 0) problem ??= `it ended with exit code ${code}`
      ending = setTimeout(() => giveUp('it left a process running'), 2000) // one that holds its stdout
    })
    signal?.addEventListener('abort', abort)
    child.once('close', () => {
      clearTimeout(late)
      clearTimeout(ending)
      signal?.removeEventListener('abort', abort)
      killGroup() // whatever it left that holds no pipe
      resolve(conclude(file, performance.now() - started, stdout, all, problem))
    })
  })
}

function conclude(
  file: TestFile,
  ms: number,
  stdout: string,
  all: string,
  found: string | undefined,
): Outcome {
  const totals = totalsIn(stdout)
  const { total, passed, skipped } = totals[0] ?? { total: 0, passed: 0, skipped: 0 }
  const problem = found ?? problemWith(totals)
  const failed = total - passed
  const wrong = failed > 0 || problem !== undefined
  const report = wrong
    ? `${indent(readable(all))}${problem === undefined ? '' : `\n    ${problem}\n`}\n`
    : warningsIn(all)
  return { file, passed, failed: failed + (problem === undefined ? 0 : 1), skipped, ms, problem, report }
}

/** What a file says of itself though all its tests passed: lines that begin with `! `. */
function warningsIn(all: string): string {
  return (plain(all).match(/^! .*\n/gm) ?? []).map((line) => `       ${line}`).join('')
}

type Totals = { readonly total: number; readonly passed: number; readonly skipped: number }

/** What uvu says at the end of a run. */
function totalsIn(stdout: string): Totals[] {
  const lines = plain(stdout).matchAll(
    /^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n {2}Duration: .*\n/gm,
  )
  return [...lines].map(([, ...counts]) => {
    const [total = 0, passed = 0, skipped = 0] = counts.map(Number)
    return { total, passed, skipped }
  })
}

/** How many tests have ended: uvu prints a mark for each. */
function endedIn(stdout: string): number {
  return plain(stdout).match(/[•✘] /g)?.length ?? 0
}

function failedIn(stdout: string): number {
  return totalsIn(stdout).reduce((sum, { total, passed }) => sum + total - passed, 0)
}

function problemWith([first, second]: readonly Totals[]): string | undefined {
  if (first === undefined) return 'it ended before its tests did, or has none'
  if (second !== undefined)
    return 'it ran its tests more than once: nothing may be awaited between two suites'
  return first.total + first.skipped === 0 ? 'it ran no test' : undefined
}

/** Variables of the user's own signet must not reach the tests. */
function environment(color: boolean): NodeJS.ProcessEnv {
  const ours = /^(SIGNET_.*|HTTP_PORT|HTTP_HOST|NODE_ENV|NO_COLOR|FORCE_COLOR|MAKEFLAGS|MAKELEVEL|MFLAGS)$/
  const others = Object.entries(process.env).filter(([name]) => !ours.test(name))
  return { ...Object.fromEntries(others), ...(color ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }) }
}

/** What a file printed, without uvu's dots, counts, totals and stack frames. */
function readable(all: string): string {
  return all
    .replace(/(\u001b\[\d+m)*[•✘] (\u001b\[\d+m)*/g, '')
    .split('\n')
    .filter((line) => !CHAFF.test(plain(line)))
    .join('\n')
    .replace(/\n\s*\n\s*\n/g, '\n\n')
    .replace(/^\s*\n|\s+$/g, '')
}

const CHAFF =
  /^( {2}(Total|Passed|Skipped|Duration): .*|.* {2}\(\d+ \/ \d+\)| +at .*\/node_modules\/uvu\/.*)$/

function plain(text: string): string {
  return text.replace(/\u001b\[\d+m/g, '')
}

function indent(text: string): string {
  return text === '' ? '' : `\n${text.replace(/^(?=.)/gm, '    ')}\n`
}

function lineOf({ file, passed, failed, skipped, ms }: Outcome, progress: string): string {
  const counts = countsOf({ passed, failed, skipped }).padEnd(22)
  return `${failed > 0 ? ' FAIL' : '  ok '} ${progress.padStart(7)}  ${file.name.padEnd(32)} ${counts} ${(ms / 1000).toFixed(1)} s\n`
}

function countsOf(
  { passed, failed, skipped }: Pick<Outcome, 'passed' | 'failed' | 'skipped'>,
  always = false,
): string {
  const parts = [`${passed} passed`]
  if (failed > 0 || always) parts.push(`${failed} failed`)
  if (skipped > 0) parts.push(`${skipped} skipped`)
  return parts.join(', ')
}

/** The last line of a run. */
export function summaryOf(outcomes: readonly Outcome[]): string {
  const sum = (count: 'passed' | 'failed' | 'skipped') =>
    outcomes.reduce((all, outcome) => all + outcome[count], 0)
  return countsOf({ passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') }, true)
}

async function main(words: readonly string[]): Promise<number> {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..') // from build/test/support
  const print = (text: string) => {
    process.stdout.write(text)
  }
  const files = findTests(root, words)
  if (files.length === 0) print(`no test file has ${words.join(' or ')} in its path\n`)

  const interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupted.abort())
  process.stdout.on('error', () => interrupted.abort()) // nobody reads any more

  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const started = performance.now()
  print(`signet ${version} on Node ${process.versions.node}: ${files.length} test files, two at a time\n`)
  const outcomes = await runFiles(files, {
    lanes: 2,
    print,
    color: process.stdout.isTTY === true && !process.env.NO_COLOR,
    signal: interrupted.signal,
  })

  const failures = outcomes.filter(({ failed }) => failed > 0).map(({ file }) => file.name)
  if (failures.length > 0 && !interrupted.signal.aborted) print(`\nfailed: ${failures.join(', ')}\n`)
  print(`\n${((performance.now() - started) / 1000).toFixed(1)} s on Node ${process.versions.node}\n`)
  if (interrupted.signal.aborted) print('interrupted\n')
  print(`${summaryOf(outcomes)}\n`)
  return failures.length > 0 || outcomes.length === 0 || interrupted.signal.aborted ? 1 : 0
}

if (realpathSync(process.argv[1] ?? '') === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2))
