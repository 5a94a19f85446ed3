// All authenticators of one configuration. In: plain data, and those there were before. Out: each by its name, and the logins
// by their paths. What is configured as it was goes on, with what it remembers.

import { isDeepStrictEqual } from 'node:util'
import type { AuthenticatorConfig } from '../http/authentication.ts'
import { AnonymousAuthenticator } from './anonymous.ts'
import { ApiKeyAuthenticator } from './api-key.ts'
import { Attempts } from './attempts.ts'
import type { AuthContext, Authenticator } from './authenticator.ts'
import { BasicAuthenticator } from './basic.ts'
import { IntrospectionAuthenticator } from './introspection.ts'
import { createJwt } from './jwt.ts'
import { Accounts, Turns } from './passwords.ts'
import { type Login, SessionAuthenticator } from './session.ts'

/** What lives as long as the process: limits on attempts, which no reload may reset. */
export interface AuthLimits {
  readonly turns: Turns
  readonly attempts: Attempts
}

/** Limits of a process that has just begun. */
export function createAuthLimits({ clock }: AuthContext): AuthLimits {
  return { turns: new Turns(), attempts: new Attempts(clock) }
}

/** An authenticator, and what it was made from. */
interface Made {
  readonly config: AuthenticatorConfig
  readonly authenticator: Authenticator
}

/** The authenticators of a configuration. */
export class Authenticators {
  readonly #made: ReadonlyMap<string, Made>
  /** by path */
  readonly logins: ReadonlyMap<string, Login>

  /** @param before whose authenticators are taken over where they are configured alike */
  constructor(
    configs: readonly AuthenticatorConfig[],
    context: AuthContext,
    limits: AuthLimits,
    before: Authenticators | undefined,
  ) {
    const logins = new Map<string, Login>()
    this.#made = new Map(
      configs.map((config) => {
        const known = before === undefined ? undefined : before.#made.get(config.name)
        const same = known !== undefined && isDeepStrictEqual(known.config, config)
        const made = same ? known : { config, authenticator: create(config, context, limits) }
        if (config.kind === 'session' && made.authenticator instanceof SessionAuthenticator)
          logins.set(config.login, made.authenticator)
        return [config.name, made]
      }),
    )
    this.logins = logins
  }

  /** @throws {RangeError} for a name that is none: the configuration was to be checked */
  get(name: string): Authenticator {
    const made = this.#made.get(name)
    if (made === undefined) throw new RangeError(`no authenticator is named ${name}`)
    return made.authenticator
  }

  /** Closes what `next` has not taken over. */
  makeWayFor(next: Authenticators | undefined): void {
    const kept = new Set(
      next === undefined ? [] : Array.from(next.#made.values(), (one) => one.authenticator),
    )
    for (const { authenticator } of this.#made.values()) if (!kept.has(authenticator)) authenticator.close()
  }
}

function create(config: AuthenticatorConfig, context: AuthContext, limits: AuthLimits): Authenticator {
  switch (config.kind) {
    case 'anonymous':
      return new AnonymousAuthenticator(config)
    case 'basic':
      return new BasicAuthenticator(
        config,
        new Accounts(config.users, limits.turns),
        limits.attempts,
        context,
      )
    case 'api-key':
      return new ApiKeyAuthenticator(config)
    case 'jwt':
      return createJwt(config, context)
    case 'introspection':
      return new IntrospectionAuthenticator(config, context)
    case 'session':
      return new SessionAuthenticator(
        config,
        new Accounts(config.users, limits.turns),
        limits.attempts,
        context,
      )
  }
}
