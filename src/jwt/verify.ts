// The other end of the token, for the development commands and the tests; nothing on the road verifies.
// In: a compact JWT from outside. Out: its claims, or the reason why they must not be believed.

import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import type { HmacKey } from './keys.ts'

/** The outcome of {@link verifyToken}: claims that were signed with the key, or one sentence for a human. */
export type Verification =
  | { readonly ok: true; readonly claims: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly reason: string }

/**
 * Verifies a token: its form, its signature, and its `exp` and `nbf` where it has them (RFC 7519 §7.2).
 *
 * @param jwt the value of the field, as received; a `Bearer ` before it makes it invalid
 * @param now milliseconds since the epoch; jose's own clock if left out
 * @returns a promise that rejects only for mistakes in signet, never for what is wrong with a token
 */
export async function verifyToken(
  jwt: string,
  key: HmacKey,
  { now }: { readonly now?: () => number } = {},
): Promise<Verification> {
  try {
    const { payload } = await jwtVerify(jwt, key.secret, {
      // Pinned: whoever made the token must not choose how it is checked (RFC 8725 §3.1).
      algorithms: [key.alg],
      ...(now === undefined ? {} : { currentDate: new Date(now()) }),
    })
    return { ok: true, claims: payload }
  } catch (error) {
    if (error instanceof errors.JOSEError) return { ok: false, reason: `${error.message} (${error.code})` }
    throw error
  }
}

/** What is in a token, whether it is genuine or not. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/** Reads a token without verifying it. @returns undefined for what is no token (RFC 7519 §7.2) */
export function decodeToken(jwt: string): DecodedToken | undefined {
  try {
    return { header: decodeProtectedHeader(jwt), claims: decodeJwt(jwt) }
  } catch {
    return undefined // jose says so with TypeErrors and errors of its own
  }
}

/** What is demanded of a token. */
export interface TokenDemands {
  /** the only ones that count: whoever made the token must not choose how it is checked (RFC 8725 §3.1) */
  readonly algorithms: readonly string[]
  readonly issuer?: string | undefined
  /** of which `aud` has to have one */
  readonly audience?: readonly string[] | undefined
  /** milliseconds since the epoch */
  readonly now: () => number
}

/**
 * Verifies a token by a secret or a set of public keys (RFC 7517 §5), and says for people why it does not count.
 *
 * @returns a promise that rejects only for mistakes in signet, never for what is wrong with a token or a key
 */
export async function checkToken(
  jwt: string,
  keys: Buffer | JSONWebKeySet,
  { algorithms, issuer, audience, now }: TokenDemands,
): Promise<Verification> {
  const at = now()
  const options: JWTVerifyOptions = {
    algorithms: [...algorithms],
    currentDate: new Date(at),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience: [...audience] }),
  }
  try {
    const { payload } = Buffer.isBuffer(keys)
      ? await jwtVerify(jwt, keys, options)
      : await jwtVerify(jwt, createLocalJWKSet(keys), options)
    return { ok: true, claims: payload }
  } catch (error) {
    const reason = reasonOf(error, jwt, algorithms, Math.floor(at / 1000))
    if (reason === undefined) throw error
    return { ok: false, reason }
  }
}

/** Why a token does not count, by what jose says; undefined for what jose does not say. */
function reasonOf(
  error: unknown,
  jwt: string,
  algorithms: readonly string[],
  second: number,
): string | undefined {
  const { alg, kid } = decodeToken(jwt)?.header ?? {}
  if (error instanceof errors.JWTExpired) return `it expired ${second - Number(error.payload.exp)} s ago`
  if (error instanceof errors.JWTClaimValidationFailed) return sayClaim(error, second)
  if (error instanceof errors.JOSEAlgNotAllowed)
    return `its algorithm is ${JSON.stringify(alg)}, which is refused: only ${algorithms.join(', ')} counts`
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return 'its signature is not by this key, or something in it was changed'
  if (error instanceof errors.JWKSNoMatchingKey)
    return `no key of the set fits it (kid ${JSON.stringify(kid) ?? 'not set'}, alg ${JSON.stringify(alg)})`
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return 'it names no kid, and several keys of the set could be meant'
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid)
    return `it is no token of three parts: ${error.message}`
  if (error instanceof errors.JOSEError) return `${error.message} (${error.code})`
  // From WebCrypto, for a public key that is none.
  return error instanceof DOMException ? `the key that it names cannot be used: ${error.message}` : undefined
}

function sayClaim(
  { claim, reason, payload, message }: errors.JWTClaimValidationFailed,
  second: number,
): string {
  const value = payload[claim]
  if (claim === 'nbf' && typeof value === 'number')
    return `it does not count before ${value - second} s from now (nbf)`
  if (reason === 'missing') return `the claim ${claim} is missing`
  if (claim === 'aud' || claim === 'iss')
    return `the claim ${claim} is ${JSON.stringify(value)}, which is not the one asked for`
  return message
}
