// How long connections live: each link by its own rules, and never beyond a message whose end is in doubt.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { masked, valuesOf } from '../support/heads.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { answerToDeafClients, exchange, standsOf } from '../support/stands.ts'
import { eventually, ok } from '../support/wire.ts'

const H = 'Host: a.test\r\n'
const GET = `GET / HTTP/1.1\r\n${H}\r\n`

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/persistence (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  test('one connection on each side carries request after request (RFC 9112 §9.3)', async () => {
    const stand = await start()
    const { client, upstream } = await exchange(stand, GET, ok('0'))
    for (let count = 1; count < 20; count++) {
      const body = 'x'.repeat(count)
      client.send(`POST /${count} HTTP/1.1\r\n${H}Content-Length: ${count}\r\n\r\n${body}`)
      assert.is((await upstream.message()).body.toString(), body)
      upstream.send(ok(`${count}`))
      const { head, body: answer } = await client.message()
      assert.is(answer.toString(), `${count}`)
      assert.equal(valuesOf(head, 'connection'), [])
    }
    assert.is(stand.upstream.wires.length, 1)
  })

  for (const line of [
    'Connection: close',
    'connection: CLOSE',
    'Connection: keep-alive, close',
    'Connection: x-a\r\nConnection:\t, close ,',
  ]) {
    test(`a client that says ${JSON.stringify(line)} gets it back, and only its own connection ends`, async () => {
      const stand = await start()
      const { client, upstream, forwarded, response } = await exchange(
        stand,
        `GET / HTTP/1.1\r\n${H}${line}\r\n\r\n`,
        ok(),
      )
      assert.equal(valuesOf(forwarded.head, 'connection'), [])
      assert.equal(valuesOf(response.head, 'connection'), ['close'])
      assert.equal(await client.rest(), { octets: '', ending: 'fin' })
      const other = await stand.client()
      other.send(GET)
      await upstream.head()
      assert.is(stand.upstream.wires.length, 1)
    })
  }

  for (const [name, answer] of [
    ['Connection: close', ok('ok', 'Connection: close\r\n')],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    [
      'HTTP/1.0 and Proxy-Connection',
      'HTTP/1.0 200 OK\r\nProxy-Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
    ],
    [
      'HTTP/1.0, keep-alive and close',
      'HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2\r\n\r\nok',
    ],
  ] as const) {
    test(`an upstream that answers with ${name} is not asked again there, and the client goes on`, async () => {
      const stand = await start()
      const { client, upstream, response } = await exchange(stand, GET, answer)
      assert.equal(valuesOf(response.head, 'connection'), [])
      assert.equal(await upstream.rest(), { octets: '', ending: 'fin' })
      client.send(GET)
      const second = await stand.upstream.accept()
      await second.head()
      second.send(ok('next'))
      assert.is((await client.message()).body.toString(), 'next')
    })
  }

  test('an HTTP/1.0 upstream that says keep-alive is asked again on the same connection', async () => {
    const stand = await start()
    const answer = 'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok'
    const { client, upstream } = await exchange(stand, GET, answer)
    client.send(GET)
    await upstream.head()
    upstream.send(answer)
    assert.is(
      masked((await client.message()).head),
      'HTTP/1.1 200 OK\r\nDate: <now>\r\nContent-Length: 2\r\n\r\n',
    )
    assert.is(stand.upstream.wires.length, 1)
  })

  for (const line of [
    '',
    'Connection: keep-alive\r\n',
    'Proxy-Connection: keep-alive\r\n',
    'Keep-Alive: timeout=60\r\n',
  ]) {
    test(`an HTTP/1.0 client that says ${JSON.stringify(line)} gets one answer and the end (RFC 9112 §9.3)`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`GET / HTTP/1.0\r\n${line}\r\nGET /smuggled HTTP/1.0\r\n\r\n`)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send(ok('ok'))
      const { octets, ending } = await client.rest()
      assert.is(
        masked(octets),
        'HTTP/1.1 200 OK\r\nDate: <now>\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
      )
      assert.is(ending, 'fin')
      assert.is(upstream.pending.length, 0, 'nothing behind the one request was forwarded')
      assert.is(upstream.ending, undefined, "the upstream's connection is kept")
    })
  }

  test('Proxy-Connection means nothing (RFC 9112 §C.2.2)', async () => {
    const { client, upstream, response } = await exchange(
      await start(),
      `GET / HTTP/1.1\r\n${H}Proxy-Connection: close\r\n\r\n`,
      ok('ok', 'Proxy-Connection: close\r\n'),
    )
    assert.equal(valuesOf(response.head, 'connection'), [])
    client.send(GET)
    await upstream.head()
  })

  test('the connection used last is used first, and the others rest', async () => {
    const stand = await start()
    const clients = [await stand.client(), await stand.client(), await stand.client()]
    const upstreams = []
    for (const client of clients) {
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstreams.push(upstream)
    }
    for (const at of [1, 0, 2]) {
      upstreams[at]!.send(ok())
      await clients[at]!.message()
    }
    for (let count = 0; count < 3; count++) {
      clients[0]!.send(GET)
      await upstreams[2]!.head()
      upstreams[2]!.send(ok())
      await clients[0]!.message()
    }
  })

  test('an idle upstream connection that sends something is dropped, and what it sent reaches nobody', async () => {
    const stand = await start()
    const { client, upstream } = await exchange(stand, GET, ok())
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
    await upstream.rest()
    client.send(GET)
    const second = await stand.upstream.accept()
    await second.head()
    second.send(ok('mine'))
    assert.is((await client.message()).body.toString(), 'mine')
  })

  for (const answer of [
    `${ok('mine')}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`,
    `${ok('mine')}\r\n`,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\nX',
  ]) {
    test(`octets behind a response end its connection: ${JSON.stringify(answer.slice(-40))}`, async () => {
      const stand = await start()
      const { client, upstream } = await exchange(stand, GET, answer)
      await upstream.rest()
      assert.is(client.pending.length, 0)
      client.send(GET)
      const second = await stand.upstream.accept()
      await second.head()
      second.send(ok('next'))
      assert.is((await client.message()).body.toString(), 'next')
    })
  }

  test('an idle upstream connection that is closed is dropped, and the next request gets a new one', async () => {
    const stand = await start()
    const { client, upstream } = await exchange(stand, GET, ok())
    upstream.end()
    await eventually(() => stand.proxy.open().upstream === 0, 'the connection to be dropped')
    client.send(GET)
    await (await stand.upstream.accept()).head()
  })

  test('a client that goes between two requests takes no upstream connection with it', async () => {
    const stand = await start()
    const { client, upstream } = await exchange(stand, GET, ok())
    client.reset()
    await eventually(() => stand.proxy.open().downstream === 0, 'the client to be gone')
    assert.is(stand.proxy.open().upstream, 1)
    const other = await stand.client()
    other.send(GET)
    await upstream.head()
  })

  test('an idle client connection is closed without a word when its time is over', async () => {
    const stand = await start({ SIGNET_KEEP_ALIVE_TIMEOUT: '50' })
    const { client } = await exchange(stand, GET, ok())
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
  })

  test('a connection on which no request ever begins is closed without a word', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: '50' })
    const client = await stand.client()
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
    assert.is(stand.log.filter((line) => line.event === 'exchange').length, 0)
  })

  test('the time for a head begins with its first octet, not with the end of the last response', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: '300' })
    const { client, upstream } = await exchange(stand, GET, ok())
    await new Promise((resolve) => setTimeout(resolve, 450))
    client.send(GET)
    await upstream.head()
  })

  test('an empty line behind a body, as old clients send it, is passed over', async () => {
    const { client, upstream } = await exchange(
      await start(),
      `POST / HTTP/1.1\r\n${H}Content-Length: 2\r\n\r\nhi`,
      ok(),
    )
    client.send(`\r\n${GET}`)
    assert.ok((await upstream.head()).startsWith('GET / '))
  })

  // ── a response that comes before its request is complete ────────────────────────────────────────────────────

  test('an early response: the rest of the request is dropped, and the client goes on, on another connection', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nhello`)
    const upstream = await stand.upstream.accept()
    await upstream.until('hello')
    upstream.send(ok('early'))
    const response = await client.message()
    assert.is(response.body.toString(), 'early')
    assert.equal(valuesOf(response.head, 'connection'), [])
    assert.is((await upstream.rest()).octets, '')
    client.send(`world${GET}`)
    const second = await stand.upstream.accept()
    assert.ok((await second.head()).startsWith('GET / '), 'the rest of the body is no request')
    second.send(ok('next'))
    assert.is((await client.message()).body.toString(), 'next')
  })

  test('an early response whose connection ends: the rest of the request is dropped, and the client goes on', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nhello`)
    const upstream = await stand.upstream.accept()
    await upstream.until('hello')
    upstream.send(ok('early', 'Connection: close\r\n')).end()
    assert.is((await client.message()).body.toString(), 'early')
    await upstream.rest()
    client.send(`world${GET}`)
    const second = await stand.upstream.accept()
    assert.ok((await second.head()).startsWith('GET / '), 'the rest of the body is no request')
    second.send(ok('next'))
    assert.is((await client.message()).body.toString(), 'next')
  })

  test('an early response to a client that closes: it gets the response and the end, whatever it still had to say', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${H}Connection: close\r\nContent-Length: 10000000\r\n\r\nhello`)
    const upstream = await stand.upstream.accept()
    await upstream.until('hello')
    upstream.send(ok('no'))
    assert.is((await client.message()).body.toString(), 'no')
    client.send('x'.repeat(1_000_000))
    assert.is((await client.rest()).octets, '')
    assert.is((await upstream.rest()).octets.replace(/x*/, ''), '')
  })

  test('an early response in chunks whose request goes on in chunks: neither mistakes the other', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.until('hello\r\n')
    upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n')
    await client.until('one\r\n')
    client.send('5\r\nworld\r\n')
    await upstream.until('world\r\n')
    upstream.send('0\r\n\r\n')
    await client.until('0\r\n\r\n')
    assert.is((await upstream.rest()).octets, '')
    client.send(`0\r\n\r\n${GET}`)
    assert.ok((await (await stand.upstream.accept()).head()).startsWith('GET / '))
  })

  // ── half-closed connections ─────────────────────────────────────────────────────────────────────────────────

  for (const body of [
    '',
    'Content-Length: 2\r\n\r\nhi',
    'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
  ]) {
    test(`a client that closes its side behind ${JSON.stringify(body)} still gets its response, and then the end`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`POST / HTTP/1.1\r\n${H}${body === '' ? '\r\n' : body}`).end()
      const upstream = await stand.upstream.accept()
      await upstream.message()
      await client.silent(50)
      upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl')
      await client.until('sl')
      await client.silent(50)
      upstream.send('ow')
      assert.equal(await client.rest(), { octets: 'ow', ending: 'fin' })
      await eventually(() => stand.proxy.open().downstream === 0, 'the client connection to be gone')
    })
  }

  test('a client that closes its side only while a large response comes gets all of it', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    const size = 12_000_000
    client.socket.pause()
    upstream.send(
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`), Buffer.alloc(size)]),
    )
    await new Promise((resolve) => setTimeout(resolve, 100))
    client.end()
    await new Promise((resolve) => setTimeout(resolve, 100))
    client.socket.resume()
    assert.is((await client.message(10_000)).body.length, size)
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
  })

  test('clients that close their side with a response on its way to them get all of it, however slowly they read', async () => {
    const stand = await start()
    const open = async () => {
      const client = await stand.client()
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      return { client, upstream }
    }
    const slow = await answerToDeafClients(open, stand.port)
    for (const { client } of slow) client.end()
    await new Promise((resolve) => setTimeout(resolve, 50))
    await Promise.all(
      slow.map(async ({ client, size }) => {
        client.socket.resume()
        assert.is((await client.message()).body.length, size)
        assert.equal(await client.rest(), { octets: '', ending: 'fin' })
      }),
    )
  })

  test('a half-closed client is not waited for forever, and a response it did not get whole does not look whole', async () => {
    const stand = await start({ SIGNET_HALF_CLOSE_TIMEOUT: '50' })
    for (const [answer, ending] of [
      ['', 'fin'],
      ['HTTP/1.1 200 OK\r\n\r\nonly some', 'reset'],
    ] as const) {
      const client = await stand.client()
      client.send(GET).end()
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send(answer)
      const end = await client.rest()
      assert.is(end.ending, ending, end.octets)
      await upstream.rest()
    }
  })

  test('a client that takes nothing more is given up, and what it did not get does not look whole', async () => {
    const stand = await start({ SIGNET_SEND_TIMEOUT: '100' })
    const client = await stand.client()
    client.socket.pause()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(20_000_000)}`).end()
    assert.is((await stand.exchanges(1))[0]?.failure, 'ERR_CLIENT_STALLED')
    await eventually(() => stand.proxy.open().downstream === 0, 'the client connection to be given up')
    client.socket.resume()
    assert.is((await client.rest()).ending, 'reset')
  })

  test('a client that closes its side within a body has gone: its upstream exchange goes with it', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nhello`)
    const upstream = await stand.upstream.accept()
    await upstream.until('hello')
    client.end()
    assert.is((await upstream.rest()).octets, '')
    assert.is((await client.rest()).octets, '')
    const [line] = await stand.exchanges(1)
    assert.is(line?.failure, 'ERR_CLIENT_CLOSED')
  })

  test('a client that closes its side within a head is let go without a word', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send('GET / HTTP/1.1\r\nHos').end()
    assert.is((await client.rest()).octets, '')
    assert.is(stand.upstream.wires.length, 0)
    await eventually(() => stand.proxy.open().downstream === 0, 'the client connection to be gone')
  })

  for (const size of [1, 70_000]) {
    test(`a response without a length is cut short by RST, even right behind its last ${size} octets`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      const octets = `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(size)}`
      await new Promise((resolve) => upstream.socket.write(octets, resolve))
      upstream.reset()
      // Known in the turn that brought its head, nothing of it has left, and it is answered instead.
      await client.until(' ')
      if (!client.pending.toString('latin1').startsWith('502'))
        assert.is((await client.rest()).ending, 'reset')
      assert.is((await stand.exchanges(1))[0]?.failure, 'ERR_RESPONSE_CUT_SHORT')
    })
  }

  test('an upstream that closes its side behind its response has said all of it', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(ok('all')).end()
    assert.is((await client.message()).body.toString(), 'all')
    client.send(GET)
    await (await stand.upstream.accept()).head()
  })

  test.run()
}
