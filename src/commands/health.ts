// `signet health`: is the signet on this machine well? The container's HEALTHCHECK, run every few seconds, so
// it loads nothing but node:http. In: a URL or the port settings. Out: an exit code, and a line when not.

import { request } from 'node:http'
import { parseArgs } from 'node:util'
import type { Output } from './echo.ts'

/** What `signet health` needs from outside. */
export interface HealthOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stderr: Output
  /** Takes the text of `--help`; stderr when not given. */
  readonly stdout?: Output
  /** Milliseconds until the status line must be there; 2000 when not given. */
  readonly deadline?: number
}

const USAGE = `Usage: signet health [URL]

Asks a running signet whether it is well: exit code 0 when URL answers 200 within 2 s, else 1.

  URL         default: http://127.0.0.1:PORT/status, PORT being SIGNET_ADMIN_PORT, else HTTP_PORT, else 8080
  -h, --help  this text
`

/**
 * `signet health`: one GET, of which only the status counts.
 *
 * @param argv arguments after `health`
 * @returns the exit code: 0 for 200 in time, 1 for anything else, with one line on stderr, 2 for wrong usage
 */
export async function runHealth(argv: readonly string[], options: HealthOptions): Promise<number> {
  const { env, stderr, stdout = stderr, deadline = 2000 } = options
  const wrong = (problem: string) => {
    stderr.write(`signet health: ${problem}\n\n${USAGE}`)
    return 2
  }
  let asked: { values: { help?: boolean }; positionals: string[] }
  try {
    const flags = { help: { type: 'boolean', short: 'h' } } as const
    asked = parseArgs({ args: [...argv], options: flags, allowPositionals: true })
  } catch (error) {
    return wrong((error as Error).message) // parseArgs throws nothing but TypeErrors
  }
  if (asked.values.help) {
    stdout.write(USAGE)
    return 0
  }
  if (asked.positionals.length > 1) return wrong('one URL at most')
  // Compose hands over a variable that is not set as an empty one.
  const port = env.SIGNET_ADMIN_PORT || env.HTTP_PORT || '8080'
  const url = asked.positionals[0] ?? `http://127.0.0.1:${port}/status`
  if (!URL.canParse(url) || new URL(url).protocol !== 'http:') return wrong(`${url} is not an http:// URL`)

  const problem = await probe(url, deadline)
  if (problem !== undefined) stderr.write(`signet health: ${url} ${problem}\n`)
  return problem === undefined ? 0 : 1
}

/** What is wrong with `url`, or nothing. Never rejects. */
function probe(url: string, deadline: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asking = request(url, { agent: false, signal: AbortSignal.timeout(deadline) })
    asking.once('response', (response) => {
      resolve(response.statusCode === 200 ? undefined : `answered ${response.statusCode}`)
      asking.destroy() // the status said it all; a body that never ends must not keep this process
    })
    // Not once: destroying may add an error of its own, which then has nothing to say any more.
    asking.on('error', (error: NodeJS.ErrnoException) => {
      if (error.name === 'AbortError') resolve(`did not answer within ${deadline} ms`)
      else resolve(`cannot be reached: ${error.message || error.code}`)
    })
    asking.end()
  })
}
