// What this process has done so far: plain numbers that the road bumps, with no label built on the way.
// In: one call per event, octet counts added to plain fields. Out: a snapshot for the status page, and the
// counts the metrics are drawn from. Every count is a double, exact up to 2^53, so none wraps.

import { FAILURES, type FailureCode } from '../errors.ts'
import type { TargetState } from '../net/balancer.ts'
import type { PoolState } from '../net/pool.ts'
import { Histogram, type HistogramTally } from './histogram.ts'
import { totalOf } from './targets.ts'

/** The place a connection leads to: the clients or the origin. */
export type ConnectionSide = 'downstream' | 'upstream'

/** Which process is speaking. */
export interface Instance {
  readonly name: string
  readonly version: string
  /** Tells replicas apart; different after every start. */
  readonly id: string
  /** When the process started, in milliseconds of the monotonic clock (`performance.now()`). */
  readonly startedAt: number
}

/** Durations in milliseconds, each at most 1/64 off; all 0 when `count` is 0. */
export interface LatencySnapshot {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Connections and octets of one side. `sent` and `received` are as signet sees them. */
export interface SideSnapshot {
  readonly open: number
  readonly total: number
  readonly octetsReceived: number
  readonly octetsSent: number
}

/** Everything counted so far, ready for `JSON.stringify`. */
export interface Snapshot {
  readonly name: string
  readonly version: string
  readonly instance: string
  readonly uptimeSeconds: number
  readonly requests: {
    readonly processed: number
    readonly inFlight: number
    /** One entry for each known method, and `other`. */
    readonly byMethod: Readonly<Record<string, number>>
    /** `1xx` to `5xx`, and `other`. */
    readonly byStatusClass: Readonly<Record<string, number>>
    /** Only the statuses that occurred. */
    readonly byStatus: Readonly<Record<string, number>>
    /** Only the failures that occurred. */
    readonly failures: Readonly<Partial<Record<FailureCode, number>>>
    readonly retried: number
  }
  /** From the first octet of a request to the last of its response. */
  readonly latencyMs: LatencySnapshot
  /** The upstream's share of it. */
  readonly upstreamLatencyMs: LatencySnapshot
  readonly downstream: SideSnapshot & { readonly refusedAtCap: number }
  readonly upstream: SideSnapshot & { readonly reused: number }
  /** of all targets together */
  readonly pool: PoolState
  /** each target of each upstream */
  readonly targets: readonly TargetState[]
  readonly tunnels: { readonly open: number; readonly total: number }
  readonly tokens: { readonly minted: number; readonly imitationsDropped: number }
  /** the processes that these numbers are the sum of; none where there is only one */
  readonly workers?: readonly WorkerSnapshot[]
}

/**
 * What a worker process is doing: `leaving` ones end with what they have begun; a `silent` one could not be asked, and
 * what it had counted by the last time is in the sums.
 */
export const WORKER_STATES = ['serving', 'leaving', 'silent'] as const

/** One of several processes. */
export interface WorkerSnapshot {
  readonly worker: number
  readonly pid: number
  readonly state: (typeof WORKER_STATES)[number]
  readonly uptimeSeconds: number
  /** how often its place was filled again after a process had died */
  readonly restarts: number
  readonly requests: number
  /** client connections open */
  readonly connections: number
}

/** How often one method was answered with one status. */
export interface RequestCount {
  /** A known method, or `other`. */
  readonly method: string
  /** Three digits, or `other`. */
  readonly status: string
  readonly count: number
}

/** What is counted by name; any other method is `other`, so that strangers cannot add to the list. */
const METHODS = 'GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT other'.split(' ')
const METHOD_ROWS = new Map(METHODS.map((method, row) => [method, row]))
const OTHER_METHOD = METHODS.length - 1

/** A row holds the statuses 100 to 599 (RFC 9110 §15), then one cell for anything else. */
const OTHER_STATUS = 500
const ROW_LENGTH = OTHER_STATUS + 1

const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx', 'other'] as const

// The keys of FAILURES are exactly the codes; Object.keys only cannot say so.
const FAILURE_CODES = Object.keys(FAILURES) as FailureCode[]
const FAILURE_CELLS = new Map(FAILURE_CODES.map((code, cell) => [code, cell]))

/** The plain counters of {@link Traffic}. */
const COUNTERS = [
  'exchangesStarted',
  'exchangesFinished',
  'connectionsRefusedAtCap',
  'upstreamConnectionsReused',
  'retries',
  'tokensMinted',
  'imitationsDropped',
  'tunnelsOpened',
  'tunnelsClosed',
  'reloadsSucceeded',
  'reloadsFailed',
] as const

/** The plain counters of {@link SideTraffic}. */
const SIDE_COUNTERS = ['connectionsOpened', 'connectionsClosed', 'octetsReceived', 'octetsSent'] as const

type Counts<Names extends readonly string[]> = Readonly<Record<Names[number], number>>

/** All counts of one process as plain data: what it tells another, which adds them up. */
export interface TrafficTally {
  readonly counters: Counts<typeof COUNTERS>
  readonly downstream: Counts<typeof SIDE_COUNTERS>
  readonly upstream: Counts<typeof SIDE_COUNTERS>
  /** finished exchanges by method and status */
  readonly requests: Float64Array
  /** in the order of the table */
  readonly failures: Float64Array
  readonly latency: HistogramTally
  readonly upstreamLatency: HistogramTally
  readonly authentications: readonly AuthenticationCount[]
  readonly credentials: readonly CredentialCount[]
  readonly credentialQuestions: readonly CredentialQuestions[]
}

/** How often an authenticator came to one result. */
export interface AuthenticationCount {
  /** as it is configured; `-` where no credential was sent */
  readonly authenticator: string
  readonly result: string
  readonly count: number
}

/** How often requests that needed a credential for their upstream came to one result. */
export interface CredentialCount {
  /** as it is configured */
  readonly credential: string
  readonly result: string
  readonly count: number
}

/** How often a token was asked for, and how long that took in all. */
export interface CredentialQuestions {
  readonly credential: string
  readonly count: number
  readonly ms: number
}

/** The tally of a process that is gone: what it had open is closed, and what it was doing will never finish. */
export function settled(tally: TrafficTally): TrafficTally {
  const closed = (side: Counts<typeof SIDE_COUNTERS>) => ({
    ...side,
    connectionsClosed: side.connectionsOpened,
  })
  const { exchangesFinished, tunnelsOpened } = tally.counters
  return {
    ...tally,
    counters: { ...tally.counters, exchangesStarted: exchangesFinished, tunnelsClosed: tunnelsOpened },
    downstream: closed(tally.downstream),
    upstream: closed(tally.upstream),
  }
}

/** The connections and octets of one side. The relay adds to the octet fields itself: no call per piece. */
export class SideTraffic {
  connectionsOpened = 0
  connectionsClosed = 0
  octetsReceived = 0
  octetsSent = 0

