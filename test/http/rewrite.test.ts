import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CREDENTIAL, FieldRules } from '../../src/http/forward-fields.ts'
import { CHUNKED, type Framing, NO_BODY, UNTIL_CLOSE } from '../../src/http/framing.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { type RequestHead, readRequest } from '../../src/http/request.ts'
import { type ResponseHead, readResponse } from '../../src/http/response.ts'
import {
  type OnDrop,
  type RequestAdditions,
  rewriteInterim,
  rewriteRequest,
  rewriteResponse,
  rewriteTrailers,
} from '../../src/http/rewrite.ts'

const test = suite('http/rewrite')

const MAX_FIELDS = 2000
const MAX_HEAD_SIZE = 262_144
const parser = createHeadParser({ region: 1024, maxHeadSize: MAX_HEAD_SIZE, maxFields: MAX_FIELDS })
const rules = new FieldRules(['x-my-jwt'])

/** What signet says of its own, in every request. */
const OWN = 'X-Forwarded-For: 192.0.2.7\r\nVia: 1.1 signet\r\nx-my-jwt: TOKEN\r\n'
const ADDITIONS: RequestAdditions = { fallbackAuthority: 'upstream.test', lines: OWN, upgrade: undefined }
const DATE_LINE = 'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n'

function request(fields: string, startLine = 'GET / HTTP/1.1'): RequestHead {
  const head = Buffer.from(`${startLine}\r\nHost: a\r\n${fields}\r\n`, 'latin1')
  return readRequest(parser.parseRequest(head, 0, head.length), rules, MAX_HEAD_SIZE)
}

/** A request as forwarded, without its start line and Host at one end and signet's own lines at the other. */
function forwarded(fields: string, startLine?: string, onDrop?: OnDrop): string {
  const head = request(fields, startLine)
  const text = rewriteRequest(head, ADDITIONS, onDrop)
  const start = `${head.method} ${head.target} HTTP/1.1\r\nHost: ${head.authority}\r\n`
  assert.ok(text.startsWith(start), text)
  assert.ok(text.endsWith(`${OWN}\r\n`), text)
  return text.slice(start.length, -OWN.length - 2)
}

function response(fields: string, startLine = 'HTTP/1.1 200 OK', method = 'GET'): ResponseHead {
  const head = Buffer.from(`${startLine}\r\n${fields}\r\n`, 'latin1')
  return readResponse(parser.parseResponse(head, 0, head.length), rules, method)
}

/** A response of no body as relayed, without its start line and the empty line. */
function relayed(fields: string, onDrop?: OnDrop): string {
  const additions = { framing: UNTIL_CLOSE, close: false, dateLine: '' }
  const text = rewriteResponse(response(fields), additions, onDrop)
  assert.ok(text.startsWith('HTTP/1.1 200 OK\r\n') && text.endsWith('\r\n\r\n'), text)
  return text.slice('HTTP/1.1 200 OK\r\n'.length, -2)
}

/** A trailer section as forwarded. */
function trailers(fields: string, nominated?: ReadonlySet<string>, onDrop?: OnDrop): string {
  const octets = Buffer.from(`${fields}\r\n`, 'latin1')
  return rewriteTrailers(
    parser.parseTrailers(octets, 0, octets.length, 'ERR_BODY_MALFORMED'),
    rules,
    nominated,
    onDrop,
  )
}

// ── start line ────────────────────────────────────────────────────────────────────────────────────────────────

