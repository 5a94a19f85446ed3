// The CPU ratios of the budget: what a small POST costs signet, against a relay that only reads and writes, against HAProxy
// where it is installed, and against the upstream that answers it. Rounds are interleaved, and each ratio is one of the same
// round. Instructions as well, where they can be counted.

import { randomBytes } from 'node:crypto'
import { nodePeer } from '../contestants.ts'
import { SMALL_POST } from '../endpoints/requests.ts'
import { Children } from '../support/children.ts'
import { figure, median } from '../support/figures.ts'
import { whyNoPerf } from '../support/perf.ts'
import { cpuBetween, cpuTime } from '../support/proc.ts'
import { Progress } from '../support/progress.ts'
import { Scratch } from '../support/scratch.ts'
import { type Contestant, CONTESTANTS, isThere, NAMES as CALLED } from '../versus/contestants.ts'
import { measureLoad } from '../versus/measure.ts'
import { installLine, PROGRAMS } from '../versus/programs.ts'
import { cpuOf, instructionsOf, type Round } from '../versus/results.ts'
import { type Entry, type Setting, startContestants } from '../versus/stage.ts'
import { startBodyUpstream } from '../versus/upstreams.ts'
import type { Measured } from './budget.ts'

const ROUNDS = 7
const SECONDS = 1
const CONNECTIONS = 32
/** Requests before, so that everybody is compiled. */
const WARM_UP = 30_000

const BARE_RELAY: Contestant = {
  name: CALLED.bareRelay,
  kind: 'node',
  token: 'none',
  workloads: ['a32'],
  start: nodePeer('bare-relay'),
}

const TAKE_PART: ReadonlySet<string> = new Set([CALLED.signet, CALLED.haproxy])

/** What signet is measured against, by name in the budget. */
const AGAINST = [
  ['CPU: of the bare relay', CALLED.bareRelay, cpuOf],
  ['CPU: of HAProxy', CALLED.haproxy, cpuOf],
  ['instructions: of the bare relay', CALLED.bareRelay, instructionsOf],
  ['instructions: of HAProxy', CALLED.haproxy, instructionsOf],
] as const
const OF_UPSTREAM = 'CPU: of the upstream'

export const NAMES: readonly string[] = [...AGAINST.map(([name]) => name), OF_UPSTREAM]

/** What one round of signet, or of another, came to; and what it cost the upstream meanwhile, in µs of CPU per request. */
interface Observed {
  readonly round: Round
  readonly upstream: number | undefined
}

/** All of them; what is not installed is named. */
export async function measureCpu(): Promise<Measured[]> {
  const children = new Children()
  const noInstructions = whyNoPerf()
  const contestants = [...CONTESTANTS.filter(({ name }) => TAKE_PART.has(name)), BARE_RELAY].filter(isThere)
  const setting: Setting = {
    children,
    scratch: new Scratch(),
    progress: new Progress(contestants.length * (ROUNDS + 1)),
    secret: randomBytes(64).toString('hex'),
    tool: PROGRAMS.wrk.found === undefined ? 'autocannon' : 'wrk',
    warmUp: WARM_UP,
    manyFiles: false,
  }
  try {
    // Not nginx, even where it is installed: what answers is the same everywhere, as it is what signet is compared with.
    const upstream = await startBodyUpstream(children)
    const failures: string[] = []
    const entries = await startContestants(setting, upstream, contestants, failures)
    if (failures.length > 0) throw new Error(failures.join('; '))
    const counts = noInstructions === undefined
    const observed = new Map<string, Observed[]>(entries.map(({ contestant }) => [contestant.name, []]))
    for (let round = 1; round <= ROUNDS; round++) {
      for (const entry of entries) {
        setting.progress.begin(`round ${round}, ${entry.contestant.name}`)
        const one = await observe(setting, entry, upstream.pid, counts)
        observed.get(entry.contestant.name)!.push(one)
        setting.progress.end(`${figure(cpuOf(one.round), 1)} µs CPU each`)
      }
    }
    return conclude(observed, noInstructions)
  } finally {
    await children.stopAll()
  }
}

/** One round of one of them. */
async function observe(
  { children, tool }: Setting,
  { server }: Entry,
  upstream: number,
  counts: boolean,
): Promise<Observed> {
  const before = cpuTime(upstream)
  const spec = { port: server.port, connections: CONNECTIONS, seconds: SECONDS, request: SMALL_POST }
  const round = await measureLoad({ children, counts }, server.pid, tool, spec)
  if (round.failed !== 0) throw new Error(`${round.failed} requests failed`)
  const used = cpuBetween(before, cpuTime(upstream))
  const requests = (round.perSecond ?? Number.NaN) * SECONDS
  return { round, upstream: used && (used.user + used.system) / requests }
}

function conclude(
  observed: ReadonlyMap<string, readonly Observed[]>,
  noInstructions: string | undefined,
): Measured[] {
  const own = observed.get(CALLED.signet)!
  const measured = AGAINST.map(([name, other, pick]): Measured => {
    const others = observed.get(other)
    if (others === undefined) return { name, value: undefined, missing: installLine(['haproxy']) }
    if (pick === instructionsOf && noInstructions !== undefined)
      return { name, value: undefined, missing: noInstructions }
    return {
      name,
      ...ratiosOf(
        own.map(({ round }) => pick(round)),
        others.map(({ round }) => pick(round)),
      ),
    }
  })
  const ofUpstream = ratiosOf(
    own.map(({ round }) => cpuOf(round)),
    own.map(({ upstream }) => upstream),
  )
  return [...measured, { name: OF_UPSTREAM, ...ofUpstream }]
}

/** One against the other, round by round, so that what disturbed both is not counted. */
function ratiosOf(
  own: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): Omit<Measured, 'name'> {
  const rounds = own.flatMap((value, at) => {
    const other = others[at]
    return value === undefined || other === undefined ? [] : [value / other]
  })
  if (rounds.length === 0) return { value: undefined, missing: 'there is no /proc here' }
  return { value: median(rounds), rounds }
}
