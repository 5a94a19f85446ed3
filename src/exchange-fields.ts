// What the access log says of one exchange. In: its record. Out: the members of its line.

import type { ExchangeRecord } from './exchange.ts'

/** What the access log says of one exchange. */
export function exchangeFields(record: ExchangeRecord, subject: string) {
  const { failure } = record
  return {
    event: 'exchange',
    id: record.id,
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