  /** Connections open now. */
  get connectionsOpen(): number {
    return this.connectionsOpened - this.connectionsClosed
  }
}

/** The counters of one process. The road calls the methods; the admin pages read the fields. */
export class Traffic {
  readonly instance: Instance
  readonly downstream = new SideTraffic()
  readonly upstream = new SideTraffic()
  readonly latency = new Histogram()
  readonly upstreamLatency = new Histogram()
  readonly #requests = new Float64Array(METHODS.length * ROW_LENGTH)
  readonly #failures = new Float64Array(FAILURE_CODES.length)

  /** by authenticator, then by result: both from the configuration and the code, so strangers cannot add to it */
  readonly #authentications = new Map<string, Map<string, number>>()
  readonly #credentials = new Map<string, Map<string, number>>()
  readonly #credentialQuestions = new Map<string, { readonly count: number; readonly ms: number }>()

  exchangesStarted = 0
  exchangesFinished = 0
  connectionsRefusedAtCap = 0
  upstreamConnectionsReused = 0
  retries = 0
  tokensMinted = 0
  imitationsDropped = 0
  tunnelsOpened = 0
  tunnelsClosed = 0
  reloadsSucceeded = 0
  reloadsFailed = 0

  constructor(instance: Instance) {
    this.instance = instance
  }

  connectionOpened(side: ConnectionSide): void {
    const traffic = side === 'downstream' ? this.downstream : this.upstream
    traffic.connectionsOpened++
  }

  connectionClosed(side: ConnectionSide): void {
    const traffic = side === 'downstream' ? this.downstream : this.upstream
    traffic.connectionsClosed++
  }

  /** A client was turned away because the connection cap was reached; it never counts as a connection. */
  connectionRefusedAtCap(): void {
    this.connectionsRefusedAtCap++
  }

  /** Each call is followed by exactly one {@link exchangeFinished}, also when the head is refused at once. */
  exchangeStarted(): void {
    this.exchangesStarted++
  }

