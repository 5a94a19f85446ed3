// Owner of every process that a bench starts: each is ended by its PID when the bench ends, fails or is interrupted.

import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { pinned, type Side } from './cores.ts'

/** What to run on one side of the machine: a script for this very Node, or another program. */
export interface Command {
  /** for messages */
  readonly name: string
  /** instead of this very Node */
  readonly program?: string
  /** script and its arguments; or those of `program` */
  readonly argv: readonly string[]
  readonly side: Side
  readonly env?: Readonly<Record<string, string>>
  /** open files it may have, where the usual limit is too low */
  readonly openFiles?: number
  /** ms that {@link Children.run} gives it */
  readonly deadline?: number
  /** where a server listens that was told its port, as it does not say so itself */
  readonly port?: number
}

/** A server that has said where it listens. */
export interface Running {
  readonly pid: number
  readonly port: number
}

const ANNOUNCEMENT = /listening\s+http:\/\/127\.0\.0\.1:(\d+)/
/** ms that a server has to start, and that any process has to end once it is asked to. */
const START_DEADLINE = 10_000
const STOP_DEADLINE = 2000
/** ms that a program has from start to end, unless its command says otherwise. */
const RUN_DEADLINE = 180_000
/** ms between two attempts to reach a server that does not say when it listens. */
const KNOCK_EVERY = 50

/** Starts processes and ends them all. */
export class Children {
  readonly #alive = new Set<ChildProcess>()

  constructor() {
    process.on('exit', () => this.#signal('SIGTERM'))
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.on('uncaughtException', () => undefined) // what fails from here on fails because of this
        this.stopAll().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143))
      })
    }
  }

  /** Starts a process. */
  spawn(command: Command, stdio: SpawnOptions['stdio']): ChildProcess {
    const limited =
      command.openFiles === undefined ? [] : ['sh', '-c', `ulimit -n ${command.openFiles}; exec "$@"`, 'sh']
    const argv = [...limited, ...pinned(command.side), command.program ?? process.execPath, ...command.argv]
    const child = spawn(argv[0]!, argv.slice(1), { stdio, env: { ...cleanEnvironment(), ...command.env } })
    this.#alive.add(child)
    child.once('close', () => this.#alive.delete(child))
    child.once('error', () => this.#alive.delete(child))
    return child
  }

  /**
   * Starts a server and waits until it says on stderr where it listens, or can be reached where it was told to. Its
   * stdout is not looked at.
   *
   * @throws what it wrote, when it ends before that or takes too long
   */
  startServer(command: Command): Promise<Running> {
    const child = this.spawn(command, ['ignore', 'ignore', 'pipe'])
    return new Promise((resolve, reject) => {
      let written = ''
      const fail = (how: string) => reject(new Error(`${command.name} ${how}: ${written}`))
      const late = setTimeout(() => fail('did not start'), START_DEADLINE)
      const ready = (port: number) => {
        clearTimeout(late)
        resolve({ pid: child.pid!, port })
      }
      child.once('error', reject)
      child.once('close', (code) => {
        clearTimeout(late)
        fail(`ended with ${code}`)
      })
      child.stderr?.on('data', (piece: Buffer) => {
        written = (written + piece.toString()).slice(-4000)
        const port = ANNOUNCEMENT.exec(written)?.[1]
        if (port !== undefined && command.port === undefined) ready(Number(port))
      })
      const { port } = command
      if (port !== undefined) void reachable(port, () => this.#alive.has(child)).then(() => ready(port))
    })
  }

  /** Runs a program to its end. @returns its stdout @throws when its exit code is not 0 */
  run(command: Command): Promise<string> {
    const child = this.spawn(command, ['ignore', 'pipe', 'pipe'])
    const late = setTimeout(() => child.kill('SIGKILL'), command.deadline ?? RUN_DEADLINE)
    return new Promise((resolve, reject) => {
      let stdout = ''
      let stderr = ''
      child.stdout?.on('data', (piece: Buffer) => (stdout += piece.toString()))
      child.stderr?.on('data', (piece: Buffer) => (stderr += piece.toString()))
      child.once('error', reject)
      child.once('close', (code, signal) => {
        clearTimeout(late)
        if (code === 0) resolve(stdout)
        else reject(new Error(`${command.name} ended with ${code ?? signal}: ${stderr.slice(-4000)}`))
      })
    })
  }

  /** Ends one process. */
  stop(child: ChildProcess): Promise<void> {
    if (!this.#alive.has(child)) return Promise.resolve()
    return new Promise((resolve) => {
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE)
      child.once('close', () => {
        clearTimeout(late)
        resolve()
      })
      child.kill('SIGTERM')
    })
  }

  /** Ends all that is left. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#alive].map((child) => this.stop(child)))
  }

  #signal(signal: NodeJS.Signals): void {
    for (const child of this.#alive) child.kill(signal)
  }
}

/** Waits until a port accepts connections, for as long as its server lives. */
async function reachable(port: number, alive: () => boolean): Promise<void> {
  while (alive()) {
    const socket = connect({ host: '127.0.0.1', port })
    try {
      await once(socket, 'connect')
      return
    } catch {
      await sleep(KNOCK_EVERY)
    } finally {
      socket.destroy()
    }
  }
}

/** The environment without what would configure signet. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(SIGNET_|HTTP_PORT$|HTTP_HOST$)/.test(name))
  return { ...Object.fromEntries(kept), NODE_ENV: 'production' }
}
