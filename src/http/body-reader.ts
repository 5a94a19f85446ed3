// Follows one body through the pieces it comes in, whatever its framing. In: pieces. Out: runs of octets that may be
// forwarded, as they came, and the trailer section. Chunked framing is checked octet by octet (RFC 9112 §7.1).

import { type FailureCode, ProxyError } from '../errors.ts'
import type { Framing } from './framing.ts'
import { findHeadEnd, scanHead, type Terminator } from './head-scanner.ts'
import { CR, HTAB, LF, SP } from './octets.ts'
import { OctetStore } from './octet-store.ts'

/** Takes what a body reader lets through, synchronously and in order. */
export interface BodySink {
  /** Octets that may be forwarded as they are. Borrowed: the buffer is overwritten after the call. */
  onBody(octets: Buffer, start: number, end: number): void
  /** A trailer section, from its first field line to the empty line; comes after the last of the body. */
  onTrailers(octets: Buffer, start: number, end: number): void
}

/** Longest chunk size, in hex digits, zeros in front included: below 2^48, and nobody writes more by accident. */
const MAX_SIZE_DIGITS = 12
/** Octets of chunk extensions in one body. Nothing uses them; some attacks do, by their sheer amount. */
const MAX_EXTENSIONS = 4096

/** Where in chunked framing the next octet stands. */
type ChunkState =
  | 'size' // the first digit of a chunk size
  | 'size-more' // another digit, an extension, or the end of the line
  | 'extension'
  | 'size-LF'
  | 'data'
  | 'data-CR'
  | 'data-LF'
  | 'trailers' // first octet after the last chunk: CR, or a trailer field
  | 'trailers-LF'
  | 'trailer-section'

/** Reads one body after another from a connection. Call {@link begin} for each. */
export class BodyReader {
  readonly #malformed: FailureCode
  readonly #maxTrailerSize: number
  #framing: Framing = { kind: 'none' }
  #complete = true
  /** octets left: of the body (length), or of the chunk (chunked) */
  #left = 0
  #chunk: ChunkState = 'size'
  #digits = 0
  #extensions = 0
  #dataOnly = false
  #dropsTrailers = false
  #trailers: OctetStore | undefined = undefined
  #seen: Terminator = 'none'

  /**
   * @param malformed the failure that broken chunked framing is: the side that sends it decides
   * @param maxTrailerSize octets of the longest trailer section
   */
  constructor(malformed: FailureCode, maxTrailerSize: number) {
    this.#malformed = malformed
    this.#maxTrailerSize = maxTrailerSize
  }

  /** Whether the last octet of the body, or of its trailer section, has gone by. */
  get complete(): boolean {
    return this.#complete
  }

  /** Whether the body goes on until the connection closes. */
  get untilClose(): boolean {
    return this.#framing.kind === 'until-close'
  }

  /** How much more is known to come, in octets: the rest of the length or of the chunk. */
  get expected(): number {
    return this.#complete ? 0 : this.#framing.kind === 'until-close' ? Number.POSITIVE_INFINITY : this.#left
  }

  /**
   * Begins the next body.
   *
   * @param dataOnly whether chunked framing is taken off and only its data let through: for a peer that speaks
   *   HTTP/1.0, which knows no chunks (RFC 9112 §7.1.3). Its trailer section is then dropped.
   */
  begin(framing: Framing, dataOnly = false): void {
    this.#framing = framing
    this.#complete = framing.kind === 'none'
    this.#left = framing.kind === 'length' ? framing.length : 0
    this.#chunk = 'size'
    this.#digits = 0
    this.#extensions = 0
    this.#dataOnly = dataOnly
    this.#dropsTrailers = dataOnly
    this.#trailers = undefined
  }

  /** From here on only the data is let through, and then the trailer section: the body is framed anew behind this. */
  unframe(): void {
    this.#dataOnly = true
  }

  /** Ends a body that goes on until the connection closes: it has closed. */
  end(): void {
    if (this.untilClose) this.#complete = true
  }

