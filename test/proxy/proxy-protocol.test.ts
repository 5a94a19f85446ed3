// PROXY headers before the first request: who is believed, what is told of the client, and what becomes of bad ones.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { binaryHeader, fromIPv4, tlv } from '../support/proxy-headers.ts'
import { standsOf } from '../support/stands.ts'
import { eventually, ok, type Wire } from '../support/wire.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const LINE = 'PROXY TCP4 192.0.2.7 127.0.0.1 4711 8080\r\n'
const BINARY = fromIPv4('192.0.2.7', tlv(0x04, Buffer.alloc(9)))
const FROM_ANYBODY_HERE = { proxyProtocol: ['10.0.0.0/8', '127.0.0.0/8'] }
const FROM_SOMEBODY_ELSE = { proxyProtocol: ['10.0.0.0/8', '::/0'] }

/** What the upstream was told of the client. */
function toldOf(head: string): string {
  return /\r\nX-Forwarded-For: ([^\r]*)\r\n/.exec(head)?.[1] ?? 'nobody'
}

/** The upstream tells the client whom it was told of. */
function serve(stand: Stand): void {
  stand.upstream.serve(({ head }) => ok(toldOf(head)))
}

/** The body of the next response. */
async function answerOf(client: Wire): Promise<string> {
  return (await client.message()).body.toString('latin1')
}

