// The composition root: from a Config to a proxy that listens. Everything is made here, once, and handed to whoever
// needs it. Black-box tests start here.

import { randomBytes, randomUUID } from 'node:crypto'
import { createMetrics, type Metrics, renderSum } from './admin/metrics.ts'
import { prefersHtml, STATUS_PAGE_POLICY, statusHtml, statusJson } from './admin/status.ts'
import { type Report, type Reports, type Sum, sumOf } from './admin/sum.ts'
import { type Snapshot, Traffic } from './admin/traffic.ts'
import type { Config } from './config.ts'
import type { OnFault, ProxyError } from './errors.ts'
import { Exchange, type ExchangeObserver, type ExchangeRecord, type Stages } from './exchange.ts'
import { FieldRules } from './http/forward-fields.ts'
import { createHeadParser } from './http/parser.ts'
import { writeRefusal, writeResponse } from './http/refusal.ts'
import type { RequestHead } from './http/request.ts'
import { createRouter, type Origin, type Page, pageOf, type Router } from './http/route.ts'
import type { HmacKey } from './jwt/keys.ts'
import { createMinter } from './jwt/mint.ts'
import { Buffers } from './net/buffers.ts'
import { Deadlines } from './net/deadlines.ts'
import type { Downstream, DownstreamContext } from './net/downstream.ts'
import type { ReadPath } from './net/inlet.ts'
import { canReadShared, Listener } from './net/listener.ts'
import { Pool } from './net/pool.ts'
import { Turn } from './net/turn.ts'

/** Octets of the shared read buffer: whole heads and small bodies; larger ones are read elsewhere (net/buffers.ts). */
const SHARED_REGION = 64 * 1024

/** Connections that the admin port takes: a few scrapers and people. */
export const ADMIN_CONNECTIONS = 16

/** What a proxy is made from, beside its settings. */
export interface ProxyOptions {
  readonly config: Config
  readonly origin: Origin
  readonly key: HmacKey
  readonly version: string
  readonly logger: ProxyLogger
  /** writes the access log line of one exchange */
  readonly logExchange: (record: ExchangeRecord, subject: string) => void
  /** where this process is one of several that share the traffic */
  readonly siblings?: Siblings
}

/** The processes that share the traffic, this one included. */
export interface Siblings {
  /** names them all, where each of them by itself would choose a name: in Via and on the pages */
  readonly instance: string
  /** Asks them all what they have counted, for the pages. May reject. */
  ask(options: { readonly runtime: boolean }): Promise<Reports>
}

/** The part of a pino logger that is used. */
export interface ProxyLogger {
  isLevelEnabled(level: string): boolean
  debug(line: object, message?: string): void
  info(line: object, message?: string): void
  warn(line: object, message?: string): void
  error(line: object, message?: string): void
}

/** Where a proxy listens. */
export interface Listening {
  readonly port: number
  readonly address: string
  /** undefined when the pages are on the main port */
  readonly adminPort: number | undefined
}

/** A proxy. */
export interface Proxy {
  /** Begins to accept. @throws what the system reports, such as EADDRINUSE */
  listen(): Promise<Listening>
  /** Stops accepting, lets running exchanges end up to the drain deadline, then ends the rest. */
  close(): Promise<void>
  /**
   * Makes way for another process that accepts in its place, so gently that no client loses a request: every response
   * now says that its connection ends. Connections that stay idle are closed after half the drain deadline.
   */
  retire(): Promise<void>
  /** What this process has counted, for its siblings. */
  report(options: { readonly runtime: boolean }): Promise<Report>
  /** What is open at this moment: for tests that look for leaks. */
  open(): { downstream: number; upstream: number; deadlines: number }
}

/**
 * Makes a proxy. Nothing is opened before {@link Proxy.listen}.
 *
 * @throws {AssertionError} when llhttp-wasm is not the version this was written for
 */