  /**
   * Takes in a piece.
   *
   * @returns the offset after the last octet that belongs to the body: `end`, or less when the body is complete
   * @throws {ProxyError} with the code given, when chunked framing is broken; nothing of what is wrong was let through
   */
  read(octets: Buffer, start: number, end: number, sink: BodySink): number {
    switch (this.#framing.kind) {
      case 'none':
        return start
      case 'length': {
        const until = Math.min(end, start + this.#left)
        this.#left -= until - start
        this.#complete = this.#left === 0
        if (until > start) sink.onBody(octets, start, until)
        return until
      }
      case 'until-close':
        if (end > start) sink.onBody(octets, start, end)
        return end
      case 'chunked':
        return this.#readChunked(octets, start, end, sink)
    }
  }

  /**
   * One state to the next, octet by octet; data in one step. What is let through is kept as one run for as long as
   * it is unbroken: as a rule the whole piece.
   */
  #readChunked(octets: Buffer, start: number, end: number, sink: BodySink): number {
    let at = start
    let runStart = start
    let runEnd = start
    while (at < end && !this.#complete && !this.#inTrailers) {
      const inData = this.#chunk === 'data'
      const next = this.#step(octets, at, end)
      // An octet belongs to the state it leads to: so `;` goes with the extension, and the CR after it stays.
      const passes = this.#dataOnly ? inData : this.#chunk !== 'extension' && !this.#inTrailers
      if (passes) {
        if (runEnd !== at) {
          if (runEnd > runStart) sink.onBody(octets, runStart, runEnd)
          runStart = at
        }
        runEnd = next
      }
      at = next
    }
    if (runEnd > runStart) sink.onBody(octets, runStart, runEnd)
    return at < end && this.#inTrailers ? this.#readTrailers(octets, at, end, sink) : at
  }

  get #inTrailers(): boolean {
    return !this.#complete && this.#chunk === 'trailer-section'
  }

  #step(octets: Buffer, at: number, end: number): number {
    const octet = octets[at]!
    switch (this.#chunk) {
      case 'size':
        this.#left = this.#hexDigit(octet)
        this.#digits = 1
        this.#chunk = 'size-more'
        return at + 1
      case 'size-more':
        if (octet === CR) this.#chunk = 'size-LF'
        else if (octet === 0x3b) this.#chunk = 'extension'
        else {
          if (++this.#digits > MAX_SIZE_DIGITS) throw this.#broken('a chunk size of too many digits')
          this.#left = this.#left * 16 + this.#hexDigit(octet)
        }
        return at + 1
      case 'extension':
        // RFC 9112 §7.1.1: must be ignored, so it goes no further. Controls and bare line ends are refused.
        if (octet === CR) this.#chunk = 'size-LF'
        else if (octet !== HTAB && (octet < SP || octet > 0x7e))
          throw this.#broken('an octet no extension may contain')
        else if (++this.#extensions > MAX_EXTENSIONS)
          throw this.#broken('too many octets of chunk extensions')
        return at + 1
      case 'size-LF':
        if (octet !== LF) throw this.#broken('a chunk size that does not end in CR LF')
        this.#chunk = this.#left === 0 ? 'trailers' : 'data'
        return at + 1
      case 'data': {
        const until = Math.min(end, at + this.#left)
        this.#left -= until - at
        if (this.#left === 0) this.#chunk = 'data-CR'
        return until
      }
      case 'data-CR':
        if (octet !== CR) throw this.#broken('a chunk that does not end where its size says')
        this.#chunk = 'data-LF'
        return at + 1
      case 'data-LF':
        if (octet !== LF) throw this.#broken('a chunk that does not end in CR LF')
        this.#chunk = 'size'
        return at + 1
      case 'trailers':
        if (octet !== CR) {
          this.#chunk = 'trailer-section'
          return at // not taken in: it is the first of the section
        }
        this.#chunk = 'trailers-LF'
        return at + 1
      case 'trailers-LF':
        if (octet !== LF) throw this.#broken('a last chunk that is not followed by an empty line')
        this.#complete = true
        return at + 1
      case 'trailer-section':
        return at
    }
  }

  /** Collects the trailer section whole: it is read like the fields of a head before any of it goes on. */
  #readTrailers(octets: Buffer, start: number, end: number, sink: BodySink): number {
    if (this.#trailers === undefined) {
      const whole = findHeadEnd(octets, start, end)
      if (whole !== -1 && whole - start <= this.#maxTrailerSize) {
        this.#complete = true
        if (!this.#dropsTrailers) sink.onTrailers(octets, start, whole)
        return whole
      }
      this.#trailers = new OctetStore()
      this.#seen = 'none'
    }
    const { seen, end: sectionEnd } = scanHead(octets, start, end, this.#seen)
    const until = sectionEnd === -1 ? end : sectionEnd
    if (this.#trailers.length + until - start > this.#maxTrailerSize)
      throw this.#broken('a trailer section too large')
    this.#trailers.append(octets, start, until)
    this.#seen = seen
    if (sectionEnd === -1) return end
    const whole = this.#trailers.take()
    this.#trailers = undefined
    this.#complete = true
    if (!this.#dropsTrailers) sink.onTrailers(whole, 0, whole.length)
    return sectionEnd
  }

  #hexDigit(octet: number): number {
    if (octet >= 0x30 && octet <= 0x39) return octet - 0x30
    const letter = octet | 0x20
    if (letter >= 0x61 && letter <= 0x66) return letter - 0x57
    throw this.#broken('a chunk size that is not hexadecimal')
  }

  #broken(message: string): ProxyError {
    return new ProxyError(this.#malformed, message)
  }
}
