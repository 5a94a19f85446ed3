import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Histogram } from '../../src/admin/histogram.ts'

const test = suite('admin/histogram')

const LONGEST = 2 ** 32 - 1

/** Whole microseconds, as many short ones as long ones: an even spread over exponents, not over values. */
const microseconds = fc
  .tuple(fc.integer({ min: 0, max: 31 }), fc.double({ min: 1, max: 2, noNaN: true }))
  .map(([exponent, mantissa]) => Math.min(Math.floor(2 ** exponent * mantissa), LONGEST))

/** Whether `found` is within 1/64 of `exact`. */
function close(found: number, exact: number): boolean {
  return Math.abs(found - exact) <= exact / 64
}

test('a duration comes back within 1/64 of itself, wherever it lies between 1 µs and 71 minutes', () => {
  fc.assert(
    fc.property(microseconds, (duration) => {
      const histogram = new Histogram()
      histogram.record(duration)
      histogram.record(LONGEST) // so that the exact maximum cannot stand in for the slot
      return close(histogram.quantile(0.5) * 1000, duration)
    }),
    { numRuns: 2000 },
  )
})

for (let exponent = 0; exponent < 32; exponent++) {
  test(`durations around 2^${exponent} µs stay apart from half and from double`, () => {
    for (const duration of [2 ** exponent - 1, 2 ** exponent, 2 ** exponent + 1]) {
      const clamped = Math.max(1, duration)
      const histogram = new Histogram()
      histogram.record(clamped)
      histogram.record(LONGEST)
      assert.ok(close(histogram.quantile(0) * 1000, clamped), `${duration}`)
    }
  })
}

test('a quantile is the nearest rank of the sorted durations, within 1/64', () => {
  fc.assert(
    fc.property(
      fc.array(microseconds, { minLength: 1, maxLength: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (durations, q) => {
        const histogram = new Histogram()
        for (const duration of durations) histogram.record(duration)
        const sorted = durations.toSorted((a, b) => a - b)
        const rank = Math.max(1, Math.ceil(q * sorted.length))
        return close(histogram.quantile(q) * 1000, sorted[rank - 1]!)
      },
    ),
  )
})

test('quantiles never fall as q rises, and never pass the maximum', () => {
  fc.assert(
    fc.property(fc.array(microseconds, { minLength: 1 }), (durations) => {
      const histogram = new Histogram()
      for (const duration of durations) histogram.record(duration)
      let before = 0
      for (let percent = 0; percent <= 100; percent++) {
        const now = histogram.quantile(percent / 100)
        assert.ok(now >= before && now <= histogram.max)
        before = now
      }
    }),
  )
})

test('count, sum and max are exact', () => {
  fc.assert(
    fc.property(fc.array(microseconds), (durations) => {
      const histogram = new Histogram()
      for (const duration of durations) histogram.record(duration)
      assert.is(histogram.count, durations.length)
      assert.is(histogram.sum, durations.reduce((a, b) => a + b, 0) / 1000)
      assert.is(histogram.max, Math.max(0, ...durations) / 1000)
    }),
  )
})

test('the number of durations up to a bound is right but for those within 1/64 of it', () => {
  fc.assert(
    fc.property(fc.array(microseconds), microseconds, (durations, bound) => {
      const histogram = new Histogram()
      for (const duration of durations) histogram.record(duration)
      const found = histogram.countAtMost(bound / 1000)
      assert.ok(found >= durations.filter((duration) => duration * (1 + 1 / 64) <= bound).length)
      assert.ok(found <= durations.filter((duration) => duration * (1 - 1 / 64) <= bound).length)
    }),
  )
})

const ENDS: readonly (readonly [recorded: number, milliseconds: number])[] = [
  [0, 0.001],
  [-5, 0.001],
  [0.2, 0.001],
  [Number.NaN, 0.001],
  [1.5, 0.002],
  [LONGEST + 0.4, LONGEST / 1000],
  [1e12, LONGEST / 1000],
  [Number.POSITIVE_INFINITY, LONGEST / 1000],
]
for (const [recorded, milliseconds] of ENDS) {
  test(`${recorded} µs counts as ${milliseconds} ms and leaves the sum a number`, () => {
    const histogram = new Histogram()
    histogram.record(recorded)
    assert.is(histogram.count, 1)
    assert.is(histogram.max, milliseconds)
    assert.is(histogram.sum, milliseconds)
    assert.ok(close(histogram.quantile(1), milliseconds))
  })
}

test('an empty histogram answers 0', () => {
  const histogram = new Histogram()
  for (const q of [0, 0.5, 1]) assert.is(histogram.quantile(q), 0)
  assert.equal([histogram.count, histogram.sum, histogram.max, histogram.countAtMost(1e9)], [0, 0, 0, 0])
})

test('counts go on past 2^32, in one slot and over all', () => {
  const histogram = new Histogram()
  histogram.record(1000, 2 ** 32 - 1)
  histogram.record(1000)
  histogram.record(1000)
  histogram.record(50_000, 2 ** 33)
  assert.is(histogram.count, 2 ** 32 + 1 + 2 ** 33)
  assert.is(histogram.countAtMost(2), 2 ** 32 + 1)
  assert.ok(close(histogram.quantile(0.33), 1))
  assert.ok(close(histogram.quantile(0.34), 50))
})

test.run()
