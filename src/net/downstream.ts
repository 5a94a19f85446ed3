// One client connection. In: octets. Out: requests, one at a time and in order, to whoever owns the exchanges; their
// responses; refusals. It knows where messages begin and end, and nothing of what they are for.

import type { Socket } from 'node:net'
import { asProxyError, type OnFault, ProxyError } from '../errors.ts'
import { BodyReader, type BodySink } from '../http/body-reader.ts'
import type { FieldRules } from '../http/forward-fields.ts'
import { ForwardingLines } from '../http/forwarding.ts'
import { HeadReader, type WholeHead } from '../http/head-reader.ts'
import { OctetStore } from '../http/octet-store.ts'
import { SP } from '../http/octets.ts'
import type { HeadParser } from '../http/parser.ts'
import { type RequestHead, readRequest } from '../http/request.ts'
import type { TargetForms } from '../http/request-target.ts'
import type { Buffers } from './buffers.ts'
import { type Deadlines, NEVER, type Watched } from './deadlines.ts'
import { type Guarded, guard } from './guard.ts'
import type { Inlet, InletSink } from './inlet.ts'
import { type OctetCounts, Outlet, type OutletSink } from './outlet.ts'
import type { RawPeer, RawSink } from './tunnel.ts'
import type { Due, Turn } from './turn.ts'

/** What a client connection needs from the proxy it belongs to. */
export interface DownstreamContext {
  readonly parser: HeadParser
  readonly rules: FieldRules
  readonly buffers: Buffers
  readonly deadlines: Deadlines
  readonly turn: Turn
  readonly counts: OctetCounts
  readonly limits: DownstreamLimits
  /** Makes the exchange for a request; it is started once the connection knows it. */
  readonly begin: (head: RequestHead, client: Downstream) => ClientExchange
  /** A request that was refused before there was an exchange: its head could not be read. */
  readonly onRefused: (error: ProxyError, client: Downstream) => RefusalText
  readonly onClosed: (client: Downstream) => void
  readonly onFault: OnFault
  /** what clients may ask for, and over what: `https` where the socket speaks TLS */
  readonly forms: TargetForms
  /** Whether an address is that of a proxy whose forwarding fields are believed; undefined where none is. */
  readonly trusts: ((address: string) => boolean) | undefined
  /** Whether the proxy is being shut down: then no connection carries another request. */
  readonly draining: () => boolean
}

/** Limits in octets, deadlines in ms. */
export interface DownstreamLimits {
  readonly maxHeadSize: number
  readonly maxTargetSize: number
  readonly headTimeout: number
  readonly keepAliveTimeout: number
  readonly bodyTimeout: number
  readonly sendTimeout: number
  readonly halfCloseTimeout: number
}

/** Writes a refusal, given whether the connection ends with it. */
export type RefusalText = (close: boolean) => string

/** The exchange as the client connection sees it: where the request goes. */
export interface ClientExchange {
  /** Goes through the stages. May finish, or throw {@link ProxyError}, before it returns. */
  start(): void
  /** Whether it can take octets of the body now; when it no longer cannot, it calls {@link Downstream.proceed}. */
  readonly ready: boolean
  /** Octets of the request body, checked, as they came. Borrowed. */
  onRequestBody(octets: Buffer, start: number, end: number): void
  /** The request's trailer section, from its first field line to the empty line; not yet read. Borrowed. */
  onRequestTrailers(octets: Buffer, start: number, end: number): void
  /** The request is complete. */
  onRequestEnd(): void
  /** The response goes out again after the connection was full. */
  onClientDrain(): void
  /** The request cannot be completed, or nobody waits for the response any more. */
  onClientFailed(error: ProxyError): void
}

/** What the connection is doing. */
type State =
  | 'idle' // between messages, or within a head
  | 'body' // within the body of the current request
  | 'waiting' // the request is complete, its response is not
  | 'tunnel' // another protocol: octets pass as they are
  | 'discarding' // the last response is on its way; what the client still sends is of no interest
  | 'closed'

