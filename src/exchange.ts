// One request and its response. In: a request head from a client connection. Out: everything that is done about it.
// The stages stand in the order the data flows; what each of them does lives elsewhere.

import type { AnswerPage } from './admin/pages.ts'
import { compressedTrailers } from './compression/altered-head.ts'
import { type CompressedExchange, CompressedResponse } from './compression/compressed-response.ts'
import type { Compression } from './compression/compression.ts'
import { asProxyError, FAILURES, type FailureCode, type OnFault, ProxyError } from './errors.ts'
import type { Destination, Notes } from './destination.ts'
import type { ExchangeObserver } from './exchange-record.ts'
import { ASSERTED, type FieldRules } from './http/forward-fields.ts'
import type { Encoding, Origin } from './http/gateway.ts'
import { CHUNKED, type Framing, NO_BODY, UNTIL_CLOSE } from './http/framing.ts'
import type { Identity } from './http/identity.ts'
import type { Page } from './http/pages.ts'
import type { HeadParser } from './http/parser.ts'
import { writeRefusal } from './http/refusal.ts'
import type { RequestHead } from './http/request.ts'
import type { ResponseHead } from './http/response.ts'
import {
  type OnDrop,
  rewriteInterim,
  rewriteRequest,
  rewriteResponse,
  rewriteTrailers,
  type Withheld,
} from './http/rewrite.ts'
import type { RouteMatch } from './http/route-table.ts'
import type { Answer } from './middleware/answer.ts'
import type { MiddlewareChain } from './middleware/chain.ts'
import type { MiddlewarePhase } from './middleware/middleware.ts'
import { type MiddlewareContext, type MiddlewareHost, MiddlewareRun } from './middleware/run.ts'
import { type Trace, withheldWith } from './http/trace.ts'
import type { Minted } from './jwt/mint.ts'
import { type Balancer, blamesTarget } from './net/balancer.ts'
import type { Deadlines } from './net/deadlines.ts'
import type { ClientExchange, Downstream } from './net/downstream.ts'
import type { Pool, Waiter } from './net/pool.ts'
import { Tunnel } from './net/tunnel.ts'
import type { Upstream } from './net/upstream.ts'

/** What all exchanges of a proxy share: its stages, and who is told what became of each. */
export interface Stages {
  readonly parser: HeadParser
  readonly rules: FieldRules
  readonly deadlines: Deadlines
  readonly tunnelTimeout: number
  /** this very instance, as it stands in Via */
  readonly pseudonym: string
  /** signet's own page at a request-target, if it is one */
  readonly page: (target: string) => Page | undefined
  /** Where a request goes. Throws the refusal where there is nowhere. */
  readonly find: (head: RequestHead) => RouteMatch<Destination>
  /** the token for a request with this method, or undefined where the method gets none */
  readonly mint: (method: string, identity: Identity | undefined) => Minted | undefined
  /** lower-case name of the field that carries the token */
  readonly jwtHeader: string
  /** protocols that may become a tunnel, lower-case */
  readonly upgrades: ReadonlySet<string>
  /** a whole response for one of signet's own pages */
  readonly answerPage: AnswerPage
  /** monotonic ms */
  readonly clock: () => number
  /** the present second as in Date (RFC 9110 §5.6.7) */
  readonly date: () => string
  readonly nextRequestId: () => string
  readonly middleware: MiddlewareContext
  /** the trace of a request; absent where nothing is traced */
  readonly trace?: ((head: RequestHead) => Trace) | undefined
  readonly observer: ExchangeObserver
  readonly onFault: OnFault
}

/** Where the exchange stands, as far as its upstream goes. */
type Phase =
  | 'routing' // no upstream asked for yet: who is asking, or a middleware, may still be waited for
  | 'acquiring' // waits for a connection
  | 'sent' // the request is under way
  | 'over' // answered or given up: what still comes in is of no interest

/** RFC 9110 §9.2.2: doing it twice is the same as doing it once. TRACE is not forwarded. */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PROPFIND',
  'SEARCH',
  'QUERY',
])

