import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FAILURES, ProxyError } from '../../src/errors.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { type Framing, requestFraming, responseFraming } from '../../src/http/framing.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { HeadFacts, readRequest } from '../../src/http/request.ts'
import { readResponse } from '../../src/http/response.ts'

const test = suite('http/framing')

const parser = createHeadParser({ region: 1024, maxHeadSize: 4096, maxFields: 100 })
const rules = new FieldRules(['x-my-jwt'])

/** A framing or a failure, as one word. */
function outcomeOf(decide: () => Framing): string {
  try {
    const framing = decide()
    return framing.kind === 'length' ? `length ${framing.length}` : framing.kind
  } catch (error) {
    assert.instance(error, ProxyError)
    return (error as ProxyError).code
  }
}

/** What fields mean for themselves: a length, a coding, nothing, or more than one thing. */
type Meaning = 'absent' | 'bad' | 'chunked' | 'unknown coding' | number

const LENGTHS: readonly (readonly [values: readonly string[], meaning: Meaning])[] = [
  [[], 'absent'],
  [['0'], 0],
  [['5'], 5],
  [['5 '], 5],
  [['\t 5 '], 5],
  [['999999999999999'], 999_999_999_999_999],
  [['1000000000000000'], 'bad'],
  [['9007199254740993'], 'bad'],
  [['9223372036854775808'], 'bad'],
  [['18446744073709551615'], 'bad'],
  [['18446744073709551621'], 'bad'],
  [[''], 'bad'],
  [[' \t'], 'bad'],
  [['00'], 'bad'],
  [['05'], 'bad'],
  [['+5'], 'bad'],
  [['-5'], 'bad'],
  [['-0'], 'bad'],
  [['0x5'], 'bad'],
  [['a'], 'bad'],
  [['5a'], 'bad'],
  [['5.0'], 'bad'],
  [['5e1'], 'bad'],
  [['1_000'], 'bad'],
  [['5 5'], 'bad'],
  [['5,5'], 'bad'],
  [['5, 5'], 'bad'],
  [['5,'], 'bad'],
  [[',5'], 'bad'],
  [['5;x'], 'bad'],
  [['"5"'], 'bad'],
  [['\xb2'], 'bad'],
  [['5\xa0'], 'bad'],
  [['5', '5'], 'bad'],
  [['0', '0'], 'bad'],
  [['5', '6'], 'bad'],
  [['5', ''], 'bad'],
  [['x', '5'], 'bad'],
]

const CODINGS: readonly (readonly [values: readonly string[], meaning: Meaning])[] = [
  [[], 'absent'],
  [['chunked'], 'chunked'],
  [['Chunked'], 'chunked'],
  [['CHUNKED'], 'chunked'],
  [['\tchunked'], 'chunked'],
  [['chunked\t'], 'chunked'],
  [[' chunked \t '], 'chunked'],
  [['gzip'], 'unknown coding'],
  [['identity'], 'unknown coding'],
  [['xchunked'], 'unknown coding'],
  [['chunkedx'], 'unknown coding'],
  [['x-chunked'], 'unknown coding'],
  [['chunke'], 'unknown coding'],
  [["!#$%&'*+-.^_`|~09azAZ"], 'unknown coding'],
  [[''], 'bad'],
  [[' \t'], 'bad'],
  [[','], 'bad'],
  [['chunked,'], 'bad'],
  [[', chunked'], 'bad'],
  [['chunked, chunked'], 'bad'],
  [['gzip, chunked'], 'bad'],
  [['chunked, gzip'], 'bad'],
  [['chunked;x'], 'bad'],
  [['chunked; q=1'], 'bad'],
  [['chunked q'], 'bad'],
  [['chun ked'], 'bad'],
  [['"chunked"'], 'bad'],
  [['(x) chunked'], 'bad'],
  [['\x80chunked'], 'bad'],
  [['chunked\xa0'], 'bad'],
  [['\xa0chunked'], 'bad'],
  [['chunked', 'chunked'], 'bad'],
  [['gzip', 'chunked'], 'bad'],
  [['chunked', 'identity'], 'bad'],
  [['chunked', ''], 'bad'],
  [['', 'chunked'], 'bad'],
]

