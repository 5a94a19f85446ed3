// Where signet and the letter of the RFCs part, as one table: each row with the decision that says so. The differential
// test holds the two equal everywhere else.

import { valuesOf } from './strict-grammar.ts'
import type { Leniency, StrictRequest } from './strict-parser.ts'

/**
 * What signet lets pass and the grammar does not. These are switches of the strict parser, so that nothing hides behind
 * them: a request with two faults, of which one is let pass, is refused by both for the other.
 */
export const LENIENCIES = {
  // docs/decisions/0004, request-targets: browsers send these octets as they are (WHATWG URL).
  browserTargets: true,
  // docs/decisions/0004, chunk extensions: dropped, so that only their octets and their amount are looked at.
  anyExtension: true,
} as const satisfies Leniency

/** One way in which signet refuses what the grammar allows. */
export interface Stricter {
  readonly name: string
  readonly why: string
  /** @param octets as received, of this request alone */
  readonly applies: (request: StrictRequest, octets: string) => boolean
}

const METHODS = new Set(
  (
    'ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS ' +
    'PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE'
  ).split(' '),
)
/** A DNS name, an IPv4 address or a bracketed IPv6 address, with an optional port. */
const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~]+)(?::([0-9]{1,5}))?$/

/** What signet refuses and the grammar does not. */
export const STRICTER: readonly Stricter[] = [
  {
    name: 'a method llhttp does not know',
    why: 'docs/decisions/0004, methods: 501 (RFC 9110 §9.1)',
    applies: ({ method }) => !METHODS.has(method),
  },
  {
    name: 'CONNECT',
    why: 'signet is a gateway: 501 (RFC 9110 §9.3.6)',
    applies: ({ method }) => method === 'CONNECT',
  },
  {
    name: 'absolute-form with a scheme other than http',
    why: 'docs/decisions/0004, https in absolute-form: 421 (RFC 9110 §7.4)',
    applies: ({ parts }) => parts.form === 'absolute' && parts.scheme !== 'http',
  },
  {
    name: 'an authority that is no DNS name, no IP address, or has no port behind its colon',
    why: 'docs/decisions/0004, Host',
    applies: ({ parts, host }) =>
      [parts.authority, host].some((text) => text !== undefined && !isPlain(text)),
  },
  {
    name: 'Content-Length with leading zeros, or above 2^53',
    why: 'docs/decisions/0004, Content-Length',
    applies: ({ fields }) =>
      valuesOf(fields, 'content-length').some((value) => /^0[0-9]|^[0-9]{16}/.test(value)),
  },
  {
    name: 'Content-Length with a tab behind it',
    why: 'llhttp refuses it; nobody sends it, and refusing is safe',
    applies: (_request, octets) => /^content-length:[^\r\n]*\t[\t ]*\r$/im.test(octets),
  },
  {
    name: 'a transfer coding under chunked',
    why: 'RFC 9112 §6.1: 501 for a coding that is not known',
    applies: ({ framing }) => framing.kind === 'chunked' && framing.codings.length > 0,
  },
  {
    name: 'chunk sizes of more than 12 digits, too many octets of extensions, or others than visible ASCII in them',
    why: 'ARCHITECTURE.md, limits; docs/decisions/0001',
    applies: ({ chunks: { digits, extensions } }) =>
      digits > 12 || extensions.length > 4096 || /[^\t -~]/.test(extensions),
  },
  {
    name: 'a name that may be folded onto a framing field',
    why: 'docs/decisions/0001: an upstream may read it as one',
    applies: ({ fields }) =>
      fields.some(
        ([name]) =>
          /^(content[^a-z0-9]length|transfer[^a-z0-9]encoding)$/i.test(name) &&
          !/^[a-z]+-[a-z]+$/i.test(name),
      ),
  },
  {
    name: 'a framing field in a trailer section that would be wrong in a head too',
    why: 'RFC 9110 §6.5.1: it must not be there at all; a right one is dropped, a wrong one llhttp refuses',
    applies: ({ trailers }) => trailers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name)),
  },
  {
    name: 'an expectation other than exactly one 100-continue',
    why: 'docs/decisions/0004, Expect: 417 (RFC 9110 §10.1.1)',
    applies: ({ fields }) => {
      const values = valuesOf(fields, 'expect')
      return values.length > 1 || values.some((value) => value.toLowerCase() !== '100-continue')
    },
  },
  {
    name: 'Max-Forwards that is no number, or is there twice',
    why: 'RFC 9110 §7.6.2: OPTIONS and TRACE count by it',
    applies: ({ method, fields }) => {
      const values = valuesOf(fields, 'max-forwards')
      return (
        /^(OPTIONS|TRACE)$/.test(method) &&
        values.length > 0 &&
        !(values.length === 1 && /^(0|[1-9][0-9]{0,14})$/.test(values[0]!))
      )
    },
  },
  {
    name: 'too much of anything',
    why: 'ARCHITECTURE.md, limits: head, request-target, field lines, trailer section',
    applies: ({ fields, trailers, target, start, end, body }) =>
      fields.length > 100 ||
      trailers.length > 100 ||
      target.length > 8192 ||
      end - start - body.length > 16_384,
  },
]

function isPlain(authority: string): boolean {
  const match = AUTHORITY.exec(authority)
  return match !== null && Number(match[1] ?? 0) <= 65_535
}

/** The row by which signet may refuse this request, if there is one. */
export function stricterFor(request: StrictRequest, octets: string): Stricter | undefined {
  return STRICTER.find(({ applies }) => applies(request, octets))
}
