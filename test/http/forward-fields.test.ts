import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fold } from '../../src/http/fields.ts'
import { ASSERTED, FieldRules, readContentLength, type Treatment } from '../../src/http/forward-fields.ts'

const test = suite('http/forward-fields')

const rules = new FieldRules(['x-my-jwt'])

/** What is done with the field of that name, as it stands in the midst of other text. */
function treatmentOf(name: string, by = rules): Treatment | undefined {
  return by.lookUp(`X: y\r\n${name}: z`, 6, 6 + name.length)?.treatment
}

/** Every octet that may stand in a name and is no letter and no digit. */
const MARKS = [..."!#$%&'*+-.^_`|~"]

/** Every spelling of `name` by case alone. */
function* casesOf(name: string): Generator<string> {
  if (name === '') yield ''
  else {
    for (const rest of casesOf(name.slice(1))) {
      yield name[0] + rest
      if (/[a-z]/.test(name[0]!)) yield name[0]!.toUpperCase() + rest
    }
  }
}

/** Every spelling of `name` that an upstream may fold onto it: any case, any mark in place of each dash. */
function* spellingsOf(name: string): Generator<string> {
  const dash = name.lastIndexOf('-')
  if (dash === -1) yield* casesOf(name)
  else {
    const tails = [...casesOf(name.slice(dash + 1))]
    for (const start of spellingsOf(name.slice(0, dash))) {
      for (const mark of MARKS) for (const tail of tails) yield start + mark + tail
    }
  }
}