  /**
   * An exchange is over, well or badly: this makes it a processed request.
   *
   * @param method as received; counted by name only if it is a common one
   * @param status the final status sent, or 499 when the client left first; outside 100 to 599 it is `other`
   * @param durationMs from the first octet of the request to the last of the response, in milliseconds
   * @param upstreamMs the upstream's share of it, in milliseconds; undefined when it was never asked
   * @param failure undefined when all went well
   */
  exchangeFinished(
    method: string,
    status: number,
    durationMs: number,
    upstreamMs: number | undefined,
    failure: FailureCode | undefined,
  ): void {
    this.exchangesFinished++
    const row = METHOD_ROWS.get(method) ?? OTHER_METHOD
    const cell = status >= 100 && status < 600 ? Math.trunc(status) - 100 : OTHER_STATUS
    this.#requests[row * ROW_LENGTH + cell]!++
    this.latency.record(durationMs * 1000)
    if (upstreamMs !== undefined) this.upstreamLatency.record(upstreamMs * 1000)
    if (failure !== undefined) this.#failures[FAILURE_CELLS.get(failure)!]!++
  }

  /** An exchange got an idle upstream connection instead of a new one. */
  upstreamReused(): void {
    this.upstreamConnectionsReused++
  }

  /** A request was sent again on another upstream connection. */
  retried(): void {
    this.retries++
  }

  tokenMinted(): void {
    this.tokensMinted++
  }

  /** `lines` field lines of a client imitated the identity field and were dropped. */
  imitationDropped(lines: number): void {
    this.imitationsDropped += lines
  }

  tunnelOpened(): void {
    this.tunnelsOpened++
  }

  /** A configuration was read while signet ran, and came into force or did not. */
  reloaded(succeeded: boolean): void {
    if (succeeded) this.reloadsSucceeded++
    else this.reloadsFailed++
  }

  tunnelClosed(): void {
    this.tunnelsClosed++
  }

  /** Somebody had to say who they are, or logged in; `count` times. */
  authenticated(authenticator: string, result: string, count = 1): void {
    let results = this.#authentications.get(authenticator)
    if (results === undefined) this.#authentications.set(authenticator, (results = new Map()))
    results.set(result, (results.get(result) ?? 0) + count)
  }

  /** What came of it, without the pairs that never occurred. */
  authenticationCounts(): AuthenticationCount[] {
    return Array.from(this.#authentications, ([authenticator, results]) =>
      Array.from(results, ([result, count]) => ({ authenticator, result, count })),
    ).flat()
  }

  /** A request needed a credential for its upstream; `count` times. */
  credentialNeeded(credential: string, result: string, count = 1): void {
    let results = this.#credentials.get(credential)
    if (results === undefined) this.#credentials.set(credential, (results = new Map()))
    results.set(result, (results.get(result) ?? 0) + count)
  }

