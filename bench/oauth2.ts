// What a call through all three roles of examples/oauth2 costs, in a minute: `npm run bench:oauth2`. Calls per second and
// latencies at several concurrencies, CPU time of each process, and how the time of one call divides among its steps. Nothing is
// pinned: all share what cores there are, the load as well.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { program } from './support/paths.ts'
import { figure, median, table } from './support/figures.ts'

const ROLES = ['authorization-server', 'time-service', 'resource-server', 'webapp'] as const
type Role = (typeof ROLES)[number]

const CONCURRENCIES = [1, 10, 50]
/** ms of load that count, and before them. */
const MEASURED = 8000
const WARM_UP = 4000
/** ms for a process to listen, and for the log to be written. */
const TO_LISTEN = 15_000
const TO_LOG = 500
/** Clock ticks a second, in which /proc counts CPU time: 100 on every Linux that Node runs on. */
const TICKS = 100

/** One line of a log, as far as it is looked at. */
interface Line {
  readonly event?: string
  readonly path?: string
  readonly ms?: number
}

/** A process, and what it logs. */
interface Running {
  readonly pid: number
  lines: Line[]
}

const children: ReturnType<typeof spawn>[] = []
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** Starts one and waits until it listens. */
function start(role: Role, env: NodeJS.ProcessEnv): Promise<Running> {
  const child = spawn(process.execPath, [program(`../examples/oauth2/${role}/main`)], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const running: Running = { pid: child.pid ?? 0, lines: [] }
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${role} does not listen`)), TO_LISTEN)
    let said = ''
    child.stderr.on('data', (text: Buffer) => (said += text.toString()))
    child.once('close', (code) => reject(new Error(`${role} ended with ${code}: ${said}`)))
    let rest = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines.map((one) => JSON.parse(one) as Line)) {
        running.lines.push(line)
        if (line.event !== 'listening') continue
        clearTimeout(late)
        resolve(running)
      }
    })
  })
}

/** One call. @returns ms */
function call(agent: Agent, port: number): Promise<number> {
  const began = performance.now()
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path: '/current_time' }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - began)
        else reject(new Error(`it was answered ${response.statusCode}`))
      })
    }).once('error', reject)
  })
}

/** So many at a time, for that long. @returns ms of each call */
async function load(port: number, concurrency: number, ms: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
  const took: number[] = []
  const end = performance.now() + ms
  const client = async () => {
    while (performance.now() < end) took.push(await call(agent, port))
  }
  await Promise.all(Array.from({ length: concurrency }, client))
  agent.destroy()
  return took
}

/** ms of CPU time of a process so far. */
function cpuOf({ pid }: Running): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS
}

/** The value below which that share of all lies. */
function quantile(values: readonly number[], share: number): number {
  return (
    [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ??
    Number.NaN
  )
}

const ports = await freePorts(ROLES.length)
const [issuer, timeService, resourceServer] = ports.map((port) => `http://127.0.0.1:${port}`)
const env = {
  OAUTH2_ISSUER: issuer,
  OAUTH2_TIME_SERVICE: timeService,
  OAUTH2_RESOURCE_SERVER: resourceServer,
}
const running = await Promise.all(
  ROLES.map((role, at) => start(role, { ...env, HTTP_PORT: String(ports[at]) })),
)
const [authorizationServer, time, resource, webapp] = running as [Running, Running, Running, Running]
const port = ports[3]!

/** Median ms of the lines of one step. */
function stepOf({ lines }: Running, path: string): number {
  const found = lines.filter((line) => line.path === path && line.ms !== undefined)
  if (found.length === 0) throw new Error(`nobody has logged ${path}`)
  return median(found.map(({ ms }) => ms!))
}

const rows: string[][] = []
let division = ''
for (const concurrency of CONCURRENCIES) {
  await load(port, concurrency, WARM_UP)
  await new Promise((resolve) => setTimeout(resolve, TO_LOG))
  for (const one of running) one.lines = []
  const before = running.map(cpuOf)
  const began = performance.now()
  const took = await load(port, concurrency, MEASURED)
  const seconds = (performance.now() - began) / 1000
  const cpu = running.map((one, at) => (cpuOf(one) - before[at]!) / took.length)
  rows.push([
    String(concurrency),
    figure(took.length / seconds),
    figure(median(took), 1),
    figure(quantile(took, 0.99), 1),
    ...cpu.map((ms) => figure(ms, 2)),
  ])
  if (concurrency > 1) continue
  await new Promise((resolve) => setTimeout(resolve, TO_LOG))
  const authorize = stepOf(authorizationServer, '/authorize')
  const token = stepOf(authorizationServer, '/token')
  const introspect = stepOf(authorizationServer, '/introspect')
  const whole = stepOf(webapp, '/current_time')
  const asked = stepOf(resource, '/current_time')
  const served = stepOf(time, '/current_time')
  const client = median(took)
  const steps: readonly (readonly [step: string, ms: number])[] = [
    ['a code, in the authorization server', authorize],
    ['a token, in the authorization server', token],
    ['the call, in the resource server', asked],
    ['of which introspection, in the authorization server', introspect],
    ['of which the time service', served],
    ['of which signet there, and the ways between', asked - introspect - served],
    ['signet as the webapp, and the ways between', whole - authorize - token - asked],
    ['the client, and the way to the webapp', client - whole],
  ]
  division = table(
    ['step of one call alone (medians)', 'ms', '%'],
    steps.map(([step, ms]) => [step, figure(ms, 2), figure((100 * ms) / client)]),
  )
}

const header = ['calls at once', 'calls/s', 'p50 ms', 'p99 ms', ...ROLES.map((role) => `CPU ms ${role}`)]
process.stdout.write(`${table(header, rows)}\n\n${division}\n`)
for (const child of children) child.kill('SIGTERM')
process.exit(0)
