// The token: every upstream can trust the one in the field, since nobody but signet can put one there.

import { decodeProtectedHeader } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asserted, claimsIn, masked, problemIn, valuesOf } from '../support/heads.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { ok } from '../support/wire.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n'
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** What CGI, WSGI, PHP and their kin fold onto the same variable as x-my-jwt (RFC 3875 §4.1.18). */
const SPELLINGS = [
  'x-my-jwt',
  'X-My-Jwt',
  'X-MY-JWT',
  'x_my_jwt',
  'X_My-JWT',
  'x.my.jwt',
  'X-My.Jwt',
  'x~my!jwt',
  "x'my`jwt",
  'x|my^jwt',
  'x*my+jwt',
  'x#my$jwt',
  'x%my&jwt',
]

const METHODS = 'GET POST PUT PATCH DELETE OPTIONS PROPFIND PURGE SEARCH LINK M-SEARCH QUERY'.split(' ')

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/identity (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  /** Several exchanges, one after the other on one connection; returns the heads that the upstream got. */
  async function heads(stand: Stand, requests: readonly string[]): Promise<string[]> {
    const received: string[] = []
    stand.upstream.serve(({ head }) => {
      received.push(head)
      return ok()
    })
    const client = await stand.client()
    for (const request of requests) {
      client.send(request)
      await client.message()
    }
    return received
  }

  test('an upstream that has the key verifies the token and reads user, day, second and id in it', async () => {
    const before = Math.floor(Date.now() / 1000)
    const { forwarded } = await exchange(await start(), `${GET}\r\n`, ok())
    const { iat, jti, payload, ...others } = await claimsIn(forwarded.head)
    const after = Math.floor(Date.now() / 1000)
    assert.ok(iat !== undefined && Number.isInteger(iat) && iat >= before && iat <= after, `iat ${iat}`)
    assert.match(jti ?? '', UUID)
    assert.equal(payload, { user: 'username', date: new Date(iat * 1000).toISOString().slice(0, 10) })
    assert.equal(others, {})
    const token = valuesOf(forwarded.head, 'x-my-jwt')[0] ?? ''
    assert.equal(decodeProtectedHeader(token), { alg: 'HS512', typ: 'JWT' })
  })

  test('each request has a token with an id of its own, on one connection as on many', async () => {
    const stand = await start()
    const received = await heads(stand, Array<string>(50).fill(`${GET}\r\n`))
    for (let more = 0; more < 10; more++) {
      const client = await stand.client()
      client.send(`${GET}Connection: close\r\n\r\n`)
      await client.message()
    }
    const ids = await Promise.all(received.map(async (head) => (await claimsIn(head)).jti))
    assert.is(ids.length, 60)
    assert.is(new Set(ids).size, 60)
  })

  test('the second in the token is that of the request, not of the connection', async () => {
    const stand = await start()
    stand.upstream.serve(({ head }) => ok(head))
    const client = await stand.client()
    const seconds = new Set<number>()
    const end = Date.now() + 2000
    while (seconds.size < 2 && Date.now() < end) {
      const before = Math.floor(Date.now() / 1000)
      client.send(`${GET}\r\n`)
      const { iat } = await claimsIn((await client.message()).body.toString('latin1'))
      assert.ok(iat !== undefined && iat >= before && iat <= Math.floor(Date.now() / 1000))
      seconds.add(iat)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.is(seconds.size, 2, 'a second has ended meanwhile')
  })

  for (const method of METHODS) {
    test(`${method} gets a token`, async () => {
      const target = method === 'OPTIONS' ? '*' : '/'
      const [head = ''] = await heads(await start(), [`${method} ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`])
      assert.match((await claimsIn(head)).jti ?? '', UUID)
    })
  }

  test('HEAD gets a token', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send('HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    const upstream = await stand.upstream.accept()
    assert.match((await claimsIn(await upstream.head())).jti ?? '', UUID)
  })

  test('the token names the user that is configured, whatever its script', async () => {
    const { forwarded } = await exchange(
      await start({ SIGNET_USER: 'Žofie "Q" 漢字 😀' }),
      `${GET}\r\n`,
      ok(),
    )
    const { payload } = await claimsIn(forwarded.head)
    assert.is((payload as { user: string }).user, 'Žofie "Q" 漢字 😀')
  })

  test('with SIGNET_JWT_METHODS=POST only POST gets a token, and a forged one is dropped from any method', async () => {
    const stand = await start({ SIGNET_JWT_METHODS: 'POST' })
    const forged = 'X-My-Jwt: forged\r\nx_my_jwt: forged\r\n'
    const [get = '', post = '', put = ''] = await heads(stand, [
      `${GET}${forged}\r\n`,
      `POST / HTTP/1.1\r\nHost: a.test\r\n${forged}Content-Length: 2\r\n\r\nhi`,
      `PUT / HTTP/1.1\r\nHost: a.test\r\n${forged}Content-Length: 0\r\n\r\n`,
    ])
    assert.is(masked(get), `${GET}${asserted('a.test', 1, '')}`)
    assert.is(masked(post), `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n${asserted('a.test')}`)
    assert.is(
      masked(put),
      `PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n${asserted('a.test', 1, '')}`,
    )
    assert.match((await claimsIn(post)).jti ?? '', UUID)
  })

  test('with SIGNET_JWT_HEADER the token goes into that field, and that field is the one nobody else may send', async () => {
    const stand = await start({ SIGNET_JWT_HEADER: 'X-Identity.Token' })
    const [head = ''] = await heads(stand, [
      `${GET}X_IDENTITY_TOKEN: forged\r\nx-identity-token: forged\r\n\r\n`,
    ])
    const lines = head.split('\r\n').filter((line) => /token/i.test(line))
    assert.is(lines.length, 1)
    assert.ok(lines[0]?.startsWith('x-identity.token: ey'))
    assert.match((await claimsIn(head, 'x-identity.token')).jti ?? '', UUID)
  })

  test('a field name that begins with no letter is guarded in every spelling like any other', async () => {
    const stand = await start({ SIGNET_JWT_HEADER: '_token' })
    const forged = ['-token', '_Token', '.TOKEN', '~token', '*token', '^token'].map(
      (name) => `${name}: forged\r\n`,
    )
    const [head = ''] = await heads(stand, [`${GET}${forged.join('')}X-Own: 1\r\n\r\n`])
    assert.is(
      head.replace(/^_token: ey.+(?=\r\n)/m, 'x-my-jwt: <jwt>').replace(/signet-\w{8}/, '<signet>'),
      `${GET}X-Own: 1\r\n${asserted('a.test')}`,
    )
  })

  for (const spelling of SPELLINGS) {
    test(`a client's own token never gets through as ${spelling}`, async () => {
      const [head = ''] = await heads(await start(), [`${GET}${spelling}: forged\r\nX-Own: 1\r\n\r\n`])
      assert.is(masked(head), `${GET}X-Own: 1\r\n${asserted('a.test')}`)
      assert.match((await claimsIn(head)).jti ?? '', UUID)
    })
  }

  test('every spelling at once, many times over, between and behind other fields: all are dropped', async () => {
    const forged = SPELLINGS.flatMap((name, index) => [
      `${name}: forged`,
      `X-Own-${index}: 1`,
      `${name}:forged again`,
    ])
    const own = SPELLINGS.map((_, index) => `X-Own-${index}: 1\r\n`).join('')
    const [head = ''] = await heads(await start(), [`${GET}${forged.join('\r\n')}\r\n\r\n`])
    assert.is(masked(head), `${GET}${own}${asserted('a.test')}`)
  })

  test('a spelling that no upstream folds onto the field is an ordinary field', async () => {
    const lines =
      'xmyjwt: 1\r\nx-my-jwts: 2\r\nx-my-jw: 3\r\nax-my-jwt: 4\r\nx--my-jwt: 5\r\nx-my-jwt-: 6\r\n'
    const [head = ''] = await heads(await start(), [`${GET}${lines}\r\n`])
    assert.is(masked(head), `${GET}${lines}${asserted('a.test')}`)
  })

  for (const options of [
    'x-my-jwt',
    'X-My-Jwt, close',
    'x_my_jwt, x.my.jwt',
    'via, x-forwarded-for, forwarded, x-my-jwt, host',
    'x-my-jwt\r\nConnection: X-MY-JWT',
  ]) {
    test(`naming the token in Connection cannot remove it: ${JSON.stringify(options)}`, async () => {
      const [head = ''] = await heads(await start(), [
        `${GET}Connection: ${options}\r\nX-My-JWT: forged\r\n\r\n`,
      ])
      assert.is(masked(head), `${GET}${asserted('a.test')}`)
      assert.match((await claimsIn(head)).jti ?? '', UUID)
    })
  }

  test("what an upstream says in the token's field never reaches the client, in head, interim head or trailers", async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${GET}TE: trailers\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    const token = valuesOf(await upstream.head(), 'x-my-jwt')[0] ?? ''
    const echoed = SPELLINGS.map((name) => `${name}: ${token}\r\n`).join('')
    upstream.send(`HTTP/1.1 103 Early Hints\r\n${echoed}\r\n`)
    upstream.send(
      `HTTP/1.1 200 OK\r\n${echoed}Transfer-Encoding: chunked\r\n\r\n0\r\n${echoed}X-Sum: 1\r\n\r\n`,
    )
    const received = (await client.head()) + (await client.head()) + (await client.head())
    assert.is(
      masked(received),
      'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nDate: <now>\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '0\r\nX-Sum: 1\r\n\r\n',
    )
  })

  for (const head of [
    'TRACE / HTTP/1.1\r\nHost: a.test\r\n',
    'TRACE / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n',
  ]) {
    test(`TRACE is refused, since its answer would show the token: ${JSON.stringify(head)}`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`${head}\r\n`)
      const refusal = await client.message()
      assert.ok(refusal.head.startsWith('HTTP/1.1 501 '), refusal.head)
      assert.is(problemIn(refusal.body).code, 'ERR_METHOD_UNKNOWN')
      assert.is(stand.upstream.wires.length, 0)
      client.send(`${GET}\r\n`)
      await (await stand.upstream.accept()).head()
    })
  }

  test('a request that is refused gets no token, and the counter of tokens agrees with what went upstream', async () => {
    const stand = await start()
    await heads(stand, [
      `${GET}\r\n`,
      'OPTIONS * HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n\r\n',
      `${GET}\r\n`,
    ])
    const client = await stand.client()
    client.send('GET /status HTTP/1.1\r\nHost: a.test\r\n\r\n')
    const status = JSON.parse((await client.message()).body.toString())
    assert.is(status.tokens.minted, 2)
  })

  test.run()
}
