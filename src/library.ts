// signet within a program. In: options, as objects and functions. Out: a proxy that listens where it is told to. It reads no
// environment, no files, takes no signals and writes nothing but to the logger that it is given.

import { FIXED_SETTINGS } from './config.ts'
import { exchangeFields } from './exchange-record.ts'
import { type Logger, type Options, readOptions } from './library-options.ts'
import type { ProxyLogger } from './observer.ts'
import { type Changeable, createProxy as composeProxy, type Listening } from './proxy.ts'
import { VERSION } from './version.ts'

/** A proxy within a program. */
export interface Proxy extends AsyncDisposable {
  /**
   * Begins to accept; once.
   *
   * @returns where, with the ports that were free where 0 was asked for
   * @throws what the system reports, such as EADDRINUSE
   */
  listen(): Promise<Listening>
  /**
   * Goes by other options, which are all of them: what begins from now on. What is under way keeps what it began with.
   *
   * @returns names of those that differ and that only a start can change, such as `port`: they stay as they were
   * @throws {ConfigError} every problem; nothing has changed then
   */
  reload(options: Options): readonly string[]
  /** Stops accepting, lets running exchanges end up to `drainTimeout`, then ends the rest. */
  close(): Promise<void>
}

/**
 * Makes a proxy. Nothing is opened before {@link Proxy.listen}.
 *
 * @throws {ConfigError} every problem of the options, each by the keys that lead to it: `routes[0].path: …`
 */
export function createProxy(options: Options): Proxy {
  const first: Changeable = readOptions(options)
  const logger = loggerOf(options.logger)
  const proxy = composeProxy({
    ...first,
    version: VERSION,
    logger,
    logExchange: (record, subject) => logger.info(exchangeFields(record, subject)),
  })
  let listening: Promise<Listening> | undefined
  let open = false
  let closing: Promise<void> | undefined

  async function close(): Promise<void> {
    if (listening === undefined) return
    try {
      await listening
    } catch {
      return // nothing is open
    }
    await proxy.close()
  }

  return {
    async listen() {
      if (listening !== undefined || closing !== undefined) throw new Error('a proxy listens once')
      listening = proxy.listen()
      await listening
      open = true
      return listening
    },
    reload(next) {
      if (!open || closing !== undefined) throw new Error('only what listens can be reloaded')
      const read = readOptions(next)
      proxy.reload(read)
      return FIXED_SETTINGS.filter((name) => first.config[name] !== read.config[name])
    },
    close() {
      closing ??= close()
      return closing
    },
    [Symbol.asyncDispose]() {
      return this.close()
    },
  }
}

/** Says nothing. */
const SILENT: ProxyLogger = {
  isLevelEnabled: () => false,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

function loggerOf(given: Logger | undefined): ProxyLogger {
  if (given === undefined) return SILENT
  return {
    isLevelEnabled: (level) => given.isLevelEnabled?.(level) ?? true,
    debug: (line, message) => given.debug(line, message),
    info: (line, message) => given.info(line, message),
    warn: (line, message) => given.warn(line, message),
    error: (line, message) => given.error(line, message),
  }
}
