// What an upstream is told about where a request came from: X-Forwarded-* and Forwarded (RFC 7239). From what signet itself
// saw, and, where the peer is a trusted proxy, from what that one says. In: the peer, a request head. Out: whole field lines.

import { type FieldRule, FORWARDING } from './forward-fields.ts'
import type { FieldSection } from './fields.ts'
import { addressIn, type ForwardingHead, readTold, type Told } from './forwarding-told.ts'
import { isIPv4, type Scheme } from './request-target.ts'

/** Of a peer whose word does not count. */
const NOTHING: Told = {
  chain: [],
  host: undefined,
  proto: undefined,
  elements: [],
  lines: new Set(),
}

/** The forwarding field lines for the requests of one client connection. */
export class ForwardingLines {
  readonly #remoteAddress: string
  readonly #address: string
  readonly #scheme: Scheme
  /** whether an address is a trusted proxy's; undefined unless that of the peer is */
  readonly #trusts: ((address: string) => boolean) | undefined
  /** of the head at hand, and what it tells: read once, though it is asked for by several */
  #fields: FieldSection | undefined = undefined
  #told = NOTHING
  #authority: string | undefined = undefined
  #lines = ''

  /**
   * @param remoteAddress of the peer; an IPv4 address mapped into IPv6 is told as IPv4
   * @param scheme that the peer speaks
   * @param trusts whether an address is a trusted proxy's: asked once about the peer and then, if so, about those it names
   */
  constructor(remoteAddress: string, scheme: Scheme, trusts?: (address: string) => boolean) {
    this.#remoteAddress = remoteAddress
    this.#address = withoutMapping(remoteAddress)
    this.#scheme = scheme
    this.#trusts = trusts?.(remoteAddress) === true ? trusts : undefined
  }

  /** The lines for a request; an HTTP/1.0 request may name no authority. Of an untrusted peer they are made once for each. */
  lines(head: ForwardingHead): string {
    const { authority } = head
    if (this.#trusts !== undefined) return this.#write(authority, this.#read(head))
    if (this.#lines === '' || authority !== this.#authority) {
      this.#authority = authority
      this.#lines = this.#write(authority, NOTHING)
    }
    return this.#lines
  }

  /**
   * Who sent the request, for the log and for limits: the peer, or behind trusted proxies the last address in
   * X-Forwarded-For that is none of theirs; the first one that was read, where all are.
   */
  clientOf(head: ForwardingHead): string {
    const trusts = this.#trusts
    if (trusts === undefined) return this.#remoteAddress
    const { chain } = this.#read(head)
    let client = ''
    for (let at = chain.length - 1; at >= 0; at--) {
      client = addressIn(chain[at]!)
      if (!trusts(client)) break
    }
    return client === '' ? this.#remoteAddress : withoutMapping(client)
  }

  /**
   * Whether {@link lines} say again all that stands in `line`, which therefore is no imitation: of the head that they were
   * asked for last.
   */
  repeats(fields: FieldSection, line: number, rule: FieldRule | undefined): boolean {
    return rule === FORWARDING && fields === this.#fields && this.#told.lines.has(line)
  }

  #read(head: ForwardingHead): Told {
    if (head.fields !== this.#fields) {
      this.#told = readTold(head)
      this.#fields = head.fields
    }
    return this.#told
  }

  #write(authority: string | undefined, { chain, host = authority, proto, elements }: Told): string {
    // RFC 7239 §6: an IPv6 address stands in brackets, and so in quotes, as does what has a colon.
    const node = this.#address.includes(':') ? `"[${this.#address}]"` : this.#address
    const own = `for=${node}${authority === undefined ? '' : `;host="${authority}"`};proto=${this.#scheme}`
    const forwardedHost = host === undefined ? '' : `X-Forwarded-Host: ${host}\r\n`
    return (
      `X-Forwarded-For: ${appended(chain, this.#address)}\r\n${forwardedHost}` +
      `X-Forwarded-Proto: ${proto ?? this.#scheme}\r\nForwarded: ${appended(elements, own)}\r\n`
    )
  }
}

function appended(members: readonly string[], last: string): string {
  return members.length === 0 ? last : `${members.join(', ')}, ${last}`
}

function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address
}
