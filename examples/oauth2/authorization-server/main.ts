// The authorization server as a process: `node build/examples/oauth2/authorization-server/main.js`.

import { readFileSync } from 'node:fs'
import { ConfigurationError, loadConfiguration } from '../service/configuration.ts'
import { runService } from '../service/run.ts'
import { DEFAULTS, demoSecretsOf, SCHEMA, VARIABLES } from './config.ts'
import type { SigningKeys } from './core/access-tokens.ts'
import { makeSigningKeys, readSigningKeys } from './core/signing-keys.ts'
import { createAuthorizationServer } from './server.ts'

const readFile = (path: string) => readFileSync(path, 'utf8')

/** Those of the file, if one is named. */
function signingKeys(path: string | undefined): SigningKeys {
  if (path === undefined) return makeSigningKeys()
  try {
    return readSigningKeys(readFile(path))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigurationError([`authorizationServer.signingKeyFile: ${reason}`])
  }
}

process.exitCode = await runService({
  name: 'authorization-server',
  load: () =>
    loadConfiguration({
      part: 'authorizationServer',
      defaults: DEFAULTS,
      schema: SCHEMA,
      variables: VARIABLES,
      env: process.env,
      readFile,
    }),
  create: (config, log) =>
    createAuthorizationServer(config, { keys: signingKeys(config.signingKeyFile), log }),
  demoSecrets: demoSecretsOf,
})
