// IP addresses and CIDR blocks as text (RFC 4632, RFC 4291 §2). In: what a configuration or a peer says. Out: ipaddr.js's
// reading of it, or a refusal. The one reader, so that what is checked at the start is what is matched later.

import ipaddr from 'ipaddr.js'
import { isIPv4, isIPv6 } from './request-target.ts'

/** An address, as ipaddr.js has it. */
export type Address = ReturnType<typeof ipaddr.parse>

/** A block: an address of it, and how many of its leading bits all its addresses share. */
export type Block = readonly [start: Address, bits: number]

/** Whether `text` is an IPv4 address in four decimal parts, or an IPv6 address without a zone. */
export function isAddress(text: string): boolean {
  return isIPv4(text) || isIPv6(text)
}

/** Reads what {@link isAddress}; IPv4 where it is mapped into IPv6 (RFC 4291 §2.5.5.2). */
export function parseAddress(text: string): Address {
  return withoutMapping(parse(text))
}

/** IPv4 where it is mapped into IPv6. */
export function withoutMapping(address: Address): Address {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address
}

/**
 * Reads a block, or an address, which is a block of its own; one of mapped IPv4 addresses is one of IPv4.
 *
 * @throws {RangeError} naming it, when it is neither
 */
export function parseBlock(text: string): Block {
  const slash = text.indexOf('/')
  const start = slash === -1 ? text : text.slice(0, slash)
  // Not by ipaddr.js alone, which also takes 10/8 for 0.0.0.10/8, and octal and hexadecimal parts.
  if (!isAddress(start)) throw new RangeError(`${text} is neither an IP address nor a CIDR block`)
  const read = parse(start)
  const longest = read.kind() === 'ipv4' ? 32 : 128
  const digits = slash === -1 ? String(longest) : text.slice(slash + 1)
  const bits = Number(digits)
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits) || bits > longest)
    throw new RangeError(`${text} is no CIDR block: its prefix is not from 0 to ${longest}`)
  const plain = withoutMapping(read)
  return plain === read || bits < 96 ? [read, bits] : [plain, bits - 96]
}

/** The first address of a block. */
export function firstOf([start, bits]: Block): Address {
  const cidr = `${start.toString()}/${bits}`
  return start.kind() === 'ipv4'
    ? ipaddr.IPv4.networkAddressFromCIDR(cidr)
    : ipaddr.IPv6.networkAddressFromCIDR(cidr)
}

/** ipaddr.js takes `::1.2.3.4`, which was something else (RFC 4291 §2.5.5.1), for an IPv4 address mapped into IPv6. */
function parse(text: string): Address {
  return ipaddr.parse(text.startsWith('::') && isIPv4(text.slice(2)) ? `0${text}` : text)
}
