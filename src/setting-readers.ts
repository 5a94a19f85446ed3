// How the text of each kind of setting becomes a value. In: raw text. Out: the value, or an Error that says what was
// expected; config.ts adds which setting and what was found. Each reader also says what a value of its kind looks like in
// the configuration file, where numbers, lists and on/off stand as YAML has them.

import { availableParallelism } from 'node:os'
import { fold } from './http/fields.ts'
import type { Origin, OriginTls } from './http/gateway.ts'

/** What a value may look like in the configuration file: the part of a JSON Schema that its reader knows. */
export interface ValueShape {
  readonly type?: ValueType | readonly ValueType[]
  readonly minimum?: number
  readonly maximum?: number
  readonly multipleOf?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly pattern?: string
  readonly enum?: readonly (string | boolean)[]
  readonly items?: ValueShape
}

type ValueType = 'integer' | 'string' | 'boolean' | 'array'

/** Text → value; throws an `Error` whose message says what was expected. */
export type Reader<T> = ((raw: string) => T) & {
  readonly shape: ValueShape
  /** what is expected, for whoever wrote something else */
  readonly expected: string
}

function reader<T>(expected: string, shape: ValueShape, read: (raw: string) => T): Reader<T> {
  return Object.assign(read, { expected, shape })
}

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
export function integer(min: number, max: number, unit?: string): Reader<number> {
  const expected = `an integer from ${min} to ${max}${unit ? `, in ${unit}` : ''}`
  return reader(expected, { type: 'integer', minimum: min, maximum: max }, (raw) => {
    const value = Number(raw)
    if (/^\d+$/.test(raw) && value >= min && value <= max) return value
    throw new Error(expected)
  })
}

/** More cores than most machines have; each worker is a process of some 100 MB. */
const MOST_WORKERS = 256

const workerCount = integer(1, MOST_WORKERS)

/** How many worker processes: a number, or `auto` for as many as can run at a time. */
export const readWorkers: Reader<number> = reader(
  `auto or ${workerCount.expected}`,
  { ...workerCount.shape, type: ['integer', 'string'], pattern: '^auto$' },
  (raw) => {
    if (raw === 'auto') return Math.min(availableParallelism(), MOST_WORKERS)
    try {
      return workerCount(raw)
    } catch (error) {
      throw new Error(`auto or ${(error as Error).message}`) // integer() throws nothing else
    }
  },
)

/** Text that a pattern describes. */
export function matching(pattern: RegExp, expected: string): Reader<string> {
  return checked(pattern, expected, { type: 'string', pattern: pattern.source })
}

/** Text of so many characters. */
export function text(min: number, max: number): Reader<string> {
  const shape = { type: 'string', minLength: min, maxLength: max } as const
  return checked(new RegExp(`^.{${min},${max}}$`, 'su'), `${min} to ${max} characters`, shape)
}

function checked(pattern: RegExp, expected: string, shape: ValueShape): Reader<string> {
  return reader(expected, shape, (raw) => {
    if (pattern.test(raw)) return raw
    throw new Error(expected)
  })
}

/** One of a few words. */
export function oneOf<const Choice extends string>(...choices: Choice[]): Reader<Choice> {
  const expected = `one of ${choices.join(', ')}`
  return reader(expected, { type: 'string', enum: choices }, (raw) => {
    const choice = choices.find((known) => known === raw)
    if (choice !== undefined) return choice
    throw new Error(expected)
  })
}

const onOrOff = oneOf('on', 'off')

/** `on` or `off`; in the configuration file also a boolean. */
export const readOnOff: Reader<boolean> = reader(
  onOrOff.expected,
  { type: ['boolean', 'string'], enum: [true, false, 'on', 'off'] },
  (raw) => onOrOff(raw) === 'on',
)

/** The path of a Unix socket: `sun_path` of unix(7) holds 108 octets, the last of them NUL. */
const MOST_SOCKET_PATH = 107

