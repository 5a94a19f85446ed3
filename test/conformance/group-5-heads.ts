// Group 5, heads of responses: status lines, field lines, hop-by-hop fields, size, and what is no HTTP at all.

import { ALL_OCTETS, chunked, head, nameOf, octet, utf8 } from './octets.ts'
import type { ResponseCase } from './run-responses.ts'
import { answer, asked, bad, either, EVIL, interim, ok, POST, relay } from './response-cases.ts'

// ── status lines ──────────────────────────────────────────────────────────────────────────────────────────────────────

const STATUS_LINE = 'RFC 9112 §4'
const withLine = (line: string) => `${head(line, 'Content-Length: 5')}hello`
/** Statuses whose responses have a framing of their own, or that are no final response. */
const SPECIAL = new Set([204, 304])

const statusLines: ResponseCase[] = [
  answer('a good response', STATUS_LINE, ok(), relay({ fields: [] })),
  ...Array.from({ length: 400 }, (_, index) => 200 + index)
    .filter((status) => !SPECIAL.has(status))
    .map((status) =>
      answer(
        `status ${status}`,
        'RFC 9110 §15',
        withLine(`HTTP/1.1 ${status} Reason`),
        relay({ status, reason: 'Reason' }),
      ),
    ),
  ...[
    '',
    'OK',
    ' OK',
    'O K ',
    'a\tb',
    '\xa0\xff',
    utf8('Grüße'),
    '200',
    'HTTP/1.1 200 OK',
    'x'.repeat(8000),
  ].map((reason) =>
    answer(
      `reason ${JSON.stringify(reason.slice(0, 30))}`,
      STATUS_LINE,
      withLine(`HTTP/1.1 200 ${reason}`),
      relay({ reason }),
    ),
  ),
  ...ALL_OCTETS.map((value) => {
    const reason = `a${octet(value)}b`
    const good = value === 0x09 || (value >= 0x20 && value !== 0x7f)
    return answer(
      `${nameOf(value)} in the reason`,
      STATUS_LINE,
      withLine(`HTTP/1.1 200 ${reason}`),
      good ? relay({ reason }) : bad(),
    )
  }),
  answer('no blank behind the status', STATUS_LINE, withLine('HTTP/1.1 200'), either({ reason: '' })),
  ...[
    'HTTP/1.1  200 OK',
    'HTTP/1.1\t200 OK',
    ' HTTP/1.1 200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 0200 OK',
    'HTTP/1.1 000 OK',
    'HTTP/1.1 001 OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1 600 OK',
    'HTTP/1.1 700 OK',
    'HTTP/1.1 999 OK',
    'HTTP/1.1 abc OK',
    'HTTP/1.1 2x0 OK',
    'HTTP/1.1 +200 OK',
    'HTTP/1.1 -200 OK',
    'HTTP/1.1 2 0 0 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.1 200\tOK',
    'HTTP/1.1 200.1 OK',
    'HTTP/1.1 0x200 OK',
    'HTTP/1.1 OK',
    'HTTP/1.1 OK 200',
    'HTTP/1.1',
    'HTTP/1.1 ',
    'HTTP/1.1200 OK',
    'http/1.1 200 OK',
    'Http/1.1 200 OK',
    'HTTP/1.2 200 OK',
    'HTTP/1.9 200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/2 200',
    'HTTP/3.0 200 OK',
    'HTTP/0.9 200 OK',
    'HTTP/0.1 200 OK',
    'HTTP/1 200 OK',
    'HTTP/1. 200 OK',
    'HTTP/1.1.1 200 OK',
    'HTTP/1.10 200 OK',
    'HTTP/01.1 200 OK',
    'HTTP/1,1 200 OK',
    'HTTP 200 OK',
    'HTTPS/1.1 200 OK',
    'HTP/1.1 200 OK',
    'RTSP/1.0 200 OK',
    'ICY 200 OK',
    'SIP/2.0 200 OK',
    '200 OK',
    'OK',
    'GET / HTTP/1.1',
    'Content-Type: text/html',
    'HTTP/1.1 200 OK\r',
    'HTTP/1.1 200 OK\r\r',
    '\0HTTP/1.1 200 OK',
    'HTTP/1.1\0 200 OK',
    'HTTP/1.1 200\0OK',
    '\xef\xbb\xbfHTTP/1.1 200 OK',
  ].map((line) => answer(`status line ${JSON.stringify(line)}`, STATUS_LINE, withLine(line), bad())),
  answer(
    'LF at the end of the status line',
    STATUS_LINE,
    'HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello',
    bad(),
  ),
  answer(
    'CR at the end of the status line',
    STATUS_LINE,
    'HTTP/1.1 200 OK\rContent-Length: 5\r\n\r\nhello',
    bad(),
  ),
  answer(
    'LF at the end of every line',
    STATUS_LINE,
    ['HTTP/1.1 200 OK\nContent-Length: 5\n\nhello', { wait: 20 }, 'FIN'],
    bad(),
  ),
  ...['\r\n', '\r\n\r\n', '\n', '\r', ' ', ' \r\n'].map((first) =>
    answer(`${JSON.stringify(first)} before the status line`, STATUS_LINE, first + ok(), bad()),
  ),
]

