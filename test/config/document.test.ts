// The text of a configuration file: values, places, and what is said of a text that is no YAML.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseConfig } from '../../src/config/document.ts'
import { inOrder } from '../../src/config/problems.ts'

const test = suite('config/document')

const VALUES: [text: string, data: unknown][] = [
  ['', null],
  ['# nothing but a comment\n', null],
  ['\uFEFFport: 1\n', { port: 1 }],
  ['port: 1\r\nhost: "::1"\r\n', { port: 1, host: '::1' }],
  ['{"port": 1,\n\t"list": [true, null, "x"]}', { port: 1, list: [true, null, 'x'] }],
  ['a: on\nb: yes\nc: 0x1f\nd: 1e3', { a: 'on', b: 'yes', c: 31, d: 1000 }],
  ['a: |\n  two\n  lines\n', { a: 'two\nlines\n' }],
  ['1: x\ntrue: y', { 1: 'x', true: 'y' }],
  ['base: &b { x: 1 }\nuses: [*b, *b]', { base: { x: 1 }, uses: [{ x: 1 }, { x: 1 }] }],
  ['<<: { x: 1 }', { '<<': { x: 1 } }],
]

for (const [text, data] of VALUES) {
  test(`${JSON.stringify(text)} is read as YAML 1.2`, () => {
    const { data: read, problems } = parseConfig('c.yaml', text)
    assert.equal(problems, [])
    assert.equal(read, data)
  })
}

test('a key named __proto__ is a key like any other', () => {
  const { data } = parseConfig('c.yaml', '__proto__: { port: 1 }')
  assert.equal(Object.keys(data as object), ['__proto__'])
  assert.is((data as { port?: number }).port, undefined)
})

test('every value and every key has a place', () => {
  const { locate } = parseConfig('c.yaml', 'a:\n  - b: 1\n    "c d": {e: 2}\nf:\n')
  const labels = (part: 'key' | 'value', ...path: (string | number)[]) => locate(path, part)?.label
  assert.is(labels('value', 'a', 0, 'b'), 'c.yaml:2:8 a[0].b')
  assert.is(labels('key', 'a', 0, 'b'), 'c.yaml:2:5 a[0].b')
  assert.is(labels('value', 'a', 0, 'c d', 'e'), 'c.yaml:3:16 a[0]["c d"].e')
  assert.is(labels('value', 'a', 0), 'c.yaml:2:5 a[0]')
  assert.is(labels('key', 'a', 0), 'c.yaml:2:5 a[0]', 'an item has no key: its own place')
  assert.is(labels('value'), 'c.yaml:1:1')
  assert.is(labels('value', 'f'), 'c.yaml:4:3 f', 'nothing stands behind the colon')
  assert.is(labels('value', 'a', 1), undefined)
})

const BRACES = '; within [ ] and { } a value with ' + '$' + '{NAME} must stand in quotes'

const WRONG: [text: string, ...problems: string[]][] = [
  ['a: [1, 2\nport: 3\n', '2:1: a list that begins with [ must end with ]'],
  ['a: {b: 1\n', '2:1: a mapping that begins with { must end with }'],
  ['a:\n\tb: 1\n', '2:1: a tab cannot indent: use blanks'],
  ['host: "a\n', '2:1: a text that begins with a quote must end with one'],
  [
    'host: a: b\n',
    '1:7: there cannot be a key within this value: check how the next line is indented, and quote a value with ": " in it',
  ],
  ['user: @x\n', '1:7: a value that begins with this character must stand in quotes'],
  ['user: !x y\n', '1:7: a value that begins with ! must stand in quotes'],
  [
    'user: "\\q"\nmethods: *\n',
    '1:8: this is no escape sequence: write \\\\ for a backslash, or use single quotes',
    '2:10: a value that begins with * or & must stand in quotes',
  ],
  [
    'a: 1\n---\nb: 2\n',
    '2:1: a second document begins here, and a configuration file is one: remove the line ---',
  ],
  ['%YAML 1.1\n---\na: 010\n', '1:1: this must be YAML 1.2: remove the line %YAML'],
  ['? [a]\n: 1\n', '1:3: a key must be a word'],
  ['a: 1\nb: 2\na: 3\n', '3:1 a: this key has been given already'],
  ['a: *b\n', '1:4 a: no anchor above has this name; a text with * must stand in quotes'],
  ['a: &a [*a]\n', '1:8 a[0][0]: an anchor cannot hold itself'],
  [
    `a: {b: $\{C}, d: 1}\n`,
    `1:9: this is not expected here: is a quote, a comma or a bracket missing before it?${BRACES}`,
  ],
]

for (const [text, ...expected] of WRONG) {
  test(`of ${JSON.stringify(text)} is said what a stranger can mend`, () => {
    assert.equal(
      inOrder(parseConfig('c.yaml', text).problems),
      expected.map((problem) => `c.yaml:${problem}`),
    )
  })
}

test('a text that would become endless, or endlessly deep, is refused', () => {
  const laughs = Array.from({ length: 9 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at},`.repeat(9)}]`)
  const [problem] = parseConfig('c.yaml', ['a0: &a0 [x]', ...laughs].join('\n')).problems
  assert.match(problem?.text ?? '', /more than 100 uses of anchors$/)
  for (const depth of [40, 5000]) {
    for (const piece of ['[', '{a: ', '- ']) {
      const [deep] = parseConfig(
        'c.yaml',
        piece.repeat(depth) + (depth === 40 ? { '[': ']', '{a: ': '}', '- ': '' }[piece]! : '').repeat(depth),
      ).problems
      assert.match(deep?.text ?? '', /nested too deeply/, `${depth} times ${piece}`)
    }
  }
})

test('what is said of a text never repeats it', () => {
  for (const text of [
    'secret: hunter2: x',
    'secret: "hunter2',
    'secret: !hunter2 x',
    '*hunter2',
    'secret: [hunter2',
    '{secret: hunter2 hunter2: }',
  ]) {
    const { problems } = parseConfig('c.yaml', text)
    assert.ok(problems.length > 0, text)
    for (const problem of problems) assert.not.match(problem.text, 'hunter2')
  }
})

test.run()
