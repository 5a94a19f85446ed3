// Access tokens: JWTs in the profile of RFC 9068, signed here and known again here. In: for whom and what. Out: tokens, and
// what they say while they are good.

import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, errors, exportJWK, type JWK, jwtVerify, SignJWT } from 'jose'
import { ExpiringMap } from './expiring-map.ts'
import type { Scope } from './scope.ts'

/** ECDSA with P-256 and SHA-256 (RFC 7518 §3.4): of all signatures of JOSE the one that everybody can check. */
const ALGORITHM = 'ES256'
/** RFC 9068 §2.1: a token of another kind by the same issuer is not taken for an access token. */
const TYPE = 'at+jwt'

/** A pair of keys for ES256, made or read at the start. */
export interface SigningKeys {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** What {@link AccessTokens} needs. */
export interface AccessTokensOptions {
  readonly keys: SigningKeys
  readonly issuer: string
  /** the resource server that the tokens are for */
  readonly audience: string
  /** whole seconds */
  readonly lifetime: number
  /** tokens that can be revoked at a time */
  readonly revocationLimit: number
  /** ms since the epoch */
  readonly now: () => number
}

/** What a token is for. */
export interface TokenGrant {
  readonly clientId: string
  readonly scope: Scope
  /** undefined: the client acts for itself */
  readonly user: string | undefined
  /** its `jti`, never given before */
  readonly tokenId: string
}

/** Claims of RFC 9068 §2.2 and RFC 7662 §2.2. */
export interface AccessTokenClaims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  /** the user, where there is one; the client's own tokens have no such claim */
  readonly username?: string
  readonly client_id: string
  readonly scope: Scope
  readonly iat: number
  readonly exp: number
  readonly jti: string
}

/** Whether a token is good now. */
export type Introspection =
  | { readonly active: true; readonly claims: AccessTokenClaims }
  /** `reason` is for the log: RFC 7662 §2.2 wants nobody told */
  | { readonly active: false; readonly reason: string }

/** Signs, knows again, revokes. */
export class AccessTokens {
  readonly #options: AccessTokensOptions
  readonly #keyId: string
  /** The public key for others who verify (RFC 7517 §4). */
  readonly jwk: JWK
  /** `jti` of tokens that were revoked before they expired */
  readonly #revoked: ExpiringMap<true>

  private constructor(options: AccessTokensOptions, jwk: JWK, keyId: string) {
    this.#options = options
    this.#keyId = keyId
    this.jwk = { ...jwk, kid: keyId, alg: ALGORITHM, use: 'sig' }
    const { lifetime, revocationLimit: limit, now } = options
    this.#revoked = new ExpiringMap({ lifetime: lifetime * 1000, limit, now })
  }

  /** Prepares for one pair of keys; the key's name is its thumbprint (RFC 7638). */
  static async create(options: AccessTokensOptions): Promise<AccessTokens> {
    const jwk = await exportJWK(options.keys.publicKey)
    return new AccessTokens(options, jwk, await calculateJwkThumbprint(jwk))
  }

  /** Seconds that a token lives. */
  get lifetime(): number {
    return this.#options.lifetime
  }

  /** Revocations in memory. */
  get revocations(): number {
    return this.#revoked.size
  }

  /** A token, which is good until `lifetime` seconds after the second that it is issued in began. */
  async issue({ clientId, scope, user, tokenId }: TokenGrant): Promise<string> {
    const { issuer, audience, lifetime, now, keys } = this.#options
    const issuedAt = Math.floor(now() / 1000)
    const claims: AccessTokenClaims = {
      iss: issuer,
      aud: audience,
      sub: user ?? clientId, // RFC 9068 §2.2: the client itself where no user takes part
      ...(user === undefined ? {} : { username: user }),
      client_id: clientId,
      scope,
      iat: issuedAt,
      exp: issuedAt + lifetime,
      jti: tokenId,
    }
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: this.#keyId })
      .sign(keys.privateKey)
  }

  /** Whether a token was issued here, has not expired and was not revoked. Rejects only for a fault of our own. */
  async introspect(token: string): Promise<Introspection> {
    const { keys, issuer, audience, now } = this.#options
    try {
      const { payload } = await jwtVerify<AccessTokenClaims>(token, keys.publicKey, {
        algorithms: [ALGORITHM], // pinned: a token does not choose how it is checked (RFC 8725 §3.1)
        typ: TYPE,
        issuer,
        audience,
        requiredClaims: ['sub', 'client_id', 'scope', 'iat', 'exp', 'jti'],
        clockTolerance: 0, // of five seconds there is nothing to give away
        currentDate: new Date(now()),
      })
      if (this.#revoked.get(payload.jti)) return { active: false, reason: 'the token was revoked' }
      return { active: true, claims: payload }
    } catch (error) {
      if (error instanceof errors.JOSEError) return { active: false, reason: error.message }
      throw error
    }
  }

  /** Makes a token inactive before its time. Who calls sees to it that there is room (`revocationLimit`). */
  revoke(tokenId: string): void {
    if (this.#revoked.get(tokenId)) return
    assert.ok(this.#revoked.add(tokenId, true), 'more tokens are revoked than codes can have been used')
  }

  /** Forgets what has expired. */
  sweep(): void {
    this.#revoked.sweep()
  }
}
