// The exact moment of reuse: an upstream closes an idle connection just as the next request is sent on it. Whoever comes
// first, a request that may be repeated gets its answer, and one that may not is never seen twice.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type SignetProcess, settled, startSignet } from '../soak/process.ts'
import { ok, Wire, within } from '../support/wire.ts'
import { statusOf } from './time-stand.ts'

const test = suite('conformance/time-races')

/** An upstream that answers everything, counts what it saw, and closes on command. */
class CountingUpstream {
  readonly #server: Server
  /** request-target → how often its whole request was seen */
  readonly seen = new Map<string, number>()
  /** the socket that carried the last answer */
  last: Socket | undefined = undefined
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      const wire = new Wire(socket)
      void this.#serve(wire)
    })
  }

  static async listen(): Promise<CountingUpstream> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new CountingUpstream(server)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async #serve(wire: Wire): Promise<void> {
    try {
      for (;;) {
        const { head } = await wire.message(60_000)
        const target = head.split(' ')[1] as string
        this.seen.set(target, (this.seen.get(target) ?? 0) + 1)
        this.last = wire.socket
        wire.send(ok(target))
      }
    } catch {
      wire.end() // signet closed it, or the test did
    }
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** How the upstream closes: FIN on both sides, FIN on its own side alone, RST. */
const CLOSINGS = [
  ['close', (socket: Socket) => void socket.destroy()],
  ['half-close', (socket: Socket) => void socket.end()],
  ['RST', (socket: Socket) => void socket.resetAndDestroy()],
] as const

/** How long after the one thing the other is done, in µs; below 0 the close comes first. */
const OFFSETS = [-2000, -1000, -500, -300, -200, -100, -50, -20, 0, 20, 50, 100, 200, 300, 500, 1000]

/** What is sent, and whether signet may send it again. */
const REQUESTS = [
  ['GET', (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, true],
  ['POST', (target: string) => `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`, false],
  [
    'POST without a body',
    (target: string) => `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`,
    false,
  ],
] as const

/** Times each combination is tried: 3 × 16 × 3 × 3 = 432 races. */
const ROUNDS = 3

let upstream: CountingUpstream
let signet: SignetProcess

test.before(async () => {
  upstream = await CountingUpstream.listen()
  signet = await startSignet({ env: { SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}` } })
})

test.after(async () => {
  upstream.close()
  await signet.stop()
})

/** Does one thing and then the other, `offset` µs apart; the process is kept busy meanwhile, for precision. */
function race(first: () => void, second: () => void, offset: number): void {
  first()
  const end = process.hrtime.bigint() + BigInt(offset * 1000)
  while (process.hrtime.bigint() < end);
  second()
}

let targets = 0

for (const [closing, close] of CLOSINGS) {
  for (const [method, write, mayRepeat] of REQUESTS) {
    const promise = mayRepeat ? 'always gets its answer' : 'is seen once at most, and answered or refused'
    test(`${method} ${promise} when its connection ends by ${closing} at the moment of reuse`, async () => {
      let refused = 0
      for (let round = 0; round < ROUNDS; round++) {
        for (const offset of OFFSETS) {
          const warm = `/warm-${++targets}`
          const target = `/race-${targets}`
          const client = await Wire.connect(signet.port)
          client.send(`GET ${warm} HTTP/1.1\r\nHost: a\r\n\r\n`)
          assert.is((await client.message()).body.toString(), warm)
          const socket = upstream.last as Socket
          const send = () => void client.send(write(target))
          if (offset < 0) race(() => close(socket), send, -offset)
          else race(send, () => close(socket), offset)
          const { head, body } = await client.message()
          const seen = upstream.seen.get(target) ?? 0
          client.destroy()
          if (statusOf(head) === 200) {
            assert.is(body.toString(), target)
            assert.ok(mayRepeat ? seen >= 1 : seen === 1, `${target} was seen ${seen} times`)
          } else {
            assert.not(mayRepeat, `${target} was refused: ${head}${body.toString()}`)
            assert.match(body.toString(), /"ERR_UPSTREAM_CLOSED"/)
            assert.ok(seen <= 1, `${target} was seen ${seen} times`)
            refused++
          }
        }
      }
      if (process.env.VERBOSE)
        console.log(`${method} ${closing}: refused ${refused} of ${ROUNDS * OFFSETS.length}`)
    })
  }
}

test('the races were real: some requests were sent again', async () => {
  const { requests } = await signet.status()
  if (process.env.VERBOSE) console.log({ retried: requests.retried, failures: requests.failures })
  assert.ok(requests.retried > 0)
})

test('30 clients at once, connections closed under them at random: GET loses nothing, POST is never doubled', async () => {
  const chaos = setInterval(() => upstream.last?.destroy(), 1)
  let refused = 0
  const one = async (name: string) => {
    const client = await Wire.connect(signet.port)
    for (let request = 0; request < 30; request++) {
      const target = `/${name}-${request}`
      const posts = request % 2 === 1
      client.send(REQUESTS[posts ? 1 : 0][1](target))
      const { head, body } = await client.message(20_000)
      const seen = upstream.seen.get(target) ?? 0
      if (statusOf(head) === 200) assert.is(body.toString(), target)
      else refused++
      if (posts) assert.ok(seen <= 1, `${target} was seen ${seen} times`)
      // A GET may be unlucky twice: the new connection it was sent on is as young as the others that are closed.
      else assert.ok(statusOf(head) === 200 || seen <= 2, `${target}: ${head}`)
      if (/\r\nconnection: close/i.test(head)) return
    }
    client.destroy()
  }
  try {
    await within(
      Promise.all(Array.from({ length: 30 }, (_, at) => one(`client${at}`))),
      'all clients',
      30_000,
    )
  } finally {
    clearInterval(chaos)
  }
  if (process.env.VERBOSE) console.log(`chaos: refused ${refused} of 900`)
})

test('after the races signet has nothing open', async () => {
  upstream.close()
  await settled(signet)
  assert.ok(signet.alive())
})

test.run()
