// Octets by name, and the sets of octets that the grammars of RFC 9110 and RFC 3986 are made of.
// Sets are tables of 256 flags: one load decides, and nothing is allocated.

/** Carriage return. */
export const CR = 0x0d
/** Line feed. */
export const LF = 0x0a
/** Horizontal tab. */
export const HTAB = 0x09
/** Blank. */
export const SP = 0x20

/** A set of octets: 1 where the octet belongs to it. */
export type OctetSet = Uint8Array

/** Makes a set of all octets in `members`, and of the ranges given as pairs like `az`. */
export function octetSet(members: string, ...ranges: string[]): OctetSet {
  const set = new Uint8Array(256)
  for (const octet of Buffer.from(members, 'latin1')) set[octet] = 1
  for (const range of ranges) set.fill(1, range.charCodeAt(0), range.charCodeAt(1) + 1)
  return set
}

/** Whether every octet of `text[start, end)` is in `set`. Octets above 255 are in none. */
export function allIn(set: OctetSet, text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (set[text.charCodeAt(at)] !== 1) return false
  return true
}

/** RFC 9110 §5.6.2: what a method and a field name are made of. */
export const TCHAR = octetSet("!#$%&'*+-.^_`|~", '09', 'az', 'AZ')

/**
 * What may stand in a path: RFC 3986 §3.3, and `|`, `[`, `]`, which browsers send as they are (WHATWG URL,
 * path percent-encode set). A backslash, which some upstreams read as `/`, and `#` never.
 */
export const PATH = octetSet("-._~!$&'()*+,;=:@%/|[]", '09', 'az', 'AZ')

/** What may stand in a query: RFC 3986 §3.4, and what browsers leave as it is there (WHATWG URL). */
export const QUERY = octetSet("-._~!$&'()*+,;=:@%/?|[]^`{}\\", '09', 'az', 'AZ')

/**
 * What may stand in a host name. RFC 3986 §3.2.2 allows more, such as a comma or `%2e`, which no name in DNS has
 * and which two readers may take for different hosts.
 */
export const HOST = octetSet('-._~', '09', 'az', 'AZ')

/** Decimal digits. */
export const DIGIT = octetSet('', '09')
