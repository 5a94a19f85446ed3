// Questions to other servers: connections that die of old age, an end that waits for what is under way, certificates.

import { createServer as createTlsServer } from 'node:https'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Remote } from '../../src/auth/ask.ts'
import { createCertificate } from '../config/support.ts'
import { eventually, within } from '../support/wire.ts'

const test = suite('auth/ask')

async function withServer(
  server: HttpServer,
  use: (port: number, sockets: Set<Socket>) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await use((server.address() as AddressInfo).port, sockets)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const GET = { method: 'GET', fields: {} } as const
const ask = (remote: Remote) => within(remote.ask(GET), 'an answer')
const failure = (remote: Remote) => ask(remote).then(String, ({ message }: Error) => message)

test('a connection is used again, and one that has died of old age is no failure', async () => {
  const seen = new Map<Socket, number>()
  const server = createServer((request, response) => {
    const times = (seen.get(request.socket) ?? 0) + 1
    seen.set(request.socket, times)
    if (times === 3) request.socket.resetAndDestroy()
    else response.end('{"a":1}')
  })
  await withServer(server, async (port) => {
    const remote = new Remote({ url: `http://127.0.0.1:${port}/`, timeout: 2000 })
    for (let times = 0; times < 5; times++) assert.equal(await ask(remote), { a: 1 })
    assert.is(seen.size, 3)
    remote.close()
  })
})

test('a new connection that is closed is a failure, and not tried again', async () => {
  let times = 0
  const server = createServer((request) => {
    times++
    request.socket.destroy()
  })
  await withServer(server, async (port) => {
    const remote = new Remote({ url: `http://127.0.0.1:${port}/`, timeout: 2000 })
    assert.is(await failure(remote), 'socket hang up')
    assert.is(times, 1)
    remote.close()
  })
})

test('what is under way when it is closed comes to its end, and then nothing is open', async () => {
  let answer: () => void = () => undefined
  const server = createServer((_request, response) => {
    answer = () => response.end('{"a":1}')
  })
  await withServer(server, async (port, sockets) => {
    const remote = new Remote({ url: `http://127.0.0.1:${port}/`, timeout: 5000 })
    const asked = ask(remote)
    await eventually(() => sockets.size === 1, 'the question')
    remote.close()
    await new Promise((resolve) => setTimeout(resolve, 50))
    answer()
    assert.equal(await asked, { a: 1 })
    await eventually(() => sockets.size === 0, 'its connection to close')
  })
})

test('an answer that trickles in is given up in time', async () => {
  const server = createServer((_request, response) => {
    response.write('{')
    const timer = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(timer))
  })
  await withServer(server, async (port) => {
    const remote = new Remote({ url: `http://127.0.0.1:${port}/`, timeout: 300 })
    const began = performance.now()
    assert.is(await failure(remote), 'no answer in time')
    assert.ok(performance.now() - began < 3000)
    remote.close()
  })
})

test('a switch of protocols that nobody asked for is no answer, and ends at once', async () => {
  const server = createServer()
  server.on('connection', (socket: Socket) => {
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    )
  })
  await withServer(server, async (port) => {
    const remote = new Remote({ url: `http://127.0.0.1:${port}/`, timeout: 2000 })
    assert.is(await failure(remote), 'closed without an answer')
    remote.close()
  })
})

test('a certificate is verified: by the authority that is named, and by no other', async () => {
  const { certificate, key } = await createCertificate('127.0.0.1')
  const server = createTlsServer({ cert: certificate, key }, (_request, response) => response.end('{"a":1}'))
  await withServer(server, async (port) => {
    const stranger = new Remote({ url: `https://127.0.0.1:${port}/`, timeout: 2000 })
    assert.match(await failure(stranger), /self-signed certificate/)
    stranger.close()
    // It is known, but for another name: an address has to be among its alternative names.
    const known = new Remote({ url: `https://127.0.0.1:${port}/`, timeout: 2000, ca: certificate })
    assert.match(await failure(known), /altnames/)
    known.close()
  })
})

test.run()
