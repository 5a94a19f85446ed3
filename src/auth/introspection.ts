// `introspection`: a Bearer token that its issuer is asked about (RFC 7662). In: a request. Out: whom the issuer says it is.
// Answers count for a short while; several requests with one token ask once; no answer in time lets nobody in.

import { hash } from 'node:crypto'
import type { IntrospectionConfig } from '../http/authentication.ts'
import { Remote } from './ask.ts'
import { type AuthContext, type Authenticator, type Outcome, Rejection } from './authenticator.ts'
import { MALFORMED, type ReceivedCredentials } from './credential.ts'
import { type Checks, loadChecks } from './documents.ts'
import { Recent, SingleFlight } from './recent.ts'
import { type Claims, identify } from './token-claims.ts'

/** Answers that are kept: of good tokens, and of all others, which anybody can send. */
const MOST_KEPT = 4096
/** Questions under way; with more, callers are turned away at once. */
const MOST_ASKED = 256

/** Tokens that somebody else knows about. */
export class IntrospectionAuthenticator implements Authenticator {
  readonly name: string
  readonly challenge = 'Bearer'
  readonly forward: boolean
  readonly #config: IntrospectionConfig
  readonly #context: AuthContext
  readonly #remote: Remote
  readonly #fields: Readonly<Record<string, string>>
  readonly #good = new Recent<Outcome>(MOST_KEPT)
  readonly #bad = new Recent<Outcome>(MOST_KEPT)
  readonly #flights = new SingleFlight<Outcome>()
  #checks: Promise<Checks> | undefined = undefined

  constructor(config: IntrospectionConfig, context: AuthContext) {
    this.name = config.name
    this.forward = config.forward
    this.#config = config
    this.#context = context
    this.#remote = new Remote(config.endpoint)
    // RFC 6749 §2.3.1: both are encoded as in a form before they become user and password.
    const pair = `${encodeForm(config.clientId)}:${encodeForm(config.clientSecret)}`
    this.#fields = {
      Authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
      'Content-Type': 'application/x-www-form-urlencoded',
    }
  }

  authenticate({ bearer, trace }: ReceivedCredentials): Outcome | Promise<Outcome> {
    if (bearer === undefined) return undefined
    if (bearer === MALFORMED) return new Rejection('invalid', 'Authorization is no Bearer token')
    const key = hash('sha256', Buffer.from(bearer, 'latin1'), 'base64url')
    const now = this.#context.now()
    const known = this.#good.get(key, now) ?? this.#bad.get(key, now)
    if (known !== undefined) return known
    const running = this.#flights.of(key)
    if (running !== undefined) return running
    if (this.#flights.size >= MOST_ASKED)
      return new Rejection('unavailable', `${MOST_ASKED} questions about tokens are under way`)
    return this.#flights.run(key, () => this.#ask(bearer, key, trace))
  }

  close(): void {
    this.#remote.close()
  }

  async #ask(token: string, key: string, trace: string | undefined): Promise<Outcome> {
    let claims: Claims
    try {
      this.#checks ??= loadChecks()
      const body = `token=${encodeForm(token)}&token_type_hint=access_token`
      const { introspection } = await this.#checks
      const fields = trace === undefined ? this.#fields : { ...this.#fields, traceparent: trace }
      const answer = await this.#remote.ask({ method: 'POST', fields, body })
      const checked = introspection(answer)
      if (!checked.ok) throw new Error(`no answer to introspection: ${checked.reason}`)
      claims = answer as Claims // an object, by the schema
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return new Rejection('unavailable', `nobody can say whether the token is good: ${reason}`)
    }
    const now = this.#context.now()
    const until = now + this.#config.cache
    const found = claims.active === true ? this.#judge(claims, Math.floor(now / 1000)) : NOT_ACTIVE
    const rejected = found instanceof Rejection
    const outcome = rejected ? found : found.identity
    // With a cache of 0 nothing is kept: not for a clock that is set back, and not in memory.
    if (until === now) return outcome
    if (rejected) this.#bad.set(key, outcome, until)
    else this.#good.set(key, outcome, Math.min(until, Math.ceil(found.expires) * 1000))
    return outcome
  }

  #judge(claims: Claims, now: number) {
    return identify(claims, this.#config.policy, now, this.name)
  }
}

const NOT_ACTIVE = new Rejection('invalid', 'its issuer says that the token is not active')

function encodeForm(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}
