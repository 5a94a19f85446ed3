// What the development commands need to check a token: the key and the field name, by the same settings as the proxy.

import { DEMO_SECRET, type HmacKey, readHmacKey } from '../jwt/keys.ts'
import { verifyToken } from '../jwt/verify.ts'
import type { Verify } from './echo.ts'
import { loadSettings } from './settings.ts'

/**
 * Reads the settings that concern the token.
 *
 * @throws {ConfigError} from `verify`, not from here, so that `--help` works with settings that are wrong
 */
export function verifierFrom(env: Readonly<Record<string, string | undefined>>): {
  verify: Verify
  jwtHeader: string
} {
  let key: HmacKey | undefined
  return {
    jwtHeader: (env.SIGNET_JWT_HEADER || 'x-my-jwt').toLowerCase(),
    verify: async (jwt) => {
      key ??= await keyFrom(env)
      return verifyToken(jwt, key)
    },
  }
}

/** The key that the proxy would sign with, given the same environment. */
async function keyFrom(env: Readonly<Record<string, string | undefined>>): Promise<HmacKey> {
  const { config } = await loadSettings({}, env)
  return readHmacKey(
    config.secretText ?? DEMO_SECRET,
    config.secretText === undefined ? 'hex' : config.secretEncoding,
  )
}
