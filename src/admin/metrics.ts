// The Prometheus page. Nothing is kept here: each family is drawn from Traffic when a scrape asks for it.
// In: the counters and the states of the targets, of one process or of several. Out: text in the exposition format 0.0.4.

import { Counter, Gauge, type Metric, Registry } from 'prom-client'
import type { Histogram } from './histogram.ts'
import { renderRuntime, type RuntimeFamilies, watchRuntime } from './runtime-metrics.ts'
import type { TargetState } from '../net/balancer.ts'
import type { Sum } from './sum.ts'
import { isUp, totalOf } from './targets.ts'
import { type Traffic, WORKER_STATES } from './traffic.ts'

/** The metrics page of one process. */
export interface Metrics {
  /** The page as of now; all of signet's own families are read in the same turn, so they agree. */
  render(): Promise<string>
  /** What the page says of the process and of Node, for whoever adds several processes up. */
  runtime(): Promise<RuntimeFamilies>
  /** The Content-Type to send it with. */
  readonly contentType: string
  /** Stops watching the runtime. Idempotent. */
  close(): void
}

type Sample = readonly [value: number, labels?: Readonly<Record<string, string>>]

/** One metric family: its labels are fixed here, and so are all values a label may take but status codes. */
interface Family {
  readonly type: 'counter' | 'gauge'
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
}

/** A family that is drawn from the counters of a process. */
interface TrafficFamily extends Family {
  readonly samples: (traffic: Traffic, targets: readonly TargetState[]) => readonly Sample[]
}

