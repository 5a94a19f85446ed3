// `oauth2-code`: a new token for every request, and none by any answer that is not exactly as it has to be.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CodeCredential } from '../../src/credentials/oauth2-code.ts'
import type { CodeCredentialConfig } from '../../src/http/credentials.ts'
import {
  AuthorizationServer,
  json,
  type Play,
  REDIRECT_URI,
  redirect,
} from '../support/authorization-server.ts'
import { eventually, within } from '../support/wire.ts'
import { codeConfig, contextOf, outcomeOf, type Told, WAITER } from './support.ts'

const test = suite('credentials/oauth2-code')

interface Stand {
  readonly server: AuthorizationServer
  readonly told: Told
  readonly credential: CodeCredential
  ask(subject?: string, scope?: string): Promise<string>
}

async function withServer(
  use: (stand: Stand) => Promise<void>,
  change: (server: AuthorizationServer) => Partial<CodeCredentialConfig> = () => ({}),
): Promise<void> {
  const server = new AuthorizationServer()
  await server.listen()
  const context = contextOf()
  const credential = new CodeCredential(codeConfig(server, change(server)), context)
  try {
    await use({
      server,
      told: context.told,
      credential,
      ask: (subject, scope = 'current_time') =>
        within(
          outcomeOf(() => credential.sourceOf(scope).authorize(subject, WAITER)),
          'an outcome',
        ),
    })
  } finally {
    credential.close()
    await server.close()
  }
}

test('each request has a token of its own, for its scope and its user, by the code flow with PKCE and state', () =>
  withServer(
    async ({ server, ask, told }) => {
      assert.is(await ask('ann'), 'Authorization: Bearer token-0.ann.current_time\r\n')
      assert.is(await ask('bob', 'epoch_time'), 'Authorization: Bearer token-1.bob.epoch_time\r\n')
      assert.is(await ask(), 'Authorization: Bearer token-2.demo.current_time\r\n')
      assert.is(told.asked.length, 3)
      const [authorize, token, again] = server.asked
      assert.equal([...authorize!.parameters.keys()].sort(), [
        'client_id',
        'code_challenge',
        'code_challenge_method',
        'login_hint',
        'redirect_uri',
        'response_type',
        'scope',
        'state',
      ])
      assert.is(token!.parameters.get('code'), 'code-1')
      for (const name of ['state', 'code_challenge'])
        assert.is.not(authorize!.parameters.get(name), again!.parameters.get(name))
    },
    () => ({ user: 'demo' }),
  ))

test('where nobody is named nobody is hinted at, and the scope is that of the credential', () =>
  withServer(
    async ({ server, credential }) => {
      const line = await within(
        Promise.resolve(credential.sourceOf(undefined).authorize(undefined, WAITER)),
        'it',
      )
      assert.is(line, 'Authorization: Bearer token-0..epoch_time\r\n')
      assert.not.ok(server.asked[0]!.parameters.has('login_hint'))
    },
    () => ({ scope: 'epoch_time' }),
  ))

// ── the redirect ──────────────────────────────────────────────────────────────────────────────────────────────────

const MALFORMED = /^ERR_CREDENTIAL_MALFORMED time-api: /
const REFUSED = /^ERR_CREDENTIAL_REFUSED time-api: /
const DENIED = /^ERR_CREDENTIAL_DENIED time-api: /
const UNAVAILABLE = /^ERR_CREDENTIAL_UNAVAILABLE time-api: /
const TIMEOUT = /^ERR_CREDENTIAL_TIMEOUT time-api: /

type Redirect = (state: string) => Play
const to =
  (place: string): Redirect =>
  (state) =>
    redirect({ code: 'c', state }, place)

