// When is Redis relied on, and when is it said that it is not? By a client that does what the test says; a real Redis is in
// test/proxy/limits-redis.test.ts.

import { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { RedisLink } from '../../src/limits/redis-link.ts'
import { eventually, within } from '../support/wire.ts'

const test = suite('limits/redis-link')
const links: RedisLink[] = []
test.after.each(() => {
  for (const link of links.splice(0)) link.close()
})

/** A Redis as the link sees it. */
class FakeRedis extends EventEmitter {
  status = 'ready'
  answers = true
  disconnects: (boolean | undefined)[] = []

  eval(): Promise<string> {
    return this.answers ? Promise.resolve('OK') : Promise.reject(new Error('Command timed out'))
  }

  disconnect(reconnect?: boolean): void {
    this.disconnects.push(reconnect)
  }
}

function link(redis: FakeRedis | Error, said: string[] = []): RedisLink {
  const open = async () => {
    if (redis instanceof Error) throw redis
    // The part of a client that a link uses.
    return redis as unknown as Redis
  }
  const config = { url: 'redis://127.0.0.1', timeout: 50 }
  const made = new RedisLink(config, (condition, reason) => said.push(`${condition}: ${reason}`), open)
  links.push(made)
  return made
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await within(promise, 'an answer', 1000)
  } catch (error) {
    return (error as { code?: string }).code
  }
}

const fine = async () => 'fine'
const fail = async () => {
  throw new Error('Command timed out')
}

test('the first command waits for the connection', async () => {
  assert.is(await codeOf(link(new FakeRedis()).ask(fine)), 'fine')
})

test('after one command without an answer none is tried, and that is said once', async () => {
  const said: string[] = []
  const redis = new FakeRedis()
  const made = link(redis, said)
  assert.is(await codeOf(made.ask(fine)), 'fine')
  redis.answers = false
  assert.is(await codeOf(made.ask(fail)), 'ERR_LIMIT_UNKNOWN')
  let tried = 0
  const count = async () => ++tried
  for (let n = 0; n < 5; n++) assert.is(await codeOf(made.ask(count)), 'ERR_LIMIT_UNKNOWN')
  assert.is(tried, 0)
  assert.equal(said, ['gone: no answer in time'])
})

test('a look every second finds out that it is back, which is said once; a connection where it does not is made anew', async () => {
  const said: string[] = []
  const redis = new FakeRedis()
  const made = link(redis, said)
  await made.ask(fine)
  redis.answers = false
  await codeOf(made.ask(fail))
  await eventually(() => redis.disconnects.length === 1, 'a new connection')
  assert.equal(redis.disconnects, [true])
  redis.answers = true
  redis.emit('ready')
  await eventually(() => said.length === 2, 'word of it')
  assert.equal(said, ['gone: no answer in time', 'back: Redis answers again'])
  assert.is(await codeOf(made.ask(fine)), 'fine')
})

test('a Redis that cannot be reached at first is gone, not waited for for ever', async () => {
  const said: string[] = []
  const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  const made = link(error, said)
  assert.is(await codeOf(made.ask(fine)), 'ERR_LIMIT_UNKNOWN')
  assert.equal(said, ['gone: ECONNREFUSED'])
})

test('a Redis that answers only later is found', async () => {
  const said: string[] = []
  const redis = new FakeRedis()
  redis.answers = false
  const made = link(redis, said)
  assert.is(await codeOf(made.ask(fine)), 'ERR_LIMIT_UNKNOWN')
  redis.answers = true
  redis.emit('ready')
  await eventually(() => said.length === 2, 'word of it')
  assert.is(await codeOf(made.ask(fine)), 'fine')
})

test('the reason repeats nothing of what was sent', async () => {
  const said: string[] = []
  const made = link(new FakeRedis(), said)
  await codeOf(
    made.ask(async () => {
      throw Object.assign(new Error("WRONGPASS no such user 'hunter2'"), { name: 'ReplyError' })
    }),
  )
  assert.equal(said, ['gone: WRONGPASS'])
})

test('what is closed asks no more, and says nothing', async () => {
  const said: string[] = []
  const redis = new FakeRedis()
  const made = link(redis, said)
  await made.ask(fine)
  made.close()
  assert.is(await codeOf(made.ask(fine)), 'ERR_LIMIT_UNKNOWN')
  assert.equal(redis.disconnects, [undefined])
  assert.equal(said, [])
})

test.run()
