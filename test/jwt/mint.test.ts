import { createHmac, createSecretKey, randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { claimsOf } from '../../src/jwt/claims.ts'
import { DEMO_SECRET, type HmacKey, readHmacKey } from '../../src/jwt/keys.ts'
import { createMinter, type Mint } from '../../src/jwt/mint.ts'

const test = suite('jwt/mint')

const key = readHmacKey(DEMO_SECRET, 'hex')
const NOON = Date.parse('2025-06-15T12:00:00Z')
const YEAR_9999_ENDS = Date.UTC(10_000, 0) - 1

/** A minter whose clock and ids are set by the test. */
function createSteered(user = 'username', hmacKey: HmacKey = key) {
  const dial = { time: NOON, id: '' }
  const nextId = (): string => dial.id || randomUUID()
  return { dial, mint: createMinter({ key: hmacKey, user, now: () => dial.time, nextId }) }
}

/** The parts of a token as text: header and claims decoded, the signature as it stands. */
function partsOf(jwt: string): { header: string; claims: string; signature: string; input: string } {
  const [header, claims, signature, ...more] = jwt.split('.') as [string, string, string]
  assert.is(more.length, 0)
  return {
    header: Buffer.from(header, 'base64url').toString(),
    claims: Buffer.from(claims, 'base64url').toString(),
    signature,
    input: `${header}.${claims}`,
  }
}

/** Holds a token against node's own HMAC and the plain claim set. */
function assertToken(jwt: string, expected: object, hmacKey: HmacKey = key): void {
  const { claims, signature, input } = partsOf(jwt)
  assert.is(signature, createHmac('sha512', hmacKey.secret).update(input).digest('base64url'))
  assert.equal(JSON.parse(claims), expected)
}

const USERS = [
  'username',
  'a',
  'ab',
  'abc',
  'Zoë',
  'ユーザー',
  '\u{1F468}\u200D\u{1F469}\u200D\u{1F467}',
  'שלום',
  'e\u0301',
  '"',
  '\\',
  '\\"',
  '","jti":"forged',
  '"}}',
  'tab\there',
  'line\nfeed',
  '\0\x1f\x7f\x80\u2028',
  'half a pair: \uD83D',
  '%2F../?#',
  ' blanks ',
  '__proto__',
  'x'.repeat(5000),
]
for (const user of USERS) {
  test(`jose verifies tokens of the user ${JSON.stringify(user.slice(0, 30))}, also repeated`, async () => {
    const { mint } = createSteered(user)
    for (let repeated = 0; repeated < 3; repeated++) {
      const { jwt, jti } = mint()
      const { payload } = await jwtVerify(jwt, key.secret, { algorithms: ['HS512'] })
      assert.equal(payload, claimsOf({ user }, NOON / 1000, jti))
    }
  })
}

test('the header is alg and typ, and nothing else', () => {
  assert.is(partsOf(createSteered().mint().jwt).header, '{"alg":"HS512","typ":"JWT"}')
})

test('the header names the key by kid where it has one (RFC 7515 §4.1.4)', () => {
  const named = readHmacKey(DEMO_SECRET, 'hex', 'key "1" ü')
  const { jwt, jti } = createSteered('username', named).mint()
  assert.equal(JSON.parse(partsOf(jwt).header), { alg: 'HS512', typ: 'JWT', kid: 'key "1" ü' })
  assertToken(jwt, claimsOf({ user: 'username' }, NOON / 1000, jti), named)
})

test('the token is three base64url parts, without padding and without Bearer (RFC 7515 §7.1)', () => {
  const { mint } = createSteered()
  for (let repeated = 0; repeated < 3; repeated++)
    assert.match(mint().jwt, /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{86}$/)
})

test('payload is an object, not JSON in a string', () => {
  const { payload } = JSON.parse(partsOf(createSteered().mint().jwt).claims)
  assert.equal(payload, { user: 'username', date: '2025-06-15' })
})

test('the claims keep to iat, jti and payload, each once', () => {
  const { mint } = createSteered('user')
  for (let repeated = 0; repeated < 3; repeated++) {
    const { claims } = partsOf(mint().jwt)
    assert.equal(Object.keys(JSON.parse(claims)).sort(), ['iat', 'jti', 'payload'])
    for (const name of ['"iat":', '"jti":', '"payload":']) assert.is(claims.split(name).length, 2)
  }
})

test('the written claims are the plain claim set, but for blanks before "jti"', () => {
  for (const user of USERS) {
    const { mint } = createSteered(user)
    for (let repeated = 0; repeated < 2; repeated++) {
      const { jwt, jti } = mint()
      const plain = JSON.stringify(claimsOf({ user }, NOON / 1000, jti))
      assert.is(partsOf(jwt).claims.replace(/ {0,2}("jti":"[^"]*"})$/, '$1'), plain)
    }
  }
})

test('iat is the integer second of the request', () => {
  const { dial, mint } = createSteered()
  const seen: unknown[] = []
  for (const offset of [0, 1, 999, 1000, 1999.5, 2000, 60_000]) {
    dial.time = NOON + offset
    seen.push(JSON.parse(partsOf(mint().jwt).claims).iat - NOON / 1000)
  }
  assert.equal(seen, [0, 0, 0, 1, 1, 2, 60])
})

test('the date turns at midnight UTC, together with iat', () => {
  const { dial, mint } = createSteered()
  const midnight = Date.parse('2026-01-01T00:00:00Z')
  for (const [time, date] of [
    [midnight - 1, '2025-12-31'],
    [midnight, '2026-01-01'],
    [midnight + 86_399_999, '2026-01-01'],
    [midnight + 86_400_000, '2026-01-02'],
  ] as const) {
    dial.time = time
    const { jwt, jti } = mint()
    assertToken(jwt, { iat: Math.floor(time / 1000), jti, payload: { user: 'username', date } })
  }
})

test('a clock that goes backwards is believed: iat and date go back with it', () => {
  const { dial, mint } = createSteered()
  for (const time of [NOON, NOON - 1, NOON - 43_200_001, NOON, NOON - 86_400_000]) {
    dial.time = time
    const { jwt, jti } = mint()
    assertToken(jwt, claimsOf({ user: 'username' }, Math.floor(time / 1000), jti))
  }
})

test('a clock that fails makes no token, and the next request is signed as ever', () => {
  const { dial, mint } = createSteered()
  mint()
  dial.time = Number.NaN
  assert.throws(mint, (error: unknown) => error instanceof RangeError)
  dial.time = NOON
  const { jwt, jti } = mint()
  assertToken(jwt, claimsOf({ user: 'username' }, NOON / 1000, jti))
})

test('the clock is read once per token, so iat and date are of one second', () => {
  let readings = 0
  const now = (): number => NOON + readings++
  const mint = createMinter({ key, user: 'username', now, nextId: randomUUID })
  for (let tokens = 1; tokens <= 5; tokens++) {
    mint()
    assert.is(readings, tokens)
  }
})

test('the jti beside the token is the one in it', () => {
  const { mint } = createSteered()
  for (let repeated = 0; repeated < 10; repeated++) {
    const { jwt, jti } = mint()
    assert.is(JSON.parse(partsOf(jwt).claims).jti, jti)
  }
})

test('100,000 tokens have 100,000 ids of their own, and as many signatures', () => {
  const mint = createMinter({ key, user: 'username', now: Date.now, nextId: randomUUID })
  const ids = new Set<string>()
  const signatures = new Set<string>()
  for (let tokens = 0; tokens < 100_000; tokens++) {
    const { claims, signature } = partsOf(mint().jwt)
    ids.add(JSON.parse(claims).jti)
    signatures.add(signature)
  }
  assert.is(ids.size, 100_000)
  assert.is(signatures.size, 100_000)
})

for (const [what, ids] of [
  ['shorter and longer than a UUID', ['', 'a', 'x'.repeat(35), 'x'.repeat(37), 'x'.repeat(1000)]],
  ['as long as a UUID, but to be escaped', ['"'.repeat(36), `${'x'.repeat(35)}\\`, `\n${'x'.repeat(35)}`]],
  [
    'as long as a UUID in characters, not in octets',
    ['é'.repeat(36), '\u{1F511}'.repeat(18), '\uD83D'.repeat(36)],
  ],
  ['as long as a UUID in octets, not in characters', ['é'.repeat(18)]],
  [
    'with every character that needs no escape',
    [' !#$%&()*+,-./0123456789:;<=>?@ABCDE', `[]^_\`${'~}|{z'.repeat(6)}y`],
  ],
] as const) {
  test(`ids ${what} are written whole, and do no harm to the ids before and after`, () => {
    const { dial, mint } = createSteered()
    for (const id of [...ids, ...ids.toReversed()].flatMap((odd) => ['', odd, odd, ''])) {
      dial.id = id
      const { jwt, jti } = mint()
      assertToken(jwt, claimsOf({ user: 'username' }, NOON / 1000, jti))
    }
  })
}

test('a token may speak of another user, and the next is of the configured one again', () => {
  const { mint } = createSteered('configured')
  for (const user of ['configured', 'alice', 'alice', 'bob', 'ünï', 'x'.repeat(3000), 'alice']) {
    const other = mint({ user })
    assertToken(other.jwt, claimsOf({ user }, NOON / 1000, other.jti))
    const own = mint()
    assertToken(own.jwt, claimsOf({ user: 'configured' }, NOON / 1000, own.jti))
  }
})

test('a token once given does not change when others are made', () => {
  const { mint } = createSteered()
  const first = mint()
  const kept = `${first.jwt} `.slice(0, -1)
  for (let others = 0; others < 100; others++) mint({ user: `user-${others}` })
  assert.is(first.jwt, kept)
})

test('two minters do not disturb each other', () => {
  const [one, two] = [createSteered('one'), createSteered('two', readHmacKey('2'.repeat(64), 'utf8'))]
  for (let tokens = 0; tokens < 3; tokens++) {
    const [first, second] = [one.mint(), two.mint()]
    assertToken(first.jwt, claimsOf({ user: 'one' }, NOON / 1000, first.jti))
    assertToken(
      second.jwt,
      claimsOf({ user: 'two' }, NOON / 1000, second.jti),
      readHmacKey('2'.repeat(64), 'utf8'),
    )
  }
})

test('the signature is HMAC-SHA-512 for a signing input of any length, at every octet of five blocks', () => {
  for (let length = 0; length <= 480; length++) {
    const user = 'u'.repeat(length)
    const { mint } = createSteered(user)
    for (let repeated = 0; repeated < 2; repeated++) {
      const { jwt, jti } = mint()
      assertToken(jwt, claimsOf({ user }, NOON / 1000, jti))
    }
  }
})

// As in RFC 4231 §4.7 and §4.8, a secret longer than a block among them: its digest stands for it.
for (const octets of [64, 65, 100, 127, 128, 129, 131, 200, 256, 1000]) {
  test(`the signature is HMAC-SHA-512 for a secret of ${octets} octets`, () => {
    const secret = readHmacKey(Buffer.alloc(octets, 0xaa).toString('hex'), 'hex')
    const { mint } = createSteered('username', secret)
    for (let repeated = 0; repeated < 2; repeated++) {
      const { jwt, jti } = mint()
      assertToken(jwt, claimsOf({ user: 'username' }, NOON / 1000, jti), secret)
    }
  })
}

// Made with Python's hmac and base64 modules, so that node's crypto is not its own judge.
const KNOWN_TOKEN = [
  'eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9',
  'eyJpYXQiOjE3NDk5ODg4MDAsInBheWxvYWQiOnsidXNlciI6InVzZXJuYW1lIiwiZGF0ZSI6IjIwMjUtMDYtMTUifSwianRpIjoi' +
    'MGIyZjRjMWUtOGY2ZS00YmI2LTlhMGYtNWQ1YjRmOWU3YzExIn0',
  'GSOwBq-wBGxmT-_06GtfUjh9MFUomla89A0VBf7_d5jnkSh6GzL0dA5cBpIeYEVchhxpbFgI-zi8JfuK4jUfbQ',
].join('.')

test('a known token is made to the last octet, first and repeated', () => {
  const { dial, mint } = createSteered()
  dial.id = '0b2f4c1e-8f6e-4bb6-9a0f-5d5b4f9e7c11'
  assert.is(mint().jwt, KNOWN_TOKEN)
  assert.is(mint().jwt, KNOWN_TOKEN)
})

test('what is minted is what jose verifies is what claimsOf says, for any user, time and id', async () => {
  const user = fc.string({ unit: 'binary', maxLength: 60 })
  const time = fc.oneof(fc.constant(NOON), fc.integer({ min: 0, max: YEAR_9999_ENDS }))
  const id = fc.oneof(
    { weight: 3, arbitrary: fc.uuid() },
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ unit: 'grapheme-ascii', minLength: 36, maxLength: 36 }),
  )
  const request = fc.record({ user: fc.oneof(fc.constant(undefined), user), time, id })
  const judge = createSecretKey(key.secret)

  await fc.assert(
    fc.asyncProperty(
      user,
      fc.array(request, { minLength: 1, maxLength: 8 }),
      async (configured, requests) => {
        const current = { time: 0, id: '' }
        const mint: Mint = createMinter({
          key,
          user: configured,
          now: () => current.time,
          nextId: () => current.id,
        })
        for (const { user, time, id } of requests) {
          Object.assign(current, { time, id })
          const { jwt, jti } = user === undefined ? mint() : mint({ user })
          const { payload, protectedHeader } = await jwtVerify(jwt, judge, { algorithms: ['HS512'] })
          assert.is(jti, id)
          assert.equal(payload, claimsOf({ user: user ?? configured }, Math.floor(time / 1000), id))
          assert.equal(protectedHeader, { alg: 'HS512', typ: 'JWT' })
        }
      },
    ),
    { numRuns: 300 },
  )
})

test.run()
