// What a request goes through before it is let in, one step after the other. In: the steps that a route asks for. Out: one
// hook for its destination, or none. A step that need not wait costs no promise.

import type { Notes, Destination } from './exchange.ts'
import type { Identity } from './http/identity.ts'
import type { RequestHead } from './http/request.ts'
import type { RouteMatch } from './http/route-table.ts'
import type { RouteLimit } from './limits/rate-limits.ts'

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
