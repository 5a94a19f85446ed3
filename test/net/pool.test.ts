import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ProxyError } from '../../src/errors.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { Buffers } from '../../src/net/buffers.ts'
import { Deadlines } from '../../src/net/deadlines.ts'
import { Pool, type Waiter } from '../../src/net/pool.ts'
import { Turn } from '../../src/net/turn.ts'
import type { Upstream, UpstreamExchange } from '../../src/net/upstream.ts'
import { noFault } from '../support/faults.ts'
import { eventually, ok, RawUpstream } from '../support/wire.ts'

const test = suite('net/pool')

const parser = createHeadParser({ region: 64 * 1024, maxHeadSize: 16_384, maxFields: 100 })
const deadlines = new Deadlines(() => performance.now(), noFault)
const LIMITS = {
  maxHeadSize: 16_384,
  connectTimeout: 1000,
  responseTimeout: 1000,
  streamTimeout: 1000,
  sendTimeout: 1000,
  poolIdleTimeout: 10_000,
}

/** An exchange that does not care. */
const EXCHANGE: UpstreamExchange = {
  onInterim: () => undefined,
  onResponse: () => undefined,
  onResponseBody: () => undefined,
  onResponseTrailers: () => undefined,
  onResponseEnd: () => undefined,
  onUpstreamDrain: () => undefined,
  onUpstreamFailed: () => undefined,
}

/** Waits, and notes what it got. */
class Waiting implements Waiter {
  connection: Upstream | undefined = undefined
  error: ProxyError | undefined = undefined

  onConnection(connection: Upstream): void {
    this.connection = connection
    connection.begin(EXCHANGE, 'GET', false, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    connection.endRequest()
  }

  onNoConnection(error: ProxyError): void {
    this.error = error
  }
}

let upstream: RawUpstream
let pool: Pool
test.before.each(async () => {
  upstream = await RawUpstream.listen()
})
test.after.each(async () => {
  pool.destroy()
  await upstream.close()
  await eventually(() => deadlines.size === 0, 'nothing to be watched')
})

function openPool(poolSize: number, poolQueue: number, port = upstream.port): Pool {
  const context = {
    parser,
    rules: new FieldRules(['x-my-jwt']),
    buffers: new Buffers(parser.region),
    deadlines,
    counts: { octetsReceived: 0, octetsSent: 0 },
    readPath: 'shared' as const,
    limits: LIMITS,
    onFault: noFault,
    turn: new Turn(),
  }
  pool = new Pool(
    { host: '127.0.0.1', port, authority: `127.0.0.1:${port}` },
    {
      upstream: context,
      deadlines,
      limits: { poolSize, poolQueue, poolTimeout: 10_000 },
      onOpened: () => undefined,
      onClosed: () => undefined,
      onConnectFailed: () => undefined,
    },
  )
  return pool
}

function request(): Waiting {
  const waiting = new Waiting()
  pool.request(waiting)
  return waiting
}

/** What the pool counts, in the order in which a connection goes through it. */
function counts(): number[] {
  const { connecting, idle, busy, open, waiting } = pool.state()
  assert.is(open, idle + busy)
  return [connecting, busy, idle, waiting]
}

test('a connection is counted from the moment it is asked for until it has closed', async () => {
  openPool(2, 2)
  const first = request()
  assert.equal(counts(), [1, 0, 0, 0])
  await eventually(() => first.connection !== undefined, 'a connection')
  assert.equal(counts(), [0, 1, 0, 0])
  const wire = await upstream.accept()
  await wire.head()
  wire.send(ok())
  await eventually(() => first.connection?.idle === true, 'the end of the exchange')
  assert.equal(counts(), [0, 0, 1, 0])
  wire.end()
  await eventually(() => counts().join() === '0,0,0,0', 'nothing')
})

test('a connection that was taken is idle for nobody else', async () => {
  openPool(2, 2)
  const first = request()
  const wire = await upstream.accept()
  await wire.head()
  wire.send(ok())
  await eventually(() => first.connection?.idle === true, 'the end of the exchange')
  assert.is(pool.takeIdle(), first.connection)
  assert.is(pool.takeIdle(), undefined)
  assert.equal(counts(), [0, 1, 0, 0])
})

test('who no longer wants a connection that is being made leaves it to the first of the queue', async () => {
  openPool(1, 2)
  const [first, second] = [request(), request()]
  assert.equal(counts(), [1, 0, 0, 1])
  pool.cancel(first)
  await eventually(() => second.connection !== undefined, 'a connection')
  assert.equal([first.connection, first.error], [undefined, undefined])
  assert.equal(counts(), [0, 1, 0, 0])
})

test('who no longer wants to wait is passed over', async () => {
  openPool(1, 3)
  const [first, second, third] = [request(), request(), request()]
  pool.cancel(second)
  const wire = await upstream.accept()
  await wire.head()
  assert.ok(first.connection)
  wire.send(ok())
  await eventually(() => third.connection !== undefined, 'a connection')
  assert.is(second.connection, undefined)
  assert.is(third.connection, first.connection)
})

test('past the queue there is only refusal, which leaves the queue as it is', () => {
  openPool(1, 1)
  request()
  request()
  assert.throws(request, (error: ProxyError) => error.code === 'ERR_POOL_FULL')
  assert.equal(counts(), [1, 0, 0, 1])
})

test('a connection that cannot be made is the failure of who it was for, and the next gets its own try', async () => {
  const gone = await RawUpstream.listen()
  const { port } = gone
  await gone.close()
  openPool(1, 2, port)
  const waiting = [request(), request(), request()]
  await eventually(() => waiting.every(({ error }) => error !== undefined), 'three failures')
  assert.equal(
    waiting.map(({ error }) => error?.code),
    Array(3).fill('ERR_UPSTREAM_UNREACHABLE'),
  )
  assert.equal(counts(), [0, 0, 0, 0])
})

test('a pool that was closed keeps no connection, neither idle nor one that is done later', async () => {
  openPool(2, 2)
  const [first, second] = [request(), request()]
  const wires = [await upstream.accept(), await upstream.accept()] as const
  await wires[0].head()
  wires[0].send(ok())
  await eventually(() => counts()[2] === 1, 'one idle')
  pool.close()
  await wires[0].rest()
  await eventually(() => counts().join() === '0,1,0,0', 'one busy')
  await wires[1].head()
  wires[1].send(ok())
  await wires[1].rest()
  await eventually(() => counts().join() === '0,0,0,0', 'nothing')
  assert.ok(first.connection && second.connection)
})

test.run()
