// Files that may change while signet runs. In: their paths. Out: word that one of them has.

import { unwatchFile, watchFile } from 'node:fs'

/** ms between two looks at a file: by its time and size, since that also sees a link that was put in another's place */
const INTERVAL = 500
/** ms without a further change: an editor, or a tool that renews a certificate and then its key, may not be through */
const QUIET = 200

/** Files that are watched. Those of earlier configurations stay among them: a change too many only reads everything again. */
export class Watch {
  readonly #onChange: () => void
  readonly #paths = new Set<string>()
  #due: NodeJS.Timeout | undefined = undefined

  /** @param onChange told once for changes that come close together */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Watches `paths` as well from now on. They need not exist. */
  add(paths: readonly string[]): void {
    for (const path of paths) {
      if (this.#paths.has(path)) continue
      this.#paths.add(path)
      watchFile(path, { interval: INTERVAL, persistent: false }, this.#onFile)
    }
  }

  /** Watches nothing any more. */
  close(): void {
    clearTimeout(this.#due)
    for (const path of this.#paths) unwatchFile(path, this.#onFile)
    this.#paths.clear()
  }

  readonly #onFile = (): void => {
    clearTimeout(this.#due)
    this.#due = setTimeout(this.#onChange, QUIET).unref()
  }
}
