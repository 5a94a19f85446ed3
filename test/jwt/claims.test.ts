import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { claimsOf } from '../../src/jwt/claims.ts'

const test = suite('jwt/claims')

/** The last second a four-digit year has, in seconds since the epoch. */
const YEAR_9999_ENDS = Date.UTC(10_000, 0) / 1000 - 1

test('the claims are iat, jti, and a payload with the user and the day', () => {
  assert.equal(claimsOf({ user: 'username' }, 1_750_000_000, 'id'), {
    iat: 1_750_000_000,
    jti: 'id',
    payload: { user: 'username', date: '2025-06-15' },
  })
})

for (const [moment, date] of [
  ['1970-01-01T00:00:00Z', '1970-01-01'],
  ['2024-02-28T23:59:59Z', '2024-02-28'],
  ['2024-02-29T00:00:00Z', '2024-02-29'],
  ['2025-12-31T23:59:59Z', '2025-12-31'],
  ['2026-01-01T00:00:00Z', '2026-01-01'],
  ['9999-12-31T23:59:59Z', '9999-12-31'],
] as const) {
  test(`the date of ${moment} is ${date}, whatever the time zone of the process`, () => {
    assert.is(claimsOf({ user: 'u' }, Date.parse(moment) / 1000, 'id').payload.date, date)
  })
}

test('the date is the day in UTC that iat falls on, for every second', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: YEAR_9999_ENDS }), (issuedAt) => {
      const { iat, payload } = claimsOf({ user: 'u' }, issuedAt, 'id')
      assert.is(iat, issuedAt)
      assert.match(payload.date, /^\d{4}-\d\d-\d\d$/)
      const midnight = Date.parse(`${payload.date}T00:00:00Z`) / 1000
      assert.ok(midnight <= iat && iat < midnight + 86_400)
    }),
  )
})

test('a time that is none makes no claims', () => {
  for (const issuedAt of [Number.NaN, Number.POSITIVE_INFINITY, 1e15]) {
    assert.throws(
      () => claimsOf({ user: 'u' }, issuedAt, 'id'),
      (error: unknown) => error instanceof RangeError,
    )
  }
})

test('claims are kept in the order they are written: jti last, after all that lasts longer', () => {
  assert.is(Object.keys(claimsOf({ user: 'u' }, 0, 'id')).at(-1), 'jti')
})

test.run()
