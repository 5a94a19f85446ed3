// What the configuration says about the credentials that signet obtains for upstreams: plain data, checked. It can be copied to
// another process as it is; what is compiled from it lives in credentials/.

import type { RemoteConfig } from './authentication.ts'

/** What every credential has. */
interface Common {
  /** as routes and upstreams call it */
  readonly name: string
  readonly tokenEndpoint: RemoteConfig
  /** signet's name and password there */
  readonly clientId: string
  readonly clientSecret: string
  /** scope that is asked for where its user names none; absent for whatever the server thinks fit */
  readonly scope?: string
}

/** A new token for each request, by the whole authorization code flow (RFC 6749 §4.1), PKCE included (RFC 7636). */
export interface CodeCredentialConfig extends Common {
  readonly kind: 'oauth2-code'
  readonly authorizationEndpoint: RemoteConfig
  /** where the server sends the code to: compared octet for octet, and never asked for anything */
  readonly redirectUri: string
  /** what `iss` has to be (RFC 9207); where it is absent, `iss` need not be there */
  readonly issuer?: string
  /** whom a token is for where nobody was asked who they are; the subject otherwise */
  readonly user?: string
  /** flows under way at once */
  readonly maxConcurrent: number
}

/** A token for signet itself (RFC 6749 §4.4), used again for as long as it is good. */
export interface ClientCredentialConfig extends Common {
  readonly kind: 'oauth2-client-credentials'
  /** whom the token is to be for, where the server wants to know */
  readonly audience?: string
  /** ms before its end from which on a token is not used any more */
  readonly margin: number
}

/** One way to obtain tokens for upstreams. */
export type CredentialConfig = CodeCredentialConfig | ClientCredentialConfig

/** What a route or an upstream says: which credential, and what for. */
export interface CredentialUse {
  /** name of a {@link CredentialConfig} */
  readonly use: string
  /** scope in place of that of the credential */
  readonly scope?: string
}
