// The numbers that signet is to reach, as a table, and whether a run reached them.

import { figure, medianOf, table } from '../support/figures.ts'
import { NAMES } from './contestants.ts'
import { cpuOf, instructionsOf, type Results, type Round, ratios, rowOf } from './results.ts'

/** One number to reach: at most `target`. */
interface Goal {
  readonly what: string
  readonly target: number
  readonly unit?: string
  /** Whether it is about signet alone; those that are not are 1.35 times wider on an older Node than the LTS. */
  readonly alone?: boolean
  readonly measure: (results: Results) => number | undefined
}

/** What became of one of them. */
export interface Verdict {
  readonly what: string
  readonly target: string
  readonly measured: string
  readonly reached: boolean | undefined
}

/** The Node that the numbers are meant for, and how much more is allowed on an older one. */
const CURRENT_NODE = 26
const OLDER_NODE = 1.35

/** signet against another in one workload. */
function against(
  workload: string,
  other: string,
  pick: (round: Round) => number | undefined = cpuOf,
  who: string = NAMES.signet,
) {
  return (results: Results): number | undefined => {
    const [own, others] = [rowOf(results, workload, who), rowOf(results, workload, other)]
    return own === undefined || others === undefined ? undefined : medianOf(ratios(own, others, pick))
  }
}

/** signet against the best of several. */
function againstBest(workload: string, others: readonly string[]) {
  return (results: Results): number | undefined => {
    const found = others
      .map((other) => against(workload, other)(results))
      .filter((ratio) => ratio !== undefined)
    return found.length === 0 ? undefined : Math.max(...found)
  }
}

const HAPROXIES = [NAMES.haproxy, NAMES.haproxyLarge]
const NODE_PEERS = [NAMES.httpxy, NAMES.fastProxy, NAMES.fastify]
const BODIES = [
  ['c', 'down'],
  ['d', 'down, chunked'],
  ['e', 'up'],
] as const

const GOALS: readonly Goal[] = [
  {
    what: '(a) instructions a request, of HAProxy',
    target: 0.85,
    measure: against('a32', NAMES.haproxy, instructionsOf),
  },
  { what: '(a) CPU a request, of HAProxy', target: 0.95, measure: against('a32', NAMES.haproxy) },
  {
    what: '(a) CPU a request, of the best Node peer',
    target: 1 / 6,
    measure: againstBest('a32', NODE_PEERS),
  },
  {
    what: '(a) CPU a request with the access log, of without',
    target: 1.1,
    alone: true,
    measure: against('a32', NAMES.signet, cpuOf, NAMES.signetLog),
  },
  {
    what: "(p) p99 at half of HAProxy's peak rate, of HAProxy",
    target: 1.3,
    measure: against('p', NAMES.haproxy, ({ p99 }) => p99),
  },
  ...BODIES.flatMap(([id, way]): Goal[] => [
    {
      what: `(${id}) CPU a GiB ${way}, of HAProxy at its best`,
      target: 0.75,
      measure: againstBest(id, HAPROXIES),
    },
    {
      what: `(${id}) CPU a GiB ${way}, of HAProxy by default`,
      target: 0.45,
      measure: against(id, NAMES.haproxy),
    },
    {
      what: `(${id}) CPU a GiB ${way}, of nginx unbuffered`,
      target: 0.3,
      measure: against(id, NAMES.nginxUnbuffered),
    },
  ]),
  { what: '(f) CPU a request, of HAProxy', target: 1.5, measure: against('f', NAMES.haproxy) },
  { what: '(g) CPU a request, of HAProxy', target: 1, measure: against('g', NAMES.haproxy) },
  {
    what: '(i) resident memory of an idle connection',
    target: 7,
    unit: 'KB',
    alone: true,
    measure: (results) => inUnits(rowOf(results, 'i', NAMES.signet)?.idleConnection, 1000),
  },
  {
    what: '(m) growth of resident memory over 10 GiB each way',
    target: 16,
    unit: 'MiB',
    alone: true,
    measure: (results) => inUnits(rowOf(results, 'm', NAMES.signet)?.growth, 1024 ** 2),
  },
  {
    what: '(a) CPU a request of two workers, of one',
    target: 1.08,
    alone: true,
    measure: against('a32', NAMES.signet, cpuOf, NAMES.signetTwo),
  },
]

function inUnits(octets: number | undefined, unit: number): number | undefined {
  return octets === undefined ? undefined : octets / unit
}

/** Each number to reach, with what was measured. */
export function verdicts(results: Results): Verdict[] {
  const older = Number(results.machine.node.split('.')[0]) < CURRENT_NODE
  return GOALS.map(({ what, target, unit = '×', alone = false, measure }) => {
    const limit = older && !alone ? target * OLDER_NODE : target
    const measured = measure(results)
    return {
      what,
      target: `≤ ${figure(limit, 2)} ${unit}`,
      measured: measured === undefined ? '–' : `${figure(measured, 2)} ${unit}`,
      reached: measured === undefined ? undefined : measured <= limit,
    }
  })
}

/** The list as a table. */
export function verdictTable(results: Results): string {
  const words = (reached: boolean | undefined) =>
    reached === undefined ? 'not measured' : reached ? 'reached' : 'NOT reached'
  return table(
    ['number to reach', 'target', 'measured', ''],
    verdicts(results).map(({ what, target, measured, reached }) => [what, target, measured, words(reached)]),
  )
}