for (const [startLine, expected] of [
  ['GET /x?y HTTP/1.1', 'GET /x?y HTTP/1.1\r\nHost: a\r\n'],
  ['GET /x?y HTTP/1.0', 'GET /x?y HTTP/1.1\r\nHost: a\r\n'],
  ['GET http://b.test:81/x HTTP/1.1', 'GET /x HTTP/1.1\r\nHost: b.test:81\r\n'],
  ['OPTIONS * HTTP/1.1', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n'],
  ['OPTIONS http://b HTTP/1.1', 'OPTIONS * HTTP/1.1\r\nHost: b\r\n'],
] as const) {
  test(`${startLine} goes upstream as ${JSON.stringify(expected)} (RFC 9112 §3.2.2)`, () => {
    assert.is(rewriteRequest(request('', startLine), ADDITIONS), `${expected}${OWN}\r\n`)
  })
}

test("a request of HTTP/1.0 that names no host gets the upstream's (RFC 9112 §3.2)", () => {
  const head = Buffer.from('GET / HTTP/1.0\r\n\r\n')
  const parsed = readRequest(parser.parseRequest(head, 0, head.length), rules, 100)
  assert.is(rewriteRequest(parsed, ADDITIONS), `GET / HTTP/1.1\r\nHost: upstream.test\r\n${OWN}\r\n`)
})

for (const target of ['/x', 'http://b.test:81/x'])
  test(`an authority that is set takes the place of the Host of a request for ${target}, and stands there alone`, () => {
    const head = request('', `GET ${target} HTTP/1.1`)
    const text = rewriteRequest(head, { ...ADDITIONS, authority: 'set.test' })
    assert.is(text, `GET /x HTTP/1.1\r\nHost: set.test\r\n${OWN}\r\n`)
  })

for (const [line, expected] of [
  ['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK'],
  ['HTTP/1.0 404 Not Found', 'HTTP/1.1 404 Not Found'],
  ['HTTP/1.1 299', 'HTTP/1.1 299 '],
  ['HTTP/1.1 299 caf\xe9', 'HTTP/1.1 299 caf\xe9'],
] as const) {
  test(`${line} goes to the client as ${JSON.stringify(expected)} (RFC 9110 §2.5, RFC 9112 §4)`, () => {
    const additions = { framing: UNTIL_CLOSE, close: false, dateLine: '' }
    assert.is(rewriteResponse(response('', line), additions), `${expected}\r\n\r\n`)
    assert.is(rewriteInterim(response('', line)), `${expected}\r\n\r\n`)
  })
}

// ── what stops here ───────────────────────────────────────────────────────────────────────────────────────────

const BOTH_WAYS = [
  'Connection: x',
  'Connection:',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: keep-alive',
  'Proxy-Authorization: Basic eDp5',
  'Proxy-Authenticate: Basic',
  'Proxy-Authentication-Info: x',
  'TE: gzip',
  'Trailer: X-Sum',
  'Upgrade: websocket',
  'HTTP2-Settings: AAMAAABk',
  'x-my-jwt: y',
  'X-My-JWT: y',
  'X_MY_JWT: y',
  'x.my.jwt:',
  'Forwarded: for=x',
  'X-Real-IP: x',
  'X-Forwarded-For: x',
  'X-Forwarded-Anything: x',
  'X_Forwarded_For: x',
]

for (const line of BOTH_WAYS) {
  test(`${line} stops here, both ways and in trailers, wherever it stands and in any case (RFC 9110 §7.6.1)`, () => {
    const name = line.slice(0, line.indexOf(':'))
    for (const spelling of [
      line,
      line.replace(name, name.toLowerCase()),
      line.replace(name, name.toUpperCase()),
    ]) {
      for (const rewrite of [forwarded, relayed, trailers]) {
        assert.is(rewrite(`${spelling}\r\n`), '')
        assert.is(rewrite(`${spelling}\r\nA: b\r\nC:d\r\n`), 'A: b\r\nC:d\r\n')
        assert.is(rewrite(`A: b\r\n${spelling}\r\nC:d\r\n`), 'A: b\r\nC:d\r\n')
        assert.is(rewrite(`A: b\r\nC:d\r\n${spelling}\r\n`), 'A: b\r\nC:d\r\n')
        assert.is(rewrite(`A: b\r\n${spelling}\r\n${spelling}\r\nC:d\r\n${spelling}\r\n`), 'A: b\r\nC:d\r\n')
      }
    }
  })
}

for (const line of [
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'Content_Length: 5',
  'Transfer.Encoding: chunked',
  'Host: b',
  'Authorization: Bearer x',
  'Cookie: a=b',
  'Set-Cookie: a=b',
  'WWW-Authenticate: Basic',
  'Cache-Control: no-store',
  'Content-Type: text/plain',
  'Content-Encoding: gzip',
  'Content-Range: bytes 0-1/2',
  'Range: bytes=0-1',
  'Location: /',
  'Vary: *',
  'Date: x',
  'Expect: 100-continue',
  'Max-Forwards: 1',
  'Via: 1.1 x',
]) {
  test(`${line} does not pass in a trailer section (RFC 9110 §6.5.1)`, () => {
    assert.is(trailers(`A: b\r\n${line}\r\nC: d\r\n`), 'A: b\r\nC: d\r\n')
  })
}

/** Every spelling of x-my-jwt that an upstream may fold onto it. */
function spellings(): string[] {
  const marks = [..."!#$%&'*+-.^_`|~"]
  const found: string[] = []
  for (let cases = 0; cases < 2 ** 6; cases++) {
    const letters = [...'xmyjwt']
      .map((letter, at) => ((cases >> at) & 1 ? letter.toUpperCase() : letter))
      .join('')
    for (const first of marks) {
      for (const second of marks)
        found.push(letters[0] + first + letters.slice(1, 3) + second + letters.slice(3))
    }
  }
  return found
}

test("no spelling of the token's field passes, in requests, responses and trailers", () => {
  const names = spellings()
  assert.is(new Set(names).size, 14_400)
  for (let from = 0; from < names.length; from += 900) {
    const fields = names
      .slice(from, from + 900)
      .map((name) => `${name}: FORGED\r\nX: y\r\n`)
      .join('')
    const passing = 'X: y\r\n'.repeat(900)
    assert.is(forwarded(fields), passing)
    assert.is(relayed(fields), passing)
    assert.is(trailers(fields), passing)
  }
})

// ── what Connection may and may not do ────────────────────────────────────────────────────────────────────────

for (const [nomination, passing] of [
  ['Connection: x-a\r\n', 'X-B: 2\r\nx-a-b: 3\r\n'],
  ['Connection: close, X-A\r\n', 'X-B: 2\r\nx-a-b: 3\r\n'],
  ['Connection: x-b ,\tX-a\r\n', 'x-a-b: 3\r\n'],
  ['Connection: x-a\r\nCONNECTION: keep-alive, x-a-b\r\n', 'X-B: 2\r\n'],
  ['Connection: x_a, x-, a, x-a-, "x-a", x-a;q=1\r\n', 'X-A: 1\r\nX-B: 2\r\nx-a-b: 3\r\nX-a: 4\r\n'],
] as const) {
  const fields = 'X-A: 1\r\nX-B: 2\r\nx-a-b: 3\r\nX-a: 4\r\n'
  test(`${JSON.stringify(nomination)} removes the fields it names, and no others (RFC 9110 §7.6.1)`, () => {
    for (const line of ['GET / HTTP/1.1', 'GET / HTTP/1.0']) {
      assert.is(forwarded(nomination + fields, line), passing)
      assert.is(forwarded(fields + nomination, line), passing)
    }
    assert.is(relayed(nomination + fields), passing)
    assert.is(relayed(fields + nomination), passing)
    assert.is(trailers(fields, request(nomination).nominated), passing)
  })
}

const SWITCH = 'Upgrade: websocket\r\n'

/** Fields that a request depends on: each once, as it may be sent beside the others. */
const DEPENDED_ON = [
  'Content-Length: 5',
  'Authorization: Bearer x',
  'Cookie: a=b',
  'Cache-Control: no-cache',
  'Content-Type: text/plain',
  'Content-Encoding: gzip',
  'Range: bytes=0-1',
  'Expect: 100-continue',
  'Via: 1.1 before',
  'Date: x',
]

test('Connection cannot remove what a request depends on, nor what signet says (RFC 9110 §7.6.1, CVE-2024-45410)', () => {
  const names = [
    ...DEPENDED_ON.map((line) => line.slice(0, line.indexOf(':'))),
    ...[
      'Host',
      'Transfer-Encoding',
      'x-my-jwt',
      'X-My-Jwt',
      'x_my_jwt',
      'X-Forwarded-For',
      'X-Forwarded-Host',
    ],
    ...['X-Forwarded-Proto', 'Forwarded', 'X-Real-IP', 'Via', 'Connection', 'Max-Forwards', 'TE', 'Trailer'],
  ]
  const fields = `${DEPENDED_ON.join('\r\n')}\r\n`
  const start = 'POST / HTTP/1.1'
  const expected = rewriteRequest(request(fields, start), ADDITIONS)
  assert.ok(expected.includes('Content-Length: 5\r\n') && expected.includes('x-my-jwt: TOKEN\r\n'))
  for (const name of [...names, names.join(', ')]) {
    for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
      const nomination = `Connection: close, ${spelling}\r\n`
      assert.is(rewriteRequest(request(nomination + fields, start), ADDITIONS), expected, spelling)
      assert.is(rewriteRequest(request(fields + nomination, start), ADDITIONS), expected, spelling)
    }
  }
})

