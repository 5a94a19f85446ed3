// What is written down about an exchange: one line, whatever became of it, with all that explains it and nothing secret.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DEMO_SECRET } from '../../src/jwt/keys.ts'
import { compressing } from '../support/compressed.ts'
import { later } from '../support/flow.ts'
import { claimsIn, problemIn, valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf } from '../support/process.ts'
import { type LogLine, READ_PATHS, startStand } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { ok, RawUpstream, type Wire } from '../support/wire.ts'

const H = 'Host: a.test\r\n'

/** The whole line, but for what differs from run to run: these are checked for being there and plausible. */
function stable({ id, ms, upstreamMs, jti, ...others }: LogLine): Record<string, unknown> {
  assert.match(String(id), /^[0-9a-f]{8}-[0-9a-z]+$/)
  assert.ok(typeof ms === 'number' && ms >= 0 && ms < 60_000, `ms ${ms}`)
  if (upstreamMs !== undefined)
    assert.ok(typeof upstreamMs === 'number' && upstreamMs >= 0 && upstreamMs <= ms)
  if (jti !== undefined) assert.match(String(jti), /^[0-9a-f-]{36}$/)
  return Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined))
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/logs (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  test('an exchange is one line: who, what, how much, how long, by which upstream, with which token', async () => {
    const stand = await start({ SIGNET_USER: 'somebody' })
    const request = `POST /a/b?q=1 HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello`
    const { forwarded, response } = await exchange(stand, request, ok('answer'))
    const [line] = await stand.exchanges(1)
    assert.equal(stable(line!), {
      level: 'info',
      event: 'exchange',
      client: '127.0.0.1',
      method: 'POST',
      path: '/a/b',
      status: 200,
      octetsIn: request.length,
      octetsOut: response.head.length + 6,
      upstream: `127.0.0.1:${stand.upstream.port}`,
      reused: false,
      subject: 'somebody',
    })
    assert.is(line?.jti, (await claimsIn(forwarded.head)).jti)
    assert.ok(line?.upstreamMs !== undefined)
  })

  test('the line of an exchange says what its response was compressed with, if it was', async () => {
    const stand = await start({}, compressing())
    const answer = ok('x'.repeat(2000)).replace(
      'Content-Length',
      'Content-Type: text/plain\r\nContent-Length',
    )
    const { client, upstream } = await exchange(
      stand,
      `GET /1 HTTP/1.1\r\n${H}Accept-Encoding: gzip\r\n\r\n`,
      answer,
    )
    client.send(`GET /2 HTTP/1.1\r\n${H}\r\n`)
    await upstream.head()
    upstream.send(answer)
    await client.message()
    const lines = await stand.exchanges(2)
    assert.equal(
      lines.map(({ path, encoding }) => [path, encoding]),
      [
        ['/1', 'gzip'],
        ['/2', undefined],
      ],
    )
  })

  test('the line of a later exchange says that its upstream connection was reused', async () => {
    const stand = await start()
    const { client, upstream } = await exchange(stand, `GET /1 HTTP/1.1\r\n${H}\r\n`, ok())
    client.send(`GET /2 HTTP/1.1\r\n${H}\r\n`)
    await upstream.head()
    upstream.send(ok())
    await client.message()
    const lines = await stand.exchanges(2)
    assert.equal(
      lines.map(({ path, reused }) => [path, reused]),
      [
        ['/1', false],
        ['/2', true],
      ],
    )
    assert.is(new Set(lines.map(({ id }) => id)).size, 2)
    assert.is(new Set(lines.map(({ jti }) => jti)).size, 2)
  })

  test('without a token the line has neither jti nor subject', async () => {
    const stand = await start({ SIGNET_JWT_METHODS: 'POST' })
    await exchange(stand, `GET / HTTP/1.1\r\n${H}\r\n`, ok())
    const [line] = await stand.exchanges(1)
    assert.is(line?.jti, undefined)
    assert.is(line?.subject, undefined)
  })

  test('time is measured from the whole head to the last octet, and to the response head', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`GET / HTTP/1.1\r\n${H}\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    await client.silent(60)
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n')
    await client.head()
    await client.silent(60)
    upstream.send('ok')
    const [line] = await stand.exchanges(1)
    const { ms, upstreamMs } = line as LogLine & { ms: number; upstreamMs: number }
    assert.ok(upstreamMs >= 58 && ms >= upstreamMs + 58 && ms < 2000, JSON.stringify({ ms, upstreamMs }))
  })

  for (const [received, path] of [
    ['/a/b?q=1', '/a/b'],
    ['/?', '/'],
    ['/a?b?c', '/a'],
    ['http://b.test/x?token=1', 'http://b.test/x'],
    ['http://b.test?token=1', 'http://b.test'],
  ] as const) {
    test(`the path of ${received} is logged without its query`, async () => {
      const stand = await start()
      await exchange(stand, `GET ${received} HTTP/1.1\r\n${H}\r\n`, ok())
      assert.is((await stand.exchanges(1))[0]?.path, path)
    })
  }

  test("signet's own pages have their line too, without an upstream", async () => {
    const stand = await start()
    const client = await stand.client()
    const request = `GET /status?x HTTP/1.1\r\n${H}\r\n`
    client.send(request)
    const { head, body } = await client.message()
    const [line] = await stand.exchanges(1)
    assert.equal(stable(line!), {
      level: 'info',
      event: 'exchange',
      client: '127.0.0.1',
      method: 'GET',
      path: '/status',
      status: 200,
      octetsIn: request.length,
      octetsOut: head.length + body.length,
      reused: false,
    })
  })

  test('a head that could not be read has its line, with the sizes, the code and why', async () => {
    const stand = await start()
    const client = await stand.client()
    const request = `GET / HTTP/1.1\r\n${H}${H}\r\n`
    client.send(request)
    const { head, body } = await client.message()
    const [line] = await stand.exchanges(1)
    assert.is(line?.id, problemIn(body).requestId)
    assert.equal(stable(line!), {
      level: 'info',
      event: 'exchange',
      client: '127.0.0.1',
      method: '-',
      path: '-',
      status: 400,
      octetsIn: request.length,
      octetsOut: head.length + body.length,
      reused: false,
      failure: 'ERR_HOST_INVALID',
      side: 'downstream',
      reason: 'more than one Host',
    })
  })

  test('a head that is too large, or too late, has its line with what came of it and no more', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: '50' })
    const { client, upstream } = await exchange(
      stand,
      `GET /before HTTP/1.1\r\n${H}X-A: ${'x'.repeat(900)}\r\n\r\n`,
      ok(),
    )
    assert.is(upstream.ending, undefined)
    client.send('GET / HTTP')
    await client.message()
    const other = await stand.client()
    other.send(`GET / HTTP/1.1\r\n${'x'.repeat(20_000)}`)
    await other.message()
    const lines = await stand.exchanges(3)
    assert.equal(
      lines
        .slice(1)
        .map(({ failure, status, octetsIn }) => [failure, status, octetsIn])
        .sort(),
      [
        ['ERR_HEAD_TIMEOUT', 408, 10],
        ['ERR_HEAD_TOO_LARGE', 431, 20_016],
      ],
    )
  })

  test('a failed exchange says which upstream, which failure, whose fault and why', async () => {
    const stand = await start()
    const client = await stand.client()
    const request = `POST /x HTTP/1.1\r\n${H}Content-Length: 2\r\n\r\nhi`
    client.send(request)
    const upstream = await stand.upstream.accept()
    await upstream.message()
    upstream.end()
    const { head, body } = await client.message()
    const [line] = await stand.exchanges(1)
    assert.is(line?.id, problemIn(body).requestId)
    assert.equal(stable(line!), {
      level: 'info',
      event: 'exchange',
      client: '127.0.0.1',
      method: 'POST',
      path: '/x',
      status: 502,
      octetsIn: request.length,
      octetsOut: head.length + body.length,
      upstream: `127.0.0.1:${stand.upstream.port}`,
      reused: false,
      subject: 'username',
      failure: 'ERR_UPSTREAM_CLOSED',
      side: 'upstream',
      reason: 'the upstream closed before a whole response head',
    })
  })

  for (const [name, play, status, failure] of [
    ['a client that leaves before its answer', (client: Wire) => client.reset(), 499, 'ERR_CLIENT_CLOSED'],
    [
      'a client that leaves within its answer',
      async (client: Wire, upstream: Wire) => {
        upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
        await client.until('hello')
        client.reset()
      },
      200,
      'ERR_CLIENT_CLOSED',
    ],
    [
      'a response that is cut short',
      async (client: Wire, upstream: Wire) => {
        upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
        await client.until('hello')
        upstream.end()
      },
      200,
      'ERR_RESPONSE_CUT_SHORT',
    ],
    [
      'a response whose chunks are broken',
      (_client: Wire, upstream: Wire) => {
        upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nxx')
      },
      502,
      'ERR_RESPONSE_MALFORMED',
    ],
  ] as const) {
    test(`${name} has exactly one line: ${status} ${failure}`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`GET / HTTP/1.1\r\n${H}\r\n`)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      await play(client, upstream)
      await client.rest().catch(() => undefined)
      await upstream.rest()
      const lines = await stand.exchanges(1)
      assert.equal(
        lines.map((line) => [line.status, line.failure]),
        [[status, failure]],
      )
    })
  }

  test('a broken body behind a good head has one line, with the request it belongs to', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST /upload HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\nnonsense`)
    await client.message()
    await client.rest()
    const lines = await stand.exchanges(1)
    assert.equal(
      lines.map(({ path, status, failure }) => [path, status, failure]),
      [['/upload', 400, 'ERR_BODY_MALFORMED']],
    )
  })

  test('a field that was dropped is named at level debug, with the reason and without its value', async () => {
    const stand = await start()
    const lines =
      'X-My-JWT: hidden-1\r\nTE: hidden-2\r\nConnection: X-Own\r\nX-Own: hidden-3\r\nForwarded: for=hidden-4\r\n'
    await exchange(stand, `GET / HTTP/1.1\r\n${H}${lines}\r\n`, ok())
    const decidedAnew = ['Host', 'Content-Length']
    const drops = stand.log.filter(
      ({ event, name }) => event === 'field-dropped' && !decidedAnew.includes(String(name)),
    )
    assert.equal(
      drops.map(({ level, name, why }) => [level, name, why]),
      [
        ['debug', 'X-My-JWT', 'only signet may assert this to an upstream'],
        ['debug', 'TE', 'RFC 9110 §10.1.4: what this hop may receive'],
        ['debug', 'Connection', 'RFC 9110 §7.6.1: options for this hop only'],
        ['debug', 'X-Own', 'named in Connection'],
        ['debug', 'Forwarded', 'signet says what it saw, not what a client claims'],
      ],
    )
    assert.not.match(JSON.stringify(stand.log), /hidden/)
  })

  test('with SIGNET_ACCESS_LOG=off exchanges are counted and not logged', async () => {
    const stand = await start({ SIGNET_ACCESS_LOG: 'off' })
    const { client } = await exchange(stand, `GET / HTTP/1.1\r\n${H}\r\n`, ok())
    client.send(`GET /status HTTP/1.1\r\n${H}\r\n`)
    assert.is(JSON.parse((await client.message()).body.toString()).requests.processed, 1)
    assert.is(stand.log.filter((line) => line.event === 'exchange').length, 0)
  })

  test.run()
}

