// The middleware of one exchange. In: the chain of its route, its heads as they come. Out: heads with what was changed, or a
// response in place of the upstream's; every generator resumed where it stands, and ended once, whatever becomes of the exchange.

import { messageOf, ProxyError } from '../errors.ts'
import type { FieldRules } from '../http/forward-fields.ts'
import type { Identity } from '../http/identity.ts'
import type { ResponseHead } from '../http/response.ts'
import type { Withheld } from '../http/rewrite.ts'
import { type Deadlines, NEVER, type Watched } from '../net/deadlines.ts'
import type { Answer } from './answer.ts'
import type { MiddlewareChain, NamedMiddleware } from './chain.ts'
import { ExchangeView, type Facts } from './exchange-view.ts'
import type { BodySource, RequestView } from './request-view.ts'
import type { MiddlewareFunction, MiddlewarePhase } from './middleware.ts'

/** The exchange that the middleware stands in. */
export interface MiddlewareHost {
  /** The body of the request comes from now on, as data without framing. */
  onBodyWanted(expectsContinue: boolean): void
  /** A middleware has answered. */
  onMiddlewareAnswer(answer: Answer): void
  /** The exchange cannot go on. */
  onMiddlewareFailed(error: ProxyError): void
  /** What is thrown by signet itself, where it goes on behind a middleware. */
  onUnforeseen(thrown: unknown): void
}

/** Told of a middleware that has thrown, with the name it has in the log. */
export type OnMiddlewareFault = (name: string, thrown: unknown) => void

/** What all of them share. */
export interface MiddlewareContext {
  readonly rules: FieldRules
  readonly deadlines: Deadlines
  /** ms that one may be waited for */
  readonly timeout: () => number
  readonly onFault: OnMiddlewareFault
}

/** One step of a generator, done or under way. */
type Step = IteratorResult<void, void> | Promise<IteratorResult<void, void>>

/** One middleware that has begun. */
interface Begun {
  readonly name: string
  readonly generator: ReturnType<MiddlewareFunction>
  done: boolean
}

/** The middleware of one exchange. */
export class MiddlewareRun implements Watched, BodySource {
  deadline = NEVER
  readonly #chain: MiddlewareChain
  readonly #context: MiddlewareContext
  readonly #host: MiddlewareHost
  readonly #view: ExchangeView
  /** in the order in which they have begun: the outermost first */
  readonly #begun: Begun[] = []
  /** which one is waited for */
  #waitsFor = ''
  /** from its first wait to its end */
  #watched = false
  #over = false
  /** what it has ended with */
  #failure: ProxyError | undefined = undefined

  constructor(chain: MiddlewareChain, context: MiddlewareContext, host: MiddlewareHost, facts: Facts) {
    this.#chain = chain
    this.#context = context
    this.#host = host
    this.#view = new ExchangeView(facts, context.rules, this)
  }

  // ── before the upstream is asked ────────────────────────────────────────────────────────────────────────────

  /**
   * Runs all of a phase up to their first `yield`, and then `goOn`: before this returns, unless one of them waits. Not at all,
   * when one has answered or thrown.
   *
   * @param identity who is asking, as far as that is known
   * @param target the request-target to forward, as the route has it
   * @param upstream name of the target that was chosen
   */
  before(
    phase: MiddlewarePhase,
    identity: Identity | undefined,
    target: string | undefined,
    upstream: string | undefined,
    goOn: () => void,
  ): void {
    this.#view.know(identity, target, upstream)
    if (phase === 'proxy') this.#view.seenRequest?.onAdmitted()
    this.#begin(phase, 0, goOn)
  }

