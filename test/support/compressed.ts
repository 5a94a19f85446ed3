// The client's end of compression, by Node's own decoders: what a test reads must be what a browser would.

import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import type { CompressionConfig, Encoding, GatewayConfig } from '../../src/http/gateway.ts'
import { eventually, type WireMessage } from './wire.ts'

/** What Node has since 22.15. */
interface Zstd {
  zstdDecompressSync(octets: Buffer): Buffer
  createZstdDecompress(): Transform
}

/** The codings that this Node can decode. */
export const ENCODINGS_HERE: readonly Encoding[] =
  'createZstdDecompress' in zlib ? ['br', 'zstd', 'gzip'] : ['br', 'gzip']

/** A gateway whose one route compresses. */
export function compressing(settings: Partial<CompressionConfig> = {}): Partial<GatewayConfig> {
  const compress = { minSize: 1024, encodings: ['br', 'zstd', 'gzip'], ...settings } as const
  return { routes: [{ name: 'default', upstream: 'upstream', path: '/*', compress }] }
}

/** The data of a chunked body, and its trailer section without the empty line. */
export function unchunked(body: Buffer): { data: Buffer; trailers: string } {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, end), 16)
    if (!(size >= 0)) throw new Error(`no chunk size at ${at}`)
    if (size === 0)
      return { data: Buffer.concat(parts), trailers: body.toString('latin1', end + 2, body.length - 2) }
    parts.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

/** All of `octets` decoded; throws unless they are exactly one whole stream. */
export function decode(encoding: Encoding, octets: Buffer): Buffer {
  switch (encoding) {
    case 'br':
      return zlib.brotliDecompressSync(octets)
    case 'gzip':
      return zlib.gunzipSync(octets)
    case 'zstd':
      return (zlib as unknown as Zstd).zstdDecompressSync(octets)
  }
}

/** The content of a chunked response, decoded by what its head says. */
export function contentOf({ head, body }: WireMessage): Buffer {
  const encoding = /\r\nContent-Encoding: (\w+)\r\n/.exec(head)?.[1]
  const { data } = unchunked(body)
  return encoding === undefined ? data : decode(encoding as Encoding, data)
}

/** Decodes a chunked body as it comes. */
export class Decoding {
  readonly #decoder: Transform
  #raw = Buffer.alloc(0)
  /** what has been decoded so far */
  text = ''
  /** octets that have been decoded so far */
  length = 0

  /** @param onOctets takes what was decoded; without it everything is kept as text */
  constructor(encoding: Encoding, onOctets?: (octets: Buffer) => void) {
    this.#decoder =
      encoding === 'br'
        ? zlib.createBrotliDecompress()
        : encoding === 'gzip'
          ? zlib.createGunzip()
          : (zlib as unknown as Zstd).createZstdDecompress()
    this.#decoder.on('error', () => undefined) // seen by what was decoded until then
    this.#decoder.on('data', (octets: Buffer) => {
      this.length += octets.length
      if (onOctets === undefined) this.text += octets.toString('latin1')
      else onOctets(octets)
    })
  }

  /** Takes octets of the body, cut anywhere. */
  readonly take = (piece: Buffer): void => {
    this.#raw = Buffer.concat([this.#raw, piece])
    for (;;) {
      const end = this.#raw.indexOf('\r\n')
      if (end === -1) return
      const size = Number.parseInt(this.#raw.toString('latin1', 0, end), 16)
      if (size === 0 || this.#raw.length < end + 2 + size + 2) return
      this.#decoder.write(this.#raw.subarray(end + 2, end + 2 + size))
      this.#raw = this.#raw.subarray(end + 2 + size + 2)
    }
  }

  /** Waits until so much has been decoded. */
  reached(length: number, ms?: number): Promise<void> {
    return eventually(() => this.length >= length, `${length} decoded octets, with ${this.length}`, ms)
  }

  destroy(): void {
    this.#decoder.destroy()
  }
}

/** So many octets of text as services send it: what is in it comes again, but never quite the same. */
export function prose(length: number): Buffer {
  let text = ''
  for (let id = 0; text.length < length; id++) {
    text += `{"id":${id},"shop":"${((id * 7919) % 65_521).toString(36)}","status":"${id % 3 ? 'paid' : 'open'}"},\n`
  }
  return Buffer.from(text.slice(0, length), 'latin1')
}
