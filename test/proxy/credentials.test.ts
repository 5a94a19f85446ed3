// Credentials for upstreams, over real sockets: the upstream gets signet's token and never a client's, the client and the log
// never get either, and whatever an authorization server does is one refusal.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CREDENTIAL_RESULTS } from '../../src/credentials/credential.ts'
import { ClientCredential } from '../../src/credentials/oauth2-client-credentials.ts'
import { FAILURES } from '../../src/errors.ts'
import type { AuthenticatorConfig } from '../../src/http/authentication.ts'
import type { CredentialConfig } from '../../src/http/credentials.ts'
import type { GatewayConfig, RouteConfig } from '../../src/http/gateway.ts'
import { type Middleware, PHASES } from '../../src/middleware/middleware.ts'
import { clientConfig, codeConfig } from '../credentials/support.ts'
import { AuthorizationServer, json, type Play, redirect } from '../support/authorization-server.ts'
import { problemIn, valuesOf } from '../support/heads.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { eventually, ok, type Wire, within } from '../support/wire.ts'

const CODE: RouteConfig = {
  name: 'current_time',
  upstream: 'upstream',
  path: '/current_time',
  credential: { use: 'time-api', scope: 'current_time' },
}
const EPOCH: RouteConfig = {
  name: 'epoch_time',
  upstream: 'upstream',
  path: '/epoch_time',
  credential: { use: 'time-api', scope: 'epoch_time' },
}
const OPEN: RouteConfig = { name: 'open', upstream: 'upstream', path: '/open' }
const SHARED: RouteConfig = {
  name: 'shared',
  upstream: 'upstream',
  path: '/shared',
  credential: { use: 'partner' },
}

const SHA256_OF_111111 = 'bcb15f821479b4d5772bd0ca866c00ad5f926e3580720659cc80d39c9d09802a'

function get(target: string, fields: readonly string[] = []): string {
  return `${[`GET ${target} HTTP/1.1`, 'Host: a.test', ...fields].join('\r\n')}\r\n\r\n`
}