export function createProxy(options: ProxyOptions): Proxy {
  const { config, origin, key, version, logger, logExchange, siblings } = options
  const processId = randomBytes(4).toString('hex')
  const instance = siblings?.instance ?? processId
  const clock = () => performance.now()
  const traffic = new Traffic({ name: 'signet', version, id: instance, startedAt: clock() })
  const parser = createHeadParser({ region: SHARED_REGION, ...config })
  const rules = new FieldRules([config.jwtHeader])
  const buffers = new Buffers(parser.region)
  const mayReport = onceASecond(clock)
  /** A fault of signet's own, with where it happened: the exchange it took says no more than ERR_INTERNAL. */
  const onFault: OnFault = (thrown) => {
    if (mayReport()) attempt(() => logger.error({ event: 'fault', ...described(thrown) }, 'unforeseen error'))
  }
  const deadlines = new Deadlines(clock, onFault)
  const turn = new Turn()
  const date = createDate(Date.now)
  let draining = false
  let readPath: ReadPath = config.readPath
  let pool: Pool
  let metrics: Metrics
  let listener: Listener
  let adminListener: Listener | undefined

  let requests = 0
  const nextRequestId = () => `${processId}-${(++requests).toString(36)}`
  const observer = observe(traffic, config, logger, logExchange)
  const mintFor = createMinter({ key, user: config.user, now: Date.now, nextId: randomUUID })

  function mint(method: string) {
    if (config.jwtMethods !== '*' && !config.jwtMethods.has(method)) return undefined
    traffic.tokenMinted()
    return mintFor()
  }

  /** Everything that depends on how sockets can be read, which only {@link listen} finds out. */
  function build(): void {
    const counts = traffic.upstream
    const upstream = { parser, rules, buffers, deadlines, turn, counts, readPath, limits: config, onFault }
    pool = new Pool(origin, {
      upstream,
      deadlines,
      limits: config,
      onOpened: () => traffic.connectionOpened('upstream'),
      onClosed: () => traffic.connectionClosed('upstream'),
      onConnectFailed: (error) => {
        if (isExhausted(error.cause)) complain(`no connection to the upstream: ${error.message}`)
      },
    })
    metrics = createMetrics(traffic, () => pool.state(), version)
    const ownPages = config.adminPort === undefined
    listener = createListener(createRouter(origin, ownPages), config.maxConnections)
    if (!ownPages) adminListener = createListener(adminRouter, ADMIN_CONNECTIONS)
  }

  const mayComplain = onceASecond(clock)
  /** Says what is wrong with the process itself: it comes with every connection then. */
  function complain(reason: string): void {
    if (mayComplain()) attempt(() => logger.error({ event: 'exhausted', reason }, reason))
  }

  function createListener(route: Router, maxConnections: number): Listener {
    const stages: Stages = {
      parser,
      rules,
      deadlines,
      tunnelTimeout: config.tunnelTimeout,
      pseudonym: `signet-${instance}`,
      route,
      pool,
      mint,
      jwtHeader: config.jwtHeader,
      upgrades: config.upgrades,
      answerPage,
      clock,
      date,
      nextRequestId,
      observer,
      onFault,
    }
    const downstream: Omit<DownstreamContext, 'onClosed'> = {
      parser,
      rules,
      buffers,
      deadlines,
      turn,
      counts: traffic.downstream,
      limits: config,
      begin: (head, client) => new Exchange(head, client, stages),
      onRefused: (error, client) => {
        const id = nextRequestId()
        return (close) => {
          const text = writeRefusal(error, id, date(), close, !client.asksForHead)
          observer.onStarted()
          observer.onFinished(refusedRecord(id, client, error, text.length))
          return text
        }
      },
      draining: () => draining,
      onFault,
    }
    return new Listener({
      downstream,
      readPath,
      maxConnections,
      onOpened: () => traffic.connectionOpened('downstream'),
      onClosed: () => traffic.connectionClosed('downstream'),
      onDropped: () => {
        traffic.connectionRefusedAtCap()
        complain(`as many connections as there may be, or as there are descriptors for: ${maxConnections}`)
      },
      onError: (error) => complain(`cannot accept: ${error.message}`),
    })
  }

  function answerPage(page: Page, head: RequestHead, close: boolean): Promise<string> | string {
    const withBody = head.method !== 'HEAD'
    const respond = (type: string, text: string, extra?: string) =>
      writeResponse(200, type, text, date(), close, withBody, extra)
    const status = (snapshot: Snapshot) =>
      prefersHtml(acceptOf(head))
        ? respond('text/html; charset=utf-8', statusHtml(snapshot), HTML_FIELDS)
        : respond('application/json', `${statusJson(snapshot)}\n`, VARY)

    if (page === 'metrics') {
      const text = siblings === undefined ? metrics.render() : sum(siblings, true).then(metricsOf)
      return text.then((rendered) => respond(metrics.contentType, rendered))
    }
    if (siblings === undefined) return status(traffic.snapshot(clock(), pool.state()))
    return sum(siblings, false).then(({ traffic: all, pool: pools, workers }) =>
      status({ ...all.snapshot(clock(), pools), workers }),
    )
  }

  /** What this process and its siblings have done, added up. */
  async function sum(all: Siblings, runtime: boolean): Promise<Sum> {
    return sumOf(await all.ask({ runtime }), traffic.instance, clock(), pool.state())
  }

  function metricsOf(all: Sum): Promise<string> {
    return renderSum(all, version)
  }

  /** Ends everything that is open. */
  function end(): void {
    listener.destroy()
    adminListener?.destroy()
    pool.destroy()
    metrics.close()
  }

  /** Stops accepting and lets what runs end, for at most `ms`; then ends the rest. */
  async function close(ms: number): Promise<void> {
    draining = true
    const ended = Promise.all([listener.drain(), adminListener?.drain()])
    pool.close()
    await Promise.race([ended, later(ms)])
    end()
  }

  return {
    async listen() {
      if (readPath === 'shared' && !(await canReadShared())) {
        logger.warn(
          { event: 'read-path' },
          'this Node does not let sockets be read into one buffer: using data events',
        )
        readPath = 'events'
      }
      build()
      try {
        const { address, port } = await listener.listen(config.port, config.host)
        const admin = await adminListener?.listen(config.adminPort ?? 0, '127.0.0.1')
        return { address, port, adminPort: admin?.port }
      } catch (error) {
        end() // one of the two ports may be open
        throw error
      }
    },

    close: () => close(config.drainTimeout),

    async retire() {
      draining = true
      const half = config.drainTimeout / 2
      await Promise.race([Promise.all([listener.retire(), adminListener?.retire()]), later(half)])
      await close(half)
    },

    async report({ runtime }) {
      const families = runtime ? await metrics.runtime() : undefined
      return { traffic: traffic.tally(), pool: pool.state(), runtime: families }
    },

    open: () => {
      const { open, connecting } = pool.state()
      const admin = adminListener?.connections ?? 0
      return {
        downstream: listener.connections + admin,
        upstream: open + connecting,
        deadlines: deadlines.size,
      }
    },
  }
}

