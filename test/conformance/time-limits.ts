// How many descriptors a process may have here.

import { readFileSync } from 'node:fs'

/** The most that `ulimit -n` can be set to: the hard limit of this process. Linux alone says it; elsewhere a low guess. */
export function descriptorLimit(): number {
  try {
    const line = /^Max open files +\S+ +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    return line?.[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line?.[1] ?? 1024)
  } catch {
    return 1024
  }
}
