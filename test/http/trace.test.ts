// Trace Context: a trace that can be read is continued with signet as the parent, and any other begins anew.

import { randomFillSync } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createTraceIds, traceOf, withheldWith } from '../../src/http/trace.ts'
import { sectionOf } from '../support/sections.ts'

const test = suite('http/trace')

const ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const nextId = (octets: 8 | 16) => (octets === 8 ? '8' : 'f').repeat(octets * 2)

function traced(lines: readonly string[]) {
  return traceOf(sectionOf(['Host: a.test', ...lines]), nextId)
}

for (const [what, value, flags] of [
  ['a trace', `00-${ID}-${PARENT}-01`, '01'],
  ['one that is not sampled', `00-${ID}-${PARENT}-00`, '00'],
  ['one with a random id', `00-${ID}-${PARENT}-03`, '03'],
  ['flags that nobody knows', `00-${ID}-${PARENT}-ff`, '03'],
  ['a later version', `01-${ID}-${PARENT}-01`, '01'],
  ['a later version with more in it', `cc-${ID}-${PARENT}-01-what-the-future-brings`, '01'],
] as const) {
  test(`${what} is continued, with signet as its parent`, () => {
    assert.equal(traced([`TraceParent:  ${value} `]), {
      id: ID,
      parent: `00-${ID}-${'8'.repeat(16)}-${flags}`,
      continued: true,
    })
  })
}

for (const [what, lines] of [
  ['nothing', []],
  ['an empty value', ['traceparent: ']],
  ['two of them', [`traceparent: 00-${ID}-${PARENT}-01`, `traceparent: 00-${ID}-${PARENT}-01`]],
  ['two in one', [`traceparent: 00-${ID}-${PARENT}-01, 00-${ID}-${PARENT}-01`]],
  ['capital letters', [`traceparent: 00-${ID.toUpperCase()}-${PARENT}-01`]],
  ['a trace of nothing but zeros', [`traceparent: 00-${'0'.repeat(32)}-${PARENT}-01`]],
  ['a parent of nothing but zeros', [`traceparent: 00-${ID}-${'0'.repeat(16)}-01`]],
  ['the version that there is not', [`traceparent: ff-${ID}-${PARENT}-01`]],
  ['more than its version has', [`traceparent: 00-${ID}-${PARENT}-01-more`]],
  ['less', [`traceparent: 00-${ID}-${PARENT}`]],
  ['a longer id', [`traceparent: 00-${ID}a-${PARENT}-01`]],
  ['a later version that goes on without a dash', [`traceparent: 01-${ID}-${PARENT}-011`]],
  ['another spelling of its name', [`trace_parent: 00-${ID}-${PARENT}-01`, `tracestate: a=b`]],
] as const) {
  test(`${what} begins another trace`, () => {
    assert.equal(traced(lines), {
      id: 'f'.repeat(32),
      parent: `00-${'f'.repeat(32)}-${'8'.repeat(16)}-01`,
      continued: false,
    })
  })
}

test('tracestate stays with the trace it speaks of', () => {
  const [mine, other] = [traced([`traceparent: 00-${ID}-${PARENT}-01`]), traced([])]
  const key = { names: new Set(['x-api-key']), checked: 'x-api-key' }
  assert.is(withheldWith(undefined, key), key)
  assert.is(withheldWith(mine, key), key)
  assert.is(withheldWith(mine, undefined), undefined)
  assert.equal(withheldWith(other, undefined), { names: new Set(['tracestate']) })
  assert.equal(withheldWith(other, key), { ...key, names: new Set(['x-api-key', 'tracestate']) })
})

test('ids are hex of their length, and none comes twice, however many are drawn', () => {
  const next = createTraceIds(randomFillSync)
  const all = Array.from({ length: 5000 }, (_, at) => next(at % 3 === 0 ? 16 : 8))
  for (const [at, id] of all.entries()) assert.match(id, at % 3 === 0 ? /^[\da-f]{32}$/ : /^[\da-f]{16}$/)
  assert.is(new Set(all).size, all.length)
})

test.run()
