// The limits of one configuration. In: its routes, and the limits there were before. Out: what checks a request of a route, or
// nothing where it has no limit. What stays the same keeps its counts.

import { isDeepStrictEqual } from 'node:util'
import { ProxyError } from '../errors.ts'
import type { FieldSection } from '../http/fields.ts'
import type { LimitConfig, RedisConfig, RouteConfig } from '../http/gateway.ts'
import type { Identity } from '../http/identity.ts'
import { limitLines, secondsLeft } from './limit-fields.ts'
import { keyReader } from './limit-key.ts'
import type { Limiter } from './limiter.ts'
import { MemoryLimiter } from './memory-limiter.ts'
import { RedisLimiter } from './redis-limiter.ts'
import { type OnRedis, RedisLink } from './redis-link.ts'

/**
 * Counts a request and lets it pass, or not: a step of admission.
 *
 * @param client the client's address
 * @param notes takes the RateLimit lines for the response, whether it passes or not
 * @returns `identity`
 * @throws {ProxyError} `ERR_LIMIT_EXCEEDED` with Retry-After; `ERR_LIMIT_UNKNOWN` where it cannot be counted and the route wants
 *   it refused then
 */
export type CheckLimit = (
  head: { readonly fields: FieldSection },
  client: string,
  match: unknown,
  identity: Identity | undefined,
  notes: { tellClient(lines: string): void },
) => Promise<Identity | undefined>

/** The limit of one route. */
export interface RouteLimit {
  /** whether it can only be checked when it is known who is asking */
  readonly needsIdentity: boolean
  readonly check: CheckLimit
}

/** A limit, and what it was made from. */
interface Made {
  readonly config: LimitConfig
  readonly limiter: Limiter
}

/** A connection to Redis, and what it was made from. */
interface Link {
  readonly config: RedisConfig
  readonly link: RedisLink
}

/** What there is without any limits. */
const NOTHING: readonly [ReadonlyMap<string, Made>, undefined] = [new Map<string, Made>(), undefined]

/** All limits of a configuration. */
export class RateLimits {
  readonly #made: ReadonlyMap<string, Made>
  readonly #link: Link | undefined

  /**
   * @param before whose counts, and whose connection, are taken over where they are defined alike
   * @throws {RangeError} when a route counts in Redis and there is none
   */
  constructor(
    routes: readonly RouteConfig[],
    redis: RedisConfig | undefined,
    onRedis: OnRedis,
    before: RateLimits | undefined,
  ) {
    const limited = routes.flatMap(({ name, limit }) => (limit === undefined ? [] : [{ name, limit }]))
    const [knownMade, knownLink] = before === undefined ? NOTHING : [before.#made, before.#link]
    const link = limited.some(({ limit }) => limit.store === 'redis')
      ? linkTo(redis, onRedis, knownLink)
      : undefined
    this.#link = link
    this.#made = new Map(
      limited.map(({ name, limit }) => {
        const known = knownMade.get(name)
        const same = known !== undefined && isDeepStrictEqual(known.config, limit)
        if (same && (link === knownLink || limit.store === 'memory')) return [name, known]
        const limiter =
          link === undefined || limit.store === 'memory'
            ? new MemoryLimiter(limit)
            : new RedisLimiter(link.link, name, limit)
        return [name, { config: limit, limiter }]
      }),
    )
  }

  /** What a route asks for. */
  of(route: string): RouteLimit | undefined {
    const made = this.#made.get(route)
    if (made === undefined) return undefined
    return { needsIdentity: made.config.by === 'subject', check: checkBy(route, made) }
  }

  /** Ends what `next` has not taken over. */
  makeWayFor(next: RateLimits | undefined): void {
    const [nextMade, nextLink] = next === undefined ? NOTHING : [next.#made, next.#link]
    const kept = new Set(nextMade.values())
    for (const made of this.#made.values()) if (!kept.has(made)) made.limiter.close()
    if (this.#link !== nextLink) this.#link?.link.close()
  }
}

function linkTo(config: RedisConfig | undefined, onRedis: OnRedis, before: Link | undefined): Link {
  if (config === undefined) throw new RangeError('a route counts in Redis, but there is none')
  if (before !== undefined && isDeepStrictEqual(before.config, config)) return before
  return { config, link: new RedisLink(config, onRedis) }
}

function checkBy(route: string, { config, limiter }: Made): CheckLimit {
  const { by, requests, window, whenDown } = config
  const keyOf = keyReader(by)
  const linesFor = limitLines(route, config)
  // By then() and not await: the promises of four functions in a row took 2 µs a request.
  return (head, client, _match, identity, notes) =>
    limiter.count(keyOf(head, client, identity)).then(
      (count) => {
        notes.tellClient(linesFor(count))
        if (!count.exceeded) return identity
        throw new ProxyError('ERR_LIMIT_EXCEEDED', `more than ${requests} requests in ${window} ms`, {
          fields: { 'Retry-After': String(secondsLeft(count)) },
        })
      },
      (thrown: unknown) => {
        if (whenDown === 'closed' || !(thrown instanceof ProxyError)) throw thrown
        return identity
      },
    )
}
