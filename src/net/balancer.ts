// The targets of one upstream. In: exchanges that need one, and what became of them; verdicts of health checks. Out: the
// pool of the target whose turn it is. A target that fails is left alone for a while, and comes back by and by.

import { isDeepStrictEqual } from 'node:util'
import type { FailureCode, OnFault, ProxyError } from '../errors.ts'
import type { EjectionConfig, Origin, UpstreamConfig } from '../http/gateway.ts'
import { HealthCheck } from './health-checks.ts'
import type { Pool, PoolState } from './pool.ts'

/** How a target is doing: `ejected` after failures, `unwell` by its health checks, `returning` to its whole share. */
export type TargetCondition = 'up' | 'returning' | 'ejected' | 'unwell'

/** One target at one moment, for /status and /metrics. */
export interface TargetState extends PoolState {
  /** name of the upstream; the origin names the target */
  readonly upstream: string
  readonly condition: TargetCondition
}

/** What a balancer needs from the proxy. */
export interface BalancerContext {
  /** makes the pool of one target */
  readonly createPool: (origin: Origin) => Pool
  /** monotonic ms */
  readonly clock: () => number
  /** Told when a target is ejected, becomes unwell, or well again, and why, for the log. Must not throw. */
  readonly onChange: (upstream: string, target: string, condition: TargetCondition, reason: string) => void
  readonly onFault: OnFault
}

/** The share that a target comes back with. */
const FIRST_SHARE = 0.1

/** The time to tell targets while all of them are up: then the clock is not read. */
const ALL_UP = Number.POSITIVE_INFINITY

/**
 * What tells that a target is gone: no connection, one that closed before an answer, no answer in time. Not what the client
 * did or signet's own limits, nor what came after the head.
 *
 * Nor an answer that cannot be read (malformed, ambiguous, too large a head): there is somebody who answers, and often it is
 * one path that always does so, or a client that has its own long fields repeated. Whoever may ask for that path could
 * otherwise have one target ejected after the other. A target that answers everything so is for health checks to find.
 */
const BLAMED: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'ERR_UPSTREAM_UNREACHABLE',
  'ERR_CONNECT_TIMEOUT',
  'ERR_UPSTREAM_CLOSED',
  'ERR_RESPONSE_TIMEOUT',
])

/** What the system answers when it is signet that has none left, of descriptors or of ports. */
const OWN_SHORTAGES: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS'])

/** Whether the failure of an exchange, before the head of its response was there, counts against its target. */
export function blamesTarget({ code, cause }: ProxyError): boolean {
  const shortage = cause instanceof Error && 'code' in cause && OWN_SHORTAGES.has(cause.code)
  return BLAMED.has(code) && !shortage
}

/** One target, and what is known of it. */
class Target {
  pool: Pool
  readonly weight: number
  readonly #ejection: EjectionConfig
  /** failures since the last success */
  #failures = 0
  #well = true
  #ejectedUntil = Number.NEGATIVE_INFINITY
  /** when it was back with its first share */
  #returnedAt = Number.NEGATIVE_INFINITY
  /** how much it is owed: see {@link Balancer} */
  credit = 0

  constructor(pool: Pool, weight: number, ejection: EjectionConfig) {
    this.pool = pool
    this.weight = weight
    this.#ejection = ejection
  }

  /** Whether its health checks have said nothing else. */
  get well(): boolean {
    return this.#well
  }

  /**
   * Goes on where `former`, which was the same target by another configuration, is now: with its connections, and what is
   * known of it.
   *
   * @param checked whether there are still health checks: otherwise nobody would ever say that it is well again
   */
  takeOver(former: Target, now: number, checked: boolean): void {
    const { failures, duration } = this.#ejection
    this.pool = former.pool
    this.#well = former.#well || !checked
    this.#failures = Math.min(former.#failures, failures - 1)
    // One that is to be left alone for less time now is so at once.
    this.#ejectedUntil = Math.min(former.#ejectedUntil, now + duration)
    this.#returnedAt = Math.min(former.#returnedAt, Math.max(this.#ejectedUntil, now))
  }

