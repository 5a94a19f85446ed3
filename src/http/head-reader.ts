// Collects a head from as many reads as it takes, within its size. In: pieces. Out: one whole head, in place if it came so.

import { findHeadEnd, scanHead, type Terminator } from './head-scanner.ts'
import { OctetStore } from './octet-store.ts'
import { CR, LF } from './octets.ts'

/** A whole head: which octets, from where to where. In the read's own buffer when it came in one read. */
export interface WholeHead {
  readonly octets: Buffer
  readonly start: number
  readonly end: number
  /** offset in the piece of the first octet after the head */
  readonly next: number
}

/** What reading a piece came to. */
export type HeadProgress = WholeHead | 'incomplete' | 'too-large'

/** Reads one head after another from a connection. */
export class HeadReader {
  readonly #maxHeadSize: number
  readonly #skipsEmptyLines: boolean
  #seen: Terminator = 'none'
  #store: OctetStore | undefined = undefined
  #skipped = false

  /**
   * @param maxHeadSize octets, the empty line included
   * @param skipsEmptyLines whether an empty line before the start line is passed over: servers should (RFC 9112 §2.2),
   *   clients have no such leave
   */
  constructor(maxHeadSize: number, skipsEmptyLines: boolean) {
    this.#maxHeadSize = maxHeadSize
    this.#skipsEmptyLines = skipsEmptyLines
  }

  /** Whether a head has begun and is not whole. */
  get begun(): boolean {
    return this.#store !== undefined
  }

  /** The octets of a head that never became whole, for a better answer than none. */
  partial(): Buffer {
    return this.#store?.take() ?? Buffer.alloc(0)
  }

  /** Takes in `octets[start, end)`. `start < end`. */
  read(octets: Buffer, start: number, end: number): HeadProgress {
    start = this.#skipEmptyLine(octets, start, end)
    if (start === end) return 'incomplete'
    if (this.#store === undefined) {
      const headEnd = findHeadEnd(octets, start, end)
      if (headEnd !== -1) {
        this.#skipped = false
        if (headEnd - start > this.#maxHeadSize) return 'too-large'
        return { octets, start, end: headEnd, next: headEnd }
      }
      this.#store = new OctetStore()
      this.#seen = 'none'
    }
    const { seen, end: headEnd } = scanHead(octets, start, end, this.#seen)
    const until = headEnd === -1 ? end : headEnd
    const store = this.#store
    const fits = store.length + until - start <= this.#maxHeadSize
    store.append(octets, start, fits ? until : start + this.#maxHeadSize - store.length)
    if (!fits) return 'too-large'
    this.#seen = seen
    if (headEnd === -1) return 'incomplete'
    const whole = store.take()
    this.#store = undefined
    this.#skipped = false
    return { octets: whole, start: 0, end: whole.length, next: headEnd }
  }

  /**
   * Passes over one empty line before a start line: old clients send one behind a body. A second one is left for the
   * parser to refuse.
   */
  #skipEmptyLine(octets: Buffer, start: number, end: number): number {
    if (!this.#skipsEmptyLines || this.#skipped) return start
    if (this.#store === undefined) {
      if (end - start < 2 || octets[start] !== CR || octets[start + 1] !== LF) return start
      this.#skipped = true
      return start + 2
    }
    // Its CR came alone: it must not count against the size of the head.
    if (this.#store.length !== 1 || this.#seen !== 'CR' || octets[start] !== LF) return start
    this.#store = undefined
    this.#skipped = true
    return start + 1
  }
}
