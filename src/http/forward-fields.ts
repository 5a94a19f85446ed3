// Which fields cross the proxy, and why the others stop here. In: a field name as received. Out: its row.

import { fold } from './fields.ts'

/** What signet does with a field line, beyond passing it on. */
export type Treatment =
  /** decides how the head is read, by its own rule in request.ts or response.ts; never passed on as it came */
  | 'host'
  | 'content-length'
  | 'transfer-encoding'
  | 'connection'
  | 'te'
  | 'upgrade'
  | 'expect'
  /** read, and passed on as it came */
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

/** The rule of each field line of a head, in order; none for a line that simply passes. */
export type LineRules = readonly (FieldRule | undefined)[]

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
    expect: { treatment: 'expect', why: 'RFC 9110 §10.1.1: said anew where there is something to wait for' },
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

/** Whether a field, by lower-case name, means something to everybody, so that signet should not claim it for itself. */
export function isCommonField(name: string): boolean {
  return RULES.has(name)
}

/** What signet tells an upstream about the client, from what it saw itself: nobody else's word counts. */
const FORWARDING_FIELDS: ReadonlySet<string> = new Set(['forwarded', 'x-real-ip'])
const FORWARDING_PREFIX = 'x-forwarded-'
/** Whatever is called like this is between a client and a proxy that it knows of. */
const PROXY_PREFIX = 'proxy-'
const FRAMING_FIELDS: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding'])

/** A name with a rule, lower-case. */
interface Known {
  readonly name: string
  readonly rule: FieldRule
}

/** Looks field names up in the rules by their octets: none costs a string but one that may be an imitation. */
export class FieldRules {
  /** by folded name */
  #asserted: ReadonlyMap<string, FieldRule> = new Map()
  /** what a name of this length (up to 63) with this first letter may be; undefined where none has a rule */
  readonly #suspects = new Array<Known[] | undefined>(64 * 32)

  /** @param asserted as for {@link assert} */
  constructor(asserted: readonly string[]) {
    this.assert(asserted)
  }

  /**
   * Says which fields are signet's from now on; heads that were read before keep the rules they were read with.
   *
   * @param asserted lower-case names of the fields that only signet may send upstream, such as `x-my-jwt`
   */
  assert(asserted: readonly string[]): void {
    this.#suspects.fill(undefined)
    this.#asserted = new Map(asserted.map(fold).map((name) => [name, REPLACED.get(name) ?? ASSERTED]))
    for (const [name, rule] of this.#asserted) {
      this.#know({ name, rule })
      // Folded, it stands for every octet that is no letter and no digit: whichever comes first may be meant.
      const row = suspectIndex(name, 0, name.length) & ~31
      if (name.startsWith('-'))
        for (let letter = 0; letter < 32; letter++) this.#suspects[row + letter] ??= []
    }
    for (const name of FORWARDING_FIELDS) this.#know({ name, rule: FORWARDING })
    for (const [name, rule] of RULES) if (!this.#asserted.has(name)) this.#know({ name, rule })
    for (const prefix of [FORWARDING_PREFIX, PROXY_PREFIX]) {
      for (let length = prefix.length; length < 64; length++) {
        this.#suspects[suspectIndex(prefix.padEnd(length), 0, length)] ??= []
      }
    }
  }

  #know(known: Known): void {
    const index = suspectIndex(known.name, 0, known.name.length)
    this.#suspects[index] ??= []
    this.#suspects[index].push(known)
  }

  /** The rule for the name that stands at `text[start, end)`, a token; none means that the field simply passes. */
  lookUp(text: string, start: number, end: number): FieldRule | undefined {
    const suspects = this.#suspects[suspectIndex(text, start, end)]
    if (suspects === undefined) return undefined
    for (let at = 0; at < suspects.length; at++) {
      const { name, rule } = suspects[at]!
      if (isName(name, text, start, end)) return rule
    }
    return this.#imitated(fold(text.slice(start, end)))
  }

  /** The rule of a name that is none of the known ones, but may be folded onto one. */
  #imitated(folded: string): FieldRule | undefined {
    const asserted = this.#asserted.get(folded)
    if (asserted !== undefined) return asserted
    if (FORWARDING_FIELDS.has(folded) || folded.startsWith(FORWARDING_PREFIX)) return FORWARDING
    if (folded.startsWith(PROXY_PREFIX)) return FOR_PROXIES
    if (FRAMING_FIELDS.has(folded)) return FRAMING_IMITATION
    return undefined
  }
}

/** Whether the token at `text[start, end)` is `name`, which is lower-case, in any case. */
function isName(name: string, text: string, start: number, end: number): boolean {
  if (end - start !== name.length) return false
  for (let at = 0; at < name.length; at++) {
    // This bit makes the two cases of a letter one, and of no other octets of a token but `^` and `~`: no name has them.
    if ((text.charCodeAt(start + at) | 0x20) !== name.charCodeAt(at)) return false
  }
  return true
}

/** The rule of the fields that carry what signet asserts. */
export const ASSERTED: FieldRule = {
  treatment: 'asserted',
  why: 'only signet may assert this to an upstream',
}
/** The rules of what clients have good reason to send, where upstreams are told signet's own: that is no word of an imitation. */
const REPLACED: ReadonlyMap<string, FieldRule> = new Map([
  [
    'authorization',
    { treatment: 'asserted', why: 'upstreams are told credentials of signet, not of clients' },
  ],
  ['traceparent', { treatment: 'asserted', why: 'Trace Context §3.2: said anew, with signet as the parent' }],
])
/** The rule of the fields that say where a request came from. */
export const FORWARDING: FieldRule = {
  treatment: 'asserted',
  why: 'signet says what it saw, not what a client claims',
}
/** The rule of what an authenticator of the route reads: of the route, and so in no table. */
export const CREDENTIAL: FieldRule = {
  treatment: 'hop-by-hop',
  why: 'a credential for signet, or an imitation of one, is not forwarded',
}
const FOR_PROXIES: FieldRule = {
  treatment: 'hop-by-hop',
  why: 'RFC 9110 §11.7 and its like: between a client and a proxy it knows of',
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
  if (value.length === 0 || value.length > 15) return undefined
  if (value.length > 1 && value.charCodeAt(0) === 0x30) return undefined
  let length = 0
  for (let at = 0; at < value.length; at++) {
    const digit = value.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return undefined
    length = length * 10 + digit
  }
  return length
}
