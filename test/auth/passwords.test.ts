// Passwords and keys: `basic` and `api-key`, how often one may try, how many at once, and that time tells nothing.

import { hash } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ApiKeyAuthenticator } from '../../src/auth/api-key.ts'
import { Attempts, MOST_ATTEMPTS } from '../../src/auth/attempts.ts'
import { BasicAuthenticator } from '../../src/auth/basic.ts'
import { Accounts, hashPassword, Turns } from '../../src/auth/passwords.ts'
import { Recent } from '../../src/auth/recent.ts'
import { within } from '../support/wire.ts'
import { account, authorized, basic, received, told } from './support.ts'

const test = suite('auth/passwords')

async function create(now = () => 0) {
  const users = [await account('ann', 'correct horse', 'admin'), await account('žofie', 'heslo: ž')]
  const accounts = new Accounts(users, new Turns())
  const attempts = new Attempts(now)
  const config = { kind: 'basic', name: 'staff', forward: false, users } as const
  return new BasicAuthenticator(config, accounts, attempts, { now, clock: now })
}

// ── basic ─────────────────────────────────────────────────────────────────────────────────────────────────────

for (const [what, value, expected] of [
  ['the right password', basic('ann', 'correct horse'), 'ann'],
  ['one with a colon and letters beyond ASCII', basic('žofie', 'heslo: ž'), 'žofie'],
  ['a wrong password', basic('ann', 'correct horses'), 'invalid'],
  ['no password', basic('ann', ''), 'invalid'],
  ['an unknown user', basic('bob', 'correct horse'), 'invalid'],
  ['a user that every object inherits', basic('constructor', 'x'), 'invalid'],
  ['no colon', `Basic ${Buffer.from('ann').toString('base64')}`, 'invalid'],
  ['nothing', 'Basic', 'invalid'],
  ['what is no base64', 'Basic ***', 'invalid'],
  ['more than there may be', basic('ann', 'x'.repeat(3000)), 'invalid'],
  ['another scheme', 'Bearer abc', '-'],
] as const) {
  test(`${what}: ${expected}`, async () => {
    assert.is(await within(told((await create()).authenticate(authorized(value))), 'an outcome'), expected)
  })
}

test('who comes in by a password has name and role', async () => {
  const outcome = await (await create()).authenticate(authorized(basic('ann', 'correct horse')))
  assert.equal(outcome, {
    subject: 'ann',
    claims: { sub: 'ann', user_id: 'ann', role: 'admin' },
    scopes: [],
    roles: ['admin'],
    authenticator: 'staff',
  })
})

test('a password that was right is not checked again, and another one is', async () => {
  const authenticator = await create()
  const right = authorized(basic('ann', 'correct horse'))
  assert.instance(authenticator.authenticate(right), Promise)
  await authenticator.authenticate(right)
  const again = authenticator.authenticate(right)
  assert.not.instance(again, Promise)
  assert.is(await told(again), 'ann')
  assert.is(await told(authenticator.authenticate(authorized(basic('ann', 'correct Horse')))), 'invalid')
})

test('an address that was wrong too often has to wait, right or not; others need not', async () => {
  let now = 0
  const authenticator = await create(() => now)
  const ask = (password: string, address: string) =>
    told(authenticator.authenticate(authorized(basic('ann', password), address)))
  for (let times = 0; times < MOST_ATTEMPTS; times++)
    assert.is(await ask(`wrong ${times}`, '10.0.0.1'), 'invalid')
  assert.is(await ask('wrong', '10.0.0.1'), 'limited')
  assert.is(await ask('correct horse', '10.0.0.1'), 'limited')
  assert.is(await ask('correct horse', '10.0.0.2'), 'ann')
  now = 60_000
  assert.is(await ask('wrong', '10.0.0.1'), 'invalid')
})

test('right passwords do not count as attempts', async () => {
  const attempts = new Attempts(() => 0)
  for (let times = 0; times < 100; times++) {
    assert.is(attempts.take('10.0.0.1'), 0)
    attempts.giveBack('10.0.0.1')
  }
})

for (const [one, other, same] of [
  ['2001:db8::1', '2001:db8:0:0:ffff::2', true],
  ['2001:db8::1', '2001:db8:0:1::1', false],
  ['::ffff:10.0.0.1', '10.0.0.1', true],
  ['10.0.0.1', '10.0.0.2', false],
  ['fe80::1', 'fe80::2', true],
] as const) {
  test(`${one} and ${other} are ${same ? 'one' : 'two'}`, () => {
    const attempts = new Attempts(() => 0)
    for (let times = 0; times < MOST_ATTEMPTS; times++) assert.is(attempts.take(one), 0)
    assert.is(attempts.take(other), same ? 60 : 0)
  })
}

