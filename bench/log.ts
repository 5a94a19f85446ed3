// What a log line of an exchange costs: spelled out, against pino writing the same members. Prints ns per line.

import { openSync } from 'node:fs'
import { exchangeFields } from '../src/exchange-record.ts'
import { exchangeLine, openLog } from '../src/log.ts'
import { RECORD } from './support/exchange-record.ts'

const ROUNDS = 200_000
const log = openLog({ level: 'info', pretty: false, fd: openSync('/dev/null', 'w') })
let length = 0

async function measure(name: string, step: () => void): Promise<void> {
  for (const warm of [true, false]) {
    const before = process.cpuUsage()
    for (let round = 0; round < ROUNDS; round++) {
      step()
      // The destination writes between turns of the event loop, as it does under load.
      if (round % 500 === 0) await new Promise(setImmediate)
    }
    const { user, system } = process.cpuUsage(before)
    if (!warm)
      console.log(`${name.padEnd(28)} ${(((user + system) * 1000) / ROUNDS).toFixed(0).padStart(6)} ns`)
  }
}

await measure('the line alone', () => {
  length += exchangeLine(RECORD, 'username', 1795355978258).length
})
await measure('spelled out and written', () => log.exchange(RECORD, 'username'))
await measure('pino, same members', () => log.logger.info(exchangeFields(RECORD, 'username')))
if (length === 0) throw new Error('nothing was measured')
await log.close()
