// A new configuration, while signet runs. In: word that something may have changed. Out: everything read again and, if nothing
// is wrong with it, gone by; word of it in the log, either way.

import { type Config, FIXED_SETTINGS, type ReadConfig } from '../config.ts'
import { ConfigError, messageOf } from '../errors.ts'
import type { GatewayConfig } from '../http/gateway.ts'
import type { Log } from '../log.ts'
import { retireKeys } from '../told.ts'

/** What a reload needs. */
export interface ReloaderContext {
  /** Reads all settings, and the configuration file. @throws {ConfigError} all that is wrong with them */
  readonly load: () => Promise<ReadConfig>
  /** what goes by them */
  readonly acceptor: {
    reload(config: Config, gateway: GatewayConfig): Promise<void>
    countReload(succeeded: boolean): void
  }
  readonly upstreams: { of(config: Config): Promise<GatewayConfig> }
  readonly log: Pick<Log, 'logger'>
  /** Told which files the configuration was read from, or was to be, when it is refused: none says nothing new. */
  readonly onFiles: (files: readonly string[]) => void
  /** those of the start */
  readonly config: Config
  readonly gateway: GatewayConfig
}

/** Reloads, one at a time. */
export class Reloader {
  readonly #context: ReloaderContext
  /** what is in force */
  #current: Config
  /** the same, with the keys that it has from those before it: processes that are started now need them too */
  #gateway: GatewayConfig
  #running = false
  #again = false

  constructor(context: ReloaderContext) {
    this.#context = context
    this.#current = context.config
    this.#gateway = context.gateway
  }

  /** Reads everything again; once more, when this is called while that happens. Never throws: the log says what came of it. */
  reload(): void {
    this.#again = true
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      while (this.#again) {
        this.#again = false
        await this.#once()
      }
    } finally {
      this.#running = false
    }
  }

  async #once(): Promise<void> {
    const { load, acceptor, upstreams, log, onFiles, config: first } = this.#context
    const { logger } = log
    try {
      const { config, files } = await load()
      onFiles(files)
      refuseLosses(this.#current, config)
      const gateway = retireKeys(this.#gateway, await upstreams.of(config), Date.now())
      await acceptor.reload(config, gateway)
      this.#gateway = gateway
      this.#current = config
      logger.level = config.logLevel
      acceptor.countReload(true)
      const needsRestart = fixedDifferences(first, config)
      const hint = needsRestart.length === 0 ? '' : `; a restart is needed for ${needsRestart.join(', ')}`
      logger.info({ event: 'reloaded', needsRestart }, `the configuration is in force${hint}`)
    } catch (error) {
      acceptor.countReload(false)
      const problems = error instanceof ConfigError ? error.problems : [messageOf(error)]
      if (error instanceof ConfigError) onFiles(error.files)
      const reason = `the old configuration stays: ${problems.join('; ')}`
      logger.error({ event: 'reload-refused', problems }, reason)
    }
  }
}

/**
 * A file that is being written, or was emptied by mistake, says nothing wrong: it says nothing. What signet would fall back to
 * then is for trying it out, and must be asked for by a start.
 *
 * @throws {ConfigError} where the signing key or all upstreams would be gone
 */
function refuseLosses(current: Config, next: Config): void {
  const problems: string[] = []
  if (current.secretText !== undefined && next.secretText === undefined)
    problems.push('no signing key is named any more: the demo secret is for a start alone')
  const leadsSomewhere = ({ gateway, upstream }: Config) => gateway !== undefined || upstream !== undefined
  if (leadsSomewhere(current) && !leadsSomewhere(next))
    problems.push('no upstream is named any more: the built-in echo is for a start alone')
  if (problems.length > 0) throw new ConfigError(problems)
}

/** Names of settings that differ from those of the start, and that only a start can change. */
function fixedDifferences(first: Config, config: Config): string[] {
  const forwardOf = ({ edges, gateway }: Config) => (gateway ?? edges).forward
  const before = forwardOf(first)
  const after = forwardOf(config)
  const place = (forward: GatewayConfig['forward']) => forward && `${forward.host} ${forward.port}`
  return [
    ...FIXED_SETTINGS.filter((name) => first[name] !== config[name]),
    ...(place(before) === place(after) ? [] : ['forward']),
  ]
}
