// The table of bench/run.ts: from what the rounds of each contestant came to, to rows that can be compared.

import { type Contestant, REFERENCE } from './contestants.ts'
import type { LoadResult } from './support/load.ts'
import type { Running } from './support/children.ts'
import { figure, medianOf, spread, table } from './support/figures.ts'
import { type CpuTime, residentMemory } from './support/proc.ts'

/** A contestant that runs, and what its rounds came to. */
export interface Entry {
  readonly contestant: Contestant
  readonly server: Running
  readonly rounds: Round[]
}

/** One round of one contestant. */
export interface Round extends LoadResult {
  /** CPU time per request, in µs; undefined for the upstream itself */
  readonly cpu: CpuTime | undefined
}

const HEADER = 'proxy|requests/s|p50 ms|p99 ms|CPU µs/request|user|system|CPU ratio|RSS MiB'.split('|')

/** The table, a row for each contestant as it runs now, and the sentence that it is for. */
export function comparison(entries: readonly Entry[]): string {
  const rows = entries.map((entry) => {
    const { contestant, server, rounds } = entry
    const middle = (pick: (round: Round) => number | undefined) => medianOf(rounds.map(pick))
    const p50 = middle((round) => round.p50 / 1000)
    const p99 = middle((round) => round.p99 / 1000)
    const failed = rounds.reduce((sum, round) => sum + round.failed, 0)
    const memory = contestant.command === undefined ? undefined : residentMemory(server.pid)
    return [
      failed === 0 ? contestant.name : `${contestant.name} (${failed} FAILED)`,
      figure(middle(({ perSecond }) => perSecond)),
      figure(p50, 2),
      figure(p99, 2),
      spread(rounds.map(({ cpu }) => total(cpu))),
      figure(middle(({ cpu }) => cpu?.user)),
      figure(middle(({ cpu }) => cpu?.system)),
      spread(ratios(entry, entries), 2),
      figure(memory === undefined ? undefined : memory / 1024 ** 2),
    ]
  })
  return `${table(HEADER, rows)}\n\n${bestPeer(entries)}`
}

/** User and system time together. */
export function total(cpu: CpuTime | undefined): number | undefined {
  return cpu === undefined ? undefined : cpu.user + cpu.system
}

/** CPU per request against signet's of the same round, so that what disturbed both is not counted. */
function ratios({ rounds }: Entry, entries: readonly Entry[]): (number | undefined)[] {
  const reference = entries.find(({ contestant }) => contestant.name === REFERENCE)!
  return rounds.map(({ cpu }, at) => {
    const [own, others] = [total(cpu), total(reference.rounds[at]?.cpu)]
    return own === undefined || others === undefined ? undefined : own / others
  })
}

function bestPeer(entries: readonly Entry[]): string {
  const [best] = entries
    .filter(({ contestant }) => contestant.peer !== undefined)
    .map((entry) => ({ name: entry.contestant.name, ratio: medianOf(ratios(entry, entries)) ?? Number.NaN }))
    .sort((a, b) => a.ratio - b.ratio)
  return best === undefined
    ? 'No peer was measured.'
    : `The best peer, ${best.name}, takes ${figure(best.ratio, 1)} times the CPU of signet.`
}
