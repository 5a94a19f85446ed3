import { createHmac } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DEMO_SECRET, readHmacKey } from '../../src/jwt/keys.ts'
import { FINGERPRINTED, fingerprintOf, readingsOf, signatureOf } from '../../src/jwt/secret-readings.ts'

const test = suite('jwt/secret-readings')

/** Octets by reading; `-` where there are none. */
function lengthsOf(text: string): Record<string, number | '-'> {
  return Object.fromEntries(
    readingsOf(text).map(({ name, octets }) => [name, Buffer.isBuffer(octets) ? octets.length : '-']),
  )
}

test('the demo secret is 64 octets for signet, and of other lengths for others', () => {
  assert.equal(lengthsOf(DEMO_SECRET), {
    hex: 64,
    base64url: 96,
    utf8: 129,
    'hex up to another character': 41,
    'utf8 without white space': 128,
    'utf8 with a line feed': 130,
    'utf8 with a blank behind': 130,
    'utf8 with 0x before': 131,
    'utf8 in capitals': 129,
    'utf8, the first capital': 129,
  })
})

test('a reading is what signet signs with, and those that come to the same octets are told once', () => {
  const text = 'AB'.repeat(64)
  const readings = readingsOf(text)
  assert.equal(readings[0]?.octets, readHmacKey(text, 'hex').secret)
  assert.equal(lengthsOf(text), {
    hex: 64,
    base64url: 96,
    utf8: 128,
    'utf8 with a line feed': 129,
    'utf8 with a blank behind': 129,
    'utf8 with 0x before': 130,
  })
})

for (const [text, reason] of [
  ['hunter2', 'character 1 is not a hex digit; write each octet as two of 0-9 and a-f'],
  ['ab\u00a0z', 'character 4 is not a hex digit; write each octet as two of 0-9 and a-f'],
  ['ab\u0000', 'character 3 is not a hex digit; write each octet as two of 0-9 and a-f'],
  ['abc', '3 hex digits, an odd number; one was lost or added, so copy the secret again'],
] as const) {
  test(`why ${JSON.stringify(text)} is no hex is told without a character of it`, () => {
    assert.is(readingsOf(text)[0]?.octets, reason)
  })
}

test('a fingerprint is the beginning of the signature of a token that anybody can make', () => {
  const octets = Buffer.from('secret')
  const signature = createHmac('sha512', octets).update(FINGERPRINTED).digest('base64url')
  assert.is(fingerprintOf(octets), signature.slice(0, 12))
  assert.equal(
    FINGERPRINTED.split('.').map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown),
    [{ alg: 'HS512', typ: 'JWT' }, { iat: 0 }],
  )
})

function tokenOf(alg: string, digest: string, secret: Buffer): string {
  const input = `${Buffer.from(JSON.stringify({ alg })).toString('base64url')}.e30`
  return `${input}.${createHmac(digest, secret).update(input).digest('base64url')}`
}

for (const [alg, digest] of [
  ['HS256', 'sha256'],
  ['HS384', 'sha384'],
  ['HS512', 'sha512'],
] as const) {
  test(`which reading has signed a token of ${alg} is found out by its signature`, () => {
    const readings = readingsOf(DEMO_SECRET)
    for (const { name, octets } of readings) {
      assert.ok(Buffer.isBuffer(octets))
      const signed = signatureOf(tokenOf(alg, digest, octets))
      assert.ok(signed)
      const signers = readings.filter((one) => Buffer.isBuffer(one.octets) && signed(one.octets))
      assert.equal(
        signers.map((one) => one.name),
        [name],
      )
    }
  })
}

test('what no secret can have signed says so', () => {
  for (const text of [
    '',
    'a.b.c',
    `${tokenOf('none', 'sha512', Buffer.from('a'))}`,
    'e30.e30.',
    `${tokenOf('HS512', 'sha512', Buffer.from('a'))}.x`,
  ])
    assert.is(signatureOf(text), undefined, text)
  assert.not.ok(signatureOf('eyJhbGciOiJIUzUxMiJ9.e30.')?.(Buffer.from('a')))
})

test.run()
