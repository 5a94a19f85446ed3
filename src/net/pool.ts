// Upstream connections of one origin. In: exchanges that need one. Out: an idle connection at once, or a new one later,
// or a refusal; never more than the origin may have, and never more waiting than the queue holds.

import { ProxyError } from '../errors.ts'
import type { Origin } from '../http/gateway.ts'
import { type Connector, createConnector, type LookUp } from './connector.ts'
import { type Deadlines, NEVER, type Watched } from './deadlines.ts'
import { guard } from './guard.ts'
import { Upstream, type UpstreamContext } from './upstream.ts'

/** Who asked for a connection and waits. */
export interface Waiter {
  /** Here it is; the waiter begins its exchange on it before it returns. */
  onConnection(connection: Upstream): void
  /** whether only one will do that nobody has used */
  readonly needsNew?: boolean
  /** There will be none. */
  onNoConnection(error: ProxyError): void
}

/** Counts and ms. */
export interface PoolLimits {
  /** connections, whatever they are doing */
  readonly poolSize: number
  /** exchanges that wait for one of them */
  readonly poolQueue: number
  /** ms that an exchange waits */
  readonly poolTimeout: number
}

/** What the pool looks like at one moment, for /status and /metrics. */
export interface PoolState {
  readonly origin: string
  readonly open: number
  readonly idle: number
  readonly busy: number
  readonly connecting: number
  readonly waiting: number
  readonly size: number
  readonly queue: number
}

/** What a pool needs from the proxy, beside what each of its connections needs. */
export interface PoolContext {
  readonly upstream: Omit<UpstreamContext, 'onAvailable' | 'onClosed'>
  readonly deadlines: Deadlines
  readonly limits: PoolLimits
  /** connections that may be idle at a time; as many as there may be, unless set */
  readonly maxIdle?: number | undefined
  /** looks names up, where not everything may be connected to */
  readonly lookUp?: LookUp | undefined
  readonly onOpened: () => void
  readonly onClosed: () => void
  /** a connection could not be made */
  readonly onConnectFailed: (error: ProxyError) => void
}

/** A place in the queue. */
class Place implements Watched {
  deadline: number
  readonly waiter: Waiter
  readonly #onTimeout: (place: Place) => void

  constructor(waiter: Waiter, deadline: number, onTimeout: (place: Place) => void) {
    this.waiter = waiter
    this.deadline = deadline
    this.#onTimeout = onTimeout
  }

  onDeadline(): void {
    this.#onTimeout(this)
  }
}

/** The connections of one origin. */
export class Pool {
  readonly origin: Origin
  /** what the origin is called in messages */
  readonly name: string
  readonly connector: Connector
  readonly #context: PoolContext
  readonly #connectionContext: UpstreamContext
  /** most recently used last: the one that is used again is the one least likely to have been closed */
  readonly #idle: Upstream[] = []
  readonly #open = new Set<Upstream>()
  /** connections being made, and for whom */
  readonly #connecting = new Map<Upstream, Waiter | undefined>()
  readonly #queue: Place[] = []
  #closing = false

