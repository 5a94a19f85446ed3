// Requests that ask a target how it is. In: how to connect to it, what to ask, and how often. Out: a verdict whenever it
// changes. They are not on the road, so Node's own client sends them; on the same sockets as the road, TLS and all.

import type { ClientRequest } from 'node:http'
import { createRequire } from 'node:module'
import type { OnFault } from '../errors.ts'
import type { HealthConfig } from '../http/gateway.ts'
import { type Connector, describeConnectionError } from './connector.ts'

/** What the checks of one target need beside their settings. */
export interface HealthCheckContext {
  /** Host of the requests */
  readonly authority: string
  /** Told when it changes how the target is, which is well at first; `reason` is for the log. */
  readonly onVerdict: (well: boolean, reason: string) => void
  readonly onFault: OnFault
  /** in [0, 1): when within the first interval to begin, so that not all of them ask at once */
  readonly random?: () => number
}

/** Asks one target for as long as it is not closed, one request at a time. Its timers keep no process alive. */
export class HealthCheck {
  readonly #connector: Connector
  readonly #config: HealthConfig
  readonly #context: HealthCheckContext
  /** Not imported: 14 MiB on Node 26, for those who have checks alone. */
  readonly #http = createRequire(import.meta.url)('node:http') as typeof import('node:http')
  #well = true
  /** answers in a row that say otherwise */
  #contrary = 0
  #timer: NodeJS.Timeout | undefined = undefined
  #request: ClientRequest | undefined = undefined
  #closed = false

  constructor(connector: Connector, config: HealthConfig, context: HealthCheckContext) {
    this.#connector = connector
    this.#config = config
    this.#context = context
    const { random = Math.random } = context
    this.#after(random() * config.interval, () => this.#check())
  }

  /** Begins with what is known of the target from before. */
  assume(well: boolean): void {
    this.#well = well
  }

  /** Ends the checks; there is no further verdict. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#request?.destroy()
  }

  #check(): void {
    const { path, interval, timeout, statuses } = this.#config
    const [from, to] = statuses
    const began = performance.now()
    const request = this.#http.request({
      path,
      headers: { Host: this.#context.authority, 'User-Agent': 'signet health check' },
      // No agent: each on a connection of its own, since it is connecting, too, that is to be seen to work.
      createConnection: () => this.#connector.open(undefined),
    })
    this.#request = request
    /** The one answer of this check, whichever comes first. */
    const conclude = (well: boolean, reason: string) => {
      if (this.#request !== request || this.#closed) return
      this.#request = undefined
      request.destroy()
      this.#after(interval - (performance.now() - began), () => this.#check())
      this.#count(well, reason)
    }
    this.#after(timeout, () => conclude(false, 'no response head in time'))
    request.on('response', ({ statusCode = 0 }) =>
      conclude(statusCode >= from && statusCode <= to, `status ${statusCode}`),
    )
    request.on('upgrade', () => conclude(false, 'status 101'))
    request.on('error', (error) => conclude(false, describeConnectionError(error)))
    request.on('close', () => conclude(false, 'closed without an answer'))
    request.end()
  }

  /** What is due next, in place of what was: a check, or the end of one. A fault ends the checks, and nothing else. */
  #after(ms: number, step: () => void): void {
    clearTimeout(this.#timer)
    const run = () => {
      try {
        step()
      } catch (thrown) {
        this.#context.onFault(thrown)
      }
    }
    this.#timer = setTimeout(run, Math.max(0, ms)).unref()
  }

  #count(well: boolean, reason: string): void {
    const { healthy, unhealthy } = this.#config
    this.#contrary = well === this.#well ? 0 : this.#contrary + 1
    if (this.#contrary < (well ? healthy : unhealthy)) return
    this.#contrary = 0
    this.#well = well
    this.#context.onVerdict(well, `health check: ${reason}`)
  }
}
