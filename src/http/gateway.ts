// What the configuration says about routes and upstreams: plain data, checked, with every file it names read in. It can be
// copied to another process as it is; what is compiled from it lives in http/route-table.ts, net/balancer.ts and net/.

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

/** One upstream: a name, and the targets that all do the same. */
export interface UpstreamConfig {
  readonly name: string
  /** at least one */
  readonly targets: readonly TargetConfig[]
  readonly balance: 'round-robin' | 'least-busy'
  /** Host: `pass` as received, `target` the authority of the target, or an authority */
  readonly host: string
  readonly ejection: EjectionConfig
  readonly health?: HealthConfig
}

/** Which requests go where. */
export interface RouteConfig {
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
}

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
