// `jwt`: tokens by a secret, judged by jose as well; tokens by a key set; what is demanded of claims; what is remembered.

import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { exportJWK, importJWK, type JWK, jwtVerify, SignJWT } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createJwt } from '../../src/auth/jwt.ts'
import type { JwtConfig, TokenPolicy } from '../../src/http/authentication.ts'
import { within } from '../support/wire.ts'
import { authorized, received, Server, told } from './support.ts'

const test = suite('auth/jwt')

const NOW = 1_800_000_000 // seconds
const SECRET = randomBytes(64)
const POLICY: TokenPolicy = { subject: 'sub', leeway: 0, requiredClaims: [] }

function create(
  key: JwtConfig['key'],
  policy: Partial<TokenPolicy> = {},
  now = () => NOW * 1000,
  clock = () => 0,
) {
  const config = {
    kind: 'jwt',
    name: 'tokens',
    forward: false,
    policy: { ...POLICY, ...policy },
    key,
  } as const
  return createJwt(config, { now, clock })
}

function bySecret(algorithms: readonly ('HS256' | 'HS384' | 'HS512')[] = ['HS256']): JwtConfig['key'] {
  return { algorithms, secret: SECRET.toString('base64url') }
}

/** A token put together by hand, so that it may be wrong in every part. */
function forge(header: unknown, claims: unknown, secret = SECRET, hash = 'sha256'): string {
  const part = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const signed = `${part(header)}.${part(claims)}`
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`
}

const HEADER = { alg: 'HS256', typ: 'JWT' }
const good = forge(HEADER, { sub: 'ann', exp: NOW + 10 })
const [head, body, signature] = good.split('.') as [string, string, string]

// ── by a secret, with jose as the judge ───────────────────────────────────────────────────────────────────────

const TOKENS: readonly (readonly [what: string, token: string, policy?: Partial<TokenPolicy>])[] = [
  ['that is good', good],
  ['of HS384, which is not allowed', forge({ alg: 'HS384' }, { sub: 'ann' }, SECRET, 'sha384')],
  ['of alg none', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`],
  ['of alg none with a signature', forge({ alg: 'none' }, { sub: 'ann' })],
  ['of alg hs256, which is another', forge({ alg: 'hs256' }, { sub: 'ann' })],
  ['of another secret', forge(HEADER, { sub: 'ann' }, randomBytes(64))],
  ['of an empty secret', forge(HEADER, { sub: 'ann' }, Buffer.alloc(0))],
  ['without a signature', `${head}.${body}.`],
  ['with half a signature', `${head}.${body}.${signature.slice(0, 20)}`],
  ['with a longer signature', `${good}AA`],
  ['with claims of another', `${head}.${Buffer.from('{"sub":"bob"}').toString('base64url')}.${signature}`],
  ['with a critical header (RFC 7515 §4.1.11)', forge({ ...HEADER, crit: ['x'], x: 1 }, { sub: 'ann' })],
  ['with b64 of false (RFC 7797)', forge({ ...HEADER, crit: ['b64'], b64: false }, { sub: 'ann' })],
  ['without alg', forge({ typ: 'JWT' }, { sub: 'ann' })],
  ['with a header that is no JSON', forge('{', { sub: 'ann' })],
  ['with a header that is a list', forge(['HS256'], { sub: 'ann' })],
  ['with claims that are no JSON', forge(HEADER, 'sub')],
  ['with claims that are a list', forge(HEADER, ['ann'])],
  ['of two parts', `${head}.${body}`],
  ['of four parts', `${good}.${signature}`],
  ['of one part', 'opaque'],
  ['that expires now', forge(HEADER, { sub: 'ann', exp: NOW })],
  ['that expires in a second', forge(HEADER, { sub: 'ann', exp: NOW + 1 })],
  ['that expires within the second', forge(HEADER, { sub: 'ann', exp: NOW + 0.5 })],
  ['that has expired', forge(HEADER, { sub: 'ann', exp: NOW - 1 })],
  ['that has expired within the leeway', forge(HEADER, { sub: 'ann', exp: NOW - 4 }), { leeway: 5 }],
  ['that has expired by the leeway', forge(HEADER, { sub: 'ann', exp: NOW - 5 }), { leeway: 5 }],
  ['whose exp is a text', forge(HEADER, { sub: 'ann', exp: String(NOW + 9) })],
  ['whose nbf is now', forge(HEADER, { sub: 'ann', nbf: NOW })],
  ['whose nbf is to come', forge(HEADER, { sub: 'ann', nbf: NOW + 1 })],
  ['whose nbf is to come, within the leeway', forge(HEADER, { sub: 'ann', nbf: NOW + 5 }), { leeway: 5 }],
  ['whose nbf is a text', forge(HEADER, { sub: 'ann', nbf: '1' })],
  ['whose iat is a text', forge(HEADER, { sub: 'ann', iat: 'now' })],
  ['of the issuer', forge(HEADER, { sub: 'ann', iss: 'a' }), { issuer: 'a' }],
  ['of another issuer', forge(HEADER, { sub: 'ann', iss: 'b' }), { issuer: 'a' }],
  ['of no issuer', forge(HEADER, { sub: 'ann' }), { issuer: 'a' }],
  ['for the audience', forge(HEADER, { sub: 'ann', aud: 'x' }), { audience: ['x', 'y'] }],
  ['for the audience among others', forge(HEADER, { sub: 'ann', aud: ['z', 'y'] }), { audience: ['x', 'y'] }],
  ['for another audience', forge(HEADER, { sub: 'ann', aud: 'z' }), { audience: ['x', 'y'] }],
  ['for no audience', forge(HEADER, { sub: 'ann' }), { audience: ['x'] }],
  [
    'with the claim that is required',
    forge(HEADER, { sub: 'ann', tenant: 1 }),
    { requiredClaims: ['tenant'] },
  ],
  ['without the claim that is required', forge(HEADER, { sub: 'ann' }), { requiredClaims: ['tenant'] }],
]

