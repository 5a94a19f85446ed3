// The judge is proven: what is no safe proxy must fail, by the right verdicts.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Case, type Expectation, forward, type Group, get, refuse } from './cases.ts'
import { requestLine } from './group-1-request-line.ts'
import { fieldLines } from './group-2-field-lines.ts'
import { framing } from './group-3-framing.ts'
import { identity } from './group-4-identity.ts'
import { responses } from './group-5-responses.ts'
import { type Evidence, judge, probeFor } from './judge.ts'
import { head } from './octets.ts'
import { failuresOf, scoreOf } from './report.ts'
import { startNaiveProxy, startRelay } from './relay.ts'
import { type GroupResult, runGroup, type StartTarget } from './run-group.ts'
import { runResponses } from './run-responses.ts'
import { NO_ADDRESSES } from './stand.ts'
import { readRequests } from './strict-parser.ts'

const test = suite('conformance/judge')

/** ms that a client waits: neither proxy has deadlines of its own. */
const PATIENCE = 400
const fault = (result: GroupResult) =>
  `${scoreOf(result)}\n${failuresOf(result)
    .slice(0, 5)
    .map(({ name }) => name)
    .join('\n')}`

/** Every eighth case, whatever must become of it: more would take too long, and say the same. */
const sampleOf = <T>(cases: readonly T[]): T[] => cases.filter((_, index) => index % 8 === 3)

/** Every twentieth case that must be refused, and every one with a request to smuggle by its framing. */
const refusals: Case[] = [requestLine, fieldLines, framing, identity]
  .flatMap(({ cases }) => cases)
  .filter(({ expect }) => expect.kind === 'refuse' && !expect.kept)
  .filter(
    ({ octets }, index) => index % 20 === 0 || (octets.includes('/smuggled') && !/\r\nexpect/i.test(octets)),
  )
/** Framing cases that must be forwarded: what any proxy can do. */
const forwards = framing.cases.filter(
  ({ expect, octets }) => expect.kind === 'forward' && octets.length < 2000,
)

async function against(start: StartTarget, name: string, cases: readonly Case[]): Promise<GroupResult> {
  const group: Group = { name, cases }
  return runGroup(group, start, PATIENCE)
}

/** Evidence by hand: what was sent, what must become of it, what the client got and what the upstream saw. */
function verdictOn(
  expect: Expectation,
  octets: string,
  got: string,
  upstream: string,
  more: Partial<Evidence> = {},
) {
  const { requests, complaint } = readRequests(upstream)
  const recorded = requests.map((request, index) => ({ request, owner: 'a', number: 1, arrival: index }))
  const evidence: Evidence = {
    one: { name: 'by hand', octets, rfc: '', expect },
    address: 'a',
    marker: 'm',
    transcript: { octets: got, ended: 'fin', late: false },
    seen: {
      requests: recorded,
      complaints: complaint === undefined ? [] : [complaint.message],
      unfinished: '',
    },
    died: undefined,
    secret: undefined,
    ...more,
  }
  return judge(evidence).verdict
}

const VIA = 'Via: 1.1 signet-00000000'
const GOOD = get(VIA)
const PROBE = probeFor('m').replace('X-Probe', `${VIA}\r\nX-Probe`)
const BROKEN = get('Content-Length: 5', 'Content-Length: 6')

test('nothing at the upstream is: refused', () => {
  assert.is(verdictOn(refuse(400), BROKEN, '', ''), 'refused')
})
test('the same meaning at the upstream is: forwarded unambiguous', () => {
  assert.is(verdictOn(forward(), get(), '', GOOD + PROBE), 'forwarded unambiguous')
})
test('what the strict parser refuses at the upstream is: forwarded ambiguous', () => {
  assert.is(verdictOn(refuse(400), BROKEN, '', BROKEN + PROBE), 'forwarded ambiguous')
})
test('another meaning at the upstream is: forwarded ambiguous', () => {
  assert.is(verdictOn(forward(), get('X-A: b'), '', get('X-A: c', VIA) + PROBE), 'forwarded ambiguous')
})
test('a request more at the upstream than was sent is: smuggled', () => {
  assert.is(verdictOn(forward(), get(), '', GOOD + GOOD + PROBE), 'smuggled')
})
test('the probe within another request is: smuggled', () => {
  const swallowed = `${head('POST /case HTTP/1.1', 'Host: origin.test', VIA, `Content-Length: ${PROBE.length}`)}${PROBE}`
  assert.is(verdictOn(refuse(400), BROKEN, '', swallowed), 'smuggled')
})
test('a client that waits in vain is: hung', () => {
  const transcript = { octets: '', ended: 'open', late: true } as const
  assert.is(verdictOn(refuse(400), BROKEN, '', '', { transcript }), 'hung')
})
test('a process that is gone is: crashed', () => {
  assert.is(verdictOn(refuse(400), BROKEN, '', '', { died: 'exit code 1' }), 'crashed')
})
test('an internal failure is: crashed', () => {
  assert.is(verdictOn(refuse(400), BROKEN, '{"code":"ERR_INTERNAL"}', ''), 'crashed')
})

