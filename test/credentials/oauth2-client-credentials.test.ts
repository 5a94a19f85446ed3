// `oauth2-client-credentials`: one token for many requests, renewed before it ends; and a server that is down is left alone.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ClientCredential } from '../../src/credentials/oauth2-client-credentials.ts'
import type { ClientCredentialConfig } from '../../src/http/credentials.ts'
import { AuthorizationServer, json, type Play } from '../support/authorization-server.ts'
import { eventually, within } from '../support/wire.ts'
import { clientConfig, contextOf, outcomeOf, type Told, WAITER } from './support.ts'

const test = suite('credentials/oauth2-client-credentials')

interface Stand {
  readonly server: AuthorizationServer
  readonly told: Told
  readonly credential: ClientCredential
  /** what a request gets at `second`, in s from the beginning */
  at(second: number, scope?: string): Promise<string>
  /** the same, which must not have to wait */
  atOnce(second: number, scope?: string): string
}

async function withServer(
  use: (stand: Stand) => Promise<void>,
  change: Partial<ClientCredentialConfig> = {},
): Promise<void> {
  const server = new AuthorizationServer()
  await server.listen()
  server.lifetime = 100
  let now = 0
  const context = contextOf(() => now)
  const credential = new ClientCredential(clientConfig(server, change), context)
  const authorize = (second: number, scope: string | undefined) => {
    now = second * 1000
    return credential.sourceOf(scope).authorize('ann', WAITER)
  }
  try {
    await use({
      server,
      told: context.told,
      credential,
      at: (second, scope) =>
        within(
          outcomeOf(() => authorize(second, scope)),
          'an outcome',
        ),
      atOnce: (second, scope) => {
        const line = authorize(second, scope)
        assert.type(line, 'string', `it has to wait at ${second} s`)
        return String(line)
      },
    })
  } finally {
    credential.close()
    await server.close()
  }
}

const line = (number: number, scope = '') => `Authorization: Bearer token-${number}.signet.${scope}\r\n`

test('signet asks with its own name, for scope and audience', () =>
  withServer(
    async ({ server, at }) => {
      assert.is(await at(0), line(0, 'a+b'))
      assert.equal(Object.fromEntries(server.asked[0]!.parameters), {
        grant_type: 'client_credentials',
        scope: 'a b',
        audience: 'https://api.test',
      })
    },
    { scope: 'a b', audience: 'https://api.test' },
  ))

test('a token is used again without a promise, and each scope has its own', () =>
  withServer(async ({ server, at, atOnce }) => {
    assert.is(await at(0), line(0))
    assert.is(await at(0, 'b'), line(1, 'b'))
    for (let times = 0; times < 3; times++) assert.is(atOnce(79), line(0))
    assert.is(atOnce(1, 'b'), line(1, 'b'))
    assert.is(server.asked.length, 2)
  }))

test('500 that wait ask once', () =>
  withServer(async ({ server, at, told }) => {
    const all = await Promise.all(Array.from({ length: 500 }, () => at(0)))
    assert.equal(new Set(all), new Set([line(0)]))
    assert.is(server.asked.length, 1)
    assert.is(told.asked.length, 1)
  }))

test('it is renewed before the margin, by a request that does not wait, and once', () =>
  withServer(async ({ server, at, atOnce }) => {
    await at(0)
    assert.is(atOnce(79.9), line(0))
    assert.is(server.asked.length, 1)
    for (let times = 0; times < 5; times++) assert.is(atOnce(80), line(0))
    await eventually(() => atOnce(80) === line(1), 'the new token')
    assert.is(server.asked.length, 2)
    assert.is(atOnce(159), line(1))
  }))

test('a token is not used within the margin of its end', () =>
  withServer(async ({ at, atOnce }) => {
    await at(0)
    assert.is(await at(90), line(1))
    assert.is(atOnce(91), line(1))
  }))

test('the margin is at most a quarter of the life of a token', () =>
  withServer(async ({ server, at, atOnce }) => {
    server.lifetime = 4
    await at(0)
    assert.is(atOnce(1.9), line(0))
    assert.is(server.asked.length, 1)
    assert.is(await at(3), line(1))
  }))

