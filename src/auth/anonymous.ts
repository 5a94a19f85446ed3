// `anonymous`: everybody may come in, and goes by one name.

import type { AnonymousConfig } from '../http/authentication.ts'
import type { Identity } from '../http/identity.ts'
import type { Authenticator, Outcome } from './authenticator.ts'

/** Takes everybody. */
export class AnonymousAuthenticator implements Authenticator {
  readonly name: string
  readonly challenge = undefined
  readonly withheld = undefined
  readonly #identity: Identity

  constructor({ name, subject }: AnonymousConfig) {
    this.name = name
    this.#identity = { subject, claims: { sub: subject }, scopes: [], roles: [], authenticator: name }
  }

  authenticate(): Outcome {
    return this.#identity
  }

  close(): void {
    // Nothing is open.
  }
}
