// Decides what became of each exchange of a good client: answered, refused with good reason, wrong, or lost. Pure: it
// goes by what the client saw and what the upstream says it did.

import type { Deed } from './ledger.ts'

/** One exchange of a good client, as its client saw it. */
export interface Exchange {
  readonly id: number
  /** which kind of client, for the table at the end */
  readonly kind: string
  readonly method: string
  /** whether a body goes with it, so that it cannot be sent again once some of that has gone */
  readonly hasBody: boolean
  /** ms (Date.now()) between which it ran */
  readonly from: number
  readonly to: number
  readonly end: End
}

/** How it ended. */
export type End =
  /** with the right answer, checked to its last octet */
  | { readonly how: 'answered' }
  /** with a refusal of signet's own */
  | { readonly how: 'refused'; readonly status: number; readonly code: string }
  /** with the end of the connection, before or within the answer */
  | {
      readonly how: 'cut'
      readonly stage: 'nothing' | 'head' | 'body'
      readonly ending: 'fin' | 'reset' | 'late'
    }
  /** behind one on the same connection after which nothing more could be answered: never asked, as far as HTTP goes */
  | { readonly how: 'unasked' }
  /** with something that is not the answer to it */
  | { readonly how: 'wrong'; readonly why: string }

/** What an exchange counts as, and why. */
export interface Verdict {
  readonly exchange: Exchange
  readonly verdict: 'answered' | 'refused' | 'unasked' | 'lost' | 'wrong'
  readonly why: string
}

/** Failures that are the upstream's doing; any other code is never justified for a good client. */
const OF_UPSTREAM: ReadonlySet<string> = new Set([
  'ERR_UPSTREAM_UNREACHABLE',
  'ERR_UPSTREAM_CLOSED',
  'ERR_RESPONSE_CUT_SHORT',
])
/** RFC 9110 §9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])
/** ms by which the clocks of two processes, and word between them, may differ. */
const SLACK = 50
/** ms that word of a closed connection may take to reach a busy signet. */
const WORD = 2000

/**
 * Judges all exchanges of a run. Going without an answer is justified in three ways only:
 *
 * 1. the upstream was down at some moment while the exchange ran;
 * 2. the upstream ended the connection of this very exchange before its answer was whole;
 * 3. the exchange may not be sent again (RFC 9110 §9.2.2), and the upstream closed an idle connection at that moment:
 *    each such connection takes one exchange with it at most.
 *
 * And it must be the right kind of end: 502 before the response has begun, the end of the connection after that.
 */
export function judge(exchanges: readonly Exchange[], deeds: readonly Deed[]): Verdict[] {
  const downs = downTimes(deeds)
  const spoilt = new Set(deeds.flatMap((deed) => (deed.kind === 'spoilt' ? [deed.id] : [])))
  const closings = deeds.flatMap((deed) =>
    deed.kind === 'closed-idle'
      ? [deed.at]
      : deed.kind === 'down'
        ? Array<number>(deed.idle).fill(deed.at)
        : [],
  )
  closings.sort((a, b) => a - b)

  function excuse(exchange: Exchange): string | undefined {
    const { id, method, hasBody, from, to } = exchange
    if (downs.some((down) => from <= down.to + SLACK && to >= down.from - SLACK))
      return 'the upstream was down'
    if (spoilt.has(id)) return 'the upstream spoilt it'
    if (IDEMPOTENT.has(method) && !hasBody) return undefined
    // The oldest closing that fits: those that end first are given theirs first, so none is wasted.
    const at = closings.findIndex((closing) => closing >= from - WORD && closing <= to + SLACK)
    if (at === -1) return undefined
    closings.splice(at, 1)
    return 'its connection was closed at that moment'
  }

  function verdictOn(exchange: Exchange): Verdict {
    const { end } = exchange
    switch (end.how) {
      case 'answered':
      case 'unasked':
        return { exchange, verdict: end.how, why: '' }
      case 'wrong':
        return { exchange, verdict: 'wrong', why: end.why }
      case 'refused': {
        const what = `${end.status} ${end.code}`
        if (end.status !== 502 || !OF_UPSTREAM.has(end.code)) return { exchange, verdict: 'lost', why: what }
        const why = excuse(exchange)
        return { exchange, verdict: why === undefined ? 'lost' : 'refused', why: why ?? what }
      }
      case 'cut': {
        const what = `${end.ending} with ${end.stage === 'nothing' ? 'no answer' : `part of the ${end.stage}`}`
        // Before the response has begun signet still has a voice, and must use it. But a client that is cut off while
        // it sends may never see what had come: its own write fails first.
        const unseen = end.ending === 'reset' && exchange.hasBody
        if (end.ending === 'late' || (end.stage === 'nothing' && !unseen))
          return { exchange, verdict: 'lost', why: what }
        const why = excuse(exchange)
        return { exchange, verdict: why === undefined ? 'lost' : 'refused', why: why ?? what }
      }
    }
  }

  return [...exchanges].sort((a, b) => a.to - b.to).map(verdictOn)
}

interface Span {
  readonly from: number
  readonly to: number
}

function downTimes(deeds: readonly Deed[]): Span[] {
  const spans: Span[] = []
  let from: number | undefined
  for (const deed of deeds) {
    if (deed.kind === 'down') from = deed.at
    if (deed.kind !== 'up' || from === undefined) continue
    spans.push({ from, to: deed.at })
    from = undefined
  }
  if (from !== undefined) spans.push({ from, to: Number.POSITIVE_INFINITY })
  return spans
}
