// The soak: good and bad clients, large and small, before an upstream that is well, bad or not there, for as long as you
// like; and at the end the count. `npm run soak -- --seconds N [--seed S]
// [--read-path events]`. Exit code 1 when a bound is broken: a good
// exchange lost or wrong, a request that is not idempotent seen twice, something left open, memory that has grown.

import { type ChildProcess, fork } from 'node:child_process'
import { parseArgs } from 'node:util'
import { within } from '../support/wire.ts'
import { badClients } from './bad-clients.ts'
import { type ClientContext, GOOD_CLIENTS } from './good-clients.ts'
import { type Exchange, judge, type Verdict } from './judge.ts'
import type { Deed, Mood, Order, Report, Tally } from './ledger.ts'
import { Dice } from './pattern.ts'
import type { Measure } from './probe.ts'
import { exitOf, type LogLine, type SignetProcess, settled, startSignet, unusedPort } from './process.ts'

/** Clients at a time. */
const GOOD = 24
const BAD = 8
/** s between two lines of progress. */
const PROGRESS = 5
/** Exchanges of which it is remembered what signet logged. */
const MOST_SAID = 100_000
/** ms of the same traffic before the first measure: code is compiled, buffers and pools have their size. */
const WARM_UP = 2000
/** ms that everything may take to close at the end. */
const SETTLE = 15_000

/** What signet may have more of at the end than before: nothing is to be kept per exchange or per connection. */
const MAX_HEAP_GROWTH = 8 * 1024 * 1024
/** Pages that were used once stay resident: the lent regions, the heap at its largest. */
const MAX_RESIDENT_GROWTH = 160 * 1024 * 1024

/** Deadlines short enough for the bad clients to meet them, and long for the good. */
const SETTINGS = {
  SIGNET_HEAD_TIMEOUT: '3000',
  SIGNET_BODY_TIMEOUT: '3000',
  SIGNET_SEND_TIMEOUT: '3000',
  SIGNET_POOL_IDLE_TIMEOUT: '2000',
  SIGNET_POOL_SIZE: '128',
  SIGNET_POOL_TIMEOUT: '10000',
}

/** What the upstream does, and for how many ms: over and over. */
const MOODS: readonly (readonly [mood: Mood, least: number, most: number])[] = [
  ['well', 1000, 2500],
  ['bad', 1000, 2500],
  ['well', 200, 1000],
  ['down', 100, 600],
]

/** The upstream of the soak, as its parent sees it. */
class UpstreamProcess {
  readonly child: ChildProcess
  readonly deeds: Deed[] = []
  readonly port: number

  constructor(port: number, seed: number) {
    this.port = port
    this.child = fork(new URL('./upstream.js', import.meta.url), [`${port}`, `${seed}`], { execArgv: [] })
    this.child.on('message', (report: Report) => {
      if (report.type === 'deeds') this.deeds.push(...report.deeds)
    })
  }

  async report<T extends Report['type']>(type: T): Promise<Extract<Report, { type: T }>> {
    const found = new Promise<Extract<Report, { type: T }>>((resolve) => {
      const listen = (report: Report) => {
        if (report.type !== type) return
        this.child.off('message', listen)
        resolve(report as Extract<Report, { type: T }>) // by its type
      }
      this.child.on('message', listen)
    })
    return within(found, `the upstream's ${type}`, 15_000)
  }

  order(order: Order): void {
    this.child.send(order)
  }

  async tally(): Promise<Tally> {
    const report = this.report('tally')
    this.order({ type: 'tally' })
    return (await report).tally
  }
}

/** Counts as they go. */
class Score {
  exchanges = 0
  answered = 0
  bad = 0
  readonly byKind = new Map<string, number>()
  readonly falseSuccesses: string[] = []
  /** failures in the log, by code */
  readonly failures = new Map<string, number>()
  /** what signet says of the latest exchanges, by path */
  readonly said = new Map<string, string>()
  /** lines of the log that tell of something nobody foresaw */
  readonly alarms: LogLine[] = []
  /** exchanges that were not simply answered: for the judge */
  readonly others: Exchange[] = []
  /** errors of the soak's own clients */
  readonly broken: unknown[] = []

