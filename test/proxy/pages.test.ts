// signet's own pages: what they say, to whom, and that they tell the truth about what was done.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asserted, masked, valuesOf } from '../support/heads.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { eventually, ok, Wire } from '../support/wire.ts'

const H = 'Host: a.test\r\n'
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'

/** One sample of the metrics page: `name{labels} value`. */
function sampleOf(text: string, series: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `))
  if (line === undefined) throw new Error(`no ${series} in\n${text}`)
  return Number(line.slice(series.length + 1))
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/pages (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  /** Fetches one page on a connection of its own, to the main port or another. */
  async function page(
    stand: Stand,
    request: string,
    port = stand.port,
  ): Promise<{ head: string; text: string }> {
    const client = await Wire.connect(port)
    client.send(request)
    const { head, body } = await client.message()
    client.destroy()
    return { head, text: body.toString('utf8') }
  }

  async function status(stand: Stand, port = stand.port) {
    return JSON.parse((await page(stand, `GET /status HTTP/1.1\r\n${H}\r\n`, port)).text)
  }

  // ── the form ────────────────────────────────────────────────────────────────────────────────────────────────

  test('/status is JSON by default, and says so', async () => {
    const stand = await start()
    const { head, text } = await page(stand, `GET /status HTTP/1.1\r\n${H}\r\n`)
    assert.is(
      masked(head),
      `HTTP/1.1 200 OK\r\nDate: <now>\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n` +
        'Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nVary: Accept\r\n\r\n',
    )
    const snapshot = JSON.parse(text)
    assert.is(snapshot.name, 'signet')
    assert.is(snapshot.version, '0.0.0-test')
    assert.ok(snapshot.uptimeSeconds >= 0 && snapshot.uptimeSeconds < 60)
    assert.is(stand.upstream.wires.length, 0)
  })

  test('/status is a page for browsers, which may run nothing', async () => {
    const stand = await start()
    const { head, text } = await page(stand, `GET /status HTTP/1.1\r\n${H}Accept: ${BROWSER}\r\n\r\n`)
    assert.equal(valuesOf(head, 'content-type'), ['text/html; charset=utf-8'])
    assert.equal(valuesOf(head, 'vary'), ['Accept'])
    assert.match(valuesOf(head, 'content-security-policy')[0] ?? '', /default-src 'none'/)
    assert.match(text, /^<!DOCTYPE html>\n<html lang="en">/)
    assert.match(text, /<caption>Requests<\/caption>/)
    assert.match(text, /<\/html>\n$/)
  })

  for (const [accept, type] of [
    ['', 'application/json'],
    ['Accept: */*', 'application/json'],
    ['Accept: application/json', 'application/json'],
    ['Accept: text/html', 'text/html; charset=utf-8'],
    ['Accept: text/html;q=0.5, application/json', 'application/json'],
    ['Accept: text/html;q=0', 'application/json'],
    ['Accept: text/html;q=0.5\r\nX-Own: 1\r\nAccept: application/json', 'application/json'],
    ['Accept: image/png\r\naccept: text/html', 'text/html; charset=utf-8'],
    [`aCCept:\t${BROWSER} `, 'text/html; charset=utf-8'],
  ] as const) {
    test(`/status with ${JSON.stringify(accept)} is ${type}`, async () => {
      const lines = accept === '' ? '' : `${accept}\r\n`
      const { head } = await page(await start(), `GET /status HTTP/1.1\r\n${H}${lines}\r\n`)
      assert.equal(valuesOf(head, 'content-type'), [type])
    })
  }

  test('/metrics is Prometheus text, for whomever', async () => {
    const { head, text } = await page(
      await start(),
      `GET /metrics HTTP/1.1\r\n${H}Accept: ${BROWSER}\r\n\r\n`,
    )
    assert.match(valuesOf(head, 'content-type')[0] ?? '', /^text\/plain; version=0\.0\.4/)
    assert.equal(valuesOf(head, 'cache-control'), ['no-store'])
    for (const family of [
      'signet_requests_total',
      'signet_request_duration_seconds',
      'process_resident_memory_bytes',
    ]) {
      assert.match(text, new RegExp(`^# TYPE ${family} (counter|gauge|histogram)$`, 'm'))
    }
    assert.ok(text.endsWith('\n'))
  })

  for (const target of ['/status', '/metrics']) {
    test(`HEAD ${target} is told what GET would be, without a body, and the connection goes on`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`HEAD ${target} HTTP/1.1\r\n${H}\r\n`)
      const head = await client.head()
      assert.ok(head.startsWith('HTTP/1.1 200 OK\r\n'))
      assert.ok(Number(valuesOf(head, 'content-length')[0]) > 100)
      client.send(`GET ${target} HTTP/1.1\r\n${H}\r\n`)
      assert.ok((await client.message()).body.length > 100)
    })

    test(`a query behind ${target} changes nothing`, async () => {
      const stand = await start()
      const plain = await page(stand, `GET ${target} HTTP/1.1\r\n${H}\r\n`)
      const asked = await page(stand, `GET ${target}?a=b&name[]=x HTTP/1.1\r\n${H}\r\n`)
      assert.equal(valuesOf(asked.head, 'content-type'), valuesOf(plain.head, 'content-type'))
      assert.is(stand.upstream.wires.length, 0)
    })

    test(`${target} in absolute-form is the same page`, async () => {
      const stand = await start()
      const { head } = await page(stand, `GET http://b.test${target} HTTP/1.1\r\n${H}\r\n`)
      assert.ok(head.startsWith('HTTP/1.1 200 OK\r\n'))
      assert.is(stand.upstream.wires.length, 0)
    })

    for (const near of [
      `${target}/`,
      `${target}es`,
      `/${target}`,
      target.toUpperCase(),
      `${target}%20`,
      `/a${target}`,
    ]) {
      test(`${near} is not ${target}: it goes upstream`, async () => {
        const { forwarded } = await exchange(await start(), `GET ${near} HTTP/1.1\r\n${H}\r\n`, ok())
        assert.ok(forwarded.head.startsWith(`GET ${near} HTTP/1.1\r\n`))
      })
    }

    test(`an HTTP/1.0 client gets ${target} and the end`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`GET ${target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`)
      const { head } = await client.message()
      assert.equal(valuesOf(head, 'connection'), ['close'])
      assert.equal(await client.rest(), { octets: '', ending: 'fin' })
    })

    for (const [name, body] of [
      ['a length', `Content-Length: 42\r\n\r\n${`GET /smuggled HTTP/1.1\r\n${H}\r\n`.padEnd(42, 'x')}`],
      ['chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\nX-Sum: 1\r\n\r\n'],
    ] as const) {
      test(`a body with ${name} sent to ${target} is no request, and the next request is found behind it`, async () => {
        const stand = await start()
        const octets = `POST ${target} HTTP/1.1\r\n${H}${body}`
        const cuts = [0, octets.indexOf('\r\n\r\n') + 4, octets.length - 3]
        for (const cut of cuts) {
          const client = await stand.client()
          await client.sendSplit(`${octets}GET /next HTTP/1.1\r\n${H}\r\n`, cut)
          assert.ok((await client.message()).head.startsWith('HTTP/1.1 200 OK\r\n'))
          const upstream = cut === 0 ? await stand.upstream.accept() : stand.upstream.wires[0]!
          assert.is(masked(await upstream.head()), `GET /next HTTP/1.1\r\n${H}${asserted('a.test')}`)
          upstream.send(ok('next'))
          assert.is((await client.message()).body.toString(), 'next')
        }
      })
    }

    test(`a malformed body sent to ${target} ends the connection after the page`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(
        `POST ${target} HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\nnonsense\r\nGET /smuggled HTTP/1.1\r\n\r\n`,
      )
      await client.rest()
      assert.is(stand.upstream.wires.length, 0)
      assert.is(stand.log.filter((line) => line.event === 'exchange').length, 1)
    })
  }

  test('a client that expects 100-continue from a page is answered at once', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST /status HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`)
    assert.ok((await client.message()).head.startsWith('HTTP/1.1 200 OK\r\n'))
    client.send(`bodyGET /status HTTP/1.1\r\n${H}\r\n`)
    assert.ok((await client.message()).head.startsWith('HTTP/1.1 200 OK\r\n'))
  })

  // ── the truth ───────────────────────────────────────────────────────────────────────────────────────────────

  test('both pages agree with what was done', async () => {
    const stand = await start()
    stand.upstream.serve(({ head }, wire) => {
      if (head.includes('/close')) {
        wire.end()
        return undefined
      }
      if (head.includes('/404')) return 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'
      return ok('ok')
    })
    const client = await stand.client()
    const octets = { sent: 0, received: 0 }
    for (const request of [
      `GET / HTTP/1.1\r\n${H}\r\n`,
      `GET /404 HTTP/1.1\r\n${H}x-my-jwt: forged\r\nX_My_Jwt: forged\r\n\r\n`,
      `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello`,
      `PATCH / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
      `PROPFIND / HTTP/1.1\r\n${H}\r\n`,
      `TRACE / HTTP/1.1\r\n${H}\r\n`,
      `POST /close HTTP/1.1\r\n${H}Content-Length: 2\r\n\r\nhi`,
      `GET / HTTP/1.1\r\n${H}\r\n`,
      `GET / HTTP/1.1\r\n\r\n`,
    ]) {
      client.send(request)
      const { head, body } = await client.message()
      octets.sent += request.length
      octets.received += head.length + body.length
    }
    await client.rest()
    client.end()
    await eventually(() => stand.proxy.open().downstream === 0, 'the client connection to be gone')

    const one = await status(stand)
    assert.is(one.requests.processed, 9)
    assert.is(one.requests.inFlight, 1, 'this one')
    assert.is(one.requests.byMethod.GET, 3)
    assert.is(one.requests.byMethod.POST, 2)
    assert.is(one.requests.byMethod.PATCH, 1)
    assert.is(one.requests.byMethod.TRACE, 1)
    assert.is(one.requests.byMethod.other, 2, 'PROPFIND, and a head that could not be read')
    assert.equal(one.requests.byStatusClass, { '1xx': 0, '2xx': 5, '3xx': 0, '4xx': 2, '5xx': 2, other: 0 })
    assert.equal(one.requests.byStatus, { 200: 5, 400: 1, 404: 1, 501: 1, 502: 1 })
    assert.equal(one.requests.failures, {
      ERR_HOST_INVALID: 1,
      ERR_METHOD_UNKNOWN: 1,
      ERR_UPSTREAM_CLOSED: 1,
    })
    assert.is(one.requests.retried, 0)
    assert.equal(one.tokens, { minted: 7, imitationsDropped: 2 })
    assert.is(one.latencyMs.count, 9)
    assert.is(one.upstreamLatencyMs.count, 6)
    assert.ok(
      one.latencyMs.p50 > 0 &&
        one.latencyMs.p50 <= one.latencyMs.p99 &&
        one.latencyMs.p99 <= one.latencyMs.max,
    )
    assert.is(one.downstream.open, 1)
    assert.is(one.downstream.total, 2)
    assert.is(one.downstream.octetsReceived, octets.sent + `GET /status HTTP/1.1\r\n${H}\r\n`.length)
    assert.is(one.downstream.octetsSent, octets.received)
    assert.is(one.upstream.open, 1)
    assert.is(one.upstream.total, 2)
    assert.is(one.upstream.reused, 5)
    assert.equal(one.pool, {
      origin: `127.0.0.1:${stand.upstream.port}`,
      open: 1,
      idle: 1,
      busy: 0,
      connecting: 0,
      waiting: 0,
      size: 256,
      queue: 1024,
    })

    const { text } = await page(stand, `GET /metrics HTTP/1.1\r\n${H}\r\n`)
    assert.is(
      sampleOf(text, 'signet_requests_total{method="GET",code="200"}'),
      3,
      'the page before this one too',
    )
    assert.is(sampleOf(text, 'signet_requests_total{method="GET",code="404"}'), 1)
    assert.is(sampleOf(text, 'signet_requests_total{method="POST",code="502"}'), 1)
    assert.is(sampleOf(text, 'signet_requests_total{method="other",code="400"}'), 1)
    assert.is(sampleOf(text, 'signet_requests_in_flight'), 1)
    assert.is(sampleOf(text, 'signet_failures_total{code="ERR_UPSTREAM_CLOSED"}'), 1)
    assert.is(sampleOf(text, 'signet_connections_total{side="upstream"}'), 2)
    assert.is(sampleOf(text, 'signet_upstream_pool_connections{state="idle"}'), 1)
    assert.is(sampleOf(text, 'signet_upstream_reused_total'), 5)
    assert.is(sampleOf(text, 'signet_jwt_signed_total'), 7)
    assert.is(sampleOf(text, 'signet_header_spoof_total'), 2)
    assert.is(sampleOf(text, 'signet_request_duration_seconds_count'), 10)
    assert.is(sampleOf(text, 'signet_upstream_duration_seconds_count'), 6)
  })

  test('octets toward and from the upstream are those on its wire', async () => {
    const stand = await start()
    const seen = { received: 0, sent: 0 }
    stand.upstream.serve(({ head, body }) => {
      const answer = ok('x'.repeat(100_000))
      seen.received += head.length + body.length
      seen.sent += answer.length
      return answer
    })
    const client = await stand.client()
    for (let count = 0; count < 3; count++) {
      client.send(`PUT / HTTP/1.1\r\n${H}Content-Length: 200000\r\n\r\n${'y'.repeat(200_000)}`)
      await client.message()
    }
    const { upstream } = await status(stand)
    assert.is(upstream.octetsSent, seen.received)
    assert.is(upstream.octetsReceived, seen.sent)
  })

  test('what is under way is shown as under way: in flight, busy, waiting', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '2', SIGNET_POOL_QUEUE: '5' })
    const clients = [await stand.client(), await stand.client(), await stand.client()]
    for (const client of clients) client.send(`GET / HTTP/1.1\r\n${H}\r\n`)
    const upstreams = [await stand.upstream.accept(), await stand.upstream.accept()]
    for (const upstream of upstreams) await upstream.head()
    const { requests, pool, downstream, upstream } = await status(stand)
    assert.is(requests.inFlight, 4)
    assert.is(requests.processed, 0)
    assert.is(downstream.open, 4)
    assert.is(upstream.open, 2)
    assert.equal(
      { ...pool, origin: '' },
      {
        origin: '',
        open: 2,
        idle: 0,
        busy: 2,
        connecting: 0,
        waiting: 1,
        size: 2,
        queue: 5,
      },
    )
  })

  test('a client that leaves without its answer counts as 499, not as in flight for ever', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`GET / HTTP/1.1\r\n${H}\r\n`)
    await (await stand.upstream.accept()).head()
    client.reset()
    await stand.exchanges(1)
    const { requests } = await status(stand)
    assert.equal(requests.byStatus, { 499: 1 })
    assert.equal(requests.failures, { ERR_CLIENT_CLOSED: 1 })
    assert.is(requests.inFlight, 1)
  })

  // ── a port of their own ─────────────────────────────────────────────────────────────────────────────────────

  test('with SIGNET_ADMIN_PORT the main port forwards /status and /metrics like any other path', async () => {
    const stand = await start({ SIGNET_ADMIN_PORT: '0' })
    for (const target of ['/status', '/metrics']) {
      const client = await stand.client()
      client.send(`GET ${target} HTTP/1.1\r\n${H}\r\n`)
      const upstream = target === '/status' ? await stand.upstream.accept() : stand.upstream.wires[0]!
      assert.is(masked(await upstream.head()), `GET ${target} HTTP/1.1\r\n${H}${asserted('a.test')}`)
      upstream.send(ok('theirs'))
      assert.is((await client.message()).body.toString(), 'theirs')
    }
  })

  test('with SIGNET_ADMIN_PORT both pages are on that port, which forwards nothing', async () => {
    const stand = await start({ SIGNET_ADMIN_PORT: '0' })
    const { adminPort } = stand
    assert.ok(adminPort !== undefined && adminPort !== stand.port)
    await exchange(stand, `GET / HTTP/1.1\r\n${H}\r\n`, ok())
    assert.is((await status(stand, adminPort)).requests.byMethod.GET, 1)
    const { text } = await page(stand, `GET /metrics HTTP/1.1\r\n${H}\r\n`, adminPort)
    assert.match(text, /^signet_build_info\{/m)
    for (const target of ['/', '/protected', '*']) {
      const method = target === '*' ? 'OPTIONS' : 'GET'
      const { head } = await page(stand, `${method} ${target} HTTP/1.1\r\n${H}\r\n`, adminPort)
      assert.ok(head.startsWith('HTTP/1.1 200 OK\r\n'))
    }
    assert.is(stand.upstream.wires.length, 1)
  })

  test.run()
}
