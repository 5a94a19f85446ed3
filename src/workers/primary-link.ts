// The primary as a worker sees it. In: orders and questions over the channel. Out: each to whom it concerns; and the end of
// the channel, which is the end of the primary, as an order to end.

import cluster, { type Worker } from 'node:cluster'
import { messageOf } from '../errors.ts'
import type { Report, Reports } from '../admin/sum.ts'
import type { Start, ToPrimary, ToWorker } from './messages.ts'

/** What a worker does when the primary asks for it. */
export interface Duties {
  /** all of them end, or the primary is gone */
  end(): void
  /** what it has counted */
  report(runtime: boolean): Promise<Report>
  /** @throws why it goes on as before */
  reload(start: Start): void
}

/** ms that the primary has to say what a worker should be like */
const START_DEADLINE = 10_000
/** ms for what all workers have counted: the primary waits 1000 for those that are slow */
const ASK_DEADLINE = 1800

/** The channel to the primary. */
export class PrimaryLink {
  readonly #worker: Worker
  #duties: Duties | undefined = undefined
  /** whether it is to end; it may be told so before there are duties */
  #ending = false
  readonly #asked = new Map<number, (reports: Reports) => void>()
  #questions = 0
  #onStart: (start: { number: number; start: Start }) => void = () => undefined

  /** @returns undefined in a process that no primary has started */
  static open(): PrimaryLink | undefined {
    return cluster.worker === undefined ? undefined : new PrimaryLink(cluster.worker)
  }

  private constructor(worker: Worker) {
    this.#worker = worker
    process.on('message', (message: ToWorker) => this.#onMessage(message))
    worker.on('disconnect', () => {
      worker.exitedAfterDisconnect = true // or Node would end the process at once, exchanges and all
      this.#end()
    })
  }

  /** Has `duties` done from now on, and what was asked for already. */
  serve(duties: Duties): void {
    this.#duties = duties
    if (this.#ending) duties.end()
  }

  /** Says that this process is ready. @returns what it should be like @throws when nobody says so in time */
  start(): Promise<{ number: number; start: Start }> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the primary says nothing')), START_DEADLINE)
      this.#onStart = (start) => {
        clearTimeout(late)
        resolve(start)
      }
      void this.send({ type: 'ready' })
    })
  }

  /** What all workers have counted. @throws when it does not come in time */
  ask({ runtime }: { readonly runtime: boolean }): Promise<Reports> {
    const id = ++this.#questions
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#asked.delete(id)
        reject(new Error('the primary process did not say what the workers have counted'))
      }, ASK_DEADLINE)
      this.#asked.set(id, (reports) => {
        clearTimeout(late)
        this.#asked.delete(id)
        resolve(reports)
      })
      void this.send({ type: 'ask', id, runtime })
    })
  }

  /** Resolves when it is on its way, or the primary is gone. */
  send(message: ToPrimary): Promise<void> {
    return new Promise((resolve) => {
      if (process.connected && process.send !== undefined)
        process.send(message, undefined, undefined, () => resolve())
      else resolve()
    })
  }

  /** Lets go of the channel, which would keep the process from ending. */
  close(): void {
    this.#duties = undefined
    this.#worker.exitedAfterDisconnect = true
    if (process.connected) process.disconnect()
  }

  #onMessage(message: ToWorker): void {
    switch (message.type) {
      case 'start':
        this.#onStart(message)
        return
      case 'report': {
        const { id, runtime } = message
        this.#duties?.report(runtime).then(
          (report) => this.send({ type: 'report', id, report }),
          () => undefined, // the primary has a deadline
        )
        return
      }
      case 'reports':
        this.#asked.get(message.id)?.(message.reports)
        return
      case 'reload':
        this.#reload(message.id, message.start)
        return
      case 'stop':
        this.#end()
    }
  }

  #end(): void {
    this.#ending = true
    this.#duties?.end()
  }

  #reload(id: number, start: Start): void {
    try {
      this.#duties?.reload(start)
      void this.send({ type: 'reloaded', id })
    } catch (error) {
      const problem = messageOf(error)
      void this.send({ type: 'reloaded', id, problem })
    }
  }
}
