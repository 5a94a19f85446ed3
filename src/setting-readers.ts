// How the text of each kind of setting becomes a value. In: raw text. Out: the value, or an Error that says what was
// expected; config.ts adds which setting and what was found.

import { availableParallelism } from 'node:os'
import { fold } from './http/fields.ts'
import type { Origin } from './http/route.ts'

/** A row for a deadline in ms. */
export function deadline(env: string, fallback: string, doc: string) {
  // A Node timer holds at most 2^31-1 ms: anything longer would fire at once.
  return { group: 'deadlines', env, fallback, read: integer(1, 2 ** 31 - 1, 'ms'), unit: 'ms', doc } as const
}

/** The unit and the range of a limit. */
export function limit(unit: string, min: number, max: number) {
  return { group: 'limits', read: integer(min, max, unit), unit } as const
}

/** A whole number within a range. */
export function integer(min: number, max: number, unit?: string) {
  return (raw: string): number => {
    const value = Number(raw)
    if (/^\d+$/.test(raw) && value >= min && value <= max) return value
    throw new Error(`an integer from ${min} to ${max}${unit ? `, in ${unit}` : ''}`)
  }
}

/** More cores than most machines have; each worker is a process of some 100 MB. */
const MOST_WORKERS = 256

/** How many worker processes: a number, or `auto` for as many as can run at a time. */
export function readWorkers(raw: string): number {
  if (raw === 'auto') return Math.min(availableParallelism(), MOST_WORKERS)
  try {
    return integer(1, MOST_WORKERS)(raw)
  } catch (error) {
    throw new Error(`auto or ${(error as Error).message}`) // integer() throws nothing else
  }
}

/** Text that a pattern describes. */
export function matching(pattern: RegExp, expected: string) {
  return (raw: string): string => {
    if (pattern.test(raw)) return raw
    throw new Error(expected)
  }
}

/** Text of so many characters. */
export function text(min: number, max: number) {
  return matching(new RegExp(`^.{${min},${max}}$`, 'su'), `${min} to ${max} characters`)
}

/** One of a few words. */
export function oneOf<const Choice extends string>(...choices: Choice[]) {
  return (raw: string): Choice => {
    const choice = choices.find((known) => known === raw)
    if (choice !== undefined) return choice
    throw new Error(`one of ${choices.join(', ')}`)
  }
}

/** `on` or `off`. */
export function readOnOff(raw: string): boolean {
  return oneOf('on', 'off')(raw) === 'on'
}

/** The origin of an upstream: `http://host:port`. */
export function readOrigin(raw: string): Origin {
  if (/^https:/i.test(raw)) throw new Error('http://host:port: TLS upstreams are not supported yet')
  // URL alone is too lenient: it drops tabs, mends slashes and takes a path, a query and a password.
  const shape = /^http:\/\/([\w-]{1,63}(\.[\w-]{1,63})*\.?|\[[\da-f:.]+\])(:\d+)?\/?$/i
  if (!shape.test(raw) || !URL.canParse(raw) || new URL(raw).port === '0') {
    throw new Error('http://host:port and nothing after it, the host a DNS name, IPv4 or [IPv6]')
  }
  const { hostname, host, port } = new URL(raw)
  return Object.freeze({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80), authority: host })
}

/** `token` of RFC 9110 §5.6.2: field names, methods and protocols are made of it. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** Fields that cannot carry the token, since signet or the upstream depends on what they say. */
const RESERVED: readonly (readonly [RegExp, string])[] = [
  [/^(content-length|transfer-encoding|trailer)$/, 'message framing depends on it'],
  [/^(connection|te|upgrade|keep-alive|proxy-.*)$/, 'it concerns one connection alone'],
  [/^(host|via|forwarded|x-forwarded-.*)$/, 'routing depends on it'],
  [/^expect$/, 'when the body is sent depends on it'],
  [/^(authorization|cookie)$/, "it carries the client's own credentials"],
]

/** The name of a field that signet may assert, lower-case. */
export function readFieldName(raw: string): string {
  const name = raw.toLowerCase()
  if (!TOKEN.test(name)) throw new Error('a field name')
  // Folded, since an upstream may take `content_length` for Content-Length.
  const reason = RESERVED.find(([names]) => names.test(fold(name)))?.[1]
  if (reason !== undefined) throw new Error(`another field: ${reason}`)
  return name
}

/** A comma list of tokens, or the one `word` that stands for a whole list and is no member of any. */
function readTokens(raw: string, word: string, what: string): string[] {
  const members = raw.split(',').map((member) => member.trim())
  const valid = (member: string) => TOKEN.test(member) && (member !== word || members.length === 1)
  if (members.every(valid)) return members
  throw new Error(`${word} or a comma list of ${what}`)
}

/** `*`, or methods, upper-case. */
export function readMethods(raw: string): '*' | ReadonlySet<string> {
  const methods = readTokens(raw.toUpperCase(), '*', 'methods')
  return methods[0] === '*' ? '*' : new Set(methods)
}

/** Protocols that may become a tunnel, lower-case; empty for `none`. */
export function readProtocols(raw: string): ReadonlySet<string> {
  const protocols = readTokens(raw.toLowerCase(), 'none', 'protocols')
  if (protocols.includes('h2c')) throw new Error('no h2c: it would open a tunnel past every check')
  return new Set(protocols[0] === 'none' ? [] : protocols)
}
