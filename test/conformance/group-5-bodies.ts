// Group 5, bodies of responses: lengths, chunks, until close, and those that have none whatever they say.

import { chunked, head, show, octetsOf } from './octets.ts'
import type { Relayed, ResponseCase, ResponseExpectation, Step } from './run-responses.ts'
import {
  answer,
  bad,
  CHUNKED,
  cut,
  either,
  EVIL,
  framed,
  HEAD,
  HTTP10,
  ok,
  POST,
  relay,
} from './response-cases.ts'

// ── framing ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const FRAMING = 'RFC 9112 §6.3'

const framing: ResponseCase[] = [
  answer('a length of 0', FRAMING, framed('Content-Length: 0'), relay({ body: '', framing: 'length' })),
  answer(
    'a large length',
    FRAMING,
    `${framed('Content-Length: 300000')}${'x'.repeat(300_000)}`,
    relay({ body: 'x'.repeat(300_000) }),
  ),
  ...[
    '',
    '+5',
    '-5',
    '5,5',
    '5, 5',
    '5,6',
    '5;',
    '5.0',
    '0x5',
    '05',
    '00',
    '5 5',
    '5a',
    'a',
    '"5"',
    '1e1',
    '5\0',
    '\x0b5',
    '9'.repeat(30),
    '18446744073709551621',
    '9007199254740993',
  ].map((value) =>
    answer(
      `Content-Length ${JSON.stringify(value)}`,
      FRAMING,
      [`${framed(`Content-Length: ${value}`)}hello`, 'FIN'],
      bad(),
    ),
  ),
  ...[
    ['5', '5'],
    ['5', '6'],
    ['6', '5'],
    ['0', '5'],
    ['5', '0'],
    ['5', ''],
  ].map(([first, second]) =>
    answer(
      `Content-Length ${first} and ${second}`,
      FRAMING,
      [`${framed(`Content-Length: ${first}`, `Content-Length: ${second}`)}hello`, 'FIN'],
      bad(),
    ),
  ),
  ...['chunked', 'Chunked', 'identity', 'gzip', 'gzip, chunked', 'xchunked', ''].flatMap((coding) => [
    answer(
      `Content-Length with Transfer-Encoding ${coding}`,
      FRAMING,
      [framed('Content-Length: 15', `Transfer-Encoding: ${coding}`) + chunked(['hello']), 'FIN'],
      bad(),
    ),
    answer(
      `Transfer-Encoding ${coding} with Content-Length`,
      FRAMING,
      [framed(`Transfer-Encoding: ${coding}`, 'Content-Length: 15') + chunked(['hello']), 'FIN'],
      bad(),
    ),
  ]),
  ...['chunked', 'Chunked', 'CHUNKED', 'chunked ', 'chunked\t'].map((coding) =>
    answer(
      `Transfer-Encoding ${JSON.stringify(coding)}`,
      'RFC 9112 §7.1',
      framed(`Transfer-Encoding: ${coding}`) + chunked(['hello']),
      relay({ framing: 'chunked' }),
    ),
  ),
  ...[
    '',
    'identity',
    'gzip',
    'gzip, chunked',
    'chunked, gzip',
    'chunked, chunked',
    'chunked, identity',
    'identity, chunked',
    'xchunked',
    'chunkedx',
    'chunked;q=1',
    '"chunked"',
    ', chunked',
    'chunked,',
    '\x0bchunked',
    'chunked\0',
    'chunked\xa0',
    'cow',
  ].map((coding) =>
    answer(
      `Transfer-Encoding ${JSON.stringify(coding)}`,
      'RFC 9112 §6.1, §6.3',
      [framed(`Transfer-Encoding: ${coding}`) + chunked(['hello']), 'FIN'],
      bad(),
    ),
  ),
  ...[
    ['chunked', 'chunked'],
    ['gzip', 'chunked'],
    ['chunked', 'identity'],
    ['identity', 'chunked'],
  ].map(([first, second]) =>
    answer(
      `Transfer-Encoding ${first} and ${second}`,
      'RFC 9112 §6.3',
      [framed(`Transfer-Encoding: ${first}`, `Transfer-Encoding: ${second}`) + chunked(['hello']), 'FIN'],
      bad(),
    ),
  ),
  answer('no framing, then FIN', FRAMING, [`${framed()}hello`, 'FIN'], relay({ framing: 'until-close' })),
  answer(
    'no framing and no body, then FIN',
    FRAMING,
    [framed(), 'FIN'],
    relay({ body: '', framing: 'until-close' }),
  ),
  answer(
    'no framing, and a second response',
    FRAMING,
    [`${framed()}hello${EVIL}`, 'FIN'],
    relay({ body: `hello${EVIL}`, framing: 'until-close' }),
  ),
  answer('no framing, then RST', 'RFC 9112 §8', [`${framed()}hello`, { wait: 30 }, 'RST'], cut('hello')),
  answer(
    'no framing, Connection: keep-alive, then FIN',
    FRAMING,
    [`${framed('Connection: keep-alive')}hello`, 'FIN'],
    relay({ framing: 'until-close' }),
  ),
  answer(
    'no framing to HTTP/1.0',
    FRAMING,
    [`${framed()}hello`, 'FIN'],
    relay({ framing: 'until-close' }),
    HTTP10,
  ),
  answer(
    'chunks to HTTP/1.0',
    'RFC 9112 §7.1',
    framed(CHUNKED) + chunked(['he', 'llo'], 'X-A: b\r\n'),
    relay({ framing: 'until-close' }),
    HTTP10,
  ),
  answer(
    'broken chunks to HTTP/1.0',
    'RFC 9112 §8',
    [`${framed(CHUNKED)}5\r\nhello\r\n`, { wait: 30 }, 'FIN'],
    cut('hello'),
    HTTP10,
  ),
  answer('a length to HTTP/1.0', FRAMING, ok(), relay({ framing: 'length' }), HTTP10),
]

