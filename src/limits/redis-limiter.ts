// Requests counted in Redis, by rate-limiter-flexible, for all processes and machines that share it. In: keys. Out: counts.

import type { Redis } from 'ioredis'
import type { RateLimiterRedis } from 'rate-limiter-flexible'
import type { LimitConfig } from '../http/gateway.ts'
import { type Count, countBeyond, countFrom, type Limiter } from './limiter.ts'
import type { RedisLink } from './redis-link.ts'

/** Counts in Redis, where each key is gone with its window. */
export class RedisLimiter implements Limiter {
  readonly #link: RedisLink
  readonly #policy: Pick<LimitConfig, 'requests' | 'window'>
  readonly #prefix: string
  #limiter: RateLimiterRedis | undefined = undefined

  /** @param route part of the names of keys: whoever has a route of this name and this policy shares them */
  constructor(link: RedisLink, route: string, policy: Pick<LimitConfig, 'requests' | 'window'>) {
    this.#link = link
    this.#policy = policy
    this.#prefix = `signet:${route}:${policy.requests}/${policy.window}`
  }

  count(key: string): Promise<Count> {
    return this.#link.ask(async (client) => {
      const limiter = (this.#limiter ??= await this.#create(client))
      return limiter.consume(key).then((count) => countFrom(count, false), countBeyond)
    })
  }

  close(): void {
    // Nothing is kept here, and the link has its own owner.
  }

  async #create(storeClient: Redis): Promise<RateLimiterRedis> {
    const { RateLimiterRedis } = await import('rate-limiter-flexible')
    const { requests: points, window } = this.#policy
    return new RateLimiterRedis({
      storeClient,
      keyPrefix: this.#prefix,
      points,
      duration: window / 1000,
      rejectIfRedisNotReady: true,
    })
  }
}
