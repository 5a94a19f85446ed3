// Which upstream connection a request gets, which it never gets, and what happens when there is none.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { later } from '../support/flow.ts'
import { poolState, poolUntil } from '../support/pool-state.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { ok, type Wire } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\n${HOST}\r\n`
}

/** Sends a request on a new client connection, and takes it from a new upstream connection. */
async function begin(stand: Stand, path: string): Promise<{ client: Wire; upstream: Wire }> {
  const client = await stand.client()
  client.send(get(path))
  const upstream = await stand.upstream.accept()
  assert.match(await upstream.head(), new RegExp(`^GET ${path} `))
  return { client, upstream }
}

/** Answers, and waits until the client has it. */
async function finish({ client, upstream }: { client: Wire; upstream: Wire }, fields = ''): Promise<void> {
  upstream.send(ok('done', fields))
  assert.is((await client.message()).body.toString(), 'done')
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/pool (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  test('the connection used most recently is used next', async () => {
    const stand = await start()
    const exchanges = [await begin(stand, '/0'), await begin(stand, '/1'), await begin(stand, '/2')] as const
    for (const n of [1, 2, 0] as const) await finish(exchanges[n])
    const client = await stand.client()
    for (const path of ['/a', '/b']) {
      client.send(get(path))
      assert.match(await exchanges[0].upstream.head(), new RegExp(`^GET ${path} `))
      await finish({ client, upstream: exchanges[0].upstream })
    }
    const more = await Promise.all(
      ['/c', '/d', '/e'].map(async (path) => (await stand.client()).send(get(path))),
    )
    for (const { upstream } of [exchanges[0], exchanges[2], exchanges[1]]) await upstream.head()
    assert.is(more.length, 3)
    assert.is(stand.upstream.wires.length, 3)
  })

  test('past SIGNET_POOL_SIZE exchanges wait, and are served in order on the connection that comes free', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1' })
    const first = await begin(stand, '/first')
    const second = (await stand.client()).send(get('/second'))
    await poolUntil(stand, ({ waiting }) => waiting === 1, 'one waiting')
    const third = (await stand.client()).send(get('/third'))
    await poolUntil(stand, ({ waiting }) => waiting === 2, 'two waiting')
    assert.is(first.upstream.pending.length, 0)
    await finish(first)
    for (const [client, path] of [[second, 'second'] as const, [third, 'third'] as const]) {
      assert.match(await first.upstream.head(), new RegExp(`^GET /${path} `))
      await finish({ client, upstream: first.upstream })
    }
    assert.is(stand.upstream.wires.length, 1)
    assert.equal((await poolState(stand)).waiting, 0)
  })

  test('past SIGNET_POOL_QUEUE a request gets 503 with Retry-After at once, and its connection goes on', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1', SIGNET_POOL_QUEUE: '1' })
    const first = await begin(stand, '/first')
    const second = (await stand.client()).send(get('/second'))
    await poolUntil(stand, ({ waiting }) => waiting === 1, 'one waiting')
    const third = (await stand.client()).send(get('/third'))
    const refusal = await third.message()
    assert.match(refusal.head, /^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: \d+\r\n/)
    assert.not.match(refusal.head, /Connection: close/)
    assert.is((JSON.parse(refusal.body.toString()) as { code: string }).code, 'ERR_POOL_FULL')
    await finish(first)
    await first.upstream.head()
    await finish({ client: second, upstream: first.upstream })
    third.send(get('/again'))
    await first.upstream.head()
    await finish({ client: third, upstream: first.upstream })
  })

  test('SIGNET_POOL_QUEUE=0 lets nothing wait', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1', SIGNET_POOL_QUEUE: '0' })
    await begin(stand, '/first')
    assert.match(await (await stand.client()).send(get('/second')).head(), /^HTTP\/1\.1 503 /)
  })

  test('an exchange that waits for longer than SIGNET_POOL_TIMEOUT gets 503 with Retry-After', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1', SIGNET_POOL_TIMEOUT: '200' })
    const first = await begin(stand, '/first')
    const before = performance.now()
    const second = (await stand.client()).send(get('/second'))
    const { head, body } = await second.message()
    const waited = performance.now() - before
    assert.match(head, /^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: \d+\r\n/)
    assert.is((JSON.parse(body.toString()) as { code: string }).code, 'ERR_POOL_TIMEOUT')
    assert.ok(waited >= 200 && waited < 800, `${waited} ms`)
    await finish(first)
    assert.is(first.upstream.pending.length, 0)
  })

  test('a body that waits with its exchange is whole when a connection comes free', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1', SIGNET_BODY_TIMEOUT: '200' })
    const first = await begin(stand, '/first')
    const body = Buffer.alloc(300_000, 'body')
    const second = await stand.client()
    second.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n`).send(body)
    await later(500) // not the fault of the client
    await finish(first)
    assert.equal((await first.upstream.message()).body, body)
  })

  test('an exchange whose client goes away leaves the queue', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1', SIGNET_POOL_QUEUE: '1' })
    const first = await begin(stand, '/first')
    const second = (await stand.client()).send(get('/second'))
    await poolUntil(stand, ({ waiting }) => waiting === 1, 'one waiting')
    second.reset()
    await poolUntil(stand, ({ waiting }) => waiting === 0, 'none waiting')
    const third = (await stand.client()).send(get('/third'))
    await poolUntil(stand, ({ waiting }) => waiting === 1, 'one waiting')
    await finish(first)
    assert.match(await first.upstream.head(), /^GET \/third /)
    await finish({ client: third, upstream: first.upstream })
  })

  test('the room of a connection that has closed goes to the queue', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1' })
    const first = await begin(stand, '/first')
    const second = (await stand.client()).send(get('/second'))
    await poolUntil(stand, ({ waiting }) => waiting === 1, 'one waiting')
    await finish(first, 'Connection: close\r\n')
    const upstream = await stand.upstream.accept()
    assert.match(await upstream.head(), /^GET \/second /)
    await finish({ client: second, upstream })
  })

  test('a connection that was made for a client that has left is used by the next', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(get('/left'))
    while (stand.proxy.open().upstream === 0) await new Promise((resolve) => setImmediate(resolve))
    client.reset() // which signet hears of before it hears of its new connection
    const upstream = await stand.upstream.accept()
    await poolUntil(stand, ({ idle }) => idle === 1, 'one idle')
    assert.is(upstream.pending.length, 0)
    const next = (await stand.client()).send(get('/next'))
    assert.match(await upstream.head(), /^GET \/next /)
    await finish({ client: next, upstream })
  })

  test('a connection idle for SIGNET_POOL_IDLE_TIMEOUT is closed', async () => {
    const stand = await start({ SIGNET_POOL_IDLE_TIMEOUT: '200' })
    const exchange = await begin(stand, '/')
    const before = performance.now()
    await finish(exchange)
    assert.is((await exchange.upstream.rest()).ending, 'fin')
    const waited = performance.now() - before
    assert.ok(waited >= 200 && waited < 800, `${waited} ms`)
    assert.is((await poolState(stand)).open, 0)
  })

  test('Keep-Alive: timeout has the connection closed a second before the upstream says it will', async () => {
    const stand = await start()
    const exchanges = await Promise.all([begin(stand, '/'), begin(stand, '/')])
    const before = performance.now()
    await finish(exchanges[0], 'Keep-Alive: timeout=1, max=5\r\n')
    await finish(exchanges[1], 'Keep-Alive: max=5, timeout=2\r\n')
    await exchanges[0].upstream.rest()
    assert.ok(performance.now() - before < 600)
    await exchanges[1].upstream.rest()
    const waited = performance.now() - before
    assert.ok(waited >= 1000 && waited < 1600, `${waited} ms`)
  })

  for (const [what, end] of Object.entries({
    FIN: (wire: Wire) => wire.end(),
    RST: (wire: Wire) => wire.reset(),
    'octets nobody asked for': (wire: Wire) => wire.send(ok('stolen')),
    'an octet nobody asked for': (wire: Wire) => wire.send('H'),
  })) {
    test(`an idle connection that gets ${what} is dropped, and the next request is not sent on it`, async () => {
      const stand = await start()
      const first = await begin(stand, '/first')
      await finish(first)
      end(first.upstream)
      await poolUntil(stand, ({ open }) => open === 0, 'no connection')
      first.client.send(get('/second'))
      const upstream = await stand.upstream.accept()
      assert.match(await upstream.head(), /^GET \/second /)
      await finish({ client: first.client, upstream })
    })
  }

  for (const [how, answer] of Object.entries({
    'a whole response': ok('done') + ok('stolen'),
    'half a response': `${ok('done')}HTTP/1.1 200 O`,
    'one octet': `${ok('done')}\n`,
    'a body where there is none':
      'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen',
    'octets behind the last chunk': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${ok('stolen')}`,
  })) {
    test(`a response with ${how} behind it ends its connection, and that never becomes the next response`, async () => {
      const stand = await start()
      const { client, upstream } = await begin(stand, '/first')
      client.send(get('/second')) // waits in signet already
      upstream.send(answer)
      await client.message()
      const next = await stand.upstream.accept()
      assert.match(await next.head(), /^GET \/second /)
      next.send(ok('mine'))
      assert.is((await client.message()).body.toString(), 'mine')
      await upstream.rest()
    })
  }

  for (const [which, answer, reused] of [
    ['that says close', ok('done', 'Connection: close\r\n'), false],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\ndone', false],
    [
      'of HTTP/1.0 that says keep-alive',
      'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\ndone',
      true,
    ],
    ['of HTTP/1.1', ok('done'), true],
    ['without a body', 'HTTP/1.1 204 No Content\r\n\r\n', true],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n', true],
  ] as const) {
    test(`a response ${which} leaves a connection that is ${reused ? '' : 'not '}used again`, async () => {
      const stand = await start()
      const { client, upstream } = await begin(stand, '/first')
      upstream.send(answer)
      await client.message()
      client.send(get('/second'))
      const next = reused ? upstream : await stand.upstream.accept()
      assert.match(await next.head(), /^GET \/second /)
      await finish({ client, upstream: next })
    })
  }

  test('exchanges that wait when the proxy shuts down are still served', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1', SIGNET_DRAIN_TIMEOUT: '3000' })
    const first = await begin(stand, '/first')
    const second = (await stand.client()).send(get('/second'))
    await poolUntil(stand, ({ waiting }) => waiting === 1, 'one waiting')
    const closed = stand.proxy.close()
    await finish(first, 'Connection: close\r\n')
    const upstream = await stand.upstream.accept()
    assert.match(await upstream.head(), /^GET \/second /)
    upstream.send(ok('done'))
    assert.match((await second.rest()).octets, /\r\nConnection: close\r\n\r\ndone$/)
    await closed
    await upstream.rest()
  })

  test('a proxy that was shut down opens no more connections, however many exchanges wait', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '2' })
    await begin(stand, '/1')
    await begin(stand, '/2')
    for (let n = 0; n < 5; n++) (await stand.client()).send(get('/waits'))
    await poolUntil(stand, ({ waiting }) => waiting === 5, 'five waiting')
    await stand.proxy.close()
    await later(100)
    assert.is(stand.upstream.wires.length, 2)
    assert.equal(stand.proxy.open(), { downstream: 0, upstream: 0, deadlines: 0, compressors: 0 })
  })
  test.run()
}
