// Accepts client connections, within their number, and lets them end in order. In: address and port. Out: Downstreams.

import { strict as assert } from 'node:assert'
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
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept({ address: socket.remoteAddress, open: () => socket, refuse: () => socket.destroy() }),
    )
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
        if (this.#context.readPath === 'shared') acceptHandles(this.#server, (one) => this.#accept(one))
        resolve(this.#server.address() as AddressInfo)
      })
    })
  }

  /** Stops accepting, and leaves it to the connections when they end. Resolves when all are gone. */
  retire(): Promise<void> {
    this.#server.close()
    return this.#emptied()
  }

  /** Stops accepting, and tells every connection to end as soon as its exchange is over. Resolves when all are gone. */
  drain(): Promise<void> {
    this.#server.close()
    for (const connection of this.#connections) connection.drain()
    return this.#emptied()
  }

  #emptied(): Promise<void> {
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

  #accept(accepted: Accepted): void {
    const { downstream, readPath, maxConnections } = this.#context
    const { address } = accepted
    let connection: Downstream | undefined
    try {
      // Not by server.maxConnections: worker processes of a cluster would pass a connection that none of them may have
      // back and forth, as fast as they can, for as long as they are full.
      if (this.#connections.size >= maxConnections) {
        accepted.refuse()
        this.#context.onDropped()
        return
      }
      if (address === undefined) {
        accepted.refuse() // gone before it was accepted: what it sent could be told of nobody
        return
      }
      const open = (sink: InletSink) => {
        const inlet = new Inlet(downstream.buffers, sink)
        const socket = accepted.open(inlet.onread)
        inlet.attach(socket, readPath)
        return { socket, inlet }
      }
      connection = new Downstream(address, open, this.#downstreamContext)
      this.#connections.add(connection)
      this.#context.onOpened()
    } catch (thrown) {
      if (connection === undefined) accepted.refuse()
      else connection.giveUp()
      downstream.onFault(thrown)
    }
  }

  #onClosed(connection: Downstream): void {
    this.#connections.delete(connection)
    this.#context.onClosed()
    if (this.#connections.size === 0) this.#onEmpty?.()
  }
}

/** A connection that was accepted, and has no Downstream yet. */
interface Accepted {
  /** the client's, as text; undefined when it is gone already */
  readonly address: string | undefined
  /** Makes its socket, read with `onread` where that can be. */
  open(onread: OnReadOpts): Socket
  /** Closes it. */
  refuse(): void
}

/** What `net.Server` and `net.Socket` keep to themselves of a connection. Checked at start-up by {@link canReadShared}. */
interface Handle {
  setNoDelay(on: boolean): number
  getpeername(into: { address?: string }): number
  close(): void
}

/** The same of a server. */
interface ServerInternals {
  readonly _handle: { onconnection: (error: number, handle: Handle | undefined) => void } | null
}

/**
 * Takes connections from `server` before it makes sockets of them, which cannot be told to read into the shared buffer.
 * The server neither counts them nor knows of them: whoever takes them closes them.
 */
function acceptHandles(server: Server, onAccepted: (accepted: Accepted) => void): void {
  const { _handle: listening } = server as unknown as ServerInternals
  assert(listening !== null, 'the server listens')
  const { onconnection } = listening
  listening.onconnection = (error, handle) => {
    if (handle === undefined) onconnection.call(listening, error, handle)
    else onAccepted(acceptedBy(handle))
  }
}

function acceptedBy(handle: Handle): Accepted {
  const peer: { address?: string } = {}
  handle.getpeername(peer)
  return {
    address: peer.address,
    open(onread) {
      handle.setNoDelay(true)
      const options = {
        handle,
        allowHalfOpen: true,
        readable: true,
        writable: true,
        writableHighWaterMark: HIGH_WATER_MARK,
        onread,
      }
      return new Socket(options as ConstructorParameters<typeof Socket>[0])
    },
    refuse: () => handle.close(),
  }
}

/**
 * Whether this Node lets accepted connections be read into one buffer, tried for real: one is taken from a server, its
 * octets arrive in the buffer given, and its client sees it close.
 */
export async function canReadShared(): Promise<boolean> {
  const server = createServer({ allowHalfOpen: true })
  const octets = Buffer.alloc(16)
  const client = new Socket()
  let taken: Socket | undefined
  try {
    return await new Promise<boolean>((resolve, reject) => {
      setTimeout(() => resolve(false), 2000).unref()
      server.on('error', reject)
      client.on('error', reject)
      let arrived = false
      function onRead(length: number): boolean {
        arrived = length === 5 && octets.toString('latin1', 0, 5) === 'hello'
        taken?.destroy()
        return true
      }
      // Exclusive: this process's own, though it may be one of several workers.
      server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
        acceptHandles(server, ({ address, open }) => {
          if (address === '127.0.0.1') taken = open({ buffer: octets, callback: onRead })
          taken?.on('error', reject)
        })
        client.connect((server.address() as AddressInfo).port, '127.0.0.1')
      })
      client.on('connect', () => client.write('hello'))
      client.on('close', () => resolve(arrived))
      client.resume()
    })
  } catch {
    return false
  } finally {
    client.destroy()
    taken?.destroy()
    server.close()
  }
}
