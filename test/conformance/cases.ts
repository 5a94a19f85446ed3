// What a case is: octets from a client, the section that decides them, and what must become of them.

import type { Meaning } from './meaning.ts'
import { head } from './octets.ts'

/** What must become of the octets. */
export type Expectation =
  /** Answered with one of these statuses; no octet of it completes a request at the upstream. */
  | { readonly kind: 'refuse'; readonly statuses: readonly number[]; readonly kept: boolean }
  /** Forwarded with exactly its own meaning by strict reading; `meaning` states parts of the first request's again. */
  | { readonly kind: 'forward'; readonly meaning: Partial<Meaning> }
  /** A recipient may refuse or repair: refused as above, or forwarded with exactly the meaning stated. */
  | { readonly kind: 'either'; readonly meaning: Partial<Meaning> }

/** One case. Octets are latin1 text. */
export interface Case {
  readonly name: string
  readonly octets: string
  /** the section that decides */
  readonly rfc: string
  readonly expect: Expectation
  /** whether a good request with a marker is sent straight behind the octets; so it is unless this says no */
  readonly probe?: boolean
  /** how many good requests come before the one in question; none unless this says so */
  readonly before?: number
  /** offsets at which a write ends; all octets are written at once unless there are some */
  readonly cuts?: readonly number[]
  /** whether the client closes its sending side behind the octets */
  readonly fin?: boolean
}

/** Cases that share one process and one upstream. */
export interface Group {
  readonly name: string
  readonly cases: readonly Case[]
  /** settings beyond the usual ones */
  readonly env?: Readonly<Record<string, string>>
}

/** Refused with one of these statuses, and the connection closed. */
export function refuse(...statuses: number[]): Expectation {
  return { kind: 'refuse', statuses, kept: false }
}

/** Cut off, or refused with one of these statuses: a client that has ended its side may no longer be there. */
export function cutOff(...statuses: number[]): Expectation {
  return { kind: 'refuse', statuses: [NO_ANSWER, ...statuses], kept: false }
}

/** Among the statuses of a refusal: none at all, the connection just ends. */
export const NO_ANSWER = 0

/** Refused, though where it ends is known: the connection goes on. */
export function refuseAndKeep(...statuses: number[]): Expectation {
  return { kind: 'refuse', statuses, kept: true }
}

/** Forwarded with the meaning it has by strict reading; `meaning` says parts of it once more, by hand. */
export function forward(meaning: Partial<Meaning> = {}): Expectation {
  return { kind: 'forward', meaning }
}

/** Refused, or forwarded with this meaning and no other. */
export function either(meaning: Partial<Meaning>): Expectation {
  return { kind: 'either', meaning }
}

/** The Host line of nearly every case. */
export const HOST = 'Host: origin.test'

/** What becomes a request of its own wherever an upstream finds the end of the one before it too early. */
export const SMUGGLED = head('GET /smuggled HTTP/1.1', HOST)

/** A request without a body: `GET /case HTTP/1.1`, Host, and these lines. */
export function get(...lines: string[]): string {
  return head('GET /case HTTP/1.1', HOST, ...lines)
}

/** The head of a request with a body: `POST /case HTTP/1.1`, Host, and these lines. */
export function post(...lines: string[]): string {
  return head('POST /case HTTP/1.1', HOST, ...lines)
}

/** A case, in the order in which one reads it. */
export function one(
  name: string,
  octets: string,
  rfc: string,
  expect: Expectation,
  more: Partial<Case> = {},
): Case {
  return { name, octets, rfc, expect, ...more }
}

/** The same case, an octet a write. */
export function slowly(quick: Case): Case {
  return {
    ...quick,
    name: `${quick.name}, octet by octet`,
    cuts: Array.from({ length: quick.octets.length }, (_, at) => at),
  }
}
