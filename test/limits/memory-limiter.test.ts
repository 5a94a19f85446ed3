import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { MemoryLimiter } from '../../src/limits/memory-limiter.ts'
import { later } from '../support/flow.ts'

const test = suite('limits/memory-limiter')

test('each key has its own count, down to nothing left, and then it is too many', async () => {
  const limiter = new MemoryLimiter({ requests: 2, window: 60_000 })
  const left = []
  for (const key of ['a', 'a', 'b', 'a', 'a']) {
    const { exceeded, remaining, resetIn } = await limiter.count(key)
    assert.ok(resetIn > 59_000 && resetIn <= 60_000, `${resetIn}`)
    left.push(exceeded ? 'too many' : remaining)
  }
  assert.equal(left, [1, 0, 1, 'too many', 'too many'])
  limiter.close()
})

test('a window begins with the first request, and the next one after it', async () => {
  const limiter = new MemoryLimiter({ requests: 1, window: 1000 })
  assert.is((await limiter.count('a')).exceeded, false)
  assert.is((await limiter.count('a')).exceeded, true)
  await later(1050)
  assert.is((await limiter.count('a')).exceeded, false)
  limiter.close()
})

test('a flood of keys is forgotten from its beginning, and costs no more than there may be', async () => {
  const limiter = new MemoryLimiter({ requests: 1, window: 60_000 }, 100)
  await limiter.count('first')
  for (let n = 0; n < 99; n++) await limiter.count(`${n}`)
  assert.is((await limiter.count('first')).exceeded, true)
  await limiter.count('one more')
  assert.is(limiter.size, 100)
  assert.is((await limiter.count('first')).exceeded, false)
  assert.is((await limiter.count('98')).exceeded, true)
  assert.is(limiter.size, 100)
  limiter.close()
})

test('what is closed keeps nothing', async () => {
  const limiter = new MemoryLimiter({ requests: 1, window: 60_000 })
  await limiter.count('a')
  limiter.close()
  assert.is(limiter.size, 0)
  assert.is((await limiter.count('a')).exceeded, false)
  limiter.close()
})

test.run()
