// Who may use a route. In: what it asks for, the authenticators. Out: a function that lets a request in and says who sent it,
// or throws the refusal: 401 with what would do (RFC 9110 §15.5.2), 403 with why not, 503 where nobody can say.

import {
  type Authenticator,
  REJECTIONS,
  Rejection,
  type Outcome,
  type RejectionKind,
} from './auth/authenticator.ts'
import { ReceivedCredentials } from './auth/credential.ts'
import type { LoginResult } from './auth/session.ts'
import { type FailureCode, ProxyError } from './errors.ts'
import type { Destination } from './destination.ts'
import type { RouteAccess } from './http/authentication.ts'
import { compileCondition } from './http/condition.ts'
import { fold } from './http/fields.ts'
import type { Identity } from './http/identity.ts'
import type { Params } from './http/path-tree.ts'
import type { RequestHead } from './http/request.ts'
import type { Withheld } from './http/rewrite.ts'
import type { RouteMatch } from './http/route-table.ts'

/** What becomes of requests that have to say who they are, and of logins. */
export type AdmissionResult =
  | 'success'
  | 'missing'
  | 'forbidden'
  | RejectionKind
  | `login-${LoginResult['kind']}`

/** Told of each result. @param authenticator `-` where no credential was sent */
export type OnAdmission = (authenticator: string, result: AdmissionResult) => void

/** Who may come in, and what proves that. */
export interface Admission extends Required<Pick<Destination, 'withheld'>> {
  /**
   * Says who is asking. It throws the refusal, or rejects with it.
   *
   * @param client the client's address
   * @param trace `traceparent` for whoever is asked about it
   */
  readonly admit: (
    head: RequestHead,
    client: string,
    match: RouteMatch<Destination>,
    trace?: string,
  ) => Identity | Promise<Identity>
}

const CODES = {
  missing: 'ERR_UNAUTHENTICATED',
  invalid: 'ERR_CREDENTIALS_INVALID',
  expired: 'ERR_TOKEN_EXPIRED',
  limited: 'ERR_ATTEMPTS_LIMITED',
  unavailable: 'ERR_AUTHENTICATION_UNAVAILABLE',
} as const satisfies Record<'missing' | RejectionKind, FailureCode>

/**
 * Puts together what a route asks for.
 *
 * Authenticators are tried in order, and the first that knows the caller decides. A credential that does not count is no
 * reason not to try the others, but whoever has sent one is never taken as anonymous.
 *
 * @param authenticators in order, at least one
 */
export function createAdmission(
  access: RouteAccess,
  authenticators: readonly Authenticator[],
  onResult: OnAdmission,
): Admission {
  const judge = createJudge(access, onResult)
  const challenges = createChallenges(authenticators, access.scopes)

  function refusal(failed: Failed | undefined): ProxyError {
    const kind = failed?.rejection.kind ?? 'missing'
    onResult(failed?.authenticator.name ?? '-', kind)
    const reason = failed === undefined ? 'no credential that is taken here' : failed.rejection.reason
    const message = failed === undefined ? reason : `${failed.authenticator.name}: ${reason}`
    const { retryAfter } = failed?.rejection ?? {}
    // Of a token nothing is said to who has sent none (RFC 6750 §3.1).
    const ofToken = failed?.authenticator.challenge === 'Bearer' && (kind === 'invalid' || kind === 'expired')
    const challenge = challenges[ofToken ? kind : 'missing']
    return new ProxyError(CODES[kind], message, {
      fields: {
        ...(kind === 'unavailable' || kind === 'limited' ? {} : { 'WWW-Authenticate': challenge }),
        ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
      },
    })
  }

  return {
    admit(head, address, match, trace) {
      const received = new ReceivedCredentials(head, address, trace)
      return tryFrom(0, undefined)

      function tryFrom(start: number, before: Failed | undefined): Identity | Promise<Identity> {
        let failed = before
        for (let at = start; at < authenticators.length; at++) {
          const authenticator = authenticators[at]!
          if (failed !== undefined && authenticator.challenge === undefined) continue
          const outcome = authenticator.authenticate(received)
          if (outcome instanceof Promise) return outcome.then((settled) => goOn(at, settled, failed))
          if (outcome instanceof Rejection) failed = worse(failed, authenticator, outcome)
          else if (outcome !== undefined) return letIn(outcome)
        }
        throw refusal(failed)
      }

      function goOn(at: number, outcome: Outcome, failed: Failed | undefined): Identity | Promise<Identity> {
        if (outcome === undefined) return tryFrom(at + 1, failed)
        if (outcome instanceof Rejection) return tryFrom(at + 1, worse(failed, authenticators[at]!, outcome))
        return letIn(outcome)
      }

      function letIn(identity: Identity): Identity {
        judge(head.method, match.params, identity)
        onResult(identity.authenticator, 'success')
        return identity
      }
    },
    withheld: withheldBy(authenticators),
  }
}

