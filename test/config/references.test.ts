// References of a configuration file: to the environment, to files.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { besideConfig, resolveReferences } from '../../src/config/references.ts'

const test = suite('config/references')

const ENV = { A: 'one', B: 'two', EMPTY: '', TRICK: 'file:/etc/passwd', NESTED: '$' + '{A}' }
const FILES: Record<string, string> = {
  'etc/key': 'secret\n',
  '/abs': 'absolute\r\n',
  'etc/two': 'x\n\n',
  'etc/one': '1',
}

function resolve(data: unknown) {
  const readFile = (path: string) => {
    const content = FILES[path]
    if (content === undefined) throw Object.assign(new Error(`open '${path}'`), { code: 'ENOENT' })
    return content
  }
  return resolveReferences(data, 'etc/signet.yaml', { env: ENV, readFile })
}

const RESOLVED: [written: string, text: string][] = [
  ['plain', 'plain'],
  ['a $ b {c} $A', 'a $ b {c} $A'],
  [`$\{A}`, 'one'],
  [`x$\{A}-$\{B}y`, 'xone-twoy'],
  [`$$\{A}`, `$\{A}`],
  [`$$$\{A}`, `$$\{A}`],
  [`$\{NESTED}`, `$\{A}`],
  [`$\{TRICK}`, 'file:/etc/passwd'],
  ['file:key', 'secret'],
  ['file:./key', 'secret'],
  ['file:/abs', 'absolute'],
  ['file:two', 'x\n'],
  [`file:$\{A}`, '1'],
]

for (const [written, text] of RESOLVED) {
  test(`${written} stands for ${JSON.stringify(text)}`, () => {
    const { data, problems } = resolve({ list: [written], number: 1 })
    assert.equal(problems, [])
    assert.equal(data, { list: [text], number: 1 })
  })
}

const UNRESOLVED: [written: string, reason: string][] = [
  [`$\{C}`, 'the environment variable C is not set'],
  [`$\{EMPTY}`, 'the environment variable EMPTY is not set'],
  [`$\{C}$\{D}`, 'the environment variable C is not set; the environment variable D is not set'],
  [`$\{toString}`, 'the environment variable toString is not set'],
  [`$\{}`, `$\{ and } must enclose the name of an environment variable`],
  [`$\{a b}`, `$\{ and } must enclose the name of an environment variable`],
  [`$\{A`, `a $\{ without a }; write $$\{ for these two characters themselves`],
  ['file:nothing', 'the file "etc/nothing" cannot be read: there is no such file'],
  [`file:$\{A}x`, `the file "$\{A}x" cannot be read: there is no such file`],
]

for (const [written, reason] of UNRESOLVED) {
  test(`${written} leads nowhere, and leaves nothing`, () => {
    const { data, problems } = resolve({ key: written })
    assert.equal(problems, [{ path: ['key'], reason }])
    assert.equal(data, { key: undefined })
  })
}

test('what was looked up is known: values, variables and files', () => {
  const { references, variables, files } = resolve({
    a: [`$\{A}`, 'x'],
    b: 'file:key',
    c: `$$\{A}`,
    d: 'file:no',
  })
  assert.equal(
    [...references],
    [
      ['["a",0]', `$\{A}`],
      ['["b"]', 'file:key'],
      ['["c"]', `$$\{A}`],
      ['["d"]', 'file:no'],
    ],
  )
  assert.equal(variables, ['A'])
  assert.equal(files, ['etc/key', 'etc/no'])
})

test('relative paths begin in the folder of the configuration file', () => {
  assert.is(besideConfig('signet.yaml', 'key'), 'key')
  assert.is(besideConfig('/etc/signet.yaml', '../key'), '/key')
  assert.is(besideConfig('/etc/signet.yaml', '/run/key'), '/run/key')
})

test.run()
