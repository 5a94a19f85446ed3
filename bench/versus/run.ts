// `make bench-peers`: signet against HAProxy, nginx, Node proxies and Python's, each of them one process on one core, in
// all the workloads of workloads.ts. Prints a table for each and whether signet reached its numbers; writes them to
// bench/RESULTS.md, bench/results.json and docs/bench.svg. About 14 minutes; with --quick about 3, and nothing written.

import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { Children } from '../support/children.ts'
import { installedVersion, installPeers } from '../support/node-peers.ts'
import { whyNoPerf } from '../support/perf.ts'
import { Progress } from '../support/progress.ts'
import { thisMachine, writeSection } from '../support/results.ts'
import { Scratch } from '../support/scratch.ts'
import { writeChart } from './chart.ts'
import { CONTESTANTS, type Contestant, isThere, NAMES } from './contestants.ts'
import type { Instruments } from './measure.ts'
import { installLine, PROGRAMS, type ProgramName } from './programs.ts'
import { report } from './report.ts'
import { runPaced, runRequests } from './requests-stage.ts'
import { type Results, type WorkloadResult, writeResults } from './results.ts'
import { rowsFor, type Setting, startContestants } from './stage.ts'
import { memoryGrowth, runTransfers } from './transfers-stage.ts'
import { startBodyUpstream, startSmallUpstream } from './upstreams.ts'
import { selectWorkloads, type Workload, WORKLOADS } from './workloads.ts'

const HELP = `Usage: node build/bench/versus/run.js [--quick] [--rounds 3] [--seconds 2] [--only NAME]…
                                    [--only-workload a32,b,f] [--write | --no-write]

Compares signet with other proxies. --quick: one round of 1 s, bodies of 256 MiB. --only, once for each, takes the name
of a contestant; signet always takes part. What is measured in full is written to bench/RESULTS.md, bench/results.json
and docs/bench.svg.

Contestants:
${CONTESTANTS.map(({ name }) => `  ${name}`).join('\n')}

Workloads:
${WORKLOADS.map(({ id, title }) => `  ${id.padEnd(5)} ${title}`).join('\n')}
  h     the same as a32: those who log beside those who do not
`
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string', multiple: true },
    'only-workload': { type: 'string' },
    write: { type: 'boolean' },
    'no-write': { type: 'boolean' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  process.stdout.write(HELP)
  process.exit(0)
}
const { quick } = values
const inFull = !quick && values.only === undefined && values['only-workload'] === undefined
const write = values.write ?? (values['no-write'] === true ? false : inFull)
const extent = {
  rounds: Number(values.rounds ?? (quick ? 1 : 3)),
  seconds: Number(values.seconds ?? (quick ? 1 : 2)),
}
const bodyOctets = (quick ? 256 : 1024) * 1024 ** 2
const memoryGibibytes = quick ? 2 : 10
/** Open files that 5,000 idle connections and their upstream side may take; see stage.ts. */
const MANY_FILES = 13_000

const workloads = choose()
const skipped: string[] = []
const failures: string[] = []
const contestants = chooseContestants()
const noInstructions = whyNoPerf()
const machine = thisMachine()
const children = new Children()
const setting: Setting = {
  children,
  scratch: new Scratch(),
  progress: new Progress(countSteps()),
  secret: randomBytes(64).toString('hex'),
  tool: PROGRAMS.wrk.found === undefined ? 'autocannon' : 'wrk',
  warmUp: quick ? 60_000 : 300_000,
  manyFiles: hardFileLimit() >= MANY_FILES,
}
const instruments: Instruments = { children, counts: noInstructions === undefined }

const measured = new Map<string, WorkloadResult>()
try {
  await measureRequests()
  await measureMemory()
  await measureBodies()
} finally {
  await children.stopAll()
}
conclude()

// ── before the measurement ────────────────────────────────────────────────────────────────────────────────────

function choose(): readonly Workload[] {
  try {
    return selectWorkloads(values['only-workload'])
  } catch (error) {
    return usage((error as Error).message)
  }
}

function usage(problem: string): never {
  console.error(`${problem}; see --help`)
  process.exit(2)
}

/** Those that are asked for and installed; of the others it is said what brings them. */
function chooseContestants(): Contestant[] {
  installPeers(CONTESTANTS.flatMap(({ peer }) => peer ?? []))
  const names = values.only
  for (const name of names ?? [])
    if (!CONTESTANTS.some((one) => one.name === name)) usage(`no contestant is called ${name}`)
  const wanted = CONTESTANTS.filter(
    ({ name }) => names === undefined || name === NAMES.signet || names.includes(name),
  )
  const missing = wanted.filter((one) => !isThere(one))
  for (const { name, needs } of missing)
    skipped.push(
      `${name}: ${needs === undefined ? 'npm ci in bench/ did not succeed' : installLine([needs])}`,
    )
  if (PROGRAMS.wrk.found === undefined) skipped.push(`wrk, the cheaper load: ${installLine(['wrk'])}`)
  const needed = [...new Set(missing.flatMap(({ needs }) => needs ?? []))]
  if (needed.length > 0) console.error(`not installed: ${installLine([...needed])}`)
  return wanted.filter(isThere)
}

