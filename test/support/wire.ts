// Raw octets over real sockets, for both ends of a black-box test. Every wait has a deadline and fails with what came.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** ms that anything here waits before it fails. */
export const PATIENCE = 5000

/** Rejects when `promise` has not settled in time; `what` says what was waited for. */
export async function within<T>(
  promise: Promise<T>,
  what: string | (() => string),
  ms = PATIENCE,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${ms} ms for ${typeof what === 'string' ? what : what()}`)),
      ms,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Waits until `condition` holds, looking every few ms. */
export async function eventually(condition: () => boolean, what: string, ms = PATIENCE): Promise<void> {
  const end = performance.now() + ms
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** How a peer ended the connection. */
export type Ending = 'fin' | 'reset'

/** A whole message as it was on the wire. */
export interface WireMessage {
  /** start line and fields, with the empty line */
  readonly head: string
  /** the body as it was framed, chunk sizes and all */
  readonly body: Buffer
}

/** One raw connection: send octets, take octets. Its socket never emits an unhandled error. */
export class Wire {
  readonly socket: Socket
  #octets = Buffer.alloc(0)
  #ending: Ending | undefined = undefined
  #waiting: (() => void)[] = []
  #sink: ((piece: Buffer) => void) | undefined = undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (piece) => {
      if (this.#sink !== undefined) this.#sink(piece)
      else this.#octets = Buffer.concat([this.#octets, piece])
      this.#wake()
    })
    socket.on('end', () => {
      // Node 20 reports a RST right behind octets as the end; but then the kernel no longer knows the peer.
      this.#ending ??= socket.remoteAddress === undefined && !socket.writableEnded ? 'reset' : 'fin'
      this.#wake()
    })
    socket.on('error', () => {
      this.#ending = 'reset'
      this.#wake()
    })
    socket.on('close', () => {
      this.#ending ??= 'fin'
      this.#wake()
    })
  }

  /** Connects to a port on loopback. */
  static async connect(port: number): Promise<Wire> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const wire = new Wire(socket)
    await within(new Promise((resolve) => socket.once('connect', resolve)), `a connection to port ${port}`)
    return wire
  }

  /** Octets that have come and were not taken. */
  get pending(): Buffer {
    return this.#octets
  }

  /** How the peer ended the connection, if it has. */
  get ending(): Ending | undefined {
    return this.#ending
  }

  /** From here on octets go to `sink` as they come, and are not kept; what was not taken goes first. */
  divert(sink: (piece: Buffer) => void): void {
    this.#sink = sink
    if (this.#octets.length > 0) sink(this.#cut(this.#octets.length))
  }

  /** Octets are kept again, behind `octets`, which nobody took. */
  keep(octets: Buffer): void {
    this.#sink = undefined
    this.#octets = Buffer.concat([this.#octets, octets])
  }

  /** Resolves once `condition` holds, looked at whenever something comes; fails when the connection ends before. */
  when(condition: () => boolean, what: string | (() => string), ms = PATIENCE): Promise<void> {
    return this.#until(condition, what, ms)
  }

  /** Sends octets; text is latin1. */
  send(octets: string | Buffer): this {
    this.socket.write(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets)
    return this
  }

  /** Sends octets in pieces, each in a packet of its own. */
  async sendSplit(octets: string | Buffer, ...cuts: number[]): Promise<void> {
    const whole = typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets
    let from = 0
    for (const cut of [...cuts, whole.length]) {
      if (cut > from) await new Promise((resolve) => this.socket.write(whole.subarray(from, cut), resolve))
      await new Promise((resolve) => setImmediate(resolve))
      from = cut
    }
  }

  /** Closes the sending side. */
  end(): this {
    this.socket.end()
    return this
  }

  /** Ends with RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Ends at once. */
  destroy(): void {
    this.socket.destroy()
  }

  /** Takes exactly `count` octets. */
  async take(count: number, ms = PATIENCE): Promise<Buffer> {
    await this.#until(() => this.#octets.length >= count, `${count} octets`, ms)
    return this.#cut(count)
  }

  /** Takes everything up to and with `marker`. */
  async until(marker: string, ms = PATIENCE): Promise<string> {
    await this.#until(() => this.#octets.includes(marker, 0, 'latin1'), JSON.stringify(marker), ms)
    return this.#cut(this.#octets.indexOf(marker, 0, 'latin1') + marker.length).toString('latin1')
  }

  /** Takes a head: everything up to and with the empty line. */
  head(ms = PATIENCE): Promise<string> {
    return this.until('\r\n\r\n', ms)
  }

  /** Takes a message whose body is framed by Content-Length or chunked, or that has none. */
  async message(ms = PATIENCE): Promise<WireMessage> {
    const head = await this.head(ms)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length !== undefined) return { head, body: await this.take(Number(length), ms) }
    if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return { head, body: Buffer.alloc(0) }
    const parts: Buffer[] = []
    for (;;) {
      const line = await this.until('\r\n', ms)
      parts.push(Buffer.from(line, 'latin1'))
      const size = Number.parseInt(line, 16)
      if (size > 0) {
        parts.push(await this.take(size + 2, ms))
        continue
      }
      for (;;) {
        const trailer = await this.until('\r\n', ms)
        parts.push(Buffer.from(trailer, 'latin1'))
        if (trailer === '\r\n') return { head, body: Buffer.concat(parts) }
      }
    }
  }

  /** Waits until the peer has ended the connection; returns everything not taken before. */
  async rest(ms = PATIENCE): Promise<{ octets: string; ending: Ending }> {
    await this.#until(() => this.#ending !== undefined, 'the end of the connection', ms)
    const octets = this.#cut(this.#octets.length).toString('latin1')
    return { octets, ending: this.#ending ?? 'fin' }
  }

  /** Resolves when nothing has come for `ms`; fails when something does. */
  async silent(ms: number): Promise<void> {
    const before = this.#octets.length
    await new Promise((resolve) => setTimeout(resolve, ms))
    if (this.#octets.length !== before) throw new Error(`expected silence, got ${this.#show()}`)
  }

  #cut(count: number): Buffer {
    const taken = this.#octets.subarray(0, count)
    this.#octets = this.#octets.subarray(count)
    return taken
  }

  async #until(condition: () => boolean, what: string | (() => string), ms: number): Promise<void> {
    const wanted = () => `${typeof what === 'string' ? what : what()}; got ${this.#show()}`
    const promise = (async () => {
      while (!condition()) {
        if (this.#ending !== undefined) throw new Error(`${this.#ending} before ${wanted()}`)
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
    })()
    await within(promise, wanted, ms)
  }

  #show(): string {
    return JSON.stringify(this.#octets.subarray(0, 600).toString('latin1'))
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** A raw upstream: a test accepts its connections one by one and plays the server by hand. */
export class RawUpstream {
  readonly #server: Server
  readonly #event: string
  readonly #accepted: Wire[] = []
  readonly #waiting: ((wire: Wire) => void)[] = []
  /** every connection ever accepted */
  readonly wires: Wire[] = []

  private constructor(server: Server, event: string) {
    this.#server = server
    this.#event = event
    server.on(event, (socket: Socket) => {
      socket.setNoDelay(true)
      const wire = new Wire(socket)
      this.wires.push(wire)
      const waiting = this.#waiting.shift()
      if (waiting === undefined) this.#accepted.push(wire)
      else waiting(wire)
    })
  }

  /** Listens on loopback: on a free port, unless one is given. */
  static async listen(host = '127.0.0.1', port = 0): Promise<RawUpstream> {
    const server = createServer({ allowHalfOpen: true })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
    return new RawUpstream(server, 'connection')
  }

  /**
   * Lets `server` listen on a free port of loopback, or at the path of a Unix socket.
   *
   * @param event with which it hands over connections: those of TLS come with `secureConnection`
   */
  static async from(server: Server, event: string, path?: string): Promise<RawUpstream> {
    const place = path === undefined ? { port: 0, host: '127.0.0.1' } : { path }
    await new Promise<void>((resolve) => server.listen(place, resolve))
    return new RawUpstream(server, event)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The next connection, in the order they came. */
  accept(ms = PATIENCE): Promise<Wire> {
    const accepted = this.#accepted.shift()
    if (accepted !== undefined) return Promise.resolve(accepted)
    return within(
      new Promise<Wire>((resolve) => this.#waiting.push(resolve)),
      'a connection to the upstream',
      ms,
    )
  }

  /** Answers every request on every connection with what `answer` makes of it, until the test ends. */
  serve(answer: (message: WireMessage, wire: Wire) => string | Buffer | undefined): void {
    const loop = async (wire: Wire) => {
      try {
        for (;;) {
          const message = await wire.message(60_000)
          const reply = answer(message, wire)
          if (reply !== undefined) wire.send(reply)
        }
      } catch {
        wire.destroy() // the connection ended
      }
    }
    for (const wire of this.#accepted.splice(0)) void loop(wire)
    this.#server.on(this.#event, () => {
      const wire = this.#accepted.shift()
      if (wire !== undefined) void loop(wire)
    })
  }

  /** Lets `play` have every connection that comes and that nobody has accepted; it may fail when that ends. */
  onConnection(play: (wire: Wire) => Promise<void>): void {
    const begin = (wire: Wire) => void play(wire).catch(() => wire.destroy())
    for (const wire of this.#accepted.splice(0)) begin(wire)
    this.#server.on(this.#event, () => {
      const wire = this.#accepted.shift()
      if (wire !== undefined) begin(wire)
    })
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const wire of this.wires) wire.destroy()
    await within(new Promise<void>((resolve) => this.#server.close(() => resolve())), 'the upstream to close')
  }
}

/** A response with a body of known length, as an upstream would write it. */
export function ok(body = 'ok', fields = ''): string {
  return `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`
}
