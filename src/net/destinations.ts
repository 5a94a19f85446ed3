// Where a forward proxy may connect to. In: what a client asks for. Out: an origin on the list, or a refusal; and a look-up
// of names that gives no address but those that may be connected to, so that the one checked is the one connected to.

import { isIP, type LookupFunction } from 'node:net'
import { ProxyError } from '../errors.ts'
import type { ForwardConfig, Origin } from '../http/gateway.ts'
import { isAddress } from '../http/address.ts'
import { AddressList, canonicalAddress, isPublic } from './address-list.ts'
import { LookUps } from './look-ups.ts'

/** One entry of the list, ready to be compared. */
interface Entry {
  /** lower-case; what stands behind `*` where {@link any} is set, its dot included */
  readonly host: string
  readonly any: boolean
  readonly ports: readonly number[]
}

/** The destinations that a listener for forward proxying allows. */
export class Destinations {
  readonly #entries: readonly Entry[]
  /** addresses that are allowed although they are not public */
  readonly #listed: AddressList
  readonly #lookUps: LookUps

  /** @param lookUps shared by those that there are at a time, since it bounds all of them */
  constructor(
    { allow, privateAddresses }: Pick<ForwardConfig, 'allow' | 'privateAddresses'>,
    lookUps = new LookUps(),
  ) {
    this.#lookUps = lookUps
    this.#listed = new AddressList(privateAddresses)
    this.#entries = allow.map(({ host, ports }) => {
      const any = host.startsWith('*')
      return { host: spelling(any ? host.slice(1) : host), any, ports }
    })
  }

  /**
   * The origin that `authority` names.
   *
   * @param authority host and optional port, checked: no userinfo
   * @param defaultPort where none is said
   * @throws {ProxyError} `ERR_DESTINATION_FORBIDDEN` for what is not on the list, or is an address that must not be
   *   connected to
   */
  find(authority: string, defaultPort: number): Origin {
    const [, named = '', digits] = /^(.*?)(?::(\d+))?$/s.exec(authority) ?? []
    const host = spelling(named.replace(/^\[(.*)\]$/, '$1'))
    const port = digits === undefined ? defaultPort : Number(digits)
    if (!this.#entries.some((entry) => allows(entry, host, port))) throw forbidden(`${host} port ${port}`)
    if (isIP(host) !== 0 && !this.#allowsAddress(host)) throw forbidden(`${host} is not public`)
    const bracketed = isIP(host) === 6 ? `[${host}]` : host
    return { host, port, authority: port === defaultPort ? bracketed : `${bracketed}:${port}` }
  }

  /** For `net.connect`: looks names up as it would, and leaves out what must not be connected to. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.#lookUps.find(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, [])
      const allowed = found.filter(({ address }) => this.#allowsAddress(address))
      const first = allowed[0]
      if (first === undefined) {
        const addresses = found.map(({ address }) => address).join(', ')
        return callback(forbidden(`${hostname} is ${addresses}, which is not public`), [])
      }
      if (options.all === true) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }

  #allowsAddress(address: string): boolean {
    return isPublic(address) || this.#listed.includes(address)
  }
}

/** The one spelling of a name or an address: a trailing dot only says that a name is complete. */
function spelling(host: string): string {
  return isAddress(host) ? canonicalAddress(host) : host.toLowerCase().replace(/\.$/, '')
}

function allows({ host, any, ports }: Entry, asked: string, port: number): boolean {
  if (!ports.includes(port)) return false
  return any ? asked.endsWith(host) && asked.length > host.length : asked === host
}

function forbidden(what: string): ProxyError & NodeJS.ErrnoException {
  return new ProxyError('ERR_DESTINATION_FORBIDDEN', `not an allowed destination: ${what}`)
}
