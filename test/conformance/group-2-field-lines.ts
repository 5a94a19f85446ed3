// Group 2, field lines (RFC 9112 §5, RFC 9110 §5): names, colons, values, folding, Host, their number and their size.

import { type Case, forward, get, type Group, HOST, one, refuse } from './cases.ts'
import { ALL_OCTETS, head, nameOf, octet, utf8 } from './octets.ts'

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/
const VALUE = /[\t -~\x80-\xff]/
const NAME = 'RFC 9110 §5.1'

/** Fields that decide something, and one that decides nothing. */
const DECIDING = [
  ['X-A', 'b'],
  ['Host', 'other.test'],
  ['Content-Length', '5'],
  ['Transfer-Encoding', 'chunked'],
  ['Connection', 'close'],
  ['X-My-Jwt', 'forged'],
  ['Cookie', 'a=b'],
] as const

const names: Case[] = [
  ...ALL_OCTETS.flatMap((value) => {
    const text = octet(value)
    const good = TOKEN.test(text)
    const within = `X${text}A`
    // A colon ends the name: what follows it is the value.
    const expected = good
      ? forward({ fields: [[within, 'b']] })
      : value === 0x3a
        ? forward({ fields: [['X', 'A: b']] })
        : refuse(400)
    const first = good ? forward({ fields: [[`${text}A`, 'b']] }) : refuse(400)
    return [
      one(`${nameOf(value)} within a name`, get(`${within}: b`), NAME, expected),
      one(`${nameOf(value)} first in a name`, get(`${text}A: b`), NAME, first),
      one(
        `${nameOf(value)} alone for a name`,
        get(`${text}: b`),
        NAME,
        good ? forward({ fields: [[text, 'b']] }) : refuse(400),
      ),
    ]
  }),
  ...DECIDING.flatMap(([name, value]) =>
    [' ', '\t', '  ', '\x0b', '\x0c', '\0', '\r', '\n', '\xa0', '\x85'].map((blank) =>
      one(
        `${JSON.stringify(blank)} between ${name} and the colon`,
        get(`${name}${blank}: ${value}`),
        'RFC 9112 §5.1',
        refuse(400),
      ),
    ),
  ),
  one('an empty name', get(': b'), NAME, refuse(400)),
  one('an empty name and value', get(':'), NAME, refuse(400)),
  one('two colons first', get('::b'), NAME, refuse(400)),
  one('a blank for a name', get(' : b'), NAME, refuse(400)),
  one('a pseudo field of HTTP/2', get(':path: /x'), NAME, refuse(400)),
  ...[
    'NoColon',
    'a',
    '\0',
    'X-A b',
    'X-A=b',
    'GET / HTTP/1.1',
    'Host',
    'Content-Length',
    'Transfer-Encoding chunked',
    '\xff',
  ].map((line) => one(`${JSON.stringify(line)} without a colon`, get(line), 'RFC 9112 §5', refuse(400))),
  one('a line without a colon, last of all', get('X-A: b', 'X-B'), 'RFC 9112 §5', refuse(400)),
  one('a name of 8,000 octets', get(`${'x'.repeat(8000)}: b`), NAME, forward()),
  one(
    'an unknown field',
    get('X-Unheard-Of: b'),
    'RFC 9110 §5.1',
    forward({ fields: [['X-Unheard-Of', 'b']] }),
  ),
  one(
    'case of names passes',
    get('x-lOwEr: 1', 'X-UPPER: 2'),
    NAME,
    forward({
      fields: [
        ['x-lOwEr', '1'],
        ['X-UPPER', '2'],
      ],
    }),
  ),
  one(
    'order and repetition pass',
    get('X-B: 1', 'X-A: 2', 'X-B: 3', 'x-b: 4', 'X-A: 2'),
    'RFC 9110 §5.3',
    forward({
      fields: [
        ['X-B', '1'],
        ['X-A', '2'],
        ['X-B', '3'],
        ['x-b', '4'],
        ['X-A', '2'],
      ],
    }),
  ),
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', 'length'].map((name) =>
    one(`a field named ${name}`, get(`${name}: b`), NAME, forward({ fields: [[name, 'b']] })),
  ),
]