for (const [what, play, expected] of [
  ['another state', () => redirect({ code: 'c', state: 'other' }), MALFORMED],
  ['no state', () => redirect({ code: 'c' }), MALFORMED],
  ['no code', (state) => redirect({ state }), MALFORMED],
  [
    'two codes',
    (state) => ({ status: 302, fields: { Location: `${REDIRECT_URI}?code=a&code=b&state=${state}` } }),
    MALFORMED,
  ],
  [
    'a token in place of a code',
    (state) => ({ status: 302, fields: { Location: `${REDIRECT_URI}#access_token=a&state=${state}` } }),
    MALFORMED,
  ],
  ['another issuer', (state) => redirect({ code: 'c', state, iss: 'https://evil.test' }), MALFORMED],
  ['another host', to('http://evil.test:5003/callback'), MALFORMED],
  ['another port', to('http://webapp.test:5004/callback'), MALFORMED],
  ['another scheme', to('https://webapp.test:5003/callback'), MALFORMED],
  ['another path', to('http://webapp.test:5003/callback/../other'), MALFORMED],
  ['a longer path', to('http://webapp.test:5003/callback2'), MALFORMED],
  ['a user before another host', to('http://webapp.test:5003@evil.test/callback'), MALFORMED],
  ['a place relative to itself', to('/callback'), MALFORMED],
  ['a fragment', (state) => redirect({ code: 'c', state: `${state}` }, `${REDIRECT_URI}#x`), MALFORMED],
  ['no Location', () => ({ status: 302 }), MALFORMED],
  ['a 307', (state) => redirect({ code: 'c', state }, REDIRECT_URI, 307), MALFORMED],
  ['a page', () => ({ status: 200, body: '<form>' }), MALFORMED],
  ['a huge page', () => ({ status: 200, body: 'x'.repeat(300_000) }), MALFORMED],
  ['no HTTP', () => 'garbage', MALFORMED],
  ['access_denied', (state) => redirect({ error: 'access_denied', state }), DENIED],
  ['invalid_scope', (state) => redirect({ error: 'invalid_scope', state }), DENIED],
  ['invalid_request', (state) => redirect({ error: 'invalid_request', state }), REFUSED],
  ['temporarily_unavailable', (state) => redirect({ error: 'temporarily_unavailable', state }), UNAVAILABLE],
  ['an error of another flow', () => redirect({ error: 'access_denied', state: 'other' }), MALFORMED],
  ['a 400', () => ({ status: 400 }), REFUSED],
  ['a 503', () => ({ status: 503 }), UNAVAILABLE],
  ['a 429', () => ({ status: 429 }), UNAVAILABLE],
  ['a broken connection', () => 'reset', UNAVAILABLE],
  ['silence', () => 'never', TIMEOUT],
] as const satisfies readonly (readonly [string, Redirect, RegExp])[]) {
  test(`${what} at the authorization endpoint is no code, and nobody is asked for a token: ${expected.source}`, () =>
    withServer(async ({ server, ask }) => {
      server.onAuthorize = (parameters) => play(parameters.get('state') ?? '')
      assert.match(await ask('ann'), expected)
      assert.equal(
        server.asked.map(({ endpoint }) => endpoint),
        ['authorize'],
      )
      server.onAuthorize = undefined
      assert.match(await ask('ann'), /^Authorization: Bearer /)
    }))
}

test('303 is a redirect as well', () =>
  withServer(async ({ server, ask }) => {
    let code = ''
    server.onToken = (parameters) => {
      code = parameters.get('code') ?? ''
      return json(200, { access_token: 'a', token_type: 'bearer' })
    }
    server.onAuthorize = (parameters) =>
      redirect({ code: 'c3', state: parameters.get('state') ?? '' }, REDIRECT_URI, 303)
    assert.is(await ask(), 'Authorization: Bearer a\r\n')
    assert.is(code, 'c3')
  }))

test('where an issuer is configured, it has to be there and be that one (RFC 9207)', async () => {
  await withServer(
    async ({ server, ask }) => {
      assert.match(await ask('ann'), /^Authorization/)
      server.onAuthorize = (parameters) => redirect({ code: 'c', state: parameters.get('state') ?? '' })
      assert.match(await ask('ann'), /MALFORMED.*"iss" \(issuer\) missing/)
    },
    ({ origin }) => ({ issuer: origin }),
  )
  await withServer(
    async ({ ask }) => assert.match(await ask('ann'), /MALFORMED.*unexpected "iss"/),
    () => ({ issuer: 'https://other.test' }),
  )
})

// ── the token ─────────────────────────────────────────────────────────────────────────────────────────────────────

