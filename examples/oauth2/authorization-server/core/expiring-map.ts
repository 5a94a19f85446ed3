// A map that cannot grow without end: each entry lives for the same time, and there is a number of them at most.

/** What an {@link ExpiringMap} is told. */
export interface ExpiringMapOptions {
  /** ms that an entry lives */
  readonly lifetime: number
  /** entries at most */
  readonly limit: number
  /** ms since the epoch */
  readonly now: () => number
}

/** Entries that are gone after a while. When it is full it takes no more, rather than lose somebody else's entry. */
export class ExpiringMap<V> {
  readonly #lifetime: number
  readonly #limit: number
  readonly #now: () => number
  /** in the order they were added, and so in the order they expire */
  readonly #entries = new Map<string, { readonly value: V; readonly expires: number }>()

  constructor({ lifetime, limit, now }: ExpiringMapOptions) {
    this.#lifetime = lifetime
    this.#limit = limit
    this.#now = now
  }

  /** Entries in memory, be they expired or not. */
  get size(): number {
    return this.#entries.size
  }

  /** Adds an entry. @returns false when there is no room for it */
  add(key: string, value: V): boolean {
    this.sweep()
    if (this.#entries.size >= this.#limit) return false
    this.#entries.set(key, { value, expires: this.#now() + this.#lifetime })
    return true
  }

  /** What was added by that name, while it lives. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && this.#now() < entry.expires ? entry.value : undefined
  }

  /** Forgets what has expired. Each entry is looked at once, so an `add` costs the same however many there are. */
  sweep(): void {
    const now = this.#now()
    for (const [key, { expires }] of this.#entries) {
      if (now < expires) return
      this.#entries.delete(key)
    }
  }
}
