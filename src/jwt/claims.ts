// What a token says. In: facts about one request. Out: the plain claim set, before any encoding.
// A new claim is a new line in `claimsOf`, before `jti`.

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
