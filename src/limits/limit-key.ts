// Who a request is counted for. In: what a limit goes by, a request. Out: a key: short, whatever the client sends, and without
// a secret in it.

import { createHash } from 'node:crypto'
import { combinedValue, type FieldSection } from '../http/fields.ts'
import type { LimitConfig } from '../http/gateway.ts'
import type { Identity } from '../http/identity.ts'

/** Characters of a subject or an address that are taken as they are; what is longer is hashed. */
const LONGEST = 64

/**
 * Makes what finds the key of a request. What it goes by may be missing (nobody was asked who it is, everybody goes by one
 * name, the field was not sent): then the address counts, so that no stranger can use up what all share.
 *
 * @returns `client` is the client's address; the key says what it was made from, so that no subject is taken for an address
 */
export function keyReader(
  by: LimitConfig['by'],
): (head: { readonly fields: FieldSection }, client: string, identity: Identity | undefined) => string {
  if (by === 'address') return (_, client) => addressKey(client)
  if (by === 'subject')
    return (_, client, identity) =>
      identity === undefined || identity.anonymous ? addressKey(client) : `subject:${short(identity.subject)}`
  const name = by.slice('field:'.length)
  return ({ fields }, client) => {
    const value = combinedValue(fields, name)
    return value === undefined ? addressKey(client) : `field:${digest(value)}` // it may be somebody's key
  }
}

/** Of IPv6 the network, 64 bits: whoever has one address has all of those (RFC 4291 §2.5.4, RFC 6177). */
function addressKey(client: string): string {
  return `address:${short(networkOf(client))}`
}

/** `2001:db8::1` → `2001:db8:0:0`; IPv4, mapped or not, as IPv4; anything else as it is. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const plain = address.toLowerCase().split('%', 1)[0]!
  const mapped = /^::ffff:([\d.]+)$/.exec(plain)
  if (mapped !== null) return mapped[1]!
  const [left = '', right] = plain.split('::')
  const groups = left === '' ? [] : left.split(':')
  if (right !== undefined) {
    const behind = right === '' ? [] : right.split(':')
    while (groups.length + behind.length < 8) groups.push('0')
    groups.push(...behind)
  }
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}

function short(text: string): string {
  return text.length > LONGEST ? `#${digest(text)}` : text
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
