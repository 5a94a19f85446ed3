import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import { BodyReader } from '../../src/http/body-reader.ts'
import { CHUNKED, type Framing, NO_BODY, UNTIL_CLOSE } from '../../src/http/framing.ts'
import { createHeadParser } from '../../src/http/parser.ts'

const test = suite('http/body-reader')

const MAX_TRAILER_SIZE = 256
/** What is pipelined behind a body. Its first octets could be taken for more of it. */
const NEXT = '0\r\n\r\nGET / HTTP/1.1\r\n\r\n'

/** A body in chunks, with a trailer section. */
const UNFRAMED = '5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nX-T: 1\r\n\r\n'

/** What became of a body. */
interface Outcome {
  /** all that was let through, in order; latin1 */
  body: string
  /** in how many runs */
  runs: number
  trailers: string | undefined
  /** octets taken in */
  taken: number
  complete: boolean
  code: string | undefined
}

/**
 * Reads `pieces`, each from the midst of other octets, and overwrites each as soon as the read has returned.
 *
 * @param framing of the body to begin; none goes on with the present one
 */
function readAll(
  reader: BodyReader,
  pieces: readonly string[],
  framing?: Framing,
  dataOnly = false,
): Outcome {
  const outcome: Outcome = {
    body: '',
    runs: 0,
    trailers: undefined,
    taken: 0,
    complete: false,
    code: undefined,
  }
  const sink = {
    onBody(octets: Buffer, start: number, end: number) {
      assert.ok(end > start, 'an empty run')
      assert.is(outcome.trailers, undefined, 'body after its trailer section')
      outcome.body += octets.toString('latin1', start, end)
      outcome.runs++
    },
    onTrailers(octets: Buffer, start: number, end: number) {
      assert.is(outcome.trailers, undefined, 'a second trailer section')
      outcome.trailers = octets.toString('latin1', start, end)
    },
  }
  if (framing !== undefined) reader.begin(framing, dataOnly)
  for (const piece of pieces) {
    const octets = Buffer.from(`5\r\n${piece}\r\n\r\n`, 'latin1')
    const end = 3 + piece.length
    try {
      const next = reader.read(octets, 3, end, sink)
      assert.ok(next >= 3 && next <= end)
      outcome.taken += next - 3
      assert.ok(next === end || reader.complete, 'stopped within a piece though the body goes on')
    } catch (error) {
      assert.instance(error, ProxyError)
      outcome.code = (error as ProxyError).code
      return outcome
    }
    octets.fill(0)
    if (reader.complete) break
  }
  outcome.complete = reader.complete
  return outcome
}

function read(pieces: readonly string[], framing: Framing = CHUNKED, dataOnly = false): Outcome {
  return readAll(new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE), pieces, framing, dataOnly)
}

/** `text` cut where told; no empty pieces. */
function cutAt(text: string, cuts: readonly number[]): string[] {
  return [...cuts, text.length]
    .map((cut, index) => text.slice(cuts[index - 1] ?? 0, cut))
    .filter((piece) => piece.length > 0)
}

// ── chunked bodies that are right ─────────────────────────────────────────────────────────────────────────────

/** A body in chunks: on the wire, as forwarded, its trailer section, and what it says. */
interface ChunkedBody {
  readonly wire: string
  readonly forwarded: string
  readonly trailers: string | undefined
  readonly data: string
}

/** A body that is forwarded as it came, but for a trailer section. */
function plain(wire: string, data: string, trailers?: string): ChunkedBody {
  return { wire: wire + (trailers ?? ''), forwarded: wire, trailers, data }
}

const many = Array.from({ length: 40 }, (_, at) => 'x'.repeat(at + 1))