const otherAnswers: ResponseCase[] = [
  answer('HTTP/0.9: octets without a head, then FIN', 'RFC 9112 §9.6', ['<html>hello</html>', 'FIN'], bad()),
  answer('HTTP/0.9 of several lines', 'RFC 9112 §9.6', ['<html>\r\n<p>hello\r\n\r\n</html>', 'FIN'], bad()),
  answer(
    'HTTP/1.0 with a length',
    'RFC 9110 §2.5',
    `${head('HTTP/1.0 200 OK', 'Content-Length: 5')}hello`,
    relay({ framing: 'length' }),
    { spoilt: true },
  ),
  answer(
    'HTTP/1.0 with a length, kept alive',
    'RFC 9112 §9.3',
    `${head('HTTP/1.0 200 OK', 'Content-Length: 5', 'Connection: keep-alive')}hello`,
    relay({ fields: [] }),
  ),
  answer(
    'HTTP/1.0 until close',
    'RFC 9112 §6.3',
    [`${head('HTTP/1.0 200 OK')}hello`, 'FIN'],
    relay({ framing: 'until-close' }),
  ),
  answer(
    'HTTP/1.0 with chunks',
    'RFC 9112 §6.1',
    head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked') + chunked(['hello']),
    bad(),
  ),
  answer('nothing, then FIN', 'RFC 9110 §15.6.3', 'FIN', bad()),
  answer('nothing, then RST', 'RFC 9110 §15.6.3', 'RST', bad()),
  answer('nothing, then FIN, to POST', 'RFC 9110 §9.2.2', 'FIN', bad(), POST),
  answer('nothing, then RST, to POST', 'RFC 9110 §9.2.2', 'RST', bad(), POST),
  answer('nothing at all', 'RFC 9110 §15.6.5', { wait: 1 }, bad(504)),
  answer('half a head, then nothing', 'RFC 9110 §15.6.5', 'HTTP/1.1 200 OK\r\nContent-Le', bad(504)),
  answer('an alert of TLS', STATUS_LINE, ['\x15\x03\x01\x00\x02\x02\x0a', 'FIN'], bad()),
  answer('the settings of HTTP/2', STATUS_LINE, ['\0\0\x12\x04\0\0\0\0\0', 'FIN'], bad()),
  answer('a banner of SSH', STATUS_LINE, ['SSH-2.0-OpenSSH_9.6\r\n', 'FIN'], bad()),
  answer('zeros', STATUS_LINE, ['\0'.repeat(1000), 'FIN'], bad()),
  answer('the request itself', STATUS_LINE, [asked('GET'), 'FIN'], bad()),
]

// ── field lines ───────────────────────────────────────────────────────────────────────────────────────────────────────

