// The composition root: from a configuration to a proxy that listens. What lives as long as the process is made here once; what
// depends on what a reload may change is compiled anew, and exchanged as a whole. Black-box tests start here.

import { randomBytes, randomFillSync, randomUUID } from 'node:crypto'
import { createAuthLimits } from './auth/authenticators.ts'
import { createMetrics, type Metrics } from './admin/metrics.ts'
import { type AnswerPage, createPages, type Siblings } from './admin/pages.ts'
import type { Report } from './admin/sum.ts'
import { totalOf } from './admin/targets.ts'
import { Traffic } from './admin/traffic.ts'
import { Compressors } from './compression/compression.ts'
import { type Config, FIXED_SETTINGS } from './config.ts'
import type { OnFault } from './errors.ts'
import type { Destination } from './destination.ts'
import { Exchange, type Stages } from './exchange.ts'
import { type ForwardPoolOptions, ForwardTable } from './forward.ts'
import { Gateway, type GatewayContext, type RouteMiddleware } from './gateway.ts'
import { FieldRules } from './http/forward-fields.ts'
import type { GatewayConfig, Origin, UpstreamConfig } from './http/gateway.ts'
import type { Identity } from './http/identity.ts'
import { createHeadParser } from './http/parser.ts'
import { writeRefusal } from './http/refusal.ts'
import type { RequestHead } from './http/request.ts'
import type { RouteMatch } from './http/route-table.ts'
import { createTraceIds, traceOf } from './http/trace.ts'
import { keysPageOf, type Page, pageOf } from './http/pages.ts'
import type { HmacKey } from './jwt/keys.ts'
import { LoginExchange } from './login.ts'
import { createMinter } from './jwt/mint.ts'
import type { MiddlewareContext } from './middleware/run.ts'
import { Balancer } from './net/balancer.ts'
import { Buffers } from './net/buffers.ts'
import { Deadlines } from './net/deadlines.ts'
import type { ReadPath } from './net/inlet.ts'
import { canReadShared, Listener, type ListenerContext, type ReceptionConfig } from './net/listener.ts'
import { Pool } from './net/pool.ts'
import { Turn } from './net/turn.ts'
import {
  attempt,
  type LogExchange,
  observe,
  onceASecond,
  type ProxyLogger,
  refusedRecord,
} from './observer.ts'
import { retireKeys, Teller } from './told.ts'

/** Octets of the shared read buffer: whole heads and small bodies; larger ones are read elsewhere (net/buffers.ts). */
const SHARED_REGION = 64 * 1024

/** Connections that the admin port takes: a few scrapers and people. */
export const ADMIN_CONNECTIONS = 16

/** What may change while a proxy runs. */
export interface Changeable {
  readonly config: Config
  readonly gateway: GatewayConfig
  readonly key: HmacKey
  /** what runs around exchanges; nothing unless given */
  readonly middleware?: RouteMiddleware | undefined
  /** ms that one of them may be waited for; {@link MIDDLEWARE_TIMEOUT} unless given */
  readonly middlewareTimeout?: number | undefined
}

/** ms that a middleware may be waited for, where nothing is said. */
const MIDDLEWARE_TIMEOUT = 30_000

/** What a proxy is made from. */
export interface ProxyOptions extends Changeable {
  readonly version: string
  readonly logger: ProxyLogger
  readonly logExchange: LogExchange
  /** where this process is one of several that share the traffic */
  readonly siblings?: Siblings
}

/** Where a proxy listens. */
export interface Listening {
  readonly port: number
  readonly address: string
  /** undefined when the pages are on the main port */
  readonly adminPort: number | undefined
  /** undefined unless it is a forward proxy as well */
  readonly forwardPort: number | undefined
}

/** A proxy. */
export interface Proxy {
  /** Begins to accept. @throws what the system reports, such as EADDRINUSE */
  listen(): Promise<Listening>
  /**
   * Goes by another configuration: exchanges that begin from now on, and connections that are accepted from now on. What is
   * under way keeps what it began with. Settings of the process itself stay as they were ({@link FIXED_SETTINGS}).
   *
   * @throws {ConfigError} when a certificate or a key cannot be used; nothing has changed then
   */
  reload(next: Changeable): void
  /** Counts a reload, for the pages: it is more than {@link reload}, and there may be other processes that do it. */
  countReload(succeeded: boolean): void
  /** Stops accepting, lets running exchanges end up to the drain deadline, then ends the rest. */
  close(): Promise<void>
  /** What this process has counted, for its siblings. */
  report(options: { readonly runtime: boolean }): Promise<Report>
  /** What is open at this moment: for tests that look for leaks. */
  open(): { downstream: number; upstream: number; deadlines: number; compressors: number }
}

