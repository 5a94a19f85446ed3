// What one configuration comes to: its routes, and the upstreams they lead to. In: plain data, and what was there before. Out:
// something to find destinations in. It never changes; a new configuration makes a new one.

import { isDeepStrictEqual } from 'node:util'
import { createAdmission, type OnAdmission } from './admission.ts'
import {
  type AdmissionStep,
  composeAdmission,
  withCredential,
  withLimit,
  withoutAuthorization,
} from './admission-steps.ts'
import type { AuthContext, Authenticator } from './auth/authenticator.ts'
import { type AuthLimits, Authenticators } from './auth/authenticators.ts'
import type { Login } from './auth/session.ts'
import { Compression, type Compressors } from './compression/compression.ts'
import type { CredentialObserver, TokenSource } from './credentials/credential.ts'
import { Credentials } from './credentials/credentials.ts'
import type { Destination } from './destination.ts'
import type { GatewayConfig, RouteConfig, ToldConfig, UpstreamConfig } from './http/gateway.ts'
import { RouteTable } from './http/route-table.ts'
import { RateLimits } from './limits/rate-limits.ts'
import { createChain } from './middleware/chain.ts'
import type { Middleware } from './middleware/middleware.ts'
import type { OnRedis } from './limits/redis-link.ts'
import type { Balancer } from './net/balancer.ts'
import type { Told } from './told.ts'

/** An upstream, and what it was made from. */
interface Made {
  /** without what it is told: that is of the routes, and may change while connections stay */
  readonly config: Omit<UpstreamConfig, keyof ToldConfig>
  readonly balancer: Balancer
}

/** A new balancer, and the one of the same name that there was before. */
interface Fresh {
  readonly balancer: Balancer
  readonly former: Balancer | undefined
}

/** Functions that run around exchanges: no plain data, so they stand beside the configuration. */
export interface RouteMiddleware {
  /** around the exchanges of all routes, outside of what each of them has */
  readonly all: readonly Middleware[]
  /** by name of the route */
  readonly routes: ReadonlyMap<string, readonly Middleware[]>
}

/** What a gateway needs from outside. */
export interface GatewayContext {
  readonly createBalancer: (upstream: UpstreamConfig) => Balancer
  readonly auth: AuthContext
  readonly authLimits: AuthLimits
  readonly onAdmission: OnAdmission
  readonly credentials: CredentialObserver
  /** told when the Redis of the limits stops answering, and when it answers again */
  readonly onRedis: OnRedis
  /** what is compressed in this process, whatever the configuration */
  readonly compressors: Compressors
}

/** Routes and upstreams, compiled. */
export class Gateway {
  readonly routes: RouteTable<Destination>
  /** where one can log in, by path; undefined where one cannot */
  readonly logins: ReadonlyMap<string, Login> | undefined
  readonly #authenticators: Authenticators | undefined
  readonly #credentials: Credentials | undefined
  readonly #upstreams: ReadonlyMap<string, Made>
  readonly #limits: RateLimits

