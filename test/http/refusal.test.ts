import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FAILURES, type FailureCode, ProxyError } from '../../src/errors.ts'
import { writeRefusal, writeResponse } from '../../src/http/refusal.ts'

const test = suite('http/refusal')

const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT'

/** Takes a response apart: status line, fields by lower-case name, body. */
function parse(text: string): { line: string; fields: Map<string, string>; body: string } {
  const end = text.indexOf('\r\n\r\n')
  const [line = '', ...lines] = text.slice(0, end).split('\r\n')
  const fields = new Map(
    lines.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 2)]),
  )
  assert.is(fields.size, lines.length, 'a field stands twice')
  return { line, fields, body: text.slice(end + 4) }
}

for (const code of Object.keys(FAILURES) as FailureCode[]) {
  const { status, title } = FAILURES[code]
  test(`${code} is answered with ${status} and a problem document that says no more than the code (RFC 9457)`, () => {
    const error = new ProxyError(code, 'secret-message', { cause: new Error('secret-cause') })
    const text = writeRefusal(error, 'id-1', DATE, true, true)
    const { line, fields, body } = parse(text)
    assert.match(line, new RegExp(`^HTTP/1\\.1 ${status} `))
    assert.equal(JSON.parse(body), { type: 'about:blank', title, status, code, requestId: 'id-1' })
    assert.is(fields.get('content-type'), 'application/problem+json')
    assert.is(fields.get('content-length'), String(body.length))
    assert.is(fields.get('cache-control'), 'no-store')
    assert.is(fields.get('date'), DATE)
    assert.is(fields.get('connection'), 'close')
    assert.not.match(text, /secret/)
  })

  test(`${code} ${status === 503 ? 'says when to come back' : 'says nothing of coming back'} (RFC 9110 §10.2.3)`, () => {
    const { fields } = parse(writeRefusal(new ProxyError(code, ''), 'id', DATE, true, true))
    assert.is(fields.get('retry-after'), status === 503 ? '1' : undefined)
  })
}

test('a refusal has the field lines that its error asks for (RFC 9110 §15.5.6)', () => {
  const error = new ProxyError('ERR_METHOD_NOT_ALLOWED', '', { fields: { Allow: 'GET, POST' } })
  assert.is(parse(writeRefusal(error, 'id', DATE, true, true)).fields.get('allow'), 'GET, POST')
})

test('every status that a client can see has a reason phrase', () => {
  for (const [code, { status }] of Object.entries(FAILURES)) {
    if (status === 499) continue // never sent: nobody is left to read it
    const text = writeRefusal(new ProxyError(code as FailureCode, ''), 'id', DATE, false, true)
    assert.match(text, /^HTTP\/1\.1 \d{3} [A-Z][A-Za-z ]+\r\n/)
  }
})

test('a refusal of HEAD has the fields that GET would have, and no body (RFC 9110 §9.3.2)', () => {
  const error = new ProxyError('ERR_POOL_FULL', '')
  const full = writeRefusal(error, 'id', DATE, false, true)
  const head = writeRefusal(error, 'id', DATE, false, false)
  assert.is(head, full.slice(0, full.indexOf('\r\n\r\n') + 4))
})

test('the connection is said to close only when it does (RFC 9112 §9.6)', () => {
  const error = new ProxyError('ERR_POOL_FULL', '')
  assert.is(parse(writeRefusal(error, 'id', DATE, true, true)).fields.get('connection'), 'close')
  assert.is(parse(writeRefusal(error, 'id', DATE, false, true)).fields.get('connection'), undefined)
})

test('Content-Length counts octets, not characters, and the text is ready to be written as latin1', () => {
  const text = writeResponse(200, 'text/plain; charset=utf-8', 'é€', DATE, false, true, 'X-Extra: 1\r\n')
  const { fields, body } = parse(text)
  assert.is(fields.get('content-length'), '5')
  assert.is(fields.get('x-extra'), '1')
  assert.is(Buffer.from(body, 'latin1').toString('utf8'), 'é€')
})

test.run()
