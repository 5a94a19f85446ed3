// The writing side of one socket. In: text of heads, octets of bodies. Out: as few writes as possible, at the end of the
// turn unless they are large, and word when the peer cannot keep up. Nothing borrowed is referred to after a call returns,
// except a leased region.

import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { OnFault } from '../errors.ts'
import type { Lease, Buffers } from './buffers.ts'
import { type Deadlines, NEVER, type Watched } from './deadlines.ts'
import type { PatientSocket } from './patient-socket.ts'
import type { Due, Turn } from './turn.ts'

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
  /** A write was refused, and nothing more can be sent; told at the end of the turn. */
  onRefused(): void
}

/** Counts of one side of the proxy, added to as octets go by. */
export interface OctetCounts {
  octetsReceived: number
  octetsSent: number
}

/** What an outlet needs beside its socket. */
export interface OutletContext {
  readonly buffers: Buffers
  readonly deadlines: Deadlines
  readonly turn: Turn
  readonly counts: OctetCounts
  /** ms that a peer may take no octet while there is something to send */
  readonly limits: { readonly sendTimeout: number }
  readonly onFault: OnFault
}

/** Writes to one socket. */
export class Outlet implements Watched, Due {
  deadline = NEVER
  readonly #socket: Socket
  readonly #context: OutletContext
  readonly #sink: OutletSink
  readonly #canReset: boolean
  /** octets handed to the kernel so far */
  #sent = 0
  /** of these, the octets of turns that are over */
  #left = 0
  /** what waits for the end of the turn */
  #text = ''
  /** what follows what waits */
  #ending: 'end' | 'close' | undefined = undefined
  /** whether {@link onTurnEnd} is due */
  #due = false
  #full = false
  /** what the kernel had taken when the send deadline was set; see {@link #taken} */
  #takenBefore = 0
  /** {@link position} when the current exchange began */
  #mark = -1
  #unsent: string | undefined = undefined
  /** the region that a pending write refers to; never more than one */
  #lease: Lease | undefined = undefined

