import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Batches } from '../../src/compression/batches.ts'

const test = suite('compression/batches')

test('batches are what was appended, in order, and stay so until they are given back', () => {
  const actions = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 3000, size: 'max' }), fc.constant('take' as const)),
  )
  fc.assert(
    fc.property(actions, (all) => {
      const batches = new Batches()
      let expected = Buffer.alloc(0)
      let lent: { batch: Buffer; copy: Buffer } | undefined
      for (const action of all) {
        if (action === 'take') {
          if (lent !== undefined) {
            assert.ok(lent.batch.equals(lent.copy))
            batches.giveBack()
          }
          const batch = batches.take()
          assert.ok(batch.equals(expected))
          lent = { batch, copy: Buffer.from(batch) }
          expected = Buffer.alloc(0)
        } else {
          const octets = Buffer.from(action)
          batches.append(Buffer.concat([Buffer.from('<'), octets, Buffer.from('>')]), 1, 1 + octets.length)
          expected = Buffer.concat([expected, octets])
        }
        assert.is(batches.length, expected.length)
      }
    }),
    { numRuns: 300 },
  )
})

test('two buffers take turns: batches of one size need no third', () => {
  const batches = new Batches()
  const octets = Buffer.alloc(5000)
  const buffers = new Set<ArrayBufferLike>()
  for (let n = 0; n < 20; n++) {
    batches.append(octets, 0, octets.length)
    buffers.add(batches.take().buffer)
    batches.append(octets, 0, octets.length)
    batches.giveBack()
    buffers.add(batches.take().buffer)
    batches.giveBack()
  }
  assert.is(buffers.size, 2)
})

test('cleared, nothing is left', () => {
  const batches = new Batches()
  batches.append(Buffer.from('abc'), 0, 3)
  batches.clear()
  assert.is(batches.length, 0)
  assert.is(batches.take().length, 0)
})

test.run()