/** Failures before anything was sent: another target may well take the request, whatever its method. */
const NOTHING_SENT: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'ERR_UPSTREAM_UNREACHABLE',
  'ERR_CONNECT_TIMEOUT',
  'ERR_POOL_FULL',
  'ERR_POOL_TIMEOUT',
])

/**
 * Targets that one request is tried at: each that is gone costs it as much as the connect deadline. More of them are gone at
 * once only until they are ejected.
 */
const MOST_TARGETS = 3

/** RFC 9110 §9.3.6: no field that would speak of a body. */
const TUNNEL_OPEN = 'HTTP/1.1 200 Connection Established\r\n\r\n'

/** One exchange, from its whole request head to its log line. */
export class Exchange implements ClientExchange, CompressedExchange, Waiter, Notes, MiddlewareHost {
  /** as it was received, but for what middleware has changed */
  #head: RequestHead
  readonly #client: Downstream
  readonly #stages: Stages
  readonly #id: string
  readonly #trace: Trace | undefined
  readonly #startedAt: number
  readonly #octetsBefore: number
  #phase: Phase = 'routing'
  /** where it goes, and what is done on the way; undefined until that is found */
  #match: RouteMatch<Destination> | undefined = undefined
  /** what runs around it, where the route has that */
  #middleware: MiddlewareRun | undefined = undefined
  /** who is asking, where the route wants to know */
  #identity: Identity | undefined = undefined
  /** field lines for the response, from those who let it in */
  #clientLines = ''
  /** field lines for the upstream, from the same */
  #upstreamLines = ''
  /** the forwarded request-target, where it is not the received one */
  #target: string | undefined = undefined
  /** of the target that it is sent to */
  #pool: Pool | undefined = undefined
  /** targets that had no connection for it, or a new one that died with it: it does not go there again */
  #tried: readonly Pool[] | undefined = undefined
  #upstream: Upstream | undefined = undefined
  #minted: Minted | undefined = undefined
  /** what is sent first on a connection: the forwarded head, or all that a failed first write took back */
  #opening = ''
  /** how much of it is the head */
  #headLength = 0
  #upgrade: string | undefined = undefined
  #bodySent = false
  #requestEnded = false
  #responseBegun = false
  #status = 0
  #headAt: number | undefined = undefined
  #responseNominated: ReadonlySet<string> | undefined = undefined
  /** what stands between upstream and client while the response is compressed */
  #compressed: CompressedResponse | undefined = undefined
  #encoding: Encoding | undefined = undefined
  #reused = false
  #retried = false
  #recorded = false

  constructor(head: RequestHead, client: Downstream, stages: Stages) {
    this.#head = head
    this.#client = client
    this.#stages = stages
    this.#id = stages.nextRequestId()
    this.#trace = stages.trace?.(head)
    this.#startedAt = stages.clock()
    this.#octetsBefore = client.octetsOut
    stages.observer.onStarted()
  }

