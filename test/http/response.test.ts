import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { type ResponseHead, readResponse } from '../../src/http/response.ts'

const test = suite('http/response')

const MAX_FIELDS = 20
const parser = createHeadParser({ region: 1024, maxHeadSize: 8192, maxFields: MAX_FIELDS })
const rules = new FieldRules(['x-my-jwt'])

function read(text: string, method = 'GET'): ResponseHead {
  const head = Buffer.from(text, 'latin1')
  return readResponse(parser.parseResponse(head, 0, head.length), rules, method)
}

/** The code that a head fails with; undefined when it does not. Anything but a ProxyError fails the test. */
function codeOf(text: string, method = 'GET'): string | undefined {
  try {
    read(text, method)
    return undefined
  } catch (error) {
    assert.instance(error, ProxyError, `${JSON.stringify(text)}: ${error}`)
    return (error as ProxyError).code
  }
}

/** A 200 with the given field lines, each with its CR LF. */
function withFields(fields: string, minor = 1): ResponseHead {
  return read(`HTTP/1.${minor} 200 OK\r\n${fields}\r\n`)
}

// ── status line (RFC 9112 §4) ─────────────────────────────────────────────────────────────────────────────────

for (const [line, minor, status, reason] of [
  ['HTTP/1.1 200 OK', 1, 200, 'OK'],
  ['HTTP/1.0 200 OK', 0, 200, 'OK'],
  ['HTTP/1.1 404 Not Found', 1, 404, 'Not Found'],
  ['HTTP/1.1 200 ', 1, 200, ''],
  ['HTTP/1.1 200', 1, 200, ''],
  ['HTTP/1.0 500', 0, 500, ''],
  ['HTTP/1.1 200  OK', 1, 200, ' OK'],
  ['HTTP/1.1 200 OK ', 1, 200, 'OK '],
  ['HTTP/1.1 200 \tO\tK', 1, 200, '\tO\tK'],
  ['HTTP/1.1 200 200', 1, 200, '200'],
  ['HTTP/1.1 299 caf\xe9 \x80\xff', 1, 299, 'caf\xe9 \x80\xff'],
  ['HTTP/1.1 100 Continue', 1, 100, 'Continue'],
  ['HTTP/1.1 103 Early Hints', 1, 103, 'Early Hints'],
  ['HTTP/1.1 101 Switching Protocols', 1, 101, 'Switching Protocols'],
  ['HTTP/1.1 199 X', 1, 199, 'X'],
  ['HTTP/1.1 599 X', 1, 599, 'X'],
] as const) {
  test(`the status line ${JSON.stringify(line)} is read as it is (RFC 9112 §4)`, () => {
    for (const fields of ['', 'X: y\r\n']) {
      const head = read(`${line}\r\n${fields}\r\n`)
      assert.equal([head.minor, head.status, head.reason], [minor, status, reason])
    }
  })
}

for (const line of [
  '',
  'HTTP/1.1',
  'HTTP/1.1 ',
  'HTTP/1.1 OK',
  'HTTP/1.1  200 OK',
  'HTTP/1.1\t200 OK',
  'HTTP/1.1 200\tOK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 200OK',
  'HTTP/1.1 0x1 OK',
  'HTTP/1.1 -20 OK',
  'HTTP/1.1 +20 OK',
  'HTTP/1.1 2a0 OK',
  'HTTP/1.1 200.5 OK',
  'HTTP/1.1 200 O\x01K',
  'HTTP/1.1 200 O\0K',
  'HTTP/1.1 200 O\x7fK',
  'HTTP/1.1 200 O\rK',
  'HTTP/1.1 200 O\nK',
  'HTTP/1.1 200 OK\r',
  'HTTP/1.1 200\r',
  'HTTP/1.1 200 OK\n',
  'HTTP/1.2 200 OK',
  'HTTP/0.9 200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/2 200',
  'HTTP/3.0 200 OK',
  'HTTP/1 200 OK',
  'HTTP/1.10 200 OK',
  'HTTP/01.1 200 OK',
  'http/1.1 200 OK',
  'RTSP/1.0 200 OK',
  'ICE/1.0 200 OK',
  'ICY 200 OK',
  ' HTTP/1.1 200 OK',
  '\tHTTP/1.1 200 OK',
  '\rHTTP/1.1 200 OK',
  '\nHTTP/1.1 200 OK',
  '\r\nHTTP/1.1 200 OK',
  '\r\n\r\nHTTP/1.1 200 OK',
  'GET / HTTP/1.1',
  'PRI * HTTP/2.0',
  '200 OK',
  'SSH-2.0-OpenSSH_9.2',
  '\x15\x03\x01\0\x02\x02\x46',
]) {
  test(`the status line ${JSON.stringify(line)} is malformed: 502 (RFC 9112 §4)`, () => {
    assert.is(codeOf(`${line}\r\nX: y\r\n\r\n`), 'ERR_RESPONSE_MALFORMED')
    assert.is(codeOf(`${line}\r\n\r\n`), 'ERR_RESPONSE_MALFORMED')
  })
}

