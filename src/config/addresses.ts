// Blocks of IP addresses. In: CIDR notation (RFC 4632, RFC 4291 §2.3), or one address. Out: CIDR notation, as http/address.ts
// reads it.

import { type Block, firstOf, parseBlock } from '../http/address.ts'

/**
 * Reads one block.
 *
 * @returns with its prefix length always; a block of IPv4 addresses mapped into IPv6 as one of IPv4
 * @throws {Error} what was expected
 */
export function readBlock(raw: string): string {
  let block: Block
  try {
    block = parseBlock(raw)
  } catch {
    throw new Error('a CIDR block such as 10.0.0.0/8 or ::1/128')
  }
  const [start, bits] = block
  const first = firstOf(block).toString()
  if (first === start.toString()) return `${first}/${bits}`
  const all = start.kind() === 'ipv4' ? 32 : 128
  throw new Error(
    `the first address of a block: ${first}/${bits}, or ${start.toString()}/${all} for this one alone`,
  )
}
