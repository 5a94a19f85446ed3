// Faults of our own: whatever throws within one exchange, the others go on, the process lives, and nothing stays open.
// Each case makes one part throw once, at one way into the program: a socket's event, a deadline, a promise. The proxy
// is put together from the same parts as in proxy.ts. Faults from outside: test/soak/starved.test.ts.

import { once } from 'node:events'
import { createServer, Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ExchangeObserver, ExchangeRecord } from '../../src/exchange-record.ts'
import { Exchange, type Stages } from '../../src/exchange.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { plainGateway } from '../../src/http/gateway.ts'
import { pageOf } from '../../src/http/pages.ts'
import { createHeadParser, type HeadParser } from '../../src/http/parser.ts'
import { writeRefusal, writeResponse } from '../../src/http/refusal.ts'
import type { RequestHead } from '../../src/http/request.ts'
import { createMinter } from '../../src/jwt/mint.ts'
import { Balancer } from '../../src/net/balancer.ts'
import { Buffers } from '../../src/net/buffers.ts'
import { Deadlines } from '../../src/net/deadlines.ts'
import { Listener } from '../../src/net/listener.ts'
import { Pool, type PoolContext, type Waiter } from '../../src/net/pool.ts'
import { Turn } from '../../src/net/turn.ts'
import { KEY } from '../support/proxy.ts'
import { eventually, ok, RawUpstream, Wire, within } from '../support/wire.ts'

const test = suite('proxy/faults')

Error.stackTraceLimit = 50 // enough to see by which way an error got out

/** Makes one named part throw, the next time it is used. */
class Saboteur {
  armed: string | undefined = undefined
  struck = false

  /** `part`, or what it does when it is armed. */
  wrap<A extends unknown[], R>(name: string, part: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      this.strike(name)
      return part(...args)
    }
  }

  strike(name: string): void {
    if (this.armed !== name) return
    this.armed = undefined
    this.struck = true
    throw new Error(`injected: ${name}`)
  }
}

/** Limits, and deadlines in ms: the short ones are provoked. */
const SHORT = 150
const LIMITS = {
  maxHeadSize: 16_384,
  maxTargetSize: 8192,
  headTimeout: SHORT,
  keepAliveTimeout: SHORT,
  bodyTimeout: SHORT,
  sendTimeout: 2 * SHORT,
  halfCloseTimeout: SHORT,
  connectTimeout: SHORT,
  responseTimeout: SHORT,
  streamTimeout: 5000,
  poolIdleTimeout: 5000,
  poolConnectionAge: 300_000,
  poolSize: 2,
  poolQueue: 1,
  poolTimeout: SHORT,
}

