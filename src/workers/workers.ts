// Several processes that share the traffic, as one thing. In: how many, and what each should be like. Out: a place that is
// filled again when its process dies, new settings for them all one by one, an end. The primary process, where this runs, accepts
// connections and hands them out in turn, and sees nothing of what goes over them.

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { watchRuntime } from '../admin/runtime-metrics.ts'
import type { Config } from '../config.ts'
import type { GatewayConfig } from '../http/gateway.ts'
import type { ProxyLogger } from '../observer.ts'
import type { Listening } from '../proxy.ts'
import { Backoff } from './backoff.ts'
import { Census } from './census.ts'
import type { Start } from './messages.ts'
import { gatewayShareOf, shareOf } from './shares.ts'
import { WorkerProcess } from './worker-process.ts'

/** What the workers are started with. */
export interface WorkersOptions {
  /** of signet as a whole */
  readonly config: Config
  readonly gateway: GatewayConfig
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
}

/** ms beyond the drain deadline that a worker may take to end: its log has a second for its last lines */
const LEAVE_MARGIN = 1500

/** ms that a worker may take to read new settings: it compiles some thousand routes at most, between other things */
const RELOAD_DEADLINE = 5000

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

  constructor({ config, gateway, version, logger, lines }: WorkersOptions) {
    this.#logger = logger
    this.#lines = lines
    const instance = randomBytes(4).toString('hex')
    this.#start = {
      config: shareOf(config),
      gateway: gatewayShareOf(gateway, config.workers),
      version,
      instance,
    }
    this.#places = Array.from({ length: config.workers }, (_, at) => ({
      number: at + 1,
      backoff: new Backoff(),
      process: undefined,
      restarts: 0,
      filling: undefined,
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
   * Has them all go by new settings, one after the other. A worker that says nothing is replaced. Not to be called again
   * before it has settled.
   *
   * @param config of signet as a whole; as many workers as there were
   * @throws why one of them refuses: then they all go by the old settings
   */
  async reload(config: Config, gateway: GatewayConfig): Promise<void> {
    const before = this.#start
    const workers = this.#places.length
    const start = {
      ...before,
      config: shareOf({ ...config, workers }),
      gateway: gatewayShareOf(gateway, workers),
    }
    this.#start = start // who is started meanwhile goes by it
    const changed: WorkerProcess[] = []
    for (const { process } of this.#places) {
      if (process === undefined) continue // whoever fills the place goes by the new settings
      const outcome = await process.reload(start, RELOAD_DEADLINE)
      if (outcome === 'done') changed.push(process)
      else if (outcome === 'silent') this.#giveUp(process)
      else {
        this.#start = before
        await Promise.all(changed.map((one) => one.reload(before, RELOAD_DEADLINE)))
        throw new Error(outcome.problem)
      }
    }
  }

  /** Another one takes its place at once; it has the drain deadline to end. */
  #giveUp(process: WorkerProcess): void {
    if (process.state === 'gone' || this.#closing.signal.aborted) return
    const reason = 'it says nothing to new settings, and is replaced'
    this.#logger.error(
      { event: 'worker-failed', worker: process.number, reason },
      `worker ${process.number}: ${reason}`,
    )
    process.abandon(this.#start.config.drainTimeout + LEAVE_MARGIN)
  }

  /** Counts a reload, once for them all. */
  countReload(succeeded: boolean): void {
    this.#census.countReload(succeeded)
  }

  /** Has them all end at the same time, within the drain deadline. */
  async close(): Promise<void> {
    this.#closing.abort()
    const ms = this.#start.config.drainTimeout + LEAVE_MARGIN
    await Promise.all([...this.#processes].map((one) => one.leave(ms)))
    await Promise.all(this.#places.map(({ filling }) => filling))
    this.#runtime.close()
  }

  /** Starts a process and gives it the place once it listens. @throws why it does not */
  async #install(place: Place): Promise<Listening> {
    const start = this.#start
    const process = new WorkerProcess(place.number, start, {
      onLines: this.#lines,
      onAsk: (runtime) => this.#census.ask(runtime),
    })
    this.#processes.add(process)
    void process.ended.then(() => {
      this.#processes.delete(process)
      this.#census.onGone(process)
    })
    const listening = await process.listening
    // There may be newer settings by now, and again while it takes those up.
    for (let known = start; known !== this.#start; ) {
      known = this.#start
      if ((await process.reload(known, RELOAD_DEADLINE)) === 'done') continue
      process.kill()
      throw new Error('a new worker does not take up the settings')
    }
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
    this.#refill(place, performance.now() - process.startedAt)
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