  get #balancer(): Balancer | undefined {
    return this.#match?.value.upstream
  }

  get #withheld(): Withheld | undefined {
    return this.#match?.value.withheld?.get(this.#identity?.authenticator ?? '')
  }

  // ── the stages, in order ────────────────────────────────────────────────────────────────────────────────────

  /** From the request head to the upstream: everything that needs no waiting happens before this returns. */
  start(): void {
    const { page, find } = this.#stages
    const head = this.#head
    try {
      refuseLoop(head, this.#stages.pseudonym)
      refuseTrace(head)
      const ownPage = page(head.target)
      if (ownPage !== undefined) return this.#answerPage(ownPage)
      if (head.maxForwards === 0) return this.#answerAsLastHop()
      const match = find(head)
      const { value, target } = match
      this.#match = match
      this.#target = target
      if (value.middleware !== undefined) this.#beginMiddleware(value.middleware, match)
      else if (value.admit === undefined) this.#forward(match)
      else this.#admit(value.admit(head, this.#client.forwarding.clientOf(head), match, this), match)
    } catch (thrown) {
      this.#failBy(thrown)
    }
  }

  /** Middleware stands before each of the stages that follow. Until the last of it has let the request go, its body waits. */
  #beginMiddleware(chain: MiddlewareChain, match: RouteMatch<Destination>): void {
    const client = this.#client.forwarding.clientOf(this.#head)
    const facts = { id: this.#id, client, route: chain.route, params: match.params, head: this.#head }
    this.#middleware = new MiddlewareRun(chain, this.#stages.middleware, this, facts)
    this.#through('client-edge', () => {
      const { admit } = match.value
      if (admit === undefined) this.#letIn(undefined, match)
      else this.#admit(admit(this.#head, client, match, this), match)
    })
  }

  /** What middleware has changed is what the next stage sees. */
  #through(phase: MiddlewarePhase, goOn: () => void): void {
    const middleware = this.#middleware
    if (middleware === undefined) return goOn()
    middleware.before(phase, this.#identity, this.#target, this.#pool?.name, () => {
      const { request } = middleware
      if (request !== undefined) {
        this.#head = request.head
        this.#target = request.ownTarget ?? this.#target
      }
      goOn()
    })
  }

  /** Goes on once it is known who is asking. Until then nothing of the body is taken. */
  #admit(
    identity: Identity | undefined | Promise<Identity | undefined>,
    match: RouteMatch<Destination>,
  ): void {
    if (!(identity instanceof Promise)) return this.#letIn(identity, match)
    identity
      .then((known) => {
        if (this.#phase === 'over') return // the client left meanwhile
        this.#letIn(known, match)
        if (this.#upstream !== undefined) this.#catchUp(this.#upstream)
      })
      .catch((thrown: unknown) => {
        if (this.#phase !== 'over') this.#failBy(thrown)
      })
  }

  #letIn(identity: Identity | undefined, match: RouteMatch<Destination>): void {
    if (identity !== undefined) {
      this.#identity = identity
      if (match.rewrite !== undefined) this.#target = match.rewrite(identity)
    }
    if (this.#middleware === undefined) this.#forward(match)
    else this.#through('proxy', () => this.#forward(match))
  }

  get trace(): string | undefined {
    return this.#trace?.parent
  }

  get gone(): boolean {
    return this.#phase === 'over'
  }

  tellClient(lines: string): void {
    this.#clientLines += lines
  }

  tellUpstream(lines: string): void {
    this.#upstreamLines += lines
  }

  /** To the target whose turn it is. */
  #forward(match: RouteMatch<Destination>): void {
    const pool = match.value.upstream.choose()
    this.#pool = pool
    if (this.#head.method === 'CONNECT') return this.#request(pool)
    if (this.#middleware === undefined) this.#dispatch(match, pool)
    else
      this.#through('target-edge', () => {
        this.#dispatch(match, pool)
        if (this.#upstream !== undefined) this.#catchUp(this.#upstream)
      })
  }

  #dispatch(match: RouteMatch<Destination>, pool: Pool): void {
    this.#minted = this.#mint(match)
    this.#rewrite(match.value, pool)
    this.#acquire(pool)
  }

  /** The token, as the route or its upstream has it; the plain one, where they say nothing. */
  #mint({ value, params }: RouteMatch<Destination>): Minted | undefined {
    const { method, target } = this.#head
    const own = value.told?.token
    if (own === undefined) return this.#stages.mint(method, this.#identity)
    return own.mint({ method, target: this.#target ?? target, params, identity: this.#identity })
  }

  /** The head to forward: what may pass of the received one, and then what only signet may say. */
  #rewrite({ upstream, told }: Destination, { origin }: Pool): void {
    const { jwtHeader, pseudonym, upgrades } = this.#stages
    const head = this.#head
    const minted = this.#minted
    this.#upgrade = head.upgrade !== undefined && upgrades.has(head.upgrade) ? head.upgrade : undefined
    const prefix = told?.token === undefined ? `${jwtHeader}: ` : told.token.prefix
    const token = minted === undefined ? '' : `${prefix}${minted.jwt}\r\n`
    const trace = this.#trace === undefined ? '' : `traceparent: ${this.#trace.parent}\r\n`
    const fields = told === undefined ? this.#upstreamLines : told.lines + this.#upstreamLines
    const lines = `${this.#client.forwarding.lines(head)}Via: 1.${head.minor} ${pseudonym}\r\n${trace}${fields}${token}`
    const withheld = withheldWith(this.#trace, this.#withheld)
    const additions = {
      target: this.#target,
      authority: upstream.authorityFor(origin),
      fallbackAuthority: origin.authority,
      lines,
      upgrade: this.#upgrade,
      withheld: this.#middleware === undefined ? withheld : this.#middleware.withoutOwn(withheld),
    }
    this.#opening = rewriteRequest(head, additions, this.#onDrop)
    this.#headLength = this.#opening.length
  }

  /** An idle connection at once, or else a new one as soon as it is there. */
  #acquire(pool: Pool): void {
    const idle = pool.takeIdle()
    if (idle === undefined) this.#request(pool)
    else this.#send(idle)
  }

  #request(pool: Pool): void {
    this.#phase = 'acquiring'
    try {
      pool.request(this)
    } catch (thrown) {
      this.#goElsewhere(asProxyError(thrown, this.#stages.onFault))
    }
  }

  onConnection(connection: Upstream): void {
    try {
      if (this.#head.method === 'CONNECT') this.#openTunnel(connection, TUNNEL_OPEN, 200)
      else {
        this.#send(connection)
        this.#catchUp(connection)
      }
    } catch (thrown) {
      this.#failBy(thrown)
    }
  }

  /** A tunnel has a connection to itself, from its first octet. */
  get needsNew(): boolean {
    return this.#head.method === 'CONNECT'
  }

  onNoConnection(error: ProxyError): void {
    try {
      this.#goElsewhere(error)
      if (this.#upstream !== undefined) this.#catchUp(this.#upstream)
    } catch (thrown) {
      this.#failBy(thrown)
    }
  }

  /** What has come of the body while there was no connection goes out together with the head. */
  #catchUp(connection: Upstream): void {
    if (this.#requestEnded) connection.endRequest()
    this.#client.proceed()
  }

  #send(connection: Upstream): void {
    this.#phase = 'sent'
    this.#upstream = connection
    this.#reused = connection.reused
    if (this.#reused) this.#stages.observer.onReused()
    connection.begin(this, this.#head.method, this.#head.minor === 0, this.#opening)
    const body = this.#middleware?.request?.framedBody
    // What a failed first write took back has it already.
    if (body !== undefined && this.#opening.length === this.#headLength)
      connection.sendBody(body, 0, body.length)
  }

  // ── the request's body, from the client ─────────────────────────────────────────────────────────────────────

  get ready(): boolean {
    if (this.#upstream === undefined) return this.#phase === 'over' || this.#middleware?.collects === true
    return !this.#upstream.full || this.#phase === 'over'
  }

  onRequestBody(octets: Buffer, start: number, end: number): void {
    if (this.#upstream === undefined) {
      // Unless a middleware has asked for it, it was answered already: what still comes is read and dropped.
      this.#middleware?.onRequestBody(octets, start, end)
      return
    }
    this.#bodySent = true
    this.#upstream.sendBody(octets, start, end)
    if (this.#upstream.full) this.#client.pause()
  }

  onRequestTrailers(octets: Buffer, start: number, end: number): void {
    const trailers = this.#stages.parser.parseTrailers(octets, start, end, 'ERR_BODY_MALFORMED')
    const { rules } = this.#stages
    const withheld = this.#middleware?.withChanged(this.#withheld) ?? this.#withheld
    const passing = rewriteTrailers(trailers, rules, this.#head.nominated, this.#onDrop, withheld)
    if (this.#upstream === undefined) this.#middleware?.onRequestTrailers(passing)
    else this.#upstream.sendText(`${passing}\r\n`)
  }

  onRequestEnd(): void {
    this.#requestEnded = true
    if (this.#upstream === undefined) this.#middleware?.onRequestEnd()
    else this.#upstream.endRequest()
  }

  /** A middleware has asked for the body: the client is told to send it, and all of it is read. */
  onBodyWanted(expectsContinue: boolean): void {
    this.#client.unframe()
    if (expectsContinue) this.#client.sendInterim('HTTP/1.1 100 Continue\r\n\r\n')
    queueMicrotask(() => this.#client.proceed()) // not at once: the middleware that has asked is still running
  }

  onUpstreamDrain(): void {
    this.#client.proceed()
  }

  // ── the response, from the upstream ─────────────────────────────────────────────────────────────────────────

  onInterim(head: ResponseHead): void {
    this.#responseBegun = true
    // RFC 9110 §15.2: never to a client that speaks HTTP/1.0.
    if (this.#head.minor === 1) this.#client.sendInterim(rewriteInterim(head, this.#onDrop))
  }

  onResponse(head: ResponseHead): void {
    this.#responseBegun = true
    this.#headAt = this.#stages.clock()
    if (this.#pool !== undefined && this.#balancer?.several === true) this.#balancer.onSuccess(this.#pool)
    if (head.status === 401) this.#match?.value.onUnauthorized?.(this.#upstreamLines)
    const upstream = this.#upstream
    if (this.#middleware === undefined || upstream === undefined) this.#takeResponse(head)
    else {
      const ready = this.#middleware.after(head, (changed) => {
        this.#takeResponse(changed)
        upstream.release()
      })
      if (!ready) upstream.hold()
    }
  }

  /** The head that is to go to the client. */
  #takeResponse(head: ResponseHead): void {
    this.#responseNominated = head.nominated
    if (head.status === 101) {
      this.#switchProtocols(head)
      return
    }
    this.#status = head.status
    const compression = this.#match?.value.compression
    if (compression === undefined) this.#sendHead(head, framingForClient(head.framing, this.#head.minor))
    else this.#negotiate(head, compression)
  }

  #sendHead(head: ResponseHead, framing: Framing, lines = ''): void {
    const close = !this.#head.persistent || framing.kind === 'until-close' || !this.#client.mayPersist
    const dateLine = head.hasDate ? '' : `Date: ${this.#stages.date()}\r\n`
    const additions = { framing, close, dateLine, lines: this.#clientLines + lines }
    this.#client.sendHead(rewriteResponse(head, additions, this.#onDrop), close)
  }

  /** Sends a head that tells caches what the content depends on; and compresses the content, where this client gains by it. */
  #negotiate(received: ResponseHead, compression: Compression): void {
    const { head, lines, encoding } = compression.plan(this.#head, received)
    const upstream = this.#upstream
    if (encoding === undefined || upstream === undefined) {
      this.#sendHead(head, framingForClient(head.framing, this.#head.minor), lines)
      return
    }
    this.#encoding = encoding
    this.#sendHead(head, CHUNKED, lines)
    const { parser, rules } = this.#stages
    this.#compressed = new CompressedResponse(
      this,
      upstream,
      this.#client,
      compression.chunks,
      (sink) => compression.start(encoding, received, sink),
      (octets, start, end) => {
        const trailers = parser.parseTrailers(octets, start, end, 'ERR_RESPONSE_MALFORMED')
        return compressedTrailers(trailers, rules, received.nominated, this.#onDrop)
      },
    )
  }

  onResponseBody(octets: Buffer, start: number, end: number): void {
    this.#client.sendBody(octets, start, end)
    if (this.#client.full) this.#upstream?.pause()
  }

  onResponseTrailers(octets: Buffer, start: number, end: number): void {
    const trailers = this.#stages.parser.parseTrailers(octets, start, end, 'ERR_RESPONSE_MALFORMED')
    const passing = rewriteTrailers(trailers, this.#stages.rules, this.#responseNominated, this.#onDrop)
    this.#client.sendText(`${passing}\r\n`)
  }

  onResponseEnd(): void {
    this.#letGo() // if the request is not through, nobody is left to take the rest of it
    try {
      this.#record(undefined) // before finish(), which may begin the next request
      this.#client.finish()
    } catch (thrown) {
      this.#failBy(thrown) // the upstream connection is done with us: nobody else would
    }
  }

  onClientDrain(): void {
    const source = this.#compressed ?? this.#upstream
    source?.resume()
  }

  onResponseRead(): void {
    this.#letGo() // its connection may carry another request by now
  }

  onCompressorFailed(error: ProxyError): void {
    this.#fail(error)
  }

  /** A switch of protocols (RFC 9110 §7.8): only to what was asked for. */
  #switchProtocols(head: ResponseHead): void {
    const upstream = this.#upstream
    if (upstream === undefined || this.#upgrade === undefined || head.upgrade !== this.#upgrade) {
      throw new ProxyError('ERR_RESPONSE_MALFORMED', '101 that nobody asked for')
    }
    this.#openTunnel(upstream, rewriteInterim(head, this.#onDrop, this.#clientLines), head.status)
  }

  /** From here on octets pass as they are, both ways. */
  #openTunnel(upstream: Upstream, text: string, status: number): void {
    const { deadlines, tunnelTimeout, observer, onFault } = this.#stages
    this.#status = status
    observer.onTunnel('opened')
    const tunnel = new Tunnel(deadlines, tunnelTimeout, onFault, () => {
      observer.onTunnel('closed')
      this.#record(undefined)
    })
    const upstreamPeer = upstream.becomeTunnel(tunnel.upstreamSide)
    const clientPeer = this.#client.becomeTunnel(text, tunnel.clientSide)
    this.#letGo()
    tunnel.join(clientPeer, upstreamPeer)
  }

  // ── what signet answers by itself ───────────────────────────────────────────────────────────────────────────

  #answerPage(page: Page): void {
    const close = !this.#head.persistent || !this.#client.mayPersist
    const answer = this.#stages.answerPage(page, this.#head, close)
    if (typeof answer === 'string') this.#answer(answer, 200, close)
    else {
      this.#phase = 'over'
      answer.then((text) => this.#answer(text, 200, close)).catch((thrown: unknown) => this.#failBy(thrown))
    }
  }

  /** Max-Forwards has run out: signet is the last to see it (RFC 9110 §7.6.2). */
  #answerAsLastHop(): void {
    const close = !this.#head.persistent || !this.#client.mayPersist
    const text = `HTTP/1.1 200 OK\r\nDate: ${this.#stages.date()}\r\nContent-Length: 0\r\n`
    this.#answer(`${text}${close ? 'Connection: close\r\n' : ''}\r\n`, 200, close)
  }

  #answer(text: string, status: number, close: boolean): void {
    if (this.#recorded) return // the client left meanwhile
    this.#phase = 'over'
    this.#status = status
    this.#client.sendHead(text, close)
    this.#record(undefined) // before finish(), which may begin the next request
    this.#client.finish()
  }

  /** A middleware has answered in place of the upstream; if that has answered too, nobody takes the rest of it. */
  onMiddlewareAnswer({ head, body }: Answer): void {
    const upstream = this.#upstream
    this.#letGo()
    upstream?.abort()
    this.#status = head.status
    const withBody = this.#head.method !== 'HEAD'
    this.#sendHead(head, withBody ? head.framing : NO_BODY)
    if (withBody) this.#client.sendBody(body, 0, body.length)
    this.#record(undefined) // before finish(), which may begin the next request
    this.#client.finish()
  }

  // ── failures ────────────────────────────────────────────────────────────────────────────────────────────────

  onUpstreamFailed(error: ProxyError, untouched: boolean, unsent: string | undefined): void {
    this.#upstream = undefined
    if (this.#phase === 'over') return
    // A used connection that dies with the request has most likely died of old age: that says nothing of its target.
    const ofAge = this.#reused && (untouched || unsent !== undefined)
    if (!ofAge) this.#blame(error)
    const again = unsent !== undefined || (untouched && this.#mayRepeat()) ? this.#next(ofAge) : undefined
    if (again === undefined) this.#fail(error)
    else this.#repeat(again, unsent)
  }

  onClientFailed(error: ProxyError): void {
    this.#fail(error)
  }

  onMiddlewareFailed(error: ProxyError): void {
    this.#fail(error)
  }

  onUnforeseen(thrown: unknown): void {
    this.#failBy(thrown)
  }

  /** Counts a failure against the target, where there are others: the head of an answer proves that it is well. */
  #blame(error: ProxyError): void {
    if (this.#pool === undefined || this.#balancer?.several !== true) return
    if (this.#headAt === undefined && blamesTarget(error)) this.#balancer.onFailure(this.#pool, error)
  }

  /**
   * Whether the request may be sent again although the upstream may have seen it: once, on a new connection, when the
   * old one had been used before and most likely died of old age (RFC 9112 §9.3.1), or when it goes to another target.
   * Not when octets of its body were sent, PUT and DELETE included: bodies are passed on as they come, and are not kept.
   */
  #mayRepeat(): boolean {
    return (
      (this.#reused || this.#balancer?.several === true) &&
      !this.#retried &&
      !this.#bodySent &&
      !this.#responseBegun &&
      IDEMPOTENT.has(this.#head.method)
    )
  }

  /**
   * Where it may be sent again: to a target not tried yet, of {@link MOST_TARGETS}, or once to the same when it was but a
   * connection that died of age. To the only target there is, once.
   */
  #next(ofAge: boolean): Pool | undefined {
    const balancer = this.#balancer
    const pool = this.#pool
    if (balancer === undefined || pool === undefined) return undefined
    if (!balancer.several) return this.#retried ? undefined : pool
    const tried = this.#tried === undefined ? [pool] : [...this.#tried, pool]
    const another = tried.length < MOST_TARGETS ? balancer.chooseAnother(tried) : undefined
    if (ofAge && !this.#retried) return another ?? pool
    this.#tried = tried
    return another
  }

  /** Sends it again, on a new connection: as it is if it is unsent, or else with a new token, since each is sent once. */
  #repeat(pool: Pool, unsent: string | undefined): void {
    this.#retried = true
    try {
      this.#stages.observer.onRetried()
      if (unsent === undefined && this.#match !== undefined) this.#minted = this.#mint(this.#match)
      this.#moveTo(pool, unsent)
      this.#request(pool)
    } catch (thrown) {
      this.#failBy(thrown)
    }
  }

  /** No connection, so nothing was sent: another target may have one, and each is asked once. */
  #goElsewhere(error: ProxyError): void {
    const mayGo = this.#balancer?.several === true && NOTHING_SENT.has(error.code)
    if (mayGo) this.#blame(error)
    const next = mayGo ? this.#next(false) : undefined
    if (next === undefined) {
      this.#fail(error)
      return
    }
    this.#moveTo(next, this.#opening)
    if (this.#retried) this.#request(next)
    else this.#acquire(next)
  }

  /** Makes ready what is sent first to `pool`: `unsent`, with a head of its own where Host differs; or else a new head. */
  #moveTo(pool: Pool, unsent: string | undefined): void {
    if (this.#match === undefined || this.#pool === undefined) return
    const sameHead = this.#hostAt(pool.origin) === this.#hostAt(this.#pool.origin)
    this.#pool = pool
    this.#middleware?.onMoved(pool.name)
    if (unsent !== undefined && sameHead) {
      this.#opening = unsent
      return
    }
    const body = unsent?.slice(this.#headLength) ?? ''
    this.#rewrite(this.#match.value, pool)
    this.#opening += body
  }

  /** Host as it is forwarded to `origin`. */
  #hostAt(origin: Origin): string {
    return this.#balancer?.authorityFor(origin) ?? this.#head.authority ?? origin.authority
  }

  #failBy(thrown: unknown): void {
    this.#fail(asProxyError(thrown, this.#stages.onFault))
  }

  /** Ends the exchange on both sides: the client is answered, or cut off when its response has begun. */
  #fail(error: ProxyError): void {
    const phase = this.#phase
    const upstream = this.#upstream
    this.#letGo()
    try {
      this.#compressed?.destroy()
      if (phase === 'acquiring') this.#pool?.cancel(this)
      upstream?.abort()
      this.#tell(error)
    } catch (thrown) {
      this.#stages.onFault(thrown)
      this.#client.abort() // whatever went wrong in telling it: the client must not wait for what will not come
    }
  }

  /** Tells the client of the failure, if there is one left to tell, and whoever keeps count. */
  #tell(error: ProxyError): void {
    const { status } = FAILURES[error.code]
    if (status === 499) {
      this.#record(error)
      return
    }
    if (this.#status === 0) this.#status = status
    const { date } = this.#stages
    this.#client.fail((close) => {
      this.#status = status // though a response had begun: it was taken back
      const text = writeRefusal(
        error,
        this.#id,
        date(),
        close,
        this.#head.method !== 'HEAD',
        this.#clientLines,
      )
      this.#record(error, text.length) // before it is sent, since the next request may begin then
      return text
    })
    this.#record(error)
  }

  /** The upstream connection is no longer this exchange's. */
  #letGo(): void {
    this.#phase = 'over'
    this.#upstream = undefined
  }

  readonly #onDrop: OnDrop = (fields, line, rule) => {
    if (rule === ASSERTED) this.#stages.observer.onImitation()
    if (fields === this.#head.fields && this.#client.forwarding.repeats(fields, line, rule)) return
    this.#stages.observer.onDropped(fields, line, rule)
  }

  /**
   * Once per exchange, whatever became of it.
   *
   * @param unsent octets of the response that are about to be sent
   */
  #record(failure: ProxyError | undefined, unsent = 0): void {
    if (this.#recorded) return
    this.#recorded = true
    this.#middleware?.end(failure)
    const { clock, observer } = this.#stages
    const head = this.#head
    const query = head.received.indexOf('?')
    observer.onFinished({
      id: this.#id,
      trace: this.#trace?.id,
      client: this.#client.forwarding.clientOf(head),
      method: head.method,
      path: query === -1 ? head.received : head.received.slice(0, query),
      route: this.#match?.value.route,
      status: this.#status === 0 && failure !== undefined ? failure.status : this.#status,
      failure,
      octetsIn: this.#client.octetsIn,
      octetsOut: this.#client.octetsOut - this.#octetsBefore + unsent,
      duration: clock() - this.#startedAt,
      upstreamDuration: this.#headAt === undefined ? undefined : this.#headAt - this.#startedAt,
      upstream: this.#pool?.name,
      reused: this.#reused,
      retried: this.#retried,
      jti: this.#minted?.jti,
      subject: this.#identity?.subject,
      encoding: this.#encoding,
    })
  }
}

/** Refuses what has been through this very instance already (RFC 9110 §7.6.3). */
function refuseLoop(head: RequestHead, pseudonym: string): void {
  if (head.via !== '' && head.via.includes(pseudonym)) {
    throw new ProxyError('ERR_LOOP', 'Via names this very instance')
  }
}

/** TRACE would send the client what only the upstream may see: the token (RFC 9110 §9.3.8). */
function refuseTrace(head: RequestHead): void {
  if (head.method === 'TRACE') throw new ProxyError('ERR_METHOD_UNKNOWN', 'TRACE is not forwarded')
}

/** How the body reaches the client: as it came, but for HTTP/1.0, which knows no chunks (RFC 9112 §6.1). */
function framingForClient(framing: Framing, minor: number): Framing {
  if (framing === NO_BODY) return NO_BODY
  return framing === CHUNKED && minor === 0 ? UNTIL_CLOSE : framing
}
