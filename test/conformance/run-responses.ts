// Runs the cases of group 5: the upstream plays a script of raw octets, and the client must get what is right of it, or a
// 502, or a response that is visibly cut short. A probe follows each case: it must get its own answer and no other.

import { HOST } from './cases.ts'
import type { Judgement, ResponseVerdict } from './judge.ts'
import { head } from './octets.ts'
import { type Account, type Answer, type Connection, Recorder } from './recorder.ts'
import type { GroupResult, StartTarget } from './run-group.ts'
import { Addresses, Client, PATIENCE, startSignet } from './stand.ts'
import type { Field } from './strict-grammar.ts'
import { readRequests } from './strict-parser.ts'
import {
  type Asked,
  type ResponseReading,
  readResponses,
  refusalCode,
  type StrictResponse,
} from './strict-response.ts'

/** What the upstream does, in order: sends octets, waits some ms, ends its side, or resets. */
export type Step = string | { readonly wait: number } | 'FIN' | 'RST'

/** What the client must get. */
export type ResponseExpectation =
  | ({ readonly kind: 'relay' } & Relayed)
  /** one of these statuses, as problem+json of signet's own */
  | { readonly kind: 'bad'; readonly statuses: readonly number[] }
  /** a response with this status and at most this much of its body, that visibly has no end; or 502, when nothing had gone */
  | { readonly kind: 'cut'; readonly status: number; readonly body: string }
  /** relayed with this meaning, or 502 */
  | ({ readonly kind: 'either' } & Relayed)

/** What a relayed response means. */
export interface Relayed {
  readonly status: number
  readonly body: string
  readonly reason?: string
  /** all end-to-end fields, in order; without Date, framing and Connection */
  readonly fields?: readonly Field[]
  readonly trailers?: readonly Field[]
  readonly framing?: StrictResponse['framing']
  /** statuses of the interim responses before it */
  readonly interims?: readonly number[]
}

/** One case of group 5. */
export interface ResponseCase {
  readonly name: string
  readonly rfc: string
  readonly script: readonly Step[]
  readonly expect: ResponseExpectation
  /** what the client sends; a GET unless this says otherwise */
  readonly request?: string
  /** whether the script is played as soon as the head of the request is there */
  readonly early?: boolean
  /** whether the upstream, which plays its script early, awaits no body: what follows the head is the next request */
  readonly heedless?: boolean
  /** what the client sends when it has its response, before the probe */
  readonly rest?: string
  /** whether another client asks for something of its own, before the rest is sent or behind it */
  readonly victim?: 'before' | 'behind'
  /** ms between the response and the probe, for what the upstream sends late; such a case runs alone */
  readonly pause?: number
  /** whether the probe is sent together with the request */
  readonly pipelined?: boolean
  /** whether the upstream's connection must not be used again */
  readonly spoilt?: boolean
}

/** A group of response cases. */
export interface ResponseGroup {
  readonly name: string
  readonly cases: readonly ResponseCase[]
}

/** The path that scripts are played for. */
export const CASE = '/case'
const LANES = 16

interface Run {
  readonly one: ResponseCase
  readonly address: string
  /** where the other client comes from */
  readonly elsewhere: string
  readonly marker: string
}

/** What happened in one case. */
interface Evidence extends Run {
  /** all octets that the first connection brought, the probe's answer with them if it went there */
  readonly first: Client
  /** the connection that the probe needed, when the first was over */
  readonly second: Client | undefined
  /** the connection of the other client, where there is one */
  readonly victim: Client | undefined
  readonly late: boolean
}

