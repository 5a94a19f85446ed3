// The primary as a worker sees it. In: orders and questions over the channel. Out: each to whom it concerns; and the end of
// the channel, which is the end of the primary, as an order to end.

import cluster, { type Worker } from 'node:cluster'
import type { Report, Reports } from '../admin/sum.ts'
import type { Start, ToPrimary, ToWorker } from './messages.ts'

/** Why a worker ends. */
export type Order = 'stop' | 'retire' | 'orphaned'

/** ms that the primary has to say what a worker should be like */
const START_DEADLINE = 10_000
/** ms for what all workers have counted: the primary waits 1000 for those that are slow */
const ASK_DEADLINE = 1800

/** The channel to the primary. */
export class PrimaryLink {
  readonly #worker: Worker
  /** given before anybody carried them out */
  readonly #orders: Order[] = []
  #onOrder: (order: Order) => void = (order) => this.#orders.push(order)
  #onReport: ((runtime: boolean) => Promise<Report>) | undefined = undefined
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
      this.#onOrder('orphaned')
    })
  }

  /** Has `carryOut` called with each order, those that have come already included; and `report` for what it has counted. */
  serve(carryOut: (order: Order) => void, report: (runtime: boolean) => Promise<Report>): void {
    this.#onOrder = carryOut
    this.#onReport = report
    for (const order of this.#orders.splice(0)) carryOut(order)
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
    this.#onOrder = () => undefined
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
        this.#onReport?.(runtime).then(
          (report) => this.send({ type: 'report', id, report }),
          () => undefined, // the primary has a deadline
        )
        return
      }
      case 'reports':
        this.#asked.get(message.id)?.(message.reports)
        return
      case 'stop':
      case 'retire':
        this.#onOrder(message.type)
    }
  }
}
