// Several processes that share the traffic, as one thing. In: how many, and what each should be like. Out: a place that is
// filled again when its process dies, a change of them all one by one, an end. The primary process, where this runs, accepts
// connections and hands them out in turn, and sees nothing of what goes over them.

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchRuntime } from '../admin/runtime-metrics.ts'
import type { Config } from '../config.ts'
import type { Origin } from '../http/route.ts'
import type { Listening, ProxyLogger } from '../proxy.ts'
import { Backoff } from './backoff.ts'
import { Census } from './census.ts'
import type { Start } from './messages.ts'
import { shareOf } from './shares.ts'
import { WorkerProcess } from './worker-process.ts'

/** What the workers are started with. */
export interface WorkersOptions {
  /** of signet as a whole */
  readonly config: Config
  readonly origin: Origin
  readonly version: string
  readonly logger: ProxyLogger
  /** takes whole lines of their logs */
  readonly lines: (text: string) => void
}

/** One of the places: at its number there is a process, or soon will be. */
interface Place {
  readonly number: number
  readonly backoff: Backoff
  process: WorkerProcess | undefined
  restarts: number
  /** while it is being filled again */
  filling: Promise<void> | undefined
  /** whether a new process is being started beside the old one, so that nobody else has to fill it */
  changing: boolean
}

/** ms beyond the drain deadline that a worker may take to end: its log has a second for its last lines */
const LEAVE_MARGIN = 1500

/** The workers of this process. */
export class Workers {
  readonly #logger: ProxyLogger
  readonly #lines: (text: string) => void
  readonly #places: readonly Place[]
  /** all that are not gone, whatever they are doing */
  readonly #processes = new Set<WorkerProcess>()
  readonly #runtime = watchRuntime()
  readonly #census: Census
  readonly #closing = new AbortController()
  #start: Start
  #listening: Listening | undefined = undefined
  #change: Promise<void> | undefined = undefined
  #changeAgain = false

  constructor({ config, origin, version, logger, lines }: WorkersOptions) {
    this.#logger = logger
    this.#lines = lines
    const instance = randomBytes(4).toString('hex')
    this.#start = { config: shareOf(config), origin, version, instance }
    this.#places = Array.from({ length: config.workers }, (_, at) => ({
      number: at + 1,
      backoff: new Backoff(),
      process: undefined,
      restarts: 0,
      filling: undefined,
      changing: false,
    }))
    this.#census = new Census({
      processes: () => [...this.#processes],
      restartsOf: (number) => this.#places[number - 1]!.restarts,
      runtime: this.#runtime,
    })
    // Whatever ends this process without waiting for them: nobody else knows them.
    process.once('exit', () => {
      for (const one of this.#processes) one.kill()
    })
  }

  /**
   * Starts them all. The first one alone: what it cannot do, such as listen where another program does, none can.
   *
   * @throws why one of them does not listen; none is left then
   */
  async listen(): Promise<Listening> {
    const [first, ...others] = this.#places
    try {
      this.#listening = await this.#install(first!)
      await Promise.all(others.map((place) => this.#install(place)))
      return this.#listening
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /**
   * Puts new processes in the place of the old, one after the other: a new one listens before the old one retires. A
   * change that is asked for during another begins when that one is through.
   *
   * @param config of signet as a whole; as many workers as there were. Kept only if a worker can listen with it.
   */
  change(config: Config): Promise<void> {
    const before = this.#start
    this.#start = { ...before, config: shareOf({ ...config, workers: this.#places.length }) }
    if (this.#change !== undefined) this.#changeAgain = true
    this.#change ??= this.#changeAll(before).finally(() => {
      this.#change = undefined
    })
    return this.#change
  }

  /** Has them all end at the same time, within the drain deadline. */
  async close(): Promise<void> {
    this.#closing.abort()
    const ms = this.#start.config.drainTimeout + LEAVE_MARGIN
    await Promise.all([...this.#processes].map((one) => one.leave('stop', ms)))
    await Promise.all(this.#places.map(({ filling }) => filling))
    this.#runtime.close()
  }

  async #changeAll(before: Start): Promise<void> {
    do {
      this.#changeAgain = false
      for (const place of this.#places) {
        await place.filling
        if (this.#closing.signal.aborted) return
        const old = place.process
        place.changing = true
        try {
          await this.#install(place)
        } catch (error) {
          this.#start = before
          this.#complain('worker-failed', place, `the old workers stay: ${messageOf(error)}`)
          if (place.process === undefined) this.#refill(place, 0) // the old one has died meanwhile
          return
        } finally {
          place.changing = false
        }
        await old?.leave('retire', before.config.drainTimeout + LEAVE_MARGIN)
      }
    } while (this.#changeAgain)
    this.#logger.info({ event: 'workers-changed' }, 'all workers are new')
  }

  /** Starts a process and gives it the place once it listens. @throws why it does not */
  async #install(place: Place): Promise<Listening> {
    const process = new WorkerProcess(place.number, this.#start, {
      onLines: this.#lines,
      onAsk: (runtime) => this.#census.ask(runtime),
    })
    this.#processes.add(process)
    void process.ended.then(() => {
      this.#processes.delete(process)
      this.#census.onGone(process)
    })
    const listening = await process.listening
    place.process = process
    void process.lost.then(() => this.#onLost(place, process))
    const { number: worker } = place
    this.#logger.info({ event: 'worker-started', worker, pid: process.pid }, `worker ${worker} listens`)
    return listening
  }

  #onLost(place: Place, process: WorkerProcess): void {
    if (place.process !== process || this.#closing.signal.aborted) return
    place.process = undefined
    void process.ended.then(({ code, signal }) =>
      this.#complain('worker-died', place, `process ${process.pid} ended: ${signal ?? `exit code ${code}`}`),
    )
    if (!place.changing) this.#refill(place, performance.now() - process.startedAt)
  }

  #refill(place: Place, lived: number): void {
    place.filling = this.#fill(place, lived).finally(() => {
      place.filling = undefined
    })
  }

  /** Tries until the place has a process again. Never rejects. */
  async #fill(place: Place, lived: number): Promise<void> {
    const { signal } = this.#closing
    let wait = place.backoff.after(lived)
    while (await sleep(wait, true, { signal }).catch(() => false)) {
      try {
        const { port } = await this.#install(place)
        place.restarts++
        // With port 0 the last worker takes the port with it.
        if (port !== this.#listening?.port)
          this.#complain('worker-moved', place, `it listens on port ${port}`)
        return
      } catch (error) {
        if (!signal.aborted) this.#complain('worker-failed', place, messageOf(error))
        wait = place.backoff.after(0)
      }
    }
  }

  #complain(event: string, { number: worker }: Place, reason: string): void {
    this.#logger.error({ event, worker, reason }, `worker ${worker}: ${reason}`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
