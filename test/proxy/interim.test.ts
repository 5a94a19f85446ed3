// Interim responses and Expect: 100-continue (RFC 9110 §15.2, §10.1.1).

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { READ_PATHS } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { ok } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`
const EXPECTING = `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/interim (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  test('Expect: 100-continue reaches the upstream, whose 100 comes back before the body is sent', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(EXPECTING)
    const upstream = await stand.upstream.accept()
    assert.match(await upstream.head(), /\r\nExpect: 100-continue\r\n/)
    await client.silent(30) // signet does not say so by itself
    upstream.send(CONTINUE)
    assert.is(await client.head(), CONTINUE)
    client.send('hello')
    assert.is((await upstream.take(5)).toString(), 'hello')
    upstream.send(ok('done'))
    assert.is((await client.message()).body.toString(), 'done')
  })

  test('a final answer in place of 100 is relayed, and a body that the client sends all the same is dropped', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(EXPECTING)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n')
    assert.match((await client.message()).head, /^HTTP\/1\.1 417 /)
    assert.is((await upstream.rest()).octets, '')
    client.send(`hello${GET}`)
    assert.match(await (await stand.upstream.accept()).head(), /^GET /)
  })

  test('a client that gives up its body after a final answer in place of 100 ends both connections', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(EXPECTING)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n')
    await client.message()
    client.end()
    await upstream.rest()
    await client.rest()
  })

  test('a client that does not wait for 100 has its body relayed at once', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`${EXPECTING}hello`)
    const upstream = await stand.upstream.accept()
    assert.is((await upstream.message()).body.toString(), 'hello')
    upstream.send(CONTINUE + ok('done'))
    assert.is(await client.head(), CONTINUE)
    assert.is((await client.message()).body.toString(), 'done')
  })

  test('several interim responses are relayed in order, each as it comes, and the final one behind them', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    for (const link of ['a', 'b', 'c']) {
      const hints = `HTTP/1.1 103 Early Hints\r\nLink: </${link}>; rel=preload\r\n\r\n`
      upstream.send(hints)
      assert.is(await client.head(), hints)
    }
    upstream.send('HTTP/1.1 102 Processing\r\n\r\n')
    assert.is(await client.head(), 'HTTP/1.1 102 Processing\r\n\r\n')
    upstream.send(ok('final'))
    assert.is((await client.message()).body.toString(), 'final')
  })

  test('interim and final responses in one piece come apart as they should, at whatever octet they are split', async () => {
    const stand = await start()
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'
    const all = `${CONTINUE}${hints}${ok('final', 'Date: x\r\n')}`
    const client = await stand.client()
    for (let cut = 1; cut < all.length; cut += 3) {
      client.send(GET)
      const upstream = stand.upstream.wires.at(-1) ?? (await stand.upstream.accept())
      await upstream.head()
      await upstream.sendSplit(all, cut)
      assert.is((await client.take(all.length)).toString(), all)
    }
  })

  test('a final response behind an interim one is framed by its own head', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET + GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n')
    assert.not.match(await client.head(), /content-length/i)
    assert.match(await client.head(), /^HTTP\/1\.1 204 /)
    await upstream.head()
    upstream.send(ok('second'))
    assert.is((await client.message()).body.toString(), 'second')
  })

  test('no interim response goes to a client that speaks HTTP/1.0', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send('GET / HTTP/1.0\r\n\r\n')
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(`HTTP/1.1 103 Early Hints\r\n\r\n${ok('final')}`)
    const { octets } = await client.rest()
    assert.match(octets, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nfinal$/)
  })

  test('a flood of interim responses is not relayed without end: 502', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    for (let n = 0; n < 100; n++) upstream.send('HTTP/1.1 103 Early Hints\r\n\r\n')
    await client.until('HTTP/1.1 502 ')
    await upstream.rest()
    const [line] = await stand.exchanges(1)
    assert.is(line?.failure, 'ERR_RESPONSE_MALFORMED')
  })

  test('an upstream that closes after an interim response has not answered: 502, and no second try', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(ok())
    await client.message()
    client.send(GET)
    await upstream.head()
    upstream.send('HTTP/1.1 103 Early Hints\r\n\r\n').end()
    await client.head()
    assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
    assert.is(stand.upstream.wires.length, 1)
  })
  test.run()
}
