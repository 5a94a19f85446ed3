// One request to signet's own login. In: the request's head, then its body, which is small and has a deadline. Out: a token;
// or a refusal that tells as little as it can. It goes to no upstream, so it is no Exchange.

import type { OnAdmission } from './admission.ts'
import type { Login, LoginResult } from './auth/session.ts'
import { asProxyError, FAILURES, ProxyError } from './errors.ts'
import type { Stages } from './exchange.ts'
import { writeRefusal, writeResponse } from './http/refusal.ts'
import type { RequestHead } from './http/request.ts'
import { NEVER, type Watched } from './net/deadlines.ts'
import type { ClientExchange, Downstream } from './net/downstream.ts'

/** Octets of a body, and of the chunks that it is in. */
const LONGEST_BODY = 4096
/** ms for the body to be there as a whole */
const BODY_DEADLINE = 10_000

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

/** One request for a token. */
export class LoginExchange implements ClientExchange, Watched {
  deadline = NEVER
  readonly #head: RequestHead
  readonly #client: Downstream
  readonly #login: Login
  readonly #stages: Stages
  readonly #onLogin: OnAdmission
  readonly #id: string
  readonly #startedAt: number
  readonly #octetsBefore: number
  #pieces: Buffer[] = []
  #octets = 0
  #state: 'body' | 'checking' | 'over' = 'body'
  /** who has logged in */
  #subject: string | undefined = undefined

  constructor(head: RequestHead, client: Downstream, login: Login, stages: Stages, onLogin: OnAdmission) {
    this.#head = head
    this.#client = client
    this.#login = login
    this.#stages = stages
    this.#onLogin = onLogin
    this.#id = stages.nextRequestId()
    this.#startedAt = stages.clock()
    this.#octetsBefore = client.octetsOut
    stages.observer.onStarted()
  }

  start(): void {
    const { deadlines } = this.#stages
    const { method, contentLength = 0, expectsContinue } = this.#head
    if (method !== 'POST') {
      const fields = { Allow: 'POST' }
      return this.#fail(new ProxyError('ERR_METHOD_NOT_ALLOWED', 'a login is a POST', { fields }))
    }
    if (contentLength > LONGEST_BODY) return this.#fail(tooLarge())
    this.deadline = deadlines.after(BODY_DEADLINE)
    deadlines.watch(this)
    if (expectsContinue) this.#client.sendInterim(CONTINUE)
  }

  // ── the body ────────────────────────────────────────────────────────────────────────────────────────────────

  readonly ready = true

  onRequestBody(octets: Buffer, start: number, end: number): void {
    if (this.#state !== 'body') return
    this.#octets += end - start
    if (this.#octets > LONGEST_BODY) throw tooLarge() // the connection brings it back, as a failure of the request
    this.#pieces.push(Buffer.from(octets.subarray(start, end))) // borrowed
  }

  onRequestTrailers(): void {
    // Nothing in them is of interest.
  }

  onRequestEnd(): void {
    if (this.#state !== 'body') return
    this.#state = 'checking'
    this.#stages.deadlines.unwatch(this)
    const received = Buffer.concat(this.#pieces)
    const body = this.#head.framing.kind === 'chunked' ? withoutChunks(received) : received
    this.#pieces = []
    this.#login
      .login(body, this.#client.forwarding.clientOf(this.#head))
      .then((result) => this.#conclude(result))
      .catch((thrown: unknown) => this.#fail(asProxyError(thrown, this.#stages.onFault)))
  }

  onDeadline(): void {
    this.#fail(new ProxyError('ERR_BODY_TIMEOUT', 'the body of a login did not come in time'))
  }

  onClientDrain(): void {
    // All there is to send has been handed over at once.
  }

  onClientFailed(error: ProxyError): void {
    this.#fail(error)
  }

  // ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────

  #conclude(result: LoginResult): void {
    if (this.#state === 'over') return // the client left meanwhile
    this.#onLogin(this.#login.name, `login-${result.kind}`)
    switch (result.kind) {
      case 'welcome':
        return this.#welcome(result)
      case 'malformed':
        return this.#fail(new ProxyError('ERR_LOGIN_MALFORMED', result.reason))
      case 'refused': {
        const fields = { 'WWW-Authenticate': 'Bearer realm="signet"' }
        return this.#fail(new ProxyError('ERR_LOGIN_REFUSED', 'user or password is wrong', { fields }))
      }
      case 'limited': {
        const fields = { 'Retry-After': String(result.retryAfter) }
        const reason = 'too many wrong passwords from this address'
        return this.#fail(new ProxyError('ERR_ATTEMPTS_LIMITED', reason, { fields }))
      }
      case 'busy':
        return this.#fail(
          new ProxyError('ERR_AUTHENTICATION_UNAVAILABLE', 'too many passwords are being checked'),
        )
    }
  }

  #welcome({ token, username, role }: LoginResult & { kind: 'welcome' }): void {
    this.#state = 'over'
    this.#subject = username
    const close = !this.#head.persistent || !this.#client.mayPersist
    const body = `${JSON.stringify({ token, user: { username, role } })}\n`
    this.#client.sendHead(
      writeResponse(200, 'application/json', body, this.#stages.date(), close, true),
      close,
    )
    this.#record(200, undefined, 0)
    this.#client.finish()
  }

  /** Once: whatever comes after it is of no interest. */
  #fail(error: ProxyError): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#pieces = []
    this.#stages.deadlines.unwatch(this)
    const { status } = FAILURES[error.code]
    if (status === 499) return this.#record(status, error, 0)
    let recorded = false
    const record = (unsent: number) => {
      if (!recorded) this.#record(status, error, unsent)
      recorded = true
    }
    this.#client.fail((close) => {
      const withBody = this.#head.method !== 'HEAD'
      const text = writeRefusal(error, this.#id, this.#stages.date(), close, withBody)
      record(text.length) // before it is sent, since the next request may begin then
      return text
    })
    record(0)
  }

  #record(status: number, failure: ProxyError | undefined, unsent: number): void {
    const { observer, clock } = this.#stages
    const { received, method } = this.#head
    const query = received.indexOf('?')
    observer.onFinished({
      id: this.#id,
      trace: this.#stages.trace?.(this.#head).id,
      client: this.#client.forwarding.clientOf(this.#head),
      method,
      path: query === -1 ? received : received.slice(0, query),
      route: undefined,
      status,
      failure,
      octetsIn: this.#client.octetsIn,
      octetsOut: this.#client.octetsOut - this.#octetsBefore + unsent,
      duration: clock() - this.#startedAt,
      upstreamDuration: undefined,
      upstream: undefined,
      reused: false,
      retried: false,
      jti: undefined,
      subject: this.#subject,
      encoding: undefined,
    })
  }
}

/** What is in the chunks of a whole body (RFC 9112 §7.1), which has been checked on its way here. */
function withoutChunks(body: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const lineEnd = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, lineEnd), 16) // it ends where an extension begins
    if (!(size > 0)) break
    pieces.push(body.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
  return Buffer.concat(pieces)
}

function tooLarge(): ProxyError {
  return new ProxyError('ERR_BODY_TOO_LARGE', `the body of a login has more than ${LONGEST_BODY} octets`)
}