  condition(now: number): TargetCondition {
    if (!this.#well) return 'unwell'
    if (now < this.#ejectedUntil) return 'ejected'
    return now < this.#returnedAt + this.#ejection.slowStart ? 'returning' : 'up'
  }

  /** Its weight now: less than the whole while it is returning. */
  share(now: number): number {
    const { slowStart } = this.#ejection
    const age = now - this.#returnedAt
    return age >= slowStart ? this.weight : this.weight * Math.max(FIRST_SHARE, age / slowStart)
  }

  onSuccess(): void {
    this.#failures = 0
  }

  /** @returns whether it has just been ejected */
  onFailure(now: number): boolean {
    const { failures, duration } = this.#ejection
    // Word of what was under way when it was ejected says nothing new.
    if (now < this.#ejectedUntil || ++this.#failures < failures) return false
    this.#failures = failures - 1 // on probation: until it has succeeded, one more is enough
    this.#ejectedUntil = now + duration
    this.#returnedAt = this.#ejectedUntil
    this.credit = 0
    return true
  }

  /** @returns whether that is news */
  onVerdict(well: boolean, now: number): boolean {
    if (well === this.#well) return false
    this.#well = well
    this.credit = 0
    if (well) this.#returnedAt = Math.max(now, this.#ejectedUntil)
    return true
  }
}

/**
 * Chooses among the targets of an upstream.
 *
 * Round robin is by smooth weights, as in nginx: each choice adds to each target's credit its share, the one with the
 * most is taken, and pays the sum of all shares. So each gets exactly its share of every round, and the light ones are
 * spread over it. Least busy is by exchanges under way for each unit of weight; among equals it is round robin.
 */
export class Balancer {
  readonly name: string
  /** whether there is more than one target: otherwise nobody needs to tell it what became of exchanges */
  readonly several: boolean
  readonly #context: BalancerContext
  readonly #host: string
  readonly #leastBusy: boolean
  readonly #targets: readonly Target[]
  readonly #first: Target
  readonly #checks: readonly HealthCheck[]
  /** whether some target may not be up */
  #troubled = false

  /** @throws {ConfigError} when a certificate or key of an origin cannot be read */
  constructor(config: UpstreamConfig, context: BalancerContext) {
    this.name = config.name
    this.#context = context
    this.#host = config.host
    this.#leastBusy = config.balance === 'least-busy'
    this.#targets = config.targets.map(
      ({ origin, weight }) => new Target(context.createPool(origin), weight, config.ejection),
    )
    this.#first = this.#targets[0]!
    this.several = this.#targets.length > 1
    const { health } = config
    this.#checks =
      health === undefined
        ? []
        : this.#targets.map((target) => {
            const { connector, origin } = target.pool
            return new HealthCheck(connector, health, {
              authority: this.authorityFor(origin) ?? origin.authority,
              onVerdict: (well, reason) => this.#onVerdict(target, well, reason),
              onFault: context.onFault,
            })
          })
  }

  /** Of all targets. */
  get pools(): Pool[] {
    return this.#targets.map(({ pool }) => pool)
  }

  /**
   * Goes on where `former`, made from another configuration of the same upstream, is now, for each target that both have:
   * a reload must not send requests again to what is known to be gone. `former` stays as it is, and may even be gone on
   * with; what both have is closed by neither, {@link close}.
   */
  takeOver(former: Balancer): void {
    const now = this.#context.clock()
    const left = [...former.#targets]
    for (const [n, target] of this.#targets.entries()) {
      const at = left.findIndex(({ pool }) => isDeepStrictEqual(pool.origin, target.pool.origin))
      const [same] = at === -1 ? [] : left.splice(at, 1) // each once, though an origin may be there twice
      if (same === undefined) continue
      const check = this.#checks[n]
      target.takeOver(same, now, check !== undefined)
      check?.assume(target.well)
    }
    this.#troubled = this.#targets.some((target) => target.condition(now) !== 'up')
  }

  /** Host of a request to `origin`, where it is not the one received. */
  authorityFor(origin: Origin): string | undefined {
    if (this.#host === 'pass') return undefined
    return this.#host === 'target' ? origin.authority : this.#host
  }

  /** The pool of the target whose turn it is. When none is well, all are used: a try is better than a refusal. */
  choose(): Pool {
    if (!this.several) return this.#first.pool
    return (this.#choose(undefined) ?? this.#first).pool
  }

  /** The same among targets that are not in `tried`; undefined when there is none left. */
  chooseAnother(tried: readonly Pool[]): Pool | undefined {
    return this.#choose(tried)?.pool
  }

  #choose(tried: readonly Pool[] | undefined): Target | undefined {
    const now = this.#now()
    return this.#take(tried, now, false) ?? this.#take(tried, now, true)
  }

  #now(): number {
    if (!this.#troubled) return ALL_UP
    const now = this.#context.clock()
    this.#troubled = this.#targets.some((target) => target.condition(now) !== 'up')
    return now
  }

  /** @param anyone whether those that are not well may be taken as well */
  #take(tried: readonly Pool[] | undefined, now: number, anyone: boolean): Target | undefined {
    const leastLoad = this.#leastBusy ? this.#leastLoad(tried, now, anyone) : undefined
    let chosen: Target | undefined
    let total = 0
    for (const target of this.#targets) {
      if (!isEligible(target, tried, now, anyone)) continue
      if (leastLoad !== undefined && loadOf(target, now) > leastLoad) continue
      const share = target.share(now)
      target.credit += share
      total += share
      if (chosen === undefined || target.credit > chosen.credit) chosen = target
    }
    if (chosen !== undefined) chosen.credit -= total
    return chosen
  }

  #leastLoad(tried: readonly Pool[] | undefined, now: number, anyone: boolean): number {
    let least = Number.POSITIVE_INFINITY
    for (const target of this.#targets)
      if (isEligible(target, tried, now, anyone)) least = Math.min(least, loadOf(target, now))
    return least
  }

  /** An exchange got an answer from a target. Only where there are {@link several}. */
  onSuccess(pool: Pool): void {
    this.#targetOf(pool)?.onSuccess()
  }

  /** A target failed an exchange, as {@link blamesTarget} has it. Only where there are {@link several}. */
  onFailure(pool: Pool, error: ProxyError): void {
    const target = this.#targetOf(pool)
    const now = this.#context.clock()
    if (target?.onFailure(now) === true) this.#onChange(target, now, error.message)
  }

  #onVerdict(target: Target, well: boolean, reason: string): void {
    const now = this.#context.clock()
    if (target.onVerdict(well, now)) this.#onChange(target, now, reason)
  }

  #onChange(target: Target, now: number, reason: string): void {
    this.#troubled = true
    this.#context.onChange(this.name, target.pool.name, target.condition(now), reason)
  }

