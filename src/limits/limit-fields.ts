// What a client is told of its limit: RateLimit-Policy and RateLimit, by draft-ietf-httpapi-ratelimit-headers-11 (May 2026),
// and Retry-After (RFC 9110 §10.2.3). In: a policy, a count. Out: whole field lines.

import type { LimitConfig } from '../http/gateway.ts'
import type { Count } from './limiter.ts'

/**
 * Makes what writes the two lines for a count. The policy is known by the name of its route: several routes may have
 * different ones. Nothing tells which key was counted (`pk`, which is optional).
 */
export function limitLines(route: string, { requests, window }: LimitConfig): (count: Count) => string {
  const name = structuredString(route)
  const before = `RateLimit-Policy: ${name};q=${requests};w=${Math.ceil(window / 1000)}\r\nRateLimit: ${name};r=`
  return (count) => `${before}${count.remaining};t=${secondsLeft(count)}\r\n`
}

/** Whole seconds until there is a new window. Retry-After says the same: never earlier than `t` (draft §6). */
export function secondsLeft({ resetIn }: Count): number {
  return Math.ceil(resetIn / 1000)
}

/** A String of RFC 9651 §3.3.3: printable ASCII, in quotes. */
function structuredString(text: string): string {
  return `"${text.replace(/[^ -~]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