for (const [what, token, policy = {}] of TOKENS) {
  test(`signet and jose agree on a token ${what}`, async () => {
    const { issuer, audience, leeway = 0, requiredClaims } = policy
    const judged = await jwtVerify(token, SECRET, {
      algorithms: ['HS256'],
      currentDate: new Date(NOW * 1000),
      clockTolerance: leeway,
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience: [...audience] }),
      ...(requiredClaims === undefined ? {} : { requiredClaims: [...requiredClaims] }),
    }).then(
      ({ payload }) => payload.sub,
      (error: { code: string }) => (error.code === 'ERR_JWT_EXPIRED' ? 'expired' : 'invalid'),
    )
    const authenticator = create(bySecret(), policy)
    const first = authenticator.authenticate(authorized(`Bearer ${token}`))
    assert.not.instance(first, Promise, 'a secret needs no waiting')
    assert.is(await told(first), judged)
    assert.is(await told(authenticator.authenticate(authorized(`Bearer ${token}`))), judged, 'and again')
  })
}

for (const algorithm of ['HS256', 'HS384', 'HS512'] as const) {
  test(`a token of ${algorithm} made by jose is taken, and none whose octets were changed anywhere`, async () => {
    const token = await new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg: algorithm })
      .setExpirationTime(NOW + 9)
      .sign(SECRET)
    const authenticator = create(bySecret([algorithm]))
    assert.is(await told(authenticator.authenticate(authorized(`Bearer ${token}`))), 'ann')
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === 'A' ? 'B' : 'A'
      const changed = `${token.slice(0, at)}${other}${token.slice(at + 1)}`
      assert.is(
        await told(authenticator.authenticate(authorized(`Bearer ${changed}`))),
        'invalid',
        `at ${at}`,
      )
    }
  })
}

test('a token of several KiB is verified like any other', async () => {
  const authenticator = create(bySecret())
  for (const size of [900, 5000, 12_000]) {
    const token = forge(HEADER, { sub: 'ann', filler: 'x'.repeat(size) })
    assert.is(await told(authenticator.authenticate(authorized(`Bearer ${token}`))), 'ann')
    assert.is(await told(authenticator.authenticate(authorized(`Bearer ${good}`))), 'ann')
  }
})

