import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { type RequestHead, readRequest } from '../../src/http/request.ts'
import type { TargetForms } from '../../src/http/request-target.ts'

const test = suite('http/request')

const MAX_TARGET_SIZE = 64
const parser = createHeadParser({ region: 1024, maxHeadSize: 8192, maxFields: 100 })
const rules = new FieldRules(['x-my-jwt'])

function read(text: string, forms?: TargetForms): RequestHead {
  const head = Buffer.from(text, 'latin1')
  return readRequest(parser.parseRequest(head, 0, head.length), rules, MAX_TARGET_SIZE, forms)
}

/** The code that a head is refused with; undefined when it is not. Anything but a ProxyError fails the test. */
function codeOf(text: string, forms?: TargetForms): string | undefined {
  try {
    read(text, forms)
    return undefined
  } catch (error) {
    assert.instance(error, ProxyError, `${JSON.stringify(text)}: ${error}`)
    return (error as ProxyError).code
  }
}

/** A GET with a Host and the given field lines, each with its CR LF. */
function withFields(fields: string, minor = 1): RequestHead {
  return read(`GET / HTTP/1.${minor}\r\nHost: a\r\n${fields}\r\n`)
}

// ── request line (RFC 9112 §3) ────────────────────────────────────────────────────────────────────────────────

/** Every method that llhttp knows in HTTP, but for CONNECT, which signet does not do, and PRI, which is none. */
const METHODS = (
  'ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH ' +
  'POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE'
).split(' ')

for (const method of METHODS) {
  test(`${method} is a method (RFC 9110 §16.1)`, () => {
    assert.is(read(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).method, method)
  })
  test(`${method.toLowerCase()} is not the method ${method}: methods are case-sensitive (RFC 9110 §9.1)`, () => {
    assert.is(codeOf(`${method.toLowerCase()} / HTTP/1.1\r\nHost: a\r\n\r\n`), 'ERR_METHOD_UNKNOWN')
  })
  test(`what only begins like ${method}, or with it, is another method`, () => {
    const shorter = method.slice(0, -1)
    assert.is(codeOf(`${shorter} / HTTP/1.1\r\nHost: a\r\n\r\n`), 'ERR_METHOD_UNKNOWN')
    assert.is(codeOf(`${method}Z / HTTP/1.1\r\nHost: a\r\n\r\n`), 'ERR_METHOD_UNKNOWN')
  })
}

for (const method of ['X', 'BREW', 'Get', "!#$%&'*+-.^_`|~0", 'G', 'GET-', 'A'.repeat(1000)]) {
  test(`${method.slice(0, 20)} is a method that nobody here knows: 501 (RFC 9110 §9.1)`, () => {
    assert.is(codeOf(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`), 'ERR_METHOD_UNKNOWN')
  })
}

test('CONNECT is not done here: 501', () => {
  assert.is(codeOf('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'), 'ERR_CONNECT_UNSUPPORTED')
})

const FORWARD = { scheme: 'http', takesConnect: true } as const

test('a forward proxy takes CONNECT, and nothing behind it for a request (RFC 9110 §9.3.6)', () => {
  for (const minor of [0, 1]) {
    const head = read(
      `CONNECT a:443 HTTP/1.${minor}\r\nHost: a:443\r\nConnection: keep-alive\r\n\r\n`,
      FORWARD,
    )
    assert.equal(
      [head.method, head.target, head.authority, head.persistent],
      ['CONNECT', 'a:443', 'a:443', false],
    )
    assert.is(head.framing.kind, 'none')
  }
})

for (const framing of ['Content-Length: 5', 'Content-Length: 0', 'Transfer-Encoding: chunked']) {
  test(`CONNECT with ${framing} is ambiguous (RFC 9110 §9.3.6)`, () => {
    const text = `CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n${framing}\r\n\r\n`
    assert.is(codeOf(text, FORWARD), 'ERR_FRAMING_AMBIGUOUS')
  })
}

for (const method of [
  'ANNOUNCE',
  'DESCRIBE',
  'FLUSH',
  'GET_PARAMETER',
  'PAUSE',
  'PLAY',
  'RECORD',
  'SETUP',
  'TEARDOWN',
]) {
  test(`${method}, which llhttp knows from RTSP, is refused`, () => {
    assert.is(codeOf(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`), 'ERR_HEAD_MALFORMED')
    assert.is(codeOf(`${method} / RTSP/1.0\r\nHost: a\r\n\r\n`), 'ERR_VERSION_UNSUPPORTED')
  })
}