const test = suite('proxy/logs (process)')
const run = processesOf(test)
const closing = closedAfter(test)

/** Words that nobody else would say: if one of them is printed, it was leaked. */
const SECRETS = {
  key: '5ec4e7'.repeat(22),
  bearer: 'bearer-5zXq81-value',
  cookie: 'cookie-8fK2pw-value',
  proxy: 'proxyauth-Yt6Lm0-value',
  forged: 'forged-Jd83kQ-value',
  query: 'query-Vb7Wn2-value',
  body: 'body-Hc95Rt-value',
  apiKey: 'apikey-Zp3Ns4-value',
  userinfo: 'userinfo-Qe1Xd7-value',
  setCookie: 'setcookie-Lk4Ff9-value',
  trailer: 'trailer-Ms2Ga6-value',
}

test('no secret, token, credential, cookie, query or body is ever printed, at the most talkative level', async () => {
  const upstream = closing(await RawUpstream.listen())
  const signet = run([], {
    SIGNET_SECRET: SECRETS.key,
    SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}`,
    SIGNET_LOG_LEVEL: 'trace',
    SIGNET_BODY_TIMEOUT: '50',
    SIGNET_HEAD_TIMEOUT: '200',
  })
  const tokens = new Set<string>()
  upstream.serve(({ head }, wire) => {
    for (const token of valuesOf(head, 'x-my-jwt')) tokens.add(token)
    if (head.includes('/close')) {
      wire.end()
      return undefined
    }
    if (head.includes('/broken')) return `HTTP/1.1 200 OK\r\nSet-Cookie: ${SECRETS.setCookie}\x00\r\n\r\n`
    if (head.includes('/nonsense')) return `${SECRETS.setCookie} ${head}\r\n\r\n`
    if (head.includes('/chunks'))
      return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${SECRETS.setCookie}\r\n`
    const fields = `Set-Cookie: a=${SECRETS.setCookie}\r\nx-my-jwt: ${[...tokens].at(-1)}\r\nX-Echo: ${[...tokens].at(-1)}\r\n`
    return ok(head, fields)
  })
  const fields =
    `${H}Authorization: Bearer ${SECRETS.bearer}\r\nCookie: sid=${SECRETS.cookie}\r\nX-Api-Key: ${SECRETS.apiKey}\r\n` +
    `Proxy-Authorization: Basic ${SECRETS.proxy}\r\nx-my-jwt: ${SECRETS.forged}\r\nX_My_Jwt: ${SECRETS.forged}\r\n` +
    `Connection: ${SECRETS.apiKey}, X-Api-Key\r\nForwarded: for=${SECRETS.forged}\r\n`
  const query = `?token=${SECRETS.query}&user=me`
  const requests = [
    `GET /fine${query} HTTP/1.1\r\n${fields}\r\n`,
    `GET http://b.test/absolute${query} HTTP/1.1\r\n${fields}\r\n`,
    `GET /status${query} HTTP/1.1\r\n${fields}\r\n`,
    `POST /length${query} HTTP/1.1\r\n${fields}Content-Length: ${SECRETS.body.length}\r\n\r\n${SECRETS.body}`,
    `POST /chunked${query} HTTP/1.1\r\n${fields}Transfer-Encoding: chunked\r\n\r\n0\r\nx-my-jwt: ${SECRETS.trailer}\r\nX-T: ${SECRETS.trailer}\r\n\r\n`,
    `GET /close${query} HTTP/1.1\r\n${fields}\r\n`,
    `GET /broken${query} HTTP/1.1\r\n${fields}\r\n`,
    `GET /nonsense${query} HTTP/1.1\r\n${fields}\r\n`,
    `GET /chunks${query} HTTP/1.1\r\n${fields}\r\n`,
    `TRACE /trace${query} HTTP/1.1\r\n${fields}\r\n`,
    `OPTIONS /options${query} HTTP/1.1\r\nMax-Forwards: ${SECRETS.apiKey}\r\n${fields}\r\n`,
    `CONNECT ${SECRETS.query}:443 HTTP/1.1\r\n${fields}\r\n`,
    `${SECRETS.query} / HTTP/1.1\r\n${fields}\r\n`,
    `GET /no-version${query}\r\n${fields}\r\n`,
    `GET /version${query} HTTP/${SECRETS.query}\r\n${fields}\r\n`,
    `GET /fragment#${SECRETS.query} HTTP/1.1\r\n${fields}\r\n`,
    `GET http://me:${SECRETS.userinfo}@b.test/ HTTP/1.1\r\n${fields}\r\n`,
    `GET ${SECRETS.userinfo}://b.test/ HTTP/1.1\r\n${fields}\r\n`,
    `GET /host${query} HTTP/1.1\r\nHost: ${SECRETS.userinfo}@a.test\r\n${fields}\r\n`,
    `GET /colon${query} HTTP/1.1\r\n${fields}${SECRETS.cookie}\r\n\r\n`,
    `GET /fold${query} HTTP/1.1\r\n${fields} ${SECRETS.cookie}\r\n\r\n`,
    `GET /nul${query} HTTP/1.1\r\n${fields}X-Nul: ${SECRETS.cookie}\x00\r\n\r\n`,
    `POST /te${query} HTTP/1.1\r\n${fields}Transfer-Encoding: ${SECRETS.bearer}\r\n\r\n`,
    `POST /cl${query} HTTP/1.1\r\n${fields}Content-Length: ${SECRETS.bearer}\r\n\r\n`,
    `POST /chunk${query} HTTP/1.1\r\n${fields}Transfer-Encoding: chunked\r\n\r\n${SECRETS.body}\r\n`,
    `POST /trailers${query} HTTP/1.1\r\n${fields}Transfer-Encoding: chunked\r\n\r\n0\r\n${SECRETS.trailer}\r\n\r\n`,
    `POST /slow${query} HTTP/1.1\r\n${fields}Content-Length: 100\r\n\r\n${SECRETS.body}`,
    `GET /late${query} HTTP/1.1\r\n${fields}`,
    `GET /${SECRETS.query.repeat(600)} HTTP/1.1\r\n${fields}\r\n`,
    `GET /large${query} HTTP/1.1\r\n${fields}X-Large: ${SECRETS.cookie.repeat(2000)}\r\n\r\n`,
  ]
  for (const request of requests) {
    const client = await signet.client()
    client.send(request)
    await client.message().catch(() => client.rest())
    client.destroy()
  }
  await signet.printed(
    () => signet.events('exchange').length >= requests.length,
    `${requests.length} exchanges`,
  )
  signet.signal('SIGTERM')
  assert.equal(await signet.exited(), { code: 0, signal: null })

  assert.is(signet.events('exchange').length, requests.length)
  assert.ok(signet.events('field-dropped').length > 0, 'the level is really that talkative')
  assert.ok(tokens.size > 5)
  const printed = signet.stdout + signet.stderr
  const key = Buffer.from(SECRETS.key, 'hex')
  for (const [name, secret] of [
    ...Object.entries(SECRETS),
    ...[...tokens].map((token, index) => [`token ${index}`, token] as const),
    ...[...tokens].map((token, index) => [`signature ${index}`, token.split('.')[2] ?? ''] as const),
    ['key in base64', key.toString('base64').slice(0, 40)] as const,
    ['key in base64url', key.toString('base64url').slice(0, 40)] as const,
    ['key in latin1', key.toString('latin1').slice(0, 20)] as const,
    ['demo secret', DEMO_SECRET.slice(0, 40)] as const,
  ]) {
    const at = printed.indexOf(secret)
    assert.is(at, -1, `${name} in ${printed.slice(Math.max(0, at - 300), at + 100)}`)
  }
  assert.not.match(printed, /eyJ[\w-]+\./, 'nothing that looks like a token')
})

