import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isAddress } from '../../src/http/address.ts'
import { AddressList, addressFrom, canonicalAddress, isPublic } from '../../src/net/address-list.ts'

const test = suite('net/address-list')

for (const [block, inside, outside] of [
  [
    '10.0.0.0/8',
    ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3', '::ffff:a01:203'],
    ['11.0.0.0', '9.255.255.255'],
  ],
  ['192.0.2.7', ['192.0.2.7', '::ffff:192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
  ['192.0.2.7/32', ['192.0.2.7'], ['192.0.2.6']],
  ['192.0.2.130/25', ['192.0.2.128', '192.0.2.255'], ['192.0.2.127']],
  ['0.0.0.0/0', ['1.2.3.4', '::ffff:1.2.3.4'], ['::1', '2001:db8::1']],
  ['2001:db8::/32', ['2001:db8::1', '2001:DB8:FFFF::', '2001:db8::1%eth0'], ['2001:db9::1', '32.1.13.184']],
  ['fe80::/10', ['fe80::1%eth0', 'febf::1'], ['fec0::1']],
  ['::1', ['::1', '0:0:0:0:0:0:0:1'], ['::2', '0.0.0.1', '::ffff:0.0.0.1']],
  ['::/0', ['::', 'ffff::1'], ['1.2.3.4']],
  ['::ffff:10.0.0.0/104', ['10.1.2.3', '::ffff:10.1.2.3'], ['11.1.2.3', '::10.1.2.3']],
  ['::ffff:10.0.0.1', ['10.0.0.1'], ['10.0.0.2']],
] as const) {
  test(`${block} includes its addresses, however they are written, and no others`, () => {
    const list = new AddressList(['203.0.113.1', block])
    for (const address of inside) assert.ok(list.includes(address), address)
    for (const address of outside) assert.not(list.includes(address), address)
  })
}

test('nothing but an address is in any list', () => {
  const list = new AddressList(['0.0.0.0/0', '::/0'])
  for (const text of [
    '',
    'localhost',
    '1',
    '10',
    '0x7f.1',
    '127.1',
    '010.0.0.1',
    '1.2.3.4:80',
    '[::1]',
    '1.2.3.4/8',
    ' 1.2.3.4',
  ])
    assert.not(list.includes(text), text)
})

test('an empty list includes nothing', () => {
  assert.not(new AddressList([]).includes('127.0.0.1'))
})

for (const block of [
  '',
  '10/8',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/',
  '10.0.0.0/8/8',
  '10.0.0.0/08',
  '10.0.0.0/255.0.0.0',
  '0x0a.0.0.0/8',
  '010.0.0.0/8',
  '::1/129',
  'fe80::1%eth0/64',
  'localhost',
  '[::1]/128',
]) {
  test(`${block === '' ? 'nothing' : block} is no block, and is named`, () => {
    assert.throws(
      () => new AddressList(['10.0.0.0/8', block]),
      (error: unknown) => error instanceof RangeError && error.message.startsWith(`${block} is n`),
    )
  })
}

test('a block includes exactly the addresses that share its first bits', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (start, address, bits) => {
      const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
      const size = 2 ** (32 - bits)
      const shares = Math.floor(number(start) / size) === Math.floor(number(address) / size)
      assert.is(new AddressList([`${start}/${bits}`]).includes(address), shares)
    }),
  )
})

test('an address survives being octets and text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (octets) => {
      const six = addressFrom(Buffer.from(octets), 0, 16)
      const four = addressFrom(Buffer.from(octets), 3, 4)
      assert.is(four, octets.slice(3, 7).join('.'))
      for (const address of [six, four]) {
        assert.ok(isAddress(address))
        assert.is(canonicalAddress(address), address)
      }
    }),
  )
})

for (const [text, canonical] of [
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::ffff:c000:207', '192.0.2.7'],
  ['192.0.2.7', '192.0.2.7'],
] as const) {
  test(`${text} is told as ${canonical}`, () => {
    assert.is(canonicalAddress(text), canonical)
  })
}

for (const [address, expected] of [
  ['93.184.216.34', true],
  ['2606:4700::1111', true],
  ['2606:4700:0:0::1111%eth0', true],
  ['127.0.0.1', false],
  ['10.0.0.1', false],
  ['169.254.169.254', false],
  ['100.64.0.1', false],
  ['0.0.0.0', false],
  ['::1', false],
  ['fe80::1', false],
  ['fd00::1', false],
  ['::ffff:127.0.0.1', false],
  ['::ffff:93.184.216.34', true],
  ['::7f00:1', false],
  ['::127.0.0.1', false],
  ['1::1', false],
  ['200::1', false],
  ['4000::1', false],
  ['2002:7f00:1::', false],
  ['2001:db8::1', false],
  ['localhost', false],
  ['', false],
] as const) {
  test(`${address === '' ? 'nothing' : address} is ${expected ? '' : 'not '}public`, () =>
    assert.is(isPublic(address), expected))
}

test.run()
