// A connection whose peer has yet to say, in a PROXY header, for whom it speaks. In: its first octets. Out: the client's
// address, and the connection with all that stands behind the header; or its end, without an answer.

import type { Socket } from 'node:net'
import type { OnFault, ProxyError } from '../errors.ts'
import { OctetStore } from '../http/octet-store.ts'
import { type Deadlines, NEVER, type Watched } from './deadlines.ts'
import { type Guarded, guard } from './guard.ts'
import type { Inlet, InletSink } from './inlet.ts'
import { LONGEST_HEADER, readProxyHeader } from './proxy-protocol.ts'

/** A socket and its reading side. */
export interface Opened {
  readonly socket: Socket
  readonly inlet: Inlet
}

/** What an arrival needs from its listener. */
export interface ArrivalContext {
  readonly deadlines: Deadlines
  readonly onFault: OnFault
  /**
   * The header is there, and the connection is the listener's: it has no listeners any more and is not watched.
   *
   * @param address of the client; undefined where the peer speaks for itself
   * @param rest what came behind the header. Borrowed, as a piece is.
   */
  readonly onHeader: (arrival: Arrival, opened: Opened, address: string | undefined, rest: Buffer) => void
  /** There was no header, or a wrong one: the connection is closed. */
  readonly onRefused: (why: string) => void
  /** It has closed, or {@link onHeader} threw. */
  readonly onClosed: (arrival: Arrival) => void
}

/** A connection that begins with a PROXY header. */
export class Arrival implements InletSink, Watched, Guarded {
  /** when all of the first head must have come, this header included */
  deadline: number
  readonly #context: ArrivalContext
  readonly #opened: Opened
  readonly #kept = new OctetStore()

  /**
   * @param open makes the socket and its reading side, given who takes the pieces
   * @param timeout ms
   */
  constructor(open: (sink: InletSink) => Opened, timeout: number, context: ArrivalContext) {
    this.#context = context
    this.#opened = open(this)
    this.deadline = context.deadlines.after(timeout)
    context.deadlines.watch(this)
    this.#opened.socket.on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose)
  }

  get onFault(): OnFault {
    return this.#context.onFault
  }

  onPiece(octets: Buffer, length: number): void {
    guard(this, () => this.#read(octets.subarray(0, length)))
  }

  #read(piece: Buffer): void {
    const before = this.#kept.length
    if (before > 0) this.#kept.append(piece, 0, Math.min(piece.length, LONGEST_HEADER))
    const header = readProxyHeader(before > 0 ? this.#kept.peek() : piece)
    if (header === 'malformed')
      this.#refuse('a connection does not begin with a PROXY header, or with a malformed one')
    else if (header !== 'incomplete') this.#handOver(header.address, piece.subarray(header.end - before))
    else if (before === 0) this.#kept.append(piece, 0, piece.length)
  }

  #handOver(address: string | undefined, rest: Buffer): void {
    const { deadlines, onHeader } = this.#context
    this.#opened.socket.off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose)
    deadlines.unwatch(this)
    this.#kept.clear()
    try {
      onHeader(this, this.#opened, address, rest)
    } catch (thrown) {
      this.giveUp()
      this.#context.onClosed(this)
      this.onFault(thrown)
    }
  }

  #refuse(why: string): void {
    this.#opened.socket.destroy()
    this.#context.onRefused(why)
  }

  readonly #onEnd = (): void => {
    // Nothing at all is how load balancers look whether a port is open.
    if (this.#kept.length === 0) this.destroy()
    else guard(this, () => this.#refuse('a connection ended within its PROXY header'))
  }

  readonly #onError = (): void => {
    // 'close' follows.
  }

  readonly #onClose = (): void => {
    this.deadline = NEVER
    this.#context.deadlines.unwatch(this)
    this.#opened.inlet.detach()
    this.#context.onClosed(this)
  }

  onDeadline(): void {
    guard(this, () => this.#refuse('a PROXY header did not come in time'))
  }

  onUnforeseen(_error: ProxyError): void {
    this.giveUp()
  }

  giveUp(): void {
    this.#opened.socket.destroy()
  }

  /** The proxy shuts down: nothing has been asked for yet. */
  drain(): void {
    this.destroy()
  }

  /** Closes it. */
  destroy(): void {
    this.#opened.socket.destroy()
  }
}
