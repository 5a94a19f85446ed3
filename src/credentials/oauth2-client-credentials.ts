// `oauth2-client-credentials`: a token for signet itself (RFC 6749 §4.4), which requests share. In: a request. Out: the token, at
// once while it is good. It is renewed shortly before, by the first request of that time, which does not wait for it; where
// there is none, all who want it wait for one question.

import { messageOf } from '../errors.ts'
import type { ClientCredentialConfig } from '../http/credentials.ts'
import {
  bearerLine,
  type Credential,
  type CredentialContext,
  type TokenSource,
  type TokenWaiter,
} from './credential.ts'
import { type Grant, type Token, TokenEndpoint } from './token-endpoint.ts'

/** Seconds that a token counts whose server does not say how long it is good. */
const UNKNOWN_LIFETIME = 60
/** Seconds that any token counts at most. */
const LONGEST_LIFETIME = 86_400
/** ms that a failure counts: a server that is down is asked once a second, however many want a token. */
const FAILURE_COUNTS = 1000
/** ms: a token younger than this that an upstream refuses is not to blame, and a new one would fare no better. */
const YOUNG = 10_000

/** Asks for one token. */
type Ask = (trace: string | undefined) => Promise<Token>

/** Tokens that are used again, one for each scope. */
export class ClientCredential implements Credential {
  readonly name: string
  readonly #config: ClientCredentialConfig
  readonly #context: CredentialContext
  readonly #tokens: TokenEndpoint
  readonly #sources = new Map<string | undefined, SharedToken>()

  constructor(config: ClientCredentialConfig, context: CredentialContext) {
    this.name = config.name
    this.#config = config
    this.#context = context
    this.#tokens = new TokenEndpoint(config)
  }

  /** Routes with one scope share its token; and so do a route and what it becomes by a reload. */
  sourceOf(scope = this.#config.scope): TokenSource {
    const known = this.#sources.get(scope)
    if (known !== undefined) return known
    const ask: Ask = (trace) => this.#tokens.obtain((grant) => this.#ask(grant, scope), scope, trace)
    const source = new SharedToken(this.#config, ask, this.#context)
    this.#sources.set(scope, source)
    return source
  }

  close(): void {
    this.#tokens.close()
  }

  #ask(
    { oauth, server, client, authentication, options }: Grant,
    scope: string | undefined,
  ): Promise<Response> {
    const { audience } = this.#config
    const parameters = { ...(scope !== undefined && { scope }), ...(audience !== undefined && { audience }) }
    return oauth.clientCredentialsGrantRequest(server, client, authentication, parameters, options)
  }
}

/** The token of one scope, and what is known of it. Times are monotonic ms. */
class SharedToken implements TokenSource {
  readonly credential: string
  readonly #margin: number
  readonly #ask: Ask
  readonly #context: CredentialContext
  #line = ''
  #obtained = Number.NEGATIVE_INFINITY
  /** from when on it is renewed */
  #renewal = Number.NEGATIVE_INFINITY
  /** from when on it is not used */
  #end = Number.NEGATIVE_INFINITY
  #asking: Promise<string> | undefined = undefined
  /** why there is none; undefined while all is well */
  #failure: { readonly thrown: unknown } | undefined = undefined
  #failed = Number.NEGATIVE_INFINITY

  constructor({ name, margin }: ClientCredentialConfig, ask: Ask, context: CredentialContext) {
    this.credential = name
    this.#margin = margin
    this.#ask = ask
    this.#context = context
  }

  authorize(_subject: string | undefined, { trace }: TokenWaiter): string | Promise<string> {
    const now = this.#context.clock()
    if (now < this.#renewal) return this.#line
    const mayAsk = now >= this.#failed + FAILURE_COUNTS
    if (now < this.#end) {
      // Nobody waits for this one: what goes wrong is told, and counts for who comes when the token has ended.
      if (mayAsk && this.#asking === undefined) this.#renew(trace).catch(() => undefined)
      return this.#line
    }
    if (this.#asking !== undefined) return this.#asking
    if (!mayAsk && this.#failure !== undefined) throw this.#failure.thrown
    return this.#renew(trace)
  }

  onUnauthorized(told: string): void {
    if (this.#line === '' || !told.includes(this.#line)) return // it had another token
    if (this.#context.clock() - this.#obtained < YOUNG) return
    this.#renewal = Number.NEGATIVE_INFINITY
    this.#end = Number.NEGATIVE_INFINITY
  }

  #renew(trace: string | undefined): Promise<string> {
    const { clock, observer } = this.#context
    const began = clock()
    const asking = this.#ask(trace).then(
      (token) => this.#keep(token, began),
      (thrown: unknown) => this.#fail(thrown),
    )
    this.#asking = asking.finally(() => {
      this.#asking = undefined
      observer.onAsked(this.credential, clock() - began)
    })
    return this.#asking
  }

  /** @param asked when: it may have been made at once, and sent late */
  #keep({ value, lifetime = UNKNOWN_LIFETIME }: Token, asked: number): string {
    const whole = Math.min(lifetime, LONGEST_LIFETIME) * 1000
    const margin = Math.min(this.#margin, whole / 4) // of a token that lives for less than that, too
    this.#line = bearerLine(value)
    this.#obtained = asked
    this.#end = asked + whole - margin
    this.#renewal = this.#end - margin
    if (this.#failure !== undefined)
      this.#context.observer.onCondition(this.credential, 'well', 'there is a token again')
    this.#failure = undefined
    return this.#line
  }

  #fail(thrown: unknown): never {
    if (this.#failure === undefined)
      this.#context.observer.onCondition(this.credential, 'failing', messageOf(thrown))
    this.#failure = { thrown }
    this.#failed = this.#context.clock()
    throw thrown
  }
}