// ── how it is sent ────────────────────────────────────────────────────────────────────────────────────────────

for (const [what, fields, expected] of [
  ['no Authorization', [], '-'],
  ['another scheme', ['Authorization: Basic YTpi'], '-'],
  ['a scheme that begins alike', [`Authorization: Bearerx ${good}`], '-'],
  ['the scheme in any case', [`AUTHORIZATION: bEaReR   ${good}`], 'ann'],
  ['the scheme alone', ['Authorization: Bearer'], 'invalid'],
  ['an empty token', ['Authorization: Bearer  '], 'invalid'],
  ['two tokens', [`Authorization: Bearer ${good} ${good}`], 'invalid'],
  ['a list of tokens', [`Authorization: Bearer ${good}, Bearer ${good}`], 'invalid'],
  ['two lines', [`Authorization: Bearer ${good}`, `Authorization: Bearer ${good}`], 'invalid'],
  ['a spelling that is another field', [`X-Authorization: Bearer ${good}`], '-'],
] as const) {
  test(`${what} ${expected === '-' ? 'is no credential' : `is ${expected}`}`, async () => {
    assert.is(await told(create(bySecret()).authenticate(received(fields))), expected)
  })
}

// ── what claims say ───────────────────────────────────────────────────────────────────────────────────────────

for (const [what, claims, policy, expected] of [
  ['sub', { sub: 'ann' }, {}, 'ann'],
  ['a number', { sub: 7 }, {}, '7'],
  ['another claim', { sub: 'x', user_id: 'ann' }, { subject: 'user_id' }, 'ann'],
  ['a claim within a claim', { payload: { user: 'ann' } }, { subject: 'payload.user' }, 'ann'],
  ['nobody', { sub: '' }, {}, 'invalid'],
  ['a list', { sub: ['ann'] }, {}, 'invalid'],
  ['what every object inherits', {}, { subject: 'constructor' }, 'invalid'],
] as const) {
  test(`the subject may be ${what}`, async () => {
    const token = forge(HEADER, claims)
    assert.is(await told(create(bySecret(), policy).authenticate(authorized(`Bearer ${token}`))), expected)
  })
}

for (const [claims, scopes, roles] of [
  [{ scope: 'a b  c' }, ['a', 'b', 'c'], []],
  [{ scope: ['a', 'b', 1] }, ['a', 'b'], []],
  [{ scp: ['a'] }, ['a'], []],
  [{ roles: ['x', 'y'] }, [], ['x', 'y']],
  [{ role: 'x' }, [], ['x']],
  [{ scope: 5, roles: { a: 1 } }, [], []],
] as const) {
  test(`${JSON.stringify(claims)} gives scopes and roles`, () => {
    const outcome = create(bySecret()).authenticate(
      authorized(`Bearer ${forge(HEADER, { sub: 'ann', ...claims })}`),
    )
    assert.equal(outcome, {
      subject: 'ann',
      claims: { sub: 'ann', ...claims },
      scopes,
      roles,
      authenticator: 'tokens',
    })
  })
}

test('a token that was good is refused as soon as it has expired, remembered or not', async () => {
  let now = NOW * 1000
  const authenticator = create(bySecret(), {}, () => now)
  const ask = () => told(authenticator.authenticate(authorized(`Bearer ${good}`)))
  for (const [seconds, expected] of [
    [0, 'ann'],
    [9.999, 'ann'],
    [10, 'expired'],
    [11, 'expired'],
  ] as const) {
    now = (NOW + seconds) * 1000
    assert.is(await ask(), expected, `after ${seconds} s`)
  }
})

// ── by a key set ──────────────────────────────────────────────────────────────────────────────────────────────

const KEYS = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
}
type Algorithm = keyof typeof KEYS

async function publicKeys(...algorithms: readonly Algorithm[]): Promise<{ keys: JWK[] }> {
  const keys = algorithms.map(async (alg) => ({ ...(await exportJWK(KEYS[alg].publicKey)), kid: alg, alg }))
  return { keys: await Promise.all(keys) }
}

