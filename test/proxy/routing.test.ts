// Routes through a running proxy: who gets a request, and what exactly arrives there.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { GatewayConfig, RouteConfig } from '../../src/http/gateway.ts'
import { verifyToken } from '../../src/jwt/verify.ts'
import { valuesOf } from '../support/heads.ts'
import { KEY, READ_PATHS, type Stand } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { ok } from '../support/wire.ts'

/** `GET,POST shop.test/a/:b → /c/{params.b}`: methods, host, path and rewrite of a route; its name is the whole of it. */
function route(text: string): RouteConfig {
  const [, methods, host, path, rewrite] = /^(?:([A-Z,]+) )?([^/ ]*)(\/\S*)(?: → (.*))?$/.exec(text)!
  return {
    name: text,
    upstream: 'upstream',
    path: path!,
    ...(host === '' ? {} : { host: host! }),
    ...(methods === undefined ? {} : { methods: methods.split(',') }),
    ...(rewrite === undefined ? {} : { rewrite }),
  }
}

/** These routes, all to the upstream of the stand. */
function routing(...texts: readonly string[]): Partial<GatewayConfig> {
  return { routes: texts.map(route) }
}

/** What became of requests. */
interface Outcome {
  /** request line that arrived upstream, or the status that the client got from signet */
  readonly arrived: string
  /** response head */
  readonly head: string
  /** what the log names as the route */
  readonly route: unknown
}

