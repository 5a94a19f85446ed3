// The verdict on one case. In: what the client sent, what it got, what the upstream saw. Out: one of six verdicts, and
// everything that is not as the case demands. Pure: it opens nothing and waits for nothing.

import { type Case, NO_ANSWER } from './cases.ts'
import { LENIENCIES } from './exceptions.ts'
import { differences, type Meaning, meaningAt, meaningFor, problemsWithAdded } from './meaning.ts'
import type { Account, Seen } from './recorder.ts'
import { type Reading, readRequests, type StrictRequest } from './strict-parser.ts'
import { type Asked, type Ended, readResponses, refusalCode, type StrictResponse } from './strict-response.ts'

/** What became of a case. */
export type Verdict =
  | 'refused'
  | 'forwarded unambiguous'
  | 'forwarded ambiguous' // the upstream got what is no HTTP, or what means something else than the client said
  | 'smuggled' // the upstream got a request that the client did not send
  | 'hung'
  | 'crashed'

/** What a client saw of its case. */
export interface Transcript {
  readonly octets: string
  readonly ended: Ended
  /** whether it gave up waiting */
  readonly late: boolean
}

/** All that is known about one case after it has run. */
export interface Evidence {
  readonly one: Case
  readonly address: string
  readonly marker: string
  readonly transcript: Transcript
  readonly seen: Seen
  /** why the process is no longer running, if it is not */
  readonly died: string | undefined
  /** signs the tokens; undefined where nothing signs and what signet adds is not looked for */
  readonly secret: Buffer | undefined
}

/** A case, judged: what any group reports. */
export interface Judgement {
  readonly name: string
  readonly rfc: string
  readonly verdict: Verdict | ResponseVerdict
  /** what is wrong; none: the case has passed */
  readonly problems: readonly string[]
  /** the octets, for people: who sent what, in order */
  readonly octets: Readonly<Record<string, string>>
}

/** What became of a response. */
export type ResponseVerdict =
  | 'relayed'
  | 'answered 502'
  | 'cut short'
  | 'leaked' // a request was answered with what was the answer to another, or to none
  | 'smuggled' // the upstream got a request that no client sent
  | 'hung'
  | 'crashed'

/** The request that is sent behind a case. */
export function probeFor(marker: string): string {
  return `GET /probe-${marker} HTTP/1.1\r\nHost: probe.test\r\nX-Probe: ${marker}\r\n\r\n`
}

/** Everything that the client of a case sends. */
export function sentBy({ octets, probe = true }: Case, marker: string): string {
  return probe ? octets + probeFor(marker) : octets
}

/** What the client of a case has sent, by strict reading; decisions apply (docs/decisions/0004). */
export function readSent(one: Case, marker: string): Reading {
  return readRequests(sentBy(one, marker), LENIENCIES)
}

/** What the client must be answered, in order, and what the upstream must be told. */
interface Due {
  readonly asked: readonly Asked[]
  /** index of the refusal among the answers; -1 when there is none */
  readonly refusal: number
  readonly meanings: readonly Partial<Meaning>[]
}

/** Judges a case. */
export function judge(evidence: Evidence): Judgement {
  const { one, marker, transcript, seen, died } = evidence
  const reading = readSent(one, marker)
  const { kind } = one.expect
  const problems: string[] = []
  if (kind === 'forward' && (reading.outcome === 'refused' || reading.outcome === 'incomplete')) {
    problems.push(`the case is wrong: ${reading.complaint?.message ?? 'it does not end'}`)
  }

  const wasRefused = seen.requests.length <= (one.before ?? 0)
  const refusal = kind === 'refuse' || (kind === 'either' && wasRefused)
  const due = refusal ? dueForRefusal(one, reading, marker) : dueForForward(one, reading, marker)
  const verdict = verdictOf(evidence, reading, due, wasRefused || (kind === 'refuse' && one.expect.kept))
  const expected: readonly Verdict[] = refusal ? ['refused'] : ['forwarded unambiguous']
  if (!expected.includes(verdict)) {
    problems.push(
      `${verdict}; expected ${kind === 'refuse' ? `refused with ${one.expect.statuses.join(' or ')}` : kind}`,
    )
  }
  problems.push(...seen.complaints.map((complaint) => `the upstream: ${complaint}`))
  if (died !== undefined) problems.push(died)
  problems.push(...problemsUpstream(evidence, due), ...problemsDownstream(one, transcript, due))
  return { name: one.name, rfc: one.rfc, verdict, problems, octets: octetsOf(evidence) }
}

