// `signet health`: is the signet on this machine well? The container's HEALTHCHECK, run every few seconds, so
// it loads nothing but node:http, and what reads a configuration file only where that alone knows the port.
// In: a URL or the port settings. Out: an exit code, and a line when not.

import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as requestOverTls } from 'node:https'
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

  URL         default: http://127.0.0.1:PORT/status, PORT being SIGNET_ADMIN_PORT, else HTTP_PORT, else 8080; where
              SIGNET_CONFIG names a file, what that says counts too: adminPort, port, tls
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
  const url = asked.positionals[0] ?? `${await originFrom(env)}/status`
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    return wrong(`${url} is not an http:// URL`)

  const problem = await probe(url, deadline)
  if (problem !== undefined) stderr.write(`signet health: ${url} ${problem}\n`)
  return problem === undefined ? 0 : 1
}

/** Where the signet that was started with these variables has its pages. */
async function originFrom(env: HealthOptions['env']): Promise<string> {
  // Compose hands over a variable that is not set as an empty one.
  const { SIGNET_ADMIN_PORT: adminPort, HTTP_PORT: port, SIGNET_CONFIG: file } = env
  if (adminPort || !file) return `http://127.0.0.1:${adminPort || port || '8080'}`
  // Whatever else is wrong with the file: a running signet has refused it then, and is well.
  const { readConfigFile } = await import('../config/config-file.ts')
  const { settings, edges } = readConfigFile(file, { env, readFile: (path) => readFileSync(path, 'utf8') })
  const pages = settings.get('adminPort')?.raw
  if (pages !== undefined) return `http://127.0.0.1:${pages}`
  const scheme = edges.tls === undefined ? 'http' : 'https'
  return `${scheme}://127.0.0.1:${port || (settings.get('port')?.raw ?? '8080')}`
}

/** What is wrong with `url`, or nothing. Never rejects. */
function probe(url: string, deadline: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { agent: false, signal: AbortSignal.timeout(deadline) }
    // Whoever answers on this machine's own port is asked how it is, not who: its certificate is for another name.
    const asking = url.startsWith('https:')
      ? requestOverTls(url, { ...options, rejectUnauthorized: false })
      : request(url, options)
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
