// What a request means, and what of it an upstream must be told: a model of the forwarding rules of RFC 9110 and of
// signet's promises, written for the tests alone. In: a strictly read request. Out: the meaning that must arrive.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { connectionOptions, type Field, valuesOf } from './strict-grammar.ts'
import type { StrictRequest } from './strict-parser.ts'

/** Everything about a request that is for the upstream. */
export interface Meaning {
  readonly method: string
  readonly target: string
  /** undefined when the client named none (HTTP/1.0): then it is the upstream's own authority */
  readonly host: string | undefined
  /** end-to-end fields, in order, octet for octet; without those that signet adds */
  readonly fields: readonly Field[]
  readonly framing: string
  readonly body: string
  readonly trailers: readonly Field[]
  /** Max-Forwards of OPTIONS, which counts hops down; other methods may ignore it (RFC 9110 §7.6.2) */
  readonly maxForwards: string | undefined
  /** what is expected of the upstream before the body is sent: 100-continue or nothing */
  readonly expects: string | undefined
  /** value of Upgrade, when the connection is asked to switch */
  readonly upgrade: string | undefined
  /** whether the upstream is told that trailer fields are taken */
  readonly takesTrailers: boolean
}

/** For one hop alone (RFC 9110 §7.6.1), or decided anew at each. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'close', // no field: reserved, since it is a connection option (RFC 9112 §9.6)
  'connection',
  'content-length',
  'expect', // said anew where there is a body to wait with (RFC 9110 §10.1.1)
  'host',
  'http2-settings',
  'keep-alive',
  'max-forwards',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Meant for every recipient, so that no Connection may name them (RFC 9110 §7.6.1); signet forwards them even so. */
const NEVER_NOMINATED: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'location',
  'range',
  'set-cookie',
  'vary',
  'via',
  'www-authenticate',
])

/** No place in a trailer section (RFC 9110 §6.5.1): what has to be known before the content. */
const NEVER_TRAILERS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...NEVER_NOMINATED,
  // request modifiers and conditionals, response controls, as RFC 7230 §4.1.2 lists them
  'age',
  'expires',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'pragma',
  'retry-after',
  'warning',
])

/** Whether only signet may say this to an upstream, in any spelling that CGI, WSGI or PHP fold onto it. */
export function isAsserted(name: string): boolean {
  const folded = name.toLowerCase().replace(/[^a-z0-9]/g, '-')
  return ['x-my-jwt', 'forwarded', 'x-real-ip'].includes(folded) || folded.startsWith('x-forwarded-')
}

/**
 * Whether the field is between a client and a proxy it knows of, or may be folded onto one that is. `Proxy` itself is no
 * field, but CGI would take it for the address of a proxy (CVE-2016-5385).
 */
function isForProxies(name: string): boolean {
  return /^proxy(?:$|[^a-z0-9])/i.test(name)
}

/** Whether an upstream may fold the name onto a framing field; in a head that is refused, in trailers it goes no further. */
function imitatesFraming(name: string): boolean {
  return /^(content[^a-z0-9]length|transfer[^a-z0-9]encoding)$/i.test(name)
}

/** What the upstream must get for a request that a client sent. */
export function meaningFor(request: StrictRequest): Meaning {
  const nominated = new Set(connectionOptions(request.fields))
  const http11 = request.minor === 1
  const upgrade = valuesOf(request.fields, 'upgrade').join(',').toLowerCase()
  const bodiless = framingText(request, true) === 'none'
  // RFC 6455 §4.1: a WebSocket begins with GET.
  const upgrades =
    http11 && nominated.has('upgrade') && upgrade === 'websocket' && request.method === 'GET' && bodiless
  // RFC 9110 §10.1.1: ignored in HTTP/1.0, and meaningless without a body. Other expectations are refused.
  const expectations = http11 && !bodiless ? valuesOf(request.fields, 'expect') : []
  const codings = valuesOf(request.fields, 'te').flatMap((value) =>
    value.toLowerCase().split(/[\t ]*,[\t ]*/),
  )
  return {
    method: request.method,
    target: request.parts.resource,
    host: request.parts.authority ?? request.host,
    fields: request.fields.filter(([name]) => {
      const lower = name.toLowerCase()
      if (HOP_BY_HOP.has(lower) || isAsserted(name) || isForProxies(name)) return false
      return !nominated.has(lower) || NEVER_NOMINATED.has(lower)
    }),
    framing: framingText(request),
    body: request.body,
    trailers: request.trailers.filter(([name]) => {
      const lower = name.toLowerCase()
      const stops = isAsserted(name) || isForProxies(name) || imitatesFraming(name)
      return !stops && !NEVER_TRAILERS.has(lower) && !nominated.has(lower)
    }),
    maxForwards: countedDown(request),
    expects: expectations.length === 0 ? undefined : expectations.join().toLowerCase(),
    upgrade: upgrades ? upgrade : undefined,
    takesTrailers: http11 && !upgrades && codings.includes('trailers'),
  }
}

function countedDown({ method, fields }: StrictRequest): string | undefined {
  const hops = method === 'OPTIONS' ? valuesOf(fields, 'max-forwards')[0] : undefined
  return hops === undefined ? undefined : `${BigInt(hops) - 1n}`
}

