// `npm run fuzz -- --seconds N [--seed S]`: the differential test for as long as one likes. Prints the seed of each batch
// that fails; `--seed` alone runs the batch of that seed again. Exit code 1 when signet and the strict parser disagree.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { runDifferential } from './differential.ts'

/** Cases to a seed. */
const BATCH = 5000

const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } })
const first = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
const seconds = Number(values.seconds ?? (values.seed === undefined ? 10 : 0))
if (!Number.isInteger(first) || !Number.isFinite(seconds)) {
  console.error('usage: npm run fuzz -- [--seconds N] [--seed S]')
  process.exit(2)
}

const end = performance.now() + seconds * 1000
let cases = 0
let accepted = 0
const excepted = new Map<string, number>()
for (let seed = first; ; seed++) {
  const result = runDifferential(seed, BATCH)
  cases += result.cases
  accepted += result.accepted
  for (const [name, count] of result.excepted) excepted.set(name, (excepted.get(name) ?? 0) + count)
  if (result.counterexample !== undefined) {
    console.log(`✗ seed ${seed}\n${result.counterexample}`)
    process.exitCode = 1
    break
  }
  if (performance.now() >= end) break
}
console.log(
  `${cases} cases from seed ${first}: ${accepted} accepted by both, the rest refused by both but for`,
)
for (const [name, count] of excepted) console.log(`  ${count} refused by signet alone: ${name}`)
