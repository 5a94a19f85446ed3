// What the plain token says. In: facts about one request. Out: the claim set, before any encoding; and the same as text.
// A new claim is a new line in `claimsOf`, before `jti`. Tokens with claims of their own: token-claims.ts.

import { strict as assert } from 'node:assert'

/** What is known of a request when its token is made. */
export interface RequestFacts {
  /** Who sent the request; any Unicode text. */
  readonly user: string
}

/** The claims of one request in the order they are written; `jti` is last, as only it is new every time. */
export interface Claims {
  /** Second the request was signed, since 1970-01-01T00:00:00Z, an integer (NumericDate, RFC 7519 §4.1.6). */
  readonly iat: number
  readonly payload: {
    readonly user: string
    /** Day of `iat` in UTC, `YYYY-MM-DD` (RFC 3339 `full-date`). */
    readonly date: string
  }
  /** This token and no other (RFC 7519 §4.1.7). */
  readonly jti: string
}

/**
 * The claims of one request.
 *
 * @param issuedAt whole seconds since the epoch, for `iat` and `date` both: they cannot disagree at midnight
 * @param jti an id that was never given before (RFC 7519 §4.1.7)
 * @throws {RangeError} when `issuedAt` is not a time a `Date` can hold
 */
export function claimsOf(facts: RequestFacts, issuedAt: number, jti: string): Claims {
  const date = new Date(issuedAt * 1000).toISOString().slice(0, 'YYYY-MM-DD'.length)
  return {
    iat: issuedAt,
    payload: { user: facts.user, date },
    jti,
  }
}

/** Makes claims in two steps, so that a minter can keep what it has written while nothing but the jti differs. */
export interface ClaimsWriter<Facts> {
  /** All of the facts that is in the claims: two requests with the same text have the same claims, but for time and jti. */
  variant(facts: Facts): string
  /** JSON up to where the jti follows: `{…,`. @throws {RangeError} when `second` is not a time a `Date` can hold */
  write(variant: string, second: number): string
}

/** Writes the plain claims. */
export const plainClaims: ClaimsWriter<RequestFacts> = {
  variant: ({ user }) => user,
  write: (user, second) => beforeId({ ...claimsOf({ user }, second, '') }),
}

/** Claims as JSON without their last one, which is the jti. */
export function beforeId(claims: { readonly jti: string; readonly [name: string]: unknown }): string {
  const text = JSON.stringify(claims)
  const last = JSON.stringify({ jti: claims.jti }).slice(1)
  assert(text.endsWith(last), 'jti is the last claim')
  return text.slice(0, -last.length)
}
