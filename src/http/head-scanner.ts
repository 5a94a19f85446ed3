// Finds the empty line that ends a head. In: pieces of octets, in order. Out: the offset after the head.

const CR = 0x0d
const LF = 0x0a
const TERMINATOR = Buffer.from('\r\n\r\n')

/** How much of the head terminator CR LF CR LF has gone by (RFC 9112 §2.1). */
export type Terminator = 'none' | 'CR' | 'CRLF' | 'CRLFCR' | 'complete'

/** One octet forward. Pure, so a head split at any octet ends where the unsplit one does. */
export function step(seen: Terminator, octet: number): Terminator {
  switch (seen) {
    case 'none':
      return octet === CR ? 'CR' : 'none'
    case 'CR':
      return octet === LF ? 'CRLF' : octet === CR ? 'CR' : 'none'
    case 'CRLF':
      return octet === CR ? 'CRLFCR' : 'none'
    case 'CRLFCR':
      return octet === LF ? 'complete' : octet === CR ? 'CR' : 'none'
    case 'complete':
      return 'complete'
  }
}

/**
 * Finds where a whole head ends: the common case, since most heads arrive in one read.
 *
 * @returns the offset after the empty line, or -1 when it has not come before `end`
 */
export function findHeadEnd(octets: Buffer, start: number, end: number): number {
  const found = octets.indexOf(TERMINATOR, start)
  return found === -1 || found + 4 > end ? -1 : found + 4
}

/**
 * Finds where a head ends in one of its pieces, resuming from `seen`.
 *
 * @returns the state after the last octet looked at, and the offset after the empty line: -1 while it goes on
 */
export function scanHead(
  octets: Buffer,
  start: number,
  end: number,
  seen: Terminator,
): { seen: Terminator; end: number } {
  let at = start
  while (at < end) {
    seen = step(seen, octets[at++]!)
    if (seen === 'complete') return { seen, end: at }
  }
  return { seen, end: -1 }
}
