// The reading side of one socket. In: octets from the kernel. Out: pieces, borrowed until the sink returns.
// Two roads that behave alike: reads into the shared buffer, and 'data' events where a socket cannot do that.

import type { OnReadOpts, Socket } from 'node:net'
import type { Buffers } from './buffers.ts'

/** Takes the pieces of a socket. */
export interface InletSink {
  /** `octets[0, length)` has arrived. Borrowed: what is not forwarded or copied before it returns is lost. */
  onPiece(octets: Buffer, length: number): void
}

/** How sockets are read: `shared`, or `events` where the shared buffer cannot be used. */
export type ReadPath = 'shared' | 'events'

/** A lent region goes back when a read brings less than this: the sender no longer keeps up with it. */
const WORTH_LENDING = 64 * 1024

/** Reads one socket. Make it first, open the socket with {@link onread}, then {@link attach} it. */
export class Inlet {
  readonly #buffers: Buffers
  #sink: InletSink
  #socket: Socket | undefined = undefined
  #buffer: Buffer
  #paused = false
  /** whether a sender that is fast enough is lent a large region; not where pieces are kept, since that takes memory */
  mayBorrow = true

  constructor(buffers: Buffers, sink: InletSink) {
    this.#buffers = buffers
    this.#sink = sink
    this.#buffer = buffers.shared
  }

  /** The socket option that makes the kernel write where we say, asked anew after every read. */
  get onread(): OnReadOpts {
    return {
      buffer: () => this.#buffer,
      callback: (length, octets) => {
        this.#sink.onPiece(octets as Buffer, length)
        this.#choose(length)
        return true
      },
    }
  }

  /** The socket is there. With `events`, its pieces come as 'data' events: their buffers are Node's own. */
  attach(socket: Socket, readPath: ReadPath): void {
    this.#socket = socket
    if (readPath === 'events') socket.on('data', (piece: Buffer) => this.#sink.onPiece(piece, piece.length))
  }

  /** From here on the pieces go to `sink`. */
  handTo(sink: InletSink): void {
    this.#sink = sink
  }

  /** Stops reading: the kernel's buffer fills, and then the peer's. */
  pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#socket?.pause()
  }

  /** Goes on reading. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#socket?.resume()
  }

  /** The socket has closed: a lent region is free, as far as this side goes. */
  detach(): void {
    if (this.#buffer !== this.#buffers.shared) this.#buffers.giveBack(this.#buffer)
    this.#buffer = this.#buffers.shared
  }

  /**
   * Where the next read goes. A sender that filled the shared region whole has more where that came from, and is lent
   * a large one. One that a pending write still refers to is never read into again: it is left to that write.
   */
  #choose(length: number): void {
    const { shared } = this.#buffers
    if (this.#buffer === shared) {
      if (length === shared.length && this.mayBorrow) this.#buffer = this.#buffers.lend() ?? shared
      return
    }
    const slow = length < WORTH_LENDING || !this.mayBorrow
    if (!slow && !this.#buffers.isReferredTo(this.#buffer)) return
    this.#buffers.giveBack(this.#buffer)
    this.#buffer = slow ? shared : (this.#buffers.lend() ?? shared)
  }
}
