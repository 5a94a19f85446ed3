// All credentials of one configuration. In: plain data, and those there were before. Out: each by its name. What is configured
// as it was goes on, with the tokens that it has.

import { isDeepStrictEqual } from 'node:util'
import type { CredentialConfig, CredentialUse } from '../http/credentials.ts'
import type { Credential, CredentialContext, TokenSource } from './credential.ts'
import { ClientCredential } from './oauth2-client-credentials.ts'
import { CodeCredential } from './oauth2-code.ts'

/** A credential, and what it was made from. */
interface Made {
  readonly config: CredentialConfig
  readonly credential: Credential
}

/** The credentials of a configuration. */
export class Credentials {
  readonly #made: ReadonlyMap<string, Made>

  /** @param before whose credentials are taken over where they are configured alike */
  constructor(
    configs: readonly CredentialConfig[],
    context: CredentialContext,
    before: Credentials | undefined,
  ) {
    this.#made = new Map(
      configs.map((config) => {
        const known = before === undefined ? undefined : before.#made.get(config.name)
        const same = known !== undefined && isDeepStrictEqual(known.config, config)
        return [config.name, same ? known : { config, credential: create(config, context) }]
      }),
    )
  }

  /** @throws {RangeError} for a name that is none: the configuration was to be checked */
  sourceOf({ use, scope }: CredentialUse): TokenSource {
    const made = this.#made.get(use)
    if (made === undefined) throw new RangeError(`no credential is named ${use}`)
    return made.credential.sourceOf(scope)
  }

  /** Closes what `next` has not taken over. */
  makeWayFor(next: Credentials | undefined): void {
    const kept = new Set(next === undefined ? [] : Array.from(next.#made.values(), (one) => one.credential))
    for (const { credential } of this.#made.values()) if (!kept.has(credential)) credential.close()
  }
}

function create(config: CredentialConfig, context: CredentialContext): Credential {
  switch (config.kind) {
    case 'oauth2-code':
      return new CodeCredential(config, context)
    case 'oauth2-client-credentials':
      return new ClientCredential(config, context)
  }
}
