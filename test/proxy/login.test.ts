// signet's own login: what it answers, what the token is good for, and what happens to bodies that are wrong, large or late.

import { randomBytes } from 'node:crypto'
import { jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { MOST_ATTEMPTS } from '../../src/auth/attempts.ts'
import type { AuthenticatorConfig } from '../../src/http/authentication.ts'
import { account } from '../auth/support.ts'
import { claimsIn, problemIn, valuesOf } from '../support/heads.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { ok } from '../support/wire.ts'

const SECRET = randomBytes(32)

async function sessions(change: object = {}): Promise<AuthenticatorConfig> {
  return {
    kind: 'session',
    name: 'accounts',
    forward: false,
    login: '/login',
    secret: SECRET.toString('base64url'),
    lifetime: 3600,
    users: [await account('WAL001', 'wal001-secret'), await account('žofie', 'heslo: ž', 'admin')],
    ...change,
  }
}

const credentials = (username: unknown, password: unknown) => JSON.stringify({ username, password })
const RIGHT = credentials('WAL001', 'wal001-secret')

function post(body: string, fields = ''): string {
  const octets = Buffer.from(body)
  return `POST /login HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${octets.length}\r\n${fields}\r\n${octets.toString('latin1')}`
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/login (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  async function stand(change: object = {}) {
    const routes = [
      { name: 'all', upstream: 'upstream', path: '/*', authenticate: ['accounts'] },
      {
        name: 'shop',
        upstream: 'upstream',
        path: '/shops/:shop_id/*',
        authenticate: ['accounts'],
        require: ['params.shop_id == claims.user_id'],
      },
    ]
    const started = await start({}, { authenticators: [await sessions(change)], routes })
    started.upstream.serve(({ head }) => ok(head))
    return started
  }

  type Started = Awaited<ReturnType<typeof stand>>

  async function ask(started: Started, octets: string) {
    const client = await started.client()
    client.send(octets)
    const message = await client.message()
    client.destroy()
    return { ...message, status: Number(message.head.slice(9, 12)) }
  }

  async function tokenOf(started: Started): Promise<string> {
    const { body } = await ask(started, post(RIGHT))
    return (JSON.parse(body.toString()) as { token: string }).token
  }

  const get = (target: string, token: string) =>
    `GET ${target} HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer ${token}\r\n\r\n`

  test('username and password give a token of HS256 for an hour, and the user', async () => {
    const started = await stand()
    const { status, head, body } = await ask(started, post(RIGHT))
    assert.is(status, 200)
    assert.equal(valuesOf(head, 'content-type'), ['application/json'])
    assert.equal(valuesOf(head, 'cache-control'), ['no-store'])
    const { token, user, ...others } = JSON.parse(body.toString()) as { token: string; user: unknown }
    assert.equal(others, {})
    assert.equal(user, { username: 'WAL001', role: 'user' })
    const { payload, protectedHeader } = await jwtVerify(token, SECRET, { algorithms: ['HS256'] })
    assert.equal(protectedHeader, { alg: 'HS256', typ: 'JWT' })
    const { iat = 0, exp, ...claims } = payload
    assert.equal(claims, { iss: 'signet:accounts', sub: 'WAL001', user_id: 'WAL001', role: 'user' })
    assert.ok(Math.abs(iat - Date.now() / 1000) < 5)
    assert.is(exp, iat + 3600)
    const [line] = await started.exchanges(1)
    assert.is(line?.subject, 'WAL001')
    assert.is(line?.path, '/login')
    assert.not.match(JSON.stringify(started.log), /wal001-secret|eyJ/)
    assert.is(started.upstream.wires.length, 0)
  })

  test('the token opens what its owner may see, and the upstream is told who it is, but not the token', async () => {
    const started = await stand()
    const token = await tokenOf(started)
    const { status, body } = await ask(started, get('/shops/WAL001/transactions', token))
    assert.is(status, 200)
    assert.equal(valuesOf(body.toString('latin1'), 'authorization'), [])
    const { payload } = await claimsIn(body.toString('latin1'))
    assert.is((payload as { user: string }).user, 'WAL001')
    const other = await ask(started, get('/shops/BBY001/transactions', token))
    assert.is(other.status, 403)
    assert.is(problemIn(other.body).code, 'ERR_FORBIDDEN')
  })

  test('a token of another session authenticator with the same secret is none of these', async () => {
    const token = await tokenOf(await stand({ name: 'accounts' }))
    const { status } = await ask(await stand(), get('/', token))
    assert.is(status, 200, 'the same name, another process')
    const renamed = await start(
      {},
      {
        authenticators: [await sessions({ name: 'others' })],
        routes: [{ name: 'all', upstream: 'upstream', path: '/*', authenticate: ['others'] }],
      },
    )
    assert.is((await ask(renamed, get('/', token))).status, 401)
  })

  test('an account that is gone has no session any more, and a role is that of the file', async () => {
    const token = await tokenOf(await stand())
    const without = await stand({ users: [await account('another', 'wal001-secret')] })
    assert.is((await ask(without, get('/', token))).status, 401)
    const promoted = await start(
      {},
      {
        authenticators: [await sessions({ users: [await account('WAL001', 'x', 'admin')] })],
        routes: [
          { name: 'all', upstream: 'upstream', path: '/*', authenticate: ['accounts'], roles: ['admin'] },
        ],
      },
    )
    promoted.upstream.serve(() => ok())
    assert.is((await ask(promoted, get('/', token))).status, 200)
  })

  for (const [what, body, status, code] of [
    ['a wrong password', credentials('WAL001', 'wal002'), 401, 'ERR_LOGIN_REFUSED'],
    ['an unknown user', credentials('BBY001', 'wal001-secret'), 401, 'ERR_LOGIN_REFUSED'],
    ['no password', '{"username":"WAL001"}', 400, 'ERR_LOGIN_MALFORMED'],
    ['an empty password', credentials('WAL001', ''), 400, 'ERR_LOGIN_MALFORMED'],
    ['a username that is a list', credentials(['WAL001'], 'x'), 400, 'ERR_LOGIN_MALFORMED'],
    ['a password that is an object', credentials('WAL001', { $ne: '' }), 400, 'ERR_LOGIN_MALFORMED'],
    ['no JSON', 'username=WAL001&password=wal001', 400, 'ERR_LOGIN_MALFORMED'],
    ['a list', '[]', 400, 'ERR_LOGIN_MALFORMED'],
    ['null', 'null', 400, 'ERR_LOGIN_MALFORMED'],
    ['no body', '', 400, 'ERR_LOGIN_MALFORMED'],
    ['more than a login ever needs', credentials('WAL001', 'x'.repeat(5000)), 413, 'ERR_BODY_TOO_LARGE'],
  ] as const) {
    test(`${what}: ${status} ${code}`, async () => {
      const started = await stand()
      const response = await ask(started, post(body))
      assert.is(response.status, status)
      assert.is(problemIn(response.body).code, code)
      assert.is(valuesOf(response.head, 'www-authenticate').length, status === 401 ? 1 : 0)
      assert.is((await started.exchanges(1)).length, 1)
      assert.not.match(JSON.stringify(started.log), /wal001-secret/)
    })
  }

  test('octets that are no UTF-8 are no login', async () => {
    const started = await stand()
    const body = Buffer.concat([
      Buffer.from('{"username":"WAL001","password":"'),
      Buffer.of(0xff),
      Buffer.from('"}'),
    ])
    const head = `POST /login HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n`
    assert.is((await ask(started, head + body.toString('latin1'))).status, 400)
  })

  test('letters beyond ASCII are compared as what they are, however they were put together', async () => {
    const started = await stand()
    assert.is((await ask(started, post(credentials('žofie', 'heslo: ž'.normalize('NFD'))))).status, 200)
  })

  test('other methods are told to use POST, and a query changes nothing', async () => {
    const started = await stand()
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, head } = await ask(started, `${method} /login?x=1 HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      assert.is(status, 405)
      assert.equal(valuesOf(head, 'allow'), ['POST'])
    }
    assert.is((await ask(started, post(RIGHT).replace('/login', '/login?next=/a'))).status, 200)
  })

  test('several logins follow each other on one connection, right and wrong, in pieces and pipelined', async () => {
    const started = await stand()
    const client = await started.client()
    client.send(post(RIGHT) + post('x') + post(RIGHT))
    const statuses: string[] = []
    for (let times = 0; times < 3; times++) statuses.push((await client.message()).head.slice(9, 12))
    await client.sendSplit(post(RIGHT), 10, 70, 75, 90)
    statuses.push((await client.message()).head.slice(9, 12))
    const chunked = `POST /login HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n${RIGHT.length.toString(16)}\r\n${RIGHT}\r\n0\r\n\r\n`
    client.send(chunked)
    statuses.push((await client.message()).head.slice(9, 12))
    assert.equal(statuses, ['200', '400', '200', '200', '200'])
  })

  test('chunks that come to too much are refused, and the connection ends', async () => {
    const started = await stand()
    const client = await started.client()
    client.send('POST /login HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let times = 0; times < 5; times++) client.send(`400\r\n${'x'.repeat(1024)}\r\n`)
    const response = await client.message()
    assert.ok(response.head.startsWith('HTTP/1.1 413 '), response.head)
    assert.is((await client.rest()).ending, 'fin')
    assert.is((await started.exchanges(1)).length, 1)
  })

  test('a client that waits for 100 gets it', async () => {
    const started = await stand()
    const client = await started.client()
    const [head, body] = post(RIGHT, 'Expect: 100-continue\r\n').split('\r\n\r\n') as [string, string]
    client.send(`${head}\r\n\r\n`)
    assert.is(await client.head(), 'HTTP/1.1 100 Continue\r\n\r\n')
    client.send(body)
    assert.ok((await client.message()).head.startsWith('HTTP/1.1 200 '))
  })

  test('a client that leaves, within the body or while its password is checked, is recorded once', async () => {
    const started = await stand()
    const within = await started.client()
    within.send(post(RIGHT).slice(0, -5))
    const after = await started.client()
    after.send(post(RIGHT))
    await new Promise((resolve) => setImmediate(resolve))
    within.reset()
    after.reset()
    const lines = await started.exchanges(2)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.is((await started.exchanges(2)).length, 2)
    assert.ok(lines.some(({ failure }) => failure === 'ERR_CLIENT_CLOSED'))
    assert.is(started.proxy.open().downstream, 0)
    assert.is(started.proxy.open().deadlines, 0)
  })

  test('an address that was wrong too often is told when to come back, and right logins are not counted', async () => {
    const started = await stand()
    for (let times = 0; times < 2 * MOST_ATTEMPTS; times++)
      assert.is((await ask(started, post(RIGHT))).status, 200)
    const wrong = post(credentials('WAL001', 'wrong'))
    for (let times = 0; times < MOST_ATTEMPTS; times++) assert.is((await ask(started, wrong)).status, 401)
    const { status, head, body } = await ask(started, post(RIGHT))
    assert.is(status, 429)
    assert.is(problemIn(body).code, 'ERR_ATTEMPTS_LIMITED')
    const after = Number(valuesOf(head, 'retry-after')[0])
    assert.ok(after > 50 && after <= 60, String(after))
  })

  test('a token that was refused says why: expired is another thing than invalid', async () => {
    const started = await stand({ lifetime: 1 })
    const token = await tokenOf(started)
    assert.is((await ask(started, get('/', token))).status, 200)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const { head, body } = await ask(started, get('/', token))
    assert.is(problemIn(body).code, 'ERR_TOKEN_EXPIRED')
    assert.match(valuesOf(head, 'www-authenticate')[0] ?? '', /error_description="The token has expired"/)
  })

  test.run()
}
