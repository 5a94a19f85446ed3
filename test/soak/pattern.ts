// What the bodies of the soak are made of: each exchange has its own octets, known to both ends from its id alone, so
// that every octet of every body can be checked where it arrives. And chance, from a seed.

/** Octets after which the pattern repeats: a prime, so that no power of two hides a shift. */
const PERIOD = 65_521
/** Each exchange begins its body somewhere else in the pattern. */
const STRIDE = 7919

const random = chance(0x5147)
/** The pattern twice over: any run of up to a period is there in one piece. */
const PATTERN = Buffer.from(Array.from({ length: PERIOD }, () => Math.floor(random() * 256)))
const TWICE = Buffer.concat([PATTERN, PATTERN])

/** `length` octets of the body of exchange `id`, from octet `from` on; at most a period. Not to be written to. */
export function bodyPiece(id: number, from: number, length: number): Buffer {
  const at = (id * STRIDE + from) % PERIOD
  return TWICE.subarray(at, at + Math.min(length, PERIOD))
}

/** Checks a body as it comes. */
export class BodyCheck {
  readonly #id: number
  /** octets seen */
  octets = 0
  /** offset of the first wrong octet; -1 while there is none */
  wrongAt = -1

  constructor(id: number) {
    this.#id = id
  }

  add(piece: Buffer): void {
    for (let at = 0; at < piece.length && this.wrongAt === -1; ) {
      const expected = bodyPiece(this.#id, this.octets, piece.length - at)
      const end = at + expected.length
      if (expected.compare(piece, at, end) !== 0) this.wrongAt = this.octets
      at = end
      this.octets += expected.length
    }
  }
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** What a client or the upstream leaves to chance. */
export class Dice {
  readonly #next: () => number

  constructor(seed: number) {
    this.#next = chance(seed)
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1))
  }

  /** True `percent` times in 100. */
  percent(percent: number): boolean {
    return this.#next() * 100 < percent
  }

  /** One of `choices`. */
  of<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#next() * choices.length)] as T
  }

  /** One of `choices`, each as often as its weight says. */
  weighed<T extends { readonly weight: number }>(choices: readonly T[]): T {
    let at = this.#next() * choices.reduce((sum, { weight }) => sum + weight, 0)
    return choices.find(({ weight }) => (at -= weight) < 0) ?? (choices.at(-1) as T)
  }
}
