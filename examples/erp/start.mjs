// The whole example as one command: both targets, signet before them, and the commands to try. In: nothing; HTTP_PORT says
// where signet listens. Out: an exit code, 0 after Ctrl-C. What it makes, secrets and a folder for the partners, is gone then.

import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commandsToTry, exportsOf, launch } from '../support/launch.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** Starts everything. @returns what to print */
async function start(processes, folder) {
  const keys = {
    TRANSACTIONS_API_KEY: randomBytes(16).toString('hex'),
    CONTENTS_API_KEY: randomBytes(16).toString('hex'),
  }
  const target = (name, port) => {
    const env = { ...keys, HOST: '127.0.0.1' }
    const args = [join(HERE, `targets/${name}.mjs`)]
    return processes.startNear(port, { name, args, env, variable: 'PORT', says: 'stdout' })
  }
  const config = join(folder, 'signet.yaml')
  copyFileSync(join(HERE, 'signet.yaml'), config)
  const [transactions, contents] = await Promise.all([
    target('transactions', 8001),
    target('contents', 8002),
    // The demo user, as an operator would add it.
    processes.run({
      name: 'signet user add',
      args: [MAIN, 'user', 'add', join(folder, 'users'), 'WAL001'],
      input: 'wal001-demo\n',
    }),
  ])

  const places = { TRANSACTIONS_URL: transactions, CONTENTS_URL: contents, ...keys }
  const env = {
    ...places,
    SIGNET_SECRET: randomBytes(64).toString('hex'),
    SESSION_SECRET: randomBytes(32).toString('hex'),
    SIGNET_CONFIG: config,
    SIGNET_DRAIN_TIMEOUT: '300', // ms: Ctrl-C is not to wait for anybody
  }
  const signet = { name: 'signet', args: [MAIN, 'run'], env, variable: 'HTTP_PORT', says: 'stderr' }
  // A port that was asked for is that port or none: another one would be a surprise.
  const gateway = process.env.HTTP_PORT
    ? await processes.start(signet)
    : await processes.startNear(8080, signet)
  const exported = exportsOf({ GATEWAY: gateway, ...places, ERP: folder })
  return (
    `Two services, and signet before them. In another terminal:\n\n${exported}\n` +
    `${commandsToTry(join(HERE, 'README.md'))}\nCtrl-C ends all three. What signet logs:\n\n`
  )
}

const folder = mkdtempSync(join(tmpdir(), 'signet-erp-'))
process.exitCode = await launch({
  name: 'examples/erp',
  start: (processes) => start(processes, folder),
  cleanUp: () => rmSync(folder, { recursive: true, force: true }),
})
