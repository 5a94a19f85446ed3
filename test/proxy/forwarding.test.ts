// What of a message crosses the proxy, and in which order: exact octets on both sides.

import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asserted, masked, namesIn, valuesOf } from '../support/heads.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { ok, RawUpstream, Wire } from '../support/wire.ts'

const GET = 'GET /p HTTP/1.1\r\nHost: a.test\r\n'

/** Lines that a tidy-minded proxy would be tempted to touch. */
const ODD_LINES = [
  'aCCept: */*',
  'X-Blanks: \t two  blanks, and a tab\t ',
  'X-None:',
  'X-Tight:tight',
  'X-Twice: 1',
  'X-Twice: 2',
  'X-Obs: \x80\xa0\xff caf\xc3\xa9',
  "X-!#$%&'*+-.^_`|~09: name of every kind of octet",
  'Cookie: a=b; c="d"',
  'Authorization: Basic Zm9v',
  'Cache-Control: no-cache',
  'Via: 1.0 fred, 1.1 p.example.com (Apache/1.1)',
]
  .map((line) => `${line}\r\n`)
  .join('')

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'))

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/forwarding (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  // ── requests ────────────────────────────────────────────────────────────────────────────────────────────────

  test('a GET reaches the upstream as Host, the received lines, and what signet says, the token last', async () => {
    const { forwarded } = await exchange(await start(), `${GET}Accept: */*\r\n\r\n`, ok())
    assert.is(
      masked(forwarded.head),
      'GET /p HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n' +
        'X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: a.test\r\nX-Forwarded-Proto: http\r\n' +
        'Forwarded: for=127.0.0.1;host="a.test";proto=http\r\nVia: 1.1 <signet>\r\nx-my-jwt: <jwt>\r\n\r\n',
    )
    assert.is(forwarded.body.length, 0)
  })

  test('received field lines pass octet for octet and in order, obs-text and odd white space included', async () => {
    const { forwarded } = await exchange(await start(), `${GET}${ODD_LINES}\r\n`, ok())
    assert.is(masked(forwarded.head), `${GET}${ODD_LINES}${asserted('a.test')}`)
  })

  test('Host stands first, wherever the client put it and however it spelled it', async () => {
    const request = 'GET / HTTP/1.1\r\nX-A: 1\r\nhOST:\t a.test:8080 \r\nX-B: 2\r\n\r\n'
    const { forwarded } = await exchange(await start(), request, ok())
    assert.is(
      masked(forwarded.head),
      `GET / HTTP/1.1\r\nHost: a.test:8080\r\nX-A: 1\r\nX-B: 2\r\n${asserted('a.test:8080')}`,
    )
  })

  test('path and query pass octet for octet, whatever they look like', async () => {
    const target = "/a//b/../%2e%2E/;p=1/%00!$&'()*+,:@|[]~?q=1&&r?{}^`\\/&=%7a"
    const { forwarded } = await exchange(
      await start(),
      `GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`,
      ok(),
    )
    assert.ok(forwarded.head.startsWith(`GET ${target} HTTP/1.1\r\n`), forwarded.head)
  })

  test('a POST with a length: the framing line stands behind the received lines, the body is the same', async () => {
    const request =
      'POST /p HTTP/1.1\r\nContent-LENGTH:  11\r\nHost: a.test\r\nContent-Type: text/plain\r\n\r\n\x00hello\xffworl'
    const { forwarded } = await exchange(await start(), request, ok())
    assert.is(
      masked(forwarded.head),
      `POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n${asserted('a.test')}`,
    )
    assert.is(forwarded.body.toString('latin1'), '\x00hello\xffworl'.slice(0, 11))
  })

  test('a POST in chunks: the chunks pass as they came', async () => {
    const body = '5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n'
    const request = `POST /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: Chunked\r\n\r\n${body}`
    const { forwarded } = await exchange(await start(), request, ok())
    assert.is(
      masked(forwarded.head),
      `POST /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n${asserted('a.test')}`,
    )
    assert.is(forwarded.body.toString('latin1'), body)
  })

  test('chunk extensions stop here: they are for this hop alone (RFC 9112 §7.1.1)', async () => {
    const request = `POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3;a="b";c\r\nabc\r\n0;d\r\n\r\n`
    const { forwarded } = await exchange(await start(), request, ok())
    assert.is(forwarded.body.toString('latin1'), '3\r\nabc\r\n0\r\n\r\n')
  })

  for (const method of ['GET', 'POST']) {
    test(`Content-Length: 0 of a ${method} is still said upstream (RFC 9110 §8.6)`, async () => {
      const request = `${method} / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n`
      const { forwarded } = await exchange(await start(), request, ok())
      assert.is(
        masked(forwarded.head),
        `${method} / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n${asserted('a.test')}`,
      )
    })
  }

  test('a POST that says nothing of a body is forwarded saying nothing', async () => {
    const { forwarded } = await exchange(await start(), 'POST / HTTP/1.1\r\nHost: a.test\r\n\r\n', ok())
    assert.is(masked(forwarded.head), `POST / HTTP/1.1\r\nHost: a.test\r\n${asserted('a.test')}`)
  })

  test('a GET with a body is forwarded with its body', async () => {
    const request = `GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc`
    const { forwarded } = await exchange(await start(), request, ok())
    assert.is(forwarded.body.toString(), 'abc')
  })

  test('an HTTP/1.0 request without Host becomes HTTP/1.1 with the authority of the upstream', async () => {
    const stand = await start()
    const { forwarded } = await exchange(stand, 'GET /p HTTP/1.0\r\nAccept: */*\r\n\r\n', ok())
    assert.is(
      masked(forwarded.head),
      `GET /p HTTP/1.1\r\nHost: 127.0.0.1:${stand.upstream.port}\r\nAccept: */*\r\n${asserted(undefined, 0)}`,
    )
  })

  test('an HTTP/1.0 request with Host and body keeps both, and Via tells the version received', async () => {
    const request = 'POST /p HTTP/1.0\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi'
    const { forwarded } = await exchange(await start(), request, ok())
    const head = `POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n${asserted('a.test', 0)}`
    assert.is(masked(forwarded.head), head)
    assert.is(forwarded.body.toString(), 'hi')
  })

  test('an upstream may be named instead of numbered', async () => {
    const named = await RawUpstream.listen()
    const stand = await start({ SIGNET_UPSTREAM: `http://LocalHost:${named.port}` })
    const client = await stand.client()
    client.send('GET /p HTTP/1.0\r\n\r\n')
    const upstream = await named.accept()
    assert.is(
      masked(await upstream.head()),
      `GET /p HTTP/1.1\r\nHost: localhost:${named.port}\r\n${asserted(undefined, 0)}`,
    )
    await named.close()
  })

  test('one empty line before a request is passed over (RFC 9112 §2.2)', async () => {
    const { forwarded } = await exchange(await start(), `\r\n${GET}\r\n`, ok())
    assert.is(masked(forwarded.head), `${GET}${asserted('a.test')}`)
  })

  for (const spelling of [
    'X-Forwarded-For: 6.6.6.6',
    'x-forwarded-FOR: 6.6.6.6, 7.7.7.7',
    'X_Forwarded_For: 6.6.6.6',
    'X-Forwarded.For: 6.6.6.6',
    'X-Forwarded-Host: evil.test',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Port: 443',
    'X-Forwarded-Prefix: /admin',
    'X-Forwarded-: x',
    'Forwarded: for=6.6.6.6;proto=https',
    'fOrWaRdEd: for="_gazonk"',
    'X-Real-IP: 6.6.6.6',
    'x_real_ip: 6.6.6.6',
  ]) {
    test(`what a client claims about where it came from is replaced: ${spelling}`, async () => {
      const { forwarded } = await exchange(
        await start(),
        `${GET}${spelling}\r\n${spelling}\r\nX-Own: 1\r\n\r\n`,
        ok(),
      )
      assert.is(masked(forwarded.head), `${GET}X-Own: 1\r\n${asserted('a.test')}`)
    })
  }

  for (const [host, node] of [
    ['::1', '"[::1]"'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
  ] as const) {
    const where = hasIpv6 ? test : test.skip
    where(`the address of a client at ${host} is told as ${node} (RFC 7239 §6)`, async () => {
      const stand = await start({ HTTP_HOST: '::' })
      const client = new Wire(connect(stand.port, host.replace('::ffff:', '')))
      client.send(`${GET}\r\n`)
      const head = await (await stand.upstream.accept()).head()
      assert.equal(valuesOf(head, 'forwarded'), [`for=${node};host="a.test";proto=http`])
      assert.equal(valuesOf(head, 'x-forwarded-for'), [node.replace(/[["\]]/g, '')])
      client.destroy()
    })
  }

  test('a field that merely resembles a forwarding field is an ordinary one', async () => {
    const lines = 'X-Forwarded: 1\r\nX-ForwardedFor: 2\r\nForwarded-For: 3\r\nX-Real-IPs: 4\r\n'
    const { forwarded } = await exchange(await start(), `${GET}${lines}\r\n`, ok())
    assert.is(masked(forwarded.head), `${GET}${lines}${asserted('a.test')}`)
  })

  test('the forwarding fields name the authority of this request, not of the one before on the connection', async () => {
    const { client, upstream } = await exchange(await start(), `${GET}\r\n`, ok())
    client.send('GET / HTTP/1.1\r\nHost: b.test:81\r\n\r\n')
    assert.is(masked(await upstream.head()), `GET / HTTP/1.1\r\nHost: b.test:81\r\n${asserted('b.test:81')}`)
  })

  for (const line of [
    'Connection: keep-alive',
    'Connection: close',
    'Keep-Alive: timeout=5, max=100',
    'Proxy-Connection: keep-alive',
    'proxy-authorization: Basic Zm9v',
    'Proxy-Authenticate: Basic',
    'Proxy-Authentication-Info: x',
    'TE: gzip',
    'Trailer: Expires',
    'Upgrade: websocket',
    'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings',
  ]) {
    test(`hop-by-hop fields of a request stop here: ${JSON.stringify(line)}`, async () => {
      const { forwarded } = await exchange(await start(), `${GET}${line}\r\nX-Own: 1\r\n\r\n`, ok())
      assert.is(masked(forwarded.head), `${GET}X-Own: 1\r\n${asserted('a.test')}`)
    })
  }

  test('what Connection nominates in a request stops here, in any case and over several lines', async () => {
    const lines =
      'X-One: 1\r\nConnection: x-ONE ,, \t x-two\r\nX-Two: 2\r\nx-two: 2\r\nX-Own: 1\r\nX-Three: 3\r\nconnection:X-Three\r\n'
    const { forwarded } = await exchange(await start(), `${GET}${lines}\r\n`, ok())
    assert.is(masked(forwarded.head), `${GET}X-Own: 1\r\n${asserted('a.test')}`)
  })

  test('nominating cannot remove what framing, Host, credentials or signet depend on (RFC 2616 §14.10)', async () => {
    const nominated = [
      'Host, Content-Length, Content-Type, Content-Encoding, Range, Expect, Cookie, Authorization, Cache-Control',
      'Via, Date, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Forwarded, x-my-jwt, Connection',
    ]
    const kept =
      'Content-Type: text/plain\r\nContent-Encoding: identity\r\nRange: bytes=0-1\r\nCookie: a=b\r\n' +
      'Authorization: Basic Zm9v\r\nCache-Control: no-store\r\nVia: 1.1 other\r\n'
    const connection = nominated.map((options) => `Connection: ${options}\r\n`).join('')
    const request = `POST /p HTTP/1.1\r\nHost: a.test\r\n${connection}${kept}Content-Length: 2\r\n\r\nhi`
    const { forwarded } = await exchange(await start(), request, ok())
    const head = `POST /p HTTP/1.1\r\nHost: a.test\r\n${kept}Content-Length: 2\r\n${asserted('a.test')}`
    assert.is(masked(forwarded.head), head)
    assert.is(forwarded.body.toString(), 'hi')
  })

  test('nominating Transfer-Encoding changes nothing about the framing', async () => {
    const body = '2\r\nhi\r\n0\r\n\r\n'
    const request =
      'POST /p HTTP/1.1\r\nHost: a.test\r\nConnection: transfer-encoding, te, trailer\r\n' +
      `Transfer-Encoding: chunked\r\n\r\n${body}`
    const { forwarded } = await exchange(await start(), request, ok())
    const head = `POST /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n${asserted('a.test')}`
    assert.is(masked(forwarded.head), head)
    assert.is(forwarded.body.toString(), body)
  })

  for (const te of ['trailers', 'gzip;q=0.5, Trailers', ' , trailers']) {
    test(`TE: ${te} goes on as trailers alone, said anew for the next hop (RFC 9110 §10.1.4)`, async () => {
      const { forwarded } = await exchange(await start(), `${GET}Connection: te\r\nTE: ${te}\r\n\r\n`, ok())
      assert.is(masked(forwarded.head), `${GET}Connection: TE\r\nTE: trailers\r\n${asserted('a.test')}`)
    })
  }

  test('TE of an HTTP/1.0 client stops here: it cannot take trailer fields', async () => {
    const { forwarded } = await exchange(
      await start(),
      'GET /p HTTP/1.0\r\nHost: a.test\r\nTE: trailers\r\n\r\n',
      ok(),
    )
    assert.is(masked(forwarded.head), `${GET}${asserted('a.test', 0)}`)
  })

  test('a trailer section of a request passes, but for the fields that only a head may have', async () => {
    const data = '2\r\nhi\r\n0\r\n'
    const trailers =
      'X-Sum: 1\r\nx-my-jwt: forged\r\nX_My_Jwt: forged\r\nContent-Length: 5\r\nHost: b.test\r\n' +
      'X-Forwarded-For: 6.6.6.6\r\nAuthorization: x\r\nConnection: close\r\nX-Obs: \xe9 \r\n'
    const request = `POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n${data}${trailers}\r\n`
    const { forwarded } = await exchange(await start(), request, ok())
    assert.is(forwarded.body.toString('latin1'), `${data}X-Sum: 1\r\nX-Obs: \xe9 \r\n\r\n`)
  })

  // ── responses ───────────────────────────────────────────────────────────────────────────────────────────────

  test('a response reaches the client with its lines octet for octet, then Date, then its framing', async () => {
    const lines =
      'Set-Cookie: a=1\r\nset-cookie: b=2\r\nX-Blanks:  \ttwo  \r\nX-None:\r\nX-Obs: \x80\xff\r\nServer: up\r\nVia: 1.1 in\r\n'
    const answer = `HTTP/1.1 200 Tr\xe8s  bien!\r\nCONTENT-length:5\r\n${lines}\r\nhello`
    const { response } = await exchange(await start(), `${GET}\r\n`, answer)
    assert.is(
      masked(response.head),
      `HTTP/1.1 200 Tr\xe8s  bien!\r\n${lines}Date: <now>\r\nContent-Length: 5\r\n\r\n`,
    )
    assert.is(response.body.toString(), 'hello')
  })

  test("the upstream's own Date is kept where it stood, and none is added", async () => {
    const date = 'Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n'
    const { response } = await exchange(await start(), `${GET}\r\n`, ok('ok', `X-A: 1\r\n${date}X-B: 2\r\n`))
    assert.is(response.head, `HTTP/1.1 200 OK\r\nX-A: 1\r\n${date}X-B: 2\r\nContent-Length: 2\r\n\r\n`)
  })

  for (const [line, status] of [
    ['HTTP/1.1 404 Not Found', 'HTTP/1.1 404 Not Found'],
    ['HTTP/1.1 200 ', 'HTTP/1.1 200 '],
    ['HTTP/1.1 200', 'HTTP/1.1 200 '],
    ['HTTP/1.0 200 OK', 'HTTP/1.1 200 OK'],
    ['HTTP/1.1 599 \t~', 'HTTP/1.1 599 \t~'],
  ] as const) {
    test(`the status line ${JSON.stringify(line)} reaches the client as ${JSON.stringify(status)}`, async () => {
      const { response } = await exchange(await start(), `${GET}\r\n`, `${line}\r\nContent-Length: 0\r\n\r\n`)
      assert.is(masked(response.head), `${status}\r\nDate: <now>\r\nContent-Length: 0\r\n\r\n`)
    })
  }

  for (const line of [
    'Connection: keep-alive',
    'Connection: close',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: close',
    'Proxy-Authenticate: Basic realm="inside"',
    'Proxy-Authentication-Info: x',
    'TE: trailers',
    'Trailer: X-Sum',
    'Upgrade: h2c',
    'x-my-jwt: a.b.c',
  ]) {
    test(`hop-by-hop fields of a response stop here: ${line}`, async () => {
      const { response } = await exchange(await start(), `${GET}\r\n`, ok('ok', `${line}\r\nX-Own: 1\r\n`))
      assert.is(
        masked(response.head),
        'HTTP/1.1 200 OK\r\nX-Own: 1\r\nDate: <now>\r\nContent-Length: 2\r\n\r\n',
      )
    })
  }

  test('what Connection nominates in a response stops here, but for what framing and clients depend on', async () => {
    const kept =
      'Set-Cookie: a=1\r\nContent-Type: text/plain\r\nWWW-Authenticate: Basic\r\nLocation: /x\r\nVary: Accept\r\n'
    const connection =
      'Connection: X-Inside, Content-Length, Content-Type, Set-Cookie, Date, WWW-Authenticate, Location, Vary\r\n'
    const answer = ok('hello', `X-Inside: 1\r\n${connection}${kept}x-INSIDE: 2\r\nX-Own: 1\r\n`)
    const { response } = await exchange(await start(), `${GET}\r\n`, answer)
    assert.is(
      masked(response.head),
      `HTTP/1.1 200 OK\r\n${kept}X-Own: 1\r\nDate: <now>\r\nContent-Length: 5\r\n\r\n`,
    )
    assert.is(response.body.toString(), 'hello')
  })

  test('what a request nominates is not looked for in its response, and the other way round', async () => {
    const request = `${GET}Connection: X-Out\r\nX-Out: 1\r\nX-Back: 1\r\n\r\n`
    const answer = ok('ok', 'Connection: X-Back\r\nX-Back: 1\r\nX-Out: 1\r\n')
    const { forwarded, response } = await exchange(await start(), request, answer)
    assert.equal(valuesOf(forwarded.head, 'x-back'), ['1'])
    assert.equal(valuesOf(forwarded.head, 'x-out'), [])
    assert.equal(valuesOf(response.head, 'x-back'), [])
    assert.equal(valuesOf(response.head, 'x-out'), ['1'])
  })

  test('a response in chunks passes as it came, with its trailer section, without its extensions', async () => {
    const answer =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\nx-my-jwt: t\r\n\r\n'
    const { response } = await exchange(await start(), `${GET}TE: trailers\r\n\r\n`, answer)
    assert.is(masked(response.head), 'HTTP/1.1 200 OK\r\nDate: <now>\r\nTransfer-Encoding: chunked\r\n\r\n')
    assert.is(response.body.toString(), '5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n')
  })

  test('a response that goes on until its connection closes does so for the client too', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${GET}\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nsome').end()
    const { octets, ending } = await client.rest()
    assert.is(masked(octets), 'HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: <now>\r\nConnection: close\r\n\r\nsome')
    assert.is(ending, 'fin')
  })

  for (const [name, framing, forwarded] of [
    ['a length', 'Content-Length: 12345\r\n', 'Content-Length: 12345\r\n'],
    ['a length of 0', 'Content-Length: 0\r\n', 'Content-Length: 0\r\n'],
    ['chunks', 'Transfer-Encoding: chunked\r\n', ''],
    ['no framing', '', ''],
  ] as const) {
    for (const [request, status] of [
      ['HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n', '200 OK'],
      [`${GET}\r\n`, '304 Not Modified'],
    ] as const) {
      test(`${status} to ${request.slice(0, 4).trim()} with ${name} has no body, and the connection goes on`, async () => {
        const stand = await start()
        const client = await stand.client()
        client.send(request)
        const upstream = await stand.upstream.accept()
        await upstream.head()
        upstream.send(`HTTP/1.1 ${status}\r\n${framing}ETag: "x"\r\n\r\n`)
        assert.is(
          masked(await client.head()),
          `HTTP/1.1 ${status}\r\nETag: "x"\r\nDate: <now>\r\n${forwarded}\r\n`,
        )
        client.send(`${GET}\r\n`)
        assert.is(masked(await upstream.head()), `${GET}${asserted('a.test')}`)
        upstream.send(ok('next'))
        assert.is((await client.message()).body.toString(), 'next')
      })
    }
  }

  for (const framing of [
    '',
    'Content-Length: 0\r\n',
    'Content-Length: 3\r\n',
    'Transfer-Encoding: chunked\r\n',
  ]) {
    test(`204 has neither body nor framing, even if it says ${JSON.stringify(framing)} (RFC 9110 §8.6)`, async () => {
      const { client, upstream, response } = await exchange(
        await start(),
        'DELETE /x HTTP/1.1\r\nHost: a.test\r\n\r\n',
        `HTTP/1.1 204 No Content\r\n${framing}\r\n`,
      )
      assert.is(masked(response.head), 'HTTP/1.1 204 No Content\r\nDate: <now>\r\n\r\n')
      client.send(`${GET}\r\n`)
      await upstream.head()
      upstream.send(ok('next'))
      assert.is((await client.message()).body.toString(), 'next')
    })
  }

  test('octets behind a 204 never become part of the next response', async () => {
    const stand = await start()
    const { client } = await exchange(
      stand,
      `${GET}\r\n`,
      'HTTP/1.1 204 No Content\r\nContent-Length: 19\r\n\r\nHTTP/1.1 666 Evil\r\n',
    )
    client.send(`${GET}\r\n`)
    const second = await stand.upstream.accept()
    await second.head()
    second.send(ok('mine'))
    const { head, body } = await client.message()
    assert.is(masked(head), 'HTTP/1.1 200 OK\r\nDate: <now>\r\nContent-Length: 4\r\n\r\n')
    assert.is(body.toString(), 'mine')
  })

  test('a response of length 0 says so, and the connection goes on', async () => {
    const { client, upstream, response } = await exchange(await start(), `${GET}\r\n`, ok(''))
    assert.is(masked(response.head), 'HTTP/1.1 200 OK\r\nDate: <now>\r\nContent-Length: 0\r\n\r\n')
    client.send(`${GET}\r\n`)
    await upstream.head()
  })

  test('interim responses pass with their end-to-end lines, without framing and without Date', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${GET}\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(
      'HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nConnection: X-A\r\nX-A: 1\r\nx-my-jwt: t\r\n\r\n',
    )
    assert.is(await client.head(), 'HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n')
    upstream.send(`HTTP/1.1 102 Processing\r\nContent-Length: 10\r\n\r\n${ok()}`)
    assert.is(await client.head(), 'HTTP/1.1 102 Processing\r\n\r\n')
    assert.is(masked(await client.head()), 'HTTP/1.1 200 OK\r\nDate: <now>\r\nContent-Length: 2\r\n\r\n')
  })

  // ── HTTP/1.0 clients ────────────────────────────────────────────────────────────────────────────────────────

  const OLD_GET = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'

  for (const [name, framed, forwarded, body] of [
    ['a length', 'Content-Length: 2\r\n\r\nhi', 'Content-Length: 2\r\n', 'hi'],
    [
      'chunks',
      'Transfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n3\r\n\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n',
      '',
      'hi\r\n!',
    ],
    ['no body', 'Content-Length: 0\r\n\r\n', 'Content-Length: 0\r\n', ''],
  ] as const) {
    test(`a response with ${name} reaches an HTTP/1.0 client without chunks, and its connection ends`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(OLD_GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send(`HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n${framed}`)
      const { octets, ending } = await client.rest()
      assert.is(
        masked(octets),
        `HTTP/1.1 200 OK\r\nDate: <now>\r\n${forwarded}Connection: close\r\n\r\n${body}`,
      )
      assert.is(ending, 'fin')
      assert.is(upstream.ending, undefined, "the upstream's connection is kept")
    })
  }

  test('chunks are taken off for an HTTP/1.0 client wherever the reads cut them', async () => {
    const stand = await start()
    const chunked = 'b\r\nhello world\r\n10;ext=1\r\n0123456789abcdef\r\n0\r\n\r\n'
    for (let cut = 1; cut < chunked.length; cut++) {
      const client = await stand.client()
      client.send('GET / HTTP/1.0\r\n\r\n')
      const upstream = cut === 1 ? await stand.upstream.accept() : stand.upstream.wires[0]!
      await upstream.head()
      upstream.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked.slice(0, cut)}`)
      await client.head()
      upstream.send(chunked.slice(cut))
      assert.is((await client.rest()).octets, 'hello world0123456789abcdef')
    }
  })

  test('an HTTP/1.0 client gets no interim response (RFC 9110 §15.2)', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send('POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi')
    const upstream = await stand.upstream.accept()
    await upstream.message()
    upstream.send(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n${ok()}`)
    const { octets } = await client.rest()
    assert.is(
      masked(octets),
      'HTTP/1.1 200 OK\r\nDate: <now>\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
    )
  })

  test('a chunked response cut short is cut short for an HTTP/1.0 client too, though it has no chunks', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send('GET / HTTP/1.0\r\n\r\n')
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    assert.is(
      masked(await client.until('hello')),
      'HTTP/1.1 200 OK\r\nDate: <now>\r\nConnection: close\r\n\r\nhello',
    )
    upstream.end()
    assert.is((await client.rest()).ending, 'reset')
  })

  // ── size ────────────────────────────────────────────────────────────────────────────────────────────────────

  test('a MiB each way arrives octet for octet', async () => {
    const stand = await start()
    const up = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, at) => (at * 31) ^ (at >> 8)))
    const down = Buffer.from(up).reverse()
    const client = await stand.client()
    client.send(
      Buffer.concat([
        Buffer.from(`PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${up.length}\r\n\r\n`),
        up,
      ]),
    )
    const upstream = await stand.upstream.accept()
    assert.ok((await upstream.message()).body.equals(up))
    upstream.send(
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${down.length}\r\n\r\n`), down]),
    )
    assert.ok((await client.message()).body.equals(down))
  })

  test('as many field lines as the limit allows pass in order', async () => {
    const lines = Array.from({ length: 99 }, (_, index) => `X-${index}: ${index}\r\n`).join('')
    const { forwarded } = await exchange(await start(), `${GET}${lines}\r\n`, ok())
    assert.equal(namesIn(forwarded.head).slice(1, 100), namesIn(`${GET}${lines}\r\n`).slice(1))
  })

  test('Max-Forwards of another method than OPTIONS means nothing and passes (RFC 9110 §7.6.2)', async () => {
    const line = 'Max-Forwards: 0\r\n'
    const { forwarded } = await exchange(await start(), `${GET}${line}\r\n`, ok())
    assert.is(masked(forwarded.head), `${GET}${line}${asserted('a.test')}`)
  })

  test.run()
}
