// Faults from outside the exchange: a log that cannot be written, no descriptors left, peers that never read, an error
// that nobody catches. The real process must go on, within bounds, and be well again when the need is over.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
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

/** Few enough to run out of, and enough to start with: Node opens some 70 files at a time to read signet's modules. */
const DESCRIPTORS = 96

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

/** Whether the limit of a running process can be changed here (util-linux); its own can be had back without privilege. */
const PRLIMIT = spawnSync('prlimit', ['--version']).status === 0
const withPrlimit = PRLIMIT ? test : test.skip
if (!PRLIMIT) console.error('! EMFILE was not tried: there is no prlimit here')

/** Leaves signet no descriptor: the lowest that is free is the first beyond its limit. @returns gives them back */
function exhaust({ pid }: SignetProcess): () => void {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let free = 0
  while (open.has(free)) free++
  const before = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]
  const limit = (soft: string) => {
    const { status, stderr } = spawnSync('prlimit', ['--pid', `${pid}`, `--nofile=${soft}:`])
    assert.is(status, 0, `${stderr}`)
  }
  limit(`${free}`)
  return () => limit(before as string)
}

/** Lines of the log that say that no descriptor is left, since `from`. */
const exhaustedIn = ({ log }: SignetProcess, from: number) =>
  log.slice(from).filter((line) => line.event === 'exhausted')

/** ms for which there is no descriptor. */
const NEED = 2500

/** Waits until {@link NEED} is over; then it was told of at least once, and at most once a second. */
async function toldOfNeed(signet: SignetProcess, begin: number, logged: number): Promise<void> {
  await later(begin + NEED - performance.now())
  const told = exhaustedIn(signet, logged).length
  const seconds = (performance.now() - begin) / 1000
  assert.ok(told >= 1 && told <= seconds + 1, `${told} lines in ${seconds} s`)
  assert.ok(signet.alive())
}

withPrlimit(
  'EMFILE on accept: clients are turned away, those that are there are served, and all when it is over',
  async () => {
    const env = { ...QUIET, SIGNET_POOL_IDLE_TIMEOUT: '20000', SIGNET_UPSTREAM: upstream.url }
    const signet = await startSignet({ env })
    let restore = () => {}
    const clients: Wire[] = []
    try {
      const early = await Wire.connect(signet.port)
      clients.push(early)
      early.send(get('/2'))
      assert.match((await early.message()).head, /^HTTP\/1\.1 200 /)
      const logged = signet.log.length
      const begin = performance.now()
      restore = exhaust(signet)
      for (let round = 0; round < 6; round++) {
        for (let client = 0; client < 10; client++) {
          // The kernel takes it, and signet ends it at once: without an answer, since there is nothing to answer on.
          const late = await Wire.connect(signet.port)
          clients.push(late)
          late.send(get('/2'))
          assert.is((await late.rest()).octets, '')
        }
        early.send(get('/2'))
        assert.match((await early.message()).head, /^HTTP\/1\.1 200 /, 'on connections that are there')
        await later(100)
      }
      await toldOfNeed(signet, begin, logged)
      restore()
      assert.is(await ask(signet.port), 200, 'service resumes')
      const after = signet.log.length
      await later(1100)
      assert.equal(exhaustedIn(signet, after), [], 'and nothing more is said')
    } finally {
      restore()
      for (const client of clients) client.destroy()
      assert.is(await signet.stop(), 0)
    }
  },
)

withPrlimit(
  'EMFILE on connect: requests are refused with 502, on connections that go on, and served when it is over',
  async () => {
    const signet = await startSignet({ env: { ...QUIET, SIGNET_UPSTREAM: upstream.url } })
    let restore = () => {}
    const clients: Wire[] = []
    try {
      assert.is(await ask(signet.port), 200)
      await settled(signet) // no idle connection to the upstream is left
      for (let client = 0; client < 5; client++) clients.push(await Wire.connect(signet.port))
      for (const client of clients) {
        client.send(get('/metrics')) // accepted, with all that signet needs to serve it
        assert.match((await client.message()).head, /^HTTP\/1\.1 200 /)
      }
      const logged = signet.log.length
      const begin = performance.now()
      restore = exhaust(signet)
      for (let round = 0; round < 6; round++) {
        for (const client of clients) {
          client.send(get('/2'))
          const { head, body } = await client.message()
          assert.match(head, /^HTTP\/1\.1 502 /)
          assert.not.match(head, /\r\nconnection: close/i)
          assert.match(body.toString(), /"ERR_UPSTREAM_UNREACHABLE"/)
        }
        await later(100)
      }
      await toldOfNeed(signet, begin, logged)
      restore()
      for (const client of clients) {
        client.send(get('/2'))
        assert.match((await client.message()).head, /^HTTP\/1\.1 200 /, 'service resumes')
      }
      for (const client of clients) client.destroy()
      await settled(signet, 8000)
    } finally {
      restore()
      for (const client of clients) client.destroy()
      assert.is(await signet.stop(), 0)
    }
  },
)

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
