// The real signet as a process of its own, for tests that need one: started, watched, measured, ended by its PID.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Snapshot } from '../../src/admin/traffic.ts'
import { within } from '../support/wire.ts'
import type { Measure } from './probe.ts'

/** One line of signet's log. */
export type LogLine = Readonly<Record<string, unknown>>

/** How a process ended: its exit code, or the signal that ended it. */
export type Exit = number | NodeJS.Signals

/** How to start it. */
export interface SignetOptions {
  /** settings; the port is a free one unless HTTP_PORT says otherwise */
  readonly env: Readonly<Record<string, string>>
  /** descriptors it may have open: `ulimit -n` */
  readonly descriptors?: number
  /** a file that stdout goes to instead of {@link SignetProcess.log}; `unread` for a pipe that nobody reads */
  readonly stdout?: string
  /** what is told of each log line instead of keeping it */
  readonly onLine?: (line: LogLine) => void
}

/** A running signet. */
export interface SignetProcess {
  readonly pid: number
  readonly port: number
  readonly child: ChildProcess
  /** every line so far */
  readonly log: readonly LogLine[]
  /** how it ended, once it has */
  readonly exited: Promise<Exit>
  /** whether it still runs */
  readonly alive: () => boolean
  /** its own view, from /status */
  status(): Promise<Snapshot>
  /** sample → value, from /metrics */
  metrics(): Promise<ReadonlyMap<string, number>>
  /** descriptors it has open, from /proc */
  descriptors(): number
  /** what it holds, after a garbage collection */
  measure(): Promise<Measure>
  /** SIGTERM, and SIGKILL when that is not enough in time. @returns how it ended */
  stop(ms?: number): Promise<Exit>
}

/** The root of this package: the folder with package.json, above wherever this was compiled to. */
export const ROOT = rootAbove(dirname(fileURLToPath(import.meta.url)))

function rootAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootAbove(dirname(folder))
}

/** ms that a start may take on a busy machine. */
const START = 15_000

/** Starts signet and waits until it listens. */
export async function startSignet(options: SignetOptions): Promise<SignetProcess> {
  const { env, descriptors, stdout = 'pipe', onLine } = options
  const out = stdout === 'pipe' || stdout === 'unread' ? 'pipe' : openSync(stdout, 'w')
  const child = spawnWithLimit([...PROBED, join(ROOT, 'dist/main.js')], descriptors, {
    env: { HTTP_PORT: '0', SIGNET_DRAIN_TIMEOUT: '500', ...env },
    stdio: ['ignore', out, 'pipe', 'ipc'],
  })
  if (typeof out === 'number') closeSync(out)
  const exited = exitOf(child)
  const log: LogLine[] = []
  if (stdout === 'pipe') readLines(child, onLine ?? ((line) => log.push(line)))
  const port = await within(portOf(child, exited), 'signet to listen', START).catch((error) => {
    child.kill('SIGKILL')
    throw error
  })
  const pid = child.pid as number // it runs, so it has one
  return {
    pid,
    port,
    child,
    log,
    exited,
    alive: () => child.exitCode === null && child.signalCode === null,
    status: async () => JSON.parse(await getPage(port, '/status')) as Snapshot,
    metrics: async () => parseSamples(await getPage(port, '/metrics')),
    descriptors: () => readdirSync(`/proc/${pid}/fd`).length,
    async measure() {
      const answer = once(child, 'message')
      child.send('measure')
      const [measured] = await within(answer, 'the probe', START)
      return measured as Measure
    },
    async stop(ms = 5000) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), ms)
      try {
        return await exited
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

/** The probe is loaded first, and can collect garbage. */
const PROBED = ['--expose-gc', '--import', new URL('./probe.js', import.meta.url).href]

interface SpawnOptions {
  readonly env: Readonly<Record<string, string>>
  readonly stdio: ('ignore' | 'inherit' | 'pipe' | 'ipc' | number)[]
}

/** Starts this very Node with a limit on its descriptors: the shell sets it and becomes the process. */
export function spawnWithLimit(
  argv: string[],
  limit: number | undefined,
  options: SpawnOptions,
): ChildProcess {
  const inherited = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
  const all = { stdio: options.stdio, env: { ...inherited, ...options.env } }
  if (limit === undefined) return spawn(process.execPath, argv, all)
  const script = `ulimit -n ${limit} && exec "$0" "$@"`
  return spawn('sh', ['-c', script, process.execPath, ...argv], all)
}

/** How a process ends. */
export async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? signal ?? 'SIGKILL'
}

/** The port from the greeting on stderr, which comes whatever becomes of stdout. */
async function portOf(child: ChildProcess, exited: Promise<Exit>): Promise<number> {
  let text = ''
  const found = new Promise<number>((resolve) => {
    child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      const port = / listening {2}http:\/\/\S+:(\d+)/.exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
  const ended = exited.then((exit) => {
    throw new Error(`signet ended with ${exit}: ${text}`)
  })
  ended.catch(() => undefined) // it ends at last, when nobody waits for the port any more
  return Promise.race([found, ended])
}

function readLines(child: ChildProcess, onLine: (line: LogLine) => void): void {
  let rest = ''
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(JSON.parse(line) as LogLine)
  })
}

/** One of signet's own pages. */
async function getPage(port: number, path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  const closed = once(socket, 'close')
  socket.write(`GET ${path} HTTP/1.1\r\nHost: signet\r\nConnection: close\r\n\r\n`)
  try {
    await within(closed, `${path} of signet`, START)
  } finally {
    socket.destroy()
  }
  const text = Buffer.concat(pieces).toString('utf8')
  if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(`${path}: ${JSON.stringify(text.slice(0, 200))}`)
  return text.slice(text.indexOf('\r\n\r\n') + 4)
}

function parseSamples(text: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    const at = line.lastIndexOf(' ')
    if (at > 0 && !line.startsWith('#')) samples.set(line.slice(0, at), Number(line.slice(at + 1)))
  }
  return samples
}

/** What /status says is open once nothing should be: all zero. The connection that asks does not count. */
export async function leftOpen(signet: SignetProcess): Promise<Readonly<Record<string, number>>> {
  const { requests, downstream, upstream, pool, tunnels } = await signet.status()
  return {
    inFlight: requests.inFlight - 1, // /status itself
    clients: downstream.open - 1,
    upstreams: upstream.open,
    connecting: pool.connecting,
    waiting: pool.waiting,
    tunnels: tunnels.open,
  }
}

/** Waits until signet has nothing open, idle upstream connections included; fails with what is. */
export async function settled(signet: SignetProcess, ms = 5000): Promise<void> {
  const end = performance.now() + ms
  for (;;) {
    const left = await leftOpen(signet)
    if (Object.values(left).every((count) => count === 0)) return
    if (performance.now() > end) throw new Error(`after ${ms} ms signet still has ${JSON.stringify(left)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/**
 * A port that nobody listens on, below those that connections are made from: nobody else is given it meanwhile, and
 * whoever connects to it does not connect to itself.
 */
export async function unusedPort(): Promise<number> {
  for (let port = 20_000 + Math.floor(Math.random() * 10_000); ; port++) {
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    await new Promise((resolve) => server.close(resolve))
    if (free) return port
  }
}
