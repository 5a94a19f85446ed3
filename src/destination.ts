// Where a route leads, and what is done on the way: what gateway.ts fills once per configuration, and exchange.ts goes by for
// each request. What a route does not ask for is absent, and costs its requests nothing.

import type { Compression } from './compression/compression.ts'
import type { Identity } from './http/identity.ts'
import type { RequestHead } from './http/request.ts'
import type { Withheld } from './http/rewrite.ts'
import type { RouteMatch } from './http/route-table.ts'
import type { MiddlewareChain } from './middleware/chain.ts'
import type { Balancer } from './net/balancer.ts'
import type { Told } from './told.ts'

/** Takes what steps of admission have to say to either side: an exchange. Lines are whole, each with its CR LF. */
export interface Notes {
  /** `traceparent` for whoever is asked meanwhile; undefined where nothing is traced */
  readonly trace: string | undefined
  /** whether the client has left, so that nobody waits for what a step does */
  readonly gone: boolean
  /** Adds field lines to the response, whoever answers. */
  tellClient(lines: string): void
  /** Adds field lines to the forwarded request; what the client said under these names is to be dropped by `told`. */
  tellUpstream(lines: string): void
}

/** Where a route leads, and what is done on the way. */
export interface Destination {
  /** name of the route, for the log; undefined where there is only one */
  readonly route: string | undefined
  readonly upstream: Balancer
  /**
   * Lets a request in and says who sent it. It throws the refusal, or rejects with it, and has deadlines of its own. Absent:
   * anybody may come in.
   *
   * @param client the client's address
   * @param notes what the client is to be told with the response, refusals included
   * @returns undefined where nobody was asked who it is
   */
  readonly admit?: (
    head: RequestHead,
    client: string,
    match: RouteMatch<Destination>,
    notes: Notes,
  ) => Identity | undefined | Promise<Identity | undefined>
  /**
   * fields with credentials that are for signet alone, by the authenticator that has let it in, or '' where nobody was asked
   */
  readonly withheld?: ReadonlyMap<string, Withheld>
  /** Told that the upstream has answered 401, and which lines of {@link Notes} it had got. */
  readonly onUnauthorized?: (lines: string) => void
  /** what the upstream is told with proof; undefined where that is the plain token alone */
  readonly told?: Told | undefined
  /** Compresses responses for clients that accept it. Absent: all are left as they are. */
  readonly compression?: Compression
  /** Runs around its exchanges. Absent: none does. */
  readonly middleware?: MiddlewareChain
}