for (const lines of ['\r\n', '\r\n\r\n', '\r\n\r\n\r\n', '\n\r\n\r\n', '\r\r\n\r\n']) {
  test(`empty lines such as ${JSON.stringify(lines)} are no response, and break nothing`, () => {
    assert.is(codeOf(lines), 'ERR_RESPONSE_MALFORMED')
    assert.is(codeOf('HTTP/1.1 200 OK\r\n\r\n'), undefined)
  })
}

test('a status is three digits, from 100 to 599 (RFC 9110 §15)', () => {
  for (let status = 0; status <= 999; status++) {
    const code = codeOf(`HTTP/1.1 ${String(status).padStart(3, '0')} X\r\n\r\n`)
    assert.is(code, status >= 100 && status <= 599 ? undefined : 'ERR_RESPONSE_MALFORMED', String(status))
  }
})

test('no octet put into a status line, instead of one, or left out, makes one that signet takes and RFC 9112 §4 does not', () => {
  const line = 'HTTP/1.1 204 No Content'
  for (let at = 0; at <= line.length; at++) {
    const mutants = [line.slice(0, at) + line.slice(at + 1)]
    for (let octet = 0; octet < 256; octet++) {
      const text = String.fromCharCode(octet)
      mutants.push(line.slice(0, at) + text + line.slice(at), line.slice(0, at) + text + line.slice(at + 1))
    }
    for (const mutant of mutants) {
      if (codeOf(`${mutant}\r\nX: y\r\n\r\n`) !== undefined) continue
      assert.match(mutant, /^HTTP\/1\.[01] [1-5][0-9]{2}( [\t\x20-\x7e\x80-\xff]*)?$/)
    }
  }
})

// ── fields ────────────────────────────────────────────────────────────────────────────────────────────────────

for (const [minor, fields, persistent] of [
  [1, '', true],
  [1, 'Connection: keep-alive\r\n', true],
  [1, 'Proxy-Connection: close\r\n', true],
  [1, 'Connection: close\r\n', false],
  [1, 'Connection: Close, x\r\n', false],
  [1, 'Connection: x\r\nConnection: close\r\n', false],
  [1, 'Connection: close, keep-alive\r\n', false],
  [0, '', false],
  [0, 'Connection: close\r\n', false],
  [0, 'Proxy-Connection: keep-alive\r\n', false],
  [0, 'Connection: keep-alive\r\n', true],
  [0, 'Connection: Keep-Alive, close\r\n', false],
] as const) {
  const what = persistent ? 'may carry another exchange' : 'ends'
  test(`a connection on which HTTP/1.${minor} is answered with ${JSON.stringify(fields)} ${what} (RFC 9112 §9.3)`, () => {
    assert.is(withFields(fields, minor).persistent, persistent)
  })
}

for (const [fields, seconds] of [
  ['', undefined],
  ['Keep-Alive: timeout=5\r\n', 5],
  ['keep-alive: TIMEOUT=5\r\n', 5],
  ['Keep-Alive: timeout=5, max=1000\r\n', 5],
  ['Keep-Alive: max=1000, timeout=15\r\n', 15],
  ['Keep-Alive: max=1000,timeout=15\r\n', 15],
  ['Keep-Alive: timeout=0\r\n', 0],
  ['Keep-Alive: timeout=5\r\nKeep-Alive: timeout=9\r\n', 5],
  ['Keep-Alive:\r\n', undefined],
  ['Keep-Alive: 300\r\n', undefined],
  ['Keep-Alive: timeout\r\n', undefined],
  ['Keep-Alive: timeout=\r\n', undefined],
  ['Keep-Alive: timeout=-5\r\n', undefined],
  ['Keep-Alive: xtimeout=5\r\n', undefined],
  ['Proxy-Connection: timeout=5\r\n', undefined],
  ['Trailer: timeout=5\r\n', undefined],
] as const) {
  test(`${JSON.stringify(fields)} says that the connection lasts ${seconds ?? 'as long as it does'}`, () => {
    assert.is(withFields(fields).keepAliveSeconds, seconds)
  })
}

