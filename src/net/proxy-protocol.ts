// The PROXY protocol, versions 1 and 2, as a receiver (HAProxy, doc/proxy-protocol.txt): what a load balancer says of the
// client before it passes the client's octets on. In: octets from the start of a connection. Out: the client's address.

import { isAddress } from '../http/address.ts'
import { addressFrom, canonicalAddress } from './address-list.ts'

/** A whole header. */
export interface ProxyHeader {
  /** of the client; undefined where the peer speaks for itself (LOCAL), or does not know (UNKNOWN, UNSPEC, a Unix socket) */
  readonly address: string | undefined
  /** offset of the first octet behind the header */
  readonly end: number
}

/** Version 1 is a line of at most this many octets, CR LF included (§2.1). */
const LONGEST_LINE = 107
/** Octets of the longest header of version 2 taken: it may say up to 64 KiB, of which addresses are 216 at most. */
export const LONGEST_HEADER = 4096

const LINE_PREFIX = Buffer.from('PROXY ')
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** Signature, version and command, family and transport, length of the rest (§2.2). */
const FIXED = 16

/** Octets of the address block, by family: unspecified, IPv4, IPv6, Unix (§2.2). */
const ADDRESS_BLOCKS = [0, 12, 36, 216]

/**
 * Reads the header that `octets` begin with. Pure: it is asked again, with all octets so far, while it is incomplete.
 * TLVs are passed over, but for the checksum, which is verified where there is one (§2.2.3).
 *
 * @returns `malformed` for what is no header, as soon as its first octets show it
 */
export function readProxyHeader(octets: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  if (beginsAs(SIGNATURE, octets)) return readBinary(octets)
  return beginsAs(LINE_PREFIX, octets) ? readLine(octets) : 'malformed'
}

/** Whether `octets` begin with `prefix`, as far as they go. */
function beginsAs(prefix: Buffer, octets: Buffer): boolean {
  const length = Math.min(prefix.length, octets.length)
  return prefix.compare(octets, 0, length, 0, length) === 0
}

// ── version 1 ───────────────────────────────────────────────────────────────────────────────────────────────────────

const PORT = /^(?:0|[1-9][0-9]{0,4})$/

function readLine(octets: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  const line = octets.toString('latin1', 0, LONGEST_LINE)
  const lineEnd = line.search(/[\r\n]/)
  if (lineEnd === -1) return line.length === LONGEST_LINE ? 'malformed' : 'incomplete'
  // "must not tolerate a single CR or LF" (§2.1)
  if (line[lineEnd] !== '\r' || lineEnd + 2 > LONGEST_LINE) return 'malformed'
  if (lineEnd + 1 === line.length) return 'incomplete'
  if (line[lineEnd + 1] !== '\n') return 'malformed'

  const end = lineEnd + 2
  const [, family, source = '', destination = '', ...ports] = line.slice(0, lineEnd).split(' ')
  if (family === 'UNKNOWN') return { address: undefined, end } // what follows is to be ignored
  const colons = family === 'TCP6'
  if (!colons && family !== 'TCP4') return 'malformed'
  if (![source, destination].every((one) => isAddress(one) && one.includes(':') === colons))
    return 'malformed'
  if (ports.length !== 2 || !ports.every((port) => PORT.test(port) && Number(port) <= 65_535))
    return 'malformed'
  return { address: canonicalAddress(source), end }
}

// ── version 2 ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Version 2, with the command: the connection is the sender's own, or a client's. */
const LOCAL = 0x20
const PROXY = 0x21

function readBinary(octets: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  const command = octets[12] ?? LOCAL
  const family = (octets[13] ?? 0) >> 4
  const transport = (octets[13] ?? 0) & 15
  const addresses = ADDRESS_BLOCKS[family]
  if ((command !== LOCAL && command !== PROXY) || addresses === undefined || transport > 2) return 'malformed'
  if (octets.length < FIXED) return 'incomplete'

  const end = FIXED + octets.readUInt16BE(14)
  // With LOCAL the family is ignored, and whatever its addresses are; so is what stands where addresses are unspecified.
  const known = command === PROXY && family !== 0 && transport !== 0
  if (end > LONGEST_HEADER || (known && end < FIXED + addresses)) return 'malformed'
  if (octets.length < end) return 'incomplete'
  if (!known) return { address: undefined, end }
  if (!isIntact(octets.subarray(0, end), FIXED + addresses)) return 'malformed'
  if (family === 1) return { address: addressFrom(octets, FIXED, 4), end }
  if (family === 2) return { address: addressFrom(octets, FIXED, 16), end }
  return { address: undefined, end }
}

/** Type of the TLV that carries the checksum, and octets before a TLV's value (§2.2). */
const CHECKSUM = 0x03
const TLV_PREFIX = 3

/** Whether the TLVs from `at` on fill the header to its end, and its checksum, if it has one, is right. */
function isIntact(header: Buffer, at: number): boolean {
  let checksums = 0
  while (at < header.length) {
    if (at + TLV_PREFIX > header.length) return false
    const value = at + TLV_PREFIX
    const next = value + header.readUInt16BE(at + 1)
    if (next > header.length) return false
    // One at most: each is calculated over the whole header.
    if (header[at] === CHECKSUM && (++checksums > 1 || next - value !== 4 || !isRight(header, value)))
      return false
    at = next
  }
  return true
}

/** Whether the checksum at `at` is that of the header, with zeros in the place of the checksum. */
function isRight(header: Buffer, at: number): boolean {
  const blank = Buffer.from(header)
  blank.fill(0, at, at + 4)
  return crc32c(blank) === header.readUInt32BE(at)
}

/** CRC32c (RFC 4960 Appendix B), bit by bit: for one header per connection a table is not worth its room. */
function crc32c(octets: Buffer): number {
  let rest = 0xffff_ffff
  for (const octet of octets) {
    rest ^= octet
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0x82f6_3b78 : rest >>> 1
  }
  return (rest ^ 0xffff_ffff) >>> 0
}