async function ask(client: Wire, target: string, fields: readonly string[] = []) {
  client.send(get(target, fields))
  const { head, body } = await client.message(30_000)
  return { status: Number(head.slice(9, 12)), head, body }
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/credentials (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })
  const servers: AuthorizationServer[] = []
  test.after.each(async () => {
    for (const server of servers.splice(0)) await server.close()
  })

  async function serverOf(): Promise<AuthorizationServer> {
    const server = new AuthorizationServer()
    await server.listen()
    servers.push(server)
    return server
  }

  /** A stand whose upstream answers with the head that it got. */
  async function standOf(
    credentials: readonly CredentialConfig[],
    more: Partial<GatewayConfig> = {},
    env: Record<string, string> = {},
  ): Promise<Stand> {
    const stand = await start(env, { credentials, routes: [CODE, EPOCH, OPEN, SHARED], ...more })
    stand.upstream.serve(({ head }) => ok(head))
    return stand
  }

  const both = (server: AuthorizationServer) => [codeConfig(server), clientConfig(server)]

  test('every call has a new token, for the scope of its route; the client sees none of it, nor does the log', async () => {
    const server = await serverOf()
    const stand = await standOf(both(server))
    const client = await stand.client()
    for (const [number, path] of ['current_time', 'epoch_time', 'current_time'].entries()) {
      const { status, head, body } = await ask(client, `/${path}`)
      assert.is(status, 200)
      assert.equal(valuesOf(body.toString(), 'authorization'), [`Bearer token-${number}..${path}`])
      assert.not.match(head, /token-/)
    }
    await stand.exchanges(3)
    assert.not.match(JSON.stringify(stand.log), /token-|code-|qw:er/)
  })

  for (const [route, spellings] of [
    ['/current_time', ['Authorization: Bearer mine']],
    ['/shared', ['AUTHORIZATION: Basic bWluZQ==', 'authorization: Bearer mine']],
    ['/current_time', ['Connection: authorization', 'Authorization: Bearer mine']],
  ] as const) {
    test(`what a client says as ${spellings.join(', ')} does not go to ${route}, and passes elsewhere`, async () => {
      const server = await serverOf()
      const stand = await standOf(both(server))
      const client = await stand.client()
      const { body } = await ask(client, route, [...spellings, 'X-Other: stays'])
      const forwarded = body.toString()
      assert.equal(valuesOf(forwarded, 'authorization').length, 1)
      assert.match(valuesOf(forwarded, 'authorization')[0]!, /^Bearer token-0/)
      assert.not.match(forwarded, /mine|bWluZQ/)
      assert.equal(valuesOf(forwarded, 'x-other'), ['stays'])
      const open = await ask(client, '/open', ['Authorization: Bearer mine'])
      assert.equal(valuesOf(open.body.toString(), 'authorization'), ['Bearer mine'])
    })
  }

  test('a trailer is no Authorization either', async () => {
    const server = await serverOf()
    const stand = await start({}, { credentials: both(server), routes: [SHARED] })
    const client = await stand.client()
    client.send(
      'POST /shared HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: authorization\r\n\r\n' +
        '1\r\nx\r\n0\r\nAuthorization: Bearer mine\r\nX-Sum: 1\r\n\r\n',
    )
    const upstream = await stand.upstream.accept()
    const { head, body } = await upstream.message()
    assert.equal(valuesOf(head, 'authorization').length, 1)
    assert.not.match(head + body.toString(), /mine/)
    assert.match(body.toString(), 'X-Sum: 1')
  })

  test('it is asked for behind authentication: for who was let in, and not at all for who was not', async () => {
    const server = await serverOf()
    const key: AuthenticatorConfig = {
      kind: 'api-key',
      name: 'partners',
      forward: true,
      field: 'authorization',
      keys: [
        {
          subject: 'acme',
          sha256: SHA256_OF_111111,
          roles: [],
          scopes: [],
        },
      ],
    }
    const routes = [{ ...CODE, authenticate: ['partners'] }]
    const stand = await standOf(both(server), { authenticators: [key], routes })
    const client = await stand.client()
    assert.is((await ask(client, '/current_time')).status, 401)
    assert.is(server.asked.length, 0)
    const { status, body } = await ask(client, '/current_time', ['Authorization: 111111'])
    assert.is(status, 200)
    assert.equal(valuesOf(body.toString(), 'authorization'), ['Bearer token-0.acme.current_time'])
  })

  test('middleware cannot say Authorization where signet does, and is no reason for a client to', async () => {
    const server = await serverOf()
    for (const phase of PHASES) {
      for (const change of ['set', 'append'] as const) {
        const middleware: Middleware = {
          phase,
          *run({ request }) {
            request.fields[change]('Authorization', 'Bearer of middleware')
            yield
          },
        }
        const gateway = { credentials: both(server), routes: [SHARED, OPEN] }
        const stand = await start({}, gateway, { middleware: { all: [middleware], routes: new Map() } })
        stand.upstream.serve(({ head }) => ok(head))
        const client = await stand.client()
        const { body } = await ask(client, '/shared', ['Authorization: Bearer mine'])
        const forwarded = valuesOf(body.toString(), 'authorization')
        assert.is(forwarded.length, 1, `${phase} ${change}`)
        assert.match(forwarded[0]!, /^Bearer token-\d/)
        const open = await ask(client, '/open')
        assert.equal(valuesOf(open.body.toString(), 'authorization'), ['Bearer of middleware'])
      }
    }
  })

  test('behind authentication a middleware gives the upstream a key of its own, and never the one of the client', async () => {
    const key: AuthenticatorConfig = {
      kind: 'api-key',
      name: 'partners',
      forward: false,
      field: 'x-key',
      keys: [{ subject: 'acme', sha256: SHA256_OF_111111, roles: [], scopes: [] }],
    }
    for (const [phase, change, expected] of [
      ['proxy', 'set', ['own']],
      ['target-edge', 'set', ['own']],
      ['proxy', 'append', []],
      ['client-edge', 'append', undefined],
    ] as const) {
      const middleware: Middleware = {
        phase,
        *run({ request }) {
          request.fields[change]('X-Key', 'own')
          yield
        },
      }
      const gateway = { authenticators: [key], routes: [{ ...OPEN, authenticate: ['partners'] }] }
      const stand = await start({}, gateway, { middleware: { all: [middleware], routes: new Map() } })
      stand.upstream.serve(({ head }) => ok(head))
      const { status, body } = await ask(await stand.client(), '/open', ['X-Key: 111111'])
      assert.is(status, expected === undefined ? 401 : 200, `${phase} ${change}`)
      if (expected !== undefined) assert.equal(valuesOf(body.toString(), 'x-key'), expected)
    }
  })

  test('a credential hears of a 401 that middleware answers in place of', async () => {
    const server = await serverOf()
    const middleware: Middleware = async function* (exchange) {
      yield
      exchange.respond({ status: 503 })
    }
    const refused: string[] = []
    const { sourceOf } = ClientCredential.prototype
    ClientCredential.prototype.sourceOf = function (scope) {
      const source = sourceOf.call(this, scope)
      const authorize = source.authorize.bind(source)
      return { credential: this.name, authorize, onUnauthorized: (lines) => void refused.push(lines) }
    }
    try {
      const gateway = { credentials: both(server), routes: [SHARED] }
      const stand = await start({}, gateway, { middleware: { all: [middleware], routes: new Map() } })
      stand.upstream.serve(() => 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
      assert.is((await ask(await stand.client(), '/shared')).status, 503)
    } finally {
      ClientCredential.prototype.sourceOf = sourceOf
    }
    assert.is(refused.length, 1)
    assert.match(refused[0]!, /^Authorization: Bearer token-0/)
  })

  test('an upstream names a credential for all of its routes, and a route says none, or another', async () => {
    const server = await serverOf()
    const stand = await standOf(both(server))
    const { changeable, proxy } = stand
    const [upstream] = changeable.gateway.upstreams
    proxy.reload({
      ...changeable,
      gateway: {
        ...changeable.gateway,
        upstreams: [{ ...upstream!, credential: { use: 'partner' } }],
        routes: [
          { name: 'shared', upstream: 'upstream', path: '/shared' },
          { name: 'open', upstream: 'upstream', path: '/open', credential: 'none' },
          CODE,
        ],
      },
    })
    const client = await stand.client()
    for (const [path, expected] of [
      ['/shared', ['Bearer token-0.signet.']],
      ['/open', []],
      ['/current_time', ['Bearer token-1..current_time']],
    ] as const) {
      const { body } = await ask(client, path)
      assert.equal(valuesOf(body.toString(), 'authorization'), expected, path)
    }
  })

  // ── failures ────────────────────────────────────────────────────────────────────────────────────────────────

  const refuse = (error: string) => (parameters: URLSearchParams) =>
    redirect({ error, state: parameters.get('state') ?? '' })

  for (const [what, onAuthorize, onToken, code] of [
    ['a user is denied', refuse('access_denied'), undefined, 'ERR_CREDENTIAL_DENIED'],
    ['signet is refused', refuse('unauthorized_client'), undefined, 'ERR_CREDENTIAL_REFUSED'],
    ['codes go elsewhere', () => redirect({}, 'http://evil.test/'), undefined, 'ERR_CREDENTIAL_MALFORMED'],
    ['a code is not given', () => 'never', undefined, 'ERR_CREDENTIAL_TIMEOUT'],
    ['a code is broken off', () => 'reset', undefined, 'ERR_CREDENTIAL_UNAVAILABLE'],
    ['a token is nonsense', undefined, () => 'garbage', 'ERR_CREDENTIAL_MALFORMED'],
    ['a token is none', undefined, () => json(200, {}), 'ERR_CREDENTIAL_MALFORMED'],
    ['a token is not given', undefined, () => 'never', 'ERR_CREDENTIAL_TIMEOUT'],
    ['a token is broken off', undefined, () => 'reset', 'ERR_CREDENTIAL_UNAVAILABLE'],
  ] as const satisfies readonly (readonly [
    string,
    ((parameters: URLSearchParams) => Play) | undefined,
    (() => Play) | undefined,
    keyof typeof CREDENTIAL_RESULTS,
  ])[]) {
    test(`where ${what}, a request is refused with ${code}, and the next one is well`, async () => {
      const server = await serverOf()
      const stand = await standOf([codeConfig(server), clientConfig(server)])
      server.onAuthorize = onAuthorize
      server.onToken = onToken
      const client = await stand.client()
      const { status, body } = await ask(client, '/current_time')
      assert.is(status, FAILURES[code].status)
      assert.is(problemIn(body).code, code)
      assert.is(stand.upstream.wires.length, 0, 'no connection to the upstream')
      const [line] = await stand.exchanges(1)
      assert.equal([line?.failure, line?.route], [code, 'current_time'])
      assert.match(String(line?.reason), /^time-api: /)
      server.onAuthorize = undefined
      server.onToken = undefined
      assert.is((await ask(client, '/current_time')).status, 200)
      const page = (await ask(client, '/metrics')).body.toString()
      assert.match(
        page,
        `signet_credential_total{credential="time-api",result="${CREDENTIAL_RESULTS[code]}"} 1\n`,
      )
      assert.match(page, 'signet_credential_total{credential="time-api",result="success"} 1\n')
      assert.match(page, 'signet_credential_questions_total{credential="time-api"} 2\n')
      assert.match(page, /signet_credential_seconds_total\{credential="time-api"\} [\d.e-]+\n/)
    })
  }

  test('a server that is down is told once in the log, and once when it is back', async () => {
    const server = await serverOf()
    const stand = await standOf(both(server))
    server.onToken = () => 'reset'
    const client = await stand.client()
    for (let times = 0; times < 3; times++) {
      const { status, body } = await ask(client, '/shared')
      assert.equal([status, problemIn(body).code], [503, 'ERR_CREDENTIAL_UNAVAILABLE'])
    }
    server.onToken = undefined
    await new Promise((resolve) => setTimeout(resolve, 1050))
    assert.is((await ask(client, '/shared')).status, 200)
    const lines = stand.log.filter(({ event }) => event === 'credential')
    assert.equal(
      lines.map(({ level, credential, condition }) => [level, credential, condition]),
      [
        ['error', 'partner', 'failing'],
        ['info', 'partner', 'well'],
      ],
    )
  })

  test('a client that leaves while a token is obtained leaves nothing behind', async () => {
    const server = await serverOf()
    const stand = await standOf(both(server))
    server.onToken = () => 'never'
    const client = await stand.client()
    client.send(get('/current_time'))
    await eventually(() => server.asked.length === 2, 'the question for a token')
    client.reset()
    const [line] = await stand.exchanges(1)
    assert.is(line?.status, 499)
    await eventually(() => stand.proxy.open().downstream === 0, 'the connection to end')
    assert.is(stand.upstream.wires.length, 0)
  })

  // ── many, and reload ────────────────────────────────────────────────────────────────────────────────────────

  test('500 calls at once through the code flow: not one failure, 500 tokens', async () => {
    const server = await serverOf()
    const stand = await standOf(both(server))
    const clients = await Promise.all(Array.from({ length: 500 }, () => stand.client()))
    const answers = await within(
      Promise.all(clients.map((client, at) => ask(client, at % 2 === 0 ? '/current_time' : '/epoch_time'))),
      '500 answers',
      60_000,
    )
    assert.equal(new Set(answers.map(({ status }) => status)), new Set([200]))
    const tokens = answers.map(({ body }) => valuesOf(body.toString(), 'authorization')[0])
    assert.is(new Set(tokens).size, 500)
  })

  test('500 calls at once share one token, and one question', async () => {
    const server = await serverOf()
    server.lifetime = 3600
    const stand = await standOf(both(server))
    const clients = await Promise.all(Array.from({ length: 500 }, () => stand.client()))
    const answers = await within(
      Promise.all(clients.map((client) => ask(client, '/shared'))),
      '500 answers',
      60_000,
    )
    assert.equal(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.equal([server.tokens.length, server.asked.length], [1, 1])
    const page = (await ask(clients[0]!, '/metrics')).body.toString()
    assert.match(page, 'signet_credential_questions_total{credential="partner"} 1\n')
  })

  test('a reload keeps the token of a credential that stays as it was, and no other', async () => {
    const server = await serverOf()
    server.lifetime = 3600
    const stand = await standOf(both(server))
    const client = await stand.client()
    await ask(client, '/shared')
    const { changeable, proxy } = stand
    const reload = (credentials: readonly CredentialConfig[]) =>
      proxy.reload({ ...changeable, gateway: { ...changeable.gateway, credentials } })
    reload(both(server))
    await ask(client, '/shared')
    assert.is(server.tokens.length, 1)
    reload([codeConfig(server), clientConfig(server, { audience: 'x' })])
    await ask(client, '/shared')
    assert.is(server.tokens.length, 2)
    await eventually(() => server.connections === 1, 'the connection of the former one to close')
  })

  test('a 401 of the upstream passes on', async () => {
    const server = await serverOf()
    const stand = await start({}, { credentials: both(server), routes: [SHARED] })
    stand.upstream.serve(
      () => 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n',
    )
    const { status, head } = await ask(await stand.client(), '/shared')
    assert.is(status, 401)
    assert.equal(valuesOf(head, 'www-authenticate'), ['Bearer'])
  })

  test('one trace goes through all of it', async () => {
    const server = await serverOf()
    const stand = await standOf(both(server), {}, { SIGNET_TRACE: 'on' })
    const id = 'ab'.repeat(16)
    const traceparent = `traceparent: 00-${id}-${'cd'.repeat(8)}-01`
    const { body } = await ask(await stand.client(), '/current_time', [traceparent])
    const seen = [
      ...valuesOf(body.toString(), 'traceparent'),
      ...server.asked.map((question) => question.traceparent),
    ]
    assert.is(seen.length, 3)
    assert.is(new Set(seen).size, 1)
    assert.match(seen[0]!, new RegExp(`^00-${id}-(?!${'cd'.repeat(8)})[\\da-f]{16}-01$`))
    assert.is((await stand.exchanges(1))[0]?.trace, id)
  })

  test.run()
}