test('Connection cannot remove chunked framing (RFC 9110 §7.6.1)', () => {
  const text = forwarded('Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n', 'POST / HTTP/1.1')
  assert.is(text, 'Transfer-Encoding: chunked\r\n')
})

test('Connection cannot remove what a response depends on (RFC 9110 §7.6.1)', () => {
  const fields =
    'Date: x\r\nSet-Cookie: a=b\r\nCache-Control: no-store\r\nContent-Type: x/y\r\nContent-Encoding: gzip\r\n' +
    'Content-Range: bytes 0-1/2\r\nLocation: /\r\nVary: *\r\nWWW-Authenticate: Basic\r\nVia: 1.1 x\r\n'
  const names = fields.split('\r\n').map((line) => line.slice(0, Math.max(0, line.indexOf(':'))))
  for (const name of [...names, names.join(',')]) {
    assert.is(relayed(`Connection: close, ${name.toUpperCase()}\r\n${fields}`), fields, name)
  }
})

// ── what passes ───────────────────────────────────────────────────────────────────────────────────────────────

const HOP_BY_HOP = /^(connection|te|upgrade|trailer|keep-alive|proxy-connection|proxy-authorization)$/i
const ASSERTED = /^(x.my.jwt|forwarded|x.real.ip|x.forwarded.\w*)$/i
const KEPT = /^(authorization|cookie|set-cookie|cache-control|content-type|range|vary|date|via|expect)$/i

