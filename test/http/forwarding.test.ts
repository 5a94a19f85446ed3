import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ForwardingLines } from '../../src/http/forwarding.ts'

const test = suite('http/forwarding')

for (const [what, address, authority, expected] of [
  [
    'an IPv4 client, by its address',
    '192.0.2.7',
    'a.test',
    [
      'X-Forwarded-For: 192.0.2.7',
      'X-Forwarded-Host: a.test',
      'X-Forwarded-Proto: http',
      'Forwarded: for=192.0.2.7;host="a.test";proto=http',
    ],
  ],
  [
    'an IPv4 client on a socket for both, by its IPv4 address',
    '::ffff:192.0.2.7',
    'a.test:8080',
    [
      'X-Forwarded-For: 192.0.2.7',
      'X-Forwarded-Host: a.test:8080',
      'X-Forwarded-Proto: http',
      'Forwarded: for=192.0.2.7;host="a.test:8080";proto=http',
    ],
  ],
  [
    'an IPv6 client, in brackets and quotes (RFC 7239 §6)',
    '2001:db8::7',
    '[2001:db8::1]:80',
    [
      'X-Forwarded-For: 2001:db8::7',
      'X-Forwarded-Host: [2001:db8::1]:80',
      'X-Forwarded-Proto: http',
      'Forwarded: for="[2001:db8::7]";host="[2001:db8::1]:80";proto=http',
    ],
  ],
  [
    'a request of HTTP/1.0 that names no host, without one',
    '192.0.2.7',
    undefined,
    ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-Proto: http', 'Forwarded: for=192.0.2.7;proto=http'],
  ],
] as const) {
  test(`an upstream is told of ${what}`, () => {
    assert.is(new ForwardingLines(address).lines(authority), `${expected.join('\r\n')}\r\n`)
  })
}

test('each request of a connection is told by its own authority, whatever came before', () => {
  const lines = new ForwardingLines('192.0.2.7')
  for (const authority of ['a', 'b', 'b', undefined, 'a', undefined, undefined, 'a']) {
    assert.is(lines.lines(authority), new ForwardingLines('192.0.2.7').lines(authority))
  }
})

test.run()
