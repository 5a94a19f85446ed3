// `signet run`: the proxy as a process. In: flags and environment. Out: an exit code, 0 after SIGTERM or SIGINT.

import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import closeWithGrace from 'close-with-grace'
import { type Config, helpText, parseFlags, readConfig, UsageError } from '../config.ts'
import { ConfigError } from '../errors.ts'
import type { Origin } from '../http/route.ts'
import { readHmacKey } from '../jwt/keys.ts'
import { verifyToken } from '../jwt/verify.ts'
import { type Log, openLog } from '../log.ts'
import type { Listening } from '../proxy.ts'
import { createEcho, type Echo, type Output } from './echo.ts'
import { type ServingOptions, signingKey, startServing } from './serving.ts'

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

/** What accepts: this process, or several others. */
interface Acceptor {
  readonly listening: Listening
  /** Stops accepting and lets running exchanges end. */
  close(): Promise<void>
  /** Puts new processes in the place of the old, without a gap; undefined where there is only this one. */
  readonly change: ((config: Config) => Promise<void>) | undefined
}

/** ms beyond the drain deadline that stopping may take: the last words of workers, and then of this process */
const STOP_MARGIN = 3000

/** Signals of a process that is broken: it must die of them. A handler would return to the fault, again and again. */
const FAULTS = ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV'] as const

async function serve(
  flags: Record<string, string>,
  { env, stdout, stderr, version }: RunOptions,
): Promise<number> {
  const readFile = (path: string) => readFileSync(path, 'utf8')
  const readSettings = () => readConfig({ flags, env, readFile, checkSecret: readHmacKey }).config
  let config = readSettings()
  const demo = config.secretText === undefined
  const log = openLog({ level: config.logLevel, pretty: stdout.isTTY === true, fd: 1 })
  const { logger } = log

  const echo = config.upstream === undefined ? await startEcho(() => config) : undefined
  const origin = config.upstream ?? (echo as { origin: Origin }).origin
  let acceptor: Acceptor
  try {
    const accept = config.workers === 1 ? acceptHere : acceptInWorkers
    acceptor = await accept({ config, origin, version, log })
  } catch (error) {
    await echo?.echo.close()
    await log.close()
    throw error
  }
  const { listening, change } = acceptor

  const ended = new Promise<number>((resolve) => {
    const delay = config.drainTimeout + STOP_MARGIN
    const skip = change === undefined ? [...FAULTS] : [...FAULTS, 'SIGHUP' as const]
    const { close } = closeWithGrace({ delay, logger: false, skip }, async ({ err, signal }) => {
      if (err) logger.error({ event: 'crash', reason: err.message, stack: err.stack }, 'unforeseen error')
      logger.info({ event: 'stopping', signal }, 'no longer accepting; running exchanges may end')
      await acceptor.close()
      await echo?.echo.close()
      logger.info({ event: 'stopped' }, 'stopped')
      await log.close()
      resolve(err ? EXIT_FAILURE : 0)
    })
    if (change === undefined) return
    process.on('SIGHUP', () => {
      // A terminal that is gone sends it too, and means what it always meant.
      if (stdout.isTTY === true && !isatty(1)) void close()
      else changeWorkers(change)
    })
  })

  /** Reads again what the settings name, such as the file with the secret, and lets new workers go by it. */
  function changeWorkers(changeTo: (config: Config) => Promise<void>): void {
    try {
      config = readSettings()
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : [String(error)]
      logger.error(
        { event: 'change-refused', problems },
        `the workers stay as they are: ${problems.join('; ')}`,
      )
      return
    }
    logger.info({ event: 'changing' }, 'new workers take the place of the old, one after the other')
    void changeTo(config)
  }

  // Last, since whoever reads that signet listens may send it a signal at once.
  if (demo) logger.warn({ event: 'demo-secret' }, 'tokens are signed with the public demo secret')
  const several = config.workers === 1 ? {} : { workers: config.workers }
  logger.info(
    { event: 'listening', ...listening, upstream: origin.authority, echo: echo !== undefined, ...several },
    'listening',
  )
  stderr.write(greeting(listening, origin, { version, demo, echo: echo !== undefined, ...several }))
  return ended
}

type AcceptOptions = ServingOptions & { readonly log: Log }

async function acceptHere(options: AcceptOptions): Promise<Acceptor> {
  const { proxy, listening } = await startServing(options)
  return { listening, close: proxy.close, change: undefined }
}

async function acceptInWorkers({ config, origin, version, log }: AcceptOptions): Promise<Acceptor> {
  // Loaded only where it is asked for: one process pays nothing for it.
  const { Workers } = await import('../workers/workers.ts')
  const { logger, lines } = log
  const workers = new Workers({ config, origin, version, logger, lines })
  const listening = await workers.listen()
  return { listening, close: () => workers.close(), change: (changed) => workers.change(changed) }
}

/** The built-in upstream, for trying signet out; it verifies with the key of the moment. */
async function startEcho(current: () => Config): Promise<{ echo: Echo; origin: Origin }> {
  const verify = (jwt: string) => verifyToken(jwt, signingKey(current()))
  const echo = createEcho({ verify, jwtHeader: current().jwtHeader })
  const { port } = await echo.listen(0, '127.0.0.1')
  return { echo, origin: { host: '127.0.0.1', port, authority: `127.0.0.1:${port}` } }
}

interface Greeting {
  readonly version: string
  readonly demo: boolean
  readonly echo: boolean
  /** how many, where there are several */
  readonly workers?: number
}

/** What a person who has just started signet wants to know. */
function greeting(
  { address, port, adminPort }: Listening,
  origin: Origin,
  { version, demo, echo, workers }: Greeting,
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
    ...(workers === undefined ? [] : [`  workers    ${workers} processes`]),
    `  status     ${pages}/status   metrics ${pages}/metrics`,
    '',
    `  try        curl -d '{"hello":"world"}' ${url}/protected`,
    '',
    '',
  ].join('\n')
}
