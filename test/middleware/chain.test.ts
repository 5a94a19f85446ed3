// The middleware of a route in order, and answers that cannot be given.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { createAnswer } from '../../src/middleware/answer.ts'
import { createChain, middlewareProblem } from '../../src/middleware/chain.ts'
import type { MiddlewareFunction } from '../../src/middleware/middleware.ts'

const chain = suite('middleware/chain')
const run: MiddlewareFunction = function* addsNothing() {
  yield
}

chain('no middleware is no chain', () => {
  assert.is(createChain('all', []), undefined)
})

chain('a function alone stands in the phase proxy; each has a name for the log', () => {
  const made = createChain('all', [
    run,
    { phase: 'target-edge', run, name: 'last' },
    { phase: 'client-edge', run },
    (() => function* () {})(),
  ])
  const names = Object.entries(made!.phases).map(([phase, all]) => [phase, all.map(({ name }) => name)])
  assert.equal(names, [
    ['client-edge', ['addsNothing']],
    ['proxy', ['addsNothing', 'a middleware without a name']],
    ['target-edge', ['last']],
  ])
})

chain('what is no middleware is told so', () => {
  assert.is(middlewareProblem(run), undefined)
  assert.is(middlewareProblem({ phase: 'proxy', run }), undefined)
  for (const value of [undefined, null, 'a', 1, {}, { phase: 'proxy' }, { run: 'a', phase: 'proxy' }])
    assert.match(middlewareProblem(value)!, /^expected a generator function/)
  for (const phase of [undefined, 'edge', 500])
    assert.is(middlewareProblem({ phase, run }), 'expected a phase of client-edge, proxy, target-edge')
})

chain.run()

const answer = suite('middleware/answer')
const RULES = new FieldRules(['x-my-jwt'])

answer('a text is UTF-8, with the length of its octets', () => {
  const { head, body } = createAnswer({ status: 200, body: 'é' }, RULES)
  assert.equal(head.framing, { kind: 'length', length: 2 })
  assert.is(body.toString(), 'é')
  assert.is(head.fields.value(0), 'text/plain; charset=utf-8')
})

answer('octets are copied, and are of the type that is said', () => {
  const octets = new Uint8Array([1, 2])
  const { head, body } = createAnswer(
    { status: 404, body: octets, fields: { 'Content-Type': 'a/b', Date: 'D' } },
    RULES,
  )
  octets[0] = 9
  assert.is(body[0], 1)
  assert.is(head.fields.count, 2)
  assert.ok(head.hasDate)
  assert.is(head.reason, 'Not Found')
})

answer('204 and 304 have no length, 205 has none but that', () => {
  assert.is(createAnswer({ status: 204 }, RULES).head.framing.kind, 'none')
  assert.is(createAnswer({ status: 304 }, RULES).head.contentLength, undefined)
  assert.is(createAnswer({ status: 205 }, RULES).head.contentLength, 0)
  for (const status of [204, 205, 304])
    assert.throws(() => createAnswer({ status, body: 'a' }, RULES), /has no body/)
})

answer('what cannot be sent is refused', () => {
  for (const status of [0, 100, 101, 199, 600, 200.5, Number.NaN, '200' as unknown as number])
    assert.throws(() => createAnswer({ status }, RULES), /no status of a final response/)
  for (const fields of [
    { 'x-my-jwt': 'a' },
    { Connection: 'close' },
    { 'Content-Length': '1' },
    { a: 'b\r\nc' },
  ])
    assert.throws(
      () => createAnswer({ status: 200, fields: fields as Record<string, string> }, RULES),
      TypeError,
    )
  assert.throws(() => createAnswer({ status: 200, body: 1 as unknown as string }, RULES), TypeError)
})

answer.run()
