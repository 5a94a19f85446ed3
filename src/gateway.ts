// What one configuration comes to: its routes, and the upstreams they lead to. In: plain data, and what was there before. Out:
// something to find destinations in. It never changes; a new configuration makes a new one.

import { isDeepStrictEqual } from 'node:util'
import type { Destination } from './exchange.ts'
import type { GatewayConfig, UpstreamConfig } from './http/gateway.ts'
import { RouteTable } from './http/route-table.ts'
import type { Balancer } from './net/balancer.ts'

/** An upstream, and what it was made from. */
interface Made {
  readonly config: UpstreamConfig
  readonly balancer: Balancer
}

/** A new balancer, and the one of the same name that there was before. */
interface Fresh {
  readonly balancer: Balancer
  readonly former: Balancer | undefined
}

/** Routes and upstreams, compiled. */
export class Gateway {
  readonly routes: RouteTable<Destination>
  readonly #upstreams: ReadonlyMap<string, Made>

  /**
   * @param before whose upstreams are taken over where they are defined alike, and of those that are not each target that
   *   stays: its connections, and what is known of it
   * @throws {ConfigError} when a certificate or a key cannot be read; nothing is left of it then, and `before` is as it was
   */
  constructor(
    config: GatewayConfig,
    createBalancer: (upstream: UpstreamConfig) => Balancer,
    before: Gateway | undefined,
  ) {
    const fresh: Fresh[] = []
    const make = (upstream: UpstreamConfig): Made => {
      const known = before === undefined ? undefined : before.#upstreams.get(upstream.name)
      if (known !== undefined && isDeepStrictEqual(known.config, upstream)) return known
      const balancer = createBalancer(upstream)
      fresh.push({ balancer, former: known?.balancer })
      return { config: upstream, balancer }
    }
    try {
      this.#upstreams = new Map(config.upstreams.map((upstream) => [upstream.name, make(upstream)]))
      const several = config.routes.length > 1 // a single one tells nothing in a log
      this.routes = new RouteTable(config.routes, ({ name, upstream }) => {
        const made = this.#upstreams.get(upstream)
        if (made === undefined) throw new RangeError(`route ${name}: no upstream is named ${upstream}`)
        return { route: several ? name : undefined, upstream: made.balancer }
      })
    } catch (thrown) {
      for (const { balancer } of fresh) balancer.destroy()
      throw thrown
    }
    // Only now: what was taken over must not be destroyed with what came to nothing.
    for (const { balancer, former } of fresh) if (former !== undefined) balancer.takeOver(former)
  }

  /** All upstreams, in the order of the configuration. */
  get balancers(): Balancer[] {
    return Array.from(this.#upstreams.values(), ({ balancer }) => balancer)
  }

  /** Closes what `next` has not taken over: what is idle at once, and the rest as soon as its exchange is over. */
  makeWayFor(next: Gateway): void {
    const balancers = new Set(next.balancers)
    const pools = new Set(next.balancers.flatMap((balancer) => balancer.pools))
    for (const balancer of this.balancers) if (!balancers.has(balancer)) balancer.close(pools)
  }
}
