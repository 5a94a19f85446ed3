// The file of users: what is written can be read, and what cannot be read is said by line, without a hash.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { hashPassword } from '../../src/auth/passwords.ts'
import { isUserName, readUsers, writeUser } from '../../src/http/users.ts'
import { account } from '../auth/support.ts'

const test = suite('http/users')

test('what was written is read again, between comments and empty lines', async () => {
  const ann = await account('ann', 'a password', 'admin')
  const zoe = await account('Žofie 漢', 'another', 'user')
  assert.equal(readUsers(`# who\n\n${writeUser(ann)}\r\n${writeUser(zoe)}\n`), [ann, zoe])
})

for (const [what, line, problem] of [
  ['no colon', 'ann', 'has no role'],
  ['no name', ':user:$scrypt$', 'does not begin with a name'],
  ['a role with a blank', 'ann:a b:$scrypt$', 'has no role'],
  ['a password in clear', 'ann:user:hunter2', 'has no password as signet user add writes it'],
  ['a hash of another kind', 'ann:user:$2y$05$hunter2', 'has no password'],
] as const) {
  test(`a line with ${what} is refused, and not repeated`, () => {
    try {
      readUsers(`# comment\n${line}`)
      assert.unreachable()
    } catch (error) {
      assert.ok((error as Error).message.startsWith(`line 2 ${problem}`), (error as Error).message)
      assert.not.match((error as Error).message, /hunter2/)
    }
  })
}

test('a hash that would take more memory than there may be is refused', async () => {
  const line = writeUser(await account('ann', 'a password'))
  assert.throws(() => readUsers(line.replace('ln=4', 'ln=18')), /line 1 has no password/)
  assert.throws(() => readUsers(line.replace('p=1', 'p=9')), /line 1 has no password/)
  assert.throws(() => readUsers(line.replace('ln=4', 'ln=0')), /line 1 has no password/)
})

test('parameters that scrypt itself refuses are refused (RFC 7914 §2)', async () => {
  const parameters = { cost: 15, blockSize: 1, parallelism: 1 }
  const most = writeUser({
    name: 'ann',
    role: 'user',
    password: await hashPassword('a password', parameters),
  })
  assert.is(readUsers(most).length, 1)
  assert.throws(() => readUsers(most.replace('ln=15', 'ln=16')), /line 1 has no password/)
})

test('a name stands in it once, and there is at least one', async () => {
  const line = writeUser(await account('ann', 'a password'))
  assert.throws(() => readUsers(`${line}\n${line}`), /line 2 has a name that stands above already/)
  assert.throws(() => readUsers('# nobody\n'), /there is no user in it/)
})

test('names that Basic or the file could not tell apart are none', () => {
  for (const name of ['', 'a:b', '#a', ' a', 'a ', 'a\nb', 'a\u200bb']) assert.not(isUserName(name), name)
  for (const name of ['a', 'WAL001', 'a b', 'ž', 'a@b.test']) assert.ok(isUserName(name), name)
})

test.run()
