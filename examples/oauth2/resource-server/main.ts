// The signet before the time service as a process: `node build/examples/oauth2/resource-server/main.js`.

import { runSignet } from '../service/run-signet.ts'
import { DEFAULTS, demoSecretsOf, SCHEMA, signetEnvironment, VARIABLES } from './config.ts'

await runSignet({
  name: 'resource-server',
  part: 'resourceServer',
  defaults: DEFAULTS,
  schema: SCHEMA,
  variables: VARIABLES,
  demoSecrets: demoSecretsOf,
  environmentOf: signetEnvironment,
})