const FAMILIES: readonly TrafficFamily[] = [
  {
    type: 'counter',
    name: 'signet_requests_total',
    help: 'Requests processed, by method (unknown ones as other) and by the status sent.',
    labels: ['method', 'code'],
    samples: (traffic) =>
      traffic.requestCounts().map(({ method, status, count }) => [count, { method, code: status }]),
  },
  {
    type: 'gauge',
    name: 'signet_requests_in_flight',
    help: 'Requests received and not yet answered in full.',
    samples: (traffic) => [[traffic.inFlight]],
  },
  {
    type: 'counter',
    name: 'signet_failures_total',
    help: 'Failed exchanges, by failure code.',
    labels: ['code'],
    samples: (traffic) => traffic.failureCounts().map(([code, count]) => [count, { code }]),
  },
  {
    type: 'gauge',
    name: 'signet_connections_open',
    help: 'Connections open now.',
    labels: ['side'],
    samples: ({ downstream, upstream }) => [
      [downstream.connectionsOpen, { side: 'downstream' }],
      [upstream.connectionsOpen, { side: 'upstream' }],
    ],
  },
  {
    type: 'counter',
    name: 'signet_connections_total',
    help: 'Connections opened.',
    labels: ['side'],
    samples: ({ downstream, upstream }) => [
      [downstream.connectionsOpened, { side: 'downstream' }],
      [upstream.connectionsOpened, { side: 'upstream' }],
    ],
  },
  {
    type: 'counter',
    name: 'signet_connections_refused_total',
    help: 'Clients turned away at the connection cap.',
    samples: (traffic) => [[traffic.connectionsRefusedAtCap]],
  },
  {
    type: 'counter',
    name: 'signet_bytes_total',
    help: 'Octets on the wire, as signet sees them.',
    labels: ['side', 'direction'],
    samples: ({ downstream, upstream }) => [
      [downstream.octetsReceived, { side: 'downstream', direction: 'received' }],
      [downstream.octetsSent, { side: 'downstream', direction: 'sent' }],
      [upstream.octetsReceived, { side: 'upstream', direction: 'received' }],
      [upstream.octetsSent, { side: 'upstream', direction: 'sent' }],
    ],
  },
  {
    type: 'gauge',
    name: 'signet_upstream_pool_connections',
    help: 'Connections of the upstream pool, by what they are doing.',
    labels: ['state'],
    samples: (_traffic, targets) => {
      const { idle, busy, connecting } = totalOf(targets)
      return [
        [idle, { state: 'idle' }],
        [busy, { state: 'busy' }],
        [connecting, { state: 'connecting' }],
      ]
    },
  },
  {
    type: 'gauge',
    name: 'signet_upstream_pool_waiting',
    help: 'Exchanges waiting for an upstream connection.',
    samples: (_traffic, targets) => [[totalOf(targets).waiting]],
  },
  {
    type: 'gauge',
    name: 'signet_upstream_up',
    help: 'Whether a target takes part in the traffic: 0 while it is ejected or unwell, in any process.',
    labels: ['upstream', 'target'],
    samples: (_traffic, targets) =>
      targets.map((one) => [isUp(one) ? 1 : 0, { upstream: one.upstream, target: one.origin }]),
  },
  {
    type: 'counter',
    name: 'signet_upstream_reused_total',
    help: 'Exchanges that got an idle upstream connection instead of a new one.',
    samples: (traffic) => [[traffic.upstreamConnectionsReused]],
  },
  {
    type: 'counter',
    name: 'signet_upstream_retries_total',
    help: 'Requests sent again on another upstream connection.',
    samples: (traffic) => [[traffic.retries]],
  },
  {
    type: 'counter',
    name: 'signet_jwt_signed_total',
    help: 'Tokens minted.',
    samples: (traffic) => [[traffic.tokensMinted]],
  },
  {
    type: 'counter',
    name: 'signet_header_spoof_total',
    help: 'Field lines from clients that imitated the identity field and were dropped.',
    samples: (traffic) => [[traffic.imitationsDropped]],
  },
  {
    type: 'counter',
    name: 'signet_auth_total',
    help: 'Requests that had to say who they are, and logins, by what came of it; - where no credential was sent.',
    labels: ['authenticator', 'result'],
    samples: (traffic) =>
      traffic
        .authenticationCounts()
        .map(({ authenticator, result, count }) => [count, { authenticator, result }]),
  },
  {
    type: 'counter',
    name: 'signet_credential_total',
    help: 'Requests that needed a token for their upstream, by what came of it.',
    labels: ['credential', 'result'],
    samples: (traffic) =>
      traffic.credentialCounts().map(({ credential, result, count }) => [count, { credential, result }]),
  },
  {
    type: 'counter',
    name: 'signet_credential_questions_total',
    help: 'How often a token was asked for.',
    labels: ['credential'],
    samples: (traffic) =>
      traffic.credentialQuestions().map(({ credential, count }) => [count, { credential }]),
  },
  {
    type: 'counter',
    name: 'signet_credential_seconds_total',
    help: 'How long that took in all, until there was a token or none.',
    labels: ['credential'],
    samples: (traffic) =>
      traffic.credentialQuestions().map(({ credential, ms }) => [ms / 1000, { credential }]),
  },
  {
    type: 'gauge',
    name: 'signet_tunnels_open',
    help: 'Upgraded connections open now.',
    samples: (traffic) => [[traffic.tunnelsOpen]],
  },
  {
    type: 'counter',
    name: 'signet_tunnels_total',
    help: 'Upgraded connections opened.',
    samples: (traffic) => [[traffic.tunnelsOpened]],
  },
  {
    type: 'counter',
    name: 'signet_config_reloads_total',
    help: 'Configurations that were read while signet ran, by whether they came into force.',
    labels: ['result'],
    samples: (traffic) => [
      [traffic.reloadsSucceeded, { result: 'success' }],
      [traffic.reloadsFailed, { result: 'failure' }],
    ],
  },
]

const WORKERS: Family = {
  type: 'gauge',
  name: 'signet_workers',
  help: 'Worker processes, by what they are doing; silent ones did not tell their numbers.',
  labels: ['state'],
}

const RESTARTS: Family = {
  type: 'counter',
  name: 'signet_worker_restarts_total',
  help: 'Worker processes that took the place of one that had died.',
}

