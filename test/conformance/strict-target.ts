// Request-targets and authorities by the letter of RFC 9112 §3.2, RFC 9110 §4.2 and RFC 3986, for the tests alone.

import { isIPv6 } from 'node:net'

/** The four forms of a request-target (RFC 9112 §3.2). */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk'

/** A request-target, taken apart. */
export interface StrictTarget {
  readonly form: TargetForm
  /** lower-case scheme of an absolute-form */
  readonly scheme: string | undefined
  /** authority of an absolute-form or an authority-form */
  readonly authority: string | undefined
  /** what an origin server is asked for: path and query, or `*`; empty for an authority-form */
  readonly resource: string
}

/** What may stand in a target beyond RFC 3986, because a decision says so. */
export interface TargetLeniency {
  /** octets that browsers leave as they are (WHATWG URL): `|[]` in a path, those and `` ^`{}\ `` in a query */
  readonly browserTargets?: boolean
}

const PCHAR = "(?:[A-Za-z0-9\\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
const STRICT_PATH = new RegExp(`^(?:/${PCHAR}*)+$`)
const STRICT_QUERY = new RegExp(`^(?:${PCHAR}|[/?])*$`)
const BROWSER_PATH = new RegExp(`^(?:/(?:${PCHAR}|[|[\\]])*)+$`)
const BROWSER_QUERY = new RegExp(`^(?:${PCHAR}|[/?|[\\]^\`{}\\\\])*$`)
const REG_NAME = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*$/
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):([\s\S]*)$/
const ABSOLUTE_REST = /^\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/

/** Reads a request-target. @returns what it means, or the complaint as text */
export function readStrictTarget(
  method: string,
  target: string,
  leniency: TargetLeniency,
): StrictTarget | string {
  if (method === 'CONNECT') {
    if (!/:[0-9]+$/.test(target) || !isHost(target.replace(/:[0-9]+$/, '')) || target.startsWith(':')) {
      return 'CONNECT without host and port'
    }
    return { form: 'authority', scheme: undefined, authority: target, resource: '' }
  }
  if (target === '*') {
    if (method !== 'OPTIONS') return 'asterisk-form is for OPTIONS alone'
    return { form: 'asterisk', scheme: undefined, authority: undefined, resource: '*' }
  }
  if (target.startsWith('/')) {
    const query = target.indexOf('?')
    const path = query === -1 ? target : target.slice(0, query)
    if (!isPath(path, leniency)) return 'an octet that no path may contain'
    if (query !== -1 && !isQuery(target.slice(query + 1), leniency))
      return 'an octet that no query may contain'
    return { form: 'origin', scheme: undefined, authority: undefined, resource: target }
  }
  return readAbsolute(method, target, leniency)
}

function readAbsolute(method: string, target: string, leniency: TargetLeniency): StrictTarget | string {
  const [, scheme, rest] = SCHEME.exec(target) ?? []
  if (scheme === undefined || rest === undefined) return 'none of the four forms'
  const [, authority, path, query] = ABSOLUTE_REST.exec(rest) ?? []
  if (authority === undefined || path === undefined)
    return 'absolute-form without authority, or with a fragment'
  if (authority.includes('@')) return 'userinfo' // RFC 9110 §4.2.4
  if (authority === '' || authority.startsWith(':') || !isStrictAuthority(authority))
    return 'a malformed authority'
  if (path !== '' && !isPath(path, leniency)) return 'an octet that no path may contain'
  if (query !== undefined && !isQuery(query, leniency)) return 'an octet that no query may contain'
  const wholeServer = method === 'OPTIONS' && path === '' && query === undefined // RFC 9112 §3.2.4
  const resource = wholeServer ? '*' : `${path === '' ? '/' : path}${query === undefined ? '' : `?${query}`}`
  return { form: 'absolute', scheme: scheme.toLowerCase(), authority, resource }
}

function isPath(path: string, { browserTargets = false }: TargetLeniency): boolean {
  return (browserTargets ? BROWSER_PATH : STRICT_PATH).test(path)
}

function isQuery(query: string, { browserTargets = false }: TargetLeniency): boolean {
  return (browserTargets ? BROWSER_QUERY : STRICT_QUERY).test(query)
}

/** `uri-host [ ":" port ]`, which is also what Host may say (RFC 9110 §7.2); both parts may be empty (RFC 3986). */
export function isStrictAuthority(text: string): boolean {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/.exec(text) ?? []
  return host !== undefined && isHost(host) && (port === undefined || /^[0-9]*$/.test(port))
}

function isHost(host: string): boolean {
  if (!host.startsWith('[')) return REG_NAME.test(host)
  const literal = host.slice(1, -1)
  if (!host.endsWith(']')) return false
  // A zone is no part of an address on the wire (RFC 6874 §4).
  return (
    /^v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+$/i.test(literal) ||
    (!literal.includes('%') && isIPv6(literal))
  )
}
