// What the configuration says about routes and upstreams: plain data, checked, with every file it names read in. It can be
// copied to another process as it is; what is compiled from it lives in http/route-table.ts, net/balancer.ts and net/.

import type { AuthenticatorConfig, RouteAccess } from './authentication.ts'
import type { CredentialConfig, CredentialUse } from './credentials.ts'

/** Where requests are forwarded to. */
export interface Origin {
  /** DNS name or IP address, without brackets; of a Unix socket the word for it in messages */
  readonly host: string
  /** 0 for a Unix socket */
  readonly port: number
  /** as it stands in Host: brackets around IPv6, the default port left out */
  readonly authority: string
  /** path of a Unix socket, in place of host and port */
  readonly socketPath?: string
  /** how it is reached over TLS; absent for plain TCP */
  readonly tls?: OriginTls
}

/** TLS to an upstream. The certificate is always verified: there is no way to say otherwise. */
export interface OriginTls {
  /** name asked for (SNI) and verified; the host unless set. An IP address is verified, but not asked for (RFC 6066 §3). */
  readonly serverName?: string
  /** PEM: the only authorities trusted, in place of those that Node comes with */
  readonly ca?: string
  /** PEM: the client's certificate chain, and its key */
  readonly certificate?: string
  readonly key?: string
}

/** One of the places an upstream can be reached at. */
export interface TargetConfig {
  readonly origin: Origin
  /** share of the requests, relative to the other targets: 1 to 1000 */
  readonly weight: number
}

/** When a target is left alone, and how it comes back. */
export interface EjectionConfig {
  /** failures in a row: no connection, none of an answer, or none in time */
  readonly failures: number
  /** ms that it is left alone */
  readonly duration: number
  /** ms over which its share grows again from a tenth to the whole */
  readonly slowStart: number
}

/** Requests that ask a target how it is. */
export interface HealthConfig {
  /** request-target of a GET */
  readonly path: string
  /** ms from one to the next */
  readonly interval: number
  /** ms for the response head */
  readonly timeout: number
  /** statuses that mean well: from, to */
  readonly statuses: readonly [number, number]
  /** answers in a row that make a target unwell, and well again */
  readonly unhealthy: number
  readonly healthy: number
}

/** A key that tokens can be signed with, as it is written. Several may share a name: the first of them signs. */
export interface KeyConfig {
  readonly name: string
  readonly algorithm: 'HS256' | 'HS384' | 'HS512' | 'ES256' | 'EdDSA' | 'RS256'
  /** of HS*: the secret, as `encoding` (hex unless set) has it */
  readonly secret?: string
  readonly encoding?: 'hex' | 'base64url' | 'utf8'
  /** of the others: PEM, or a JWK as JSON */
  readonly privateKey?: string
  /** its name for verifiers, in place of the one that derives from it */
  readonly kid?: string
}

/** A public key that is not in the configuration any more, and until when it is published: ms since the epoch. */
export interface RetiredKeyConfig {
  readonly jwk: { readonly kid: string; readonly [member: string]: string }
  readonly until: number
}

