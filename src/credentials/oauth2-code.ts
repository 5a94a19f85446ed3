// `oauth2-code`: a new token for every request, by the whole authorization code flow (RFC 6749 §4.1, RFC 7636). In: who is
// asking. Out: a token that is sent once and kept nowhere. signet is both client and browser here: it reads the code out of
// the redirect, and follows none.

import { type Question, Remote, type Reply } from '../auth/ask.ts'
import { ProxyError } from '../errors.ts'
import type { CodeCredentialConfig } from '../http/credentials.ts'
import {
  bearerLine,
  type Credential,
  type CredentialContext,
  type TokenSource,
  type TokenWaiter,
} from './credential.ts'
import { Places } from './places.ts'
import { type Grant, refuseOverload, TokenEndpoint } from './token-endpoint.ts'

/** Requests that wait for their turn, beyond those whose flow is under way. */
const MOST_WAITING = 1024
/** ms that one waits at most for its turn. */
const PATIENCE = 30_000

/** A token for each request. */
export class CodeCredential implements Credential {
  readonly name: string
  readonly #config: CodeCredentialConfig
  readonly #context: CredentialContext
  readonly #authorization: Remote
  readonly #tokens: TokenEndpoint
  readonly #places: Places

  constructor(config: CodeCredentialConfig, context: CredentialContext) {
    const { maxConcurrent } = config
    this.name = config.name
    this.#config = config
    this.#context = context
    // A flow has one question at a time: with as many connections none waits for one while its time runs.
    this.#authorization = new Remote(config.authorizationEndpoint, maxConcurrent)
    this.#tokens = new TokenEndpoint(config, maxConcurrent)
    this.#places = new Places({ most: maxConcurrent, mostWaiting: MOST_WAITING, patience: PATIENCE })
  }

  sourceOf(scope = this.#config.scope): TokenSource {
    return {
      credential: this.name,
      authorize: (subject, waiter) =>
        this.#places.run(waiter, () => this.#flow(subject ?? this.#config.user, scope, waiter)),
      onUnauthorized: () => undefined, // the next request has a new one anyway
    }
  }

  close(): void {
    this.#authorization.close()
    this.#tokens.close()
  }

  async #flow(user: string | undefined, scope: string | undefined, { trace }: TokenWaiter): Promise<string> {
    const { clock, observer } = this.#context
    const began = clock()
    try {
      const { value } = await this.#tokens.obtain(
        (grant) => this.#ask(grant, user, scope, trace),
        scope,
        trace,
      )
      return bearerLine(value)
    } finally {
      observer.onAsked(this.name, clock() - began)
    }
  }

  async #ask(
    { oauth, server, client, authentication, options }: Grant,
    user: string | undefined,
    scope: string | undefined,
    trace: string | undefined,
  ): Promise<Response> {
    const { redirectUri } = this.#config
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: client.client_id,
      redirect_uri: redirectUri,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...(scope !== undefined && { scope }),
      ...(user !== undefined && { login_hint: user }),
    })
    const question: Question = {
      method: 'GET',
      query: query.toString(),
      fields: trace === undefined ? {} : { traceparent: trace },
    }
    const answer = callbackIn(await this.#authorization.exchange(question), redirectUri)
    const callback = oauth.validateAuthResponse(server, client, answer, state)
    return oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      callback,
      redirectUri,
      verifier,
      options,
    )
  }
}

/**
 * What the authorization server tells the client by way of the browser.
 *
 * @throws {ProxyError} for any reply but a redirect to exactly `redirectUri` (RFC 9700 §2.1), with parameters added
 * @throws {AskError} for a server that cannot just now
 */
function callbackIn(reply: Reply, redirectUri: string): URLSearchParams {
  const { status, fields } = reply
  refuseOverload(reply)
  if (status >= 400)
    throw new ProxyError('ERR_CREDENTIAL_REFUSED', `authorization is answered with ${status}`)
  const location = status === 302 || status === 303 ? fields.location : undefined
  if (location === undefined)
    throw new ProxyError('ERR_CREDENTIAL_MALFORMED', `authorization is answered with ${status}, no redirect`)
  const prefix = `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}`
  if (!location.startsWith(prefix) || location.includes('#'))
    throw new ProxyError(
      'ERR_CREDENTIAL_MALFORMED',
      'authorization redirects elsewhere, which is not followed',
    )
  return new URLSearchParams(location.slice(prefix.length))
}
