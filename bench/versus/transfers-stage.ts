// The workloads of large bodies: rounds of all contestants in turn, each through one connection of its own.

import type { Running } from '../support/children.ts'
import { figure } from '../support/figures.ts'
import { residentMemory } from '../support/proc.ts'
import { TransferClient } from '../support/transfers.ts'
import { type Instruments, measureTransfer } from './measure.ts'
import { cpuOf, type WorkloadResult } from './results.ts'
import { briefly, type Entry, rowsFor, type Setting } from './stage.ts'
import type { TransferWorkload } from './workloads.ts'

const MEBIBYTE = 1024 ** 2
const GIBIBYTE = 1024 ** 3
/** Transferred before the first round, so that everybody is compiled; it also tells who is slow. */
const WARM_UP = 64 * MEBIBYTE
const WARM_UP_DEADLINE = 30_000
/** Whoever would take longer for a body, in s, gets a quarter of it: figures are per GiB anyway. */
const SLOW = 8
/** ms between two looks at the memory. */
const LOOK_EVERY = 50
const MEMORY_KINDS = ['down', 'up'] as const

/** All rounds of all of these workloads. @param octets of one body, a multiple of 4 MiB */
export async function runTransfers(
  setting: Setting,
  instruments: Instruments,
  workloads: readonly TransferWorkload[],
  entries: readonly Entry[],
  rounds: number,
  octets: number,
): Promise<WorkloadResult[]> {
  const { children, progress } = setting
  const clients = entries.map(({ server }) => new TransferClient(children, server.port))
  const results = workloads.map(({ id, title }) => ({
    id,
    title,
    unit: 'GiB' as const,
    rows: rowsFor(entries),
  }))

  const sizes = new Map<TransferClient, number>()
  for (const [at, client] of clients.entries()) {
    progress.begin(`warm-up with bodies, ${entries[at]!.contestant.name}`)
    try {
      let seconds = 0
      for (const { transfer } of workloads)
        seconds = Math.max(seconds, (await client.transfer(transfer, WARM_UP, WARM_UP_DEADLINE)).seconds)
      sizes.set(client, seconds * (octets / WARM_UP) > SLOW ? octets / 4 : octets)
      progress.end()
    } catch (error) {
      for (const { rows } of results) rows[at]!.failure = briefly(error)
      progress.end(`FAILED: ${briefly(error)}`)
    }
  }

  for (let round = 1; round <= rounds; round++) {
    for (const [which, { id, transfer }] of workloads.entries()) {
      for (const [at, { contestant, server }] of entries.entries()) {
        const row = results[which]!.rows[at]!
        const client = clients[at]!
        progress.begin(`${id}, round ${round}, ${contestant.name}`)
        const size = sizes.get(client)
        if (row.failure !== undefined || size === undefined) {
          progress.end('left out')
          continue
        }
        try {
          const measured = await measureTransfer(instruments, server.pid, client, transfer, size)
          row.rounds.push(measured)
          const seconds = (cpuOf(measured) ?? Number.NaN) / 1e6
          progress.end(`${figure(measured.perSecond, 2)} GiB/s, ${figure(seconds, 2)} s CPU per GiB`)
        } catch (error) {
          for (const { rows } of results) rows[at]!.failure = briefly(error)
          progress.end(`FAILED: ${briefly(error)}`)
        }
      }
    }
  }
  await Promise.all(clients.map((client) => client.close()))
  return results
}

/** By how many octets the resident memory of a process grows at most while so many GiB go each way through it. */
export async function memoryGrowth({ children, progress }: Setting, server: Running, gibibytes: number) {
  const client = new TransferClient(children, server.port)
  for (const kind of MEMORY_KINDS) await client.transfer(kind, MEBIBYTE, WARM_UP_DEADLINE)
  const before = residentMemory(server.pid)
  if (before === undefined) return undefined
  let most = before
  const looking = setInterval(() => {
    most = Math.max(most, residentMemory(server.pid) ?? 0)
  }, LOOK_EVERY)
  try {
    for (const kind of MEMORY_KINDS) {
      progress.begin(`m, ${gibibytes} GiB ${kind}`)
      for (let done = 0; done < gibibytes; done++) await client.transfer(kind, GIBIBYTE, WARM_UP_DEADLINE)
      progress.end(`grew by ${figure((most - before) / MEBIBYTE)} MiB at most so far`)
    }
  } finally {
    clearInterval(looking)
    await client.close()
  }
  return most - before
}
