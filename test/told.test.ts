// What upstreams are told, compiled: by whom a request is, and which keys stay beside a new configuration.

import { decodeJwt, jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../src/errors.ts'
import type { GatewayConfig, KeyConfig, ToldConfig } from '../src/http/gateway.ts'
import type { Identity } from '../src/http/identity.ts'
import { readSigningKey } from '../src/jwt/signing-keys.ts'
import { retireKeys, Teller } from '../src/told.ts'
import { gatewayTo, loopback } from './support/gateways.ts'
import { makeKey } from './support/keys.ts'
import { KEY } from './support/proxy.ts'

const test = suite('told')

const NOON = Date.parse('2025-06-15T12:00:00Z')
const IDENTITY: Identity = {
  subject: 'WAL001',
  claims: { shop: 'BBY001', role: 'user' },
  scopes: ['read'],
  roles: ['clerk'],
  authenticator: 'session',
}

function gateway(told: ToldConfig, keys: readonly KeyConfig[] = []): GatewayConfig {
  return { ...gatewayTo([loopback(1)], told), keys }
}

function tellerOf(config: GatewayConfig, onMinted: () => void = () => undefined): Teller {
  const context = {
    key: KEY,
    user: 'username',
    jwtHeader: 'x-my-jwt',
    jwtMethods: '*',
    nextId: () => 'id',
  } as const
  return new Teller(config, { ...context, now: () => NOON, onMinted })
}

/** What the one route of `config` adds. */
function toldBy(config: GatewayConfig, teller = tellerOf(config)) {
  return teller.tell(config.upstreams[0]!, config.routes[0]!)
}

const request = { method: 'GET', target: '/a?b', params: {}, identity: undefined }

test('a route that is told nothing has nothing, and costs nothing', () => {
  assert.is(toldBy(gateway({})), undefined)
  assert.is(toldBy(gateway({ token: 'plain' })), undefined)
})

test('a token speaks of who was authenticated, of what is asserted about it, and of the user of the settings otherwise', async () => {
  const claims = {
    sub: '{subject}',
    shop: '{claims.shop}',
    scope: '{scopes}',
    roles: '{roles}',
    at: '{path}',
  }
  const token = toldBy(gateway({ token: { lifetime: 1000, claims } }))?.token
  const { jwt } = token!.mint({ ...request, identity: IDENTITY })!
  const { payload } = await jwtVerify(jwt, KEY.secret, { currentDate: new Date(NOON) })
  const { sub, shop, scope, roles, at } = payload
  assert.equal([sub, shop, scope, roles, at], ['WAL001', 'BBY001', ['read'], ['clerk'], '/a'])
  const nobody = decodeJwt(token!.mint(request)!.jwt)
  assert.equal([nobody.sub, 'shop' in nobody, nobody.scope], ['username', false, []])
})

test('routes to one upstream share the minter of its token, and each token is counted', () => {
  let minted = 0
  const config = gateway({ token: { lifetime: 1000 } })
  const teller = tellerOf(config, () => {
    minted++
  })
  const [one, two] = [toldBy(config, teller), toldBy(config, teller)]
  assert.is(one?.token, two?.token)
  one?.token?.mint(request)
  two?.token?.mint(request)
  assert.is(minted, 2)
})

test('all fields that any upstream is told are named, once signet alone may send them', () => {
  const config = gateway({ fields: { 'x-a': '1' }, token: { header: 'x-token', lifetime: 1000 } })
  const more = { ...config, routes: [{ ...config.routes[0]!, fields: { 'x-b': '2' } }] }
  assert.equal(tellerOf(more).names, ['x-a', 'x-token', 'x-b'])
})

test('a key that cannot be used is no teller', () => {
  const config = gateway({ token: { key: 'main', lifetime: 1000 } }, [
    { name: 'main', algorithm: 'HS256', secret: 'ab' },
  ])
  assert.throws(
    () => toldBy(config),
    (error: unknown) => error instanceof ConfigError && /needs at least 32/.test(error.message),
  )
})

test('keys that leave are published as long as the longest token of any upstream, though all keys are gone', () => {
  const key = { name: 'main', ...makeKey('ES256') }
  const before = gateway({ token: { key: 'main', lifetime: 5000 } }, [key])
  const after = gatewayTo([loopback(1)])
  const next = retireKeys(before, after, NOON)
  assert.equal(
    next.retiredKeys?.map(({ jwk, until }) => [jwk.kid, until]),
    [[readSigningKey(key).kid, NOON + 65_000]],
  )
  assert.ok(tellerOf(next).publishes)
  assert.is(JSON.parse(tellerOf(next).keySet().text).keys.length, 1)
  assert.is(retireKeys(next, after, NOON + 65_000), after)
  assert.equal(retireKeys(before, next, NOON), next)
  assert.not.ok(tellerOf(after).publishes)
})

test('a kid that is given to another key is refused, for verifiers keep keys by it; once its tokens have expired it is free', () => {
  const [one, two] = [makeKey('ES256'), makeKey('ES256')].map((key) => ({
    name: 'main',
    ...key,
    kid: 'mine',
  }))
  const [before, after] = [one!, two!].map((key) =>
    gateway({ token: { key: 'main', lifetime: 5000 } }, [key]),
  )
  const refusal = (error: unknown) =>
    error instanceof ConfigError && error.message.includes('the kid "mine" has been that of another key')
  assert.throws(() => retireKeys(before!, after!, NOON), refusal)
  const without = retireKeys(before!, gateway({}, []), NOON)
  assert.throws(() => retireKeys(without, after!, NOON + 64_999), refusal)
  retireKeys(without, after!, NOON + 65_000)
  retireKeys(before!, before!, NOON)
  const renamed = retireKeys(before!, gateway({}, [{ ...two!, kid: 'new' }]), NOON)
  assert.is(JSON.parse(tellerOf(renamed).keySet().text).keys.length, 2)
})

test('secrets are never published', () => {
  const config = gateway({}, [{ name: 'main', ...makeKey('HS256') }])
  assert.not.ok(tellerOf(config).publishes)
  assert.is(retireKeys(config, config, NOON), config)
})

test.run()