  /** @param canReset false for what has no RST, Unix sockets and TLS to an upstream: it is just closed */
  constructor(socket: Socket, context: OutletContext, sink: OutletSink, canReset = true) {
    this.#socket = socket
    this.#context = context
    this.#sink = sink
    this.#canReset = canReset
    socket.on('drain', () => {
      if (!this.#full) return
      this.#settle()
      sink.onDrain()
    })
  }

  /** Whether the peer cannot keep up: whoever reads for this outlet must pause until {@link OutletSink.onDrain}. */
  get full(): boolean {
    return this.#full
  }

  /** How many octets were taken so far, sent or not: where in all that is sent the next one will stand. */
  get position(): number {
    return this.#sent + this.#text.length
  }

  /** An exchange begins: from here on it is known whether any of it was sent. */
  mark(): void {
    this.#mark = this.position
    this.#unsent = undefined
  }

  /** Whether some of what was taken since {@link mark} has been handed to the kernel. */
  get begun(): boolean {
    return this.#mark < this.#sent
  }

  /** Whether some of it was handed over in a turn before this one: only then what the peer says can be about it. */
  get answerable(): boolean {
    return this.#mark < this.#left
  }

  /** All that was taken since {@link mark}, when nothing of it has left; otherwise undefined. */
  get unsent(): string | undefined {
    if (this.begun) return undefined
    return this.#unsent === undefined ? this.#sinceMark(this.#text) : this.#unsent + this.#text
  }

  /** Whether nothing can be sent any more, though word of that may still be on its way. */
  get broken(): boolean {
    // A write that the kernel refuses is noted at once, but destroys the socket only later.
    const { refused } = this.#socket as Partial<PatientSocket> // only sockets to upstreams are patient
    return refused === true || this.#socket.destroyed || this.#socket.errored !== null
  }

  /** Whether the kernel has not taken everything yet. */
  get pending(): boolean {
    return this.#text !== '' || this.#socket.writableLength > 0
  }

  /** Takes text, an octet a character, to go out with what else comes in this turn. */
  text(text: string): void {
    this.#text += text
    this.#awaitTurnEnd()
  }

  /** Sends `octets[start, end)`, in one write with the text taken before: large ones at once. */
  octets(octets: Buffer, start: number, end: number): void {
    const length = end - start
    if (length <= SMALL) {
      this.text(octets.toString('latin1', start, end))
      if (this.#text.length > SMALL) this.flush()
      return
    }
    const lease = length >= LARGE ? this.#context.buffers.leaseOf(octets) : undefined
    // While one region is referred to, pieces of another are copied: it may be another upstream's that answers next.
    if (lease !== undefined && (this.#lease === undefined || this.#lease === lease)) {
      this.flush()
      this.#write(octets.subarray(start, end))
      if (this.#socket.writableLength > 0 && !this.broken && this.#lease === undefined) {
        this.#lease = lease // the pending write refers to it until 'drain'
        lease.writing++
      }
    } else {
      this.#writeCopy(octets, start, end)
    }
    this.#look()
  }

  /** Takes back all from `position` on. @returns false when some of it has left */
  takeBack(position: number): boolean {
    if (position < this.#sent) return false
    this.#text = this.#text.slice(0, position - this.#sent)
    return true
  }

  onTurnEnd(): void {
    this.#due = false
    this.flush()
    this.#left = this.#sent
    if (this.#ending !== undefined) this.#end()
    else if (this.broken) this.#sink.onRefused()
  }

  onTurnFault(thrown: unknown): void {
    this.#mark = -1 // whatever it was that failed, it cannot be known to be unsent
    this.#context.onFault(thrown)
    this.reset() // its owner is told by 'close'
  }

  #awaitTurnEnd(): void {
    if (this.#due) return
    this.#due = true
    this.#context.turn.add(this)
  }

  /** Sends what waits now: it has become too much to wait, something must not overtake it, or the connection is closed. */
  flush(): void {
    if (this.#text === '') return
    const text = this.#text
    this.#text = ''
    this.#write(text)
    this.#look()
  }

  /**
   * Sends what waits, and then the end of the stream.
   *
   * @param closing whether the connection ends with it, since the peer has nothing more to say
   */
  end(closing = false): void {
    this.#ending = closing ? 'close' : 'end'
    this.#awaitTurnEnd()
  }

  #end(): void {
    const ending = this.#ending
    this.#ending = undefined
    const { encrypted } = this.#socket as Partial<TLSSocket>
    // Closing at once sends the same FIN as ending first would, and saves that and the wait for the peer's. Not in TLS, where
    // the end also says that nothing was cut off (RFC 8446 §6.1).
    if (ending === 'close' && this.#socket.writableLength === 0 && !encrypted) this.#socket.destroy()
    else if (ending === 'close') this.#socket.destroySoon()
    else if (ending === 'end') this.#socket.end(() => this.#settle()) // after this there is no 'drain'
  }

  /** Ends at once, by RST: the peer must not take what it got for all there is. */
  reset(): void {
    const { writableEnded, writableFinished, writableLength } = this.#socket
    // libuv refuses to reset a socket at the moment when it is shut down; by then everything has gone out.
    const shuttingDown = writableEnded && !writableFinished && writableLength === 0
    if (shuttingDown || !this.#canReset) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  /** The socket has closed: nothing pending refers to anything any more. */
  detach(): void {
    this.#settle()
    this.#text = ''
  }

  /** The send deadline: passed for a peer that has taken nothing since it was set, renewed for a slow one. */
  onDeadline(): void {
    const taken = this.#taken()
    if (taken === this.#takenBefore) {
      this.#sink.onStalled()
      return
    }
    this.#takenBefore = taken
    this.deadline = this.#context.deadlines.after(this.#context.limits.sendTimeout)
  }

  /** Copies waiting text and piece into one buffer, since the piece is overwritten by the next read. */
  #writeCopy(octets: Buffer, start: number, end: number): void {
    const { buffers } = this.#context
    const length = this.#text.length + end - start
    const scratch = buffers.scratch(length)
    const at = this.#text === '' ? 0 : scratch.write(this.#text, 0, 'latin1')
    this.#text = ''
    octets.copy(scratch, at, start, end)
    this.#write(scratch.subarray(0, length))
    if (this.#socket.writableLength > 0) buffers.abandonScratch()
  }

  /** Hands over to the kernel. What it refuses has not gone anywhere, not in part either. */
  #write(octets: string | Buffer): void {
    if (!this.broken) {
      if (typeof octets === 'string') this.#socket.write(octets, 'latin1')
      else this.#socket.write(octets)
    }
    if (!this.broken) {
      this.#context.turn.conclude()
      this.#sent += octets.length
      this.#context.counts.octetsSent += octets.length
      return
    }
    this.#awaitTurnEnd() // to say so, once all that belongs to it is here
    // Of what is refused, that of the exchange marked is kept: if nothing of it has left, it may go elsewhere.
    if (!this.begun)
      this.#unsent = this.#unsent === undefined ? this.#sinceMark(octets) : this.#unsent + latin1(octets)
  }

  /** Of octets that come right behind those sent, the part that was taken since {@link mark}. */
  #sinceMark(octets: string | Buffer): string {
    return latin1(octets).slice(this.#mark - this.#sent)
  }

  #look(): void {
    if (this.#full || !this.#socket.writableNeedDrain) return
    this.#full = true
    // Not a timeout of the socket's, which each octet that the peer sends would renew.
    this.#takenBefore = this.#taken()
    this.deadline = this.#context.deadlines.after(this.#context.limits.sendTimeout)
    this.#context.deadlines.watch(this)
  }

  #settle(): void {
    if (this.#full) this.#context.deadlines.unwatch(this)
    this.#full = false
    if (this.#lease === undefined) return
    this.#context.buffers.written(this.#lease)
    this.#lease = undefined
  }

  /**
   * A number that changes when the kernel takes octets, and not when more are written. Node counts a pending write as
   * one; how much of it has gone only the handle knows, which is not documented: without it, whole writes count.
   */
  #taken(): number {
    const { _handle: handle } = this.#socket as unknown as { _handle?: { writeQueueSize?: number } | null }
    return this.#sent - this.#socket.writableLength - (handle?.writeQueueSize ?? 0)
  }
}

function latin1(octets: string | Buffer): string {
  return typeof octets === 'string' ? octets : octets.toString('latin1')
}
