// Upstreams over TLS: who is believed to be the upstream, and that octets pass as they do over TCP.

import type { Socket } from 'node:net'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { OriginTls } from '../../src/http/gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { gatewayTo, loopback } from '../support/gateways.ts'
import { READ_PATHS, type Stand, startStand } from '../support/proxy.ts'
import { eventually, ok, RawUpstream, type Wire } from '../support/wire.ts'

const NAME = 'upstream.test'
const GET = 'GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n'

const authority = await makeCertificate({ isAuthority: true, names: ['authority.test'] })
const stranger = await makeCertificate({ isAuthority: true, names: ['stranger.test'] })
const good = await makeCertificate({ authority, names: [NAME] })
const ca = authority.certificate

/** An upstream over TLS, and a signet in front of it. */
interface TlsStand {
  readonly stand: Stand
  readonly upstream: RawUpstream
  /** the TCP connections below */
  readonly sockets: readonly Socket[]
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/upstream-tls (${readPath})`)
  const open: TlsStand[] = []
  test.after.each(async () => {
    for (const { stand, upstream, sockets } of open.splice(0)) {
      for (const socket of sockets) socket.destroy()
      await stand.close()
      await upstream.close()
    }
  })

  async function start(
    tls: OriginTls,
    server: TlsOptions = {},
    env: Record<string, string> = {},
  ): Promise<TlsStand> {
    const certificate = { cert: good.certificate, key: good.key }
    const sockets: Socket[] = []
    const upstream = await RawUpstream.from(
      createServer({ ALPNProtocols: ['h2', 'http/1.1'], allowHalfOpen: true, ...certificate, ...server })
        .on('tlsClientError', () => undefined) // what becomes of it is seen on the other side
        .on('connection', (socket: Socket) => sockets.push(socket)),
      'secureConnection',
    )
    const gateway = gatewayTo([{ ...loopback(upstream.port), tls }])
    const stand = await startStand({ SIGNET_READ_PATH: readPath, ...env }, undefined, gateway)
    const made = { stand, upstream, sockets }
    open.push(made)
    return made
  }

  /** Sends a GET and answers it. @returns both ends */
  async function exchange({ stand, upstream }: TlsStand): Promise<{ client: Wire; wire: Wire }> {
    const client = await stand.client()
    client.send(GET)
    const wire = await upstream.accept()
    assert.match(await wire.head(), /^GET \/x HTTP\/1\.1\r\n/)
    wire.send(ok('secret'))
    assert.is((await client.message()).body.toString(), 'secret')
    return { client, wire }
  }

  /** Sends a GET that is answered by 502, and its reason. */
  async function refusal({ stand, upstream }: TlsStand): Promise<string> {
    const client = await stand.client()
    const count = stand.log.filter((line) => line.event === 'exchange').length
    client.send(GET)
    assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
    const line = (await stand.exchanges(count + 1)).at(-1)
    for (const wire of upstream.wires) assert.is(wire.pending.length, 0, 'it has not seen one octet')
    return `${String(line?.failure)}: ${String(line?.reason)}`
  }

  test('a name that ends in a dot is asked for and verified without it (RFC 6066 §3)', async () => {
    const { wire } = await exchange(await start({ ca, serverName: `${NAME}.` }))
    assert.is((wire.socket as TLSSocket & { servername: unknown }).servername, NAME)
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`an upstream that its authority vouches for is asked by its name, over ${version}`, async () => {
      const stand = await start({ ca, serverName: NAME }, { maxVersion: version, minVersion: version })
      const { wire } = await exchange(stand)
      const socket = wire.socket as TLSSocket & { servername: unknown }
      assert.equal(
        [socket.servername, socket.alpnProtocol, socket.getProtocol()],
        [NAME, 'http/1.1', version],
      )
    })

    test(`the second connection resumes the session of the first, over ${version}`, async () => {
      const stand = await start({ ca, serverName: NAME }, { maxVersion: version })
      const first = await exchange(stand)
      first.wire.end()
      await eventually(() => stand.stand.proxy.open().upstream === 0, 'no connection')
      const { wire } = await exchange(stand)
      assert.ok((wire.socket as TLSSocket).isSessionReused())
    })

    test(`a session of an upstream with another name is not resumed, over ${version}`, async () => {
      const stand = await start({ ca, serverName: 'other.test' }, { maxVersion: version })
      for (let n = 0; n < 3; n++) assert.match(await refusal(stand), /ERR_UPSTREAM_UNREACHABLE.*serverName/)
    })

    test(`an upstream that demands a client certificate gets it, over ${version}`, async () => {
      const { certificate, key } = await makeCertificate({ authority, names: ['signet.test'] })
      const tls = { ca, serverName: NAME, certificate, key }
      const demands = { requestCert: true, rejectUnauthorized: true, ca, maxVersion: version }
      const { wire } = await exchange(await start(tls, demands))
      assert.is((wire.socket as TLSSocket).getPeerCertificate().subject.CN, 'signet.test')
    })

    test(`without the client certificate it is 502, and the log says what is missing, over ${version}`, async () => {
      const demands = { requestCert: true, rejectUnauthorized: true, ca, maxVersion: version }
      const stand = await start({ ca, serverName: NAME }, demands)
      assert.match(await refusal(stand), /client certificate: set `certificate` and `key`$/)
    })
  }

  test('an IP address is verified, and never asked for by SNI (RFC 6066 §3)', async () => {
    const { certificate, key } = await makeCertificate({ authority, names: ['127.0.0.1'] })
    const { wire } = await exchange(await start({ ca }, { cert: certificate, key }))
    assert.is((wire.socket as TLSSocket & { servername: unknown }).servername, false)
  })

  test('a certificate for a name alone is not good for an IP address', async () => {
    assert.match(
      await refusal(await start({ ca })),
      /ERR_UPSTREAM_UNREACHABLE.*set one of them as `serverName`$/,
    )
  })

  test('an upstream that no known authority vouches for is refused', async () => {
    assert.match(
      await refusal(await start({ serverName: NAME })),
      /ERR_UPSTREAM_UNREACHABLE.*name its own in `ca`$/,
    )
  })

  test('an authority that is named takes the place of all others', async () => {
    const stand = await start({ serverName: NAME, ca: stranger.certificate })
    assert.match(await refusal(stand), /ERR_UPSTREAM_UNREACHABLE.*name its own in `ca`$/)
  })

  test('an expired certificate is refused', async () => {
    const times = { notBefore: new Date('2020-01-01'), notAfter: new Date('2020-02-01') }
    const { certificate, key } = await makeCertificate({ authority, names: [NAME], ...times })
    const stand = await start({ ca, serverName: NAME }, { cert: certificate, key })
    assert.match(await refusal(stand), /ERR_UPSTREAM_UNREACHABLE.*has to be renewed$/)
  })

  test('verification cannot be switched off by NODE_TLS_REJECT_UNAUTHORIZED', async () => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      assert.match(await refusal(await start({ serverName: NAME })), /ERR_UPSTREAM_UNREACHABLE/)
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    }
  })

  test('an upstream that speaks no TLS is refused, and the log says so', async () => {
    const plain = await RawUpstream.listen()
    plain.onConnection(async (wire) => {
      await wire.when(() => wire.pending.length > 0, 'anything')
      wire.send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
    })
    const gateway = gatewayTo([{ ...loopback(plain.port), tls: { ca } }])
    const stand = await startStand({ SIGNET_READ_PATH: readPath }, undefined, gateway)
    open.push({ stand, upstream: plain, sockets: [] })
    const client = await stand.client()
    client.send(GET)
    assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
    const [line] = await stand.exchanges(1)
    assert.match(String(line?.reason), /try http in place of https$/)
  })

  test('a handshake that does not end is a connection that is not made in time: 504', async () => {
    const silent = await RawUpstream.listen()
    const gateway = gatewayTo([{ ...loopback(silent.port), tls: { ca } }])
    const env = { SIGNET_READ_PATH: readPath, SIGNET_CONNECT_TIMEOUT: '100' }
    const stand = await startStand(env, undefined, gateway)
    open.push({ stand, upstream: silent, sockets: [] })
    const client = await stand.client()
    client.send(GET)
    assert.match((await client.message()).head, /^HTTP\/1\.1 504 /)
    await eventually(() => stand.proxy.open().upstream === 0, 'no connection')
  })

  test('a connection is used again', async () => {
    const stand = await start({ ca, serverName: NAME })
    const { client, wire } = await exchange(stand)
    client.send(GET)
    await wire.head()
    wire.send(ok('again'))
    assert.is((await client.message()).body.toString(), 'again')
    assert.is(stand.upstream.wires.length, 1)
  })

  test('bodies of megabytes pass whole in both directions', async () => {
    const { stand, upstream } = await start({ ca, serverName: NAME })
    const body = Buffer.alloc(3_000_000, 'body')
    const client = await stand.client()
    client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`).send(body)
    const wire = await upstream.accept()
    const { body: received } = await wire.message()
    assert.ok(received.equals(body))
    wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`).send(body)
    assert.ok((await client.message()).body.equals(body))
  })

  test('a body without a length ends with close_notify', async () => {
    const { stand, upstream } = await start({ ca, serverName: NAME })
    const client = await stand.client()
    client.send(GET)
    const wire = await upstream.accept()
    await wire.head()
    wire.send('HTTP/1.1 200 OK\r\n\r\nabc').end()
    const { octets, ending } = await client.rest()
    assert.ok(octets.endsWith('\r\n\r\nabc'))
    assert.is(ending, 'fin')
  })

  for (const framing of ['', 'Content-Length: 9\r\n', 'Transfer-Encoding: chunked\r\n']) {
    test(`a body ${framing === '' ? 'without a length' : `with ${framing.trim()}`} that RST cuts short is cut short`, async () => {
      const { stand, upstream, sockets } = await start({ ca, serverName: NAME })
      const client = await stand.client()
      client.send(GET)
      const wire = await upstream.accept()
      await wire.head()
      wire.send(`HTTP/1.1 200 OK\r\n${framing}\r\n${framing.includes('chunked') ? '3\r\nabc\r\n' : 'abc'}`)
      await client.until('abc')
      sockets[0]?.resetAndDestroy()
      assert.is((await client.rest()).ending, 'reset')
      const [line] = await stand.exchanges(1)
      assert.is(line?.failure, 'ERR_RESPONSE_CUT_SHORT')
    })
  }

  test('a tunnel carries octets both ways, and each end by itself', async () => {
    const { stand, upstream } = await start({ ca, serverName: NAME })
    const client = await stand.client()
    client.send('GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
    const wire = await upstream.accept()
    await wire.head()
    wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly')
    assert.match(await client.head(), /^HTTP\/1\.1 101 /)
    assert.is((await client.take(5)).toString(), 'early')
    client.send('ping').end()
    assert.is((await wire.rest()).octets, 'ping')
    wire.send('pong').end()
    assert.equal(await client.rest(), { octets: 'pong', ending: 'fin' })
  })

  test('an early answer is read though the rest of the request is refused', async () => {
    const { stand, upstream, sockets } = await start({ ca, serverName: NAME })
    for (let n = 0; n < 10; n++) {
      const client = await stand.client()
      client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n')
      const wire = await upstream.accept()
      await wire.head()
      // In this order, in one turn: so the body is read first, and written to a connection that the kernel knows to be
      // reset, with the answer unread in it.
      client.send(Buffer.alloc(300_000))
      wire.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      sockets[n]?.resetAndDestroy()
      assert.match((await client.message()).head, /^HTTP\/1\.1 413 /)
    }
  })

  test('a client that leaves takes the connection with it', async () => {
    const { stand, upstream } = await start({ ca, serverName: NAME })
    const client = await stand.client()
    client.send(GET)
    const wire = await upstream.accept()
    await wire.head()
    client.reset()
    await wire.rest()
    await eventually(() => stand.proxy.open().upstream === 0, 'no connection')
  })
  test.run()
}