const BODIES: ReadonlyMap<string, ChunkedBody> = new Map([
  ['no data', plain('0\r\n\r\n', '')],
  ['one chunk', plain('5\r\nhello\r\n0\r\n\r\n', 'hello')],
  ['data that looks like framing', plain('9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n0\r\n\r\n\r\n')],
  [
    'small and capital hex digits',
    plain(`a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n`, '01234567890123456789a'),
  ],
  [
    'sizes with zeros before',
    plain('0005\r\nhello\r\n00000000000a\r\n0123456789\r\n000000000000\r\n\r\n', 'hello0123456789'),
  ],
  [
    'many chunks',
    plain(
      `${many.map((data) => `${data.length.toString(16)}\r\n${data}\r\n`).join('')}0\r\n\r\n`,
      many.join(''),
    ),
  ],
  [
    'octets of every value',
    plain(
      `100\r\n${String.fromCharCode(...Array(256).keys())}\r\n0\r\n\r\n`,
      String.fromCharCode(...Array(256).keys()),
    ),
  ],
  [
    'extensions',
    {
      wire: '5;a\r\nhello\r\n6;b=c;d="e f"\t\r\n world\r\n1;\r\n!\r\n0;z=y\r\n\r\n',
      forwarded: '5\r\nhello\r\n6\r\n world\r\n1\r\n!\r\n0\r\n\r\n',
      trailers: undefined,
      data: 'hello world!',
    },
  ],
  ['a trailer section', plain('5\r\nhello\r\n0\r\n', 'hello', 'X-Sum: 1\r\n\r\n')],
  ['a trailer section of several lines', plain('0\r\n', '', 'A: \r\nB:\r\nC: \x80\xff\r\n\r\n')],
  [
    'extensions and a trailer section',
    {
      wire: '1;a\r\nx\r\n0;b\r\nA: b\r\n\r\n',
      forwarded: '1\r\nx\r\n0\r\n',
      trailers: 'A: b\r\n\r\n',
      data: 'x',
    },
  ],
])

for (const [what, { wire, forwarded, trailers, data }] of BODIES) {
  const expected = { body: forwarded, trailers, taken: wire.length, complete: true, code: undefined }
  const expectedData = { ...expected, body: data, trailers: undefined }
  const check = (outcome: Outcome, of: typeof expected, cuts: string) => {
    for (const key of Object.keys(of) as (keyof typeof expected)[])
      assert.is(outcome[key], of[key], `${key}, ${cuts}`)
  }

  test(`${what}: what is let through is the same when a read stops after any octet (RFC 9112 §7.1)`, () => {
    for (let cut = 0; cut < wire.length; cut++) check(read(cutAt(wire, [cut])), expected, `cut at ${cut}`)
    check(read([...wire]), expected, 'in single octets')
  })

  test(`${what}: the body is complete with its last octet and not before`, () => {
    for (let end = 1; end < wire.length; end++)
      assert.not.ok(read([wire.slice(0, end)]).complete, `after ${end}`)
    assert.not.ok(read([...wire.slice(0, -1)]).complete)
  })

  test(`${what}: the octets behind the body are left alone`, () => {
    const followed = wire + NEXT
    for (let cut = 0; cut < followed.length; cut++)
      check(read(cutAt(followed, [cut])), expected, `cut at ${cut}`)
  })

  test(`${what}: with framing taken off, the data is left and nothing else (RFC 9112 §7.1.3)`, () => {
    for (let cut = 0; cut < wire.length; cut++) {
      check(read(cutAt(wire + NEXT, [cut]), CHUNKED, true), expectedData, `cut at ${cut}`)
    }
    check(read([...wire], CHUNKED, true), expectedData, 'in single octets')
  })

  test(`${what}: what is let through says the same to whoever reads it next`, () => {
    const again = read([forwarded + (trailers ?? '')], CHUNKED, true)
    assert.is(again.body, data)
    assert.ok(again.complete)
  })
}

for (const what of ['extensions and a trailer section', 'data that looks like framing']) {
  const { wire, forwarded, trailers } = BODIES.get(what)!
  test(`${what}: every pair of cuts gives the same`, () => {
    for (let first = 1; first < wire.length; first++) {
      for (let second = first + 1; second < wire.length; second++) {
        const outcome = read(cutAt(wire + NEXT, [first, second]))
        assert.is(outcome.body, forwarded, `cut at ${first} and ${second}`)
        assert.is(outcome.trailers, trailers)
        assert.is(outcome.taken, wire.length)
        assert.ok(outcome.complete)
      }
    }
  })
}

