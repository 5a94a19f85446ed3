// The configuration from all of its places. In: flags, environment and a way to read files. Out: what config.ts makes of
// them. What reads the configuration file, and the packages it needs, load only where there is one.

import { type ConfigInput, configPath, type ReadConfig, readConfig } from '../config.ts'
import type { ReadSecret } from './auth-reader.ts'
import type { CheckRoutes, IsInstalled } from './gateway-reader.ts'
import type { CheckTold } from './told-reader.ts'

/** All that {@link loadConfig} reads from. */
export interface LoadInput extends Omit<ConfigInput, 'file'> {
  /** What is wrong with routes, so that it is reported together with all other problems. */
  readonly checkRoutes?: CheckRoutes
  /** How the secrets of authenticators are read. */
  readonly readSecret?: ReadSecret
  /** The same of keys, and of the claims of tokens. */
  readonly checkTold?: CheckTold
  /** Whether an optional package is there; all are unless this is given. */
  readonly isInstalled?: IsInstalled
}

/**
 * Reads every setting, and the configuration file that one of them names.
 *
 * @throws {ConfigError} all problems at once
 */
export async function loadConfig(input: LoadInput): Promise<ReadConfig> {
  const path = configPath(input)
  if (path === undefined) return readConfig(input)
  const { readConfigFile } = await import('./config-file.ts')
  return readConfig({ ...input, file: readConfigFile(path, input) })
}
