// The settings of a command, from flags, environment and configuration file, with every check that there is.

import { readFileSync } from 'node:fs'
import type { ReadConfig } from '../config.ts'
import { loadConfig } from '../config/load.ts'
import { routeProblems } from '../http/route-table.ts'
import { claimsProblems } from '../jwt/claims-template.ts'
import { keyProblems } from '../jwt/key-set.ts'
import { readHmacKey, readSecret } from '../jwt/keys.ts'

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
  return loadConfig({
    flags,
    env,
    readFile,
    checkSecret: readHmacKey,
    checkRoutes: routeProblems,
    checkTold: { keys: keyProblems, claims: claimsProblems },
    readSecret,
    isInstalled,
  })
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}
