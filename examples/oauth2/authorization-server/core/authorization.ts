// May this client send a user here for a code? In: a request, already well-formed. Out: a code, or a refusal. Nobody is asked
// for a password or for consent: access is always granted, but for the two scopes alone.

import type { Client, Clients } from './clients.ts'
import type { AuthorizationCodes } from './codes.ts'
import { OAuthError } from './errors.ts'
import { grantedScope } from './scope.ts'

/** What the endpoint goes by. */
export interface AuthorizationOptions {
  readonly clients: Clients
  readonly codes: AuthorizationCodes
  /** whose token it is when nobody says */
  readonly defaultUser: string
}

/** What a client asks for (RFC 6749 §4.1.1, RFC 7636 §4.3). */
export interface AuthorizationRequest {
  readonly redirectUri: string
  readonly responseType: string
  readonly scope: string | undefined
  readonly challenge: string
  /** the user; whoever it is, there is no password */
  readonly loginHint: string | undefined
}

/** Where an authorization may be answered. */
export class Authorization {
  readonly #options: AuthorizationOptions

  constructor(options: AuthorizationOptions) {
    this.#options = options
  }

  /**
   * The client that has registered exactly this redirection URI. Without one, nothing may be sent there, not even a
   * refusal (RFC 6749 §4.1.2.1): it would make an open redirector.
   */
  clientReturningTo(clientId: string, redirectUri: string): Client | undefined {
    const client = this.#options.clients.find(clientId)
    return client?.redirectUris.includes(redirectUri) ? client : undefined
  }

  /**
   * Grants a code.
   *
   * @throws {OAuthError} a refusal, which belongs at the redirection URI
   */
  authorize(client: Client, request: AuthorizationRequest): string {
    const { codes, defaultUser } = this.#options
    const { redirectUri, responseType, challenge, loginHint } = request
    if (responseType !== 'code')
      throw new OAuthError('unsupported_response_type', 'the response type has to be code')
    if (!client.grantTypes.includes('authorization_code'))
      throw new OAuthError('unauthorized_client', 'this client may not ask for a code')
    const scope = grantedScope(request.scope)
    const user = loginHint ?? defaultUser
    const code = codes.issue({ clientId: client.id, redirectUri, challenge, scope, user })
    if (code === undefined)
      throw new OAuthError('temporarily_unavailable', 'too many codes are waiting to be used; try again')
    return code
  }
}
