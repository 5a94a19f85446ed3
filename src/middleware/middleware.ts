// What a middleware is: generators that stand before and behind the stages of an exchange, and what they see of it. These are
// the types that programs are written against.

import type { FailureCode } from '../errors.ts'
import type { Identity } from '../http/identity.ts'

/** Where on the road of a request a middleware stands: the outermost first. */
export const PHASES = ['client-edge', 'proxy', 'target-edge'] as const

/**
 * One of {@link PHASES}: `client-edge` before it is asked who is asking; `proxy` behind that and behind limits;
 * `target-edge` when the target has been chosen, right before the token is signed.
 */
export type MiddlewarePhase = (typeof PHASES)[number]

/**
 * What runs around an exchange. What stands before the first `yield` runs before the upstream is asked; what stands behind it,
 * when the head of the response is there and has not been sent. A second `yield` waits for the end of the exchange, however it
 * ends: `finally` runs then at the latest, once. A plain generator (`function*`) costs no promise; an async one may wait.
 *
 * @throws anything: the exchange fails with `ERR_MIDDLEWARE`, 500
 */
export type MiddlewareFunction = (
  exchange: MiddlewareExchange,
) => AsyncGenerator<void, void, void> | Generator<void, void, void>

/** A function alone stands in the phase `proxy`. */
export type Middleware =
  | MiddlewareFunction
  | {
      readonly phase: MiddlewarePhase
      readonly run: MiddlewareFunction
      /** as the log names it; the name of the function, unless set */
      readonly name?: string
    }

/** One exchange, as its middleware sees it. Each exchange has its own. */
export interface MiddlewareExchange {
  /** the id of the request, as in the log and in refusals */
  readonly id: string
  /** the client's address */
  readonly client: string
  /** name of the route */
  readonly route: string
  /** who is asking, from the phase `proxy` on, where the route asks; never in `client-edge` before the `yield` */
  readonly identity: Identity | undefined
  /** the target that was chosen, such as `127.0.0.1:3000`; from the phase `target-edge` on */
  readonly upstream: string | undefined
  readonly request: MiddlewareRequest
  /** undefined until there is one, and where none has come */
  readonly response: MiddlewareResponse | undefined
  /** why the exchange has failed, for `finally`; undefined while it has not */
  readonly failure: { readonly code: FailureCode; readonly status: number } | undefined
  /** shared by all middleware of the exchange, and by nobody else */
  readonly state: Record<string, unknown>
  /** Aborts when the exchange has failed: the client has gone, a deadline has passed. For `fetch` and its like. */
  readonly signal: AbortSignal
  /**
   * Answers in place of the upstream, which is not asked any more; behind the `yield`, in place of the response that is there,
   * whose body is dropped. Middleware further out sees this response.
   *
   * @throws {TypeError} when the response has begun; for a status, a field or a body that cannot be sent
   */
  respond(answer: MiddlewareAnswer): void
}

/** A response that a middleware gives by itself. */
export interface MiddlewareAnswer {
  /** 200 to 599 */
  readonly status: number
  /** by name; a text body is `text/plain` unless `content-type` says otherwise */
  readonly fields?: Readonly<Record<string, string>>
  /** text is sent as UTF-8; none with 204, 205 and 304 */
  readonly body?: string | Uint8Array
}

/** The request, as it will be forwarded. Changes count until it has been. */
export interface MiddlewareRequest {
  readonly method: string
  /**
   * The request-target that will be forwarded: path and query. What is set here counts, whatever the route's `rewrite` says; it
   * leads to no other route.
   *
   * @throws {TypeError} when it is no origin-form, or has more than one reading
   */
  target: string
  /** the path of {@link target} */
  readonly path: string
  /** the query of {@link target}, without its `?`; empty where there is none */
  readonly query: string
  /** what Host says */
  readonly authority: string | undefined
  /** parameters of the route's path, decoded */
  readonly params: Readonly<Record<string, string | undefined>>
  readonly fields: MessageFields
  /**
   * Reads the whole body, which is forwarded afterwards as it came.
   *
   * @param limit octets; of more, the exchange is refused with 413
   * @throws {TypeError} when the request is on its way already
   */
  body(limit: number): Promise<Buffer>
  /**
   * Forwards this body in place of the one received, which has to have been read.
   *
   * @throws {TypeError} when it has not, or when the request is on its way already
   */
  setBody(body: string | Uint8Array): void
}

/** The head of the response. Changes count until it has been sent. */
export interface MiddlewareResponse {
  readonly status: number
  readonly fields: MessageFields
}

/**
 * The fields of a message. Names are compared without regard to case; `set` and `delete` take along every spelling that an
 * upstream may take for the same, such as `X_Role` for `X-Role`. What is about the connection or the framing, and what only
 * signet may say (the token, `fields` of the configuration, forwarding fields) can be changed by nobody else.
 */
export interface MessageFields extends Iterable<readonly [name: string, value: string]> {
  /** All values as one list (RFC 9110 §5.3); undefined where there is none. */
  get(name: string): string | undefined
  /** The value of each line. */
  getAll(name: string): readonly string[]
  has(name: string): boolean
  /** In place of all lines of that name. @throws {TypeError} for what must not be set */
  set(name: string, value: string): void
  /** One more line. @throws {TypeError} as {@link set} */
  append(name: string, value: string): void
  /** @throws {TypeError} as {@link set} */
  delete(name: string): void
}
