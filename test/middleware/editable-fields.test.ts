// Fields that middleware may change: what it sees, what it may say, and the section that comes of it.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { EditableFields } from '../../src/middleware/editable-fields.ts'
import { sectionOf } from '../support/sections.ts'

const test = suite('middleware/editable-fields')
const RULES = new FieldRules(['x-my-jwt'])

function headOf(lines: readonly string[], nominated?: ReadonlySet<string>) {
  const fields = sectionOf(lines)
  const rules = lines.map((_, at) => RULES.lookUp(fields.text, fields.lineStart(at), fields.nameEnd(at)))
  return { fields, rules, nominated }
}

function edit(
  lines: readonly string[],
  change: (fields: EditableFields) => void,
  nominated?: ReadonlySet<string>,
) {
  const head = headOf(lines, nominated)
  const fields = new EditableFields(head, RULES)
  change(fields)
  const changed = fields.apply(head)
  const all = Array.from({ length: changed.fields.count }, (_, at) => {
    return changed.fields.text.slice(changed.fields.lineStart(at), changed.fields.lineEnd(at))
  })
  return { head, fields, changed, all }
}

test('what was not changed stays the very head that was received', () => {
  const { head, changed } = edit(['Host: a', 'A:  b '], (fields) => {
    assert.is(fields.get('a'), 'b')
    assert.equal(
      [...fields],
      [
        ['host', 'a'],
        ['a', 'b'],
      ],
    )
  })
  assert.is(changed, head)
})

test('several lines of one name are a list, and each of them', () => {
  edit(['A: 1', 'B: 2', 'a: 3'], (fields) => {
    assert.is(fields.get('A'), '1, 3')
    assert.equal(fields.getAll('a'), ['1', '3'])
    assert.is(fields.get('c'), undefined)
    assert.not.ok(fields.has('c'))
    assert.ok(fields.has('b'))
  })
})

test('what imitates signet is not shown, and stays where it will be dropped', () => {
  const { all, changed } = edit(['X_My_Jwt: forged', 'A: 1'], (fields) => {
    assert.equal([...fields], [['a', '1']])
    assert.is(fields.get('x_my_jwt'), undefined)
    fields.set('A', '2')
  })
  assert.equal(all, ['X_My_Jwt: forged\r\n', 'A: 2\r\n'])
  assert.is(changed.rules[0]?.treatment, 'asserted')
  assert.is(changed.rules[1], undefined)
})

test('set takes the place of every spelling, append adds, delete removes', () => {
  const { all } = edit(['X_Role: user', 'x-role: guest', 'B: 1', 'C: 2'], (fields) => {
    fields.set('X-Role', ' admin ')
    fields.append('b', '')
    fields.delete('C')
    assert.is(fields.get('x-role'), 'admin')
    assert.is(fields.get('B'), '1, ')
  })
  assert.equal(all, ['B: 1\r\n', 'X-Role: admin\r\n', 'b: \r\n'])
})

test('the offsets of a changed section are those of its text, whatever was changed', () => {
  const { changed } = edit(['A: 1', 'Bb:22'], (fields) => fields.append('Ccc', '3\u00e9'))
  const { fields } = changed
  assert.is(fields.count, 3)
  assert.equal([fields.name(1), fields.value(1)], ['Bb', '22'])
  assert.equal([fields.name(2), fields.value(2)], ['Ccc', '3\u00e9'])
  assert.is(fields.text.slice(fields.lineEnd(2)), '\r\n')
})

test('what is appended to a line of the client is no more for the upstream than that', () => {
  const { fields, all } = edit(['X-Key: of the client'], (fields) => {
    fields.append('X_Key', 'appended')
    fields.append('x-new', '1')
    fields.append('x-new', '2')
    fields.set('x-set', '1')
    fields.append('x-set', '2')
  })
  assert.equal([...fields.late], ['x-new', 'x-set'])
  assert.is(all.length, 6)
})

test('Connection cannot name away what was set', () => {
  const nominated = new Set(['x-role', 'x-other'])
  const { changed, head } = edit(['X-Other: 1'], (fields) => fields.set('X-Role', 'admin'), nominated)
  assert.equal(changed.nominated, new Set(['x-other']))
  assert.is(head.nominated?.size, 2)
})

test('names and values that would be more than one field are refused, and nothing has changed', () => {
  const { head, changed } = edit(['A: 1'], (fields) => {
    for (const name of ['', 'a b', 'a:', 'a\r\nb', 'é', 'a\0'])
      assert.throws(() => fields.set(name, 'v'), /no field name/)
    for (const value of ['a\r\nB: c', 'a\n', 'a\0', 'Ā'])
      assert.throws(() => fields.set('a', value), /a field value must be/)
    assert.throws(() => fields.set('a', 1 as unknown as string), TypeError)
  })
  assert.is(changed, head)
})

const SIGNETS = [
  'x-my-jwt',
  'X.My.Jwt',
  'Forwarded',
  'x_forwarded_for',
  'Host',
  'Via',
  'Content-Length',
  'transfer_encoding',
  'Connection',
  'Proxy-Anything',
  'Max-Forwards',
  'Expect',
]
for (const name of SIGNETS) {
  test(`${name} is for nobody to change, with the reason`, () => {
    edit([], (fields) => {
      for (const change of [
        () => fields.set(name, '1'),
        () => fields.append(name, '1'),
        () => fields.delete(name),
      ])
        assert.throws(
          change,
          (thrown: unknown) =>
            thrown instanceof TypeError &&
            thrown.message.startsWith(`${name} cannot be changed by middleware: `),
        )
    })
  })
}

test('once it is on its way it can be read, and nothing else', () => {
  edit(['A: 1'], (fields) => {
    fields.close()
    assert.is(fields.get('a'), '1')
    for (const change of [
      () => fields.set('a', '2'),
      () => fields.append('a', '2'),
      () => fields.delete('a'),
    ])
      assert.throws(change, /too late/)
  })
})

test.run()
