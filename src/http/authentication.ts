// What the configuration says about who may ask: plain data, checked, with every file it names read in. It can be copied to
// another process as it is; what is compiled from it lives in auth/.

/** A password as scrypt leaves it (RFC 7914): nobody can tell what it was. */
export interface PasswordHash {
  /** log2 of the cost N */
  readonly cost: number
  /** r */
  readonly blockSize: number
  /** p */
  readonly parallelism: number
  /** base64url */
  readonly salt: string
  /** base64url, 32 octets */
  readonly hash: string
}

/** One account, from a file that `signet user add` writes. */
export interface UserConfig {
  readonly name: string
  readonly role: string
  readonly password: PasswordHash
}

/** What is demanded of the claims of a token, and what of them says who is asking. */
export interface TokenPolicy {
  /** claim that is the subject; a path of names leads into claims that are mappings */
  readonly subject: string
  /** what `iss` has to be; absent for anything */
  readonly issuer?: string
  /** of which `aud` has to have one; absent for anything */
  readonly audience?: readonly string[]
  /** seconds that clocks may differ */
  readonly leeway: number
  /** claims that have to be there */
  readonly requiredClaims: readonly string[]
}

/** A server that is asked by HTTP. */
export interface RemoteConfig {
  /** http:// or https:// */
  readonly url: string
  /** PEM: the only authorities trusted, in place of those that Node comes with */
  readonly ca?: string
  /** ms for the whole answer */
  readonly timeout: number
}

/** What every authenticator has. */
interface Common {
  /** as routes call it */
  readonly name: string
  /** whether the credential is forwarded to the upstream */
  readonly forward: boolean
}

/** Takes everybody. */
export interface AnonymousConfig extends Common {
  readonly kind: 'anonymous'
  readonly subject: string
}

/** User and password with every request (RFC 7617). */
export interface BasicConfig extends Common {
  readonly kind: 'basic'
  readonly users: readonly UserConfig[]
}

/** A key of a caller. */
export interface ApiKey {
  readonly subject: string
  /** of the key, hex */
  readonly sha256: string
  readonly roles: readonly string[]
  readonly scopes: readonly string[]
}

/** A key in a field of its own. */
export interface ApiKeyConfig extends Common {
  readonly kind: 'api-key'
  /** lower-case */
  readonly field: string
  readonly keys: readonly ApiKey[]
}

/** Algorithms with a secret that both sides know (RFC 7518 §3.2). */
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const
export type SecretAlgorithm = (typeof SECRET_ALGORITHMS)[number]

/** Algorithms with a public key (RFC 7518 §3.1, RFC 8037, RFC 9864). */
export const PUBLIC_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
export type PublicAlgorithm = (typeof PUBLIC_ALGORITHMS)[number]

/** A signed token (RFC 7519), by a secret or by the keys of an issuer. */
export interface JwtConfig extends Common {
  readonly kind: 'jwt'
  readonly policy: TokenPolicy
  readonly key:
    | { readonly algorithms: readonly SecretAlgorithm[] /** base64url */; readonly secret: string }
    | { readonly algorithms: readonly PublicAlgorithm[]; readonly jwks: RemoteConfig }
}

/** A token that its issuer is asked about (RFC 7662). */
export interface IntrospectionConfig extends Common {
  readonly kind: 'introspection'
  readonly policy: TokenPolicy
  readonly endpoint: RemoteConfig
  readonly clientId: string
  readonly clientSecret: string
  /** ms that an answer counts */
  readonly cache: number
}

/** Tokens that signet itself gives to who logs in. */
export interface SessionConfig extends Common {
  readonly kind: 'session'
  /** path that takes POST with username and password */
  readonly login: string
  /** base64url */
  readonly secret: string
  /** seconds that a token is valid */
  readonly lifetime: number
  readonly users: readonly UserConfig[]
}

/** One way to find out who is asking. */
export type AuthenticatorConfig =
  | AnonymousConfig
  | BasicConfig
  | ApiKeyConfig
  | JwtConfig
  | IntrospectionConfig
  | SessionConfig

/** Who may use a route. */
export interface RouteAccess {
  /** names of authenticators, in the order in which they are tried; absent for anybody */
  readonly authenticate?: readonly string[]
  /** conditions (`condition.ts`), all of which have to hold */
  readonly require?: readonly string[]
  /** scopes, all of which the caller needs */
  readonly scopes?: readonly string[]
  /** roles, one of which the caller needs */
  readonly roles?: readonly string[]
}
