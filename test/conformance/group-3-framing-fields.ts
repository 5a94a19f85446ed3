// Group 3, the fields that frame a body (RFC 9112 §6): Content-Length, Transfer-Encoding, every pairing of the two, and what
// only looks like one of them.

import { type Case, either, forward, get, HOST, one, post, refuse } from './cases.ts'
import { ALL_OCTETS, chunked, head, nameOf, octet, octetsOf, utf8 } from './octets.ts'

/** The section that decides most of this. */
export const FRAMING = 'RFC 9112 §6.3'

/** A chunked body that is also 15 octets by itself. */
export const CHUNKED_BODY = chunked(['hello'])

/** Content-Length values: those a length can be taken from, and those it cannot. 15 is what {@link CHUNKED_BODY} has. */
const GOOD_LENGTHS = ['0', '5', '15', '15 ', '\t15', '  15  ']
const BAD_LENGTHS = [
  '',
  ' ',
  '+15',
  '-15',
  '-0',
  '+0',
  '1 5',
  '15,15',
  '15, 15',
  '15, 5',
  '15,',
  ',15',
  ', 15',
  '15;',
  '15;q=1',
  '15.0',
  '15.',
  '.15',
  '1e1',
  '0x0f',
  '0xf',
  'f',
  '017',
  '00',
  '015',
  '000000000000000000015',
  '0b1111',
  '0o17',
  '1_5',
  "1'5",
  '"15"',
  "'15'",
  '(15)',
  '15 15',
  '15\t15',
  '15a',
  'a15',
  'NaN',
  'Infinity',
  'null',
  'chunked',
  '١٥', // Arabic digits
  '１５', // full width
  '¹⁵',
  '15\0',
  '\x0b15',
  '15\x0b',
  '15\x0c',
  '15\x7f',
  '15\xa0',
  '\xa015',
  '15\x85',
  '4294967311', // 2^32 + 15
  '9007199254740993', // 2^53 + 1
  '18446744073709551631', // 2^64 + 15
  '9223372036854775823', // 2^63 + 15
  '36893488147419103247', // 2^65 + 15
  '340282366920938463463374607431768211471', // 2^128 + 15
  '9'.repeat(400),
].map(octetsOf)

/** Transfer-Encoding values that say chunked, and those that only look so, or say something else. */
const GOOD_CODINGS = ['chunked', 'Chunked', 'CHUNKED', 'cHuNkEd', 'chunked ', '\tchunked', ' chunked \t']
const BAD_CODINGS = [
  '',
  ' ',
  ',',
  'xchunked',
  'chunkedx',
  'chunke',
  'hunked',
  'chunk',
  'chunks',
  'chunked-x',
  'x-chunked',
  'chunked, chunked',
  'chunked,chunked',
  'chunked chunked',
  'chunked,',
  'chunked, ',
  ',chunked',
  ', chunked',
  ',,chunked',
  'chunked,,',
  'chunked;',
  'chunked;q=1',
  'chunked;q=0',
  'chunked; a=b',
  'chunked ;a',
  'chunked=1',
  '"chunked"',
  "'chunked'",
  '`chunked`',
  '(chunked)',
  '[chunked]',
  '<chunked>',
  '{chunked}',
  '(x) chunked',
  '(x), chunked',
  'chunked (x)',
  'identity',
  'identity, chunked',
  'chunked, identity',
  'gzip',
  'gzip, chunked',
  'chunked, gzip',
  'deflate, chunked',
  'compress, chunked',
  'x-gzip, chunked',
  'gzip, deflate, chunked',
  'gzip;q=1, chunked',
  'trailers',
  'trailers, chunked',
  'cow',
  'cow, chunked',
  'chunked, cow',
  'none',
  'null',
  'undefined',
  'true',
  '5',
  '0',
  '*',
  '\0chunked',
  'chunked\0',
  '\x0bchunked',
  'chunked\x0b',
  '\x0cchunked',
  'chunked\x0c',
  '\x7fchunked',
  'chunked\x1f',
  '\xa0chunked',
  'chunked\xa0',
  '\x85chunked',
  'chunked\x85',
  '\xad\x63hunked',
  'chun\tked',
  'chun ked',
  'chun\0ked',
  'chun-ked',
  'chun\\ked',
  '%63hunked',
  'c\\hunked',
  '=?utf-8?q?chunked?=',
  'ſhunked',
  'ｃhunked',
  'chun\u212aed', // KELVIN SIGN folds onto k
  '\ufeffchunked',
  '\u200bchunked',
].map(octetsOf)

