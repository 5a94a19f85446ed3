import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findHeadEnd, scanHead, step, type Terminator } from '../../src/http/head-scanner.ts'

const test = suite('http/head-scanner')

/** The head that each cut is tried on: CR and LF also stand where they end nothing. */
const HEAD = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nX: \r\r\n\n\r\nY: b\r\n\r\n', 'latin1')

/** Every text of `length` octets that can be made of CR, LF and one other octet. */
function* textsOf(length: number): Generator<string> {
  if (length === 0) yield ''
  else for (const rest of textsOf(length - 1)) for (const octet of '\r\nx') yield octet + rest
}

/** Where the empty line ends, found without a state machine; -1 when there is none. */
function endOf(text: string): number {
  const at = text.indexOf('\r\n\r\n')
  return at === -1 ? -1 : at + 4
}

for (let cut = 0; cut <= HEAD.length; cut++) {
  test(`the head ends at the same octet when a read stops after octet ${cut} (RFC 9112 §2.1)`, () => {
    const first = scanHead(HEAD, 0, cut, 'none')
    if (cut === HEAD.length) assert.equal(first, { seen: 'complete', end: HEAD.length })
    else {
      assert.is(first.end, -1)
      assert.equal(scanHead(HEAD, cut, HEAD.length, first.seen), { seen: 'complete', end: HEAD.length })
    }
  })
}

test('the first CR LF CR LF ends the head, whatever run of CR and LF it stands in, at every cut', () => {
  for (let length = 0; length <= 8; length++) {
    for (const text of textsOf(length)) {
      const octets = Buffer.from(text, 'latin1')
      const expected = endOf(text)
      assert.is(findHeadEnd(octets, 0, length), expected, JSON.stringify(text))
      assert.is(scanHead(octets, 0, length, 'none').end, expected, JSON.stringify(text))
      for (let cut = 1; cut < length; cut++) {
        const first = scanHead(octets, 0, cut, 'none')
        const end = first.end === -1 ? scanHead(octets, cut, length, first.seen).end : first.end
        assert.is(end, expected, `${JSON.stringify(text)} cut at ${cut}`)
      }
    }
  }
})

test('octets before the start and from the end on are not looked at', () => {
  const octets = Buffer.from('\r\n\r\nab\r\n\r\ncd\r\n\r\n', 'latin1')
  assert.is(findHeadEnd(octets, 4, 10), 10)
  assert.is(findHeadEnd(octets, 2, 10), 10)
  for (let end = 4; end < 10; end++) {
    assert.is(findHeadEnd(octets, 4, end), -1)
    assert.is(scanHead(octets, 4, end, 'none').end, -1)
  }
  assert.is(findHeadEnd(octets, 10, 15), -1)
})

for (const [seen, ...others] of [
  // state, after CR, after LF, after any other octet
  ['none', 'CR', 'none', 'none'],
  ['CR', 'CR', 'CRLF', 'none'],
  ['CRLF', 'CRLFCR', 'none', 'none'],
  ['CRLFCR', 'CR', 'complete', 'none'],
  ['complete', 'complete', 'complete', 'complete'],
] as const satisfies readonly Terminator[][]) {
  test(`after ${seen} each octet leads to one state`, () => {
    for (let octet = 0; octet < 256; octet++) {
      assert.is(step(seen, octet), others[octet === 0x0d ? 0 : octet === 0x0a ? 1 : 2])
    }
  })
}

test.run()
