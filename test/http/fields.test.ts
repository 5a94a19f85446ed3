import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { combinedValue, fold, listMembers } from '../../src/http/fields.ts'
import { sectionOf } from '../support/sections.ts'

const test = suite('http/fields')

const START_LINE = 'GET / HTTP/1.1\r\n'

const tokenOctet = fc.constantFrom(..."!#$%&'*+-.^_`|~09azAZ")
const valueOctet = fc.oneof(
  fc.constantFrom(' ', '\t', '\xa0', '\x85', ':', ','),
  fc.integer({ min: 0x21, max: 0xff }).map((octet) => (octet === 0x7f ? ' ' : String.fromCharCode(octet))),
)
const line = fc.tuple(
  fc.string({ unit: tokenOctet, minLength: 1, maxLength: 20 }),
  fc.string({ unit: valueOctet, maxLength: 30, size: 'max' }),
)

test('names and values are found as received, and the lines cover the section without gaps', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12, size: 'max' }), (lines) => {
      const texts = lines.map(([name, value]) => `${name}:${value}`)
      const section = sectionOf(texts)
      assert.is(section.count, lines.length)
      let at = START_LINE.length
      lines.forEach(([name, value], index) => {
        assert.is(section.name(index), name)
        assert.is(section.value(index), value.replace(/^[ \t]+/, '').replace(/[ \t]+$/, ''))
        assert.is(section.lineStart(index), at)
        assert.is(section.nameEnd(index), at + name.length)
        at += texts[index]!.length + 2
        assert.is(section.lineEnd(index), at)
      })
      assert.is(section.text.slice(at), '\r\n')
    }),
  )
})

for (const [received, value] of [
  ['X:', ''],
  ['X: ', ''],
  ['X: \t \t', ''],
  ['X:a', 'a'],
  ['X: a', 'a'],
  ['X:\ta\t ', 'a'],
  ['X: a b\tc ', 'a b\tc'],
  ['X: \xa0a\xa0 ', '\xa0a\xa0'],
  ['X: \x85', '\x85'],
] as const) {
  test(`the value of ${JSON.stringify(received)} is ${JSON.stringify(value)}: only OWS is trimmed (RFC 9110 §5.5)`, () => {
    assert.is(sectionOf([received]).value(0), value)
  })
}

test('a head without fields has a section of no lines', () => {
  assert.is(sectionOf([]).count, 0)
})

for (const [value, members] of [
  ['', []],
  [' \t', []],
  [',', []],
  [', ,\t,', []],
  ['close', ['close']],
  ['Close', ['close']],
  ['a,b', ['a', 'b']],
  [' a\t, \tb ', ['a', 'b']],
  [',a,,b,', ['a', 'b']],
  ['a b', ['a b']],
  ['a;q=1, b', ['a;q=1', 'b']],
  ['a,a', ['a', 'a']],
  ['\xa0a', ['\xa0a']],
] as const) {
  test(`the members of the list ${JSON.stringify(value)} are ${JSON.stringify(members)} (RFC 9110 §5.6.1)`, () => {
    assert.equal(listMembers(value), [...members])
  })
}

test('lines of one name are one list, in order, whatever their case (RFC 9110 §5.3)', () => {
  const fields = sectionOf(['Vary: a', 'X-A: no', 'vary:  b, c ', 'vary-not: no', 'VARY:'])
  assert.is(combinedValue(fields, 'vary'), 'a, b, c, ')
  assert.is(combinedValue(fields, 'x-a'), 'no')
  assert.is(combinedValue(fields, 'x-b'), undefined)
})

test('every octet of a name folds to itself if it is a digit, to lower case if a letter, and else to a dash', () => {
  for (let octet = 0; octet < 256; octet++) {
    const text = String.fromCharCode(octet)
    assert.is(
      fold(text),
      /[0-9a-z]/.test(text) ? text : /[A-Z]/.test(text) ? text.toLowerCase() : '-',
      `octet ${octet}`,
    )
  }
  assert.is(fold('X_My.Jwt'), 'x-my-jwt')
})

test.run()
