// What every way of counting has in common: a key goes in, how much is left comes out.

import type { RateLimiterRes } from 'rate-limiter-flexible'

/** Where a caller stands after one more request. */
export interface Count {
  /** whether it was one too many */
  readonly exceeded: boolean
  /** requests left in this window */
  readonly remaining: number
  /** ms until the next window */
  readonly resetIn: number
}

/** Counts the requests of many callers by one policy. */
export interface Limiter {
  /** Counts one request. @throws {ProxyError} `ERR_LIMIT_UNKNOWN`, within the deadline of its store */
  count(key: string): Promise<Count>
  /** Forgets all that is kept in this process. */
  close(): void
}

/** A {@link Count}, from what `rate-limiter-flexible` says. */
export function countFrom({ remainingPoints, msBeforeNext }: RateLimiterRes, exceeded: boolean): Count {
  return { exceeded, remaining: Math.max(0, remainingPoints), resetIn: Math.max(0, msBeforeNext) }
}

/**
 * The same from what it rejects with, which is no error where a request was one too many.
 *
 * @throws what it rejects with otherwise
 */
export function countBeyond(thrown: unknown): Count {
  if (thrown instanceof Error) throw thrown
  return countFrom(thrown as RateLimiterRes, true)
}