  onExchange(exchange: Exchange): void {
    this.exchanges++
    this.byKind.set(exchange.kind, (this.byKind.get(exchange.kind) ?? 0) + 1)
    if (exchange.end.how === 'answered') this.answered++
    else this.others.push(exchange)
  }

  onLine(line: LogLine): void {
    if (typeof line.failure === 'string')
      this.failures.set(line.failure, (this.failures.get(line.failure) ?? 0) + 1)
    if (line.event === 'exchange') {
      const { failure = 'no failure', reason = '', status, octetsOut, reused, retried = false } = line
      const text = `${failure} ${reason}, status ${status}, ${octetsOut} octets out, reused ${reused}, retried ${retried}`
      this.said.set(`${line.path}`, text)
      for (const oldest of this.said.keys()) {
        if (this.said.size <= MOST_SAID) break
        this.said.delete(oldest)
      }
    }
    if (line.failure === 'ERR_INTERNAL' || Number(line.level) >= 50) this.alarms.push(line)
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string' },
      'read-path': { type: 'string', default: 'shared' },
    },
  })
  const seconds = Number(values.seconds)
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed)
  if (!(seconds > 0) || !Number.isInteger(seed))
    throw new Error('soak --seconds N [--seed S]: both are numbers')
  console.log(`soak for ${seconds} s, seed ${seed}, Node ${process.versions.node}`)

  const upstream = new UpstreamProcess(await unusedPort(), seed)
  let signet: SignetProcess | undefined
  try {
    await upstream.report('listening')
    const score = new Score()
    const readPath = { SIGNET_READ_PATH: values['read-path'] }
    const env = { ...SETTINGS, ...readPath, SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}` }
    signet = await startSignet({ env, onLine: (line) => score.onLine(line) })
    const problems = await soak(signet, upstream, score, seconds, seed)
    for (const problem of problems) console.log(`  BROKEN ${problem}`)
    console.log(
      problems.length === 0
        ? 'soak: all bounds held'
        : `soak: ${problems.length} bounds broken, seed ${seed}`,
    )
    return problems.length === 0 ? 0 : 1
  } finally {
    signet?.child.kill('SIGKILL')
    upstream.child.kill('SIGKILL')
    await Promise.all([signet?.exited, exitOf(upstream.child)])
  }
}

/** Runs it all. @returns the bounds that were broken */
async function soak(
  signet: SignetProcess,
  upstream: UpstreamProcess,
  score: Score,
  seconds: number,
  seed: number,
): Promise<string[]> {
  await traffic(signet, upstream, score, seed, WARM_UP)
  const before = await observe(signet)
  await traffic(signet, upstream, score, seed + 1, seconds * 1000)
  const after = await observe(signet)
  const tally = await upstream.tally()
  const verdicts = judge(score.others, upstream.deeds)
  const exit = await signet.stop()
  return conclude({ score, verdicts, tally, before, after, exit: `${exit}`, deeds: upstream.deeds })
}

/** Traffic of all kinds for `ms`, until the last client has left. */
async function traffic(
  signet: SignetProcess,
  upstream: UpstreamProcess,
  score: Score,
  seed: number,
  ms: number,
): Promise<void> {
  const begin = performance.now()
  const stopping = () => performance.now() - begin > ms || !signet.alive()
  let id = score.exchanges + 1
  const contextFor = (lane: number): ClientContext => ({
    port: signet.port,
    dice: new Dice(seed * 1000 + lane),
    nextId: () => id++,
    onExchange: (exchange) => score.onExchange(exchange),
    stopping,
  })
  const goodLane = async (lane: number) => {
    const context = contextFor(lane)
    while (!stopping()) {
      const { kind, run } = context.dice.weighed(GOOD_CLIENTS)
      await run(context, kind).catch((error) => score.broken.push(error))
    }
  }
  const kinds = badClients((line) => score.falseSuccesses.push(line))
  const badLane = async (lane: number) => {
    const context = contextFor(lane)
    while (!stopping()) {
      score.bad++
      await context.dice.weighed(kinds).run(context)
    }
  }
  const shown = setInterval(() => show(signet, score, performance.now() - begin), PROGRESS * 1000)
  try {
    const lanes = [
      ...Array.from({ length: GOOD }, (_, lane) => goodLane(lane)),
      ...Array.from({ length: BAD }, (_, lane) => badLane(GOOD + lane)),
    ]
    await Promise.all([...lanes, moods(upstream, new Dice(seed), stopping)])
  } finally {
    clearInterval(shown)
  }
}

/** Changes the upstream's mood over and over; it is well again at the end. */
async function moods(upstream: UpstreamProcess, dice: Dice, stopping: () => boolean): Promise<void> {
  for (let at = 0; !stopping(); at++) {
    const [mood, least, most] = MOODS[at % MOODS.length] as (typeof MOODS)[number]
    upstream.order({ type: 'mood', mood })
    for (let left = dice.between(least, most); left > 0 && !stopping(); left -= 50) await later(50)
  }
  upstream.order({ type: 'mood', mood: 'well' })
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A line of progress. */
function show(signet: SignetProcess, score: Score, ms: number): void {
  const { exchanges, answered, others, bad } = score
  const wrong = others.filter(({ end }) => end.how === 'wrong').length
  const open = signet.alive() ? `${signet.descriptors()} descriptors` : 'signet has ended'
  const line = `${exchanges} exchanges, ${answered} answered, ${exchanges - answered} not, ${wrong} wrong`
  console.log(`  ${Math.round(ms / 1000)} s  ${line}; ${bad} bad clients; ${open}`)
}

/** What signet has open and holds when nothing is going on. */
interface Observation {
  /** why it did not come to rest; empty when it did */
  readonly unsettled: string
  readonly descriptors: number
  readonly measure: Measure
  /** octets, from its own metrics */
  readonly residentMetric: number
  readonly heapMetric: number
}

async function observe(signet: SignetProcess): Promise<Observation> {
  const unsettled = await settled(signet, SETTLE).then(
    () => '',
    (error: Error) => error.message,
  )
  await later(200) // the connection that asked has closed too
  const descriptors = signet.descriptors()
  const measure = await signet.measure()
  const metrics = await signet.metrics()
  return {
    unsettled,
    descriptors,
    measure,
    residentMetric: metrics.get('process_resident_memory_bytes') ?? Number.NaN,
    heapMetric: metrics.get('nodejs_heap_size_used_bytes') ?? Number.NaN,
  }
}

interface Outcome {
  readonly score: Score
  readonly verdicts: readonly Verdict[]
  readonly tally: Tally
  readonly before: Observation
  readonly after: Observation
  readonly exit: string
  readonly deeds: readonly Deed[]
}

/** Prints the counts. @returns the bounds that were broken */
function conclude({ score, verdicts, tally, before, after, exit, deeds }: Outcome): string[] {
  const of = (verdict: Verdict['verdict']) => verdicts.filter((one) => one.verdict === verdict)
  const lost = of('lost')
  const wrong = of('wrong')
  const deedsOf = (kind: Deed['kind']) => deeds.filter((deed) => deed.kind === kind).length
  const kinds = [...score.byKind].map(([kind, count]) => `${kind} ${count}`).join(', ')
  const failures = [...score.failures].map(([code, count]) => `${code} ${count}`).join(', ')
  console.log(`
  exchanges    ${score.exchanges}: ${kinds}
  answered     ${score.answered}, each octet checked
  refused      ${of('refused').length} as justified; never asked, behind one of these: ${of('unasked').length}
  lost         ${lost.length}
  wrong        ${wrong.length}
  duplicated   ${tally.duplicated.length} that are not idempotent; sent again as they may be: ${tally.repeated}
  bad clients  ${score.bad}; answered as if they were good: ${score.falseSuccesses.length}
  upstream     ${tally.requests} requests; unsigned ${tally.unsigned}; wrong bodies ${tally.wrongBodies}
               went down ${deedsOf('down')} times, spoilt ${deedsOf('spoilt')}, closed idle ${deedsOf('closed-idle')}
  failures     ${failures}
               before   after
  descriptors  ${column(before.descriptors)} ${column(after.descriptors)}
  timers       ${column(timers(before.measure))} ${column(timers(after.measure))}
  sockets      ${column(sockets(before.measure))} ${column(sockets(after.measure))}
  heap MiB     ${column(mib(before.measure.heap))} ${column(mib(after.measure.heap))}   after garbage collection
  external MiB ${column(mib(before.measure.external))} ${column(mib(after.measure.external))}
  resident MiB ${column(mib(before.residentMetric))} ${column(mib(after.residentMetric))}   /metrics
  ended with   ${exit}
`)
  const growth = after.measure.heap + after.measure.external - before.measure.heap - before.measure.external
  const residentGrowth = after.residentMetric - before.residentMetric
  const bounds: readonly (readonly [held: boolean, problem: string])[] = [
    ...[...lost, ...wrong].slice(0, 20).map((one) => [false, describe(one, score, deeds)] as const),
    [score.answered > 0, 'nothing was answered'],
    [lost.length === 0, `${lost.length} exchanges were lost`],
    [wrong.length === 0, `${wrong.length} answers were wrong`],
    [tally.duplicated.length === 0, `sent twice: ${tally.duplicated.slice(0, 10)}`],
    [tally.unsigned === 0, `${tally.unsigned} requests reached the upstream without their one good token`],
    [tally.wrongBodies === 0, `${tally.wrongBodies} request bodies arrived wrong`],
    [score.falseSuccesses.length === 0, `answered, but no request: ${score.falseSuccesses.slice(0, 5)}`],
    [score.alarms.length === 0, `in the log: ${JSON.stringify(score.alarms.slice(0, 3))}`],
    [score.broken.length === 0, `the soak itself failed: ${score.broken.slice(0, 3).map(String)}`],
    [before.unsettled === '', `before: ${before.unsettled}`],
    [after.unsettled === '', after.unsettled],
    [after.descriptors <= before.descriptors, 'descriptors were left open'],
    [timers(after.measure) <= timers(before.measure), 'timers were left'],
    [sockets(after.measure) <= sockets(before.measure), 'sockets were left open'],
    [growth < MAX_HEAP_GROWTH, `heap and buffers grew by ${mib(growth)} MiB`],
    [!(residentGrowth > MAX_RESIDENT_GROWTH), `resident memory grew by ${mib(residentGrowth)} MiB`],
    [exit === '0', `signet ended with ${exit}`],
  ]
  return bounds.flatMap(([held, problem]) => (held ? [] : [problem]))
}

const mib = (octets: number) => (octets / 1024 / 1024).toFixed(1)
const column = (value: number | string) => String(value).padStart(7)

function timers({ resources }: Measure): number {
  return (resources.Timeout ?? 0) + (resources.Immediate ?? 0)
}

function sockets({ resources }: Measure): number {
  return Object.entries(resources).reduce(
    (sum, [kind, count]) => sum + (/TCPSocket/.test(kind) ? count : 0),
    0,
  )
}

/** All that is known of an exchange that went wrong. */
function describe({ verdict, why, exchange }: Verdict, { said }: Score, deeds: readonly Deed[]): string {
  const { id, kind, method, from, to } = exchange
  const lines = [...said].filter(([path]) => path.endsWith(`/${id}`)).map(([, text]) => text)
  const when = `${new Date(from).toISOString()} for ${to - from} ms`
  const near = deeds
    .filter((deed) => ('id' in deed && deed.id === id) || (deed.at >= from - 20 && deed.at <= to + 20))
    .map((deed) => `${deed.kind}${'id' in deed && deed.id === id ? ' this' : ''} at ${deed.at - from} ms`)
  return `${verdict}: ${kind} ${method}, id ${id}, ${when}: ${why}
    signet says: ${lines.join('; ')}
    the upstream says: ${near.join(', ')}`
}

process.exitCode = await main(process.argv.slice(2))
