// Input that waits for an encoder. In: octets, borrowed. Out: batches, one at a time. Two buffers take turns: one is filled
// while the encoder reads the other. With new ones for every batch the garbage collector takes half as long as zstd.

const SMALLEST = 1024
const EMPTY = Buffer.alloc(0)

/** Octets that are gathered, and handed over all at once. */
export class Batches {
  #filling = EMPTY
  #length = 0
  /** what was handed over last, until it is given back */
  #lent = EMPTY
  #spare = EMPTY

  /** How many octets have been gathered. */
  get length(): number {
    return this.#length
  }

  /** Copies `octets[start, end)` behind what was gathered. */
  append(octets: Buffer, start: number, end: number): void {
    const length = this.#length + end - start
    if (this.#filling.length < length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(SMALLEST, length, 2 * this.#filling.length))
      this.#filling.copy(larger, 0, 0, this.#length)
      this.#filling = larger
    }
    octets.copy(this.#filling, this.#length, start, end)
    this.#length = length
  }

  /** Hands over all that was gathered. It is not written to again before {@link giveBack}, and until then there is no other. */
  take(): Buffer {
    const batch = this.#filling.subarray(0, this.#length)
    this.#lent = this.#filling
    this.#filling = this.#spare
    this.#spare = EMPTY
    this.#length = 0
    return batch
  }

  /** The batch has been read. */
  giveBack(): void {
    if (this.#lent.length > 0) this.#spare = this.#lent
    this.#lent = EMPTY
  }

  /** Gives up all memory but what is handed over, which is left to its reader. */
  clear(): void {
    this.#filling = EMPTY
    this.#length = 0
    this.#lent = EMPTY
    this.#spare = EMPTY
  }
}
