// The one spelling of a path that routes are found by and that is forwarded. In: the path of an origin-form, checked by
// http/request-target.ts. Out: that spelling, most often the very string, or the refusal of what has two readings.

import { ProxyError } from '../errors.ts'
import { octetSet } from './octets.ts'

/** All that can be ambiguous has one of these in it; a path without them is canonical. One look: 0.1 µs (bench/routes). */
const SUSPICIOUS = /[%;\\]|\/[/.]/

/** A segment `.` or `..` (RFC 3986 §5.2.4): whoever removes it sees another path than whoever does not. */
const DOT_SEGMENT = /\/\.\.?(?:\/|$)/

/** RFC 3986 §2.3: encoded or not, they are the same. */
const UNRESERVED = octetSet('-._~', '09', 'az', 'AZ')

/** What an octet is called that is not let through even when it is percent-encoded, since decoding it divides or ends. */
const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x2f, 'an encoded slash'],
  [0x3b, 'an encoded semicolon'],
  [0x5c, 'an encoded backslash'],
  [0x7f, 'an encoded control character'],
  ...Array.from({ length: 0x20 }, (_, octet) => [octet, 'an encoded control character'] as const),
])

/**
 * The canonical spelling of a path: percent-encoded unreserved octets decoded, other percent-encodings in upper case
 * (RFC 3986 §6.2.2). A trailing slash is kept. Whoever decodes the result once finds the segments that it shows.
 *
 * @param path absolute, without its query
 * @throws {ProxyError} `ERR_PATH_AMBIGUOUS` for what two readers divide in two ways: dot segments, empty segments, `;` and
 * `\`, encoded `/`, `;`, `\` and controls, and percent-encodings that are no UTF-8
 */
export function canonicalPath(path: string): string {
  return SUSPICIOUS.test(path) ? canonicalize(path) : path
}

function canonicalize(path: string): string {
  // Tomcat and others take what follows a semicolon for a parameter and drop it: `/admin;x` and `/..;/` pass a filter.
  if (path.includes(';')) throw ambiguous('a semicolon')
  if (path.includes('\\')) throw ambiguous('a backslash')
  const canonical = path.includes('%') ? canonicalizeEncodings(path) : path
  // Only now, for a dot may have been encoded.
  if (canonical.includes('//')) throw ambiguous('an empty segment')
  if (DOT_SEGMENT.test(canonical)) throw ambiguous('a dot segment')
  return canonical
}

function canonicalizeEncodings(path: string): string {
  const canonical = path.replace(/%([0-9A-Fa-f]{2})/g, (encoding, digits: string) => {
    const octet = Number.parseInt(digits, 16)
    const refused = REFUSED.get(octet)
    if (refused !== undefined) throw ambiguous(refused)
    return UNRESERVED[octet] === 1 ? String.fromCharCode(octet) : encoding.toUpperCase()
  })
  try {
    decodeURIComponent(canonical)
  } catch (cause) {
    // Readers replace it, drop it or take it for Latin-1; `%c0%af` is a slash to some (RFC 3629 §10).
    throw ambiguous('percent-encodings that are not UTF-8', { cause })
  }
  return canonical
}

function ambiguous(what: string, options?: { cause: unknown }): ProxyError {
  return new ProxyError('ERR_PATH_AMBIGUOUS', `the path has ${what}`, options)
}
