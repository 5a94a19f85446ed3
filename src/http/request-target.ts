// The four forms of a request-target (RFC 9112 §3.2). In: method and target as received. Out: what is forwarded.

import { ProxyError } from '../errors.ts'
import { allIn, DIGIT, HOST, PATH, QUERY } from './octets.ts'

/** How a client speaks to signet: over plain TCP, or over TLS. */
export type Scheme = 'http' | 'https'

/** A request-target, taken apart. */
export interface RequestTarget {
  /** what goes upstream: origin-form, or `*`; of CONNECT, which does not, the authority-form */
  readonly forwarded: string
  /** the authority that an absolute-form or authority-form names, and which replaces Host (RFC 9112 §3.2.2) */
  readonly authority: string | undefined
}

/** Which forms a connection may use. */
export interface TargetForms {
  /** what absolute-form must say: RFC 9110 §7.4, what was not asked for over TLS must not be answered as if it had been */
  readonly scheme: Scheme
  /** whether this is a forward proxy to its clients: otherwise CONNECT means nothing here */
  readonly takesConnect: boolean
}

/** The forms of a connection without TLS, to a gateway. */
export const PLAIN_FORMS: TargetForms = { scheme: 'http', takesConnect: false }

/**
 * Reads a request-target and turns absolute-form into origin-form.
 *
 * @throws {ProxyError} `ERR_CONNECT_UNSUPPORTED`, `ERR_MISDIRECTED`, `ERR_TARGET_MALFORMED`
 */
export function readTarget(method: string, target: string, forms = PLAIN_FORMS): RequestTarget {
  if (method === 'CONNECT') {
    if (!forms.takesConnect) throw new ProxyError('ERR_CONNECT_UNSUPPORTED', 'CONNECT')
    return readAuthorityForm(target)
  }
  if (target.charCodeAt(0) === 0x2f) return { forwarded: checkOriginForm(target, 0), authority: undefined }
  if (target === '*') {
    if (method === 'OPTIONS') return { forwarded: '*', authority: undefined }
    throw new ProxyError('ERR_TARGET_MALFORMED', 'asterisk-form is for OPTIONS alone')
  }
  return readAbsoluteForm(method, target, forms.scheme)
}

/** RFC 9112 §3.2.3: host and port, and neither may be missing. */
function readAuthorityForm(target: string): RequestTarget {
  if (!isAuthority(target) || !/:\d+$/.test(target)) {
    throw new ProxyError('ERR_TARGET_MALFORMED', 'CONNECT without host:port')
  }
  return { forwarded: target, authority: target }
}

function readAbsoluteForm(method: string, target: string, expected: Scheme): RequestTarget {
  const scheme = target.indexOf('://')
  if (scheme === -1) throw new ProxyError('ERR_TARGET_MALFORMED', 'neither origin-form nor absolute-form')
  if (target.slice(0, scheme).toLowerCase() !== expected) {
    throw new ProxyError('ERR_MISDIRECTED', `absolute-form with a scheme other than ${expected}`)
  }
  const start = scheme + 3
  const end = firstOf(target, start)
  const authority = target.slice(start, end)
  if (!isAuthority(authority)) {
    throw new ProxyError('ERR_TARGET_MALFORMED', 'absolute-form with a malformed authority or with userinfo')
  }
  if (end === target.length) {
    // RFC 9112 §3.2.4: OPTIONS without a path means the server as a whole.
    return { forwarded: method === 'OPTIONS' ? '*' : '/', authority }
  }
  const rest = checkOriginForm(target, end)
  return { forwarded: rest.charCodeAt(0) === 0x2f ? rest : `/${rest}`, authority }
}

/** Where the authority ends: at the first `/` or `?`. */
function firstOf(target: string, start: number): number {
  for (let at = start; at < target.length; at++) {
    const octet = target.charCodeAt(at)
    if (octet === 0x2f || octet === 0x3f) return at
  }
  return target.length
}

/** A percent sign that begins no percent-encoding: readers decode it in different ways (RFC 3986 §2.1). */
const STRAY_PERCENT = /%(?![0-9A-Fa-f]{2})/

/** Path and optional query from `start` on, checked octet by octet. */
function checkOriginForm(target: string, start: number): string {
  let at = start
  while (at < target.length && PATH[target.charCodeAt(at)] === 1) at++
  if (at < target.length) {
    if (target.charCodeAt(at) !== 0x3f || !allIn(QUERY, target, at + 1, target.length)) {
      throw new ProxyError('ERR_TARGET_MALFORMED', 'an octet that no path or query may contain')
    }
  }
  if (target.includes('%') && STRAY_PERCENT.test(target)) {
    throw new ProxyError('ERR_TARGET_MALFORMED', 'a percent sign that encodes nothing')
  }
  return start === 0 ? target : target.slice(start)
}

/**
 * Whether `text` is a host with an optional port, and nothing else: a DNS name, an IPv4 address or a bracketed IPv6
 * address. Userinfo, lists, an empty host and an empty port are not (RFC 9110 §7.2, §4.2.1).
 */
export function isAuthority(text: string): boolean {
  let hostEnd: number
  if (text.charCodeAt(0) === 0x5b) {
    const close = text.indexOf(']')
    if (close === -1 || !isIPv6(text.slice(1, close))) return false
    hostEnd = close + 1
  } else {
    const colon = text.indexOf(':')
    hostEnd = colon === -1 ? text.length : colon
    if (hostEnd === 0 || !allIn(HOST, text, 0, hostEnd)) return false
  }
  if (hostEnd === text.length) return true
  const digits = text.length - hostEnd - 1
  if (text.charCodeAt(hostEnd) !== 0x3a || digits < 1 || digits > 5) return false
  return allIn(DIGIT, text, hostEnd + 1, text.length) && Number(text.slice(hostEnd + 1)) <= 65_535
}

const GROUP = /^[0-9A-Fa-f]{1,4}$/
const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/

/** Whether `text` is an IPv4 address in four decimal parts, without leading zeros. */
export function isIPv4(text: string): boolean {
  return IPV4.test(text)
}

/**
 * Whether `text` is an IPv6 address: eight groups of 16 bits, of which one run of zeros may be left out, and the last two may
 * be an IPv4 address (RFC 4291 §2.2).
 */
export function isIPv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1)
  if (last !== undefined && IPV4.test(last) && !text.endsWith('::')) groups.splice(-1, 1, '0', '0')
  if (!groups.every((group) => GROUP.test(group))) return false
  return halves.length === 2 ? groups.length < 8 : groups.length === 8
}
