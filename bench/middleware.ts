// What middleware costs: `node build/bench/middleware.js`. µs of CPU time of signet per request, by what stands on the route;
// the variants take turns. The claim: a `function*` that does nothing costs at most 5 % more than none; an async one costs more,
// since what came with the head of either message has to be copied while it is waited for.

import { SMALL_POST } from './endpoints/requests.ts'
import { Children, type Running } from './support/children.ts'
import { figure, median, spread, table } from './support/figures.ts'
import { runLoad } from './support/load.ts'
import { program } from './support/paths.ts'
import { cpuBetween, cpuTime } from './support/proc.ts'

/** As `endpoints/middleware-proxy.ts` knows them; the first is what the others are measured against. */
const VARIANTS = ['none', 'function*', 'async function*', 'async function*, a field each way']
const ROUNDS = 7
/** s of load in a round, and before the first */
const SECONDS = 2
const WARM_UP = 3
const CONNECTIONS = 32

/** One variant, and µs per request in each round. */
interface Entry {
  readonly variant: string
  readonly proxy: Running
  readonly rounds: number[]
}

const children = new Children()
try {
  const upstream = await children.startServer({
    name: 'the upstream',
    argv: [program('endpoints/upstream')],
    side: 'load',
  })
  const entries: Entry[] = []
  for (const variant of VARIANTS) {
    const argv = [program('endpoints/middleware-proxy'), variant, `http://127.0.0.1:${upstream.port}`]
    const proxy = await children.startServer({ name: variant, side: 'proxy', argv })
    await load(proxy, WARM_UP)
    entries.push({ variant, proxy, rounds: [] })
  }
  for (let round = 0; round < ROUNDS; round++)
    for (const { proxy, rounds } of entries) rounds.push(await load(proxy, SECONDS))

  const none = entries[0]!
  const rows = entries.map(({ variant, rounds }) => {
    // Of one round: what the machine does meanwhile is nearly the same for all of them.
    const more = rounds.map((cpu, round) => (cpu / none.rounds[round]! - 1) * 100)
    return [variant, spread(rounds, 1), variant === none.variant ? '–' : `${figure(median(more), 1)} %`]
  })
  console.log(`µs of CPU time per request, Node ${process.versions.node}, ${ROUNDS} rounds in turn\n`)
  console.log(table(['middleware', 'µs', 'more than none'], rows))
} finally {
  await children.stopAll()
}

/** @returns µs of CPU time per request */
async function load({ port, pid }: Running, seconds: number): Promise<number> {
  const before = cpuTime(pid)
  const { requests, failed } = await runLoad(children, 'autocannon', {
    port,
    connections: CONNECTIONS,
    seconds,
    request: SMALL_POST,
  })
  const used = cpuBetween(before, cpuTime(pid))
  if (failed > 0 || used === undefined) throw new Error(`${failed} requests failed`)
  return (used.user + used.system) / requests
}