  /** An authorization server was asked for a token; `count` times, which took `ms` in all. */
  credentialAsked(credential: string, ms: number, count = 1): void {
    const sum = this.#credentialQuestions.get(credential)
    this.#credentialQuestions.set(credential, {
      count: count + (sum?.count ?? 0),
      ms: ms + (sum?.ms ?? 0),
    })
  }

  /** What came of it, without the pairs that never occurred. */
  credentialCounts(): CredentialCount[] {
    return Array.from(this.#credentials, ([credential, results]) =>
      Array.from(results, ([result, count]) => ({ credential, result, count })),
    ).flat()
  }

  credentialQuestions(): CredentialQuestions[] {
    return Array.from(this.#credentialQuestions, ([credential, sum]) => ({ credential, ...sum }))
  }

  /** Exchanges started and not yet finished. */
  get inFlight(): number {
    return this.exchangesStarted - this.exchangesFinished
  }

  /** Tunnels open now. */
  get tunnelsOpen(): number {
    return this.tunnelsOpened - this.tunnelsClosed
  }

  /** The finished exchanges by method and status, without the pairs that never occurred. */
  requestCounts(): RequestCount[] {
    const counts: RequestCount[] = []
    for (const [row, method] of METHODS.entries()) {
      for (let cell = 0; cell < ROW_LENGTH; cell++) {
        const count = this.#requests[row * ROW_LENGTH + cell]!
        const status = cell === OTHER_STATUS ? 'other' : String(cell + 100)
        if (count > 0) counts.push({ method, status, count })
      }
    }
    return counts
  }

  /** How often each failure occurred, the ones that never did included, in the order of the table. */
  failureCounts(): [FailureCode, number][] {
    return FAILURE_CODES.map((code, cell) => [code, this.#failures[cell]!])
  }

  /** Everything so far as plain data, for another process to {@link add}. */
  tally(): TrafficTally {
    return {
      counters: pick(this, COUNTERS),
      downstream: pick(this.downstream, SIDE_COUNTERS),
      upstream: pick(this.upstream, SIDE_COUNTERS),
      requests: this.#requests.slice(),
      failures: this.#failures.slice(),
      latency: this.latency.tally(),
      upstreamLatency: this.upstreamLatency.tally(),
      authentications: this.authenticationCounts(),
      credentials: this.credentialCounts(),
      credentialQuestions: this.credentialQuestions(),
    }
  }

  /** Takes in what another process of this very version has counted. */
  add(tally: TrafficTally): void {
    for (const name of COUNTERS) this[name] += tally.counters[name]
    for (const name of SIDE_COUNTERS) {
      this.downstream[name] += tally.downstream[name]
      this.upstream[name] += tally.upstream[name]
    }
    for (const [cell, count] of tally.requests.entries()) this.#requests[cell]! += count
    for (const [cell, count] of tally.failures.entries()) this.#failures[cell]! += count
    this.latency.add(tally.latency)
    this.upstreamLatency.add(tally.upstreamLatency)
    for (const { authenticator, result, count } of tally.authentications)
      this.authenticated(authenticator, result, count)
    for (const { credential, result, count } of tally.credentials)
      this.credentialNeeded(credential, result, count)
    for (const { credential, count, ms } of tally.credentialQuestions)
      this.credentialAsked(credential, ms, count)
  }

  /**
   * Everything so far, as a plain object that later events do not change.
   *
   * @param now milliseconds of the clock `startedAt` was read from
   */
  snapshot(now: number, targets: readonly TargetState[]): Snapshot {
    return {
      name: this.instance.name,
      version: this.instance.version,
      instance: this.instance.id,
      uptimeSeconds: Math.max(0, now - this.instance.startedAt) / 1000,
      requests: {
        processed: this.exchangesFinished,
        inFlight: this.inFlight,
        ...sumsOf(this.requestCounts()),
        failures: Object.fromEntries(this.failureCounts().filter(([, count]) => count > 0)),
        retried: this.retries,
      },
      latencyMs: latencyOf(this.latency),
      upstreamLatencyMs: latencyOf(this.upstreamLatency),
      downstream: { ...sideOf(this.downstream), refusedAtCap: this.connectionsRefusedAtCap },
      upstream: { ...sideOf(this.upstream), reused: this.upstreamConnectionsReused },
      pool: totalOf(targets),
      targets: targets.map((target) => ({ ...target })),
      tunnels: { open: this.tunnelsOpen, total: this.tunnelsOpened },
      tokens: { minted: this.tokensMinted, imitationsDropped: this.imitationsDropped },
    }
  }
}

function pick<const Names extends readonly string[]>(from: Counts<Names>, names: Names): Counts<Names> {
  // A list of pairs of exactly these names; Object.fromEntries only cannot say so.
  return Object.fromEntries(names.map((name: Names[number]) => [name, from[name]])) as Counts<Names>
}

/** The three ways the status page adds the counts up. */
function sumsOf(counts: readonly RequestCount[]) {
  const byMethod: Record<string, number> = Object.fromEntries(METHODS.map((method) => [method, 0]))
  const byStatusClass: Record<string, number> = Object.fromEntries(STATUS_CLASSES.map((name) => [name, 0]))
  const byStatus: Record<string, number> = {}
  for (const { method, status, count } of counts) {
    byMethod[method]! += count
    byStatusClass[status === 'other' ? status : `${status[0]}xx`]! += count
    byStatus[status] = (byStatus[status] ?? 0) + count
  }
  return { byMethod, byStatusClass, byStatus }
}

function latencyOf(durations: Histogram): LatencySnapshot {
  return {
    count: durations.count,
    p50: durations.quantile(0.5),
    p90: durations.quantile(0.9),
    p99: durations.quantile(0.99),
    max: durations.max,
  }
}

function sideOf(traffic: SideTraffic): SideSnapshot {
  return {
    open: traffic.connectionsOpen,
    total: traffic.connectionsOpened,
    octetsReceived: traffic.octetsReceived,
    octetsSent: traffic.octetsSent,
  }
}
