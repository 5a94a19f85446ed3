// Which fields cross the proxy, and why the others stop here. In: a field name as received. Out: its row.

import { fold } from './fields.ts'
import { allIn, DIGIT } from './octets.ts'

/** What signet does with a field line, beyond passing it on. */
export type Treatment =
  /** decides how the head is read, by its own rule in request.ts or response.ts; never passed on as it came */
  | 'host'
  | 'content-length'
  | 'transfer-encoding'
  | 'connection'
  | 'te'
  | 'upgrade'
  /** read, and passed on as it came */
  | 'expect'
  | 'via'
  | 'date'
  | 'max-forwards'
  /** only for this hop: dropped */
  | 'hop-by-hop'
  /** only signet may say this to an upstream: dropped, in every spelling */
  | 'asserted'
  /** a spelling that an upstream may fold onto a framing field: refused */
  | 'framing-imitation'
  /** passes, but neither nominating it in Connection nor putting it into a trailer section works */
  | 'end-to-end'

/** One row: what is done with the field, and why. */
export interface FieldRule {
  readonly treatment: Treatment
  readonly why: string
}

/** Fields with a treatment, by lower-case name. Unlisted fields are end-to-end: they pass, and may be nominated. */
const RULES: ReadonlyMap<string, FieldRule> = new Map(
  Object.entries({
    host: { treatment: 'host', why: 'RFC 9112 §3.2: decided together with the request-target' },
    'content-length': {
      treatment: 'content-length',
      why: 'RFC 9112 §6.2: framing is decided anew for the next hop',
    },
    'transfer-encoding': { treatment: 'transfer-encoding', why: 'RFC 9112 §6.1: the same' },
    connection: { treatment: 'connection', why: 'RFC 9110 §7.6.1: options for this hop only' },
    te: { treatment: 'te', why: 'RFC 9110 §10.1.4: what this hop may receive' },
    upgrade: { treatment: 'upgrade', why: 'RFC 9110 §7.8: for this hop only, unless it becomes a tunnel' },
    expect: { treatment: 'expect', why: 'RFC 9110 §10.1.1' },
    via: { treatment: 'via', why: 'RFC 9110 §7.6.3' },
    date: { treatment: 'date', why: 'RFC 9110 §6.6.1' },
    'max-forwards': { treatment: 'max-forwards', why: 'RFC 9110 §7.6.2' },
    close: { treatment: 'hop-by-hop', why: 'RFC 9112 §9.6: reserved, since it is an option of Connection' },
    'keep-alive': { treatment: 'hop-by-hop', why: 'RFC 9110 §7.6.1: about this connection' },
    'proxy-connection': { treatment: 'hop-by-hop', why: 'RFC 9110 §7.6.1: an old mistake for Connection' },
    'proxy-authorization': {
      treatment: 'hop-by-hop',
      why: 'RFC 9110 §11.7.2: for the proxy that asked for it',
    },
    'proxy-authenticate': { treatment: 'hop-by-hop', why: 'RFC 9110 §11.7.1: to the next client only' },
    'proxy-authentication-info': { treatment: 'hop-by-hop', why: 'RFC 9110 §11.7.3: the same' },
    proxy: { treatment: 'hop-by-hop', why: 'CVE-2016-5385: no such field, but CGI makes it HTTP_PROXY' },
    trailer: { treatment: 'hop-by-hop', why: 'RFC 9110 §6.6.2: which trailer fields come is decided here' },
    'http2-settings': { treatment: 'hop-by-hop', why: 'RFC 9113 §3.1: h2c would pass every check by' },
    authorization: { treatment: 'end-to-end', why: 'RFC 9110 §11.6.2' },
    cookie: { treatment: 'end-to-end', why: 'RFC 6265 §5.4' },
    'set-cookie': { treatment: 'end-to-end', why: 'RFC 6265 §4.1' },
    'www-authenticate': { treatment: 'end-to-end', why: 'RFC 9110 §11.6.1' },
    'cache-control': { treatment: 'end-to-end', why: 'RFC 2616 §14.10 names it' },
    'content-type': { treatment: 'end-to-end', why: 'RFC 9110 §8.3' },
    'content-encoding': { treatment: 'end-to-end', why: 'RFC 9110 §8.4' },
    'content-range': { treatment: 'end-to-end', why: 'RFC 9110 §14.4' },
    range: { treatment: 'end-to-end', why: 'RFC 9110 §14.2' },
    location: { treatment: 'end-to-end', why: 'RFC 9110 §10.2.2' },
    vary: { treatment: 'end-to-end', why: 'RFC 9110 §12.5.5' },
    'if-match': {
      treatment: 'end-to-end',
      why: 'RFC 9110 §13.1: a condition is met before the content is sent',
    },
    'if-none-match': { treatment: 'end-to-end', why: 'the same' },
    'if-modified-since': { treatment: 'end-to-end', why: 'the same' },
    'if-unmodified-since': { treatment: 'end-to-end', why: 'the same' },
    'if-range': { treatment: 'end-to-end', why: 'the same' },
    pragma: { treatment: 'end-to-end', why: 'RFC 9111 §5.4' },
    age: { treatment: 'end-to-end', why: 'RFC 9111 §5.1' },
    expires: { treatment: 'end-to-end', why: 'RFC 9111 §5.3' },
    warning: { treatment: 'end-to-end', why: 'RFC 7234 §5.5' },
    'retry-after': { treatment: 'end-to-end', why: 'RFC 9110 §10.2.3' },
  } satisfies Record<string, FieldRule>),
)