for (const [what, expires, good, bad] of [
  ['does not say when it ends', undefined, 39, 50],
  ['ends in a thousand years', 3e10, 86_379, 86_390],
] as const) {
  test(`a token that ${what} is used for ${good} s, and not for ${bad}`, () =>
    withServer(async ({ server, at, atOnce }) => {
      let number = 0
      server.onToken = () =>
        json(200, { access_token: `a${number++}`, token_type: 'Bearer', expires_in: expires })
      await at(0)
      assert.match(atOnce(good), 'a0')
      assert.match(await at(bad), 'a1')
    }))
}

test('a token that has ended when it comes is for those that have waited', () =>
  withServer(async ({ server, at }) => {
    server.lifetime = 0
    assert.equal(await Promise.all([at(0), at(0)]), [line(0), line(0)])
    assert.is(await at(0), line(1))
  }))

// ── failures ──────────────────────────────────────────────────────────────────────────────────────────────────────

for (const [what, play, code] of [
  ['down', 'reset', 'ERR_CREDENTIAL_UNAVAILABLE'],
  ['silent', 'never', 'ERR_CREDENTIAL_TIMEOUT'],
  ['answering nonsense', 'garbage', 'ERR_CREDENTIAL_MALFORMED'],
  [
    'giving a token of another kind',
    json(200, { access_token: 'x', token_type: 'mac' }),
    'ERR_CREDENTIAL_MALFORMED',
  ],
  [
    'giving an end as a text',
    json(200, { access_token: 'x', token_type: 'bearer', expires_in: '9' }),
    'ERR_CREDENTIAL_MALFORMED',
  ],
  ['refusing signet', json(401, { error: 'invalid_client' }), 'ERR_CREDENTIAL_REFUSED'],
  ['refusing the scope', json(400, { error: 'invalid_scope' }), 'ERR_CREDENTIAL_DENIED'],
] as const satisfies readonly (readonly [string, Play, string])[]) {
  test(`a server that is ${what}: ${code}; it is asked once a second, told once, and again when it is well`, () =>
    withServer(async ({ server, at, told }) => {
      server.onToken = () => play
      const first = await Promise.all(Array.from({ length: 50 }, () => at(0)))
      for (const outcome of [...first, await at(0.5), await at(0.999)])
        assert.ok(outcome.startsWith(`${code} partner: `), outcome)
      assert.is(server.asked.length, 1)
      assert.ok((await at(1)).startsWith(code))
      assert.is(server.asked.length, 2)
      assert.is(told.conditions.length, 1)
      assert.match(told.conditions[0]!, /^failing: partner: /)
      server.onToken = undefined
      assert.is(await at(2), line(0))
      assert.equal(told.conditions.slice(1), ['well: there is a token again'])
    }))
}

test('while it is renewed in vain the old token is used to its margin, and nobody waits', () =>
  withServer(async ({ server, at, atOnce, told }) => {
    await at(0)
    server.onToken = () => ({ status: 503 })
    assert.is(atOnce(80), line(0))
    await eventually(() => told.conditions.length === 1, 'the failure')
    assert.is(atOnce(80.5), line(0))
    assert.is(server.asked.length, 2)
    assert.is(atOnce(89.9), line(0))
    await eventually(() => server.asked.length === 3, 'another try')
    assert.match(await at(90.95), /^ERR_CREDENTIAL_UNAVAILABLE/)
  }))

test('an upstream that answers 401 to a token has it dropped, unless that is young or another one', () =>
  withServer(async ({ credential, at, atOnce, server }) => {
    await at(0)
    const source = credential.sourceOf(undefined)
    atOnce(9)
    source.onUnauthorized(`X-Other: 1\r\n${line(0)}`)
    assert.is(atOnce(9), line(0))
    atOnce(10)
    source.onUnauthorized(line(7))
    assert.is(atOnce(10), line(0))
    source.onUnauthorized(`X-Other: 1\r\n${line(0)}`)
    assert.is(await at(10), line(1))
    source.onUnauthorized(line(0)) // late
    assert.is(atOnce(10), line(1))
    assert.is(server.asked.length, 2)
  }))

test.run()