const LINES = 'RFC 9112 §5'
const fieldLines: ResponseCase[] = [
  ...ALL_OCTETS.flatMap((value) => {
    const text = octet(value)
    const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(text)
    const visible = value === 0x09 || (value >= 0x20 && value !== 0x7f)
    const name = `X${text}A`
    return [
      answer(
        `${nameOf(value)} in a name`,
        LINES,
        ok(`${name}: b`),
        token
          ? relay({ fields: [[name, 'b']] })
          : value === 0x3a
            ? relay({ fields: [['X', 'A: b']] })
            : bad(),
      ),
      answer(
        `${nameOf(value)} in a value`,
        LINES,
        ok(`X-A: a${text}b`),
        visible ? relay({ fields: [['X-A', `a${text}b`]] }) : bad(),
      ),
    ]
  }),
  ...[
    ['a blank before the colon', 'X-A : b'],
    ['a tab before the colon', 'X-A\t: b'],
    ['a blank before the colon of Content-Length', 'Content-Length : 5'],
    ['a blank before the colon of Transfer-Encoding', 'Transfer-Encoding : chunked'],
    ['no colon', 'X-A'],
    ['an empty name', ': b'],
    ['a line that begins with a blank', ' X-A: b'],
    ['obs-fold', 'X-A: b\r\n c'],
    ['obs-fold with a tab', 'X-A: b\r\n\tc'],
    ['obs-fold of Set-Cookie', 'Set-Cookie: a=b;\r\n Path=/'],
    ['obs-fold before a value', 'X-A:\r\n b'],
    ['LF for a line end', 'X-A: b\nX-B: c'],
    ['CR for a line end', 'X-A: b\rX-B: c'],
    ['CR CR LF for a line end', 'X-A: b\r\r'],
    ['Content-Length behind LF', 'X-A: b\nContent-Length: 0'],
    ['Transfer-Encoding behind LF', 'X-A: b\nTransfer-Encoding: chunked'],
    ['Content-Length behind CR', 'X-A: b\rContent-Length: 0'],
    ['Set-Cookie behind LF', 'X-A: b\nSet-Cookie: evil=1'],
    ['Set-Cookie behind CR', 'X-A: b\rSet-Cookie: evil=1'],
    ['NUL and a field', 'X-A: b\0Set-Cookie: evil=1'],
    ['a second response behind LF LF', 'X-A: b\n\nHTTP/1.1 200 OK'],
    ['Content_Length', 'Content_Length: 0'],
    ['Transfer.Encoding', 'Transfer.Encoding: chunked'],
  ].map(([name, line]) => answer(`field lines: ${name}`, LINES, ok(line!), bad())),
  answer(
    'field lines: a blank before the first',
    LINES,
    `HTTP/1.1 200 OK\r\n Content-Length: 5\r\n\r\nhello`,
    bad(),
  ),
  answer(
    'fields pass in order, octet for octet',
    'RFC 9110 §5.3',
    ok('X-B: 1', 'x-a:  2 \t', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'X-B: \xff'),
    relay({
      fields: [
        ['X-B', '1'],
        ['x-a', '2'],
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['X-B', '\xff'],
      ],
    }),
  ),
  answer('Date is added', 'RFC 9110 §6.6.1', ok('Server: x'), relay({ fields: [['Server', 'x']] })),
  answer('Date stays', 'RFC 9110 §6.6.1', ok('Date: Sun, 06 Nov 1994 08:49:37 GMT'), relay()),
]