  /** @throws {ConfigError} when a certificate or key of the origin cannot be read */
  constructor(origin: Origin, context: PoolContext) {
    this.origin = origin
    this.connector = createConnector(origin, context.lookUp)
    this.name = this.connector.name
    this.#context = context
    this.#connectionContext = {
      ...context.upstream,
      onAvailable: (connection) => this.#onAvailable(connection),
      onClosed: (connection, error) => this.#onClosed(connection, error),
    }
  }

  /** What it looks like now. */
  state(): PoolState {
    const connecting = this.#connecting.size
    return {
      origin: this.name,
      open: this.#open.size - connecting,
      idle: this.#idle.length,
      busy: this.#open.size - connecting - this.#idle.length,
      connecting,
      waiting: this.#queue.length,
      size: this.#context.limits.poolSize,
      queue: this.#context.limits.poolQueue,
    }
  }

  /** Exchanges that it has or that wait for it: what makes one target busier than another. */
  get load(): number {
    return this.#open.size - this.#idle.length + this.#queue.length
  }

  /** An idle connection, if there is one: the common case, and nothing waits. It is the caller's from now on. */
  takeIdle(): Upstream | undefined {
    let connection = this.#idle.pop()
    // A write that failed may have closed it without its 'close' having come round yet.
    while (connection?.dead) connection = this.#idle.pop()
    if (connection !== undefined) connection.deadline = NEVER
    return connection
  }

  /**
   * Gets `waiter` a connection that has not been used before, or the next one to come free when the origin has all it
   * may have.
   *
   * @throws {ProxyError} `ERR_POOL_FULL` when the queue is full too
   */
  request(waiter: Waiter): void {
    // Idle ones will not do, since it was not for them that it came here; so one of them makes way.
    if (!this.#hasRoom()) this.#idle.shift()?.destroy()
    if (this.#hasRoom()) {
      this.#connect(waiter)
      return
    }
    if (this.#queue.length >= this.#context.limits.poolQueue) {
      throw new ProxyError('ERR_POOL_FULL', `${this.#open.size} connections to ${this.name}, queue full`)
    }
    const deadline = this.#context.deadlines.after(this.#context.limits.poolTimeout)
    const place = new Place(waiter, deadline, (late) => {
      this.#leaveQueue(late)
      late.waiter.onNoConnection(new ProxyError('ERR_POOL_TIMEOUT', 'no connection came free in time'))
    })
    this.#queue.push(place)
    this.#context.deadlines.watch(place)
  }

  /** `waiter` no longer wants one. A connection being made for it goes to whoever is next. */
  cancel(waiter: Waiter): void {
    for (const [connection, owner] of this.#connecting) {
      if (owner === waiter) this.#connecting.set(connection, undefined)
    }
    const place = this.#queue.find((one) => one.waiter === waiter)
    if (place !== undefined) this.#leaveQueue(place)
  }

  /** Closes what is idle now, and the rest as soon as it is; nothing new is connected for those that wait. */
  close(): void {
    this.#closing = true
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  /** Closes everything. */
  destroy(): void {
    this.close()
    for (const connection of [...this.#open]) connection.destroy()
  }

  /** Whether the origin may have another connection. One that has died takes up no room: a second try may need it. */
  #hasRoom(): boolean {
    let left = this.#context.limits.poolSize - this.#open.size
    if (left > 0) return true
    for (const connection of this.#open) if (connection.dead) left++
    return left > 0
  }

  #connect(waiter: Waiter | undefined): void {
    const connection = new Upstream(this.connector, this.#connectionContext)
    this.#open.add(connection)
    this.#connecting.set(connection, waiter)
  }

  #onAvailable(connection: Upstream): void {
    let waiter: Waiter | undefined
    if (this.#connecting.has(connection)) {
      waiter = this.#connecting.get(connection)
      this.#connecting.delete(connection)
      guard(connection, () => this.#context.onOpened())
    }
    if (waiter === undefined && connection.reused && this.#queue[0]?.waiter.needsNew === true) {
      connection.destroy() // its room goes to that waiter
      return
    }
    waiter ??= this.#nextInQueue()
    if (waiter !== undefined) {
      connection.deadline = NEVER
      waiter.onConnection(connection)
    } else if (this.#closing || this.#idle.length >= (this.#context.maxIdle ?? Number.POSITIVE_INFINITY)) {
      connection.destroy()
    } else {
      this.#idle.push(connection)
    }
  }

  #onClosed(connection: Upstream, error: ProxyError | undefined): void {
    this.#open.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    if (this.#connecting.has(connection)) {
      const waiter = this.#connecting.get(connection)
      this.#connecting.delete(connection)
      const failure = error ?? new ProxyError('ERR_UPSTREAM_UNREACHABLE', 'the connection closed at once')
      this.#context.onConnectFailed(failure)
      waiter?.onNoConnection(failure)
    } else {
      this.#context.onClosed()
    }
    // Its room goes to the next in the queue.
    if (this.#queue.length > 0 && this.#open.size < this.#context.limits.poolSize)
      this.#connect(this.#nextInQueue())
  }

  #nextInQueue(): Waiter | undefined {
    const place = this.#queue[0]
    if (place === undefined) return undefined
    this.#leaveQueue(place)
    return place.waiter
  }

  #leaveQueue(place: Place): void {
    const at = this.#queue.indexOf(place)
    if (at !== -1) this.#queue.splice(at, 1)
    this.#context.deadlines.unwatch(place)
  }
}
