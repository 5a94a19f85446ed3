// How long a place stays empty after its process died. In: how long the process lived. Out: ms.

/** ms before the first replacement: a process that died once is not kept waiting. */
const SHORTEST = 100
/** ms at most: a process that cannot live is tried six times a minute. */
const LONGEST = 10_000
/** ms of life after which a process counts as well, and its death as the first */
const LONG_LIFE = 60_000

/** The waits of one place: each twice as long as the one before. */
export class Backoff {
  #next = SHORTEST

  /** ms to wait, after a process that lived for `lived` ms */
  after(lived: number): number {
    if (lived >= LONG_LIFE) this.#next = SHORTEST
    const wait = this.#next
    this.#next = Math.min(wait * 2, LONGEST)
    return wait
  }
}