/** The octets of a case, for people. */
function octetsOf({ one, marker, transcript, seen }: Evidence): Judgement['octets'] {
  const upstream = seen.requests.map(
    ({ request }) => `${request.method} ${request.target} ${request.body.length} octets`,
  )
  return {
    sent: sentBy(one, marker),
    got: `${transcript.octets} [${transcript.late ? 'gave up' : transcript.ended}]`,
    upstream: `${upstream.join(' | ')}${seen.unfinished === '' ? '' : ` then ${seen.unfinished}`}`,
  }
}

function dueForRefusal(one: Case, reading: Reading, marker: string): Due {
  const at = one.before ?? 0
  const before = reading.requests.slice(0, at)
  const refused = reading.requests[at] ?? guessAsked(sentBy(one, marker).slice(before.at(-1)?.end ?? 0))
  const after = one.expect.kind === 'refuse' && one.expect.kept ? reading.requests.slice(at + 1) : []
  return {
    asked: [...before, refused, ...after],
    refusal: at,
    meanings: [...before, ...after].map(meaningFor),
  }
}

function dueForForward(one: Case, reading: Reading, marker: string): Due {
  const { requests } = reading
  const stated = one.expect.kind === 'refuse' ? {} : one.expect.meaning
  const at = one.before ?? 0
  if (reading.outcome === 'refused' || reading.outcome === 'incomplete') {
    // Repaired: the request in question means what the case says, and the probe behind it is itself.
    const [probe] = readRequests(probeFor(marker)).requests as [StrictRequest]
    const behind = one.probe === false ? [] : [probe]
    const asked = guessAsked(sentBy(one, marker).slice(requests.at(-1)?.end ?? 0))
    return {
      asked: [...requests, asked, ...behind],
      refusal: -1,
      meanings: [...requests.map(meaningFor), stated, ...behind.map(meaningFor)],
    }
  }
  const meanings = requests.map((request, index) => ({
    ...meaningFor(request),
    ...(index === at ? stated : {}),
  }))
  return { asked: requests, refusal: -1, meanings }
}

/** What a refused request asked for, as far as its answer's framing depends on it. */
function guessAsked(octets: string): Asked {
  const line = octets.replace(/^\r\n/, '').split('\r\n', 1)[0] ?? ''
  return { method: line.startsWith('HEAD ') ? 'HEAD' : 'GET', minor: line.endsWith(' HTTP/1.0') ? 0 : 1 }
}

function verdictOf(evidence: Evidence, reading: Reading, due: Due, wasRefused: boolean): Verdict {
  const { transcript, seen, died, marker } = evidence
  if (died !== undefined || transcript.octets.includes('ERR_INTERNAL')) return 'crashed'
  // A request that was refused may at most have been forwarded all the same, and the probe behind it.
  const most =
    reading.requests.length + (reading.outcome === 'refused' || reading.outcome === 'incomplete' ? 2 : 0)
  const inside = seen.requests.some(
    ({ request }) => holdsMarker(request, marker) && !mayHold(reading, request, marker),
  )
  if (seen.requests.length > most || inside) return 'smuggled'
  if (seen.complaints.length > 0) return 'forwarded ambiguous'
  const otherwise = seen.requests.some(({ request }, index) => {
    const meaning = due.meanings[index]
    return meaning !== undefined && differences(meaning, meaningAt(request)).length > 0
  })
  if (otherwise) return 'forwarded ambiguous'
  if (transcript.late) return 'hung'
  return wasRefused ? 'refused' : 'forwarded unambiguous'
}

