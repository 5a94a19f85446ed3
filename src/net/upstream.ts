// One upstream connection. In: requests to send, octets of responses. Out: responses, to the exchange that asked.
// It knows whether it is provably between messages; only then does the pool see it again.

import type { Socket } from 'node:net'
import { asProxyError, type OnFault, ProxyError } from '../errors.ts'
import { BodyReader, type BodySink } from '../http/body-reader.ts'
import type { FieldRules } from '../http/forward-fields.ts'
import { NO_BODY } from '../http/framing.ts'
import { HeadReader } from '../http/head-reader.ts'
import { OctetStore } from '../http/octet-store.ts'
import type { HeadParser } from '../http/parser.ts'
import { type ResponseHead, readResponse } from '../http/response.ts'
import type { Buffers } from './buffers.ts'
import { type Connector, describeConnectionError } from './connector.ts'
import { type Deadlines, NEVER, type Watched } from './deadlines.ts'
import { type Guarded, guard } from './guard.ts'
import { Inlet, type InletSink, type ReadPath } from './inlet.ts'
import { type OctetCounts, Outlet, type OutletSink } from './outlet.ts'
import type { RawPeer, RawSink } from './tunnel.ts'
import type { Turn } from './turn.ts'

/** What an upstream connection needs from the pool it belongs to. */
export interface UpstreamContext {
  readonly parser: HeadParser
  readonly rules: FieldRules
  readonly buffers: Buffers
  readonly deadlines: Deadlines
  readonly turn: Turn
  readonly counts: OctetCounts
  readonly readPath: ReadPath
  readonly limits: UpstreamLimits
  /** The connection can take a request: it is new, or its exchange is over and it may carry another. */
  readonly onAvailable: (connection: Upstream) => void
  /** The connection is gone; `error` when it never came to be. */
  readonly onClosed: (connection: Upstream, error: ProxyError | undefined) => void
  readonly onFault: OnFault
  /** in [0, 1): how much sooner than it must each connection retires */
  readonly random?: () => number
}

/** Up to this share of their time connections retire sooner: those opened together must not all be opened anew together. */
const RETIRES_SOONER = 0.1

/** Limits in octets, deadlines in ms. */
export interface UpstreamLimits {
  readonly maxHeadSize: number
  readonly connectTimeout: number
  readonly responseTimeout: number
  readonly streamTimeout: number
  readonly sendTimeout: number
  readonly poolIdleTimeout: number
  /** ms that a connection takes requests: each new one looks its name up again, and a busy pool must not hold on for ever */
  readonly poolConnectionAge: number
}

/** The exchange as the upstream connection sees it: where the response goes. */
export interface UpstreamExchange {
  /** An interim response (RFC 9110 §15.2). */
  onInterim(head: ResponseHead): void
  /** The final response; its body follows unless its framing is `none`. With 101 a tunnel follows. */
  onResponse(head: ResponseHead): void
  /** Octets of the response body, checked, as they came. Borrowed. */
  onResponseBody(octets: Buffer, start: number, end: number): void
  /** The response's trailer section, from its first field line to the empty line; not yet read. Borrowed. */
  onResponseTrailers(octets: Buffer, start: number, end: number): void
  /** The response is complete. The connection has gone back to the pool, or will, by its own rules. */
  onResponseEnd(): void
  /** The upstream takes octets again after it was full. */
  onUpstreamDrain(): void
  /**
   * The response will not come, or not wholly.
   *
   * @param untouched the connection closed before one octet of an answer
   * @param unsent all that the exchange has sent, when nothing of it has left: then it may be sent elsewhere, whatever
   *   the method (RFC 9110 §9.2.2)
   */
  onUpstreamFailed(error: ProxyError, untouched: boolean, unsent: string | undefined): void
}

/** What the connection is doing. */
type State =
  | 'connecting'
  | 'idle' // between exchanges: the upstream has nothing to say
  | 'head' // a request was begun, its response has not
  | 'held' // behind the head of the response: the exchange is not ready for its body
  | 'body' // within the body of the response
  | 'tunnel'
  | 'closed'

/** Interim responses to one request: no upstream needs more, and each costs the client something. */
const MAX_INTERIM = 32

/** One connection to an origin. */
export class Upstream implements InletSink, OutletSink, BodySink, Watched, Guarded {
  deadline: number
  readonly #connector: Connector
  /** how many exchanges it has carried to their end */
  exchanges = 0

