// Webapp, authorization server and resource server together: who gets the time, and who is told no, whatever breaks on the way.

import { createHmac, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SignJWT } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DEFAULTS } from '../../examples/oauth2/authorization-server/config.ts'
import { FAILURES, type FailureCode } from '../../src/errors.ts'
import { closedAfter } from '../support/process.ts'
import { eventually } from '../support/wire.ts'
import { Chain, type ChainOptions, type Fault } from './chain.ts'
import { type Answer, ask, basic, claimsOf, jsonOf, type LogLine } from './support.ts'

const test = suite('oauth2/chain')
const closing = closedAfter(test)
const start = async (options?: ChainOptions) => closing(await Chain.start(options))

/** The resource server, asked with a token. */
function withToken(chain: Chain, token: string, path = '/current_time'): Promise<Answer> {
  return ask(chain.resourceServer.port, path, { headers: { authorization: `Bearer ${token}` } })
}

/** What a refusal of signet says. */
function codeOf(answer: Answer): unknown {
  return jsonOf(answer).code
}

/** Requests that the time service has answered. */
function served(chain: Chain): readonly LogLine[] {
  return chain.timeService.lines.filter(({ status }) => status === 200)
}

// ── the way it should go ──────────────────────────────────────────────────────────────────────────────────────────

for (const [path, key] of [
  ['/current_time', 'current_time'],
  ['/epoch_time', 'epoch_time'],
] as const) {
  test(`a user asks for ${path}, and has the time: with a new token for each call, for this endpoint alone`, async () => {
    const chain = await start()
    for (let call = 0; call < 2; call++) {
      const answer = await ask(chain.webapp.port, path)
      assert.is(answer.status, 200)
      assert.equal(Object.keys(jsonOf(answer)), [key])
      assert.not.match(answer.text + JSON.stringify([...answer.headers]), /eyJ/)
    }
    const tokens = chain.authorizationServer.lines.filter((line) => line.path === '/token')
    assert.equal(
      tokens.map(({ scope, user, status }) => ({ scope, user, status })),
      Array.from({ length: 2 }, () => ({ scope: key, user: 'username', status: 200 })),
    )
    assert.is(new Set(tokens.map(({ jti }) => jti)).size, 2)
    const asked = chain.authorizationServer.lines.filter((line) => line.path === '/introspect')
    assert.equal(
      asked.map(({ jti }) => jti),
      tokens.map(({ jti }) => jti),
    )
    assert.equal(
      served(chain).map(({ user }) => user),
      ['username', 'username'],
    )
  })
}

test('the two endpoints are all there is: anything else is refused before a token is asked for', async () => {
  const chain = await start()
  for (const [path, method, status] of [
    ['/', 'GET', 404],
    ['/current_time/', 'GET', 404],
    ['/another_time', 'GET', 404],
    ['/current_time', 'POST', 405],
    ['/current_time', 'DELETE', 405],
  ] as const)
    assert.is((await ask(chain.webapp.port, path, { method })).status, status, `${method} ${path}`)
  assert.equal(chain.authorizationServer.lines, [])
})

test('a token that a user brings is not passed on: what counts is the one of the webapp', async () => {
  const chain = await start()
  const headers = { authorization: 'Bearer mine', 'x-my-jwt': 'forged' }
  assert.is((await ask(chain.webapp.port, '/current_time', { headers })).status, 200)
  assert.is(served(chain).length, 1)
})

test('one id goes through the logs of all, and none of them has a token, a code or a secret', async () => {
  const chain = await start()
  const answer = await ask(chain.webapp.port, '/current_time')
  const id = answer.headers.get('x-request-id')
  assert.match(id ?? '', /^[\da-f]{32}$/)
  const { webapp, resourceServer, timeService, authorizationServer } = chain
  const logs = [webapp.lines, resourceServer.lines, timeService.lines, authorizationServer.lines]
  const found = () =>
    logs.map((lines) => lines.filter((line) => JSON.stringify(line).includes(id!)).map(({ path }) => path))
  await eventually(() => found().every(({ length }) => length > 0), 'a line in each log')
  assert.equal(found(), [
    ['/current_time'],
    ['/current_time'],
    ['/current_time'],
    ['/authorize', '/token', '/introspect'],
  ])
  assert.not.match(JSON.stringify(logs), /eyJ|qwerty|resource-server-secret|code_verifier|[?&]code=/)
})

