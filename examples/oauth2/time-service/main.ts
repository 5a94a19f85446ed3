// The time service as a process: `node build/examples/oauth2/time-service/main.js`.

import { readFileSync } from 'node:fs'
import { loadConfiguration } from '../service/configuration.ts'
import { runService } from '../service/run.ts'
import { DEFAULTS, demoSecretsOf, SCHEMA, VARIABLES } from './config.ts'
import { createTimeService } from './server.ts'

process.exitCode = await runService({
  name: 'time-service',
  load: () =>
    loadConfiguration({
      part: 'timeService',
      defaults: DEFAULTS,
      schema: SCHEMA,
      variables: VARIABLES,
      env: process.env,
      readFile: (path) => readFileSync(path, 'utf8'),
    }),
  create: async (config, log) => createTimeService(config, { log }),
  demoSecrets: demoSecretsOf,
})
