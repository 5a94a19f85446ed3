// Upstreams that answer before the request is through: the answer is relayed at once, and the body goes on until the answer
// is complete. Then the upstream connection ends: what it makes of the rest cannot be known.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checked, MIB, Pattern, pour } from '../support/flow.ts'
import { poolUntil } from '../support/pool-state.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { ok, type Wire } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const POST = `POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n`
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/early-response (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  const BEGUN = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\near'

  test('a response is relayed while the request still comes in, whose body goes on to the upstream', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${POST}01234`)
    const upstream = await stand.upstream.accept()
    await upstream.until('01234')
    upstream.send(BEGUN)
    await client.until('ear')
    client.send('56789')
    assert.is((await upstream.take(5)).toString(), '56789')
    upstream.send('ly')
    await client.until('ly')
    client.send(GET)
    assert.match(await upstream.head(), /^GET /, 'both messages are complete: the connection is used again')
  })

  test('a complete answer ends its upstream connection when the request is not through, whose rest is dropped', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${POST}01234`)
    const upstream = await stand.upstream.accept()
    await upstream.until('01234')
    upstream.send(ok('early'))
    assert.is((await client.message()).body.toString(), 'early')
    assert.is((await upstream.rest()).octets, '')
    client.send(`56789${GET}`)
    const next = await stand.upstream.accept()
    assert.match(await next.head(), /^GET /)
    next.send(ok('next'))
    assert.is((await client.message()).body.toString(), 'next')
  })

  test('the head of an early response arrives first, and body goes both ways from then on', async () => {
    const stand = await start()
    const body = new Pattern('both ways')
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${8 * MIB}\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${8 * MIB + 1}\r\n\r\n`)
    await client.head()
    await Promise.all([
      pour(client, body, 8 * MIB),
      pour(upstream, body, 8 * MIB),
      checked(upstream, body, 8 * MIB),
      checked(client, body, 8 * MIB),
    ])
    upstream.send('.')
    await client.take(1)
    client.send(GET)
    assert.match(await upstream.head(), /^GET /)
  })

  test('an upstream that answers and closes its side before the body is through: the rest is read and dropped', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${POST}01234`)
    const upstream = await stand.upstream.accept()
    await upstream.until('01234')
    upstream.send('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n').end()
    assert.match((await client.message()).head, /^HTTP\/1\.1 413 /)
    await upstream.rest() // signet has ended it, too
    client.send(`56789${GET}`)
    const next = await stand.upstream.accept()
    await next.message()
    next.send(ok('next'))
    assert.is((await client.message()).body.toString(), 'next')
  })

  test('an upstream that answers and is gone before the body is through has its answer relayed', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${POST}01234`)
    const upstream = await stand.upstream.accept()
    await upstream.until('01234')
    upstream.send('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n').destroy()
    assert.match((await client.message()).head, /^HTTP\/1\.1 413 /)
    client.send(`56789${GET}`)
    const next = await stand.upstream.accept()
    await next.message()
    next.send(ok('next'))
    assert.is((await client.message()).body.toString(), 'next')
  })

  for (const [how, leave] of Object.entries({
    'closes its socket': (wire: Wire) => wire.destroy(),
    'resets its connection': (wire: Wire) => wire.reset(),
  })) {
    test(`an upstream that answers and ${how} while the body is pouring in has its answer relayed`, async () => {
      for (let n = 0; n < 5; n++) {
        const stand = await start()
        const client = await stand.client()
        client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${20 * MIB}\r\n\r\n`)
        const poured = pour(client, new Pattern('body'), 20 * MIB)
        const upstream = await stand.upstream.accept()
        await upstream.head()
        leave(upstream.send('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'))
        assert.match((await client.message()).head, /^HTTP\/1\.1 413 /)
        await poured
        client.send(GET)
        await (await stand.upstream.accept()).head()
      }
    })
  }

  /** Clients and upstreams whose connection ends with the response. */
  const LAST_RESPONSES = {
    'to a client that said close': [
      `POST / HTTP/1.1\r\n${HOST}Connection: close\r\nContent-Length: 10\r\n\r\n`,
      ok('early'),
    ],
    'to an HTTP/1.0 client': [`POST / HTTP/1.0\r\nContent-Length: 10\r\n\r\n`, ok('early')],
    'that ends with its connection': [POST, 'HTTP/1.1 200 OK\r\n\r\nearly'],
  } as const
  for (const [which, [request, response]] of Object.entries(LAST_RESPONSES)) {
    test(`an early response ${which} ends both connections, though the request is not through`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`${request}01234`)
      const upstream = await stand.upstream.accept()
      await upstream.until('01234')
      upstream.send(response)
      if (which.startsWith('that')) upstream.end()
      assert.match((await client.rest()).octets, /\r\n\r\nearly$/)
      await upstream.rest()
      await poolUntil(stand, ({ open }) => open === 0, 'an empty pool')
    })
  }

  test('a client that never sends the rest of its body keeps the early response, and no upstream connection', async () => {
    const stand = await start({ SIGNET_BODY_TIMEOUT: '150' })
    const client = await stand.client()
    client.send(`${POST}01234`)
    const upstream = await stand.upstream.accept()
    await upstream.until('01234')
    upstream.send(ok('early'))
    await upstream.rest()
    assert.match((await client.rest()).octets, /\r\n\r\nearly$/)
  })

  test('a body that turns out malformed behind an early response does not take it from the client', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(ok('early'))
    await client.when(() => client.pending.includes('early'), 'the response')
    client.send('no chunk')
    await upstream.rest()
    assert.equal((await client.rest()).ending, 'fin')
  })
  test.run()
}
