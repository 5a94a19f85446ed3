import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { ForwardingLines } from '../../src/http/forwarding.ts'
import { MAX_MEMBERS } from '../../src/http/forwarding-told.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { readRequest } from '../../src/http/request.ts'

const test = suite('http/forwarding')

const parser = createHeadParser({ region: 65_536, maxHeadSize: 65_536, maxFields: 100 })
const rules = new FieldRules(['x-my-jwt'])

/** A request head with these lines, from a client that calls the host a.test. */
function requestWith(...lines: string[]) {
  const head = Buffer.from(`GET / HTTP/1.1\r\n${['Host: a.test', ...lines].join('\r\n')}\r\n\r\n`, 'latin1')
  return readRequest(parser.parseRequest(head, 0, head.length), rules, 1000)
}

/** One without any forwarding field. */
function requestTo(authority: string | undefined) {
  return { ...requestWith(), authority }
}

for (const [what, address, authority, expected] of [
  [
    'an IPv4 client, by its address',
    '192.0.2.7',
    'a.test',
    [
      'X-Forwarded-For: 192.0.2.7',
      'X-Forwarded-Host: a.test',
      'X-Forwarded-Proto: http',
      'Forwarded: for=192.0.2.7;host="a.test";proto=http',
    ],
  ],
  [
    'an IPv4 client on a socket for both, by its IPv4 address',
    '::ffff:192.0.2.7',
    'a.test:8080',
    [
      'X-Forwarded-For: 192.0.2.7',
      'X-Forwarded-Host: a.test:8080',
      'X-Forwarded-Proto: http',
      'Forwarded: for=192.0.2.7;host="a.test:8080";proto=http',
    ],
  ],
  [
    'an IPv6 client, in brackets and quotes (RFC 7239 §6)',
    '2001:db8::7',
    '[2001:db8::1]:80',
    [
      'X-Forwarded-For: 2001:db8::7',
      'X-Forwarded-Host: [2001:db8::1]:80',
      'X-Forwarded-Proto: http',
      'Forwarded: for="[2001:db8::7]";host="[2001:db8::1]:80";proto=http',
    ],
  ],
  [
    'a request of HTTP/1.0 that names no host, without one',
    '192.0.2.7',
    undefined,
    ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-Proto: http', 'Forwarded: for=192.0.2.7;proto=http'],
  ],
] as const) {
  test(`an upstream is told of ${what}`, () => {
    assert.is(
      new ForwardingLines(address, 'http').lines(requestTo(authority)),
      `${expected.join('\r\n')}\r\n`,
    )
  })
}

test('each request of a connection is told by its own authority, whatever came before', () => {
  const lines = new ForwardingLines('192.0.2.7', 'http')
  for (const authority of ['a', 'b', 'b', undefined, 'a', undefined, undefined, 'a']) {
    assert.is(
      lines.lines(requestTo(authority)),
      new ForwardingLines('192.0.2.7', 'http').lines(requestTo(authority)),
    )
  }
})

test('a client that speaks TLS is told as https', () => {
  const lines = new ForwardingLines('192.0.2.7', 'https').lines(requestTo('a.test'))
  assert.match(lines, 'X-Forwarded-Proto: https\r\n')
  assert.match(lines, ';proto=https\r\n')
})

/** The proxies that the tests below trust. */
const trusts = (address: string) => address.startsWith('10.') || address === '2001:db8::10'

/** What an upstream is told by way of the trusted proxy 10.0.0.1, as lines by lower-case name, and who the client is. */
function by(trusted: string, ...lines: string[]) {
  const forwarding = new ForwardingLines(trusted, 'http', trusts)
  const head = requestWith(...lines)
  const told = forwarding.lines(head).split('\r\n').slice(0, -1)
  const field = (name: string) => {
    const found = told.filter((line) => line.startsWith(`${name}: `))
    assert.is(found.length, 1, `one ${name} in ${told.join(' | ')}`)
    return found[0]!.slice(name.length + 2)
  }
  return {
    chain: field('X-Forwarded-For'),
    host: field('X-Forwarded-Host'),
    proto: field('X-Forwarded-Proto'),
    forwarded: field('Forwarded'),
    client: forwarding.clientOf(head),
  }
}

const OWN = 'for=10.0.0.1;host="a.test";proto=http'
const HIDDEN = 'for=_hidden;by="[2001:db8::1]:80";proto=https'

