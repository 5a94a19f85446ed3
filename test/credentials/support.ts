// What the tests of credentials share: their configuration, somebody who waits for a token, what came of it.

import type { CredentialContext } from '../../src/credentials/credential.ts'
import { ProxyError } from '../../src/errors.ts'
import type { ClientCredentialConfig, CodeCredentialConfig } from '../../src/http/credentials.ts'
import { type AuthorizationServer, CLIENT, REDIRECT_URI } from '../support/authorization-server.ts'

/** A request that goes on waiting, in no trace. */
export const WAITER = { trace: undefined, gone: false } as const

/** `oauth2-code` at `server`. */
export function codeConfig(
  server: Pick<AuthorizationServer, 'origin'>,
  change: Partial<CodeCredentialConfig> = {},
): CodeCredentialConfig {
  return {
    kind: 'oauth2-code',
    name: 'time-api',
    authorizationEndpoint: { url: `${server.origin}/authorize`, timeout: 1000 },
    tokenEndpoint: { url: `${server.origin}/token`, timeout: 1000 },
    ...CLIENT,
    redirectUri: REDIRECT_URI,
    maxConcurrent: 16,
    ...change,
  }
}

/** `oauth2-client-credentials` at `server`. */
export function clientConfig(
  server: Pick<AuthorizationServer, 'origin'>,
  change: Partial<ClientCredentialConfig> = {},
): ClientCredentialConfig {
  return {
    kind: 'oauth2-client-credentials',
    name: 'partner',
    tokenEndpoint: { url: `${server.origin}/token`, timeout: 1000 },
    ...CLIENT,
    margin: 10_000,
    ...change,
  }
}

/** What credentials have told. */
export interface Told {
  readonly asked: number[]
  readonly conditions: string[]
}

/** A context, and what was told to it. @param clock monotonic ms */
export function contextOf(clock: () => number = () => performance.now()): CredentialContext & { told: Told } {
  const told: Told = { asked: [], conditions: [] }
  return {
    clock,
    told,
    observer: {
      onResult: () => undefined,
      onAsked: (_credential, duration) => void told.asked.push(duration),
      onCondition: (_credential, condition, reason) => void told.conditions.push(`${condition}: ${reason}`),
    },
  }
}

/** The line, or code and message of the failure. */
export async function outcomeOf(ask: () => string | Promise<string>): Promise<string> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ProxyError) return `${error.code} ${error.message}`
    throw error
  }
}
