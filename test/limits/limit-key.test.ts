import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Identity } from '../../src/http/identity.ts'
import { keyReader, networkOf } from '../../src/limits/limit-key.ts'
import { sectionOf } from '../support/sections.ts'

const test = suite('limits/limit-key')

const NO_FIELDS = { fields: sectionOf([]) }

function named(subject: string): Identity {
  return { subject, claims: {}, scopes: [], roles: [], authenticator: 'test' }
}

test('by subject, requests are counted for who sends them, from wherever', () => {
  const keyOf = keyReader('subject')
  assert.is(keyOf(NO_FIELDS, '192.0.2.1', named('ann')), keyOf(NO_FIELDS, '192.0.2.2', named('ann')))
  assert.is.not(keyOf(NO_FIELDS, '192.0.2.1', named('ann')), keyOf(NO_FIELDS, '192.0.2.1', named('bob')))
})

test('where nobody was asked who it is, the address counts, and no subject can pass for one', () => {
  const keyOf = keyReader('subject')
  assert.is(keyOf(NO_FIELDS, '192.0.2.1', undefined), 'address:192.0.2.1')
  assert.is.not(keyOf(NO_FIELDS, '192.0.2.9', named('192.0.2.1')), keyOf(NO_FIELDS, '192.0.2.1', undefined))
  assert.is.not(
    keyOf(NO_FIELDS, '192.0.2.9', named('address:192.0.2.1')),
    keyOf(NO_FIELDS, '192.0.2.1', undefined),
  )
})

test('the anonymous all go by one name, so the address counts: none of them can use up what the others may send', () => {
  const keyOf = keyReader('subject')
  assert.is(keyOf(NO_FIELDS, '192.0.2.1', { ...named('ann'), anonymous: true }), 'address:192.0.2.1')
})

test('by address, who it is does not matter', () => {
  assert.is(keyReader('address')(NO_FIELDS, '192.0.2.1', named('ann')), 'address:192.0.2.1')
})

for (const [address, network] of [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:DB8:0001:0002::6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['::', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['1:2:3:4:5:6:7::', '1:2:3:4'],
  ['unknown', 'unknown'],
] as const) {
  test(`${address} is counted as ${network}: an IPv6 network is one caller (RFC 6177)`, () => {
    assert.is(networkOf(address), network)
  })
}

test('by a field, its value counts, whatever the case of its name; without it the address', () => {
  const keyOf = keyReader('field:x-api-key')
  const of = (...lines: string[]) => keyOf({ fields: sectionOf(lines) }, '192.0.2.1', undefined)
  assert.is(of('X-API-Key: one'), of('Host: a', 'x-api-key:one'))
  assert.is.not(of('X-API-Key: one'), of('X-API-Key: two'))
  assert.is.not(of('X-API-Key: one'), of('X-API-Key: one', 'X-API-Key: two'))
  assert.is(of('X-API-Keys: one'), 'address:192.0.2.1')
  assert.is.not(of('X-API-Key:'), 'address:192.0.2.1')
})

test('no key is long, and none holds the value of a field, which may be a secret', () => {
  const endless = 'x'.repeat(10_000)
  const keys = [
    keyReader('subject')(NO_FIELDS, '', named(endless)),
    keyReader('address')(NO_FIELDS, endless, undefined),
    keyReader('field:a')({ fields: sectionOf([`a: ${endless}`]) }, '', undefined),
  ]
  for (const key of keys) assert.ok(key.length < 80, key)
  assert.not.match(keyReader('field:a')({ fields: sectionOf(['a: hunter2']) }, '', undefined), /hunter2/)
  assert.is.not(keys[0], keyReader('subject')(NO_FIELDS, '', named(`${endless}x`)))
})

test.run()