const GOOD = { access_token: 'abc', token_type: 'Bearer', expires_in: 5 }
for (const [what, play, expected] of [
  ['a good one', json(200, GOOD), /^Authorization: Bearer abc\r\n$/],
  ['one of bearer in small letters', json(200, { ...GOOD, token_type: 'bearer' }), /Bearer abc/],
  ['one without an end', json(200, { access_token: 'abc', token_type: 'Bearer' }), /Bearer abc/],
  ['no token', json(200, { token_type: 'Bearer' }), MALFORMED],
  ['a token that is no text', json(200, { ...GOOD, access_token: { a: 1 } }), MALFORMED],
  ['a token with a line break', json(200, { ...GOOD, access_token: 'a\r\nX-Evil: 1' }), MALFORMED],
  ['a token with a blank', json(200, { ...GOOD, access_token: 'a b' }), MALFORMED],
  ['a token that is empty', json(200, { ...GOOD, access_token: '' }), MALFORMED],
  ['a token longer than a head', json(200, { ...GOOD, access_token: 'a'.repeat(8193) }), MALFORMED],
  ['no type', json(200, { access_token: 'abc' }), MALFORMED],
  ['another type', json(200, { ...GOOD, token_type: 'DPoP' }), MALFORMED],
  ['an end before its beginning', json(200, { ...GOOD, expires_in: -1 }), MALFORMED],
  ['an end as a text', json(200, { ...GOOD, expires_in: '5' }), MALFORMED],
  ['a scope that is a list', json(200, { ...GOOD, scope: ['current_time'] }), MALFORMED],
  ['less scope than asked for', json(200, { ...GOOD, scope: 'epoch_time' }), DENIED],
  ['more scope than asked for', json(200, { ...GOOD, scope: 'epoch_time current_time' }), /Bearer abc/],
  ['a list', json(200, [GOOD]), MALFORMED],
  ['null', json(200, null), MALFORMED],
  [
    'half of it',
    { status: 200, fields: { 'Content-Type': 'application/json' }, body: '{"access' },
    MALFORMED,
  ],
  ['a page', { status: 200, fields: { 'Content-Type': 'text/html' }, body: '<html>abc' }, MALFORMED],
  ['too much', json(200, { ...GOOD, filler: 'x'.repeat(300_000) }), MALFORMED],
  ['a 204', { status: 204 }, MALFORMED],
  ['a redirect', { status: 307, fields: { Location: 'http://evil.test/' } }, MALFORMED],
  ['no HTTP', 'garbage', MALFORMED],
  ['invalid_grant', json(400, { error: 'invalid_grant' }), REFUSED],
  ['invalid_client', json(401, { error: 'invalid_client' }), REFUSED],
  ['a challenge', json(401, {}, { 'WWW-Authenticate': 'Basic realm="a"' }), REFUSED],
  ['invalid_scope', json(400, { error: 'invalid_scope' }), DENIED],
  ['an error with octets of a stranger', json(400, { error: 'secret\u001b[31m' }), REFUSED],
  ['a 500', { status: 500, body: 'Traceback' }, UNAVAILABLE],
  ['a broken connection', 'reset', UNAVAILABLE],
  ['silence', 'never', TIMEOUT],
] as const satisfies readonly (readonly [string, Play, RegExp])[]) {
  test(`${what} at the token endpoint: ${expected.source}`, () =>
    withServer(async ({ server, ask }) => {
      server.onToken = () => play
      const outcome = await ask('ann')
      assert.match(outcome, expected)
      if (outcome.startsWith('ERR_')) assert.not.match(outcome, /abc|X-Evil|secret|Traceback|code-1|qw:er/)
    }))
}

test('wrong credentials of signet are refused', () =>
  withServer(
    async ({ ask }) => assert.match(await ask(), REFUSED),
    () => ({ clientSecret: 'wrong' }),
  ))

test('nobody is listening: unavailable, at once', async () => {
  const server = new AuthorizationServer()
  await server.listen()
  const config = codeConfig(server)
  await server.close()
  const credential = new CodeCredential(config, contextOf())
  const outcome = await within(
    outcomeOf(() => credential.sourceOf('a').authorize('ann', WAITER)),
    'it',
  )
  assert.match(outcome, UNAVAILABLE)
  credential.close()
})

// ── many ──────────────────────────────────────────────────────────────────────────────────────────────────────────

test('500 at once have 500 tokens, by no more flows at a time than there may be', () =>
  withServer(async ({ server, ask }) => {
    const all = await within(
      Promise.all(Array.from({ length: 500 }, (_, at) => ask(`u${at}`))),
      'tokens',
      30_000,
    )
    assert.equal(
      all.filter((line) => !line.startsWith('Authorization: Bearer token-')),
      [],
    )
    assert.is(new Set(all).size, 500)
    assert.ok(server.mostRunning <= 16, `${server.mostRunning} questions at a time`)
    assert.ok(server.connections <= 32, `${server.connections} connections`)
  }))

test('what waits for a client that has left is not done', () =>
  withServer(
    async ({ server, credential }) => {
      server.onAuthorize = () => 'never'
      const source = credential.sourceOf('current_time')
      const first = outcomeOf(() => source.authorize('ann', WAITER))
      const left = { trace: undefined, gone: false }
      const second = outcomeOf(() => source.authorize('bob', left))
      left.gone = true
      assert.match(await within(first, 'the first'), TIMEOUT)
      assert.match(await within(second, 'the second'), /^ERR_CLIENT_CLOSED/)
      assert.is(server.asked.length, 1)
    },
    () => ({ maxConcurrent: 1 }),
  ))

test('the trace goes to both endpoints', () =>
  withServer(async ({ server, credential }) => {
    const trace = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`
    const source = credential.sourceOf('current_time')
    await within(Promise.resolve(source.authorize('ann', { trace, gone: false })), 'a token')
    assert.equal(
      server.asked.map(({ traceparent }) => traceparent),
      [trace, trace],
    )
  }))

test('when it is closed what is under way ends well, and then nothing is open', () =>
  withServer(async ({ server, credential, ask }) => {
    const asked = ask('ann')
    credential.close()
    assert.match(await asked, /^Authorization/)
    await eventually(() => server.connections === 0, 'connections to close')
  }))

test.run()
