// One measurement of one contestant: what it used while something was done through it.

import type { Children } from '../support/children.ts'
import { type LoadSpec, type LoadTool, runLoad } from '../support/load.ts'
import { countInstructions } from '../support/perf.ts'
import { cpuBetween, cpuTime, residentMemory } from '../support/proc.ts'
import type { TransferClient } from '../support/transfers.ts'
import type { TransferKind } from '../endpoints/transfer.ts'
import type { Round } from './results.ts'

const GIBIBYTE = 1024 ** 3
/** ms that a transfer may take, however slow the contestant. */
const TRANSFER_DEADLINE = 60_000

/** What measurements share. */
export interface Instruments {
  readonly children: Children
  readonly counts: boolean
}

/** One load on the process `pid`. */
export function measureLoad(
  instruments: Instruments,
  pid: number,
  tool: LoadTool,
  spec: LoadSpec,
): Promise<Round> {
  return observe(instruments, pid, async () => {
    const { requests, perSecond, p50, p99, failed } = await runLoad(instruments.children, tool, spec)
    if (requests === 0) throw new Error('no request was answered')
    return { units: requests, perSecond, p50, p99, failed }
  })
}

/** One transfer through the process `pid`. */
export function measureTransfer(
  instruments: Instruments,
  pid: number,
  client: TransferClient,
  kind: TransferKind,
  octets: number,
): Promise<Round> {
  return observe(instruments, pid, async () => {
    const { seconds } = await client.transfer(kind, octets, TRANSFER_DEADLINE)
    const units = octets / GIBIBYTE
    return { units, perSecond: units / seconds }
  })
}

/** What `act` came to, and what it cost the process per unit of it. */
async function observe(
  { children, counts }: Instruments,
  pid: number,
  act: () => Promise<Round & { readonly units: number }>,
): Promise<Round> {
  const counter = counts ? await countInstructions(children, pid) : undefined
  const before = cpuTime(pid)
  try {
    const { units, ...came } = await act()
    const used = cpuBetween(before, cpuTime(pid))
    const resident = residentMemory(pid)
    const instructions = await counter?.stop()
    const each = (total: number | undefined) => (total === undefined ? undefined : total / units)
    return {
      ...came,
      user: each(used?.user),
      system: each(used?.system),
      userInstructions: each(instructions?.user),
      kernelInstructions: each(instructions?.kernel),
      resident,
    }
  } finally {
    await counter?.stop()
  }
}
