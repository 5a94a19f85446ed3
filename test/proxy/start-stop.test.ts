// The process from its first line to its exit code: what it accepts, and how it lets go.

import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { masked, problemIn, valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf, type SignetProcess } from '../support/process.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { answerToDeafClients } from '../support/stands.ts'
import { ok, RawUpstream, Wire, within } from '../support/wire.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/start-stop (${readPath})`)
  const run = processesOf(test)
  const closing = closedAfter(test)

  interface Running {
    readonly signet: SignetProcess
    readonly upstream: RawUpstream
    readonly port: number
  }

  async function start(env: Record<string, string> = {}): Promise<Running> {
    const upstream = closing(await RawUpstream.listen())
    const signet = run([], {
      SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}`,
      SIGNET_READ_PATH: readPath,
      ...env,
    })
    return { signet, upstream, port: await signet.listening() }
  }

  /** A connection whose request has reached the upstream, and waits there. */
  async function hanging(
    { signet, upstream }: Running,
    request = GET,
  ): Promise<{ client: Wire; wire: Wire }> {
    const client = await signet.client()
    client.send(request)
    const wire = await upstream.accept()
    await wire.head()
    return { client, wire }
  }

  /** Waits until the process has taken in the signal: then it no longer accepts. */
  async function stopping({ signet }: Running): Promise<void> {
    await signet.printed(() => signet.events('stopping').length === 1, 'that it stops')
  }

  async function assertRefusesConnections(port: number): Promise<void> {
    const socket = connect(port, '127.0.0.1')
    const refused = new Promise((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      socket.once('connect', () => resolve('connected'))
    })
    assert.is(await within(refused, 'a new connection to be refused'), 'ECONNREFUSED')
    socket.destroy()
  }

  /** Everything that still comes; then the client closes its side too, as clients do. */
  async function restOf(client: Wire) {
    const rest = await client.rest()
    client.end()
    return rest
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} with nothing to do ends the process with 0, idle connections and all`, async () => {
      const running = await start()
      const { signet, port } = running
      const silent = await signet.client()
      const { client, wire } = await hanging(running)
      wire.send(ok())
      await client.message()
      signet.signal(signal)
      assert.equal(await signet.exited(), { code: 0, signal: null })
      assert.equal(await silent.rest(), { octets: '', ending: 'fin' })
      assert.equal(await restOf(client), { octets: '', ending: 'fin' })
      assert.is((await wire.rest()).octets, '')
      await assertRefusesConnections(port)
      assert.equal(
        signet.log.map(({ event }) => event),
        ['demo-secret', 'listening', 'exchange', 'stopping', 'stopped'],
      )
      assert.is(signet.events('stopping')[0]?.signal, signal)
    })

    test(`${signal}: a running exchange ends in peace, with Connection: close, and nobody new is let in`, async () => {
      const running = await start()
      const { signet, port } = running
      const { client, wire } = await hanging(running)
      signet.signal(signal)
      await stopping(running)
      await assertRefusesConnections(port)
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
      assert.is(
        masked(await client.head()),
        'HTTP/1.1 200 OK\r\nDate: <now>\r\nContent-Length: 10\r\nConnection: close\r\n\r\n',
      )
      wire.send('world')
      assert.equal(await restOf(client), { octets: 'helloworld', ending: 'fin' })
      assert.equal(await signet.exited(), { code: 0, signal: null })
      assert.is(signet.events('exchange').length, 1)
      assert.is(signet.events('exchange')[0]?.failure, undefined)
    })
  }

  test('a response whose head had left before still comes whole; then its connection ends', async () => {
    const running = await start()
    const { client, wire } = await hanging(running)
    wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n')
    assert.equal(valuesOf(await client.head(), 'connection'), [])
    running.signet.signal('SIGTERM')
    await stopping(running)
    wire.send('3\r\ntwo\r\n0\r\n\r\n')
    assert.equal(await restOf(client), { octets: '3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n', ending: 'fin' })
    assert.equal(await running.signet.exited(), { code: 0, signal: null })
  })

  test('a request whose body is still coming may finish', async () => {
    const running = await start()
    const { client, wire } = await hanging(
      running,
      'PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n',
    )
    running.signet.signal('SIGTERM')
    await stopping(running)
    client.send('helloworld')
    assert.is(await wire.until('world'), 'helloworld')
    wire.send(ok('thanks'))
    const { head, body } = await client.message()
    assert.is(body.toString(), 'thanks')
    assert.equal(valuesOf(head, 'connection'), ['close'])
    client.end()
    assert.equal(await running.signet.exited(), { code: 0, signal: null })
  })

  test('a request whose head has begun may finish, and what is pipelined behind it is not begun', async () => {
    const running = await start()
    const { signet, upstream } = running
    const client = await signet.client()
    // The first exchange proves that the process has read what was sent behind it.
    client.send(`${GET}GET /second HTTP/1.1\r\nHos`)
    const wire = await upstream.accept()
    await wire.head()
    wire.send(ok())
    await client.message()
    signet.signal('SIGTERM')
    await stopping(running)
    client.send(`t: a.test\r\n\r\n${GET}`)
    const second = await upstream.accept()
    assert.ok((await second.head()).startsWith('GET /second '))
    second.send(ok('second'))
    const { head, body } = await client.message()
    assert.is(body.toString(), 'second')
    assert.equal(valuesOf(head, 'connection'), ['close'])
    assert.equal(await restOf(client), { octets: '', ending: 'fin' })
    assert.equal(await signet.exited(), { code: 0, signal: null })
    assert.is(signet.events('exchange').length, 2)
  })

  test('clients that are slow to take their last response get it whole', async () => {
    const running = await start()
    const open = async () => {
      const { client, wire } = await hanging(running)
      return { client, upstream: wire }
    }
    const slow = await answerToDeafClients(open, running.port)
    running.signet.signal('SIGTERM')
    await stopping(running)
    await Promise.all(
      slow.map(async ({ client, size }) => {
        client.socket.resume()
        assert.is((await client.message()).body.length, size)
        client.end()
      }),
    )
    assert.equal(await running.signet.exited(), { code: 0, signal: null })
  })

  test('the drain deadline cuts what hangs: 503 where nothing was answered, RST where some was', async () => {
    const running = await start({ SIGNET_DRAIN_TIMEOUT: '200' })
    const { signet } = running
    const unanswered = await hanging(running)
    const uploading = await hanging(running, 'PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n')
    const half = await hanging(running)
    half.wire.send('HTTP/1.1 200 OK\r\n\r\nhalf of it')
    await half.client.until('half of it')
    const began = performance.now()
    signet.signal('SIGTERM')
    assert.equal(await signet.exited(), { code: 0, signal: null })
    const took = performance.now() - began
    assert.ok(took > 190 && took < 2000, `${took} ms`)
    for (const { client } of [unanswered, uploading]) {
      const { head, body } = await client.message()
      assert.ok(head.startsWith('HTTP/1.1 503 '), head)
      assert.is(problemIn(body).code, 'ERR_DRAINED')
      assert.equal(valuesOf(head, 'connection'), ['close'])
      assert.equal(valuesOf(head, 'retry-after'), ['1'])
    }
    assert.equal(await half.client.rest(), { octets: '', ending: 'reset' })
    for (const { wire } of [unanswered, uploading, half]) assert.is((await wire.rest()).octets, '')
    const failures = signet.events('exchange').map(({ failure, status }) => `${status} ${failure}`)
    assert.equal(failures.sort(), ['200 ERR_DRAINED', '503 ERR_DRAINED', '503 ERR_DRAINED'])
  })

  test('a second signal ends the process at once, with 1', async () => {
    const running = await start()
    const { client } = await hanging(running)
    running.signet.signal('SIGTERM')
    await stopping(running)
    const began = performance.now()
    running.signet.signal('SIGINT')
    assert.equal(await running.signet.exited(), { code: 1, signal: null })
    assert.ok(performance.now() - began < 2000)
    assert.is((await client.rest()).octets, '')
  })

  for (const fault of ['SIGABRT', 'SIGBUS'] as const) {
    test(`${fault} ends the process by itself: what is broken must not try to go on`, async () => {
      const { signet } = await start()
      signet.signal(fault)
      assert.equal(await signet.exited(), { code: null, signal: fault })
    })
  }

  test('exchanges that waited for an upstream connection are answered before the end', async () => {
    const running = await start({ SIGNET_POOL_SIZE: '1' })
    const first = await hanging(running)
    const second = await running.signet.client()
    second.send(GET)
    await second.silent(100) // it waits for the one connection
    running.signet.signal('SIGTERM')
    await stopping(running)
    first.wire.send(ok('first'))
    assert.is((await first.client.message()).body.toString(), 'first')
    first.client.end()
    await first.wire.head()
    first.wire.send(ok('second'))
    const { head, body } = await second.message()
    assert.is(body.toString(), 'second')
    assert.equal(valuesOf(head, 'connection'), ['close'])
    second.end()
    assert.equal(await running.signet.exited(), { code: 0, signal: null })
  })

  test('the admin port goes down with the rest', async () => {
    const running = await start({ SIGNET_ADMIN_PORT: '0' })
    const { signet } = running
    await signet.printed(() => signet.events('listening').length === 1, 'its ports')
    const admin = await Wire.connect(Number(signet.events('listening')[0]?.adminPort))
    admin.send('GET /status HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await admin.message()
    signet.signal('SIGTERM')
    assert.equal(await signet.exited(), { code: 0, signal: null })
    assert.equal(await admin.rest(), { octets: '', ending: 'fin' })
  })

  test('the built-in echo answers at once after the start and goes down with the proxy', async () => {
    const signet = run([], { SIGNET_READ_PATH: readPath })
    const client = await signet.client()
    client.send('POST /protected HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello')
    const { head, body } = await client.message()
    assert.ok(head.startsWith('HTTP/1.1 200 '), head)
    assert.match(body.toString(), /"verified":\s*true|verif/)
    signet.signal('SIGTERM')
    assert.equal(await signet.exited(), { code: 0, signal: null })
  })

  test.run()
}
