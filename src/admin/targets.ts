// What the targets of upstreams look like, added up. In: their states, of one process or of several. Out: one state for each
// target, or one for all of them.

import type { TargetCondition, TargetState } from '../net/balancer.ts'
import type { PoolState } from '../net/pool.ts'

type Counts = Omit<PoolState, 'origin'>
const NOTHING: Counts = { open: 0, idle: 0, busy: 0, connecting: 0, waiting: 0, size: 0, queue: 0 }

/** From the best to the worst. */
const CONDITIONS: readonly TargetCondition[] = ['up', 'returning', 'ejected', 'unwell']

/** All connections to all targets, as if there were a single one. */
export function totalOf(targets: readonly TargetState[]): PoolState {
  const origin = [...new Set(targets.map((target) => target.origin))].join(', ')
  return { origin, ...targets.reduce(plus, NOTHING) }
}

/**
 * Adds up what several processes say of the same targets. Each of them finds out by itself how a target is doing, and the
 * one that thinks worst of it is believed: that is where requests are missing it.
 *
 * @param known targets that there are, in their order, though no process may have said anything of them
 */
export function sumOfTargets(known: readonly TargetState[], told: readonly TargetState[]): TargetState[] {
  const sums = new Map(known.map((one) => [keyOf(one), { ...one, ...NOTHING, condition: CONDITIONS[0]! }]))
  for (const one of told) {
    const sum = sums.get(keyOf(one)) ?? { ...one, ...NOTHING }
    sums.set(keyOf(one), { ...sum, ...plus(sum, one), condition: worse(sum.condition, one.condition) })
  }
  return [...sums.values()]
}

/** Whether it takes part in the traffic. */
export function isUp({ condition }: TargetState): boolean {
  return condition === 'up' || condition === 'returning'
}

function plus(sum: Counts, one: Counts): Counts {
  const { open, idle, busy, connecting, waiting, size, queue } = one
  return {
    open: sum.open + open,
    idle: sum.idle + idle,
    busy: sum.busy + busy,
    connecting: sum.connecting + connecting,
    waiting: sum.waiting + waiting,
    size: sum.size + size,
    queue: sum.queue + queue,
  }
}

function worse(one: TargetCondition, other: TargetCondition): TargetCondition {
  return CONDITIONS.indexOf(one) > CONDITIONS.indexOf(other) ? one : other
}

function keyOf({ upstream, origin }: TargetState): string {
  return `${upstream} ${origin}`
}