/** Octets of requests pipelined behind the current one that are taken in before reading stops. */
const MAX_PIPELINED = 64 * 1024
/** ms that a client is given to close its side after the last response, so that it can still be read (RFC 9112 §9.6). */
const LINGER = 1000

/** One client connection. */
export class Downstream implements InletSink, OutletSink, BodySink, Watched, Guarded, Due {
  deadline = NEVER
  /** the client's address, as text */
  readonly remoteAddress: string
  /** octets of the current request, head and body */
  octetsIn = 0

  readonly #context: DownstreamContext
  readonly #socket: Socket
  readonly #inlet: Inlet
  readonly #outlet: Outlet
  readonly #heads: HeadReader
  readonly #body: BodyReader
  readonly #kept = new OctetStore()
  #state: State = 'idle'
  #exchange: ClientExchange | undefined = undefined
  #tunnel: RawSink | undefined = undefined
  #forwarding: ForwardingLines | undefined = undefined
  #receiving = false
  #responseBegun = false
  /** where the response began in all that is sent: while it has not left, it can be taken back */
  #responseAt = 0
  /** whether the last head asks for no body in its answer, read or not (RFC 9110 §9.3.2) */
  #asksForHead = false
  #responseComplete = false
  /** whether the connection ends with the current response */
  #closing = false
  /** whether the client has said that this request is its last (RFC 9112 §9.6) */
  #lastRequest = false
  #inputEnded = false
  /** whether reading stops when the turn ends, if what is kept still waits then */
  #pauseDue = false

