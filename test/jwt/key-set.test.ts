import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { keyProblems, keySetText, publicKeys, retire } from '../../src/jwt/key-set.ts'
import type { WrittenKey } from '../../src/jwt/signing-keys.ts'
import { ALGORITHMS, makeKey } from '../support/keys.ts'

const test = suite('jwt/key-set')

const MINUTE = 60_000
const [first, second, third] = ['ES256', 'ES256', 'EdDSA'].map((name) => makeKey(name as 'ES256')) as [
  WrittenKey,
  WrittenKey,
  WrittenKey,
]
const kidsOf = (keys: readonly WrittenKey[]) => publicKeys(keys).map(({ kid }) => kid)
const kidsIn = (text: string) => (JSON.parse(text) as JSONWebKeySet).keys.map(({ kid }) => kid)

test('the set has the public keys in order, no secret, and is one that jose takes', () => {
  const keys = ALGORITHMS.map(makeKey)
  const text = keySetText(publicKeys(keys), [], 0)
  const set = JSON.parse(text) as JSONWebKeySet
  assert.equal(
    set.keys.map(({ alg }) => alg),
    ['ES256', 'EdDSA', 'RS256'],
  )
  assert.not.match(text, /"(d|k|p|q|dp|dq|qi)":/)
  createLocalJWKSet(set)
})

test('a key that has left stays until its last token has expired, and a minute for clocks that differ', () => {
  const now = 1_000_000
  const retired = retire([first], [], 5 * MINUTE, now)
  const at = (time: number) => kidsIn(keySetText(publicKeys([second]), retired, time))
  assert.equal(at(now), kidsOf([second, first]))
  assert.equal(at(now + 6 * MINUTE - 1), kidsOf([second, first]))
  assert.equal(at(now + 6 * MINUTE), kidsOf([second]))
})

test('a key that comes back is there once', () => {
  const retired = retire([first], [], MINUTE, 0)
  assert.equal(kidsIn(keySetText(publicKeys([first]), retired, 0)), kidsOf([first]))
})

test('several reloads within the lifetime lose none, and what has expired is let go', () => {
  const one = retire([first], [], 10 * MINUTE, 0)
  const two = retire([second], one, 0, MINUTE) // its tokens live for no time at all
  const three = retire([third], two, 0, 3 * MINUTE)
  const kids = (keys: typeof one) => keys.map(({ jwk }) => jwk.kid).sort()
  assert.equal(kids(two), kidsOf([first, second]).sort())
  assert.equal(kids(three), kidsOf([first, third]).sort())
  assert.equal(retire([], three, 0, 20 * MINUTE), [])
})

test('the longest of several lifetimes counts: to be in a later configuration shortens none', () => {
  const long = retire([first], [], 10 * MINUTE, 0)
  const [kept] = retire([first], long, 0, MINUTE)
  assert.is(kept?.until, 11 * MINUTE)
})

test('to retire twice is as to retire once', () => {
  const once = retire([first, second], [], MINUTE, 0)
  assert.equal(retire([first, second], once, MINUTE, 0), once)
})

test('keys are judged by themselves and together', () => {
  const hmac = makeKey('HS256')
  for (const [keys, expected] of [
    [[first, second, third, hmac], []],
    [[first, first], [[1, 'privateKey', 'another key has the same kid, or is the same']]],
    [
      [
        { ...first, kid: 'a' },
        { ...hmac, kid: 'a' },
      ],
      [[1, 'kid', 'another key has the same kid']],
    ],
    [[{ algorithm: 'ES256' }], [[0, undefined, 'the key "privateKey" is missing, which ES256 signs with']]],
    [[{ algorithm: 'HS256' }], [[0, undefined, 'the key "secret" is missing, which HS256 signs with']]],
    [[{ ...first, secret: 'x' }], [[0, 'secret', 'ES256 has none, but a privateKey']]],
    [[{ ...hmac, privateKey: 'x' }], [[0, 'privateKey', 'HS256 has none, but a secret']]],
    [
      [{ algorithm: 'HS256', secret: 'ab' }],
      [
        [
          0,
          'secret',
          'the secret cannot be used: 1 octets as hex, and HS256 needs at least 32 (RFC 7518 §3.2); generate one with `openssl rand -hex 32`',
        ],
      ],
    ],
  ] as const) {
    assert.equal(
      keyProblems(keys).map(({ key, part, problem }) => [key, part, problem]),
      expected,
    )
  }
})

test.run()
