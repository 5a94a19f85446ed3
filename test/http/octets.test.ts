import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { allIn, DIGIT, HOST, type OctetSet, octetSet, PATH, QUERY, TCHAR } from '../../src/http/octets.ts'

const test = suite('http/octets')

for (const [what, set, members] of [
  ['a token is made of tchar (RFC 9110 §5.6.2)', TCHAR, /[!#$%&'*+\-.^_`|~0-9A-Za-z]/],
  ['a path is made of pchar, "/", "%" and what browsers leave as it is', PATH, /[\w\-.~!$&'()*+,;=:@%/|[\]]/],
  [
    'a query is made of pchar, "/", "?", "%" and what browsers leave as it is',
    QUERY,
    /[\w\-.~!$&'()*+,;=:@%/?|[\]^`{}\\]/,
  ],
  ['a host name is made of unreserved octets (RFC 3986 §2.3)', HOST, /[\w\-.~]/],
  ['a decimal digit is 0 to 9 and nothing else', DIGIT, /[0-9]/],
] as const satisfies readonly (readonly [string, OctetSet, RegExp])[]) {
  test(what, () => {
    for (let octet = 0; octet < 256; octet++) {
      const text = String.fromCharCode(octet)
      assert.is(set[octet] === 1, members.test(text), `octet ${octet}`)
      assert.is(allIn(set, text, 0, 1), members.test(text))
    }
  })
}

test('a character above 255 is in no set, not even by its low octet', () => {
  const all = octetSet('', '\0\xff')
  assert.ok(allIn(all, '\0a\xff', 0, 3))
  assert.not.ok(allIn(all, '\u0161', 0, 1))
  assert.not.ok(allIn(TCHAR, '\u0161', 0, 1)) // its low octet is "a"
})

test('only the octets between start and end are asked for', () => {
  assert.ok(allIn(DIGIT, 'a12b', 1, 3))
  assert.not.ok(allIn(DIGIT, 'a12b', 0, 3))
  assert.not.ok(allIn(DIGIT, 'a12b', 1, 4))
  assert.ok(allIn(DIGIT, 'ab', 1, 1))
})

test.run()
