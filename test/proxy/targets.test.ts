// Where a request is for: the four forms of a request-target, hop counts, and requests that come round again.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asserted, masked, problemIn, valuesOf } from '../support/heads.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { ok } from '../support/wire.ts'

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/targets (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  // ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────

  for (const target of ['/', '/a?b', '/?', '//b.test/x', '/http://b.test/', '/*', '/a:80']) {
    test(`origin-form is forwarded as received: ${target}`, async () => {
      const { forwarded } = await exchange(
        await start(),
        `GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`,
        ok(),
      )
      assert.is(masked(forwarded.head), `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${asserted('a.test')}`)
    })
  }

  for (const [received, line, authority] of [
    ['GET http://b.test/x?y=1', 'GET /x?y=1', 'b.test'],
    ['GET HTTP://b.test:81', 'GET /', 'b.test:81'],
    ['GET http://B.Test?q', 'GET /?q', 'B.Test'],
    ['GET http://b.test//x', 'GET //x', 'b.test'],
    ['GET http://[2001:db8::1]:8080/', 'GET /', '[2001:db8::1]:8080'],
    ['GET http://192.0.2.1:80/a%2Fb', 'GET /a%2Fb', '192.0.2.1:80'],
    ['OPTIONS http://b.test', 'OPTIONS *', 'b.test'],
    ['OPTIONS http://b.test/', 'OPTIONS /', 'b.test'],
    ['OPTIONS http://b.test?q', 'OPTIONS /?q', 'b.test'],
  ] as const) {
    test(`absolute-form becomes origin-form, and its authority replaces Host (RFC 9112 §3.2.2): ${received}`, async () => {
      const { forwarded } = await exchange(
        await start(),
        `${received} HTTP/1.1\r\nHost: a.test\r\n\r\n`,
        ok(),
      )
      assert.is(masked(forwarded.head), `${line} HTTP/1.1\r\nHost: ${authority}\r\n${asserted(authority)}`)
    })
  }

  test('absolute-form needs no Host in HTTP/1.0', async () => {
    const { forwarded } = await exchange(await start(), 'GET http://b.test/x HTTP/1.0\r\n\r\n', ok())
    assert.is(masked(forwarded.head), `GET /x HTTP/1.1\r\nHost: b.test\r\n${asserted('b.test', 0)}`)
  })

  test('asterisk-form is forwarded for OPTIONS', async () => {
    const { forwarded } = await exchange(await start(), 'OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n', ok())
    assert.is(masked(forwarded.head), `OPTIONS * HTTP/1.1\r\nHost: a.test\r\n${asserted('a.test')}`)
  })

  for (const [line, status, code] of [
    ['GET *', 400, 'ERR_TARGET_MALFORMED'],
    ['OPTIONS *x', 400, 'ERR_TARGET_MALFORMED'],
    ['GET a.test:80', 400, 'ERR_TARGET_MALFORMED'],
    ['GET a.test', 400, 'ERR_TARGET_MALFORMED'],
    ['GET http://', 400, 'ERR_TARGET_MALFORMED'],
    ['GET http:///x', 400, 'ERR_TARGET_MALFORMED'],
    ['GET http://user@b.test/', 400, 'ERR_TARGET_MALFORMED'],
    ['GET http://user:pass@b.test/', 400, 'ERR_TARGET_MALFORMED'],
    ['GET http://b.test:99999/', 400, 'ERR_TARGET_MALFORMED'],
    ['GET http://b.test:/', 400, 'ERR_TARGET_MALFORMED'],
    ['GET http://b.test,c.test/', 400, 'ERR_TARGET_MALFORMED'],
    ['GET http://b%2etest/', 400, 'ERR_TARGET_MALFORMED'],
    ['GET /a#b', 400, 'ERR_TARGET_MALFORMED'],
    ['GET http://b.test#c', 400, 'ERR_TARGET_MALFORMED'],
    ['GET /a\\b', 400, 'ERR_TARGET_MALFORMED'],
    ['GET /a"b', 400, 'ERR_TARGET_MALFORMED'],
    ['GET /\xe9', 400, 'ERR_TARGET_MALFORMED'],
    ['GET https://b.test/', 421, 'ERR_MISDIRECTED'],
    ['GET HTTPS://b.test/', 421, 'ERR_MISDIRECTED'],
    ['GET ftp://b.test/', 421, 'ERR_MISDIRECTED'],
    ['CONNECT a.test:443', 501, 'ERR_CONNECT_UNSUPPORTED'],
    ['CONNECT /', 501, 'ERR_CONNECT_UNSUPPORTED'],
  ] as const) {
    test(`${JSON.stringify(line)} is refused with ${status} and goes nowhere`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`${line} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      const { head, body } = await client.message()
      assert.ok(head.startsWith(`HTTP/1.1 ${status} `), head)
      assert.is(problemIn(body).code, code)
      assert.equal(valuesOf(head, 'connection'), ['close'])
      assert.equal(await client.rest(), { octets: '', ending: 'fin' })
      assert.is(stand.upstream.wires.length, 0)
    })
  }

  test('what follows a refused CONNECT is no request', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(
      'CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\nGET /inside HTTP/1.1\r\nHost: a.test\r\n\r\n',
    )
    assert.ok((await client.message()).head.startsWith('HTTP/1.1 501 '))
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
    assert.is(stand.upstream.wires.length, 0)
  })

  // ── hop counts ──────────────────────────────────────────────────────────────────────────────────────────────

  for (const target of ['*', '/x', 'http://b.test']) {
    test(`OPTIONS ${target} with Max-Forwards: 0 is answered by signet (RFC 9110 §7.6.2)`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`OPTIONS ${target} HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n\r\n`)
      assert.is(masked(await client.head()), 'HTTP/1.1 200 OK\r\nDate: <now>\r\nContent-Length: 0\r\n\r\n')
      assert.is(stand.upstream.wires.length, 0)
      client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
      await (await stand.upstream.accept()).head()
    })
  }

  test('Max-Forwards of OPTIONS goes on with one hop less, behind the received lines', async () => {
    const request = 'OPTIONS /x HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 10\r\nX-Own: 1\r\n\r\n'
    const { forwarded } = await exchange(await start(), request, ok())
    assert.is(
      masked(forwarded.head),
      `OPTIONS /x HTTP/1.1\r\nHost: a.test\r\nX-Own: 1\r\nMax-Forwards: 9\r\n${asserted('a.test')}`,
    )
  })

  for (const value of ['-1', '1.5', '', 'x', '0x10', '99999999999999999999']) {
    test(`Max-Forwards: ${value} of OPTIONS is refused`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`OPTIONS / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: ${value}\r\n\r\n`)
      assert.is(problemIn((await client.message()).body).code, 'ERR_HEAD_MALFORMED')
      assert.is(stand.upstream.wires.length, 0)
    })
  }

  test('Max-Forwards twice is refused: which of them counts?', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send('OPTIONS / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\nMax-Forwards: 5\r\n\r\n')
    assert.is(problemIn((await client.message()).body).code, 'ERR_HEAD_MALFORMED')
    assert.is(stand.upstream.wires.length, 0)
  })

  // ── loops ───────────────────────────────────────────────────────────────────────────────────────────────────

  test('a request that comes round to the very same instance is refused with 508, and the connection goes on', async () => {
    const stand = await start()
    const { client, upstream, forwarded } = await exchange(
      stand,
      'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
      ok(),
    )
    client.send(forwarded.head)
    const { head, body } = await client.message()
    assert.ok(head.startsWith('HTTP/1.1 508 Loop Detected\r\n'), head)
    assert.is(problemIn(body).code, 'ERR_LOOP')
    assert.equal(valuesOf(head, 'connection'), [])
    client.send('GET /again HTTP/1.1\r\nHost: a.test\r\n\r\n')
    assert.ok((await upstream.head()).startsWith('GET /again '))
  })

  for (const [name, via] of [
    ['in a list', (self: string) => `Via: 1.0 fred, 1.1 ${self}\t, 1.1 other\r\n`],
    [
      'in another line',
      (self: string) => `Via: 1.0 fred\r\nvia: HTTP/1.1 ${self} (comment)\r\nVia: 1.1 last\r\n`,
    ],
    ['nominated in Connection', (self: string) => `Connection: Via\r\nVia: 1.1 ${self}\r\n`],
  ] as const) {
    test(`a loop is found ${name}`, async () => {
      const stand = await start()
      const { client, forwarded } = await exchange(stand, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', ok())
      const self = /^1\.1 (signet-[0-9a-f]{8})$/.exec(valuesOf(forwarded.head, 'via')[0] ?? '')?.[1] ?? ''
      client.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${via(self)}\r\n`)
      assert.is(problemIn((await client.message()).body).code, 'ERR_LOOP')
      assert.is(stand.upstream.wires.length, 1)
    })
  }

  test('a loop with a body is refused, and the connection ends', async () => {
    const stand = await start()
    const { client, forwarded } = await exchange(stand, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', ok())
    client.send(forwarded.head.replace(/^GET/, 'PUT').replace('\r\n\r\n', '\r\nContent-Length: 5\r\n\r\n'))
    const { head, body } = await client.message()
    assert.is(problemIn(body).code, 'ERR_LOOP')
    assert.equal(valuesOf(head, 'connection'), ['close'])
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
  })

  test('other proxies in Via, other signets among them, are passed on before this one', async () => {
    const via = 'Via: 1.0 fred\r\nVia: 1.1 signet-00000000, 1.1 signet\r\n'
    const { forwarded } = await exchange(await start(), `GET / HTTP/1.1\r\nHost: a.test\r\n${via}\r\n`, ok())
    assert.is(masked(forwarded.head), `GET / HTTP/1.1\r\nHost: a.test\r\n${via}${asserted('a.test')}`)
  })

  test('two signets in a row are no loop, and the last one is trusted with identity', async () => {
    const inner = await start()
    const outer = await start({ SIGNET_UPSTREAM: `http://127.0.0.1:${inner.port}` })
    const client = await outer.client()
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    const upstream = await inner.upstream.accept()
    const head = await upstream.head()
    assert.is(valuesOf(head, 'x-my-jwt').length, 1)
    assert.is(new Set(valuesOf(head, 'via')).size, 2)
    upstream.send(ok())
    assert.is((await client.message()).body.toString(), 'ok')
  })

  test.run()
}
