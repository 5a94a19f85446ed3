// `make bench`: signet against its upstream alone and against other Node proxies that do the same job, then the
// micro-benches. Prints a table as it would stand in bench/RESULTS.md, and writes it there. Under three minutes.

import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { comparison, type Entry, total } from './comparison.ts'
import { CONTESTANTS, type Contestant, REFERENCE } from './contestants.ts'
import { SMALL_POST } from './endpoints/requests.ts'
import { checkTokens } from './support/check.ts'
import { Children } from './support/children.ts'
import { figure } from './support/figures.ts'
import { runLoad } from './support/load.ts'
import { installedVersion, installPeers } from './support/node-peers.ts'
import { program } from './support/paths.ts'
import { cpuBetween, cpuTime } from './support/proc.ts'
import { Progress } from './support/progress.ts'
import { describeMachine, writeSection } from './support/results.ts'

const HELP = `Usage: node build/bench/run.js [--rounds 3] [--seconds 3] [--connections 32] [--only name,name] [--no-micro]
Compares signet with other proxies; writes bench/RESULTS.md unless --only or --no-micro is given.
`
/** s of load before the first round, so that everybody is compiled and connected */
const WARM_UP = 3
/** Programs of their own: each prints its table. */
const MICRO_BENCHES = [
  'head',
  'mint',
  'auth',
  'credentials',
  'log',
  'relay',
  'idle',
  'routes',
  'limits',
  'middleware',
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '32' },
    only: { type: 'string' },
    'no-micro': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  process.stdout.write(HELP)
  process.exit(0)
}
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const wanted = values.only?.split(',')
const microBenches = values['no-micro'] || wanted !== undefined ? [] : MICRO_BENCHES
const children = new Children()
const secret = randomBytes(64).toString('hex')

installPeers(CONTESTANTS.flatMap(({ peer }) => peer ?? []))
const contestants = CONTESTANTS.filter(isThere)
const progress = new Progress(contestants.length * (rounds + 1) + microBenches.length)
try {
  const entries = await startAll()
  for (let round = 1; round <= rounds; round++) {
    for (const entry of entries) await measure(entry, `round ${round}, ${entry.contestant.name}`, seconds)
  }
  const compared = comparison(entries)
  await children.stopAll()
  const micro: string[] = []
  for (const name of microBenches) micro.push(await runMicroBench(name))
  report(compared, micro)
  if (entries.some(({ rounds }) => rounds.some(({ failed }) => failed > 0))) process.exitCode = 1
} finally {
  await children.stopAll()
}

// ── before the measurement ────────────────────────────────────────────────────────────────────────────────────

function isThere({ name, peer }: Contestant): boolean {
  if (wanted !== undefined && !wanted.includes(name) && name !== REFERENCE) return false
  if (peer === undefined || installedVersion(peer) !== undefined) return true
  console.error(`skipped: ${peer} is not installed; run npm ci in bench/`)
  return false
}

async function startAll(): Promise<Entry[]> {
  const upstream = await children.startServer({
    name: 'the upstream',
    argv: [program('endpoints/upstream')],
    side: 'load',
  })
  const entries: Entry[] = []
  for (const contestant of contestants) {
    const { name, command } = contestant
    let server = upstream
    if (command !== undefined) {
      const how = command(`http://127.0.0.1:${upstream.port}`, secret)
      server = await children.startServer({ name, side: 'proxy', ...how })
      if (contestant.signs) await checkTokens(server.port, secret)
    }
    const entry = { contestant, server, rounds: [] }
    await measure(entry, `warm-up, ${name}`, WARM_UP)
    entry.rounds.length = 0
    entries.push(entry)
  }
  return entries
}

// ── the measurement ───────────────────────────────────────────────────────────────────────────────────────────

async function measure({ contestant, server, rounds }: Entry, step: string, duration: number): Promise<void> {
  progress.begin(step)
  const spec = {
    port: server.port,
    connections: Number(values.connections),
    seconds: duration,
    request: SMALL_POST,
  }
  const before = cpuTime(server.pid)
  const load = await runLoad(children, 'autocannon', spec)
  const used = cpuBetween(before, cpuTime(server.pid))
  const isProxy = contestant.command !== undefined && used !== undefined
  const cpu = isProxy ? { user: used.user / load.requests, system: used.system / load.requests } : undefined
  rounds.push({ ...load, cpu })
  const shownCpu = cpu === undefined ? '' : `, ${figure(total(cpu))} µs CPU each`
  const failures = load.failed === 0 ? '' : `, ${load.failed} FAILED`
  progress.end(`${figure(load.perSecond)} requests/s${shownCpu}${failures}`)
}

/** @returns what it printed; a micro-bench that fails does not take the table with it */
async function runMicroBench(name: string): Promise<string> {
  progress.begin(`bench/${name}`)
  try {
    const output = await children.run({ name, argv: [program(name)], side: 'proxy' })
    progress.end()
    return output.trim()
  } catch (error) {
    progress.end('FAILED')
    process.exitCode = 1
    return String(error)
  }
}

// ── what it came to ───────────────────────────────────────────────────────────────────────────────────────────

function report(compared: string, micro: readonly string[]): void {
  const versions = Object.fromEntries(
    CONTESTANTS.flatMap(({ peer }) => (peer === undefined ? [] : [[peer, installedVersion(peer)]])),
  )
  const machine = describeMachine({ ...versions, jsonwebtoken: installedVersion('jsonwebtoken') })
  const workload = `Small POST with a token, ${values.connections} connections, ${rounds} rounds of ${seconds} s:`
  const blocks = micro.map((text, at) => `### bench/${MICRO_BENCHES[at]}\n\n\`\`\`\n${text}\n\`\`\``)
  const section = [machine, workload, compared, ...blocks].join('\n\n')
  process.stdout.write(`\n${section}\n`)
  if (microBenches.length > 0) process.stderr.write(`\nwritten to ${writeSection('bench', section)}\n`)
}
