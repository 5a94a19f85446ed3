// Authorization codes: given to one client for one use, within seconds (RFC 6749 §4.1.2).

import { randomBytes } from 'node:crypto'
import { ExpiringMap } from './expiring-map.ts'
import type { Scope } from './scope.ts'

/** What a code stands for. */
export interface CodeGrant {
  readonly clientId: string
  readonly redirectUri: string
  /** base64url of the SHA-256 of the verifier (RFC 7636 §4.2) */
  readonly challenge: string
  readonly scope: Scope
  readonly user: string
}

/** What became of an attempt to use a code. */
export type Redemption =
  | { readonly kind: 'first'; readonly grant: CodeGrant }
  /** `tokenId` of the token that the first use was for */
  | { readonly kind: 'again'; readonly tokenId: string }
  /** expired, never given, or given to another client */
  | { readonly kind: 'unknown' }

/** A code that was given. */
interface Given {
  readonly grant: CodeGrant
  /** set by the first use */
  tokenId: string | undefined
}

/** Codes that were given, used ones included for as long as they would have lived: a second use has to be noticed. */
export class AuthorizationCodes {
  readonly #codes: ExpiringMap<Given>

  /** @param lifetime ms @param limit codes at most @param now ms since the epoch */
  constructor(lifetime: number, limit: number, now: () => number) {
    this.#codes = new ExpiringMap({ lifetime, limit, now })
  }

  /** Codes in memory. */
  get size(): number {
    return this.#codes.size
  }

  /** A new code of 256 random bits; undefined when there are as many as there may be. */
  issue(grant: CodeGrant): string | undefined {
    const code = randomBytes(32).toString('base64url')
    return this.#codes.add(code, { grant, tokenId: undefined }) ? code : undefined
  }

  /**
   * Uses a code up, whether or not the rest of the request turns out to be right: there is no second guess at a verifier.
   * Only the client that it was given to can do so, and nothing is awaited, so of two attempts at once one is the first.
   *
   * @param tokenId of the token that will be issued for it
   */
  redeem(code: string, clientId: string, tokenId: string): Redemption {
    const given = this.#codes.get(code)
    if (given === undefined || given.grant.clientId !== clientId) return { kind: 'unknown' }
    if (given.tokenId !== undefined) return { kind: 'again', tokenId: given.tokenId }
    given.tokenId = tokenId
    return { kind: 'first', grant: given.grant }
  }

  /** Forgets what has expired. */
  sweep(): void {
    this.#codes.sweep()
  }
}