  #begin(phase: MiddlewarePhase, from: number, goOn: () => void): void {
    const all = this.#chain.phases[phase]
    for (let at = from; at < all.length; at++) {
      const step = this.#start(all[at]!)
      if (step === undefined) return
      const one = this.#begun.at(-1)!
      if (isPromise(step)) {
        this.#wait(one, step, () => {
          if (!this.#isAnswered()) this.#begin(phase, at + 1, goOn)
        })
        return
      }
      one.done = step.done === true
      if (this.#isAnswered()) return
    }
    const collecting = this.#view.seenRequest?.collecting
    if (collecting === undefined) this.#leave(phase, goOn)
    else {
      // Asked for, and not waited for: what is forwarded must be whole all the same. Its end comes as a failure otherwise.
      const forward = () => {
        if (!this.#isAnswered()) this.#leave(phase, goOn)
      }
      collecting.whole.then(() => this.#goOn(forward)).catch(() => undefined)
    }
  }

  #leave(phase: MiddlewarePhase, goOn: () => void): void {
    if (phase === 'target-edge') this.#view.onSent()
    goOn()
  }

  /** @returns undefined when it has thrown: the exchange has failed then */
  #start({ name, run }: NamedMiddleware): Step | undefined {
    try {
      const generator = run(this.#view)
      if (typeof generator?.next !== 'function')
        throw new TypeError('a middleware is a generator function: async function* or function*')
      this.#begun.push({ name, generator, done: false })
      return generator.next()
    } catch (thrown) {
      this.#fail(name, thrown)
      return undefined
    }
  }

  /** Whether there is a response already, which then goes the way of all responses, out through those that have begun. */
  #isAnswered(): boolean {
    if (this.#view.answer === undefined) return false
    this.#resume(this.#begun.length - 1, () => undefined)
    return true
  }

  /** It goes to another target. */
  onMoved(upstream: string): void {
    this.#view.onMoved(upstream)
  }

  /** The request, if it may have been changed. */
  get request(): RequestView | undefined {
    return this.#view.seenRequest
  }

  /** Without the fields that were set since the caller was let in: they are for the upstream, unless signet has its own. */
  withoutOwn(withheld: Withheld | undefined): Withheld | undefined {
    const own = this.#view.seenRequest?.late
    if (withheld === undefined || own === undefined || own.size === 0) return withheld
    return {
      ...withheld,
      names: new Set([...withheld.names].filter((name) => name === withheld.replaced || !own.has(name))),
    }
  }

  /** With the fields that were changed: what the head says of them, no trailer section says again. */
  withChanged(withheld: Withheld | undefined): Withheld | undefined {
    const changed = this.#view.seenRequest?.changed
    if (changed === undefined || changed.size === 0) return withheld
    return { ...withheld, names: new Set([...(withheld?.names ?? []), ...changed]) }
  }

  // ── the body of the request ─────────────────────────────────────────────────────────────────────────────────

  /** Whether the body is being collected. */
  get collects(): boolean {
    return this.#view.seenRequest?.collecting !== undefined
  }

  onBodyWanted(expectsContinue: boolean): void {
    this.deadline = NEVER // it is the client that is waited for, which has deadlines of its own
    this.#host.onBodyWanted(expectsContinue)
  }

