// File descriptors of the process: how many there may be, and whether any is left. When none is, libuv closes what it
// cannot accept without a word to anyone: so it is looked at, once a second.

import { closeSync, openSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'

/** ms between two looks; each costs two system calls. */
const EVERY = 1000

/** How many descriptors the process may have open, where the system tells; Node has raised it as far as it may. */
export function mostDescriptors(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY // not Linux
  }
}

/**
 * Looks once a second whether a descriptor is to be had.
 *
 * @param onExhausted told each time there is none
 * @returns ends it
 */
export function watchDescriptors(onExhausted: () => void): () => void {
  const timer = setInterval(() => {
    try {
      closeSync(openSync(devNull, 'r'))
    } catch {
      onExhausted()
    }
  }, EVERY).unref()
  return () => clearInterval(timer)
}
