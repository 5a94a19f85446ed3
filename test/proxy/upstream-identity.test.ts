// What upstreams are told with proof: static fields and tokens of their own, which nobody but signet can send; public keys.

import { createLocalJWKSet, createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { GatewayConfig, KeyConfig, RouteConfig, ToldConfig } from '../../src/http/gateway.ts'
import { plainGateway } from '../../src/http/gateway.ts'
import { loopback } from '../support/gateways.ts'
import { asserted, claimsIn, masked, namesIn, problemIn, valuesOf } from '../support/heads.ts'
import { makeKey } from '../support/keys.ts'
import { KEY, READ_PATHS, type Stand, startStand } from '../support/proxy.ts'
import { ok, type WireMessage } from '../support/wire.ts'

const JWKS = '/.well-known/jwks.json'
const LIFETIME = 60_000

/** Every spelling that some upstream folds onto X-API-Key (RFC 3875 §4.1.18). */
const SPELLINGS = [
  'x-api-key',
  'X-API-Key',
  'X_API_KEY',
  'x.api.key',
  'X-Api_Key',
  "x'api`key",
  'x~api!key',
  'x*api+key',
]

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/upstream-identity (${readPath})`)
  const stands: Stand[] = []
  test.after.each(async () => {
    for (const stand of stands.splice(0)) await stand.close()
  })

  /** A stand whose one upstream, and whose routes, are told these things. */
  async function start(
    upstream: ToldConfig,
    routes: readonly Partial<RouteConfig>[] = [{}],
    { keys, env = {} }: { keys?: readonly KeyConfig[]; env?: Record<string, string> } = {},
  ): Promise<Stand> {
    const gateway = (port: number): GatewayConfig => {
      const plain = plainGateway(loopback(port))
      return {
        upstreams: [{ ...plain.upstreams[0]!, ...upstream }],
        routes: routes.map((route, at) => ({ name: `r${at}`, upstream: 'upstream', path: '/*', ...route })),
        ...(keys && { keys }),
      }
    }
    const stand = await startStand({ SIGNET_READ_PATH: readPath, ...env }, undefined, gateway)
    stands.push(stand)
    return stand
  }

  /** What the upstream receives. */
  async function forwarded(stand: Stand, target = '/', lines = '', method = 'GET'): Promise<WireMessage> {
    const client = await stand.client()
    client.send(`${method} ${target} HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`)
    const upstream = await stand.upstream.accept()
    const message = await upstream.message()
    upstream.send(ok())
    await client.message()
    client.destroy()
    upstream.destroy()
    return message
  }

  /** One of signet's own answers. */
  async function answered(stand: Stand, request: string): Promise<WireMessage> {
    const client = await stand.client()
    client.send(request)
    return client.message()
  }

  test('static fields come after what signet says of the way, and before the token', async () => {
    const stand = await start({ fields: { 'x-api-key': 'hunter2', 'x-tenant': 'a b' } })
    const { head } = await forwarded(stand)
    const token = 'x-api-key: hunter2\r\nx-tenant: a b\r\nx-my-jwt: <jwt>\r\n'
    assert.is(masked(head), `GET / HTTP/1.1\r\nHost: a.test\r\n${asserted('a.test', 1, token)}`)
    await claimsIn(head)
  })

  test('fields of a route are added to those of its upstream, and win', async () => {
    const stand = await start({ fields: { 'x-api-key': 'upstream', 'x-both': '1' } }, [
      { path: '/one', fields: { x_api_key: 'route', 'x-more': '2' } },
      { path: '/two' },
    ])
    const one = await forwarded(stand, '/one')
    assert.equal(valuesOf(one.head, 'x-api-key'), [])
    assert.equal(
      ['x_api_key', 'x-both', 'x-more'].map((name) => valuesOf(one.head, name)),
      [['route'], ['1'], ['2']],
    )
    assert.equal(valuesOf((await forwarded(stand, '/two')).head, 'x-api-key'), ['upstream'])
  })

  for (const spelling of SPELLINGS) {
    test(`${spelling} of a client reaches no upstream, whatever the route`, async () => {
      const stand = await start({}, [
        { path: '/told', fields: { 'x-api-key': 'hunter2' } },
        { path: '/plain' },
      ])
      const lines = `${spelling}: forged\r\nConnection: x-api-key\r\nX-Other: stays\r\n`
      const told = (await forwarded(stand, '/told', lines)).head
      assert.equal(valuesOf(told, 'x-api-key'), ['hunter2'])
      const plain = (await forwarded(stand, '/plain', lines)).head
      for (const head of [told, plain]) {
        assert.not.match(head, 'forged')
        assert.equal(valuesOf(head, 'x-other'), ['stays'])
      }
      assert.not.ok(namesIn(plain).some((name) => /api/i.test(name)))
      const { imitationsDropped } = JSON.parse(
        (await answered(stand, 'GET /status HTTP/1.1\r\nHost: a.test\r\n\r\n')).body.toString(),
      ).tokens
      assert.is(imitationsDropped, 2)
    })
  }

  test('neither a trailer nor a response can carry such a field', async () => {
    const stand = await start({ fields: { 'x-api-key': 'hunter2' } })
    const client = await stand.client()
    client.send(
      'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX_Api_Key: forged\r\nX-T: t\r\n\r\n',
    )
    const upstream = await stand.upstream.accept()
    const { body } = await upstream.message()
    assert.is(body.toString(), '0\r\nX-T: t\r\n\r\n')
    upstream.send(ok('', 'X-API-Key: hunter2\r\nX-Other: stays\r\n'))
    const { head } = await client.message()
    assert.not.match(head, 'hunter2')
    assert.equal(valuesOf(head, 'x-other'), ['stays'])
  })

  test('an upstream that is told none gets none, and no forged one either; a route may want the plain one', async () => {
    const stand = await start({ token: 'none' }, [{ path: '/none' }, { path: '/plain', token: 'plain' }])
    const { head } = await forwarded(stand, '/none', 'x-my-jwt: forged\r\n')
    assert.is(masked(head), `GET /none HTTP/1.1\r\nHost: a.test\r\n${asserted('a.test', 1, '')}`)
    await claimsIn((await forwarded(stand, '/plain')).head)
    const { minted } = JSON.parse(
      (await answered(stand, 'GET /status HTTP/1.1\r\nHost: a.test\r\n\r\n')).body.toString(),
    ).tokens
    assert.is(minted, 1)
  })

  for (const algorithm of ['HS256', 'ES256', 'EdDSA', 'RS256'] as const) {
    test(`a token of its own by ${algorithm}: key, field, audience, issuer, lifetime, claims`, async () => {
      const key = { name: 'mine', ...makeKey(algorithm) }
      const claims = {
        sub: '{subject}',
        shop: '{params.shop_id}',
        does: '{method} {path}',
        role: '{claims.role}',
      }
      const token = {
        key: 'mine',
        header: 'x-token',
        audience: 'shops',
        issuer: 'signet',
        lifetime: 5000,
        claims,
      }
      const path = '/shops/:shop_id'
      const stand = await start({ token }, [{ path, rewrite: '/v2/{params.shop_id}' }], { keys: [key] })
      const { head } = await forwarded(
        stand,
        '/shops/BBY001?secret=1',
        'x_token: forged\r\nx-my-jwt: forged\r\n',
      )
      assert.not.match(head, 'forged')
      const [jwt = '', ...others] = valuesOf(head, 'x-token')
      assert.equal(others, [])
      const options = { algorithms: [algorithm], audience: 'shops', issuer: 'signet' }
      const { payload } =
        algorithm === 'HS256'
          ? await jwtVerify(jwt, Buffer.from(key.secret!, 'hex'), options)
          : await jwtVerify(
              jwt,
              createRemoteJWKSet(new URL(`http://127.0.0.1:${stand.port}${JWKS}`)),
              options,
            )
      const { iat, jti, exp, ...said } = payload
      assert.is(exp, iat! + 5)
      assert.match(jti!, /^[0-9a-f-]{36}$/)
      assert.equal(said, {
        iss: 'signet',
        aud: 'shops',
        sub: 'username',
        shop: 'BBY001',
        does: 'GET /v2/BBY001',
      })
      assert.match(decodeProtectedHeader(jwt).kid!, /^[\w-]{11,43}$/)
      const [line] = await stand.exchanges(1)
      assert.is(line?.jti, jti)
    })
  }

  test('a token without a key is signed with the secret of the gateway, and names it', async () => {
    const stand = await start({ token: { audience: 'a', lifetime: LIFETIME } })
    const { head } = await forwarded(stand)
    const { payload, aud, iat, exp } = await claimsIn(head)
    assert.is((payload as { user: string }).user, 'username')
    assert.equal([aud, exp], ['a', iat! + 60])
    const { alg, kid } = decodeProtectedHeader(valuesOf(head, 'x-my-jwt')[0]!)
    assert.is(alg, 'HS512')
    assert.match(kid!, /^[\w-]{11}$/)
    assert.not.ok(KEY.secret.toString('base64url').includes(kid!))
  })

  test('in Authorization the token is a Bearer, and the credentials of clients stay here, which is no imitation', async () => {
    const stand = await start({ token: { header: 'authorization', lifetime: LIFETIME } })
    const { head } = await forwarded(stand, '/', 'Authorization: Basic Zm9yZ2Vk\r\n')
    const [value = '', ...others] = valuesOf(head, 'authorization')
    assert.equal(others, [])
    assert.match(value, /^Bearer eyJ/)
    await jwtVerify(value.slice('Bearer '.length), KEY.secret)
    const { imitationsDropped } = JSON.parse(
      (await answered(stand, 'GET /status HTTP/1.1\r\nHost: a.test\r\n\r\n')).body.toString(),
    ).tokens
    assert.is(imitationsDropped, 0)
  })

  test('a static field gives way to a token of the same name', async () => {
    const stand = await start({ fields: { x_my_jwt: 'static', 'x-other': '1' } })
    const { head } = await forwarded(stand)
    assert.not.match(head, 'static')
    assert.equal(valuesOf(head, 'x-other'), ['1'])
    await claimsIn(head)
  })

  test('methods that get no token get none of these either, but the static fields', async () => {
    const stand = await start({ fields: { 'x-api-key': 'k' }, token: { lifetime: LIFETIME } }, [{}], {
      env: { SIGNET_JWT_METHODS: 'POST' },
    })
    const { head } = await forwarded(stand)
    assert.equal([valuesOf(head, 'x-my-jwt'), valuesOf(head, 'x-api-key')], [[], ['k']])
  })

  test('a request that is sent again has a new token of the same kind', async () => {
    const stand = await start({ token: { header: 'x-token', audience: 'a', lifetime: LIFETIME } })
    const client = await stand.client()
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    const first = await stand.upstream.accept()
    const ids = [decodeJwt(valuesOf(await first.head(), 'x-token')[0]!).jti]
    first.send(ok())
    await client.message()
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    ids.push(decodeJwt(valuesOf(await first.head(), 'x-token')[0]!).jti)
    first.destroy() // unanswered: it goes to a new connection
    const second = await stand.upstream.accept()
    const again = decodeJwt(valuesOf(await second.head(), 'x-token')[0]!)
    ids.push(again.jti)
    second.send(ok())
    await client.message()
    assert.is(new Set(ids).size, 3)
    assert.is(again.aud, 'a')
  })

  test('the public keys are a page: GET and HEAD, for a short while, before any route', async () => {
    const keys = (['ES256', 'HS256', 'RS256'] as const).map((name) => ({ name, ...makeKey(name) }))
    const stand = await start({}, [{}], { keys, env: { SIGNET_ADMIN_PORT: '0' } })
    for (const target of [JWKS, `${JWKS}?x`, `http://a.test${JWKS}`]) {
      const { head, body } = await answered(stand, `GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      assert.match(head, /^HTTP\/1\.1 200 /)
      assert.equal(valuesOf(head, 'content-type'), ['application/jwk-set+json'])
      assert.equal(valuesOf(head, 'cache-control'), ['public, max-age=60'])
      const set = JSON.parse(body.toString())
      createLocalJWKSet(set)
      assert.equal(
        set.keys.map(({ alg }: { alg: string }) => alg),
        ['ES256', 'RS256'],
      )
    }
    const client = await stand.client()
    client.send(`HEAD ${JWKS} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
    const { octets } = await client.rest()
    assert.match(octets, /^HTTP\/1\.1 200 [\s\S]*Content-Length: [1-9][\s\S]*\r\n\r\n$/)
    const post = await answered(stand, `POST ${JWKS} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n`)
    assert.is(problemIn(post.body).code, 'ERR_METHOD_NOT_ALLOWED')
    assert.equal(valuesOf(post.head, 'allow'), ['GET, HEAD'])
    assert.is(stand.upstream.wires.length, 0)
    for (const target of ['/status', `${JWKS}x`]) await forwarded(stand, target)
  })

  test('without a public key that page is not signet’s: it is forwarded', async () => {
    const stand = await start({ token: { key: 'k', lifetime: LIFETIME } }, [{}], {
      keys: [{ name: 'k', ...makeKey('HS512') }],
    })
    assert.match((await forwarded(stand, JWKS)).head, /^GET \/\.well-known\/jwks\.json /)
  })

  test('no value of a static field is in the log, whatever becomes of the request', async () => {
    const stand = await start({ fields: { 'x-api-key': 'hunter2' }, token: { lifetime: LIFETIME } })
    await forwarded(stand, '/', 'x-api-key: hunter3\r\n')
    const client = await stand.client()
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('nonsense\r\n\r\n')
    await client.message()
    await stand.exchanges(2)
    assert.not.match(JSON.stringify(stand.log), /hunter|eyJ/)
  })

  test.run()
}