test('any chunking, cut anywhere, gives the same runs and the same data', () => {
  const ext = fc.constantFrom('', '', '', ';', ';a=b', '; x="y z"')
  const chunk = fc.record({
    data: fc
      .uint8Array({ minLength: 1, maxLength: 40, size: 'max' })
      .map((octets) => Buffer.from(octets).toString('latin1')),
    zeros: fc.nat(3),
    capital: fc.boolean(),
    ext,
  })
  const section = fc.option(fc.constantFrom('A: b\r\n\r\n', 'A:\r\nB: \xff\r\n\r\n'), { nil: undefined })
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 8 }),
      ext,
      section,
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
      (chunks, lastExt, trailers, shares) => {
        let wire = ''
        let forwarded = ''
        for (const { data, zeros, capital, ext } of chunks) {
          const digits = '0'.repeat(zeros) + data.length.toString(16)
          const size = capital ? digits.toUpperCase() : digits
          wire += `${size}${ext}\r\n${data}\r\n`
          forwarded += `${size}\r\n${data}\r\n`
        }
        wire += `0${lastExt}\r\n${trailers ?? '\r\n'}`
        forwarded += trailers === undefined ? '0\r\n\r\n' : '0\r\n'
        const cuts = [...new Set(shares.map((share) => Math.floor(share * wire.length)))].sort(
          (a, b) => a - b,
        )
        const pieces = cutAt(wire + NEXT, cuts)

        const { body, taken, complete, trailers: found } = read(pieces)
        assert.is(body, forwarded)
        assert.is(found, trailers)
        assert.is(taken, wire.length)
        assert.ok(complete)
        const bare = read(pieces, CHUNKED, true)
        assert.is(bare.body, chunks.map((one) => one.data).join(''))
        assert.is(bare.trailers, undefined)
        assert.is(bare.taken, wire.length)
      },
    ),
    { numRuns: 300 },
  )
})

test('a piece without extensions is let through in one run, however many chunks it holds', () => {
  const { wire } = BODIES.get('many chunks')!
  assert.is(read([wire]).runs, 1)
  assert.is(read(cutAt(wire, [100, 200, 300])).runs, 4)
})

// ── chunked bodies that are wrong ─────────────────────────────────────────────────────────────────────────────

