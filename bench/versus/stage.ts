// The contestants as they run, in front of one upstream: started, checked and warm before anything is measured.

import { SMALL_POST } from '../endpoints/requests.ts'
import { checkTokens } from '../support/check.ts'
import type { Children, Running } from '../support/children.ts'
import { openFilesFor } from '../support/idle-clients.ts'
import { runLoad, type LoadTool } from '../support/load.ts'
import type { Progress } from '../support/progress.ts'
import type { Scratch } from '../support/scratch.ts'
import type { Contestant } from './contestants.ts'
import type { Row } from './results.ts'
import { IDLE_CONNECTIONS } from './workloads.ts'

/** A contestant that runs. */
export interface Entry {
  readonly contestant: Contestant
  readonly server: Running
}

/** What a stage needs. */
export interface Setting {
  readonly children: Children
  readonly scratch: Scratch
  readonly progress: Progress
  readonly secret: string
  readonly tool: LoadTool
  /** requests before the first measurement, so that those that compile as they run have done so */
  readonly warmUp: number
  /** whether this system lets a process have all the files it needs beside idle connections */
  readonly manyFiles: boolean
}

/** s of warm-up that even the slowest gets no more than. */
const MOST_WARM_UP = 10
/** A client connection and one to the upstream for each that the load and the idle clients open. */
const OPEN_FILES = openFilesFor(2 * (IDLE_CONNECTIONS + 1000))

/** Starts contestants one by one; one that does not start or does not sign is noted in `failures` and left out. */
export async function startContestants(
  setting: Setting,
  upstream: Running,
  contestants: readonly Contestant[],
  failures: string[],
): Promise<Entry[]> {
  const { children, scratch, progress, secret, warmUp } = setting
  const entries: Entry[] = []
  for (const contestant of contestants) {
    const { name, kind, token } = contestant
    progress.begin(`warm-up, ${name}`)
    try {
      const how = await contestant.start(`http://127.0.0.1:${upstream.port}`, secret, scratch)
      const files = setting.manyFiles ? { openFiles: OPEN_FILES } : {}
      const server = await children.startServer({ name, side: 'proxy', ...files, ...how })
      if (token !== 'none') await checkTokens(server.port, secret, token)
      await warm(setting, server.port, kind === 'native' ? 1 : warmUp)
      entries.push({ contestant, server })
      progress.end()
    } catch (error) {
      failures.push(`${name}: ${briefly(error)}`)
      progress.end(`FAILED: ${briefly(error)}`)
    }
  }
  return entries
}

/** Sends small requests, for a second at a time, until there were `enough` or it takes too long. */
async function warm({ children, tool }: Setting, port: number, enough: number): Promise<void> {
  const spec = { port, connections: 32, seconds: 1, request: SMALL_POST }
  let sent = 0
  for (let second = 0; sent < enough && second < MOST_WARM_UP; second++) {
    const { requests, failed } = await runLoad(children, tool, spec)
    if (failed > 0) throw new Error(`${failed} requests failed`)
    sent += requests
  }
}

/** Empty rows for those entries that take part. */
export function rowsFor(entries: readonly Entry[]): Row[] {
  return entries.map(({ contestant }) => ({
    contestant: contestant.name,
    kind: contestant.kind,
    rounds: [],
  }))
}

/** What went wrong, on one line: it stands in a table. */
export function briefly(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/\s+/g, ' ').trim().slice(0, 120)
}
