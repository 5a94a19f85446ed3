// Which coding Accept-Encoding asks for. The rest of what decides is in tables of proxy/compression.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseEncoding, compileRule } from '../../src/compression/verdict.ts'
import type { Encoding } from '../../src/http/gateway.ts'

const test = suite('compression/verdict')

const ALL: readonly Encoding[] = ['br', 'zstd', 'gzip']

/** RFC 9110 §12.5.3, and what else is seen. */
const ACCEPTED: readonly [accepted: string, chosen: Encoding | 'identity'][] = [
  ['', 'identity'],
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['GZip', 'gzip'],
  ['gzip, deflate', 'gzip'],
  ['gzip, deflate, br, zstd', 'br'],
  ['zstd, gzip', 'zstd'],
  ['gzip;q=1.0, br;q=0.5', 'gzip'],
  ['br;q=0.5,gzip;q=0.5', 'br'],
  ['gzip ; q=0.1', 'gzip'],
  ['gzip;q=0', 'identity'],
  ['gzip;q=0.000, br;q=0', 'identity'],
  ['*', 'br'],
  ['*;q=0.1', 'br'],
  ['*;q=0', 'identity'],
  ['br;q=0, *', 'zstd'],
  ['br;q=0, zstd;q=0, *;q=0.2', 'gzip'],
  ['identity;q=0', 'identity'], // nothing is acceptable: it gets what it would have got without signet
  ['identity;q=0, gzip', 'gzip'],
  ['identity;q=0, *', 'br'],
  ['gzip;q=0.5, identity', 'identity'],
  ['gzip;q=0.5, identity;q=0.4', 'gzip'],
  ['gzip;q=0.4, identity;q=0.5', 'identity'],
  ['deflate, compress', 'identity'],
  ['gzip;q=what', 'identity'],
  [', ,gzip,', 'gzip'],
  ['gzipped, brotli', 'identity'],
]

for (const [accepted, chosen] of ACCEPTED) {
  test(`Accept-Encoding: ${accepted} asks for ${chosen}`, () =>
    assert.is(chooseEncoding(accepted, ALL), chosen))
}

test('the order of a route decides where the client has no preference, and only its codings count', () => {
  assert.is(chooseEncoding('br, zstd, gzip', ['gzip', 'br']), 'gzip')
  assert.is(chooseEncoding('br;q=0.9, gzip;q=0.8', ['gzip', 'br']), 'br')
  assert.is(chooseEncoding('br', ['gzip']), 'identity')
  assert.is(chooseEncoding('*', []), 'identity')
})

test('a rule has the codings that this Node has, in its own order', () => {
  const config = { minSize: 1, encodings: ['gzip', 'zstd', 'br'] } as const
  assert.equal(compileRule(config, ['br', 'gzip']).encodings, ['gzip', 'br'])
  assert.equal(compileRule(config, ALL).encodings, ['gzip', 'zstd', 'br'])
})

const TYPES: readonly [type: string, taken: boolean][] = [
  ['text/html', true],
  ['application/json', true],
  ['application/problem+json', true],
  ['image/svg+xml', true],
  ['application/javascript', true],
  ['application/wasm', true],
  ['image/png', false],
  ['video/mp4', false],
  ['application/zip', false],
  ['application/octet-stream', false],
  ['application/x-unknown', false],
  ['nonsense', false],
]

for (const [type, taken] of TYPES) {
  test(`${type} is ${taken ? '' : 'not '}compressed unless types says otherwise`, () => {
    assert.is(compileRule({ minSize: 1, encodings: ALL }, ALL).takesType(type), taken)
  })
}

test('types takes what it names: a type, or all with one first half', () => {
  const { takesType } = compileRule({ minSize: 1, encodings: ALL, types: ['a/b', 'c/*'] }, ALL)
  for (const type of ['a/b', 'c/d', 'c/*']) assert.ok(takesType(type), type)
  for (const type of ['a/c', 'text/html', 'c', 'cc/d', '', '/']) assert.not.ok(takesType(type), type)
})

test.run()
