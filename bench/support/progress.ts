// Says what a bench is doing, a line per step. On a terminal the line shows the step as it goes, then its result.

/** Steps of a bench, counted. */
export class Progress {
  readonly #steps: number
  #step = 0
  #line = ''

  /** @param steps how many there will be */
  constructor(steps: number) {
    this.#steps = steps
  }

  /** A step begins. */
  begin(what: string): void {
    this.#step++
    const width = String(this.#steps).length
    this.#line = `[${String(this.#step).padStart(width)}/${this.#steps}] ${what}`
    if (process.stderr.isTTY) process.stderr.write(`${this.#line} …`)
  }

  /** The step is over. */
  end(result = ''): void {
    process.stderr.write(
      `${process.stderr.isTTY ? '\r\x1b[2K' : ''}${this.#line}${result === '' ? '' : `: ${result}`}\n`,
    )
  }

  /** A remark that is no step. */
  note(text: string): void {
    process.stderr.write(`${text}\n`)
  }
}
