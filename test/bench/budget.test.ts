// The parts of the budget that need no quiet machine, measured; and the file that it stands in.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as allocation from '../../bench/budget/allocation.ts'
import {
  judge,
  limitOn,
  type Measured,
  parseBudget,
  readBudget,
  verdictTable,
} from '../../bench/budget/budget.ts'
import * as cpu from '../../bench/budget/cpu.ts'
import * as micro from '../../bench/budget/micro.ts'
import { within } from '../support/wire.ts'

const test = suite('bench/budget')

/** ms for what takes 7 s on a quiet machine. */
const PATIENCE = 200_000
/**
 * Times of code, even as ratios, vary with the processor, and a little with who else uses it. Twice the limit is far beyond
 * that, and what makes a part of the road so much dearer is still found. Allocations are counted: they need no such thing.
 */
const SLACK = 2

const budget = () => readBudget([...micro.NAMES, ...allocation.NAMES, ...cpu.NAMES])

function expectWithin(measured: readonly Measured[], slack?: number): void {
  const verdicts = judge(budget(), measured, slack)
  const kept = verdicts.every(({ outcome }) => outcome === 'within')
  assert.ok(kept, `what was measured is not within bench/budget.json:\n${verdictTable(verdicts)}`)
}

test('parse, rewrite, mint and the log line cost at most twice their budget', () => {
  expectWithin(micro.measureMicro(), SLACK)
})

test('an exchange allocates no more than its budget', async () => {
  expectWithin(await within(allocation.measureAllocation(), 'the allocations', PATIENCE))
})

const entry = { name: 'mint', measures: 'One token.', atMost: 2, unit: '×' }
const parse = (...entries: object[]) => parseBudget(JSON.stringify(entries), ['mint'])

test('a budget has one entry for each name, and nothing else', () => {
  assert.equal(parse(entry), [entry])
  assert.throws(() => parse(), /mint: it has no entry/)
  assert.throws(() => parse(entry, entry), /mint: it is there twice/)
  assert.throws(() => parse(entry, { ...entry, name: 'other' }), /other: nothing is measured under this name/)
  assert.throws(() => parseBudget('{}', []), /not a list/)
})

test('an entry has all of its keys, and no others', () => {
  assert.throws(() => parse({ ...entry, atmost: 3 }), /mint: unknown key atmost/)
  assert.throws(() => parse({ ...entry, measures: undefined }), /mint: measures is not a text/)
  assert.throws(() => parse({ ...entry, unit: '' }), /mint: unit is not a text/)
  assert.throws(() => parse({ atMost: 1 }), /entry 1: name is not a text/)
})

for (const atMost of [undefined, 0, -1, '2', true, [], {}, { 20: '2' }, { lts: 2 }, { 20: 0 }]) {
  test(`${JSON.stringify(atMost)} is no limit`, () => {
    assert.throws(() => parse({ ...entry, atMost }), /mint: atMost is neither/)
  })
}

test('a Node that an entry does not know has the limit of the next older one, or of the oldest', () => {
  const byMajor = { ...entry, atMost: { 20: 3, 26: 2 } }
  const limits = [18, 20, 24, 26, 28].map((major) => limitOn(major, byMajor))
  assert.equal(limits, [3, 3, 3, 2, 2])
  assert.is(limitOn(20, entry), 2)
  assert.is(limitOn(20, { ...entry, atMost: null }), undefined)
})

test('what is at its limit is within it; what has no limit or no figure is not judged', () => {
  const outcome = (value: number | undefined, atMost: number | null = 2, slack = 1) =>
    judge([{ ...entry, atMost }], [{ name: 'mint', value }], slack)[0]!.outcome
  assert.is(outcome(2), 'within')
  assert.is(outcome(2.01), 'OVER')
  assert.is(outcome(2.01, 2, 1.5), 'within')
  assert.is(outcome(undefined), 'not measured')
  assert.is(outcome(2, null), 'not judged')
})

test('the table says what is over, what that measures, and what could not be measured', () => {
  const entries = [entry, { ...entry, name: 'CPU' }]
  const measured = [
    { name: 'mint', value: 3, rounds: [2.5, 3, 4] },
    { name: 'CPU', value: undefined, missing: 'there is no /proc here' },
  ]
  const text = verdictTable(judge(entries, measured))
  assert.match(text, /mint .* 3\.00 .* 2\.50–4\.00 .* 2\.00 .* 150 % .* OVER/)
  assert.match(text, /\nOVER: mint: One token\./)
  assert.match(text, /CPU .* not measured/)
  assert.match(text, /\nCPU: there is no \/proc here/)
})

test.run()
