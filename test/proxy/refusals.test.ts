// What signet refuses, how it says so, and what it does not say.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FAILURES, type FailureCode } from '../../src/errors.ts'
import { masked, type Problem, problemIn, valuesOf } from '../support/heads.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { eventually, ok, RawUpstream, type Wire, type WireMessage } from '../support/wire.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const H = 'Host: a.test\r\n'
const POST = `POST / HTTP/1.1\r\n${H}`
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`

/** A whole head of exactly `size` octets. */
function headOf(size: number): string {
  const rest = `GET / HTTP/1.1\r\n${H}X-Long: \r\n\r\n`
  return `GET / HTTP/1.1\r\n${H}X-Long: ${'x'.repeat(size - rest.length)}\r\n\r\n`
}

/** Requests whose head cannot be accepted: whoever sends them, they go nowhere and end the connection. */
// biome-ignore format: a table
const HEADS: readonly (readonly [name: string, octets: string, code: FailureCode])[] = [
  // the request line (RFC 9112 §3)
  ['no HTTP at all', 'hello\r\n\r\n', 'ERR_HEAD_MALFORMED'],
  ['a TLS client hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 'ERR_HEAD_MALFORMED'],
  ['a method nobody knows', `BREW / HTTP/1.1\r\n${H}\r\n`, 'ERR_METHOD_UNKNOWN'],
  ['a method in lower case (RFC 9110 §9.1)', `get / HTTP/1.1\r\n${H}\r\n`, 'ERR_METHOD_UNKNOWN'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'ERR_VERSION_UNSUPPORTED'],
  ['no version', `GET /x\r\n${H}\r\n`, 'ERR_HEAD_MALFORMED'],
  ['HTTP/0.9', `GET / HTTP/0.9\r\n${H}\r\n`, 'ERR_VERSION_UNSUPPORTED'],
  ['HTTP/1.2', `GET / HTTP/1.2\r\n${H}\r\n`, 'ERR_VERSION_UNSUPPORTED'],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${H}\r\n`, 'ERR_VERSION_UNSUPPORTED'],
  ['HTTP/1.10', `GET / HTTP/1.10\r\n${H}\r\n`, 'ERR_VERSION_UNSUPPORTED'],
  ['RTSP', `OPTIONS * RTSP/1.0\r\n${H}\r\n`, 'ERR_VERSION_UNSUPPORTED'],
  ['ICE', `SOURCE / ICE/1.0\r\n${H}\r\n`, 'ERR_HEAD_MALFORMED'],
  ['two blanks behind the method', `GET  / HTTP/1.1\r\n${H}\r\n`, 'ERR_HEAD_MALFORMED'],
  ['two blanks before the version', `GET /  HTTP/1.1\r\n${H}\r\n`, 'ERR_HEAD_MALFORMED'],
  ['a tab in the request line', `GET\t/ HTTP/1.1\r\n${H}\r\n`, 'ERR_HEAD_MALFORMED'],
  ['a blank behind the version', `GET / HTTP/1.1 \r\n${H}\r\n`, 'ERR_VERSION_UNSUPPORTED'],
  ['a blank in the target', `GET /a b HTTP/1.1\r\n${H}\r\n`, 'ERR_HEAD_MALFORMED'],
  ['two empty lines first', `\r\n\r\n${GET}`, 'ERR_HEAD_MALFORMED'],
  ['a bare LF behind the request line', `GET / HTTP/1.1\n${H}\r\n`, 'ERR_VERSION_UNSUPPORTED'],
  ['NUL in the target', `GET /\x00 HTTP/1.1\r\n${H}\r\n`, 'ERR_TARGET_MALFORMED'],
  // Host (RFC 9112 §3.2)
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 'ERR_HOST_INVALID'],
  ['no Host beside absolute-form', 'GET http://a.test/ HTTP/1.1\r\n\r\n', 'ERR_HOST_INVALID'],
  ['two Hosts', `GET / HTTP/1.1\r\n${H}Host: b.test\r\n\r\n`, 'ERR_HOST_INVALID'],
  ['two equal Hosts', `GET / HTTP/1.1\r\n${H}${H}\r\n`, 'ERR_HOST_INVALID'],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 'ERR_HOST_INVALID'],
  ['two authorities in Host', 'GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n', 'ERR_HOST_INVALID'],
  ['userinfo in Host', 'GET / HTTP/1.1\r\nHost: u@a.test\r\n\r\n', 'ERR_HOST_INVALID'],
  ['a path in Host', 'GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n', 'ERR_HOST_INVALID'],
  ['a port out of range in Host', 'GET / HTTP/1.1\r\nHost: a.test:65536\r\n\r\n', 'ERR_HOST_INVALID'],
  ['an open bracket in Host', 'GET / HTTP/1.1\r\nHost: [::1\r\n\r\n', 'ERR_HOST_INVALID'],
  ['a quotation mark in Host', 'GET / HTTP/1.1\r\nHost: a"b\r\n\r\n', 'ERR_HOST_INVALID'],
  ['a malformed Host in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a b\r\n\r\n', 'ERR_HOST_INVALID'],
  // field lines (RFC 9112 §5)
  ['a blank before the colon', `GET / HTTP/1.1\r\n${H}X-A : 1\r\n\r\n`, 'ERR_HEAD_MALFORMED'],
  ['a folded line', `GET / HTTP/1.1\r\n${H}X-A: 1\r\n 2\r\n\r\n`, 'ERR_HEAD_MALFORMED'],
  ['a blank before the first field', `GET / HTTP/1.1\r\n ${H}\r\n`, 'ERR_HEAD_MALFORMED'],
  ['a field line without a colon', `GET / HTTP/1.1\r\n${H}nonsense\r\n\r\n`, 'ERR_HEAD_MALFORMED'],
  ['an empty field name', `GET / HTTP/1.1\r\n${H}: 1\r\n\r\n`, 'ERR_HEAD_MALFORMED'],
  ['a bare CR in a value', `GET / HTTP/1.1\r\n${H}X-A: a\rb\r\n\r\n`, 'ERR_HEAD_MALFORMED'],
  ['a bare LF in a value', `GET / HTTP/1.1\r\n${H}X-A: a\nX-B: b\r\n\r\n`, 'ERR_HEAD_MALFORMED'],
  ['NUL in a value', `GET / HTTP/1.1\r\n${H}X-A: a\x00b\r\n\r\n`, 'ERR_HEAD_MALFORMED'],
  ['obs-text in a name', `GET / HTTP/1.1\r\n${H}X-\xe9: 1\r\n\r\n`, 'ERR_HEAD_MALFORMED'],
  // framing (RFC 9112 §6)
  ['both framings', `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['both, the other way round', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['two lengths', `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['two equal lengths', `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['a list of lengths', `${POST}Content-Length: 5, 5\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['a length with a sign', `${POST}Content-Length: +5\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['a negative length', `${POST}Content-Length: -5\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['a length with a zero in front', `${POST}Content-Length: 05\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['a hexadecimal length', `${POST}Content-Length: 0x5\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['an empty length', `${POST}Content-Length:\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['a length with a blank within', `${POST}Content-Length: 5 5\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['a length beyond 2^53', `${POST}Content-Length: 9007199254740993\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['a length beyond 2^64', `${POST}Content-Length: 18446744073709551621\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['chunked twice', `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['chunked on two lines', `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['chunked not last', `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['gzip before chunked', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['an empty coding', `${POST}Transfer-Encoding:\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['an empty coding beside a length', `${POST}Transfer-Encoding: \r\nContent-Length: 5\r\n\r\nhello`, 'ERR_FRAMING_AMBIGUOUS'],
  ['an empty member before chunked', `${POST}Transfer-Encoding: , chunked\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['chunked with a parameter', `${POST}Transfer-Encoding: chunked;q=1\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['chunked in quotes', `${POST}Transfer-Encoding: "chunked"\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['chunked with a comment', `${POST}Transfer-Encoding: (x), chunked\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['chunked behind a vertical tab', `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n`, 'ERR_HEAD_MALFORMED'],
  ['chunked in HTTP/1.0', `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['a coding nobody knows', `${POST}Transfer-Encoding: xchunked\r\n\r\n`, 'ERR_CODING_UNKNOWN'],
  ['gzip alone', `${POST}Transfer-Encoding: gzip\r\n\r\n`, 'ERR_CODING_UNKNOWN'],
  ['identity', `${POST}Transfer-Encoding: identity\r\n\r\n`, 'ERR_CODING_UNKNOWN'],
  ['Content_Length', `${POST}Content_Length: 5\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['Transfer_Encoding', `${POST}Transfer_Encoding: chunked\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['Transfer.Encoding', `${POST}Transfer.Encoding: chunked\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['both framings beside an upgrade', `${POST}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 'ERR_FRAMING_AMBIGUOUS'],
  ['TRACE with a body (RFC 9110 §9.3.8)', `TRACE / HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello`, 'ERR_FRAMING_AMBIGUOUS'],
  // sizes
  ['a head one octet over its limit', headOf(16_385), 'ERR_HEAD_TOO_LARGE'],
  ['a head that does not end', `GET / HTTP/1.1\r\n${H}X-Long: ${'x'.repeat(20_000)}`, 'ERR_HEAD_TOO_LARGE'],
  ['a target one octet over its limit', `GET /${'x'.repeat(8192)} HTTP/1.1\r\n${H}\r\n`, 'ERR_TARGET_TOO_LONG'],
  ['a target that does not end', `GET /${'x'.repeat(20_000)}`, 'ERR_TARGET_TOO_LONG'],
  ['one field line too many', `GET / HTTP/1.1\r\n${H}${'X-A: 1\r\n'.repeat(100)}\r\n`, 'ERR_TOO_MANY_FIELDS'],
]

/** Chunked bodies that are broken, behind a head that is fine (RFC 9112 §7.1). */
// biome-ignore format: a table
const BODIES: readonly (readonly [name: string, octets: string])[] = [
  ['a size that is not hexadecimal', 'x\r\n'],
  ['an empty size', '\r\nhello\r\n'],
  ['a negative size', '-1\r\n'],
  ['a size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a blank behind the size', '5 \r\nhello\r\n0\r\n\r\n'],
  ['a blank before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a size beyond 2^64', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['zeros without end', `${'0'.repeat(20)}5\r\nhello\r\n`],
  ['a size that ends in LF', '5\nhello\r\n0\r\n\r\n'],
  ['a size that ends in CR and no LF', '5\rXhello\r\n0\r\n\r\n'],
  ['a chunk longer than its size', '5\r\nhello!\r\n0\r\n\r\n'],
  ['a chunk that ends in LF', '5\r\nhello\n0\r\n\r\n'],
  ['a bare LF in an extension', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
  ['a bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['extensions without end', `1;${'x'.repeat(5000)}\r\n`],
  ['a trailer line without a colon', '0\r\nnonsense\r\n\r\n'],
  ['a folded trailer line', '0\r\nX-A: 1\r\n 2\r\n\r\n'],
  ['a bare LF in a trailer line', '0\r\nX-A: 1\nX-B: 2\r\n\r\n'],
  ['framing in the trailer section that contradicts itself', '0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n'],
  ['too many trailer lines', `0\r\n${'X-A: 1\r\n'.repeat(200)}\r\n`],
  ['a trailer section without end', `0\r\nX-A: ${'x'.repeat(20_000)}`],
]

/** Responses nobody can rely on: 502 before anything of them has reached the client. */
// biome-ignore format: a table
const RESPONSES: readonly (readonly [name: string, octets: string, code: FailureCode])[] = [
  ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['HTTP/0.9', 'HTTP/0.9 200 OK\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['status 000', 'HTTP/1.1 000 OK\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['status 600', 'HTTP/1.1 600 OK\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['a control in the reason', 'HTTP/1.1 200 O\x07K\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['an empty line first', '\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['a folded line', 'HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['a blank before a colon', 'HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['NUL in a value', 'HTTP/1.1 200 OK\r\nX-A: \x00\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', 'ERR_RESPONSE_MALFORMED'],
  ['interim responses without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100), 'ERR_RESPONSE_MALFORMED'],
  ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'ERR_RESPONSE_AMBIGUOUS'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi', 'ERR_RESPONSE_AMBIGUOUS'],
  ['two equal lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi', 'ERR_RESPONSE_AMBIGUOUS'],
  ['a list of lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi', 'ERR_RESPONSE_AMBIGUOUS'],
  ['a malformed length', 'HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nhi', 'ERR_RESPONSE_AMBIGUOUS'],
  ['chunked twice', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', 'ERR_RESPONSE_AMBIGUOUS'],
  ['a coding nobody knows', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n', 'ERR_RESPONSE_AMBIGUOUS'],
  ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'ERR_RESPONSE_AMBIGUOUS'],
  ['an empty coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nContent-Length: 2\r\n\r\nhi', 'ERR_RESPONSE_AMBIGUOUS'],
  ['Content_Length', 'HTTP/1.1 200 OK\r\nContent_Length: 2\r\n\r\nhi', 'ERR_RESPONSE_AMBIGUOUS'],
  ['a head that does not end', `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(20_000)}`, 'ERR_RESPONSE_TOO_LARGE'],
]

/** Everything that would tell a stranger about the inside. */
const INSIDE =
  /127\.0\.0\.1|localhost|upstream:|ECONN|EPIPE|llhttp|HPE_|node:|\.[tj]s\b|\n\s+at |Error:|stack|cause/

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/refusals (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  /** The refusal must be the one for `code`, complete and exact; returns what it says. */
  function assertRefusal(
    { head, body }: WireMessage,
    code: FailureCode,
    connection: 'close' | 'goes on',
  ): Problem {
    const problem = problemIn(body)
    const { status, title } = FAILURES[code]
    assert.match(problem.requestId, /^[0-9a-f]{8}-[0-9a-z]+$/)
    assert.equal(problem, { type: 'about:blank', title, status, code, requestId: problem.requestId })
    const [, reason = ''] = /^HTTP\/1\.1 \d{3} ([A-Za-z ]+)\r\n/.exec(head) ?? []
    assert.is(
      masked(head),
      `HTTP/1.1 ${status} ${reason}\r\nDate: <now>\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${body.length}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n` +
        `${status === 503 ? 'Retry-After: 1\r\n' : ''}${connection === 'close' ? 'Connection: close\r\n' : ''}\r\n`,
    )
    assert.not.match(head + body.toString(), INSIDE)
    return problem
  }

  /** The connection must carry another request. */
  async function assertGoesOn(stand: Stand, client: Wire): Promise<void> {
    client.send('GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n')
    for (;;) {
      const upstream = await stand.upstream.accept()
      if (upstream.ending !== undefined) continue
      assert.ok((await upstream.head()).startsWith('GET /next '))
      upstream.send(ok('next'))
      break
    }
    assert.is((await client.message()).body.toString(), 'next')
  }

  // ── heads ───────────────────────────────────────────────────────────────────────────────────────────────────

  for (const [name, octets, code] of HEADS) {
    test(`${name}: refused with ${FAILURES[code].status} ${code}, the connection ends, nothing goes upstream`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(octets)
      assertRefusal(await client.message(), code, 'close')
      assert.equal(await client.rest(), { octets: '', ending: 'fin' })
      assert.is(stand.upstream.wires.length, 0)
    })
  }

  test('a head of exactly the limit passes', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(headOf(16_384))
    await (await stand.upstream.accept()).until(`${'x'.repeat(100)}\r\n`)
  })

  test('a target of exactly the limit passes', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`GET /${'x'.repeat(8191)} HTTP/1.1\r\n${H}\r\n`)
    assert.ok(
      (await (await stand.upstream.accept()).head()).startsWith(`GET /${'x'.repeat(8191)} HTTP/1.1\r\n`),
    )
  })

  test('the limits are settings', async () => {
    const stand = await start({
      SIGNET_MAX_HEAD_SIZE: '1024',
      SIGNET_MAX_TARGET_SIZE: '64',
      SIGNET_MAX_FIELDS: '3',
    })
    for (const [octets, code] of [
      [headOf(1025), 'ERR_HEAD_TOO_LARGE'],
      [`GET /${'x'.repeat(64)} HTTP/1.1\r\n${H}\r\n`, 'ERR_TARGET_TOO_LONG'],
      [`GET / HTTP/1.1\r\n${H}${'X-A: 1\r\n'.repeat(3)}\r\n`, 'ERR_TOO_MANY_FIELDS'],
    ] as const) {
      const client = await stand.client()
      client.send(octets)
      assertRefusal(await client.message(), code, 'close')
    }
    const client = await stand.client()
    client.send(headOf(1024))
    await (await stand.upstream.accept()).head()
  })

  test('a head that is larger than any read passes when the limit lets it', async () => {
    const stand = await start({
      SIGNET_MAX_HEAD_SIZE: '262144',
      SIGNET_MAX_TARGET_SIZE: '262144',
      SIGNET_MAX_FIELDS: '2000',
    })
    const client = await stand.client()
    const lines = Array.from({ length: 1990 }, (_, index) => `X-${index}: ${'y'.repeat(30)}\r\n`).join('')
    const target = `/${'x'.repeat(150_000)}`
    client.send(`GET ${target} HTTP/1.1\r\n${H}${lines}\r\n`)
    const head = await (await stand.upstream.accept()).head()
    assert.ok(head.startsWith(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n${lines}X-Forwarded-For: `))
    const other = await stand.client()
    other.send(headOf(262_145))
    assertRefusal(await other.message(), 'ERR_HEAD_TOO_LARGE', 'close')
  })

  test('a head that arrives octet by octet is refused like one that comes at once', async () => {
    const stand = await start()
    const client = await stand.client()
    const octets = `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`
    await client.sendSplit(octets, ...Array.from(octets, (_, at) => at))
    assertRefusal(await client.message(), 'ERR_FRAMING_AMBIGUOUS', 'close')
    assert.is(stand.upstream.wires.length, 0)
  })

  test('a malformed request behind a complete one does not cost that one its answer', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${GET}GET / HTTP/1.1\r\nno colon\r\n\r\n${GET}`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    await client.silent(50)
    upstream.send(ok('mine'))
    assert.is((await client.message()).body.toString(), 'mine')
    assertRefusal(await client.message(), 'ERR_HEAD_MALFORMED', 'close')
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
    assert.is(stand.upstream.wires.length, 1)
    assert.is(upstream.pending.length, 0)
  })

  test('whatever is sent behind a refused request is read and dropped, so that the refusal arrives', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n${'x'.repeat(4_000_000)}`)
    assertRefusal(await client.message(), 'ERR_FRAMING_AMBIGUOUS', 'close')
    assert.is((await client.rest()).octets, '')
  })

  test('each refusal has a request id of its own, the one in the log', async () => {
    const stand = await start()
    const ids: string[] = []
    for (let count = 0; count < 5; count++) {
      const client = await stand.client()
      client.send('GET / HTTP/1.1\r\n\r\n')
      ids.push(problemIn((await client.message()).body).requestId)
    }
    assert.is(new Set(ids).size, 5)
    assert.equal(
      (await stand.exchanges(5)).map((line) => line.id),
      ids,
    )
  })

  test('a refused HEAD is told the length of the refusal and gets no body (RFC 9110 §9.3.2)', async () => {
    const stand = await start({ SIGNET_UPSTREAM: `http://127.0.0.1:${await freePort()}` })
    const client = await stand.client()
    client.send(`HEAD / HTTP/1.1\r\n${H}Connection: close\r\n\r\n`)
    assert.ok(Number(valuesOf(await client.head(), 'content-length')[0]) > 100)
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
  })

  test('an HTTP/1.0 client is refused with a connection that ends', async () => {
    const stand = await start({ SIGNET_UPSTREAM: `http://127.0.0.1:${await freePort()}` })
    const client = await stand.client()
    client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assertRefusal(await client.message(), 'ERR_UPSTREAM_UNREACHABLE', 'close')
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
  })

  // ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────

  for (const [name, octets] of BODIES) {
    test(`a chunked body with ${name} is refused with 400, and the connection ends`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`${CHUNKED}${octets}`)
      assertRefusal(await client.message(), 'ERR_BODY_MALFORMED', 'close')
      assert.equal(await client.rest(), { octets: '', ending: 'fin' })
      await eventually(() => stand.proxy.open().upstream === 0, 'the upstream connection to end')
      for (const wire of stand.upstream.wires) {
        assert.not.ok(
          (await wire.rest()).octets.includes('\r\n0\r\n'),
          'the body does not look whole upstream',
        )
      }
    })
  }

  // ── upstreams ───────────────────────────────────────────────────────────────────────────────────────────────

  for (const [name, octets, code] of RESPONSES) {
    test(`a response with ${name} becomes 502 ${code}, and the client's connection goes on`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send(octets)
      let refusal = await client.message()
      while (refusal.head.startsWith('HTTP/1.1 100 ')) refusal = await client.message()
      assertRefusal(refusal, code, 'goes on')
      await upstream.rest()
      await assertGoesOn(stand, client)
    })
  }

  test('an upstream that closes without an answer becomes 502, and the connection goes on', async () => {
    const stand = await start()
    const client = await stand.client()
    for (const end of [(wire: Wire) => wire.end(), (wire: Wire) => wire.reset()]) {
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      end(upstream)
      assertRefusal(await client.message(), 'ERR_UPSTREAM_CLOSED', 'goes on')
    }
    await assertGoesOn(stand, client)
  })

  test('an upstream that closes within its head becomes 502', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\nContent-Le').end()
    assertRefusal(await client.message(), 'ERR_UPSTREAM_CLOSED', 'goes on')
    await assertGoesOn(stand, client)
  })

  test('an upstream nobody listens at becomes 502, and the connection goes on', async () => {
    const stand = await start({ SIGNET_UPSTREAM: `http://127.0.0.1:${await freePort()}` })
    const client = await stand.client()
    for (let count = 0; count < 3; count++) {
      client.send(GET)
      assertRefusal(await client.message(), 'ERR_UPSTREAM_UNREACHABLE', 'goes on')
    }
  })

  test('an upstream whose name cannot be resolved becomes 502 and stays unnamed', async () => {
    const stand = await start({ SIGNET_UPSTREAM: 'http://secret-backend.invalid:81' })
    const client = await stand.client()
    client.send(GET)
    const refusal = await client.message(15_000)
    assertRefusal(refusal, 'ERR_UPSTREAM_UNREACHABLE', 'goes on')
    assert.not.match(refusal.body.toString(), /secret-backend/)
  })

  for (const [name, body, connection] of [
    ['of a known length', 'Content-Length: 5\r\n\r\nhello', 'goes on'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'goes on'],
    ['with trailers', 'Transfer-Encoding: chunked\r\n\r\n0\r\nX-T: 1\r\n\r\n', 'goes on'],
    ['with broken chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n', 'close'],
    ['with broken trailers', 'Transfer-Encoding: chunked\r\n\r\n0\r\nX T: 1\r\n\r\n', 'close'],
  ] as const) {
    test(`a failed request whose body, ${name}, is all there: the connection ${connection === 'close' ? 'ends' : 'goes on'}`, async () => {
      const stand = await start({ SIGNET_UPSTREAM: `http://127.0.0.1:${await freePort()}` })
      const client = await stand.client()
      client.send(`${POST}${body}${connection === 'close' ? '' : GET}`)
      assertRefusal(await client.message(), 'ERR_UPSTREAM_UNREACHABLE', connection)
      if (connection === 'goes on') {
        assertRefusal(await client.message(), 'ERR_UPSTREAM_UNREACHABLE', 'goes on')
        const [line] = await stand.exchanges(2)
        assert.is(line?.octetsIn, POST.length + body.length)
      } else assert.is((await client.rest()).ending, 'fin')
    })
  }

  test('a failed request whose body is still coming ends the connection', async () => {
    const stand = await start({ SIGNET_UPSTREAM: `http://127.0.0.1:${await freePort()}` })
    const client = await stand.client()
    client.send(`${POST}Content-Length: 100\r\n\r\nsome`)
    assertRefusal(await client.message(), 'ERR_UPSTREAM_UNREACHABLE', 'close')
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
  })

  test('a failed request whose body came whole lets the connection go on', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${POST}Content-Length: 4\r\n\r\nsome`)
    const upstream = await stand.upstream.accept()
    await upstream.message()
    upstream.end()
    assertRefusal(await client.message(), 'ERR_UPSTREAM_CLOSED', 'goes on')
    await assertGoesOn(stand, client)
  })

  test('a response that takes too long becomes 504, and the connection goes on', async () => {
    const stand = await start({ SIGNET_RESPONSE_TIMEOUT: '50' })
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    assertRefusal(await client.message(), 'ERR_RESPONSE_TIMEOUT', 'goes on')
    await upstream.rest()
    await assertGoesOn(stand, client)
  })

  // ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────

  test('when the pool and its queue are full: 503 with Retry-After, and the connection goes on', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1', SIGNET_POOL_QUEUE: '0' })
    const first = await stand.client()
    first.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    const second = await stand.client()
    second.send(GET)
    assertRefusal(await second.message(), 'ERR_POOL_FULL', 'goes on')
    upstream.send(ok('first'))
    assert.is((await first.message()).body.toString(), 'first')
    second.send(GET)
    await upstream.head()
  })

  test('when no connection comes free in time: 503 with Retry-After, and the connection goes on', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1', SIGNET_POOL_TIMEOUT: '50' })
    const first = await stand.client()
    first.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    const second = await stand.client()
    second.send(GET)
    assertRefusal(await second.message(), 'ERR_POOL_TIMEOUT', 'goes on')
    upstream.send(ok('first'))
    await first.message()
    second.send(GET)
    await upstream.head()
  })

  test('a head that takes too long is refused with 408, and the connection ends', async () => {
    const stand = await start({ SIGNET_HEAD_TIMEOUT: '50' })
    const client = await stand.client()
    client.send('GET / HTTP/1.1\r\nHost: a.te')
    assertRefusal(await client.message(), 'ERR_HEAD_TIMEOUT', 'close')
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
  })

  test('a body that takes too long is refused with 408, and the connection ends', async () => {
    const stand = await start({ SIGNET_BODY_TIMEOUT: '50' })
    const client = await stand.client()
    client.send(`${POST}Content-Length: 10\r\n\r\nsome`)
    const upstream = await stand.upstream.accept()
    await upstream.until('some')
    assertRefusal(await client.message(), 'ERR_BODY_TIMEOUT', 'close')
    assert.is((await upstream.rest()).octets, '')
  })

  test('a connection over the cap is closed without a word, and one that ends makes room', async () => {
    const stand = await start({ SIGNET_MAX_CONNECTIONS: '1' })
    const first = await stand.client()
    first.send(GET)
    await (await stand.upstream.accept()).head()
    const second = await stand.client()
    assert.is((await second.rest()).octets, '')
    first.reset()
    await eventually(() => stand.proxy.open().downstream === 0, 'the first connection to be gone')
    const third = await stand.client()
    third.send(GET)
    await (await stand.upstream.accept()).head()
  })

  test.run()
}

/** A port of loopback where nobody listens. */
async function freePort(): Promise<number> {
  const upstream = await RawUpstream.listen()
  const { port } = upstream
  await upstream.close()
  return port
}