/** RFC 9112 §6.1 to §6.3, for a request: what has one reading, and by its own code what has none or two. */
function expectedOf(length: Meaning, coding: Meaning, minor: number): string {
  if (coding !== 'absent') {
    if (length !== 'absent' || minor === 0 || coding === 'bad') return 'ERR_FRAMING_AMBIGUOUS'
    return coding === 'chunked' ? 'chunked' : 'ERR_CODING_UNKNOWN'
  }
  if (length === 'absent' || length === 0) return 'none'
  return length === 'bad' ? 'ERR_FRAMING_AMBIGUOUS' : `length ${length}`
}

function lines(name: string, values: readonly string[]): string {
  return values.map((value) => `${name}: ${value}\r\n`).join('')
}

function factsOf(lengths: readonly string[], codings: readonly string[]): HeadFacts {
  const facts = new HeadFacts()
  const trim = (value: string) => value.replace(/^[ \t]+|[ \t]+$/g, '')
  for (const value of lengths) facts.addContentLength(trim(value))
  for (const value of codings) facts.addTransferEncoding(trim(value))
  return facts
}

/** What a whole request comes to, through llhttp and all: it must not be kinder than framing.ts, nor name it otherwise. */
function requestOutcome(method: string, fields: string, minor: number): string {
  const head = Buffer.from(`${method} / HTTP/1.${minor}\r\nHost: a\r\n${fields}\r\n`, 'latin1')
  return outcomeOf(() => readRequest(parser.parseRequest(head, 0, head.length), rules, 1000).framing)
}

for (const [codings, coding] of CODINGS) {
  for (const [lengths, length] of LENGTHS) {
    const [expected, expectedOld] = [expectedOf(length, coding, 1), expectedOf(length, coding, 0)]
    const what = `Content-Length ${JSON.stringify(lengths)} and Transfer-Encoding ${JSON.stringify(codings)}`
    test(`a request with ${what} is framed: ${expected}; in HTTP/1.0: ${expectedOld} (RFC 9112 §6.3)`, () => {
      const facts = factsOf(lengths, codings)
      const [first, second] = [lines('Content-Length', lengths), lines('transfer-encoding', codings)]
      for (const [minor, outcome] of [
        [1, expected],
        [0, expectedOld],
      ] as const) {
        assert.is(
          outcomeOf(() => requestFraming(facts, minor)),
          outcome,
        )
        for (const method of ['GET', 'POST', 'HEAD', 'DELETE']) {
          assert.is(requestOutcome(method, first + second, minor), outcome)
          assert.is(requestOutcome(method, second + first, minor), outcome, 'the other way round')
        }
      }
    })
  }
}

/** The same for a response, by RFC 9112 §6.3 rule 1 to 8: some never have a body, but must make sense even so. */
function expectedOfResponse(length: Meaning, coding: Meaning, minor: number, bodiless: boolean): string {
  const expected = expectedOf(length, coding, minor)
  if (expected.startsWith('ERR_')) return 'ERR_RESPONSE_AMBIGUOUS'
  if (bodiless) return 'none'
  return length === 'absent' && coding === 'absent' ? 'until-close' : expected
}

