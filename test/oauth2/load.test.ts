// Many calls through the four processes: not one fails, and none of the processes grows.

import { execFileSync, spawn } from 'node:child_process'
import { Agent, get } from 'node:http'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../support/wire.ts'
import { freePorts } from '../support/walk.ts'

const test = suite('oauth2/load')

const ROLES = ['authorization-server', 'time-service', 'resource-server', 'webapp'] as const
const AT_ONCE = 500
/** Rounds of so many calls at once: until everything is warm, and after that. */
const WARM_UP = 14
const ROUNDS = 10
/** MiB that a process may have grown by: what is kept of 5000 calls would be more if it were 5 KiB each. */
const MOST_GROWTH = 25
/** ms for a round. */
const A_ROUND = 20_000

const children: ReturnType<typeof spawn>[] = []
test.after.each(async () => {
  for (const child of children.splice(0)) {
    const closed = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGKILL')
    await within(closed, 'its end')
  }
})

/** Starts all four. @returns the port of the webapp, the pid of each */
async function startAll(): Promise<{ port: number; pids: readonly number[] }> {
  const ports = await freePorts(ROLES.length)
  const [issuer, timeService, resourceServer] = ports.map((port) => `http://127.0.0.1:${port}`)
  const env = {
    PATH: process.env.PATH,
    NODE_OPTIONS: '--max-semi-space-size=1', // what is young is collected soon, and does not look like growth
    OAUTH2_ISSUER: issuer,
    OAUTH2_TIME_SERVICE: timeService,
    OAUTH2_RESOURCE_SERVER: resourceServer,
  }
  const pids = await Promise.all(
    ROLES.map((role, at) => {
      const main = fileURLToPath(new URL(`../../examples/oauth2/${role}/main.js`, import.meta.url))
      const child = spawn(process.execPath, [main], {
        env: { ...env, HTTP_PORT: String(ports[at]) },
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      children.push(child)
      const listens = new Promise<number>((resolve) => {
        child.stdout.on('data', (text: Buffer) => {
          if (text.includes('"event":"listening"')) resolve(child.pid!)
        })
      })
      return within(listens, `${role} to listen`, 15_000)
    }),
  )
  return { port: ports[3]!, pids }
}

/** MiB of memory that a process has. */
function memoryOf(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024
}

function call(agent: Agent, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.once('end', () => resolve(`${response.statusCode} ${text}`))
      response.once('error', reject)
    }).once('error', reject)
  })
}

test('500 calls at once, again and again: not one failure, and memory is what it was', async () => {
  const { port, pids } = await startAll()
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const round = async () => {
    const calls = Array.from({ length: AT_ONCE }, (_, at) =>
      call(agent, port, at % 2 === 0 ? '/current_time' : '/epoch_time'),
    )
    const answers = await within(Promise.all(calls), 'a round', A_ROUND)
    assert.equal(
      answers.filter((text, at) => !text.startsWith(`200 {"${at % 2 === 0 ? 'current' : 'epoch'}_time":`)),
      [],
    )
  }
  for (let times = 0; times < WARM_UP; times++) await round()
  const before = pids.map(memoryOf)
  for (let times = 0; times < ROUNDS; times++) await round()
  const growth = pids.map((pid, at) => memoryOf(pid) - before[at]!)
  agent.destroy()
  for (const [at, role] of ROLES.entries())
    assert.ok(growth[at]! < MOST_GROWTH, `${role} grew by ${growth[at]} MiB from ${before[at]} MiB`)
})

test.run()
