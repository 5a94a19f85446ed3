import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { networkOf } from '../../src/http/address.ts'

const test = suite('http/address')

for (const [address, network] of [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:DB8:0001:0002::6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['::192.0.2.1', '0:0:0:0'],
  ['::1', '0:0:0:0'],
  ['::', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['1:2:3:4:5:6:7::', '1:2:3:4'],
  ['unknown', 'unknown'],
] as const) {
  test(`${address} belongs to ${network}: all of an IPv6 site is one (RFC 6177)`, () => {
    assert.is(networkOf(address), network)
  })
}

test.run()
