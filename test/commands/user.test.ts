// `signet user add`: what it writes, what it refuses, and that a signet which runs takes the account up.

import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Accounts, Turns } from '../../src/auth/passwords.ts'
import { runUser } from '../../src/commands/user.ts'
import { readUsers } from '../../src/http/users.ts'
import { CHEAP } from '../auth/support.ts'
import { valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf } from '../support/process.ts'
import { ok, RawUpstream, Wire } from '../support/wire.ts'
import { Printed, within } from './support.ts'

const test = suite('commands/user')
const start = processesOf(test)
const closing = closedAfter(test)
const folders: string[] = []
test.after.each(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'signet-user-'))
  folders.push(made)
  return made
}

async function run(argv: readonly string[], typed: string, terminal = false) {
  const stdout = new Printed()
  const stderr = new Printed()
  const raw: boolean[] = []
  const stdin = Object.assign(Readable.from([Buffer.from(typed)]), {
    isTTY: terminal,
    setRawMode: (on: boolean) => raw.push(on),
  })
  const code = await within(runUser(argv, { stdin, stdout, stderr, cost: CHEAP }), 'the command')
  return { code, out: stdout.text, err: stderr.text, raw }
}

/** Whether the file lets somebody in. */
async function lets(file: string, name: string, password: string): Promise<boolean> {
  const accounts = new Accounts(readUsers(readFileSync(file, 'utf8')), new Turns())
  return (await accounts.check(name, password)) !== undefined
}

test('an account is added with a hash in place of its password, and the file is for its owner alone', async () => {
  const file = join(folder(), 'users')
  const { code, out, err } = await run(['add', file, 'ann', '--role', 'admin'], 'correct horse\nrest')
  assert.is(err, '')
  assert.is(code, 0)
  assert.is(out, `ann (admin) is in ${file}\n`)
  assert.is(statSync(file).mode & 0o777, 0o600)
  assert.not.match(readFileSync(file, 'utf8'), /correct/)
  assert.ok(await lets(file, 'ann', 'correct horse'))
  assert.not(await lets(file, 'ann', 'correct horse\nrest'))
})

test('a second account stands beside the first, with what else is in the file; two hashes of one password differ', async () => {
  const where = folder()
  const file = join(where, 'users')
  writeFileSync(file, '# our users\n')
  await run(['add', file, 'ann'], 'correct horse')
  await run(['add', file, 'bob'], 'correct horse')
  const lines = readFileSync(file, 'utf8').split('\n')
  assert.is(lines[0], '# our users')
  assert.is(lines.length, 4)
  const [ann, bob] = readUsers(lines.join('\n'))
  assert.is(ann?.role, 'user')
  assert.is.not(ann?.password.hash, bob?.password.hash)
  assert.equal(readdirSync(where), ['users'], 'nothing else is left')
})

test('who could read the file still can, and a link to it stays a link', async () => {
  const where = folder()
  const [file, link] = [join(where, 'users'), join(where, 'link')]
  await run(['add', file, 'ann'], 'correct horse')
  chmodSync(file, 0o640)
  symlinkSync(file, link)
  assert.is((await run(['add', link, 'bob'], 'correct horse')).code, 0)
  assert.ok(lstatSync(link).isSymbolicLink())
  assert.is(statSync(file).mode & 0o777, 0o640)
  assert.is(readUsers(readFileSync(file, 'utf8')).length, 2)
  assert.equal(readdirSync(where).sort(), ['link', 'users'])
})

test('an account that is there is replaced only when asked', async () => {
  const file = join(folder(), 'users')
  await run(['add', file, 'ann'], 'correct horse')
  const before = readFileSync(file, 'utf8')
  const refused = await run(['add', file, 'ann'], 'another one')
  assert.is(refused.code, 1)
  assert.match(refused.err, /has ann already; --replace/)
  assert.is(readFileSync(file, 'utf8'), before)
  assert.is((await run(['add', file, 'ann', '--replace', '--role', 'admin'], 'another one')).code, 0)
  assert.ok(await lets(file, 'ann', 'another one'))
  assert.not(await lets(file, 'ann', 'correct horse'))
  assert.is(readUsers(readFileSync(file, 'utf8')).length, 1)
})

test('at a terminal the password is asked for, not shown, and can be mended', async () => {
  const file = join(folder(), 'users')
  const { out, raw } = await run(['add', file, 'ann'], 'correctž\u007f horse\r', true)
  assert.ok(out.startsWith('Password: \n'), out)
  assert.not.match(out, /correct/)
  assert.equal(raw, [true, false])
  assert.ok(await lets(file, 'ann', 'correct horse'))
  const given_up = await run(['add', file, 'bob'], 'cor\u0003', true)
  assert.is(given_up.code, 1)
  assert.equal(given_up.raw, [true, false])
})

