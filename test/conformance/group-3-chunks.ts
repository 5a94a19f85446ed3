// Group 3, chunked bodies (RFC 9112 §7.1): sizes, extensions, line ends, the last chunk, trailer sections.

import { type Case, cutOff, either, type Expectation, forward, get, one, post, refuse } from './cases.ts'
import { ALL_OCTETS, chunked, nameOf, octet, octetsOf } from './octets.ts'

/** The section that decides about chunks. */
export const CHUNKS = 'RFC 9112 §7.1'
/** The head of a request in chunks. */
export const TE = post('Transfer-Encoding: chunked')
const chunks = (name: string, body: string, expect: Expectation, rfc = CHUNKS, more: Partial<Case> = {}) =>
  one(`chunks: ${name}`, TE + body, rfc, expect, more)
const HELLO = forward({ body: 'hello', framing: 'chunked' })

/** Chunks that are right. */
export const goodChunks: readonly Case[] = [
  chunks('none but the last', '0\r\n\r\n', forward({ body: '', framing: 'chunked' })),
  chunks('one', '5\r\nhello\r\n0\r\n\r\n', HELLO),
  chunks('of one octet each', chunked([...'hello']), HELLO),
  chunks(
    'of all octets',
    chunked([ALL_OCTETS.map(octet).join('')]),
    forward({ body: ALL_OCTETS.map(octet).join('') }),
  ),
  chunks(
    'that look like chunks',
    chunked(['0\r\n\r\n', 'GET /x HTTP/1.1\r\n\r\n']),
    forward({ body: '0\r\n\r\nGET /x HTTP/1.1\r\n\r\n' }),
  ),
  chunks('upper case sizes', `A\r\n${'x'.repeat(10)}\r\n0\r\n\r\n`, forward({ body: 'x'.repeat(10) })),
  chunks('lower case sizes', `a\r\n${'x'.repeat(10)}\r\n0\r\n\r\n`, forward({ body: 'x'.repeat(10) })),
  chunks('a large one', chunked(['x'.repeat(100_000)]), forward({ body: 'x'.repeat(100_000) })),
  chunks(
    'a thousand',
    chunked(Array.from({ length: 1000 }, () => 'ab')),
    forward({ body: 'ab'.repeat(1000) }),
  ),
  ...['05', '005', '000000000005'].map((size) =>
    chunks(`size ${size}`, `${size}\r\nhello\r\n0\r\n\r\n`, HELLO),
  ),
  ...['00', '000', '000000000000'].map((size) =>
    chunks(`last size ${size}`, `5\r\nhello\r\n${size}\r\n\r\n`, HELLO),
  ),
]

const BAD_SIZES = [
  '',
  ' ',
  ' 5',
  '\t5',
  '5 ',
  '5\t',
  '5  ',
  '+5',
  '-5',
  '-1',
  '0x5',
  '0X5',
  'x5',
  '5x',
  '5h',
  'h5',
  '5,',
  '5,5',
  '5.0',
  '5_0',
  '"5"',
  "'5'",
  '(5)',
  '5:',
  '5=',
  '5/',
  '5\0',
  '\x005',
  '5\x0b',
  '5\x0c',
  '5\x7f',
  '5\x85',
  '5\xa0',
  '\xa05',
  '5\r',
  '5\r\r',
  '5\n',
  '\r\n5',
  '\n5',
  '5 5',
  '5 ;a',
  '5\t;a',
  '0000000000005', // 13 digits, by decision
  `${'0'.repeat(1000)}5`,
  '10000000000000005', // 2^64 + 5
  'ffffffffffffffff',
  'fffffffffffffffb', // -5 in 64 bits
  '8000000000000005',
  '7fffffffffffffff',
  'f'.repeat(100),
  '１',
  '٥',
  '⁵',
].map(octetsOf)