for (const [what, lines, expected] of [
  ['says nothing', [], { chain: '10.0.0.1', client: '10.0.0.1', forwarded: OWN }],
  ['names its client', ['X-Forwarded-For: 192.0.2.7'], { chain: '192.0.2.7, 10.0.0.1', client: '192.0.2.7' }],
  [
    'names a chain over several lines, in any case',
    ['X-Forwarded-For: 198.51.100.1 ,192.0.2.7', 'x-forwarded-for:\t10.0.0.2, ,'],
    { chain: '198.51.100.1, 192.0.2.7, 10.0.0.2, 10.0.0.1', client: '192.0.2.7' },
  ],
  [
    'is behind nothing but trusted ones',
    ['X-Forwarded-For: 10.0.0.3, 10.0.0.2'],
    { chain: '10.0.0.3, 10.0.0.2, 10.0.0.1', client: '10.0.0.3' },
  ],
  [
    'adds ports and brackets',
    ['X-Forwarded-For: [2001:db8::7]:4711, [2001:db8::10], 10.0.0.2:80'],
    { chain: '[2001:db8::7]:4711, [2001:db8::10], 10.0.0.2:80, 10.0.0.1', client: '2001:db8::7' },
  ],
  [
    'maps IPv4 into IPv6',
    ['X-Forwarded-For: ::ffff:192.0.2.7'],
    { chain: '::ffff:192.0.2.7, 10.0.0.1', client: '192.0.2.7' },
  ],
  ...[
    'unknown',
    '_hidden',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.4:x',
    '[1.2.3.4]',
    '1::2::3',
    '"192.0.2.1"',
    'a.test',
    '\xe4',
    'fe80::1%e',
  ].map(
    (junk) =>
      [
        `got ${junk} from its client`,
        [`X-Forwarded-For: 203.0.113.1, ${junk}, 192.0.2.7`],
        { chain: '192.0.2.7, 10.0.0.1', client: '192.0.2.7' },
      ] as const,
  ),
  [
    'got junk last',
    ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-For: ?'],
    { chain: '10.0.0.1', client: '10.0.0.1' },
  ],
  [
    'says host and scheme',
    ['X-Forwarded-Host: b.test:444', 'X-Forwarded-Proto: https'],
    { host: 'b.test:444', proto: 'https', forwarded: OWN },
  ],
  [
    'says malformed ones',
    ['X-Forwarded-Host: b.test/', 'X-Forwarded-Proto: javascript'],
    { host: 'a.test', proto: 'http' },
  ],
  [
    'says them twice',
    [
      'X-Forwarded-Host: b.test',
      'X-Forwarded-Host: b.test',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Proto: http',
    ],
    { host: 'a.test', proto: 'http' },
  ],
  [
    'says empty ones',
    ['X-Forwarded-Host:', 'X-Forwarded-Proto: ', 'Forwarded:'],
    { host: 'a.test', proto: 'http', forwarded: OWN },
  ],
  ['says Forwarded', [`Forwarded: ${HIDDEN}`], { forwarded: `${HIDDEN}, ${OWN}` }],
  [
    'says Forwarded in lists, with commas and quotes in quotes',
    ['Forwarded: for="a,\\"b" , for=c', 'FORWARDED: for=d;by=e'],
    { forwarded: `for="a,\\"b", for=c, for=d;by=e, ${OWN}` },
  ],
  ...[
    'for',
    'for=',
    'for="',
    'for=a;',
    'for=a b',
    'for=[::1]',
    'for=a;For=b',
    '=a',
    'for="\xe4"',
    'for="a"b',
  ].map(
    (junk) =>
      [
        `got Forwarded: ${junk} from its client`,
        ['Forwarded: for=x', `Forwarded: ${junk}`, 'Forwarded: for=c'],
        { forwarded: `for=c, ${OWN}` },
      ] as const,
  ),
  ['got a quote that never ends, and appended to that line', ['Forwarded: for=", for=c'], { forwarded: OWN }],
  [
    'spells the fields in a way that an upstream may fold onto them',
    ['X_Forwarded_For: 192.0.2.7', 'X-Real-IP: 192.0.2.7', 'X.Forwarded-Host: b.test'],
    { chain: '10.0.0.1', host: 'a.test', client: '10.0.0.1' },
  ],
  [
    'got Connection from its client that names them',
    ['Connection: x-forwarded-for, forwarded', 'X-Forwarded-For: 192.0.2.7', 'Forwarded: for=c'],
    { chain: '192.0.2.7, 10.0.0.1', forwarded: `for=c, ${OWN}`, client: '192.0.2.7' },
  ],
] as const satisfies readonly (readonly [string, readonly string[], Partial<ReturnType<typeof by>>])[]) {
  test(`an upstream behind a trusted proxy that ${what} is told what can be read of it`, () => {
    const told = by('10.0.0.1', ...lines)
    for (const [name, value] of Object.entries(expected))
      assert.is(told[name as keyof typeof told], value, name)
  })
}

test('of a peer that is not trusted, whatever it says, nothing is told, and nobody is asked for each request', () => {
  let asked = 0
  const forwarding = new ForwardingLines('192.0.2.7', 'http', () => {
    asked++
    return false
  })
  const head = requestWith('X-Forwarded-For: 10.0.0.1', 'Forwarded: for=c', 'X-Forwarded-Proto: https')
  for (let request = 0; request < 3; request++) {
    assert.is(forwarding.lines(head), new ForwardingLines('192.0.2.7', 'http').lines(requestTo('a.test')))
    assert.is(forwarding.clientOf(head), '192.0.2.7')
    for (let line = 0; line < head.fields.count; line++)
      assert.not(forwarding.repeats(head.fields, line, head.rules[line]))
  }
  assert.is(asked, 1)
})

