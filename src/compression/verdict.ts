// Is a response compressed for the client that asked? In: the heads of request and response. Out: a coding, or why not. Pure.

import compressible from 'compressible'
import Negotiator from 'negotiator'
import { combinedValue, listMembers } from '../http/fields.ts'
import type { CompressionConfig, Encoding } from '../http/gateway.ts'
import { NO_BODY } from '../http/framing.ts'
import type { RequestHead } from '../http/request.ts'
import type { ResponseHead } from '../http/response.ts'

/** What becomes of the content of a response. */
export type Verdict =
  | 'untouched' // it is never compressed, whoever asks
  | 'identity' // it would be compressed for another client: caches must know that (RFC 9110 §12.5.5)
  | Encoding

/** What the verdict is found by. */
export interface CompressionRule extends Omit<CompressionConfig, 'types'> {
  /** Whether content of a media type is compressed: lower-case, without parameters. */
  readonly takesType: (type: string) => boolean
}

/**
 * Prepares what a route says about compression.
 *
 * @param available the codings that this Node has
 */
export function compileRule(config: CompressionConfig, available: readonly Encoding[]): CompressionRule {
  const { minSize, encodings, types } = config
  const listed = new Set(types)
  return {
    minSize,
    encodings: encodings.filter((encoding) => available.includes(encoding)),
    takesType:
      types === undefined
        ? (type) => compressible(type) === true
        : (type) => listed.has(type) || listed.has(`${type.slice(0, type.indexOf('/'))}/*`),
  }
}

/** Judges a final response. */
export function judge(rule: CompressionRule, request: RequestHead, response: ResponseHead): Verdict {
  if (!gains(rule, request, response)) return 'untouched'
  // HTTP/1.0 has no chunks, and without a length its end would be the end of the connection.
  if (request.minor === 0 || forbidsTransformation(request)) return 'identity'
  const accepted = combinedValue(request.fields, 'accept-encoding')
  return accepted === undefined ? 'identity' : chooseEncoding(accepted, rule.encodings)
}

/** Whether its representation is one that is compressed for those who accept it. */
function gains(rule: CompressionRule, { method }: RequestHead, response: ResponseHead): boolean {
  const { status, framing, contentLength, fields } = response
  // RFC 9110 §15.3.5, §15.3.6, §15.3.7, §15.4.5: without content, or a part of one.
  if (status === 204 || status === 205 || status === 206 || status === 304) return false
  if (framing === NO_BODY && method !== 'HEAD') return false
  if (contentLength !== undefined && (contentLength < rule.minSize || contentLength === 0)) return false
  if (combinedValue(fields, 'content-encoding') !== undefined) return false
  if (combinedValue(fields, 'content-range') !== undefined) return false // 416 and what is 206 in all but its status
  return isTaken(rule, fields) && !forbidsTransformation(response)
}

/** Whether a response to a condition stands for one that may be compressed: it seldom says of which type (304). */
export function mayStandForCompressed(rule: CompressionRule, response: ResponseHead): boolean {
  const { fields } = response
  if (combinedValue(fields, 'content-encoding') !== undefined || forbidsTransformation(response)) return false
  return combinedValue(fields, 'content-type') === undefined || isTaken(rule, fields)
}

/** Proxies and clients are known that gather compressed events instead of passing them on one by one. */
const EVENTS = 'text/event-stream'

function isTaken(rule: CompressionRule, fields: ResponseHead['fields']): boolean {
  const value = combinedValue(fields, 'content-type')
  if (value === undefined) return false
  const type = mediaType(value)
  return type !== EVENTS && rule.takesType(type)
}

/** `Text/HTML; charset=utf-8` → `text/html` (RFC 9110 §8.3.1). */
function mediaType(value: string): string {
  const end = value.indexOf(';')
  return (end === -1 ? value : value.slice(0, end)).trim().toLowerCase()
}

/** Cache-Control: no-transform, from either side (RFC 9110 §7.7, RFC 9111 §5.2.1.6, §5.2.2.6). */
function forbidsTransformation({ fields }: RequestHead | ResponseHead): boolean {
  const value = combinedValue(fields, 'cache-control')
  return value !== undefined && listMembers(value).includes('no-transform')
}

/**
 * The coding that Accept-Encoding asks for (RFC 9110 §12.5.3): the one with the most weight, of several the first of
 * `encodings`; none where `identity` has more. A client that accepts nothing at all gets it as it is, since that is what it
 * would have got without signet.
 */
export function chooseEncoding(accepted: string, encodings: readonly Encoding[]): Encoding | 'identity' {
  const negotiator = new Negotiator({ headers: { 'accept-encoding': accepted } })
  const chosen = negotiator.encoding([...encodings, 'identity'], { preferred: encodings })
  return encodings.find((encoding) => encoding === chosen) ?? 'identity'
}
