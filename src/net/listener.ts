// Accepts client connections, within their number, and lets them end in order. In: address and port. Out: Downstreams.

import { type AddressInfo, createServer, type OnReadOpts, type Server, Socket } from 'node:net'
import { Downstream, type DownstreamContext } from './downstream.ts'
import { Inlet, type InletSink, type ReadPath } from './inlet.ts'
import { HIGH_WATER_MARK } from './outlet.ts'

/** What a listener needs from the proxy it belongs to. */
export interface ListenerContext {
  readonly downstream: Omit<DownstreamContext, 'onClosed'>
  readonly readPath: ReadPath
  readonly maxConnections: number
  readonly onOpened: () => void
  readonly onClosed: () => void
  /** A connection over the limit was closed unanswered. */
  readonly onDropped: () => void
  readonly onError: (error: Error) => void
}

/** Accepts on one address. */
export class Listener {
  readonly #context: ListenerContext
  readonly #server: Server
  readonly #connections = new Set<Downstream>()
  readonly #downstreamContext: DownstreamContext
  #onEmpty: (() => void) | undefined = undefined

  constructor(context: ListenerContext) {
    this.#context = context
    this.#downstreamContext = { ...context.downstream, onClosed: (connection) => this.#onClosed(connection) }
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true, pauseOnConnect: context.readPath === 'shared' },
      (socket) => this.#accept(socket),
    )
    this.#server.maxConnections = context.maxConnections
    this.#server.on('drop', () => context.onDropped())
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size
  }

  /**
   * Begins to accept.
   *
   * @returns the address, with the port that was chosen when 0 was asked for
   * @throws what `net.Server` reports, such as EADDRINUSE
   */
  listen(port: number, host: string): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.#context.onError(error))
        resolve(this.#server.address() as AddressInfo)
      })
    })
  }

  /** Stops accepting, and tells every connection to end as soon as its exchange is over. Resolves when all are gone. */
  drain(): Promise<void> {
    this.#server.close()
    for (const connection of this.#connections) connection.drain()
    if (this.#connections.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onEmpty = resolve
    })
  }

  /** Ends whatever is left. */
  destroy(): void {
    this.#server.close()
    for (const connection of this.#connections) connection.destroy()
  }

  #accept(accepted: Socket): void {
    try {
      this.#onAccepted(accepted)
    } catch (thrown) {
      accepted.destroy()
      this.#context.downstream.onFault(thrown)
    }
  }

  #onAccepted(accepted: Socket): void {
    const { downstream, readPath } = this.#context
    const connection = new Downstream((sink: InletSink) => {
      const inlet = new Inlet(downstream.buffers, sink)
      const socket = readPath === 'shared' ? takeOver(accepted, inlet.onread) : accepted
      inlet.attach(socket, readPath)
      return { socket, inlet }
    }, this.#downstreamContext)
    this.#connections.add(connection)
    this.#context.onOpened()
  }

  #onClosed(connection: Downstream): void {
    this.#connections.delete(connection)
    this.#context.onClosed()
    if (this.#connections.size === 0) this.#onEmpty?.()
  }
}

/** What `net.Socket` keeps to itself and taking over needs. Checked at start-up by {@link canTakeOver}. */
interface Internals {
  _handle: unknown
  _server: Server | null
  server: Server | null
}

/**
 * Makes a socket that reads into the shared buffer from an accepted one, which cannot be told to. The accepted one is
 * left without a handle, and the server counts the new one in its place.
 */
function takeOver(accepted: Socket, onread: OnReadOpts): Socket {
  const from = accepted as unknown as Internals
  const options = {
    handle: from._handle,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    writableHighWaterMark: HIGH_WATER_MARK,
    onread,
  }
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0])
  const to = socket as unknown as Internals
  to._server = from._server
  to.server = from.server
  from._handle = null
  from._server = null
  return socket
}

/**
 * Whether this Node lets an accepted socket be taken over, tried for real: a server counts its connection, the octets
 * arrive in the buffer given, and closing brings the count back to 0.
 */
export async function canTakeOver(): Promise<boolean> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  const octets = Buffer.alloc(16)
  const client = new Socket()
  let taken: Socket | undefined
  try {
    return await new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), 2000).unref()
      server.on('error', () => resolve(false))
      client.on('error', () => resolve(false))
      server.on('connection', (accepted) => {
        taken = takeOver(accepted, { buffer: octets, callback: onRead })
        taken.on('error', () => resolve(false))
      })
      function onRead(length: number): boolean {
        const arrived = length === 5 && octets.toString('latin1', 0, 5) === 'hello'
        taken?.once('close', () => {
          server.getConnections((error, count) => resolve(arrived && error === null && count === 0))
        })
        taken?.destroy()
        return true
      }
      server.listen(0, '127.0.0.1', () => client.connect((server.address() as AddressInfo).port, '127.0.0.1'))
      client.on('connect', () => client.write('hello'))
    })
  } catch {
    return false
  } finally {
    client.destroy()
    taken?.destroy()
    server.close()
  }
}
