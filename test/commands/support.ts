// What the tests of the commands share: deadlines, a raw client, keys and tokens, an echo on a free port.

import { once } from 'node:events'
import { connect, type Server, type AddressInfo, type Socket } from 'node:net'
import { createEcho, type Echo } from '../../src/commands/echo.ts'
import { DEMO_SECRET, readHmacKey } from '../../src/jwt/keys.ts'
import { verifyToken } from '../../src/jwt/verify.ts'
import { SignJWT, UnsecuredJWT } from 'jose'

/** The key signet and the echo share in these tests. */
export const KEY = readHmacKey(DEMO_SECRET, 'hex')

/** Checks with {@link KEY}. */
export const verify = (jwt: string) => verifyToken(jwt, KEY)

/** A token such as signet makes, signed by jose; with another `secret`, a forged one. */
export function sign(secret: Uint8Array = KEY.secret): Promise<string> {
  const payload = { user: 'username', date: '2026-01-02' }
  return new SignJWT({ payload })
    .setProtectedHeader({ alg: 'HS512', typ: 'JWT' })
    .setIssuedAt()
    .setJti('1')
    .sign(secret)
}

/** A token nobody signed (RFC 7519 §6). */
export function unsigned(): string {
  return new UnsecuredJWT({ payload: { user: 'root' } }).encode()
}

/** `promise`, or a rejection after `milliseconds`: uvu has no deadlines. */
export async function within<T>(promise: Promise<T>, what: string, milliseconds = 5000): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${milliseconds} ms`)), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Runs `use` against an echo on a free port and closes it whatever happens. */
export async function withEcho(
  use: (port: number, echo: Echo, log: string[]) => Promise<void>,
): Promise<void> {
  const log: string[] = []
  const echo = createEcho({ verify, jwtHeader: 'x-my-jwt', log: (line) => log.push(line) })
  const { port } = await within(echo.listen(0, '127.0.0.1'), 'listen')
  try {
    await within(use(port, echo, log), 'the test', 15_000)
  } finally {
    await within(echo.close(), 'close')
  }
}

/** Listens with `server` on a free port, runs `use` and closes it with every connection. */
export async function withServer(server: Server, use: (port: number) => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await within(once(server, 'listening'), 'listen')
  try {
    await within(use((server.address() as AddressInfo).port), 'the test', 15_000)
  } finally {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await within(closed, 'close')
  }
}

/** A client that writes and reads octets. Everything read is kept in `received`. */
export class RawClient {
  readonly socket: Socket
  received: Buffer = Buffer.alloc(0)
  ended = false
  #changed = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (piece: Buffer) => {
      this.received = Buffer.concat([this.received, piece])
      this.#changed()
    })
    const end = () => {
      this.ended = true
      this.#changed()
    }
    socket.on('end', end).on('close', end).on('error', end)
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    await within(once(socket, 'connect'), 'connect')
    return new RawClient(socket)
  }

  /** Waits until `met` holds for what was received, or the server has ended. */
  async until(met: (received: Buffer) => boolean, what: string): Promise<Buffer> {
    const wait = async () => {
      while (!met(this.received) && !this.ended) {
        await new Promise<void>((resolve) => {
          this.#changed = resolve
        })
      }
      if (!met(this.received))
        throw new Error(`ended before ${what}: ${JSON.stringify(this.received.toString())}`)
      return this.received
    }
    return within(wait(), what)
  }

  /** Stops reading and writes `octets` until nothing goes in any more (or `times` times); gives how often. */
  async flood(octets: Buffer, times: number): Promise<number> {
    this.socket.pause()
    let written = 0
    let drained: unknown = true
    for (; drained && written < times; written++) {
      if (this.socket.write(octets)) continue
      const stalled = new Promise((resolve) => setTimeout(resolve, 300, false))
      drained = await Promise.race([once(this.socket, 'drain'), stalled])
    }
    return written
  }

  /** Waits until the octets received contain `text`. */
  untilText(text: string): Promise<Buffer> {
    return this.until((received) => received.includes(text), JSON.stringify(text))
  }

  /** Waits until the server has ended the connection. */
  async untilEnd(): Promise<Buffer> {
    const wait = async () => {
      while (!this.ended) {
        await new Promise<void>((resolve) => {
          this.#changed = resolve
        })
      }
      return this.received
    }
    return within(wait(), 'the end of the connection')
  }
}

/** Writes `octets` on a connection of their own and gives all that came back until the server ended. */
export async function converse(
  port: number,
  octets: string | Buffer,
): Promise<{ head: string; body: Buffer }> {
  const client = await RawClient.connect(port)
  try {
    client.socket.write(octets)
    return splitMessage(await client.untilEnd())
  } finally {
    client.socket.destroy()
  }
}

/** A whole message → its head, without the empty line, and its body out of any chunks. */
export function splitMessage(octets: Buffer): { head: string; body: Buffer } {
  const end = octets.indexOf('\r\n\r\n')
  const head = octets.subarray(0, end).toString('latin1')
  const rest = octets.subarray(end + 4)
  return { head, body: /^transfer-encoding: chunked$/im.test(head) ? dechunk(rest) : rest }
}

function dechunk(octets: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < octets.length; ) {
    const line = octets.indexOf('\r\n', at)
    const size = Number.parseInt(octets.subarray(at, line).toString('latin1'), 16)
    if (size === 0) break
    pieces.push(octets.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
  return Buffer.concat(pieces)
}

/** Collects what a command prints. */
export class Printed {
  text = ''
  #written = () => {}

  write(text: string): void {
    this.text += text
    this.#written()
  }

  /** Waits until `text` has been printed. */
  until(text: string): Promise<void> {
    const printed = new Promise<void>((resolve) => {
      this.#written = () => {
        if (this.text.includes(text)) resolve()
      }
      this.#written()
    })
    return within(printed, `${JSON.stringify(text)} printed`)
  }
}
