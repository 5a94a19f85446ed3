import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LimitConfig } from '../../src/http/gateway.ts'
import { limitLines, secondsLeft } from '../../src/limits/limit-fields.ts'

const test = suite('limits/limit-fields')

const LIMIT: LimitConfig = { requests: 100, window: 60_000, by: 'address', store: 'memory', whenDown: 'open' }

test('the policy and what is left of it (draft-ietf-httpapi-ratelimit-headers-11 §3, §4)', () => {
  const lines = limitLines('all', LIMIT)({ exceeded: false, remaining: 7, resetIn: 12_001 })
  assert.is(lines, 'RateLimit-Policy: "all";q=100;w=60\r\nRateLimit: "all";r=7;t=13\r\n')
})

test('whole seconds, never earlier than the next window', () => {
  const at = (resetIn: number) => secondsLeft({ exceeded: true, remaining: 0, resetIn })
  assert.equal([at(0), at(1), at(1000), at(1001)], [0, 1, 1, 2])
})

test('whatever a route is called, its name is a String (RFC 9651 §3.3.3)', () => {
  const count = { exceeded: false, remaining: 0, resetIn: 0 }
  const nameIn = (route: string) =>
    /^RateLimit-Policy: (.*);q=100;w=60\r\n/.exec(limitLines(route, LIMIT)(count))?.[1]
  assert.is(nameIn('a "b" \\c'), '"a \\"b\\" \\\\c"')
  assert.is(nameIn('/é\r\nX: y'), '"/???X: y"')
})

test.run()
