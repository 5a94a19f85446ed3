// `api-key`: a key in a field of its own. In: a request. Out: whose key it is. Of the keys nothing but digests is kept.

import { hash, timingSafeEqual } from 'node:crypto'
import type { ApiKeyConfig } from '../http/authentication.ts'
import type { Identity } from '../http/identity.ts'
import { type Authenticator, type Outcome, Rejection } from './authenticator.ts'
import { MALFORMED, type ReceivedCredentials } from './credential.ts'

/** Keys in a field. */
export class ApiKeyAuthenticator implements Authenticator {
  readonly name: string
  readonly challenge: { readonly field: string }
  readonly forward: boolean
  readonly #field: string
  readonly #keys: readonly { readonly digest: Buffer; readonly identity: Identity }[]

  constructor({ name, forward, field, keys }: ApiKeyConfig) {
    this.name = name
    this.challenge = { field }
    this.forward = forward
    this.#field = field
    this.#keys = keys.map(({ subject, sha256, roles, scopes }) => ({
      digest: Buffer.from(sha256, 'hex'),
      identity: { subject, claims: { sub: subject }, scopes, roles, authenticator: name },
    }))
  }

  authenticate(received: ReceivedCredentials): Outcome {
    const key = received.field(this.#field)
    if (key === undefined) return undefined
    if (key === MALFORMED) return new Rejection('invalid', `more than one ${this.#field}`)
    const digest = hash('sha256', Buffer.from(key, 'latin1'), 'buffer')
    // All of them are looked at, whichever it is: how long it takes tells nothing of any of them.
    let found: Identity | undefined
    for (const { digest: known, identity } of this.#keys) if (timingSafeEqual(digest, known)) found = identity
    return found ?? new Rejection('invalid', 'the key is not known')
  }

  close(): void {
    // Nothing is open.
  }
}
