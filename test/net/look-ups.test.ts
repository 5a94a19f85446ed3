import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import { type LookUpAll, LookUps, type OnFound } from '../../src/net/look-ups.ts'
import { eventually } from '../support/wire.ts'

const test = suite('net/look-ups')

/** Look-ups that are answered by hand. */
function handMade(limits = { atOnce: 2, waiting: 2, timeout: 10_000 }) {
  const asked: string[] = []
  const answers = new Map<string, OnFound>()
  const lookUp: LookUpAll = (hostname, _options, callback) => {
    asked.push(hostname)
    answers.set(hostname, callback)
  }
  const lookUps = new LookUps(lookUp, limits)
  const told: string[] = []
  return {
    asked,
    told,
    find: (hostname: string) =>
      lookUps.find(hostname, { all: true }, (error, found) => {
        const code = error instanceof ProxyError ? error.code : error?.message
        told.push(`${hostname} ${code ?? found.map(({ address }) => address).join()}`)
      }),
    answer: (hostname: string) => answers.get(hostname)!(null, [{ address: `${hostname}!`, family: 4 }]),
  }
}

test('two names at a time are looked up, and the others in the order in which they came', () => {
  const { asked, told, find, answer } = handMade()
  for (const name of ['a', 'b', 'c', 'd']) find(name)
  assert.equal(asked, ['a', 'b'])
  answer('b')
  assert.equal(asked, ['a', 'b', 'c'])
  answer('c')
  answer('a')
  answer('d')
  assert.equal(asked, ['a', 'b', 'c', 'd'])
  assert.equal(told, ['b b!', 'c c!', 'a a!', 'd d!'])
})

test('past those that may wait there is only refusal, and never before the call is over', async () => {
  const { asked, told, find, answer } = handMade()
  for (const name of ['a', 'b', 'c', 'd', 'e']) find(name)
  assert.equal(told, [])
  await eventually(() => told.length > 0, 'a refusal')
  assert.equal(told, ['e ERR_POOL_FULL'])
  for (const name of ['a', 'b', 'c', 'd']) answer(name)
  assert.equal(asked, ['a', 'b', 'c', 'd'])
})

test('a name whose turn does not come in time is not looked up any more, and the next one is', async () => {
  const { asked, told, find, answer } = handMade({ atOnce: 1, waiting: 2, timeout: 50 })
  find('slow')
  find('late')
  await eventually(() => told.length > 0, 'a refusal')
  assert.equal(told, ['late ERR_CONNECT_TIMEOUT'])
  find('next')
  answer('slow')
  assert.equal(asked, ['slow', 'next'])
  answer('next')
  assert.equal(told.slice(1), ['slow slow!', 'next next!'])
})

test('a look-up that fails makes room as well', () => {
  const asked: string[] = []
  const fails: (() => void)[] = []
  const lookUp: LookUpAll = (hostname, _options, callback) => {
    asked.push(hostname)
    fails.push(() => callback(new Error('ENOTFOUND'), []))
  }
  const lookUps = new LookUps(lookUp, { atOnce: 1, waiting: 1, timeout: 10_000 })
  for (const name of ['a', 'b']) lookUps.find(name, { all: true }, () => undefined)
  fails[0]!()
  assert.equal(asked, ['a', 'b'])
})

test.run()
