// What the kernel says a process has used, from /proc. Undefined where there is no /proc.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** CPU time of whole processes, all their threads, in µs since they began. */
export interface CpuTime {
  readonly user: number
  readonly system: number
}

/** Clock ticks a second: the unit of /proc/PID/stat. */
const TICKS = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100

/** A process and all that descend from it: those of a cluster are one contestant. */
export function family(pid: number): number[] {
  const children = read(pid, `task/${pid}/children`)?.trim()
  return [pid, ...(children ? children.split(' ').flatMap((child) => family(Number(child))) : [])]
}

/** CPU time that a process and its descendants have used so far. */
export function cpuTime(pid: number): CpuTime | undefined {
  const times = family(pid).map(ownCpuTime)
  return times.reduce(
    (sum, time) => sum && time && { user: sum.user + time.user, system: sum.system + time.system },
  )
}

function ownCpuTime(pid: number): CpuTime | undefined {
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

/** Resident memory of a process and its descendants, in octets. */
export function residentMemory(pid: number): number | undefined {
  const sizes = family(pid).map(ownResidentMemory)
  return sizes.reduce((sum, size) => (sum === undefined || size === undefined ? undefined : sum + size))
}

function ownResidentMemory(pid: number): number | undefined {
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
