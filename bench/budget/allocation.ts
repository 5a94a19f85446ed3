// The allocations of the budget: octets that signet, as it is shipped, takes from the heap for one exchange. It is given so
// much room for young objects that nothing is collected meanwhile; then all that was allocated is still there, and its own
// /metrics says how much that is. A count, and no time: it is the same on a busy machine.

import { signet } from '../contestants.ts'
import { BROWSER, type RequestSpec, SMALL_POST } from '../endpoints/requests.ts'
import { Children } from '../support/children.ts'
import { median } from '../support/figures.ts'
import { KeptClients } from '../support/kept-clients.ts'
import { program } from '../support/paths.ts'
import type { Measured } from './budget.ts'

/** By name in the budget. */
const EXCHANGES: readonly (readonly [name: string, request: RequestSpec, accessLog: 'on' | 'off'])[] = [
  ['allocated: small POST', SMALL_POST, 'off'],
  ['allocated: small POST, access log', SMALL_POST, 'on'],
  ['allocated: browser', BROWSER, 'off'],
]

export const NAMES: readonly string[] = EXCHANGES.map(([name]) => name)

const CONNECTIONS = 8
/** Exchanges before, for all of it to be compiled: code that is not allocates more. */
const WARM_UP = 8000
const ROUNDS = 3
const EXCHANGES_A_ROUND = 2000
/** Rounds within which a collection came, at most: they are made again. */
const MOST_SPOILT = 5
/** MiB for young objects; more than all rounds allocate. */
const YOUNG = 256

/** All of them, one after another. */
export async function measureAllocation(): Promise<Measured[]> {
  const children = new Children()
  try {
    const upstream = await children.startServer({
      name: 'the upstream',
      argv: [program('endpoints/upstream')],
      side: 'load',
    })
    const measured: Measured[] = []
    for (const [name, request, accessLog] of EXCHANGES) {
      const { argv, ...how } = signet(accessLog)(`http://127.0.0.1:${upstream.port}`, 'ab'.repeat(64))
      const { port } = await children.startServer({
        name: 'signet',
        side: 'proxy',
        ...how,
        argv: [`--min-semi-space-size=${YOUNG}`, `--max-semi-space-size=${YOUNG}`, ...argv],
      })
      measured.push({ name, ...(await octetsPerExchange(port, request)) })
    }
    return measured
  } finally {
    await children.stopAll()
  }
}

async function octetsPerExchange(port: number, request: RequestSpec): Promise<Omit<Measured, 'name'>> {
  const clients = await KeptClients.open(port, CONNECTIONS, request)
  const rounds: number[] = []
  try {
    await clients.exchange(WARM_UP)
    for (let spoilt = 0; rounds.length < ROUNDS; ) {
      await look(port) // the first look of a round allocates what later ones find there
      const before = await look(port)
      const again = await look(port)
      await clients.exchange(EXCHANGES_A_ROUND)
      const after = await look(port)
      if (after.collections === before.collections) {
        const looking = again.allocated - before.allocated
        rounds.push((after.allocated - again.allocated - looking) / EXCHANGES_A_ROUND)
      } else if (++spoilt > MOST_SPOILT) throw new Error('there was a collection in every round')
    }
  } finally {
    clients.close()
  }
  return { value: median(rounds), rounds }
}

/** How much of the heap, and beside it, is in use; and how often it has been collected. */
async function look(port: number): Promise<{ allocated: number; collections: number }> {
  const text = await (
    await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } })
  ).text()
  const sum = (name: string) => {
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))]
    return values.reduce((all, [, value]) => all + Number(value), 0)
  }
  return {
    allocated: sum('nodejs_heap_size_used_bytes') + sum('nodejs_external_memory_bytes'),
    collections: sum('nodejs_gc_duration_seconds_count'),
  }
}