const VARY = 'Vary: Accept\r\n'
const HTML_FIELDS = `${VARY}Content-Security-Policy: ${STATUS_PAGE_POLICY}\r\n`

/** The admin port serves the pages and nothing else: any other path is the status page's. */
const adminRouter: Router = (target) => ({ kind: 'page', page: pageOf(target) ?? 'status' })

/** All values of Accept, joined by commas (RFC 9110 §5.3). */
function acceptOf({ fields }: RequestHead): string | undefined {
  let accept: string | undefined
  for (let line = 0; line < fields.count; line++) {
    if (fields.name(line).toLowerCase() !== 'accept') continue
    accept = accept === undefined ? fields.value(line) : `${accept},${fields.value(line)}`
  }
  return accept
}

/** Runs what may fail without harm: a log that cannot be written must not take the traffic with it. */
function attempt(step: () => void): void {
  try {
    step()
  } catch {
    // There is nowhere left to say so.
  }
}

/** Whether something may be said now that would otherwise be said with every connection or exchange. */
function onceASecond(clock: () => number): () => boolean {
  let last = Number.NEGATIVE_INFINITY
  return () => {
    const now = clock()
    if (now - last < 1000) return false
    last = now
    return true
  }
}

function described(thrown: unknown): { reason: string; stack?: string | undefined } {
  return thrown instanceof Error
    ? { reason: thrown.message, stack: thrown.stack }
    : { reason: String(thrown) }
}

/** Whether the process has no file descriptor left, or the system none. */
function isExhausted(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return code === 'EMFILE' || code === 'ENFILE'
}

/** Counters and log lines for what happens to exchanges. */
function observe(
  traffic: Traffic,
  config: Config,
  logger: ProxyLogger,
  logExchange: ProxyOptions['logExchange'],
): ExchangeObserver {
  const logsDrops = logger.isLevelEnabled('debug')
  return {
    onStarted: () => traffic.exchangeStarted(),
    onFinished: (record) => {
      const { method, status, duration, upstreamDuration, failure } = record
      traffic.exchangeFinished(method, status, duration, upstreamDuration, failure?.code)
      if (config.accessLog) attempt(() => logExchange(record, config.user))
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
function refusedRecord(id: string, client: Downstream, failure: ProxyError, octetsOut: number) {
  return {
    id,
    client: client.remoteAddress,
    method: '-',
    path: '-',
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
  }
}

/** The date in the form of RFC 9110 §5.6.7, made once a second. */
function createDate(now: () => number): () => string {
  let second = -1
  let text = ''
  return () => {
    const ms = now()
    const current = Math.floor(ms / 1000)
    if (current !== second) {
      second = current
      text = new Date(ms).toUTCString()
    }
    return text
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}
