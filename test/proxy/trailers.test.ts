// Trailer sections (RFC 9110 §6.5): passed both ways, but for the fields that only a head or only signet may say.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { READ_PATHS } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { ok } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const POST = `POST / HTTP/1.1\r\n${HOST}TE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n`
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

/** Fields that no trailer section may smuggle past a recipient that merges it into the head (RFC 9110 §6.5.1). */
const FORBIDDEN = [
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'Host: b.test',
  'Connection: close',
  'Authorization: Basic eA==',
  'Cookie: a=b',
  'Set-Cookie: a=b',
  'Cache-Control: no-store',
  'Content-Type: text/html',
  'Keep-Alive: timeout=1',
  'Via: 1.1 x',
  'x-my-jwt: forged',
  'X_My.Jwt: forged',
  'X-Forwarded-For: 1.2.3.4',
  'Forwarded: for=1.2.3.4',
]

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/trailers (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  test('the trailer section of a request passes', async () => {
    const body = '2\r\nhi\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n'
    const seen = await exchange(await start(), POST + body, ok())
    assert.is(seen.forwarded.body.toString(), body)
  })

  test('the trailer section of a response passes', async () => {
    const body = '2\r\nhi\r\n0\r\nX-Sum: 1\r\nServer-Timing: a;dur=1\r\n\r\n'
    const seen = await exchange(await start(), `GET / HTTP/1.1\r\n${HOST}\r\n`, CHUNKED + body)
    assert.is(seen.response.body.toString(), body)
  })

  for (const line of FORBIDDEN) {
    test(`${line.slice(0, line.indexOf(':'))} in a trailer section is dropped both ways, its neighbours pass`, async () => {
      const body = `0\r\nX-A: 1\r\n${line}\r\nX-B: 2\r\n\r\n`
      const seen = await exchange(await start(), POST + body, CHUNKED + body)
      assert.is(seen.forwarded.body.toString(), '0\r\nX-A: 1\r\nX-B: 2\r\n\r\n')
      assert.is(seen.response.body.toString(), '0\r\nX-A: 1\r\nX-B: 2\r\n\r\n')
    })
  }

  test('a trailer section passes whole at whatever octet it is split', async () => {
    const stand = await start()
    const body = '2\r\nhi\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n'
    const client = await stand.client()
    for (let cut = 1; cut < body.length; cut++) {
      await client.sendSplit(POST + body, POST.length, POST.length + cut)
      const upstream = stand.upstream.wires.at(-1) ?? (await stand.upstream.accept())
      assert.is((await upstream.message()).body.toString(), body)
      await upstream.sendSplit(CHUNKED + body, CHUNKED.length, CHUNKED.length + cut)
      assert.is((await client.message()).body.toString(), body)
    }
  })

  test('a malformed trailer section of a request is refused, and its end does not reach the upstream', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${POST}0\r\nno field\r\n\r\n`)
    assert.match(await client.head(), /^HTTP\/1\.1 400 /)
    const upstream = await stand.upstream.accept()
    const { octets } = await upstream.rest()
    assert.not.match(octets, /no field|0\r\n\r\n$/)
    const [line] = await stand.exchanges(1)
    assert.is(line?.failure, 'ERR_BODY_MALFORMED')
  })

  test('a malformed trailer section of a response cuts it short, and is the fault of the upstream', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(CHUNKED)
    await client.head()
    upstream.send('2\r\nhi\r\n0\r\nno field\r\n\r\n')
    const { octets, ending } = await client.rest()
    assert.is(ending, 'reset')
    assert.not.match(octets, /no field|0\r\n\r\n$/)
    const [line] = await stand.exchanges(1)
    assert.is(line?.side, 'upstream')
  })

  for (const [what, section] of Object.entries({
    'too many octets': `X-Large: ${'x'.repeat(20_000)}\r\n`,
    'too many field lines': 'X-A: 1\r\n'.repeat(101),
  })) {
    test(`a trailer section of ${what} is refused both ways`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`${POST}0\r\n${section}\r\n`)
      assert.match(await client.head(), /^HTTP\/1\.1 4\d\d /)

      const other = await stand.client()
      other.send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
      await stand.upstream.accept()
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send(CHUNKED)
      await other.head()
      upstream.send(`0\r\n${section}\r\n`)
      assert.not.match((await other.rest()).octets, /0\r\n\r\n$/)
    })
  }

  test('a client that speaks HTTP/1.0 gets the data of the chunks, and no trailer section', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send('GET / HTTP/1.0\r\n\r\n')
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(`${CHUNKED}2\r\nhi\r\n3;x\r\n you\r\n`.replace(' you', 'you'))
    upstream.send('0\r\nX-Sum: 1\r\n\r\n')
    const { octets, ending } = await client.rest()
    assert.match(octets, /\r\n\r\nhiyou$/)
    assert.is(ending, 'fin')
  })
  test.run()
}
