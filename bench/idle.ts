// What idle keep-alive connections cost: `node build/bench/idle.js`. Resident memory of signet per client connection,
// with 5,000 of them that have made one request each.

import { setTimeout as sleep } from 'node:timers/promises'
import { signet } from './contestants.ts'
import { SMALL_POST } from './endpoints/requests.ts'
import { Children } from './support/children.ts'
import { figure } from './support/figures.ts'
import { openFilesFor, openIdleClients } from './support/idle-clients.ts'
import { runLoad } from './support/load.ts'
import { program } from './support/paths.ts'
import { residentMemory } from './support/proc.ts'

const CONNECTIONS = 5000
/** s of load at first, so that what it costs to be compiled is not counted to the connections */
const WARM_UP = 3
/** ms until memory is looked at, for the collector to be done */
const SETTLE = 2000

const children = new Children()
try {
  const upstream = await children.startServer({
    name: 'the upstream',
    argv: [program('endpoints/upstream')],
    side: 'load',
  })
  const proxy = await children.startServer({
    name: 'signet',
    side: 'proxy',
    openFiles: openFilesFor(CONNECTIONS),
    ...signet('off')(`http://127.0.0.1:${upstream.port}`, 'ab'.repeat(64)),
  })
  const { port } = proxy
  await runLoad(children, 'autocannon', { port, connections: 32, seconds: WARM_UP, request: SMALL_POST })
  await sleep(SETTLE)
  const before = residentMemory(proxy.pid) ?? Number.NaN

  await openIdleClients(children, port, CONNECTIONS)
  await sleep(SETTLE)
  const each = ((residentMemory(proxy.pid) ?? Number.NaN) - before) / CONNECTIONS
  console.log(
    `Node ${process.versions.node}: ${figure(each / 1024, 1)} KiB resident for each of ${CONNECTIONS} idle connections`,
  )
} finally {
  await children.stopAll()
}