/** Which lines pass, by a filter that knows nothing of offsets or runs. */
function filter(lines: readonly string[], nominated: readonly string[]): string {
  return lines
    .filter((line) => {
      const name = line.slice(0, line.indexOf(':'))
      if (HOP_BY_HOP.test(name) || ASSERTED.test(name)) return false
      return KEPT.test(name) || !nominated.includes(name.toLowerCase())
    })
    .map((line) => `${line}\r\n`)
    .join('')
}

const NAMES = [
  ...[
    'Accept',
    'X-A',
    'x-b',
    'X_C',
    "x!#$%&'*+.^`|~",
    'Authorization',
    'Cookie',
    'Set-Cookie',
    'Cache-Control',
    'Vary',
  ],
  ...['Content-Type', 'Range', 'Date', 'Via', 'TE', 'Upgrade', 'Trailer', 'Keep-Alive', 'Proxy-Connection'],
  ...[
    'Proxy-Authorization',
    'x-my-jwt',
    'X_My.Jwt',
    'Forwarded',
    'X-Real-IP',
    'X-Forwarded-For',
    'x_forwarded_y',
  ],
]

const fieldLine = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(...NAMES),
      fc.string({ unit: fc.constantFrom(...'abcXYZ019-_.~'), minLength: 1, maxLength: 8 }),
    ),
    fc.constantFrom('', ' ', '\t', ' \t '),
    fc.string({
      unit: fc.oneof(
        fc.constantFrom(' ', '\t', ',', ':', '"'),
        fc
          .integer({ min: 0x21, max: 0xff })
          .map((octet) => String.fromCharCode(octet === 0x7f ? 0xa0 : octet)),
      ),
      maxLength: 20,
      size: 'max',
    }),
  )
  .map(([name, blanks, value]) => `${name}:${blanks}${value}`)

const nomination = fc.uniqueArray(
  fc.constantFrom(...NAMES.map((name) => name.toLowerCase()), 'close', 'keep-alive'),
  {
    maxLength: 5,
  },
)

