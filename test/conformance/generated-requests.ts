// Requests for the differential test: right ones, in parts, and mutations that break them at the places where parsers
// disagree: at line ends, around colons, in chunk sizes, in framing fields.

import * as fc from 'fast-check'

/** A part of a request that a mutation may take hold of: a line end, a name, a colon, a chunk size … */
type Part = string

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'QUERY']
const TARGETS = [
  '/',
  '/a?b=c',
  '/a/b;c',
  '/%41?%20',
  '*',
  'http://a.test/x',
  'http://a.test',
  'http://a.test:80?q',
  'http://[::1]/',
]
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0']
const HOSTS = ['a.test', 'a.test:8080', '127.0.0.1', '[::1]:80', 'A.Test.']
const FIELDS: readonly (readonly [string, string])[] = [
  ['X-A', 'b'],
  ['x-b', ''],
  ['Accept', 'text/html, */*;q=0.1'],
  ['Cookie', 'a=b; c="d"'],
  ['Connection', 'X-A, x-b'],
  ['Connection', 'close'],
  ['Connection', 'keep-alive'],
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['TE', 'trailers'],
  ['Trailer', 'X-A'],
  ['Keep-Alive', 'timeout=5'],
  ['Proxy-Connection', 'close'],
  ['Proxy_Authorization', 'Basic YTpi'],
  ['Proxy', 'http://c.test'],
  ['x-my-jwt', 'forged'],
  ['X_My.Jwt', 'forged'],
  ['X-Forwarded-For', '192.0.2.1'],
  ['Forwarded', 'for=192.0.2.1'],
  ['Via', '1.1 before'],
  ['Expect', '100-continue'],
  ['Expect', '100-Continue'],
  ['Max-Forwards', '7'],
  ['Authorization', 'Basic YTpi'],
  ['X-Obs', '\xe9\xff'],
  ['Content-Type', 'text/plain; charset=utf-8'],
]
const DATA = ['hello', 'x', '\r\n', '0\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', '\0\xff', 'a'.repeat(20)]
const EXTENSIONS = ['', '', '', ';a', ';a=b', ';a="b;c"', '; a = b']

/** What mutations put in: octets that parsers disagree on, and pieces of syntax that change where messages end. */
const NASTY = [
  ...['\r', '\n', '\r\n', '\n\n', '\r\r', '\r\n\r\n', '\r\n ', '\r\n\t', '\n\r'],
  ...[' ', '\t', '  ', '\0', '\x01', '\x0b', '\x0c', '\x1f', '\x7f', '\x80', '\x85', '\xa0', '\xad', '\xff'],
  ...[
    ':',
    '::',
    ',',
    ', ',
    ';',
    '=',
    '"',
    "'",
    '\\',
    '/',
    '//',
    '?',
    '#',
    '%',
    '%4',
    '%41',
    '*',
    '@',
    '[',
    ']',
    '|',
    '^',
    '{',
    '<',
    '_',
    '.',
    '+',
    '-',
    '~',
  ],
  ...[
    '0',
    '1',
    '5',
    'a',
    'f',
    'x',
    '00',
    '05',
    '0x',
    '1e1',
    '-5',
    '99999999999999999999',
    'ffffffffffffffff',
    '0000000000000',
  ],
  ...[
    'chunked',
    'gzip',
    'identity',
    'close',
    'te',
    'host',
    'content-length',
    'x-my-jwt',
    'HTTP/1.0',
    'HTTP/1.1',
    'HTTP/2.0',
    'HTTP/0.9',
    'http',
    'https',
    'GET',
    'get',
    'FOO',
  ],
  ...['Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'content_length: 5\r\n', 'Content-Length : 5\r\n'],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'transfer.encoding: chunked\r\n',
    'Transfer-Encoding:\tchunked \r\n',
    'Transfer-Encoding: x\r\n',
  ],
  ...[
    'Host: b.test\r\n',
    'Host:\r\n',
    'Connection: close\r\n',
    'Connection: content-length\r\n',
    'Connection: host, x-my-jwt\r\n',
    'X-My-Jwt: f\r\n',
    'Expect: 100-continue\r\n',
    'Expect: x\r\n',
    'Proxy.X: f\r\n',
    'X-A: b\r\n',
    ' X-A: b\r\n',
    'X-A\r\n',
  ],
  ...[
    '0\r\n\r\n',
    '5\r\nhello\r\n',
    '0\r\nX-T: 1\r\n\r\n',
    '\r\n0\r\n\r\n',
    'GET /s HTTP/1.1\r\nHost: s.test\r\n\r\n',
  ],
]

