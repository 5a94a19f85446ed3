// The writing side of one socket. In: text of heads, octets of bodies. Out: as few writes as possible, and word when
// the peer cannot keep up. Nothing borrowed is referred to after a call returns, except a leased region.

import type { Socket } from 'node:net'
import type { Lease, Buffers } from './buffers.ts'

/** Octets of pending writes from which on a socket counts as full, and emits 'drain' when it no longer is. */
export const HIGH_WATER_MARK = 64 * 1024
/** Up to this many octets a body travels in the same string as its head: one write, one copy (bench/relay). */
const SMALL = 4 * 1024
/** From this many octets on, a piece in a leased region is written from where it lies. */
const LARGE = HIGH_WATER_MARK

/** Takes word of an outlet's fate. */
export interface OutletSink {
  /** What was pending has gone out: {@link Outlet.full} is false again. */
  onDrain(): void
  /** The peer has taken no octet for the whole send deadline. */
  onStalled(): void
}

/** Counts of one side of the proxy, added to as octets go by. */
export interface OctetCounts {
  octetsReceived: number
  octetsSent: number
}

/** Writes to one socket. */
export class Outlet {
  readonly #socket: Socket
  readonly #buffers: Buffers
  readonly #sendTimeout: number
  readonly #counts: OctetCounts
  /** octets sent so far */
  sent = 0
  #text = ''
  #full = false
  /** {@link sent} when the current exchange began, as long as its first write has not succeeded */
  #mark = -1
  #unsent: string | undefined = undefined
  #lease: Lease | undefined = undefined

  /** @param sendTimeout ms that a peer may take no octet while there is something to send */
  constructor(socket: Socket, buffers: Buffers, counts: OctetCounts, sink: OutletSink, sendTimeout: number) {
    this.#socket = socket
    this.#buffers = buffers
    this.#counts = counts
    this.#sendTimeout = sendTimeout
    socket.on('drain', () => {
      if (!this.#full) return
      this.#settle()
      sink.onDrain()
    })
    socket.on('timeout', () => sink.onStalled())
  }

  /** Whether the peer cannot keep up: whoever reads for this outlet must pause until {@link OutletSink.onDrain}. */
  get full(): boolean {
    return this.#full
  }

  /** An exchange begins: from here on it is known whether any of it was sent. */
  mark(): void {
    this.#mark = this.sent
    this.#unsent = undefined
  }

  /** All that was to be sent since {@link mark}, when its first write failed at once; otherwise undefined. */
  get unsent(): string | undefined {
    return this.#unsent
  }

  /** Whether the kernel has not taken everything yet. */
  get pending(): boolean {
    return this.#socket.writableLength > 0
  }

  /** Takes text, an octet a character, to go out with what comes next; see {@link flush}. */
  text(text: string): void {
    this.#text += text
  }

  /** Sends `octets[start, end)`, and the text taken before it in the same write where that is cheaper. */
  octets(octets: Buffer, start: number, end: number): void {
    const length = end - start
    if (length <= SMALL) {
      this.#text += octets.toString('latin1', start, end)
      if (this.#text.length > SMALL) this.flush()
      return
    }
    const lease = length >= LARGE ? this.#buffers.leaseOf(octets) : undefined
    if (lease !== undefined) {
      this.flush()
      this.#write(octets.subarray(start, end))
      if (this.#socket.writableLength > 0 && this.#lease === undefined) {
        this.#lease = lease // the pending write refers to it until 'drain'
        lease.writing++
      }
    } else {
      this.#writeCopy(octets, start, end)
    }
    this.#look()
  }

  /** Sends the text that still waits for company. Called at the end of each read. */
  flush(): void {
    if (this.#text === '') return
    const text = this.#text
    this.#text = ''
    this.#write(text)
    this.#look()
  }

  /** Sends what waits, and then the end of the stream. */
  end(): void {
    this.flush()
    this.#socket.end()
  }

  /** The socket has closed: nothing pending refers to anything any more. */
  detach(): void {
    this.#settle()
    this.#text = ''
  }

  /** Copies waiting text and piece into one buffer, since the piece is overwritten by the next read. */
  #writeCopy(octets: Buffer, start: number, end: number): void {
    const length = this.#text.length + end - start
    const scratch = this.#buffers.scratch(length)
    const at = this.#text === '' ? 0 : scratch.write(this.#text, 0, 'latin1')
    this.#text = ''
    octets.copy(scratch, at, start, end)
    this.#write(scratch.subarray(0, length))
    if (this.#socket.writableLength > 0) this.#buffers.abandonScratch()
  }

  /** Hands over to the kernel. A first write that fails at once is remembered: nothing of it has gone anywhere. */
  #write(octets: string | Buffer): void {
    if (this.#socket.destroyed) {
      if (this.#unsent !== undefined) this.#unsent += latin1(octets)
      return
    }
    if (typeof octets === 'string') this.#socket.write(octets, 'latin1')
    else this.#socket.write(octets)
    if (this.#socket.destroyed && this.#mark === this.sent) this.#unsent = latin1(octets)
    this.sent += octets.length
    this.#counts.octetsSent += octets.length
  }

  #look(): void {
    if (this.#full || this.#socket.writableLength === 0 || !this.#socket.writableNeedDrain) return
    this.#full = true
    this.#socket.setTimeout(this.#sendTimeout)
  }

  #settle(): void {
    if (this.#full) this.#socket.setTimeout(0)
    this.#full = false
    if (this.#lease === undefined) return
    this.#buffers.written(this.#lease)
    this.#lease = undefined
  }
}

function latin1(octets: string | Buffer): string {
  return typeof octets === 'string' ? octets : octets.toString('latin1')
}