const badSizes: Case[] = [
  ...BAD_SIZES.flatMap((size) => {
    const name = `size ${JSON.stringify(size.slice(0, 40))}`
    return [
      chunks(name, `${size}\r\nhello\r\n0\r\n\r\n`, refuse(400, 413)),
      chunks(`${name} behind a good chunk`, `5\r\nhello\r\n${size}\r\nhello\r\n0\r\n\r\n`, refuse(400, 413)),
    ]
  }),
  ...[' 0', '0 ', '\t0', '-0', '+0', '0x0', '0,', '0.', '0\r', '0\0', '0\xa0', '0'.repeat(13)].map((size) =>
    chunks(`last size ${JSON.stringify(size)}`, `5\r\nhello\r\n${size}\r\n\r\n`, refuse(400)),
  ),
  ...ALL_OCTETS.flatMap((value) => {
    const text = octet(value)
    if (/[0-9a-fA-F]/.test(text)) return []
    return [
      chunks(`${nameOf(value)} before a size`, `${text}5\r\nhello\r\n0\r\n\r\n`, refuse(400)),
      // `5;` is a size with an empty extension, which is dropped by decision.
      chunks(
        `${nameOf(value)} behind a size`,
        `5${text}\r\nhello\r\n0\r\n\r\n`,
        value === 0x3b ? either({ body: 'hello' }) : refuse(400),
      ),
      chunks(
        `${nameOf(value)} behind the last size`,
        `5\r\nhello\r\n0${text}\r\n\r\n`,
        value === 0x3b ? either({ body: 'hello' }) : refuse(400),
      ),
    ]
  }),
  chunks('a size smaller than the data', '4\r\nhello\r\n0\r\n\r\n', refuse(400)),
  chunks('a size larger than the data', '6\r\nhello\r\n0\r\n\r\n', refuse(400)),
  chunks('a size larger than the data by a line end', '7\r\nhello\r\n0\r\n\r\n', refuse(400)),
  chunks('a size of 2^32 + 5', '100000005\r\nhello\r\n0\r\n\r\n', refuse(408)),
  chunks('a size of 2^47', '800000000000\r\nhello\r\n0\r\n\r\n', refuse(408)),
]

