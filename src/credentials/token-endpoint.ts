// The token endpoint of an authorization server (RFC 6749 §3.2). In: a grant. Out: a token whose answer was checked, or the
// failure it comes to. The protocol is oauth4webapi's; connections, deadlines and limits are those of auth/ask.ts.

import type * as OAuth from 'oauth4webapi'
import { AskError, parseJson, Remote, type Reply } from '../auth/ask.ts'
import { type Check, loadChecks, type TokenDocument } from '../auth/documents.ts'
import { type FailureCode, ProxyError } from '../errors.ts'
import type { CredentialConfig } from '../http/credentials.ts'

/** What a server is asked with, in the words of oauth4webapi. */
export interface Grant {
  readonly oauth: typeof OAuth
  readonly server: OAuth.AuthorizationServer
  readonly client: OAuth.Client
  readonly authentication: OAuth.ClientAuth
  readonly options: OAuth.TokenEndpointRequestOptions & OAuth.ClientCredentialsGrantRequestOptions
}

/** A token, and how long its server says that it is good. */
export interface Token {
  readonly value: string
  /** seconds; undefined where the server does not say */
  readonly lifetime: number | undefined
}

/** Asks for tokens. */
export class TokenEndpoint {
  readonly #config: CredentialConfig
  readonly #remote: Remote
  #loaded: Promise<readonly [typeof OAuth, Check<TokenDocument>]> | undefined = undefined

  /** @param connections at most */
  constructor(config: CredentialConfig, connections?: number) {
    this.#config = config
    this.#remote = new Remote(config.tokenEndpoint, connections)
  }

  /**
   * One token.
   *
   * @param ask sends what `grant` says, and gives the response to it
   * @param scope that the token has to have
   * @param trace `traceparent` of the question
   * @throws {ProxyError} one of `CREDENTIAL_RESULTS`: names the credential, and nothing of what was asked or answered
   */
  async obtain(
    ask: (grant: Grant) => Promise<Response>,
    scope: string | undefined,
    trace: string | undefined,
  ): Promise<Token> {
    this.#loaded ??= load()
    const [oauth, check] = await this.#loaded
    try {
      const grant = this.#grant(oauth, check, trace)
      const response = await ask(grant)
      const { server, client } = grant
      const {
        access_token,
        expires_in,
        scope: granted,
      } = await oauth.processGenericTokenEndpointResponse(server, client, response)
      if (scope !== undefined && granted !== undefined && !includes(granted, scope))
        throw new ProxyError('ERR_CREDENTIAL_DENIED', 'the token has not the scope that was asked for')
      return { value: access_token, lifetime: expires_in }
    } catch (thrown) {
      throw failureOf(this.#config.name, thrown, oauth)
    }
  }

  close(): void {
    this.#remote.close()
  }

  #grant(oauth: typeof OAuth, check: Check<TokenDocument>, trace: string | undefined): Grant {
    const { clientId, clientSecret, tokenEndpoint } = this.#config
    const issuer = this.#config.kind === 'oauth2-code' ? this.#config.issuer : undefined
    return {
      oauth,
      server: {
        issuer: issuer ?? new URL(tokenEndpoint.url).origin,
        token_endpoint: tokenEndpoint.url,
        authorization_response_iss_parameter_supported: issuer !== undefined,
      },
      client: { client_id: clientId },
      authentication: oauth.ClientSecretBasic(clientSecret),
      options: {
        // http:// has been allowed by the configuration, or it is this machine (config/credential-reader.ts).
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: (_url, { body, headers }) => {
          const fields = trace === undefined ? headers : { ...headers, traceparent: trace }
          return this.#post(String(body), fields, check)
        },
      },
    }
  }

  async #post(
    body: string,
    fields: Readonly<Record<string, string>>,
    check: Check<TokenDocument>,
  ): Promise<Response> {
    const reply = await this.#remote.exchange({ method: 'POST', fields, body })
    refuseOverload(reply)
    if (reply.status === 200) {
      const checked = check(parseJson(reply.body))
      if (!checked.ok) throw new AskError('malformed', `no answer with a token: ${checked.reason}`)
    }
    const headers = new Headers()
    for (const name of ['content-type', 'www-authenticate'] as const) {
      const value = reply.fields[name]
      if (value !== undefined) headers.set(name, value)
    }
    const bodiless = reply.status < 200 || reply.status === 204 || reply.status === 304
    return new Response(bodiless ? null : new Uint8Array(reply.body), { status: reply.status, headers })
  }
}

async function load(): Promise<readonly [typeof OAuth, Check<TokenDocument>]> {
  const [oauth, { token }] = await Promise.all([import('oauth4webapi'), loadChecks()])
  return [oauth, token]
}

/** A server that says that it cannot just now. @throws {AskError} */
export function refuseOverload({ status }: Reply): void {
  if (status === 429 || status >= 500) throw new AskError('unavailable', `status ${status}`)
}

function includes(granted: string, wanted: string): boolean {
  const scopes = granted.split(' ')
  return wanted.split(' ').every((one) => scopes.includes(one))
}

// ── failures ──────────────────────────────────────────────────────────────────────────────────────────────────────

const BY_KIND = {
  timeout: 'ERR_CREDENTIAL_TIMEOUT',
  unavailable: 'ERR_CREDENTIAL_UNAVAILABLE',
  malformed: 'ERR_CREDENTIAL_MALFORMED',
} as const satisfies Record<AskError['kind'], FailureCode>

/** What servers answer in `error` (RFC 6749 §4.1.2.1, §5.2); any other means that signet is not accepted. */
const BY_ERROR: ReadonlyMap<string, FailureCode> = new Map([
  ['access_denied', 'ERR_CREDENTIAL_DENIED'],
  ['invalid_scope', 'ERR_CREDENTIAL_DENIED'],
  ['invalid_target', 'ERR_CREDENTIAL_DENIED'], // RFC 8707 §2
  ['temporarily_unavailable', 'ERR_CREDENTIAL_UNAVAILABLE'],
  ['server_error', 'ERR_CREDENTIAL_UNAVAILABLE'],
])

/** What was thrown as the failure it is; anything unforeseen as it is. */
function failureOf(name: string, thrown: unknown, oauth: typeof OAuth): unknown {
  const failure = (code: FailureCode, reason: string) =>
    new ProxyError(code, `${name}: ${reason}`, { cause: thrown })
  if (thrown instanceof ProxyError) return failure(thrown.code, thrown.message)
  if (thrown instanceof AskError) return failure(BY_KIND[thrown.kind], thrown.message)
  if (thrown instanceof oauth.ResponseBodyError || thrown instanceof oauth.AuthorizationResponseError) {
    const { error } = thrown
    const shown = /^[a-z_]{1,40}$/.test(error) ? error : 'an error'
    return failure(BY_ERROR.get(error) ?? 'ERR_CREDENTIAL_REFUSED', `the server answers ${shown}`)
  }
  if (thrown instanceof oauth.WWWAuthenticateChallengeError)
    return failure('ERR_CREDENTIAL_REFUSED', `the server asks for other credentials (${thrown.status})`)
  if (thrown instanceof oauth.OperationProcessingError || thrown instanceof oauth.UnsupportedOperationError)
    return failure('ERR_CREDENTIAL_MALFORMED', thrown.message)
  return thrown
}