// ── tokens that do not count ──────────────────────────────────────────────────────────────────────────────────────

test('a token lives five seconds: after six real ones it does not count', async () => {
  const chain = await start()
  const token = await chain.authorizationServer.token()
  assert.is((await withToken(chain, token)).status, 200)
  await new Promise((resolve) => setTimeout(resolve, 6000))
  assert.is((await withToken(chain, token)).status, 401)
})

test('a token that counted a moment ago does not any more, and nothing remembers that it did', async () => {
  const chain = await start()
  const token = await chain.authorizationServer.token()
  assert.is((await withToken(chain, token)).status, 200)
  chain.front.ahead = 5000
  const answer = await withToken(chain, token)
  assert.is(answer.status, 401)
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/)
  assert.is(served(chain).length, 1)
})

test('a token is revoked when its code comes again, and does not count from then on', async () => {
  const chain = await start()
  const { authorizationServer } = chain
  const code = await authorizationServer.code()
  const token = String(jsonOf(await authorizationServer.redeem(code)).access_token)
  assert.is((await withToken(chain, token)).status, 200)
  assert.is((await authorizationServer.redeem(code)).status, 400)
  assert.is((await withToken(chain, token)).status, 401)
})

test('a token of the other endpoint is 403 insufficient_scope', async () => {
  const chain = await start()
  for (const [scope, path] of [
    ['current_time', '/epoch_time'],
    ['epoch_time', '/current_time'],
  ] as const) {
    const answer = await withToken(chain, await chain.authorizationServer.token({ scope }), path)
    assert.is(answer.status, 403)
    assert.is(codeOf(answer), 'ERR_SCOPE_INSUFFICIENT')
    const scopeWanted = path.slice(1)
    assert.match(
      answer.headers.get('www-authenticate') ?? '',
      new RegExp(`error="insufficient_scope".*scope="${scopeWanted}"`),
    )
  }
  assert.equal(served(chain), [])
})