  /**
   * @param remoteAddress the client's address, as text
   * @param open makes the socket and its reading side, given who takes the pieces
   */
  constructor(
    remoteAddress: string,
    open: (sink: InletSink) => { socket: Socket; inlet: Inlet },
    context: DownstreamContext,
  ) {
    const { socket, inlet } = open(this)
    this.#context = context
    this.#socket = socket
    this.remoteAddress = remoteAddress
    this.#inlet = inlet
    this.#outlet = new Outlet(socket, context, this)
    this.#heads = new HeadReader(context.limits.maxHeadSize, true)
    this.#body = new BodyReader('ERR_BODY_MALFORMED', context.limits.maxHeadSize)
    // The first head has its own deadline from the start: a connection that says nothing is no idle keep-alive.
    this.deadline = context.deadlines.after(context.limits.headTimeout)
    context.deadlines.watch(this)
    socket.on('end', () => guard(this, () => this.#onEnd()))
    socket.on('error', (error) => guard(this, () => this.#onGone(error)))
    socket.on('close', () => guard(this, () => this.#onClose()))
  }

  /** Whether the client cannot keep up with the response: whoever reads the upstream must pause. */
  get full(): boolean {
    return this.#outlet.full
  }

  /** Whether the connection may carry another request after this one, as far as this side goes. */
  get mayPersist(): boolean {
    // A client that closed its side may have sent more requests before: those are still answered.
    return (!this.#inputEnded || this.#kept.length > 0) && !this.#context.draining()
  }

  /** Octets for this client so far, all exchanges together. */
  get octetsOut(): number {
    return this.#outlet.position
  }

  /** What tells an upstream of this client, made once: whether it is trusted does not change while it is connected. */
  get forwarding(): ForwardingLines {
    const { forms, trusts } = this.#context
    this.#forwarding ??= new ForwardingLines(this.remoteAddress, forms.scheme, trusts)
    return this.#forwarding
  }

  /** Whether an answer to the last request, read or not, has no body (RFC 9110 §9.3.2). */
  get asksForHead(): boolean {
    return this.#asksForHead
  }

  // ── the response ────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends an interim response head (RFC 9110 §15.2). */
  sendInterim(text: string): void {
    this.#outlet.text(text)
  }

  /** Takes the head of the final response. */
  sendHead(text: string, close: boolean): void {
    this.#responseBegun = true
    this.#closing = close
    this.#responseAt = this.#outlet.position
    this.#outlet.text(text)
  }

  /** Sends octets of the response body. */
  sendBody(octets: Buffer, start: number, end: number): void {
    this.#outlet.octets(octets, start, end)
    if (this.#inputEnded) this.deadline = this.#context.deadlines.after(this.#context.limits.halfCloseTimeout)
  }

  /** Takes text of the response body, such as a trailer section. */
  sendText(text: string): void {
    this.#outlet.text(text)
  }

  /** The response is complete. The connection goes on to the next request, or ends. */
  finish(): void {
    this.#responseComplete = true
    if (this.#body.complete || this.#closing) this.#endExchange()
    else this.proceed() // the rest of the request is read and dropped, to get to a message boundary
  }

  /**
   * The exchange failed. Before the response has begun the client gets a refusal; after that the response can only be
   * cut short, by RST, so that not even a body without a length looks whole.
   */
  fail(refusal: RefusalText): void {
    if (this.#state === 'closed' || this.#state === 'discarding') return
    if (this.#responseComplete) {
      // Only the rest of the request has failed: the response must not be lost with it.
      this.#closing = true
      this.#endExchange()
      return
    }
    // Gone wrong in the turn that brought its head, nothing of the response has left.
    if (this.#responseBegun && this.#outlet.takeBack(this.#responseAt)) this.#responseBegun = false
    if (this.#responseBegun || this.#state === 'tunnel') {
      this.abort()
      return
    }
    this.#skipBody()
    // A request that is still coming in cannot be told from what follows it: the connection ends.
    const close = this.#closing || !this.#body.complete || this.#state !== 'waiting' || !this.mayPersist
    this.#exchange = undefined
    this.#responseBegun = true
    this.#responseComplete = true
    this.#outlet.text(refusal(close))
    this.#closing = close
    this.#body.begin({ kind: 'none' })
    this.#endExchange()
  }

  /** Reads past what is here of a body that nobody takes any more: all of it, and the connection can go on. */
  #skipBody(): void {
    // Within a read the octets that are kept may be those being read.
    if (this.#state !== 'body' || this.#exchange === undefined || this.#receiving) return
    const kept = this.#kept.peek()
    try {
      const read = this.#body.read(kept, 0, kept.length, this)
      this.octetsIn += read
      this.#kept.drop(read)
      if (this.#body.complete) this.#state = 'waiting'
    } catch (thrown) {
      asProxyError(thrown, this.onFault) // malformed: the connection ends with the refusal
    }
  }

  /** Ends the connection without another word. */
  abort(): void {
    this.#exchange = undefined
    this.#outlet.reset()
  }

  /** Both messages are complete, or the connection ends. */
  #endExchange(): void {
    if (this.#state === 'closed') return
    this.#exchange = undefined
    if (this.#closing || !this.mayPersist) {
      this.#linger()
      return
    }
    this.#state = 'idle'
    this.#responseBegun = false
    this.#responseComplete = false
    this.octetsIn = 0
    this.deadline = this.#context.deadlines.after(this.#context.limits.keepAliveTimeout)
    this.proceed()
  }

  /**
   * Ends our side and reads on for a moment: closing at once would let a RST overtake the response, unless the client
   * has nothing more to say.
   */
  #linger(): void {
    const silent = this.#lastRequest && this.#state === 'waiting' && this.#kept.length === 0
    this.#state = 'discarding'
    this.#kept.clear()
    // A client that is slow to take the last of it has its own deadline while the outlet is full.
    this.deadline = this.#outlet.full
      ? NEVER
      : this.#context.deadlines.after(this.#context.limits.sendTimeout)
    this.#outlet.end(silent)
    if (silent) return
    this.#socket.once('finish', () => {
      this.deadline = this.#context.deadlines.after(LINGER)
    })
    this.#inlet.resume()
  }

  // ── the request ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes in a piece from the socket. */
  onPiece(octets: Buffer, length: number): void {
    this.#context.counts.octetsReceived += length
    const read = this.#kept.length > 0 ? 0 : this.#receive(octets, 0, length)
    if (read < length) guard(this, () => this.#keep(octets, read, length))
  }

  /** Goes on with what was kept and then with the socket: the exchange can take octets, or is over. */
  proceed(): void {
    if (this.#receiving) return // the loop that called us goes on by itself
    if (this.#kept.length > 0) {
      const kept = this.#kept.peek()
      const read = this.#receive(kept, 0, kept.length)
      if (this.#kept.length > 0) this.#kept.drop(read)
    }
    if (this.#paused()) return
    if (this.#state === 'body')
      this.deadline = this.#context.deadlines.after(this.#context.limits.bodyTimeout)
    if (this.#kept.length < MAX_PIPELINED) this.#inlet.resume()
    if (this.#inputEnded) this.#onEnd()
  }

  /** The body of the request comes as data from now on, without its framing. Only before any of it was taken. */
  unframe(): void {
    this.#body.unframe()
  }

  /** Stops reading the request: what takes its body cannot keep up. */
  pause(): void {
    this.#inlet.pause()
    this.deadline = NEVER // it is not the client that is slow
  }

  /** Whether nothing more of what the client sends can be taken now. */
  #paused(): boolean {
    // The next request is not begun for a client that does not read the answers it has.
    if (this.#state === 'idle') return this.#outlet.full
    return this.#state === 'body' && this.#exchange?.ready === false
  }

  #keep(octets: Buffer, start: number, end: number): void {
    const first = this.#kept.length === 0
    this.#kept.append(octets, start, end)
    // A body waits for its exchange to be ready. Requests behind the current one are taken in up to a limit, so that
    // a client that goes away is noticed meanwhile.
    if (this.#paused()) {
      if (first) this.#pauseLater()
      else this.pause()
    } else if (this.#kept.length >= MAX_PIPELINED) this.#inlet.pause()
  }

  /**
   * Most of what is waited for without I/O, such as a middleware or a token that is checked by jose, comes before the turn ends:
   * to stop reading and to start again costs system calls, a tenth of a request (bench/middleware).
   */
  #pauseLater(): void {
    this.deadline = NEVER
    if (this.#pauseDue) return
    this.#pauseDue = true
    this.#context.turn.add(this)
  }

  onTurnEnd(): void {
    this.#pauseDue = false
    if (this.#kept.length > 0 && this.#paused()) this.pause()
  }

  onTurnFault(thrown: unknown): void {
    this.onFault(thrown)
    this.giveUp()
  }

  /** Goes through `octets[start, end)` for as long as they can be taken. @returns where it stopped */
  #receive(octets: Buffer, start: number, end: number): number {
    this.#receiving = true
    let at = start
    try {
      while (at < end) {
        const from = at
        at = this.#take(octets, at, end)
        if (at === from) break
      }
    } catch (thrown) {
      guard(this, () => this.#refuse(asProxyError(thrown, this.onFault)))
      at = end
    } finally {
      this.#receiving = false
    }
    return at
  }

  /** One step: as much as the present state takes. @returns where it stopped; `start` when it must wait */
  #take(octets: Buffer, start: number, end: number): number {
    switch (this.#state) {
      case 'idle':
        return this.#paused() ? start : this.#readHead(octets, start, end)
      case 'body': {
        if (this.#paused()) return start
        this.deadline = this.#context.deadlines.after(this.#context.limits.bodyTimeout)
        const next = this.#body.read(octets, start, end, this)
        this.octetsIn += next - start
        if (this.#body.complete) this.#onRequestComplete()
        return next
      }
      case 'waiting':
        return start
      case 'tunnel':
        this.octetsIn += end - start
        this.#tunnel?.onOctets(octets, start, end)
        return end
      case 'discarding':
      case 'closed':
        return end
    }
  }

  #readHead(octets: Buffer, start: number, end: number): number {
    const { limits, parser, rules, deadlines, forms } = this.#context
    const begun = this.#heads.begun
    const head = this.#heads.read(octets, start, end)
    if (head === 'incomplete') {
      this.octetsIn += end - start
      if (!begun && this.#heads.begun) this.deadline = deadlines.after(limits.headTimeout)
      return end
    }
    if (head === 'too-large') {
      this.octetsIn += end - start
      throw this.#headTooLarge(octets, start, end)
    }
    this.deadline = NEVER
    this.octetsIn = head.end - head.start
    this.#asksForHead = asksForHead(head)
    const request = readRequest(
      parser.parseRequest(head.octets, head.start, head.end),
      rules,
      limits.maxTargetSize,
      forms,
    )
    this.#body.begin(request.framing)
    this.#state = this.#body.complete ? 'waiting' : 'body'
    this.#closing = !request.persistent
    // Behind a CONNECT the tunnel may have begun already.
    this.#lastRequest = !request.persistent && request.method !== 'CONNECT'
    if (this.#state === 'body') this.deadline = deadlines.after(limits.bodyTimeout)
    this.#exchange = this.#context.begin(request, this)
    this.#exchange.start()
    if (this.#body.complete) this.#exchange?.onRequestEnd()
    return head.next
  }

  /** A head over its size: 414 when the request-target alone is to blame (RFC 9110 §15.5.15). */
  #headTooLarge(octets: Buffer, start: number, end: number): ProxyError {
    const { maxHeadSize } = this.#context.limits
    const begun = this.#heads.partial()
    const line = begun.length > 0 ? begun : octets.subarray(start, Math.min(end, start + maxHeadSize))
    return line.includes('\r\n')
      ? new ProxyError('ERR_HEAD_TOO_LARGE', `a head of more than ${maxHeadSize} octets`)
      : new ProxyError('ERR_TARGET_TOO_LONG', `a request line of more than ${maxHeadSize} octets`)
  }

  /** Octets of the body, checked: to the exchange. */
  onBody(octets: Buffer, start: number, end: number): void {
    this.#exchange?.onRequestBody(octets, start, end)
  }

  /** The trailer section, unread: to the exchange. */
  onTrailers(octets: Buffer, start: number, end: number): void {
    this.#exchange?.onRequestTrailers(octets, start, end)
  }

  #onRequestComplete(): void {
    this.#state = 'waiting'
    this.deadline = NEVER
    this.#exchange?.onRequestEnd()
    if (this.#responseComplete) this.#endExchange()
  }

  // ── failures, deadlines and the end ─────────────────────────────────────────────────────────────────────────

  get onFault(): OnFault {
    return this.#context.onFault
  }

  onUnforeseen(error: ProxyError): void {
    this.#refuse(error)
  }

  giveUp(): void {
    this.#socket.destroy()
  }

  /** A failure of the request: the exchange is told and answers it; without one it is refused here. */
  #refuse(error: ProxyError): void {
    if (this.#exchange !== undefined) {
      const exchange = this.#exchange
      this.#exchange = undefined
      exchange.onClientFailed(error)
      return
    }
    this.fail(this.#context.onRefused(error, this))
  }

  onDeadline(): void {
    guard(this, () => this.#onDeadline())
  }

  #onDeadline(): void {
    switch (this.#state) {
      case 'idle':
        if (this.#heads.begun)
          this.#refuse(new ProxyError('ERR_HEAD_TIMEOUT', 'the head did not come in time'))
        // A slow client may still be taking the last response; the send deadline looks after that.
        else if (this.#outlet.pending)
          this.deadline = this.#context.deadlines.after(this.#context.limits.keepAliveTimeout)
        else this.#leave() // nobody waits for an answer
        return
      case 'body':
        this.#refuse(new ProxyError('ERR_BODY_TIMEOUT', 'no octet of the body came in time'))
        return
      case 'waiting':
        this.#onGone(new Error('the client closed its side and nothing more could be sent to it'))
        return
      case 'tunnel':
      case 'discarding':
      case 'closed':
        this.#end()
    }
  }

  onDrain(): void {
    guard(this, () => {
      if (this.#tunnel !== undefined) this.#tunnel.onDrain()
      else if (this.#state === 'idle') this.proceed()
      else this.#exchange?.onClientDrain()
    })
  }

  onStalled(): void {
    guard(this, () => {
      const error = new ProxyError(
        'ERR_CLIENT_STALLED',
        'the client took no octet for the whole send deadline',
      )
      this.#exchange?.onClientFailed(error)
      this.#end()
    })
  }

  onRefused(): void {
    // 'error' and 'close' follow.
  }

  /** The client closed its side. Whether it still listens cannot be known; see docs/decisions/0003-half-close.md. */
  #onEnd(): void {
    this.#inputEnded = true
    const more = this.#kept.length > 0 // it sent that before: proceed() comes back
    switch (this.#state) {
      case 'idle':
        if (!more) this.#linger()
        return
      case 'body':
        if (!more) this.#onGone(new Error('the client closed the connection within a body'))
        return
      case 'waiting':
        this.deadline = this.#context.deadlines.after(this.#context.limits.halfCloseTimeout)
        return
      case 'tunnel':
        if (!more) this.#tunnel?.onEnd()
        return
      case 'discarding':
      case 'closed':
    }
  }

  /** The client is gone, and takes the exchange with it. */
  #onGone(cause: Error): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.onClientFailed(new ProxyError('ERR_CLIENT_CLOSED', cause.message, { cause }))
    this.#tunnel?.onClosed()
    this.#tunnel = undefined
    this.#end()
  }

  /** Ends the connection: by RST when some of a response is missing, so that not even one without a length looks whole. */
  #end(): void {
    if (this.#outlet.pending || (this.#responseBegun && !this.#responseComplete)) this.#outlet.reset()
    else this.#socket.destroy()
  }

  #onClose(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.deadline = NEVER
    this.#kept.clear()
    this.#inlet.detach()
    this.#outlet.detach()
    this.#context.deadlines.unwatch(this)
    // Its own house first: whatever those who are told now may do, nothing of it is left behind.
    if (this.#exchange !== undefined || this.#tunnel !== undefined)
      guard(this, () => this.#onGone(new Error('the connection closed')))
    this.#context.onClosed(this)
  }

  /** Closes where nothing is under way. TLS says that it does (RFC 8446 §6.1), or else it would look like an attack. */
  #leave(): void {
    if (this.#context.forms.scheme === 'http') {
      this.#socket.destroy()
      return
    }
    this.#state = 'discarding'
    this.deadline = this.#context.deadlines.after(LINGER)
    this.#socket.destroySoon()
  }

  /** The proxy shuts down: an idle connection ends now, a busy one with its response. */
  drain(): void {
    if (this.#state !== 'idle' || this.#heads.begun) return
    if (this.#outlet.pending) this.#linger()
    else this.#leave()
  }

  /** Ends the connection whatever it is doing: the drain deadline has passed. */
  destroy(): void {
    if (this.#exchange !== undefined)
      this.#refuse(new ProxyError('ERR_DRAINED', 'the drain deadline has passed'))
    this.#outlet.flush()
    this.#end()
  }

  // ── another protocol ────────────────────────────────────────────────────────────────────────────────────────

  /** From here on octets pass as they are (RFC 9110 §7.8). What was sent behind the request goes first. */
  becomeTunnel(head: string, tunnel: RawSink): RawPeer {
    this.#state = 'tunnel'
    this.#exchange = undefined
    this.#tunnel = tunnel
    this.deadline = NEVER
    this.#outlet.text(head)
    return {
      outlet: this.#outlet,
      inlet: this.#inlet,
      proceed: () => this.proceed(),
    }
  }
}

/** The octets of `HEAD`, as a number. */
const HEAD = 0x48454144

/** Whether a head begins with `HEAD` and a blank, which is looked at before it is known whether it can be read. */
function asksForHead({ octets, start, end }: WholeHead): boolean {
  return end - start > 4 && octets.readUInt32BE(start) === HEAD && octets[start + 4] === SP
}
