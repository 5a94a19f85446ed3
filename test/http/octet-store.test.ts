import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { OctetStore } from '../../src/http/octet-store.ts'

const test = suite('http/octet-store')

/** What can be done with a store. */
type Action =
  | { readonly kind: 'append'; readonly octets: Uint8Array }
  | { readonly kind: 'drop'; readonly share: number }
  | { readonly kind: 'take' }
  | { readonly kind: 'clear' }

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      octets: fc.uint8Array({ maxLength: 900, size: 'max' }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('drop' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('take' as const, 'clear' as const) }) },
)

test('what is held is what was appended, less what was dropped from its front, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40, size: 'max' }), (actions) => {
      const store = new OctetStore()
      let model = Buffer.alloc(0)
      for (const one of actions) {
        if (one.kind === 'append') {
          const octets = Buffer.concat([Buffer.from('before'), one.octets, Buffer.from('behind')])
          store.append(octets, 6, octets.length - 6)
          model = Buffer.concat([model, one.octets])
          octets.fill(0) // borrowed: the source is overwritten by the next read
        } else if (one.kind === 'drop') {
          const count = Math.floor(one.share * model.length)
          store.drop(count)
          model = model.subarray(count)
        } else {
          if (one.kind === 'take') assert.ok(store.take().equals(model))
          else store.clear()
          model = Buffer.alloc(0)
        }
        assert.is(store.length, model.length)
        assert.ok(store.peek().equals(model))
      }
    }),
  )
})

test('only the octets between start and end are copied', () => {
  const store = new OctetStore()
  store.append(Buffer.from('abcdef'), 2, 4)
  store.append(Buffer.from('abcdef'), 3, 3)
  assert.is(store.peek().toString(), 'cd')
})

test('a trickle of single octets is copied a logarithmic number of times', () => {
  const store = new OctetStore()
  const blocks = new Set<ArrayBufferLike>()
  for (let count = 1; count <= 65_536; count++) {
    store.append(Buffer.from('x'), 0, 1)
    blocks.add(store.peek().buffer)
    assert.ok(store.peek().buffer.byteLength <= Math.max(512, 2 * count))
  }
  assert.is(blocks.size, 8) // 512 octets, doubled up to 65,536
})

test('what has been dropped does not take up room for ever', () => {
  const store = new OctetStore()
  store.append(Buffer.from('head'), 0, 4)
  for (let round = 0; round < 10_000; round++) {
    store.append(Buffer.alloc(100, round), 0, 100)
    store.drop(100)
    assert.is(store.length, 4)
    assert.ok(store.peek().buffer.byteLength <= 512)
  }
})

test('what was taken stays as it was when the store goes on', () => {
  const store = new OctetStore()
  store.append(Buffer.from('first'), 0, 5)
  const taken = store.take()
  assert.is(store.length, 0)
  store.append(Buffer.from('other'), 0, 5)
  assert.is(taken.toString(), 'first')
})

test('a store that holds nothing owns no memory, but for the smallest region where that was enough', () => {
  const store = new OctetStore()
  const empty = store.peek()
  store.append(Buffer.alloc(10_000), 0, 10_000)
  store.drop(10_000)
  assert.is(store.peek(), empty)
  assert.is(empty.buffer.byteLength, 0)
  store.append(Buffer.from('little'), 0, 6)
  const { buffer } = store.peek()
  assert.is(buffer.byteLength, 512)
  store.drop(6)
  assert.is(store.length, 0)
  store.append(Buffer.from('again'), 0, 5)
  assert.is(store.peek().buffer, buffer)
  assert.is(store.peek().toString(), 'again')
  store.clear()
  assert.is(store.peek(), empty)
})

test.run()
