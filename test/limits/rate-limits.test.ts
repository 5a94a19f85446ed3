import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import type { LimitConfig, RouteConfig } from '../../src/http/gateway.ts'
import { RateLimits } from '../../src/limits/rate-limits.ts'
import { sectionOf } from '../support/sections.ts'

const test = suite('limits/rate-limits')
const made: RateLimits[] = []
test.after.each(() => {
  for (const limits of made.splice(0)) limits.makeWayFor(undefined)
})

const LIMIT: LimitConfig = { requests: 1, window: 60_000, by: 'address', store: 'memory', whenDown: 'open' }
const HEAD = { fields: sectionOf([]) }
const silent = () => undefined

function route(name: string, limit?: Partial<LimitConfig>): RouteConfig {
  return { name, upstream: 'app', path: '/*', ...(limit && { limit: { ...LIMIT, ...limit } }) }
}

function limitsOf(routes: readonly RouteConfig[], before?: RateLimits): RateLimits {
  const limits = new RateLimits(routes, undefined, silent, before)
  made.push(limits)
  return limits
}

/** The failure of one request, `undefined` when it passes; and what the client is told. */
async function ask(
  limits: RateLimits,
  name: string,
): Promise<{ error: ProxyError | undefined; told: string }> {
  let told = ''
  const tellClient = (lines: string) => {
    told += lines
  }
  try {
    await limits.of(name)?.check(HEAD, '192.0.2.1', undefined, undefined, { tellClient })
    return { error: undefined, told }
  } catch (error) {
    if (error instanceof ProxyError) return { error, told }
    throw error
  }
}

test('a route without a limit has nothing to check', () => {
  assert.is(limitsOf([route('free')]).of('free'), undefined)
})

test('the request beyond the limit is refused, and told when to come back; both are told what is left', async () => {
  const limits = limitsOf([route('a', {})])
  const first = await ask(limits, 'a')
  assert.is(first.error, undefined)
  assert.match(first.told, /^RateLimit-Policy: "a";q=1;w=60\r\nRateLimit: "a";r=0;t=60\r\n$/)
  const second = await ask(limits, 'a')
  assert.is(second.error?.code, 'ERR_LIMIT_EXCEEDED')
  assert.equal(second.error?.fields, { 'Retry-After': '60' })
  assert.is(second.told, first.told)
})

test('each route counts for itself', async () => {
  const limits = limitsOf([route('a', {}), route('b', {})])
  await ask(limits, 'a')
  assert.is((await ask(limits, 'b')).error, undefined)
})

test('a limit that stays the same keeps its counts; one that changes begins anew', async () => {
  const before = limitsOf([route('a', {}), route('b', {}), route('c', {})])
  for (const name of ['a', 'b', 'c']) await ask(before, name)
  const after = limitsOf([route('a', {}), route('b', { window: 30_000 }), route('d', {})], before)
  before.makeWayFor(after)
  assert.is((await ask(after, 'a')).error?.code, 'ERR_LIMIT_EXCEEDED')
  assert.is((await ask(after, 'b')).error, undefined)
  assert.is((await ask(after, 'd')).error, undefined)
})

test('a configuration that is not gone by takes nothing with it', async () => {
  const before = limitsOf([route('a', {})])
  await ask(before, 'a')
  limitsOf([route('a', {}), route('b', {})], before).makeWayFor(before)
  assert.is((await ask(before, 'a')).error?.code, 'ERR_LIMIT_EXCEEDED')
})

test('only a limit by subject needs to know who is asking', () => {
  const limits = limitsOf([route('a', { by: 'subject' }), route('b'), route('c', { by: 'field:x' })])
  assert.is(limits.of('a')?.needsIdentity, true)
  assert.is(limits.of('c')?.needsIdentity, false)
})

test('a route cannot count in a Redis that there is not', () => {
  assert.throws(() => limitsOf([route('a', { store: 'redis' })]), /Redis/)
})

test.run()
