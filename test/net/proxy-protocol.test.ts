import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readProxyHeader } from '../../src/net/proxy-protocol.ts'
import { binaryHeader, fromIPv4, tlv } from '../support/proxy-headers.ts'

const test = suite('net/proxy-protocol')

const latin1 = (text: string) => Buffer.from(text, 'latin1')
const LOCALHOST6 = [...new Array<number>(15).fill(0), 1]
const DOCUMENTATION6 = [0x20, 0x01, 0x0d, 0xb8, ...new Array<number>(11).fill(0), 7]
const PORTS = [0x12, 0x67, 0x1f, 0x90]

const UNCHECKED = fromIPv4('192.0.2.7', tlv(0x03, Buffer.from('00000000', 'hex')))

const GOOD: readonly (readonly [what: string, header: Buffer, address: string | undefined])[] = [
  ['TCP over IPv4', latin1('PROXY TCP4 192.0.2.7 127.0.0.1 4711 8080\r\n'), '192.0.2.7'],
  ['TCP over IPv6', latin1('PROXY TCP6 2001:DB8::7 ::1 0 65535\r\n'), '2001:db8::7'],
  ['IPv4 mapped into IPv6', latin1('PROXY TCP6 ::ffff:192.0.2.7 ::1 1 1\r\n'), '192.0.2.7'],
  [
    'the longest line (§2.1)',
    latin1(
      'PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n',
    ),
    undefined,
  ],
  ['a line from nobody it knows', latin1('PROXY UNKNOWN\r\n'), undefined],
  ['TCP over IPv4, binary', fromIPv4('192.0.2.7'), '192.0.2.7'],
  ['UDP over IPv4, binary', binaryHeader(0x21, 0x12, [192, 0, 2, 7], [127, 0, 0, 1], PORTS), '192.0.2.7'],
  ['TCP over IPv6, binary', binaryHeader(0x21, 0x21, DOCUMENTATION6, LOCALHOST6, PORTS), '2001:db8::7'],
  ['UDP over IPv6, binary', binaryHeader(0x21, 0x22, DOCUMENTATION6, LOCALHOST6, PORTS), '2001:db8::7'],
  ['a Unix socket', binaryHeader(0x21, 0x31, Buffer.alloc(216, 'x')), undefined],
  ['a Unix socket of datagrams', binaryHeader(0x21, 0x32, Buffer.alloc(216, 'x')), undefined],
  ['the peer itself', binaryHeader(0x20, 0x00), undefined],
  ['the peer itself, with addresses that do not count', binaryHeader(0x20, 0x11, [1, 2, 3]), undefined],
  ['nobody it knows', binaryHeader(0x21, 0x00), undefined],
  ['an address of no transport', binaryHeader(0x21, 0x10, [1, 2, 3]), undefined],
  [
    'TLVs',
    fromIPv4('192.0.2.7', tlv(0x04, Buffer.alloc(5)), tlv(0xe0, Buffer.alloc(0)), tlv(0x02, latin1('a'))),
    '192.0.2.7',
  ],
  ['the most that is taken', fromIPv4('192.0.2.7', tlv(0x04, Buffer.alloc(4096 - 16 - 12 - 3))), '192.0.2.7'],
]

for (const [what, header, address] of GOOD) {
  test(`a header that tells of ${what} is read, and ends where it ends`, () => {
    assert.equal(readProxyHeader(header), { address, end: header.length })
    assert.equal(readProxyHeader(Buffer.concat([header, latin1('GET / HTTP/1.1\r\n')])), {
      address,
      end: header.length,
    })
  })

  test(`a header that tells of ${what} is incomplete wherever it is cut`, () => {
    for (let cut = 0; cut < header.length; cut++)
      assert.is(readProxyHeader(header.subarray(0, cut)), 'incomplete', `after octet ${cut}`)
  })
}

for (const [what, octets] of [
  ['a request', latin1('GET / HTTP/1.1\r\n')],
  ['a TLS handshake', Buffer.from([0x16, 3, 1, 0, 1])],
  ['one in lower case', latin1('proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n')],
  ['a line that ends in LF alone', latin1('PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n')],
  ['a line with a CR in it', latin1('PROXY TCP4 1.2.3.4 1.2.3.4 1\r1\r\n')],
  ['a line that is too long', latin1(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)],
  ['a line that does not end', latin1('PROXY UNKNOWN '.padEnd(107, 'x'))],
  ['an unknown family', latin1('PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n')],
  ['no family', latin1('PROXY \r\n')],
  ['UDP, which a line does not know', latin1('PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n')],
  ['two blanks', latin1('PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n')],
  ['a blank at the end', latin1('PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n')],
  ['no destination', latin1('PROXY TCP4 1.2.3.4 1 1\r\n')],
  ['one port', latin1('PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n')],
  ['a port too many', latin1('PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n')],
  ['a port too high', latin1('PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n')],
  ['a port with a zero before it', latin1('PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n')],
  ['a port that is a name', latin1('PROXY TCP4 1.2.3.4 1.2.3.4 http 1\r\n')],
  ['an octal address', latin1('PROXY TCP4 01.2.3.4 1.2.3.4 1 1\r\n')],
  ['half an address', latin1('PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n')],
  ['IPv6 where IPv4 is said', latin1('PROXY TCP4 ::1 ::1 1 1\r\n')],
  ['IPv4 where IPv6 is said', latin1('PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n')],
  ['an address with a zone', latin1('PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n')],
  ['version 1 in binary', binaryHeader(0x11, 0x11, [1, 2, 3, 4], [1, 2, 3, 4], PORTS)],
  ['version 3', binaryHeader(0x31, 0x11, [1, 2, 3, 4], [1, 2, 3, 4], PORTS)],
  ['an unknown command', binaryHeader(0x22, 0x11, [1, 2, 3, 4], [1, 2, 3, 4], PORTS)],
  ['an unknown family in binary', binaryHeader(0x21, 0x41, Buffer.alloc(40))],
  ['an unknown transport', binaryHeader(0x21, 0x13, [1, 2, 3, 4], [1, 2, 3, 4], PORTS)],
  ['too few octets for IPv4', binaryHeader(0x21, 0x11, Buffer.alloc(11))],
  ['too few octets for IPv6', binaryHeader(0x21, 0x21, Buffer.alloc(35))],
  ['too few octets for a Unix socket', binaryHeader(0x21, 0x31, Buffer.alloc(215))],
  ['more than is taken', fromIPv4('192.0.2.7', tlv(0x04, Buffer.alloc(4097 - 16 - 12 - 3)))],
  ['half a TLV', fromIPv4('192.0.2.7', Buffer.from([4, 0]))],
  ['a TLV that is longer than what is left', fromIPv4('192.0.2.7', Buffer.from([4, 0, 2, 0]))],
  ['a wrong checksum', UNCHECKED],
  ['a checksum of the wrong length', fromIPv4('192.0.2.7', tlv(0x03, Buffer.alloc(3)))],
] as const) {
  test(`${what} is malformed`, () => {
    assert.is(readProxyHeader(octets), 'malformed')
  })
}