/** What is wrong, what may come before it, and the rest from the first octet that is wrong. */
const MALFORMED: readonly (readonly [what: string, before: string, wrong: string])[] = [
  ['a size that is no hex digit', '', 'g\r\nhello\r\n'],
  ['a digit that is none', '5', 'g\r\nhello\r\n'],
  ['an empty size', '', '\r\n\r\n'],
  ['an empty size with an extension', '', ';a\r\n\r\n'],
  ['a size with 0x', '0', 'x5\r\nhello\r\n'],
  ['a size with a plus', '', '+5\r\nhello\r\n'],
  ['a negative size', '', '-1\r\n'],
  ['a negative size after a digit', '0', '-1\r\n'],
  ['a blank before a size', '', ' 5\r\nhello\r\n'],
  ['a blank behind a size', '5', ' \r\nhello\r\n'],
  ['a tab behind a size', '5', '\t\r\nhello\r\n'],
  ['a blank before an extension', '5', ' ;a\r\nhello\r\n'],
  ['a size in decimals', '5', '.0\r\nhello\r\n'],
  ['digits in groups', '1', '_0\r\n'],
  ['a size of 13 digits', '0'.repeat(12), '5\r\nhello\r\n'],
  ['a size that overflows', 'f'.repeat(12), 'ffff1\r\nhello\r\n'],
  ['a digit of another script', '', '\xb2\r\n'],
  ['NUL for a size', '', '\0\r\n'],
  ['a bare LF behind a size', '5', '\nhello\r\n'],
  ['a bare CR behind a size', '5\r', 'hello\r\n'],
  ['a second CR behind a size', '5\r', '\r\nhello\r\n'],
  ['a bare LF behind the last size', '0', '\n\n'],
  ['no CR LF behind data', '5\r\nhello', '5\r\nworld\r\n'],
  ['a bare LF behind data', '5\r\nhello', '\n0\r\n\r\n'],
  ['a bare CR behind data', '5\r\nhello\r', '0\r\n\r\n'],
  ['data longer than its size', '5\r\nhello', '!\r\n0\r\n\r\n'],
  ['data shorter than its size', '5\r\nhel\r\n', '0\r\n\r\n'],
  ['an empty line between chunks', '5\r\nhello\r\n', '\r\n0\r\n\r\n'],
  ['a control in an extension', '5;a', '\x01\r\nhello\r\n'],
  ['NUL in an extension', '5;a', '\0\r\nhello\r\n'],
  ['DEL in an extension', '5;a', '\x7f\r\nhello\r\n'],
  ['obs-text in an extension', '5;a=', '\x80\r\nhello\r\n'],
  ['a bare LF in an extension', '5;a', '\nhello\r\n'],
  ['a bare LF in a quoted extension', '5;a="', '\n"\r\nhello\r\n'],
  ['a bare CR in an extension', '5;a\r', 'b\r\nhello\r\n'],
  ['an extension that floods', `5;${'a'.repeat(4096)}`, 'a\r\nhello\r\n'],
  ['extensions that flood together', `${`1;${'a'.repeat(63)}\r\nx\r\n`.repeat(65)}1;a`, 'a\r\nx\r\n'],
  ['a last chunk that is not followed by LF', '0\r', '0\r\n'],
  ['a last chunk that is not followed by an empty line', '0\r\n\r', 'GET / HTTP/1.1\r\n'],
  ['a trailer section too large', `0\r\nX: ${'a'.repeat(MAX_TRAILER_SIZE - 3)}`, 'a\r\n\r\n'],
  ['a trailer section too large by its end', `0\r\nX: ${'a'.repeat(MAX_TRAILER_SIZE - 6)}\r\n\r`, '\n'],
]

for (const [what, before, wrong] of MALFORMED) {
  // What may be let through: all before what is wrong, less extensions and what is kept of a trailer section.
  const right = before.replace(/;[^\r]*/g, '').replace(/(^|\n)0\r\n[A-Z].*$/s, '$10\r\n')
  const wire = before + wrong

  test(`${what} is refused, and nothing of it was let through, wherever a read stops (RFC 9112 §7.1)`, () => {
    assert.is(read([before]).code, undefined, 'refused too early')
    const stride = wire.length > 1000 ? 61 : 1 // a flood is long, and alike everywhere
    for (let cut = 0; cut < wire.length; cut += stride) {
      const { body, code, trailers } = read(cutAt(wire, [cut]))
      assert.is(code, 'ERR_BODY_MALFORMED', `cut at ${cut}`)
      assert.ok(right.startsWith(body), `cut at ${cut} let through ${JSON.stringify(body)}`)
      assert.is(trailers, undefined)
    }
    const { body, code } = read([...wire])
    assert.is(code, 'ERR_BODY_MALFORMED')
    assert.is(body, right)
    assert.is(read([before, wrong[0]!]).code, 'ERR_BODY_MALFORMED', 'refused too late')
  })

  test(`${what} is refused with framing taken off as well`, () => {
    const { code } = read([...wire], CHUNKED, true)
    assert.is(code, 'ERR_BODY_MALFORMED')
  })
}

test('each octet is taken for what it may be at the start of a size, behind it, and in an extension', () => {
  for (let octet = 0; octet < 256; octet++) {
    const text = String.fromCharCode(octet)
    const hex = /[0-9a-fA-F]/.test(text)
    assert.is(read([text]).code === undefined, hex, `octet ${octet} first`)
    assert.is(
      read([`1${text}`]).code === undefined,
      hex || text === '\r' || text === ';',
      `octet ${octet} second`,
    )
    assert.is(
      read([`1;${text}`]).code === undefined,
      /[\t\r -~]/.test(text),
      `octet ${octet} in an extension`,
    )
  }
})

