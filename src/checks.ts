// What of a configuration only the parts can say that it is for: routes, keys, claims, secrets; and which optional packages
// are there. The same for files and for the library.

import type { StructureInput } from './config/structure.ts'
import type { ConfigInput } from './config.ts'
import { routeProblems } from './http/route-table.ts'
import { claimsProblems } from './jwt/claims-template.ts'
import { keyProblems } from './jwt/key-set.ts'
import { readHmacKey, readSecret } from './jwt/keys.ts'

/** All checks. */
export const CHECKS: Required<StructureInput> & Required<Pick<ConfigInput, 'checkSecret'>> = {
  checkSecret: readHmacKey,
  checkRoutes: routeProblems,
  checkTold: { keys: keyProblems, claims: claimsProblems },
  readSecret,
  isInstalled,
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}
