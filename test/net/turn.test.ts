import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Due, Turn } from '../../src/net/turn.ts'

const test = suite('net/turn')

/** One round of the event loop. */
const round = () => new Promise((resolve) => setImmediate(resolve))

/** Something due in `turn` now, and how many rounds of the event loop go by until it has its turn. */
async function roundsUntilDue(turn: Turn, onRound: () => void = () => undefined): Promise<number> {
  let rounds = 0
  let ended = false
  const due: Due = {
    onTurnEnd() {
      ended = true
    },
    onTurnFault(thrown) {
      throw thrown
    },
  }
  turn.add(due)
  while (!ended && rounds < 1000) {
    rounds++
    onRound()
    await round()
  }
  return rounds
}

test('a turn ends with its round of the event loop', async () => {
  assert.is(await roundsUntilDue(new Turn()), 1)
})

test('a turn takes one round more for a connection that was accepted in it', async () => {
  const turn = new Turn()
  turn.prolong()
  assert.is(await roundsUntilDue(turn), 2)
  assert.is(await roundsUntilDue(turn), 1)
})

test('what leaves at the end of a turn does not keep the next one from going on', async () => {
  const turn = new Turn()
  turn.add({ onTurnEnd: () => turn.conclude(), onTurnFault: assert.unreachable })
  await round()
  turn.prolong()
  assert.is(await roundsUntilDue(turn), 2)
})

test('a turn in which something has left already takes no round more', async () => {
  const turn = new Turn()
  turn.prolong()
  assert.is(await roundsUntilDue(turn, () => turn.conclude()), 1)
})

test('a connection that was accepted when nothing was due prolongs no later turn', async () => {
  const turn = new Turn()
  turn.prolong()
  await round()
  assert.is(await roundsUntilDue(turn), 1)
})

test('a turn ends after 16 rounds though every one of them brings a connection, and so does the next', async () => {
  const turn = new Turn()
  assert.is(await roundsUntilDue(turn, () => turn.prolong()), 16)
  assert.is(await roundsUntilDue(turn, () => turn.prolong()), 16)
})

test('what throws at the end of a turn is told, and the others have theirs', () => {
  const turn = new Turn()
  const seen: unknown[] = []
  const fault = new Error('unforeseen')
  turn.add({
    onTurnEnd() {
      throw fault
    },
    onTurnFault: (thrown) => seen.push(thrown),
  })
  turn.add({ onTurnEnd: () => seen.push('second'), onTurnFault: (thrown) => seen.push(thrown) })
  turn.end()
  assert.equal(seen, [fault, 'second'])
})

test.run()
