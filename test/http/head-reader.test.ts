import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { HeadReader, type WholeHead } from '../../src/http/head-reader.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { type RequestHead, readRequest } from '../../src/http/request.ts'

const test = suite('http/head-reader')

const MAX_HEAD_SIZE = 4096
const MAX_FIELDS = 100
const parser = createHeadParser({ region: 8192, maxHeadSize: MAX_HEAD_SIZE, maxFields: MAX_FIELDS })
const rules = new FieldRules(['x-my-jwt'])

/** A request that is pipelined behind the head under test. */
const NEXT = 'GET /next HTTP/1.1\r\nHost: next.test\r\n\r\n'

const HEADS: ReadonlyMap<string, string> = new Map([
  ['a minimal head', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a head without fields', 'GET / HTTP/1.0\r\n\r\n'],
  ['a head with one field', 'DELETE /x?y=z HTTP/1.0\r\nHost: a.test:8080\r\n\r\n'],
  ['an absolute-form', 'GET http://b.test:81/x?y HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n'],
  ['an asterisk-form', 'OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n\r\n'],
  ['empty values', 'GET / HTTP/1.1\r\nX-A:\r\nHost: a\r\nX-B: \r\nX-C:\t \t\r\nX-D:\r\n\r\n'],
  ['obs-text', 'GET / HTTP/1.1\r\nHost: a\r\nX-A: \x80\xff\r\nX-B: caf\xe9 \xa0\r\n\r\n'],
  ['an empty line before it', '\r\nGET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n'],
  [
    'a length, nominated fields and HTTP/1.0',
    'POST /form HTTP/1.0\r\nContent-Length: 12\r\nConnection: close, x-a ,\tX-B\r\nX-A: 1\r\nX-B: 2\r\n\r\n',
  ],
  [
    'chunks, trailers and 100-continue',
    'PUT / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  [
    'an upgrade',
    'GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nVia: 1.1 b, 1.0 c\r\n\r\n',
  ],
  [
    'what a browser sends',
    [
      'GET /a/b?c=d HTTP/1.1',
      'Host: www.example.test',
      'Connection: keep-alive',
      'Cache-Control: max-age=0',
      'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"',
      'sec-ch-ua-mobile: ?0',
      'sec-ch-ua-platform: "Linux"',
      'DNT: 1',
      'Upgrade-Insecure-Requests: 1',
      'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0',
      'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
      'Sec-Fetch-Site: none',
      'Sec-Fetch-Mode: navigate',
      'Sec-Fetch-User: ?1',
      'Sec-Fetch-Dest: document',
      'Referer: http://www.example.test/a',
      'Accept-Encoding: gzip, deflate, br, zstd',
      'Accept-Language: de-DE,de;q=0.9,en;q=0.8',
      'Cookie: session=0123456789abcdef; theme=dark',
      'If-None-Match: W/"1234"',
      'If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT',
      '\r\n',
    ].join('\r\n'),
  ],
  [
    'as many fields as there may be',
    `GET / HTTP/1.1\r\nHost: a\r\n${Array.from({ length: MAX_FIELDS - 1 }, (_, at) => `X${at}:${at}\r\n`).join('')}\r\n`,
  ],
])

/** Heads that are whole and refused. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['a second empty line before it', '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['three empty lines and nothing else', '\r\n\r\n\r\n'],
  ['a bare CR before it', '\rGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a bare LF before it', '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n'],
  ['a bare LF within it', 'GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\n'],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
])

/** All that a head says, as one text. */
function factsOf(head: RequestHead): string {
  const { fields, nominated, ...facts } = head
  const lines = Array.from({ length: fields.count }, (_, line) => [
    fields.name(line),
    fields.value(line),
    fields.lineStart(line),
    fields.lineEnd(line),
  ])
  return JSON.stringify({ ...facts, nominated: [...(nominated ?? [])], lines, text: fields.text })
}

function judge(whole: WholeHead): string {
  try {
    return factsOf(
      readRequest(parser.parseRequest(whole.octets, whole.start, whole.end), rules, MAX_HEAD_SIZE),
    )
  } catch (error) {
    assert.instance(error, ProxyError)
    return (error as ProxyError).code
  }
}

/** Cuts octets where told. */
function cutAt(octets: Buffer, cuts: readonly number[]): Buffer[] {
  return [...cuts, octets.length].map((cut, index) => octets.subarray(cuts[index - 1] ?? 0, cut))
}

/**
 * What the heads in `pieces` say, one after another: each piece is read from the midst of a buffer that is full of
 * heads otherwise, and is overwritten as soon as the read has returned.
 */
function readAll(pieces: readonly Buffer[], reader = new HeadReader(MAX_HEAD_SIZE, true)): string[] {
  const found: string[] = []
  for (const piece of pieces) {
    const octets = Buffer.concat([Buffer.from(NEXT), piece, Buffer.from(`\n\r\n${NEXT}`)])
    const end = NEXT.length + piece.length
    let at = NEXT.length
    while (at < end) {
      const progress = reader.read(octets, at, end)
      if (progress === 'incomplete') break
      if (progress === 'too-large') return [...found, progress]
      found.push(judge(progress))
      assert.not.ok(reader.begun)
      assert.ok(progress.next > at && progress.next <= end)
      at = progress.next
    }
    octets.fill(0)
  }
  return found
}

const next = readAll([Buffer.from(NEXT)])[0]!

for (const [what, text] of [...HEADS, ...REFUSED]) {
  const octets = Buffer.from(text, 'latin1')
  const refused = REFUSED.has(what)
  const [whole] = readAll([octets])
  const name = refused ? `${what} is refused alike` : `${what} says the same`

  test(`${what} is ${refused ? 'refused' : 'read'} when it comes whole`, () => {
    assert.is(whole!.startsWith('ERR_'), refused)
    assert.is(readAll([octets]).length, 1)
  })

  test(`${name} when a read stops after any of its octets`, () => {
    for (let cut = 1; cut < octets.length; cut++) {
      const read = readAll(cutAt(octets, [cut]))
      assert.is(read.length, 1)
      assert.is(read[0], whole, `cut at ${cut}`)
    }
  })

  test(`${name} when its octets come one by one`, () => {
    const read = readAll(Array.from(octets, (octet) => Buffer.of(octet)))
    assert.is(read.length, 1)
    assert.is(read[0], whole)
  })

  if (refused) continue
  test(`${what} ends where the next request begins, wherever a read stops (RFC 9112 §9.3.2)`, () => {
    const pipelined = Buffer.concat([octets, Buffer.from(NEXT)])
    for (let cut = 0; cut < pipelined.length; cut++) {
      const read = readAll(cutAt(pipelined, cut === 0 ? [] : [cut]))
      assert.is(read.length, 2)
      assert.is(read[0], whole, `cut at ${cut}`)
      assert.is(read[1], next, `cut at ${cut}`)
    }
  })
}

test('heads on one connection are read alike, in whatever pieces they come', () => {
  const heads = [...HEADS.values()].map((text) => Buffer.from(text, 'latin1'))
  const alone = heads.map((head) => readAll([head])[0]!)
  fc.assert(
    fc.property(
      fc.array(fc.nat(heads.length - 1), { minLength: 1, maxLength: 6 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
      (chosen, shares) => {
        const octets = Buffer.concat(chosen.map((index) => heads[index]!))
        const cuts = [...new Set(shares.map((share) => Math.ceil(share * (octets.length - 1))))].sort(
          (a, b) => a - b,
        )
        const read = readAll(cutAt(octets, cuts).filter((piece) => piece.length > 0))
        assert.equal(
          read,
          chosen.map((index) => alone[index]!),
        )
      },
    ),
  )
})

test('a head that comes whole is not copied', () => {
  const octets = Buffer.from(`xx${NEXT}yy`)
  const whole = new HeadReader(MAX_HEAD_SIZE, true).read(octets, 2, octets.length) as WholeHead
  assert.is(whole.octets, octets)
  assert.is(whole.start, 2)
  assert.is(whole.end, 2 + NEXT.length)
  assert.is(whole.next, 2 + NEXT.length)
})

test('a head has begun from its first octet to its last, and an empty line before it is no part of it', () => {
  const reader = new HeadReader(MAX_HEAD_SIZE, true)
  const steps: [string, boolean][] = [
    ['\r\n', false],
    ['G', true],
    ['ET / HTTP/1.0\r\n\r', true],
    ['\n', false],
  ]
  assert.not.ok(reader.begun)
  for (const [text, begun] of steps) {
    reader.read(Buffer.from(text), 0, text.length)
    assert.is(reader.begun, begun, JSON.stringify(text))
  }
})

test('one empty line is passed over before each head, not only before the first (RFC 9112 §2.2)', () => {
  const reader = new HeadReader(MAX_HEAD_SIZE, true)
  const octets = Buffer.from(`\r\n${NEXT}`.repeat(3))
  assert.equal(readAll([octets], reader), [next, next, next])
  assert.equal(
    readAll(
      Array.from(octets, (octet) => Buffer.of(octet)),
      reader,
    ),
    [next, next, next],
  )
})

test('a client passes over no empty line before a response: it is part of a head, and makes it malformed', () => {
  const octets = Buffer.from('\r\nHTTP/1.1 200 OK\r\n\r\n')
  const whole = new HeadReader(MAX_HEAD_SIZE, false).read(octets, 0, octets.length) as WholeHead
  assert.is(whole.start, 0)
  assert.is(whole.end, octets.length)
})

// ── size ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** A head of exactly so many octets. */
function headOf(size: number): Buffer {
  const around = 'GET / HTTP/1.0\r\nX: \r\n\r\n'
  return Buffer.from(around.replace('X: ', `X: ${'y'.repeat(size - around.length)}`))
}

for (const before of ['', '\r\n']) {
  const what = before === '' ? '' : ', not counting the empty line before it'

  test(`a head may be as large as the limit${what}, wherever it is cut`, () => {
    const octets = Buffer.concat([Buffer.from(before), headOf(100)])
    for (let cut = 0; cut < octets.length; cut++) {
      const read = readAll(cutAt(octets, cut === 0 ? [] : [cut]), new HeadReader(100, true))
      assert.is(read.length, 1)
      assert.ok(read[0]!.includes('"method":"GET"'), `cut at ${cut}: ${read[0]}`)
    }
    assert.is(
      readAll(
        Array.from(octets, (octet) => Buffer.of(octet)),
        new HeadReader(100, true),
      ).length,
      1,
    )
  })

  test(`a head one octet larger is too large${what}, wherever it is cut (RFC 6585 §5)`, () => {
    const octets = Buffer.concat([Buffer.from(before), headOf(101)])
    for (let cut = 0; cut < octets.length; cut++) {
      const read = readAll(cutAt(octets, cut === 0 ? [] : [cut]), new HeadReader(100, true))
      assert.equal(read, ['too-large'], `cut at ${cut}`)
    }
    assert.equal(
      readAll(
        Array.from(octets, (octet) => Buffer.of(octet)),
        new HeadReader(100, true),
      ),
      ['too-large'],
    )
  })
}

test('a head that does not end is too large with the first octet over the limit, and no more of it is kept', () => {
  const reader = new HeadReader(100, true)
  const octets = Buffer.alloc(1000, 'x')
  assert.is(reader.read(octets, 0, 60), 'incomplete')
  assert.is(reader.read(octets, 60, 100), 'incomplete')
  assert.is(reader.read(octets, 100, 1000), 'too-large')
  assert.is(reader.partial().length, 100)

  const other = new HeadReader(100, true)
  assert.is(other.read(octets, 0, 1000), 'too-large')
  assert.is(other.partial().length, 100)
})

test('octets behind a head do not count against its size', () => {
  const octets = Buffer.concat([headOf(100), Buffer.alloc(1000, 'x')])
  const whole = new HeadReader(100, true).read(octets, 0, octets.length) as WholeHead
  assert.is(whole.next, 100)
})

test('nothing is told of a head that has not begun', () => {
  assert.is(new HeadReader(100, true).partial().length, 0)
})

test.run()
