// `signet run`: the proxy as a process. In: flags and environment. Out: an exit code, 0 after SIGTERM or SIGINT.

import { isatty } from 'node:tty'
import closeWithGrace from 'close-with-grace'
import { type Config, helpText, parseFlags, UsageError } from '../config.ts'
import { ConfigError, messageOf } from '../errors.ts'
import { type GatewayConfig, type Origin, plainGateway, type UpstreamConfig } from '../http/gateway.ts'
import { verifyToken } from '../jwt/verify.ts'
import { type Log, openLog } from '../log.ts'
import type { Listening } from '../proxy.ts'
import { createEcho, type Echo, type Output } from './echo.ts'
import { Reloader } from './reloader.ts'
import { type ServingOptions, signingKey, startServing } from './serving.ts'
import { loadSettings } from './settings.ts'
import { Watch } from './watch.ts'

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
    stderr.write(`signet: ${messageOf(error)}\n`)
    return EXIT_FAILURE
  }
}

/** What accepts: this process, or several others. */
interface Acceptor {
  readonly listening: Listening
  /** Stops accepting and lets running exchanges end. */
  close(): Promise<void>
  /** Goes by another configuration. @throws {ConfigError} why it does not */
  reload(config: Config, gateway: GatewayConfig): Promise<void>
  /** Counts a reload, for the pages. */
  countReload(succeeded: boolean): void
}

/** ms beyond the drain deadline that stopping may take: the last words of workers, and then of this process */
const STOP_MARGIN = 3000

/** Signals of a process that is broken: it must die of them. A handler would return to the fault, again and again. */
const FAULTS = ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV'] as const

async function serve(
  flags: Record<string, string>,
  { env, stdout, stderr, version }: RunOptions,
): Promise<number> {
  const load = () => loadSettings(flags, env)
  const { config, files } = await load()
  // From the moment they were read: what changes while signet starts is taken up as soon as it has.
  const watch = new Watch(() => reload())
  if (config.config !== undefined) watch.add(files)
  let changedEarly = false
  let reload = () => {
    changedEarly = true
  }
  const demo = config.secretText === undefined
  const log = openLog({ level: config.logLevel, pretty: stdout.isTTY === true, fd: 1 })
  const { logger } = log
  const upstreams = new Upstreams(config)
  const gateway = await upstreams.of(config)
  let acceptor: Acceptor
  try {
    const accept = config.workers === 1 ? acceptHere : acceptInWorkers
    acceptor = await accept({ config, gateway, version, log })
  } catch (error) {
    watch.close()
    await upstreams.close()
    await log.close()
    throw error
  }
  const { listening } = acceptor

  const onFiles = (read: readonly string[]) => {
    if (config.config !== undefined) watch.add(read)
  }
  const reloader = new Reloader({ load, acceptor, upstreams, log, config, gateway, onFiles })
  reload = () => reloader.reload()
  if (changedEarly) reload()

  // Without a file, and in one process, SIGHUP means what it means to most: the end.
  const reloads = config.config !== undefined || config.workers > 1

  const ended = new Promise<number>((resolve) => {
    const delay = config.drainTimeout + STOP_MARGIN
    const skip = reloads ? [...FAULTS, 'SIGHUP' as const] : [...FAULTS]
    const { close } = closeWithGrace({ delay, logger: false, skip }, async ({ err, signal }) => {
      watch.close()
      if (err) logger.error({ event: 'crash', reason: err.message, stack: err.stack }, 'unforeseen error')
      logger.info({ event: 'stopping', signal }, 'no longer accepting; running exchanges may end')
      await acceptor.close()
      await upstreams.close()
      logger.info({ event: 'stopped' }, 'stopped')
      await log.close()
      resolve(err ? EXIT_FAILURE : 0)
    })
    if (!reloads) return
    process.on('SIGHUP', () => {
      // A terminal that is gone sends it too, and means what it always meant.
      if (stdout.isTTY === true && !isatty(1)) void close()
      else reload()
    })
  })

  // Last, since whoever reads that signet listens may send it a signal at once.
  if (demo) logger.warn({ event: 'demo-secret' }, 'tokens are signed with the public demo secret')
  const several = config.workers === 1 ? {} : { workers: config.workers }
  const { echo } = upstreams
  logger.info({ event: 'listening', ...listening, ...summaryOf(gateway), echo, ...several }, 'listening')
  stderr.write(greeting(listening, gateway, { version, demo, echo, ...several }))
  return ended
}

