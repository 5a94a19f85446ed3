// The strict parser judges signet, so it is judged here: what it reads, what it refuses, and by which section.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { get, post } from './cases.ts'
import { chunked, head } from './octets.ts'
import { readRequests } from './strict-parser.ts'
import { readResponses } from './strict-response.ts'

const test = suite('conformance/strict-parser')

test('a request is read with all its parts', () => {
  const octets = `${post('X-A:  b \t', 'Transfer-Encoding: chunked')}${chunked(['he', 'llo'], 'X-T: 1\r\n')}`
  const { requests, outcome } = readRequests(octets)
  const [request] = requests
  assert.is(outcome, 'boundary')
  assert.is(request?.method, 'POST')
  assert.is(request?.target, '/case')
  assert.is(request?.host, 'origin.test')
  assert.equal(request?.fields[1], ['X-A', 'b'])
  assert.equal(request?.framing, { kind: 'chunked', codings: [] })
  assert.is(request?.body, 'hello')
  assert.equal(request?.trailers, [['X-T', '1']])
  assert.is(request?.end, octets.length)
})

test('requests are read one behind the other, and an empty line before each is passed over (RFC 9112 §2.2)', () => {
  const { requests } = readRequests(`\r\n${get()}\r\n${post('Content-Length: 5')}hello${get()}`)
  assert.equal(
    requests.map(({ body }) => body),
    ['', 'hello', ''],
  )
})

test('nothing is read behind a request that closes (RFC 9112 §9.6)', () => {
  assert.is(readRequests(get('Connection: close') + get()).requests.length, 1)
  assert.is(readRequests(head('GET / HTTP/1.0') + get()).outcome, 'closed')
})

const whole = post('Content-Length: 5', 'X-A: b').replace('\r\n\r\n', '\r\n\r\nhello')
for (const [what, octets] of [
  ['a length', whole],
  ['chunks', `${post('Transfer-Encoding: chunked')}${chunked(['hello'], 'X-T: 1\r\n')}`],
] as const) {
  for (let cut = 1; cut < octets.length; cut++) {
    test(`a request with ${what} that ends after octet ${cut} is incomplete, and no complaint`, () => {
      assert.is(readRequests(octets.slice(0, cut)).outcome, 'incomplete')
    })
  }
}

