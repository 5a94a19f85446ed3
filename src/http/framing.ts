// Message framing (RFC 9112 §6.3): where a body ends, or the refusal to guess. In: what the head says. Out: Framing.

import { ProxyError } from '../errors.ts'

/** How the end of a body is found. Ambiguous is no variant: it is refused before there is a Framing. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' }

/** No body follows. */
export const NO_BODY: Framing = Object.freeze({ kind: 'none' })
/** The body is in chunks (RFC 9112 §7.1). */
export const CHUNKED: Framing = Object.freeze({ kind: 'chunked' })
/** The body is all that comes until the connection closes: responses only. */
export const UNTIL_CLOSE: Framing = Object.freeze({ kind: 'until-close' })

/** What a head says about its body, gathered from its field lines. */
export interface FramingFields {
  /** the one Content-Length, when there is one and it is believable */
  readonly contentLength: number | undefined
  readonly contentLengthLines: number
  /** the value of the one Transfer-Encoding, lower-case */
  readonly transferEncoding: string
  readonly transferEncodingLines: number
}

/**
 * The framing of a request.
 *
 * @throws {ProxyError} `ERR_FRAMING_AMBIGUOUS` where two readers could disagree, `ERR_CODING_UNKNOWN` for a coding
 *   other than chunked (RFC 9112 §6.1)
 */
export function requestFraming(fields: FramingFields, minor: number): Framing {
  if (fields.transferEncodingLines === 0 && fields.contentLengthLines === 0) return NO_BODY
  const problem = ambiguity(fields, minor)
  if (problem !== undefined) throw new ProxyError('ERR_FRAMING_AMBIGUOUS', problem)
  if (fields.transferEncodingLines === 0) return lengthFraming(fields.contentLength!)
  if (fields.transferEncoding === 'chunked') return CHUNKED
  if (/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(fields.transferEncoding)) {
    throw new ProxyError('ERR_CODING_UNKNOWN', 'Transfer-Encoding names a coding other than chunked')
  }
  throw new ProxyError('ERR_FRAMING_AMBIGUOUS', 'Transfer-Encoding is not exactly chunked')
}

/**
 * The framing of a response to a request with method `method`.
 *
 * @throws {ProxyError} `ERR_RESPONSE_AMBIGUOUS`
 */
export function responseFraming(
  fields: FramingFields,
  minor: number,
  status: number,
  method: string,
): Framing {
  const problem = ambiguity(fields, minor)
  if (problem !== undefined) throw new ProxyError('ERR_RESPONSE_AMBIGUOUS', problem)
  if (fields.transferEncodingLines !== 0 && fields.transferEncoding !== 'chunked') {
    throw new ProxyError('ERR_RESPONSE_AMBIGUOUS', 'Transfer-Encoding is not exactly chunked')
  }
  // RFC 9112 §6.3 rule 1: these never have a body, whatever their fields say.
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return NO_BODY
  if (fields.transferEncodingLines !== 0) return CHUNKED
  if (fields.contentLengthLines !== 0) return lengthFraming(fields.contentLength!)
  return UNTIL_CLOSE
}

/** A body of `length` octets; none at all when that is 0. */
function lengthFraming(length: number): Framing {
  return length === 0 ? NO_BODY : { kind: 'length', length }
}

/** Why two recipients could find different ends for one message; undefined when they cannot. */
function ambiguity(fields: FramingFields, minor: number): string | undefined {
  if (fields.contentLengthLines > 1) return 'more than one Content-Length'
  if (fields.transferEncodingLines > 1) return 'more than one Transfer-Encoding'
  if (fields.transferEncodingLines !== 0) {
    if (fields.contentLengthLines !== 0) return 'both Transfer-Encoding and Content-Length'
    if (minor === 0) return 'Transfer-Encoding in HTTP/1.0' // RFC 9112 §6.1
  }
  if (fields.contentLengthLines !== 0 && fields.contentLength === undefined)
    return 'Content-Length is malformed'
  return undefined
}
