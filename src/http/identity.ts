// Who sent a request, as signet has established it. Plain data: what authenticators give, and conditions, templates, limits
// and tokens are made from.

/** Who is asking. */
export interface Identity {
  /** what the caller is known by */
  readonly subject: string
  /** what is asserted about it: the claims of a token, the facts of an account */
  readonly claims: Readonly<Record<string, unknown>>
  /** scopes that were granted (RFC 6749 §3.3) */
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  /** name of the authenticator that says so */
  readonly authenticator: string
  /** set where nobody had to prove anything: everybody goes by this subject */
  readonly anonymous?: true
}
