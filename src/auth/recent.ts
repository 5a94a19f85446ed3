// What was found out lately, so that it need not be found out again. In: a key and how long it counts. Out: the value while
// it does. Bounded: the oldest goes when there are too many.

/** Values for a while. */
export class Recent<Value> {
  readonly #most: number
  readonly #entries = new Map<string, { readonly value: Value; readonly until: number }>()

  /** @param most how many are kept */
  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#entries.size
  }

  /** @param now on the clock of {@link set} */
  get(key: string, now: number): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.until > now) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: Value, until: number): void {
    this.#entries.delete(key) // or it would stay as old as it was
    if (this.#entries.size >= this.#most) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest)
        break
      }
    }
    this.#entries.set(key, { value, until })
  }
}

/** Several who ask the same at the same time ask once. */
export class SingleFlight<Value> {
  readonly #flights = new Map<string, Promise<Value>>()

  /** How many are under way. */
  get size(): number {
    return this.#flights.size
  }

  /** What is under way for this key, if anything is. */
  of(key: string): Promise<Value> | undefined {
    return this.#flights.get(key)
  }

  /** What `ask` gives; of one that is under way for the same key already, if there is one. */
  run(key: string, ask: () => Promise<Value>): Promise<Value> {
    const running = this.#flights.get(key)
    if (running !== undefined) return running
    const flight = ask().finally(() => this.#flights.delete(key))
    this.#flights.set(key, flight)
    return flight
  }
}
