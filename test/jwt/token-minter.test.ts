// Tokens with claims and keys of their own: jose is the judge of what is made.

import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { createLocalJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { TemplateFacts } from '../../src/jwt/claims-template.ts'
import { createTokenMinter } from '../../src/jwt/mint.ts'
import { readSigningKey, type SigningKey } from '../../src/jwt/signing-keys.ts'
import { tokenClaims } from '../../src/jwt/token-claims.ts'
import { ALGORITHMS, makeKey } from '../support/keys.ts'

const test = suite('jwt/token-minter')

const NOON = Date.parse('2025-06-15T12:00:00Z')
const FACTS: TemplateFacts = {
  subject: 'WAL001',
  method: 'GET',
  path: '/',
  scopes: [],
  roles: [],
  claims: {},
  params: {},
}

async function verified(jwt: string, key: SigningKey, time = NOON): Promise<JWTPayload> {
  const options = { algorithms: [key.alg], currentDate: new Date(time) }
  if ('secret' in key) return (await jwtVerify(jwt, key.secret, options)).payload
  return (await jwtVerify(jwt, createLocalJWKSet({ keys: [key.publicJwk] }), options)).payload
}

for (const algorithm of ALGORITHMS) {
  const key = readSigningKey(makeKey(algorithm))

  test(`jose verifies ${algorithm}, first and repeated, and finds kid, registered claims and payload`, async () => {
    const claims = tokenClaims({ issuer: 'signet', audience: ['a', 'b'], lifetime: 1500 })
    const mint = createTokenMinter({ key, claims, now: () => NOON, nextId: randomUUID })
    for (const subject of ['WAL001', 'WAL001', 'ünï "q"', 'WAL001', 'x'.repeat(3000)]) {
      const { jwt, jti } = mint({ ...FACTS, subject })
      assert.equal(decodeProtectedHeader(jwt), { alg: algorithm, typ: 'JWT', kid: key.kid })
      const iat = NOON / 1000
      const payload = { user: subject, date: '2025-06-15' }
      const expected = { iss: 'signet', aud: ['a', 'b'], iat, exp: iat + 2, payload, jti }
      assert.equal(await verified(jwt, key), expected)
    }
  })

  test(`a signature by ${algorithm} is of the length that was foreseen, each time`, () => {
    const mint = createTokenMinter({
      key,
      claims: tokenClaims({ lifetime: 1000 }),
      now: () => NOON,
      nextId: randomUUID,
    })
    const length = { HS256: 43, HS384: 64, HS512: 86, ES256: 86, EdDSA: 86, RS256: 342 }[algorithm]
    for (let repeated = 0; repeated < 30; repeated++) assert.is(mint(FACTS).jwt.split('.')[2]?.length, length)
  })
}

const key = readSigningKey(makeKey('HS256'))

test('claims of templates are in place of payload, and follow each request', async () => {
  const claims = tokenClaims({
    lifetime: 60_000,
    claims: { sub: '{subject}', shop: '{params.shop_id}', bound: '{method} {path}', fixed: { a: 1 } },
  })
  const mint = createTokenMinter({ key, claims, now: () => NOON, nextId: randomUUID })
  const iat = NOON / 1000
  for (const shop_id of ['A', 'A', 'B', undefined, 'A']) {
    const { jwt, jti } = mint({ ...FACTS, params: { shop_id } })
    const shop = shop_id === undefined ? {} : { shop: shop_id }
    const expected = { iat, exp: iat + 60, sub: 'WAL001', ...shop, bound: 'GET /', fixed: { a: 1 }, jti }
    assert.equal(await verified(jwt, key), expected)
  }
})

test('what is verified is what was said, for any facts, times and ids', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 })
  const request = fc.record({
    subject: text,
    path: text,
    time: fc.oneof(fc.constant(NOON), fc.integer({ min: 0, max: Date.UTC(9999, 0) })),
    id: fc.oneof(fc.uuid(), text),
  })
  const dial = { time: 0, id: '' }
  const claims = tokenClaims({ lifetime: 1000, claims: { sub: '{subject}', at: 'x{path}', one: 1 } })
  const mint = createTokenMinter({ key, claims, now: () => dial.time, nextId: () => dial.id })
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 6 }), async (requests) => {
      for (const { subject, path, time, id } of requests) {
        Object.assign(dial, { time, id })
        const { jwt } = mint({ ...FACTS, subject, path })
        const iat = Math.floor(time / 1000)
        const expected = { iat, exp: iat + 1, sub: subject, at: `x${path}`, one: 1, jti: id }
        assert.equal(await verified(jwt, key, time), expected)
      }
    }),
    { numRuns: 200 },
  )
})

test('a clock that fails makes no token, and the next request is signed as ever', async () => {
  for (const claims of [{ sub: '{subject}' }, undefined]) {
    const dial = { time: NOON }
    const contents = { lifetime: 1000, ...(claims && { claims }) }
    const mint = createTokenMinter({
      key,
      claims: tokenClaims(contents),
      now: () => dial.time,
      nextId: randomUUID,
    })
    mint(FACTS)
    dial.time = Number.NaN
    assert.throws(
      () => mint(FACTS),
      (error: unknown) => error instanceof RangeError,
    )
    dial.time = NOON
    const { jwt, jti } = mint(FACTS)
    assert.is((await verified(jwt, key)).jti, jti)
  }
})

test.run()
