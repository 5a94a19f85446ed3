// Who runs on which core: the proxy that is measured alone on one, everything else on the others.

import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Which side of the machine a process runs on. */
export type Side = 'proxy' | 'load'

const PROXY_CORE = 1
const cores = availableParallelism()
const others = cores === 2 ? '0' : `0,2-${cores - 1}`

/** Whether processes can be pinned: Linux with taskset and two cores. */
export const pins = cores >= 2 && spawnSync('taskset', ['-c', `${PROXY_CORE},${others}`, 'true']).status === 0

/** What to put before a command line so that it runs on its side; nothing where that is not possible. */
export function pinned(side: Side): string[] {
  return pins ? ['taskset', '-c', side === 'proxy' ? String(PROXY_CORE) : others] : []
}
