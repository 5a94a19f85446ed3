// signet as a process of its own, as an operator runs it: exit codes, what it prints, signals. Needs dist/.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Test } from 'uvu'
import { PATIENCE, Wire, within } from './wire.ts'

/** Tests run from build/, beside dist/. */
const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url))

/** How a process ended: its exit code, or the signal that ended it. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running signet. */
export class SignetProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<Exit>
  #waiting: (() => void)[] = []
  #gone = false
  stdout = ''
  stderr = ''

  /**
   * Starts `node dist/main.js`.
   *
   * @param env settings; nothing is inherited but PATH
   */
  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [MAIN, ...args], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#wake()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#wake()
    })
    this.#exited = new Promise((resolve) => {
      // 'close' comes after the last of the output.
      this.#child.once('close', (code, signal) => {
        this.#gone = true
        this.#wake()
        resolve({ code, signal })
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Waits for its end. */
  exited(ms = PATIENCE): Promise<Exit> {
    return within(this.#exited, () => `the end of the process; it printed ${this.#output()}`, ms)
  }

  /** Waits until `condition` holds of what it has printed. */
  async printed(condition: () => boolean, what: string, ms = PATIENCE): Promise<void> {
    const promise = (async () => {
      while (!condition()) {
        if (this.#gone) throw new Error(`the process ended before ${what}; it printed ${this.#output()}`)
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
    })()
    await within(promise, () => `${what}; the process printed ${this.#output()}`, ms)
  }

  /** Waits until it accepts connections. @returns the port */
  async listening(ms = 2 * PATIENCE): Promise<number> {
    const line = /^ {2}listening {2}https?:\/\/.+:(\d+)$/m
    await this.printed(() => line.test(this.stderr), 'the port it listens on', ms)
    return Number(line.exec(this.stderr)?.[1])
  }

  /** A connection to it. */
  async client(): Promise<Wire> {
    return Wire.connect(await this.listening())
  }

  /** The whole lines of its log. */
  get log(): Record<string, unknown>[] {
    const lines = this.stdout.slice(0, this.stdout.lastIndexOf('\n') + 1).split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** Its log lines of that event. */
  events(event: string): Record<string, unknown>[] {
    return this.log.filter((line) => line.event === event)
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Ends it, whatever it is doing. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited()
  }

  #output(): string {
    return JSON.stringify({ stdout: this.stdout.slice(-2000), stderr: this.stderr.slice(-2000) })
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Starts signet with these arguments and settings; it is ended after the test. */
export type Run = (args?: readonly string[], env?: Readonly<Record<string, string>>) => SignetProcess

/** Gives the tests of a suite their processes, which end with the test that started them. */
export function processesOf(test: Test): Run {
  const running: SignetProcess[] = []
  test.after.each(async () => {
    for (const one of running.splice(0)) await one.kill()
  })
  return (args = [], env = {}) => {
    const one = new SignetProcess(args, { HTTP_PORT: '0', ...env })
    running.push(one)
    return one
  }
}

/** Gives the tests of a suite something to close after each of them. */
export function closedAfter(test: Test): <T extends { close(): Promise<void> }>(one: T) => T {
  const open: { close(): Promise<void> }[] = []
  test.after.each(async () => {
    for (const one of open.splice(0)) await one.close()
  })
  return (one) => {
    open.push(one)
    return one
  }
}
