import { createHmac, randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DEMO_SECRET, readHmacKey } from '../../src/jwt/keys.ts'
import { createMinter } from '../../src/jwt/mint.ts'
import { verifyToken } from '../../src/jwt/verify.ts'

const test = suite('jwt/verify')

const key = readHmacKey(DEMO_SECRET, 'hex')
const now = (): number => 1_750_000_000_000
const { jwt } = createMinter({ key, user: 'username', now, nextId: randomUUID })()
const [header, claims, signature] = jwt.split('.') as [string, string, string]

/** A token with any header and claims, signed as `alg` says, by whatever secret. */
function forge(alg: string, payload: object, secret: Buffer = key.secret, hash = 'sha512'): string {
  const input = [{ alg, typ: 'JWT' }, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`
}

test('a token of the minter is verified, and its claims are given', async () => {
  const verification = await verifyToken(jwt, key)
  assert.ok(verification.ok)
  assert.equal(verification.claims.payload, { user: 'username', date: '2025-06-15' })
  assert.is(verification.claims.iat, 1_750_000_000)
})

const issuedAt = now() / 1000
for (const [what, forged, reason] of [
  ['under another secret', forge('HS512', {}, Buffer.alloc(64, 1)), /signature verification failed/],
  [
    'under the secret that Buffer.from cuts short',
    forge('HS512', {}, Buffer.from(DEMO_SECRET, 'hex')),
    /signature/,
  ],
  [
    'under the text of the secret',
    forge('HS512', {}, Buffer.from(DEMO_SECRET)),
    /signature verification failed/,
  ],
  ['by HS256', forge('HS256', {}, key.secret, 'sha256'), /"alg".*not allowed/],
  ['by HS384', forge('HS384', {}, key.secret, 'sha384'), /"alg".*not allowed/],
  ['by none', `${forge('none', {}).split('.').slice(0, 2).join('.')}.`, /"alg".*not allowed/],
  [
    'with other claims',
    `${header}.${forge('HS512', {}).split('.')[1]}.${signature}`,
    /signature verification failed/,
  ],
  ['without its signature', `${header}.${claims}.`, /signature verification failed/],
  ['behind a Bearer', `Bearer ${jwt}`, /ERR_JWS_INVALID/],
  ['in quotation marks', `"${jwt}"`, /ERR_JWS_INVALID/],
  ['in two parts', `${header}.${claims}`, /ERR_JWS_INVALID/],
  ['of no characters', '', /ERR_JWS_INVALID/],
  ['whose claims are a list', forge('HS512', []), /ERR_JWT_INVALID/],
  ['that has expired', forge('HS512', { exp: issuedAt }), /"exp".*\(ERR_JWT_EXPIRED\)/],
  ['that does not hold yet', forge('HS512', { nbf: issuedAt + 1 }), /"nbf"/],
] as const) {
  test(`a token ${what} is refused with a reason`, async () => {
    const verification = await verifyToken(forged, key, { now })
    assert.not.ok(verification.ok)
    assert.match(verification.ok ? '' : verification.reason, reason)
  })
}

test('exp and nbf are held against the clock that was passed in', async () => {
  const token = forge('HS512', { nbf: issuedAt, exp: issuedAt + 5 })
  const outcomes: boolean[] = []
  for (const second of [-1, 0, 4, 5]) {
    outcomes.push((await verifyToken(token, key, { now: () => now() + second * 1000 })).ok)
  }
  assert.equal(outcomes, [false, true, true, false])
})

test('a token is refused when any one of its characters is another', async () => {
  for (let at = 0; at < jwt.length - 1; at++) {
    const other = jwt[at] === 'A' ? 'B' : 'A'
    assert.not.ok(
      (await verifyToken(jwt.slice(0, at) + other + jwt.slice(at + 1), key)).ok,
      `character ${at}`,
    )
  }
})

test('whatever stands in the field, the answer is a reason and never a throw', async () => {
  const part = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.base64String(),
    fc.constantFrom(header, claims, signature),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 4 }), async (parts) => {
      const text = parts.join('.')
      assert.is((await verifyToken(text, key)).ok, text === jwt)
    }),
  )
})

test.run()
