// The log: pino, one JSON object a line, written in batches. In: events. Out: stdout, or what a test gives.

import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import { type ExchangeRecord, exchangeFields, roundMs } from './exchange-record.ts'

/** How to log. */
export interface LogOptions {
  readonly level: string
  /** for people: one readable line instead of JSON */
  readonly pretty: boolean
  /** file descriptor to write to; closed with the log, but for stdout and stderr */
  readonly fd: number
  /** number of the worker that writes it, where there are several */
  readonly worker?: number
}

/** A log and its end. */
export interface Log {
  readonly logger: Logger
  /** Writes the line of one exchange, unless the level forbids it. */
  exchange(record: ExchangeRecord, subject: string): void
  /** Writes whole lines that another process has logged, whatever their level. */
  lines(text: string): void
  /** Writes what is still in memory; gives up on a destination that takes nothing for a second. Never rejects. */
  close(): Promise<void>
}

/** Octets gathered before they are written: a line costs a system call each otherwise. */
const BATCH = 16 * 1024
/** ms that a line waits at most for its batch to fill. */
const FLUSH_EVERY = 200
/** Octets that are kept for a destination that takes none; past that, lines are lost, and not the process. */
const MOST_WAITING = 1024 * 1024
/** ms that the last lines may take. */
const LAST_WORDS = 1000

/**
 * Whatever is named like this never reaches the log, should a later change put it into a line. What is logged today
 * has no such field: heads and tokens are not logged at all.
 */
const REDACT = ['authorization', 'cookie', 'secret', 'secretText', 'jwt', 'token'].flatMap((name) => [
  name,
  `*.${name}`,
])

/** Opens the log. */
export function openLog({ level, pretty: forPeople, fd, worker }: LogOptions): Log {
  const base = worker === undefined ? null : { worker }
  const options = { level, redact: { paths: REDACT, censor: '[redacted]' }, base }
  if (forPeople) {
    const stream = pretty({
      colorize: true,
      ignore: 'event',
      translateTime: 'HH:MM:ss.l',
      singleLine: true,
      sync: true,
    })
    const logger = pino(options, stream)
    return {
      logger,
      exchange: (record, subject) => logger.info(exchangeFields(record, subject)),
      lines: (text) => stream.write(text),
      close: () => Promise.resolve(),
    }
  }
  const destination = pino.destination({
    fd,
    sync: false,
    minLength: BATCH,
    maxWrite: 4 * BATCH,
    maxLength: MOST_WAITING,
  })
  // A destination that fails must not take the traffic with it.
  destination.on('error', () => undefined)
  // Lines are put together here: handed over one by one, each would cost 8 µs instead of 1 (bench/log).
  let batch = ''
  function write(line: string): void {
    batch += line
    if (batch.length >= BATCH) handOver()
  }
  function handOver(): void {
    if (batch !== '') destination.write(batch)
    batch = ''
  }
  const timer = setInterval(() => {
    handOver()
    destination.flush()
  }, FLUSH_EVERY).unref()

  const logger = pino(options, { write })
  return {
    logger,
    exchange: (record, subject) => {
      if (logger.isLevelEnabled('info')) write(exchangeLine(record, subject, Date.now(), worker))
    },
    lines: write,
    close: () =>
      new Promise((resolve) => {
        clearInterval(timer)
        handOver()
        const late = setTimeout(giveUp, LAST_WORDS)
        function giveUp(): void {
          destination.destroy() // or it would try again, and wait, when the process ends
          resolve()
        }
        destination.once('error', giveUp)
        destination.once('close', () => {
          clearTimeout(late)
          resolve()
        })
        // Not flushSync, which waits for ever for a pipe that nobody reads, and overtakes a write under way; and not
        // flush, which is done with that write, whatever was handed over meanwhile.
        destination.end()
      }),
  }
}

/** The level of `info` in pino's lines. */
const INFO = 30

/**
 * The same as a line of JSON, as pino would write it: spelled out, since pino takes several times as long for so
 * many members (bench/log).
 *
 * @param now ms since the epoch
 * @param worker number of the worker whose exchange it was, where there are several
 */
export function exchangeLine(record: ExchangeRecord, subject: string, now: number, worker?: number): string {
  const { failure, jti, route, trace, upstream, upstreamDuration } = record
  let line =
    `{"level":${INFO},"time":${now},${worker === undefined ? '' : `"worker":${worker},`}"event":"exchange","id":${quote(record.id)}${trace === undefined ? '' : `,"trace":"${trace}"`},"client":${quote(record.client)}` +
    `,"method":${quote(record.method)},"path":${quote(record.path)},"status":${record.status}` +
    `,"octetsIn":${record.octetsIn},"octetsOut":${record.octetsOut},"ms":${roundMs(record.duration)}`
  if (upstreamDuration !== undefined) line += `,"upstreamMs":${roundMs(upstreamDuration)}`
  if (route !== undefined) line += `,"route":${quote(route)}`
  if (upstream !== undefined) line += `,"upstream":${quote(upstream)}`
  line += record.reused ? ',"reused":true' : ',"reused":false'
  if (record.retried) line += ',"retried":true'
  if (record.encoding !== undefined) line += `,"encoding":"${record.encoding}"`
  if (jti !== undefined) line += `,"jti":${quote(jti)},"subject":${quote(subject)}`
  else if (record.subject !== undefined) line += `,"subject":${quote(subject)}`
  if (failure !== undefined) {
    line += `,"failure":"${failure.code}","side":"${failure.side}","reason":${quote(failure.message)}`
  }
  return `${line}}\n`
}

/** A JSON string. Nearly all texts here need no escaping, and looking is cheaper than JSON.stringify. */
function quote(text: string): string {
  return NEEDS_NO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text)
}

const NEEDS_NO_ESCAPE = /^[ !#-[\]-~]*$/
