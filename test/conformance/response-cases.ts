// How response cases are written down.

import { HOST } from './cases.ts'
import { head } from './octets.ts'
import {
  CASE,
  type Relayed,
  type ResponseCase,
  type ResponseExpectation,
  type Step,
} from './run-responses.ts'

/** Relayed with this meaning; 200 and `hello` unless it says otherwise. */
export const relay = (expected: Partial<Relayed> = {}): ResponseExpectation => ({
  kind: 'relay',
  status: 200,
  body: 'hello',
  ...expected,
})
/** Relayed so, or answered 502. */
export const either = (expected: Partial<Relayed> = {}): ResponseExpectation => ({
  kind: 'either',
  status: 200,
  body: 'hello',
  ...expected,
})
/** Answered 502, or one of these statuses. */
export const bad = (...statuses: number[]): ResponseExpectation => ({
  kind: 'bad',
  statuses: statuses.length > 0 ? statuses : [502],
})
/** Cut short behind at most this much of the body. */
export const cut = (body: string, status = 200): ResponseExpectation => ({ kind: 'cut', status, body })

/** A case, in the order in which one reads it. */
export const answer = (
  name: string,
  rfc: string,
  script: Step | readonly Step[],
  expect: ResponseExpectation,
  more: Partial<ResponseCase> = {},
): ResponseCase => ({
  name,
  rfc,
  script: typeof script === 'object' && !('wait' in script) ? script : [script],
  expect,
  ...more,
})

/** A response of status 200 with these lines and the body `hello`. */
export const ok = (...lines: string[]) => `${head('HTTP/1.1 200 OK', 'Content-Length: 5', ...lines)}hello`
/** The section that decides about octets behind a response. */
export const SURPLUS = 'RFC 9112 §9.2'
/** What would do harm if it became the answer to another request. */
export const EVIL = `${head('HTTP/1.1 200 OK', 'Content-Length: 4')}evil`
/** A request for the case, with these lines. */
export const asked = (method: string, ...lines: string[]) =>
  head(`${method} ${CASE} HTTP/1.1`, HOST, ...lines)
/** The case asked by HEAD. */
export const HEAD = { request: asked('HEAD') }
/** The case asked by POST, with a body. */
export const POST = { request: `${asked('POST', 'Content-Length: 5')}hello` }
/** The case asked in HTTP/1.0. */
export const HTTP10 = { request: head(`GET ${CASE} HTTP/1.0`, HOST) }

/** The head of a response of status 200 with these lines. */
export const framed = (...lines: string[]) => head('HTTP/1.1 200 OK', ...lines)
/** The line that frames a body in chunks. */
export const CHUNKED = 'Transfer-Encoding: chunked'
/** An interim response with these lines. */
export const interim = (status: number, ...lines: string[]) => head(`HTTP/1.1 ${status} Interim`, ...lines)
