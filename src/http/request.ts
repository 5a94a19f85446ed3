// From what llhttp found to a request that signet vouches for, or the refusal. llhttp lets pass what RFC 9110 and 9112
// do not (docs/decisions/0001-llhttp-in-place.md lists it): the difference is decided here, before anything is forwarded.

import { ProxyError } from '../errors.ts'
import { type FieldRule, type FieldRules, type LineRules, readContentLength } from './forward-fields.ts'
import { type FieldSection, listMembers } from './fields.ts'
import { type Framing, type FramingFields, NO_BODY, requestFraming } from './framing.ts'
import { allIn, TCHAR } from './octets.ts'
import type { ParsedRequest } from './parser.ts'
import { isAuthority, PLAIN_FORMS, readTarget } from './request-target.ts'

/** A request head that was read, judged, and has exactly one meaning. */
export interface RequestHead {
  readonly method: string
  /** the request-target as received, for the log */
  readonly received: string
  /** the request-target to forward: origin-form or `*` */
  readonly target: string
  /** minor version of HTTP/1: 0 or 1 */
  readonly minor: number
  /** what Host is to say upstream; undefined only for HTTP/1.0 without one */
  readonly authority: string | undefined
  readonly framing: Framing
  /** Content-Length as received: 0 says that there is no body, where saying nothing would leave that open */
  readonly contentLength: number | undefined
  /** whether the client lets the connection carry another request (RFC 9112 §9.3) */
  readonly persistent: boolean
  /** the protocol that the client asks to switch to, lower-case, when it may be asked for at all */
  readonly upgrade: string | undefined
  /** whether the client waits for 100: never HTTP/1.0, nor without a body to wait with (RFC 9110 §10.1.1) */
  readonly expectsContinue: boolean
  /** whether the client takes trailer fields (RFC 9110 §10.1.4) */
  readonly takesTrailers: boolean
  /** all Via values, joined by commas; empty when there is none */
  readonly via: string
  /** Max-Forwards of OPTIONS and TRACE (RFC 9110 §7.6.2) */
  readonly maxForwards: number | undefined
  /** names in Connection, lower-case, that are no option known here: these fields are dropped */
  readonly nominated: ReadonlySet<string> | undefined
  readonly fields: FieldSection
  readonly rules: LineRules
}

/** What the received fields of either kind of message say about the connection and the body. */
export class HeadFacts implements FramingFields {
  contentLength: number | undefined = undefined
  contentLengthLines = 0
  transferEncoding = ''
  transferEncodingLines = 0
  close = false
  keepAlive = false
  upgradeNominated = false
  nominated: Set<string> | undefined = undefined

  /** Notes a Content-Length line. */
  addContentLength(value: string): void {
    this.contentLengthLines++
    this.contentLength = readContentLength(value)
  }

  /** Notes a Transfer-Encoding line. */
  addTransferEncoding(value: string): void {
    this.transferEncodingLines++
    this.transferEncoding = value.toLowerCase()
  }

  /** Notes a Connection line (RFC 9110 §7.6.1). */
  addConnection(value: string): void {
    // What nearly all say, without a list: saves 0.2 µs a head (bench/head).
    if (value === 'keep-alive') {
      this.keepAlive = true
      return
    }
    for (const option of listMembers(value)) {
      if (option === 'close') this.close = true
      else if (option === 'keep-alive') this.keepAlive = true
      else if (option === 'upgrade') this.upgradeNominated = true
      else if (option !== 'te') (this.nominated ??= new Set()).add(option)
    }
  }

  /** RFC 9112 §9.3, as far as the message itself decides. HTTP/1.0 needs the sender's word for it. */
  persistent(minor: number): boolean {
    return !this.close && (minor === 1 || this.keepAlive)
  }
}

/** How `HTTP/1.` stands in a start line, and how long the version is with its minor digit. */
const VERSION = 'HTTP/1.'
const VERSION_LENGTH = 8

/**
 * Judges a parsed request head.
 *
 * @param maxTargetSize octets of the longest request-target
 * @param forms which forms of request-target the connection may use
 * @throws {ProxyError} the refusal: any code with side `downstream` and status 4xx or 5xx
 */