  readonly #context: UpstreamContext
  readonly #socket: Socket
  readonly #inlet: Inlet
  readonly #outlet: Outlet
  readonly #heads: HeadReader
  readonly #body: BodyReader
  readonly #kept = new OctetStore()
  #state: State = 'connecting'
  #exchange: UpstreamExchange | undefined = undefined
  #tunnel: RawSink | undefined = undefined
  #method = ''
  #dataOnly = false
  #interims = 0
  #requestComplete = true
  #responseBegun = false
  /** whether it may carry another exchange after this one */
  #persistent = true
  #idleTimeout: number
  /** from then on it takes no further request */
  readonly #retiresAt: number
  #connectError: ProxyError | undefined = undefined
  /** of a response that is held: whether no body follows its head; whether the upstream has closed its side behind it */
  #heldBodiless = false
  #heldEnded = false

  constructor(connector: Connector, context: UpstreamContext) {
    this.#connector = connector
    this.#context = context
    this.#inlet = new Inlet(context.buffers, this)
    const readPath = connector.takesBuffer ? context.readPath : 'events'
    this.#socket = connector.open(readPath === 'shared' ? this.#inlet.onread : undefined)
    this.#inlet.attach(this.#socket, readPath)
    this.#outlet = new Outlet(this.#socket, context, this, connector.canReset)
    this.#heads = new HeadReader(context.limits.maxHeadSize, false)
    this.#body = new BodyReader('ERR_RESPONSE_MALFORMED', context.limits.maxHeadSize)
    this.#idleTimeout = context.limits.poolIdleTimeout
    this.deadline = context.deadlines.after(context.limits.connectTimeout)
    const { random = Math.random } = context
    this.#retiresAt = context.deadlines.after(
      context.limits.poolConnectionAge * (1 - RETIRES_SOONER * random()),
    )
    context.deadlines.watch(this)
    this.#socket.on(connector.ready, () => guard(this, () => this.#onConnect()))
    this.#socket.on('end', () => guard(this, () => this.#onEnd()))
    this.#socket.on('error', (error) => guard(this, () => this.#onError(error)))
    this.#socket.on('close', () => guard(this, () => this.#onClose()))
  }

  /** Whether it has carried an exchange before: then it may be dying of old age unnoticed. */
  get reused(): boolean {
    return this.exchanges > 0
  }

  /** Whether it is between exchanges and connected. */
  get idle(): boolean {
    return this.#state === 'idle'
  }

  /** Whether the upstream cannot keep up with the request: whoever reads the client must pause. */
  get full(): boolean {
    return this.#outlet.full
  }

  /** Whether it has closed, though word of that may still be on its way. */
  get dead(): boolean {
    return this.#outlet.broken
  }

  // ── the request ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes the head of a request.
   *
   * @param method decides whether a body follows the response
   * @param dataOnly whether chunked framing is to be taken off the response: for a client that speaks HTTP/1.0
   */
  begin(exchange: UpstreamExchange, method: string, dataOnly: boolean, head: string): void {
    this.#exchange = exchange
    this.#method = method
    this.#dataOnly = dataOnly
    this.#outlet.mark()
    this.#state = 'head'
    this.#interims = 0
    this.#responseBegun = false
    this.#requestComplete = false
    this.#persistent = true
    this.#inlet.mayBorrow = true
    this.deadline = NEVER // nobody is expected to answer half a request
    this.#outlet.text(head)
  }

  /** Sends octets of the request body. */
  sendBody(octets: Buffer, start: number, end: number): void {
    this.#outlet.octets(octets, start, end)
  }

  /** Takes text of the request body, such as a trailer section. */
  sendText(text: string): void {
    this.#outlet.text(text)
  }

  /** The request is complete. */
  endRequest(): void {
    this.#requestComplete = true
    this.#awaitResponse()
  }

  /** The last of the request is on its way, or has at last been taken: its answer may be expected from now on. */
  #awaitResponse(): void {
    if (this.#state === 'head')
      this.deadline = this.#context.deadlines.after(this.#context.limits.responseTimeout)
  }

  /** The exchange is given up: the connection is somewhere within a message, so it ends. */
  abort(): void {
    this.#exchange = undefined
    this.#socket.destroy()
  }

  /**
   * The rest of the response goes to `exchange`: the data of its body, without the framing, in pieces that are small
   * enough to be kept; then its trailer section. Only while its head is being taken.
   */
  handTo(exchange: UpstreamExchange): void {
    this.#exchange = exchange
    this.#body.unframe()
    this.#inlet.mayBorrow = false
  }

  /** Keeps back what follows the head of the response, until {@link release}. Only while that head is being taken. */
  hold(): void {
    this.#state = 'held'
    this.#heldEnded = false
    this.deadline = NEVER // it is not the upstream that is slow
  }

  /** Goes on behind the head of a response that was held; of another one it changes nothing. */
  release(): void {
    if (this.#state !== 'held') return
    const kept = this.#kept.peek()
    this.#state = 'body'
    this.deadline = this.#context.deadlines.after(this.#context.limits.streamTimeout)
    this.#inlet.resume()
    guard(this, () => {
      if (this.#heldBodiless) this.#onResponseComplete(kept.length === 0)
      this.#takeAll(kept, kept.length)
      this.#kept.drop(kept.length)
      if (this.#heldEnded) this.#onEnd()
    })
  }

  /** Stops reading the response: the client cannot keep up. */
  pause(): void {
    this.#inlet.pause()
    this.deadline = NEVER // it is the client's deadline that counts now
  }

  /** Goes on reading the response. */
  resume(): void {
    if (this.#state === 'body')
      this.deadline = this.#context.deadlines.after(this.#context.limits.streamTimeout)
    this.#inlet.resume()
  }

  // ── the response ────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes in a piece from the socket. */
  onPiece(octets: Buffer, length: number): void {
    this.#context.counts.octetsReceived += length
    this.#takeAll(octets, length)
  }

  #takeAll(octets: Buffer, length: number): void {
    try {
      let at = 0
      while (at < length && this.#state !== 'closed') at = this.#take(octets, at, length)
    } catch (thrown) {
      guard(this, () => this.#fail(asProxyError(thrown, this.onFault)))
    }
  }

  #take(octets: Buffer, start: number, end: number): number {
    switch (this.#state) {
      case 'head':
        // What comes before the request has left, or together with it, is no answer to it.
        if (!this.#outlet.answerable)
          throw new ProxyError('ERR_UPSTREAM_CLOSED', 'octets that nobody asked for')
        return this.#readHead(octets, start, end)
      case 'body': {
        this.deadline = this.#context.deadlines.after(this.#context.limits.streamTimeout)
        const next = this.#body.read(octets, start, end, this)
        if (this.#body.complete) this.#onResponseComplete(next === end)
        return next
      }
      case 'held':
        // The rest of this read is kept; not more of it than that, since nobody knows for how long.
        if (this.#kept.length > 0) this.#inlet.pause()
        this.#kept.append(octets, start, end)
        return end
      case 'tunnel':
        if (this.#tunnel === undefined) this.#kept.append(octets, start, end)
        else this.#tunnel.onOctets(octets, start, end)
        return end
      case 'idle':
        // Octets nobody asked for could be taken for the answer to the next request (RFC 9112 §6.3).
        this.#socket.destroy()
        return end
      case 'connecting':
      case 'closed':
        return end
    }
  }

  #readHead(octets: Buffer, start: number, end: number): number {
    this.#responseBegun = true
    const whole = this.#heads.read(octets, start, end)
    if (whole === 'incomplete') return end
    if (whole === 'too-large') {
      throw new ProxyError(
        'ERR_RESPONSE_TOO_LARGE',
        `a head of more than ${this.#context.limits.maxHeadSize} octets`,
      )
    }
    const parsed = this.#context.parser.parseResponse(whole.octets, whole.start, whole.end)
    const head = readResponse(parsed, this.#context.rules, this.#method)
    if (head.status < 200 && head.status !== 101) {
      if (++this.#interims > MAX_INTERIM)
        throw new ProxyError('ERR_RESPONSE_MALFORMED', 'too many interim responses')
      this.#exchange?.onInterim(head)
      return whole.next
    }
    this.#persistent = head.persistent && head.framing.kind !== 'until-close'
    if (head.keepAliveSeconds !== undefined) {
      // The upstream says when it closes: be done with the connection a second before.
      this.#idleTimeout = Math.min(
        this.#context.limits.poolIdleTimeout,
        Math.max(0, head.keepAliveSeconds - 1) * 1000,
      )
    }
    this.#body.begin(head.framing, this.#dataOnly)
    this.#state = 'body'
    this.deadline = this.#context.deadlines.after(this.#context.limits.streamTimeout)
    this.#exchange?.onResponse(head)
    // Asked anew, since the exchange may have turned the connection into a tunnel, given it up, or held it.
    const now = this.#now()
    if (now === 'body' && head.framing === NO_BODY) this.#onResponseComplete(whole.next === end)
    if (now === 'held') this.#heldBodiless = head.framing === NO_BODY && head.status !== 101
    return whole.next
  }

  #now(): State {
    return this.#state
  }

  onBody(octets: Buffer, start: number, end: number): void {
    this.#exchange?.onResponseBody(octets, start, end)
  }

  onTrailers(octets: Buffer, start: number, end: number): void {
    this.#exchange?.onResponseTrailers(octets, start, end)
  }

  /**
   * Both messages are complete, or the connection ends: an answer that is complete before its request is tells nothing of
   * what the upstream makes of the rest (docs/decisions/0006-early-responses.md).
   *
   * @param clean whether nothing came behind the response in the same read
   */
  #onResponseComplete(clean: boolean): void {
    const exchange = this.#exchange
    const atBoundary =
      clean && this.#persistent && this.#requestComplete && !this.#outlet.pending && !this.dead
    this.#exchange = undefined
    this.#state = 'idle'
    this.exchanges++
    if (atBoundary && this.#context.deadlines.after(0) < this.#retiresAt) {
      this.#awaitNext()
      this.#inlet.resume()
      // Back to the pool first: the client's next request may already be here, and can use it.
      this.#context.onAvailable(this)
    } else {
      this.deadline = NEVER
      this.#socket.destroy()
    }
    exchange?.onResponseEnd()
  }

  /** Between exchanges: for as long as it may be idle, and may take another. */
  #awaitNext(): void {
    this.deadline = Math.min(this.#context.deadlines.after(this.#idleTimeout), this.#retiresAt)
  }

  // ── failures, deadlines and the end ─────────────────────────────────────────────────────────────────────────

  #onConnect(): void {
    this.#state = 'idle'
    this.deadline = NEVER
    this.#context.onAvailable(this)
    // Nobody wanted it any more, and it went to the pool.
    if (this.idle) this.#awaitNext()
  }

  onDeadline(): void {
    guard(this, () => this.#onDeadline())
  }

  #onDeadline(): void {
    switch (this.#state) {
      case 'connecting':
        this.#connectError = new ProxyError(
          'ERR_CONNECT_TIMEOUT',
          `no connection to ${this.#connector.name} in time`,
        )
        this.#socket.destroy()
        return
      case 'head':
        this.#fail(new ProxyError('ERR_RESPONSE_TIMEOUT', 'no whole response head came in time'))
        return
      case 'body':
        this.#fail(new ProxyError('ERR_RESPONSE_STALLED', 'no octet of the response body came in time'))
        return
      case 'idle':
      case 'held':
      case 'tunnel':
      case 'closed':
        this.#socket.destroy()
    }
  }

  onDrain(): void {
    guard(this, () => this.#onDrain())
  }

  #onDrain(): void {
    if (this.#tunnel !== undefined) {
      this.#tunnel.onDrain()
      return
    }
    if (this.#requestComplete) this.#awaitResponse()
    this.#exchange?.onUpstreamDrain()
  }

  onStalled(): void {
    const error = new ProxyError(
      'ERR_RESPONSE_TIMEOUT',
      'the upstream took no octet for the whole send deadline',
    )
    guard(this, () => this.#fail(error))
  }

  /** The upstream closed its side: the end of a body that has no other, or the end of the connection. */
  #onEnd(): void {
    switch (this.#state) {
      case 'body':
        if (this.#body.untilClose && !this.#wasReset) {
          this.#body.end()
          this.#onResponseComplete(true)
        } else {
          this.#fail(new ProxyError('ERR_RESPONSE_CUT_SHORT', 'the upstream closed within the response body'))
        }
        return
      case 'held':
        this.#heldEnded = true // the body may be here, whole
        return
      case 'head':
        this.#fail(new ProxyError('ERR_UPSTREAM_CLOSED', 'the upstream closed before a whole response head'))
        return
      case 'tunnel':
        if (this.#wasReset) this.#socket.destroy()
        else this.#tunnel?.onEnd()
        return
      case 'connecting':
      case 'idle':
      case 'closed':
        this.#socket.destroy()
    }
  }

  /**
   * Whether the connection ended by RST although 'end' came: Node 20 reports a RST right behind octets like FIN, and a
   * body without a length would look whole. After RST the kernel no longer knows a peer; nobody may ask for it before,
   * since Node keeps the answer. Nor does it after FIN both ways: so once signet has sent its own, this cannot tell. Unix
   * sockets have no RST, and no address. Over TLS a RST is an error; but Node tells a close_notify from a bare FIN in no
   * way, so that a body without a length is as whole there as it is over TCP (RFC 9112 §9.8).
   */
  get #wasReset(): boolean {
    if (this.#connector.origin.socketPath !== undefined) return false
    return !this.#socket.writableEnded && this.#socket.remoteAddress === undefined
  }

  #onError(error: Error): void {
    if (this.#state === 'connecting') {
      if (error instanceof ProxyError) this.#connectError = error // its name must not be connected to
      const message = `no connection to ${this.#connector.name}: ${describeConnectionError(error)}`
      this.#connectError ??= new ProxyError('ERR_UPSTREAM_UNREACHABLE', message, { cause: error })
      return // 'close' follows
    }
    const code =
      this.#state === 'body' || this.#state === 'held' ? 'ERR_RESPONSE_CUT_SHORT' : 'ERR_UPSTREAM_CLOSED'
    this.#fail(new ProxyError(code, describeConnectionError(error), { cause: error }))
  }

  get onFault(): OnFault {
    return this.#context.onFault
  }

  onUnforeseen(error: ProxyError): void {
    this.#fail(error)
  }

  giveUp(): void {
    this.#socket.destroy()
  }

  /** Under an exchange of which nothing has left; another one is told by the end of the connection. */
  onRefused(): void {
    guard(this, () => {
      if (!this.#outlet.begun)
        this.#fail(new ProxyError('ERR_UPSTREAM_CLOSED', 'the first write was refused'))
    })
  }

  /** The exchange on it cannot go on, and nor can the connection. */
  #fail(error: ProxyError, unsent = this.#outlet.unsent): void {
    const exchange = this.#exchange
    const untouched = error.code === 'ERR_UPSTREAM_CLOSED' && !this.#responseBegun
    this.#exchange = undefined
    this.#socket.destroy()
    exchange?.onUpstreamFailed(error, untouched, unsent)
  }

  #onClose(): void {
    if (this.#state === 'closed') return
    const wasConnecting = this.#state === 'connecting'
    const error = wasConnecting
      ? (this.#connectError ?? new ProxyError('ERR_UPSTREAM_UNREACHABLE', 'the connection closed at once'))
      : undefined
    const tunnel = this.#tunnel
    const { unsent } = this.#outlet
    this.#tunnel = undefined
    this.#state = 'closed'
    this.deadline = NEVER
    this.#inlet.detach()
    this.#outlet.detach()
    this.#context.deadlines.unwatch(this)
    // Its own house first: whatever those who are told now may do, nothing of it is left behind.
    guard(this, () => {
      if (this.#exchange !== undefined)
        this.#fail(new ProxyError('ERR_UPSTREAM_CLOSED', 'the connection closed'), unsent)
      tunnel?.onClosed()
    })
    this.#context.onClosed(this, error)
  }

  /** Ends the connection whatever it is doing. */
  destroy(): void {
    this.#socket.destroy()
  }

  // ── another protocol ────────────────────────────────────────────────────────────────────────────────────────

  /** From here on octets pass as they are. Those that came behind the 101 wait until the tunnel is joined. */
  becomeTunnel(tunnel: RawSink): RawPeer {
    this.#state = 'tunnel'
    this.#exchange = undefined
    this.deadline = NEVER
    return {
      outlet: this.#outlet,
      inlet: this.#inlet,
      proceed: () => {
        this.#tunnel = tunnel
        this.#inlet.resume() // it may have been held
        const kept = this.#kept.take()
        if (kept.length > 0) tunnel.onOctets(kept, 0, kept.length)
        if (this.#heldEnded) tunnel.onEnd()
      },
    }
  }
}
