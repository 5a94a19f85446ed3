// Group 7: requests that are generated and then broken, read by signet and by the strict parser. They must agree on what is
// accepted and refused, and on what was meant; what signet would forward must be read strictly, and mean the same.

import * as fc from 'fast-check'
import { type Case, cutOff, forward, refuse } from './cases.ts'
import { LENIENCIES, type Stricter, stricterFor } from './exceptions.ts'
import { probeFor } from './judge.ts'
import { type Generated, generated } from './generated-requests.ts'
import { differences, meaningAt, meaningFor } from './meaning.ts'
import { cutAt, show } from './octets.ts'
import { markerOf } from './run-group.ts'
import { readBySignet, type SignetReading } from './signet-reader.ts'
import { valuesOf } from './strict-grammar.ts'
import { type Leniency, type Reading, readRequests } from './strict-parser.ts'

// ── what is compared ──────────────────────────────────────────────────────────────────────────────────────────────────

/** How two readings compare. */
export interface Comparison {
  /** what they disagree on; undefined when they agree */
  readonly disagreement: string | undefined
  /** the row by which signet refused what the strict parser did not */
  readonly exception: Stricter | undefined
  readonly strict: Reading
  readonly signet: SignetReading
}

/** Compares signet's reading of octets with the strict one; a good request follows them. */
export function compare(
  { octets, cuts }: Generated,
  marker = 'm',
  leniency: Leniency = LENIENCIES,
): Comparison {
  const text = octets + probeFor(marker)
  const strict = readRequests(text, leniency)
  const signet = readBySignet(cutAt(text, cuts))
  return { strict, signet, ...judge(text, strict, signet) }
}

function judge(
  text: string,
  strict: Reading,
  signet: SignetReading,
): Pick<Comparison, 'disagreement' | 'exception'> {
  const agreed = { disagreement: undefined, exception: undefined }
  const disagree = (disagreement: string) => ({ disagreement, exception: undefined })
  for (const [index, request] of strict.requests.slice(0, signet.whole).entries()) {
    const sent = readRequests(signet.forwarded[index]!, { browserTargets: true })
    const [forwarded] = sent.requests
    if (sent.outcome !== 'boundary' || sent.requests.length !== 1 || forwarded === undefined) {
      return disagree(
        `request ${index + 1} is forwarded as what is no request: ${sent.complaint?.message ?? sent.outcome}`,
      )
    }
    const { host, ...meaning } = meaningFor(request)
    const differing = differences({ ...meaning, host: host ?? 'fallback.test' }, meaningAt(forwarded))
    if (differing.length > 0) return disagree(`request ${index + 1}: ${differing.join('; ')}`)
  }
  if (signet.whole > strict.requests.length) {
    return disagree(
      `signet took request ${strict.requests.length + 1}, which is refused: ${strict.complaint?.message}`,
    )
  }
  const next = strict.requests[signet.whole] ?? strict.unfinished
  const exception =
    next === undefined || signet.outcome !== 'refused'
      ? undefined
      : stricterFor(next, text.slice(next.start, next.end))
  if (exception !== undefined) return { disagreement: undefined, exception }
  if (signet.whole < strict.requests.length) {
    return disagree(
      `signet ${signet.outcome} request ${signet.whole + 1}: ${signet.failure?.message ?? 'it waits'}`,
    )
  }
  if (signet.outcome === strict.outcome) return agreed
  if (strict.outcome === 'refused' && signet.outcome === 'incomplete') {
    // A head and a trailer section are judged when they are whole; until then nothing of them has gone upstream.
    const rest = text.slice(strict.complaint?.at ?? 0)
    return rest.includes('\r\n\r\n')
      ? disagree(`signet waits, though it is wrong: ${strict.complaint?.message}`)
      : agreed
  }
  if (strict.outcome === 'incomplete' && signet.outcome === 'refused') {
    // Refused before the line was whole: it is enough that no end of the line would have made it right.
    return readRequests(`${text}\r\n`, LENIENCIES).outcome === 'refused'
      ? agreed
      : disagree(`signet refuses what may yet be right: ${signet.failure?.message}`)
  }
  return disagree(`signet: ${signet.outcome}, strictly: ${strict.outcome}`)
}

