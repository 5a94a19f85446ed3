// Runs the cases of a group against a target: one process, one upstream, many clients at a time, each at an address of
// its own. All cases are judged when all have ended, so that nothing that still arrives is missed.

import type { Case, Group } from './cases.ts'
import { type Judgement, judge, readSent, sentBy, type Transcript } from './judge.ts'
import { jtiOf } from './meaning.ts'
import { cutAt } from './octets.ts'
import { Recorder } from './recorder.ts'
import { Addresses, Client, PATIENCE, startSignet, type Target } from './stand.ts'
import { valuesOf } from './strict-grammar.ts'
import { readResponses } from './strict-response.ts'

/** Starts what is judged, in front of an upstream; `secret` where it signs. */
export type StartTarget = (
  upstreamPort: number,
  env: Readonly<Record<string, string>>,
) => Promise<Target & { readonly secret?: Buffer }>

/** What a group came to. */
export interface GroupResult {
  readonly group: Pick<Group, 'name'>
  readonly judgements: readonly Judgement[]
  /** what went wrong beside the cases: at the process's end, or octets of nobody's at the upstream */
  readonly problems: readonly string[]
  readonly ms: number
}

/** Cases that run at the same time. Those that wait for a deadline are all begun first, and run beside these. */
const LANES = 16

/** The marker of a group's case, by its place in the group. */
export function markerOf(index: number): string {
  return `m${index}z`
}

/** Runs a group. */
export async function runGroup(
  group: Group,
  start: StartTarget = startSignet,
  patience = PATIENCE,
): Promise<GroupResult> {
  const begun = performance.now()
  const recorder = await Recorder.listen()
  const target = await start(recorder.port, group.env ?? {})
  const addresses = new Addresses()
  const runs = group.cases.map((one, index) => ({ one, address: addresses.take(), marker: markerOf(index) }))
  const transcripts = new Map<Case, Transcript>()
  const run = async ({ one, address, marker }: (typeof runs)[number]) => {
    transcripts.set(one, await speak(one, marker, target.port, address, patience))
  }
  const slow = runs.filter(({ one, marker }) => readSent(one, marker).outcome === 'incomplete')
  const quick = runs.filter((one) => !slow.includes(one))
  const waiting = slow.map(run)
  let next = 0
  const lane = async () => {
    while (next < quick.length) await run(quick[next++]!)
  }
  await Promise.all([...Array.from({ length: LANES }, lane), ...waiting])
  await new Promise((resolve) => setTimeout(resolve, 100)) // what is under way to the upstream arrives

  const died = target.died()
  const { secret } = target
  const judgements = runs.map(({ one, address, marker }) => {
    const transcript = transcripts.get(one) ?? { octets: '', ended: 'open', late: true }
    return judge({ one, address, marker, transcript, seen: recorder.seenOf(address), died, secret })
  })
  const strays = recorder.strays(new Set(runs.map(({ address }) => address)))
  const problems = [...strays, ...repeatedTokens(recorder), ...(await target.close())]
  await recorder.close()
  return { group, judgements, problems, ms: performance.now() - begun }
}

/** Tokens that were used twice (RFC 7519 §4.1.7). */
function repeatedTokens({ connections }: Recorder): string[] {
  const seen = new Set<unknown>()
  const tokens = connections.flatMap(({ requests }) =>
    requests.flatMap(({ request }) => valuesOf(request.fields, 'x-my-jwt')),
  )
  return tokens.map(jtiOf).flatMap((jti) => {
    if (jti === undefined || !seen.has(jti)) {
      seen.add(jti)
      return []
    }
    return [`jti ${jti} was used twice`]
  })
}

/** Sends the octets of a case and waits until the connection ends, or the probe is answered and the end is ours. */
async function speak(
  one: Case,
  marker: string,
  port: number,
  address: string,
  patience: number,
): Promise<Transcript> {
  let client: Client
  try {
    client = await Client.connect(port, address)
  } catch {
    return { octets: '', ended: 'reset', late: false }
  }
  const pieces = cutAt(sentBy(one, marker), one.cuts ?? [])
  for (const [index, piece] of pieces.entries()) {
    client.send(piece)
    if (index < pieces.length - 1) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  if (one.fin) client.end()
  const answered =
    one.probe === false
      ? () => readResponses(client.octets, readSent(one, marker).requests, client.ended).responses.length > 0
      : () => client.octets.includes(`"target":"/probe-${marker}"`) && client.octets.endsWith('}')
  let late = !(await client.until(answered, patience))
  client.end()
  late = !(await client.until(() => false, patience)) || late
  const { octets, ended } = client
  client.socket.destroy()
  return { octets, ended, late }
}