/** A credential that did not count, and who says so. */
interface Failed {
  readonly authenticator: Authenticator
  readonly rejection: Rejection
}

/** Of several the one that says most: a token that has expired was at least signed by somebody who is known. */
function worse(failed: Failed | undefined, authenticator: Authenticator, rejection: Rejection): Failed {
  if (failed === undefined) return { authenticator, rejection }
  const rank = ({ kind }: Rejection) => REJECTIONS.indexOf(kind)
  return rank(rejection) > rank(failed.rejection) ? { authenticator, rejection } : failed
}

// ── what is asked for beyond being known ──────────────────────────────────────────────────────────────────────────

/** Judges somebody who is known. @throws {ProxyError} 403 */
type Judge = (method: string, params: Params, identity: Identity) => void

function createJudge({ require = [], scopes = [], roles = [] }: RouteAccess, onResult: OnAdmission): Judge {
  const conditions = require.map((text) => ({ text, holds: compileCondition(text) }))
  const challenge = `Bearer realm="${REALM}", error="insufficient_scope", scope="${scopes.join(' ')}"`

  function forbid(identity: Identity, code: FailureCode, what: string, fields = {}): never {
    onResult(identity.authenticator, 'forbidden')
    throw new ProxyError(code, `${identity.subject}: ${what}`, { fields })
  }
  return (method, params, identity) => {
    const scope = scopes.find((one) => !identity.scopes.includes(one))
    if (scope !== undefined) {
      forbid(identity, 'ERR_SCOPE_INSUFFICIENT', `has not the scope ${scope}`, {
        'WWW-Authenticate': challenge,
      })
    }
    if (roles.length > 0 && !roles.some((role) => identity.roles.includes(role)))
      forbid(identity, 'ERR_FORBIDDEN', `has none of the roles ${roles.join(', ')}`)
    for (const { text, holds } of conditions)
      if (!holds({ method, params, identity })) forbid(identity, 'ERR_FORBIDDEN', `does not meet ${text}`)
  }
}

// ── what clients are told ─────────────────────────────────────────────────────────────────────────────────────────

const REALM = 'signet'

/** RFC 6750 §3.1: nothing is said of an error to who has sent no token. */
const BEARER_ERRORS = {
  missing: '',
  invalid: ', error="invalid_token", error_description="The token is invalid"',
  expired: ', error="invalid_token", error_description="The token has expired"',
} as const

/** WWW-Authenticate, by what was wrong: one challenge for each kind of credential that is taken. */
function createChallenges(
  authenticators: readonly Authenticator[],
  scopes: readonly string[] = [],
): Readonly<Record<keyof typeof BEARER_ERRORS, string>> {
  const scope = scopes.length === 0 ? '' : `, scope="${scopes.join(' ')}"`
  const write = (error: string) => {
    const challenges = authenticators.flatMap(({ challenge }) => {
      if (challenge === undefined) return []
      if (challenge === 'Bearer') return [`Bearer realm="${REALM}"${error}${scope}`]
      if (challenge === 'Basic') return [`Basic realm="${REALM}", charset="UTF-8"`]
      return [`ApiKey realm="${REALM}", field="${challenge.field}"`]
    })
    return [...new Set(challenges)].join(', ')
  }
  const { missing, invalid, expired } = BEARER_ERRORS
  return { missing: write(missing), invalid: write(invalid), expired: write(expired) }
}

/**
 * Fields that are not forwarded, by the authenticator that has let the request in: all that any of the route's authenticators
 * takes credentials from, but for its own where it forwards that.
 */
function withheldBy(authenticators: readonly Authenticator[]): ReadonlyMap<string, Withheld> {
  const fields = authenticators.flatMap(({ challenge }) =>
    challenge === undefined ? [] : fieldOf(challenge),
  )
  const names = new Set(fields.map(fold))
  return new Map(
    authenticators.map(({ name, challenge, forward }) => {
      const checked = forward && challenge !== undefined ? fieldOf(challenge) : undefined
      return [name, { names, checked }]
    }),
  )
}

function fieldOf(challenge: Exclude<Authenticator['challenge'], undefined>): string {
  return typeof challenge === 'string' ? 'authorization' : challenge.field
}