/** What signet tells an upstream about the client, from what it saw itself: nobody else's word counts. */
const FORWARDING_FIELDS: ReadonlySet<string> = new Set(['forwarded', 'x-real-ip'])
const FORWARDING_PREFIX = 'x-forwarded-'
const FRAMING_FIELDS: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding'])

/** Looks field names up in the rules, octets first: most names cost one table load and no string. */
export class FieldRules {
  readonly #asserted: ReadonlySet<string>
  /** 1 where a name of this length (up to 63) with this first letter may have a rule */
  readonly #suspects = new Uint8Array(64 * 32)

  /** @param asserted lower-case names of the fields that only signet may send upstream, such as `x-my-jwt` */
  constructor(asserted: readonly string[]) {
    this.#asserted = new Set(asserted.map(fold))
    for (const name of [...RULES.keys(), ...FORWARDING_FIELDS, ...this.#asserted]) {
      const index = suspectIndex(name, 0, name.length)
      this.#suspects[index] = 1
      // Folded, it stands for every octet that is no letter and no digit: whichever comes first may be meant.
      if (name.startsWith('-')) this.#suspects.fill(1, index & ~31, (index | 31) + 1)
    }
    for (let length = FORWARDING_PREFIX.length; length < 64; length++) {
      this.#suspects[suspectIndex(FORWARDING_PREFIX.padEnd(length), 0, length)] = 1
    }
  }

  /** The rule for the name that stands at `text[start, end)`; none means that the field simply passes. */
  lookUp(text: string, start: number, end: number): FieldRule | undefined {
    if (this.#suspects[suspectIndex(text, start, end)] === 0) return undefined
    const name = text.slice(start, end).toLowerCase()
    const rule = RULES.get(name)
    // A known name in its own spelling, as nearly all are, need not be folded to be told from another.
    if (rule !== undefined && !this.#asserted.has(name)) return rule
    const folded = fold(name)
    if (this.#asserted.has(folded)) return ASSERTED
    if (FORWARDING_FIELDS.has(folded) || folded.startsWith(FORWARDING_PREFIX)) return FORWARDING
    if (FRAMING_FIELDS.has(folded)) return FRAMING_IMITATION
    return undefined
  }
}

/** The rule of the fields that carry what signet asserts. */
export const ASSERTED: FieldRule = {
  treatment: 'asserted',
  why: 'only signet may assert this to an upstream',
}
const FORWARDING: FieldRule = {
  treatment: 'asserted',
  why: 'signet says what it saw, not what a client claims',
}
const FRAMING_IMITATION: FieldRule = {
  treatment: 'framing-imitation',
  why: 'an upstream may fold it onto framing',
}

/** Letters differ from their other case, and from nothing else that matters here, in the bits above the low five. */
function suspectIndex(text: string, start: number, end: number): number {
  return Math.min(end - start, 63) * 32 + (text.charCodeAt(start) & 31)
}

/** A Content-Length signet believes: digits alone, no sign, no leading zero, below 2^53 (RFC 9110 §8.6). */
export function readContentLength(value: string): number | undefined {
  if (value.length === 0 || value.length > 15 || !allIn(DIGIT, value, 0, value.length)) return undefined
  if (value.length > 1 && value.charCodeAt(0) === 0x30) return undefined
  return Number(value)
}
