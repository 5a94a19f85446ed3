// The middleware of a route, put in order once. In: functions, by phase or without one. Out: what each of its exchanges runs
// through.

import { type Middleware, type MiddlewareFunction, type MiddlewarePhase, PHASES } from './middleware.ts'

/** One middleware, with a name for the log. */
export interface NamedMiddleware {
  readonly name: string
  readonly run: MiddlewareFunction
}

/** All middleware of one route: by phase, in the order given. */
export interface MiddlewareChain {
  /** name of the route */
  readonly route: string
  readonly phases: Readonly<Record<MiddlewarePhase, readonly NamedMiddleware[]>>
}

/** Puts the middleware of a route in order; undefined for none, so that who asks for nothing pays nothing. */
export function createChain(route: string, all: readonly Middleware[]): MiddlewareChain | undefined {
  if (all.length === 0) return undefined
  const placed = all.map((one) => {
    const {
      phase,
      run,
      name = run.name,
    } = typeof one === 'function' ? ({ phase: 'proxy', run: one } as const) : { name: undefined, ...one }
    return { phase, run, name: name || 'a middleware without a name' }
  })
  const of = (phase: MiddlewarePhase) => placed.filter((one) => one.phase === phase)
  const phases = { 'client-edge': of('client-edge'), proxy: of('proxy'), 'target-edge': of('target-edge') }
  return { route, phases }
}

/** What is wrong with a value that is to be a middleware; undefined where nothing is. */
export function middlewareProblem(value: unknown): string | undefined {
  if (typeof value === 'function') return undefined
  const { phase, run } = (typeof value === 'object' && value !== null ? value : {}) as {
    phase?: unknown
    run?: unknown
  }
  if (typeof run !== 'function') return 'expected a generator function, or an object with phase and run'
  if (PHASES.some((one) => one === phase)) return undefined
  return `expected a phase of ${PHASES.join(', ')}`
}
