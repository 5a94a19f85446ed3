// Opens the many idle connections of endpoints/idle-clients, in a process of its own.

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Children } from './children.ts'
import { program } from './paths.ts'

/** s for all of them to be open. */
const DEADLINE = 60

/** Open files that a process needs for this many connections, one descriptor each. */
export function openFilesFor(connections: number): number {
  return connections + 1000
}

/**
 * Opens connections that make one request each and then stay.
 *
 * @returns their process; they close when it is stopped
 * @throws when not all of them could be opened
 */
export async function openIdleClients(
  children: Children,
  port: number,
  connections: number,
): Promise<ChildProcess> {
  const clients = children.spawn(
    {
      name: 'the idle clients',
      argv: [program('endpoints/idle-clients'), String(port), String(connections)],
      side: 'load',
      openFiles: openFilesFor(connections),
    },
    ['ignore', 'pipe', 'inherit'],
  )
  const late = setTimeout(() => clients.kill('SIGKILL'), DEADLINE * 1000)
  const [line] = await Promise.race([once(clients.stdout!, 'data'), once(clients, 'close')])
  clearTimeout(late)
  if (!Buffer.isBuffer(line)) throw new Error('the idle connections could not be opened')
  return clients
}
