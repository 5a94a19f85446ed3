// What the upstream of the soak says about itself, in messages to its parent, and the orders it takes. The judge of the
// soak goes by this alone: what the upstream did not do to an exchange, signet did.

/** What the upstream did on purpose, with its time in ms (Date.now(), the same clock in all processes). */
export type Deed =
  /** it stopped listening and ended every connection; of those, `idle` were between exchanges */
  | { readonly kind: 'down'; readonly at: number; readonly idle: number }
  /** it listens again */
  | { readonly kind: 'up'; readonly at: number }
  /** it closed a connection between two exchanges, without having said so */
  | { readonly kind: 'closed-idle'; readonly at: number }
  /** it ended the connection of exchange `id` before its answer was whole */
  | { readonly kind: 'spoilt'; readonly at: number; readonly id: number }

/** What the upstream has seen by the end. */
export interface Tally {
  /** whole request heads */
  readonly requests: number
  /** ids of requests that are not idempotent and arrived more than once */
  readonly duplicated: readonly number[]
  /** idempotent requests that arrived more than once: sent again, as they may be */
  readonly repeated: number
  /** requests without exactly one valid token in x-my-jwt */
  readonly unsigned: number
  /** bodies that arrived whole and were not what was sent */
  readonly wrongBodies: number
}

/** From the upstream to its parent. */
export type Report =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'deeds'; readonly deeds: readonly Deed[] }
  | { readonly type: 'tally'; readonly tally: Tally }

/** From the parent to the upstream. */
export type Order = { readonly type: 'mood'; readonly mood: Mood } | { readonly type: 'tally' }

/** How the upstream is: `well`; `bad`: it spoils some exchanges and closes idle connections; `down`: it is not there. */
export type Mood = 'well' | 'bad' | 'down'
