// signet's reading of one connection, in this process and without sockets: its own head reader, parser, judge, rewriting
// and body reader, put together as `net/downstream.ts` and `exchange.ts` do it. In: pieces. Out: what would go upstream.

import { ProxyError } from '../../src/errors.ts'
import { BodyReader, type BodySink } from '../../src/http/body-reader.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { HeadReader } from '../../src/http/head-reader.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { type RequestHead, readRequest } from '../../src/http/request.ts'
import { rewriteRequest, rewriteTrailers } from '../../src/http/rewrite.ts'

const MAX_HEAD_SIZE = 16_384
const MAX_TARGET_SIZE = 8192
const REGION = 64 * 1024
/** What signet says last; the address and the token are not what is compared here. */
const LINES = 'Via: 1.1 signet-00000000\r\nx-my-jwt: token\r\n'

const parser = createHeadParser({ region: REGION, maxHeadSize: MAX_HEAD_SIZE, maxFields: 100 })
const rules = new FieldRules(['x-my-jwt'])

/** What signet makes of the octets of one connection. */
export interface SignetReading {
  /** what it forwards, a string for each request; the last one may be unfinished */
  readonly forwarded: readonly string[]
  /** how many of them are whole */
  readonly whole: number
  /** as in `strict-parser.ts` */
  readonly outcome: 'boundary' | 'closed' | 'incomplete' | 'refused'
  readonly failure?: ProxyError
}

/** Reads one connection. */
export function readBySignet(pieces: readonly string[]): SignetReading {
  const reader = new Reader()
  try {
    for (const piece of pieces) {
      if (reader.closed) break
      // In place, where the kernel writes to: what the parser is fastest at and most easily wrong about.
      const length = parser.region.write(piece, 'latin1')
      reader.take(parser.region, length)
    }
  } catch (thrown) {
    if (!(thrown instanceof ProxyError)) throw thrown
    return { forwarded: reader.forwarded, whole: reader.whole, outcome: 'refused', failure: thrown }
  }
  const outcome = reader.closed ? 'closed' : reader.within ? 'incomplete' : 'boundary'
  return { forwarded: reader.forwarded, whole: reader.whole, outcome }
}

class Reader implements BodySink {
  readonly forwarded: string[] = []
  whole = 0
  closed = false
  #begun = false
  #head: RequestHead | undefined = undefined
  readonly #heads = new HeadReader(MAX_HEAD_SIZE, true)
  readonly #body = new BodyReader('ERR_BODY_MALFORMED', MAX_HEAD_SIZE)

  /** Whether octets of a request have come that is not whole. */
  get within(): boolean {
    return this.#head !== undefined || this.#begun
  }

  take(octets: Buffer, end: number): void {
    let at = 0
    while (at < end && !this.closed) {
      at = this.#head === undefined ? this.#readHead(octets, at, end) : this.#body.read(octets, at, end, this)
      if (this.#head !== undefined && this.#body.complete) this.#finish(this.#head)
    }
  }

  #readHead(octets: Buffer, start: number, end: number): number {
    this.#begun = true
    const head = this.#heads.read(octets, start, end)
    if (head === 'incomplete') return end
    if (head === 'too-large') throw new ProxyError('ERR_HEAD_TOO_LARGE', 'too large')
    const request = readRequest(
      parser.parseRequest(head.octets, head.start, head.end),
      rules,
      MAX_TARGET_SIZE,
    )
    const upgrade = request.upgrade === 'websocket' ? request.upgrade : undefined
    this.forwarded.push(
      rewriteRequest(request, { fallbackAuthority: 'fallback.test', lines: LINES, upgrade }),
    )
    this.#head = request
    this.#body.begin(request.framing)
    return head.next
  }

  #finish(head: RequestHead): void {
    this.whole++
    this.closed = !head.persistent
    this.#head = undefined
    this.#begun = false
  }

  onBody(octets: Buffer, start: number, end: number): void {
    this.#forward(octets.toString('latin1', start, end))
  }

  onTrailers(octets: Buffer, start: number, end: number): void {
    const trailers = parser.parseTrailers(octets, start, end, 'ERR_BODY_MALFORMED')
    this.#forward(`${rewriteTrailers(trailers, rules, this.#head?.nominated)}\r\n`)
  }

  #forward(text: string): void {
    this.forwarded.push(`${this.forwarded.pop() ?? ''}${text}`)
  }
}