/** The listeners, by what they are for. */
type Role = 'main' | 'admin' | 'forward'

/**
 * Makes a proxy. Nothing is opened before {@link Proxy.listen}.
 *
 * @throws {AssertionError} when llhttp-wasm is not the version this was written for
 */
export function createProxy(options: ProxyOptions): Proxy {
  const { version, logger, siblings } = options
  const processId = randomBytes(4).toString('hex')
  const instance = siblings?.instance ?? processId
  const clock = () => performance.now()
  const traffic = new Traffic({ name: 'signet', version, id: instance, startedAt: clock() })
  const parser = createHeadParser({ region: SHARED_REGION, ...options.config })
  /** names that have been signet's since the start */
  const asserted = new Set<string>()
  const rules = new FieldRules([])
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
  let readPath: ReadPath = options.config.readPath
  let metrics: Metrics
  let answerPage: AnswerPage

  let requests = 0
  const nextRequestId = () => `${processId}-${(++requests).toString(36)}`
  const nextTraceId = createTraceIds(randomFillSync)

  // ── what a reload changes ───────────────────────────────────────────────────────────────────────────────────

  let current: Changeable = options
  /** Limits and deadlines: the one object that all connections look into. */
  const limits: { -readonly [Name in keyof Config]: Config[Name] } = { ...options.config }
  let gateway: Gateway
  let teller: Teller
  const auth = { now: Date.now, clock }
  const gatewayContext: GatewayContext = {
    createBalancer,
    auth,
    authLimits: createAuthLimits(auth),
    onAdmission: (authenticator, result) => traffic.authenticated(authenticator, result),
    credentials: {
      onResult: (credential, result) => traffic.credentialNeeded(credential, result),
      onAsked: (credential, duration) => traffic.credentialAsked(credential, duration),
      onCondition: onCredential,
    },
    onRedis,
    compressors: new Compressors({ deadlines, onFault }, limits),
  }
  const mayBlame = onceASecond(clock)
  const middleware: MiddlewareContext = {
    rules,
    deadlines,
    timeout: () => current.middlewareTimeout ?? MIDDLEWARE_TIMEOUT,
    onFault: (name, thrown) => {
      const line = { event: 'middleware', middleware: name, ...described(thrown) }
      if (mayBlame()) attempt(() => logger.error(line, `the middleware ${name} has thrown`))
    },
  }
  let forward: ForwardTable | undefined
  /** what an exchange takes that begins now */
  const stages: { -readonly [Name in Role]?: Stages } = {}
  const listeners: { -readonly [Name in Role]?: Listener } = {}

  /** Everything that depends on how sockets can be read, which only {@link listen} finds out. */
  function build(): void {
    teller = createTeller(current)
    const tell = teller.tell.bind(teller)
    gateway = new Gateway(current.gateway, gatewayContext, undefined, tell, current.middleware)
    metrics = createMetrics(traffic, targets, version)
    answerPage = createPages({
      traffic,
      targets,
      metrics,
      version,
      siblings,
      keySet: () => teller.keySet(),
      clock,
      date,
    })
    if (current.gateway.forward !== undefined)
      forward = new ForwardTable(current.gateway.forward, createBalancer)
    compile()
    listeners.main = createListener('main', limits.maxConnections, current.gateway)
    if (limits.adminPort !== undefined) listeners.admin = createListener('admin', ADMIN_CONNECTIONS)
    if (forward !== undefined) listeners.forward = createListener('forward', limits.maxConnections)
  }

  /** Puts the stages together anew. An exchange keeps those that it began with. */
  function compile(): void {
    const { config, key } = current
    const { routes } = gateway
    // What was signet's once stays so: the trailers of a request that began before must not imitate what its head says.
    for (const name of [config.jwtHeader, ...teller.names, ...(config.trace ? ['traceparent'] : [])])
      asserted.add(name)
    rules.assert([...asserted])
    const mintFor = createMinter({ key, user: config.user, now: Date.now, nextId: randomUUID })
    const shared = {
      parser,
      rules,
      deadlines,
      tunnelTimeout: config.tunnelTimeout,
      pseudonym: `signet-${instance}`,
      mint: (method: string, identity: Identity | undefined) => {
        if (config.jwtMethods !== '*' && !config.jwtMethods.has(method)) return undefined
        traffic.tokenMinted()
        return mintFor(identity === undefined ? undefined : { user: identity.subject })
      },
      jwtHeader: config.jwtHeader,
      upgrades: config.upgrades,
      answerPage,
      clock,
      date,
      nextRequestId,
      middleware,
      trace: config.trace ? (head: RequestHead) => traceOf(head.fields, nextTraceId) : undefined,
      observer: observe(traffic, config, logger, options.logExchange),
      onFault,
    }
    const find = (head: RequestHead): RouteMatch<Destination> => routes.find(head)
    const ownPage: Stages['page'] = limits.adminPort === undefined ? pageOf : noPage
    const page = (target: string) => ownPage(target) ?? keysPageOf(target)
    stages.main = { ...shared, page: teller.publishes ? page : ownPage, find }
    stages.admin = { ...shared, page: adminPage, find }
    if (forward !== undefined) {
      const table = forward
      stages.forward = { ...shared, page: noPage, find: (head) => table.find(head) }
    }
  }

  function reload(next: Changeable): void {
    const before = gateway
    // Whatever can be refused comes first: until then nothing has changed.
    const kept = { ...next, gateway: retireKeys(current.gateway, next.gateway, Date.now()) }
    const nextTeller = createTeller(kept)
    const tell = nextTeller.tell.bind(nextTeller)
    const after = new Gateway(next.gateway, gatewayContext, before, tell, next.middleware)
    try {
      listeners.main?.update(next.gateway)
    } catch (thrown) {
      after.makeWayFor(before)
      throw thrown
    }
    gateway = after
    teller = nextTeller
    current = kept
    const fixed = Object.fromEntries(FIXED_SETTINGS.map((name) => [name, limits[name]]))
    Object.assign(limits, next.config, fixed)
    forward?.update(next.gateway.forward)
    compile()
    before.makeWayFor(after)
  }

  function createTeller({
    gateway: config,
    config: { user, jwtHeader, jwtMethods },
    key,
  }: Changeable): Teller {
    const onMinted = () => traffic.tokenMinted()
    return new Teller(config, {
      key,
      user,
      jwtHeader,
      jwtMethods,
      now: Date.now,
      nextId: randomUUID,
      onMinted,
    })
  }

  // ── toward upstreams ────────────────────────────────────────────────────────────────────────────────────────

  function createBalancer(upstream: UpstreamConfig, options?: ForwardPoolOptions): Balancer {
    return new Balancer(upstream, {
      createPool: (origin) => createPool(origin, options),
      clock,
      onChange: (name, target, condition, reason) => {
        const line = { event: 'target', upstream: name, target, condition, reason }
        attempt(() => logger.warn(line, `${target} is ${condition}`))
      },
      onFault,
    })
  }

  function onRedis(condition: 'gone' | 'back', reason: string): void {
    const line = { event: 'redis', condition, reason }
    const text = condition === 'back' ? reason : `Redis does not answer (${reason}): limits cannot be checked`
    attempt(() => (condition === 'back' ? logger.info(line, text) : logger.error(line, text)))
  }

  function onCredential(credential: string, condition: 'failing' | 'well', reason: string): void {
    const line = { event: 'credential', credential, condition, reason }
    attempt(() => (condition === 'well' ? logger.info(line, reason) : logger.error(line, reason)))
  }

  function createPool(origin: Origin, { lookUp, maxIdle }: Partial<ForwardPoolOptions> = {}): Pool {
    const counts = traffic.upstream
    return new Pool(origin, {
      upstream: { parser, rules, buffers, deadlines, turn, counts, readPath, limits, onFault },
      deadlines,
      limits,
      lookUp,
      maxIdle,
      onOpened: () => traffic.connectionOpened('upstream'),
      onClosed: () => traffic.connectionClosed('upstream'),
      onConnectFailed: (error) => {
        if (isExhausted(error.cause)) complain(`no connection to the upstream: ${error.message}`)
      },
    })
  }

  /** The targets of all upstreams; what clients of a forward proxy may ask for has no end, and is not listed. */
  function targets() {
    return gateway.balancers.flatMap((balancer) => balancer.states())
  }

  function balancers(): Balancer[] {
    return [...gateway.balancers, ...(forward?.balancers ?? [])]
  }

  // ── toward clients ──────────────────────────────────────────────────────────────────────────────────────────

  /** Where the request is one for a token; a query changes nothing. */
  function loginAt(target: string) {
    const query = target.indexOf('?')
    return gateway.logins?.get(query === -1 ? target : target.slice(0, query))
  }

  let headersRefused = 0
  const mayWarn = onceASecond(clock)
  /** Says that a peer which is to send PROXY headers does not, and how many connections that has cost since it was last said. */
  function onHeaderRefused(reason: string): void {
    headersRefused++
    if (!mayWarn()) return
    attempt(() => logger.warn({ event: 'proxy-header', count: headersRefused, reason }, reason))
    headersRefused = 0
  }

  const mayTellOfTls = onceASecond(clock)
  /** Whoever scans the port breaks connections in every way there is: of interest only to who looks for a fault. */
  function onTlsError({ message }: Error): void {
    if (mayTellOfTls()) attempt(() => logger.debug({ event: 'tls', reason: message }, message))
  }

  const mayComplain = onceASecond(clock)
  /** Says what is wrong with the process itself: it comes with every connection then. */
  function complain(reason: string): void {
    if (mayComplain()) attempt(() => logger.error({ event: 'exhausted', reason }, reason))
  }

  function createListener(role: Role, maxConnections: number, reception: ReceptionConfig = {}): Listener {
    const downstream: ListenerContext['downstream'] = {
      parser,
      rules,
      buffers,
      deadlines,
      turn,
      counts: traffic.downstream,
      limits,
      begin: (head, client) => {
        const login = gateway.logins === undefined || role !== 'main' ? undefined : loginAt(head.target)
        if (login === undefined) return new Exchange(head, client, stages[role]!)
        return new LoginExchange(head, client, login, stages[role]!, gatewayContext.onAdmission)
      },
      onRefused: (error, client) => {
        const id = nextRequestId()
        return (close) => {
          const text = writeRefusal(error, id, date(), close, !client.asksForHead)
          const { observer } = stages[role]!
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
      takesConnect: role === 'forward',
      readPath,
      maxConnections,
      // Whatever they come for, clients share one limit.
      connections: role === 'admin' ? undefined : () => connectionsOf('main') + connectionsOf('forward'),
      reception,
      onOpened: () => traffic.connectionOpened('downstream'),
      onClosed: () => traffic.connectionClosed('downstream'),
      onDropped: () => {
        traffic.connectionRefusedAtCap()
        complain(`as many connections as there may be, or as there are descriptors for: ${maxConnections}`)
      },
      onError: (error) => complain(`cannot accept: ${error.message}`),
      onHeaderRefused,
      onTlsError,
    })
  }

  function connectionsOf(role: Role): number {
    return listeners[role]?.connections ?? 0
  }

  // ── start and end ───────────────────────────────────────────────────────────────────────────────────────────

  /** Ends everything that is open. */
  function end(): void {
    for (const listener of Object.values(listeners)) listener.destroy()
    for (const balancer of balancers()) balancer.destroy()
    gateway.end()
    metrics.close()
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
        const { port, host, adminPort } = limits
        const { forward: forwardConfig } = current.gateway
        const { main, admin, forward: forwarding } = listeners
        const { address, port: mainPort } = await main!.listen(port, host)
        const listensAdmin = await admin?.listen(adminPort ?? 0, '127.0.0.1')
        const listensForward =
          forwardConfig && (await forwarding?.listen(forwardConfig.port, forwardConfig.host))
        return { address, port: mainPort, adminPort: listensAdmin?.port, forwardPort: listensForward?.port }
      } catch (error) {
        end() // some of the ports may be open
        throw error
      }
    },

    reload,

    countReload: (succeeded) => traffic.reloaded(succeeded),

    async close() {
      draining = true
      const ended = Promise.all(Object.values(listeners).map((listener) => listener.drain()))
      for (const balancer of balancers()) balancer.close()
      await Promise.race([ended, later(limits.drainTimeout)])
      end()
    },

    async report({ runtime }) {
      const families = runtime ? await metrics.runtime() : undefined
      return { traffic: traffic.tally(), targets: targets(), runtime: families }
    },

    open: () => {
      const { open, connecting } = totalOf(balancers().flatMap((balancer) => balancer.states()))
      const downstream = connectionsOf('main') + connectionsOf('admin') + connectionsOf('forward')
      return {
        downstream,
        upstream: open + connecting,
        deadlines: deadlines.size,
        compressors: gatewayContext.compressors.active,
      }
    },
  }
}

/** The admin port serves the pages and nothing else: any other path is the status page's. */
function adminPage(target: string): Page {
  return pageOf(target) ?? 'status'
}

function noPage(): undefined {
  return undefined
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