const CHUNKS = 'RFC 9112 §7.1'
const chunks = (name: string, body: string | readonly Step[], expect: ResponseExpectation, rfc = CHUNKS) =>
  answer(
    `chunks: ${name}`,
    rfc,
    typeof body === 'string' ? framed(CHUNKED) + body : [framed(CHUNKED), { wait: 15 }, ...body],
    expect,
  )
const trailer = (lines: string, expected: Partial<Relayed>) =>
  chunks(`trailers ${show(lines)}`, chunked(['hello'], lines), relay(expected), 'RFC 9110 §6.5.1')

const chunkedBodies: ResponseCase[] = [
  chunks('one', chunked(['hello']), relay({ framing: 'chunked' })),
  chunks('of one octet each', chunked([...'hello']), relay()),
  chunks('none', chunked([]), relay({ body: '' })),
  chunks('that look like a response', chunked([EVIL]), relay({ body: EVIL })),
  chunks('zeros first', '0005\r\nhello\r\n000\r\n\r\n', relay()),
  chunks('extensions', '5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n', relay()),
  ...['5;a\rb', '5;a\nb', '5;a\0', '5;a\x7f'].map((size) =>
    chunks(`size line ${JSON.stringify(size)}`, `${size}\r\nhello\r\n0\r\n\r\n`, cut('')),
  ),
  ...[
    '',
    ' ',
    ' 5',
    '5 ',
    '+5',
    '-5',
    '0x5',
    '5h',
    'g',
    '5,',
    '"5"',
    '5\0',
    '5\xa0',
    '5\n',
    '5\r',
    '\n5',
    '10000000000000005',
    'ffffffffffffffff',
    '0000000000005',
    '٥',
  ].map((size) => {
    const text = octetsOf(size)
    return chunks(
      `size ${JSON.stringify(size)}, in the same read as the head`,
      `${text}\r\nhello\r\n0\r\n\r\n`,
      cut(''),
    )
  }),
  ...['', ' ', ' 5', '5 ', '+5', '-5', '0x5', '5h', '5\n', '5\r', 'ffffffffffffffff'].map((size) =>
    chunks(
      `size ${JSON.stringify(size)}, behind the head`,
      [`${size}\r\nhello\r\n0\r\n\r\n`],
      cut(size.startsWith('5') ? '5' : ''),
    ),
  ),
  ...['', '\n', '\r', '\n\r', '\r\r\n', 'x\r\n', ' \r\n'].map((end) =>
    chunks(`${JSON.stringify(end)} behind data`, [`5\r\nhello${end}0\r\n\r\n`], cut('5\r\nhello')),
  ),
  chunks('LF at the end of every line', ['5\nhello\n0\n\n'], cut('5')),
  ...['\n', '\r\r', 'x\r\n\r\n', ' \r\n'].map((end) =>
    chunks(
      `${JSON.stringify(end)} for the last line end`,
      [`5\r\nhello\r\n0\r\n${end}`, { wait: 15 }, 'FIN'],
      cut('5\r\nhello\r\n0\r\n'),
    ),
  ),
  ...[
    '5',
    '5\r',
    '5\r\n',
    '5\r\nhe',
    '5\r\nhello',
    '5\r\nhello\r',
    '5\r\nhello\r\n',
    '5\r\nhello\r\n0',
    '5\r\nhello\r\n0\r\n',
    '5\r\nhello\r\n0\r\n\r',
    '5\r\nhello\r\n0\r\nX-A: b',
    '5\r\nhello\r\n0\r\nX-A: b\r\n',
    '',
  ].flatMap((body) => [
    answer(
      `chunks: ${JSON.stringify(body)}, then FIN`,
      'RFC 9112 §8',
      [framed(CHUNKED) + body, { wait: 15 }, 'FIN'],
      { kind: 'cut', status: 200, body: body.replace(/0\r\nX-A.*$/s, '0\r\n') },
    ),
    answer(
      `chunks: ${JSON.stringify(body)}, then RST`,
      'RFC 9112 §8',
      [framed(CHUNKED) + body, { wait: 15 }, 'RST'],
      { kind: 'cut', status: 200, body: body.replace(/0\r\nX-A.*$/s, '0\r\n') },
    ),
  ]),
  trailer('X-A: 1\r\nx-b: 2\r\n', {
    trailers: [
      ['X-A', '1'],
      ['x-b', '2'],
    ],
  }),
  ...[
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Connection: close',
    'Keep-Alive: timeout=1',
    'Set-Cookie: a=b',
    'Location: /evil',
    'Cache-Control: no-store',
    'Content-Type: text/html',
    'Content-Encoding: gzip',
    'WWW-Authenticate: Basic',
    'Trailer: X-A',
    'Date: now',
    'Vary: *',
    'Host: evil',
    'x-my-jwt: forged',
    'Content_Length: 5',
    'Proxy: http://attacker.test',
    'Proxy-Authenticate: Basic',
    'Proxy_Authenticate: Basic',
    'Expect: 100-continue',
  ].map((line) =>
    trailer(`X-A: 1\r\n${line}\r\nX-B: 2\r\n`, {
      trailers: [
        ['X-A', '1'],
        ['X-B', '2'],
      ],
    }),
  ),
  answer(
    'chunks: trailers that Connection names',
    'RFC 9110 §7.6.1',
    framed(CHUNKED, 'Connection: X-Hop') + chunked(['hello'], 'X-Hop: 1\r\nX-A: 2\r\n'),
    relay({ trailers: [['X-A', '2']] }),
  ),
  ...[
    'X-A : b\r\n',
    'X-A: b\r\n c\r\n',
    'X-A\r\n',
    ': b\r\n',
    'X-A: b\nX-B: c\r\n',
    'X-A: \0\r\n',
    'HTTP/1.1 200 OK\r\n',
  ].map((lines) =>
    chunks(
      `trailers ${JSON.stringify(lines)}`,
      [`5\r\nhello\r\n0\r\n${lines}\r\n`],
      cut('5\r\nhello\r\n0\r\n'),
      'RFC 9112 §7.1.2',
    ),
  ),
  chunks(
    'trailers of 17,000 octets',
    [`5\r\nhello\r\n0\r\nX-A: ${'b'.repeat(17_000)}\r\n\r\n`],
    cut('5\r\nhello\r\n0\r\n'),
  ),
]

