// signet in one of the roles, as a process. In: how the role is configured. Out: the process is signet from then on, with its
// log, its signals and its exit code; or a wrong configuration, in the words of the services, and exit code 78.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import {
  type ConfigurationOptions,
  ConfigurationError,
  loadConfiguration,
  refuseDemoSecrets,
} from './configuration.ts'

/** How one role comes to be. */
export interface RunSignetOptions<T> extends Omit<ConfigurationOptions<T>, 'env' | 'readFile'> {
  /** as the log calls it, and its folder */
  readonly name: string
  /** which values everybody knows, since they are in this repository */
  readonly demoSecrets: (configuration: T) => readonly string[]
  /** the variables of signet and of signet.yaml in the folder of the role */
  readonly environmentOf: (configuration: T) => Readonly<Record<string, string>>
}

const EXIT_CONFIG = 78 // EX_CONFIG of sysexits.h

/** From build/examples/oauth2/service/. */
const ROOT = new URL('../../../../', import.meta.url)

/** Becomes signet: what follows is its process. */
export async function runSignet<T extends object>(options: RunSignetOptions<T>): Promise<void> {
  const { name, demoSecrets, environmentOf, ...how } = options
  const log = pino({ base: { service: name } }, pino.destination({ dest: 1, sync: true }))
  try {
    const readFile = (path: string) => readFileSync(path, 'utf8')
    const { values, environment } = loadConfiguration({ ...how, env: process.env, readFile })
    for (const secret of refuseDemoSecrets(demoSecrets(values), environment))
      log.warn({ event: 'demo-secret', secret }, 'a secret that everybody knows is in use')
    Object.assign(process.env, environmentOf(values))
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    log.fatal({ event: 'wrong-configuration', problems: error.problems }, 'cannot start')
    process.exitCode = EXIT_CONFIG
    return
  }
  const config = fileURLToPath(new URL(`examples/oauth2/${name}/signet.yaml`, ROOT))
  process.argv.splice(2, Infinity, 'run', '--config', config)
  await import(new URL('dist/main.js', ROOT).href)
}