/** Runs a group. */
export async function runResponses(
  group: ResponseGroup,
  start: StartTarget = startSignet,
  patience = PATIENCE,
): Promise<GroupResult> {
  const begun = performance.now()
  const recorder = await Recorder.listen()
  const target = await start(recorder.port, {})
  const addresses = new Addresses()
  const runs = group.cases.map((one, index) => ({
    one,
    address: addresses.take(),
    elsewhere: addresses.take(),
    marker: `r${index}z`,
  }))
  const evidence = new Map<Run, Evidence>()
  const run = async (run: Run) => {
    const play = answerBy(run.one.script)
    if (run.one.early) recorder.scriptEarly(run.address, play, run.one.heedless)
    recorder.script(run.address, run.one.early ? answerBy([]) : play)
    evidence.set(run, await ask(run, target.port, patience))
  }
  const alone = runs.filter(({ one }) => one.pause !== undefined)
  const together = runs.filter(({ one }) => one.pause === undefined)
  let next = 0
  const lane = async () => {
    while (next < together.length) await run(together[next++]!)
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  for (const one of alone) await run(one)

  const died = target.died()
  const judgements = runs.map((run) => {
    const found = evidence.get(run)
    if (found === undefined) throw new Error('a case that did not run')
    return judgeResponse(found, recorder, died)
  })
  const problems = await target.close()
  await recorder.close()
  return { group, judgements, problems, ms: performance.now() - begun }
}

/** An answer that plays a script, for the case's own request; everything else gets the usual answer. */
function answerBy(script: readonly Step[]): Answer {
  return ({ request }, connection, usual) => {
    if (request.target === CASE) void play(script, connection)
    else usual()
  }
}

async function play(script: readonly Step[], { socket }: Connection): Promise<void> {
  for (const step of script) {
    if (socket.destroyed) return
    if (step === 'FIN') socket.end()
    else if (step === 'RST') socket.resetAndDestroy()
    else if (typeof step === 'string') socket.write(step, 'latin1')
    else await new Promise((resolve) => setTimeout(resolve, step.wait))
  }
}

const requestOf = ({ request }: ResponseCase) => request ?? head(`GET ${CASE} HTTP/1.1`, HOST)
const probeOf = (marker: string) => head(`GET /probe-${marker} HTTP/1.1`, HOST)
const victimOf = (marker: string) => head(`GET /victim-${marker} HTTP/1.1`, HOST)
/** Whether the client has been answered with the account of this request. */
const answered = (client: Client, target: string) => () =>
  client.octets.includes(`"target":"${target}"`) && client.octets.endsWith('}')

/** The case's request, as far as the framing of its answer depends on it, and the probe. */
function askedBy(one: ResponseCase): [Asked, Asked] {
  const { requests, unfinished } = readRequests(requestOf(one))
  const { method, minor } = requests[0] ?? unfinished ?? { method: 'GET', minor: 1 }
  return [
    { method, minor },
    { method: 'GET', minor: 1 },
  ]
}

async function ask(run: Run, port: number, patience: number): Promise<Evidence> {
  const { one, address, marker } = run
  const asked = askedBy(one)
  const first = await Client.connect(port, address, one.expect.kind === 'cut')
  first.send(requestOf(one) + (one.pipelined ? probeOf(marker) : ''))
  const answers = () => readResponses(first.octets, asked, first.ended).responses
  const whole = () => answers().some(({ complete }) => complete)
  let late = !(await first.until(whole, patience))
  const others: Client[] = []
  const another = async () => {
    const victim = await Client.connect(port, run.elsewhere)
    others.push(victim)
    victim.send(victimOf(marker))
    late = !(await victim.until(answered(victim, `/victim-${marker}`), patience)) || late
  }
  if (one.victim === 'before') await another()
  if (one.rest !== undefined) first.send(one.rest)
  if (one.victim === 'behind') await another()
  if (one.pause !== undefined) await new Promise((resolve) => setTimeout(resolve, one.pause))

  let second: Client | undefined
  const probed = (client: Client) => answered(client, `/probe-${marker}`)
  if (one.pipelined && first.ended === 'open') {
    late = !(await first.until(probed(first), patience)) || late
  } else if (first.ended === 'open' && answers()[0]?.closes === false) {
    first.send(probeOf(marker))
    late = !(await first.until(probed(first), patience)) || late
  }
  if (!probed(first)()) {
    second = await Client.connect(port, address)
    second.send(probeOf(marker))
    late = !(await second.until(probed(second), patience)) || late
  }
  const [victim] = others
  for (const client of [first, second, victim]) {
    client?.end()
    await client?.until(() => false, patience)
    client?.socket.destroy()
  }
  return { ...run, first, second, victim, late }
}

function judgeResponse(
  { one, address, elsewhere, marker, first, second, victim, late }: Evidence,
  recorder: Recorder,
  died: string | undefined,
): Judgement {
  const problems: string[] = []
  if (died !== undefined) problems.push(died)
  if (late) problems.push('the client waited in vain')
  const reading = readResponses(first.octets, askedBy(one), first.ended)
  const verdict: ResponseVerdict =
    died !== undefined || first.octets.includes('ERR_INTERNAL')
      ? 'crashed'
      : late
        ? 'hung'
        : verdictOf(reading, first, askedBy(one)[0])
  problems.push(...problemsWith(one.expect, reading, first, verdict))

  const answer =
    second === undefined
      ? reading.responses[1]
      : readResponses(second.octets, [{ method: 'GET', minor: 1 }], second.ended).responses[0]
  const account = accountIn(answer)
  const own = account?.target === `/probe-${marker}` && account.owner === address
  if (!own) problems.push(`the probe was answered ${JSON.stringify(answer?.body ?? 'not at all')}`)
  const others = victim === undefined ? undefined : ownAnswer(victim, `/victim-${marker}`, elsewhere)
  if (others !== undefined && !others.own) problems.push(`the other client was answered ${others.body}`)
  const { requests } = recorder.seenOf(address)
  const seen = requests.filter(({ request }) => request.target === CASE)
  if (seen.length > 1 && seen[0]?.request.method === 'POST')
    problems.push(`the upstream saw the POST ${seen.length} times`)
  const nobodys = requests.filter(
    ({ request }) => request.target !== CASE && request.target !== `/probe-${marker}`,
  )
  problems.push(...nobodys.map(({ request }) => `the upstream saw ${request.method} ${request.target}`))
  const carrier = recorder.connections.findLast(({ requests }) =>
    requests.some(({ owner, request }) => owner === address && request.target === CASE),
  )
  if (one.spoilt && account !== undefined && account.connection === carrier?.id)
    problems.push('the connection was used again')
  return {
    name: one.name,
    rfc: one.rfc,
    verdict:
      nobodys.length > 0
        ? 'smuggled'
        : (account !== undefined && !own) || others?.leaked === true
          ? 'leaked'
          : verdict,
    problems,
    octets: {
      asked: requestOf(one),
      upstream: one.script
        .map((step) => (typeof step === 'string' ? step : `⟨${step.wait} ms⟩`))
        .join(' ⟨then⟩ '),
      got: `${first.octets} [${first.ended}]`,
      ...(second === undefined ? {} : { probe: `${second.octets} [${second.ended}]` }),
      ...(victim === undefined ? {} : { victim: `${victim.octets} [${victim.ended}]` }),
    },
  }
}

/** How a client was answered that asked for one thing. */
function ownAnswer({ octets, ended }: Client, target: string, address: string) {
  const [response] = readResponses(octets, [{ method: 'GET', minor: 1 }], ended).responses
  const account = accountIn(response)
  const own = account?.target === target && account.owner === address
  return {
    own,
    leaked: !own && response?.status === 200,
    body: JSON.stringify(response?.body ?? 'not at all'),
  }
}

function accountIn(response: StrictResponse | undefined): Account | undefined {
  try {
    return response?.status === 200 ? (JSON.parse(response.body) as Account) : undefined
  } catch {
    return undefined
  }
}

function verdictOf(
  { responses: [response] }: ResponseReading,
  { ended }: Client,
  asked: Asked,
): ResponseVerdict {
  if (response === undefined || !response.complete) return ended === 'reset' ? 'cut short' : 'hung'
  // A refusal of HEAD has no body to tell it by.
  const refused = refusalCode(response) !== undefined || (asked.method === 'HEAD' && response.status === 502)
  return refused ? 'answered 502' : 'relayed'
}

function problemsWith(
  expect: ResponseExpectation,
  reading: ResponseReading,
  client: Client,
  verdict: ResponseVerdict,
): string[] {
  const [response] = reading.responses
  const problems: string[] = []
  if (reading.complaint !== undefined) {
    problems.push(
      `the client: ${reading.complaint.message} (${reading.complaint.rfc}) at ${reading.complaint.at}`,
    )
  }
  const verdicts: Record<ResponseExpectation['kind'], readonly ResponseVerdict[]> = {
    relay: ['relayed'],
    bad: ['answered 502'],
    cut: ['cut short', 'answered 502'],
    either: ['relayed', 'answered 502'],
  }
  if (!verdicts[expect.kind].includes(verdict))
    problems.push(`${verdict}; expected ${verdicts[expect.kind].join(' or ')}`)
  if (response === undefined) {
    if (expect.kind === 'cut' && client.ended === 'reset') problems.push('the client was told nothing at all')
    return problems
  }
  if (verdict === 'answered 502') {
    const statuses = expect.kind === 'bad' ? expect.statuses : [502]
    if (!statuses.includes(response.status)) problems.push(`the status is ${response.status}`)
    return problems
  }
  if (expect.kind === 'cut') {
    if (response.status !== expect.status) problems.push(`the status is ${response.status}`)
    // What stands before a fault in the same read may be withheld with it.
    if (!expect.body.startsWith(response.body)) problems.push(`the body is ${JSON.stringify(response.body)}`)
    if (client.ended !== 'reset') problems.push(`it ended with ${client.ended}, as if it were whole`)
    return problems
  }
  if (expect.kind !== 'bad') problems.push(...differences(expect, response, reading))
  return problems
}

function differences(expect: Relayed, response: StrictResponse, { interims }: ResponseReading): string[] {
  const endToEnd = response.fields.filter(
    ([name]) => !/^(date|content-length|transfer-encoding|connection)$/i.test(name),
  )
  const is: Record<keyof Relayed, unknown> = {
    status: response.status,
    reason: response.reason,
    body: response.body,
    fields: endToEnd,
    trailers: response.trailers,
    framing: response.framing,
    interims: interims.map(({ status }) => status),
  }
  const found: string[] = []
  for (const [key, value] of Object.entries(expect)) {
    if (key === 'kind' || JSON.stringify(is[key as keyof Relayed]) === JSON.stringify(value)) continue
    found.push(
      `${key} is ${JSON.stringify(is[key as keyof Relayed]).slice(0, 200)}, should be ${JSON.stringify(value).slice(0, 200)}`,
    )
  }
  if (response.fields.filter(([name]) => name.toLowerCase() === 'date').length !== 1)
    found.push('not exactly one Date')
  return found
}