test('the memory for attempts has a bound', () => {
  const attempts = new Attempts(() => 0)
  for (let times = 0; times < MOST_ATTEMPTS; times++) attempts.take('10.0.0.1')
  assert.ok(attempts.take('10.0.0.1') > 0)
  for (let at = 0; at < 10_000; at++) attempts.take(`a${at}`)
  assert.is(attempts.take('10.0.0.1'), 0, 'the first was forgotten')
})

// ── how passwords are checked ─────────────────────────────────────────────────────────────────────────────────

test('no more than two run at once, no more than 32 wait, and each gets its turn', async () => {
  const turns = new Turns()
  let running = 0
  let most = 0
  const ends: (() => void)[] = []
  const work = async () => {
    most = Math.max(most, ++running)
    await new Promise<void>((resolve) => ends.push(resolve))
    running--
  }
  const taken = Array.from({ length: 34 }, () => turns.take(work))
  assert.not(taken.includes(undefined))
  assert.is(turns.take(work), undefined)
  let done = 0
  const all = Promise.all(taken).then(() => {
    done++
  })
  while (done === 0) {
    ends.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await all
  assert.is(most, 2)
  const again = turns.take(async () => 'free')
  assert.is(await again, 'free')
})

test('work that fails gives its turn back', async () => {
  const turns = new Turns()
  for (let times = 0; times < 5; times++) {
    const failed = await turns
      .take(() => Promise.reject(new Error('no')))
      ?.catch(({ message }: Error) => message)
    assert.is(failed, 'no')
  }
})

test('an unknown user takes as much work as a known one', async () => {
  const parameters = { cost: 12, blockSize: 8, parallelism: 1 }
  const users = [{ name: 'ann', role: 'user', password: await hashPassword('correct horse', parameters) }]
  const accounts = new Accounts(users, new Turns())
  /** ms of CPU, which does not depend on what else the machine is doing */
  async function costOf(name: string): Promise<number> {
    const before = process.cpuUsage()
    for (let round = 0; round < 15; round++) assert.is(await accounts.check(name, 'wrong'), undefined)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  await costOf('ann')
  const known = await costOf('ann')
  const unknown = await costOf('bob')
  assert.ok(unknown > known / 2 && unknown < known * 2, `known ${known} ms, unknown ${unknown} ms`)
})

test('a name that nobody has is not let in by any password', async () => {
  const accounts = new Accounts([], new Turns())
  assert.is(await accounts.check('', ''), undefined)
})

// ── api-key ───────────────────────────────────────────────────────────────────────────────────────────────────

const digest = (key: string) => hash('sha256', key, 'hex')
const partners = new ApiKeyAuthenticator({
  kind: 'api-key',
  name: 'partners',
  forward: false,
  field: 'x-api-key',
  keys: [
    { subject: 'acme', sha256: digest('acme-key'), roles: ['partner'], scopes: ['a'] },
    { subject: 'zeta', sha256: digest('zeta-key'), roles: [], scopes: [] },
  ],
})

for (const [fields, expected] of [
  [['X-API-Key: acme-key'], 'acme'],
  [['x-api-key:   zeta-key  '], 'zeta'],
  [[], '-'],
  [['X-Api-Key:'], 'invalid'],
  [['X-API-Key: acme-ke'], 'invalid'],
  [['X-API-Key: ACME-KEY'], 'invalid'],
  [[`X-API-Key: ${digest('acme-key')}`], 'invalid'],
  [['X-API-Key: acme-key', 'X-API-Key: acme-key'], 'invalid'],
  [['X_API_Key: acme-key'], '-'],
  [['Authorization: Bearer acme-key'], '-'],
] as const) {
  test(`${JSON.stringify(fields)} is ${expected}`, async () => {
    assert.is(await told(partners.authenticate(received(fields))), expected)
  })
}

test('whose key it is, with what it may', () => {
  assert.equal(partners.authenticate(received(['X-API-Key: acme-key'])), {
    subject: 'acme',
    claims: { sub: 'acme' },
    scopes: ['a'],
    roles: ['partner'],
    authenticator: 'partners',
  })
})

// ── what is remembered ────────────────────────────────────────────────────────────────────────────────────────

test('what is remembered has a bound and an end', () => {
  const recent = new Recent<number>(3)
  for (let at = 0; at < 5; at++) recent.set(`k${at}`, at, 100)
  assert.is(recent.size, 3)
  assert.equal(
    ['k0', 'k1', 'k2', 'k3', 'k4'].map((key) => recent.get(key, 99)),
    [undefined, undefined, 2, 3, 4],
  )
  assert.is(recent.get('k4', 100), undefined)
  assert.is(recent.size, 2)
})

test.run()
