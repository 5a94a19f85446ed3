// A response on its way from the upstream through a compressor to the client. In: the data of its body. Out: chunks, and the
// trailer section behind the last of them. It stands in the exchange's place while the body lasts, and hands back its end.

import type { ProxyError } from '../errors.ts'
import type { ResponseHead } from '../http/response.ts'
import type { Downstream } from '../net/downstream.ts'
import type { Upstream, UpstreamExchange } from '../net/upstream.ts'
import type { ChunkFrame } from './chunk-frame.ts'
import type { Compressor, CompressorSink } from './compressor.ts'

/** The exchange whose response it is. Its `onResponseEnd` comes when all has gone to the client. */
export interface CompressedExchange extends UpstreamExchange {
  /** The response has come whole: the connection to the upstream is no longer the exchange's. */
  onResponseRead(): void
  /** The body cannot be compressed to its end. */
  onCompressorFailed(error: ProxyError): void
}

/** Reads a trailer section. @returns the field lines that go on */
export type ReadTrailers = (octets: Buffer, start: number, end: number) => string

/** The body of one response. */
export class CompressedResponse implements UpstreamExchange, CompressorSink {
  readonly #exchange: CompressedExchange
  readonly #client: Downstream
  readonly #chunks: ChunkFrame
  readonly #readTrailers: ReadTrailers
  readonly #compressor: Compressor
  /** while it is read from */
  #upstream: Upstream | undefined
  #trailers = ''

  /** @param compress makes the compressor, given who takes what comes out of it */
  constructor(
    exchange: CompressedExchange,
    upstream: Upstream,
    client: Downstream,
    chunks: ChunkFrame,
    compress: (sink: CompressorSink) => Compressor,
    readTrailers: ReadTrailers,
  ) {
    this.#exchange = exchange
    this.#upstream = upstream
    this.#client = client
    this.#chunks = chunks
    this.#readTrailers = readTrailers
    this.#compressor = compress(this)
    upstream.handTo(this)
  }

  /** The client takes octets again after it was full. */
  resume(): void {
    this.#compressor.resume()
  }

  /** Gives it up: nothing more of it goes to the client. */
  destroy(): void {
    this.#upstream = undefined
    this.#compressor.destroy()
  }

  // ── from the upstream ───────────────────────────────────────────────────────────────────────────────────────

  onResponseBody(octets: Buffer, start: number, end: number): void {
    this.#compressor.write(octets, start, end)
    if (this.#compressor.full) this.#upstream?.pause()
  }

  onResponseTrailers(octets: Buffer, start: number, end: number): void {
    this.#trailers = this.#readTrailers(octets, start, end)
  }

  onResponseEnd(): void {
    this.#upstream = undefined
    this.#exchange.onResponseRead()
    this.#compressor.end()
  }

  onUpstreamDrain(): void {
    this.#exchange.onUpstreamDrain()
  }

  onUpstreamFailed(error: ProxyError, untouched: boolean, unsent: string | undefined): void {
    this.destroy()
    this.#exchange.onUpstreamFailed(error, untouched, unsent)
  }

  onInterim(head: ResponseHead): void {
    this.#exchange.onInterim(head)
  }

  onResponse(head: ResponseHead): void {
    this.#exchange.onResponse(head)
  }

  // ── to the client ───────────────────────────────────────────────────────────────────────────────────────────

  onCompressed(octets: Buffer): void {
    const chunk = this.#chunks.frame(octets)
    this.#client.sendBody(chunk, 0, chunk.length)
    if (this.#client.full) this.#compressor.pause()
  }

  onRoom(): void {
    this.#upstream?.resume()
  }

  onCompressedEnd(): void {
    this.#client.sendText(`0\r\n${this.#trailers}\r\n`)
    this.#exchange.onResponseEnd()
  }

  onCompressorFailed(error: ProxyError): void {
    this.destroy()
    this.#exchange.onCompressorFailed(error)
  }
}
