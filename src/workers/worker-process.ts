// One worker as the primary sees it: a process, what it says, and its end. In: what it should be like. Out: whether it
// listens, what it has counted, when it is gone.

import cluster, { type Worker } from 'node:cluster'
import { fileURLToPath } from 'node:url'
import type { Report, Reports } from '../admin/sum.ts'
import type { Listening } from '../proxy.ts'
import type { Start, ToPrimary, ToWorker } from './messages.ts'
import { wholeLines } from './whole-lines.ts'

/** Who is told what a worker says. */
export interface WorkerHooks {
  /** whole lines of its log */
  readonly onLines: (text: string) => void
  /** somebody wants a page from it; when this rejects, there is no answer */
  readonly onAsk: (runtime: boolean) => Promise<Reports>
}

/** What a worker is doing. */
export type WorkerState = 'starting' | 'serving' | 'leaving' | 'gone'

/** What a worker makes of new settings: it goes by them, refuses them and goes by the old, or says nothing. */
export type Reloaded = 'done' | 'silent' | { readonly problem: string }

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: string | null
}

/** ms until it must listen */
const START_DEADLINE = 10_000

/** One worker process. */
export class WorkerProcess {
  readonly number: number
  readonly startedAt = performance.now()
  /** Rejects when it cannot listen, or ends, or takes too long. */
  readonly listening: Promise<Listening>
  /** Resolves when the process is gone and the last of its log has come. */
  readonly ended: Promise<Ending>
  /** Resolves when it no longer serves, or soon will not, and nobody has told it to. */
  readonly lost: Promise<void>

  readonly #worker: Worker
  readonly #asked = new Map<number, (report: Report | undefined) => void>()
  readonly #reloading = new Map<number, (outcome: Reloaded) => void>()
  #state: WorkerState = 'starting'
  #told = false
  #questions = 0
  #last: Report | undefined = undefined
  #onLost: () => void = () => undefined

  /** Starts it. */
  constructor(number: number, start: Start, hooks: WorkerHooks) {
    this.number = number
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('../main.js', import.meta.url)),
      args: ['worker'], // not the flags: they may hold the secret, and it is told what it needs
      serialization: 'advanced', // sets and typed arrays arrive as what they are
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    this.#worker = cluster.fork()
    this.lost = new Promise((resolve) => {
      this.#onLost = resolve
    })
    this.ended = this.#watchEnd()
    this.listening = this.#watchStart()
    this.listening.catch(() => undefined) // who started it hears of it; nobody else has to
    this.#worker.on('message', (message: ToPrimary) => this.#onMessage(message, start, hooks))
    const lines = wholeLines()
    const { stdout } = this.#worker.process
    stdout?.on('data', (piece: Buffer) => {
      const text = lines(piece)
      if (text !== '') hooks.onLines(text)
    })
    stdout?.on('error', () => undefined)
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0
  }

  get state(): WorkerState {
    return this.#state
  }

  /** What it told the last time it was asked, or on its own when it ended. */
  get last(): Report | undefined {
    return this.#last
  }

  /** What it has counted; undefined when it does not say so within `ms`. */
  report(runtime: boolean, ms: number): Promise<Report | undefined> {
    const id = ++this.#questions
    return new Promise((resolve) => {
      const late = setTimeout(() => answer(undefined), ms)
      const answer = (report: Report | undefined) => {
        clearTimeout(late)
        this.#asked.delete(id)
        resolve(report)
      }
      this.#asked.set(id, answer)
      this.#send({ type: 'report', id, runtime })
    })
  }

  /** Has it go by `start` from now on. @param ms after which it counts as silent, as it does when it ends */
  reload(start: Start, ms: number): Promise<Reloaded> {
    const id = ++this.#questions
    return new Promise((resolve) => {
      const late = setTimeout(() => answer('silent'), ms)
      const answer = (outcome: Reloaded) => {
        clearTimeout(late)
        this.#reloading.delete(id)
        resolve(outcome)
      }
      this.#reloading.set(id, answer)
      this.#send({ type: 'reload', id, start })
    })
  }

  /** Tells it to end, ends it when it has not after `ms`, and resolves when it is gone. */
  async leave(ms: number): Promise<void> {
    this.#told = true
    if (this.#state !== 'gone') this.#state = 'leaving'
    this.#send({ type: 'stop' })
    const late = setTimeout(() => this.kill(), ms)
    await this.ended
    clearTimeout(late)
  }

  /** Counts it as lost, so that another one is started now, and gives it `ms` to end. */
  abandon(ms: number): void {
    this.#onLost()
    void this.leave(ms)
  }

  /** Ends it at once. */
  kill(): void {
    this.#worker.process.kill('SIGKILL')
  }

  #watchEnd(): Promise<Ending> {
    this.#worker.on('error', () => undefined) // it could not be started, or told something: it has an end all the same
    return new Promise((resolve) => {
      // 'close' comes after the last of its output.
      this.#worker.process.once('close', (code, signal) => {
        this.#state = 'gone'
        for (const answer of this.#asked.values()) answer(undefined)
        for (const answer of this.#reloading.values()) answer('silent')
        if (!this.#told) this.#onLost()
        resolve({ code, signal })
      })
    })
  }

  #watchStart(): Promise<Listening> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`a worker did not listen within ${START_DEADLINE} ms`))
        this.kill()
      }, START_DEADLINE)
      this.#worker.on('message', (message: ToPrimary) => {
        if (message.type === 'failed') reject(new Error(message.reason))
        if (message.type !== 'listening') return
        clearTimeout(late)
        this.#state = 'serving'
        resolve(message.listening)
      })
      void this.ended.then(({ code, signal }) => {
        clearTimeout(late)
        reject(new Error(`a worker ended before it listened: ${signal ?? `exit code ${code}`}`))
      })
    })
  }

  #onMessage(message: ToPrimary, start: Start, { onAsk }: WorkerHooks): void {
    switch (message.type) {
      case 'ready':
        this.#send({ type: 'start', number: this.number, start })
        return
      case 'leaving':
        this.#state = 'leaving'
        if (!this.#told) this.#onLost()
        return
      case 'report':
        this.#keep(message.report)
        this.#asked.get(message.id)?.(message.report)
        return
      case 'reloaded':
        this.#reloading.get(message.id)?.(
          message.problem === undefined ? 'done' : { problem: message.problem },
        )
        return
      case 'last':
        this.#keep(message.report)
        return
      case 'ask':
        onAsk(message.runtime).then(
          (reports) => this.#send({ type: 'reports', id: message.id, reports }),
          () => undefined, // who asked has a deadline
        )
        return
      case 'listening':
      case 'failed':
    }
  }

  #keep(report: Report): void {
    this.#last = { ...report, runtime: report.runtime ?? this.#last?.runtime }
  }

  #send(message: ToWorker): void {
    if (this.#worker.isConnected()) this.#worker.send(message, () => undefined) // if it is gone, it has an end
  }
}
