// Who may come in, over real sockets: 401 and 403 with what would do, what the upstream is told, and what it is not; bodies and
// pipelined requests while it is found out; clients that leave meanwhile.

import { createHmac, hash, randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AuthenticatorConfig } from '../../src/http/authentication.ts'
import type { RouteConfig } from '../../src/http/gateway.ts'
import { account, basic, Server } from '../auth/support.ts'
import { claimsIn, problemIn, valuesOf } from '../support/heads.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { eventually, ok } from '../support/wire.ts'

const SECRET = randomBytes(32)
const NO_DEMANDS = { subject: 'sub', leeway: 0, requiredClaims: [] }

/** A token as an issuer would make it that has the secret. */
function token(claims: object, secret = SECRET): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'HS256' })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

const soon = () => Math.floor(Date.now() / 1000) + 60
const bearer = (claims: object) => `Authorization: Bearer ${token({ exp: soon(), ...claims })}`

const anonymous = { kind: 'anonymous', name: 'anybody', forward: false, subject: 'nobody' } as const
const tokens: AuthenticatorConfig = {
  kind: 'jwt',
  name: 'tokens',
  forward: false,
  policy: NO_DEMANDS,
  key: { algorithms: ['HS256'], secret: SECRET.toString('base64url') },
}
const partners: AuthenticatorConfig = {
  kind: 'api-key',
  name: 'partners',
  forward: false,
  field: 'x-api-key',
  keys: [{ subject: 'acme', sha256: hash('sha256', 'acme-key', 'hex'), roles: ['partner'], scopes: ['a'] }],
}
const staff = async (): Promise<AuthenticatorConfig> => ({
  kind: 'basic',
  name: 'staff',
  forward: false,
  users: [await account('ann', 'correct horse', 'admin')],
})

function introspection(url: string, timeout = 2000): AuthenticatorConfig {
  return {
    kind: 'introspection',
    name: 'issuer',
    forward: false,
    endpoint: { url, timeout },
    clientId: 'signet',
    clientSecret: 'secret',
    cache: 60_000,
    policy: NO_DEMANDS,
  }
}

const forwarding = <T extends AuthenticatorConfig>(config: T): T => ({ ...config, forward: true })

function route(access: Partial<RouteConfig>): RouteConfig {
  return { name: 'all', upstream: 'upstream', path: '/*', ...access }
}