/** Where everything goes, or how much there is of it, for the log. */
function summaryOf({
  routes,
  upstreams,
}: GatewayConfig): { upstream: string } | { routes: number; upstreams: number } {
  const [only] = upstreams
  if (upstreams.length === 1 && only?.targets.length === 1)
    return { upstream: only.targets[0]!.origin.authority }
  return { routes: routes.length, upstreams: upstreams.length }
}

type AcceptOptions = ServingOptions & { readonly log: Log }

async function acceptHere(options: AcceptOptions): Promise<Acceptor> {
  const { proxy, listening, reload } = await startServing(options)
  return {
    listening,
    close: proxy.close,
    reload: async (config, gateway) => reload(config, gateway),
    countReload: proxy.countReload,
  }
}

async function acceptInWorkers({ config, gateway, version, log }: AcceptOptions): Promise<Acceptor> {
  // Loaded only where it is asked for: one process pays nothing for it.
  const { Workers } = await import('../workers/workers.ts')
  const { logger, lines } = log
  const workers = new Workers({ config, gateway, version, logger, lines })
  const listening = await workers.listen()
  return {
    listening,
    close: () => workers.close(),
    reload: (changed, changedGateway) => workers.reload(changed, changedGateway),
    countReload: (succeeded) => workers.countReload(succeeded),
  }
}

/** The gateway of a configuration, and the built-in upstream, for trying signet out, where it names none. */
class Upstreams {
  #echo: { readonly echo: Echo; readonly origin: Origin } | undefined
  /** whose key the echo verifies with */
  #current: Config

  constructor(config: Config) {
    this.#current = config
  }

  /** Whether the echo runs. */
  get echo(): boolean {
    return this.#echo !== undefined
  }

  /** All routes and upstreams; starts the echo if it is needed. */
  async of(config: Config): Promise<GatewayConfig> {
    this.#current = config
    if (config.gateway !== undefined) return config.gateway
    const origin = config.upstream ?? (this.#echo ??= await this.#startEcho()).origin
    return { ...plainGateway(origin), ...config.edges }
  }

  async #startEcho(): Promise<{ echo: Echo; origin: Origin }> {
    const verify = (jwt: string) => verifyToken(jwt, signingKey(this.#current))
    const echo = createEcho({ verify, jwtHeader: this.#current.jwtHeader })
    const { port } = await echo.listen(0, '127.0.0.1')
    return { echo, origin: { host: '127.0.0.1', port, authority: `127.0.0.1:${port}` } }
  }

  async close(): Promise<void> {
    await this.#echo?.echo.close()
  }
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
  { address, port, adminPort, forwardPort }: Listening,
  gateway: GatewayConfig,
  { version, demo, echo, workers }: Greeting,
): string {
  const host =
    address === '0.0.0.0' || address === '::' ? 'localhost' : address.includes(':') ? `[${address}]` : address
  const { tls, routes, upstreams, forward } = gateway
  const url = `http${tls === undefined ? '' : 's'}://${host}:${port}`
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
    `  upstream   ${upstreams.length === 1 ? nameOf(upstreams[0]!) : `${upstreams.length}, by ${routes.length} routes`}${echo ? ' (the built-in echo)' : ''}`,
    ...(forwardPort === undefined ? [] : [`  forward    http://${forward?.host}:${forwardPort}`]),
    ...(workers === undefined ? [] : [`  workers    ${workers} processes`]),
    `  status     ${pages}/status   metrics ${pages}/metrics`,
    '',
    `  try        curl ${tls === undefined ? '' : '-k '}-d '{"hello":"world"}' ${url}/protected`,
    '',
    '',
  ].join('\n')
}

/** The targets of an upstream, as URLs. */
function nameOf({ targets }: UpstreamConfig): string {
  return targets
    .map(({ origin: { tls, socketPath, authority } }) =>
      socketPath === undefined ? `http${tls === undefined ? '' : 's'}://${authority}` : `unix:${socketPath}`,
    )
    .join(', ')
}
