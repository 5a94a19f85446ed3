// A strict parser of responses for the tests alone: what signet sends its clients must be read by it without a complaint.

import {
  Complaint,
  Cursor,
  connectionOptions,
  type Field,
  Incomplete,
  readChunked,
  readFields,
  statedFraming,
  valuesOf,
} from './strict-grammar.ts'

/** A response, interim ones included. */
export interface StrictResponse {
  readonly status: number
  readonly reason: string
  readonly fields: readonly Field[]
  readonly framing: 'none' | 'length' | 'chunked' | 'until-close'
  /** the content, chunked framing taken off; what came of it when it was cut short */
  readonly body: string
  readonly trailers: readonly Field[]
  /** whether the connection ends with it */
  readonly closes: boolean
  /** false when the octets end within its body */
  readonly complete: boolean
  readonly end: number
}

/** The request that a response answers, as far as its framing depends on it. */
export interface Asked {
  readonly method: string
  readonly minor: number
}

/** How the sender ended the connection, if it has. */
export type Ended = 'fin' | 'reset' | 'open'

/** What the octets of one connection come to. */
export interface ResponseReading {
  /** final responses, in order, and before each the interim ones that preceded it */
  readonly responses: readonly StrictResponse[]
  readonly interims: readonly StrictResponse[]
  readonly complaint?: Complaint
}

/**
 * Reads all responses of a connection.
 *
 * @param asked the requests, in order; a response beyond them is a complaint, one that nobody could have asked for too
 */
export function readResponses(octets: string, asked: readonly Asked[], ended: Ended): ResponseReading {
  const responses: StrictResponse[] = []
  const interims: StrictResponse[] = []
  let at = 0
  try {
    while (at < octets.length) {
      const question = asked[responses.length]
      if (question === undefined) throw new Complaint('octets that answer nothing', 'RFC 9112 §9.2', at)
      if (responses.at(-1)?.closes)
        throw new Complaint('octets behind the last response', 'RFC 9112 §9.6', at)
      const response = readResponse(new Cursor(octets, at), question, ended)
      at = response.end
      if (response.status >= 200) responses.push(response)
      else if (question.minor === 0)
        throw new Complaint('an interim response to HTTP/1.0', 'RFC 9110 §15.2', at)
      else interims.push(response)
      if (!response.complete) break
    }
  } catch (thrown) {
    if (thrown instanceof Complaint) return { responses, interims, complaint: thrown }
    if (!(thrown instanceof Incomplete)) throw thrown
    return { responses, interims, complaint: new Complaint('a head that was cut short', 'RFC 9112 §8', at) }
  }
  return { responses, interims }
}

function readResponse(cursor: Cursor, asked: Asked, ended: Ended): StrictResponse {
  const start = cursor.at
  const line = /^HTTP\/1\.1 ([1-5][0-9]{2}) ([\t -~\x80-\xff]*)$/.exec(cursor.line())
  if (line === null) throw new Complaint('a malformed status line', 'RFC 9112 §4', start)
  const status = Number(line[1])
  const fields = readFields(cursor)
  const stated = statedFraming(fields, 1, start)
  const bodiless = status < 200 || status === 204
  if (bodiless && stated.kind !== 'none') {
    throw new Complaint(`${status} with a framing field`, 'RFC 9110 §8.6, RFC 9112 §6.1', start)
  }
  if (stated.kind === 'chunked' && asked.minor === 0) {
    throw new Complaint('Transfer-Encoding toward HTTP/1.0', 'RFC 9112 §6.1', start)
  }
  if (stated.kind === 'chunked' && stated.codings.length > 0) {
    throw new Complaint('a transfer coding nobody asked for', 'RFC 9112 §7.4', start)
  }
  const base = {
    status,
    reason: line[2] ?? '',
    fields,
    trailers: [] as readonly Field[],
    closes: connectionOptions(fields).includes('close'),
  }
  if (bodiless || status === 304 || asked.method === 'HEAD') {
    return { ...base, framing: 'none', body: '', complete: true, end: cursor.at }
  }
  if (stated.kind === 'none') {
    const body = cursor.text.slice(cursor.at)
    const end = cursor.text.length
    return { ...base, framing: 'until-close', body, closes: true, complete: ended === 'fin', end }
  }
  const bodyAt = cursor.at
  try {
    if (stated.kind === 'length') {
      const body = cursor.take(stated.length)
      return { ...base, framing: 'length', body, complete: true, end: cursor.at }
    }
    const { data, trailers } = readChunked(cursor, false)
    return { ...base, framing: 'chunked', body: data, trailers, complete: true, end: cursor.at }
  } catch (thrown) {
    if (!(thrown instanceof Incomplete)) throw thrown
    const end = cursor.text.length
    return { ...base, framing: stated.kind, body: cursor.text.slice(bodyAt), complete: false, end }
  }
}

/** The failure code that a refusal of signet's own names, or undefined: then it is not one (RFC 9457). */
export function refusalCode({ fields, body, status }: StrictResponse): string | undefined {
  if (valuesOf(fields, 'content-type')[0] !== 'application/problem+json') return undefined
  try {
    const problem = JSON.parse(body) as { status?: unknown; code?: unknown }
    return problem.status === status && typeof problem.code === 'string' ? problem.code : undefined
  } catch {
    return undefined
  }
}