const values: Case[] = [
  ...ALL_OCTETS.map((value) => {
    const text = octet(value)
    const good = VALUE.test(text)
    return one(
      `${nameOf(value)} within a value`,
      get(`X-A: a${text}b`),
      'RFC 9110 §5.5',
      good ? forward({ fields: [['X-A', `a${text}b`]] }) : refuse(400),
    )
  }),
  ...ALL_OCTETS.filter((value) => value !== 0x20 && value !== 0x09).flatMap((value) => {
    const text = octet(value)
    const expected = VALUE.test(text) ? forward({ fields: [['X-A', text]] }) : refuse(400)
    return [
      one(`${nameOf(value)} alone for a value`, get(`X-A:${text}`), 'RFC 9110 §5.5', expected),
      one(`${nameOf(value)} between blanks for a value`, get(`X-A: \t${text} \t`), 'RFC 9110 §5.5', expected),
    ]
  }),
  one(
    'obs-text, all of it',
    get(`X-A: ${ALL_OCTETS.slice(128).map(octet).join('')}`),
    'RFC 9110 §5.5',
    forward(),
  ),
  one(
    'a value in UTF-8',
    get(`X-A: ${utf8('Grüße 你好 🙂')}`),
    'RFC 9110 §5.5',
    forward({ fields: [['X-A', utf8('Grüße 你好 🙂')]] }),
  ),
  one('a value in broken UTF-8', get('X-A: \xc3\x28\xf0\x28\x8c\xbc'), 'RFC 9110 §5.5', forward()),
  one(
    'NBSP and NEL at the ends of a value stay',
    get('X-A: \xa0\x85b\x85\xa0'),
    'RFC 9110 §5.5',
    forward({ fields: [['X-A', '\xa0\x85b\x85\xa0']] }),
  ),
  one('no blank behind the colon', get('X-A:b'), 'RFC 9112 §5', forward({ fields: [['X-A', 'b']] })),
  one(
    'many blanks around a value',
    get('X-A: \t  b \t\t '),
    'RFC 9112 §5',
    forward({ fields: [['X-A', 'b']] }),
  ),
  one(
    'blanks and tabs within a value',
    get('X-A: a  \t b'),
    'RFC 9110 §5.5',
    forward({ fields: [['X-A', 'a  \t b']] }),
  ),
  one(
    'an empty value',
    get('X-A:', 'X-B: '),
    'RFC 9110 §5.5',
    forward({
      fields: [
        ['X-A', ''],
        ['X-B', ''],
      ],
    }),
  ),
  one('a value of blanks', get('X-A: \t \t'), 'RFC 9110 §5.5', forward({ fields: [['X-A', '']] })),
  one('colons in a value', get('X-A: :: a: b'), 'RFC 9110 §5.5', forward({ fields: [['X-A', ':: a: b']] })),
  one('a value of 8,000 octets', get(`X-A: ${'b'.repeat(8000)}`), 'RFC 9110 §5.5', forward()),
  one(
    'a value of 8,000 blanks',
    get(`X-A:${' '.repeat(8000)}b`),
    'RFC 9110 §5.5',
    forward({ fields: [['X-A', 'b']] }),
  ),
]

const folding: Case[] = [
  ...DECIDING.flatMap(([name, value]) =>
    [' ', '\t', '   ', ' \t'].flatMap((blank) => [
      one(
        `${name} folded with ${JSON.stringify(blank)}`,
        get(`${name}: ${value}`, `${blank}c`),
        'RFC 9112 §5.2',
        refuse(400),
      ),
      one(
        `${name} folded before its value`,
        get(`${name}:`, `${blank}${value}`),
        'RFC 9112 §5.2',
        refuse(400),
      ),
      one(
        `${name} folded into the line before`,
        get('X-B: a', `${blank}${name}: ${value}`),
        'RFC 9112 §5.2',
        refuse(400),
      ),
    ]),
  ),
  one('a folded line of blanks alone', get('X-A: b', ' '), 'RFC 9112 §5.2', refuse(400)),
  one('a folded line of a tab, in the middle', get('X-A: b', '\t', 'X-B: c'), 'RFC 9112 §5.2', refuse(400)),
  one(
    'blank before the first field line',
    head('GET /case HTTP/1.1', ' X-A: b', HOST),
    'RFC 9112 §2.2',
    refuse(400),
  ),
  one(
    'tab before the first field line',
    head('GET /case HTTP/1.1', `\t${HOST}`),
    'RFC 9112 §2.2',
    refuse(400),
  ),
  one(
    'a line of blanks before the first field line',
    head('GET /case HTTP/1.1', '  ', HOST),
    'RFC 9112 §2.2',
    refuse(400),
  ),
]

