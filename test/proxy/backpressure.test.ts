// Whoever does not read stops whoever sends: nothing is collected in between, and nobody is waited for without end.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  checked,
  ENDLESS,
  fill,
  KIB,
  later,
  MIB,
  MOST_UNDER_WAY,
  Pattern,
  pour,
  response,
} from '../support/flow.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { eventually, ok, type Wire } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`

const SIZE = 32 * MIB

/** Answers `GET /size` with so many octets, each response in one write. */
function serveSizes({ upstream }: Stand, body: Pattern): void {
  upstream.onConnection(async (wire) => {
    for (;;) {
      const size = Number(/^GET \/(\d+) /.exec(await wire.head())?.[1])
      wire.send(response(body, size))
    }
  })
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/backpressure (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  test('a client that does not read stops the upstream, and gets every octet once it does', async () => {
    const stand = await start()
    const body = new Pattern('down')
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.socket.pause()
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${ENDLESS}\r\n\r\n`)
    const accepted = await fill(upstream, body, ENDLESS)
    assert.ok(accepted < MOST_UNDER_WAY, `${accepted} octets were taken`)

    const more = { slice: (at: number, length: number) => body.slice(accepted + at, length) }
    const poured = pour(upstream, more, 5 * MIB)
    client.socket.resume()
    await client.head()
    await checked(client, body, accepted + 5 * MIB)
    await poured
  })

  test('an upstream that does not read stops the client, and gets every octet once it does', async () => {
    const stand = await start()
    const body = new Pattern('up')
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${ENDLESS}\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.socket.pause()
    const accepted = await fill(client, body, ENDLESS)
    assert.ok(accepted < MOST_UNDER_WAY, `${accepted} octets were taken`)

    const more = { slice: (at: number, length: number) => body.slice(accepted + at, length) }
    const poured = pour(client, more, 5 * MIB)
    upstream.socket.resume()
    await checked(upstream, body, accepted + 5 * MIB)
    await poured
  })

  test('a client that stops and goes on again and again gets every octet', async () => {
    const stand = await start()
    const body = new Pattern('stop and go')
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`)
    const poured = pour(upstream, body, SIZE, { pieces: [MIB, 17] })
    await client.head()
    await checked(client, body, SIZE, { every: 6 * MIB, rest: 40 })
    await poured
  })

  test('a client that takes nothing for SIGNET_SEND_TIMEOUT is cut off, and its upstream exchange with it', async () => {
    const stand = await start({ SIGNET_SEND_TIMEOUT: '200' })
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.socket.pause()
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${ENDLESS}\r\n\r\n`)
    await fill(upstream, new Pattern('stalled'), ENDLESS, 100)
    await upstream.rest()
    const [line] = await stand.exchanges(1)
    assert.is(line?.failure, 'ERR_CLIENT_STALLED')
  })

  test('a client that takes nothing is cut off even while it sends', async () => {
    const stand = await start({ SIGNET_SEND_TIMEOUT: '300' })
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.socket.pause()
    const trickle = setInterval(() => client.send('1\r\nx\r\n'), 20)
    try {
      upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${ENDLESS}\r\n\r\n`)
      await fill(upstream, new Pattern('stalled'), ENDLESS, 100)
      await upstream.rest(3000)
    } finally {
      clearInterval(trickle)
    }
  })

  test('a response without a length that stalls in its client is cut by RST: what was sent must not look whole', async () => {
    const stand = await start({ SIGNET_SEND_TIMEOUT: '200' })
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.socket.pause()
    upstream.send('HTTP/1.1 200 OK\r\n\r\n')
    await fill(upstream, new Pattern('stalled'), ENDLESS, 100)
    await upstream.rest()
    client.socket.resume()
    client.divert(() => undefined)
    assert.is((await client.rest()).ending, 'reset')
  })

  test('a response without a length of which the client never takes the end is either whole or cut by RST', async () => {
    const stand = await start({ SIGNET_SEND_TIMEOUT: '150' })
    // What the kernel takes is not known: of some of these, signet is left with the end when the upstream is through.
    const sizes = Array.from({ length: 30 }, (_, n) => 3 * MIB + n * 64 * KIB)
    const clients: Wire[] = []
    for (const size of sizes) {
      const client = await stand.client()
      client.socket.pause()
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send('HTTP/1.1 200 OK\r\n\r\n').send(Buffer.alloc(size)).end()
      clients.push(client)
    }
    await eventually(() => stand.proxy.open().downstream === 0, 'the clients to be gone')
    const endings = new Set<string>()
    for (const [n, client] of clients.entries()) {
      client.socket.resume()
      const { octets, ending } = await client.rest()
      const whole = octets.length - octets.indexOf('\r\n\r\n') - 4 === sizes[n]
      assert.is(ending, whole ? 'fin' : 'reset', `with ${octets.length} of ${sizes[n]} octets`)
      endings.add(ending)
    }
    assert.ok(endings.has('reset'))
  })

  test('a client that takes a little now and then is not cut off', async () => {
    const stand = await start({ SIGNET_SEND_TIMEOUT: '300' })
    const body = new Pattern('slow')
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${24 * MIB}\r\n\r\n`)
    const poured = pour(upstream, body, 24 * MIB)
    await client.head()
    // The kernel makes room for more only after a good part of its 4 MiB was read: so these are small steps.
    await checked(client, body, 24 * MIB, { every: 768 * KIB, rest: 50 })
    await poured
  })

  test('an upstream that takes nothing for SIGNET_SEND_TIMEOUT gets no more of the request: 504', async () => {
    const stand = await start({ SIGNET_SEND_TIMEOUT: '200' })
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${ENDLESS}\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.socket.pause()
    await fill(client, new Pattern('stalled'), ENDLESS, 100)
    assert.match(await client.head(), /^HTTP\/1\.1 504 /)
    const [line] = await stand.exchanges(1)
    assert.is(line?.failure, 'ERR_RESPONSE_TIMEOUT')
  })

  test('a client whose upstream does not read for longer than SIGNET_BODY_TIMEOUT is not blamed for it', async () => {
    const stand = await start({ SIGNET_BODY_TIMEOUT: '500' })
    const body = new Pattern('patient')
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${SIZE}\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.socket.pause()
    const poured = pour(client, body, SIZE)
    await later(1200)
    upstream.socket.resume()
    await checked(upstream, body, SIZE)
    await poured
    upstream.send(ok())
    assert.is((await client.message()).body.toString(), 'ok')
  })

  test('an upstream that does not stop has a client that reads slowly wait no longer than its own deadlines', async () => {
    const stand = await start({ SIGNET_STREAM_TIMEOUT: '500', SIGNET_KEEP_ALIVE_TIMEOUT: '500' })
    const body = new Pattern('slow reader')
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.socket.pause()
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`)
    const poured = pour(upstream, body, SIZE)
    await later(1200)
    client.socket.resume()
    await client.head()
    await checked(client, body, SIZE)
    await poured
  })

  for (const [ending, end] of Object.entries({
    'is idle for SIGNET_KEEP_ALIVE_TIMEOUT': () => undefined,
    'closes its sending side': (client: Wire) => client.end(),
  })) {
    test(`a client that ${ending} and has yet to read a response gets all of it`, async () => {
      const stand = await start({ SIGNET_KEEP_ALIVE_TIMEOUT: '100' })
      const body = new Pattern('last words')
      serveSizes(stand, body)
      // What the kernel takes is not known: of some of these, all is through but what signet holds of the last read.
      const sizes = Array.from({ length: 8 }, (_, n) => 2.5 * MIB + n * 256 * KIB)
      const last = 1000 * KIB
      const clients = await Promise.all(sizes.map(() => stand.client()))
      for (const [n, client] of clients.entries()) {
        await later(30)
        client.socket.pause()
        client.send(`GET /${sizes[n]} HTTP/1.1\r\n${HOST}\r\nGET /${last} HTTP/1.1\r\n${HOST}\r\n`)
      }
      await later(100)
      clients.map(end)
      await later(400)
      for (const [n, client] of clients.entries()) {
        client.socket.resume()
        for (const size of [sizes[n]!, last]) {
          await client.head()
          await checked(client, body, size)
        }
        assert.is((await client.rest()).ending, 'fin')
      }
    })
  }
  test.run()
}