  /**
   * @param before whose upstreams, authenticators, credentials and limits are taken over where they are defined alike, and of upstreams
   *   that are not each target that stays: its connections, what is known of it, what was counted
   * @param tell what is added to the requests of a route; nothing unless given
   * @param middleware what runs around its exchanges; nothing unless given
   * @throws {ConfigError} when a certificate or a key cannot be read; nothing is left of it then, and `before` is as it was
   */
  constructor(
    config: GatewayConfig,
    { createBalancer, auth, authLimits, onAdmission, credentials, onRedis, compressors }: GatewayContext,
    before: Gateway | undefined,
    tell: (upstream: UpstreamConfig, route: RouteConfig) => Told | undefined = () => undefined,
    middleware?: RouteMiddleware,
  ) {
    const fresh: Fresh[] = []
    const make = (upstream: UpstreamConfig): Made => {
      const { fields: _, token: __, credential: ___, ...config } = upstream
      const known = before === undefined ? undefined : before.#upstreams.get(upstream.name)
      if (known !== undefined && isDeepStrictEqual(known.config, config)) return known
      const balancer = createBalancer(upstream)
      fresh.push({ balancer, former: known?.balancer })
      return { config, balancer }
    }
    const { routes, redis } = config
    this.#limits = new RateLimits(routes, redis, onRedis, before === undefined ? undefined : before.#limits)
    try {
      this.#upstreams = new Map(config.upstreams.map((upstream) => [upstream.name, make(upstream)]))
      const known = before === undefined ? undefined : before.#authenticators
      this.#authenticators =
        config.authenticators && new Authenticators(config.authenticators, auth, authLimits, known)
      this.#credentials =
        config.credentials &&
        new Credentials(
          config.credentials,
          { clock: auth.clock, observer: credentials },
          before === undefined ? undefined : before.#credentials,
        )
      const { logins } = this.#authenticators ?? {}
      this.logins = logins !== undefined && logins.size > 0 ? logins : undefined
      const several = routes.length > 1 // a single one tells nothing in a log
      const configs = new Map(config.upstreams.map((upstream) => [upstream.name, upstream]))
      this.routes = new RouteTable(routes, (route) => {
        const { name, upstream, authenticate, compress } = route
        const made = this.#upstreams.get(upstream)
        if (made === undefined) throw new RangeError(`route ${name}: no upstream is named ${upstream}`)
        const asked = authenticate?.map((one) => this.#authenticator(one))
        const admission = asked && createAdmission(route, asked, onAdmission)
        const configured = configs.get(upstream)!
        const source = this.#sourceOf(route.credential ?? configured.credential)
        const asking: readonly AdmissionStep[] = admission
          ? [(head, client, match, _known, notes) => admission.admit(head, client, match, notes.trace)]
          : []
        const steps = withCredential(withLimit(asking, this.#limits.of(name)), source, credentials.onResult)
        const admit = composeAdmission(steps)
        const chain =
          middleware && createChain(name, [...middleware.all, ...(middleware.routes.get(name) ?? [])])
        return {
          route: several ? name : undefined,
          upstream: made.balancer,
          told: tell(configured, route),
          ...(admission && { withheld: admission.withheld }),
          ...(source && {
            withheld: withoutAuthorization(admission?.withheld),
            onUnauthorized: source.onUnauthorized.bind(source),
          }),
          ...(admit && { admit }),
          ...(chain && { middleware: chain }),
          ...(compress && { compression: new Compression(compress, compressors) }),
        }
      })
    } catch (thrown) {
      for (const { balancer } of fresh) balancer.destroy()
      this.#authenticators?.makeWayFor(before === undefined ? undefined : before.#authenticators)
      this.#credentials?.makeWayFor(before === undefined ? undefined : before.#credentials)
      this.#limits.makeWayFor(before === undefined ? undefined : before.#limits)
      throw thrown
    }
    // Only now: what was taken over must not be destroyed with what came to nothing.
    for (const { balancer, former } of fresh) if (former !== undefined) balancer.takeOver(former)
  }

  #authenticator(name: string): Authenticator {
    if (this.#authenticators === undefined) throw new RangeError(`no authenticator is named ${name}`)
    return this.#authenticators.get(name)
  }

  #sourceOf(credential: ToldConfig['credential']): TokenSource | undefined {
    if (credential === undefined || credential === 'none') return undefined
    if (this.#credentials === undefined) throw new RangeError(`no credential is named ${credential.use}`)
    return this.#credentials.sourceOf(credential)
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
    this.#authenticators?.makeWayFor(next.#authenticators)
    this.#credentials?.makeWayFor(next.#credentials)
    this.#limits.makeWayFor(next.#limits)
  }

  /** Ends everything that is not a balancer: nothing asks for it any more. */
  end(): void {
    this.#authenticators?.makeWayFor(undefined)
    this.#credentials?.makeWayFor(undefined)
    this.#limits.makeWayFor(undefined)
  }
}
