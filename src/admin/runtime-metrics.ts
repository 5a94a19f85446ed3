// What prom-client measures of the process and of Node (process_*, nodejs_*), in a form that can be stopped.
// In: a registry. Out: the metrics in it, and a function that stops the two observers behind them.

import perfHooks from 'node:perf_hooks'
import { collectDefaultMetrics, type Registry } from 'prom-client'

/**
 * Registers prom-client's default metrics.
 *
 * prom-client starts a garbage collection observer and an event loop timer that it can never stop. Neither
 * keeps the process alive, but a closed proxy would go on waking every 10 ms. So both are caught as they are
 * made: for the length of this one synchronous call, in which no other code runs, `node:perf_hooks` hands out
 * ones we know.
 *
 * @returns stops both; the metrics stay, with the values they had
 */
export function collectRuntimeMetrics(registry: Registry): () => void {
  const stops: (() => void)[] = []
  // A module's type says its exports are fixed; to CommonJS, which prom-client is, they are properties.
  const hooks = perfHooks as { -readonly [K in keyof typeof perfHooks]: (typeof perfHooks)[K] }
  const { PerformanceObserver, monitorEventLoopDelay } = hooks

  hooks.PerformanceObserver = class extends PerformanceObserver {
    constructor(...args: ConstructorParameters<typeof PerformanceObserver>) {
      super(...args)
      stops.push(() => this.disconnect())
    }
  }
  hooks.monitorEventLoopDelay = (options) => {
    const delays = monitorEventLoopDelay(options)
    stops.push(() => delays.disable())
    return delays
  }
  try {
    collectDefaultMetrics({ register: registry })
  } finally {
    Object.assign(hooks, { PerformanceObserver, monitorEventLoopDelay })
  }
  return () => {
    for (const stop of stops.splice(0)) stop()
  }
}