test('the demo secret is not printed either, although everybody knows it', async () => {
  const signet = run([], { SIGNET_LOG_LEVEL: 'trace' })
  const client = await signet.client()
  client.send(`GET /protected HTTP/1.1\r\n${H}\r\n`)
  await client.message()
  signet.signal('SIGTERM')
  await signet.exited()
  const printed = (signet.stdout + signet.stderr).replaceAll(/\s/g, '')
  assert.not.ok(printed.includes(DEMO_SECRET.replaceAll(/\s/g, '').slice(0, 20)))
  assert.not.match(printed, /eyJ[\w-]+\./)
})

test('every line is one JSON object with level and time, and all of them are out when the process ends', async () => {
  const signet = run()
  const client = await signet.client()
  const count = 400
  client.send(`OPTIONS * HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\n`.repeat(count))
  for (let answered = 0; answered < count; answered++) await client.head()
  signet.signal('SIGTERM') // at once: most lines are still in memory
  assert.equal(await signet.exited(), { code: 0, signal: null })
  assert.ok(signet.stdout.endsWith('\n'))
  const lines = signet.log
  assert.ok(lines.every(({ level, time }) => typeof level === 'number' && typeof time === 'number'))
  assert.is(signet.events('exchange').length, count)
  assert.equal(lines.at(-1)?.event, 'stopped')
})

