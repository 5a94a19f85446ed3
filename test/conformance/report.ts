// Results for people: a score per group, and what each failed case sent and got, as octets.

import type { Judgement } from './judge.ts'
import { show } from './octets.ts'
import type { GroupResult } from './run-group.ts'

/** One line: how many cases of a group passed, and what they came to. */
export function scoreOf({ group, judgements, ms }: GroupResult): string {
  const passed = judgements.filter(({ problems }) => problems.length === 0).length
  const verdicts = new Map<string, number>()
  for (const { verdict } of judgements) verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
  const spread = [...verdicts].map(([verdict, count]) => `${count} ${verdict}`).join(', ')
  return scoreLine(group.name, passed, judgements.length, ms, spread)
}

/** A score as it is printed. */
export function scoreLine(name: string, passed: number, total: number, ms?: number, notes = ''): string {
  const score = `${name.padEnd(16)} ${`${passed}/${total}`.padStart(12)}`
  return ms === undefined ? score : `${score} ${(ms / 1000).toFixed(1).padStart(6)} s   ${notes}`
}

/** The cases that failed. */
export function failuresOf({ judgements }: GroupResult): Judgement[] {
  return judgements.filter(({ problems }) => problems.length > 0)
}

/** A failed case: what is wrong, by which section, and the octets. */
export function describe({ name, rfc, problems, octets }: Judgement): string {
  return [
    `✗ ${name} — ${rfc}`,
    ...problems.map((problem) => `    ${problem}`),
    ...Object.entries(octets).map(([who, text]) => `    ${who.padEnd(9)} ${show(text, 500)}`),
  ].join('\n')
}
