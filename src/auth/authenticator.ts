// What every way to find out who is asking has in common. In: a request head and the client's address. Out: who it is, that
// there is no credential of this kind, or why the one there is does not count.

import type { Identity } from '../http/identity.ts'
import type { ReceivedCredentials } from './credential.ts'

/**
 * Why a credential does not count: `unavailable` when that could not be found out, `limited` when it was tried too often.
 * From the least telling to the most.
 */
export const REJECTIONS = ['invalid', 'expired', 'limited', 'unavailable'] as const
export type RejectionKind = (typeof REJECTIONS)[number]

/** A credential that does not count. */
export class Rejection {
  readonly kind: RejectionKind
  /** for the log alone; nothing of the credential */
  readonly reason: string
  /** seconds after which another attempt may be made */
  readonly retryAfter: number | undefined

  constructor(kind: RejectionKind, reason: string, retryAfter?: number) {
    this.kind = kind
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

/** What came of it: undefined where there is no credential of this kind. */
export type Outcome = Identity | Rejection | undefined

/** How a client is told which credentials are taken (RFC 9110 §11.6.1). */
export type Challenge = 'Bearer' | 'Basic' | { readonly field: string }

/** One way to find out who is asking. */
export interface Authenticator {
  readonly name: string
  /** what it wants; undefined where it wants nothing, and takes everybody */
  readonly challenge: Challenge | undefined
  /** whether the upstream gets the credential, too */
  readonly forward: boolean
  /** Never throws, never rejects, and never takes longer than its own deadlines. */
  authenticate(received: ReceivedCredentials): Outcome | Promise<Outcome>
  /** It is no longer needed: connections of its own are closed. */
  close(): void
}

/** What authenticators need from outside. */
export interface AuthContext {
  /** ms since the epoch */
  readonly now: () => number
  /** monotonic ms */
  readonly clock: () => number
}
