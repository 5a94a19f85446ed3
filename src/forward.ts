// Where requests go whose clients have signet as their forward proxy. In: request heads in absolute-form, and CONNECT. Out:
// destinations, each with connections of its own; or the refusal.

import { isDeepStrictEqual } from 'node:util'
import { ProxyError } from './errors.ts'
import type { Destination } from './destination.ts'
import { DEFAULT_EJECTION, type ForwardConfig, type Origin, type UpstreamConfig } from './http/gateway.ts'
import type { RequestHead } from './http/request.ts'
import type { RouteMatch } from './http/route-table.ts'
import type { Balancer } from './net/balancer.ts'
import type { LookUp } from './net/connector.ts'
import { Destinations } from './net/destinations.ts'
import { LookUps } from './net/look-ups.ts'

/** Destinations with connections of their own. */
const MOST_DESTINATIONS = 128
/** Idle connections that each of them may keep. */
const MOST_IDLE = 2
/** Upstream connections that may be idle all in all, for whoever counts descriptors. */
export const FORWARD_IDLE = MOST_DESTINATIONS * MOST_IDLE

/** A list with nothing on it. */
const NOTHING: ForwardConfig = { host: '', port: 0, allow: [], privateAddresses: [] }

/** How the connections to a destination are made. */
export interface ForwardPoolOptions {
  /** looks names up, and gives no address that must not be connected to */
  readonly lookUp: LookUp
  /** connections that may be idle at a time */
  readonly maxIdle: number
}

/** The destinations that clients of a forward proxy have asked for. */
export class ForwardTable {
  readonly #createBalancer: (upstream: UpstreamConfig, options: ForwardPoolOptions) => Balancer
  readonly #lookUps = new LookUps()
  #config: ForwardConfig
  #destinations: Destinations
  /** by authority, the one used longest ago first */
  readonly #matches = new Map<string, RouteMatch<Destination>>()

  /** @param createBalancer makes what holds the connections to one destination */
  constructor(
    config: ForwardConfig,
    createBalancer: (upstream: UpstreamConfig, options: ForwardPoolOptions) => Balancer,
  ) {
    this.#createBalancer = createBalancer
    this.#config = config
    this.#destinations = new Destinations(config, this.#lookUps)
  }

  /** Goes by another list from now on; by none, where there is no longer a forward proxy: then nothing passes. */
  update(config: ForwardConfig = NOTHING): void {
    if (isDeepStrictEqual(config, this.#config)) return
    this.#destinations = new Destinations(config, this.#lookUps)
    this.#config = config
    for (const balancer of this.balancers) balancer.close()
    this.#matches.clear()
  }

  /**
   * The destination of a request.
   *
   * @throws {ProxyError} `ERR_DESTINATION_FORBIDDEN`; `ERR_TARGET_MALFORMED` for a request that is for an origin server
   */
  find({ method, received, authority }: RequestHead): RouteMatch<Destination> {
    const first = received.charCodeAt(0)
    if (authority === undefined || first === 0x2f || first === 0x2a) {
      throw new ProxyError('ERR_TARGET_MALFORMED', 'a forward proxy is asked in absolute-form, or by CONNECT')
    }
    const origin = this.#destinations.find(authority, method === 'CONNECT' ? 443 : 80)
    const key = `${origin.host} ${origin.port}`
    const match = this.#matches.get(key) ?? this.#make(origin)
    this.#matches.delete(key)
    this.#matches.set(key, match)
    return match
  }

  #make(origin: Origin): RouteMatch<Destination> {
    if (this.#matches.size >= MOST_DESTINATIONS) this.#forgetOldest()
    const upstream = {
      name: 'forward',
      targets: [{ origin, weight: 1 }],
      balance: 'round-robin',
      host: 'pass',
      ejection: DEFAULT_EJECTION,
    } as const
    const { lookup: lookUp } = this.#destinations
    const balancer = this.#createBalancer(upstream, { lookUp, maxIdle: MOST_IDLE })
    return { value: { route: 'forward', upstream: balancer }, target: undefined, params: {} }
  }

  /** What is under way there goes on to its end. */
  #forgetOldest(): void {
    for (const [key, { value }] of this.#matches) {
      value.upstream.close()
      this.#matches.delete(key)
      return
    }
  }

  /** What holds the connections. */
  get balancers(): Balancer[] {
    return Array.from(this.#matches.values(), ({ value }) => value.upstream)
  }
}
