// `basic`: user and password with every request (RFC 7617). In: a request. Out: whose they are. A password costs a fifth of a
// second to check, so one that was right is remembered, by a digest that nobody outside can make.

import { hash, randomBytes } from 'node:crypto'
import type { BasicConfig, UserConfig } from '../http/authentication.ts'
import type { Identity } from '../http/identity.ts'
import type { Attempts } from './attempts.ts'
import { type AuthContext, type Authenticator, type Outcome, Rejection } from './authenticator.ts'
import { MALFORMED, type ReceivedCredentials } from './credential.ts'
import type { Accounts } from './passwords.ts'
import { Recent, SingleFlight } from './recent.ts'

const MOST_KEPT = 1024
/** ms that a right password is not checked again */
const KEPT_FOR = 600_000
/** Octets of user and password, in base64. */
const LONGEST = 2048

/** Users with passwords. */
export class BasicAuthenticator implements Authenticator {
  readonly name: string
  readonly challenge = 'Basic'
  readonly forward: boolean
  readonly #accounts: Accounts
  readonly #attempts: Attempts
  readonly #context: AuthContext
  readonly #salt = randomBytes(32).toString('latin1')
  readonly #recent = new Recent<Identity>(MOST_KEPT)
  readonly #flights = new SingleFlight<Outcome>()

  constructor({ name, forward }: BasicConfig, accounts: Accounts, attempts: Attempts, context: AuthContext) {
    this.name = name
    this.forward = forward
    this.#accounts = accounts
    this.#attempts = attempts
    this.#context = context
  }

  authenticate({ basic, address }: ReceivedCredentials): Outcome | Promise<Outcome> {
    if (basic === undefined) return undefined
    if (basic === MALFORMED || basic.length > LONGEST)
      return new Rejection('invalid', 'Authorization is no user and password')
    const key = hash('sha256', Buffer.from(this.#salt + basic, 'latin1'), 'base64url')
    const known = this.#recent.get(key, this.#context.now())
    if (known !== undefined) return known
    const pair = Buffer.from(basic, 'base64').toString('utf8')
    const colon = pair.indexOf(':')
    if (colon === -1) return new Rejection('invalid', 'Authorization has no colon between user and password')
    const running = this.#flights.of(key)
    if (running !== undefined) return running
    const wait = this.#attempts.take(address)
    if (wait > 0) return new Rejection('limited', 'too many wrong passwords from this address', wait)
    return this.#flights.run(key, () =>
      this.#check(key, pair.slice(0, colon), pair.slice(colon + 1), address),
    )
  }

  close(): void {
    // Nothing is open.
  }

  async #check(key: string, user: string, password: string, address: string): Promise<Outcome> {
    const found = await this.#accounts.check(user, password)
    if (found === undefined) return new Rejection('invalid', 'user or password is wrong')
    this.#attempts.giveBack(address)
    if (found === 'busy') return new Rejection('unavailable', 'too many passwords are being checked')
    const identity = identityOf(found, this.name)
    this.#recent.set(key, identity, this.#context.now() + KEPT_FOR)
    return identity
  }
}

/** What is known of an account, whichever way it has come in. */
export function identityOf({ name, role }: UserConfig, authenticator: string): Identity {
  return {
    subject: name,
    claims: { sub: name, user_id: name, role },
    scopes: [],
    roles: [role],
    authenticator,
  }
}