  onBodyRefused(error: ProxyError): void {
    // Not at once: the middleware that has asked is still running.
    queueMicrotask(() => {
      if (!this.#over) this.#host.onMiddlewareFailed(error)
    })
  }

  /** Takes a piece. @throws {ProxyError} `ERR_BODY_TOO_LARGE` */
  onRequestBody(octets: Buffer, start: number, end: number): void {
    if (!this.#over) this.#view.seenRequest?.collecting?.add(octets, start, end)
  }

  /** Takes the trailer fields that may pass. */
  onRequestTrailers(lines: string): void {
    this.#view.seenRequest?.collecting?.addTrailers(lines)
  }

  /** The body is whole. */
  onRequestEnd(): void {
    if (!this.collects) return
    this.#view.seenRequest?.collecting?.end()
    if (this.#waitsFor !== '') this.#arm()
  }

  // ── when the head of the response is there ──────────────────────────────────────────────────────────────────

  /**
   * Resumes all in reverse order, and then calls `goOn` with the head to send: before this returns, unless one of them waits.
   *
   * @returns whether that was so
   */
  after(head: ResponseHead, goOn: (head: ResponseHead) => void): boolean {
    this.#view.onResponse(head)
    return this.#resume(this.#begun.length - 1, goOn)
  }

  #resume(from: number, goOn: (head: ResponseHead) => void): boolean {
    for (let at = from; at >= 0; at--) {
      const one = this.#begun[at]!
      if (one.done) continue
      const step = this.#next(one)
      if (step === undefined) return true
      if (isPromise(step)) {
        this.#wait(one, step, () => this.#resume(at - 1, goOn))
        return false
      }
      one.done = step.done === true
    }
    const { answer } = this.#view
    const head = this.#view.onBegun()
    if (answer === undefined) goOn(head)
    else this.#host.onMiddlewareAnswer({ ...answer, head })
    return true
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** The exchange is over: whatever has not come to its end is ended, the innermost first. Once. */
  end(failure: ProxyError | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#stopWaiting()
    if (this.#watched) this.#context.deadlines.unwatch(this)
    this.#failure = failure
    this.#view.onEnd(failure)
    for (let at = this.#begun.length - 1; at >= 0; at--) {
      const one = this.#begun[at]!
      if (!one.done) this.#finish(one, failure)
    }
  }

  /** Well, it goes on behind its second `yield`; otherwise it ends where it stands. `finally` runs either way. */
  #finish({ name, generator }: Begun, failure: ProxyError | undefined): void {
    const onFault = (thrown: unknown) => this.#report(name, thrown)
    const close = (step: IteratorResult<void, void>) => (step.done ? undefined : generator.return())
    try {
      const step: Step = failure === undefined ? generator.next() : generator.return()
      if (isPromise(step)) step.then(close).catch(onFault)
      else close(step)
    } catch (thrown) {
      onFault(thrown)
    }
  }

  // ── waiting, and what goes wrong ────────────────────────────────────────────────────────────────────────────

  #wait(one: Begun, step: Promise<IteratorResult<void, void>>, goOn: () => void): void {
    this.#waitsFor = one.name
    if (!this.collects) this.#arm()
    if (!this.#watched) this.#context.deadlines.watch(this)
    this.#watched = true
    step.then(
      ({ done }) => {
        one.done = done === true
        if (this.#over) return
        this.#stopWaiting()
        this.#goOn(goOn)
      },
      (thrown: unknown) => {
        if (this.#over) {
          this.#report(one.name, thrown)
          return
        }
        this.#stopWaiting()
        this.#fail(one.name, thrown)
      },
    )
  }

  /** Goes on after a wait, where nobody is left to catch anything. */
  #goOn(next: () => void): void {
    if (this.#over) return
    try {
      next()
    } catch (thrown) {
      this.#host.onUnforeseen(thrown)
    }
  }

  #arm(): void {
    this.deadline = this.#context.deadlines.after(this.#context.timeout())
  }

  #stopWaiting(): void {
    this.#waitsFor = ''
    this.deadline = NEVER
  }

  onDeadline(): void {
    const reason = `the middleware ${this.#waitsFor} took more than ${this.#context.timeout()} ms`
    this.#host.onMiddlewareFailed(new ProxyError('ERR_MIDDLEWARE_TIMEOUT', reason))
  }

  /** @returns undefined when it has thrown: the exchange has failed then */
  #next({ name, generator }: Begun): Step | undefined {
    try {
      return generator.next()
    } catch (thrown) {
      this.#fail(name, thrown)
      return undefined
    }
  }

  /** Tells of what is thrown when the exchange is over, unless it is but word of that. */
  #report(name: string, thrown: unknown): void {
    const aborted = thrown === this.#failure || (thrown instanceof Error && thrown.name === 'AbortError')
    if (!aborted) this.#context.onFault(name, thrown)
  }

  #fail(name: string, thrown: unknown): void {
    // A refusal that it was handed, such as that of a body, is none of its faults.
    if (thrown instanceof ProxyError) return this.#host.onMiddlewareFailed(thrown)
    this.#context.onFault(name, thrown)
    const reason = `the middleware ${name} has thrown: ${messageOf(thrown)}`
    this.#host.onMiddlewareFailed(new ProxyError('ERR_MIDDLEWARE', reason, { cause: thrown }))
  }
}

function isPromise(step: Step): step is Promise<IteratorResult<void, void>> {
  return 'then' in step
}