const ambiguous = ({ judgements }: GroupResult) =>
  judgements.filter(({ verdict }) => verdict === 'forwarded ambiguous').length
const smuggled = ({ judgements }: GroupResult) =>
  judgements.filter(({ verdict }) => verdict === 'smuggled').length

if (NO_ADDRESSES === undefined) {
  /** Of what any proxy may pass, a relay passes it; so the shares are of groups as they are, with all that is good in them. */
  const whole: GroupResult[] = []
  for (const group of [requestLine, fieldLines, framing, identity]) {
    test(`a relay of octets fails at least half of group ${group.name}, whole`, async () => {
      const result = await against(startRelay, group.name, sampleOf(group.cases))
      whole.push(result)
      const share = failuresOf(result).length / result.judgements.length
      assert.ok(share >= 0.5, `${share}: ${scoreOf(result)}`)
    })
  }

  test('a relay of octets fails at least 80 % of groups 1 to 4, nearly all by forwarding what is ambiguous', () => {
    const all = whole.flatMap(({ judgements }) => judgements)
    const failures = whole.flatMap(failuresOf)
    assert.ok(failures.length >= 0.8 * all.length, `${failures.length} of ${all.length}`)
    const forwarded = failures.filter(({ verdict }) => verdict === 'forwarded ambiguous')
    assert.ok(
      forwarded.length >= 0.9 * failures.length,
      `${forwarded.length} of ${failures.length} by forwarding`,
    )
  })

  test('a relay of octets fails all but 5 % of what group 5 wants refused or cut short, and 30 % of the whole group', async () => {
    const cases = sampleOf(responses.cases)
    const { judgements } = await runResponses({ name: responses.name, cases }, startRelay, PATIENCE)
    // Most of this group are good responses, which a relay passes but for the Date that it does not add: that counts for
    // nothing here.
    const failed = judgements.map(({ problems }) =>
      problems.some((problem) => !/exactly one Date/.test(problem)),
    )
    const refusable = cases.map(({ expect: { kind } }) => kind === 'bad' || kind === 'cut')
    const refused = failed.filter((_, index) => refusable[index])
    assert.ok(
      refused.filter(Boolean).length >= 0.95 * refused.length,
      `${refused.filter(Boolean).length} of ${refused.length}`,
    )
    assert.ok(
      failed.filter(Boolean).length >= 0.3 * failed.length,
      `${failed.filter(Boolean).length} of ${failed.length}`,
    )
    const verdicts = new Set(judgements.map(({ verdict }) => verdict))
    assert.ok(verdicts.has('smuggled'), [...verdicts].join())
    const good = judgements.filter((_, index) => /^(status \d|reason )/.test(cases[index]?.name ?? ''))
    assert.ok(good.length > 20)
    assert.equal([...new Set(good.flatMap(({ problems }) => problems))], ['not exactly one Date'])
  })

  test('a naive proxy fails at least 60 % of what must be refused, and smuggles', async () => {
    const result = await against(startNaiveProxy, 'naive', refusals)
    assert.ok(failuresOf(result).length >= 0.6 * refusals.length, fault(result))
    assert.ok(ambiguous(result) > 0, fault(result))
    assert.ok(smuggled(result) > 0, fault(result))
  })

  test('a relay of octets passes plain requests: it is not the judge that fails everything', async () => {
    const plain = forwards.filter(({ name }) => /^(GET|POST|PUT) with(out)? |^ten requests/.test(name))
    const result = await against(startRelay, 'relay', plain)
    assert.is(failuresOf(result).length, 0, fault(result))
  })
}

test.run()
