// Accepts client connections, within their number, and lets them end in order. In: address and port. Out: Downstreams.

import { strict as assert } from 'node:assert'
import { type AddressInfo, createServer, type OnReadOpts, type Server, Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import type { Certificate, GatewayConfig } from '../http/gateway.ts'
import { AddressList } from './address-list.ts'
import { Arrival, type Opened } from './arrival.ts'
import { Downstream, type DownstreamContext } from './downstream.ts'
import { Inlet, type InletSink, type ReadPath } from './inlet.ts'
import { createServerContext, ServerTlsSocket } from './listener-tls.ts'
import { HIGH_WATER_MARK } from './outlet.ts'

/** What a listener needs from the proxy it belongs to. */
export interface ListenerContext {
  readonly downstream: Omit<DownstreamContext, 'onClosed' | 'forms' | 'trusts'>
  /** whether clients may have it as their forward proxy */
  readonly takesConnect: boolean
  readonly readPath: ReadPath
  readonly maxConnections: number
  /** how many count against that; those of this listener unless set */
  readonly connections?: (() => number) | undefined
  readonly onOpened: () => void
  readonly onClosed: () => void
  /** A connection over the limit was closed unanswered. */
  readonly onDropped: () => void
  readonly onError: (error: Error) => void
  /** what connections are received with at first; see {@link Listener.update} */
  readonly reception?: ReceptionConfig
  /** A connection that should have begun with a PROXY header was closed unanswered. */
  readonly onHeaderRefused?: (why: string) => void
  /** A TLS connection broke, within its handshake or later. */
  readonly onTlsError?: (error: Error) => void
}

/** How connections are received, as the configuration says it. */
export type ReceptionConfig = Pick<GatewayConfig, 'tls' | 'proxyProtocol' | 'trustedProxies'>

/** The same, ready to be used. Replaced as a whole: a connection stays with what it was received with. */
interface Reception {
  /** TLS, unless it is plain TCP */
  readonly secureContext: SecureContext | undefined
  /** peers whose connections are headed by a PROXY header */
  readonly headed: AddressList | undefined
  readonly downstream: DownstreamContext
}

/** Accepts on one address. */
export class Listener {
  readonly #context: ListenerContext
  readonly #server: Server
  readonly #connections = new Set<Downstream | Arrival>()
  #certificate: Certificate | undefined = undefined
  #secureContext: SecureContext | undefined = undefined
  #reception: Reception
  #onEmpty: (() => void) | undefined = undefined

  /** @throws as {@link update} does */
  constructor(context: ListenerContext) {
    this.#context = context
    this.#reception = this.#receptionOf(context.reception ?? {})
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept({ address: socket.remoteAddress, open: () => socket, refuse: () => socket.destroy() }),
    )
  }

  /**
   * Receives the connections that come from now on in another way: with another certificate, with TLS or without, with PROXY
   * headers or forwarding fields from other peers. Those that are open stay as they are. What is left out is turned off.
   *
   * @throws {ConfigError} for a certificate or a key that cannot be used; a RangeError for a bad CIDR block. Then nothing has
   *   changed.
   */
  update(config: ReceptionConfig): void {
    this.#reception = this.#receptionOf(config)
  }

  #receptionOf({ tls, proxyProtocol, trustedProxies }: ReceptionConfig): Reception {
    const trusted = trustedProxies === undefined ? undefined : new AddressList(trustedProxies)
    return {
      secureContext: this.#secureContextFor(tls),
      headed: proxyProtocol === undefined ? undefined : new AddressList(proxyProtocol),
      downstream: {
        ...this.#context.downstream,
        forms: { scheme: tls === undefined ? 'http' : 'https', takesConnect: this.#context.takesConnect },
        trusts: trusted === undefined ? undefined : (address) => trusted.includes(address),
        onClosed: this.#onClosed,
      },
    }
  }

  /** The same as before where the certificate is: sessions are resumed by it. */
  #secureContextFor(tls: Certificate | undefined): SecureContext | undefined {
    if (!isDeepStrictEqual(tls, this.#certificate)) {
      this.#secureContext = tls === undefined ? undefined : createServerContext(tls)
      this.#certificate = tls
    }
    return this.#secureContext
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

  #accept(accepted: Accepted): void {
    const { maxConnections, connections = () => this.connections, downstream } = this.#context
    const reception = this.#reception
    const { address } = accepted
    let connection: Downstream | Arrival | undefined
    try {
      // Not by server.maxConnections: worker processes of a cluster would pass a connection that none of them may have
      // back and forth, as fast as they can, for as long as they are full.
      if (connections() >= maxConnections) {
        accepted.refuse()
        this.#context.onDropped()
        return
      }
      if (address === undefined) {
        accepted.refuse() // gone before it was accepted: what it sent could be told of nobody
        return
      }
      if (reception.headed?.includes(address)) connection = this.#awaitHeader(address, accepted, reception)
      else {
        const open = (sink: InletSink) =>
          reception.secureContext === undefined
            ? this.#openPlain(accepted, sink)
            : this.#openSecure(accepted.open(), reception.secureContext, sink)
        connection = new Downstream(address, open, reception.downstream)
      }
      this.#connections.add(connection)
      downstream.turn.prolong()
      this.#context.onOpened()
    } catch (thrown) {
      if (connection === undefined) accepted.refuse()
      else connection.giveUp()
      downstream.onFault(thrown)
    }
  }

  #openPlain(accepted: Accepted, sink: InletSink): Opened {
    const { downstream, readPath } = this.#context
    const inlet = new Inlet(downstream.buffers, sink)
    const socket = accepted.open(inlet.onread)
    inlet.attach(socket, readPath)
    return { socket, inlet }
  }

  #openSecure(accepted: Socket, secureContext: SecureContext, sink: InletSink): Opened {
    const { downstream, onTlsError } = this.#context
    const inlet = new Inlet(downstream.buffers, sink)
    const socket = new ServerTlsSocket(accepted, secureContext)
    if (onTlsError !== undefined) socket.on('error', onTlsError)
    inlet.attach(socket, 'events') // what is decrypted lies in buffers of Node's own
    return { socket, inlet }
  }

  /** A PROXY header comes first, before TLS and before HTTP. */
  #awaitHeader(peer: string, accepted: Accepted, reception: Reception): Arrival {
    const { secureContext } = reception
    const { buffers, deadlines, limits, onFault } = this.#context.downstream
    const open = (sink: InletSink) => {
      if (secureContext === undefined) return this.#openPlain(accepted, sink)
      const inlet = new Inlet(buffers, sink)
      const socket = accepted.open()
      inlet.attach(socket, 'events') // what is read too far must be a buffer of its own, to be given back
      return { socket, inlet }
    }
    return new Arrival(open, limits.headTimeout, {
      deadlines,
      onFault,
      onHeader: (arrival, opened, address = peer, rest) =>
        this.#onHeader(arrival, opened, address, rest, reception),
      onRefused: (why) => this.#context.onHeaderRefused?.(`${why}, from ${peer}`),
      onClosed: this.#onClosed,
    })
  }

  #onHeader(arrival: Arrival, opened: Opened, address: string, rest: Buffer, reception: Reception): void {
    const { secureContext } = reception
    const { socket } = opened
    const open = (sink: InletSink) => {
      if (secureContext === undefined) {
        opened.inlet.handTo(sink)
        return opened
      }
      socket.removeAllListeners('data').pause()
      if (rest.length > 0) socket.unshift(rest)
      return this.#openSecure(socket, secureContext, sink)
    }
    const connection = new Downstream(address, open, reception.downstream)
    connection.deadline = arrival.deadline // one for all of the first head
    this.#connections.delete(arrival)
    this.#connections.add(connection)
    if (secureContext === undefined && rest.length > 0) connection.onPiece(rest, rest.length)
  }

  readonly #onClosed = (connection: Downstream | Arrival): void => {
    this.#connections.delete(connection)
    this.#context.onClosed()
    if (this.#connections.size === 0) this.#onEmpty?.()
  }
}

/** A connection that was accepted, and has no Downstream yet. */
interface Accepted {
  /** the client's, as text; undefined when it is gone already */
  readonly address: string | undefined
  /** Makes its socket, read with `onread` where that can be, and by events without. */
  open(onread?: OnReadOpts): Socket
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
        // What a socket sets in its copy of these. Were it added there, each copy would have a shape of its own in Node 20,
        // and every option would be looked up anew: 20 µs a connection (bench/versus, workload f).
        emitClose: false,
        autoDestroy: true,
        decodeStrings: false,
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
