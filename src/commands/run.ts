// `signet run`: the proxy as a process. In: flags and environment. Out: an exit code, 0 after SIGTERM or SIGINT.

import { readFileSync } from 'node:fs'
import closeWithGrace from 'close-with-grace'
import { helpText, parseFlags, readConfig, UsageError } from '../config.ts'
import { ConfigError } from '../errors.ts'
import type { Origin } from '../http/route.ts'
import { DEMO_SECRET, readHmacKey } from '../jwt/keys.ts'
import { verifyToken } from '../jwt/verify.ts'
import { openLog } from '../log.ts'
import { createProxy, type Listening } from '../proxy.ts'
import { createEcho, type Echo, type Output } from './echo.ts'

/** What the command needs from outside. */
export interface RunOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: Output & { readonly isTTY?: boolean }
  readonly stderr: Output
  readonly version: string
  /** what `--help` says about the other commands */
  readonly commands: string
}

const EXIT_FAILURE = 1
const EXIT_USAGE = 2
const EXIT_CONFIG = 78 // EX_CONFIG of sysexits.h

/**
 * Runs the proxy until a signal ends it.
 *
 * @returns the exit code: 0 in the end, 1 when it cannot listen, 2 for an unknown flag, 78 for wrong settings
 */
export async function runProxy(argv: readonly string[], options: RunOptions): Promise<number> {
  const { stdout, stderr, version, commands } = options
  try {
    const { flags, help, version: versionAsked } = parseFlags(argv)
    if (help) {
      stdout.write(`${commands}\n${helpText()}`)
      return 0
    }
    if (versionAsked) {
      stdout.write(`${version}\n`)
      return 0
    }
    return await serve(flags, options)
  } catch (error) {
    if (error instanceof UsageError) {
      stderr.write(`signet: ${error.message}\n'signet --help' lists the flags.\n`)
      return EXIT_USAGE
    }
    if (error instanceof ConfigError) {
      stderr.write(`signet cannot start:\n${error.problems.map((problem) => `  ${problem}\n`).join('')}`)
      return EXIT_CONFIG
    }
    stderr.write(`signet: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT_FAILURE
  }
}

async function serve(
  flags: Record<string, string>,
  { env, stdout, stderr, version }: RunOptions,
): Promise<number> {
  const readFile = (path: string) => readFileSync(path, 'utf8')
  const { config } = readConfig({ flags, env, readFile, checkSecret: readHmacKey })
  const demo = config.secretText === undefined
  const key = readHmacKey(config.secretText ?? DEMO_SECRET, demo ? 'hex' : config.secretEncoding)
  const log = openLog({ level: config.logLevel, pretty: stdout.isTTY === true, fd: 1 })
  const { logger } = log

  const echo = config.upstream === undefined ? await startEcho(config.jwtHeader, key) : undefined
  const origin = config.upstream ?? (echo as { origin: Origin }).origin
  const maxConnections = fittingConnections(config.maxConnections, config.poolSize, openFiles())
  if (maxConnections < config.maxConnections) {
    const reason = `open files are limited: at most ${maxConnections} client connections (see ulimit -n)`
    logger.warn({ event: 'limited', maxConnections }, reason)
  }
  const proxy = createProxy({
    config: { ...config, maxConnections },
    origin,
    key,
    version,
    logger,
    logExchange: log.exchange,
  })
  let listening: Listening
  try {
    listening = await proxy.listen()
  } catch (error) {
    await echo?.echo.close()
    await log.close()
    throw error
  }

  const ended = new Promise<number>((resolve) => {
    const delay = config.drainTimeout + 2000
    closeWithGrace({ delay, logger: false }, async ({ err, signal }) => {
      if (err) logger.error({ event: 'crash', reason: err.message, stack: err.stack }, 'unforeseen error')
      logger.info({ event: 'stopping', signal }, 'no longer accepting; running exchanges may end')
      await proxy.close()
      await echo?.echo.close()
      logger.info({ event: 'stopped' }, 'stopped')
      await log.close()
      resolve(err ? EXIT_FAILURE : 0)
    })
  })

  // Last, since whoever reads that signet listens may send it a signal at once.
  if (demo) logger.warn({ event: 'demo-secret' }, 'tokens are signed with the public demo secret')
  logger.info(
    { event: 'listening', ...listening, upstream: origin.authority, echo: echo !== undefined },
    'listening',
  )
  stderr.write(greeting(listening, origin, { version, demo, echo: echo !== undefined }))
  return ended
}

/** How many descriptors the process may have open, where the system tells; Node has raised it as far as it may. */
function openFiles(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY // not Linux
  }
}

/** Descriptors for all that is no connection: the event loop, the log, modules that are still to be read. */
const OTHER_FILES = 24

/**
 * As many client connections as there are descriptors for, with room left for connections to the upstream: beyond,
 * the kernel would close connections without a word to anyone, and requests would find no way to the upstream.
 */
export function fittingConnections(wanted: number, poolSize: number, files: number): number {
  const forUpstream = Math.min(poolSize, Math.floor(files / 4))
  return Math.max(1, Math.min(wanted, files - OTHER_FILES - forUpstream))
}

/** The built-in upstream, for trying signet out. */
async function startEcho(
  jwtHeader: string,
  key: ReturnType<typeof readHmacKey>,
): Promise<{ echo: Echo; origin: Origin }> {
  const echo = createEcho({ verify: (jwt) => verifyToken(jwt, key), jwtHeader })
  const { port } = await echo.listen(0, '127.0.0.1')
  return { echo, origin: { host: '127.0.0.1', port, authority: `127.0.0.1:${port}` } }
}

interface Greeting {
  readonly version: string
  readonly demo: boolean
  readonly echo: boolean
}

/** What a person who has just started signet wants to know. */
function greeting(
  { address, port, adminPort }: Listening,
  origin: Origin,
  { version, demo, echo }: Greeting,
): string {
  const host =
    address === '0.0.0.0' || address === '::' ? 'localhost' : address.includes(':') ? `[${address}]` : address
  const url = `http://${host}:${port}`
  const pages = adminPort === undefined ? url : `http://127.0.0.1:${adminPort}`
  return [
    `signet ${version}`,
    ...(demo
      ? [
          '',
          '  WARNING: no SIGNET_SECRET is set. Tokens are signed with the demo secret, which is public:',
          '  anyone can forge them. Set SIGNET_SECRET or SIGNET_SECRET_FILE before you rely on them.',
          '',
        ]
      : []),
    `  listening  ${url}`,
    `  upstream   http://${origin.authority}${echo ? ' (the built-in echo)' : ''}`,
    `  status     ${pages}/status   metrics ${pages}/metrics`,
    '',
    `  try        curl -d '{"hello":"world"}' ${url}/protected`,
    '',
    '',
  ].join('\n')
}
