// Octets that have to outlive the read that brought them: a head or trailer section split over reads, requests that
// were pipelined behind the one in progress. The exception, not the rule, so it owns no memory before it has held any, and but
// little when it holds none any more.

const SMALLEST = 512

/** A growing run of octets, taken from at its front. Doubles its room, so that a trickle costs linear time. */
export class OctetStore {
  #octets: Buffer | undefined = undefined
  #start = 0
  #end = 0

  /** How many octets are held. */
  get length(): number {
    return this.#end - this.#start
  }

  /** Copies `octets[start, end)` behind what is held. */
  append(octets: Buffer, start: number, end: number): void {
    const needed = this.#end + end - start
    if (this.#octets === undefined || this.#octets.length < needed) {
      const grown = Buffer.allocUnsafeSlow(Math.max(SMALLEST, this.length + end - start, this.length * 2))
      this.#octets?.copy(grown, 0, this.#start, this.#end)
      this.#end = this.length
      this.#start = 0
      this.#octets = grown
    }
    octets.copy(this.#octets, this.#end, start, end)
    this.#end += end - start
  }

  /** What is held, to look at: valid until the next call of another method. */
  peek(): Buffer {
    return this.#octets === undefined ? EMPTY : this.#octets.subarray(this.#start, this.#end)
  }

  /**
   * Forgets the first `count` octets. When they were the last, it gives up the memory, but for a region of the smallest size: a
   * connection that keeps a little with every request would make two of them for each, at 0.5 µs and more to collect.
   */
  drop(count: number): void {
    this.#start += count
    if (this.#start < this.#end) return
    const spare = this.#octets?.length === SMALLEST ? this.#octets : undefined
    this.clear()
    this.#octets = spare
  }

  /** Gives up everything held. */
  take(): Buffer {
    const taken = this.peek()
    this.clear()
    return taken
  }

  /** Forgets everything held. */
  clear(): void {
    this.#octets = undefined
    this.#start = 0
    this.#end = 0
  }
}

const EMPTY = Buffer.alloc(0)
