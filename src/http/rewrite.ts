// Received head → forwarded head, in both directions. What passes is copied in runs of whole lines, as received;
// what signet itself says comes last, so that nothing a peer sends can stand after it or remove it.

import { CREDENTIAL, type FieldRule, type FieldRules, type Treatment } from './forward-fields.ts'
import { type FieldSection, fold } from './fields.ts'
import type { Framing } from './framing.ts'
import type { RequestHead } from './request.ts'
import type { ResponseHead } from './response.ts'

/** Told of each field line that stops here, and by which rule; none means that Connection named it. */
export type OnDrop = (fields: FieldSection, line: number, rule: FieldRule | undefined) => void

/** Fields of a request that are between the client and signet alone: credentials. */
export interface Withheld {
  /** their folded names: no spelling of them passes */
  readonly names: ReadonlySet<string>
  /** lower-case name of the one among them that passes spelled like this, in the head: what it says was checked */
  readonly checked?: string | undefined
  /** the one among them in whose place signet says something of its own */
  readonly replaced?: string | undefined
}

/** What signet adds to a request, ready to be appended: whole field lines, each with its CR LF. */
export interface RequestAdditions {
  /** request-target in place of the one received */
  readonly target?: string | undefined
  /** Host in place of the one received; X-Forwarded-Host among the lines still tells that */
  readonly authority?: string | undefined
  /** Host of an HTTP/1.0 request that has none: the authority of the upstream */
  readonly fallbackAuthority: string
  /** forwarding fields, Via, and the token's line */
  readonly lines: string
  /** the protocol to switch to, when the client asked and it is allowed */
  readonly upgrade: string | undefined
  readonly withheld?: Withheld | undefined
}

const REQUEST_STOPS: ReadonlySet<Treatment> = new Set<Treatment>([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'te',
  'upgrade',
  'expect',
  'hop-by-hop',
  'asserted',
])

/** The same where Max-Forwards was read, and is said anew with one hop less; of other methods it passes. */
const COUNTED_REQUEST_STOPS: ReadonlySet<Treatment> = new Set<Treatment>([...REQUEST_STOPS, 'max-forwards'])

const RESPONSE_STOPS: ReadonlySet<Treatment> = new Set<Treatment>([
  'content-length',
  'transfer-encoding',
  'connection',
  'te',
  'upgrade',
  'hop-by-hop',
  'asserted',
])

/** The head that goes upstream: always HTTP/1.1, whatever the client speaks (RFC 9110 §2.5). */
export function rewriteRequest(head: RequestHead, additions: RequestAdditions, onDrop?: OnDrop): string {
  const authority = additions.authority ?? head.authority ?? additions.fallbackAuthority
  let text = `${head.method} ${additions.target ?? head.target} HTTP/1.1\r\nHost: ${authority}\r\n`
  const stops = head.maxForwards === undefined ? REQUEST_STOPS : COUNTED_REQUEST_STOPS
  text += passingLines(head, stops, onDrop, additions.withheld)
  if (head.maxForwards !== undefined) text += `Max-Forwards: ${head.maxForwards - 1}\r\n`
  if (head.expectsContinue) text += 'Expect: 100-continue\r\n'
  // Content-Length: 0 stays: without it some upstreams refuse a POST with 411 (RFC 9110 §8.6).
  text += head.contentLength === 0 ? 'Content-Length: 0\r\n' : framingLine(head.framing)
  if (additions.upgrade !== undefined) text += `Connection: Upgrade\r\nUpgrade: ${additions.upgrade}\r\n`
  else if (head.takesTrailers) text += 'Connection: TE\r\nTE: trailers\r\n'
  return `${text}${additions.lines}\r\n`
}

/** What signet decides about a response, beyond copying it. */
export interface ResponseAdditions {
  /** how the body is framed toward the client */
  readonly framing: Framing
  /** whether the client's connection ends with this response */
  readonly close: boolean
  /** the Date line for a response that has none (RFC 9110 §6.6.1) */
  readonly dateLine: string
  /** whole field lines of signet's own, if there are any */
  readonly lines?: string
}

