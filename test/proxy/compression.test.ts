// Responses that are compressed on their way to the client: which, how their heads say so, and that what comes out at the
// other end is what went in, as soon as it went in, however it was cut, and never more than there was.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Encoding } from '../../src/http/gateway.ts'
import { compressing, contentOf, Decoding, ENCODINGS_HERE, prose, unchunked } from '../support/compressed.ts'
import { Check, chunked, ENDLESS, fill, KIB, later, MIB, MOST_UNDER_WAY, Pattern } from '../support/flow.ts'
import { valuesOf } from '../support/heads.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { eventually, type Wire } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const TEXT = prose(4000)
const TYPE = 'Content-Type: text/plain\r\n'

function get(accepted = 'gzip', more = '', method = 'GET', minor = 1): string {
  return `${method} / HTTP/1.${minor}\r\n${HOST}Accept-Encoding: ${accepted}\r\n${more}\r\n`
}

/** A whole response. */
function answer(body: Buffer | string, fields: string, status = '200 OK'): Buffer {
  const octets = Buffer.from(body)
  const head = `HTTP/1.1 ${status}\r\nDate: D\r\n${fields}Content-Length: ${octets.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), octets])
}

function nothingLeft({ proxy }: Stand): Promise<void> {
  return eventually(() => {
    const { downstream, upstream, deadlines, compressors } = proxy.open()
    return downstream + upstream + deadlines + compressors === 0
  }, 'nothing to be open')
}

const SIZES = [1024, 4 * KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300 * KIB, 3 * MIB]

/** How an upstream frames a body. */
const FRAMINGS: Record<string, (body: Buffer) => { fields: string; octets: Buffer; ends?: true }> = {
  'Content-Length': (body) => ({ fields: `Content-Length: ${body.length}\r\n`, octets: body }),
  chunks: (body) => ({
    fields: 'Transfer-Encoding: chunked\r\n',
    octets: chunked(
      { slice: (at, length) => body.subarray(at, at + length) },
      body.length,
      [1, 4093, 70_001, 7],
    ),
  }),
  'the end of the connection': (body) => ({ fields: '', octets: body, ends: true }),
}

/** Why a response goes as it came: what is asked for, what is answered, and whether caches must be told. */
const AS_IT_IS: readonly [
  why: string,
  request: string,
  fields: string,
  varies: boolean,
  size?: number,
  status?: string,
][] = [
  ['the client accepts no coding', get('identity'), TYPE, true],
  ['the client says nothing of codings', `GET / HTTP/1.1\r\n${HOST}\r\n`, TYPE, true],
  ['the client accepts none that signet has', get('deflate, compress'), TYPE, true],
  ['the client would rather have it as it is', get('gzip;q=0.5, identity;q=0.8'), TYPE, true],
  ['the client refuses all codings', get('gzip;q=0, br;q=0, zstd;q=0'), TYPE, true],
  ['the client speaks HTTP/1.0', get('gzip', '', 'GET', 0), TYPE, true],
  ['the client wants nothing transformed', get('gzip', 'Cache-Control: no-transform\r\n'), TYPE, true],
  ['it is encoded', get(), `${TYPE}Content-Encoding: br\r\n`, false],
  ['it must not be transformed', get(), `${TYPE}Cache-Control: max-age=1, No-Transform\r\n`, false],
  ['it is smaller than minSize', get(), TYPE, false, 1023],
  ['it is empty', get(), TYPE, false, 0],
  ['it is a part', get(), `${TYPE}Content-Range: bytes 0-3999/9000\r\n`, false, 4000, '206 Partial Content'],
  ['it says of which range it is', get(), `${TYPE}Content-Range: bytes */9000\r\n`, false, 4000, '416 No'],
  ['it is a stream of events', get(), 'Content-Type: Text/Event-Stream; charset=utf-8\r\n', false],
  ['it is an image', get(), 'Content-Type: image/png\r\n', false],
  ['it does not say what it is', get(), '', false],
  ['it is 205', get(), TYPE, false, 4000, '205 Reset Content'],
]

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/compression (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath, SIGNET_HALF_CLOSE_TIMEOUT: '50' })

  // ── which, and how their heads say so ─────────────────────────────────────────────────────────────────────────

  test('the head of a compressed response: coding, Vary, weak ETag, chunks, and nothing that is no longer true', async () => {
    const stand = await start({}, compressing())
    const stale =
      'Accept-Ranges: bytes\r\nContent-MD5: x\r\nDigest: x\r\nContent-Digest: x\r\nRepr-Digest: x\r\n'
    const fields = `${TYPE}Vary: Origin\r\nETag: "v1"\r\nX-A: 1\r\nVary: Cookie\r\n${stale}`
    const { response } = await exchange(stand, get(), answer(TEXT, fields))
    assert.is(
      response.head,
      `HTTP/1.1 200 OK\r\nDate: D\r\n${TYPE}X-A: 1\r\nTransfer-Encoding: chunked\r\n` +
        'Vary: Origin, Cookie, Accept-Encoding\r\nETag: W/"v1"\r\nContent-Encoding: gzip\r\n\r\n',
    )
    assert.equal(contentOf(response), TEXT)
    assert.ok(response.body.length < TEXT.length / 2, `${response.body.length}`)
  })

  for (const [why, request, fields, varies, size = 4000, status = '200 OK'] of AS_IT_IS) {
    test(`a response goes as it came when ${why}`, async () => {
      const stand = await start({}, compressing())
      const body = prose(size)
      const sent = answer(body, `${fields}ETag: "v1"\r\n`, status)
      const { response } = await exchange(stand, request, sent)
      const head = sent.toString('latin1', 0, sent.indexOf('\r\n\r\n') + 2)
      const close = request.includes('HTTP/1.0') ? 'Connection: close\r\n' : ''
      assert.is(response.head, `${head}${close}${varies ? 'Vary: Accept-Encoding\r\n' : ''}\r\n`)
      assert.equal(response.body, body)
    })
  }

  test('a route that says nothing about compression leaves everything as it is', async () => {
    const stand = await start()
    const { response } = await exchange(stand, get(), answer(TEXT, TYPE))
    assert.not.match(response.head, /vary|encoding/i)
    assert.equal(response.body, TEXT)
  })

  test('Vary that names Accept-Encoding or * already stays as it is', async () => {
    for (const vary of ['*', 'accept-encoding', 'Origin, Accept-Encoding']) {
      const stand = await start({}, compressing())
      const { response } = await exchange(stand, get(), answer(TEXT, `${TYPE}Vary: ${vary}\r\n`))
      assert.equal(valuesOf(response.head, 'vary'), [vary])
      assert.equal(contentOf(response), TEXT)
    }
  })

  test('HEAD is answered as GET would be, without a body', async () => {
    const cases = [
      [get('gzip'), answer(TEXT, `${TYPE}ETag: "v1"\r\nVary: Origin\r\n`)],
      [get('identity'), answer(TEXT, `${TYPE}ETag: "v1"\r\n`)],
      ...AS_IT_IS.map(([, request, fields, , size = 4000, status]) => {
        return [request, answer(prose(size), fields, status)] as const
      }),
    ] as const
    for (const [request, sent] of cases) {
      const heads = await Promise.all(
        ['GET', 'HEAD'].map(async (method) => {
          const stand = await start({}, compressing())
          const client = await stand.client()
          client.send(request.replace('GET', method))
          const upstream = await stand.upstream.accept()
          await upstream.head()
          upstream.send(method === 'GET' ? sent : sent.subarray(0, sent.indexOf('\r\n\r\n') + 4))
          const head = await client.head()
          if (method === 'HEAD') await client.silent(20)
          return head.replace('Transfer-Encoding: chunked\r\n', '')
        }),
      )
      assert.is(heads[1], heads[0])
    }
  })

  test('HEAD without a length is answered as GET with chunks would be', async () => {
    const stand = await start({}, compressing())
    const client = await stand.client()
    client.send(get('gzip', '', 'HEAD'))
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(`HTTP/1.1 200 OK\r\nDate: D\r\n${TYPE}\r\n`)
    assert.is(
      await client.head(),
      `HTTP/1.1 200 OK\r\nDate: D\r\n${TYPE}Vary: Accept-Encoding\r\nContent-Encoding: gzip\r\n\r\n`,
    )
  })

  for (const [known, tag] of [
    ['W/"v1"', 'W/"v1"'],
    ['"v0", W/"v1"', 'W/"v1"'],
    ['"v1"', '"v1"'],
    ['W/"v1", "v1"', '"v1"'],
    ['*', '"v1"'],
  ]) {
    test(`304 to a client that has ${known} says ${tag}: the one it has`, async () => {
      const stand = await start({}, compressing())
      const sent = 'HTTP/1.1 304 Not Modified\r\nDate: D\r\nETag: "v1"\r\n\r\n'
      const { response } = await exchange(stand, get('gzip', `If-None-Match: ${known}\r\n`), sent)
      assert.equal(valuesOf(response.head, 'etag'), [tag])
      assert.equal(valuesOf(response.head, 'vary'), ['Accept-Encoding'])
      assert.not.match(response.head, 'Content-Encoding')
    })
  }

  test('past SIGNET_MAX_COMPRESSIONS at a time responses go as they are, and are compressed again after that', async () => {
    const stand = await start({ SIGNET_MAX_COMPRESSIONS: '1' }, compressing())
    const first = await stand.client()
    first.send(get())
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(answer(TEXT, TYPE).subarray(0, -1))
    assert.match(await first.head(), 'Content-Encoding: gzip')
    assert.is(stand.proxy.open().compressors, 1)

    const { response } = await exchange(stand, get(), answer(TEXT, `${TYPE}ETag: "v1"\r\n`))
    assert.equal(response.body, TEXT)
    assert.equal(valuesOf(response.head, 'etag'), ['"v1"'])
    assert.equal(valuesOf(response.head, 'vary'), ['Accept-Encoding'])

    upstream.send(TEXT.subarray(-1))
    await first.until('\r\n0\r\n\r\n')
    await eventually(() => stand.proxy.open().compressors === 0, 'the compressor to be free')
    const third = await stand.client()
    third.send(get())
    const reused = await Promise.any(stand.upstream.wires.map((wire) => wire.head().then(() => wire)))
    reused.send(answer(TEXT, TYPE))
    assert.equal(contentOf(await third.message()), TEXT)
  })

  test('a reload turns compression on and off for what begins after it', async () => {
    const stand = await start()
    const config = (compress: boolean) => ({
      ...stand.changeable,
      gateway: { ...stand.changeable.gateway, ...(compress && compressing()) },
    })
    for (const compress of [false, true, false]) {
      stand.proxy.reload(config(compress))
      const client = await stand.client()
      client.send(get())
      const upstream = stand.upstream.wires[0] ?? (await stand.upstream.accept())
      await upstream.head()
      upstream.send(answer(TEXT, TYPE))
      const response = await client.message()
      assert.is(response.head.includes('Content-Encoding: gzip'), compress)
      assert.equal(compress ? contentOf(response) : response.body, TEXT)
    }
  })

  // ── every octet, however it was cut ───────────────────────────────────────────────────────────────────────────

  for (const encoding of ENCODINGS_HERE) {
    for (const [framing, frame] of Object.entries(FRAMINGS)) {
      test(`${encoding}: bodies of every size that are framed by ${framing} come out as they went in`, async () => {
        const stand = await start({}, compressing())
        for (const size of SIZES) {
          const body = prose(size)
          const { fields, octets, ends } = frame(body)
          const client = await stand.client()
          client.send(get(encoding))
          const upstream = await Promise.any(
            stand.upstream.wires.map((wire) => wire.head().then(() => wire)),
          ).catch(() => stand.upstream.accept().then((wire) => wire.head().then(() => wire)))
          upstream.send(`HTTP/1.1 200 OK\r\n${TYPE}${fields}\r\n`).send(octets)
          if (ends) upstream.end()
          const response = await client.message()
          assert.match(response.head, `Content-Encoding: ${encoding}\r\n`)
          assert.ok(contentOf(response).equals(body), `${size} octets`)
          client.destroy()
          for (const wire of stand.upstream.wires.splice(0)) wire.destroy()
          await nothingLeft(stand)
        }
      })
    }
  }

  test('a chunked response with trailers comes out whole wherever it is cut', async () => {
    const stand = await start({}, compressing({ minSize: 1 }))
    const sent = `HTTP/1.1 200 OK\r\n${TYPE}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nX-T: 1\r\n\r\n`
    const client = await stand.client()
    let upstream: Wire | undefined
    for (let cut = 1; cut < sent.length; cut++) {
      client.send(get())
      upstream ??= await stand.upstream.accept()
      await upstream.head()
      await upstream.sendSplit(sent, cut)
      const response = await client.message()
      assert.is(contentOf(response).toString(), 'hello, world', `cut at ${cut}`)
      assert.is(unchunked(response.body).trailers, 'X-T: 1\r\n')
    }
    assert.is(stand.upstream.wires.length, 1)
  })

  test('trailers reach the client, but for what was true only of the content before it was compressed', async () => {
    const stand = await start({}, compressing({ minSize: 1 }))
    const trailers =
      'X-T: 1\r\nContent-Digest: x\r\nrepr-digest: x\r\nDigest: x\r\nETag: "v1"\r\nX-N: 1\r\nX-U: 2\r\n'
    const sent =
      `HTTP/1.1 200 OK\r\n${TYPE}Connection: x-n\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `5\r\nhello\r\n0\r\n${trailers}\r\n`
    const { response } = await exchange(stand, get(), sent)
    assert.is(contentOf(response).toString(), 'hello')
    assert.is(unchunked(response.body).trailers, 'X-T: 1\r\nX-U: 2\r\n')
  })

  test('requests that are pipelined are answered in order, compressed or not', async () => {
    const stand = await start({}, compressing())
    stand.upstream.serve(({ head }) => answer(prose(2000 + head.indexOf(' HTTP')), TYPE))
    const client = await stand.client()
    const asked = ['gzip', 'identity', 'br', 'gzip', 'identity']
    client.send(asked.map((accepted) => get(accepted)).join(''))
    for (const accepted of asked) {
      const response = await client.message()
      const content = accepted === 'identity' ? response.body : contentOf(response)
      assert.ok(content.equals(prose(2005)), accepted)
    }
  })

  test('a response that is complete before its request is comes out whole', async () => {
    const stand = await start({}, compressing())
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Accept-Encoding: gzip\r\nContent-Length: 10\r\n\r\n01234`)
    const upstream = await stand.upstream.accept()
    await upstream.until('01234')
    upstream.send(answer(TEXT, TYPE))
    assert.equal(contentOf(await client.message()), TEXT)
    client.send('56789')
    const next = await exchange(stand, get(), answer(TEXT, TYPE))
    assert.equal(contentOf(next.response), TEXT)
  })

  // ── as soon as it was sent, and no faster than it is taken ────────────────────────────────────────────────────

  for (const encoding of ENCODINGS_HERE) {
    test(`${encoding}: what an upstream says bit by bit reaches the client bit by bit`, async () => {
      const stand = await start({}, compressing())
      const client = await stand.client()
      client.send(get(encoding))
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send(`HTTP/1.1 200 OK\r\n${TYPE}Transfer-Encoding: chunked\r\n\r\n`)
      assert.match(await client.head(), `Content-Encoding: ${encoding}`)
      const decoding = new Decoding(encoding)
      client.divert(decoding.take)
      let expected = ''
      for (let n = 0; n < 20; n++) {
        const line = `${n} `.repeat(1 + n * n)
        expected += line
        upstream.send(`${line.length.toString(16)}\r\n${line}\r\n`)
        // Nothing more is sent before all of it has come out: whatever was held back would be waited for in vain.
        await decoding.reached(expected.length)
        assert.is(decoding.text, expected)
      }
      decoding.destroy()
    })

    test(`${encoding}: a client that does not read stops the upstream, and gets every octet once it does`, async () => {
      const stand = await start({}, compressing())
      const body = new Pattern(`compressed ${encoding}`) // of which compression takes nothing away
      const client = await stand.client()
      client.send(get(encoding))
      const upstream = await stand.upstream.accept()
      await upstream.head()
      client.socket.pause()
      upstream.send(`HTTP/1.1 200 OK\r\n${TYPE}\r\n`)
      const accepted = await fill(upstream, body, ENDLESS, 300)
      assert.ok(accepted < MOST_UNDER_WAY, `${accepted} octets were taken`)
      upstream.end()
      const check = new Check(body)
      const decoding = new Decoding(encoding, check.take)
      client.socket.resume()
      await client.head()
      client.divert(decoding.take)
      await decoding.reached(accepted, 20_000)
      assert.equal([check.received, check.wrong], [accepted, undefined])
      decoding.destroy()
    })
  }

  test('a client that takes nothing for SIGNET_SEND_TIMEOUT is cut off, and nothing is left of it', async () => {
    const stand = await start({ SIGNET_SEND_TIMEOUT: '200' }, compressing())
    const client = await stand.client()
    client.send(get())
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.socket.pause()
    upstream.send(`HTTP/1.1 200 OK\r\n${TYPE}\r\n`)
    await fill(upstream, new Pattern('stalled'), ENDLESS, 100)
    await upstream.rest()
    await nothingLeft(stand)
    const [line] = await stand.exchanges(1)
    assert.is(line?.failure, 'ERR_CLIENT_STALLED')
  })

  // ── cut short ─────────────────────────────────────────────────────────────────────────────────────────────────

  const TRUNCATIONS: Record<string, (upstream: Wire) => void> = {
    'closes before the length is reached': (upstream) => upstream.send(prose(3000)).end(),
    'resets the connection': (upstream) => {
      upstream.send(prose(3000))
      setTimeout(() => upstream.reset(), 20)
    },
    'stalls for SIGNET_STREAM_TIMEOUT': (upstream) => void upstream.send(prose(3000)),
  }
  for (const [how, truncate] of Object.entries(TRUNCATIONS)) {
    test(`a response whose upstream ${how} is cut by RST: it never looks whole`, async () => {
      const stand = await start({ SIGNET_STREAM_TIMEOUT: '200' }, compressing())
      const client = await stand.client()
      client.send(get())
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send(`HTTP/1.1 200 OK\r\n${TYPE}Content-Length: 4000\r\n\r\n`)
      await client.head()
      truncate(upstream)
      const { octets, ending } = await client.rest()
      assert.is(ending, 'reset')
      assert.not.ok(octets.endsWith('0\r\n\r\n'))
      await nothingLeft(stand)
      const [line] = await stand.exchanges(1)
      assert.match(String(line?.failure), /^ERR_RESPONSE_(CUT_SHORT|STALLED)$/)
    })
  }

  test('a response whose chunks are broken is cut by RST', async () => {
    const stand = await start({}, compressing())
    const client = await stand.client()
    client.send(get())
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(`HTTP/1.1 200 OK\r\n${TYPE}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`)
    await client.head()
    upstream.send('x\r\n')
    assert.is((await client.rest()).ending, 'reset')
    await nothingLeft(stand)
  })

  test('a response that is broken in the read that brought it is a 502, as if it were not compressed', async () => {
    const stand = await start({}, compressing())
    const sent = `HTTP/1.1 200 OK\r\n${TYPE}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n`
    const { response } = await exchange(stand, get(), sent)
    assert.match(response.head, /^HTTP\/1\.1 502 /)
    assert.not.match(response.head, 'Content-Encoding')
    assert.is(stand.proxy.open().compressors, 0)
  })

  const DEPARTURES: Record<string, (client: Wire) => void> = {
    RST: (client) => client.reset(),
    'closing its socket': (client) => client.destroy(),
  }
  for (const [departure, leave] of Object.entries(DEPARTURES)) {
    for (const moment of ['is compressed', 'waits for its client']) {
      test(`a client that leaves by ${departure} while its response ${moment} ends it, and nothing is left`, async () => {
        const stand = await start({}, compressing())
        const client = await stand.client()
        client.send(get('br'))
        const upstream = await stand.upstream.accept()
        await upstream.head()
        upstream.send(`HTTP/1.1 200 OK\r\n${TYPE}\r\n`)
        await client.head()
        if (moment === 'is compressed') upstream.send(prose(MIB))
        else {
          client.socket.pause()
          await fill(upstream, new Pattern('left'), ENDLESS, 100)
        }
        assert.is(stand.proxy.open().compressors, 1)
        leave(client)
        await upstream.rest()
        await nothingLeft(stand)
      })
    }
  }

  test('a shutdown cuts what is still compressed after the drain deadline', async () => {
    const stand = await start({}, compressing())
    const client = await stand.client()
    client.send(get())
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(`HTTP/1.1 200 OK\r\n${TYPE}\r\n`).send(TEXT)
    await client.head()
    await later(20)
    await stand.proxy.close()
    assert.is((await client.rest()).ending, 'reset')
    assert.is(stand.proxy.open().compressors, 0)
  })
  test.run()
}

const limits = suite('proxy/compression: codings')
const start = standsOf(limits)

for (const [accepted, encodings, expected] of [
  ['gzip, deflate, br, zstd', ['br', 'zstd', 'gzip'], 'br'],
  ['gzip, deflate, br, zstd', ['gzip', 'br'], 'gzip'],
  ['*', ['br', 'gzip'], 'br'],
  ['br;q=0, *', ['br', 'gzip'], 'gzip'],
] as [string, Encoding[], Encoding][]) {
  limits(`of ${accepted} a route with ${encodings} takes ${expected}`, async () => {
    const stand = await start({}, compressing({ encodings }))
    const { response } = await exchange(stand, get(accepted), answer(TEXT, TYPE))
    assert.equal(valuesOf(response.head, 'content-encoding'), [expected])
    assert.equal(contentOf(response), TEXT)
  })
}

limits('what types names is compressed, and nothing else', async () => {
  for (const [type, compressed] of [
    ['image/png', true],
    ['application/x-own', true],
    ['text/plain', false],
    ['text/event-stream', false],
  ] as const) {
    const stand = await start(
      {},
      compressing({ types: ['image/*', 'application/x-own', 'text/event-stream'] }),
    )
    const { response } = await exchange(stand, get(), answer(TEXT, `Content-Type: ${type};a=b\r\n`))
    assert.is(response.head.includes('Content-Encoding'), compressed, type)
  }
})
limits.run()
