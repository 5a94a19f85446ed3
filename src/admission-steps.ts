// What a request goes through before it is let in, one step after the other. In: the steps that a route asks for. Out: one
// hook for its destination, or none. A step that need not wait costs no promise.

import type { Notes, Destination } from './destination.ts'
import type { Identity } from './http/identity.ts'
import type { RequestHead } from './http/request.ts'
import type { Withheld } from './http/rewrite.ts'
import type { RouteMatch } from './http/route-table.ts'
import type { RouteLimit } from './limits/rate-limits.ts'
import { type CredentialResult, resultOf, type TokenSource } from './credentials/credential.ts'

/** Who is asking, as far as it is known: later, where that has to be waited for. */
export type Admitted = Identity | undefined | Promise<Identity | undefined>

/**
 * One thing that must hold before a request is forwarded: it is known who sent it, it may come here, it is within its limit.
 * A step throws the refusal, or rejects with it, and has deadlines of its own.
 *
 * @param client the client's address
 * @param identity what the steps before it have found out
 * @param notes takes field lines for the response
 * @returns who is asking: `identity` where this step has nothing to say about it
 */
export type AdmissionStep = (
  head: RequestHead,
  client: string,
  match: RouteMatch<Destination>,
  identity: Identity | undefined,
  notes: Notes,
) => Admitted

/** All steps as one, in their order; undefined for none, so that who asks for nothing pays nothing. */
export function composeAdmission(steps: readonly AdmissionStep[]): Destination['admit'] {
  if (steps.length === 0) return undefined
  const goOn = (
    first: number,
    known: Identity | undefined,
    ...[head, client, match, notes]: Parameters<NonNullable<Destination['admit']>>
  ): Admitted => {
    let identity = known
    for (let at = first; at < steps.length; at++) {
      const found = steps[at]!(head, client, match, identity, notes)
      if (found instanceof Promise)
        return found.then((later) => goOn(at + 1, later, head, client, match, notes))
      identity = found
    }
    return identity
  }
  return (head, client, match, notes) => goOn(0, undefined, head, client, match, notes)
}

/**
 * `steps` and the limit of the route. One that goes by who is asking comes behind them; any other before, so that nobody is
 * asked for a name beyond it.
 */
export function withLimit(
  steps: readonly AdmissionStep[],
  limit: RouteLimit | undefined,
): readonly AdmissionStep[] {
  if (limit === undefined) return steps
  return limit.needsIdentity ? [...steps, limit.check] : [limit.check, ...steps]
}

/** Told what came of a request that needed a credential for its upstream. */
export type OnCredential = (credential: string, result: CredentialResult) => void

/** `steps`, and behind them, so that nobody asks for a token who may not come in, the credential for the upstream. */
export function withCredential(
  steps: readonly AdmissionStep[],
  source: TokenSource | undefined,
  onResult: OnCredential,
): readonly AdmissionStep[] {
  if (source === undefined) return steps
  const name = source.credential
  const fail = (thrown: unknown): never => {
    const result = resultOf(thrown)
    if (result !== undefined) onResult(name, result)
    throw thrown
  }
  const step: AdmissionStep = (_head, _client, _match, identity, notes) => {
    const line = authorize(identity?.subject, notes)
    if (typeof line === 'string') {
      onResult(name, 'cached')
      notes.tellUpstream(line)
      return identity
    }
    return line.then((obtained) => {
      onResult(name, 'success')
      notes.tellUpstream(obtained)
      return identity
    }, fail)
  }
  function authorize(subject: string | undefined, notes: Notes): string | Promise<string> {
    try {
      return source!.authorize(subject, notes)
    } catch (thrown) {
      return fail(thrown)
    }
  }
  return [...steps, step]
}

/** The field that the credential for the upstream is in, folded: what the client says there stops at signet. */
const AUTHORIZATION = 'authorization'

/**
 * `withheld` where the route sends a credential of signet's own in Authorization: then a client's goes no further, whoever let
 * it in, and also where nobody was asked (by the name '').
 */
export function withoutAuthorization(
  withheld: NonNullable<Destination['withheld']> = new Map(),
): NonNullable<Destination['withheld']> {
  const nothing: Withheld = { names: new Set() }
  const all = [...withheld, ['', nothing] as const]
  return new Map(
    all.map(([name, { names, checked }]) => {
      const passing = checked === AUTHORIZATION ? undefined : checked
      return [name, { names: new Set([...names, AUTHORIZATION]), checked: passing, replaced: AUTHORIZATION }]
    }),
  )
}