/** What is refused, and by which section. */
const REFUSED: readonly (readonly [string, string, string])[] = [
  ['two blanks in the request line', head('GET  / HTTP/1.1', 'Host: a'), 'RFC 9112 §3'],
  ['a method that is no token', head('G(T / HTTP/1.1', 'Host: a'), 'RFC 9112 §3.1'],
  ['a fragment', head('GET /#a HTTP/1.1', 'Host: a'), 'RFC 9112 §3.2'],
  ['userinfo', head('GET http://a@b/ HTTP/1.1', 'Host: b'), 'RFC 9112 §3.2'],
  ['a broken percent-encoding', head('GET /%zz HTTP/1.1', 'Host: a'), 'RFC 9112 §3.2'],
  ['an asterisk for GET', head('GET * HTTP/1.1', 'Host: a'), 'RFC 9112 §3.2'],
  ['a lower-case version', head('GET / http/1.1', 'Host: a'), 'RFC 9112 §2.3'],
  ['HTTP/2.0', head('GET / HTTP/2.0', 'Host: a'), 'RFC 9110 §2.5'],
  ['two empty lines first', `\r\n\r\n${get()}`, 'RFC 9112 §3.1'],
  ['a bare LF', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 'RFC 9112 §2.2'],
  ['a bare CR', get('X-A: a\rb'), 'RFC 9112 §2.2'],
  ['obs-fold', get('X-A: a\r\n b'), 'RFC 9112 §5.2'],
  ['a blank before the colon', get('X-A : b'), 'RFC 9112 §5.1'],
  ['a name that is no token', get('X(A: b'), 'RFC 9110 §5.1'],
  ['NUL in a value', get('X-A: a\0b'), 'RFC 9110 §5.5'],
  ['no Host', head('GET / HTTP/1.1'), 'RFC 9112 §3.2'],
  ['two Hosts', head('GET / HTTP/1.1', 'Host: a', 'Host: a'), 'RFC 9112 §3.2'],
  ['an IPv6 address of nine groups', head('GET / HTTP/1.1', 'Host: [1:2:3:4:5:6:7:8:9]'), 'RFC 9112 §3.2'],
  ['both framings', post('Content-Length: 5', 'Transfer-Encoding: chunked'), 'RFC 9112 §6.3'],
  ['two lengths', post('Content-Length: 5', 'Content-Length: 5'), 'RFC 9112 §6.3'],
  ['a list of lengths', post('Content-Length: 5, 5'), 'RFC 9110 §8.6'],
  ['a signed length', post('Content-Length: +5'), 'RFC 9110 §8.6'],
  ['chunked that is not last', post('Transfer-Encoding: chunked, gzip'), 'RFC 9112 §6.3'],
  ['chunked twice', post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), 'RFC 9112 §6.1'],
  ['a parameter of chunked', post('Transfer-Encoding: chunked;a'), 'RFC 9112 §7'],
  ['chunked in HTTP/1.0', head('POST / HTTP/1.0', 'Transfer-Encoding: chunked'), 'RFC 9112 §6.1'],
  [
    'a chunk size in hexadecimal with a prefix',
    `${post('Transfer-Encoding: chunked')}0x5\r\nhello\r\n0\r\n\r\n`,
    'RFC 9112 §7.1.1',
  ],
  [
    'a blank behind a chunk size',
    `${post('Transfer-Encoding: chunked')}5 \r\nhello\r\n0\r\n\r\n`,
    'RFC 9112 §7.1.1',
  ],
  [
    'chunk data without its line end',
    `${post('Transfer-Encoding: chunked')}5\r\nhello0\r\n\r\n`,
    'RFC 9112 §7.1',
  ],
  [
    'a bare LF behind a chunk size',
    `${post('Transfer-Encoding: chunked')}5\nhello\r\n0\r\n\r\n`,
    'RFC 9112 §2.2',
  ],
  ['obs-fold in trailers', `${post('Transfer-Encoding: chunked')}0\r\nX-T: 1\r\n 2\r\n\r\n`, 'RFC 9112 §5.2'],
  ['TRACE with content', head('TRACE / HTTP/1.1', 'Host: a', 'Content-Length: 5'), 'RFC 9110 §9.3.8'],
]
for (const [what, octets, section] of REFUSED) {
  test(`${what} is refused by ${section}`, () => {
    const { outcome, complaint } = readRequests(octets)
    assert.is(outcome, 'refused')
    assert.is(complaint?.rfc, section)
  })
}

test('a chunk size of any length is a number without overflow', () => {
  const { outcome, unfinished } = readRequests(
    `${post('Transfer-Encoding: chunked')}10000000000000005\r\nhello\r\n0\r\n\r\n`,
  )
  assert.is(outcome, 'incomplete')
  assert.is(unfinished?.chunks.digits, 17)
})

const GET = { method: 'GET', minor: 1 }

test('responses are read with their interim ones, and matched to what was asked', () => {
  const octets = `${head('HTTP/1.1 103 Early', 'Link: <a>')}${head('HTTP/1.1 200 OK', 'Content-Length: 5')}hello${head('HTTP/1.1 304 Same', 'Content-Length: 5')}`
  const { responses, interims, complaint } = readResponses(octets, [GET, GET], 'open')
  assert.is(complaint, undefined)
  assert.equal(
    responses.map(({ status, body }) => [status, body]),
    [
      [200, 'hello'],
      [304, ''],
    ],
  )
  assert.equal(
    interims.map(({ status }) => status),
    [103],
  )
})

/** What no server may send. */
const BAD_RESPONSES: readonly (readonly [string, string])[] = [
  ['a response nobody asked for', `${head('HTTP/1.1 204 No')}${head('HTTP/1.1 204 No')}`],
  ['octets behind the last response', `${head('HTTP/1.1 200 OK', 'Content-Length: 5')}hello!`],
  ['a body on 204', head('HTTP/1.1 204 No', 'Content-Length: 5')],
  ['both framings', head('HTTP/1.1 200 OK', 'Content-Length: 5', 'Transfer-Encoding: chunked')],
  ['a status of four digits', head('HTTP/1.1 2000 OK')],
  ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
]
for (const [what, octets] of BAD_RESPONSES) {
  test(`${what} is a complaint`, () => {
    assert.ok(readResponses(octets, [GET], 'open').complaint !== undefined)
  })
}

test('a body until close is whole by FIN alone (RFC 9112 §8)', () => {
  const octets = `${head('HTTP/1.1 200 OK')}hello`
  const completeness = (['fin', 'reset', 'open'] as const).map(
    (ended) => readResponses(octets, [GET], ended).responses[0]?.complete,
  )
  assert.equal(completeness, [true, false, false])
})

test.run()