const pick = (values: readonly string[]) => fc.constantFrom(...values)
const field = fc
  .tuple(
    fc.constantFrom(...FIELDS),
    pick([': ', ': ', ': ', ':', ':\t', ':  ']),
    pick(['', '', '', ' ', '\t']),
  )
  .map(([[name, value], colon, end]): Part[] => [name, colon.slice(0, 1), colon.slice(1), value, end, '\r\n'])

const chunk = fc
  .tuple(pick(DATA), pick(EXTENSIONS), pick(['', '', '0', '00']))
  .map(([data, extension, zeros]): Part[] => [
    zeros + data.length.toString(16),
    extension,
    '\r\n',
    data,
    '\r\n',
  ])

/** A body, and the field lines that frame it. */
const body: fc.Arbitrary<{ lines: Part[]; parts: Part[] }> = fc.oneof(
  fc.constant<{ lines: Part[]; parts: Part[] }>({ lines: [], parts: [] }),
  pick(DATA).map((data) => ({
    lines: ['Content-Length', ':', ' ', `${data.length}`, '', '\r\n'],
    parts: [data],
  })),
  fc
    .tuple(
      fc.array(chunk, { maxLength: 3 }),
      pick(['0', '0', '00']),
      pick(EXTENSIONS),
      fc.array(field, { maxLength: 2 }),
    )
    .map(([chunks, last, extension, trailers]) => ({
      lines: ['Transfer-Encoding', ':', ' ', 'chunked', '', '\r\n'],
      parts: [...chunks.flat(), last, extension, '\r\n', ...trailers.flat(), '\r\n'],
    })),
)

/** A request that is right, in parts. */
const request: fc.Arbitrary<Part[]> = fc
  .tuple(
    pick(METHODS),
    pick(TARGETS),
    pick(VERSIONS),
    pick(HOSTS),
    fc.array(field, { maxLength: 4 }),
    body,
    fc.boolean(),
    pick(['', '', '', '\r\n']),
  )
  .map(([method, target, version, host, fields, { lines, parts }, framingFirst, before]) => {
    const line = target === '*' ? 'OPTIONS' : method
    const hostLine = ['Host', ':', ' ', host, '', '\r\n']
    const rest = fields.flat()
    const section = framingFirst ? [...lines, ...hostLine, ...rest] : [...hostLine, ...rest, ...lines]
    return [before, line, ' ', target, ' ', version, '\r\n', ...section, '\r\n', ...parts]
  })

/** One way to break a request, at a place between or within its parts. */
interface Mutation {
  readonly kind: 'insert' | 'delete' | 'duplicate' | 'replace' | 'within' | 'swap' | 'octet'
  readonly at: number
  readonly within: number
  readonly text: string
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom<Mutation['kind'][]>(
    'insert',
    'insert',
    'within',
    'delete',
    'duplicate',
    'replace',
    'swap',
    'octet',
  ),
  at: fc.nat({ max: 200 }),
  within: fc.nat({ max: 40 }),
  text: fc.oneof(
    { weight: 5, arbitrary: pick(NASTY) },
    { weight: 1, arbitrary: fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)) },
  ),
})

function mutate(parts: readonly Part[], { kind, at, within, text }: Mutation): Part[] {
  const index = at % parts.length
  const part = parts[index] ?? ''
  const cut = within % (part.length + 1)
  const put = (...replacement: Part[]) => [
    ...parts.slice(0, index),
    ...replacement,
    ...parts.slice(index + 1),
  ]
  switch (kind) {
    case 'insert':
      return put(text, part)
    case 'delete':
      return parts.length > 1 ? put() : put('')
    case 'duplicate':
      return put(part, part)
    case 'replace':
      return put(text)
    case 'within':
      return put(part.slice(0, cut), text, part.slice(cut))
    case 'swap':
      return [
        ...parts.slice(0, index),
        ...(index + 1 < parts.length ? [parts[index + 1]!, part] : [part]),
        ...parts.slice(index + 2),
      ]
    case 'octet':
      return put(part.slice(0, cut) + text.slice(0, 1) + part.slice(cut + 1))
  }
}

/** What a connection brings, and where reads cut it. */
export interface Generated {
  readonly octets: string
  /** offsets, taken modulo the length */
  readonly cuts: readonly number[]
}

/** Requests, most of them broken in one to three places. */
export const generated: fc.Arbitrary<Generated> = fc
  .tuple(
    fc.array(request, { minLength: 1, maxLength: 2 }),
    fc.array(mutation, { maxLength: 3 }),
    fc.array(fc.nat({ max: 600 }), { maxLength: 3 }),
  )
  .map(([requests, mutations, cuts]) => ({
    octets: mutations.reduce(mutate, requests.flat()).join(''),
    cuts,
  }))
