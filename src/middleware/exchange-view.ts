// What the middleware of one exchange is shown of it. In: heads and facts as they become known. Out: the same with everything
// that was changed, and the response that was given in place of the upstream's. What nobody looks at is not made.

import type { ProxyError } from '../errors.ts'
import type { FieldRules } from '../http/forward-fields.ts'
import type { Identity } from '../http/identity.ts'
import type { Params } from '../http/path-tree.ts'
import type { RequestHead } from '../http/request.ts'
import type { ResponseHead } from '../http/response.ts'
import { type Answer, createAnswer } from './answer.ts'
import type {
  MiddlewareAnswer,
  MiddlewareExchange,
  MiddlewareRequest,
  MiddlewareResponse,
} from './middleware.ts'
import { type BodySource, RequestView } from './request-view.ts'
import { ResponseView } from './response-view.ts'

/** What is known of an exchange from its beginning. */
export interface Facts {
  readonly id: string
  readonly client: string
  readonly route: string
  readonly params: Params
  readonly head: RequestHead
}

/** One exchange. */
export class ExchangeView implements MiddlewareExchange {
  readonly #facts: Facts
  readonly #rules: FieldRules
  readonly #source: BodySource
  #identity: Identity | undefined = undefined
  #target: string | undefined = undefined
  #upstream: string | undefined = undefined
  #request: RequestView | undefined = undefined
  #responseHead: ResponseHead | undefined = undefined
  #response: ResponseView | undefined = undefined
  /** whether the request is on its way; whether the response is */
  #sent = false
  #begun = false
  #state: Record<string, unknown> | undefined = undefined
  #failure: ProxyError | undefined = undefined
  #aborter: AbortController | undefined = undefined
  /** the response that was given in place of the upstream's */
  answer: Answer | undefined = undefined

  constructor(facts: Facts, rules: FieldRules, source: BodySource) {
    this.#facts = facts
    this.#rules = rules
    this.#source = source
  }

  // ── for middleware ──────────────────────────────────────────────────────────────────────────────────────────

  get id(): string {
    return this.#facts.id
  }

  get client(): string {
    return this.#facts.client
  }

  get route(): string {
    return this.#facts.route
  }

  get identity(): Identity | undefined {
    return this.#identity
  }

  get upstream(): string | undefined {
    return this.#upstream
  }

  get request(): MiddlewareRequest {
    if (this.#request === undefined) {
      const { head, params } = this.#facts
      this.#request = new RequestView(head, params, this.#rules, this.#source)
      this.#request.routeTarget = this.#target
      if (this.#sent) this.#request.close()
    }
    return this.#request
  }

  get response(): MiddlewareResponse | undefined {
    if (this.#response === undefined && this.#responseHead !== undefined) {
      this.#response = new ResponseView(this.#responseHead, this.#rules)
      if (this.#begun) this.#response.close()
    }
    return this.#response
  }

  get failure(): MiddlewareExchange['failure'] {
    return this.#failure && { code: this.#failure.code, status: this.#failure.status }
  }

  get state(): Record<string, unknown> {
    this.#state ??= {}
    return this.#state
  }

  get signal(): AbortSignal {
    this.#aborter ??= new AbortController()
    if (this.#failure !== undefined) this.#aborter.abort(this.#failure)
    return this.#aborter.signal
  }

  respond(given: MiddlewareAnswer): void {
    if (this.#begun) throw new TypeError('the response has begun: it is too late for another')
    this.answer = createAnswer(given, this.#rules)
    this.#responseHead = this.answer.head
    this.#response = undefined
  }

  // ── for the exchange ────────────────────────────────────────────────────────────────────────────────────────

  /** The request, if a middleware has looked at it. */
  get seenRequest(): RequestView | undefined {
    return this.#request
  }

  /** What has become known. @param target the request-target to forward, as the route has it */
  know(identity: Identity | undefined, target: string | undefined, upstream: string | undefined): void {
    this.#identity = identity
    this.#target = target
    this.#upstream = upstream
    if (this.#request !== undefined) this.#request.routeTarget = target
  }

  /** It goes to another target than {@link know} has said. */
  onMoved(upstream: string): void {
    this.#upstream = upstream
  }

  /** The request goes on its way. */
  onSent(): void {
    this.#sent = true
    this.#request?.close()
  }

  /** The upstream has answered. What a middleware has answered meanwhile stands in place of that. */
  onResponse(head: ResponseHead): void {
    if (this.answer === undefined) this.#responseHead = head
  }

  /** The head goes to the client. @returns what goes */
  onBegun(): ResponseHead {
    this.#begun = true
    this.onSent()
    return this.#response?.close() ?? this.#responseHead! // there is one: it has come, or was given
  }

  /** It is over. */
  onEnd(failure: ProxyError | undefined): void {
    this.#begun = true
    this.#response?.close()
    this.onSent()
    if (failure === undefined) return
    this.#failure = failure
    this.#request?.collecting?.fail(failure)
    this.#aborter?.abort(failure)
  }
}
