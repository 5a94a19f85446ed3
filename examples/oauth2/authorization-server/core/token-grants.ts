// May this client have a token? In: a client that has proved who it is, and what it offers for one. Out: a token, or a refusal.

import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import type { AccessTokens } from './access-tokens.ts'
import type { Client } from './clients.ts'
import type { AuthorizationCodes } from './codes.ts'
import { OAuthError } from './errors.ts'
import { grantedScope, type Scope } from './scope.ts'

/** What a client offers. */
export type TokenRequest =
  | {
      readonly grantType: 'authorization_code'
      readonly code: string
      readonly redirectUri: string
      readonly verifier: string
    }
  | { readonly grantType: 'client_credentials'; readonly scope: string | undefined }

/** A token, and what the client is told of it. */
export interface IssuedToken {
  readonly token: string
  readonly tokenId: string
  /** undefined: the client acts for itself */
  readonly user: string | undefined
  readonly scope: Scope
  /** seconds */
  readonly expiresIn: number
}

/** The token endpoint without HTTP. */
export class TokenGrants {
  readonly #codes: AuthorizationCodes
  readonly #tokens: AccessTokens

  constructor(codes: AuthorizationCodes, tokens: AccessTokens) {
    this.#codes = codes
    this.#tokens = tokens
  }

  /**
   * Grants a token.
   *
   * @throws {OAuthError} RFC 6749 §5.2
   */
  async grant(client: Client, request: TokenRequest): Promise<IssuedToken> {
    if (!client.grantTypes.includes(request.grantType))
      throw new OAuthError('unauthorized_client', `this client may not use ${request.grantType}`)
    const tokenId = randomUUID()
    const { scope, user } =
      request.grantType === 'client_credentials'
        ? { scope: grantedScope(request.scope), user: undefined }
        : this.#redeem(client, request, tokenId)
    const token = await this.#tokens.issue({ clientId: client.id, scope, user, tokenId })
    return { token, tokenId, user, scope, expiresIn: this.#tokens.lifetime }
  }

  /** A code that is used again has been stolen, by whoever came first or second: the token goes as well (§4.1.2). */
  #redeem(client: Client, request: TokenRequest & { grantType: 'authorization_code' }, tokenId: string) {
    const redemption = this.#codes.redeem(request.code, client.id, tokenId)
    if (redemption.kind === 'again') this.#tokens.revoke(redemption.tokenId)
    if (redemption.kind !== 'first')
      throw new OAuthError('invalid_grant', 'the code was used, has expired, or is of another client')
    const { grant } = redemption
    if (request.redirectUri !== grant.redirectUri)
      throw new OAuthError('invalid_grant', 'the code was sent to another redirect_uri')
    if (!isVerifierOf(grant.challenge, request.verifier))
      throw new OAuthError('invalid_grant', 'the code_verifier does not belong to the code_challenge')
    return grant
  }
}

/** RFC 7636 §4.6, S256. */
function isVerifierOf(challenge: string, verifier: string): boolean {
  const digest = createHash('sha256').update(verifier).digest()
  const expected = Buffer.from(challenge, 'base64url') // of 32 octets, by the schema of the request
  return digest.length === expected.length && timingSafeEqual(digest, expected)
}