/** A blank that llhttp refuses behind a length, though RFC 9112 §5 has it: harmless, so both are right. */
const LENGTHS_IN_TABS = ['15\t', ' 15\t ']

/** A length that may be believed, but whose octets do not come, ends in 408. */
const TOO_LONG = [400, 408, 413]

const lengthLine = (value: string) => `Content-Length:${/^[\t ]/.test(value) ? '' : ' '}${value}`
const codingLine = (value: string) => `Transfer-Encoding:${/^[\t ]/.test(value) ? '' : ' '}${value}`

/** A body of the length that a good Content-Length says. */
function bodyOf(length: string): string {
  return 'x'.repeat(Number(length))
}

const alone: Case[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY'].map((method) =>
    one(
      `${method} without framing has no body`,
      head(`${method} /case HTTP/1.1`, HOST),
      FRAMING,
      forward({ body: '', framing: 'none' }),
    ),
  ),
  ...GOOD_LENGTHS.map((value) =>
    one(
      `Content-Length ${JSON.stringify(value)}`,
      post(lengthLine(value)) + bodyOf(value),
      'RFC 9110 §8.6',
      forward({ body: bodyOf(value), framing: `length ${Number(value)}` }),
    ),
  ),
  ...LENGTHS_IN_TABS.map((value) =>
    one(
      `Content-Length ${JSON.stringify(value)}`,
      post(lengthLine(value)) + CHUNKED_BODY,
      'RFC 9112 §5',
      either({ body: CHUNKED_BODY, framing: 'length 15' }),
    ),
  ),
  ...BAD_LENGTHS.flatMap((value) => {
    const name = `Content-Length ${JSON.stringify(value.slice(0, 40))}`
    return [
      one(name, post(lengthLine(value)) + CHUNKED_BODY, FRAMING, refuse(...TOO_LONG)),
      one(
        `${name} in HTTP/1.0`,
        head('POST /case HTTP/1.0', HOST, lengthLine(value)) + CHUNKED_BODY,
        FRAMING,
        refuse(...TOO_LONG),
      ),
      one(`${name} in GET`, get(lengthLine(value)), FRAMING, refuse(...TOO_LONG)),
    ]
  }),
  ...GOOD_CODINGS.map((value) =>
    one(
      `Transfer-Encoding ${JSON.stringify(value)}`,
      post(codingLine(value)) + CHUNKED_BODY,
      'RFC 9112 §7.1',
      forward({ body: 'hello', framing: 'chunked' }),
    ),
  ),
  ...BAD_CODINGS.flatMap((value) => {
    const name = `Transfer-Encoding ${JSON.stringify(value)}`
    return [
      one(name, post(codingLine(value)) + CHUNKED_BODY, 'RFC 9112 §6.1, §6.3', refuse(400, 501)),
      one(`${name} in GET`, get(codingLine(value)), 'RFC 9112 §6.1, §6.3', refuse(400, 501)),
    ]
  }),
]

/**
 * Content-Length with Transfer-Encoding, each with each: the sender cannot mean both (RFC 9112 §6.3). Which comes first must
 * not matter: for pairs of values that are right alone both orders are tried, for the others they take turns.
 */
const pairs: Case[] = [...GOOD_LENGTHS, ...BAD_LENGTHS].flatMap((length, row) =>
  [...GOOD_CODINGS, ...BAD_CODINGS].flatMap((coding, column) => {
    const name = `Content-Length ${JSON.stringify(length.slice(0, 40))} with Transfer-Encoding ${JSON.stringify(coding)}`
    const lines = [lengthLine(length), codingLine(coding)]
    const forth = one(name, post(...lines) + CHUNKED_BODY, FRAMING, refuse(400, 413, 501))
    const back = one(
      `${name}, which comes first`,
      post(...lines.reverse()) + CHUNKED_BODY,
      FRAMING,
      refuse(400, 413, 501),
    )
    if (row < GOOD_LENGTHS.length && column < GOOD_CODINGS.length) return [forth, back]
    return [(row + column) % 2 === 0 ? forth : back]
  }),
)

