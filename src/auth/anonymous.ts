// `anonymous`: everybody may come in, and goes by one name.

import type { AnonymousConfig } from '../http/authentication.ts'
import type { Identity } from '../http/identity.ts'
import type { Authenticator, Outcome } from './authenticator.ts'

/** Takes everybody. */
export class AnonymousAuthenticator implements Authenticator {
  readonly name: string
  readonly challenge = undefined
  readonly forward = false
  readonly #identity: Identity

  constructor({ name, subject }: AnonymousConfig) {
    this.name = name
    const claims = { sub: subject }
    this.#identity = { subject, claims, scopes: [], roles: [], authenticator: name, anonymous: true }
  }

  authenticate(): Outcome {
    return this.#identity
  }

  close(): void {
    // Nothing is open.
  }
}
