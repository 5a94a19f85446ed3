import fc from 'fast-check'
import { isIP } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readBlock } from '../../src/config/addresses.ts'
import { isAddress } from '../../src/http/address.ts'
import { AddressList } from '../../src/net/address-list.ts'

const test = suite('config/addresses')

for (const [text, read] of [
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['10.1.2.3', '10.1.2.3/32'],
  ['::1', '::1/128'],
  ['2001:DB8::/32', '2001:db8::/32'],
  ['::10.0.0.0/104', '::a00:0/104'],
  ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
  ['::/0', '::/0'],
] as const) {
  test(`${text} is the block ${read}, which is the same one`, () => {
    assert.is(readBlock(text), read)
    for (const address of ['10.1.2.3', '::10.1.2.3', '::1', '2001:db8::1'])
      assert.is(new AddressList([text]).includes(address), new AddressList([read]).includes(address), address)
  })
}

for (const [text, reason] of [
  ['10.0.0.1/8', 'the first address of a block: 10.0.0.0/8, or 10.0.0.1/32 for this one alone'],
  ['2001:db8::1/32', 'the first address of a block: 2001:db8::/32, or 2001:db8::1/128 for this one alone'],
  ['10.0.0.0/08', 'a CIDR block such as 10.0.0.0/8 or ::1/128'],
  ['fe80::1%eth0', 'a CIDR block such as 10.0.0.0/8 or ::1/128'],
  ['', 'a CIDR block such as 10.0.0.0/8 or ::1/128'],
] as const) {
  test(`${text === '' ? 'nothing' : text} is no block: ${reason}`, () => {
    assert.throws(
      () => readBlock(text),
      (error: Error) => error.message === reason,
    )
  })
}

test('what is an address is so to Node, too', () => {
  const part = fc.constantFrom('::', ':', '0', 'ffff', '10', '256', '1.2.3.4', '.', '01')
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(part, { maxLength: 9 }).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(text, (one) => assert.is(isAddress(one), isIP(one) !== 0)),
    { numRuns: 5000 },
  )
})

test.run()