const several: Case[] = [
  ...[
    ['15', '15'],
    ['15', '5'],
    ['5', '15'],
    ['0', '15'],
    ['15', '0'],
    ['15', ''],
    ['', '15'],
    ['15', '015'],
    ['0', '0'],
  ].flatMap(([first, second]) =>
    [[], ['X-A: b']].map((between) =>
      one(
        `Content-Length ${first} and ${second}${between.length > 0 ? ', apart' : ''}`,
        post(`Content-Length: ${first}`, ...between, `content-length: ${second}`) + CHUNKED_BODY,
        FRAMING,
        refuse(400),
      ),
    ),
  ),
  ...[
    ['chunked', 'chunked'],
    ['chunked', 'identity'],
    ['identity', 'chunked'],
    ['gzip', 'chunked'],
    ['chunked', 'gzip'],
    ['chunked', 'cow'],
    ['cow', 'chunked'],
    ['chunked', ''],
    ['', 'chunked'],
    ['chun', 'ked'],
  ].flatMap(([first, second]) =>
    [[], ['X-A: b']].map((between) =>
      one(
        `Transfer-Encoding ${first} and ${second}${between.length > 0 ? ', apart' : ''}`,
        post(`Transfer-Encoding: ${first}`, ...between, `transfer-encoding: ${second}`) + CHUNKED_BODY,
        'RFC 9112 §6.1, §6.3',
        refuse(400, 501),
      ),
    ),
  ),
  one(
    'length, coding, length',
    post('Content-Length: 15', 'Transfer-Encoding: chunked', 'Content-Length: 15') + CHUNKED_BODY,
    FRAMING,
    refuse(400),
  ),
  one(
    'coding, length, coding',
    post('Transfer-Encoding: chunked', 'Content-Length: 15', 'Transfer-Encoding: chunked') + CHUNKED_BODY,
    FRAMING,
    refuse(400),
  ),
]

/** Names that some parser or gateway takes for a framing field, though they are none. */
const FRAMING_NAMES = [
  ['Transfer-Encoding', 'chunked'],
  ['Content-Length', '15'],
] as const
const imitations = ([name, value]: readonly [string, string]): [string, string][] => {
  const [first = '', second = ''] = name.split('-')
  return [
    ['an underscore', `${first}_${second}: ${value}`],
    ['a dot', `${first}.${second}: ${value}`],
    ['a plus', `${first}+${second}: ${value}`],
    ['a tilde', `${first}~${second}: ${value}`],
    ['lower case and an underscore', `${first}_${second}: ${value}`.toLowerCase()],
    ['a blank', `${first} ${second}: ${value}`],
    ['a tab', `${first}\t${second}: ${value}`],
    ['a blank before the colon', `${name} : ${value}`],
    ['a tab before the colon', `${name}\t: ${value}`],
    ['a vertical tab before the colon', `${name}\x0b: ${value}`],
    ['NUL before the colon', `${name}\0: ${value}`],
    ['NUL first', `\0${name}: ${value}`],
    ['a blank first', ` ${name}: ${value}`],
    ['a tab first', `\t${name}: ${value}`],
    ['a CR first', `\r${name}: ${value}`],
    ['a line feed first', `\n${name}: ${value}`],
    ['no colon', `${name} ${value}`],
    ['an equals sign', `${name}=${value}`],
    ['a colon in front', `:${name}: ${value}`],
    ['two colons', `${name}:: ${value}`],
    ['quotes', `"${name}": ${value}`],
    ['NBSP behind it', `${name}\xa0: ${value}`],
    ['a soft hyphen', `${first}\xad${second}: ${value}`],
    ['a dash that is none', utf8(`${first}–${second}: ${value}`)],
    ['a full-width letter', utf8(`${name.slice(0, -1)}ｈ: ${value}`)],
    ['folding of its name', `${first}-\r\n ${second}: ${value}`],
    ['folding of its value', `${name}:\r\n ${value}`],
    ['folding of another line', `X-A: b\r\n ${name}: ${value}`],
    ['another line by CR', `X-A: b\r${name}: ${value}`],
    ['another line by LF', `X-A: b\n${name}: ${value}`],
  ]
}

const disguises: Case[] = FRAMING_NAMES.flatMap((framing) => {
  const [name] = framing
  const other = name === 'Content-Length' ? 'Transfer-Encoding: chunked' : 'Content-Length: 15'
  return imitations(framing).flatMap(([how, line]) => [
    one(`${name} with ${how}`, post(line) + CHUNKED_BODY, 'RFC 9112 §5.1', refuse(400, 501)),
    one(`${name} with ${how}, and ${other}`, post(other, line) + CHUNKED_BODY, FRAMING, refuse(400, 501)),
    one(`${name} with ${how}, before ${other}`, post(line, other) + CHUNKED_BODY, FRAMING, refuse(400, 501)),
  ])
})