/** Sends a request on a new connection to an upstream that answers with the request line it got. */
async function ask(stand: Stand, line: string, host = 'a.test'): Promise<Outcome> {
  const before = stand.log.filter(({ event }) => event === 'exchange').length
  const wire = await stand.client()
  wire.send(`${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  const { head, body } = await wire.message()
  const logged = await stand.exchanges(before + 1)
  const status = head.slice(9, 12)
  const arrived = status === '200' ? body.toString() : status
  return { arrived, head, route: logged.at(-1)?.route }
}

const LADDER = [
  'shop.test/*',
  '*.eu.test/*',
  '*.test/a/b',
  '/a/b',
  'POST /a/b',
  '/a/:x([0-9]+)',
  '/a/:x',
  '/a/t*',
  '/a/*',
  '/s/:a-:b',
  '/s/:c([a-z-]+)',
  '/s/:d',
]

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/routing (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  async function startEchoing(...routes: readonly string[]): Promise<Stand> {
    const stand = await start({}, routing(...routes))
    stand.upstream.serve(({ head }) => ok(head.slice(0, head.indexOf(' HTTP/1.1'))))
    return stand
  }

  for (const [order, routes] of [
    ['as they are', LADDER],
    ['the other way round', [...LADDER].reverse()],
  ] as const) {
    test(`the most specific route has the request, by host, path and method, wherever it stands: ${order}`, async () => {
      const stand = await startEchoing(...routes)
      for (const [line, host, expected] of [
        ['GET /a/b', 'Shop.test:8080', 'shop.test/*'],
        ['GET /a/b', 'x.y.eu.test', '*.eu.test/*'],
        ['GET /a/b', 'other.test', '*.test/a/b'],
        ['GET /a/b', 'other.example', '/a/b'],
        ['POST /a/b', 'other.example', 'POST /a/b'],
        ['GET /a/7', 'a.test', '/a/:x([0-9]+)'],
        ['GET /a/c', 'a.test', '/a/:x'],
        ['GET /a/tx', 'a.test', '/a/t*'],
        ['GET /a/c/d', 'a.test', '/a/*'],
        ['GET /s/x-y', 'a.test', '/s/:a-:b'],
        ['GET /s/x', 'a.test', '/s/:c([a-z-]+)'],
        ['GET /s/1', 'a.test', '/s/:d'],
      ] as const) {
        const { arrived, route: taken } = await ask(stand, line, host)
        assert.is(arrived, line)
        assert.is(taken, expected, `${line} of ${host}`)
      }
    })
  }

  test('nothing matches: 404; another method would: 405 with Allow, and the upstream hears of neither', async () => {
    const stand = await startEchoing('GET,HEAD /a', 'POST /:x', 'PUT shop.test/b')
    for (const [line, host, status, allow] of [
      ['GET /a/b', 'a.test', '404', []],
      ['GET /', 'a.test', '404', []],
      ['DELETE /a', 'a.test', '405', ['GET, HEAD, POST']],
      ['GET /b', 'a.test', '405', ['POST']],
      ['GET /b', 'shop.test', '405', ['PUT, POST']],
      ['OPTIONS /a', 'a.test', '405', ['GET, HEAD, POST']],
    ] as const) {
      const { arrived, head } = await ask(stand, line, host)
      assert.is(arrived, status, `${line} of ${host}`)
      assert.equal(valuesOf(head, 'allow'), allow)
    }
    assert.is(stand.upstream.wires.length, 0)
  })

  test('a rewrite puts parameters into another path, and leaves the query as it was sent', async () => {
    const stand = await startEchoing(
      '/shops/:shop_id([A-Za-z0-9]+)/transactions* → /v2/{params.shop_id}{params.*}',
      '/:from-:to.json → /{params.to}/{params.from}',
      '/* → /rest/{params.*}',
    )
    for (const [target, arrived] of [
      ['/shops/a1/transactions', '/v2/a1'],
      ['/shops/a1/transactions/7?b=%2f&c=..', '/v2/a1/7?b=%2f&c=..'],
      ['/x%20y-z%3Fw.json?', '/z%3Fw/x%20y?'],
      ['/caf%c3%a9', '/rest/caf%C3%A9'],
    ]) {
      assert.is((await ask(stand, `GET ${target}`)).arrived, `GET ${arrived}`)
    }
  })

  test('what arrives upstream is what was matched, and what could be read in two ways does not arrive', async () => {
    const stand = await startEchoing('/admin/*', '/public/*', '/:one')
    for (const [target, arrived, taken] of [
      ['/%61dmin/x', '/admin/x', '/admin/*'],
      ['/admin/%7euser', '/admin/~user', '/admin/*'],
      ['/public/%c3%a9', '/public/%C3%A9', '/public/*'],
      ['/public/%2561', '/public/%2561', '/public/*'],
      ['/ADMIN', '/ADMIN', '/:one'],
      ['/public/a?/../%2e%2e/;x', '/public/a?/../%2e%2e/;x', '/public/*'],
    ]) {
      const outcome = await ask(stand, `GET ${target}`)
      assert.is(outcome.arrived, `GET ${arrived}`)
      assert.is(outcome.route, taken)
    }
    for (const target of [
      '/public/../admin/x',
      '/public/%2e%2e/admin/x',
      '/public/.%2E/admin/x',
      '/public/./x',
      '/public/..',
      '//admin/x',
      '/public//admin',
      '/admin;x/y',
      '/admin%3bx/y',
      '/public/..;/admin/x',
      '/public%2fadmin',
      '/public/..%2fadmin/x',
      '/public/..%5cadmin/x',
      '/public/%00',
      '/public/%c0%af',
      '/public/%ff',
    ]) {
      const { arrived, head } = await ask(stand, `GET ${target}`)
      assert.is(arrived, '400', target)
      assert.match(head, /^HTTP\/1\.1 400 /)
    }
    const requests = (await stand.exchanges(22)).filter(({ status }) => status === 200)
    assert.is(requests.length, 6)
  })

  test('absolute-form is routed by its authority, not by Host (RFC 9112 §3.2.2)', async () => {
    const stand = await startEchoing('shop.test/*', 'admin.test/a')
    const outcome = await ask(stand, 'GET http://shop.test/a', 'admin.test')
    assert.is(outcome.arrived, 'GET /a')
    assert.is(outcome.route, 'shop.test/*')
  })

  test('parameters, routes and hosts are no business of the token', async () => {
    const stand = await start({}, routing('shop.test/shops/:shop_id'))
    let token = ''
    stand.upstream.serve(({ head }) => {
      token = valuesOf(head, 'x-my-jwt')[0]!
      return ok()
    })
    assert.is((await ask(stand, 'GET /shops/secret7', 'shop.test')).arrived, 'ok')
    const verified = await verifyToken(token, KEY)
    assert.ok(verified.ok, JSON.stringify(verified))
    const said = Buffer.from(token.split('.')[1]!, 'base64url').toString()
    for (const word of ['secret7', 'shop']) assert.not.match(said, word)
  })

  test('each request of a connection has a route of its own', async () => {
    const stand = await startEchoing('GET /a', 'POST /a', '/b/:x → /c/{params.x}')
    const wire = await stand.client()
    for (const [line, arrived] of [
      ['GET /a', 'GET /a'],
      ['POST /a', 'POST /a'],
      ['GET /b/1', 'GET /c/1'],
      ['GET /nowhere', undefined],
      ['GET /b/2', 'GET /c/2'],
    ] as const) {
      wire.send(`${line} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n`)
      const { head, body } = await wire.message()
      if (arrived === undefined) assert.match(head, /^HTTP\/1\.1 404 /)
      else assert.is(body.toString(), arrived)
    }
  })

  test.run()
}