test('whatever the texts in a line, it stays one line and says them exactly', async () => {
  const user = 'q"uote\\ back\nnew \u2028 é 漢 😀 \u0007'
  const signet = run([], { SIGNET_USER: user })
  const client = await signet.client()
  const path = "/a[]|%22'();,/%0A"
  client.send(`GET ${path}?{"x"}`.replaceAll('"', '`'))
  client.send(` HTTP/1.1\r\n${H}\r\nGET / HTTP/1.1\r\nX"Y: "\r\n\r\n`)
  await client.message()
  await client.message()
  signet.signal('SIGTERM')
  await signet.exited()
  const [fine, refused] = signet.events('exchange')
  assert.is(fine?.path, path)
  assert.is(fine?.subject, user)
  assert.is(refused?.failure, 'ERR_HEAD_MALFORMED')
})

test('a fault of signet is logged with where it happened, once a second however often it comes', async () => {
  const jwtMethods = new Set<string>()
  jwtMethods.has = () => {
    throw new Error('injected')
  }
  const stand = await startStand({}, (config) => ({ ...config, jwtMethods }))
  try {
    const faults = () => stand.log.filter(({ event }) => event === 'fault')
    const client = await stand.client()
    const begun = performance.now()
    for (let count = 1; count <= 5; count++) {
      client.send(`GET / HTTP/1.1\r\n${H}\r\n`)
      assert.match((await client.message()).head, /^HTTP\/1\.1 500 /)
    }
    assert.ok(performance.now() - begun < 1000, 'five within a second')
    assert.is(faults().length, 1)
    const [line] = faults()
    assert.equal([line?.level, line?.reason], ['error', 'injected'])
    assert.match(String(line?.stack), /exchange\.[jt]s/)
    assert.is((await stand.exchanges(5)).filter(({ failure }) => failure === 'ERR_INTERNAL').length, 5)

    await later(1000)
    client.send(`GET / HTTP/1.1\r\n${H}\r\n`)
    await client.message()
    assert.is(faults().length, 2)
  } finally {
    await stand.close()
  }
})

test('a line is written soon, without waiting for its batch to fill or for the end', async () => {
  const signet = run()
  const client = await signet.client()
  client.send(`GET /status HTTP/1.1\r\n${H}\r\n`)
  await client.message()
  await signet.printed(() => signet.events('exchange').length === 1, 'the line of the exchange', 2000)
})

test('with SIGNET_ACCESS_LOG=off the process logs its life and no exchange', async () => {
  const signet = run([], { SIGNET_ACCESS_LOG: 'off', SIGNET_LOG_LEVEL: 'info' })
  const client = await signet.client()
  client.send(`GET /status HTTP/1.1\r\n${H}\r\n`)
  await client.message()
  signet.signal('SIGTERM')
  await signet.exited()
  assert.equal(
    signet.log.map(({ event }) => event),
    ['demo-secret', 'listening', 'stopping', 'stopped'],
  )
})

test('SIGNET_LOG_LEVEL=silent prints no line, and still says on the terminal where it listens', async () => {
  const signet = run([], { SIGNET_LOG_LEVEL: 'silent' })
  assert.ok((await signet.listening()) > 0)
  signet.signal('SIGTERM')
  assert.equal(await signet.exited(), { code: 0, signal: null })
  assert.is(signet.stdout, '')
})

test.run()