test('what passes does so octet for octet and in order, and the rest does not, for any field lines', () => {
  fc.assert(
    fc.property(
      fc.array(fieldLine, { maxLength: 20, size: 'max' }),
      nomination,
      fc.nat(20),
      (lines, nominated, at) => {
        const passing = filter(lines, nominated)
        const all = [...lines]
        if (nominated.length > 0)
          all.splice(Math.min(at, all.length), 0, `Connection: ${nominated.join(', ')}`)
        const fields = all.map((line) => `${line}\r\n`).join('')

        const dropped: string[] = []
        const onDrop: OnDrop = (section, line) => {
          dropped.push(section.text.slice(section.lineStart(line), section.lineEnd(line)))
        }
        const takesTrailers = lines.some((line) => /^te:(.*,)?[ \t]*trailers[ \t]*(,|$)/i.test(line))
        assert.is(
          forwarded(fields, undefined, onDrop),
          passing + (takesTrailers ? 'Connection: TE\r\nTE: trailers\r\n' : ''),
        )
        assert.is(relayed(fields), passing)

        // Each line passes or is dropped, never both and never neither. Host is the first of those that are not passed on.
        const sorted = (texts: string[]) => texts.sort().join('')
        const received =
          fields === ''
            ? []
            : fields
                .slice(0, -2)
                .split('\r\n')
                .map((line) => `${line}\r\n`)
        const passed =
          passing === ''
            ? []
            : passing
                .slice(0, -2)
                .split('\r\n')
                .map((line) => `${line}\r\n`)
        assert.is(dropped.shift(), 'Host: a\r\n')
        assert.is(sorted([...passed, ...dropped]), sorted(received))
      },
    ),
    { numRuns: 1000 },
  )
})

test('whoever is told of a dropped line is told by which rule: none where Connection named it', () => {
  const told: [string, string | undefined][] = []
  const onDrop: OnDrop = (section, line, rule) => {
    told.push([section.name(line), rule?.treatment])
  }
  forwarded('Connection: x-a\r\nX-A: 1\r\nX-My-Jwt: 2\r\nTE: x\r\nAccept: y\r\n', undefined, onDrop)
  relayed('Connection: x-a\r\nX-A: 1\r\nKeep-Alive: 2\r\n', onDrop)
  trailers('X-A: 1\r\nCookie: 2\r\n', new Set(['x-a']), onDrop)
  assert.equal(told, [
    ['Host', 'host'],
    ['Connection', 'connection'],
    ['X-A', undefined],
    ['X-My-Jwt', 'asserted'],
    ['TE', 'te'],
    ['Connection', 'connection'],
    ['X-A', undefined],
    ['Keep-Alive', 'hop-by-hop'],
    ['X-A', undefined],
    ['Cookie', 'end-to-end'],
  ])
})

// ── what signet says itself ───────────────────────────────────────────────────────────────────────────────────

for (const [what, startLine, fields, own] of [
  ['no body', 'GET / HTTP/1.1', '', ''],
  [
    'no body and Content-Length: 0, which is kept',
    'POST / HTTP/1.1',
    'Content-Length: 0\r\n',
    'Content-Length: 0\r\n',
  ],
  ['a length', 'POST / HTTP/1.1', 'CONTENT-LENGTH:\t5 \r\n', 'Content-Length: 5\r\n'],
  ['a length in HTTP/1.0', 'POST / HTTP/1.0', 'Content-Length: 5\r\n', 'Content-Length: 5\r\n'],
  ['chunks', 'POST / HTTP/1.1', 'transfer-encoding: CHUNKED\r\n', 'Transfer-Encoding: chunked\r\n'],
  ['a GET with a body', 'GET / HTTP/1.1', 'Content-Length: 5\r\n', 'Content-Length: 5\r\n'],
] as const) {
  test(`a request with ${what} is framed anew, behind what passes (RFC 9112 §6)`, () => {
    assert.is(forwarded(`A: b\r\n${fields}C: d\r\n`, startLine), `A: b\r\nC: d\r\n${own}`)
  })
}

for (const [what, startLine, fields, own] of [
  ['TE: trailers', 'GET / HTTP/1.1', 'TE: trailers\r\n', 'Connection: TE\r\nTE: trailers\r\n'],
  ['other codings in TE', 'GET / HTTP/1.1', 'TE: gzip, trailers;q=0\r\n', ''],
  [
    'gzip beside trailers',
    'GET / HTTP/1.1',
    'Connection: TE\r\nTE: gzip, trailers\r\n',
    'Connection: TE\r\nTE: trailers\r\n',
  ],
  ['TE: trailers in HTTP/1.0', 'GET / HTTP/1.0', 'TE: trailers\r\n', ''],
  ['no TE', 'GET / HTTP/1.1', '', ''],
] as const) {
  test(`a request with ${what} asks the upstream for ${own === '' ? 'no ' : ''}trailers (RFC 9110 §10.1.4)`, () => {
    assert.is(forwarded(fields, startLine), own)
  })
}