const lineEnds: Case[] = [
  ...DECIDING.flatMap(([name, value]) => [
    one(`${name} behind LF in a value`, get(`X-B: a\n${name}: ${value}`), 'RFC 9112 §2.2', refuse(400)),
    one(`${name} behind CR in a value`, get(`X-B: a\r${name}: ${value}`), 'RFC 9112 §2.2', refuse(400)),
    one(`${name} behind LF CR in a value`, get(`X-B: a\n\r${name}: ${value}`), 'RFC 9112 §2.2', refuse(400)),
    one(`${name} behind NUL in a value`, get(`X-B: a\0${name}: ${value}`), 'RFC 9110 §5.5', refuse(400)),
    one(
      `${name} behind CR CR LF in a value`,
      get(`X-B: a\r\r\n${name}: ${value}`),
      'RFC 9112 §2.2',
      refuse(400),
    ),
    one(
      `LF at the end of ${name}`,
      `GET /case HTTP/1.1\r\n${HOST}\r\n${name}: ${value}\n\r\n`,
      'RFC 9112 §2.2',
      refuse(400),
    ),
    one(
      `CR at the end of ${name}`,
      `GET /case HTTP/1.1\r\n${HOST}\r\n${name}: ${value}\rX-B: c\r\n\r\n`,
      'RFC 9112 §2.2',
      refuse(400),
    ),
    one(`LF before ${name}`, get(`\n${name}: ${value}`), 'RFC 9112 §2.2', refuse(400)),
    one(`CR before ${name}`, get(`\r${name}: ${value}`), 'RFC 9112 §2.2', refuse(400)),
    one(
      `LF within ${name}`,
      get(`${name.slice(0, 2)}\n${name.slice(2)}: ${value}`),
      'RFC 9112 §2.2',
      refuse(400),
    ),
    one(
      `CR within ${name}`,
      get(`${name.slice(0, 2)}\r${name.slice(2)}: ${value}`),
      'RFC 9112 §2.2',
      refuse(400),
    ),
    one(`CR between colon and value of ${name}`, get(`${name}:\r${value}`), 'RFC 9112 §2.2', refuse(400)),
    one(`LF between colon and value of ${name}`, get(`${name}:\n${value}`), 'RFC 9112 §2.2', refuse(400)),
    one(`CR behind the value of ${name}`, get(`${name}: ${value}\r`), 'RFC 9112 §2.2', refuse(400)),
  ]),
  ...[
    '\n\n',
    '\r\n\n',
    '\n\r\n',
    '\r\r',
    '\n\r',
    '\r\n\r',
    '\r\n\r\r\n',
    '\r\n \r\n',
    '\r\n\0\r\n',
    '\r\r\n\r\n',
  ].map((end) =>
    one(
      `${JSON.stringify(end)} for the end of a head`,
      `GET /case HTTP/1.1\r\n${HOST}${end}`,
      'RFC 9112 §2.1',
      refuse(400),
    ),
  ),
  one(
    'an empty line within the field section',
    `GET /case HTTP/1.1\r\n${HOST}\r\n\r\nX-A: b\r\n\r\n`,
    'RFC 9112 §2.1',
    refuse(400, 501),
    { before: 1 },
  ),
]

/** What may stand in a host by RFC 3986, and which of it signet forwards (docs/decisions/0004). */
const DNS_OCTET = /[A-Za-z0-9\-._~]/

