// A strict parser of requests for the tests alone: octets → the requests they are, or why they are none. It accepts what
// a sender may generate by RFC 9112 and, of what a recipient may tolerate beyond that, one empty line before a request
// (§2.2). Everything else is a complaint, and nothing behind a complaint is read.

import {
  type ChunkNotes,
  Complaint,
  connectionOptions,
  Cursor,
  type Field,
  type Framing,
  Incomplete,
  isToken,
  readChunked,
  readFields,
  statedFraming,
  valuesOf,
} from './strict-grammar.ts'
import {
  isStrictAuthority,
  readStrictTarget,
  type StrictTarget,
  type TargetLeniency,
} from './strict-target.ts'

/** A request that has exactly one meaning. */
export interface StrictRequest {
  readonly method: string
  /** as it stood */
  readonly target: string
  readonly parts: StrictTarget
  /** minor version of HTTP/1 */
  readonly minor: 0 | 1
  readonly fields: readonly Field[]
  /** the value of Host; HTTP/1.0 may have none */
  readonly host: string | undefined
  readonly framing: Framing
  /** the content, chunked framing taken off */
  readonly body: string
  readonly trailers: readonly Field[]
  /** whether another request may follow (RFC 9112 §9.3) */
  readonly persistent: boolean
  /** offset of its first octet, an empty line before it included */
  readonly start: number
  /** offset behind its last octet */
  readonly end: number
  readonly chunks: Readonly<ChunkNotes>
}

/** What octets of one connection come to. */
export interface Reading {
  readonly requests: readonly StrictRequest[]
  /**
   * `boundary`: they end between two requests; `closed`: the last request read lets none follow; `incomplete`: they end
   * within one; `refused`: they are not HTTP/1.1
   */
  readonly outcome: 'boundary' | 'closed' | 'incomplete' | 'refused'
  readonly complaint?: Complaint
  /** the request within whose body the octets end or go wrong: its head alone is meant */
  readonly unfinished?: StrictRequest
}

/** What decisions allow beyond the grammar; see `exceptions.ts` for the reasons. */
export interface Leniency extends TargetLeniency {
  /** chunk extensions are not looked at, beyond their octets */
  readonly anyExtension?: boolean
}

/** Reads all requests of a connection. */
export function readRequests(octets: string, leniency: Leniency = {}): Reading {
  const requests: StrictRequest[] = []
  let at = 0
  while (at < octets.length) {
    let head: StrictRequest | undefined
    try {
      const cursor = new Cursor(octets, at)
      head = readRequestHead(cursor, leniency)
      const request = readBody(cursor, head, leniency)
      requests.push(request)
      at = request.end
      if (!request.persistent) return { requests, outcome: 'closed' }
    } catch (thrown) {
      const unfinished = head === undefined ? {} : { unfinished: head }
      if (thrown instanceof Incomplete) return { requests, outcome: 'incomplete', ...unfinished }
      if (thrown instanceof Complaint)
        return { requests, outcome: 'refused', complaint: thrown, ...unfinished }
      throw thrown
    }
  }
  return { requests, outcome: 'boundary' }
}

function readRequestHead(cursor: Cursor, leniency: Leniency): StrictRequest {
  const start = cursor.at
  if (cursor.text.startsWith('\r\n', start)) cursor.at += 2
  const lineAt = cursor.at
  const { method, target, minor } = readRequestLine(cursor.line(), lineAt)
  const parts = readStrictTarget(method, target, leniency)
  if (typeof parts === 'string') throw new Complaint(`request-target: ${parts}`, 'RFC 9112 §3.2', lineAt)
  const fields = readFields(cursor)
  const host = readHost(valuesOf(fields, 'host'), minor, lineAt)
  const framing = statedFraming(fields, minor, lineAt)
  if (
    method === 'TRACE' &&
    (framing.kind === 'chunked' || (framing.kind === 'length' && framing.length > 0n))
  ) {
    throw new Complaint('TRACE with content', 'RFC 9110 §9.3.8', lineAt)
  }
  return {
    method,
    target,
    parts,
    minor,
    fields,
    host,
    framing,
    body: '',
    trailers: [],
    persistent: minor === 1 && !connectionOptions(fields).includes('close'),
    start,
    end: cursor.at,
    chunks: { digits: 0, extensions: '' },
  }
}

function readRequestLine(line: string, at: number): { method: string; target: string; minor: 0 | 1 } {
  const [method, target, version, ...more] = line.split(' ')
  if (method === undefined || !isToken(method))
    throw new Complaint('a method that is no token', 'RFC 9112 §3.1', at)
  if (target === undefined || target === '' || version === undefined || more.length > 0) {
    throw new Complaint('not method, request-target and version with one blank between', 'RFC 9112 §3', at)
  }
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(version)) throw new Complaint('a malformed version', 'RFC 9112 §2.3', at)
  if (version !== 'HTTP/1.0' && version !== 'HTTP/1.1')
    throw new Complaint('another version', 'RFC 9110 §2.5', at)
  return { method, target, minor: version === 'HTTP/1.0' ? 0 : 1 }
}

function readHost(values: readonly string[], minor: number, at: number): string | undefined {
  const [host] = values
  if (values.length > 1) throw new Complaint('more than one Host', 'RFC 9112 §3.2', at)
  if (host === undefined) {
    if (minor === 1) throw new Complaint('no Host', 'RFC 9112 §3.2', at)
    return undefined
  }
  if (!isStrictAuthority(host)) throw new Complaint('a malformed Host', 'RFC 9112 §3.2', at)
  return host
}

function readBody(cursor: Cursor, head: StrictRequest, { anyExtension = false }: Leniency): StrictRequest {
  switch (head.framing.kind) {
    case 'none':
      return head
    case 'length': {
      const body = cursor.take(head.framing.length)
      return { ...head, body, end: cursor.at }
    }
    case 'chunked': {
      const { data, trailers } = readChunked(cursor, anyExtension, head.chunks)
      return { ...head, body: data, trailers, end: cursor.at }
    }
  }
}