for (const method of ['OPTIONS', 'TRACE']) {
  test(`Max-Forwards of ${method} goes on one less (RFC 9110 §7.6.2)`, () => {
    const line = `${method} / HTTP/1.1`
    assert.is(forwarded('Max-Forwards: 7\r\nA: b\r\n', line), 'A: b\r\nMax-Forwards: 6\r\n')
    assert.is(forwarded('MAX-FORWARDS: 1\r\n', line), 'Max-Forwards: 0\r\n')
    assert.is(forwarded('Connection: max-forwards\r\nMax-Forwards: 7\r\n', line), 'Max-Forwards: 6\r\n')
  })
}

test('Max-Forwards of any other method passes as it came (RFC 9110 §7.6.2)', () => {
  assert.is(forwarded('Max-Forwards: 7\r\n'), 'Max-Forwards: 7\r\n')
  assert.is(forwarded('Connection: max-forwards\r\nmax-forwards: x\r\n'), 'max-forwards: x\r\n')
})

test('Upgrade goes upstream as signet says it, and only if it does (RFC 9110 §7.8)', () => {
  const head = request(`Connection: Upgrade\r\n${SWITCH}TE: trailers\r\nSec-WebSocket-Key: x\r\n`)
  const start = 'GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: x\r\n'
  assert.is(
    rewriteRequest(head, { ...ADDITIONS, upgrade: 'websocket' }),
    `${start}Connection: Upgrade\r\nUpgrade: websocket\r\n${OWN}\r\n`,
  )
  assert.is(rewriteRequest(head, ADDITIONS), `${start}Connection: TE\r\nTE: trailers\r\n${OWN}\r\n`)
})

for (const [what, status, method, fields, framing, own] of [
  [
    'a length',
    '200 OK',
    'GET',
    'Content-Length: 5\r\n',
    { kind: 'length', length: 5 },
    'Content-Length: 5\r\n',
  ],
  ['a length of 0', '200 OK', 'GET', 'Content-Length: 0\r\n', NO_BODY, 'Content-Length: 0\r\n'],
  ['chunks', '200 OK', 'GET', 'Transfer-Encoding: Chunked\r\n', CHUNKED, 'Transfer-Encoding: chunked\r\n'],
  ['chunks for a client of HTTP/1.0', '200 OK', 'GET', 'Transfer-Encoding: chunked\r\n', UNTIL_CLOSE, ''],
  ['a body until close', '200 OK', 'GET', '', UNTIL_CLOSE, ''],
  ['HEAD and a length', '200 OK', 'HEAD', 'Content-Length: 5\r\n', NO_BODY, 'Content-Length: 5\r\n'],
  ['HEAD and a length of 0', '200 OK', 'HEAD', 'Content-Length: 0\r\n', NO_BODY, 'Content-Length: 0\r\n'],
  ['HEAD and chunks', '200 OK', 'HEAD', 'Transfer-Encoding: chunked\r\n', NO_BODY, ''],
  ['HEAD and neither', '200 OK', 'HEAD', '', NO_BODY, ''],
  ['304 and a length', '304 Not Modified', 'GET', 'Content-Length: 5\r\n', NO_BODY, 'Content-Length: 5\r\n'],
  ['304 and chunks', '304 Not Modified', 'GET', 'Transfer-Encoding: chunked\r\n', NO_BODY, ''],
  ['204', '204 No Content', 'GET', '', NO_BODY, ''],
  ['204 and a length, which it must not have', '204 No Content', 'GET', 'Content-Length: 5\r\n', NO_BODY, ''],
  ['204 and a length of 0', '204 No Content', 'HEAD', 'Content-Length: 0\r\n', NO_BODY, ''],
  ['204 and chunks', '204 No Content', 'GET', 'Transfer-Encoding: chunked\r\n', NO_BODY, ''],
] as const satisfies readonly (readonly [string, string, string, string, Framing, string])[]) {
  for (const close of [false, true]) {
    test(`a response with ${what} is framed as ${JSON.stringify(own)}${close ? ', on a connection that ends' : ''} (RFC 9110 §8.6)`, () => {
      const head = response(
        `A: b\r\n${fields}Connection: keep-alive\r\nC: d\r\n`,
        `HTTP/1.1 ${status}`,
        method,
      )
      const text = rewriteResponse(head, { framing, close, dateLine: DATE_LINE })
      const end = close ? 'Connection: close\r\n' : ''
      assert.is(text, `HTTP/1.1 ${status}\r\nA: b\r\nC: d\r\n${DATE_LINE}${own}${end}\r\n`)
    })
  }
}

