// The configuration as typed objects. Written by scripts/options.ts from the schema in config/schema.ts: change that, and run
// `npm run settings`.

import type { Middleware } from './middleware/middleware.ts'

/** TLS on the port that clients connect to */
export interface TlsOptions {
  /** certificate chain, PEM: file:cert.pem */
  readonly certificate: string
  /** its private key, PEM: file:key.pem */
  readonly key: string
}

/** hosts and ports that requests may go to */
export interface DestinationOptions {
  /** example.com, *.example.com or an address */
  readonly host: string
  /** ports; default: [80,443] */
  readonly ports?: readonly number[] | undefined
}

/** a port for clients that have signet as their forward proxy */
export interface ForwardOptions {
  /** address to accept on; default: "127.0.0.1" */
  readonly host?: string | undefined
  /** port to accept on */
  readonly port: number
  /** where requests may go; nothing else is allowed */
  readonly allow: readonly DestinationOptions[]
  /** private addresses that may be connected to all the same, as CIDR blocks; default: [] */
  readonly privateAddresses?: readonly string[] | undefined
}

/** a key, or a list of keys: the first signs, all are published */
export interface KeyOptions {
  /** what it signs with */
  readonly algorithm: 'HS256' | 'HS384' | 'HS512' | 'ES256' | 'EdDSA' | 'RS256'
  /** of HS*: the secret */
  readonly secret?: string | undefined
  /** how the secret is written; default: "hex" */
  readonly encoding?: 'hex' | 'base64url' | 'utf8' | undefined
  /** of the others: the private key, PEM or JWK: file:key.pem */
  readonly privateKey?: string | undefined
  /** its name for verifiers, in place of the one that derives from it */
  readonly kid?: string | undefined
}

/** the Redis that limits are counted in; needs the package ioredis */
export interface RedisOptions {
  /** redis:// or, over TLS, rediss://, with a user and a password where it wants them */
  readonly url: string
  /** ms that one command may take; default: 250 */
  readonly timeout?: number | undefined
}

/** one origin: http://host:port, https://host:port or unix:/path; or a mapping of url and weight */
export interface TargetOptions {
  /** origin: http://host:port, https://host:port or unix:/path */
  readonly url: string
  /** share of the requests, relative to the other targets; default: 1 */
  readonly weight?: number | undefined
}

/** TLS to targets of https://; their certificates are always verified */
export interface UpstreamTlsOptions {
  /** name asked for and verified, in place of the host */
  readonly serverName?: string | undefined
  /** the only authorities trusted, PEM, in place of those of Node */
  readonly ca?: string | undefined
  /** signet's own certificate chain, PEM */
  readonly certificate?: string | undefined
  /** its private key, PEM */
  readonly key?: string | undefined
}

/** when a target that fails is left alone */
export interface EjectionOptions {
  /** failures in a row after which it is; default: 3 */
  readonly failures?: number | undefined
  /** ms that it is left alone; default: 10000 */
  readonly duration?: number | undefined
  /** ms over which its share grows again; default: 10000 */
  readonly slowStart?: number | undefined
}

/** requests that ask each target how it is */
export interface HealthOptions {
  /** path of a GET */
  readonly path: string
  /** ms from one to the next; default: 5000 */
  readonly interval?: number | undefined
  /** ms for the response head; default: 2000 */
  readonly timeout?: number | undefined
  /** statuses that mean well: from, to; default: [200,399] */
  readonly statuses?: readonly [number, number] | undefined
  /** bad answers in a row after which a target is unwell; default: 2 */
  readonly unhealthy?: number | undefined
  /** good answers in a row after which it is well again; default: 2 */
  readonly healthy?: number | undefined
}