test('a chunk size of 12 digits is believed exactly', () => {
  const reader = new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE)
  readAll(reader, ['ffffffffffff\r\nhello'], CHUNKED)
  assert.is(reader.expected, 2 ** 48 - 1 - 5)
})

test('extensions are counted anew for each body', () => {
  const reader = new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE)
  for (let body = 0; body < 3; body++) {
    assert.ok(readAll(reader, [`0;${'a'.repeat(4096)}\r\n\r\n`], CHUNKED).complete)
  }
})

test('a trailer section may be as large as the limit, wherever it is cut, and whatever comes behind', () => {
  const section = `X: ${'a'.repeat(MAX_TRAILER_SIZE - 7)}\r\n\r\n`
  assert.is(section.length, MAX_TRAILER_SIZE)
  const wire = `0\r\n${section}${NEXT}`
  for (let cut = 0; cut < wire.length; cut++) {
    const outcome = read(cutAt(wire, [cut]))
    assert.is(outcome.trailers, section, `cut at ${cut}`)
    assert.is(outcome.taken, 3 + section.length)
  }
})

for (const section of [
  'X: y\n\n',
  '\nX: y\r\n',
  ' X: y\r\n',
  'X: y\r\n z\r\n',
  'junk\r\n',
  '5\r\nhello\r\n',
  'X : y\r\n',
  'X: \0\r\n',
]) {
  test(`a trailer section like ${JSON.stringify(section)} is left to the parser, which refuses it`, () => {
    const parser = createHeadParser({ region: 1024, maxHeadSize: MAX_TRAILER_SIZE, maxFields: 10 })
    const { trailers, body } = read([`0\r\n${section}\r\n${section.endsWith('\r\n') ? '' : '\r\n'}`])
    assert.is(body, '0\r\n')
    const octets = Buffer.from(trailers!, 'latin1')
    assert.throws(
      () => parser.parseTrailers(octets, 0, octets.length, 'ERR_BODY_MALFORMED'),
      (error: unknown) => error instanceof ProxyError && error.code === 'ERR_BODY_MALFORMED',
    )
  })
}

test('broken framing is the failure of the side that sent it', () => {
  const reader = new BodyReader('ERR_RESPONSE_MALFORMED', MAX_TRAILER_SIZE)
  assert.is(readAll(reader, ['x'], CHUNKED).code, 'ERR_RESPONSE_MALFORMED')
})

// ── the other framings ────────────────────────────────────────────────────────────────────────────────────────

for (const length of [1, 5, 16]) {
  test(`a body of ${length} octets is complete with its last, and takes none behind it (RFC 9112 §6.2)`, () => {
    const data = '0\r\n\r\nGET / HTTP/1.1\r\n'.slice(0, length)
    for (let cut = 0; cut < length + NEXT.length; cut++) {
      const outcome = read(cutAt(data + NEXT, [cut]), { kind: 'length', length })
      assert.is(outcome.body, data)
      assert.is(outcome.taken, length)
      assert.ok(outcome.complete)
    }
    assert.not.ok(read([data.slice(0, -1)], { kind: 'length', length }).complete)
  })
}

test('what is still to come of a length is told exactly, beyond 32 bits as well', () => {
  const reader = new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE)
  assert.is(reader.expected, 0)
  readAll(reader, ['hello'], { kind: 'length', length: 2 ** 40 })
  assert.is(reader.expected, 2 ** 40 - 5)
  readAll(reader, ['hello'], { kind: 'length', length: 5 })
  assert.is(reader.expected, 0)
})

test('what is still to come of a chunk is told exactly', () => {
  const reader = new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE)
  readAll(reader, ['10\r\nhello'], CHUNKED)
  assert.is(reader.expected, 11)
})

