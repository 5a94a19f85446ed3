// A service as a process: its log on stdout, its signals, its exit code. In: how to load and to create it. Out: exit code.

import type { EventEmitter } from 'node:events'
import { pino } from 'pino'
import {
  type Configuration,
  ConfigurationError,
  type Environment,
  refuseDemoSecrets,
} from './configuration.ts'
import type { EventLog, HttpService } from './http-service.ts'

/** What can be listened for. */
interface Address {
  readonly host: string
  readonly port: number
}

/** How one service comes to be. */
export interface RunOptions<T extends Address> {
  /** as the log calls it */
  readonly name: string
  /** @throws {ConfigurationError} why it cannot start */
  readonly load: () => Configuration<T>
  /** @throws {ConfigurationError} the same */
  readonly create: (configuration: T, log: EventLog) => Promise<HttpService>
  /** which values of `configuration` everybody knows, since they are in this repository */
  readonly demoSecrets: (configuration: T) => readonly string[]
  /** where SIGTERM and SIGINT arrive */
  readonly signals?: EventEmitter
}

const EXIT_FAILURE = 1
const EXIT_CONFIG = 78 // EX_CONFIG of sysexits.h

/**
 * Runs a service until SIGTERM or SIGINT ends it, within a second.
 *
 * @returns the exit code: 0 in the end, 1 when it cannot listen, 78 for a wrong configuration
 */
export async function runService<T extends Address>(options: RunOptions<T>): Promise<number> {
  const { name, load, create, demoSecrets, signals = process } = options
  const log = pino({ base: { service: name } })
  let service: HttpService
  let values: T
  let environment: Environment | undefined
  try {
    ;({ values, environment } = load())
    for (const secret of refuseDemoSecrets(demoSecrets(values), environment))
      log.warn({ event: 'demo-secret', secret }, 'a secret that everybody knows is in use')
    service = await create(values, log)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    log.fatal({ event: 'wrong-configuration', problems: error.problems }, 'cannot start')
    return EXIT_CONFIG
  }

  // Listened for before anything is announced: whoever waits for the line may send the signal at once.
  const stopped = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT']) signals.once(signal, () => resolve(signal))
  })
  try {
    const { address, port } = await service.listen(values.port, values.host)
    log.info({ event: 'listening', address, port, environment }, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException // what listen rejects with is always a system error
    log.fatal({ event: 'cannot-listen', port: values.port, host: values.host, code }, message)
    await service.close()
    return EXIT_FAILURE
  }
  const signal = await stopped
  log.info({ event: 'stopping', signal }, 'no longer accepting; requests may end')
  await service.close()
  log.info({ event: 'stopped' }, 'stopped')
  return 0
}
