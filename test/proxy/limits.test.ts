// Every limit, exactly: what is at it passes, what is one over it does not.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { later } from '../support/flow.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { eventually, ok } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`

/** A request head of exactly `size` octets. */
function headOf(size: number): string {
  const head = `GET / HTTP/1.1\r\n${HOST}X-Fill: \r\n\r\n`
  return head.replace('X-Fill: ', `X-Fill: ${'x'.repeat(size - head.length)}`)
}

/** A request whose request-target has exactly `size` octets. */
function targetOf(size: number): string {
  return GET.replace('/', `/${'t'.repeat(size - 1)}`)
}

/** A request with exactly `count` field lines. */
function fieldsOf(count: number): string {
  return GET.replace(HOST, HOST + 'X: 1\r\n'.repeat(count - 1))
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/limits (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  for (const [size, env] of [
    [16_384, {}],
    [1024, { SIGNET_MAX_HEAD_SIZE: '1024', SIGNET_MAX_TARGET_SIZE: '512' }],
    [100_000, { SIGNET_MAX_HEAD_SIZE: '100000' }],
  ] as const) {
    test(`with SIGNET_MAX_HEAD_SIZE ${size} a head of so many octets passes, and one of one more is 431`, async () => {
      const stand = await start(env)
      await exchange(stand, headOf(size), ok())
      const client = await stand.client()
      client.send(headOf(size + 1))
      assert.match(await client.head(), /^HTTP\/1\.1 431 /)
      assert.match((await client.rest()).octets, /ERR_HEAD_TOO_LARGE/)
    })

    test(`a head of ${size} octets passes in pieces, too, and one of one more is 431`, async () => {
      const stand = await start(env)
      stand.upstream.serve(() => ok())
      for (const cuts of [[1], [size - 1], [5, 700, size - 4], [size - 2, size - 1]]) {
        const client = await stand.client()
        await client.sendSplit(headOf(size), ...cuts)
        assert.match((await client.message()).head, /^HTTP\/1\.1 200 /)
        await client.sendSplit(headOf(size + 1), ...cuts)
        assert.match((await client.message()).head, /^HTTP\/1\.1 431 /)
      }
    })

    test(`a head that has no end is 431 once ${size} octets have come`, async () => {
      const stand = await start(env)
      const client = await stand.client()
      const endless = headOf(size + 100).slice(0, size)
      client.send(endless)
      await client.silent(20)
      client.send('x')
      assert.match(await client.head(), /^HTTP\/1\.1 431 /)
      await client.rest()
    })
  }

  test('a response head of more than SIGNET_MAX_HEAD_SIZE is 502', async () => {
    const stand = await start()
    const head = (size: number) =>
      `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ${'x'.repeat(size - 43)}\r\n\r\n`
    assert.is(head(16_384).length, 16_384)
    assert.match((await exchange(stand, GET, head(16_384))).response.head, /^HTTP\/1\.1 200 /)
    const other = await start()
    assert.match((await exchange(other, GET, head(16_385))).response.head, /^HTTP\/1\.1 502 /)
    const [line] = await other.exchanges(1)
    assert.is(line?.failure, 'ERR_RESPONSE_TOO_LARGE')
  })

  for (const [size, env] of [
    [8192, {}],
    [64, { SIGNET_MAX_TARGET_SIZE: '64' }],
  ] as const) {
    test(`with SIGNET_MAX_TARGET_SIZE ${size} a target of so many octets passes, and one of one more is 414`, async () => {
      const stand = await start(env)
      const { forwarded } = await exchange(stand, targetOf(size), ok())
      assert.ok(forwarded.head.startsWith(targetOf(size).slice(0, size + 4)))
      const client = await stand.client()
      client.send(targetOf(size + 1))
      const { head, body } = await client.message()
      assert.match(head, /^HTTP\/1\.1 414 /)
      assert.match(body.toString(), /ERR_TARGET_TOO_LONG/)
    })
  }

  test('a target that is longer than a whole head may be is 414, not 431', async () => {
    const stand = await start()
    for (const size of [16_384, 17_000, 60_000, 500_000]) {
      const client = await stand.client()
      client.send(targetOf(size))
      assert.match(await client.head(), /^HTTP\/1\.1 414 /)
    }
  })

  for (const [count, env] of [
    [100, {}],
    [3, { SIGNET_MAX_FIELDS: '3' }],
  ] as const) {
    test(`with SIGNET_MAX_FIELDS ${count} so many field lines pass, and one more is 431`, async () => {
      const stand = await start(env)
      await exchange(stand, fieldsOf(count), ok())
      const client = await stand.client()
      client.send(fieldsOf(count + 1))
      assert.match(await client.head(), /^HTTP\/1\.1 431 /)
      assert.match((await client.rest()).octets, /ERR_TOO_MANY_FIELDS/)
    })
  }

  test('a response of more than SIGNET_MAX_FIELDS field lines is 502', async () => {
    const stand = await start({ SIGNET_MAX_FIELDS: '3' })
    assert.match((await exchange(stand, GET, ok('', 'X: 1\r\nX: 2\r\n'))).response.head, /^HTTP\/1\.1 200 /)
    const other = await start({ SIGNET_MAX_FIELDS: '3' })
    const over = ok('', 'X: 1\r\nX: 2\r\nX: 3\r\n')
    assert.match((await exchange(other, GET, over)).response.head, /^HTTP\/1\.1 502 /)
  })

  test('past SIGNET_MAX_CONNECTIONS a connection is closed unanswered, until another one has gone', async () => {
    const stand = await start({ SIGNET_MAX_CONNECTIONS: '2' })
    stand.upstream.serve(() => ok())
    const clients = [await stand.client(), await stand.client()] as const
    for (const client of clients) await client.send(GET).message()
    const third = await stand.client()
    assert.is((await third.rest()).octets, '')

    for (const client of clients) await client.send(GET).message()
    clients[0].destroy()
    await eventually(() => stand.proxy.open().downstream === 1, 'one connection')
    const fourth = await stand.client()
    assert.match((await fourth.send(GET).message()).head, /^HTTP\/1\.1 200 /)
  })

  test('however many connections come and go, the count of them comes back', async () => {
    const stand = await start({ SIGNET_MAX_CONNECTIONS: '5' })
    stand.upstream.serve(() => ok())
    for (let n = 0; n < 40; n++) {
      const client = await stand.client()
      await client.send(GET).message()
      if (n % 3 === 0) client.reset()
      else if (n % 3 === 1) client.destroy()
      else await client.end().rest()
      await eventually(() => stand.proxy.open().downstream === 0, 'no connection')
    }
  })

  test('requests pipelined ahead are taken in up to a limit, and then the client has to wait', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    const ahead = Buffer.from(GET.repeat(10_000))
    let written = 0
    for (; written < 64 * 1024 * 1024; written += ahead.length) {
      if (client.socket.write(ahead)) continue
      const drained = new Promise<boolean>((resolve) => client.socket.once('drain', () => resolve(true)))
      if (!(await Promise.race([drained, later(100, false)]))) break
    }
    assert.ok(written < 24 * 1024 * 1024, `${written} octets were taken`)
    upstream.send(ok('first'))
    assert.is((await client.message()).body.toString(), 'first')
    for (let n = 0; n < 100; n++) {
      await upstream.head()
      upstream.send(ok(`${n}`))
      assert.is((await client.message()).body.toString(), `${n}`)
    }
  })
  test.run()
}