/** plain, none, or a mapping with what is different about the token */
export interface TokenOptions {
  /** name of the key that signs; signet's own secret unless set */
  readonly key?: string | undefined
  /** field that carries the token; jwtHeader unless set */
  readonly header?: string | undefined
  /** who the token is for (aud) */
  readonly audience?: string | readonly string[] | undefined
  /** who says so (iss) */
  readonly issuer?: string | undefined
  /** ms until the token expires (exp); default: 60000 */
  readonly lifetime?: number | undefined
  /** claims in place of payload; '{subject}' and its like stand for values */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

/** name of a credential whose token is sent in Authorization, none, or a mapping of use and scope */
export interface CredentialUseOptions {
  /** name of the credential */
  readonly use: string
  /** scopes that are asked for in place of those of the credential */
  readonly scope?: string | undefined
}

/** one origin, a list of origins that all do the same, or a mapping with targets */
export interface UpstreamOptions {
  /** the origins: each a text, or url and weight */
  readonly targets: readonly (string | TargetOptions)[]
  /** which target gets a request: the next in turn, or that with the fewest running requests; default: "round-robin" */
  readonly balance?: 'round-robin' | 'least-busy' | undefined
  /** Host that is sent: pass as received, target as in its url, or this one; default: "pass" */
  readonly host?: string | undefined
  /** TLS to targets of https://; their certificates are always verified */
  readonly tls?: UpstreamTlsOptions | undefined
  /** when a target that fails is left alone */
  readonly ejection?: EjectionOptions | undefined
  /** requests that ask each target how it is */
  readonly health?: HealthOptions | undefined
  /** fields that are sent upstream, by name; nobody else can send them, to whatever upstream */
  readonly fields?: Readonly<Record<string, string>> | undefined
  /** plain, none, or a mapping with what is different about the token */
  readonly token?: 'plain' | 'none' | TokenOptions | undefined
  /** name of a credential whose token is sent in Authorization, none, or a mapping of use and scope */
  readonly credential?: string | CredentialUseOptions | undefined
}

/** how many requests a caller may send; beyond, 429 */
export interface LimitOptions {
  /** requests in a window */
  readonly requests: number
  /** ms from a caller's first request on */
  readonly window: number
  /** what callers are told apart by: subject (who they are), address, or the value of a field; the address, where that is missing; default: "subject" */
  readonly by?: string | undefined
  /** where requests are counted: in this signet alone, or in Redis for all that share it; default: "memory" */
  readonly store?: 'memory' | 'redis' | undefined
  /** what becomes of requests that cannot be counted: they pass, or are refused with 503; default: "open" */
  readonly whenDown?: 'open' | 'closed' | undefined
}

/** true, or which responses are compressed for clients that accept it */
export interface CompressionOptions {
  /** octets; what is known to be smaller is left as it is; default: 1024 */
  readonly minSize?: number | undefined
  /** content codings, the preferred one first; zstd only where Node has it; default: ["br","zstd","gzip"] */
  readonly encodings?: readonly ('br' | 'zstd' | 'gzip')[] | undefined
  /** media types; all that are known to be compressible unless this is set */
  readonly types?: readonly string[] | undefined
}

/** which requests go to which upstream; of several that fit, the most specific one counts */
export interface RouteOptions {
  /** name for logs and metrics */
  readonly name?: string | undefined
  /** example.com or *.example.com, without a port; any host */
  readonly host?: string | undefined
  /** /a, /a/:b, /a/:b([0-9]+) or /a/*; any path unless this is set; default: "/*" */
  readonly path?: string | undefined
  /** methods; any unless this is set */
  readonly methods?: readonly string[] | undefined
  /** name of the upstream */
  readonly upstream: string
  /** path that is forwarded in place of the received one */
  readonly rewrite?: string | undefined
  /** authenticators that are tried in this order; anybody may come in unless this is set */
  readonly authenticate?: readonly string[] | undefined
  /** conditions, all of which have to hold */
  readonly require?: readonly string[] | undefined
  /** scopes, all of which the caller needs */
  readonly scopes?: readonly string[] | undefined
  /** roles, one of which the caller needs */
  readonly roles?: readonly string[] | undefined
  /** fields that are sent upstream, by name; nobody else can send them, to whatever upstream */
  readonly fields?: Readonly<Record<string, string>> | undefined
  /** plain, none, or a mapping with what is different about the token */
  readonly token?: 'plain' | 'none' | TokenOptions | undefined
  /** name of a credential whose token is sent in Authorization, none, or a mapping of use and scope */
  readonly credential?: string | CredentialUseOptions | undefined
  /** how many requests a caller may send; beyond, 429 */
  readonly limit?: LimitOptions | undefined
  /** true, or which responses are compressed for clients that accept it */
  readonly compress?: boolean | CompressionOptions | undefined
  /** what runs around the exchanges of this route, inside of what runs around all */
  readonly middleware?: readonly Middleware[] | undefined
}

/** one key */
export interface ApiKeyOptions {
  /** who has it */
  readonly subject: string
  /** the key itself */
  readonly key?: string | undefined
  /** SHA-256 of the key, in hex, in place of the key */
  readonly sha256?: string | undefined
  /** roles of who has it */
  readonly roles?: readonly string[] | undefined
  /** scopes of who has it */
  readonly scopes?: readonly string[] | undefined
}

/** one way to find out who is asking */
export interface AuthenticatorOptions {
  /** anonymous, basic, api-key, jwt, introspection or session */
  readonly kind: 'anonymous' | 'basic' | 'api-key' | 'jwt' | 'introspection' | 'session'
  /** whether the credential is forwarded to the upstream as well; default: false */
  readonly forward?: boolean | undefined
  /** anonymous: who everybody is; jwt and introspection: the claim that says who is asking, sub unless set */
  readonly subject?: string | undefined
  /** basic and session: users as signet user add writes them: file:users */
  readonly users?: string | undefined
  /** api-key: field with the key; default: "x-api-key" */
  readonly field?: string | undefined
  /** api-key: the keys */
  readonly keys?: readonly ApiKeyOptions[] | undefined
  /** jwt: secret of HS256, HS384 or HS512; session: secret that its tokens are signed with */
  readonly secret?: string | undefined
  /** how secret is written; default: "hex" */
  readonly secretEncoding?: 'hex' | 'base64url' | 'utf8' | undefined
  /** jwt: URL of the key set of the issuer (RFC 7517) */
  readonly jwks?: string | undefined
  /** jwt: algorithms that tokens may be signed with; no other counts */
  readonly algorithms?: readonly string[] | undefined
  /** jwt and introspection: what iss has to be */
  readonly issuer?: string | undefined
  /** jwt and introspection: aud has to name one of these */
  readonly audience?: readonly string[] | undefined
  /** seconds jwt and introspection: that clocks may differ; default: 0 */
  readonly leeway?: number | undefined
  /** jwt and introspection: claims that have to be there; exp for jwt unless set */
  readonly requiredClaims?: readonly string[] | undefined
  /** introspection: URL that is asked (RFC 7662) */
  readonly url?: string | undefined
  /** introspection: signet's name there */
  readonly clientId?: string | undefined
  /** introspection: signet's password there */
  readonly clientSecret?: string | undefined
  /** ms introspection and jwks: for a whole answer; default: 2000 */
  readonly timeout?: number | undefined
  /** ms introspection: that an answer counts; default: 5000 */
  readonly cache?: number | undefined
  /** introspection and jwks: the only authorities trusted, PEM */
  readonly ca?: string | undefined
  /** session: path that takes POST with username and password; default: "/login" */
  readonly login?: string | undefined
  /** seconds session: that a token is valid; default: 3600 */
  readonly lifetime?: number | undefined
}

/** one way to obtain tokens for upstreams */
export interface CredentialOptions {
  /** oauth2-code: a new token for each request; oauth2-client-credentials: one that requests share */
  readonly kind: 'oauth2-code' | 'oauth2-client-credentials'
  /** oauth2-code: URL where codes are granted (RFC 6749 §3.1) */
  readonly authorizationEndpoint?: string | undefined
  /** URL that gives tokens (RFC 6749 §3.2) */
  readonly tokenEndpoint?: string | undefined
  /** signet's name there */
  readonly clientId?: string | undefined
  /** signet's password there */
  readonly clientSecret?: string | undefined
  /** oauth2-code: URL that is registered there for codes to be sent to; nothing has to be at it */
  readonly redirectUri?: string | undefined
  /** oauth2-code: what iss has to be (RFC 9207), which is needed then */
  readonly issuer?: string | undefined
  /** scopes that are asked for */
  readonly scope?: string | undefined
  /** oauth2-client-credentials: audience that is asked for */
  readonly audience?: string | undefined
  /** oauth2-code: whom a token is for (login_hint) where nobody was asked; the subject otherwise */
  readonly user?: string | undefined
  /** ms for each whole answer; default: 2000 */
  readonly timeout?: number | undefined
  /** ms oauth2-client-credentials: before its end that a token is not used any more; default: 10000 */
  readonly margin?: number | undefined
  /** oauth2-code: flows at once; up to 1024 more wait; default: 16 */
  readonly maxConcurrent?: number | undefined
  /** the only authorities trusted, PEM */
  readonly ca?: string | undefined
  /** whether http:// may lead to another machine, secrets in the clear; default: false */
  readonly allowHttp?: boolean | undefined
}

/** What a configuration file says, as an object. Durations are in ms. */
export interface ConfigOptions {
  /** port to accept on; 0 takes any free one and prints it; default: 8080 */
  readonly port?: number | undefined
  /** address or host name to accept on; default: "127.0.0.1" */
  readonly host?: string | undefined
  /** port of the admin server, which does not run unless this is set; 0 takes any free one */
  readonly adminPort?: number | undefined
  /** origin to forward to, http:// or https://host:port or unix:/path; else the built-in echo */
  readonly upstream?: string | undefined
  /** comma list of the protocols that may become a tunnel, or none; default: "websocket" */
  readonly upgrades?: readonly string[] | string | undefined
  /** signing key; as a flag it shows in the process list, so prefer the variable or a file */
  readonly secret?: string | undefined
  /** path of a file with the signing key in it */
  readonly secretFile?: string | undefined
  /** how the signing key is written: hex, base64url or utf8; default: "hex" */
  readonly secretEncoding?: 'hex' | 'base64url' | 'utf8' | undefined
  /** user that the token names; default: "username" */
  readonly user?: string | undefined
  /** field that carries the token upstream; default: "x-my-jwt" */
  readonly jwtHeader?: string | undefined
  /** comma list of the methods whose requests get a token, or * for all of them; default: "*" */
  readonly jwtMethods?: readonly string[] | string | undefined
  /** octets: size of the head of a message; default: 16384 */
  readonly maxHeadSize?: number | undefined
  /** octets: size of a request-target, at most that of a head; default: 8192 */
  readonly maxTargetSize?: number | undefined
  /** field lines in one message; default: 100 */
  readonly maxFields?: number | undefined
  /** connections: client connections open at a time; default: 10000 */
  readonly maxConnections?: number | undefined
  /** connections to one origin; default: 256 */
  readonly poolSize?: number | undefined
  /** exchanges that may wait for a connection to an origin; default: 1024 */
  readonly poolQueue?: number | undefined
  /** responses compressed at a time; the others go as they are; default: 128 */
  readonly maxCompressions?: number | undefined
  /** ms: for a request head to arrive whole; default: 10000 */
  readonly headTimeout?: number | undefined
  /** ms: for an idle client connection, which is then closed silently; default: 60000 */
  readonly keepAliveTimeout?: number | undefined
  /** ms: between two pieces of a request body; default: 30000 */
  readonly bodyTimeout?: number | undefined
  /** ms: for a peer that takes no octet of what it is sent; default: 60000 */
  readonly sendTimeout?: number | undefined
  /** ms: for the upstream to accept a connection; default: 5000 */
  readonly connectTimeout?: number | undefined
  /** ms: for a connection to the upstream to come free; default: 5000 */
  readonly poolTimeout?: number | undefined
  /** ms: from the request sent to the whole head of its response; default: 60000 */
  readonly responseTimeout?: number | undefined
  /** ms: between two pieces of a response body; default: 300000 */
  readonly streamTimeout?: number | undefined
  /** ms: for a tunnel without an octet either way; default: 3600000 */
  readonly tunnelTimeout?: number | undefined
  /** ms: for an idle upstream connection; below the 5 s at which Node servers close theirs; default: 4000 */
  readonly poolIdleTimeout?: number | undefined
  /** ms: that an upstream connection carries requests: the next one looks its name up again; default: 300000 */
  readonly poolConnectionAge?: number | undefined
  /** ms: for a client that closed its sending side and may be gone, between octets of its response; default: 2000 */
  readonly halfCloseTimeout?: number | undefined
  /** ms: for running exchanges to end at shutdown; default: 10000 */
  readonly drainTimeout?: number | undefined
  /** a line for every exchange: on or off; default: true */
  readonly accessLog?: true | false | 'on' | 'off' | undefined
  /** traceparent: a client's trace is continued or one begun, told upstream and logged: on or off; default: false */
  readonly trace?: true | false | 'on' | 'off' | undefined
  /** shared: sockets are read into one shared buffer; events: the fallback, by 'data' events; default: "shared" */
  readonly readPath?: 'shared' | 'events' | undefined
  /** TLS on the port that clients connect to */
  readonly tls?: TlsOptions | undefined
  /** peers that begin each connection with a PROXY header, as CIDR blocks */
  readonly proxyProtocol?: readonly string[] | undefined
  /** peers whose X-Forwarded-* and Forwarded are believed, as CIDR blocks */
  readonly trustedProxies?: readonly string[] | undefined
  /** a port for clients that have signet as their forward proxy */
  readonly forward?: ForwardOptions | undefined
  /** keys that tokens are signed with, by name; public ones are at /.well-known/jwks.json */
  readonly keys?: Readonly<Record<string, KeyOptions | readonly KeyOptions[]>> | undefined
  /** the Redis that limits are counted in; needs the package ioredis */
  readonly redis?: RedisOptions | undefined
  /** where requests may be forwarded to, by name */
  readonly upstreams?:
    | Readonly<Record<string, string | readonly (string | TargetOptions)[] | UpstreamOptions>>
    | undefined
  /** which requests go where */
  readonly routes?: readonly RouteOptions[] | undefined
  /** ways to find out who is asking, by name */
  readonly authenticators?: Readonly<Record<string, AuthenticatorOptions>> | undefined
  /** ways to obtain tokens for upstreams, by name */
  readonly credentials?: Readonly<Record<string, CredentialOptions>> | undefined
}
