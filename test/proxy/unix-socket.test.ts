// Upstreams behind a Unix socket: as over TCP, but for what a Unix socket has not got.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Origin } from '../../src/http/gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { gatewayTo } from '../support/gateways.ts'
import { poolState } from '../support/pool-state.ts'
import { READ_PATHS, type Stand, startStand } from '../support/proxy.ts'
import { eventually, ok, RawUpstream } from '../support/wire.ts'

const GET = 'GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n'

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/unix-socket (${readPath})`)
  let folder: string
  let origin: Origin & { readonly socketPath: string }
  let upstream: RawUpstream | undefined
  let stand: Stand | undefined
  test.before.each(() => {
    folder = mkdtempSync(join(tmpdir(), 'signet-'))
    const socketPath = join(folder, 'upstream.sock')
    origin = { host: `unix:${socketPath}`, port: 0, authority: 'localhost', socketPath }
  })
  test.after.each(async () => {
    await stand?.close()
    await upstream?.close()
    stand = undefined
    upstream = undefined
    rmSync(folder, { recursive: true })
  })

  async function start(env: Record<string, string> = {}): Promise<{ stand: Stand; upstream: RawUpstream }> {
    upstream = await RawUpstream.from(createServer({ allowHalfOpen: true }), 'connection', origin.socketPath)
    stand = await startStand({ SIGNET_READ_PATH: readPath, ...env }, undefined, gatewayTo([origin]))
    return { stand, upstream }
  }

  test('a request reaches it, and the connection is used again', async () => {
    const { stand, upstream } = await start()
    const client = await stand.client()
    client.send(GET)
    const wire = await upstream.accept()
    for (const answer of ['first', 'second']) {
      assert.match(await wire.head(), /\r\nHost: a\.test\r\n/)
      wire.send(ok(answer))
      assert.is((await client.message()).body.toString(), answer)
      client.send(GET)
    }
    assert.is(upstream.wires.length, 1)
    const [line] = await stand.exchanges(1)
    assert.is(line?.upstream, origin.host)
    assert.is((await poolState(stand)).origin, origin.host)
  })

  test('a request that names no host is for localhost', async () => {
    const { stand, upstream } = await start()
    const client = await stand.client()
    client.send('GET /x HTTP/1.0\r\n\r\n')
    assert.match(await (await upstream.accept()).head(), /\r\nHost: localhost\r\n/)
  })

  test('bodies of megabytes pass whole in both directions', async () => {
    const { stand, upstream } = await start()
    const body = Buffer.alloc(3_000_000, 'body')
    const client = await stand.client()
    client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`).send(body)
    const wire = await upstream.accept()
    assert.ok((await wire.message()).body.equals(body))
    wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`).send(body)
    assert.ok((await client.message()).body.equals(body))
  })

  test('a body without a length ends with the connection', async () => {
    const { stand, upstream } = await start()
    const client = await stand.client()
    client.send(GET)
    const wire = await upstream.accept()
    await wire.head()
    wire.send('HTTP/1.1 200 OK\r\n\r\nabc').end()
    const { octets, ending } = await client.rest()
    assert.ok(octets.endsWith('\r\n\r\nabc'))
    assert.is(ending, 'fin')
  })

  test('a body with a length that is cut short is cut short for the client', async () => {
    const { stand, upstream } = await start()
    const client = await stand.client()
    client.send(GET)
    const wire = await upstream.accept()
    await wire.head()
    wire.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc').end()
    assert.is((await client.rest()).ending, 'reset')
  })

  test('an early answer is read though the rest of the request is refused', async () => {
    const { stand, upstream } = await start()
    const client = await stand.client()
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n')
    const wire = await upstream.accept()
    await wire.head()
    wire.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n').destroy()
    client.send(Buffer.alloc(100_000))
    assert.match((await client.message()).head, /^HTTP\/1\.1 413 /)
  })

  test('a client that leaves takes the connection with it', async () => {
    const { stand, upstream } = await start()
    const client = await stand.client()
    client.send(GET)
    const wire = await upstream.accept()
    await wire.head()
    client.reset()
    await wire.rest()
    await eventually(() => stand.proxy.open().upstream === 0, 'no connection')
  })

  test('a tunnel carries octets both ways, and is cut off with its client', async () => {
    const { stand, upstream } = await start()
    const client = await stand.client()
    client.send('GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
    const wire = await upstream.accept()
    await wire.head()
    wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
    await client.head()
    client.send('ping')
    assert.is((await wire.take(4)).toString(), 'ping')
    wire.send('pong')
    assert.is((await client.take(4)).toString(), 'pong')
    client.reset()
    await wire.rest()
  })

  test('where nobody listens it is 502, and the log names the path', async () => {
    stand = await startStand({ SIGNET_READ_PATH: readPath }, undefined, gatewayTo([origin]))
    const client = await stand.client()
    client.send(GET)
    assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
    const [line] = await stand.exchanges(1)
    assert.is(line?.failure, 'ERR_UPSTREAM_UNREACHABLE')
    assert.ok(String(line?.reason).includes(origin.socketPath))
  })

  test('TLS is spoken over it as over TCP', async () => {
    const name = 'upstream.test'
    const { certificate, key } = await makeCertificate({ names: [name], isAuthority: true })
    upstream = await RawUpstream.from(
      createTlsServer({ cert: certificate, key }),
      'secureConnection',
      origin.socketPath,
    )
    const secure = { ...origin, tls: { ca: certificate, serverName: name } }
    stand = await startStand({ SIGNET_READ_PATH: readPath }, undefined, gatewayTo([secure]))
    const client = await stand.client()
    client.send(GET)
    const wire = await upstream.accept()
    await wire.head()
    wire.send(ok('secret'))
    assert.is((await client.message()).body.toString(), 'secret')
  })
  test.run()
}
