// How long things took, in fixed memory: log-linear slots as in HdrHistogram, 7 KB; no allocation.
// In: microseconds, one duration at a time. Out: milliseconds, off by at most 1/64 (1.6 %).

/** 32 slots per power of two: a slot is at most 1/32 of its durations wide, its middle at most 1/64 off. */
const SLOT_BITS = 5

/** The longest duration told apart, in microseconds (71.6 minutes): as far as `Math.clz32` can see. */
const LONGEST = 2 ** 32 - 1

/** One slot for each whole microsecond below 64, then 32 for each of the 26 powers of two up to 2^31. */
const SLOTS = (33 - SLOT_BITS) << SLOT_BITS

/** The slot of a whole number of microseconds below 2^32: its exponent, then the 5 bits after its first. */
function slotOf(microseconds: number): number {
  const shift = Math.max(0, 31 - SLOT_BITS - Math.clz32(microseconds))
  return (shift << SLOT_BITS) + (microseconds >>> shift)
}

/** The duration a slot stands for, in microseconds: the middle between its shortest and its longest. */
function middleOf(slot: number): number {
  const shift = Math.max(0, (slot >>> SLOT_BITS) - 1)
  const shortest = (slot - (shift << SLOT_BITS)) * 2 ** shift
  return shortest + (2 ** shift - 1) / 2
}

/** A histogram as plain data: what one process tells another. */
export interface HistogramTally {
  /** durations by slot */
  readonly counts: Float64Array
  readonly count: number
  /** µs */
  readonly sum: number
  /** µs */
  readonly longest: number
}

/**
 * A histogram of durations between 1 µs and 71.6 minutes, in whole microseconds; what lies outside counts as
 * the nearest end. Counts are doubles: they pass 2^32 and stay exact up to 2^53.
 */
export class Histogram {
  readonly #counts = new Float64Array(SLOTS)
  #count = 0
  #sum = 0
  #longest = 0

  /** How many durations were recorded. */
  get count(): number {
    return this.#count
  }

  /** The sum of all durations, in milliseconds: exact, not rebuilt from the slots. */
  get sum(): number {
    return this.#sum / 1000
  }

  /** The longest duration, in milliseconds: exact; 0 when nothing was recorded. */
  get max(): number {
    return this.#longest / 1000
  }

  /**
   * Counts one duration, in constant time and without allocating.
   *
   * @param microseconds rounded to a whole number; NaN counts as 1, since a statistic must not stop the road
   * @param times how often it occurred
   */
  record(microseconds: number, times = 1): void {
    const whole = microseconds >= 1 ? Math.min(Math.round(microseconds), LONGEST) : 1
    this.#counts[slotOf(whole)]! += times
    this.#count += times
    this.#sum += whole * times
    if (whole > this.#longest) this.#longest = whole
  }

  /**
   * The duration that a share `q` of all durations do not exceed (nearest rank).
   *
   * @param q from 0 to 1: 0.5 is the median
   * @returns milliseconds, at most 1/64 off; 0 when nothing was recorded
   */
  quantile(q: number): number {
    const rank = Math.min(Math.max(1, Math.ceil(q * this.#count)), this.#count)
    let seen = 0
    for (let slot = 0; slot < SLOTS; slot++) {
      seen += this.#counts[slot]!
      // The middle of the last slot may lie past the longest duration; a p99 above the max would read as a
      // bug.
      if (seen >= rank) return Math.min(middleOf(slot), this.#longest) / 1000
    }
    return this.max
  }

  /**
   * How many durations were at most `milliseconds`, each taken as the middle of its slot, as in {@link
   * quantile}: durations within 1/64 of the bound may fall on its other side. Never falls as the bound rises.
   */
  countAtMost(milliseconds: number): number {
    const bound = milliseconds * 1000
    let seen = 0
    for (let slot = 0; slot < SLOTS && middleOf(slot) <= bound; slot++) seen += this.#counts[slot]!
    return seen
  }

  /** All of it, to be sent elsewhere. */
  tally(): HistogramTally {
    return { counts: this.#counts.slice(), count: this.#count, sum: this.#sum, longest: this.#longest }
  }

  /** Takes in what another process has recorded. */
  add({ counts, count, sum, longest }: HistogramTally): void {
    for (const [slot, times] of counts.entries()) this.#counts[slot]! += times
    this.#count += count
    this.#sum += sum
    this.#longest = Math.max(this.#longest, longest)
  }
}
