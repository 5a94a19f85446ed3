// Instructions that a process executes, by perf. They hardly vary from run to run, where CPU time does: but many virtual
// machines do not let their guests count them, so that is asked first.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Children } from './children.ts'
import { family } from './proc.ts'

/** Instructions executed, in user code and in the kernel. */
export interface Instructions {
  readonly user: number
  readonly kernel: number
}

const EVENTS = 'instructions:u,instructions:k'
/** ms for perf to attach before there is something to count; nothing happens meanwhile. */
const ATTACH = 150

/** Why instructions cannot be counted here, or undefined when they can. */
export function whyNoPerf(): string | undefined {
  const { error, stderr } = spawnSync('perf', ['stat', '-x', ';', '-e', EVENTS, 'true'], {
    encoding: 'utf8',
    timeout: 10_000,
  })
  if (error !== undefined) return 'perf is not installed'
  return readCounts(stderr) === undefined ? 'no hardware counters, or no leave to read them' : undefined
}

/** Counts what a process and its descendants execute until `stop` is called; undefined when perf fails. */
export async function countInstructions(
  children: Children,
  pid: number,
): Promise<{ stop: () => Promise<Instructions | undefined> }> {
  const argv = ['stat', '-x', ';', '-e', EVENTS, '-p', family(pid).join(',')]
  const perf = children.spawn({ name: 'perf', program: 'perf', argv, side: 'load' }, [
    'ignore',
    'ignore',
    'pipe',
  ])
  let written = ''
  perf.stderr?.on('data', (piece: Buffer) => (written += piece.toString()))
  const closed = once(perf, 'close')
  await sleep(ATTACH)
  return {
    stop: async () => {
      perf.kill('SIGINT')
      await Promise.race([closed, sleep(2000)])
      await children.stop(perf)
      return readCounts(written)
    },
  }
}

/** Lines of `perf stat -x ';'`: count; unit; event; … */
function readCounts(text: string): Instructions | undefined {
  const count = (event: string) => {
    const line = text.split('\n').find((row) => row.split(';')[2] === event)
    return Number(line?.split(';')[0] || Number.NaN)
  }
  const [user, kernel] = [count('instructions:u'), count('instructions:k')]
  return Number.isFinite(user) && Number.isFinite(kernel) ? { user, kernel } : undefined
}
