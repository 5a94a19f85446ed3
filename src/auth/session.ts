// `session`: tokens that signet gives to who logs in, and takes as Bearer. In: username and password; requests. Out: a token;
// whose it is. An account that is gone from the file has no session any more, and its role is that of the file.

import type { SessionConfig } from '../http/authentication.ts'
import type { Attempts } from './attempts.ts'
import { type AuthContext, type Authenticator, Rejection } from './authenticator.ts'
import { identityOf } from './basic.ts'
import { type Checks, loadChecks } from './documents.ts'
import { HmacSignature } from './hmac.ts'
import { JwtAuthenticator, type JudgeClaims } from './jwt.ts'
import type { Accounts } from './passwords.ts'
import { SecretVerifier } from './signed-token.ts'
import { identify } from './token-claims.ts'

/** What became of a login. */
export type LoginResult =
  | { readonly kind: 'welcome'; readonly token: string; readonly username: string; readonly role: string }
  /** no JSON, or not what it has to be */
  | { readonly kind: 'malformed'; readonly reason: string }
  | { readonly kind: 'refused' }
  /** seconds until another attempt may be made */
  | { readonly kind: 'limited'; readonly retryAfter: number }
  | { readonly kind: 'busy' }

/** Who can be logged in to. */
export interface Login {
  readonly name: string
  /** @param body of the request, whole */
  login(body: Buffer, address: string): Promise<LoginResult>
}

/** Sessions. */
export class SessionAuthenticator extends JwtAuthenticator implements Authenticator, Login {
  readonly #config: SessionConfig
  readonly #accounts: Accounts
  readonly #attempts: Attempts
  readonly #now: () => number
  readonly #signature: HmacSignature
  readonly #issuer: string
  #checks: Promise<Checks> | undefined = undefined

  constructor(config: SessionConfig, accounts: Accounts, attempts: Attempts, context: AuthContext) {
    const secret = Buffer.from(config.secret, 'base64url')
    // Another authenticator may have the same secret: its tokens are none of these.
    const issuer = `signet:${config.name}`
    const policy = { subject: 'sub', issuer, leeway: 0, requiredClaims: ['exp'] }
    const judge: JudgeClaims = (claims, now) => {
      const found = identify(claims, policy, now, config.name)
      if (found instanceof Rejection) return found
      const user = accounts.find(found.identity.subject)
      if (user === undefined) return new Rejection('invalid', 'there is no such account any more')
      const known = identityOf(user, config.name)
      return { ...found, identity: { ...known, claims: { ...claims, ...known.claims } } }
    }
    super(config, new SecretVerifier(['HS256'], secret), judge, context)
    this.#config = config
    this.#accounts = accounts
    this.#attempts = attempts
    this.#now = context.now
    this.#signature = new HmacSignature('HS256', secret)
    this.#issuer = issuer
  }

  async login(body: Buffer, address: string): Promise<LoginResult> {
    this.#checks ??= loadChecks()
    const { login } = await this.#checks
    const checked = login(jsonIn(body))
    if (!checked.ok) return { kind: 'malformed', reason: checked.reason }
    const retryAfter = this.#attempts.take(address)
    if (retryAfter > 0) return { kind: 'limited', retryAfter }
    const { username, password } = checked.document
    const user = await this.#accounts.check(username, password)
    if (user === undefined) return { kind: 'refused' }
    this.#attempts.giveBack(address)
    if (user === 'busy') return { kind: 'busy' }
    const { name, role } = user
    return { kind: 'welcome', token: this.#tokenFor(name, role), username: name, role }
  }

  #tokenFor(name: string, role: string): string {
    const iat = Math.floor(this.#now() / 1000)
    const claims = {
      iss: this.#issuer,
      sub: name,
      user_id: name,
      role,
      iat,
      exp: iat + this.#config.lifetime,
    }
    const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
    return `${signed}.${this.#signature.sign(signed)}`
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

/** @returns undefined, which fits no schema, for what is no JSON in UTF-8 */
function jsonIn(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
}
