import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Backoff } from '../../src/workers/backoff.ts'

const test = suite('workers/backoff')

test('each wait is twice the one before, from 100 ms up to 10 s', () => {
  const backoff = new Backoff()
  const waits = Array.from({ length: 9 }, () => backoff.after(50))
  assert.equal(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
})

test('the death of a process that lived for a minute is the first again', () => {
  const backoff = new Backoff()
  for (let death = 0; death < 5; death++) backoff.after(59_999)
  assert.is(backoff.after(60_000), 100)
  assert.is(backoff.after(10), 200)
})

test.run()
