// What an upstream is told about where a request came from, from what signet itself saw: X-Forwarded-* and Forwarded
// (RFC 7239). In: the client's address. Out: whole field lines.

/** The forwarding field lines for one client connection: made once, and again when the authority changes. */
export class ForwardingLines {
  readonly #address: string
  #authority: string | undefined = undefined
  #lines = ''

  /** @param remoteAddress of the socket; an IPv4 address mapped into IPv6 is told as IPv4 */
  constructor(remoteAddress: string) {
    this.#address = remoteAddress.startsWith('::ffff:') ? remoteAddress.slice(7) : remoteAddress
  }

  /** The lines for a request to `authority`; an HTTP/1.0 request may name none. */
  lines(authority: string | undefined): string {
    if (this.#lines === '' || authority !== this.#authority) {
      this.#authority = authority
      this.#lines = this.#write(authority)
    }
    return this.#lines
  }

  #write(authority: string | undefined): string {
    // RFC 7239 §6: an IPv6 address stands in brackets, and so in quotes, as does what has a colon.
    const node = this.#address.includes(':') ? `"[${this.#address}]"` : this.#address
    const host = authority === undefined ? '' : `;host="${authority}"`
    const forwardedHost = authority === undefined ? '' : `X-Forwarded-Host: ${authority}\r\n`
    return (
      `X-Forwarded-For: ${this.#address}\r\n${forwardedHost}X-Forwarded-Proto: http\r\n` +
      `Forwarded: for=${node}${host};proto=http\r\n`
    )
  }
}
