import { AssertionError } from 'node:assert'
import { types } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as fc from 'fast-check'
import * as llhttp from 'llhttp-wasm'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import type { FieldSection } from '../../src/http/fields.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { createHeadParser, type HeadParser } from '../../src/http/parser.ts'
import { readRequest } from '../../src/http/request.ts'
import { readResponse } from '../../src/http/response.ts'

const test = suite('http/parser')

const SIZES = { region: 8192, maxHeadSize: 4096, maxFields: 30 }
const parser = createHeadParser(SIZES)
const rules = new FieldRules(['x-my-jwt'])

/** The three kinds of section that are parsed: how, judged by whom, and what their grammar is. */
const KINDS = {
  request: {
    parse(octets: Buffer, start: number, end: number, by: HeadParser = parser): FieldSection {
      const parsed = by.parseRequest(octets, start, end)
      readRequest(parsed, rules, SIZES.maxHeadSize)
      return parsed.fields
    },
    startLine: 'POST /x HTTP/1.1\r\n',
    host: 'Host: a\r\n',
    grammar: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+ HTTP\/1\.[01]\r\n/,
    malformed: 'ERR_HEAD_MALFORMED',
    tooMany: 'ERR_TOO_MANY_FIELDS',
  },
  response: {
    parse(octets: Buffer, start: number, end: number, by: HeadParser = parser): FieldSection {
      const parsed = by.parseResponse(octets, start, end)
      readResponse(parsed, rules, 'GET')
      return parsed.fields
    },
    startLine: 'HTTP/1.1 200 OK\r\n',
    host: '',
    grammar: /^HTTP\/1\.[01] [1-5][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/,
    malformed: 'ERR_RESPONSE_MALFORMED',
    tooMany: 'ERR_RESPONSE_MALFORMED',
  },
  trailers: {
    parse(octets: Buffer, start: number, end: number, by: HeadParser = parser): FieldSection {
      return by.parseTrailers(octets, start, end, 'ERR_BODY_MALFORMED')
    },
    startLine: '',
    host: '',
    grammar: /^/,
    malformed: 'ERR_BODY_MALFORMED',
    tooMany: 'ERR_BODY_MALFORMED',
  },
} as const

type Kind = keyof typeof KINDS
const ALL = Object.keys(KINDS) as Kind[]

/** The field lines of a section as text, or the code it is refused with. Anything but a ProxyError fails the test. */
function linesOf(kind: Kind, text: string, by = parser): string[] | string {
  const octets = Buffer.from(text, 'latin1')
  try {
    const fields = KINDS[kind].parse(octets, 0, octets.length, by)
    return Array.from({ length: fields.count }, (_, line) => `${fields.name(line)}: ${fields.value(line)}`)
  } catch (error) {
    assert.instance(error, ProxyError, `${JSON.stringify(text)}: ${error}`)
    return (error as ProxyError).code
  }
}

/** The code that a field line is refused with in each kind of section, `undefined` where it is not. */
function refusalOf(kind: Kind, line: string): string | undefined {
  const { startLine, host } = KINDS[kind]
  const found = linesOf(kind, `${startLine}${host}${line}X: y\r\n\r\n`)
  return typeof found === 'string' ? found : undefined
}

// ── the package ───────────────────────────────────────────────────────────────────────────────────────────────

test('llhttp-wasm is left as it was found: nothing watches WebAssembly, and its own parser works', () => {
  assert.not.ok(types.isProxy(WebAssembly.Instance))
  assert.match(Function.prototype.toString.call(WebAssembly.Instance), /\[native code\]/)
  const own = llhttp.createParser(1)
  let heads = 0
  own.onHeadersComplete = () => {
    heads++
    return 0
  }
  assert.is(own.execute(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')), 0)
  assert.is(heads, 1)
  own.destroy()
})

test('a process may have several parsers, each with memory of its own', () => {
  const other = createHeadParser({ region: 1024, maxHeadSize: 512, maxFields: 1 })
  assert.is.not(other.region.buffer, parser.region.buffer)
  assert.is(other.region.length, 1024)
  assert.is(linesOf('request', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n', other), 'ERR_TOO_MANY_FIELDS')
  assert.equal(linesOf('request', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n'), ['Host: a', 'X: y'])
})

// ── what is found ─────────────────────────────────────────────────────────────────────────────────────────────

for (const [what, fields] of [
  ['no fields', []],
  ['one field', ['X: y']],
  ['an empty value', ['X:', 'Y: z']],
  ['an empty value at the end', ['X: y', 'Y: \t']],
  ['blanks around a value', ['X: \t y z\t ', 'Y:z']],
  ['obs-text', ['X: \x80\xff', 'Y: \xa0']],
  ['the same name twice', ['X: y', 'x: Y']],
  ['a name of every tchar', ["!#$%&'*+-.^_`|~09azAZ: x"]],
  ['colons in a value', ['X: y: z:', 'Y:: :']],
  ['fields that llhttp knows by name', ['Connection: x, close', 'Upgrade: y', 'Proxy-Connection: z']],
] as const) {
  for (const kind of ALL) {
    test(`a ${kind} section with ${what} is found octet for octet`, () => {
      const { startLine, host } = KINDS[kind]
      const text = `${startLine}${host}${fields.map((line) => `${line}\r\n`).join('')}\r\n`
      const octets = Buffer.from(text, 'latin1')
      const section = KINDS[kind].parse(octets, 0, octets.length)
      const lines = [...(host === '' ? [] : [host.trimEnd()]), ...fields]
      assert.is(section.count, lines.length)
      lines.forEach((line, index) => {
        const colon = line.indexOf(':')
        assert.is(section.name(index), line.slice(0, colon))
        assert.is(section.value(index), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, ''))
        assert.is(section.text.slice(section.lineStart(index), section.lineEnd(index)), `${line}\r\n`)
      })
    })
  }
}

test('the request-target is found where it stands', () => {
  for (const line of ['GET / HTTP/1.1', 'OPTIONS * HTTP/1.1', 'PUT http://b/x?y HTTP/1.0']) {
    const head = Buffer.from(`${line}\r\nHost: a\r\n\r\n`)
    const { fields, targetStart, targetEnd } = parser.parseRequest(head, 0, head.length)
    assert.is(fields.text.slice(targetStart, targetEnd), line.split(' ')[1])
  }
})

test('a head in the shared region, in place, is read like a copy of it, wherever it lies', () => {
  const head = Buffer.from(
    'POST /x?y HTTP/1.1\r\nHost: a\r\nX: \xff\r\nEmpty:\r\nContent-Length: 5\r\n\r\n',
    'latin1',
  )
  const { fields, ...target } = parser.parseRequest(head, 0, head.length)
  for (const at of [0, 1, 7, 4096, SIZES.region - head.length]) {
    parser.region.fill('\r\n')
    parser.region.set(head, at)
    for (const octets of [parser.region, parser.region.subarray(at, at + head.length)]) {
      const start = octets === parser.region ? at : 0
      const { fields: inPlace, ...targetInPlace } = parser.parseRequest(octets, start, start + head.length)
      assert.equal(targetInPlace, target)
      assert.is(inPlace.text, fields.text)
      assert.is(inPlace.count, fields.count)
      for (let line = 0; line < fields.count; line++) {
        assert.is(inPlace.name(line), fields.name(line))
        assert.is(inPlace.value(line), fields.value(line))
        assert.is(inPlace.lineEnd(line), fields.lineEnd(line))
      }
    }
  }
})

test('what was found stays as it was when the region is read into and other heads are parsed', () => {
  parser.region.write('GET /first HTTP/1.1\r\nHost: a\r\nX: first\r\n\r\n')
  const first = parser.parseRequest(parser.region, 0, 42)
  parser.region.fill(0)
  linesOf('request', 'GET /second HTTP/1.1\r\nHost: b\r\nLonger-Name: second\r\n\r\n')
  assert.is(first.fields.text.slice(first.targetStart, first.targetEnd), '/first')
  assert.is(first.fields.name(1), 'X')
  assert.is(first.fields.value(1), 'first')
})

test('octets behind a head in the region are not read', () => {
  const head = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
  parser.region.write(`${head}\0\0\0 not HTTP at all`)
  assert.is(parser.parseRequest(parser.region, 0, head.length).fields.count, 1)
})

test('a refused head leaves nothing behind: the next one is read as if it were the first', () => {
  const good = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'
  const expected = linesOf('request', good)
  for (const bad of [
    'GET / HTTP/1.1\r\nHost a\r\n\r\n',
    'XYZ / HTTP/1.1\r\n\r\n',
    '\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\n',
    'GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
    `GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(SIZES.maxFields + 1)}\r\n`,
  ]) {
    assert.type(linesOf('request', bad), 'string')
    assert.equal(linesOf('request', good), expected)
  }
})

// ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────

for (const [what, line] of [
  ['a folded line (RFC 9112 §5.2)', 'X: y\r\n z\r\n'],
  ['a line folded by a tab', 'X: y\r\n\tz\r\n'],
  ['a folded line after an empty value', 'X:\r\n z\r\n'],
  ['a folded Content-Length', 'Content-Length: 1\r\n 2\r\n'],
  ['a folded Transfer-Encoding', 'Transfer-Encoding:\r\n chunked\r\n'],
  ['a folded Connection', 'Connection: close\r\n , x\r\n'],
  ['a line of blanks', ' \r\n'],
  ['a blank before a name', ' X: y\r\n'],
  ['a blank behind a name (RFC 9112 §5.1)', 'X : y\r\n'],
  ['a tab behind a name', 'X\t: y\r\n'],
  ['a blank behind Content-Length', 'Content-Length : 5\r\n'],
  ['a blank behind Transfer-Encoding', 'Transfer-Encoding : chunked\r\n'],
  ['a blank within a name', 'X Y: z\r\n'],
  ['no name', ': y\r\n'],
  ['no colon', 'X\r\n'],
  ['no colon behind a blank', 'X y\r\n'],
  ['a bare LF behind a value', 'X: y\n'],
  ['a bare CR behind a value', 'X: y\r'],
  ['a second CR behind a value', 'X: y\r\r\n'],
  ['a bare CR in a value', 'X: y\rz\r\n'],
  ['a bare LF behind an empty value', 'X:\n'],
  ['NUL in a value', 'X: \0\r\n'],
  ['a bare LF for an empty line', '\n'],
  ['a bare CR for an empty line', '\r'],
] as const) {
  for (const kind of ALL) {
    test(`${what} is refused in a ${kind} section`, () => {
      for (const before of ['', 'A: b\r\n']) {
        assert.is(refusalOf(kind, before + line), KINDS[kind].malformed, JSON.stringify(before + line))
      }
    })
  }
}

for (const kind of ALL) {
  test(`in a ${kind} section a name is made of tchar, and a value of HTAB, blank, VCHAR and obs-text (RFC 9110 §5.5)`, () => {
    for (let octet = 0; octet < 256; octet++) {
      const text = String.fromCharCode(octet)
      const isToken = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(text)
      const isValue = /[\t\x20-\x7e\x80-\xff]/.test(text)
      for (const line of [`${text}: y\r\n`, `a${text}: y\r\n`, `${text}a: y\r\n`]) {
        // "a:: y" is a name, a colon, and a value that begins with one.
        assert.is(refusalOf(kind, line) === undefined, isToken || line === 'a:: y\r\n', JSON.stringify(line))
      }
      for (const name of ['X', 'Connection', 'Upgrade', 'Proxy-Connection', 'Cookie']) {
        for (const value of [text, `a${text}`, `${text}a`, `close${text}`, `upgrade,${text}`]) {
          assert.is(
            refusalOf(kind, `${name}: ${value}\r\n`) === undefined,
            isValue,
            JSON.stringify(`${name}: ${value}`),
          )
        }
      }
    }
  })

  test(`a ${kind} section may have as many field lines as the limit, and not one more`, () => {
    const { startLine, host, tooMany } = KINDS[kind]
    const taken = host === '' ? 0 : 1
    for (const line of ['X: y\r\n', 'X:\r\n']) {
      const most = `${startLine}${host}${line.repeat(SIZES.maxFields - taken)}`
      assert.is(linesOf(kind, `${most}\r\n`).length, SIZES.maxFields)
      assert.is(linesOf(kind, `${most}${line}\r\n`), tooMany)
      assert.is(linesOf(kind, `${most}${line.repeat(100)}\r\n`), tooMany)
    }
  })

  test(`a ${kind} section may be as large as the limit, whether it came in place or not`, () => {
    const { startLine, host } = KINDS[kind]
    const around = `${startLine}${host}X: \r\n\r\n`
    const text = around.replace('X: ', `X: ${'y'.repeat(SIZES.maxHeadSize - around.length)}`)
    assert.is(text.length, SIZES.maxHeadSize)
    assert.type(linesOf(kind, text), 'object')
    parser.region.write(text)
    assert.ok(KINDS[kind].parse(parser.region, 0, text.length).count > 0)
  })
}

for (const [text, code] of [
  ['\r\n', 'ERR_HEAD_MALFORMED'],
  ['\r\n\r\n', 'ERR_HEAD_MALFORMED'],
  ['\r\n\r\n\r\n\r\n', 'ERR_HEAD_MALFORMED'],
  ['\r\r\n\r\n', 'ERR_HEAD_MALFORMED'],
  ['\n\n\r\n\r\n', 'ERR_HEAD_MALFORMED'],
  ['PRI * HTTP/2.0\r\n\r\n', 'ERR_VERSION_UNSUPPORTED'],
  ['PRI / HTTP/1.1\r\n\r\n', 'ERR_VERSION_UNSUPPORTED'],
  ['PRI * HTTP/2.0\r\nHost: a\r\n\r\n', 'ERR_VERSION_UNSUPPORTED'],
  ['\r\nPRI * HTTP/2.0\r\n\r\n', 'ERR_HEAD_MALFORMED'],
] as const) {
  test(`${JSON.stringify(text)}, behind which llhttp waits for more, is refused and not waited for`, () => {
    assert.is(linesOf('request', text), code)
    assert.is(linesOf('response', text), 'ERR_RESPONSE_MALFORMED')
  })
}

for (const [text, reason] of [
  ['GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n', /whitespace/],
  ['GET / HTTP/1.1\r\nHost : a\r\n\r\n', /header token/],
  ['GET / HTTP/1.1\nHost: a\r\n\r\n', /CRLF after version/],
  ['\r\n\r\n', /no head that llhttp knows/],
] as const) {
  test(`the failure of ${JSON.stringify(text)} says what llhttp stumbled over, for the log`, () => {
    const octets = Buffer.from(text)
    assert.throws(() => parser.parseRequest(octets, 0, octets.length), reason)
    const section = octets.subarray(octets.indexOf('\n') + 1)
    const trailers = () => parser.parseTrailers(section, 0, section.length, 'ERR_BODY_MALFORMED')
    if (text.includes('X: y')) assert.throws(trailers, reason)
  })
}

test('a head larger than the parser has room for is a broken assumption: its reader holds the limit', () => {
  const octets = Buffer.alloc(SIZES.maxHeadSize + 17, 'x')
  assert.throws(
    () => parser.parseRequest(octets, 0, octets.length),
    (error: unknown) => error instanceof AssertionError && /maxHeadSize/.test(error.message),
  )
})

for (const method of ['CONNECT', 'GET', 'POST']) {
  for (const upgrade of [
    '',
    'Connection: Upgrade\r\nUpgrade: x\r\n',
    'Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\n',
  ]) {
    test(`${method} with ${JSON.stringify(upgrade)}: fields behind it are read although llhttp stops for an upgrade`, () => {
      const target = method === 'CONNECT' ? 'a:1' : '/'
      const head = Buffer.from(
        `${method} ${target} HTTP/1.1\r\nHost: a\r\n${upgrade}Content-Length: 5\r\nX: y\r\n\r\n`,
      )
      const { fields } = parser.parseRequest(head, 0, head.length)
      assert.is(fields.name(fields.count - 1), 'X')
      assert.is(fields.lineEnd(fields.count - 1), head.length - 2)
    })
  }
}

// ── what two parsers could read in two ways ───────────────────────────────────────────────────────────────────

const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)\r\n/

/** The field lines of a section by RFC 9112 §5 and nothing else; undefined where it is not one. */
function strictLinesOf(kind: Kind, text: string): string[] | undefined {
  const startLine = KINDS[kind].grammar.exec(text)
  if (startLine === null) return undefined
  const lines: string[] = []
  let rest = text.slice(startLine[0].length)
  for (let line = FIELD_LINE.exec(rest); line !== null; line = FIELD_LINE.exec(rest)) {
    lines.push(`${line[1]}: ${line[2]!.replace(/^[ \t]+|[ \t]+$/g, '')}`)
    rest = rest.slice(line[0].length)
  }
  return rest === '\r\n' ? lines : undefined
}

const SEEDS = {
  request: [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y\r\n\r\n',
    'POST http://b/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close, x\r\n\r\n',
    'OPTIONS * HTTP/1.0\r\nA:\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  ],
  response: [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n',
    'HTTP/1.0 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\nA:\r\n\r\n',
  ],
  trailers: [
    'X: a\r\nY: b\r\n\r\n',
    'Content-Length: 5\r\nA:\r\n\r\n',
    'Transfer-Encoding: chunked\r\nConnection: x\r\n\r\n',
  ],
} as const satisfies Record<Kind, readonly string[]>

const splice = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  skip: fc.nat(3),
  put: fc.oneof(
    fc.constantFrom(
      '',
      '\r',
      '\n',
      '\r\n',
      '\n\n',
      '\r\n ',
      '\r\n\t',
      ' ',
      '\t',
      ':',
      ',',
      '\0',
      '\v',
      '\f',
      '\x7f',
      '\x85',
    ),
    fc.constantFrom(
      'Content-Length: 5\r\n',
      'Transfer-Encoding: chunked\r\n',
      'X: y\r\n',
      'HTTP/1.1',
      'chunked',
    ),
    fc.integer({ min: 0, max: 255 }).map((octet) => String.fromCharCode(octet)),
  ),
})

for (const kind of ALL) {
  test(`whatever is done to a ${kind} section, what signet takes of it is what the grammar says (RFC 9112 §5)`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SEEDS[kind]),
        fc.array(splice, { minLength: 1, maxLength: 4 }),
        (seed, splices) => {
          let text: string = seed
          for (const { at, skip, put } of splices) {
            const from = Math.floor(at * text.length)
            text = text.slice(0, from) + put + text.slice(from + skip)
          }
          const end = text.indexOf('\r\n\r\n')
          // What is parsed ends with its first empty line; a trailer section never begins with one.
          if (end === -1 || (kind === 'trailers' && text.startsWith('\r'))) return
          const whole = text.slice(0, end + 4)
          const found = linesOf(kind, whole)
          if (typeof found !== 'string')
            assert.equal(found, strictLinesOf(kind, whole), JSON.stringify(whole))
        },
      ),
      { numRuns: 5000 },
    )
  })
}

// ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────

test('10,000 heads, taken and refused, leave memory as it was', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heads = [
    `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(20)}\r\n`,
    'GET / HTTP/1.1\r\nHost a\r\n\r\n',
    'XYZ / HTTP/1.1\r\n\r\n',
    '\r\n\r\n',
  ]
  const round = () => {
    for (let count = 0; count < 10_000; count++) {
      linesOf(ALL[count % 3]!, heads[count % 4]!)
    }
    collect()
    return process.memoryUsage().heapUsed
  }
  const { buffer, byteLength } = parser.region
  const before = round()
  const after = round()
  assert.ok(after - before < 500_000, `the heap grew by ${after - before} octets`)
  // WebAssembly memory that grows detaches what was seen of it before.
  assert.is(parser.region.buffer, buffer)
  assert.is(parser.region.byteLength, byteLength)
})

test.run()
