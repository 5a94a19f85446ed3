// What all workers have counted. In: questions. Out: their reports, with what those had counted that are gone. A count that
// was shown once is never shown smaller, whoever dies: to Prometheus that would be a restart, and a jump.

import { settledRuntime, type RuntimeFamilies, type RuntimeWatch } from '../admin/runtime-metrics.ts'
import type { Reports } from '../admin/sum.ts'
import { settled, Traffic, type WorkerSnapshot } from '../admin/traffic.ts'
import type { WorkerProcess } from './worker-process.ts'

/** What the census needs to know. */
export interface CensusContext {
  /** the processes that are not gone */
  readonly processes: () => readonly WorkerProcess[]
  /** how often the place of that number was filled again */
  readonly restartsOf: (number: number) => number
  /** what the primary itself uses */
  readonly runtime: RuntimeWatch
}

/** ms that a worker has to answer: half of what `signet health` waits */
const DEADLINE = 1000

/** Asks all workers, one round at a time, whoever and however many want to know. */
export class Census {
  readonly #context: CensusContext
  readonly #startedAt = performance.now()
  /** counted by processes that are gone */
  readonly #past = emptyTraffic()
  #pastRuntime: Promise<RuntimeFamilies> = Promise.resolve([])
  #current: Promise<Reports> | undefined = undefined
  #next: Promise<Reports> | undefined = undefined
  #runtime = false

  constructor(context: CensusContext) {
    this.#context = context
  }

  /** All reports, asked for after this call. */
  ask(runtime: boolean): Promise<Reports> {
    this.#runtime ||= runtime
    // Who asks during a round waits for the next: what it has counted meanwhile would be missing in this one.
    this.#next ??= this.#after(this.#current)
    return this.#next
  }

  /** All of them have gone by another configuration, or one was refused. */
  countReload(succeeded: boolean): void {
    this.#past.reloaded(succeeded)
  }

  /** A process is gone. */
  onGone({ last }: WorkerProcess): void {
    if (last === undefined) return
    this.#past.add(settled(last.traffic))
    const { runtime } = last
    if (runtime !== undefined)
      this.#pastRuntime = this.#pastRuntime.then((past) => settledRuntime([past, runtime]).catch(() => past))
  }

  async #after(round: Promise<Reports> | undefined): Promise<Reports> {
    await round?.catch(() => undefined)
    this.#current = this.#next
    this.#next = undefined
    const runtime = this.#runtime
    this.#runtime = false
    return this.#take(runtime)
  }

  async #take(runtime: boolean): Promise<Reports> {
    const { processes, restartsOf, runtime: own } = this.#context
    const asked = processes().filter(({ state }) => state === 'serving' || state === 'leaving')
    // Read in this turn: who is gone before it answers is in `asked`, and not among the past.
    const traffic = emptyTraffic()
    traffic.add(this.#past.tally())
    const families = runtime ? [own.families(), this.#pastRuntime] : []

    const answers = await Promise.all(asked.map((process) => process.report(runtime, DEADLINE)))
    const workers = asked.map((process, at): WorkerSnapshot => {
      const answer = answers[at]
      const known = answer?.traffic ?? (process.last && settled(process.last.traffic))
      if (known !== undefined) traffic.add(known)
      const { number, pid, startedAt, state } = process
      return {
        worker: number,
        pid,
        state: answer === undefined ? 'silent' : state === 'leaving' ? 'leaving' : 'serving',
        uptimeSeconds: (performance.now() - startedAt) / 1000,
        restarts: restartsOf(number),
        requests: known?.counters.exchangesFinished ?? 0,
        connections:
          known === undefined ? 0 : known.downstream.connectionsOpened - known.downstream.connectionsClosed,
      }
    })
    for (const [at, answer] of answers.entries()) {
      const known = answer?.runtime ?? asked[at]?.last?.runtime
      if (runtime && known !== undefined) families.push(Promise.resolve(known))
    }
    return {
      traffic: traffic.tally(),
      targets: answers.flatMap((answer) => answer?.targets ?? []),
      runtime: (await Promise.all(families)).filter((some) => some.length > 0),
      workers,
      uptimeSeconds: (performance.now() - this.#startedAt) / 1000,
    }
  }
}

/** Counters of nobody yet: only sums are taken of them. */
function emptyTraffic(): Traffic {
  return new Traffic({ name: '', version: '', id: '', startedAt: 0 })
}
