import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { canReadShared } from '../../src/net/listener.ts'
import { eventually } from '../support/wire.ts'

const test = suite('net/listener')

test('this Node lets an accepted socket be taken over', async () => {
  assert.is(await canReadShared(), true)
})

test('finding that out leaves nothing open', async () => {
  const before = process.getActiveResourcesInfo().length
  await Promise.all([canReadShared(), canReadShared(), canReadShared()])
  await eventually(() => process.getActiveResourcesInfo().length <= before, 'as many open handles as before')
})

test.run()
