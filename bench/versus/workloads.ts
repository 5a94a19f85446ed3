// What is measured, as a table: the letter by which it is selected, what it is, and how it is made.

import { BROWSER, CLOSING_POST, type RequestSpec, SMALL_POST, TEN_KIB } from '../endpoints/requests.ts'
import type { TransferKind } from '../endpoints/transfer.ts'

interface Named {
  readonly id: WorkloadId
  readonly title: string
}

/** Requests as fast as they are answered; with connections beside them that say nothing, if there are any. */
export interface RequestWorkload extends Named {
  readonly kind: 'requests'
  readonly request: RequestSpec
  readonly connections: number
  readonly idle?: number
}

/** Requests at half of the rate that HAProxy reaches. */
export interface PacedWorkload extends Named {
  readonly kind: 'paced'
  readonly request: RequestSpec
  readonly connections: number
}

/** One large body after another, over one connection. */
export interface TransferWorkload extends Named {
  readonly kind: 'transfers'
  readonly transfer: TransferKind
}

/** Many GiB each way through one connection, for the memory they leave behind. */
export interface MemoryWorkload extends Named {
  readonly kind: 'memory'
}

export type Workload = RequestWorkload | PacedWorkload | TransferWorkload | MemoryWorkload
export type WorkloadId = 'a1' | 'a32' | 'a256' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'i' | 'p' | 'm'

/** Idle connections beside workload i. */
export const IDLE_CONNECTIONS = 5000

// biome-ignore format: a table
export const WORKLOADS: readonly Workload[] = [
  { id: 'a1', kind: 'requests', title: 'small POST, 1 connection', request: SMALL_POST, connections: 1 },
  { id: 'a32', kind: 'requests', title: 'small POST, 32 connections', request: SMALL_POST, connections: 32 },
  { id: 'a256', kind: 'requests', title: 'small POST, 256 connections', request: SMALL_POST, connections: 256 },
  { id: 'b', kind: 'requests', title: 'GET with a 10 KiB response, 32 connections', request: TEN_KIB, connections: 32 },
  { id: 'f', kind: 'requests', title: 'small POST, a new connection for each, 32 at a time', request: CLOSING_POST, connections: 32 },
  { id: 'g', kind: 'requests', title: "GET with the 20 field lines of a browser, cookies among them, 32 connections", request: BROWSER, connections: 32 },
  { id: 'i', kind: 'requests', title: `small POST, 32 connections beside ${IDLE_CONNECTIONS} idle ones`, request: SMALL_POST, connections: 32, idle: IDLE_CONNECTIONS },
  { id: 'p', kind: 'paced', title: "small POST at half of HAProxy's peak rate, 32 connections", request: SMALL_POST, connections: 32 },
  { id: 'c', kind: 'transfers', title: '1 GiB down with Content-Length', transfer: 'down' },
  { id: 'd', kind: 'transfers', title: '1 GiB down, chunked', transfer: 'down, chunked' },
  { id: 'e', kind: 'transfers', title: '1 GiB up', transfer: 'up' },
  { id: 'm', kind: 'memory', title: '10 GiB each way through one connection: resident memory' },
]

/**
 * The workloads that a comma list of letters means: `a` is all that begin with it, `h` is a32, where those who log stand
 * beside those who do not.
 *
 * @throws when a letter is none of them
 */
export function selectWorkloads(list: string | undefined): readonly Workload[] {
  if (list === undefined) return WORKLOADS
  const wanted = list.split(',').map((letter) => (letter === 'h' ? 'a32' : letter))
  for (const letter of wanted)
    if (!WORKLOADS.some(({ id }) => id.startsWith(letter))) throw new Error(`no workload is called ${letter}`)
  return WORKLOADS.filter(({ id }) => wanted.some((letter) => id.startsWith(letter)))
}
