// `jwt`: a signed token as Bearer. In: a request. Out: whom its claims name. A token that was good a moment ago is not
// verified again; for how long is bounded, so that a key which an issuer takes back does not count much longer.

import type { JwtConfig } from '../http/authentication.ts'
import type { Identity } from '../http/identity.ts'
import { type AuthContext, type Authenticator, type Outcome, Rejection } from './authenticator.ts'
import { MALFORMED, type ReceivedCredentials } from './credential.ts'
import { Recent } from './recent.ts'
import { createVerifier, type TokenVerifier } from './signed-token.ts'
import { type Claims, identify } from './token-claims.ts'

/** Tokens that were good lately. None but good ones, so nobody can fill it who has none. */
const MOST_KEPT = 1024
/** ms that a token is not verified again */
const KEPT_FOR = 60_000
/** Octets of a token that is kept. */
const LONGEST_KEPT = 4096

/** Whom claims name, and until when they count; or why they do not. */
export type JudgeClaims = (claims: Claims, now: number) => ReturnType<typeof identify>

/** Signed tokens. */
export class JwtAuthenticator implements Authenticator {
  readonly name: string
  readonly challenge = 'Bearer'
  readonly forward: boolean
  readonly #context: AuthContext
  readonly #verifier: TokenVerifier
  readonly #judge: JudgeClaims
  readonly #recent = new Recent<Identity>(MOST_KEPT)

  /** @param judge what is demanded of the claims beyond their signature */
  constructor(
    { name, forward }: { readonly name: string; readonly forward: boolean },
    verifier: TokenVerifier,
    judge: JudgeClaims,
    context: AuthContext,
  ) {
    this.name = name
    this.forward = forward
    this.#verifier = verifier
    this.#judge = judge
    this.#context = context
  }

  authenticate({ bearer }: ReceivedCredentials): Outcome | Promise<Outcome> {
    if (bearer === undefined) return undefined
    if (bearer === MALFORMED) return new Rejection('invalid', 'Authorization is no Bearer token')
    const known = this.#recent.get(bearer, this.#context.now())
    if (known !== undefined) return known
    const claims = this.#verifier.verify(bearer)
    return claims instanceof Promise
      ? claims.then((settled) => this.#conclude(bearer, settled))
      : this.#conclude(bearer, claims)
  }

  close(): void {
    this.#verifier.close()
  }

  #conclude(token: string, claims: Claims | Rejection): Outcome {
    if (claims instanceof Rejection) return claims
    const now = this.#context.now()
    const found = this.#judge(claims, Math.floor(now / 1000))
    if (found instanceof Rejection) return found
    if (token.length <= LONGEST_KEPT) {
      const until = Math.min(now + KEPT_FOR, Math.ceil(found.expires) * 1000)
      // Copied: what was cut out of a head would keep all of it in memory.
      this.#recent.set(Buffer.from(token, 'latin1').toString('latin1'), found.identity, until)
    }
    return found.identity
  }
}

/** The authenticator that is configured. */
export function createJwt(config: JwtConfig, context: AuthContext): Authenticator {
  const judge: JudgeClaims = (claims, now) => identify(claims, config.policy, now, config.name)
  return new JwtAuthenticator(config, createVerifier(config.key, context), judge, context)
}
