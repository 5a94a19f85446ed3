// The end of a turn of the event loop: when all that could be read has been read, what it came to is written. A write to a
// peer that sleeps has to wake it, which costs more than the rest of the write; peers that are written to one after the
// other are still awake from the last one (bench/versus, docs/performance.md).

/** Something that is due when the turn ends. */
export interface Due {
  /** The turn ends. What it throws is handed to {@link onTurnFault}, and the others have theirs all the same. */
  onTurnEnd(): void
  /** {@link onTurnEnd} threw. Must not throw. */
  onTurnFault(thrown: unknown): void
}

/** The turns of a process. */
export class Turn {
  #due: Due[] = []
  #ending: Due[] = []

  /** Adds something that is due when this turn ends. Once; it may add itself again for the next. */
  add(due: Due): void {
    if (this.#due.length === 0) setImmediate(this.#end)
    this.#due.push(due)
  }

  /** Ends the turn now. */
  end(): void {
    const ending = this.#due
    this.#due = this.#ending
    this.#ending = ending
    for (let at = 0; at < ending.length; at++) {
      const due = ending[at]!
      try {
        due.onTurnEnd()
      } catch (thrown) {
        due.onTurnFault(thrown)
      }
    }
    ending.length = 0
  }

  readonly #end = (): void => this.end()
}