const hosts: Case[] = [
  one('no Host', head('GET /case HTTP/1.1'), 'RFC 9112 §3.2', refuse(400)),
  one('no Host, but other fields', head('GET /case HTTP/1.1', 'X-A: b'), 'RFC 9112 §3.2', refuse(400)),
  one('no Host in HEAD', head('HEAD /case HTTP/1.1'), 'RFC 9112 §3.2', refuse(400)),
  one(
    'no Host with a body',
    `${head('POST /case HTTP/1.1', 'Content-Length: 5')}hello`,
    'RFC 9112 §3.2',
    refuse(400),
  ),
  one('no Host in HTTP/1.0', head('GET /case HTTP/1.0'), 'RFC 9112 §3.2', forward(), { probe: false }),
  ...['HTTP/1.0', 'HTTP/1.1'].flatMap((version) => [
    one(
      `two equal Hosts in ${version}`,
      head(`GET /case ${version}`, HOST, HOST),
      'RFC 9112 §3.2',
      refuse(400),
    ),
    one(
      `two Hosts in ${version}`,
      head(`GET /case ${version}`, HOST, 'Host: evil.test'),
      'RFC 9112 §3.2',
      refuse(400),
    ),
    one(
      `an empty second Host in ${version}`,
      head(`GET /case ${version}`, HOST, 'Host:'),
      'RFC 9112 §3.2',
      refuse(400),
    ),
    one(
      `an empty first Host in ${version}`,
      head(`GET /case ${version}`, 'Host:', HOST),
      'RFC 9112 §3.2',
      refuse(400),
    ),
    one(
      `two Hosts far apart in ${version}`,
      head(`GET /case ${version}`, HOST, 'X-A: b', 'hOsT: evil.test'),
      'RFC 9112 §3.2',
      refuse(400),
    ),
  ]),
  ...['HOST', 'host', 'hOsT'].map((name) =>
    one(
      `${name} for Host`,
      head('GET /case HTTP/1.1', `${name}: origin.test`),
      'RFC 9110 §5.1',
      forward({ host: 'origin.test' }),
    ),
  ),
  one(
    'Host last',
    head('GET /case HTTP/1.1', 'X-A: b', HOST),
    'RFC 9110 §7.2',
    forward({ host: 'origin.test' }),
  ),
  ...[
    'origin.test',
    'ORIGIN.test',
    'origin.test.',
    'origin.test:80',
    'origin.test:0',
    'origin.test:65535',
    'localhost',
    'a',
    '1',
    'under_score.test',
    'xn--bcher-kva.test',
    '192.0.2.1',
    '192.0.2.1:8080',
    '[::1]',
    '[::1]:8080',
    '[2001:DB8::a]',
    '[::ffff:192.0.2.1]',
    `${'a'.repeat(63)}.test`,
  ].map((host) =>
    one(
      `Host ${host.slice(0, 40)}`,
      head('GET /case HTTP/1.1', `Host: ${host}`),
      'RFC 9110 §7.2',
      forward({ host }),
    ),
  ),
  one(
    'blanks around Host',
    head('GET /case HTTP/1.1', 'Host: \t origin.test \t'),
    'RFC 9112 §5',
    forward({ host: 'origin.test' }),
  ),
  one(
    'no blank before Host',
    head('GET /case HTTP/1.1', 'Host:origin.test'),
    'RFC 9112 §5',
    forward({ host: 'origin.test' }),
  ),
  ...[
    '',
    ' ',
    '\t',
    'a, b',
    'a,b',
    'origin.test, origin.test',
    'a b',
    'a\tb',
    'a@b',
    'user@origin.test',
    'user:password@origin.test',
    'origin.test@evil.test',
    '@origin.test',
    'http://origin.test',
    'http://origin.test/',
    '//origin.test',
    'origin.test/',
    'origin.test/path',
    '/origin.test',
    '/',
    'origin.test?q',
    'origin.test#f',
    'origin.test\\evil',
    'origin.test:',
    'origin.test:80:80',
    'origin.test::80',
    'origin.test:http',
    'origin.test:+80',
    'origin.test:-80',
    'origin.test:8 0',
    'origin.test: 80',
    'origin.test :80',
    'origin.test:65536',
    'origin.test:99999999999',
    'origin.test:0x50',
    'origin.test:80/',
    'origin.test:80@evil.test',
    ':80',
    ':',
    '[',
    ']',
    '[]',
    '[]:80',
    '[::1',
    '::1',
    '::1]',
    '[::1]80',
    '[::1]:',
    '[::1]:port',
    '[::1]evil.test',
    '[::1].evil.test',
    '[[::1]]',
    '[::1%eth0]',
    '[::1%25eth0]',
    '[:::]',
    '[1:2:3]',
    '[1::2::3]',
    '[12345::]',
    '[1:2:3:4:5:6:7:8:9]',
    '[::1.2.3]',
    '[::256.1.1.1]',
    '[127.0.0.1]',
    '[origin.test]',
    '[g::1]',
    '[v1.x]',
    '*',
    '"origin.test"',
    "'origin.test'",
    '<origin.test>',
    'origin.test;a=b',
    'origin.test=evil',
    'a|b',
    'a^b',
    'a`b',
    'a{b}',
    '%6frigin.test',
    '%',
    'a%00b',
    utf8('bücher.test'),
    utf8('origin。test'),
    'origin\0.test',
    'origin.test\0',
    'origin.test\x7f',
    'origin\xadtest',
    '$HOST',
    '(none)',
    'null, undefined',
  ].map((host) =>
    one(
      `Host ${JSON.stringify(host)}`,
      head('GET /case HTTP/1.1', `Host: ${host}`),
      'RFC 9112 §3.2, RFC 9110 §4.2',
      refuse(400),
    ),
  ),
  ...ALL_OCTETS.map((value) => {
    const text = octet(value)
    const host = `origin${text}test`
    return one(
      `${nameOf(value)} in Host`,
      head('GET /case HTTP/1.1', `Host: ${host}`),
      'RFC 9112 §3.2',
      DNS_OCTET.test(text) ? forward({ host }) : refuse(400),
    )
  }),
]

