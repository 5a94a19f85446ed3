// What all contestants stand in front of: nginx, which answers small requests from memory and leaves most of the core
// it shares with the load to the load; or, without it and for large bodies, the upstream of the other benches.

import { SMALL_ANSWER, TEN_KIB_ANSWER } from '../endpoints/requests.ts'
import type { Children, Running } from '../support/children.ts'
import { inRoot, program } from '../support/paths.ts'
import { freePort } from '../support/ports.ts'
import type { Scratch } from '../support/scratch.ts'
import { PROGRAMS } from './programs.ts'

/** The upstream of small requests. */
export async function startSmallUpstream(children: Children, scratch: Scratch): Promise<Running> {
  const { found } = PROGRAMS.nginx
  if (found === undefined) return startBodyUpstream(children)
  const port = await freePort()
  const folder = scratch.folder(`upstream-${port}`)
  const file = scratch.write(`upstream-${port}/nginx.conf`, inRoot('bench', 'peers', 'nginx-upstream.conf'), {
    port,
    small: SMALL_ANSWER,
    kib: TEN_KIB_ANSWER.slice(0, 1024),
  })
  const argv = ['-p', folder, '-c', file, '-e', 'stderr']
  return children.startServer({ name: 'nginx, the upstream', program: found.path, argv, port, side: 'load' })
}

/** The upstream of large bodies: it counts their octets. */
export function startBodyUpstream(children: Children): Promise<Running> {
  const argv = [program('endpoints/upstream')]
  return children.startServer({ name: 'the upstream', argv, side: 'load' })
}
