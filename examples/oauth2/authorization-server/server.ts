// The composition root: config → an authorization server that listens and can be closed.

import { type EventLog, createHttpService, type HttpService } from '../service/http-service.ts'
import type { AuthorizationServerConfig } from './config.ts'
import { AccessTokens, type SigningKeys } from './core/access-tokens.ts'
import { Authorization } from './core/authorization.ts'
import { Clients } from './core/clients.ts'
import { AuthorizationCodes } from './core/codes.ts'
import { TokenGrants } from './core/token-grants.ts'
import { createEndpoints } from './transport/endpoints.ts'

/** What the server needs beside its configuration. */
export interface AuthorizationServerOptions {
  readonly keys: SigningKeys
  readonly log: EventLog
  /** ms since the epoch; tests have a clock of their own */
  readonly now?: () => number
}

/** A server, and what it holds in memory. */
export interface AuthorizationServer extends HttpService {
  /** Entries of each store. */
  readonly held: { readonly codes: number; readonly revocations: number }
}

/** ms between two times that what has expired is forgotten, traffic or not. */
const SWEEP_EVERY = 1000

/** Prepares an authorization server; nothing is opened before `listen`. */
export async function createAuthorizationServer(
  config: AuthorizationServerConfig,
  { keys, log, now = Date.now }: AuthorizationServerOptions,
): Promise<AuthorizationServer> {
  const { issuer, audience, defaultUser, tokenLifetime, codeLifetime, codeLimit } = config
  const clients = new Clients(config.clients)
  const codes = new AuthorizationCodes(codeLifetime * 1000, codeLimit, now)
  // A code is good for one revocation, which lives as long as a token does behind the last moment of the code.
  const revocationLimit = codeLimit * (1 + Math.ceil(tokenLifetime / codeLifetime))
  const tokens = await AccessTokens.create({
    keys,
    issuer,
    audience,
    lifetime: tokenLifetime,
    revocationLimit,
    now,
  })
  const handle = createEndpoints({
    issuer,
    clients,
    tokens,
    authorization: new Authorization({ clients, codes, defaultUser }),
    grants: new TokenGrants(codes, tokens),
  })
  const { listen, close } = createHttpService({ handle, log })
  let sweeping: NodeJS.Timeout | undefined
  return {
    listen: (port, host) => {
      sweeping = setInterval(() => {
        codes.sweep()
        tokens.sweep()
      }, SWEEP_EVERY).unref()
      return listen(port, host)
    },
    close: () => {
      clearInterval(sweeping)
      return close()
    },
    get held() {
      return { codes: codes.size, revocations: tokens.revocations }
    },
  }
}
