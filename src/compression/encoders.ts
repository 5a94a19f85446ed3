// The codings of node:zlib, set for speed and little memory. In: a coding and, where it is known, how much there will be. Out:
// a transform stream that compresses. The numbers are from bench/compress.

import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { ENCODINGS, type Encoding } from '../http/gateway.ts'

/** A stream that compresses, and can be told to let out what it holds back. */
export interface Encoder extends Transform {
  flush(kind: number, done: () => void): void
}

/** An encoder, and how it is flushed so that all that went in can be read at the other end. */
export interface FlushableEncoder {
  readonly stream: Encoder
  readonly flushKind: number
}

/** Zstandard, which Node has since 22.15, by the names that it has there (RFC 8878). */
interface Zstd {
  createZstdCompress(options: {
    readonly chunkSize: number
    readonly pledgedSrcSize?: number
    readonly params: Readonly<Record<number, number>>
  }): Encoder
  readonly constants: {
    readonly ZSTD_c_compressionLevel: number
    readonly ZSTD_c_windowLog: number
    readonly ZSTD_e_flush: number
  }
}

/** The codings that this Node has. */
export function availableEncodings(): readonly Encoding[] {
  return ENCODINGS.filter((encoding) => encoding !== 'zstd' || 'createZstdCompress' in zlib)
}

/** As small as gzip makes it in less than half of its time; 5 makes it 10 % smaller and takes 1.6 times as long. */
const BROTLI_QUALITY = 4
const GZIP_LEVEL = 6
/** Less than half of brotli's time, for 5 % more octets. */
const ZSTD_LEVEL = 3
/** Octets in which matches are looked for, as a power of 2: 2^22 would save 2 % of them, and take four times the memory. */
const WINDOW = 18
/** From here on brotli would take a table of 4 MiB. */
const MOST_HINTED = 2 ** 20 - 1
/** Octets of one piece of output. */
const CHUNK = 32 * 1024

/**
 * Makes an encoder.
 *
 * @param length octets that will go through it, exactly; undefined where that is not known
 * @throws {RangeError} for a coding that this Node does not have
 */
export function createEncoder(encoding: Encoding, length: number | undefined): FlushableEncoder {
  const chunkSize = length === undefined ? CHUNK : Math.min(CHUNK, length + 128)
  switch (encoding) {
    case 'br':
      return { stream: createBrotli(chunkSize, length), flushKind: zlib.constants.BROTLI_OPERATION_FLUSH }
    case 'gzip':
      return { stream: createGzip(chunkSize, length), flushKind: zlib.constants.Z_SYNC_FLUSH }
    case 'zstd':
      return createZstd(chunkSize, length)
  }
}

function createBrotli(chunkSize: number, length: number | undefined): Encoder {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = zlib.constants
  return zlib.createBrotliCompress({
    chunkSize,
    params: {
      [BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [BROTLI_PARAM_LGWIN]: windowFor(length, 10),
      [BROTLI_PARAM_SIZE_HINT]: Math.min(length ?? 0, MOST_HINTED),
    },
  })
}

/** Its window is at most 2^15; what is small needs less of it, and less of its tables. */
function createGzip(chunkSize: number, length: number | undefined): Encoder {
  const windowBits = Math.min(15, windowFor(length, 9))
  return zlib.createGzip({ chunkSize, level: GZIP_LEVEL, windowBits, memLevel: Math.min(8, windowBits - 5) })
}

function createZstd(chunkSize: number, length: number | undefined): FlushableEncoder {
  if (!hasZstd(zlib)) throw new RangeError('this Node has no zstd')
  const { ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_e_flush } = zlib.constants
  const stream = zlib.createZstdCompress({
    chunkSize,
    ...(length !== undefined && { pledgedSrcSize: length }),
    params: { [ZSTD_c_compressionLevel]: ZSTD_LEVEL, [ZSTD_c_windowLog]: WINDOW },
  })
  return { stream, flushKind: ZSTD_e_flush }
}

function hasZstd(module: object): module is Zstd {
  return 'createZstdCompress' in module
}

/** No more window than there is content. */
function windowFor(length: number | undefined, least: number): number {
  return length === undefined ? WINDOW : Math.min(WINDOW, Math.max(least, Math.ceil(Math.log2(length))))
}
