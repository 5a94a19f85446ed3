// The body of a request that a middleware has asked for. In: its data as it comes, without framing. Out: all of it, within its
// limit; and what is forwarded in the end, framed anew.

import { ProxyError } from '../errors.ts'
import { fold } from '../http/fields.ts'

/** A body on its way in. */
export class CollectedBody {
  readonly #limit: number
  readonly #settle: { readonly resolve: (body: Buffer) => void; readonly reject: (error: ProxyError) => void }
  readonly #pieces: Buffer[] = []
  #octets = 0
  #trailers = ''
  /** resolves with the body; rejects with the refusal, also when no more of it will come */
  readonly whole: Promise<Buffer>
  /** the body, once it is whole */
  content: Buffer | undefined = undefined

  /** @param limit octets that it may have */
  constructor(limit: number) {
    this.#limit = limit
    let settle: { resolve: (body: Buffer) => void; reject: (error: ProxyError) => void } | undefined
    this.whole = new Promise((resolve, reject) => {
      settle = { resolve, reject }
    })
    this.whole.catch(() => undefined) // who has asked hears of it; nobody has to
    this.#settle = settle! // a promise calls back at once
  }

  /** Takes a piece, borrowed. @throws {ProxyError} `ERR_BODY_TOO_LARGE` */
  add(octets: Buffer, start: number, end: number): void {
    this.#octets += end - start
    if (this.#octets > this.#limit) throw bodyTooLarge(this.#limit)
    this.#pieces.push(Buffer.from(octets.subarray(start, end)))
  }

  /** Takes the field lines of the trailer section that may pass. */
  addTrailers(lines: string): void {
    this.#trailers += lines
  }

  /** It is whole. */
  end(): void {
    this.content = Buffer.concat(this.#pieces)
    this.#pieces.length = 0
    this.#settle.resolve(this.content)
  }

  /** No more of it will come. */
  fail(error: ProxyError): void {
    this.#pieces.length = 0
    this.#settle.reject(error)
  }

  /**
   * As one chunk (RFC 9112 §7.1), with the trailer section it came with.
   *
   * @param without folded names of fields that are left out of that
   */
  chunked(without: ReadonlySet<string> | undefined): Buffer {
    const { content = Buffer.alloc(0) } = this
    const lines = this.#trailers.match(/.+\r\n/g) ?? []
    const trailers = lines.filter((line) => !without?.has(fold(line.slice(0, line.indexOf(':')))))
    const end = `0\r\n${trailers.join('')}\r\n`
    if (content.length === 0) return Buffer.from(end, 'latin1')
    const size = Buffer.from(`${content.length.toString(16)}\r\n`)
    return Buffer.concat([size, content, Buffer.from(`\r\n${end}`, 'latin1')])
  }
}

/** The refusal of a body beyond `limit` octets. */
export function bodyTooLarge(limit: number): ProxyError {
  return new ProxyError('ERR_BODY_TOO_LARGE', `a middleware takes a body of at most ${limit} octets`)
}
