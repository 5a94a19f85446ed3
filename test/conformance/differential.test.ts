// Group 7: 20,000 generated requests read in this process, and some of them over the wire.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { casesForTheWire, runDifferential } from './differential.ts'
import { describe, failuresOf } from './report.ts'
import { runGroup } from './run-group.ts'
import { NO_ADDRESSES } from './stand.ts'

const test = suite('conformance/differential')

/** Any seed would do; a fixed one makes every run the same. `npm run fuzz` takes others. */
const SEED = 9112
const CASES = 20_000
const WIRE_CASES = 500

test(`signet and the strict parser agree on ${CASES} generated requests, broken or not, and on what they mean`, () => {
  const { counterexample, cases, accepted, refused } = runDifferential(SEED, CASES)
  assert.is(counterexample, undefined, counterexample)
  assert.is(cases, CASES)
  assert.ok(
    accepted > CASES / 5 && refused > CASES / 5,
    `${accepted} accepted, ${refused} refused: too one-sided`,
  )
})

test('the differential test is sharp: without one documented leniency it finds a counterexample, and shrinks it', () => {
  const { counterexample = '' } = runDifferential(SEED, CASES, { browserTargets: true })
  assert.match(counterexample, /a malformed chunk extension/)
})

if (NO_ADDRESSES === undefined) {
  test(`signet does on the wire what it was read to do, in ${WIRE_CASES} cases`, async () => {
    const result = await runGroup({ name: '7 differential', cases: casesForTheWire(SEED, WIRE_CASES) })
    const failures = failuresOf(result)
    assert.is(failures.length, 0, failures.slice(0, 3).map(describe).join('\n'))
    assert.equal(result.problems, [])
  })
}

test.run()
