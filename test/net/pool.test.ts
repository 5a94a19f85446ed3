import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ProxyError } from '../../src/errors.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { Buffers } from '../../src/net/buffers.ts'
import { Deadlines } from '../../src/net/deadlines.ts'
import type { LookUp } from '../../src/net/connector.ts'
import { Pool, type PoolContext, type Waiter } from '../../src/net/pool.ts'
import { Turn } from '../../src/net/turn.ts'
import type { Upstream, UpstreamExchange, UpstreamLimits } from '../../src/net/upstream.ts'
import { noFault } from '../support/faults.ts'
import { eventually, ok, RawUpstream } from '../support/wire.ts'

const test = suite('net/pool')

const parser = createHeadParser({ region: 64 * 1024, maxHeadSize: 16_384, maxFields: 100 })
const deadlines = new Deadlines(() => performance.now(), noFault)
const LIMITS: UpstreamLimits = {
  maxHeadSize: 16_384,
  connectTimeout: 1000,
  responseTimeout: 1000,
  streamTimeout: 1000,
  sendTimeout: 1000,
  poolIdleTimeout: 10_000,
  poolConnectionAge: 300_000,
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
  /** whether the connection had been used when it came */
  reused: boolean | undefined = undefined
  readonly needsNew: boolean

  constructor(needsNew = false) {
    this.needsNew = needsNew
  }

  onConnection(connection: Upstream): void {
    this.connection = connection
    this.reused = connection.reused
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

interface PoolOptions extends Pick<PoolContext, 'maxIdle' | 'lookUp'> {
  readonly limits?: Partial<UpstreamLimits>
  readonly random?: () => number
  readonly host?: string
}

function openPool(
  poolSize: number,
  poolQueue: number,
  port = upstream.port,
  { maxIdle, lookUp, limits, random = Math.random, host = '127.0.0.1' }: PoolOptions = {},
): Pool {
  const context = {
    parser,
    rules: new FieldRules(['x-my-jwt']),
    buffers: new Buffers(parser.region),
    deadlines,
    counts: { octetsReceived: 0, octetsSent: 0 },
    readPath: 'shared' as const,
    limits: { ...LIMITS, ...limits },
    onFault: noFault,
    turn: new Turn(),
    random,
  }
  pool = new Pool(
    { host, port, authority: `${host}:${port}` },
    {
      upstream: context,
      deadlines,
      limits: { poolSize, poolQueue, poolTimeout: 10_000 },
      maxIdle,
      lookUp,
      onOpened: () => undefined,
      onClosed: () => undefined,
      onConnectFailed: () => undefined,
    },
  )
  return pool
}

function request(needsNew = false): Waiting {
  const waiting = new Waiting(needsNew)
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
  assert.throws(
    () => request(),
    (error: ProxyError) => error.code === 'ERR_POOL_FULL',
  )
  assert.equal(counts(), [1, 0, 0, 1])
})

test('who needs a new connection gets none that was used, and those behind it keep their places', async () => {
  openPool(2, 3)
  const [first, second, tunnel, last] = [request(), request(), request(true), request()]
  const wires = [await upstream.accept(), await upstream.accept()] as const
  for (const wire of wires) await wire.head()
  wires[0].send(ok())
  const third = await upstream.accept()
  await third.head()
  assert.is((await wires[0].rest()).ending, 'fin')
  assert.is(tunnel.reused, false)
  assert.ok(tunnel.connection !== first.connection && tunnel.connection !== second.connection)
  assert.is(last.connection, undefined)
  wires[1].send(ok())
  await eventually(() => last.connection !== undefined, 'a connection')
  assert.is(last.connection, second.connection)
  assert.equal(counts(), [0, 2, 0, 0])
})

for (const [why, needsNew] of [
  ['needs a new connection', true],
  ['asks for one though there is an idle one, which it cannot trust', false],
] as const) {
  test(`who ${why} does not wait for the room that idle ones take up`, async () => {
    openPool(1, 0)
    const first = request()
    const wire = await upstream.accept()
    await wire.head()
    wire.send(ok())
    await eventually(() => counts()[2] === 1, 'one idle')
    const second = request(needsNew)
    await (await upstream.accept()).head()
    assert.is(second.reused, false)
    assert.is.not(second.connection, first.connection)
    assert.equal(await wire.rest(), { octets: '', ending: 'fin' })
    assert.equal(counts(), [0, 1, 0, 0])
  })
}

test('no more connections are idle than may be', async () => {
  openPool(4, 0, undefined, { maxIdle: 2 })
  for (let n = 0; n < 4; n++) request()
  const wires = await Promise.all(Array.from({ length: 4 }, () => upstream.accept()))
  for (const wire of wires) {
    await wire.head()
    wire.send(ok())
  }
  await eventually(() => counts().join() === '0,0,2,0', 'two to be idle')
})

test('connections opened together do not retire together', async () => {
  const sooner = [0.999, 0]
  const limits = { poolConnectionAge: 5000 }
  openPool(2, 0, undefined, { limits, random: () => sooner.shift() ?? 0 })
  const began = performance.now()
  request()
  request()
  const wires = [await upstream.accept(), await upstream.accept()] as const
  const ends = wires.map(async (wire) => {
    await wire.head()
    wire.send(ok())
    await wire.rest(10_000)
    return performance.now() - began
  })
  const [first, second] = (await Promise.all(ends)).sort((a, b) => a - b) as [number, number]
  assert.ok(first >= 4400 && first < 4950, `the first after ${Math.round(first)} ms`)
  assert.ok(second >= 4950, `the second after ${Math.round(second)} ms`)
})

test('the name is looked up again for each new connection, and a new address is gone to', async () => {
  const moved = await RawUpstream.listen('127.0.0.2', upstream.port)
  try {
    let address = '127.0.0.1'
    const asked: string[] = []
    const lookUp: LookUp = (hostname, { all }, callback) => {
      asked.push(hostname)
      const found = address
      setImmediate(() =>
        all === true ? callback(null, [{ address: found, family: 4 }]) : callback(null, found, 4),
      )
    }
    openPool(2, 0, upstream.port, { host: 'moving.test', lookUp, limits: { poolConnectionAge: 300 } })
    request()
    const old = await upstream.accept()
    await old.head()
    address = '127.0.0.2'
    old.send(ok())
    await eventually(() => counts()[2] === 1, 'one idle')
    assert.equal(asked, ['moving.test'])
    assert.equal(await old.rest(), { octets: '', ending: 'fin' })
    await eventually(() => counts().join() === '0,0,0,0', 'nothing')
    assert.is(pool.takeIdle(), undefined)
    request()
    await (await moved.accept()).head()
    assert.equal(asked, ['moving.test', 'moving.test'])
    assert.is(upstream.wires.length, 1)
  } finally {
    await moved.close()
  }
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