  #targetOf(pool: Pool): Target | undefined {
    return this.#targets.find((target) => target.pool === pool)
  }

  /** What the targets look like now. */
  states(): TargetState[] {
    const now = this.#context.clock()
    return this.#targets.map((target) => ({
      upstream: this.name,
      condition: target.condition(now),
      ...target.pool.state(),
    }))
  }

  /**
   * Ends the health checks, and closes what is idle now and the rest as soon as it is.
   *
   * @param kept pools that another balancer goes on with
   */
  close(kept?: ReadonlySet<Pool>): void {
    for (const check of this.#checks) check.close()
    for (const { pool } of this.#targets) if (kept?.has(pool) !== true) pool.close()
  }

  /** Ends everything. */
  destroy(): void {
    this.close()
    for (const { pool } of this.#targets) pool.destroy()
  }
}

/** Whether a target may be chosen. */
function isEligible(
  target: Target,
  tried: readonly Pool[] | undefined,
  now: number,
  anyone: boolean,
): boolean {
  if (tried?.includes(target.pool) === true) return false
  if (anyone) return true
  const condition = target.condition(now)
  return condition === 'up' || condition === 'returning'
}

/** Exchanges for each unit of weight. */
function loadOf(target: Target, now: number): number {
  return target.pool.load / target.share(now)
}