/** Whether the probe's marker is anywhere in a request that is not the probe. */
function holdsMarker({ target, fields, body, trailers }: StrictRequest, marker: string): boolean {
  if (target === `/probe-${marker}`) return false
  return JSON.stringify([target, fields, body, trailers]).includes(marker)
}

/** Whether the client itself put it there: its own framing made the probe part of a body. */
function mayHold({ requests }: Reading, request: StrictRequest, marker: string): boolean {
  return requests.some(
    ({ body, parts }) => parts.resource === request.target && body === request.body && body.includes(marker),
  )
}

function problemsUpstream({ seen, address, secret }: Evidence, due: Due): string[] {
  const problems: string[] = []
  if (seen.requests.length !== due.meanings.length) {
    problems.push(`the upstream saw ${seen.requests.length} requests, should see ${due.meanings.length}`)
  }
  for (const [index, { request }] of seen.requests.entries()) {
    const meaning = due.meanings[index]
    const found = meaning === undefined ? [] : differences(meaning, meaningAt(request))
    if (secret !== undefined) found.push(...problemsWithAdded(request, address, secret))
    problems.push(...found.map((difference) => `upstream, request ${index + 1}: ${difference}`))
  }
  return problems
}

function problemsDownstream(one: Case, { octets, ended, late }: Transcript, due: Due): string[] {
  const problems: string[] = []
  const { responses, complaint } = readResponses(octets, due.asked, ended)
  if (complaint !== undefined)
    problems.push(`the client: ${complaint.message} (${complaint.rfc}) at ${complaint.at}`)
  const cutOff =
    one.expect.kind === 'refuse' && one.expect.statuses.includes(NO_ANSWER) && octets === '' && !late
  if (responses.length !== due.asked.length && !cutOff) {
    problems.push(`the client got ${responses.length} responses, should get ${due.asked.length}`)
  }
  let target = 0
  for (const [index, response] of responses.entries()) {
    if (!response.complete) problems.push(`response ${index + 1} was cut short`)
    if (index === due.refusal) problems.push(...problemsWithRefusal(one, response, ended, late))
    else
      problems.push(
        ...problemsWithAnswer(response, due.asked[index], due.meanings[target++]).map(
          (p) => `response ${index + 1}: ${p}`,
        ),
      )
  }
  return problems
}

function problemsWithRefusal(
  { expect }: Case,
  response: StrictResponse,
  ended: Ended,
  late: boolean,
): string[] {
  const problems: string[] = []
  const { status } = response
  const right = expect.kind === 'refuse' ? expect.statuses.includes(status) : status >= 400 && status < 600
  if (!right) problems.push(`the status is ${status}`)
  if (status >= 400 && response.body !== '' && refusalCode(response) === undefined) {
    problems.push('the refusal is no problem+json of signet')
  }
  const kept = expect.kind === 'refuse' && expect.kept
  if (response.closes === kept)
    problems.push(kept ? 'the refusal says close' : 'the refusal does not say close')
  if (!kept && (ended !== 'fin' || late)) problems.push(`the connection was not closed by FIN but ${ended}`)
  return problems
}

/** The recorder answers with an account: it must be of the request that was asked. */
function problemsWithAnswer(
  response: StrictResponse,
  asked: Asked | undefined,
  meaning: Partial<Meaning> | undefined,
): string[] {
  if (response.status !== 200) return [`status ${response.status}`]
  if (asked?.method === 'HEAD') return []
  try {
    const account = JSON.parse(response.body) as Account
    if (meaning?.target !== undefined && account.target !== meaning.target) {
      return [`it answers ${account.target}, not ${meaning.target}`]
    }
    return []
  } catch {
    return ['its body is not the account of the upstream']
  }
}
