// Deadlines of connections. A deadline is a number in the connection; one timer looks at all of them ten times a
// second. Arming one costs an assignment, where a timer each would cost an object and a list for every phase.

import type { OnFault } from '../errors.ts'

/** Something with a deadline: `deadline` is set by its owner, in ms on the clock of {@link Deadlines}. */
export interface Watched {
  /** when {@link onDeadline} is due; `NEVER` while nothing is waited for */
  deadline: number
  /** Called once per deadline, at most two ticks late. What it throws is a fault, and the others' turn comes all the same. */
  onDeadline(): void
}

/** No deadline. */
export const NEVER = Number.POSITIVE_INFINITY

/** How often the watched are looked at, in ms: the precision of every deadline. */
const TICK = 100

/** Watches over all deadlines of a process. Its timer runs only while something is watched. */
export class Deadlines {
  readonly #watched = new Set<Watched>()
  readonly #clock: () => number
  readonly #onFault: OnFault
  #timer: NodeJS.Timeout | undefined = undefined
  #now = 0

  /** @param clock monotonic milliseconds */
  constructor(clock: () => number, onFault: OnFault) {
    this.#clock = clock
    this.#onFault = onFault
  }

  /** How many are watched: for tests that look for leaks. */
  get size(): number {
    return this.#watched.size
  }

  /** The deadline that is `ms` milliseconds from now: never early, since the clock kept here lags by up to a tick. */
  after(ms: number): number {
    if (this.#timer === undefined) this.#now = this.#clock() // nobody has kept it up to date
    return this.#now + ms + TICK
  }

  /** Begins to look after `watched`. */
  watch(watched: Watched): void {
    this.#watched.add(watched)
    if (this.#timer !== undefined) return
    this.#now = this.#clock()
    // Never what keeps a process alive: the sockets are.
    this.#timer = setInterval(() => this.#sweep(), TICK).unref()
  }

  /** No longer looks after `watched`. */
  unwatch(watched: Watched): void {
    this.#watched.delete(watched)
    if (this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #sweep(): void {
    this.#now = this.#clock()
    for (const watched of this.#watched) {
      if (watched.deadline > this.#now) continue
      watched.deadline = NEVER
      try {
        watched.onDeadline()
      } catch (thrown) {
        this.#onFault(thrown)
      }
    }
  }
}