async function signed(algorithm: Algorithm, claims = {}): Promise<string> {
  const key = await importJWK(await exportJWK(KEYS[algorithm].privateKey), algorithm)
  return new SignJWT({ sub: 'ann', ...claims })
    .setProtectedHeader({ alg: algorithm, kid: algorithm })
    .setExpirationTime(NOW + 10)
    .sign(key)
}

async function withKeySet(
  json: unknown,
  use: (
    ask: (token: string, algorithms?: readonly Algorithm[]) => Promise<string>,
    server: Server,
    /** lets ms go by */
    pass: (ms: number) => void,
  ) => Promise<void>,
): Promise<void> {
  let elapsed = 0
  const server = new Server(() => ({ json }))
  const url = await server.listen()
  const made = new Map<string, ReturnType<typeof create>>()
  try {
    await use(
      (token, algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']) => {
        const key = { algorithms, jwks: { url, timeout: 1500 } }
        const known = made.get(algorithms.join()) ?? create(key, {}, undefined, () => elapsed)
        made.set(algorithms.join(), known)
        return within(told(known.authenticate(authorized(`Bearer ${token}`))), 'an outcome')
      },
      server,
      (ms) => {
        elapsed += ms
      },
    )
  } finally {
    for (const authenticator of made.values()) authenticator.close()
    await server.close()
  }
}

for (const algorithm of Object.keys(KEYS) as Algorithm[]) {
  test(`a token of ${algorithm} is verified by the key set, which is fetched once`, async () =>
    withKeySet(await publicKeys('RS256', 'PS256', 'ES256', 'EdDSA'), async (ask, server) => {
      const token = await signed(algorithm)
      assert.is(await ask(token), 'ann')
      assert.is(await ask(await signed(algorithm, { other: 1 })), 'ann')
      assert.is(await ask(`${token.slice(0, -9)}AAAAAAAAA`), 'invalid')
      assert.equal(
        server.got.map(({ method }) => method),
        ['GET'],
      )
    }))
}

test('a public key is never taken for a secret (RFC 8725 §2.1)', async () =>
  withKeySet(await publicKeys('RS256'), async (ask, server) => {
    const pem = KEYS.RS256.publicKey.export({ type: 'spki', format: 'pem' })
    assert.is(await ask(forge({ alg: 'HS256', kid: 'RS256' }, { sub: 'eve' }, Buffer.from(pem))), 'invalid')
    assert.is(server.got.length, 0, 'its algorithm alone is reason enough')
  }))

test('an algorithm that is not allowed does not count, though its key is in the set', async () =>
  withKeySet(await publicKeys('RS256', 'ES256'), async (ask) => {
    assert.is(await ask(await signed('RS256'), ['ES256']), 'invalid')
    assert.is(await ask(await signed('ES256'), ['ES256']), 'ann')
  }))

test('a key that is in no set is not looked for again and again', async () =>
  withKeySet(await publicKeys('RS256'), async (ask, server) => {
    assert.is(await ask(await signed('RS256')), 'ann')
    for (let times = 0; times < 5; times++) assert.is(await ask(await signed('ES256')), 'invalid')
    assert.is(server.got.length, 1)
  }))

for (const [what, answer] of [
  ['does not answer', () => 'never' as const],
  ['answers with an error', () => ({ status: 500, json: {} })],
  ['sends elsewhere', () => ({ status: 302, json: {} })],
  ['gives no JSON', () => ({ json: '{' })],
  ['gives no set', () => ({ json: { keys: 'none' } })],
  ['gives keys without a type', () => ({ json: { keys: [{ kid: 'RS256' }] } })],
  ['gives too much', () => ({ json: { keys: [], filler: 'x'.repeat(300_000) } })],
] as const) {
  test(`an issuer that ${what} lets nobody in, and is asked again, but not at once`, async () =>
    withKeySet(undefined, async (ask, server, pass) => {
      server.answer = answer
      for (let times = 0; times < 3; times++) assert.is(await ask(await signed('ES256')), 'unavailable')
      assert.is(server.got.length, 1)
      const keys = await publicKeys('ES256')
      server.answer = () => ({ json: keys })
      pass(1000)
      assert.is(await ask(await signed('ES256')), 'ann')
    }))
}

test.run()
