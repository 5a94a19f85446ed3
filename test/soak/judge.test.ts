// The judge of the soak: what it lets pass, and what it does not. A judge that excuses too much would hide what the soak
// is there to find.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type End, type Exchange, judge } from './judge.ts'
import type { Deed } from './ledger.ts'
import { BodyCheck, bodyPiece, Dice } from './pattern.ts'

const test = suite('soak/judge')

const exchange = (end: End, rest: Partial<Exchange> = {}): Exchange => {
  return { id: 7, kind: 'small', method: 'GET', hasBody: false, from: 10_000, to: 10_100, ...rest, end }
}

const REFUSED: End = { how: 'refused', status: 502, code: 'ERR_UPSTREAM_CLOSED' }
const UNREACHABLE: End = { how: 'refused', status: 502, code: 'ERR_UPSTREAM_UNREACHABLE' }
const CUT: End = { how: 'cut', stage: 'body', ending: 'reset' }
const POST = { method: 'POST', hasBody: true }

const DOWN: readonly Deed[] = [
  { kind: 'down', at: 10_050, idle: 0 },
  { kind: 'up', at: 10_060 },
]
const DOWN_BEFORE: readonly Deed[] = [
  { kind: 'down', at: 9000, idle: 0 },
  { kind: 'up', at: 9500 },
]
const SPOILT: readonly Deed[] = [{ kind: 'spoilt', at: 10_050, id: 7 }]
const SPOILT_OTHER: readonly Deed[] = [{ kind: 'spoilt', at: 10_050, id: 8 }]
const CLOSED: readonly Deed[] = [{ kind: 'closed-idle', at: 10_050 }]
const CLOSED_LATER: readonly Deed[] = [{ kind: 'closed-idle', at: 11_000 }]

const CASES: readonly (readonly [
  what: string,
  exchange: Exchange,
  deeds: readonly Deed[],
  verdict: string,
])[] = [
  ['an answer', exchange({ how: 'answered' }), [], 'answered'],
  [
    'a wrong answer, whatever the upstream did',
    exchange({ how: 'wrong', why: '' }),
    [...DOWN, ...SPOILT],
    'wrong',
  ],
  ['a refusal while the upstream was down', exchange(UNREACHABLE), DOWN, 'refused'],
  ['a refusal while it has not come up again', exchange(UNREACHABLE), DOWN.slice(0, 1), 'refused'],
  ['a refusal after it had come up again', exchange(UNREACHABLE), DOWN_BEFORE, 'lost'],
  ['a refusal for no reason', exchange(REFUSED), [], 'lost'],
  ['a refusal of what the upstream spoilt', exchange(REFUSED), SPOILT, 'refused'],
  ['a refusal of what it did not spoil', exchange(REFUSED), SPOILT_OTHER, 'lost'],
  ['POST that met a closed connection', exchange(REFUSED, POST), CLOSED, 'refused'],
  ['POST before one was closed', exchange(REFUSED, POST), CLOSED_LATER, 'lost'],
  ['GET that met a closed connection: it may be sent again', exchange(REFUSED), CLOSED, 'lost'],
  [
    'PUT with a body that met a closed connection',
    exchange(REFUSED, { method: 'PUT', hasBody: true }),
    CLOSED,
    'refused',
  ],
  [
    '503, which is no fault of the upstream',
    exchange({ ...REFUSED, status: 503, code: 'ERR_POOL_FULL' }),
    DOWN,
    'lost',
  ],
  ['504 while it was down', exchange({ ...REFUSED, status: 504, code: 'ERR_CONNECT_TIMEOUT' }), DOWN, 'lost'],
  ['500', exchange({ ...REFUSED, status: 500, code: 'ERR_INTERNAL' }), [...DOWN, ...SPOILT], 'lost'],
  ['a response cut short by the upstream', exchange(CUT), SPOILT, 'refused'],
  ['a response cut short by nobody else', exchange(CUT), [], 'lost'],
  ['no answer and no refusal', exchange({ ...CUT, stage: 'nothing', ending: 'fin' }), SPOILT, 'lost'],
  ['RST and no refusal to one that only reads', exchange({ ...CUT, stage: 'nothing' }), SPOILT, 'lost'],
  ['RST to one that was sending', exchange({ ...CUT, stage: 'nothing' }, POST), SPOILT, 'refused'],
  ['no answer in time', exchange({ ...CUT, ending: 'late' }, POST), SPOILT, 'lost'],
]

for (const [what, one, deeds, verdict] of CASES) {
  test(`${what} is ${verdict}`, () => {
    assert.is(judge([one], deeds)[0]?.verdict, verdict)
  })
}

test('each closed connection excuses one exchange and no more', () => {
  const three = [1, 2, 3].map((id) => exchange(REFUSED, { ...POST, id }))
  const verdicts = judge(three, [...CLOSED, ...CLOSED]).map(({ verdict }) => verdict)
  assert.equal(verdicts, ['refused', 'refused', 'lost'])
})

test('connections that were idle when the upstream went down count as closed', () => {
  const deeds: Deed[] = [
    { kind: 'down', at: 9800, idle: 1 },
    { kind: 'up', at: 9850 },
  ]
  const verdicts = judge(
    [1, 2].map((id) => exchange(REFUSED, { ...POST, id })),
    deeds,
  ).map(({ verdict }) => verdict)
  assert.equal(verdicts, ['refused', 'lost'])
})

test('a body is its own: a wrong octet, a shift and a body of another exchange are found', () => {
  const dice = new Dice(1)
  for (let round = 0; round < 200; round++) {
    const id = dice.between(1, 100_000)
    const from = dice.between(0, 200_000)
    const length = dice.between(2, 65_521)
    const right = new BodyCheck(id)
    for (let at = 0; at < from + length; ) {
      const piece = bodyPiece(id, at, Math.min(from + length - at, dice.between(1, 65_521)))
      right.add(piece)
      at += piece.length
    }
    assert.is(right.wrongAt, -1)
    assert.is(right.octets, from + length)

    const wrong = Buffer.from(bodyPiece(id, 0, length))
    const at = dice.between(0, length - 1)
    wrong[at] = (wrong[at] as number) ^ 1
    const check = new BodyCheck(id)
    check.add(wrong)
    assert.is.not(check.wrongAt, -1)
  }
  const other = new BodyCheck(1)
  other.add(bodyPiece(2, 0, 100))
  assert.is(other.wrongAt, 0)
  const shifted = new BodyCheck(1)
  shifted.add(bodyPiece(1, 1, 100))
  assert.is(shifted.wrongAt, 0)
})

test.run()