/** Upper bounds in seconds: half a millisecond for a cached answer next door, a minute for a slow upload. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/**
 * Prepares the metrics page, with registries of its own.
 *
 * @param targets of all upstreams, as they are when asked
 * @param version signet's, for `signet_build_info`
 */
export function createMetrics(
  traffic: Traffic,
  targets: () => readonly TargetState[],
  version: string,
): Metrics {
  const own = registryOf(traffic, targets, version)
  const runtime = watchRuntime()
  return {
    render: async () => (await Promise.all([own.metrics(), runtime.render()])).join('\n'),
    runtime: runtime.families,
    contentType: own.contentType,
    close: runtime.close,
  }
}

/**
 * The metrics page of several processes, added up.
 *
 * @param version signet's, for `signet_build_info`
 */
export async function renderSum(
  { traffic, targets, runtime, workers }: Sum,
  version: string,
): Promise<string> {
  const own = registryOf(traffic, () => targets, version)
  registerFamily(own, WORKERS, () =>
    WORKER_STATES.map((state) => [workers.filter((worker) => worker.state === state).length, { state }]),
  )
  registerFamily(own, RESTARTS, () => [[workers.reduce((sum, { restarts }) => sum + restarts, 0)]])
  return (await Promise.all([own.metrics(), renderRuntime(runtime)])).join('\n')
}

/** signet's own families. */
function registryOf(traffic: Traffic, targets: () => readonly TargetState[], version: string): Registry {
  const registry = new Registry()
  registerBuildInfo(registry, version)
  for (const family of FAMILIES) registerFamily(registry, family, () => family.samples(traffic, targets()))
  registerDurations(registry, {
    name: 'signet_request_duration_seconds',
    help: 'From the first octet of a request to the last of its response.',
    durations: traffic.latency,
  })
  registerDurations(registry, {
    name: 'signet_upstream_duration_seconds',
    help: "The upstream's share of the request duration.",
    durations: traffic.upstreamLatency,
  })
  return registry
}

function registerBuildInfo(registry: Registry, version: string): void {
  const labels = { version, node: process.version }
  const help = 'Always 1; the labels say what is running.'
  const info = new Gauge({
    name: 'signet_build_info',
    help,
    labelNames: Object.keys(labels),
    registers: [registry],
  })
  info.set(labels, 1)
}

function registerFamily(registry: Registry, family: Family, samples: () => readonly Sample[]): void {
  const { name, help, labels: labelNames = [] } = family
  const registers = [registry]
  if (family.type === 'gauge') {
    const collect = () => {
      gauge.reset() // a target that is gone must not go on as it was last seen
      for (const [value, labels = {}] of samples()) gauge.set(labels, value)
    }
    const gauge = new Gauge({ name, help, labelNames, registers, collect })
  } else {
    const collect = () => {
      counter.reset() // a Counter can only add, and Traffic has already added up
      for (const [value, labels = {}] of samples()) counter.inc(labels, value)
    }
    const counter = new Counter({ name, help, labelNames, registers, collect })
  }
}

/**
 * A Prometheus histogram drawn from ours. prom-client's own can only observe one value at a time; but all
 * that a registry asks of a metric is a name and `get()`.
 */
function registerDurations(
  registry: Registry,
  { name, help, durations }: { name: string; help: string; durations: Histogram },
): void {
  const bucket = (le: string, value: number) => ({ metricName: `${name}_bucket`, labels: { le }, value })
  const metric = {
    name,
    // Async because the registry awaits it; read in one go, so the buckets, the sum and the count agree.
    async get() {
      const values = [
        ...BOUNDS.map((seconds) => bucket(String(seconds), durations.countAtMost(seconds * 1000))),
        bucket('+Inf', durations.count),
        { metricName: `${name}_sum`, labels: {}, value: durations.sum / 1000 },
        { metricName: `${name}_count`, labels: {}, value: durations.count },
      ]
      return { name, help, type: 'histogram', aggregator: 'sum', values }
    },
  }
  // The declared type lists prom-client's four classes; its registry calls nothing but get().
  registry.registerMetric(metric as unknown as Metric)
}