for (const [fields, hasDate] of [
  ['', false],
  ['Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n', true],
  ['dATE:\r\n', true],
  ['X-Date: x\r\nDat: x\r\nDates: x\r\n', false],
] as const) {
  test(`${JSON.stringify(fields)} ${hasDate ? 'has' : 'has no'} Date (RFC 9110 §6.6.1)`, () => {
    assert.is(withFields(fields).hasDate, hasDate)
  })
}

for (const [fields, upgrade] of [
  ['Connection: Upgrade\r\nUpgrade: WebSocket\r\n', 'websocket'],
  ['Upgrade: websocket\r\nConnection: x, upgrade\r\n', 'websocket'],
  ['Upgrade: websocket\r\n', undefined],
  ['Connection: Upgrade\r\n', undefined],
] as const) {
  test(`101 with ${JSON.stringify(fields)} switches to ${upgrade ?? 'nothing'} (RFC 9110 §15.2.2)`, () => {
    const head = read(`HTTP/1.1 101 Switching Protocols\r\n${fields}X: y\r\n\r\n`)
    assert.is(head.upgrade, upgrade)
    assert.is(head.framing.kind, 'none')
    assert.is(head.fields.count, fields.split('\r\n').length)
  })
}

for (const [fields, nominated] of [
  ['', undefined],
  ['Connection: close\r\n', undefined],
  ['Connection: close, X-Foo\r\n', ['x-foo']],
  ['Connection: a\r\nConnection: b, A\r\n', ['a', 'b']],
] as const) {
  test(`a response with ${JSON.stringify(fields)} nominates ${JSON.stringify(nominated ?? [])} (RFC 9110 §7.6.1)`, () => {
    const found = withFields(fields).nominated
    assert.equal(found && [...found], nominated && [...nominated])
  })
}

for (const [fields, length] of [
  ['', undefined],
  ['Content-Length: 0\r\n', 0],
  ['Content-Length: 5\r\n', 5],
  ['Transfer-Encoding: chunked\r\n', undefined],
] as const) {
  test(`${JSON.stringify(fields)} tells of a length of ${length}, also where no body follows (RFC 9110 §8.6)`, () => {
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 304],
      ['GET', 200],
    ] as const) {
      const head = read(`HTTP/1.1 ${status} X\r\n${fields}\r\n`, method)
      assert.is(head.contentLength, length)
      assert.is(head.framing.kind === 'none', status === 304 || method === 'HEAD' || length === 0)
    }
  })
}

for (const value of ['', '05', '+5', '-5', '5,5', '5, 6', 'x', '5 5', '99999999999999999999']) {
  for (const [method, status] of [
    ['HEAD', 200],
    ['GET', 304],
    ['GET', 204],
    ['GET', 103],
  ] as const) {
    test(`Content-Length ${JSON.stringify(value)} is ambiguous in ${status} to ${method} too, since caches believe it`, () => {
      const head = `HTTP/1.1 ${status} X\r\nContent-Length: ${value}\r\n\r\n`
      assert.is(codeOf(head, method), 'ERR_RESPONSE_AMBIGUOUS')
    })
  }
}

test('a response may have as many field lines as the limit, and no more: 502', () => {
  const lines = (count: number) => `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(count)}\r\n`
  assert.is(read(lines(MAX_FIELDS)).fields.count, MAX_FIELDS)
  assert.is(codeOf(lines(MAX_FIELDS + 1)), 'ERR_RESPONSE_MALFORMED')
})

test('fields that only signet may assert to an upstream mean nothing in a response', () => {
  const head = withFields(
    'x-my-jwt: y\r\nX-Forwarded-For: z\r\nVia: 1.1 a\r\nHost: b, c\r\nTE: x\r\nExpect: y\r\nMax-Forwards: z\r\n',
  )
  assert.is(head.fields.count, 7)
  assert.is(head.persistent, true)
})

test.run()
