// Nobody is waited for without end: each deadline, with a short setting.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { listenDeaf } from '../support/deaf-upstream.ts'
import { later } from '../support/flow.ts'
import { poolUntil } from '../support/pool-state.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { ok, type Wire, type WireMessage } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`
const POST = `POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n`

/** ms that every deadline here is set to, and that a deadline is late at most: two ticks, and a busy machine. */
const SHORT = 150
const LATE = 600

/** How long `promise` takes; it must be the deadline, no less and hardly more. */
async function takesShort<T>(promise: Promise<T>): Promise<T> {
  const before = performance.now()
  const value = await promise
  const ms = performance.now() - before
  assert.ok(ms >= SHORT - 10 && ms < SHORT + LATE, `${ms} ms instead of ${SHORT}`)
  return value
}

/** The code of a refusal, which must have this status and end the connection. */
async function refusal(client: Wire, status: number): Promise<string> {
  const { head, body }: WireMessage = await client.message()
  assert.ok(head.startsWith(`HTTP/1.1 ${status} `), head)
  return (JSON.parse(body.toString()) as { code: string }).code
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/deadlines (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  test('a head that is not whole after SIGNET_HEAD_TIMEOUT is refused with 408, and the connection ends', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    client.send('GET / HTTP/1.1\r\nHost: a')
    assert.is(await takesShort(refusal(client, 408)), 'ERR_HEAD_TIMEOUT')
    assert.is((await client.rest()).ending, 'fin')
    assert.is(stand.upstream.wires.length, 0)
  })

  test('a head of which an octet comes every 10 ms gets no longer than SIGNET_HEAD_TIMEOUT in all', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    const octets = `GET / HTTP/1.1\r\n${HOST}X-Slow: ${'x'.repeat(10_000)}`
    let sent = 0
    const trickle = setInterval(() => client.send(octets[sent++]!), 10)
    try {
      assert.is(await takesShort(refusal(client, 408)), 'ERR_HEAD_TIMEOUT')
    } finally {
      clearInterval(trickle)
    }
  })

  test('a head of which an octet comes every ms or so is whole in time, and goes on', async () => {
    const stand = await start()
    stand.upstream.serve(() => ok('slowly'))
    const client = await stand.client()
    await client.sendSplit(GET, ...Array.from(GET, (_, at) => at + 1))
    assert.is((await client.message()).body.toString(), 'slowly')
  })

  test('a connection that says nothing for SIGNET_HEAD_TIMEOUT from its start is closed silently', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    assert.equal(await takesShort(client.rest()), { octets: '', ending: 'fin' })
    assert.is(stand.log.filter(({ event }) => event === 'exchange').length, 0)
  })

  test('a connection that is idle for SIGNET_KEEP_ALIVE_TIMEOUT after a response is closed silently', async () => {
    const stand = await start({ SIGNET_KEEP_ALIVE_TIMEOUT: `${SHORT}`, SIGNET_HEAD_TIMEOUT: '10' })
    stand.upstream.serve(() => ok())
    const client = await stand.client()
    for (let n = 0; n < 3; n++) {
      await client.send(GET).message()
      await later(SHORT / 2)
    }
    await client.send(GET).message()
    assert.equal(await takesShort(client.rest()), { octets: '', ending: 'fin' })
  })

  test('the next head on a connection has SIGNET_HEAD_TIMEOUT from its first octet', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: `${SHORT}` })
    stand.upstream.serve(() => ok())
    const client = await stand.client()
    await client.send(GET).message()
    await later(2 * SHORT + 200)
    client.send('G')
    assert.is(await takesShort(refusal(client, 408)), 'ERR_HEAD_TIMEOUT')
  })

  test('a body that stops for SIGNET_BODY_TIMEOUT is refused with 408, and its upstream exchange ends', async () => {
    const stand = await start({ SIGNET_BODY_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    client.send(`${POST}hi`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    assert.is(await takesShort(refusal(client, 408)), 'ERR_BODY_TIMEOUT')
    await client.rest()
    await upstream.rest()
  })

  test('a body of which an octet comes now and then takes as long as it takes', async () => {
    const stand = await start({ SIGNET_BODY_TIMEOUT: `${SHORT}`, SIGNET_RESPONSE_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    client.send(POST)
    for (let n = 0; n < 10; n++) {
      await later(SHORT * 0.6)
      client.send('x')
    }
    const upstream = await stand.upstream.accept()
    assert.is((await upstream.message()).body.length, 10)
    upstream.send(ok('whole'))
    assert.is((await client.message()).body.toString(), 'whole')
  })

  test('an upstream that does not answer within SIGNET_RESPONSE_TIMEOUT is 504, and its connection ends', async () => {
    const stand = await start({ SIGNET_RESPONSE_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    client.send(GET)
    assert.is(await takesShort(refusal(client, 504)), 'ERR_RESPONSE_TIMEOUT')
    const upstream = await stand.upstream.accept()
    await upstream.rest()
    client.send(GET) // the client's goes on
    await (await stand.upstream.accept()).head()
  })

  test('half a response head within SIGNET_RESPONSE_TIMEOUT is no answer', async () => {
    const stand = await start({ SIGNET_RESPONSE_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    const trickle = setInterval(() => upstream.send('H'), 10)
    try {
      assert.is(await refusal(client, 504), 'ERR_RESPONSE_TIMEOUT')
    } finally {
      clearInterval(trickle)
    }
  })

  test('SIGNET_RESPONSE_TIMEOUT begins when the request is through', async () => {
    const stand = await start({ SIGNET_RESPONSE_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    client.send(`${POST}01234`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    await later(2 * SHORT + 200)
    client.send('56789')
    assert.is(await takesShort(refusal(client, 504)), 'ERR_RESPONSE_TIMEOUT')
  })

  test('a response body that stops for SIGNET_STREAM_TIMEOUT is cut short, and says so in the log', async () => {
    const stand = await start({ SIGNET_STREAM_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\n\r\n')
    await client.head()
    for (let n = 0; n < 5; n++) {
      await later(SHORT * 0.6)
      upstream.send('x')
      await client.take(1)
    }
    assert.equal(await takesShort(client.rest()), { octets: '', ending: 'reset' })
    await upstream.rest()
    const [line] = await stand.exchanges(1)
    assert.is(line?.failure, 'ERR_RESPONSE_STALLED')
  })

  test('an upstream that does not accept within SIGNET_CONNECT_TIMEOUT is 504', async () => {
    const deaf = await listenDeaf()
    try {
      const upstream = `http://127.0.0.1:${deaf.port}`
      const stand = await start({ SIGNET_UPSTREAM: upstream, SIGNET_CONNECT_TIMEOUT: `${SHORT}` })
      const client = await stand.client()
      client.send(`${POST}0123456789${GET}`)
      assert.is(await takesShort(refusal(client, 504)), 'ERR_CONNECT_TIMEOUT')
      // Its body was all there, so the request behind it has its turn.
      assert.is(await takesShort(refusal(client, 504)), 'ERR_CONNECT_TIMEOUT')
      await poolUntil(stand, ({ open, connecting }) => open + connecting === 0, 'no connection')
    } finally {
      deaf.close()
    }
  })

  test('an upstream that refuses is 502 at once, and a request without a body leaves its connection open', async () => {
    const stand = await start({ SIGNET_UPSTREAM: 'http://127.0.0.1:1' })
    const client = await stand.client()
    for (let n = 0; n < 3; n++) {
      client.send(GET)
      assert.is(await refusal(client, 502), 'ERR_UPSTREAM_UNREACHABLE')
    }
  })

  test('a client that closed its sending side has its response for as long as that keeps coming', async () => {
    const stand = await start({ SIGNET_HALF_CLOSE_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    client.send(GET).end()
    const upstream = await stand.upstream.accept()
    await upstream.head()
    await later(SHORT / 2)
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
    for (const octet of 'hello') {
      await later(SHORT * 0.6)
      upstream.send(octet)
    }
    const { octets, ending } = await client.rest()
    assert.match(octets, /\r\nConnection: close\r\n\r\nhello$/)
    assert.is(ending, 'fin')
  })

  test('a client that closed its sending side is gone after SIGNET_HALF_CLOSE_TIMEOUT without an octet for it', async () => {
    const stand = await start({ SIGNET_HALF_CLOSE_TIMEOUT: `${SHORT}` })
    const client = await stand.client()
    client.send(GET).end()
    const upstream = await stand.upstream.accept()
    await upstream.head()
    await takesShort(upstream.rest())
    await client.rest()
    const [line] = await stand.exchanges(1)
    assert.is(line?.failure, 'ERR_CLIENT_CLOSED')
  })

  test('requests that a client sent before it closed its sending side are all answered', async () => {
    const stand = await start()
    stand.upstream.serve(({ head }) => ok(head.slice(4, 6)))
    const client = await stand.client()
    client.send(['/1', '/2', '/3'].map((path) => GET.replace('/', path)).join('')).end()
    for (const answer of ['/1', '/2', '/3']) assert.is((await client.message()).body.toString(), answer)
    assert.is((await client.rest()).ending, 'fin')
  })

  test('requests for pages of its own that came before FIN are all answered, the last one with close', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`GET /status HTTP/1.1\r\n${HOST}\r\n`.repeat(2)).end()
    assert.match((await client.message()).head, /^HTTP\/1\.1 200 /)
    assert.match((await client.message()).head, /^HTTP\/1\.1 200 /)
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
  })

  test('a client that goes on sending behind its last response is read for a moment, so that no RST overtakes it', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\n\r\nlast').end() // a body that only the end of the connection ends
    const push = setInterval(() => client.socket.destroyed || client.send('x'.repeat(1000)), 5)
    try {
      const before = performance.now()
      assert.match(await client.until('last'), /\r\n\r\nlast$/)
      await client.rest()
      assert.ok(performance.now() - before < 500, 'the end of the response comes at once')
      await later(300)
      assert.is(client.ending, 'fin')
    } finally {
      clearInterval(push)
    }
  })
  test.run()
}
