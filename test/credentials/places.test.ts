// Places: so many at once, so many waiting, none for ever, and none for who has left.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Places } from '../../src/credentials/places.ts'
import { within } from '../support/wire.ts'
import { outcomeOf } from './support.ts'

const test = suite('credentials/places')

const STAYS = { gone: false }

/** Work that goes on until it is let go. */
function work() {
  let end: () => void = () => undefined
  let begun = false
  const done = new Promise<string>((resolve) => {
    end = () => resolve('done')
  })
  const run = () => {
    begun = true
    return done
  }
  return { run, end: () => end(), begun: () => begun }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('who comes first is first, and a place passes on whether the work came to something or not', async () => {
  const places = new Places({ most: 1, mostWaiting: 2, patience: 60_000 })
  const order: string[] = []
  const first = work()
  const all = [
    places.run(STAYS, () => first.run()),
    places
      .run(STAYS, async () => {
        order.push('second')
        throw new Error('failed')
      })
      .catch(String),
    places.run(STAYS, async () => {
      order.push('third')
      return 'done'
    }),
  ]
  await turn()
  assert.equal([first.begun(), order, places.waiting], [true, [], 2])
  first.end()
  assert.equal(await within(Promise.all(all), 'all of it'), ['done', 'Error: failed', 'done'])
  assert.equal(order, ['second', 'third'])
  assert.is(
    await within(
      places.run(STAYS, async () => 'free'),
      'a free place',
    ),
    'free',
  )
})

test('beyond those that may wait nobody does, but who has left makes way', async () => {
  const places = new Places({ most: 1, mostWaiting: 2, patience: 60_000 })
  const first = work()
  const running = places.run(STAYS, () => first.run())
  const leaver = { gone: false }
  const left = outcomeOf(() => places.run(leaver, async () => 'in vain'))
  const waiting = outcomeOf(() => places.run(STAYS, async () => 'second'))
  assert.match(await outcomeOf(() => places.run(STAYS, async () => 'x')), /^ERR_CREDENTIAL_LIMIT/)
  leaver.gone = true
  const late = outcomeOf(() => places.run(STAYS, async () => 'third'))
  assert.match(await within(left, 'the leaver'), /^ERR_CLIENT_CLOSED/)
  first.end()
  assert.equal(await within(Promise.all([running, waiting, late]), 'the others'), ['done', 'second', 'third'])
})

test('nobody waits longer than they may', async () => {
  const places = new Places({ most: 1, mostWaiting: 2, patience: 30 })
  const first = work()
  const running = places.run(STAYS, () => first.run())
  const began = performance.now()
  const keepAlive = setTimeout(() => undefined, 5000) // the timers of places keep no process alive
  assert.match(
    await within(
      outcomeOf(() => places.run(STAYS, async () => 'x')),
      'it',
    ),
    /^ERR_CREDENTIAL_LIMIT waited 30 ms/,
  )
  clearTimeout(keepAlive)
  assert.ok(performance.now() - began < 3000)
  assert.is(places.waiting, 0)
  first.end()
  assert.is(await running, 'done')
})

test.run()
