// The log: pino, one JSON object a line, written in batches. In: events. Out: stdout, or what a test gives.

import pino, { type DestinationStream, type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { ExchangeRecord } from './exchange.ts'

/** How to log. */
export interface LogOptions {
  readonly level: string
  /** for people: one readable line instead of JSON */
  readonly pretty: boolean
  /** file descriptor to write to */
  readonly fd: number
}

/** A log and its end. */
export interface Log {
  readonly logger: Logger
  /** Writes what is still in memory, at once. */
  flush(): void
}

/** Octets gathered before they are written: a line costs a system call each otherwise. */
const BATCH = 16 * 1024
/** ms that a line waits at most for its batch to fill. */
const FLUSH_EVERY = 200

/**
 * Whatever is named like this never reaches the log, should a later change put it into a line. What is logged today
 * has no such field: heads and tokens are not logged at all.
 */
const REDACT = ['authorization', 'cookie', 'secret', 'secretText', 'jwt', 'token'].flatMap((name) => [name, `*.${name}`])

/** Opens the log. */
export function openLog({ level, pretty: forPeople, fd }: LogOptions): Log {
  const options = { level, redact: { paths: REDACT, censor: '[redacted]' }, base: null }
  if (forPeople) {
    const stream = pretty({ colorize: true, ignore: 'event', translateTime: 'HH:MM:ss.l', singleLine: true, sync: true })
    return { logger: pino(options, stream), flush: () => undefined }
  }
  const destination = pino.destination({ fd, sync: false, minLength: BATCH, maxWrite: 4 * BATCH })
  // A destination that fails must not take the traffic with it.
  destination.on('error', () => undefined)
  const timer = setInterval(() => destination.flush(), FLUSH_EVERY).unref()
  return {
    logger: pino(options, destination as DestinationStream),
    flush: () => {
      clearInterval(timer)
      try {
        destination.flushSync()
      } catch {
        // Not ready yet, or broken: there is nowhere left to say so.
      }
    },
  }
}

/** The access log line of one exchange. */
export function exchangeLine(record: ExchangeRecord, subject: string) {
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
    ms: round(record.duration),
    upstreamMs: record.upstreamDuration === undefined ? undefined : round(record.upstreamDuration),
    upstream: record.upstream,
    reused: record.reused,
    retried: record.retried ? true : undefined,
    jti: record.jti,
    subject: record.jti === undefined ? undefined : subject,
    failure: failure?.code,
    side: failure?.side,
    reason: failure?.message,
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