for (const [what, argv, typed, code, said] of [
  ['no name', ['add', 'users'], '', 2, 'add, a file and a name are needed'],
  ['another verb', ['remove', 'users', 'ann'], '', 2, 'add, a file and a name are needed'],
  ['an unknown flag', ['add', 'users', 'ann', '--admin'], '', 2, '--admin'],
  [
    'a password on the command line',
    ['add', 'users', 'ann', 'correct horse'],
    '',
    2,
    'add, a file and a name',
  ],
  ['a name with a colon', ['add', 'users', 'a:b'], '', 2, 'a name has no colon'],
  ['a role with a blank', ['add', 'users', 'ann', '--role', 'a b'], '', 2, 'a role is of letters'],
  ['a short password', ['add', 'users', 'ann'], 'short\n', 1, 'a password has 8 to 1024 characters'],
  ['no password', ['add', 'users', 'ann'], '', 1, 'a password has 8 to 1024 characters'],
  ['an arrow key', ['add', 'users', 'ann'], 'correct horse\u001b[D\n', 1, 'no control characters'],
  ['what is no text', ['add', 'users', 'ann'], 'correct horse\ufffd\n', 1, 'a password is of UTF-8'],
  [
    'an endless password',
    ['add', 'users', 'ann'],
    'x'.repeat(5000),
    1,
    'a password has 8 to 1024 characters',
  ],
] as const) {
  test(`${what} is refused, and nothing is written`, async () => {
    const where = folder()
    const placed = argv.map((one) => (one === 'users' ? join(where, 'users') : one))
    const done = await run(placed, typed)
    assert.is(done.code, code)
    assert.ok(done.err.includes(said), done.err)
    assert.equal(readdirSync(where), [])
  })
}

test('a file that is no file of users stays as it is', async () => {
  const file = join(folder(), 'notes')
  writeFileSync(file, 'remember the milk\n')
  const { code, err } = await run(['add', file, 'ann'], 'correct horse')
  assert.is(code, 1)
  assert.match(err, /line 1 has no role/)
  assert.is(readFileSync(file, 'utf8'), 'remember the milk\n')
})

for (const workers of ['1', '2']) {
  test(`a signet of ${workers} lets in who is added while it runs, by a token that all of its processes know`, async () => {
    const where = folder()
    const file = join(where, 'users')
    await run(['add', file, 'ann'], 'correct horse')
    const upstream = closing(await RawUpstream.listen())
    upstream.serve(() => ok('welcome'))
    const config = join(where, 'signet.yaml')
    writeFileSync(
      config,
      `authenticators:
  accounts: { kind: session, users: file:users, secret: ${'ab'.repeat(32)} }
upstreams:
  app: http://127.0.0.1:${upstream.port}
routes:
  - { upstream: app, authenticate: [accounts] }
`,
    )
    const signet = start(['run', '--config', config], { SIGNET_WORKERS: workers })
    const port = await signet.listening()

    async function ask(request: string) {
      const client = await Wire.connect(port)
      client.send(request)
      const { head, body } = await client.message()
      client.destroy()
      return { status: head.slice(9, 12), head, body: body.toString() }
    }
    const login = (username: string, password: string) => {
      const body = JSON.stringify({ username, password })
      return ask(`POST /login HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    }
    const get = (token: string) =>
      ask(`GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer ${token}\r\n\r\n`)

    const { token } = JSON.parse((await login('ann', 'correct horse')).body) as { token: string }
    for (let times = 0; times < 4; times++) assert.is((await get(token)).status, '200')
    assert.is((await login('bob', 'correct horse')).status, '401')
    await run(['add', file, 'bob'], 'correct horse')
    await signet.printed(() => signet.events('reloaded').length >= 1, 'a reload', 10_000)
    const again = await login('bob', 'correct horse')
    assert.is(again.status, '200')
    assert.is((await get(token)).status, '200', 'the session before goes on')
    const { body: page } = await ask('GET /metrics HTTP/1.1\r\nHost: a.test\r\n\r\n')
    for (const [result, count] of [
      ['login-welcome', 2],
      ['login-refused', 1],
      ['success', 5],
    ] as const)
      assert.match(
        page,
        new RegExp(`signet_auth_total\\{authenticator="accounts",result="${result}"\\} ${count}\\n`),
      )
    assert.equal(valuesOf(again.head, 'cache-control'), ['no-store'])
    assert.not.match(signet.stdout, /correct horse|eyJ/)
  })
}

test.run()