/** `none`, `length N` or `chunked`; a length of 0 is told, but where `lax` it is no body. */
function framingText({ framing }: StrictRequest, lax = false): string {
  if (framing.kind !== 'length') return framing.kind
  return lax && framing.length === 0n ? 'none' : `length ${framing.length}`
}

/** Fields that only signet adds; they come behind all others. */
const ADDED = /^(x-forwarded-(for|host|proto)|forwarded|x-my-jwt)$/i

/** What the upstream was told, as far as it comes from the client. */
export function meaningAt(request: StrictRequest): Meaning {
  const { fields } = request
  const options = connectionOptions(fields)
  const viaAt = fields.findLastIndex(([name]) => name.toLowerCase() === 'via')
  return {
    method: request.method,
    target: request.target,
    host: request.host,
    fields: fields.filter(([name], at) => {
      const lower = name.toLowerCase()
      const framing = lower === 'content-length' || lower === 'transfer-encoding'
      const hop = ['connection', 'te', 'upgrade', 'max-forwards', 'expect'].includes(lower)
      return !ADDED.test(name) && at !== viaAt && lower !== 'host' && !framing && !hop
    }),
    framing: framingText(request),
    body: request.body,
    trailers: request.trailers,
    maxForwards:
      request.method === 'OPTIONS' ? valuesOf(fields, 'max-forwards').join() || undefined : undefined,
    expects: valuesOf(fields, 'expect').length === 0 ? undefined : valuesOf(fields, 'expect').join(),
    upgrade: options.includes('upgrade') ? valuesOf(fields, 'upgrade').join() : undefined,
    takesTrailers: options.includes('te') && valuesOf(fields, 'te').join() === 'trailers',
  }
}

/** Whether only the parts that `expected` names are as they should be. @returns what differs, as sentences */
export function differences(expected: Partial<Meaning>, actual: Meaning): string[] {
  const found: string[] = []
  for (const [key, value] of Object.entries(expected)) {
    if (key === 'host' && value === undefined) continue
    const is = JSON.stringify(actual[key as keyof Meaning])
    const should = JSON.stringify(value)
    if (is !== should) found.push(`${key} is ${clip(is)}, should be ${clip(should)}`)
  }
  return found
}

/** What is wrong with that which signet itself says in a forwarded request, given what is known of the client. */
export function problemsWithAdded(request: StrictRequest, address: string, secret: Buffer): string[] {
  const { fields } = request
  const problems: string[] = []
  const only = (name: string, expected: string | undefined) => {
    const values = valuesOf(fields, name)
    const right = expected === undefined ? values.length === 0 : values.length === 1 && values[0] === expected
    if (!right) problems.push(`${name} is ${JSON.stringify(values)}, should be ${expected ?? 'absent'}`)
  }
  const host = valuesOf(fields, 'x-forwarded-host')[0]
  only('x-forwarded-for', address)
  only('x-forwarded-proto', 'http')
  only('x-forwarded-host', host === undefined ? undefined : request.host)
  only('forwarded', `for=${address}${host === undefined ? '' : `;host="${host}"`};proto=http`)
  if (!/(?:^|,) ?1\.[01] signet-[0-9a-f]+$/.test(valuesOf(fields, 'via').at(-1) ?? '')) {
    problems.push('Via does not end in this hop')
  }
  const tokens = fields.filter(([name]) => isAsserted(name) && /my.jwt/i.test(name))
  if (tokens.length !== 1 || tokens[0]?.[0] !== 'x-my-jwt') {
    problems.push(`tokens in ${JSON.stringify(tokens.map(([name]) => name))}`)
  } else {
    const problem = problemWithToken(tokens[0][1], secret)
    if (problem !== undefined) problems.push(problem)
  }
  return problems
}

/** The jti of a token, without asking whether it is genuine: to see that none is used twice (RFC 7519 §4.1.7). */
export function jtiOf(token: string): unknown {
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
  return /"jti":"([^"]+)"/.exec(claims)?.[1]
}

/** Verifies HS512 by the letter of RFC 7515 §5.2, with nothing but a hash. @returns what is wrong, if anything */
export function problemWithToken(token: string, secret: Buffer): string | undefined {
  const [header = '', claims = '', signature = '', ...more] = token.split('.')
  if (more.length > 0) return 'the token has more than three parts'
  const expected = createHmac('sha512', secret).update(`${header}.${claims}`).digest()
  const found = Buffer.from(signature, 'base64url')
  if (found.length !== expected.length || !timingSafeEqual(found, expected))
    return 'the token is not signed by signet'
  const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg?: unknown }
  const { iat, jti } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
    iat?: unknown
    jti?: unknown
  }
  if (alg !== 'HS512' || typeof jti !== 'string' || jti.length < 22)
    return 'the token lacks alg HS512 or a jti'
  if (typeof iat !== 'number' || Math.abs(iat - Date.now() / 1000) > 120) return 'the token is not fresh'
  return undefined
}

function clip(text: string | undefined): string {
  const whole = text ?? 'undefined'
  return whole.length > 200 ? `${whole.slice(0, 200)}… (${whole.length} characters)` : whole
}
