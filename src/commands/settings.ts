// The settings of a command, from flags, environment and configuration file, with every check that there is.

import { readFileSync } from 'node:fs'
import { CHECKS } from '../checks.ts'
import type { ReadConfig } from '../config.ts'
import { loadConfig } from '../config/load.ts'

/**
 * Reads the settings; each time anew, files too.
 *
 * @throws {ConfigError} all problems at once
 */
export function loadSettings(
  flags: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ReadConfig> {
  const readFile = (path: string) => readFileSync(path, 'utf8')
  return loadConfig({ flags, env, readFile, ...CHECKS })
}
