// What prom-client measures of the process and of Node (process_*, nodejs_*), in a form that can be stopped.
// Out: their text, or their values as plain data, and of the data of several processes one text.

import perfHooks from 'node:perf_hooks'
import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client'

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
function collectRuntimeMetrics(registry: Registry): () => void {
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

/** What {@link collectRuntimeMetrics} measured, as plain data: what one process tells another. */
export type RuntimeFamilies = readonly RuntimeFamily[]

/** One metric family as prom-client gives it; `aggregator` names its way to make one value of several. */
interface RuntimeFamily {
  readonly name: string
  readonly type: string
  readonly aggregator: string
}

/** Where the ways that prom-client chose would hide something: an average hides the one loop that hangs. */
const AGGREGATORS: readonly (readonly [names: RegExp, aggregator: string])[] = [
  [/^nodejs_eventloop_lag_(?!min)|^nodejs_eventloop_lag_seconds$/, 'max'],
  [/^process_start_time_seconds$/, 'min'], // else it is left out
]

/** What the process and Node are measured to do, until it is closed. */
export interface RuntimeWatch {
  render(): Promise<string>
  families(): Promise<RuntimeFamilies>
  /** Idempotent. */
  close(): void
}

/** Begins to measure this process. */
export function watchRuntime(): RuntimeWatch {
  const registry = new Registry()
  const close = collectRuntimeMetrics(registry)
  return { render: () => registry.metrics(), families: () => familiesOf(registry), close }
}

async function familiesOf(registry: Registry): Promise<RuntimeFamilies> {
  // In prom-client 15 `type` is the word of the exposition, whatever its declaration says.
  const families = (await registry.getMetricsAsJSON()) as unknown as RuntimeFamily[]
  return families.map((family) => {
    const aggregator = AGGREGATORS.find(([names]) => names.test(family.name))?.[1] ?? family.aggregator
    return { ...family, aggregator }
  })
}

/** The families of several processes as one text. */
export function renderRuntime(processes: readonly RuntimeFamilies[]): Promise<string> {
  return AggregatorRegistry.aggregate(processes.map((families) => [...families])).metrics()
}

/**
 * What is left of the families of processes that are gone: what they had counted, without the state they were in.
 *
 * @param processes the oldest first
 */
export async function settledRuntime(processes: readonly RuntimeFamilies[]): Promise<RuntimeFamilies> {
  const counted = processes.map((families) => families.filter(({ type }) => type !== 'gauge'))
  return familiesOf(AggregatorRegistry.aggregate(counted))
}
