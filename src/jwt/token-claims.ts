// What a token for one upstream or route says. In: its audience, issuer, lifetime and claims, as they are configured. Out:
// what a minter writes it from.

import { beforeId, type ClaimsWriter, claimsOf } from './claims.ts'
import { compileClaims, type TemplateFacts } from './claims-template.ts'

/** How a token differs from the plain one. */
export interface TokenContents {
  readonly issuer?: string
  readonly audience?: string | readonly string[]
  /** ms until it expires, in whole seconds, rounded up */
  readonly lifetime: number
  /** in place of `payload` */
  readonly claims?: Readonly<Record<string, unknown>>
}

/**
 * The claims: `iss` and `aud` where they are set, `iat`, `exp`, then those that are configured, or else `payload` as in the
 * plain token.
 *
 * @throws {AssertionError} where there are `claimsProblems`
 */
export function tokenClaims({
  issuer,
  audience,
  lifetime,
  claims,
}: TokenContents): ClaimsWriter<TemplateFacts> {
  const seconds = Math.ceil(lifetime / 1000)
  const registered = {
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience ? { aud: audience } : {}),
  }
  if (claims === undefined) {
    return {
      variant: ({ subject }) => subject,
      write(subject, second) {
        const { iat, ...others } = claimsOf({ user: subject }, second, '')
        return beforeId({ ...registered, iat, exp: iat + seconds, ...others })
      },
    }
  }
  const template = compileClaims(claims)
  return {
    variant: (facts) => template.render(facts),
    write(members, second) {
      if (!Number.isSafeInteger(second)) throw new RangeError('the clock gives no time')
      return beforeId({ ...registered, iat: second, exp: second + seconds, jti: '' }) + members
    },
  }
}
