// One load on one proxy: by wrk, which is cheap, by autocannon, which comes with the benches, or at a steady rate by
// endpoints/paced. All of them say what it came to in the same words.

import type { RequestSpec } from '../endpoints/requests.ts'
import type { Children, Command } from './children.ts'
import { inRoot, program } from './paths.ts'

/** What is sent where, for how long. */
export interface LoadSpec {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  readonly request: RequestSpec
  /** requests per second, for the steady load alone */
  readonly rate?: number
}

/** What one load came to. */
export interface LoadResult {
  readonly requests: number
  readonly perSecond: number
  /** µs */
  readonly p50: number
  /** µs */
  readonly p99: number
  /** errors, timeouts, answers that were not 2xx or 3xx, and wrong bodies */
  readonly failed: number
}

/** What makes the load. */
export type LoadTool = 'wrk' | 'autocannon' | 'paced'

/** s that a load may take beyond the time it was asked for. */
const GRACE = 20

/** Runs one load to its end. @throws when it fails altogether, or takes far too long */
export async function runLoad(children: Children, tool: LoadTool, spec: LoadSpec): Promise<LoadResult> {
  const command = tool === 'wrk' ? byWrk(spec) : byScript(scriptFor(tool, spec), spec)
  const deadline = (spec.seconds + GRACE) * 1000
  const written = await children.run({ name: 'the load', side: 'load', deadline, ...command })
  const result = JSON.parse(written.trimEnd().split('\n').at(-1)!) as LoadResult
  return tool === 'wrk' ? readWrk(result, spec) : result
}

function scriptFor(tool: LoadTool, { request }: LoadSpec): string {
  if (tool === 'paced') return 'paced'
  return request.fields.Connection === 'close' ? 'reconnecting' : 'load'
}

function byScript(name: string, spec: LoadSpec): Pick<Command, 'argv'> {
  return { argv: [program(`endpoints/${name}`), JSON.stringify(spec)] }
}

function byWrk({ port, connections, seconds, request }: LoadSpec): Pick<Command, 'argv' | 'program'> {
  const fields = Object.entries(request.fields).map(([name, value]) => `${name}: ${value}`)
  return {
    program: 'wrk',
    argv: [
      ...['-t', '1', '-c', String(connections), '-d', String(seconds)],
      ...['-s', inRoot('bench', 'endpoints', 'load.lua'), `http://127.0.0.1:${port}${request.target}`],
      ...['--', request.method, request.body, ...fields],
    ],
  }
}

/** wrk looks at no body: that enough octets came is checked here. */
function readWrk(result: LoadResult, { request }: LoadSpec): LoadResult {
  const { requests, p50, p99, failed, micros, octets } = result as LoadResult & {
    micros: number
    octets: number
  }
  const short = octets < requests * request.answer.length ? requests : 0
  return { requests, perSecond: requests / (micros / 1e6), p50, p99, failed: failed + short }
}
