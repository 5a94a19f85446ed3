// The webapp as a process: `node build/examples/oauth2/webapp/main.js`.

import { randomBytes } from 'node:crypto'
import { runSignet } from '../service/run-signet.ts'
import { DEFAULTS, demoSecretsOf, SCHEMA, signetEnvironment, VARIABLES } from './config.ts'

await runSignet({
  name: 'webapp',
  part: 'webapp',
  defaults: DEFAULTS,
  schema: SCHEMA,
  variables: VARIABLES,
  demoSecrets: demoSecretsOf,
  // Its own token is not sent to the resource server, and so nobody needs to know the key of it.
  environmentOf: (config) => ({
    ...signetEnvironment(config),
    SIGNET_SECRET: randomBytes(64).toString('hex'),
  }),
})
