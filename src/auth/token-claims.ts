// Claims → who is asking. In: claims that somebody vouches for, what is demanded of them, the time. Out: an identity and how
// long it counts, or why it does not. The rules are those of RFC 7519 §4.1, as jose applies them.

import type { TokenPolicy } from '../http/authentication.ts'
import { claimAt, textOf } from '../http/claim.ts'
import type { Identity } from '../http/identity.ts'
import { Rejection } from './authenticator.ts'

/** Claims as they come. */
export type Claims = Readonly<Record<string, unknown>>

/** Somebody who was identified by claims. */
export interface Identified {
  readonly identity: Identity
  /** second from which on it no longer counts */
  readonly expires: number
}

/**
 * Judges claims.
 *
 * @param now whole seconds since the epoch
 * @param name of the authenticator
 */
export function identify(
  claims: Claims,
  policy: TokenPolicy,
  now: number,
  name: string,
): Identified | Rejection {
  const { issuer, audience, leeway, requiredClaims } = policy
  const { iss, aud, exp, nbf, iat } = claims
  const missing = requiredClaims.find((required) => claimAt(claims, required) === undefined)
  if (missing !== undefined) return new Rejection('invalid', `the token has no claim ${missing}`)
  if (issuer !== undefined && iss !== issuer)
    return new Rejection('invalid', 'the token is of another issuer')
  if (audience !== undefined && !listOf(aud).some((one) => audience.includes(one)))
    return new Rejection('invalid', 'the token is for another audience')
  const noNumber = !isTime(exp) ? 'exp' : !isTime(nbf) ? 'nbf' : isTime(iat) ? undefined : 'iat'
  if (noNumber !== undefined)
    return new Rejection('invalid', `the claim ${noNumber} of the token is no number`)
  if (typeof nbf === 'number' && nbf > now + leeway)
    return new Rejection('invalid', 'the token is not valid yet')
  const expires = typeof exp === 'number' ? exp + leeway : Number.POSITIVE_INFINITY
  if (expires <= now) return new Rejection('expired', 'the token has expired')
  const subject = textOf(claimAt(claims, policy.subject))
  if (subject === undefined || subject === '')
    return new Rejection('invalid', `the claim ${policy.subject} of the token names nobody`)
  const identity: Identity = {
    subject,
    claims,
    scopes: typeof claims.scope === 'string' ? words(claims.scope) : listOf(claims.scope ?? claims.scp),
    roles: listOf(claims.roles ?? claims.role),
    authenticator: name,
  }
  return { identity, expires }
}

/** A NumericDate (RFC 7519 §2), or none at all. */
function isTime(value: unknown): boolean {
  return value === undefined || typeof value === 'number'
}

/** One text or several, as `aud` has them (RFC 7519 §4.1.3). */
function listOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** RFC 6749 §3.3. */
function words(scope: string): readonly string[] {
  return scope.split(' ').filter((word) => word !== '')
}