function hardFileLimit(): number {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })
  return stdout.trim() === 'unlimited' ? Number.POSITIVE_INFINITY : Number(stdout)
}

function ofKind<K extends Workload['kind']>(kind: K): Extract<Workload, { kind: K }>[] {
  return workloads.filter((workload): workload is Extract<Workload, { kind: K }> => workload.kind === kind)
}

/** Those of `among` that take part in any of these. */
function takingPart<T extends Contestant>(among: readonly T[], some: readonly Workload[]): T[] {
  return among.filter((one) => some.some(({ id }) => one.workloads.includes(id)))
}

function countSteps(): number {
  const requests = [...ofKind('requests'), ...ofKind('paced')]
  const bodies = ofKind('transfers')
  const rounds = [...requests, ...bodies].map((one) => takingPart(contestants, [one]).length * extent.rounds)
  const starts = takingPart(contestants, requests).length + 2 * takingPart(contestants, bodies).length
  return starts + rounds.reduce((sum, count) => sum + count, 0) + ofKind('memory').length * 3
}

// ── the measurement ───────────────────────────────────────────────────────────────────────────────────────────

async function measureRequests(): Promise<void> {
  // What an idle connection keeps resident shows only where other workloads have left no memory behind.
  const requests = ofKind('requests').sort((a, b) => (b.idle ?? 0) - (a.idle ?? 0))
  const paced = ofKind('paced')
  const taking = takingPart(contestants, [...requests, ...paced])
  if (requests.length + paced.length === 0) return
  const upstream = await startSmallUpstream(children, setting.scratch)
  const entries = await startContestants(setting, upstream, taking, failures)
  const entriesOf = (workload: Workload) =>
    entries.filter(({ contestant }) => contestant.workloads.includes(workload.id))
  for (const workload of requests) {
    if (workload.idle !== undefined && !setting.manyFiles) {
      skipped.push(`${workload.id}: it takes ${MANY_FILES} open files, see ulimit -Hn`)
      continue
    }
    keep(await runRequests(setting, instruments, workload, entriesOf(workload), extent))
  }
  for (const workload of paced) {
    const peak = measured.get('a32')?.rows
    const result = await runPaced(setting, instruments, workload, entriesOf(workload), extent, peak)
    if (result === undefined)
      skipped.push(`${workload.id}: HAProxy is not there to say what its peak rate is`)
    else keep(result)
  }
  await children.stopAll()
}

/** In a process of its own: what other workloads left behind would hide what this one adds. */
async function measureMemory(): Promise<void> {
  for (const { id, title } of ofKind('memory')) {
    const upstream = await startBodyUpstream(children)
    const taking = takingPart(contestants, ofKind('memory'))
    const entries = await startContestants(setting, upstream, taking, failures)
    const rows = rowsFor(entries)
    for (const [at, { server }] of entries.entries()) {
      const growth = await memoryGrowth(setting, server, memoryGibibytes)
      if (growth !== undefined) rows[at]!.growth = growth
      rows[at]!.rounds.push({})
    }
    keep({ id, title: title.replace('10 GiB', `${memoryGibibytes} GiB`), unit: 'GiB', rows })
    await children.stopAll()
  }
}

async function measureBodies(): Promise<void> {
  const transfers = ofKind('transfers')
  if (transfers.length === 0) return
  const upstream = await startBodyUpstream(children)
  const entries = await startContestants(setting, upstream, takingPart(contestants, transfers), failures)
  const results = await runTransfers(setting, instruments, transfers, entries, extent.rounds, bodyOctets)
  for (const result of results) keep(result)
  await children.stopAll()
}

function keep(result: WorkloadResult): void {
  measured.set(result.id, result)
}

// ── what it came to ───────────────────────────────────────────────────────────────────────────────────────────

function conclude(): void {
  const results: Results = {
    machine,
    versions: versions(),
    load: setting.tool === 'wrk' ? `wrk ${PROGRAMS.wrk.found?.version}` : `autocannon`,
    upstream: PROGRAMS.nginx.found === undefined ? "signet's own bench upstream" : 'nginx, from memory',
    noInstructions,
    rounds: extent.rounds,
    seconds: extent.seconds,
    skipped: [...skipped, ...failures],
    workloads: workloads.flatMap(({ id }) => measured.get(id) ?? []),
  }
  const text = report(results)
  process.stdout.write(`\n${text}\n`)
  if (write) {
    const files = [writeSection('peers', text), writeResults(results), writeChart()]
    process.stderr.write(`\nwritten to ${files.join(', ')}\n`)
  }
  const rows = results.workloads.flatMap((workload) => workload.rows)
  const failed = rows.some(
    (row) => row.failure !== undefined || row.rounds.some((round) => (round.failed ?? 0) > 0),
  )
  if (failed || failures.length > 0) process.exitCode = 1
}

/** Of everything that took part. */
function versions(): Record<string, string> {
  const found: Record<string, string> = {}
  for (const { needs, peer } of contestants) {
    if (peer !== undefined) {
      found[peer] = installedVersion(peer) ?? 'of unknown version'
      found.jsonwebtoken = installedVersion('jsonwebtoken') ?? 'of unknown version'
    }
    const program: ProgramName | undefined = needs
    if (program !== undefined) found[program] = PROGRAMS[program].found?.version ?? 'of unknown version'
  }
  return found
}
