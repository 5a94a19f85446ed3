// `npm run conformance [-- 1 3 …]`: the groups with these numbers, or all of them, against the real process; a score per
// group, and each failure with its octets. Exit code 1 when anything failed, 2 when there is nothing of that name to run.

import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findTests, runFiles } from '../support/run-tests.ts'
import { GROUPS, type RunnableGroup, TESTED_GROUPS, type TestedGroup } from './groups.ts'
import { describe, failuresOf, scoreLine, scoreOf } from './report.ts'
import { NO_ADDRESSES } from './stand.ts'

/** Failures shown in full, per group. */
const SHOWN = 60

/** What a group came to. */
interface Score {
  readonly line: string
  readonly passed: number
  readonly total: number
  /** whether something went wrong beside its cases */
  readonly spoilt: boolean
}

async function main(numbers: readonly string[]): Promise<number> {
  const all = [...GROUPS, ...TESTED_GROUPS]
  const unknown = numbers.filter((number) => !all.some(({ name }) => name.startsWith(`${number} `)))
  if (unknown.length > 0) {
    console.error(`no group ${unknown.map((number) => `'${number}'`).join(', ')}; there are:`)
    for (const { name, promise } of all) console.error(`  ${name.padEnd(16)} ${promise}`)
    return 2
  }
  if (NO_ADDRESSES !== undefined) {
    console.error(NO_ADDRESSES)
    return 2
  }
  const chosen = all.filter(
    ({ name }) => numbers.length === 0 || numbers.some((number) => name.startsWith(`${number} `)),
  )
  const scores: Score[] = []
  for (const group of chosen) scores.push('run' in group ? await runCases(group) : await runTests(group))

  const passed = scores.reduce((sum, score) => sum + score.passed, 0)
  const total = scores.reduce((sum, score) => sum + score.total, 0)
  console.log(`\n${scores.map(({ line }) => line).join('\n')}\n${scoreLine('all', passed, total)}`)
  return passed === total && scores.every(({ spoilt }) => !spoilt) ? 0 : 1
}

/** Groups 1 to 5: tables of octets. */
async function runCases({ run }: RunnableGroup): Promise<Score> {
  const result = await run()
  const failures = failuresOf(result)
  for (const failure of failures.slice(0, SHOWN)) console.log(describe(failure))
  if (failures.length > SHOWN) console.log(`… and ${failures.length - SHOWN} more in this group`)
  for (const problem of result.problems) console.log(`✗ ${result.group.name}: ${problem}`)
  const total = result.judgements.length
  return {
    line: scoreOf(result),
    passed: total - failures.length,
    total,
    spoilt: result.problems.length > 0,
  }
}

/** Groups 6 and 7: test files, each in a process of its own. */
async function runTests({ name, files: word }: TestedGroup): Promise<Score> {
  const begun = performance.now()
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..') // from build/test/conformance
  const files = findTests(root, [word])
  const print = (text: string) => void process.stdout.write(text)
  const outcomes = await runFiles(files, { lanes: 2, print })
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0)
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0)
  const skipped = outcomes.reduce((sum, outcome) => sum + outcome.skipped, 0)
  const notes = `${files.length} test ${files.length === 1 ? 'file' : 'files'}${skipped > 0 ? `, ${skipped} skipped` : ''}`
  return {
    line: scoreLine(name, passed, passed + failed, performance.now() - begun, notes),
    passed,
    total: passed + failed,
    spoilt: files.length === 0,
  }
}

process.exitCode = await main(process.argv.slice(2))