/** Names near the framing fields that nothing folds onto them: ordinary fields, which pass. */
const neighbours: Case[] = [
  'TransferEncoding',
  'ContentLength',
  'Transfer--Encoding',
  'X-Transfer-Encoding',
  'Content-Lengths',
  'Content-Encoding',
].map((name) =>
  one(
    `${name} is an ordinary field`,
    `${post('Content-Length: 5', `${name}: chunked`)}hello`,
    'RFC 9110 §5.1',
    forward({ body: 'hello', fields: [[name, 'chunked']] }),
  ),
)

const octetsAround: Case[] = ALL_OCTETS.flatMap((value) => {
  const text = octet(value)
  const blank = value === 0x20 || value === 0x09
  const digit = value >= 0x30 && value <= 0x39
  const coding = blank ? forward({ body: 'hello', framing: 'chunked' }) : refuse(400, 501)
  const length = blank ? forward({ body: CHUNKED_BODY, framing: 'length 15' }) : refuse(400)
  const behind = value === 0x09 ? either({ body: CHUNKED_BODY }) : length // llhttp refuses it: harmless
  return [
    one(
      `${nameOf(value)} before chunked`,
      post(`Transfer-Encoding: ${text}chunked`) + CHUNKED_BODY,
      'RFC 9112 §7',
      coding,
    ),
    one(
      `${nameOf(value)} behind chunked`,
      post(`Transfer-Encoding: chunked${text}`) + CHUNKED_BODY,
      'RFC 9112 §7',
      coding,
    ),
    one(
      `${nameOf(value)} within chunked`,
      post(`Transfer-Encoding: chun${text}ked`) + CHUNKED_BODY,
      'RFC 9112 §7',
      refuse(400, 501),
    ),
    ...(digit
      ? []
      : [
          one(
            `${nameOf(value)} before a length`,
            post(`Content-Length: ${text}15`) + CHUNKED_BODY,
            'RFC 9110 §8.6',
            length,
          ),
          one(
            `${nameOf(value)} behind a length`,
            post(`Content-Length: 15${text}`) + CHUNKED_BODY,
            'RFC 9110 §8.6',
            behind,
          ),
          one(
            `${nameOf(value)} within a length`,
            post(`Content-Length: 1${text}5`) + CHUNKED_BODY,
            'RFC 9110 §8.6',
            refuse(400),
          ),
        ]),
  ]
})

const http10: Case[] = [
  one(
    'HTTP/1.0 without framing',
    head('POST /case HTTP/1.0', HOST),
    FRAMING,
    forward({ body: '', framing: 'none' }),
  ),
  one(
    'HTTP/1.0 with a length',
    `${head('POST /case HTTP/1.0', HOST, 'Content-Length: 5')}hello`,
    FRAMING,
    forward({ body: 'hello' }),
  ),
  one(
    'HTTP/1.0 with a length, kept alive',
    `${head('POST /case HTTP/1.0', HOST, 'Content-Length: 5', 'Connection: keep-alive')}hello`,
    'RFC 9112 §9.3',
    forward({ body: 'hello' }),
  ),
  one(
    'HTTP/1.0 with a length and a request behind it',
    `${head('POST /case HTTP/1.0', HOST, 'Content-Length: 5')}hello${get()}`,
    'RFC 9112 §9.3',
    forward({ body: 'hello' }),
  ),
  ...[...GOOD_CODINGS, ...BAD_CODINGS].flatMap((value) => [
    one(
      `HTTP/1.0 with Transfer-Encoding ${JSON.stringify(value)}`,
      head('POST /case HTTP/1.0', HOST, codingLine(value)) + CHUNKED_BODY,
      'RFC 9112 §6.1',
      refuse(400, 501),
    ),
    one(
      `HTTP/1.0 with Transfer-Encoding ${JSON.stringify(value)}, kept alive`,
      head('POST /case HTTP/1.0', HOST, 'Connection: keep-alive', codingLine(value)) + CHUNKED_BODY,
      'RFC 9112 §6.1',
      refuse(400, 501),
    ),
  ]),
  one(
    'HTTP/1.0 with both framings',
    head('POST /case HTTP/1.0', HOST, 'Content-Length: 15', 'Transfer-Encoding: chunked') + CHUNKED_BODY,
    FRAMING,
    refuse(400),
  ),
]

/** Everything about framing fields. */
export const framingFields: readonly Case[] = [
  ...alone,
  ...pairs,
  ...several,
  ...disguises,
  ...neighbours,
  ...octetsAround,
  ...http10,
]
