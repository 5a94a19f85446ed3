// What becomes of one exchange. In: who is told of it. Out: its record, and the members of its line in the access log.

import type { ProxyError } from './errors.ts'
import type { Encoding } from './http/gateway.ts'
import type { OnDrop } from './http/rewrite.ts'

/** Who is told what happens: counters and log. None of it may throw, and none of it may be waited for. */
export interface ExchangeObserver {
  onStarted(): void
  onFinished(record: ExchangeRecord): void
  onReused(): void
  onRetried(): void
  onDropped: OnDrop
  /** a client field that imitates signet's own was dropped */
  onImitation(): void
  onTunnel(change: 'opened' | 'closed'): void
}

/** What became of one exchange, for the log line and the counters. Nothing secret. */
export interface ExchangeRecord {
  readonly id: string
  /** id of its trace; undefined where nothing is traced */
  readonly trace?: string | undefined
  readonly client: string
  readonly method: string
  /** request-target without its query, which may hold secrets */
  readonly path: string
  /** name of the route; undefined for what had none, and where there is only one */
  readonly route: string | undefined
  readonly status: number
  readonly failure: ProxyError | undefined
  readonly octetsIn: number
  readonly octetsOut: number
  /** ms from the whole head to the last octet of the response */
  readonly duration: number
  /** ms from the whole head to the response head of the upstream */
  readonly upstreamDuration: number | undefined
  readonly upstream: string | undefined
  readonly reused: boolean
  readonly retried: boolean
  readonly jti: string | undefined
  /** who was asking; undefined where nobody was asked */
  readonly subject: string | undefined
  /** what the response was compressed with here; undefined where it went as it came */
  readonly encoding: Encoding | undefined
}

/** What the access log says of one exchange. */
export function exchangeFields(record: ExchangeRecord, subject: string) {
  const { failure } = record
  return {
    event: 'exchange',
    id: record.id,
    trace: record.trace,
    client: record.client,
    method: record.method,
    path: record.path,
    status: record.status,
    octetsIn: record.octetsIn,
    octetsOut: record.octetsOut,
    ms: roundMs(record.duration),
    upstreamMs: record.upstreamDuration === undefined ? undefined : roundMs(record.upstreamDuration),
    route: record.route,
    upstream: record.upstream,
    reused: record.reused,
    retried: record.retried ? true : undefined,
    encoding: record.encoding,
    jti: record.jti,
    subject: record.jti === undefined && record.subject === undefined ? undefined : subject,
    failure: failure?.code,
    side: failure?.side,
    reason: failure?.message,
  }
}

/** ms as they are logged: to the microsecond. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