for (const [what, method, status, bodiless] of [
  ['200 to GET', 'GET', 200, false],
  ['404 to POST', 'POST', 404, false],
  ['206 to GET', 'GET', 206, false],
  ['500 to OPTIONS', 'OPTIONS', 500, false],
  ['200 to HEAD', 'HEAD', 200, true],
  ['500 to HEAD', 'HEAD', 500, true],
  ['100', 'POST', 100, true],
  ['101', 'GET', 101, true],
  ['103', 'GET', 103, true],
  ['199', 'GET', 199, true],
  ['204', 'DELETE', 204, true],
  ['304', 'GET', 304, true],
] as const) {
  for (const minor of [0, 1]) {
    const kind = bodiless ? 'has no body' : 'has the body its fields say'
    test(`a response of HTTP/1.${minor} with ${what} ${kind}, or is refused as ambiguous (RFC 9112 §6.3)`, () => {
      for (const [codings, coding] of CODINGS) {
        for (const [lengths, length] of LENGTHS) {
          const expected = expectedOfResponse(length, coding, minor, bodiless)
          const fields = lines('Content-Length', lengths) + lines('Transfer-Encoding', codings)
          const head = Buffer.from(`HTTP/1.${minor} ${status} X\r\n${fields}\r\n`, 'latin1')
          assert.is(
            outcomeOf(() => responseFraming(factsOf(lengths, codings), minor, status, method)),
            expected,
            fields,
          )
          const outcome = outcomeOf(
            () => readResponse(parser.parseResponse(head, 0, head.length), rules, method).framing,
          )
          // RFC 9110 §15.2: HTTP/1.0 has no interim responses.
          if (minor === 0 && status < 200) assert.match(outcome, /^ERR_RESPONSE_(MALFORMED|AMBIGUOUS)$/)
          else assert.is(outcome, expected, fields)
        }
      }
    })
  }
}

for (const beside of [
  'Connection: Upgrade\r\nUpgrade: websocket\r\n',
  'Expect: 100-continue\r\n',
  'Connection: close\r\n',
]) {
  test(`ambiguous framing stays ambiguous beside ${JSON.stringify(beside)}`, () => {
    for (const [codings, coding] of CODINGS) {
      for (const [lengths, length] of LENGTHS) {
        const fields = lines('Content-Length', lengths) + beside + lines('Transfer-Encoding', codings)
        assert.is(requestOutcome('POST', fields, 1), expectedOf(length, coding, 1), fields)
      }
    }
  })
}

test('Connection cannot nominate framing away (RFC 9110 §7.6.1)', () => {
  const nominated = 'Connection: content-length, transfer-encoding\r\n'
  assert.is(requestOutcome('POST', `${nominated}Content-Length: 5\r\n`, 1), 'length 5')
  assert.is(requestOutcome('POST', `${nominated}Transfer-Encoding: chunked\r\n`, 1), 'chunked')
  assert.is(
    requestOutcome('POST', `${nominated}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`, 1),
    'ERR_FRAMING_AMBIGUOUS',
  )
})

for (const name of [
  'Content_Length',
  'content.length',
  'CONTENT!LENGTH',
  'Transfer_Encoding',
  'transfer~encoding',
]) {
  for (const value of ['5', 'chunked', '']) {
    test(`${name}: ${value} is refused, since an upstream may fold it onto a framing field`, () => {
      assert.is(requestOutcome('POST', `${name}: ${value}\r\n`, 1), 'ERR_FRAMING_AMBIGUOUS')
      assert.is(
        requestOutcome('POST', `Content-Length: 5\r\n${name}: ${value}\r\n`, 1),
        'ERR_FRAMING_AMBIGUOUS',
      )
      const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n${name}: ${value}\r\n\r\n`)
      assert.is(
        outcomeOf(() => readResponse(parser.parseResponse(head, 0, head.length), rules, 'GET').framing),
        'ERR_RESPONSE_AMBIGUOUS',
      )
    })
  }
}

for (const framing of ['Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n']) {
  test(`TRACE with ${framing.trim()} is refused (RFC 9110 §9.3.8)`, () => {
    assert.is(requestOutcome('TRACE', framing, 1), 'ERR_FRAMING_AMBIGUOUS')
    assert.is(requestOutcome('TRACE', '', 1), 'none')
  })
}

test('what framing refuses is a 400, but for a coding that is merely unknown: 501 (RFC 9112 §6.1)', () => {
  assert.is(FAILURES.ERR_FRAMING_AMBIGUOUS.status, 400)
  assert.is(FAILURES.ERR_CODING_UNKNOWN.status, 501)
  assert.is(FAILURES.ERR_RESPONSE_AMBIGUOUS.status, 502)
})

test.run()
