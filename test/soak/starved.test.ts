// Faults from outside the exchange: a log that cannot be written, no descriptors left, peers that never read, an error
// that nobody catches. The real process must go on, within bounds, and be well again when the need is over.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventually, Wire, within } from '../support/wire.ts'
import { exitOf, ROOT, type SignetProcess, settled, startSignet, unusedPort } from './process.ts'

const test = suite('soak/starved')

const MiB = 1024 * 1024
/** Idle upstream connections go soon, so that there is nothing open when a test looks. */
const QUIET = { SIGNET_ACCESS_LOG: 'off', SIGNET_POOL_IDLE_TIMEOUT: '200' }

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Answers `/<octets>` with as many, at once; `/wait` when told to; reads what it is sent unless it is `/unread`. */
class Upstream {
  readonly #server: Server
  readonly waiting: (() => void)[] = []

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (request, response) => {
      if (request.url === '/unread') return
      request.resume()
      if (request.url === '/wait') this.waiting.push(() => response.end('waited'))
      else response.end(Buffer.alloc(Number(request.url?.slice(1)), 'x'))
    })
    server.on('upgrade', (_request, socket: Socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
      socket.on('error', () => undefined)
      const flood = () => {
        while (socket.write(Buffer.alloc(MiB)));
      }
      socket.on('drain', flood)
      flood()
    })
  }

  static async listen(): Promise<Upstream> {
    const server = createHttpServer({ requestTimeout: 0 }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Upstream(server)
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

let upstream: Upstream

test.before(async () => {
  upstream = await Upstream.listen()
})

test.after(() => upstream?.close())

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`

/** A good client: one request, one answer. @returns the status, or undefined when the connection ended without one */
async function ask(port: number, target = '/2'): Promise<number | undefined> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  const wire = new Wire(socket)
  wire.send(get(target))
  try {
    return Number((await wire.message()).head.split(' ')[1])
  } catch {
    return undefined
  } finally {
    wire.destroy()
  }
}

/** Makes `count` requests on four connections, pipelined by the hundred, and waits for all their answers. */
async function askMany(port: number, count: number): Promise<void> {
  const one = async () => {
    const wire = await Wire.connect(port)
    for (let asked = 0; asked < count / 4; asked += 100) {
      wire.send(get('/2').repeat(100))
      for (let answer = 0; answer < 100; answer++) await wire.message(20_000)
    }
    wire.destroy()
  }
  await Promise.all([one(), one(), one(), one()])
}

// ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Where the log goes, and how it is spoilt once signet runs. */
const LOGS = [
  ['a pipe that was closed', 'pipe', (signet: SignetProcess) => void signet.child.stdout?.destroy()],
  ['a pipe that nobody reads', 'unread', () => undefined],
  ['a disk that is full', '/dev/full', () => undefined],
] as const

/** Lines of this many requests take twice the bound. */
const LOGGED = 12_000
const LOG_BOUND = 1.5 * MiB

for (const [what, stdout, spoil] of LOGS) {
  test(`a log that goes to ${what} costs neither traffic nor memory`, async () => {
    const signet = await startSignet({ env: { SIGNET_UPSTREAM: upstream.url }, stdout })
    try {
      spoil(signet)
      await askMany(signet.port, 2000)
      const before = await signet.measure()
      await askMany(signet.port, LOGGED)
      const after = await signet.measure()
      const grown = after.heap + after.external - before.heap - before.external
      if (process.env.VERBOSE)
        console.log(`${what}: ${(grown / MiB).toFixed(1)} MiB more after ${LOGGED} lines`)
      assert.ok(grown < LOG_BOUND, `${(grown / MiB).toFixed(1)} MiB more after ${LOGGED} lines`)
    } finally {
      signet.child.kill('SIGKILL')
      await signet.exited
    }
  })

  test(`signet ends when told to although its log goes to ${what}`, async () => {
    const signet = await startSignet({ env: { SIGNET_UPSTREAM: upstream.url }, stdout })
    spoil(signet)
    await askMany(signet.port, 2000)
    assert.is(await signet.stop(8000), 0)
  })
}

test('a greeting that cannot be written does not keep signet from starting', async () => {
  const port = await unusedPort()
  const env = { HTTP_PORT: `${port}`, SIGNET_UPSTREAM: upstream.url, PATH: process.env.PATH ?? '' }
  const child = spawn(process.execPath, [join(ROOT, 'dist/main.js')], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = exitOf(child)
  child.stderr.destroy() // long before there is anything to read
  try {
    let status: number | undefined
    for (let attempt = 0; attempt < 100 && status === undefined; attempt++) {
      status = await ask(port)
      if (status === undefined) await later(50)
    }
    assert.is(status, 200)
    await later(100)
    assert.is(await ask(port), 200, 'and it goes on')
    child.kill('SIGTERM')
    assert.is(await within(exited, 'its end'), 0)
  } finally {
    child.kill('SIGKILL')
  }
})

// ── descriptors ───────────────────────────────────────────────────────────────────────────────────────────────

/** Few enough to run out of. */
const DESCRIPTORS = 64

/** Warnings since signet listened, beside the lines of single exchanges. */
const complaints = ({ log }: SignetProcess) => {
  const listening = log.findIndex((line) => line.event === 'listening')
  return log.slice(listening + 1).filter((line) => Number(line.level) >= 40 && line.event !== 'exchange')
}

test('clients beyond what there are descriptors for do not end signet; it says so, once a second', async () => {
  const env = { ...QUIET, SIGNET_UPSTREAM: upstream.url }
  const signet = await startSignet({ env, descriptors: DESCRIPTORS })
  const clients: Socket[] = []
  try {
    assert.is(await ask(signet.port), 200)
    const begin = performance.now()
    let turnedAway = 0
    for (let round = 0; round < 6; round++) {
      for (let client = 0; client < 40; client++) {
        const socket = connect(signet.port, '127.0.0.1').on('error', () => undefined)
        clients.push(socket.on('close', () => turnedAway++))
      }
      await later(500)
    }
    const seconds = (performance.now() - begin) / 1000
    assert.ok(signet.alive())
    assert.ok(turnedAway > 100, 'most are turned away')
    await eventually(() => complaints(signet).length > 0, 'a word about it in the log', 2000)
    assert.ok(complaints(signet).length <= seconds + 2, `${complaints(signet).length} lines in ${seconds} s`)

    for (const client of clients) client.destroy()
    let status: number | undefined
    for (let attempt = 0; attempt < 100 && status !== 200; attempt++) {
      status = await ask(signet.port)
      if (status !== 200) await later(20)
    }
    assert.is(status, 200, 'service resumes')
    await settled(signet, 8000)
  } finally {
    for (const client of clients) client.destroy()
    await signet.stop()
  }
})

test('a request for which there is no descriptor left is refused, and the next one that has one is served', async () => {
  const env = { ...QUIET, SIGNET_UPSTREAM: upstream.url }
  const signet = await startSignet({ env, descriptors: DESCRIPTORS })
  const clients: Wire[] = []
  try {
    assert.is(await ask(signet.port), 200)
    await settled(signet)
    // Clients that are connected and say nothing, until the next descriptor would be the last.
    for (let client = 0; client < DESCRIPTORS && signet.descriptors() < DESCRIPTORS; client++) {
      const wire = await Wire.connect(signet.port).catch(() => undefined) // or turned away at once
      if (wire !== undefined) clients.push(wire)
      await later(5)
    }
    await later(100) // one too many is turned away
    const asking = clients.filter((client) => client.ending === undefined).slice(-3)
    for (const client of asking) client.send(get('/2'))
    const heads = await Promise.all(asking.map(async (client) => (await client.message()).head))
    const refused = heads.filter((head) => /^HTTP\/1\.1 50[23] /.test(head)).length
    const served = heads.filter((head) => /^HTTP\/1\.1 200 /.test(head)).length // by what was left
    assert.is(refused + served, asking.length, `all are answered: ${heads}`)
    assert.ok(signet.alive())
    if (refused > 0) await eventually(() => complaints(signet).length > 0, 'a word about it in the log', 2000)
    const crowded = signet.descriptors()
    for (const client of clients) client.destroy()
    await eventually(() => signet.descriptors() < crowded - 10, 'the descriptors of those that left', 8000)
    await settled(signet, 8000)
    assert.is(await ask(signet.port), 200, 'service resumes')
  } finally {
    for (const client of clients) client.destroy()
    await signet.stop()
  }
})

// ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Peers that do not read, and what may be held for all of them together: the lent regions, and two scratch buffers each. */
const UNREAD = 30
const BOUND = 24 * MiB

/** What clients do that never read, and how many of them. */
const FLOODS: readonly (readonly [what: string, peers: number, send: (socket: Socket) => void])[] = [
  ['responses of 50 MiB', UNREAD, (socket) => void socket.write(get('/52428800'))],
  ['pipelined small answers', 2, (socket) => flood(socket, Buffer.from(get('/8192').repeat(1000)), 20)],
  [
    "signet's own pages, pipelined",
    2,
    (socket) => flood(socket, Buffer.from(get('/status').repeat(1000)), 50),
  ],
  [
    'pipelined refusals',
    2,
    (socket) => flood(socket, Buffer.from(get('/x').replace('GET', 'TRACE').repeat(1000)), 200),
  ],
  ['a tunnel', UNREAD, (socket) => void socket.write(UPGRADE)],
]

const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'

for (const [what, peers, send] of FLOODS) {
  test(`clients that never read (${what}) do not fill the memory`, async () => {
    const signet = await startSignet({ env: { ...QUIET, SIGNET_UPSTREAM: upstream.url } })
    const clients: Socket[] = []
    try {
      await askMany(signet.port, 400)
      const before = await signet.measure()
      for (let client = 0; client < peers; client++) {
        const socket = connect(signet.port, '127.0.0.1')
          .on('error', () => undefined)
          .pause()
        clients.push(socket)
        send(socket)
      }
      await bounded(signet, before, what)
      assert.is(await ask(signet.port), 200, 'others are served meanwhile')
      for (const client of clients) client.resetAndDestroy()
      await settled(signet, 8000)
    } finally {
      for (const client of clients) client.destroy()
      await signet.stop()
    }
  })
}

test('an upstream that never reads does not fill the memory', async () => {
  const env = { ...QUIET, SIGNET_UPSTREAM: upstream.url, SIGNET_SEND_TIMEOUT: '5000' }
  const signet = await startSignet({ env })
  const clients: Socket[] = []
  try {
    await askMany(signet.port, 400)
    const before = await signet.measure()
    for (let client = 0; client < UNREAD; client++) {
      const socket = connect(signet.port, '127.0.0.1').on('error', () => undefined)
      clients.push(socket)
      socket.write('POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 52428800\r\n\r\n')
      flood(socket, Buffer.alloc(MiB), 50)
    }
    await bounded(signet, before, 'uploads')
    for (const client of clients) client.destroy()
    await settled(signet, 10_000) // by the send deadline: clients that are not read cannot be seen to leave
  } finally {
    for (const client of clients) client.destroy()
    await signet.stop()
  }
})

/** Writes `octets` `times` times, as fast as they are taken. */
function flood(socket: Socket, octets: Buffer, times: number): void {
  let left = times
  const more = () => {
    while (left-- > 0) if (!socket.write(octets)) return
  }
  socket.on('drain', more)
  more()
}

/**
 * Watches what signet holds until it has stood still for 2 s, or for 15 s: never more than {@link BOUND} above what it
 * was, and what stands still does not grow.
 */
async function bounded(
  signet: SignetProcess,
  before: { heap: number; external: number },
  what: string,
): Promise<void> {
  let most = 0
  let still = 0
  for (let look = 0; look < 30 && still < 4 && most < 4 * BOUND; look++) {
    await later(500)
    const { heap, external } = await signet.measure()
    const now = heap + external - before.heap - before.external
    still = now < most + MiB / 4 ? still + 1 : 0
    most = Math.max(most, now)
  }
  if (process.env.VERBOSE) console.log(`${what}: at most ${(most / MiB).toFixed(1)} MiB`)
  assert.ok(most < BOUND, `${(most / MiB).toFixed(1)} MiB are held for peers that never read`)
}

// ── an error that nobody catches ──────────────────────────────────────────────────────────────────────────────

test('an error that nobody catches ends signet in order: exchanges that run get their answers', async () => {
  const env = { SIGNET_UPSTREAM: upstream.url, SIGNET_DRAIN_TIMEOUT: '5000' }
  const signet = await startSignet({ env })
  try {
    const client = await Wire.connect(signet.port)
    client.send(get('/wait'))
    await eventually(() => upstream.waiting.length === 1, 'the request')
    signet.child.send('throw')
    await eventually(() => signet.log.some((line) => line.event === 'crash'), 'a word about it in the log')
    upstream.waiting.pop()?.()
    assert.is((await client.message()).body.toString(), 'waited')
    assert.is(await within(signet.exited, 'its end'), 1)
  } finally {
    signet.child.kill('SIGKILL')
  }
})

test.run()
