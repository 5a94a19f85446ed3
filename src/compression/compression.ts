// What a route says about compression, compiled; and how many responses are compressed at a time. In: heads. Out: what goes to
// the client in their place, and compressors.

import type { CompressionConfig, Encoding } from '../http/gateway.ts'
import { NO_BODY } from '../http/framing.ts'
import type { RequestHead } from '../http/request.ts'
import type { ResponseHead } from '../http/response.ts'
import { type AlteredHead, compressedHead, notModifiedHead, variedHead } from './altered-head.ts'
import { ChunkFrame } from './chunk-frame.ts'
import { Compressor, type CompressorContext, type CompressorSink } from './compressor.ts'
import { availableEncodings, createEncoder } from './encoders.ts'
import { type CompressionRule, compileRule, judge, mayStandForCompressed } from './verdict.ts'

/** All that is compressed in a process. */
export class Compressors {
  /** what their chunks are framed in */
  readonly chunks = new ChunkFrame()
  readonly #context: CompressorContext
  readonly #limits: { readonly maxCompressions: number }
  #active = 0

  /** @param limits looked into for each response: how many are compressed at a time */
  constructor(context: CompressorContext, limits: { readonly maxCompressions: number }) {
    this.#context = context
    this.#limits = limits
  }

  /** How many responses are being compressed. */
  get active(): number {
    return this.#active
  }

  /** Whether another one may be. */
  get free(): boolean {
    return this.#active < this.#limits.maxCompressions
  }

  /** Begins one. @param length octets that go in, where that is known */
  start(encoding: Encoding, length: number | undefined, sink: CompressorSink): Compressor {
    const encoder = createEncoder(encoding, length)
    this.#active++
    return new Compressor(encoder, this.#context, sink, () => {
      this.#active--
    })
  }
}

/** What goes to the client in place of a response head. */
export interface Plan extends AlteredHead {
  /** what the body goes through; absent: it goes as it comes */
  readonly encoding?: Encoding
}

/** Compression as one route has it. */
export class Compression {
  readonly #rule: CompressionRule
  readonly #compressors: Compressors

  constructor(config: CompressionConfig, compressors: Compressors) {
    this.#rule = compileRule(config, availableEncodings())
    this.#compressors = compressors
  }

  /** What the chunks of its responses are framed in. */
  get chunks(): ChunkFrame {
    return this.#compressors.chunks
  }

  /** What becomes of a final response. */
  plan(request: RequestHead, response: ResponseHead): Plan {
    if (response.status === 304 && mayStandForCompressed(this.#rule, response))
      return notModifiedHead(response, request)
    const verdict = judge(this.#rule, request, response)
    if (verdict === 'untouched') return { head: response, lines: '' }
    if (verdict === 'identity') return variedHead(response)
    if (response.framing === NO_BODY) return compressedHead(response, verdict) // HEAD says what GET would
    // Past the limit memory counts for more than size.
    if (!this.#compressors.free) return variedHead(response)
    return { ...compressedHead(response, verdict), encoding: verdict }
  }

  /** Begins what was planned. */
  start(encoding: Encoding, response: ResponseHead, sink: CompressorSink): Compressor {
    const { framing } = response
    return this.#compressors.start(encoding, framing.kind === 'length' ? framing.length : undefined, sink)
  }
}
