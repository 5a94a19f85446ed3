// A real signet process between raw clients and a raw upstream, for the tests of time and order. Between two tests
// everything is closed, and signet must have noticed: what one test leaves open fails that test and not the next.

import { type AddressInfo, createServer, type Server } from 'node:net'
import type { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type SignetProcess, settled, startSignet } from '../soak/process.ts'
import { eventually, ok, Wire, within } from '../support/wire.ts'

/** signet, its upstream, and what a test does with them. */
export class TimeStand {
  readonly signet: SignetProcess
  readonly #server: Server
  readonly #clients: Wire[] = []
  /** upstream connections no test has asked for yet, and all there are */
  #accepted: Wire[] = []
  #origins: Wire[] = []
  #failuresBefore: Readonly<Record<string, number>> = {}

  private constructor(signet: SignetProcess, server: Server) {
    this.signet = signet
    this.#server = server
    server.on('connection', (socket) => {
      const wire = new Wire(socket)
      this.#accepted.push(wire)
      this.#origins.push(wire)
    })
  }

  static async start(env: Record<string, string> = {}): Promise<TimeStand> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return new TimeStand(
      await startSignet({ env: { SIGNET_UPSTREAM: `http://127.0.0.1:${port}`, ...env } }),
      server,
    )
  }

  /** How many upstream connections the test has seen. */
  get connections(): number {
    return this.#origins.length
  }

  /** The next upstream connection, in the order they came. */
  async origin(ms?: number): Promise<Wire> {
    await eventually(() => this.#accepted.length > 0, 'a connection to the upstream', ms)
    return this.#accepted.shift() as Wire
  }

  /** A new client connection. */
  async client(): Promise<Wire> {
    const wire = await Wire.connect(this.signet.port)
    this.#clients.push(wire)
    return wire
  }

  /** A client that has sent `octets`, and the upstream connection they went to, which has taken `taken` of them. */
  async exchange(
    octets: string,
    taken = '\r\n\r\n',
  ): Promise<{ client: Wire; origin: Wire; received: string }> {
    const client = await this.client()
    client.send(octets)
    const origin = await this.origin()
    const received = await origin.until(taken)
    return { client, origin, received }
  }

  /** The same, with an upstream connection that has carried an exchange before. */
  async exchangeReused(
    octets: string,
    taken = '\r\n\r\n',
  ): Promise<{ client: Wire; origin: Wire; received: string }> {
    const { client, origin } = await this.exchange(GET)
    origin.send(ok())
    await client.message()
    client.send(octets)
    const received = await origin.until(taken)
    return { client, origin, received }
  }

  /** The failures counted since the test began, once there is one: code → how often. */
  async failures(ms = 5000): Promise<Readonly<Record<string, number>>> {
    const end = performance.now() + ms
    for (;;) {
      const now = Object.entries((await this.signet.status()).requests.failures)
      const since = now.map(([code, count]) => [code, count - (this.#failuresBefore[code] ?? 0)] as const)
      const found = since.filter(([, count]) => count > 0)
      if (found.length > 0 || performance.now() > end) return Object.fromEntries(found)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Closes both ends of everything and waits until signet has nothing left, and answers as ever. */
  async settle(): Promise<void> {
    for (const wire of this.#clients.splice(0)) wire.destroy()
    for (const wire of this.#origins.splice(0)) wire.destroy()
    this.#accepted = []
    await settled(this.signet)
    this.#failuresBefore = (await this.signet.status()).requests.failures
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const wire of [...this.#clients, ...this.#origins]) wire.destroy()
    this.#server.close()
    await this.signet.stop()
  }
}

/** A request without a body. */
export const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'

/** A request with a body. */
export function post(body: string, fields = ''): string {
  return `POST /x HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`
}

/** A request whose body is chunked, up to and without its last chunk. */
export function chunkedPost(...chunks: string[]): string {
  const head = 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
  return head + chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')
}

/** A request for another protocol. */
export const UPGRADE = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'

/** The answer to it. */
export const SWITCHING =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'

/** The status of a response head. */
export function statusOf(head: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1])
}

/** The failure code in a refusal of signet's, with its status: `502 ERR_UPSTREAM_CLOSED`. */
export async function refusalOf(client: Wire): Promise<string> {
  const { head, body } = await client.message()
  const code = /"code": ?"(ERR_\w+)"/.exec(body.toString('latin1'))?.[1]
  return `${statusOf(head)} ${code}`
}

/**
 * Runs tests on several stands at once, since nearly all their time is waiting; each is reported in its own place.
 * A test begins and ends with nothing open on its stand.
 */
export class Lanes {
  readonly #test: ReturnType<typeof suite>
  readonly #jobs: { readonly run: (stand: TimeStand) => Promise<void> }[] = []

  /**
   * @param count how many stands
   * @param env settings of all of them
   */
  constructor(test: ReturnType<typeof suite>, count: number, env: Record<string, string> = {}) {
    this.#test = test
    let lanes: Promise<void>[] = []
    test.before(() => {
      lanes = Array.from({ length: count }, () => this.#runLane(env))
      for (const lane of lanes) lane.catch(() => undefined) // told below, or by the tests that wait in vain
    })
    test.after(async () => {
      await Promise.all(lanes)
    })
  }

  /** Adds a test. */
  add(name: string, body: (stand: TimeStand) => Promise<void>): void {
    let done: (outcome: Promise<void>) => void
    const outcome = new Promise<void>((resolve) => {
      done = resolve
    })
    outcome.catch(() => undefined) // it may fail before its turn to be reported
    this.#jobs.push({
      run: async (stand) => {
        const ran = runSettled(stand, body)
        done(ran)
        await ran.catch(() => undefined)
      },
    })
    this.#test(name, () => within(outcome, `a stand for ${name}`, 120_000))
  }

  async #runLane(env: Record<string, string>): Promise<void> {
    const stand = await TimeStand.start(env)
    try {
      for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) await job.run(stand)
    } finally {
      await stand.close()
    }
  }
}

async function runSettled(stand: TimeStand, body: (stand: TimeStand) => Promise<void>): Promise<void> {
  try {
    await body(stand)
  } catch (error) {
    await stand.settle().catch(() => undefined) // the first fault is the one to tell
    throw error
  }
  await stand.settle()
  assert.ok(stand.signet.alive(), 'signet lives')
}
