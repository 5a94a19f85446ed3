// TLS toward clients: the same proxy as over plain TCP, and what TLS adds.

import { createHash } from 'node:crypto'
import type { SecureVersion } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Certificate } from '../../src/http/gateway.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { fromIPv4 } from '../support/proxy-headers.ts'
import { standsOf } from '../support/stands.ts'
import { connectTls, makeCertificate, type TlsClient } from '../support/tls.ts'
import { eventually, ok, Wire, within } from '../support/wire.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const LAST = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'
const VERSIONS: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3']
/** A large body, no part of which is like another. */
const OCTETS = createHash('shake256', { outputLength: 3_000_000 }).update('tls').digest()
/** Content type of an alert, which in TLS 1.2 stands in the open. */
const ALERT = 21

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/tls (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })
  const clients: { destroy(): void }[] = []
  let tls: Certificate
  test.before(async () => {
    tls = await makeCertificate()
  })
  test.after.each(() => {
    for (const client of clients.splice(0)) client.destroy()
  })

  async function connect(
    stand: Stand,
    ...rest: [options?: object, first?: string | Buffer]
  ): Promise<TlsClient> {
    const client = await connectTls(stand.port, tls, ...rest)
    clients.push(client.socket)
    return client
  }

  async function stillServes(stand: Stand): Promise<void> {
    const { wire } = await connect(stand)
    wire.send(LAST)
    assert.match((await wire.message()).head, /^HTTP\/1\.1 200 /)
  }

  for (const version of VERSIONS) {
    const only = { minVersion: version, maxVersion: version }

    test(`${version}: requests go through, one after the other, and are told as https`, async () => {
      const stand = await start({}, { tls })
      stand.upstream.serve(({ head }) => ok(head))
      const { wire, socket } = await connect(stand, only)
      assert.is(socket.getProtocol(), version)
      assert.is(socket.alpnProtocol, 'http/1.1')
      for (let request = 0; request < 3; request++) {
        wire.send(GET)
        const told = (await wire.message()).body.toString()
        assert.match(told, '\r\nX-Forwarded-For: 127.0.0.1\r\n')
        assert.match(told, '\r\nX-Forwarded-Proto: https\r\n')
        assert.match(told, '\r\nForwarded: for=127.0.0.1;host="a.test";proto=https\r\n')
      }
      assert.is((await stand.exchanges(3))[2]?.client, '127.0.0.1')
      assert.is(stand.upstream.wires.length, 1)
    })

    test(`${version}: a client that has said that it sends no more still gets its response`, async () => {
      const stand = await start({}, { tls })
      const { wire, records } = await connect(stand, only)
      wire.send(GET).end()
      const upstream = await stand.upstream.accept()
      await upstream.message()
      await new Promise((resolve) => setTimeout(resolve, 50))
      upstream.send(ok('late'))
      assert.is((await wire.message()).body.toString(), 'late')
      assert.is((await wire.rest()).octets, '')
      if (version === 'TLSv1.2') assert.is(records().at(-1), ALERT)
    })

    test(`${version}: a response that is cut short ends in RST, without the alert that says all is well`, async () => {
      const stand = await start({}, { tls })
      const { wire, records, ending } = await connect(stand, only)
      wire.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.message()
      upstream.send('HTTP/1.1 200 OK\r\n\r\npart')
      await wire.until('part')
      upstream.reset()
      await wire.rest()
      assert.is(ending(), 'reset')
      assert.is.not(records().at(-1), ALERT)
      await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
    })

    for (const [what, env, request] of [
      ['after the last response', {}, LAST],
      ['that was idle for too long', { SIGNET_KEEP_ALIVE_TIMEOUT: '100' }, GET],
      ['that has never said a thing', { SIGNET_HEAD_TIMEOUT: '300' }, ''],
    ] as const) {
      test(`${version}: a connection ${what} ends with an alert that says so`, async () => {
        const stand = await start(env, { tls })
        stand.upstream.serve(() => ok())
        const { wire, records, ending } = await connect(stand, only)
        if (request !== '') await wire.send(request).message()
        assert.is((await wire.rest()).octets, '')
        await eventually(() => ending() !== undefined, 'the end of the connection')
        assert.is(ending(), 'fin')
        // In TLS 1.3 all looks like application data: an alert is that of 19 octets, but so may be anything.
        if (version === 'TLSv1.2') assert.is(records().at(-1), ALERT)
        wire.end()
        await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
      })
    }

    test(`${version}: a response that ends with its connection ends with an alert that says so`, async () => {
      const stand = await start({}, { tls })
      const { wire, records, ending } = await connect(stand, only)
      wire.send(LAST)
      const upstream = await stand.upstream.accept()
      await upstream.message()
      upstream.send('HTTP/1.1 200 OK\r\n\r\nall of it')
      await wire.until('all of it')
      upstream.end()
      await wire.rest()
      await eventually(() => ending() !== undefined, 'the end of the connection')
      assert.is(ending(), 'fin')
      if (version === 'TLSv1.2') assert.is(records().at(-1), ALERT)
    })

    test(`${version}: a body of many octets arrives as it was sent, both ways, though the client pauses`, async () => {
      const stand = await start({}, { tls })
      stand.upstream.serve(({ body }) => {
        assert.ok(body.equals(OCTETS))
        return Buffer.concat([
          Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${OCTETS.length}\r\n\r\n`),
          OCTETS,
        ])
      })
      const { wire, socket } = await connect(stand, only)
      wire.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${OCTETS.length}\r\n\r\n`).send(OCTETS)
      await wire.when(() => wire.pending.length > 100_000, 'a part of the response')
      socket.pause()
      setTimeout(() => socket.resume(), 200)
      assert.ok((await wire.message()).body.equals(OCTETS))
    })

    test(`${version}: the handshake of a client that comes again is shorter`, async () => {
      const stand = await start({}, { tls })
      stand.upstream.serve(() => ok())
      const first = await connect(stand, only)
      const ticket = within(
        new Promise<Buffer>((resolve) => first.socket.once('session', resolve)),
        'a ticket',
      )
      const session = version === 'TLSv1.3' ? ticket : Promise.resolve(first.socket.getSession())
      await first.wire.send(GET).message()
      const again = await connect(stand, { ...only, session: await session })
      assert.ok(again.socket.isSessionReused())
      await again.wire.send(GET).message()
      ticket.catch(() => undefined)
    })

    test(`${version}: a client that reads nothing is given up after the send deadline`, async () => {
      const stand = await start({ SIGNET_SEND_TIMEOUT: '300' }, { tls })
      const { wire, plain } = await connect(stand, only)
      wire.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.message()
      plain.pause()
      wire.socket.pause()
      upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n`).send(Buffer.alloc(40_000_000))
      assert.is((await stand.exchanges(1))[0]?.failure, 'ERR_CLIENT_STALLED')
      await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
    })
  }

  test('another protocol goes through as it is, and its end with it', async () => {
    const stand = await start({}, { tls })
    const { wire, ending } = await connect(stand)
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    wire.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${upgrade}`)
    const upstream = await stand.upstream.accept()
    await upstream.message()
    upstream.send(`HTTP/1.1 101 Switching Protocols\r\n${upgrade}hello`)
    await wire.head()
    assert.is((await wire.take(5)).toString(), 'hello')
    wire.send('ping')
    assert.is((await upstream.take(4)).toString(), 'ping')
    upstream.send('bye').end()
    assert.is((await wire.rest()).octets, 'bye')
    await eventually(() => ending() !== undefined, 'the end of the connection')
    assert.is(ending(), 'fin')
    wire.send('too').end()
    assert.equal(await upstream.rest(), { octets: 'too', ending: 'fin' })
  })

  test('an absolute-form is served where its scheme is https (RFC 9110 §7.4)', async () => {
    const stand = await start({}, { tls })
    stand.upstream.serve(({ head }) => ok(head.slice(0, head.indexOf('\r\n'))))
    const { wire } = await connect(stand)
    wire.send('GET https://b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n')
    assert.is((await wire.message()).body.toString(), 'GET /x HTTP/1.1')
    wire.send('GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n')
    assert.match((await wire.message()).head, /^HTTP\/1\.1 421 /)
  })

  for (const [what, options] of [
    ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }],
    ['HTTP/2 alone', { ALPNProtocols: ['h2'] }],
    ['ciphers that nobody should', { maxVersion: 'TLSv1.2', ciphers: 'NULL-SHA256:@SECLEVEL=0' }],
  ] as const) {
    test(`a client that speaks ${what} is refused in the handshake`, async () => {
      const stand = await start({}, { tls })
      stand.upstream.serve(() => ok())
      let refused = ''
      await connectTls(stand.port, tls, options as object).catch((error: Error) => {
        refused = error.message
      })
      assert.match(refused, /alert/i)
      await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
      await stillServes(stand)
    })
  }

  test('a client may offer HTTP/2 beside HTTP/1.1, or say nothing of either', async () => {
    const stand = await start({}, { tls })
    assert.is((await connect(stand, { ALPNProtocols: ['h2', 'http/1.1'] })).socket.alpnProtocol, 'http/1.1')
    assert.is((await connect(stand, { ALPNProtocols: undefined })).socket.alpnProtocol, false)
  })

  test('no client gets a second handshake on its connection', async () => {
    const stand = await start({}, { tls })
    stand.upstream.serve(() => ok())
    const { socket } = await connect(stand, { maxVersion: 'TLSv1.2' })
    socket.on('error', () => undefined)
    const outcome = new Promise((resolve) => {
      socket.renegotiate({}, (error) => resolve(error === null ? 'done' : 'refused'))
      socket.once('error', () => resolve('refused'))
    })
    assert.is(await within(outcome, 'the outcome'), 'refused')
    await stillServes(stand)
  })

  for (const [what, octets] of [
    ['HTTP without TLS', GET],
    ['anything else', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['a handshake that is none', Buffer.from('160301000501000001ff', 'hex')],
  ] as const) {
    test(`a client that speaks ${what} is closed, and hurts nobody`, async () => {
      const stand = await start({}, { tls })
      stand.upstream.serve(() => ok())
      const wire = await stand.client()
      wire.send(octets)
      const { octets: answer } = await wire.rest()
      assert.not(answer.includes('HTTP/'))
      await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
      assert.is(stand.log.filter(({ event }) => event === 'tls')[0]?.level, 'debug')
      assert.equal(
        stand.log.filter(({ level }) => level === 'error' || level === 'warn'),
        [],
      )
      await stillServes(stand)
    })
  }

  test('what comes over a connection that was tampered with ends it', async () => {
    const stand = await start({}, { tls })
    stand.upstream.serve(() => ok())
    const { wire, plain } = await connect(stand)
    await wire.send(GET).message()
    plain.write(Buffer.from('170303001500112233445566778899aabbccddeeff0011223344', 'hex'))
    await wire.rest()
    await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
  })

  test('a client that is within its handshake counts against the limit, and has the head deadline for it', async () => {
    const stand = await start({ SIGNET_MAX_CONNECTIONS: '2', SIGNET_HEAD_TIMEOUT: '500' }, { tls })
    stand.upstream.serve(() => ok())
    const silent = await stand.client()
    const begun = await stand.client()
    begun.send(Buffer.from('160301', 'hex'))
    await eventually(() => stand.proxy.open().downstream === 2, 'two connections')
    const dropped = await stand.client()
    assert.is((await dropped.rest()).octets, '')
    await silent.rest()
    await begun.rest()
    await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
    await stillServes(stand)
  })

  test('a client that is within its handshake does not delay the shutdown for long', async () => {
    const stand = await start({ SIGNET_DRAIN_TIMEOUT: '60000' }, { tls })
    const silent = await stand.client()
    const begun = await stand.client()
    begun.send(Buffer.from('1603010200010001fc', 'hex'))
    const ready = await connect(stand)
    await eventually(() => stand.proxy.open().downstream === 3, 'three connections')
    const from = performance.now()
    await within(stand.proxy.close(), 'the shutdown')
    assert.ok(performance.now() - from < 3000)
    for (const wire of [silent, begun, ready.wire]) await wire.rest()
    assert.equal(stand.proxy.open(), { downstream: 0, upstream: 0, deadlines: 0, compressors: 0 })
  })

  test('clients that go at any time harm nobody else', async () => {
    const stand = await start({}, { tls })
    stand.upstream.serve(() => ok('x'.repeat(100_000)))
    const good = await connect(stand)
    for (let round = 0; round < 40; round++) {
      const bad = round % 2 === 0 ? await stand.client() : (await connect(stand)).wire
      bad.send(GET.slice(0, 1 + ((round * 5) % GET.length)))
      if (round % 4 === 1) bad.send(GET.slice(1 + ((round * 5) % GET.length)))
      if (round % 3 === 0) bad.end()
      else bad.destroy()
      await good.wire.send(GET).message()
    }
    good.wire.destroy()
    await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
    assert.equal(
      stand.log.filter(({ level }) => level === 'error'),
      [],
    )
  })

  for (const [what, header] of [
    ['a line', 'PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n'],
    ['a binary header', fromIPv4('192.0.2.7')],
  ] as const) {
    test(`${what} of the PROXY protocol comes before the handshake, in one write with it or not`, async () => {
      const stand = await start({}, { tls, proxyProtocol: ['127.0.0.1'] })
      stand.upstream.serve(({ head }) => ok(/X-Forwarded-For: (.*)\r\n/.exec(head)?.[1]))
      const together = await connect(stand, {}, header)
      assert.is((await together.wire.send(GET).message()).body.toString(), '192.0.2.7')
      assert.is((await together.wire.send(GET).message()).body.toString(), '192.0.2.7')

      const octets = Buffer.from(header as string, 'latin1')
      for (const cut of [1, 5, octets.length - 1]) {
        const split = await connectTls(stand.port, tls, {}, octets.subarray(cut), octets.subarray(0, cut))
        clients.push(split.socket)
        assert.is((await split.wire.send(LAST).message()).body.toString(), '192.0.2.7')
      }
      assert.is((await stand.exchanges(2))[0]?.client, '192.0.2.7')
    })
  }

  test('a handshake without the PROXY header that should come before it is closed', async () => {
    const stand = await start({}, { tls, proxyProtocol: ['127.0.0.1'] })
    let refused = false
    await connectTls(stand.port, tls).catch(() => {
      refused = true
    })
    assert.ok(refused)
    assert.is(stand.log.filter(({ event }) => event === 'proxy-header').length, 1)
    await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
  })

  test('a PROXY header and then no TLS is closed, and so is one that then goes', async () => {
    const stand = await start({}, { tls, proxyProtocol: ['127.0.0.1'] })
    for (const octets of [GET, '', '\x16\x03\x01']) {
      const wire = await Wire.connect(stand.port)
      clients.push(wire)
      wire.send(`PROXY UNKNOWN\r\n${octets}`).end()
      assert.not((await wire.rest()).octets.includes('HTTP/'))
    }
    await eventually(() => stand.proxy.open().downstream === 0, 'no connection left')
  })

  test.run()
}