export function readRequest(
  parsed: ParsedRequest,
  rules: FieldRules,
  maxTargetSize: number,
  forms = PLAIN_FORMS,
): RequestHead {
  const { fields } = parsed
  const { text } = fields
  const { method, minor } = readRequestLine(parsed)
  const received = text.slice(parsed.targetStart, parsed.targetEnd)
  if (received.length > maxTargetSize) {
    throw new ProxyError('ERR_TARGET_TOO_LONG', `request-target of ${received.length} octets`)
  }
  const target = readTarget(method, received, forms)

  const facts = new HeadFacts()
  let hostLines = 0
  let host = ''
  let via = ''
  let upgrade = ''
  let expectations = 0
  let takesTrailers = false
  let maxForwards: number | undefined
  const lineRules: (FieldRule | undefined)[] = []
  for (let line = 0; line < fields.count; line++) {
    const rule = rules.lookUp(text, fields.lineStart(line), fields.nameEnd(line))
    lineRules.push(rule)
    if (rule === undefined) continue
    switch (rule.treatment) {
      case 'host':
        hostLines++
        host = fields.value(line)
        break
      case 'content-length':
        facts.addContentLength(fields.value(line))
        break
      case 'transfer-encoding':
        facts.addTransferEncoding(fields.value(line))
        break
      case 'connection':
        facts.addConnection(fields.value(line))
        break
      case 'te':
        takesTrailers ||= listMembers(fields.value(line)).includes('trailers')
        break
      case 'upgrade':
        upgrade =
          upgrade === '' ? fields.value(line).toLowerCase() : `${upgrade},${fields.value(line).toLowerCase()}`
        break
      case 'expect':
        if (fields.value(line).toLowerCase() !== '100-continue' || ++expectations > 1) {
          throw new ProxyError('ERR_EXPECTATION_UNKNOWN', 'Expect is not exactly 100-continue')
        }
        break
      case 'via':
        via = via === '' ? fields.value(line) : `${via},${fields.value(line)}`
        break
      case 'max-forwards':
        if (maxForwards !== undefined)
          throw new ProxyError('ERR_HEAD_MALFORMED', 'more than one Max-Forwards')
        maxForwards = readMaxForwards(method, fields.value(line))
        break
      case 'framing-imitation':
        throw new ProxyError('ERR_FRAMING_AMBIGUOUS', `${fields.name(line)} imitates a framing field`)
      case 'asserted':
      case 'hop-by-hop':
      case 'date':
      case 'end-to-end':
        break
    }
  }

  const framing = requestFraming(facts, minor)
  if (method === 'TRACE' && framing !== NO_BODY) {
    throw new ProxyError('ERR_FRAMING_AMBIGUOUS', 'TRACE with a body') // RFC 9110 §9.3.8
  }
  // RFC 9110 §9.3.6: what follows the head of a CONNECT is the tunnel's, whatever framing is claimed for it.
  if (method === 'CONNECT' && (facts.contentLength !== undefined || framing !== NO_BODY)) {
    throw new ProxyError('ERR_FRAMING_AMBIGUOUS', 'CONNECT with a body')
  }
  const mayUpgrade = minor === 1 && facts.upgradeNominated && framing === NO_BODY && upgrade !== ''
  return {
    method,
    received,
    target: target.forwarded,
    minor,
    authority: readHost(hostLines, host, target.authority, minor),
    framing,
    contentLength: facts.contentLength,
    // RFC 9112 §9.3: a proxy keeps no connection open for HTTP/1.0, whatever Keep-Alive it sends. Behind a CONNECT nothing
    // can be a request: a client that is refused may have sent the first octets of its tunnel already.
    persistent: minor === 1 && method !== 'CONNECT' && facts.persistent(minor),
    // RFC 6455 §4.1: a WebSocket begins with GET.
    upgrade: mayUpgrade && (upgrade !== 'websocket' || method === 'GET') ? upgrade : undefined,
    expectsContinue: minor === 1 && expectations === 1 && framing !== NO_BODY,
    takesTrailers: minor === 1 && takesTrailers,
    via,
    maxForwards,
    nominated: facts.nominated,
    fields,
    rules: lineRules,
  }
}

/** Methods that nearly all requests have: as strings made once they cost no look-up to be told apart and counted. */
const COMMON_METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS']

/** `method SP request-target SP HTTP/1.x CR LF`, and nothing but (RFC 9112 §3). llhttp is looser about every part. */
function readRequestLine({ fields: { text }, targetStart, targetEnd }: ParsedRequest) {
  const methodEnd = targetStart - 1
  const method =
    COMMON_METHODS.find((one) => one.length === methodEnd && text.startsWith(one)) ?? text.slice(0, methodEnd)
  const versionAt = targetEnd + 1
  if (text.charCodeAt(methodEnd) !== 0x20 || !allIn(TCHAR, method, 0, method.length)) {
    throw new ProxyError('ERR_HEAD_MALFORMED', 'the method is not followed by exactly one blank')
  }
  if (text.charCodeAt(targetEnd) !== 0x20 || !text.startsWith('\r\n', versionAt + VERSION_LENGTH)) {
    throw new ProxyError(
      'ERR_HEAD_MALFORMED',
      'the request line does not end in one blank, version and CR LF',
    )
  }
  const minor = text.charCodeAt(versionAt + VERSION.length) - 0x30
  if (!text.startsWith(VERSION, versionAt) || (minor !== 0 && minor !== 1)) {
    throw new ProxyError('ERR_VERSION_UNSUPPORTED', 'neither HTTP/1.0 nor HTTP/1.1')
  }
  return { method, minor }
}

/**
 * What Host says upstream (RFC 9112 §3.2): an absolute-form wins over the field, but the field must be right even so.
 */
function readHost(
  lines: number,
  host: string,
  fromTarget: string | undefined,
  minor: number,
): string | undefined {
  if (lines > 1) throw new ProxyError('ERR_HOST_INVALID', 'more than one Host')
  if (lines === 1 && !isAuthority(host)) throw new ProxyError('ERR_HOST_INVALID', 'malformed Host')
  if (lines === 0 && minor === 1) throw new ProxyError('ERR_HOST_INVALID', 'no Host')
  return fromTarget ?? (lines === 1 ? host : undefined)
}

/** Max-Forwards means something for OPTIONS and TRACE alone (RFC 9110 §7.6.2). */
function readMaxForwards(method: string, value: string): number | undefined {
  if (method !== 'OPTIONS' && method !== 'TRACE') return undefined
  const hops = readContentLength(value)
  if (hops === undefined) throw new ProxyError('ERR_HEAD_MALFORMED', 'Max-Forwards is not a number')
  return hops
}