test("another user's token is 403, and so is a client's own, which has no user", async () => {
  // A client that is called as the user is, is not the user.
  const client = { ...DEFAULTS.clients[1]!, id: 'username' }
  const chain = await start({ authorizationServer: { clients: [...DEFAULTS.clients, client] } })
  const { authorizationServer } = chain
  const another = await authorizationServer.token({ login_hint: 'ada' })
  const form = { grant_type: 'client_credentials', scope: 'current_time' }
  const own = String(
    jsonOf(await authorizationServer.post('/token', form, basic(client.id, client.secret))).access_token,
  )
  for (const token of [another, own]) {
    const answer = await withToken(chain, token)
    assert.is(answer.status, 403)
    assert.is(codeOf(answer), 'ERR_FORBIDDEN')
  }
  assert.equal(served(chain), [])
})

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Tokens that nobody should take, made from one that is good. */
const FORGERIES: Readonly<Record<string, (good: string) => string | Promise<string>>> = {
  'with alg none': (good) => `${base64url({ alg: 'none', typ: 'at+jwt' })}.${good.split('.')[1]}.`,
  'signed by somebody else': (good) =>
    new SignJWT(claimsOf(good))
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
      .sign(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
  'signed by HMAC': (good) => {
    const text = `${base64url({ alg: 'HS256', typ: 'at+jwt' })}.${good.split('.')[1]}`
    return `${text}.${createHmac('sha256', 'a key').update(text).digest('base64url')}`
  },
  'with other claims under the same signature': (good) => {
    const [header, , signature] = good.split('.')
    return [header, base64url({ ...claimsOf(good), scope: 'epoch_time' }), signature].join('.')
  },
  'cut short': (good) => good.slice(0, -4),
  'that is no token': () => 'x',
}

test('tokens that were forged are 401, and nothing reaches the time service', async () => {
  const chain = await start()
  const good = await chain.authorizationServer.token()
  for (const [name, forge] of Object.entries(FORGERIES)) {
    const answer = await withToken(chain, await forge(good))
    assert.is(answer.status, 401, name)
    assert.is(codeOf(answer), 'ERR_CREDENTIALS_INVALID', name)
  }
  assert.is((await ask(chain.resourceServer.port, '/current_time')).status, 401)
  assert.equal(served(chain), [])
  assert.is((await withToken(chain, good)).status, 200)
})

for (const [name, resourceServer] of [
  ['audience', { audience: 'urn:example:another' }],
  ['issuer', { issuer: 'http://127.0.0.2:5001' }],
] as const) {
  test(`a token of another ${name} is 401, though its issuer says that it is active`, async () => {
    const authorizationServer = name === 'issuer' ? { issuer: resourceServer.issuer } : {}
    const chain = await start(name === 'audience' ? { resourceServer } : { authorizationServer })
    const answer = await withToken(chain, await chain.authorizationServer.token())
    assert.is(answer.status, 401)
    assert.equal(served(chain), [])
  })
}

// ── a webapp that is not as it is registered ──────────────────────────────────────────────────────────────────────

const MISTAKES: readonly (readonly [name: string, options: ChainOptions, status: number, code: string])[] = [
  ['a wrong client secret', { webapp: { clientSecret: 'guess' } }, 502, 'ERR_CREDENTIAL_REFUSED'],
  ['an unknown client', { webapp: { clientId: '4321' } }, 502, 'ERR_CREDENTIAL_REFUSED'],
  [
    'a redirect that is not registered',
    { webapp: { redirectUri: 'http://127.0.0.1:5003/callback2' } },
    502,
    'ERR_CREDENTIAL_REFUSED',
  ],
  [
    'an unknown scope',
    { yaml: (text) => text.replaceAll('scope: current_time', 'scope: admin') },
    403,
    'ERR_CREDENTIAL_DENIED',
  ],
  [
    'a route that asks for the other scope',
    { yaml: (text) => text.replaceAll('scope: current_time', 'scope: epoch_time') },
    403,
    'ERR_SCOPE_INSUFFICIENT',
  ],
  ['another user', { webapp: { user: 'ada' } }, 403, 'ERR_FORBIDDEN'],
  [
    'an issuer that is not who it should be',
    { authorizationServer: { issuer: 'http://127.0.0.1:1' } },
    502,
    'ERR_CREDENTIAL_MALFORMED',
  ],
  [
    'a resource server that may not ask about tokens',
    { resourceServer: { clientId: '1234', clientSecret: 'qwerty' } },
    503,
    'ERR_AUTHENTICATION_UNAVAILABLE',
  ],
  [
    'a resource server with another secret than the time service',
    { resourceServer: { secret: '0f'.repeat(64) } },
    401,
    'not_through_signet',
  ],
]

for (const [name, options, status, code] of MISTAKES) {
  test(`${name}: the user is told ${status} ${code}, and not the time`, async () => {
    const chain = await start(options)
    const answer = await ask(chain.webapp.port, '/current_time')
    assert.is(answer.status, status)
    const { code: found, error } = jsonOf(answer)
    assert.is(found ?? error, code)
    assert.equal(served(chain), [])
    assert.not.match(answer.text, /guess|qwerty|eyJ/)
  })
}

// ── what breaks ───────────────────────────────────────────────────────────────────────────────────────────────────

const FAULTS = ['reset', 'never', 'nonsense', 'garbage', 'overload'] as const satisfies readonly Fault[]

/** What the user is told when the webapp gets no token. */
const NO_TOKEN: Readonly<Record<(typeof FAULTS)[number], readonly [status: number, code: string]>> = {
  reset: [503, 'ERR_CREDENTIAL_UNAVAILABLE'],
  never: [504, 'ERR_CREDENTIAL_TIMEOUT'],
  nonsense: [502, 'ERR_CREDENTIAL_MALFORMED'],
  garbage: [502, 'ERR_CREDENTIAL_MALFORMED'],
  overload: [503, 'ERR_CREDENTIAL_UNAVAILABLE'],
}

for (const endpoint of ['/authorize', '/token', '/introspect']) {
  test(`whatever ${endpoint} does but its work, the user is told so in time, gets no time, and gets it when all is well again`, async () => {
    const chain = await start()
    for (const fault of FAULTS) {
      chain.front.faults.set(endpoint, fault)
      const answer = await ask(chain.webapp.port, '/current_time')
      const expected = endpoint === '/introspect' ? [503, 'ERR_AUTHENTICATION_UNAVAILABLE'] : NO_TOKEN[fault]
      assert.equal([answer.status, codeOf(answer)], expected, fault)
      assert.equal(served(chain), [], fault)
    }
    chain.front.faults.clear()
    assert.is((await ask(chain.webapp.port, '/current_time')).status, 200)
  })
}

test('a code of a server that does not say who it is, is not used (RFC 9207)', async () => {
  const chain = await start()
  chain.front.faults.set('/authorize', 'no-issuer')
  const answer = await ask(chain.webapp.port, '/current_time')
  assert.equal([answer.status, codeOf(answer)], [502, 'ERR_CREDENTIAL_MALFORMED'])
  assert.is(chain.authorizationServer.lines.filter((line) => line.path === '/token').length, 0)
})

test('without an authorization server nobody gets a token, and none that is there counts', async () => {
  const chain = await start()
  const token = await chain.authorizationServer.token()
  assert.is((await withToken(chain, token)).status, 200)
  await chain.front.close()
  assert.is((await withToken(chain, token)).status, 503)
  const answer = await ask(chain.webapp.port, '/current_time')
  assert.equal([answer.status, codeOf(answer)], [503, 'ERR_CREDENTIAL_UNAVAILABLE'])
  assert.is(served(chain).length, 1)
})

test('without a resource server, or a time service behind it, the user is told 502', async () => {
  const chain = await start()
  assert.is((await ask(chain.webapp.port, '/current_time')).status, 200)
  for (const part of [chain.timeService, chain.resourceServer]) {
    await part.close()
    const answer = await ask(chain.webapp.port, '/current_time')
    assert.equal([answer.status, codeOf(answer)], [502, 'ERR_UPSTREAM_UNREACHABLE'])
  }
})

test('every failure on the page is one that there is, with its status', () => {
  const page = readFileSync(
    fileURLToPath(new URL('../../../examples/oauth2/README.md', import.meta.url)),
    'utf8',
  )
  const rows = [...page.matchAll(/^\|.*\| (\d{3}) \| `(ERR_\w+)` \|$/gm)]
  assert.ok(rows.length > 5, `found ${rows.length}`)
  for (const [, status, code] of rows) assert.is(FAILURES[code as FailureCode]?.status, Number(status), code)
})

// ── many ──────────────────────────────────────────────────────────────────────────────────────────────────────────

test('500 calls at once: not one failure, 500 tokens, and nothing is held when they have expired', async () => {
  const chain = await start()
  const paths = Array.from({ length: 500 }, (_, at) => (at % 2 === 0 ? '/current_time' : '/epoch_time'))
  const answers = await Promise.all(
    paths.map(async (path) => {
      const response = await fetch(`http://127.0.0.1:${chain.webapp.port}${path}`, {
        signal: AbortSignal.timeout(30_000),
      })
      return { status: response.status, json: (await response.json()) as object, path }
    }),
  )
  for (const { status, json, path } of answers)
    assert.equal([status, Object.keys(json)], [200, [path.slice(1)]])
  const { lines, server } = chain.authorizationServer
  const tokens = lines.filter((line) => line.path === '/token' && line.status === 200)
  assert.is(new Set(tokens.map(({ jti }) => jti)).size, 500)
  assert.is(served(chain).length, 500)
  chain.front.ahead = 1000 * (DEFAULTS.codeLifetime + DEFAULTS.tokenLifetime)
  await eventually(
    () => server.held.codes === 0 && server.held.revocations === 0,
    'all codes to be forgotten',
  )
})

test('the webapp and the resource server prove who they are to the authorization server, each as itself', async () => {
  const chain = await start()
  await ask(chain.webapp.port, '/current_time')
  const clients = chain.authorizationServer.lines.map(({ path, client }) => [path, client])
  assert.equal(clients, [
    ['/authorize', '1234'],
    ['/token', '1234'],
    ['/introspect', 'resource-server'],
  ])
  const asWebapp = await chain.authorizationServer.introspect('x', basic('1234', 'qwerty'))
  assert.is(asWebapp.status, 403)
})

test.run()
