// The end of a turn of the event loop: when all that could be read has been read, what it came to is written. A write to a
// peer that sleeps has to wake it, which costs more than the rest of the write; peers that are written to one after the
// other are still awake from the last one (docs/decisions/0007-writes-at-the-end-of-a-turn.md).

/** Something that is due when the turn ends. */
export interface Due {
  /** The turn ends. What it throws is handed to {@link onTurnFault}, and the others have theirs all the same. */
  onTurnEnd(): void
  /** {@link onTurnEnd} threw. Must not throw. */
  onTurnFault(thrown: unknown): void
}

/** Rounds of the event loop that a turn takes at most, while each of them brings another connection. */
const MAX_ROUNDS = 16

/** What follows a round of the event loop. */
type Next =
  | 'end' // of the turn
  | 'round' // another one, since this one has brought a connection
  | 'certain end' // whatever it brings

/** The turns of a process. */
export class Turn {
  #due: Due[] = []
  #ending: Due[] = []
  /** whether {@link #onRound} is on its way */
  #awaited = false
  #next: Next = 'end'
  #rounds = 0

  /** Adds something that is due when this turn ends. Once; it may add itself again for the next. */
  add(due: Due): void {
    this.#awaitRound()
    this.#due.push(due)
  }

  /**
   * A connection was accepted: the turn takes another round of the event loop. Node accepts only one in each, though more
   * may wait, and turns that bring so little would have to wake a peer for every write (bench/versus, workload f).
   */
  prolong(): void {
    this.#awaitRound() // if nothing is due nothing comes of it, for the next turn neither
    if (this.#next === 'end') this.#next = 'round'
  }

  /** Something has left before the end of the turn: there is no other round, since it may bring an answer to that. */
  conclude(): void {
    if (this.#awaited) this.#next = 'certain end'
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

  #awaitRound(): void {
    if (this.#awaited) return
    this.#awaited = true
    setImmediate(this.#onRound)
  }

  /** All that could be read in this round of the event loop has been. */
  readonly #onRound = (): void => {
    const goesOn = this.#next === 'round' && this.#due.length > 0 && ++this.#rounds < MAX_ROUNDS
    this.#awaited = false
    if (goesOn) {
      this.#next = 'end'
      this.#awaitRound()
      return
    }
    this.#rounds = 0
    this.end()
    this.#next = 'end' // what has left now belongs to the turn that is over
  }
}
