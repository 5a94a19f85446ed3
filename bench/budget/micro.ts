// The micro-benches of the budget: what the parts of the road cost, as ratios to a reference of the same kind. Two
// seconds, in this very process.

import { exchangeLine } from '../../src/log.ts'
import { RECORD } from '../support/exchange-record.ts'
import { HEADS } from '../support/head-steps.ts'
import { type Act, nsPerCallOf } from '../support/timing.ts'
import { hashTwice, mint, USER } from '../support/token-steps.ts'
import type { Measured } from './budget.ts'
import { readOctets } from './reference.ts'

/** Short turns and many of them: most see neither another process nor a collection, and the best is taken. */
const ROUNDS = 80
const NS_PER_TURN = 1e6
const BATCH = 50
/** Turns before, for all of it to be compiled. */
const WARM_UP = 30

const out = Buffer.alloc(2048)
const hashes = () => hashTwice().length
const NOW = Date.UTC(2026, 0, 1)

/** By name in the budget: what is done, and the reference it is measured against. */
const ACTS: readonly (readonly [name: string, act: Act, reference: Act])[] = [
  ['parse: small POST', HEADS.post.read, readOctets],
  ['parse: browser', HEADS.browser.read, readOctets],
  ['parse: response', HEADS.response.read, readOctets],
  ['rewrite: small POST', HEADS.post.write, readOctets],
  ['rewrite: browser', HEADS.browser.write, readOctets],
  ['rewrite: response', HEADS.response.write, readOctets],
  // OpenSSL is not JavaScript: digests are faster on some processors than on others, and a token is mostly digests.
  ['mint', () => out.write(mint().jwt, 'latin1'), hashes],
  ['log line', () => out.write(exchangeLine(RECORD, USER, NOW), 'latin1'), readOctets],
]

export const NAMES: readonly string[] = ACTS.map(([name]) => name)

/** All of them. */
export function measureMicro(): Measured[] {
  const acts = [...new Set(ACTS.flatMap(([, act, reference]) => [act, reference]))]
  nsPerCallOf(acts, WARM_UP, NS_PER_TURN, BATCH)
  const best = nsPerCallOf(acts, ROUNDS, NS_PER_TURN, BATCH)
  const ns = new Map(acts.map((act, at) => [act, best[at]!]))
  return ACTS.map(([name, act, reference]) => ({ name, value: ns.get(act)! / ns.get(reference)! }))
}