// ── runs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a run came to. */
export interface RunResult {
  readonly cases: number
  /** how many were accepted whole, how many refused by both, how many by a documented exception */
  readonly accepted: number
  readonly refused: number
  readonly excepted: ReadonlyMap<string, number>
  /** the smallest counterexample found, for people */
  readonly counterexample: string | undefined
}

/** Runs `cases` cases from a seed; the same seed gives the same cases. */
export function runDifferential(seed: number, cases: number, leniency: Leniency = LENIENCIES): RunResult {
  let accepted = 0
  let refused = 0
  const excepted = new Map<string, number>()
  const property = fc.property(generated, (input) => {
    const { disagreement, exception, strict } = compare(input, 'm', leniency)
    if (disagreement !== undefined) throw new Error(disagreement)
    if (exception !== undefined) excepted.set(exception.name, (excepted.get(exception.name) ?? 0) + 1)
    else if (strict.outcome === 'boundary' || strict.outcome === 'closed') accepted++
    else refused++
  })
  const details = fc.check(property, { seed, numRuns: cases })
  const [found] = details.counterexample ?? []
  return {
    cases: details.numRuns,
    accepted,
    refused,
    excepted,
    counterexample:
      details.failed && found !== undefined ? describeCounterexample(found, seed, leniency) : undefined,
  }
}

/** Statuses that a broken request may be refused with. */
const REFUSALS = [400, 408, 413, 414, 417, 421, 431, 501, 505]

/** The same cases for the wire: signet, as a process and over sockets, must do what was read here. */
export function casesForTheWire(seed: number, count: number): Case[] {
  const cases: Case[] = []
  // More than enough, since some are left out: what signet answers without the upstream is no matter of parsing.
  for (const input of fc.sample(generated, { seed, numRuns: count * 2 })) {
    if (cases.length === count) break
    const { strict, signet } = compare(input, markerOf(cases.length))
    const requests = [...strict.requests, ...(strict.unfinished === undefined ? [] : [strict.unfinished])]
    if (
      requests.some(
        ({ method, fields }) =>
          method === 'TRACE' ||
          (/^0*$/.test(valuesOf(fields, 'max-forwards').join()) &&
            valuesOf(fields, 'max-forwards').length > 0),
      )
    )
      continue
    const incomplete = signet.outcome === 'incomplete'
    const expect = incomplete
      ? cutOff(...REFUSALS)
      : signet.outcome === 'refused'
        ? refuse(...REFUSALS)
        : forward()
    cases.push({
      name: `generated, number ${cases.length} of seed ${seed}`,
      rfc: 'RFC 9112',
      ...input,
      expect,
      before: expect.kind === 'forward' ? 0 : signet.whole,
      fin: incomplete,
    })
  }
  return cases
}

function describeCounterexample(found: Generated, seed: number, leniency: Leniency): string {
  const { disagreement, strict, signet } = compare(found, 'm', leniency)
  const pieces = cutAt(found.octets + probeFor('m'), found.cuts)
  return [
    disagreement ?? 'it throws: see the stack',
    `octets    ${pieces.map((piece) => show(piece)).join(' ⟨next read⟩ ')}`,
    `strictly  ${strict.outcome}, ${strict.requests.length} requests${strict.complaint === undefined ? '' : `: ${strict.complaint.message} (${strict.complaint.rfc})`}`,
    `signet    ${signet.outcome}, ${signet.whole} requests${signet.failure === undefined ? '' : `: ${signet.failure.code}, ${signet.failure.message}`}`,
    `again by  npm run fuzz -- --seed ${seed}`,
  ].join('\n')
}