test('a Date is added to a response that has none, and to no other (RFC 9110 §6.6.1)', () => {
  const additions = { framing: UNTIL_CLOSE, close: false, dateLine: DATE_LINE }
  assert.is(rewriteResponse(response(''), additions), `HTTP/1.1 200 OK\r\n${DATE_LINE}\r\n`)
  assert.is(rewriteResponse(response('date: x\r\n'), additions), 'HTTP/1.1 200 OK\r\ndate: x\r\n\r\n')
})

test('an interim response keeps its end-to-end fields and has no framing (RFC 9110 §15.2)', () => {
  const head = response(
    'Link: </x>\r\nContent-Length: 5\r\nConnection: close\r\nKeep-Alive: x\r\n',
    'HTTP/1.1 103 Early Hints',
  )
  assert.is(rewriteInterim(head), 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n')
})

test('101 says what it switches to, once (RFC 9110 §15.2.2)', () => {
  const head = response(
    'UPGRADE: WebSocket\r\nSec-WebSocket-Accept: x\r\nConnection: upgrade, x-a\r\nX-A: y\r\nTransfer-Encoding: chunked\r\n',
    'HTTP/1.1 101 Switching Protocols',
  )
  assert.is(
    rewriteInterim(head),
    'HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
})

test('a trailer section passes octet for octet, and may pass empty', () => {
  assert.is(
    trailers('X-Sum: \x80 1 \r\nX-Empty:\r\nx-sum:2\r\n'),
    'X-Sum: \x80 1 \r\nX-Empty:\r\nx-sum:2\r\n',
  )
  assert.is(trailers('Cookie: a=b\r\nx-my-jwt: y\r\n'), '')
})

test('credentials stop in every spelling, but for the one that was checked, and whoever asks is told why', () => {
  const fields = 'X-API-Key: 1\r\nX_Api.Key: 2\r\nAuthorization: 3\r\nX-Other: 4\r\n'
  const names = new Set(['x-api-key', 'authorization'])
  for (const [checked, passing, inTrailers] of [
    [undefined, 'X-Other: 4\r\n', 'X-Other: 4\r\n'],
    ['x-api-key', 'X-API-Key: 1\r\nX-Other: 4\r\n', 'X-Other: 4\r\n'],
    ['authorization', 'Authorization: 3\r\nX-Other: 4\r\n', 'X-Other: 4\r\n'],
  ] as const) {
    const withheld = { names, checked }
    const whys: unknown[] = []
    const onDrop: OnDrop = (section, line, rule) => {
      if (section.name(line) !== 'Host') whys.push(rule)
    }
    const head = rewriteRequest(request(fields), { ...ADDITIONS, withheld }, onDrop)
    assert.is(head, `GET / HTTP/1.1\r\nHost: a\r\n${passing}${OWN}\r\n`)
    const octets = Buffer.from(`${fields}\r\n`, 'latin1')
    const section = parser.parseTrailers(octets, 0, octets.length, 'ERR_BODY_MALFORMED')
    assert.is(rewriteTrailers(section, rules, undefined, onDrop, withheld), inTrailers)
    assert.equal(whys, Array(checked === undefined ? 6 : 5).fill(CREDENTIAL))
  }
})

test('what is forwarded is read again as what it was taken for', () => {
  const head = request(
    'X: \xe9\r\nCookie:\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n',
    'POST http://b/x HTTP/1.1',
  )
  const octets = Buffer.from(rewriteRequest(head, ADDITIONS), 'latin1')
  const again = readRequest(parser.parseRequest(octets, 0, octets.length), rules, MAX_HEAD_SIZE)
  assert.equal([again.method, again.target, again.authority, again.framing], ['POST', '/x', 'b', CHUNKED])
  assert.is(again.takesTrailers, true)
})

test.run()
