import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { calculateJwkThumbprint } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../src/errors.ts'
import { readSigningKey, type WrittenKey } from '../../src/jwt/signing-keys.ts'
import { ALGORITHMS, makeKey, makePem } from '../support/keys.ts'

const test = suite('jwt/signing-keys')

function problemOf(written: WrittenKey): string {
  try {
    readSigningKey(written)
  } catch (error) {
    assert.instance(error, ConfigError)
    return (error as ConfigError).problems.join('\n')
  }
  return 'none'
}

const pemOf = (pair: { privateKey: ReturnType<typeof createPrivateKey> }) =>
  pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
  test(`the kid of a key for ${algorithm} is its thumbprint, and its public half holds nothing private (RFC 7638)`, async () => {
    const privateKey = makePem(algorithm)
    const key = readSigningKey({ algorithm, privateKey })
    assert.ok('publicJwk' in key)
    const { kid, publicJwk } = key
    assert.is(kid, await calculateJwkThumbprint(publicJwk, 'sha256'))
    assert.is(publicJwk.kid, kid)
    assert.is(publicJwk.alg, algorithm)
    assert.is(publicJwk.use, 'sig')
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.not.ok(secret in publicJwk, secret)
  })

  test(`a key for ${algorithm} may be a JWK, whose kid counts unless another is given`, () => {
    const jwk = createPrivateKey(makePem(algorithm)).export({ format: 'jwk' })
    const read = (more: object, kid?: string) =>
      readSigningKey({ algorithm, privateKey: JSON.stringify({ ...jwk, ...more }), ...(kid && { kid }) }).kid
    assert.is(read({ kid: 'mine' }), 'mine')
    assert.is(read({ kid: 'mine', alg: algorithm }, 'another'), 'another')
    assert.match(read({}), /^[\w-]{43}$/)
    const wrong = { algorithm, privateKey: JSON.stringify({ ...jwk, alg: 'PS256' }) }
    assert.match(problemOf(wrong), 'the JWK says that it is for another algorithm')
  })
}

test('the kid of a secret is the same each time, differs between secrets and algorithms, and is no hash of it', () => {
  const kids = new Set<string>()
  for (const algorithm of ['HS256', 'HS384', 'HS512'] as const) {
    for (const secret of ['ab'.repeat(64), 'cd'.repeat(64)]) {
      const { kid } = readSigningKey({ algorithm, secret })
      assert.is(kid, readSigningKey({ algorithm, secret: secret.toUpperCase() }).kid)
      assert.match(kid, /^[\w-]{11}$/)
      kids.add(kid)
    }
  }
  assert.is(kids.size, 6)
  assert.is(readSigningKey({ algorithm: 'HS256', secret: 'ab'.repeat(32), kid: 'mine' }).kid, 'mine')
})

for (const [algorithm, octets] of [
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
] as const) {
  test(`a secret for ${algorithm} has ${octets} octets at least (RFC 7518 §3.2)`, () => {
    assert.is(problemOf({ algorithm, secret: 'ab'.repeat(octets) }), 'none')
    assert.match(
      problemOf({ algorithm, secret: 'ab'.repeat(octets - 1) }),
      `${octets - 1} octets as hex, and ${algorithm} needs at least ${octets} (RFC 7518 §3.2); generate one with \`openssl rand -hex ${octets}\``,
    )
  })
}

test('a key whose public half belongs to another is refused: nobody could verify what it signs', () => {
  const [one, two] = [makePem('ES256'), makePem('ES256')].map((pem) =>
    createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }),
  )
  const POINT = 65 // octets of the public half, which come last (RFC 5915 §3)
  const mixed = Buffer.concat([one!.subarray(0, -POINT), two!.subarray(-POINT)])
  const pem = `-----BEGIN PRIVATE KEY-----\n${mixed.toString('base64')}\n-----END PRIVATE KEY-----\n`
  const found = problemOf({ algorithm: 'ES256', privateKey: pem })
  assert.match(
    found,
    /^the key cannot be used: (its public half belongs to another key|the PEM cannot be read)$/,
  )

  for (const algorithm of ['ES256', 'RS256'] as const) {
    const [mine, others] = [makePem(algorithm), makePem(algorithm)].map((text) =>
      createPrivateKey(text).export({ format: 'jwk' }),
    )
    const { x, y, n } = others!
    const jwk = { ...mine, ...(n === undefined ? { x, y } : { n }) }
    const problem = problemOf({ algorithm, privateKey: JSON.stringify(jwk) })
    assert.match(problem, /^the key cannot be used: (its public half belongs|the JWK cannot be read)/)
  }
})

for (const [what, written, problem] of [
  [
    'an RSA modulus below 2048 bits',
    { algorithm: 'RS256', privateKey: pemOf(generateKeyPairSync('rsa', { modulusLength: 2040 })) },
    'its modulus has 2040 bits, and RS256 needs at least 2048 (RFC 7518 §3.3)',
  ],
  [
    'another curve',
    { algorithm: 'ES256', privateKey: pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' })) },
    'it is a key of type ec on secp384r1, which ES256 does not take',
  ],
  [
    'another type',
    { algorithm: 'RS256', privateKey: makePem('EdDSA') },
    'it is a key of type ed25519, which RS256 does not take; make one with `openssl genpkey -algorithm RSA',
  ],
  [
    'Ed448',
    { algorithm: 'EdDSA', privateKey: pemOf(generateKeyPairSync('ed448')) },
    'it is a key of type ed448',
  ],
  ['no PEM', { algorithm: 'ES256', privateKey: 'hunter2' }, 'there is no private key in PEM or JWK here'],
  [
    'a broken PEM',
    { algorithm: 'ES256', privateKey: makePem('ES256').replace(/\n.{8}/, '\nhunter2') },
    'the PEM cannot be read',
  ],
  [
    'a broken JWK',
    { algorithm: 'ES256', privateKey: '{"kty":"EC","d":"hunter2"}' },
    'the JWK cannot be read',
  ],
  ['JSON that is none', { algorithm: 'ES256', privateKey: '{hunter2' }, 'the JWK cannot be read'],
  [
    'a public key',
    {
      algorithm: 'ES256',
      privateKey: generateKeyPairSync('ec', { namedCurve: 'P-256' })
        .publicKey.export({ type: 'spki', format: 'pem' })
        .toString(),
    },
    'it is public, and tokens are signed with the private key',
  ],
  [
    'an encrypted key',
    {
      algorithm: 'EdDSA',
      privateKey: generateKeyPairSync('ed25519')
        .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'hunter2' })
        .toString(),
    },
    'it is encrypted, and there is nobody to ask for its password',
  ],
  ['no key at all', { algorithm: 'ES256' }, 'ES256 signs with a privateKey'],
  ['no secret at all', { algorithm: 'HS256' }, 'HS256 signs with a secret'],
] as const satisfies readonly (readonly [string, WrittenKey, string])[]) {
  test(`${what} is refused, and nothing of it is repeated`, () => {
    const found = problemOf(written)
    assert.ok(found.startsWith('the key cannot be used: '), found)
    assert.ok(found.includes(problem), found)
    assert.not.match(found, 'hunter2')
  })
}

for (const algorithm of ALGORITHMS) {
  test(`a key for ${algorithm} that ends up in a log leaves its secret behind`, () => {
    const written = makeKey(algorithm)
    const key = readSigningKey(written)
    const shown = `${inspect(key)} ${JSON.stringify(key)} ${JSON.stringify({ ...key })}`
    assert.not.match(shown, /5e5e|Buffer|PrivateKeyObject|"d"/)
  })
}

test.run()
