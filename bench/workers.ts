// What several workers cost: `node build/bench/workers.js`. CPU time per request of two workers and their primary, against
// a signet of one process in the same rounds: over kept connections, and with a connection for each request. How evenly
// the connections were handed out is told too.

import { readFileSync } from 'node:fs'
import { signet } from './contestants.ts'
import { CLOSING_POST, SMALL_POST } from './endpoints/requests.ts'
import { Children, type Running } from './support/children.ts'
import { figure, median, spread, table } from './support/figures.ts'
import { runLoad } from './support/load.ts'
import { program } from './support/paths.ts'
import { cpuTime } from './support/proc.ts'

const ROUNDS = 7
const SECONDS = 2
/** s of each kind before the first round: every worker compiles its own code, by its own share of the load. */
const WARM_UP = 10
const CONFIGURATIONS = ['1', '2'] as const
type Workers = (typeof CONFIGURATIONS)[number]
/** Kept connections in all, or as many as there are requests: with few to a worker, each wake-up of it finds less to do. */
const KINDS = [
  { name: '32 kept connections', connections: 32 },
  { name: '64 kept connections', connections: 64 },
  { name: 'a connection each', connections: undefined },
] as const
type Kind = (typeof KINDS)[number]

const children = new Children()
try {
  const upstream = await children.startServer({
    name: 'the upstream',
    argv: [program('endpoints/upstream')],
    side: 'load',
  })
  const proxies = new Map<Workers, Running>()
  for (const workers of CONFIGURATIONS) {
    const { argv, env } = signet('off')(`http://127.0.0.1:${upstream.port}`, 'ab'.repeat(64))
    const name = `signet, ${workers} worker(s)`
    const command = { name, argv, side: 'proxy', env: { ...env, SIGNET_WORKERS: workers } } as const
    proxies.set(workers, await children.startServer(command))
  }

  /** Has a proxy answer requests of one kind. @returns CPU µs per request, of all its processes */
  async function costOf({ pid, port }: Running, { connections }: Kind, seconds: number): Promise<number> {
    const before = cpuOfAll(pid)
    const request = connections === undefined ? CLOSING_POST : SMALL_POST
    const spec = { port, connections: connections ?? 32, seconds, request }
    const { requests, failed } = await runLoad(children, 'autocannon', spec)
    if (failed > 0) throw new Error(`${failed} requests failed`)
    return (cpuOfAll(pid) - before) / requests
  }

  const costs = new Map(
    KINDS.map((kind) => [kind, new Map<Workers, number[]>(CONFIGURATIONS.map((one) => [one, []]))]),
  )
  for (let round = -1; round < ROUNDS; round++) {
    for (const kind of KINDS) {
      for (const [workers, proxy] of proxies) {
        const cost = await costOf(proxy, kind, round < 0 ? WARM_UP : SECONDS)
        if (round >= 0) costs.get(kind)!.get(workers)!.push(cost)
      }
    }
  }

  const rows = [...costs].map(([kind, byWorkers]) => {
    const [one, two] = CONFIGURATIONS.map((workers) => byWorkers.get(workers)!) as [number[], number[]]
    const ratios = two.map((cost, round) => cost / one[round]!)
    return [kind.name, spread(one, 1), spread(two, 1), figure(median(ratios), 3)]
  })
  console.log(`Node ${process.versions.node}, ${ROUNDS} rounds\n`)
  console.log(table(['CPU µs a request', 'one process', 'two workers', 'two ÷ one'], rows))
  const { workers } = (await (await fetch(`http://127.0.0.1:${proxies.get('2')!.port}/status`)).json()) as {
    workers: { worker: number; requests: number }[]
  }
  console.log(`\nrequests: ${workers.map((one) => `worker ${one.worker} ${one.requests}`).join(', ')}`)
} finally {
  await children.stopAll()
}

/** CPU time of a process and all that it started, in µs. */
function cpuOfAll(pid: number): number {
  const { user, system } = cpuTime(pid) ?? { user: Number.NaN, system: Number.NaN }
  const started = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  return started.reduce((sum, child) => sum + cpuOfAll(Number(child)), user + system)
}