/** The head of a final response, for the client. */
export function rewriteResponse(head: ResponseHead, additions: ResponseAdditions, onDrop?: OnDrop): string {
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`
  text += passingLines(head, RESPONSE_STOPS, onDrop)
  if (!head.hasDate) text += additions.dateLine
  if (additions.framing.kind !== 'none') text += framingLine(additions.framing)
  // Without a body the length still tells what GET would bring (RFC 9110 §8.6); with 204 it must not be there.
  else if (head.contentLength !== undefined && head.status !== 204)
    text += `Content-Length: ${head.contentLength}\r\n`
  if (additions.close) text += 'Connection: close\r\n'
  if (additions.lines !== undefined) text += additions.lines
  return `${text}\r\n`
}

/**
 * The head of an interim response (RFC 9110 §15.2), and of 101, which keeps what it switches to.
 *
 * @param lines what else signet says, as whole field lines
 */
export function rewriteInterim(head: ResponseHead, onDrop?: OnDrop, lines = ''): string {
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`
  text += passingLines(head, RESPONSE_STOPS, onDrop) + lines
  if (head.status === 101) text += `Connection: Upgrade\r\nUpgrade: ${head.upgrade ?? ''}\r\n`
  return `${text}\r\n`
}

/**
 * The trailer fields that may pass (RFC 9110 §6.5.1): none that has a treatment of its own, whatever it is.
 *
 * @param nominated by Connection of the message that the section ends: these stop as well (RFC 9110 §7.6.1)
 * @param withheld these stop, too: nobody has checked what a trailer says
 */
export function rewriteTrailers(
  trailers: FieldSection,
  rules: FieldRules,
  nominated: ReadonlySet<string> | undefined,
  onDrop?: OnDrop,
  withheld?: Withheld,
): string {
  let text = ''
  for (let line = 0; line < trailers.count; line++) {
    const start = trailers.lineStart(line)
    const rule = rules.lookUp(trailers.text, start, trailers.nameEnd(line))
    const name = trailers.name(line)
    const credential = withheld?.names.has(fold(name)) === true
    const passes = rule === undefined && !credential && nominated?.has(name.toLowerCase()) !== true
    if (passes) text += trailers.text.slice(start, trailers.lineEnd(line))
    else onDrop?.(trailers, line, credential ? CREDENTIAL : rule)
  }
  return text
}

/** The field lines that pass, in order, octet for octet as received. */
function passingLines(
  { fields, rules, nominated }: RequestHead | ResponseHead,
  stops: ReadonlySet<Treatment>,
  onDrop: OnDrop | undefined,
  withheld?: Withheld,
): string {
  const { text } = fields
  let passing = ''
  let runStart = -1 // where the run of passing lines began that is still going on
  for (let line = 0; line < fields.count; line++) {
    const start = fields.lineStart(line)
    const rule = rules[line]
    const credential = withheld !== undefined && stopsAsCredential(fields.name(line), withheld)
    const stopsHere =
      credential ||
      (rule === undefined
        ? nominated?.has(fields.name(line).toLowerCase()) === true
        : stops.has(rule.treatment))
    if (!stopsHere) {
      if (runStart === -1) runStart = start
      continue
    }
    onDrop?.(fields, line, credential ? CREDENTIAL : rule)
    if (runStart !== -1) {
      passing += text.slice(runStart, start)
      runStart = -1
    }
  }
  return runStart === -1 ? passing : passing + text.slice(runStart, text.length - 2)
}

function stopsAsCredential(name: string, { names, checked }: Withheld): boolean {
  return names.has(fold(name)) && name.toLowerCase() !== checked
}

function framingLine(framing: Framing): string {
  switch (framing.kind) {
    case 'length':
      return `Content-Length: ${framing.length}\r\n`
    case 'chunked':
      return 'Transfer-Encoding: chunked\r\n'
    case 'none':
    case 'until-close':
      return ''
  }
}