/** The section that decides about chunk extensions. */
export const EXTENSIONS = 'RFC 9112 §7.1.1'
const extension = (text: string, expect: Expectation) => {
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 20)}… ${text.length}` : text)
  return [
    chunks(`extension ${shown}`, `5${text}\r\nhello\r\n0\r\n\r\n`, expect, EXTENSIONS),
    chunks(`extension ${shown} of the last chunk`, `5\r\nhello\r\n0${text}\r\n\r\n`, expect, EXTENSIONS),
  ]
}

const extensions: Case[] = [
  ...[
    ';a',
    ';a=b',
    ';a=b;c=d',
    ';a="b"',
    ';a="b c"',
    ';a=";"',
    ';a="b;c=d"',
    ';a="\\""',
    ';a="\\\\"',
    ';a=""',
    ';a="\t"',
    ';5',
    ';0=0',
    ';chunked',
    ';Content-Length=5',
    `;a=${'b'.repeat(4000)}`,
    ';a=b'.repeat(500),
  ].flatMap((text) => extension(text, HELLO)),
  // Not by the grammar; it is dropped, so it may pass by decision (docs/decisions/0004).
  ...[
    ';',
    ';;',
    ';=',
    ';a=',
    ';a==b',
    ';a=b=c',
    '; a',
    ';a = b',
    ';a=b ',
    ';a b',
    ';"a"',
    ';a="b',
    ';a="',
    ';a="b"c',
    ';a=,',
    ';a,b',
    ';a/b',
    ';a={}',
  ].flatMap((text) => extension(text, either({ body: 'hello' }))),
  ...ALL_OCTETS.filter((value) => value < 0x20 || value > 0x7e)
    .filter((value) => value !== 0x09)
    .flatMap((value) => {
      const text = octet(value)
      return [
        ...extension(`;a${text}b`, refuse(400)),
        // In quotes, obs-text is allowed by the grammar.
        ...extension(`;a="${text}"`, value < 0x80 ? refuse(400) : either({ body: 'hello' })),
      ]
    }),
  ...[
    ';a\rb',
    ';a\nb',
    ';a="\r"',
    ';a="\n"',
    ';a="\r\n"',
    ';a="\\\r\n"',
    ';a\r',
    ';a\n',
    ';\r',
    ';\n',
    ';\r\r',
    ';a=b\n0',
    ';a\r\nb',
  ].flatMap((text) => extension(text, refuse(400))),
  ...[5000, 10_000, 100_000].flatMap((length) => extension(`;a=${'b'.repeat(length)}`, refuse(400, 413))),
  chunks(
    'extensions that add up to too much',
    `${`1;${'a'.repeat(100)}\r\nx\r\n`.repeat(100)}0\r\n\r\n`,
    refuse(400, 413),
    EXTENSIONS,
  ),
  chunks(
    'an extension in every one of 1,000 chunks',
    `${'1;a\r\nx\r\n'.repeat(1000)}0\r\n\r\n`,
    forward({ body: 'x'.repeat(1000) }),
    EXTENSIONS,
  ),
]

const chunkEnds: Case[] = [
  ...[
    '',
    '\r',
    '\n',
    '\n\r',
    '\r\r\n',
    '\r\r',
    '\n\n',
    ' \r\n',
    'x\r\n',
    '\0\r\n',
    'x',
    '\r\n\r\n',
    '\t\r\n',
  ].map((end) => chunks(`${JSON.stringify(end)} behind data`, `5\r\nhello${end}0\r\n\r\n`, refuse(400))),
  ...['\n', '\r', '\n\r', '\r\r\n', '\n\n'].map((end) =>
    chunks(`${JSON.stringify(end)} behind a size`, `5${end}hello\r\n0\r\n\r\n`, refuse(400)),
  ),
  ...['\n', '\r', '\n\r', '\r\r\n', '\n\n'].map((end) =>
    chunks(`${JSON.stringify(end)} behind the last size`, `5\r\nhello\r\n0${end}\r\n`, refuse(400)),
  ),
  ...['\n', '\r', '\n\r', '\r\r\n', '\n\n', ' \r\n', 'x\r\n\r\n', '\0\r\n'].map((end) =>
    chunks(`${JSON.stringify(end)} at the very end`, `5\r\nhello\r\n0\r\n${end}`, refuse(400)),
  ),
  chunks('LF at the end of every line', '5\nhello\n0\n\n', refuse(400)),
  chunks('CR at the end of every line', '5\rhello\r0\r\r', refuse(400)),
  chunks('no last chunk, then nothing', '5\r\nhello\r\n', refuse(408), CHUNKS, { probe: false }),
  chunks('no last chunk, then FIN', '5\r\nhello\r\n', cutOff(400, 408), CHUNKS, { probe: false, fin: true }),
  chunks('no empty line at the end, then FIN', '5\r\nhello\r\n0\r\n', cutOff(400, 408), CHUNKS, {
    probe: false,
    fin: true,
  }),
  chunks('FIN within a size', '5', cutOff(400, 408), CHUNKS, { probe: false, fin: true }),
  chunks('FIN within data', '5\r\nhe', cutOff(400, 408), CHUNKS, { probe: false, fin: true }),
  chunks('FIN within trailers', '5\r\nhello\r\n0\r\nX-A: b\r\n', cutOff(400, 408), CHUNKS, {
    probe: false,
    fin: true,
  }),
  chunks('no last chunk, then another request', '5\r\nhello\r\n', refuse(400)),
  chunks('no empty line at the end, then nothing', '5\r\nhello\r\n0\r\n', refuse(408), CHUNKS, {
    probe: false,
  }),
  chunks('no empty line at the end, then another request', '5\r\nhello\r\n0\r\n', refuse(400)),
  chunks('no body at all, then another request', '', refuse(400)),
  chunks('a body that is not in chunks', 'hello', refuse(400)),
  chunks(
    'a chunk behind the last',
    '5\r\nhello\r\n0\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    refuse(400, 501),
    CHUNKS,
    { before: 1 },
  ),
  chunks('octets behind the last', '5\r\nhello\r\n0\r\n\r\nX', refuse(400, 501), CHUNKS, { before: 1 }),
  chunks('an empty line behind the last', '5\r\nhello\r\n0\r\n\r\n\r\n', HELLO, 'RFC 9112 §2.2'),
  chunks('another request behind the last', `5\r\nhello\r\n0\r\n\r\n${get()}`, HELLO),
]

// ── trailers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const TRAILERS = 'RFC 9110 §6.5.1'
const trailers = (name: string, section: string, expect: Expectation, rfc = TRAILERS) =>
  chunks(`trailers: ${name}`, `5\r\nhello\r\n0\r\n${section}\r\n`, expect, rfc)
const drops = forward({ body: 'hello', trailers: [] })

/** RFC 9110 §6.5.1, and the list in RFC 7230 §4.1.2: framing, routing, modifiers, authentication, control, content. */
const FORBIDDEN_TRAILERS = [
  'Transfer-Encoding: chunked',
  'Content-Length: 5',
  'Content-Length: 0',
  'Host: evil.test',
  'Connection: close',
  'Keep-Alive: timeout=1',
  'Proxy-Connection: close',
  'Upgrade: websocket',
  'TE: trailers',
  'Trailer: X-A',
  'Via: 1.1 evil',
  'Max-Forwards: 0',
  'Expect: 100-continue',
  'Cache-Control: no-store',
  'Pragma: no-cache',
  'Range: bytes=0-1',
  'If-Match: "a"',
  'If-None-Match: *',
  'If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'If-Range: "a"',
  'Authorization: Basic YTpi',
  'Proxy-Authorization: Basic YTpi',
  'Cookie: a=b',
  'Set-Cookie: a=b',
  'WWW-Authenticate: Basic',
  'Proxy-Authenticate: Basic',
  'Age: 1',
  'Date: Thu, 01 Jan 1970 00:00:00 GMT',
  'Expires: 0',
  'Location: /evil',
  'Retry-After: 1',
  'Vary: *',
  'Warning: 199',
  'Content-Encoding: gzip',
  'Content-Type: text/html',
  'Content-Range: bytes 0-1/2',
  'x-my-jwt: forged',
  'X_My_Jwt: forged',
  'X-Forwarded-For: 192.0.2.1',
  'X_Forwarded_Host: evil.test',
  'Forwarded: for=192.0.2.1',
  'X-Real-IP: 192.0.2.1',
  'Content_Length: 5',
  'Transfer.Encoding: chunked',
]

/** Trailer sections, right and wrong. */
export const trailerSections: readonly Case[] = [
  trailers(
    'one that may pass',
    'X-Checksum: 5d41\r\n',
    forward({ body: 'hello', trailers: [['X-Checksum', '5d41']] }),
  ),
  trailers(
    'several, in order',
    'X-B: 1\r\nx-a: 2\r\nX-B: 3\r\n',
    forward({
      trailers: [
        ['X-B', '1'],
        ['x-a', '2'],
        ['X-B', '3'],
      ],
    }),
  ),
  trailers('blanks around a value', 'X-A: \t b \r\n', forward({ trailers: [['X-A', 'b']] })),
  trailers('obs-text', 'X-A: \xa0\xff\r\n', forward({ trailers: [['X-A', '\xa0\xff']] })),
  trailers('an empty value', 'X-A:\r\n', forward({ trailers: [['X-A', '']] })),
  ...FORBIDDEN_TRAILERS.map((line) => trailers(`${line} goes no further`, `${line}\r\n`, drops)),
  ...FORBIDDEN_TRAILERS.slice(0, 12).map((line) =>
    trailers(
      `${line} between good ones`,
      `X-A: 1\r\n${line}\r\nX-B: 2\r\n`,
      forward({
        trailers: [
          ['X-A', '1'],
          ['X-B', '2'],
        ],
      }),
    ),
  ),
  one(
    'chunks: trailers: one that Connection names',
    `${post('Transfer-Encoding: chunked', 'Connection: X-Hop')}5\r\nhello\r\n0\r\nX-Hop: 1\r\nX-A: 2\r\n\r\n`,
    'RFC 9110 §7.6.1',
    forward({ trailers: [['X-A', '2']] }),
  ),
  ...[
    ['obs-fold', 'X-A: b\r\n c\r\n'],
    ['obs-fold with a tab', 'X-A: b\r\n\tc\r\n'],
    ['a blank first', ' X-A: b\r\n'],
    ['a blank before the colon', 'X-A : b\r\n'],
    ['a tab before the colon', 'X-A\t: b\r\n'],
    ['no colon', 'X-A\r\n'],
    ['an empty name', ': b\r\n'],
    ['a blank in a name', 'X A: b\r\n'],
    ['NUL in a name', 'X\0A: b\r\n'],
    ['NUL in a value', 'X-A: b\0c\r\n'],
    ['a control in a value', 'X-A: b\x01c\r\n'],
    ['DEL in a value', 'X-A: b\x7fc\r\n'],
    ['a CR in a value', 'X-A: b\rc\r\n'],
    ['an LF in a value', 'X-A: b\nc\r\n'],
    ['LF for a line end', 'X-A: b\nX-B: c\r\n'],
    ['CR for a line end', 'X-A: b\rX-B: c\r\n'],
    ['CR CR LF for a line end', 'X-A: b\r\r\n'],
    ['a request line', 'GET /smuggled HTTP/1.1\r\n'],
    ['a request', 'GET /smuggled HTTP/1.1\r\nHost: origin.test\r\n'],
    ['a chunk', '5\r\nhello\r\n'],
    ['obs-text in a name', 'X\xa0A: b\r\n'],
  ].map(([name, section]) => trailers(name!, section!, refuse(400), 'RFC 9112 §5, §7.1.2')),
  trailers('100 lines', 'X-A: b\r\n'.repeat(100), forward(), 'RFC 6585 §5'),
  trailers('101 lines', 'X-A: b\r\n'.repeat(101), refuse(400, 431), 'RFC 6585 §5'),
  trailers('a section of 15,000 octets', `X-A: ${'b'.repeat(15_000)}\r\n`, forward(), 'RFC 6585 §5'),
  trailers('a section of 17,000 octets', `X-A: ${'b'.repeat(17_000)}\r\n`, refuse(400, 431), 'RFC 6585 §5'),
]

/** Everything about chunks. */
export const chunkedBodies: readonly Case[] = [
  ...goodChunks,
  ...badSizes,
  ...extensions,
  ...chunkEnds,
  ...trailerSections,
]
