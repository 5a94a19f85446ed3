// Two connections that have left HTTP (101, RFC 9110 §15.2.2): raw octets both ways, with backpressure and half-close.

import type { OnFault } from '../errors.ts'
import type { Deadlines, Watched } from './deadlines.ts'
import { NEVER } from './deadlines.ts'
import { type Guarded, guard } from './guard.ts'
import type { Inlet } from './inlet.ts'
import type { Outlet } from './outlet.ts'

/** Takes what one side of a tunnel has to say. */
export interface RawSink {
  onOctets(octets: Buffer, start: number, end: number): void
  /** It closed its sending side. */
  onEnd(): void
  /** It takes octets again. */
  onDrain(): void
  /** It is gone. */
  onClosed(): void
}

/** One side of a tunnel. */
export interface RawPeer {
  readonly outlet: Outlet
  readonly inlet: Inlet
  /** Delivers what was kept from before there was a tunnel. */
  proceed(): void
}

/** Joins two connections until both have ended. */
export class Tunnel implements Watched, Guarded {
  deadline: number
  readonly #deadlines: Deadlines
  readonly #timeout: number
  readonly onFault: OnFault
  readonly #onClosed: () => void
  #client: RawPeer | undefined = undefined
  #upstream: RawPeer | undefined = undefined
  /** sides that closed their sending side */
  #ended = 0
  /** sides that are gone */
  #gone = 0
  #closed = false

  /**
   * @param timeout ms without an octet either way
   * @param onClosed told once
   */
  constructor(deadlines: Deadlines, timeout: number, onFault: OnFault, onClosed: () => void) {
    this.#deadlines = deadlines
    this.#timeout = timeout
    this.onFault = onFault
    this.#onClosed = onClosed
    this.deadline = NEVER
  }

  /** What the client connection talks to. */
  readonly clientSide: RawSink = this.#side(
    () => this.#upstream,
    () => this.#client,
  )

  /** What the upstream connection talks to. */
  readonly upstreamSide: RawSink = this.#side(
    () => this.#client,
    () => this.#upstream,
  )

  /** Both sides are there: octets that came early go first. */
  join(client: RawPeer, upstream: RawPeer): void {
    this.#client = client
    this.#upstream = upstream
    this.#deadlines.watch(this)
    this.deadline = this.#deadlines.after(this.#timeout)
    upstream.proceed()
    client.proceed()
    // Going on with what was kept is going on with reading, which the other side may not be ready for.
    if (upstream.outlet.full) client.inlet.pause()
  }

  onDeadline(): void {
    guard(this, () => this.#close())
  }

  onUnforeseen(): void {
    this.#close()
  }

  giveUp(): void {
    this.#client?.outlet.reset()
    this.#upstream?.outlet.reset()
  }

  #side(to: () => RawPeer | undefined, from: () => RawPeer | undefined): RawSink {
    return {
      onOctets: (octets, start, end) => {
        const peer = to()
        if (peer === undefined || this.#closed) return
        this.deadline = this.#deadlines.after(this.#timeout)
        peer.outlet.octets(octets, start, end)
        if (peer.outlet.full) from()?.inlet.pause()
      },
      onEnd: () => {
        this.#ended++
        to()?.outlet.end()
      },
      onDrain: () => to()?.inlet.resume(),
      onClosed: () => {
        this.#gone++
        // Once both have ended each goes in its own time: the other may still be taking the last of it.
        if (this.#ended < 2 || this.#gone === 2) this.#close()
      },
    }
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.deadline = NEVER
    this.#deadlines.unwatch(this)
    // Whoever is still there must see that it was cut off.
    this.giveUp()
    this.#onClosed()
  }
}
