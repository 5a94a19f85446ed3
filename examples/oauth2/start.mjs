// The whole example as one command: authorization server, resource server with its time service, webapp, and the commands to
// try. In: nothing; HTTP_PORT says where the webapp listens. With the argument `resource-server`: that and its time service
// alone, as its container runs them. Out: the logs of all, an exit code, 0 after Ctrl-C.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commandsToTry, exportsOf, Failure, launch, portNear } from '../support/launch.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const BUILT = fileURLToPath(new URL('../../build/examples/oauth2/', import.meta.url))

/** What all of them are told. Of signet's settings few are passed on: the others are those of another signet. */
const COMMON = {
  OAUTH2_CONFIGS: process.env.OAUTH2_CONFIGS || join(HERE, 'configs'),
  SIGNET_SECRET: process.env.SIGNET_SECRET ?? '',
  SIGNET_DRAIN_TIMEOUT: '300', // ms: Ctrl-C is not to wait for anybody
}

/** Starts one on that port. @param relay how its lines are printed */
function startService(processes, name, { relay, env }) {
  const main = join(BUILT, name, 'main.js')
  if (!existsSync(main)) throw new Failure('it is not compiled: make example-oauth2 does that first')
  const listens = /"event":"(listening)"/
  return processes.start({ name, args: [main], env: { ...COMMON, ...env }, says: 'stdout', listens, relay })
}

const urlNear = async (port) => `http://127.0.0.1:${await portNear(port)}`
const portOf = (url) => new URL(url).port

/** What the container of the resource server runs: what it is told is for signet, and the time service stays within. */
async function startResourceServer(processes) {
  const relay = (line) => line
  const timeService = await urlNear(5004)
  const inside = { HTTP_HOST: '127.0.0.1', HTTP_PORT: portOf(timeService) }
  await Promise.all([
    startService(processes, 'time-service', { relay, env: inside }),
    startService(processes, 'resource-server', { relay, env: { OAUTH2_TIME_SERVICE: timeService } }),
  ])
  return ''
}

/** Starts everything. @returns what to print */
async function startAll(processes) {
  const issuer = await urlNear(5001)
  const resourceServer = await urlNear(5002)
  const timeService = await urlNear(5004)
  // A port that was asked for is that port or none: another one would be a surprise.
  const webapp = process.env.HTTP_PORT ? `http://127.0.0.1:${process.env.HTTP_PORT}` : await urlNear(5003)
  const urls = {
    OAUTH2_ISSUER: issuer,
    OAUTH2_RESOURCE_SERVER: resourceServer,
    OAUTH2_TIME_SERVICE: timeService,
  }
  const startAt = (name, url) =>
    startService(processes, name, {
      relay: (line) => `${name.padEnd(20)} | ${line}`,
      env: { ...urls, HTTP_HOST: '127.0.0.1', HTTP_PORT: portOf(url) },
    })
  await Promise.all([
    startAt('authorization-server', issuer),
    startAt('time-service', timeService),
    startAt('resource-server', resourceServer),
    startAt('webapp', webapp),
  ])
  const exported = exportsOf({
    WEBAPP: webapp,
    AUTHORIZATION_SERVER: issuer,
    RESOURCE_SERVER: resourceServer,
    TIME_SERVICE: timeService,
  })
  return (
    `\nWebapp, authorization server, resource server. In another terminal:\n\n${exported}\n` +
    `${commandsToTry(join(HERE, 'README.md'))}\nCtrl-C ends all of them. What they log:\n\n`
  )
}

process.exitCode = await launch({
  name: 'examples/oauth2',
  start: process.argv[2] === 'resource-server' ? startResourceServer : startAll,
})