for (const [line, code] of [
  ['GET / HTTP/1.1', undefined],
  ['GET / HTTP/1.0', undefined],
  ['GET http://b/x HTTP/1.1', undefined],
  ['OPTIONS * HTTP/1.1', undefined],
  // blanks
  ['GET  / HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET /  HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET / HTTP/1.1 ', 'ERR_VERSION_UNSUPPORTED'],
  [' GET / HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET\t/ HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET /\tHTTP/1.1', 'ERR_TARGET_MALFORMED'],
  ['GET\v/ HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET\xa0/ HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET /a b HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET/ HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET /HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['/ HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET HTTP/1.1', 'ERR_TARGET_MALFORMED'],
  ['GET  HTTP/1.1', 'ERR_TARGET_MALFORMED'],
  ['', 'ERR_HEAD_MALFORMED'],
  // line ends
  ['GET / HTTP/1.1\r', 'ERR_HEAD_MALFORMED'],
  ['GET / HTTP/1.1\n', 'ERR_VERSION_UNSUPPORTED'],
  ['GET /\r HTTP/1.1', 'ERR_TARGET_MALFORMED'],
  ['GET /\n HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET \r/ HTTP/1.1', 'ERR_TARGET_MALFORMED'],
  ['GET \n/ HTTP/1.1', 'ERR_TARGET_MALFORMED'],
  ['GET\r\n/ HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['\rGET / HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['\nGET / HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['\r\nGET / HTTP/1.1', 'ERR_HEAD_MALFORMED'],
  // versions (RFC 9112 §2.3)
  ['GET /', 'ERR_HEAD_MALFORMED'],
  ['GET / ', 'ERR_HEAD_MALFORMED'],
  ['GET / HTTP', 'ERR_HEAD_MALFORMED'],
  ['GET / HTTP/', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/1', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/1.', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/11', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/1,1', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/1.10', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/01.1', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/ 1.1', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/1 .1', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/1.1x', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/0.9', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/1.2', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/1.9', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/2.0', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / HTTP/3.0', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / http/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET / Http/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET / HTTPS/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET / XTTP/1.1', 'ERR_HEAD_MALFORMED'],
  ['GET / RTSP/1.0', 'ERR_VERSION_UNSUPPORTED'],
  ['OPTIONS / RTSP/1.0', 'ERR_VERSION_UNSUPPORTED'],
  ['GET / ICE/1.0', 'ERR_HEAD_MALFORMED'],
  ['SOURCE / ICE/1.0', 'ERR_HEAD_MALFORMED'],
  ['PRI * HTTP/2.0', 'ERR_VERSION_UNSUPPORTED'],
  ['PRI * HTTP/1.1', 'ERR_VERSION_UNSUPPORTED'],
  ['PRI / HTTP/1.1', 'ERR_VERSION_UNSUPPORTED'],
  // other protocols on this port
  ['\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 'ERR_HEAD_MALFORMED'],
  ['HTTP/1.1 200 OK', 'ERR_HEAD_MALFORMED'],
  ['EHLO a.test', 'ERR_METHOD_UNKNOWN'],
  ['\0', 'ERR_HEAD_MALFORMED'],
] as const) {
  test(`the request line ${JSON.stringify(line)} ${code === undefined ? 'is read' : `is ${code}`} (RFC 9112 §3)`, () => {
    assert.is(codeOf(`${line}\r\nHost: a\r\n\r\n`), code)
    if (code !== undefined) assert.ok(codeOf(`${line}\r\n\r\n`)?.startsWith('ERR_'), 'without fields')
  })
}

/** RFC 9112 §3, with the targets of RFC 9112 §3.2 that are understood and not yet judged. */
const REQUEST_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+ HTTP\/1\.[01]$/

for (const line of ['GET / HTTP/1.1', 'POST http://b.test/x?y HTTP/1.0', 'OPTIONS * HTTP/1.1']) {
  test(`no octet put into ${line}, instead of one, or left out, makes a line that signet takes and RFC 9112 §3 does not`, () => {
    const mutants: string[] = []
    for (let at = 0; at <= line.length; at++) {
      mutants.push(line.slice(0, at) + line.slice(at + 1))
      for (let octet = 0; octet < 256; octet++) {
        const text = String.fromCharCode(octet)
        mutants.push(line.slice(0, at) + text + line.slice(at), line.slice(0, at) + text + line.slice(at + 1))
      }
    }
    let taken = 0
    for (const mutant of mutants) {
      if (codeOf(`${mutant}\r\nHost: a\r\n\r\n`) !== undefined) continue
      taken++
      assert.match(mutant, REQUEST_LINE)
      const head = read(`${mutant}\r\nHost: a\r\n\r\n`)
      assert.is(`${head.method} ${head.received} HTTP/1.${head.minor}`, mutant)
    }
    assert.ok(taken > 0)
  })
}

for (const form of ['/', 'http://a/']) {
  test(`a request-target like ${form} may be as long as its limit, and no longer: 414 (RFC 9112 §3)`, () => {
    const longest = form + 'x'.repeat(MAX_TARGET_SIZE - form.length)
    assert.is(read(`GET ${longest} HTTP/1.1\r\nHost: a\r\n\r\n`).received, longest)
    assert.is(codeOf(`GET ${longest}x HTTP/1.1\r\nHost: a\r\n\r\n`), 'ERR_TARGET_TOO_LONG')
  })
}

// ── Host (RFC 9112 §3.2) ──────────────────────────────────────────────────────────────────────────────────────

for (const [what, target, minor, hosts, expected] of [
  ['one Host', '/', 1, ['a.test'], 'a.test'],
  ['a port', '/', 1, ['a.test:8080'], 'a.test:8080'],
  ['a Host with blanks around it', '/', 1, [' \ta.test\t '], 'a.test'],
  ['capitals', '/', 1, ['A.Test'], 'A.Test'],
  ['IPv6', '/', 1, ['[::1]'], '[::1]'],
  ['IPv6 and a port', '/', 1, ['[2001:db8::1]:65535'], '[2001:db8::1]:65535'],
  ['asterisk-form', '*', 1, ['a.test'], 'a.test'],
  ['absolute-form, which wins', 'http://b.test:81/', 1, ['a.test'], 'b.test:81'],
  ['absolute-form and the same Host', 'http://a.test/', 1, ['a.test'], 'a.test'],
  ['HTTP/1.0 and a Host', '/', 0, ['a.test'], 'a.test'],
  ['HTTP/1.0 and none', '/', 0, [], undefined],
  ['HTTP/1.0, absolute-form and no Host', 'http://b.test/', 0, [], 'b.test'],
  ['no Host', '/', 1, [], 'ERR_HOST_INVALID'],
  ['absolute-form and no Host', 'http://b.test/', 1, [], 'ERR_HOST_INVALID'],
  ['two Hosts', '/', 1, ['a.test', 'b.test'], 'ERR_HOST_INVALID'],
  ['the same Host twice', '/', 1, ['a.test', 'a.test'], 'ERR_HOST_INVALID'],
  ['an empty Host behind another', '/', 1, ['a.test', ''], 'ERR_HOST_INVALID'],
  ['HTTP/1.0 and two Hosts', '/', 0, ['a.test', 'b.test'], 'ERR_HOST_INVALID'],
  ['absolute-form and two Hosts', 'http://b.test/', 1, ['a.test', 'b.test'], 'ERR_HOST_INVALID'],
  ['absolute-form and a malformed Host', 'http://b.test/', 1, ['a,b'], 'ERR_HOST_INVALID'],
  ['an empty Host', '/', 1, [''], 'ERR_HOST_INVALID'],
  ['a blank Host', '/', 1, [' \t'], 'ERR_HOST_INVALID'],
  ['HTTP/1.0 and an empty Host', '/', 0, [''], 'ERR_HOST_INVALID'],
  ['a list', '/', 1, ['a.test, b.test'], 'ERR_HOST_INVALID'],
  ['a list without blanks', '/', 1, ['a.test,b.test'], 'ERR_HOST_INVALID'],
  ['a blank within', '/', 1, ['a.test b.test'], 'ERR_HOST_INVALID'],
  ['a tab within', '/', 1, ['a.test\tb.test'], 'ERR_HOST_INVALID'],
  ['userinfo', '/', 1, ['u@a.test'], 'ERR_HOST_INVALID'],
  ['a scheme', '/', 1, ['http://a.test'], 'ERR_HOST_INVALID'],
  ['a path', '/', 1, ['a.test/x'], 'ERR_HOST_INVALID'],
  ['an empty port', '/', 1, ['a.test:'], 'ERR_HOST_INVALID'],
  ['a bad port', '/', 1, ['a.test:8o'], 'ERR_HOST_INVALID'],
  ['a blank before the port', '/', 1, ['a.test: 80'], 'ERR_HOST_INVALID'],
  ['a negative port', '/', 1, ['a.test:-1'], 'ERR_HOST_INVALID'],
  ['port 65536', '/', 1, ['a.test:65536'], 'ERR_HOST_INVALID'],
  ['IPv6 without brackets', '/', 1, ['::1'], 'ERR_HOST_INVALID'],
  ['IPv6 that does not end', '/', 1, ['[::1'], 'ERR_HOST_INVALID'],
  ['IPv6 with a zone', '/', 1, ['[fe80::1%25eth0]'], 'ERR_HOST_INVALID'],
  ['IPv6 with a letter that is no digit', '/', 1, ['[::g]'], 'ERR_HOST_INVALID'],
  ['empty brackets', '/', 1, ['[]'], 'ERR_HOST_INVALID'],
  ['an encoded octet', '/', 1, ['a%2etest'], 'ERR_HOST_INVALID'],
  ['obs-text', '/', 1, ['\xe9.test'], 'ERR_HOST_INVALID'],
  ['a quoted name', '/', 1, ['"a.test"'], 'ERR_HOST_INVALID'],
] as const satisfies readonly (readonly [string, string, number, readonly string[], string | undefined])[]) {
  test(`${what}: ${expected ?? "the upstream's own authority"} (RFC 9112 §3.2)`, () => {
    const method = target === '*' ? 'OPTIONS' : 'GET'
    const lines = hosts.map((host) => `Host: ${host}\r\n`).join('')
    for (const text of [
      `${method} ${target} HTTP/1.${minor}\r\n${lines}\r\n`,
      `${method} ${target} HTTP/1.${minor}\r\nX: y\r\n${lines.replaceAll('Host', 'hOST')}Z:\r\n\r\n`,
    ]) {
      if (expected?.startsWith('ERR_')) assert.is(codeOf(text), expected)
      else assert.is(read(text).authority, expected)
    }
  })
}

// ── Connection (RFC 9110 §7.6.1, RFC 9112 §9.3) ───────────────────────────────────────────────────────────────

for (const [minor, fields, persistent] of [
  [1, '', true],
  [1, 'Connection: keep-alive\r\n', true],
  [1, 'Connection:\r\n', true],
  [1, 'Connection: x\r\n', true],
  [1, 'Connection: "close"\r\n', true],
  [1, 'Connection: xclose\r\n', true],
  [1, 'Proxy-Connection: close\r\n', true],
  [1, 'Connection: close\r\n', false],
  [1, 'Connection: CLOSE\r\n', false],
  [1, 'connection:close\r\n', false],
  [1, 'Connection: ,\t close ,\r\n', false],
  [1, 'Connection: close, x-foo\r\n', false],
  [1, 'Connection: x-foo, close\r\n', false],
  [1, 'Connection: keep-alive, close\r\n', false],
  [1, 'Connection: close, keep-alive\r\n', false],
  [1, 'Connection: close\r\nConnection: keep-alive\r\n', false],
  [1, 'Connection: keep-alive\r\nConnection: close\r\n', false],
  [0, '', false],
  [0, 'Connection: keep-alive\r\n', false],
  [0, 'Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n', false],
  [0, 'Proxy-Connection: keep-alive\r\n', false],
  [0, 'Connection: close\r\n', false],
] as const) {
  const what = persistent ? 'persists' : 'ends with the response'
  test(`a connection of HTTP/1.${minor} with ${JSON.stringify(fields)} ${what} (RFC 9112 §9.3)`, () => {
    assert.is(withFields(fields, minor).persistent, persistent)
  })
}

for (const [fields, nominated] of [
  ['', undefined],
  ['Connection: close\r\n', undefined],
  ['Connection: keep-alive, Upgrade, TE, close\r\n', undefined],
  ['Connection: ,,\r\n', undefined],
  ['Connection: X-Foo\r\n', ['x-foo']],
  ['Connection: close, x-foo\r\n', ['x-foo']],
  ['Connection: x-foo ,\tX-BAR, keep-alive,,x-foo\r\n', ['x-foo', 'x-bar']],
  ['Connection: a\r\nX: y\r\nCONNECTION: b\r\n', ['a', 'b']],
  ['Connection: host, content-length\r\n', ['host', 'content-length']],
  ['Proxy-Connection: x-foo\r\n', undefined],
] as const) {
  test(`${JSON.stringify(fields)} nominates ${JSON.stringify(nominated ?? [])}, in both versions (RFC 9110 §7.6.1)`, () => {
    for (const minor of [0, 1]) {
      const found = withFields(fields, minor).nominated
      assert.equal(found && [...found], nominated && [...nominated])
    }
  })
}

// ── Upgrade, Expect, TE, Via, Max-Forwards ────────────────────────────────────────────────────────────────────

const SWITCH = 'Connection: Upgrade\r\n'

for (const [what, fields, upgrade] of [
  ['Upgrade and its nomination', `${SWITCH}Upgrade: websocket\r\n`, 'websocket'],
  ['any case', 'connection: keep-alive, uPGRADE\r\nUPGRADE: WebSocket\r\n', 'websocket'],
  ['the nomination behind it', `Upgrade: websocket\r\n${SWITCH}`, 'websocket'],
  ['a length of 0', `${SWITCH}Upgrade: websocket\r\nContent-Length: 0\r\n`, 'websocket'],
  [
    'a list, which is nothing signet would switch to',
    `${SWITCH}Upgrade: h2c, websocket\r\n`,
    'h2c, websocket',
  ],
  ['two lines, the same', `${SWITCH}Upgrade: H2C\r\nUpgrade: WebSocket\r\n`, 'h2c,websocket'],
  ['no nomination', 'Upgrade: websocket\r\n', undefined],
  [
    'a nomination by Proxy-Connection alone',
    'Proxy-Connection: Upgrade\r\nUpgrade: websocket\r\n',
    undefined,
  ],
  ['no Upgrade', SWITCH, undefined],
  ['an empty Upgrade', `${SWITCH}Upgrade:\r\n`, undefined],
  ['a body', `${SWITCH}Upgrade: websocket\r\nContent-Length: 5\r\n`, undefined],
  ['a body in chunks', `${SWITCH}Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n`, undefined],
] as const) {
  test(`a request with ${what} asks to switch to ${upgrade ?? 'nothing'} (RFC 9110 §7.8)`, () => {
    assert.is(withFields(fields).upgrade, upgrade)
  })
  test(`a request of HTTP/1.0 with ${what} asks to switch to nothing (RFC 9110 §7.8)`, () => {
    if (!fields.includes('chunked')) assert.is(withFields(fields, 0).upgrade, undefined)
  })
}

test('fields behind Upgrade are read like any other', () => {
  const head = withFields(`Upgrade: websocket\r\n${SWITCH}X: y\r\nContent-Length: 3\r\n`)
  assert.is(head.fields.count, 5)
  assert.equal(head.framing, { kind: 'length', length: 3 })
})

for (const [fields, minor, expects] of [
  ['Expect: 100-continue\r\nContent-Length: 1\r\n', 1, true],
  ['expect:\t100-Continue \r\nTransfer-Encoding: chunked\r\n', 1, true],
  ['Expect: 100-continue\r\nContent-Length: 0\r\n', 1, false],
  ['Expect: 100-continue\r\n', 1, false],
  ['Expect: 100-continue\r\nContent-Length: 1\r\n', 0, false],
  ['Content-Length: 1\r\n', 1, false],
] as const) {
  test(`${JSON.stringify(fields)} in HTTP/1.${minor} ${expects ? 'waits' : 'does not wait'} for 100 (RFC 9110 §10.1.1)`, () => {
    assert.is(withFields(fields, minor).expectsContinue, expects)
  })
}

for (const fields of [
  'Expect: 200-ok\r\n',
  'Expect:\r\n',
  'Expect: 100-continue, 100-continue\r\n',
  'Expect: 100-continue\r\nExpect: 100-continue\r\n',
  'Expect: y 100-continue\r\n',
  'Expect: 100-\xa0continue\r\n',
]) {
  test(`${JSON.stringify(fields)} is an expectation that is not known here (RFC 9110 §10.1.1)`, () => {
    assert.throws(
      () => withFields(fields, 1),
      (error: ProxyError) => error.code === 'ERR_EXPECTATION_UNKNOWN',
    )
  })
}

for (const [fields, minor, takes] of [
  ['TE: trailers\r\n', 1, true],
  ['TE: gzip;q=0.5, Trailers\r\n', 1, true],
  ['TE: gzip\r\nTE: trailers\r\nTE: br\r\n', 1, true],
  ['TE: trailers\r\n', 0, false],
  ['TE: gzip\r\n', 1, false],
  ['TE: xtrailers\r\n', 1, false],
  ['TE:\r\n', 1, false],
] as const) {
  test(`${JSON.stringify(fields)} in HTTP/1.${minor} ${takes ? 'takes' : 'does not take'} trailers (RFC 9110 §10.1.4)`, () => {
    assert.is(withFields(fields, minor).takesTrailers, takes)
  })
}

test('all Via values are read, in order (RFC 9110 §7.6.3)', () => {
  assert.is(withFields('').via, '')
  assert.is(withFields('Via: 1.1 a\r\nX: y\r\nvia: 1.0 b, 1.1 c\r\n').via, '1.1 a,1.0 b, 1.1 c')
})

for (const method of METHODS) {
  const counts = method === 'OPTIONS' || method === 'TRACE'
  test(`Max-Forwards ${counts ? 'is counted' : 'means nothing'} in ${method} (RFC 9110 §7.6.2)`, () => {
    const head = (value: string) => `${method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${value}\r\n\r\n`
    assert.is(read(head('7')).maxForwards, counts ? 7 : undefined)
    assert.is(read(head('0')).maxForwards, counts ? 0 : undefined)
    for (const value of ['', '-1', '+1', '1.5', 'x', '1, 2', '1 2', '1000000000000000']) {
      assert.is(codeOf(head(value)), counts ? 'ERR_HEAD_MALFORMED' : undefined, value)
    }
  })
}

test('two Max-Forwards are refused: the next hop might count the other (RFC 9110 §7.6.2)', () => {
  const head = (method: string) =>
    `${method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\nX: y\r\nmax-forwards: 7\r\n\r\n`
  assert.is(codeOf(head('OPTIONS')), 'ERR_HEAD_MALFORMED')
  assert.is(codeOf(head('TRACE')), 'ERR_HEAD_MALFORMED')
  assert.is(codeOf(head('GET')), undefined)
})

test('a request without Max-Forwards may go on for ever', () => {
  assert.is(read('OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n').maxForwards, undefined)
})

test('Content-Length is told where no body follows as well: 0 is said, and nothing is not', () => {
  assert.is(withFields('').contentLength, undefined)
  assert.is(withFields('Content-Length: 0\r\n').contentLength, 0)
  assert.is(withFields('Content-Length: 5\r\n').contentLength, 5)
  assert.is(withFields('Transfer-Encoding: chunked\r\n').contentLength, undefined)
})

test.run()
