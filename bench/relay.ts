// What large bodies cost: `node build/bench/relay.js`. CPU seconds of signet per GiB, down with Content-Length, down
// chunked, and up, all of it through one client connection; and how much its memory grew meanwhile.

import { signet } from './contestants.ts'
import type { TransferDone, TransferKind } from './endpoints/transfer.ts'
import { Children } from './support/children.ts'
import { figure, median, spread, table } from './support/figures.ts'
import { program } from './support/paths.ts'
import { type CpuTime, cpuBetween, cpuTime, residentMemory } from './support/proc.ts'
import { TransferClient } from './support/transfers.ts'

const MEBIBYTE = 1024 ** 2
const GIBIBYTE = 1024 ** 3
const KINDS: readonly TransferKind[] = ['down', 'down, chunked', 'up']
const ROUNDS = 3
/** ms between two looks at the memory */
const LOOK_EVERY = 50
/** ms for one transfer */
const DEADLINE = 60_000

/** One GiB of one kind. */
interface Round extends TransferDone {
  readonly cpu: CpuTime | undefined
}

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
    ...signet('off')(`http://127.0.0.1:${upstream.port}`, 'ab'.repeat(64)),
  })
  const client = new TransferClient(children, proxy.port)
  for (const kind of KINDS) await client.transfer(kind, MEBIBYTE, DEADLINE)
  const before = residentMemory(proxy.pid) ?? Number.NaN
  let most = before
  const looking = setInterval(() => {
    most = Math.max(most, residentMemory(proxy.pid) ?? Number.NaN)
  }, LOOK_EVERY)
  const rounds = new Map<TransferKind, Round[]>(KINDS.map((kind) => [kind, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of KINDS) {
      const from = cpuTime(proxy.pid)
      const done = await client.transfer(kind, GIBIBYTE, DEADLINE)
      rounds.get(kind)!.push({ ...done, cpu: cpuBetween(from, cpuTime(proxy.pid)) })
    }
  }
  clearInterval(looking)

  const rows = [...rounds].map(([kind, done]) => [
    kind,
    spread(
      done.map(({ cpu }) => cpu && (cpu.user + cpu.system) / 1e6),
      2,
    ),
    figure(median(done.map(({ cpu }) => (cpu?.user ?? Number.NaN) / 1e6)), 2),
    figure(median(done.map(({ cpu }) => (cpu?.system ?? Number.NaN) / 1e6)), 2),
    figure(median(done.map(({ seconds }) => 1 / seconds)), 2),
  ])
  console.log(`Node ${process.versions.node}, ${ROUNDS} rounds of 1 GiB each way\n`)
  console.log(table(['', 'CPU s/GiB', 'user', 'system', 'GiB/s'], rows))
  const grown = (most - before) / MEBIBYTE
  console.log(`\nresident memory: ${figure(before / MEBIBYTE)} MiB, grew by ${figure(grown)} MiB at most`)
} finally {
  await children.stopAll()
}