/** Settings of this group: limits that a thousand lines fit into. */
const LIMITS = { SIGNET_MAX_FIELDS: '1000', SIGNET_MAX_HEAD_SIZE: '65536' }

const lines = (count: number, line = 'X-A: b') => Array.from({ length: count }, () => line)
const amounts: Case[] = [
  one('1,000 field lines, as many as allowed', get(...lines(999)), 'RFC 6585 §5', forward()),
  one('1,001 field lines', get(...lines(1000)), 'RFC 6585 §5', refuse(431)),
  one('5,000 field lines', get(...lines(5000)), 'RFC 6585 §5', refuse(431)),
  one(
    '1,000 field lines, all of different names',
    get(...Array.from({ length: 999 }, (_, index) => `X-${index}: b`)),
    'RFC 6585 §5',
    forward(),
  ),
  one(
    '1,000 Host lines',
    head('GET /case HTTP/1.1', ...lines(1000, HOST)),
    'RFC 9112 §3.2',
    refuse(400, 431),
  ),
  one(
    '1,000 Connection lines',
    get(...lines(998, 'Connection: x-a'), 'X-A: b'),
    'RFC 9110 §7.6.1',
    forward({ fields: [] }),
  ),
  one('a value of 60,000 octets', get(`X-A: ${'b'.repeat(60_000)}`), 'RFC 6585 §5', forward()),
  one('a value of 66,000 octets', get(`X-A: ${'b'.repeat(66_000)}`), 'RFC 6585 §5', refuse(431)),
  one('a name of 66,000 octets', get(`${'x'.repeat(66_000)}: b`), 'RFC 6585 §5', refuse(431)),
  one(
    'a value of 1,000,000 octets that never ends',
    `${head('GET /case HTTP/1.1', HOST).slice(0, -2)}X-A: ${'b'.repeat(1_000_000)}`,
    'RFC 6585 §5',
    refuse(431),
    { probe: false },
  ),
  one(
    'lines without end',
    `${head('GET /case HTTP/1.1', HOST).slice(0, -2)}${'X-A: b\r\n'.repeat(50_000)}`,
    'RFC 6585 §5',
    refuse(431),
    { probe: false },
  ),
  one('a head of exactly 65,536 octets', exactly(65_536), 'RFC 6585 §5', forward()),
  one('a head of 65,537 octets', exactly(65_537), 'RFC 6585 §5', refuse(431)),
  one('a line of nothing but colons', get(`X-A:${':'.repeat(10_000)}`), 'RFC 9110 §5.5', forward()),
]

/** A request whose head is `size` octets long. */
function exactly(size: number): string {
  const bare = get('X-A: ').length
  return get(`X-A: ${'b'.repeat(size - bare)}`)
}

/** Group 2. */
export const fieldLines: Group = {
  name: '2 field lines',
  env: LIMITS,
  cases: [...names, ...values, ...folding, ...lineEnds, ...hosts, ...amounts],
}
