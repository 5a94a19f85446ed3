// Requests counted in this process, by rate-limiter-flexible. In: keys. Out: counts. It keeps a bounded number of keys. The
// package, 9 MB with all its stores, loads only where there is a limit.

import type { RateLimiterMemory } from 'rate-limiter-flexible'
import type { LimitConfig } from '../http/gateway.ts'
import { type Count, countBeyond, countFrom, type Limiter } from './limiter.ts'

/** Keys of one limit. Beyond, the one whose window began first is forgotten: a flood of addresses must not fill the memory. */
export const MOST_KEYS = 50_000

/** Counts in memory. */
export class MemoryLimiter implements Limiter {
  readonly #loading: Promise<RateLimiterMemory>
  #limiter: RateLimiterMemory | undefined = undefined
  readonly #mostKeys: number
  /** in the order in which their windows began */
  readonly #keys = new Set<string>()
  /** stands where the oldest are: to look for them from the beginning of the set took 25 µs, past the gaps they leave */
  readonly #oldest = this.#keys.values()

  constructor({ requests, window }: Pick<LimitConfig, 'requests' | 'window'>, mostKeys = MOST_KEYS) {
    this.#loading = this.#load(requests, window / 1000)
    this.#loading.catch(() => undefined) // the first count tells of it
    this.#mostKeys = mostKeys
  }

  count(key: string): Promise<Count> {
    const limiter = this.#limiter
    if (limiter === undefined) return this.#loading.then(() => this.count(key))
    return limiter.consume(key).then((count) => {
      if (count.isFirstInDuration) this.#keep(key, limiter)
      return countFrom(count, false)
    }, countBeyond)
  }

  /** How many keys are kept. */
  get size(): number {
    return this.#keys.size
  }

  close(): void {
    for (const key of this.#keys) {
      void this.#limiter?.delete(key) // its timer too
      this.#keys.delete(key)
    }
  }

  async #load(points: number, duration: number): Promise<RateLimiterMemory> {
    const { RateLimiterMemory } = await import('rate-limiter-flexible')
    this.#limiter = new RateLimiterMemory({ keyPrefix: '', points, duration })
    return this.#limiter
  }

  #keep(key: string, limiter: RateLimiterMemory): void {
    this.#keys.delete(key)
    this.#keys.add(key)
    if (this.#keys.size <= this.#mostKeys) return
    const oldest = this.#oldest.next().value ?? key
    this.#keys.delete(oldest)
    void limiter.delete(oldest)
  }
}
