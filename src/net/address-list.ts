// Sets of IP addresses, as CIDR blocks. In: blocks from the configuration, addresses of peers. Out: whether an address
// belongs to the set.

import { isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'
import {
  type Address,
  type Block,
  isAddress,
  parseAddress,
  parseBlock,
  withoutMapping,
} from '../http/address.ts'

/** A set of addresses, which does not change. An IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2) is that IPv4 address. */
export class AddressList {
  readonly #blocks: readonly Block[]

  /**
   * @param blocks CIDR blocks (RFC 4632 §3.1, RFC 4291 §2.3), or addresses, each of which is a block of its own
   * @throws {RangeError} naming the first one that is neither
   */
  constructor(blocks: readonly string[]) {
    this.#blocks = blocks.map(parseBlock)
  }

  /** Whether `address` is in one of the blocks; false for what is no address. A zone (`%eth0`) is of no matter. */
  includes(address: string): boolean {
    const read = readAddress(address)
    return read !== undefined && this.#blocks.some((block) => contains(block, read))
  }
}

/**
 * The address that `octets[start, start + length)` are, as text (RFC 5952 for IPv6); a mapped IPv4 address as IPv4.
 *
 * @param length 4 or 16
 */
export function addressFrom(octets: Buffer, start: number, length: 4 | 16): string {
  return withoutMapping(ipaddr.fromByteArray([...octets.subarray(start, start + length)])).toString()
}

/** The same for an address that is text already: {@link isAddress}. */
export function canonicalAddress(text: string): string {
  return isIPv4(text) ? text : parseAddress(text).toString()
}

function readAddress(text: string): Address | undefined {
  const zone = text.indexOf('%')
  const address = zone === -1 ? text : text.slice(0, zone)
  // A zone is of IPv6 alone (RFC 4007 §11.2).
  return isAddress(address) && !(zone !== -1 && isIPv4(address)) ? parseAddress(address) : undefined
}

function contains([start, bits]: Block, address: Address): boolean {
  if (address instanceof ipaddr.IPv4) return start instanceof ipaddr.IPv4 && address.match(start, bits)
  return start instanceof ipaddr.IPv6 && address.match(start, bits)
}

/** Whether an address can be reached from anywhere: none of those for hosts themselves, private networks, links and the like. */
export function isPublic(address: string): boolean {
  const read = readAddress(address)
  if (read === undefined) return false
  // Of IPv6 only 2000::/3 is given out (RFC 4291 §2.4); addresses in it that stand for IPv4 ones have ranges of their own names.
  const global = read instanceof ipaddr.IPv4 || read.parts[0]! >> 13 === 1
  return global && read.range() === 'unicast'
}
