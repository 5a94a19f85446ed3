// How often an address may try a password. In: addresses, a clock. Out: whether another attempt may be made, and if not, when.
// Of each process by itself, in bounded memory.

/** Attempts that an address may have wrong or under way within {@link WINDOW}. */
export const MOST_ATTEMPTS = 10
/** ms */
const WINDOW = 60_000
/** Addresses that are remembered: beyond, the one that came first is forgotten. */
const MOST_ADDRESSES = 10_000

interface Tally {
  count: number
  readonly until: number
}

/** Counts attempts by address. */
export class Attempts {
  readonly #clock: () => number
  readonly #tallies = new Map<string, Tally>()

  /** @param clock monotonic ms */
  constructor(clock: () => number) {
    this.#clock = clock
  }

  /**
   * Takes one of the attempts of an address.
   *
   * @returns 0 when there was one left; or else the seconds until there is
   */
  take(address: string): number {
    const key = network(address)
    const now = this.#clock()
    const known = this.#tallies.get(key)
    if (known !== undefined && known.until > now) {
      if (known.count >= MOST_ATTEMPTS) return Math.max(1, Math.ceil((known.until - now) / 1000))
      known.count++
      return 0
    }
    this.#tallies.delete(key)
    if (this.#tallies.size >= MOST_ADDRESSES) this.#forgetOne()
    this.#tallies.set(key, { count: 1, until: now + WINDOW })
    return 0
  }

  /** The attempt was a right one: it does not count. Those that were wrong still do. */
  giveBack(address: string): void {
    const known = this.#tallies.get(network(address))
    if (known !== undefined && known.count > 0) known.count--
  }

  #forgetOne(): void {
    for (const key of this.#tallies.keys()) {
      this.#tallies.delete(key)
      return
    }
  }
}

/** Who has one IPv6 address mostly has 2^64 of them: all of a /64 count as one (RFC 6177 §2). */
function network(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped !== null) return mapped[1]!
  const [head = '', tail] = address.split('::', 2)
  const before = head === '' ? [] : head.split(':')
  if (tail === undefined) return before.slice(0, 4).join(':')
  const behind = tail === '' ? 0 : tail.split(':').length
  const zeros = Math.max(0, 8 - before.length - behind)
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...(tail === '' ? [] : tail.split(':'))]
  return groups.slice(0, 4).join(':')
}