function warnings(stand: Stand) {
  return stand.log.filter(({ event }) => event === 'proxy-header')
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/proxy-protocol (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  for (const [what, header, client] of [
    ['a line', LINE, '192.0.2.7'],
    ['a line over IPv6', 'PROXY TCP6 2001:DB8::7 ::1 4711 8080\r\n', '2001:db8::7'],
    ['a line that knows nobody', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
    ['a binary header', BINARY, '192.0.2.7'],
    ['a binary header of the peer itself', binaryHeader(0x20, 0), '127.0.0.1'],
    ['a binary header of a Unix socket', binaryHeader(0x21, 0x31, Buffer.alloc(216)), '127.0.0.1'],
  ] as const) {
    test(`the client that ${what} names is told to the upstream and logged, for every request`, async () => {
      const stand = await start({}, FROM_ANYBODY_HERE)
      serve(stand)
      const wire = await stand.client()
      wire.send(header).send(GET)
      assert.is(await answerOf(wire), client)
      wire.send(GET)
      assert.is(await answerOf(wire), client)
      for (const line of await stand.exchanges(2)) assert.is(line.client, client)
      assert.equal(warnings(stand), [])
    })
  }

  for (const [what, header] of [
    ['a line', Buffer.from(LINE)],
    ['a binary header', BINARY],
  ] as const) {
    test(`${what} is read however it is split, and so is the request behind it`, async () => {
      const stand = await start({}, FROM_ANYBODY_HERE)
      serve(stand)
      const octets = Buffer.concat([header, Buffer.from(GET)])
      for (let cut = 1; cut < octets.length; cut++) {
        const wire = await stand.client()
        await wire.sendSplit(octets, cut, cut + 1)
        assert.is(await answerOf(wire), '192.0.2.7', `cut at ${cut}`)
        wire.destroy()
      }
      const wire = await stand.client()
      await wire.sendSplit(octets, ...octets.keys())
      assert.is(await answerOf(wire), '192.0.2.7', 'octet by octet')
    })
  }

  test('not an octet is lost behind a header, however much comes with it', async () => {
    const stand = await start({}, FROM_ANYBODY_HERE)
    stand.upstream.serve(({ body }) => ok(body.toString('latin1')))
    const body = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251))
    const wire = await stand.client()
    const head = `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n`
    wire.send(Buffer.concat([BINARY, Buffer.from(head), body, Buffer.from(GET), Buffer.from(GET)]))
    assert.equal((await wire.message()).body, body)
    assert.is(await answerOf(wire), '')
    assert.is(await answerOf(wire), '')
  })

  test('a refusal of the first request is logged with the client that the header names', async () => {
    const stand = await start({}, FROM_ANYBODY_HERE)
    const wire = await stand.client()
    wire.send(`${LINE}GET /\r\n\r\n`)
    assert.match(await wire.head(), /^HTTP\/1\.1 400 /)
    assert.is((await stand.exchanges(1))[0]?.client, '192.0.2.7')
  })

  for (const [what, header, status] of [
    ['a line', LINE, 501], // the method PROXY is not known here
    ['a binary header', BINARY, 400],
  ] as const) {
    for (const [who, gateway] of [
      ['a peer that is not in the list', FROM_SOMEBODY_ELSE],
      ['anybody, where there is no list', {}],
    ] as const) {
      test(`${what} from ${who} is no request`, async () => {
        const stand = await start({}, gateway)
        const wire = await stand.client()
        wire.send(header).send(GET)
        assert.match(await wire.head(), new RegExp(`^HTTP/1\\.1 ${status} `))
        assert.is((await stand.exchanges(1))[0]?.client, '127.0.0.1')
        assert.equal(warnings(stand), [])
      })
    }

    test(`${what} behind the first one is no request`, async () => {
      const stand = await start({}, FROM_ANYBODY_HERE)
      const wire = await stand.client()
      wire.send(LINE).send(header).send(GET)
      assert.match(await wire.head(), new RegExp(`^HTTP/1\\.1 ${status} `))
    })
  }

  for (const [what, octets] of [
    ['a request', GET],
    ['a line that is wrong', 'PROXY TCP4 192.0.2.7 127.0.0.1 4711 80800\r\n'],
    ['a binary header that is wrong', binaryHeader(0x21, 0x11, [1, 2, 3])],
    ['a line that has no end', 'PROXY UNKNOWN '.padEnd(200, 'x')],
  ] as const) {
    test(`a connection that begins with ${what} instead of a header is closed without an answer, and that is said`, async () => {
      const stand = await start({}, FROM_ANYBODY_HERE)
      const wire = await stand.client()
      wire.send(octets)
      assert.is((await wire.rest()).octets, '')
      await eventually(() => warnings(stand).length === 1, 'a line in the log')
      assert.match(String(warnings(stand)[0]?.reason), /PROXY header.*127\.0\.0\.1/)
      assert.is(stand.upstream.wires.length, 0)
      assert.equal(stand.proxy.open(), { downstream: 0, upstream: 0, deadlines: 0, compressors: 0 })
    })
  }

  test('a connection that ends within its header is closed, and one that ends before it says nothing', async () => {
    const stand = await start({}, FROM_ANYBODY_HERE)
    const silent = await stand.client()
    silent.end()
    assert.is((await silent.rest()).octets, '')
    assert.equal(warnings(stand), [])
    const begun = await stand.client()
    begun.send(LINE.slice(0, 10)).end()
    assert.is((await begun.rest()).octets, '')
    await eventually(() => warnings(stand).length === 1, 'a line in the log')
    await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
  })

  test('however many are refused, it is said once a second, with their number', async () => {
    const stand = await start({}, FROM_ANYBODY_HERE)
    const refused = async () => {
      const wire = await stand.client()
      wire.send(GET)
      await wire.rest()
    }
    for (let count = 0; count < 10; count++) await refused()
    assert.is(warnings(stand).length, 1)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await refused()
    assert.equal(
      warnings(stand).map(({ count }) => count),
      [1, 10],
    )
  })

  test('the head deadline covers header and head: whoever has sent no header by then is closed', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: '300' }, FROM_ANYBODY_HERE)
    const silent = await stand.client()
    const slow = await stand.client()
    slow.send(LINE.slice(0, -1))
    assert.is((await silent.rest()).octets, '')
    assert.is((await slow.rest()).octets, '')
    assert.match(String(warnings(stand)[0]?.reason), /in time/)
  })

  test('the head deadline does not begin anew behind the header', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: '1000' }, FROM_ANYBODY_HERE)
    const wire = await stand.client()
    await new Promise((resolve) => setTimeout(resolve, 700))
    const from = performance.now()
    wire.send(LINE)
    assert.is((await wire.rest()).octets, '')
    assert.ok(performance.now() - from < 900, 'closed by the deadline of the connection')
  })

  test('connections that wait for their header count against the limit', async () => {
    const stand = await start({ SIGNET_MAX_CONNECTIONS: '2' }, FROM_ANYBODY_HERE)
    serve(stand)
    const waiting = [await stand.client(), await stand.client()]
    await eventually(() => stand.proxy.open().downstream === 2, 'two connections')
    const dropped = await stand.client()
    assert.is((await dropped.rest()).octets, '')
    waiting[0]!.send(LINE).send(GET)
    assert.is(await answerOf(waiting[0]!), '192.0.2.7')
    assert.is(stand.proxy.open().downstream, 2)
    waiting[1]!.destroy()
    await eventually(() => stand.proxy.open().downstream === 1, 'one connection')
    const another = await stand.client()
    another.send(LINE).send(GET)
    assert.is(await answerOf(another), '192.0.2.7')
  })

  test('a connection that waits for its header does not delay the shutdown', async () => {
    const stand = await start({ SIGNET_DRAIN_TIMEOUT: '60000' }, FROM_ANYBODY_HERE)
    const waiting = [await stand.client(), await stand.client()]
    waiting[1]!.send(LINE.slice(0, 8))
    await eventually(() => stand.proxy.open().downstream === 2, 'two connections')
    const from = performance.now()
    await stand.proxy.close()
    assert.ok(performance.now() - from < 2000)
    for (const wire of waiting) assert.is((await wire.rest()).octets, '')
    assert.equal(stand.proxy.open(), { downstream: 0, upstream: 0, deadlines: 0, compressors: 0 })
  })

  test('clients that send anything and go at any time harm nobody else', async () => {
    const stand = await start({}, FROM_ANYBODY_HERE)
    serve(stand)
    const good = await stand.client()
    good.send(LINE)
    for (let round = 0; round < 60; round++) {
      const bad = await stand.client()
      const octets = Buffer.concat([round % 2 ? BINARY : Buffer.from(LINE), Buffer.from(GET)])
      octets[(round * 7) % 30] = (round * 37) & 255
      bad.send(octets.subarray(0, round + 1))
      if (round % 3 === 0) bad.reset()
      else if (round % 3 === 1) bad.end()
      else bad.destroy()
      good.send(GET)
      assert.is(await answerOf(good), '192.0.2.7')
    }
    good.destroy()
    await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
    assert.is(stand.log.filter(({ level }) => level === 'error').length, 0)
  })

  test.run()
}