const HOP = 'RFC 9110 §7.6.1'
const hopByHop: ResponseCase[] = [
  ...[
    'Connection: keep-alive',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'Proxy-Authenticate: Basic',
    'Proxy-Authentication-Info: a=b',
    'Proxy-Authorization: Basic YTpi',
    'Proxy_Authenticate: Basic',
    'Proxy.Connection: close',
    'PROXY~X: a',
    'Proxy-Anything-At-All: a',
    'Proxy: http://attacker.test',
    'TE: trailers',
    'Trailer: X-A',
    'Upgrade: h2c',
    'Upgrade: websocket',
    'x-my-jwt: eyJhbGciOiJub25lIn0..',
    'X_My_Jwt: eyJhbGciOiJub25lIn0..',
  ].map((line) =>
    answer(
      `${line} goes no further`,
      HOP,
      ok('X-A: 1', line, 'X-B: 2'),
      relay({
        fields: [
          ['X-A', '1'],
          ['X-B', '2'],
        ],
      }),
    ),
  ),
  answer(
    'Connection names a field',
    HOP,
    ok('Connection: X-A', 'X-A: 1', 'X-B: 2'),
    relay({ fields: [['X-B', '2']] }),
  ),
  answer(
    'Connection names several, in several lines',
    HOP,
    ok('X-A: 1', 'connection: x-a , ,X-B', 'X-B: 2', 'Connection: X-C', 'X-C: 3', 'X-D: 4'),
    relay({ fields: [['X-D', '4']] }),
  ),
  answer(
    'Connection names Content-Length',
    HOP,
    ok('Connection: Content-Length'),
    relay({ framing: 'length' }),
  ),
  answer(
    'Connection names Transfer-Encoding',
    HOP,
    head('HTTP/1.1 200 OK', 'Connection: Transfer-Encoding', 'Transfer-Encoding: chunked') +
      chunked(['hello']),
    relay({ framing: 'chunked' }),
  ),
  answer(
    'Connection names Date',
    HOP,
    ok('Connection: Date', 'Date: Sun, 06 Nov 1994 08:49:37 GMT'),
    relay(),
  ),
  answer('Connection names Date, which is not there', HOP, ok('Connection: Date'), relay()),
  answer(
    'Connection: close is not the client’s',
    'RFC 9112 §9.6',
    ok('Connection: close'),
    relay({ fields: [] }),
    { spoilt: true },
  ),
  answer(
    'Connection: close, but the upstream goes on',
    'RFC 9112 §9.6',
    [ok('Connection: close'), EVIL],
    relay(),
    { spoilt: true },
  ),
  answer(
    'Connection: upgrade with 200',
    'RFC 9110 §7.8',
    ok('Connection: upgrade', 'Upgrade: websocket'),
    relay({ fields: [] }),
  ),
]

// ── size ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A whole response whose head is `size` octets long. */
function headOf(size: number): string {
  return ok(`X-A: ${'b'.repeat(size - ok('X-A: ').length + 5)}`)
}

const SIZE = 'RFC 9110 §15.6.3'
const sizes: ResponseCase[] = [
  answer('a head of 16,384 octets', SIZE, headOf(16_384), relay()),
  answer('a head of 16,385 octets', SIZE, headOf(16_385), bad()),
  answer('a head of 100,000 octets', SIZE, headOf(100_000), bad()),
  answer('a head without end', SIZE, `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(100_000)}`, bad()),
  answer('a field line without end', SIZE, `HTTP/1.1 200 OK\r\nX-A: ${'b'.repeat(1_000_000)}`, bad()),
  answer('a reason without end', SIZE, `HTTP/1.1 200 ${'b'.repeat(1_000_000)}`, bad()),
  answer('octets without a line end', SIZE, 'b'.repeat(1_000_000), bad()),
  answer('100 field lines', SIZE, ok(...Array.from({ length: 99 }, () => 'X-A: b')), relay()),
  answer('101 field lines', SIZE, ok(...Array.from({ length: 100 }, () => 'X-A: b')), bad()),
  answer(
    'an interim response of 17,000 octets',
    SIZE,
    interim(103, `X-A: ${'b'.repeat(17_000)}`) + ok(),
    bad(),
  ),
]

/** Everything about heads of responses. */
export const responseHeads: readonly ResponseCase[] = [
  ...statusLines,
  ...otherAnswers,
  ...fieldLines,
  ...hopByHop,
  ...sizes,
]