const TREATMENTS: readonly (readonly [treatment: Treatment, ...names: string[]])[] = [
  ['host', 'Host'],
  ['content-length', 'Content-Length'],
  ['transfer-encoding', 'Transfer-Encoding'],
  ['connection', 'Connection'],
  ['te', 'TE'],
  ['upgrade', 'Upgrade'],
  ['expect', 'Expect'],
  ['via', 'Via'],
  ['date', 'Date'],
  ['max-forwards', 'Max-Forwards'],
  ['hop-by-hop', 'Keep-Alive', 'Proxy-Connection', 'Proxy-Authorization', 'Proxy-Authenticate', 'Trailer'],
  [
    'hop-by-hop',
    'Proxy-Authentication-Info',
    'HTTP2-Settings',
    'Proxy',
    'Proxy_Connection',
    'Proxy-Features',
  ],
  [
    'asserted',
    'X-My-JWT',
    'Forwarded',
    'X-Real-IP',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
  ],
  ['asserted', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Forwarded-Client-Cert', 'X-Forwarded-'],
  ['asserted', 'X_Forwarded_For', 'X.Real.IP', `X-Forwarded-${'x'.repeat(100)}`],
  ['framing-imitation', 'Content_Length', 'Content.Length', 'Transfer_Encoding', 'Transfer~Encoding'],
  [
    'end-to-end',
    'Authorization',
    'Cookie',
    'Set-Cookie',
    'WWW-Authenticate',
    'Cache-Control',
    'Content-Type',
  ],
  ['end-to-end', 'Content-Encoding', 'Content-Range', 'Range', 'Location', 'Vary'],
]

for (const [treatment, ...names] of TREATMENTS) {
  for (const name of names) {
    test(`${name.slice(0, 40)} is ${treatment}, in any case`, () => {
      const alternating = [...name]
        .map((octet, at) => (at % 2 === 0 ? octet.toUpperCase() : octet.toLowerCase()))
        .join('')
      for (const spelling of [name, name.toLowerCase(), name.toUpperCase(), alternating]) {
        assert.is(treatmentOf(spelling), treatment, spelling)
      }
    })
  }
}

test('every rule says why (and names a section or a reason)', () => {
  for (const [, ...names] of TREATMENTS) {
    for (const name of names) assert.match(rules.lookUp(name, 0, name.length)!.why, /\w{3}/)
  }
})

for (const name of [
  'X',
  'x-my-jw',
  'x-my-jwtt',
  'xx-my-jwt',
  'x-my-jwt-',
  '-x-my-jwt',
  'xmyjwt',
  'x--my-jwt',
  'y-my-jwt',
  'x-my-jws',
  'x-forwarded',
  'xforwarded-for',
  'x-forwarde-dfor',
  'forwarded-for',
  'hosts',
  'hos',
  'Contentlength',
  'Content-Lengths',
  'Proxies',
  'Keep_Alive',
  'Max_Forwards',
  'Accept',
  'User-Agent',
  'constructor',
  '__proto__',
  'toString',
  '0',
  '!',
  '-',
  'z'.repeat(5000),
]) {
  test(`${name.slice(0, 40)} is like any other field: it passes, and may be nominated`, () => {
    assert.is(treatmentOf(name), undefined)
  })
}

test("the token's field is known in every spelling that an upstream may fold onto it", () => {
  let spellings = 0
  for (const name of spellingsOf('x-my-jwt')) {
    assert.is(rules.lookUp(name, 0, name.length), ASSERTED, name)
    spellings++
  }
  assert.is(spellings, 2 ** 6 * MARKS.length ** 2)
})

for (const [asserted, imitations, others] of [
  ['authorization', ['Authorization', 'AUTHORIZATION'], ['authorisation']],
  ['x_user', ['x_user', 'X-User', 'x.user', 'X~USER'], ['xuser']],
  [
    '_token',
    ['_token', '-token', '.Token', '~TOKEN', '!token', '^token', '|token'],
    ['token', 'xtoken', '__token'],
  ],
  ['-', ['-', '_', '~', '*'], ['--', 'x']],
  ['t'.repeat(100), ['t'.repeat(100), 'T'.repeat(100)], ['t'.repeat(99), 't'.repeat(101)]],
  [`-${'t'.repeat(99)}`, [`_${'T'.repeat(99)}`], [`-${'t'.repeat(98)}`, `a${'t'.repeat(99)}`]],
] as const) {
  test(`a token's field of the name ${asserted.slice(0, 20)} is known in every spelling too`, () => {
    const other = new FieldRules([asserted])
    for (const name of imitations) assert.is(treatmentOf(name, other), 'asserted', name)
    for (const name of others) assert.is.not(treatmentOf(name, other), 'asserted', name)
    assert.is.not(treatmentOf('x-my-jwt', other), 'asserted')
  })
}

test('what clients have good reason to send is asserted, but is no imitation', () => {
  const other = new FieldRules(['x-my-jwt', 'authorization', 'traceparent'])
  for (const name of ['Authorization', 'traceparent', 'TraceParent']) {
    assert.is(treatmentOf(name, other), 'asserted', name)
    assert.is.not(other.lookUp(name, 0, name.length), ASSERTED, name)
  }
})

test('fields that signet asserts stay known beside the token', () => {
  const several = new FieldRules(['x-my-jwt', 'x-request-id'])
  for (const name of ['X_My_Jwt', 'x.request.id', 'X-Forwarded-For', 'Forwarded']) {
    assert.is(treatmentOf(name, several), 'asserted')
  }
})

test('looking octets up first loses no rule: the tables alone give the same for any name', () => {
  const known = new Map(
    TREATMENTS.flatMap(([treatment, ...names]) => names.map((name) => [name.toLowerCase(), treatment])),
  )
  const slow = (name: string): Treatment | undefined => {
    const folded = fold(name)
    if (['x-my-jwt', 'forwarded', 'x-real-ip'].includes(folded) || folded.startsWith('x-forwarded-'))
      return 'asserted'
    const treatment = known.get(name.toLowerCase())
    if (treatment !== undefined) return treatment
    if (folded.startsWith('proxy-')) return 'hop-by-hop'
    return folded === 'content-length' || folded === 'transfer-encoding' ? 'framing-imitation' : undefined
  }
  const octet = fc.constantFrom(...MARKS, ...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789')
  const random = fc.string({ unit: octet, minLength: 1, maxLength: 80, size: 'max' })
  const altered = fc
    .tuple(fc.constantFrom(...known.keys()), fc.nat(), octet, fc.nat(2))
    .map(
      ([name, at, put, skip]) =>
        name.slice(0, at % name.length) + put + name.slice((at % name.length) + skip),
    )
  fc.assert(
    fc.property(fc.oneof(random, altered), (name) => {
      assert.is(treatmentOf(name), slow(name), name)
    }),
    { numRuns: 5000 },
  )
})

for (const [value, length] of [
  ['0', 0],
  ['1', 1],
  ['42', 42],
  ['999999999999999', 999_999_999_999_999],
  ['', undefined],
  ['00', undefined],
  ['01', undefined],
  ['+1', undefined],
  ['-1', undefined],
  ['-0', undefined],
  [' 1', undefined],
  ['1 ', undefined],
  ['1,1', undefined],
  ['1.0', undefined],
  ['1e3', undefined],
  ['0x1', undefined],
  ['1_0', undefined],
  ['a', undefined],
  ['\u0661', undefined],
  ['Infinity', undefined],
  ['1000000000000000', undefined],
  ['9007199254740993', undefined],
] as const) {
  test(`Content-Length ${JSON.stringify(value)} is ${length === undefined ? 'not believed' : `believed: ${length}`} (RFC 9110 §8.6)`, () => {
    assert.is(readContentLength(value), length)
  })
}

test.run()