/** A token of its own for an upstream or a route. */
export interface TokenConfig {
  /** name of a {@link KeyConfig}; the gateway's own secret unless set */
  readonly key?: string
  /** lower-case name of the field that carries it; in `authorization` it is a Bearer (RFC 6750 §2.1) */
  readonly header?: string
  readonly audience?: string | readonly string[]
  readonly issuer?: string
  /** ms until it expires */
  readonly lifetime: number
  /** in place of `payload`: JSON with templates in its texts */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** What an upstream is told with proof. What a route says comes before what its upstream says. */
export interface ToldConfig {
  /** static fields, by lower-case name; those of the route are added to those of its upstream */
  readonly fields?: Readonly<Record<string, string>>
  /** `plain` is the token of the settings, as it is where nothing is said; `none` is none */
  readonly token?: 'plain' | 'none' | TokenConfig
  /** a token of somebody else, which signet obtains and sends in Authorization; `none` is none */
  readonly credential?: 'none' | CredentialUse
}

/** One upstream: a name, and the targets that all do the same. */
export interface UpstreamConfig extends ToldConfig {
  readonly name: string
  /** at least one */
  readonly targets: readonly TargetConfig[]
  readonly balance: 'round-robin' | 'least-busy'
  /** Host: `pass` as received, `target` the authority of the target, or an authority */
  readonly host: string
  readonly ejection: EjectionConfig
  readonly health?: HealthConfig
}

/** How many requests a caller may send. */
export interface LimitConfig {
  /** in one window: 1 to 1,000,000,000 */
  readonly requests: number
  /** ms of a window, which begins with a caller's first request: whole seconds */
  readonly window: number
  /**
   * what callers are told apart by: who they are, or else where they come from; where they come from; the value of a field,
   * by its lower-case name
   */
  readonly by: 'subject' | 'address' | `field:${string}`
  /** where requests are counted: in this process, or in Redis for all that share it */
  readonly store: 'memory' | 'redis'
  /** what becomes of requests that cannot be counted: they pass, or are refused */
  readonly whenDown: 'open' | 'closed'
}

/** The Redis that limits are counted in. */
export interface RedisConfig {
  /** redis:// or rediss://; it may hold a password, and no message repeats it */
  readonly url: string
  /** ms that one command may take */
  readonly timeout: number
}

/** Content codings that signet compresses with, the preferred one first: RFC 7932, RFC 8878, RFC 9110 §8.4.1.3. */
export const ENCODINGS = ['br', 'zstd', 'gzip'] as const

/** One of them. */
export type Encoding = (typeof ENCODINGS)[number]

/** Which responses are compressed for clients that accept it. */
export interface CompressionConfig {
  /** octets: what is known to be smaller is left as it is */
  readonly minSize: number
  /** at least one; the order decides where the client has no preference */
  readonly encodings: readonly Encoding[]
  /** media types, `type/subtype` or `type/*`, lower-case; absent for all that are known to be compressible */
  readonly types?: readonly string[]
}

/** Which requests go where. */
export interface RouteConfig extends RouteAccess, ToldConfig {
  readonly name: string
  /** name of an {@link UpstreamConfig} */
  readonly upstream: string
  /** `example.com` or `*.example.com`, lower-case, without a port; absent for any */
  readonly host?: string
  /** pattern of find-my-way: `/a`, `/a/:b`, `/a/:b([0-9]+)`, `/a/*`; `/*` for any */
  readonly path: string
  /** upper-case; absent for any */
  readonly methods?: readonly string[]
  /** template of the forwarded path; absent for the received one */
  readonly rewrite?: string
  /** absent for as many requests as there may be */
  readonly limit?: LimitConfig
  /** absent for responses that are left as they are */
  readonly compress?: CompressionConfig
}

/** A certificate chain and its key, PEM. */
export interface Certificate {
  readonly certificate: string
  readonly key: string
}

/** A listener for clients that have signet as their forward proxy. */
export interface ForwardConfig {
  readonly host: string
  readonly port: number
  /** where requests may go; what is not in it is refused */
  readonly allow: readonly { readonly host: string; readonly ports: readonly number[] }[]
  /** CIDR blocks of addresses that may be connected to though they are private, link-local or loopback */
  readonly privateAddresses: readonly string[]
}

/** All of it. */
export interface GatewayConfig {
  readonly upstreams: readonly UpstreamConfig[]
  readonly routes: readonly RouteConfig[]
  /** TLS on the listener, absent for plain TCP */
  readonly tls?: Certificate
  /** CIDR blocks of peers that begin each connection with a PROXY header; absent for none */
  readonly proxyProtocol?: readonly string[]
  /** CIDR blocks of peers whose forwarding fields are believed; absent for none */
  readonly trustedProxies?: readonly string[]
  readonly forward?: ForwardConfig
  /** ways to find out who is asking; absent for none */
  readonly authenticators?: readonly AuthenticatorConfig[]
  /** ways to obtain tokens for upstreams; absent for none */
  readonly credentials?: readonly CredentialConfig[]
  /** what tokens of upstreams and routes are signed with, in the order of the configuration */
  readonly keys?: readonly KeyConfig[]
  /** public keys of configurations before this one, whose tokens may still be under way */
  readonly retiredKeys?: readonly RetiredKeyConfig[]
  /** needed where a route counts in it */
  readonly redis?: RedisConfig
}

/** ms that a token of its own lives for, where nothing is said. */
export const DEFAULT_LIFETIME = 60_000

/** Where nothing is said about targets that fail. */
export const DEFAULT_EJECTION: EjectionConfig = { failures: 3, duration: 10_000, slowStart: 10_000 }

/** The gateway without a configuration file: one upstream, which gets everything. */
export function plainGateway(origin: Origin): GatewayConfig {
  const upstream = {
    name: 'upstream',
    targets: [{ origin, weight: 1 }],
    balance: 'round-robin',
    host: 'pass',
    ejection: DEFAULT_EJECTION,
  } as const
  return { upstreams: [upstream], routes: [{ name: 'default', upstream: 'upstream', path: '/*' }] }
}