function request(target: string, fields: readonly string[] = [], method = 'GET', body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`]
  return `${[`${method} ${target} HTTP/1.1`, 'Host: a.test', ...fields, ...length].join('\r\n')}\r\n\r\n${body}`
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/auth (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })
  const servers: Server[] = []
  test.after.each(async () => {
    for (const server of servers.splice(0)) await server.close()
  })

  /** A stand with these authenticators, whose upstream answers with the head that it got. */
  async function standOf(authenticators: readonly AuthenticatorConfig[], routes: readonly RouteConfig[]) {
    const stand = await start({}, { authenticators, routes })
    stand.upstream.serve(({ head, body }) => ok(head + body.toString('latin1')))
    return stand
  }

  async function issuer(answer: Server['answer']): Promise<{ server: Server; url: string }> {
    const server = new Server(answer)
    servers.push(server)
    return { server, url: await server.listen() }
  }

  /** One request on a connection of its own: what the client got; the head that the upstream got is its body, if it did. */
  async function ask(stand: Awaited<ReturnType<typeof start>>, octets: string) {
    const client = await stand.client()
    client.send(octets)
    const { head, body } = await client.message()
    client.destroy()
    return { status: Number(head.slice(9, 12)), head, forwarded: body.toString('latin1') }
  }

  // ── 401 ───────────────────────────────────────────────────────────────────────────────────────────────────

  const BASIC = 'Basic realm="signet", charset="UTF-8"'
  const KEY = 'ApiKey realm="signet", field="x-api-key"'
  const INVALID = 'Bearer realm="signet", error="invalid_token", error_description="The token is invalid"'
  const EXPIRED = 'Bearer realm="signet", error="invalid_token", error_description="The token has expired"'

  for (const [what, names, fields, code, challenge] of [
    ['no token', ['tokens'], [], 'ERR_UNAUTHENTICATED', 'Bearer realm="signet"'],
    ['a token that is none', ['tokens'], ['Authorization: Bearer x'], 'ERR_CREDENTIALS_INVALID', INVALID],
    [
      'a token of another secret',
      ['tokens'],
      [`Authorization: Bearer ${token({ sub: 'eve' }, randomBytes(32))}`],
      'ERR_CREDENTIALS_INVALID',
      INVALID,
    ],
    ['a token that has expired', ['tokens'], [bearer({ sub: 'ann', exp: 1 })], 'ERR_TOKEN_EXPIRED', EXPIRED],
    ['no password', ['staff'], [], 'ERR_UNAUTHENTICATED', BASIC],
    [
      'a wrong password',
      ['staff'],
      [`Authorization: ${basic('ann', 'x')}`],
      'ERR_CREDENTIALS_INVALID',
      BASIC,
    ],
    ['no key', ['partners'], [], 'ERR_UNAUTHENTICATED', KEY],
    ['a wrong key', ['partners'], ['X-API-Key: x'], 'ERR_CREDENTIALS_INVALID', KEY],
    [
      'none of several',
      ['tokens', 'staff', 'partners'],
      [],
      'ERR_UNAUTHENTICATED',
      `Bearer realm="signet", ${BASIC}, ${KEY}`,
    ],
    [
      'a token that has expired and a wrong key',
      ['partners', 'tokens'],
      ['X-API-Key: x', bearer({ sub: 'ann', exp: 1 })],
      'ERR_TOKEN_EXPIRED',
      `${KEY}, ${EXPIRED}`,
    ],
    [
      'a wrong key where tokens count as well, of which there is none',
      ['tokens', 'partners'],
      ['X-API-Key: x'],
      'ERR_CREDENTIALS_INVALID',
      `Bearer realm="signet", ${KEY}`,
    ],
    [
      'a wrong key where anybody may come in',
      ['partners', 'anybody'],
      ['X-API-Key: x'],
      'ERR_CREDENTIALS_INVALID',
      KEY,
    ],
  ] as const) {
    test(`${what} (${names.join(', ')}): 401 ${code}, and what would do`, async () => {
      const all = [anonymous, tokens, partners, await staff()]
      const stand = await standOf(all, [route({ authenticate: [...names] })])
      const client = await stand.client()
      client.send(request('/', fields))
      const response = await client.message()
      assert.ok(response.head.startsWith('HTTP/1.1 401 Unauthorized\r\n'), response.head)
      assert.equal(valuesOf(response.head, 'www-authenticate'), [challenge])
      assert.is(problemIn(response.body).code, code)
      assert.is(stand.upstream.wires.length, 0, 'no connection to the upstream')
      const [line] = await stand.exchanges(1)
      assert.is(line?.failure, code)
      assert.not.match(JSON.stringify(stand.log), /Bearer|Basic|acme-key|eyJ/)
      // The connection goes on: a request without a body leaves nothing behind.
      client.send(request('/', ['X-API-Key: acme-key']))
      const next = await client.message()
      assert.is(next.head.slice(9, 12), (names as readonly string[]).includes('partners') ? '200' : '401')
    })
  }

  // ── who it is ─────────────────────────────────────────────────────────────────────────────────────────────

  for (const [what, names, fields, subject] of [
    ['anybody', ['anybody'], [], 'nobody'],
    ['a token', ['tokens'], [bearer({ sub: 'bob' })], 'bob'],
    ['a password', ['staff'], [`Authorization: ${basic('ann', 'correct horse')}`], 'ann'],
    ['a key', ['partners'], ['X-Api-Key: acme-key'], 'acme'],
    ['the first that knows', ['partners', 'tokens'], ['X-Api-Key: acme-key', bearer({ sub: 'bob' })], 'acme'],
    ['the first that knows', ['tokens', 'partners'], ['X-Api-Key: acme-key', bearer({ sub: 'bob' })], 'bob'],
    [
      'one that knows, after one that does not',
      ['partners', 'tokens'],
      ['X-Api-Key: x', bearer({ sub: 'bob' })],
      'bob',
    ],
    ['nobody else', ['tokens', 'partners', 'anybody'], [], 'nobody'],
  ] as const) {
    test(`${what} (${names.join(', ')}): the token for the upstream, and the log, name ${subject}`, async () => {
      const all = [anonymous, tokens, partners, await staff()]
      const stand = await standOf(all, [route({ authenticate: [...names] })])
      const { status, forwarded } = await ask(stand, request('/', fields))
      assert.is(status, 200)
      assert.is(((await claimsIn(forwarded)).payload as { user: string }).user, subject)
      assert.is((await stand.exchanges(1))[0]?.subject, subject)
    })
  }

  test('a route that asks for nothing names the configured user, beside one that asks', async () => {
    const routes = [
      route({ name: 'open', path: '/open/*' }),
      route({ name: 'closed', path: '/*', authenticate: ['tokens'] }),
    ]
    const stand = await standOf([tokens], routes)
    const open = await ask(stand, request('/open/a', ['Authorization: Bearer opaque']))
    assert.is(((await claimsIn(open.forwarded)).payload as { user: string }).user, 'username')
    assert.equal(valuesOf(open.forwarded, 'authorization'), ['Bearer opaque'])
    assert.is((await ask(stand, request('/closed'))).status, 401)
  })

  // ── what the upstream is not told ─────────────────────────────────────────────────────────────────────────

  const ALIASES = ['X_Api_Key: imitation', 'X.API.KEY: imitation']
  for (const [what, authenticators, fields, authorization, key] of [
    ['a token that was checked', [tokens], [bearer({ sub: 'a' })], 0, 0],
    ['a token, forward: true', [forwarding(tokens)], [bearer({ sub: 'a' })], 1, 0],
    ['a key that was checked', [partners], ['X-API-Key: acme-key', ...ALIASES], 0, 0],
    ['a key, forward: true', [forwarding(partners)], ['X-API-Key: acme-key'], 0, 1],
    [
      'a key, beside a token for the upstream',
      [partners],
      ['X-API-Key: acme-key', 'Authorization: Bearer x'],
      1,
      0,
    ],
    [
      'a key, where tokens count as well',
      [partners, tokens],
      ['X-API-Key: acme-key', bearer({ sub: 'a' })],
      0,
      0,
    ],
    [
      'a token of which there are two kinds',
      [forwarding(tokens), partners],
      ['X-API-Key: x', bearer({ sub: 'a' })],
      1,
      0,
    ],
    [
      'a key, forward: true, beside its imitations',
      [forwarding(partners)],
      ['X-API-Key: acme-key', ...ALIASES],
      0,
      1,
    ],
    [
      'a key that is wrong, forward: true, beside a token that is good',
      [forwarding(partners), tokens],
      ['X-API-Key: imitation', bearer({ sub: 'a' })],
      0,
      0,
    ],
    ['what nobody checks', [anonymous], ['X-API-Key: x', 'Authorization: Bearer x'], 1, 1],
  ] as const) {
    test(`${what}: Authorization ${authorization ? 'passes' : 'stops'}, the key ${key ? 'passes' : 'stops'}`, async () => {
      const stand = await standOf(authenticators, [
        route({ authenticate: authenticators.map(({ name }) => name) }),
      ])
      const { status, forwarded } = await ask(stand, request('/', [...fields, 'X-Other: stays']))
      assert.is(status, 200)
      assert.is(valuesOf(forwarded, 'authorization').length, authorization)
      assert.is(valuesOf(forwarded, 'x-api-key').length, key)
      assert.not.match(forwarded, /imitation/)
      assert.equal(valuesOf(forwarded, 'x-other'), ['stays'])
    })
  }

  for (const authenticator of [partners, forwarding(partners)]) {
    test(`in trailers no field of an authenticator passes, forward: ${authenticator.forward}`, async () => {
      const stand = await start(
        {},
        { authenticators: [authenticator], routes: [route({ authenticate: ['partners'] })] },
      )
      const client = await stand.client()
      const trailers = ['X-API-Key: imitation', ...ALIASES, 'X-Other: stays'].join('\r\n')
      client.send(
        `POST / HTTP/1.1\r\nHost: a.test\r\nX-API-Key: acme-key\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${trailers}\r\n\r\n`,
      )
      const upstream = await stand.upstream.accept()
      const whole = await upstream.until('X-Other: stays\r\n\r\n')
      assert.not.match(whole, /imitation/)
    })
  }

  // ── 403 ───────────────────────────────────────────────────────────────────────────────────────────────────

  const SHOP = { path: '/shops/:shop_id/transactions', require: ['params.shop_id == claims.user_id'] }
  for (const [what, access, target, claims, expected, challenge] of [
    ['its own shop', SHOP, '/shops/WAL001/transactions', { user_id: 'WAL001' }, 200, undefined],
    ['its own shop, encoded', SHOP, '/shops/%57AL001/transactions', { user_id: 'WAL001' }, 200, undefined],
    ['the shop of another', SHOP, '/shops/BBY001/transactions', { user_id: 'WAL001' }, 403, undefined],
    ['a shop without a claim', SHOP, '/shops/WAL001/transactions', {}, 403, undefined],
    ['a role it has', { roles: ['admin', 'clerk'] }, '/', { roles: ['clerk'] }, 200, undefined],
    ['a role it has not', { roles: ['admin'] }, '/', { roles: ['clerk'] }, 403, undefined],
    ['scopes it has', { scopes: ['a', 'b'] }, '/', { scope: 'b c a' }, 200, undefined],
    [
      'a scope it has not',
      { scopes: ['a', 'b'] },
      '/',
      { scope: 'a' },
      403,
      'Bearer realm="signet", error="insufficient_scope", scope="a b"',
    ],
    ['a method it may use', { require: ["method in ['GET']"] }, '/', {}, 200, undefined],
    [
      'all of several conditions but one',
      { require: ["method == 'GET'", "'x' in roles"] },
      '/',
      {},
      403,
      undefined,
    ],
  ] as const) {
    test(`${what}: ${expected}`, async () => {
      const stand = await standOf(
        [tokens],
        [route({ ...access, authenticate: ['tokens'] } as Partial<RouteConfig>)],
      )
      const { status, head } = await ask(stand, request(target, [bearer({ sub: 'ann', ...claims })]))
      assert.is(status, expected, head)
      assert.equal(valuesOf(head, 'www-authenticate'), challenge === undefined ? [] : [challenge])
      if (expected === 403) assert.is(stand.upstream.wires.length, 0)
    })
  }

  // ── rewrites from claims ──────────────────────────────────────────────────────────────────────────────────

  for (const [rewrite, claims, expected] of [
    ['/shops/{claims.user_id}/x{params.*}', { user_id: 'WAL001' }, '/shops/WAL001/xa/b?q=1'],
    ['/{subject}/{claims.shop.id}', { shop: { id: 42 } }, '/ann/42?q=1'],
    ['/{claims.a}', { a: '../../etc/passwd?x#y' }, 403],
    ['/{claims.a}/x', { a: '..' }, 403],
    ['/{claims.a}', { a: 'a b?c#d%41' }, '/a%20b%3Fc%23d%2541?q=1'],
    ['/{claims.a}', {}, 403],
    ['/{claims.constructor}', {}, 403],
    ['/{claims.a}', { a: ['x'] }, 403],
  ] as const) {
    test(`${rewrite} of ${JSON.stringify(claims)} becomes ${expected}`, async () => {
      const stand = await standOf([tokens], [route({ path: '/m/*', rewrite, authenticate: ['tokens'] })])
      const { status, forwarded } = await ask(
        stand,
        request('/m/a/b?q=1', [bearer({ sub: 'ann', ...claims })]),
      )
      if (typeof expected === 'number') assert.is(status, expected)
      else assert.is(forwarded.split(' ')[1], expected)
    })
  }

  // ── while it is found out ─────────────────────────────────────────────────────────────────────────────────

  test('no octet of a body goes upstream before the caller is known, and all of them after', async () => {
    let answer: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    const { server, url } = await issuer(() => held.then(() => ({ json: { active: true, sub: 'ann' } })))
    const routes = [route({ authenticate: ['issuer'] })]
    const stand = await start({}, { authenticators: [introspection(url)], routes })
    const client = await stand.client()
    const body = 'x'.repeat(1_000_000)
    client.send(request('/', ['Authorization: Bearer t'], 'POST', body))
    await eventually(() => server.got.length === 1, 'the question')
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.is(stand.upstream.wires.length, 0)
    answer()
    const upstream = await stand.upstream.accept()
    assert.is((await upstream.message()).body.toString('latin1'), body)
    upstream.send(ok('done'))
    assert.is((await client.message()).body.toString(), 'done')
    assert.is(server.got.length, 1)
  })

  test('a client that leaves while it is found out is recorded once, and nothing goes upstream', async () => {
    const { server, url } = await issuer(() => 'never')
    const stand = await standOf([introspection(url, 400)], [route({ authenticate: ['issuer'] })])
    // Where some of a body waits, nothing more is read, and so it may be seen only when there is an answer.
    for (const [octets, failure] of [
      [request('/', ['Authorization: Bearer a']), /^ERR_CLIENT_CLOSED$/],
      [
        request('/', ['Authorization: Bearer b'], 'POST', 'body'),
        /^ERR_(CLIENT_CLOSED|AUTHENTICATION_UNAVAILABLE)$/,
      ],
    ] as const) {
      const before = server.got.length
      const client = await stand.client()
      client.send(octets)
      await eventually(() => server.got.length > before, 'a question')
      client.reset()
      const lines = await stand.exchanges(before + 1)
      assert.match(String(lines.at(-1)?.failure), failure)
    }
    await new Promise((resolve) => setTimeout(resolve, 600)) // both questions have ended meanwhile
    assert.is((await stand.exchanges(2)).length, 2)
    assert.is(stand.upstream.wires.length, 0)
    assert.is(stand.proxy.open().downstream, 0)
  })

  test('an issuer that does not answer: 503 with Retry-After, within its deadline', async () => {
    const { url } = await issuer(() => 'never')
    const stand = await standOf([introspection(url, 300)], [route({ authenticate: ['issuer'] })])
    const client = await stand.client()
    client.send(request('/', ['Authorization: Bearer t']))
    const response = await client.message(2000)
    assert.ok(response.head.startsWith('HTTP/1.1 503 '))
    assert.equal(valuesOf(response.head, 'retry-after'), ['1'])
    assert.is(problemIn(response.body).code, 'ERR_AUTHENTICATION_UNAVAILABLE')
  })

  test('pipelined requests are answered in order, whoever takes long to be known', async () => {
    const { server, url } = await issuer((body) =>
      body.includes('bad') ? { json: { active: false } } : { json: { active: true, sub: 'ann' } },
    )
    const stand = await standOf([introspection(url)], [route({ authenticate: ['issuer'] })])
    const client = await stand.client()
    const sent = ['one', 'bad', 'two', 'bad', 'one'].map((one, at) =>
      request(`/${at}`, [`Authorization: Bearer ${one}`], at === 2 ? 'POST' : 'GET', at === 2 ? 'body' : ''),
    )
    client.send([...sent, request('/5')].join(''))
    const answers: string[] = []
    for (let at = 0; at < 6; at++) {
      const { head, body } = await client.message()
      const target = body.toString('latin1').split(' ')[1] ?? ''
      answers.push(head.slice(9, 12) === '200' ? target : head.slice(9, 12))
    }
    assert.equal(answers, ['/0', '401', '/2', '401', '/4', '401'])
    assert.is(server.got.length, 3, 'each token was asked about once')
  })

  test('a refused request with a body: the refusal comes, and the connection ends or goes on as it can', async () => {
    const stand = await standOf([tokens], [route({ authenticate: ['tokens'] })])
    const small = await stand.client()
    small.send(request('/', [], 'POST', 'body') + request('/', [bearer({ sub: 'ann' })]))
    assert.ok((await small.message()).head.startsWith('HTTP/1.1 401 '))
    const endless = await stand.client()
    endless.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000000\r\n\r\n')
    const { head } = await endless.message()
    assert.ok(head.startsWith('HTTP/1.1 401 '))
    assert.match(head, /\r\nConnection: close\r\n/)
    const { ending } = await endless.rest()
    assert.is(ending, 'fin')
    assert.is(stand.upstream.wires.length, 0)
  })

  test('a client that waits for 100 is refused without it', async () => {
    const stand = await standOf([tokens], [route({ authenticate: ['tokens'] })])
    const client = await stand.client()
    client.send('POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
    assert.ok((await client.head()).startsWith('HTTP/1.1 401 '))
  })

  // ── what is counted, what a reload does ───────────────────────────────────────────────────────────────────

  test('what came of each is counted by authenticator', async () => {
    const stand = await standOf([tokens], [route({ authenticate: ['tokens'], roles: ['admin'] })])
    for (const fields of [
      [],
      ['Authorization: Bearer x'],
      [bearer({ sub: 'a', exp: 1 })],
      [bearer({ sub: 'a' })],
      [bearer({ sub: 'a', role: 'admin' })],
      [bearer({ sub: 'a', role: 'admin' })],
    ])
      await ask(stand, request('/', fields))
    const { forwarded: page } = await ask(stand, request('/metrics'))
    const lines = page.split('\n').filter((line) => line.startsWith('signet_auth_total'))
    assert.equal(
      new Set(lines),
      new Set([
        'signet_auth_total{authenticator="-",result="missing"} 1',
        'signet_auth_total{authenticator="tokens",result="invalid"} 1',
        'signet_auth_total{authenticator="tokens",result="expired"} 1',
        'signet_auth_total{authenticator="tokens",result="forbidden"} 1',
        'signet_auth_total{authenticator="tokens",result="success"} 2',
      ]),
    )
  })

  test.run()
}