/** CRC32c by long division of polynomials over GF(2), as RFC 4960 Appendix B explains it, and no faster. */
function slowChecksum(octets: Buffer): number {
  const bits = [...octets].flatMap((octet) => Array.from({ length: 8 }, (_, bit) => (octet >> bit) & 1))
  bits.push(...new Array<number>(32).fill(0))
  for (let at = 0; at < 32; at++) bits[at]! ^= 1
  const polynomial = (0x1_1edc_6f41).toString(2).split('').map(Number)
  for (let at = 0; at + 32 < bits.length; at++) {
    if (bits[at] === 1) for (const [offset, bit] of polynomial.entries()) bits[at + offset]! ^= bit
  }
  return bits.slice(-32).reduce((sum, bit, at) => sum + (bit ^ 1) * 2 ** at, 0)
}

test('the checksum is that of RFC 4960, of the whole header with zeros in its own place (§2.2.3)', () => {
  assert.is(slowChecksum(latin1('123456789')), 0xe3069283) // the check value that everybody publishes
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 0, max: 31 }), (value, bit) => {
      const noop = tlv(0x04, Buffer.from(value))
      const right = Buffer.alloc(4)
      right.writeUInt32BE(slowChecksum(fromIPv4('192.0.2.7', noop, tlv(0x03, Buffer.alloc(4)), noop)))
      const header = fromIPv4('192.0.2.7', noop, tlv(0x03, right), noop)
      assert.equal(readProxyHeader(header), { address: '192.0.2.7', end: header.length })
      right[bit >> 3]! ^= 1 << (bit & 7)
      assert.is(readProxyHeader(fromIPv4('192.0.2.7', noop, tlv(0x03, right), noop)), 'malformed')
    }),
    { numRuns: 50 },
  )
})

test('what is written is read, by either version', () => {
  const port = fc.integer({ min: 0, max: 65_535 })
  fc.assert(
    fc.property(
      fc.ipV4(),
      fc.ipV4(),
      port,
      port,
      fc.uint8Array({ maxLength: 100 }),
      (source, destination, from, to, extra) => {
        const line = latin1(`PROXY TCP4 ${source} ${destination} ${from} ${to}\r\n`)
        assert.equal(readProxyHeader(line), { address: source, end: line.length })
        const header = fromIPv4(source, tlv(0x05, Buffer.from(extra)))
        assert.equal(readProxyHeader(header), { address: source, end: header.length })
      },
    ),
  )
})

test('no octets make it throw, or read past what there is', () => {
  const random = fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets))
  const mutated = fc
    .tuple(fc.constantFrom(...GOOD.map(([, header]) => header)), fc.nat(300), fc.nat(255), fc.nat(300))
    .map(([header, at, octet, length]) => {
      const copy = Buffer.from(header)
      copy[at % copy.length] = octet
      return copy.subarray(0, Math.max(1, length))
    })
  const prefixed = fc
    .tuple(
      fc.constantFrom(
        'PROXY ',
        'PROXY TCP4 ',
        '\r\n\r\n\0\r\nQUIT\n\x21',
        '\r\n\r\n\0\r\nQUIT\n\x21\x11\x00',
      ),
      random,
    )
    .map(([prefix, rest]) => Buffer.concat([latin1(prefix), rest]))
  fc.assert(
    fc.property(fc.oneof(random, mutated, prefixed), (octets) => {
      const header = readProxyHeader(octets)
      if (header === 'incomplete' || header === 'malformed') return
      assert.ok(header.end > 0 && header.end <= octets.length)
      // What has been said to be whole was not whole before, and is the same whatever follows.
      assert.is(readProxyHeader(octets.subarray(0, header.end - 1)), 'incomplete')
      assert.equal(readProxyHeader(octets.subarray(0, header.end)), header)
    }),
    { numRuns: 3000 },
  )
})

test('what is malformed stays so, whatever follows', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.uint8Array({ maxLength: 200 }),
      (first, more) => {
        if (readProxyHeader(Buffer.from(first)) !== 'malformed') return
        assert.is(readProxyHeader(Buffer.from([...first, ...more])), 'malformed')
      },
    ),
  )
})

test.run()