test('only the lines that are told again, and could be read, count as repeated', () => {
  const forwarding = new ForwardingLines('10.0.0.1', 'http', trusts)
  const head = requestWith(
    'X-Forwarded-For: ?',
    'X-Forwarded-For: 192.0.2.7',
    'X-Real-IP: 192.0.2.7',
    'X-My-Jwt: a',
    'Via: 1.1 b',
  )
  forwarding.lines(head)
  const repeated = Array.from({ length: head.fields.count }, (_, line) =>
    forwarding.repeats(head.fields, line, head.rules[line]),
  )
  assert.equal(repeated, [false, false, true, false, false, false])
})

/** A value that fills most of a head of 16 KiB. */
function filled(member: string): string {
  return Array.from({ length: Math.floor(15_000 / (member.length + 1)) }, () => member).join(',')
}

for (const member of ['10.0.0.1', '2001:db8::10', '192.0.2.1', '[2001:db8::10]:80', 'x', '', ' ']) {
  test(`a head full of ${JSON.stringify(member)} costs a look at the last ${MAX_MEMBERS} members, and no more`, () => {
    let asked = 0
    const forwarding = new ForwardingLines('10.0.0.1', 'http', (address) => {
      asked++
      return trusts(address)
    })
    const head = requestWith(`X-Forwarded-For: ${filled(member)}`, `Forwarded: ${filled(`for="${member}"`)}`)
    const lines = forwarding.lines(head)
    const client = forwarding.clientOf(head)
    for (let line = 0; line < head.fields.count; line++)
      assert.not(forwarding.repeats(head.fields, line, head.rules[line])) // not all of it
    assert.ok(asked <= MAX_MEMBERS + 1, `${asked}`)
    for (const line of lines.split('\r\n')) assert.ok(line.split(', ').length <= MAX_MEMBERS + 1, line)
    assert.ok(lines.length < 4000, `${lines.length}`)
    assert.ok(['10.0.0.1', '2001:db8::10', '192.0.2.1'].includes(client), client)
  })
}

test(`of a longer chain the last ${MAX_MEMBERS} members are told, over all lines`, () => {
  const chain = Array.from({ length: 50 }, (_, at) => `10.0.1.${at}`)
  const told = by(
    '10.0.0.1',
    `X-Forwarded-For: ${chain.slice(0, 30).join(',')}`,
    `X-Forwarded-For: ${chain.slice(30).join(',')}`,
    `Forwarded: ${chain.map((address) => `for=${address}`).join(',')}`,
  )
  const last = chain.slice(-MAX_MEMBERS)
  assert.is(told.chain, [...last, '10.0.0.1'].join(', '))
  assert.is(told.client, last[0])
  assert.is(told.forwarded, [...last.map((address) => `for=${address}`), OWN].join(', '))
})

test('the client is looked for from the end, and nobody before it is asked about', () => {
  const asked: string[] = []
  const forwarding = new ForwardingLines('10.0.0.1', 'http', (address) => {
    asked.push(address)
    return trusts(address)
  })
  const head = requestWith('X-Forwarded-For: 10.0.0.4, 192.0.2.7, 10.0.0.3, 10.0.0.2')
  assert.is(forwarding.clientOf(head), '192.0.2.7')
  assert.equal(asked, ['10.0.0.1', '10.0.0.2', '10.0.0.3', '192.0.2.7'])
})

test('each request of a trusted proxy is told by its own fields', () => {
  const forwarding = new ForwardingLines('10.0.0.1', 'http', trusts)
  for (const client of ['192.0.2.7', '192.0.2.8']) {
    assert.match(forwarding.lines(requestWith(`X-Forwarded-For: ${client}`)), `For: ${client}, 10.0.0.1\r\n`)
  }
})

test('no octets that a trusted proxy sends make a line of their own, or one that cannot be read', () => {
  const member = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.string({ unit: fc.constantFrom(...'fFor=";,\\1.:[] \tab'), maxLength: 20 }),
    fc.ipV4(),
    fc.ipV6(),
  )
  const value = fc
    .array(member, { maxLength: 4 })
    .map((members) => members.join(', ').replace(/[\0-\x08\n-\x1f\x7f-\u{10ffff}]/gu, ''))
  const name = fc.constantFrom('X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'Forwarded')
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 5 }), (lines) => {
      const { chain, host, proto, forwarded } = by(
        '10.0.0.1',
        ...lines.map(([one, said]) => `${one}: ${said}`),
      )
      for (const one of chain.split(', ')) assert.match(one, /^[0-9A-Fa-f:.[\]]+$/)
      assert.match(host, /^[^\s,]+$/)
      assert.match(proto, /^https?$/i)
      assert.match(forwarded, /^[\t -~]*(^|, )for=10\.0\.0\.1;host="a\.test";proto=http$/)
    }),
  )
})

test.run()
