// What the kernel says a process has used, from /proc. Undefined where there is no /proc.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** CPU time of a whole process, all its threads, in µs since it began. */
export interface CpuTime {
  readonly user: number
  readonly system: number
}

/** Clock ticks a second: the unit of /proc/PID/stat. */
const TICKS = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100

/** CPU time used so far. */
export function cpuTime(pid: number): CpuTime | undefined {
  const stat = read(pid, 'stat')
  if (stat === undefined) return undefined
  // Fields 14 and 15 of proc(5); the name before them may hold blanks, and ends with the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const micros = (field: number) => (Number(fields[field - 3]) * 1e6) / TICKS
  return { user: micros(14), system: micros(15) }
}

/** CPU time between two readings. */
export function cpuBetween(from: CpuTime | undefined, to: CpuTime | undefined): CpuTime | undefined {
  if (from === undefined || to === undefined) return undefined
  return { user: to.user - from.user, system: to.system - from.system }
}

/** Resident memory in octets. */
export function residentMemory(pid: number): number | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(read(pid, 'status') ?? '')?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}