/** A proxy whose parts can be made to throw, its upstream, and its clients. */
class Stand {
  readonly saboteur = new Saboteur()
  /** what signet reported as faults of its own */
  readonly faults: unknown[] = []
  readonly upstream: RawUpstream
  readonly #pool: Pool
  readonly #listener: Listener
  readonly #deadlines = new Deadlines(
    () => performance.now(),
    (thrown) => this.faults.push(thrown),
  )
  readonly #wires: Wire[] = []
  port = 0

  private constructor(upstream: RawUpstream, upstreamPort: number) {
    this.upstream = upstream
    const saboteur = this.saboteur
    const wrap = saboteur.wrap.bind(saboteur)
    const origin = { host: '127.0.0.1', port: upstreamPort, authority: `127.0.0.1:${upstreamPort}` }
    const whole = createHeadParser({ region: 65_536, maxFields: 100, ...LIMITS })
    const parser: HeadParser = {
      region: whole.region,
      parseRequest: wrap('parser.parseRequest', whole.parseRequest.bind(whole)),
      parseResponse: wrap('parser.parseResponse', whole.parseResponse.bind(whole)),
      parseTrailers: wrap('parser.parseTrailers', whole.parseTrailers.bind(whole)),
    }
    const buffers = new Buffers(whole.region)
    const rules = new FieldRules(['x-my-jwt'])
    const deadlines = this.#deadlines
    const counts = { octetsReceived: 0, octetsSent: 0 }
    const onFault = (thrown: unknown) => this.faults.push(thrown)
    const shared = { parser, rules, buffers, deadlines, counts, limits: LIMITS, onFault, turn: new Turn() }
    const poolContext: PoolContext = {
      upstream: { ...shared, readPath: 'shared' },
      deadlines,
      limits: LIMITS,
      onConnectFailed: wrap('pool.onConnectFailed', () => undefined),
      onOpened: wrap('pool.onOpened', () => undefined),
      onClosed: wrap('pool.onClosed', () => undefined),
    }
    const pool = new FaultyPool(saboteur, origin, poolContext)
    this.#pool = pool
    const upstreamConfig = plainGateway(origin).upstreams[0]!
    const balancer = new Balancer(upstreamConfig, {
      createPool: () => pool,
      clock: () => performance.now(),
      onChange: () => undefined,
      onFault,
    })
    const minter = createMinter({ key: KEY, user: 'username', now: Date.now, nextId: () => 'id' })
    const observer: ExchangeObserver = {
      onStarted: wrap('observer.onStarted', () => undefined),
      onFinished: wrap('observer.onFinished', () => undefined),
      onReused: wrap('observer.onReused', () => undefined),
      onRetried: wrap('observer.onRetried', () => undefined),
      onDropped: wrap('observer.onDropped', () => undefined),
      onImitation: wrap('observer.onImitation', () => undefined),
      onTunnel: (change) => saboteur.strike(`observer.onTunnel ${change}`),
    }
    const date = wrap('date', () => 'Thu, 01 Jan 1970 00:00:00 GMT')
    const page = (close: boolean) => writeResponse(200, 'text/plain', 'page', date(), close, true)
    const stages: Stages = {
      ...shared,
      tunnelTimeout: SHORT,
      pseudonym: 'signet-test',
      page: wrap('page', pageOf),
      find: wrap('find', (_head: RequestHead) => ({
        value: { route: undefined, upstream: balancer },
        target: undefined,
        params: {},
      })),
      mint: wrap('mint', (_method: string) => minter()),
      jwtHeader: 'x-my-jwt',
      upgrades: new Set(['websocket']),
      answerPage: (which, _head, close) => {
        saboteur.strike('answerPage')
        if (which === 'status') return page(close)
        return Promise.resolve().then(() => {
          saboteur.strike('answerPage later')
          return page(close)
        })
      },
      clock: wrap('clock', () => performance.now()),
      date,
      nextRequestId: wrap('nextRequestId', () => 'test-1'),
      middleware: { rules, deadlines, timeout: () => SHORT, onFault: () => undefined },
      observer,
    }
    this.#listener = new Listener({
      downstream: {
        ...shared,
        begin: (head, client) => {
          saboteur.strike('begin')
          return new Exchange(head, client, stages)
        },
        onRefused: (error) => {
          saboteur.strike('onRefused')
          return (close) => {
            saboteur.strike('refusal')
            observer.onStarted()
            observer.onFinished({} as ExchangeRecord)
            return writeRefusal(error, 'test-1', date(), close, true)
          }
        },
        draining: wrap('draining', () => false),
      },
      takesConnect: false,
      readPath: 'shared',
      maxConnections: 100,
      onOpened: wrap('listener.onOpened', () => undefined),
      onClosed: wrap('listener.onClosed', () => undefined),
      onDropped: () => undefined,
      onError: () => undefined,
    })
  }

  /** @param upstreamPort where signet looks for its upstream, when it is not to find it */
  static async start(upstreamPort?: number): Promise<Stand> {
    const upstream = await RawUpstream.listen()
    const stand = new Stand(upstream, upstreamPort ?? upstream.port)
    stand.port = (await stand.#listener.listen(0, '127.0.0.1')).port
    return stand
  }

  async client(): Promise<Wire> {
    const wire = await Wire.connect(this.port)
    this.#wires.push(wire)
    return wire
  }

  /** What is open. */
  open(): Record<string, number> {
    const { open, connecting, waiting } = this.#pool.state()
    return {
      clients: this.#listener.connections,
      upstreams: open,
      connecting,
      waiting,
      deadlines: this.#deadlines.size,
    }
  }

  /** Closes every peer, and waits until signet has noticed. */
  async settle(): Promise<void> {
    for (const wire of [...this.#wires, ...this.upstream.wires]) wire.destroy()
    const left = () => Object.entries(this.open()).filter(([, count]) => count !== 0)
    await eventually(() => left().length === 0, 'nothing to be open', 2000).catch(() =>
      assert.equal(left(), []),
    )
  }

  async close(): Promise<void> {
    this.saboteur.armed = undefined
    for (const wire of this.#wires) wire.destroy()
    this.#listener.destroy()
    this.#pool.destroy()
    await this.upstream.close()
  }
}

class FaultyPool extends Pool {
  readonly #saboteur: Saboteur

  constructor(saboteur: Saboteur, ...rest: ConstructorParameters<typeof Pool>) {
    super(...rest)
    this.#saboteur = saboteur
  }

  override takeIdle(): ReturnType<Pool['takeIdle']> {
    this.#saboteur?.strike('pool.takeIdle')
    return super.takeIdle()
  }

  override request(waiter: Waiter): void {
    this.#saboteur?.strike('pool.request')
    super.request(waiter)
  }

  override cancel(waiter: Waiter): void {
    this.#saboteur?.strike('pool.cancel')
    super.cancel(waiter)
  }
}

// ── what the upstream does, and what a client can provoke ─────────────────────────────────────────────────────

const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n'
const LARGE = Buffer.alloc(20_000_000)
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'

/** What the upstream does about a request, by its target; anything else is answered. */
const ANSWERS: Readonly<Record<string, (wire: Wire) => void>> = {
  '/never': () => undefined,
  '/close': (wire) => wire.destroy(),
  '/reset': (wire) => wire.reset(),
  '/cut': (wire) => wire.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc').end(),
  '/malformed': (wire) => wire.send('HTTP/1.1 9000\r\n\r\n'),
  '/trailers': (wire) => wire.send(`HTTP/1.1 200 OK\r\n${CHUNKED}1\r\na\r\n0\r\nX-T: 1\r\n\r\n`),
  '/until-close': (wire) => wire.send('HTTP/1.1 200 OK\r\n\r\nabc').end(),
  '/interim': (wire) => wire.send(`HTTP/1.1 103 Early Hints\r\n\r\n${ok()}`),
  '/upgrade': (wire) => wire.send(SWITCHING),
  '/upgrade-close': (wire) => wire.send(SWITCHING).end(),
  '/large': (wire) => {
    wire.send('HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n').send(LARGE)
  },
  '/large-reset': (wire) => {
    wire.send('HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n').send(LARGE)
    setTimeout(() => wire.reset(), 50)
  },
}

/** Plays the upstream on one connection. */
async function serve(wire: Wire): Promise<void> {
  for (;;) {
    const head = await wire.head()
    const target = head.split(' ')[1] ?? ''
    if (target === '/slowly' || target === '/stop') {
      wire.socket.pause()
      if (target === '/stop') return
      setTimeout(() => wire.socket.resume(), SHORT)
      let left = LARGE.length
      wire.divert((piece) => {
        left -= piece.length
      })
      await wire.when(() => left === 0, 'the whole of it')
      wire.keep(Buffer.alloc(0))
      wire.send(ok())
      continue
    }
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (/transfer-encoding/i.test(head)) await wire.until('0\r\n')
    await wire.take(length)
    if (/transfer-encoding/i.test(head)) await wire.until('\r\n')
    const answer = ANSWERS[target]
    if (answer === undefined) wire.send(ok())
    else answer(wire)
  }
}

const get = (target: string, fields = '') => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const post = (target: string, sent: string, length = sent.length) =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${sent}`
const UPGRADE_FIELDS = 'Connection: upgrade\r\nUpgrade: websocket\r\n'

/** Something that a client does. @returns the head of its answer, if it has one already */
type Deed = (client: Wire) => Promise<string | undefined>

const ask =
  (...octets: (string | Buffer)[]): Deed =>
  async (client) => {
    for (const one of octets) client.send(one)
    return undefined
  }

/** Sends, waits until it is under way, and leaves. */
const leave =
  (octets: string, how: 'reset' | 'destroy' | 'end'): Deed =>
  async (client) => {
    client.send(octets)
    await new Promise((resolve) => setTimeout(resolve, 50))
    client[how]()
    return undefined
  }

/** Asks for much, takes the head and then nothing, or nothing for `ms`. */
async function readSlowly(client: Wire, target: string, ms?: number): Promise<string> {
  client.send(get(target))
  const head = await client.head()
  client.divert(() => undefined) // what comes is of no interest
  client.socket.pause()
  if (ms !== undefined) setTimeout(() => client.socket.resume(), ms)
  return head
}

/** Every way into the program, by the deed that leads there. What ends an exchange is recorded at each of them. */
const ENTRIES: Readonly<Record<string, Deed>> = {
  'a whole exchange': ask(get('/x')),
  'a request with a body': ask(post('/x', 'abc')),
  'a page': ask(get('/status')),
  'a page that takes time': ask(get('/metrics')),
  'a head that is refused': ask('garbage\r\n\r\n'),
  'a body that is refused': ask(`POST /x HTTP/1.1\r\nHost: a\r\n${CHUNKED}zz\r\n`),
  'a head that stops coming': ask('GET /x HT'),
  'a body that stops coming': ask(post('/x', 'abc', 9)),
  'a client that resets while it waits': leave(get('/never'), 'reset'),
  'a client that closes while it waits': leave(get('/never'), 'destroy'),
  'a client that resets within its body': leave(post('/x', 'abc', 9), 'reset'),
  'a client that ends within its body': leave(post('/x', 'abc', 9), 'end'),
  'a client that ends behind its request': leave(get('/never'), 'end'),
  'an upstream that never answers': ask(get('/never')),
  'an upstream that closes': ask(get('/close')),
  'an upstream that resets': ask(get('/reset')),
  'an upstream that cuts its answer short': ask(get('/cut')),
  'an answer that is malformed': ask(get('/malformed')),
  'an answer that ends by closing': ask(get('/until-close')),
  'an answer with trailers': ask(get('/trailers')),
  'a request with trailers': ask(`POST /x HTTP/1.1\r\nHost: a\r\n${CHUNKED}1\r\na\r\n0\r\nX-T: 1\r\n\r\n`),
  'an interim response': ask(get('/interim')),
  'two requests at once': ask(get('/x') + get('/x')),
  'a dropped field': ask(get('/x', 'Connection: x-a\r\nX-A: 1\r\nX-My-Jwt: forged\r\n')),
  'a client that stops reading': (client) => readSlowly(client, '/large'),
  'a client that reads slowly': (client) => readSlowly(client, '/large', SHORT),
  'an upstream that resets behind a slow client': (client) => readSlowly(client, '/large-reset', SHORT),
  'an upstream that reads slowly': ask(
    `POST /slowly HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n`,
    LARGE,
  ),
  'an upstream that stops reading': ask(
    `POST /stop HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n`,
    LARGE,
  ),
  'a tunnel that the client resets': async (client) => {
    client.send(get('/upgrade', UPGRADE_FIELDS))
    const head = await client.head()
    client.reset()
    return head
  },
  'a tunnel that the upstream ends first': async (client) => {
    client.send(get('/upgrade-close', UPGRADE_FIELDS))
    const head = await client.head()
    client.send('more').end()
    return head
  },
  'a tunnel in which nothing happens': ask(get('/upgrade', UPGRADE_FIELDS)),
}

/** Which part throws, and the deed that leads there. */
const CASES: readonly (readonly [part: string, entry: string])[] = [
  ...Object.keys(ENTRIES).map((entry) => ['observer.onFinished', entry] as const),
  ...[
    'begin',
    'clock',
    'nextRequestId',
    'observer.onStarted',
    'page',
    'find',
    'mint',
    'pool.takeIdle',
    'pool.request',
    'date',
    'draining',
    'parser.parseRequest',
    'parser.parseResponse',
    'listener.onOpened',
    'listener.onClosed',
    'pool.onOpened',
  ].map((part) => [part, 'a whole exchange'] as const),
  ['observer.onReused', 'two requests at once'],
  ['draining', 'two requests at once'],
  ['mint', 'two requests at once'],
  ['answerPage', 'a page'],
  ['date', 'a page'],
  ['answerPage later', 'a page that takes time'],
  ['date', 'a page that takes time'],
  ['onRefused', 'a head that is refused'],
  ['refusal', 'a head that is refused'],
  ['date', 'a head that stops coming'],
  ['onRefused', 'a head that stops coming'],
  ['date', 'a body that is refused'],
  ['date', 'a body that stops coming'],
  ['date', 'an upstream that never answers'],
  ['date', 'an upstream that closes'],
  ['pool.onClosed', 'an upstream that closes'],
  ['listener.onClosed', 'a client that resets while it waits'],
  ['pool.onClosed', 'a client that resets while it waits'],
  ['parser.parseTrailers', 'an answer with trailers'],
  ['parser.parseTrailers', 'a request with trailers'],
  ['observer.onDropped', 'a dropped field'],
  ['observer.onImitation', 'a dropped field'],
  ['observer.onTunnel opened', 'a tunnel in which nothing happens'],
  ['observer.onTunnel closed', 'a tunnel in which nothing happens'],
  ['observer.onTunnel closed', 'a tunnel that the client resets'],
  ['observer.onTunnel closed', 'a tunnel that the upstream ends first'],
  ['client.write', 'a whole exchange'],
  ['client.write', 'a page that takes time'],
  ['client.write', 'a head that is refused'],
  ['client.write', 'a body that stops coming'],
  ['client.pause', 'an upstream that reads slowly'],
  ['client.resume', 'an upstream that reads slowly'],
  ['upstream.write', 'a whole exchange'],
  ['upstream.write', 'two requests at once'],
  ['upstream.pause', 'a client that reads slowly'],
  ['upstream.resume', 'a client that reads slowly'],
]

/** Errors that nobody caught; outside of a test they would have ended the process. */
const uncaught: unknown[] = []
const onUncaught = (error: unknown) => uncaught.push(error)

/** Fails with what was thrown, and with the way into src/ by which it got out again. */
function nothingUncaught(): void {
  const ways = uncaught.map((error) => {
    const frames = error instanceof Error ? (error.stack ?? '').split('\n') : []
    const way = frames.filter((frame) => frame.includes('/src/')).at(-1) ?? ''
    return `${error} got out at ${way.trim().replace(/\(.*\/src\//, '(src/')}`
  })
  assert.equal(ways, [])
}

test.before(() => {
  process.on('uncaughtException', onUncaught)
  process.on('unhandledRejection', onUncaught)
})

test.after(() => {
  process.off('uncaughtException', onUncaught)
  process.off('unhandledRejection', onUncaught)
})

for (const [part, entry] of CASES) {
  test(`${part} throws at ${entry}: the others go on`, async () => {
    const stand = await Stand.start()
    uncaught.length = 0
    const restore = sabotageSockets(stand, part)
    try {
      // Another exchange, in the middle of its response.
      const bystander = await stand.client()
      bystander.send(get('/bystander'))
      const origin = await stand.upstream.accept()
      origin.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
      await bystander.until('abc')
      stand.upstream.onConnection(serve)

      stand.saboteur.armed = part
      const client = await stand.client()
      const deed = (ENTRIES[entry] as Deed)(client).catch(() => undefined) // cut off within it
      const head = await within(deed, 'the client')
      const over = () =>
        head !== undefined || client.ending !== undefined || client.pending.includes('\r\n\r\n')
      const struck = () => uncaught.length > 0 || (over() && stand.saboteur.struck)
      await eventually(struck, `${part} to be used, and the client answered or cut off`, 3000)
      nothingUncaught()

      origin.send('def')
      serve(origin).catch(() => undefined) // from here on it is a connection like any other
      assert.is((await bystander.take(3)).toString(), 'def', 'the other exchange ends as it would have')
      const next = await stand.client()
      next.send(get('/x'))
      assert.match((await next.message()).head, /^HTTP\/1\.1 200 /, 'the next client is served')
      await stand.settle()
      nothingUncaught()
      assert.equal(stand.faults.map(String), [`Error: injected: ${part}`], 'it is reported, once')
    } finally {
      restore()
      await stand.close()
    }
  })
}

/** Makes a method of signet's own sockets throw when its part is armed; sockets of the test are left alone. */
function sabotageSockets({ port, upstream, saboteur }: Stand, part: string): () => void {
  const [side, method] = part.split('.') as [string, 'write' | 'pause' | 'resume']
  if (side !== 'client' && side !== 'upstream') return () => undefined
  const prototype = Socket.prototype as unknown as Record<string, (...args: unknown[]) => unknown>
  const original = Socket.prototype[method] as (...args: unknown[]) => unknown
  const own = Object.hasOwn(prototype, method)
  prototype[method] = function (this: Socket, ...args: unknown[]) {
    const isClient = this.localPort === port
    const isUpstream = this.remotePort === upstream.port
    if (side === 'client' ? isClient : isUpstream) saboteur.strike(part)
    return original.apply(this, args)
  }
  return () => {
    if (own) prototype[method] = original
    else delete prototype[method]
  }
}

test('the log of an upstream that is not there throws: the next client is served its refusal', async () => {
  const nobody = createServer().listen(0, '127.0.0.1')
  await once(nobody, 'listening')
  const { port } = nobody.address() as { port: number }
  nobody.close()
  const stand = await Stand.start(port)
  uncaught.length = 0
  try {
    for (const part of ['observer.onFinished', 'date', 'pool.cancel', undefined]) {
      stand.saboteur.armed = part
      const client = await stand.client()
      client.send(get('/x'))
      const over = () => client.ending !== undefined || client.pending.length > 0 || uncaught.length > 0
      await eventually(over, `an end for ${part}`, 3000)
    }
    nothingUncaught()
    await stand.settle()
  } finally {
    await stand.close()
  }
})

test('the log of an exchange that waits in vain for a connection throws: the next in the queue is served', async () => {
  const stand = await Stand.start()
  uncaught.length = 0
  try {
    const busy = [await stand.client(), await stand.client()] // as many as the pool has
    for (const client of busy) client.send(get('/x'))
    const origins = [await stand.upstream.accept(), await stand.upstream.accept()]
    for (const origin of origins) await origin.head()
    stand.saboteur.armed = 'observer.onFinished'
    const late = await stand.client()
    late.send(get('/late'))
    const over = () => late.ending !== undefined || late.pending.length > 0 || uncaught.length > 0
    await eventually(over, 'an end for the one in the queue', 3000)
    nothingUncaught()
    for (const origin of origins) origin.send(ok())
    for (const client of busy)
      await eventually(() => client.ending !== undefined || client.pending.length > 0, 'an answer')
    await stand.settle()
  } finally {
    await stand.close()
  }
})

test.run()
