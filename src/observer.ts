// What is told of exchanges: counters and log lines. In: what happens to them. Out: Traffic, the log. Nothing here may throw,
// nor be waited for: a log that cannot be written must not take the traffic with it.

import type { Traffic } from './admin/traffic.ts'
import type { Config } from './config.ts'
import type { ProxyError } from './errors.ts'
import type { ExchangeObserver, ExchangeRecord } from './exchange-record.ts'
import type { Downstream } from './net/downstream.ts'

/** The part of a pino logger that is used. */
export interface ProxyLogger {
  isLevelEnabled(level: string): boolean
  debug(line: object, message?: string): void
  info(line: object, message?: string): void
  warn(line: object, message?: string): void
  error(line: object, message?: string): void
}

/** Writes the access log line of one exchange. */
export type LogExchange = (record: ExchangeRecord, subject: string) => void

/** Counters and log lines for what happens to exchanges. */
export function observe(
  traffic: Traffic,
  settings: Pick<Config, 'accessLog' | 'user'>,
  logger: ProxyLogger,
  logExchange: LogExchange,
): ExchangeObserver {
  const logsDrops = logger.isLevelEnabled('debug')
  return {
    onStarted: () => traffic.exchangeStarted(),
    onFinished: (record) => {
      const { method, status, duration, upstreamDuration, failure } = record
      traffic.exchangeFinished(method, status, duration, upstreamDuration, failure?.code)
      if (settings.accessLog) attempt(() => logExchange(record, record.subject ?? settings.user))
    },
    onReused: () => traffic.upstreamReused(),
    onRetried: () => traffic.retried(),
    onDropped: (fields, line, rule) => {
      if (!logsDrops) return
      const why = rule?.why ?? 'named in Connection'
      attempt(() => logger.debug({ event: 'field-dropped', name: fields.name(line), why }))
    },
    onImitation: () => traffic.imitationDropped(1),
    onTunnel: (change) => (change === 'opened' ? traffic.tunnelOpened() : traffic.tunnelClosed()),
  }
}

/** The record of a request whose head could not be read: little is known of it. */
export function refusedRecord(
  id: string,
  client: Downstream,
  failure: ProxyError,
  octetsOut: number,
): ExchangeRecord {
  return {
    id,
    client: client.remoteAddress,
    method: '-',
    path: '-',
    route: undefined,
    status: failure.status,
    failure,
    octetsIn: client.octetsIn,
    octetsOut,
    duration: 0,
    upstreamDuration: undefined,
    upstream: undefined,
    reused: false,
    retried: false,
    jti: undefined,
    subject: undefined,
    encoding: undefined,
  }
}

/** Runs what may fail without harm. */
export function attempt(step: () => void): void {
  try {
    step()
  } catch {
    // There is nowhere left to say so.
  }
}

/** Whether something may be said now that would otherwise be said with every connection or exchange. */
export function onceASecond(clock: () => number): () => boolean {
  let last = Number.NEGATIVE_INFINITY
  return () => {
    const now = clock()
    if (now - last < 1000) return false
    last = now
    return true
  }
}