// ── responses that have no body, whatever they say ────────────────────────────────────────────────────────────────────

const BODILESS = 'RFC 9112 §6.3'
const bodiless: ResponseCase[] = [
  answer('HEAD with a length', BODILESS, framed('Content-Length: 5'), relay({ body: '' }), HEAD),
  answer('HEAD with chunked', BODILESS, framed(CHUNKED), relay({ body: '' }), HEAD),
  answer('HEAD without framing', BODILESS, framed(), relay({ body: '' }), HEAD),
  answer('HEAD with a body', BODILESS, ok(), relay({ body: '' }), { ...HEAD, spoilt: true }),
  answer(
    'HEAD with a response for a body',
    BODILESS,
    `${framed(`Content-Length: ${EVIL.length}`)}${EVIL}`,
    relay({ body: '' }),
    { ...HEAD, spoilt: true },
  ),
  answer('HEAD with chunks', BODILESS, framed(CHUNKED) + chunked(['hello']), relay({ body: '' }), {
    ...HEAD,
    spoilt: true,
  }),
  answer('HEAD with two lengths', FRAMING, framed('Content-Length: 5', 'Content-Length: 6'), bad(), HEAD),
  answer('HEAD with both framings', FRAMING, framed('Content-Length: 5', CHUNKED), bad(), HEAD),
  ...[204, 304].flatMap((status) => {
    const line = `HTTP/1.1 ${status} No Body`
    return [
      answer(`${status}`, BODILESS, head(line), relay({ status, body: '' })),
      answer(
        `${status} with a length`,
        BODILESS,
        head(line, 'Content-Length: 5'),
        either({ status, body: '' }),
      ),
      answer(
        `${status} with a length of 0`,
        BODILESS,
        head(line, 'Content-Length: 0'),
        either({ status, body: '' }),
      ),
      answer(`${status} with chunked`, BODILESS, head(line, CHUNKED), either({ status, body: '' })),
      answer(
        `${status} with a body`,
        BODILESS,
        `${head(line, 'Content-Length: 5')}hello`,
        either({ status, body: '' }),
        { spoilt: true },
      ),
      answer(
        `${status} with a response for a body`,
        BODILESS,
        `${head(line, `Content-Length: ${EVIL.length}`)}${EVIL}`,
        either({ status, body: '' }),
        { spoilt: true },
      ),
      answer(
        `${status} with chunks`,
        BODILESS,
        head(line, CHUNKED) + chunked(['hello']),
        either({ status, body: '' }),
        { spoilt: true },
      ),
      answer(
        `${status} with octets and no framing`,
        BODILESS,
        `${head(line)}hello`,
        relay({ status, body: '' }),
        { spoilt: true },
      ),
      answer(`${status} to POST`, BODILESS, head(line), relay({ status, body: '' }), POST),
    ]
  }),
  answer(
    '205 with a length of 0',
    'RFC 9110 §15.3.6',
    head('HTTP/1.1 205 Reset', 'Content-Length: 0'),
    relay({ status: 205, body: '' }),
  ),
]

/** Everything about where a response ends. */
export const responseBodies: readonly ResponseCase[] = [...framing, ...chunkedBodies, ...bodiless]
