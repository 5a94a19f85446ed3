// When a request is sent a second time: it may be (RFC 9110 §9.2.2, RFC 9112 §9.3.1), once, and not otherwise.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { valuesOf } from '../support/heads.ts'
import { later } from '../support/flow.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { ok, Wire } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET /first HTTP/1.1\r\n${HOST}\r\n`

interface Reused {
  readonly stand: Stand
  readonly client: Wire
  /** a connection that has carried an exchange, and is idle */
  readonly upstream: Wire
}

/** How many tokens signet has made. */
async function minted({ port }: Stand): Promise<number> {
  const wire = await Wire.connect(port)
  wire.send('GET /status HTTP/1.1\r\nHost: a.test\r\nAccept: application/json\r\n\r\n')
  const { body } = await wire.message()
  wire.destroy()
  return (JSON.parse(body.toString()) as { tokens: { minted: number } }).tokens.minted
}

/** How an upstream connection dies. */
const DEATHS = {
  FIN: (wire: Wire) => wire.end(),
  RST: (wire: Wire) => wire.reset(),
}

const withoutToken = (head: string) => head.replace(/x-my-jwt: .*\r\n/, '')

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/retry (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  async function reuse(env: Record<string, string> = {}): Promise<Reused> {
    const stand = await start(env)
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(ok())
    await client.message()
    return { stand, client, upstream }
  }

  for (const [death, die] of Object.entries(DEATHS)) {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
      test(`${method} on a used connection that dies by ${death} without an octet is sent once more, on a new one`, async () => {
        const { stand, client, upstream } = await reuse()
        client.send(`${method} /x HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`)
        const head = await upstream.head()
        die(upstream)
        const next = await stand.upstream.accept()
        const again = await next.head()
        assert.is.not(
          valuesOf(again, 'x-my-jwt')[0],
          valuesOf(head, 'x-my-jwt')[0],
          'each token is sent once',
        )
        assert.is(withoutToken(again), withoutToken(head), 'otherwise it is the same request')
        next.send(method === 'HEAD' ? 'HTTP/1.1 200 OK\r\n\r\n' : ok('second'))
        assert.match(await client.head(), /^HTTP\/1\.1 200 /)
        const [, line] = await stand.exchanges(2)
        assert.is(line?.retried, true)
        assert.is(stand.upstream.wires.length, 2)
        assert.is(await minted(stand), 3)
      })
    }

    for (const [what, request] of Object.entries({
      'POST without a body': `POST /x HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`,
      'POST with a body': `POST /x HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`,
      PATCH: `PATCH /x HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`,
      'a method that signet cannot know to be idempotent': `LINK /x HTTP/1.1\r\n${HOST}\r\n`,
      'GET with octets of a body sent': `GET /x HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nhi`,
      'PUT with octets of a body sent': `PUT /x HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`,
    })) {
      test(`${what} on a used connection that dies by ${death} is not sent again: 502`, async () => {
        const { stand, client, upstream } = await reuse()
        client.send(request)
        await upstream.until(
          request.endsWith('hi\r\n') ? 'hi\r\n' : request.endsWith('hi') ? 'hi' : '\r\n\r\n',
        )
        die(upstream)
        assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
        await later(30)
        assert.is(stand.upstream.wires.length, 1)
      })
    }

    test(`a connection that dies by ${death} with its first request is no used one: 502, and no second try`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      die(upstream)
      assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
      assert.is(stand.upstream.wires.length, 1)
    })

    test(`a request is not sent a third time: when the new connection dies by ${death}, too, it is 502`, async () => {
      const { stand, client, upstream } = await reuse()
      client.send(GET)
      await upstream.head()
      die(upstream)
      const next = await stand.upstream.accept()
      await next.head()
      die(next)
      assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
      await later(30)
      assert.is(stand.upstream.wires.length, 2)
    })

    for (const octets of ['H', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 103 Early Hints\r\n\r\n']) {
      test(`${JSON.stringify(octets)} is an answer: a connection that dies by ${death} behind it is 502`, async () => {
        const { stand, client, upstream } = await reuse()
        client.send(GET)
        await upstream.head()
        upstream.send(octets)
        await later(10)
        die(upstream)
        await client.until('HTTP/1.1 502 ')
        assert.is(stand.upstream.wires.length, 1)
      })
    }
  }

  test('a body of which nothing was sent follows the head to the new connection', async () => {
    const { stand, client, upstream } = await reuse()
    client.send(`PUT /x HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\n`)
    await upstream.head()
    upstream.end()
    const next = await stand.upstream.accept()
    await next.head()
    client.send('hello')
    assert.is((await next.take(5)).toString(), 'hello')
    next.send(ok('done'))
    assert.is((await client.message()).body.toString(), 'done')
  })

  test('a used connection that is merely slow gets the request once: 504', async () => {
    const { stand, client, upstream } = await reuse({ SIGNET_RESPONSE_TIMEOUT: '200' })
    client.send(GET)
    await upstream.head()
    assert.match((await client.message()).head, /^HTTP\/1\.1 504 /)
    await later(30)
    assert.is(stand.upstream.wires.length, 1)
  })

  test('on a pool of one connection the second try takes the place of the first', async () => {
    const { stand, client, upstream } = await reuse({ SIGNET_POOL_SIZE: '1' })
    client.send(GET)
    await upstream.head()
    upstream.end()
    const next = await stand.upstream.accept()
    await next.head()
    next.send(ok('second'))
    assert.is((await client.message()).body.toString(), 'second')
  })

  test('requests behind one that is sent again are answered in order', async () => {
    const { stand, client, upstream } = await reuse()
    client.send(GET + GET.replace('first', 'second'))
    await upstream.head()
    upstream.end()
    const next = await stand.upstream.accept()
    for (const answer of ['1', '2']) {
      await next.head()
      next.send(ok(answer))
      assert.is((await client.message()).body.toString(), answer)
    }
  })

  /** Requests that no rule but this one lets be sent twice; the octets are all there when signet reads the head. */
  const UNSENT = {
    'a POST': `POST /x HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
    'a POST in chunks': `POST /x HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n`,
    'a POST of 20,000 octets': `POST /x HTTP/1.1\r\n${HOST}Content-Length: 20000\r\n\r\n${'0123456789'.repeat(2000)}`,
    'a POST of a megabyte': `POST /x HTTP/1.1\r\n${HOST}Content-Length: 1000000\r\n\r\n${'0123456789'.repeat(100_000)}`,
    'a POST without a body': `POST /x HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`,
  }
  for (const [what, request] of Object.entries(UNSENT)) {
    test(`${what} of which the kernel took nothing is sent on a new connection, whole and once`, async () => {
      const { stand, client, upstream } = await reuse()
      // In this order and without a turn of the loop between them: so signet reads the request first, and writes to
      // a connection that the kernel knows to be reset.
      client.send(request)
      upstream.reset()
      const next = await stand.upstream.accept()
      const { head, body } = await next.message()
      assert.match(head, /^POST \/x /)
      assert.is(body.toString(), request.slice(request.indexOf('\r\n\r\n') + 4))
      assert.is(await minted(stand), 2, 'as it was: its token had been sent to nobody')
      next.send(ok('done'))
      assert.is((await client.message()).body.toString(), 'done')
      client.send(GET)
      await next.head()
      assert.is(stand.upstream.wires.length, 2)
    })
  }

  for (const [what, request] of Object.entries(UNSENT)) {
    const isLarge = request.length > 4096
    const fate = isLarge ? '502, since some of it had left' : 'it is sent on a new connection, whole and once'
    test(`${what} together with octets that nobody asked for is not answered by them: ${fate}`, async () => {
      const { stand, client, upstream } = await reuse()
      client.send(request) // read first, as above, and the octets in the same turn
      upstream.send(ok('evil'))
      if (isLarge) {
        assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
        assert.is(stand.upstream.wires.length, 1)
        return
      }
      const next = await stand.upstream.accept()
      assert.is((await next.message()).body.toString(), request.slice(request.indexOf('\r\n\r\n') + 4))
      assert.is(await minted(stand), 2)
      next.send(ok('done'))
      assert.is((await client.message()).body.toString(), 'done')
      assert.is(upstream.pending.toString(), '', 'nothing of it was sent there')
    })
  }

  test('a body that goes on after its beginning was sent elsewhere follows it there', async () => {
    const { stand, client, upstream } = await reuse()
    client.send(`POST /x HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhello`)
    upstream.reset()
    const next = await stand.upstream.accept()
    await next.until('\r\n\r\nhello')
    client.send('world')
    assert.is((await next.take(5)).toString(), 'world')
    next.send(ok('done'))
    assert.is((await client.message()).body.toString(), 'done')
  })

  test('what was not sent goes to a new connection, not to another old one that may be dead as well', async () => {
    const { stand, client, upstream } = await reuse({ SIGNET_POOL_SIZE: '2' })
    const other = await stand.client()
    client.send(GET)
    await upstream.head()
    other.send(GET)
    const busy = await stand.upstream.accept()
    await busy.head()
    upstream.send(ok())
    await client.message()
    // The idle connection is dead, and so is the one that comes free in the same turn of the loop.
    client.send(`POST /x HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`)
    upstream.reset()
    busy.send(ok()).reset()
    const next = await stand.upstream.accept()
    assert.is((await next.message()).body.toString(), 'hello')
    next.send(ok('done'))
    assert.is((await client.message()).body.toString(), 'done')
    assert.is((await other.message()).body.toString(), 'ok')
  })

  test('a second try needs no place in the queue: a connection that has died takes up no room', async () => {
    const { stand, client, upstream } = await reuse({ SIGNET_POOL_SIZE: '1', SIGNET_POOL_QUEUE: '0' })
    client.send(GET)
    await upstream.head()
    upstream.end()
    const next = await stand.upstream.accept()
    await next.head()
    next.send(ok('second'))
    assert.is((await client.message()).body.toString(), 'second')
  })
  test.run()
}