test('a body until close ends when the connection does and not before (RFC 9112 §6.3)', () => {
  const reader = new BodyReader('ERR_RESPONSE_MALFORMED', MAX_TRAILER_SIZE)
  const outcome = readAll(reader, ['0\r\n\r\n', 'more'], UNTIL_CLOSE)
  assert.is(outcome.body, '0\r\n\r\nmore')
  assert.not.ok(outcome.complete)
  assert.ok(reader.untilClose)
  assert.is(reader.expected, Number.POSITIVE_INFINITY)
  reader.end()
  assert.ok(reader.complete)
  assert.is(reader.expected, 0)
})

for (const framing of [CHUNKED, { kind: 'length', length: 9 }] as const satisfies readonly Framing[]) {
  test(`the end of the connection completes no body that is framed by ${framing.kind} (RFC 9112 §8)`, () => {
    const reader = new BodyReader('ERR_RESPONSE_MALFORMED', MAX_TRAILER_SIZE)
    readAll(reader, ['5\r\nhel'], framing)
    reader.end()
    assert.not.ok(reader.complete)
    assert.not.ok(reader.untilClose)
  })
}

test('a message without a body is complete at once and takes nothing', () => {
  assert.equal(read([NEXT], NO_BODY), {
    body: '',
    runs: 0,
    trailers: undefined,
    taken: 0,
    complete: true,
    code: undefined,
  })
})

test('a reader is complete before its first body', () => {
  assert.ok(new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE).complete)
})

test('bodies of every framing follow one another on a connection, and none leaves anything to the next', () => {
  const reader = new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE)
  const { wire, forwarded, trailers } = BODIES.get('extensions and a trailer section')!
  for (let round = 0; round < 3; round++) {
    // Given up within a chunk, within an extension, within a trailer section: the next body begins afresh.
    for (const broken of ['ff\r\nhello', '5;ext', '0\r\nX: y\r\n', '0\r\nX: y\r\n\r'])
      readAll(reader, [broken], CHUNKED)
    for (const pieces of [[wire], [...wire]]) {
      const outcome = readAll(reader, pieces, CHUNKED)
      assert.is(outcome.body, forwarded)
      assert.is(outcome.trailers, trailers)
      assert.ok(outcome.complete)
    }
    assert.is(readAll(reader, ['hello'], { kind: 'length', length: 3 }).body, 'hel')
    assert.is(readAll(reader, ['1\r\nx\r\n0\r\n\r\n'], CHUNKED, true).body, 'x')
    assert.ok(readAll(reader, ['hello'], NO_BODY).complete)
  }
})

test('chunked framing passes unless it is asked to be taken off', () => {
  const reader = new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE)
  reader.begin(CHUNKED, true)
  reader.begin(CHUNKED)
  assert.is(readAll(reader, ['1\r\nx\r\n0\r\n\r\n']).body, '1\r\nx\r\n0\r\n\r\n')
})

test('a body that is complete takes no more', () => {
  const reader = new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE)
  for (const wire of ['0\r\n\r\n', '0\r\nA: b\r\n\r\n']) {
    assert.ok(readAll(reader, [wire], CHUNKED).complete)
    assert.is(readAll(reader, [wire]).taken, 0)
  }
})

for (let cut = 0; cut <= UNFRAMED.length; cut++) {
  test(`a body that is to be framed anew lets its data through and then its trailers, when a read stops at ${cut}`, () => {
    const reader = new BodyReader('ERR_BODY_MALFORMED', MAX_TRAILER_SIZE)
    reader.begin(CHUNKED)
    reader.unframe()
    const pieces = [UNFRAMED.slice(0, cut), UNFRAMED.slice(cut)]
    const { body, trailers, complete } = readAll(reader, pieces)
    assert.equal([body, trailers, complete], ['hello, world', 'X-T: 1\r\n\r\n', true])
    const next = readAll(reader, ['1\r\nx\r\n0\r\n\r\n'], CHUNKED)
    assert.is(next.body, '1\r\nx\r\n0\r\n\r\n', 'the next body is let through as it is')
  })
}

test.run()
