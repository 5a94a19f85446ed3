// `npm run conformance [-- 1 3 …]`: the groups with these numbers, or all of them, against the real process; a score per
// group, and each failure with its octets. Exit code 1 when anything failed.

import { GROUPS } from './groups.ts'
import { describe, failuresOf, scoreOf } from './report.ts'
import { NO_ADDRESSES } from './stand.ts'

/** Failures shown in full, per group. */
const SHOWN = 60

async function main(numbers: readonly string[]): Promise<number> {
  if (NO_ADDRESSES !== undefined) {
    console.error(NO_ADDRESSES)
    return 2
  }
  const scores: string[] = []
  let passed = 0
  let total = 0
  let problems = 0
  for (const { run } of GROUPS.filter(
    (_group, index) => numbers.length === 0 || numbers.includes(`${index + 1}`),
  )) {
    const result = await run()
    const failures = failuresOf(result)
    for (const failure of failures.slice(0, SHOWN)) console.log(describe(failure))
    if (failures.length > SHOWN) console.log(`… and ${failures.length - SHOWN} more in this group`)
    for (const problem of result.problems) console.log(`✗ ${result.group.name}: ${problem}`)
    scores.push(scoreOf(result))
    passed += result.judgements.length - failures.length
    total += result.judgements.length
    problems += result.problems.length
  }
  console.log(`\n${scores.join('\n')}\n${'all'.padEnd(16)} ${`${passed}/${total}`.padStart(10)}`)
  return passed === total && problems === 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