// URL alone is too lenient: it drops tabs, mends slashes and takes a path, a query and a password.
const ORIGIN = /^https?:\/\/([\w-]{1,63}(\.[\w-]{1,63})*\.?|\[[\da-f:.]+\])(:\d+)?\/?$/i

/**
 * The origin of an upstream: `http://host:port`, `https://host:port` or `unix:/path`.
 *
 * `https` is with the authorities that Node comes with; the configuration file may say more.
 */
export const readOrigin: Reader<Origin> = reader(
  'http://host:port, https://host:port or unix:/path, and nothing after it, the host a DNS name, IPv4 or [IPv6]',
  { type: 'string', pattern: '^(https?://[^/?#@\\s]+/?|unix:/.+)$' },
  (raw) => {
    if (/^unix:\/[^\0]+$/.test(raw)) return socketOrigin(raw)
    if (!ORIGIN.test(raw) || !URL.canParse(raw) || new URL(raw).port === '0') {
      throw new Error(readOrigin.expected)
    }
    const { protocol, hostname, host, port } = new URL(raw)
    const name = hostname.replace(/^\[|\]$/g, '')
    if (protocol === 'http:') return Object.freeze({ host: name, port: Number(port || 80), authority: host })
    const tls: OriginTls = Object.freeze({})
    return Object.freeze({ host: name, port: Number(port || 443), authority: host, tls })
  },
)

/** An origin behind a Unix socket. Host must say something (RFC 9112 §3.2): it is this machine. */
function socketOrigin(raw: string): Origin {
  const socketPath = raw.slice('unix:'.length)
  if (Buffer.byteLength(socketPath) > MOST_SOCKET_PATH) {
    throw new Error(`unix: and the path of a socket, at most ${MOST_SOCKET_PATH} octets`)
  }
  return Object.freeze({ host: raw, port: 0, authority: 'localhost', socketPath })
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
export const readFieldName: Reader<string> = reader(
  'a field name',
  { type: 'string', pattern: TOKEN.source },
  (raw) => {
    const name = raw.toLowerCase()
    if (!TOKEN.test(name)) throw new Error(readFieldName.expected)
    // Folded, since an upstream may take `content_length` for Content-Length.
    const reason = RESERVED.find(([names]) => names.test(fold(name)))?.[1]
    if (reason !== undefined) throw new Error(`another field: ${reason}`)
    return name
  },
)

/** A comma list of tokens, or the one `word` that stands for a whole list and is no member of any. */
function tokens(word: string, what: string): Reader<string[]> {
  const expected = `${word} or a comma list of ${what}`
  const item = { type: 'string', pattern: TOKEN.source } as const
  return reader(expected, { type: ['array', 'string'], items: item, minItems: 1, minLength: 1 }, (raw) => {
    const members = raw.split(',').map((member) => member.trim())
    const valid = (member: string) => TOKEN.test(member) && (member !== word || members.length === 1)
    if (members.every(valid)) return members
    throw new Error(expected)
  })
}

const methodList = tokens('*', 'methods')

/** `*`, or methods, upper-case. */
export const readMethods: Reader<'*' | ReadonlySet<string>> = reader(
  methodList.expected,
  methodList.shape,
  (raw) => {
    const methods = methodList(raw.toUpperCase())
    return methods[0] === '*' ? '*' : new Set(methods)
  },
)

const protocolList = tokens('none', 'protocols')

/** Protocols that may become a tunnel, lower-case; empty for `none`. */
export const readProtocols: Reader<ReadonlySet<string>> = reader(
  protocolList.expected,
  protocolList.shape,
  (raw) => {
    const protocols = protocolList(raw.toLowerCase())
    if (protocols.includes('h2c')) throw new Error('no h2c: it would open a tunnel past every check')
    return new Set(protocols[0] === 'none' ? [] : protocols)
  },
)
