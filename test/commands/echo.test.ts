import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runEcho } from '../../src/commands/echo.ts'
import {
  converse,
  Printed,
  RawClient,
  sign,
  splitMessage,
  unsigned,
  verify,
  within,
  withEcho,
  withServer,
} from './support.ts'

const test = suite('commands/echo')

/** A POST on a connection of its own, with the given field lines and body. */
function post(fields: string, body: string | Buffer, target = '/protected'): Buffer {
  const octets = Buffer.from(body)
  const framing = `Content-Length: ${octets.length}\r\nConnection: close\r\n`
  return Buffer.concat([
    Buffer.from(`POST ${target} HTTP/1.1\r\nHost: a\r\n${fields}${framing}\r\n`, 'latin1'),
    octets,
  ])
}

async function report(port: number, octets: string | Buffer) {
  const { head, body } = await converse(port, octets)
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
  assert.match(head, /^content-type: application\/json$/im)
  return JSON.parse(body.toString())
}

test('the report names method, target, version, field lines as received and in order, and the body', () =>
  withEcho(async (port) => {
    const got = await report(
      port,
      post('X-A: 1\r\nx-a: 2\r\nX-Name: \xe4\r\n', '{"a":"\\n\u00e4"}', '/protected?x=1&x=2'),
    )
    assert.is(got.method, 'POST')
    assert.is(got.target, '/protected?x=1&x=2')
    assert.is(got.httpVersion, '1.1')
    const lines = [
      ['Host', 'a'],
      ['X-A', '1'],
      ['x-a', '2'],
      ['X-Name', '\xe4'],
    ]
    assert.equal(got.fields, [...lines, ['Content-Length', '12'], ['Connection', 'close']])
    assert.is(got.body, '{"a":"\\n\u00e4"}')
    assert.is(got.trailers, undefined)
  }))

for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND']) {
  test(`${method} is answered like any other method`, () =>
    withEcho(async (port) => {
      const got = await report(
        port,
        `${method} http://b:1/x HTTP/1.1\r\nHost: b:1\r\nConnection: close\r\n\r\n`,
      )
      assert.equal([got.method, got.target, got.body], [method, 'http://b:1/x', ''])
    }))
}

test('the reply is laid out over lines and ends with one, for a person with curl', () =>
  withEcho(async (port) => {
    const { body } = await converse(port, post('', 'hi'))
    assert.match(body.toString(), /^\{\n {2}"method": "POST",\n {2}"target"/)
    assert.match(body.toString(), /\n {2}"body": "hi"\n\}\n$/)
  }))

test('all but the body is answered before the body has begun, and each piece as it arrives', () =>
  withEcho(async (port) => {
    const client = await RawClient.connect(port)
    client.socket.write(
      'POST /protected HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n',
    )
    await client.untilText('"body": "')
    client.socket.write('3\r\none\r\n')
    await client.untilText('one')
    client.socket.write('3\r\ntwo\r\n')
    await client.untilText('two')
    assert.not(client.received.includes('}\n'))
    client.socket.write('0\r\n\r\n')
    await client.untilEnd()
    assert.ok(client.received.includes('"\n}\n'))
  }))

const TRICKY = Buffer.from('"\\\u0000\u001f\u2028 a\u00e4\u20ac\u{1f600}\ufeffz')
for (let cut = 1; cut < TRICKY.length; cut++) {
  test(`text is the same when the body is split after octet ${cut}`, () =>
    withEcho(async (port) => {
      const client = await RawClient.connect(port)
      client.socket.write(
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${TRICKY.length}\r\nConnection: close\r\n\r\n`,
      )
      await client.untilText('"body": "')
      client.socket.write(TRICKY.subarray(0, cut))
      await client.untilText('\\"') // the first octet, escaped: this piece is through
      client.socket.write(TRICKY.subarray(cut))
      await client.untilEnd()
      assert.is(JSON.parse(splitMessage(client.received).body.toString()).body, TRICKY.toString())
    }))
}

test('octets that are not UTF-8 become U+FFFD, also where the body ends inside a code point', () =>
  withEcho(async (port) => {
    const octets = Buffer.from('61ff62c0afe282', 'hex')
    assert.is((await report(port, post('', octets))).body, octets.toString())
  }))

test('a client that does not read its echo is not read either', () =>
  withEcho(async (port) => {
    const client = await RawClient.connect(port)
    client.socket.write('POST /protected HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    await client.untilText('"body": "')
    const chunk = Buffer.concat([
      Buffer.from('100000\r\n'),
      Buffer.alloc(1_048_576, 'x'),
      Buffer.from('\r\n'),
    ])
    // Kernel buffers take some megabytes, but not 256 MiB: the echo would have to hold them.
    const written = await client.flood(chunk, 256)
    assert.ok(written < 64, `${written} MiB went in while nothing came out`)
    client.socket.destroy()
  }))

test('trailer fields of the request follow the body', () =>
  withEcho(async (port) => {
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'
    const got = await report(port, `${head}2\r\nhi\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n`)
    assert.is(got.body, 'hi')
    assert.equal(got.trailers, [
      ['X-Sum', '1'],
      ['x-sum', '2'],
    ])
  }))

for (const target of ['/protected', '/echo', '/sse', '/health']) {
  test(`HEAD ${target} is answered without a body (RFC 9110 §9.3.2)`, () =>
    withEcho(async (port) => {
      const { head, body } = await converse(
        port,
        `HEAD ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      )
      assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
      assert.is(body.length, 0)
    }))
}

test('Expect: 100-continue is answered before the body is sent (RFC 9110 §10.1.1)', () =>
  withEcho(async (port) => {
    const client = await RawClient.connect(port)
    client.socket.write(
      'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n',
    )
    await client.untilText('HTTP/1.1 100 Continue\r\n\r\n')
    client.socket.write('hi')
    await client.untilEnd()
    assert.ok(client.received.includes('hi'))
  }))

test('an HTTP/1.0 client gets its reply without chunks', () =>
  withEcho(async (port) => {
    const { head, body } = await converse(port, 'POST /x HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi')
    assert.not.match(head, /transfer-encoding/i)
    assert.equal([JSON.parse(body.toString()).httpVersion, JSON.parse(body.toString()).body], ['1.0', 'hi'])
  }))

test('a head of 2500 field lines and 256 KiB is echoed whole', () =>
  withEcho(async (port) => {
    const lines = Array.from({ length: 2500 }, (_, n) => `x-${n}: ${'v'.repeat(96)}\r\n`).join('')
    const got = await report(port, post(lines, ''))
    assert.is(got.fields.length, 2503)
  }))

test('/echo returns 1 MiB of random octets unchanged, with its Content-Type, chunked or by length', () =>
  withEcho(async (port) => {
    const payload = randomBytes(1_048_576)
    for (const framing of [{ 'content-length': payload.length }, { 'transfer-encoding': 'chunked' }]) {
      const headers = { 'content-type': 'image/x-noise', ...framing }
      const asking = request({ port, method: 'POST', path: '/echo?again', agent: false, headers })
      asking.end(payload)
      const [response] = await within(once(asking, 'response'), 'the response')
      const pieces: Buffer[] = []
      for await (const piece of response) pieces.push(piece)
      assert.is(response.statusCode, 200)
      assert.is(response.headers['content-type'], 'image/x-noise')
      assert.ok(Buffer.concat(pieces).equals(payload))
    }
  }))

test('/echo says that encoded octets are encoded', () =>
  withEcho(async (port) => {
    const { head, body } = await converse(port, post('Content-Encoding: gzip\r\n', 'zip', '/echo'))
    assert.match(head, /^content-encoding: gzip$/im)
    assert.is(body.toString(), 'zip')
  }))

test('/sse sends five events, one after the other', () =>
  withEcho(async (port) => {
    const client = await RawClient.connect(port)
    client.socket.write('GET /sse HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await client.untilText('content-type: text/event-stream')
    await client.untilText('id: 1\n')
    assert.not(client.received.includes('id: 5\n'))
    await client.untilEnd()
    assert.is(client.received.toString().match(/event: tick\n/g)?.length, 5)
  }))

test('/health answers 200', () =>
  withEcho(async (port) => {
    assert.is(
      (await converse(port, 'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).body.toString(),
      'ok\n',
    )
  }))

test('a genuine token is verified and its claims are shown, whatever the case of the field name', () =>
  withEcho(async (port, _echo, log) => {
    const { token } = await report(port, post(`X-My-JWT: ${await sign()}\r\n`, ''))
    assert.equal([token.present, token.verified, token.reason], [true, true, undefined])
    assert.equal(token.claims.payload, { user: 'username', date: '2026-01-02' })
    assert.equal(log, ['POST /protected 200 token verified'])
  }))

const BAD_TOKENS: [what: string, fields: () => Promise<string>, reason: RegExp][] = [
  ['a forged token', async () => `x-my-jwt: ${await sign(randomBytes(64))}\r\n`, /signature/],
  ['a token with alg none (RFC 8725 §3.1)', async () => `x-my-jwt: ${unsigned()}\r\n`, /./],
  ['a token cut short', async () => `x-my-jwt: ${(await sign()).slice(0, -2)}\r\n`, /./],
  ['text that is no token', async () => 'x-my-jwt: Bearer x\r\n', /./],
  ['an empty field', async () => 'x-my-jwt: \r\n', /./],
  ['two genuine tokens', async () => `x-my-jwt: ${await sign()}\r\n`.repeat(2), /there are 2/],
]
for (const [what, fields, reason] of BAD_TOKENS) {
  test(`${what} is present but not verified`, () =>
    withEcho(async (port, _echo, log) => {
      const { token } = await report(port, post(await fields(), ''))
      assert.equal([token.present, token.verified, token.claims], [true, false, undefined])
      assert.match(token.reason, reason)
      assert.match(log[0]!, /^POST \/protected 200 token refused: /)
    }))
}

test('without a token the report says that it is not there', () =>
  withEcho(async (port) => {
    const { token } = await report(port, post('', ''))
    assert.equal(token, { present: false, verified: false, reason: 'there is no x-my-jwt field' })
  }))

for (const target of ['/protected', '/echo', '/sse', '/health']) {
  test(`a client that goes away in the middle of ${target} harms nobody else`, () =>
    withEcho(async (port) => {
      for (const abort of ['destroy', 'resetAndDestroy'] as const) {
        const client = await RawClient.connect(port)
        client.socket.write(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc`)
        await client.untilText('HTTP/1.1 200')
        client.socket[abort]()
      }
      assert.is((await report(port, post('', 'still here'))).body, 'still here')
    }))
}

for (const octets of [
  '\x16\x03\x01\x02',
  'GET\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz',
]) {
  test(`octets that are not HTTP harm nobody else: ${JSON.stringify(octets)}`, () =>
    withEcho(async (port) => {
      await converse(port, octets)
      assert.is((await report(port, post('', 'still here'))).body, 'still here')
    }))
}

test('a connection carries one exchange after the other', () =>
  withEcho(async (port) => {
    const client = await RawClient.connect(port)
    client.socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none')
    await client.untilText('one')
    client.socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo')
    await client.untilText('two')
    assert.match(client.received.toString(), /keep-alive: timeout=65/i)
  }))

test('close lets a running exchange finish within its grace, and then ends idle connections', () =>
  withEcho(async (port, echo) => {
    const client = await RawClient.connect(port)
    client.socket.write('POST /protected HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\no')
    await client.untilText('"body": "')
    const closed = echo.close(60_000)
    client.socket.write('ne')
    await within(closed, 'close')
    await client.untilEnd()
    assert.ok(client.received.includes('"\n}\n'))
  }))

test('close cuts off what has not finished within its grace', () =>
  withEcho(async (port, echo) => {
    const client = await RawClient.connect(port)
    client.socket.write('POST /protected HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\no')
    await client.untilText('"body": "')
    await within(echo.close(20), 'close')
    await client.untilEnd()
  }))

/** Runs the command with collected output and its own source of signals. */
function run(argv: string[]) {
  const stdout = new Printed()
  const stderr = new Printed()
  const signals = new EventEmitter()
  const exitCode = runEcho(argv, { verify, jwtHeader: 'x-my-jwt', stdout, stderr, signals })
  return { stdout, stderr, signals, exitCode }
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`signet echo says where it listens, logs each request and ends with 0 on ${signal}`, async () => {
    const { stdout, signals, exitCode } = run(['--port', '0'])
    await stdout.until('\n')
    const port = Number(/^signet echo listens on http:\/\/127\.0\.0\.1:(\d+)\n$/.exec(stdout.text)?.[1])
    assert.is((await report(port, post('', 'hi'))).body, 'hi')
    signals.emit(signal)
    assert.is(await within(exitCode, 'the exit code'), 0)
    assert.match(stdout.text, /\nPOST \/protected 200 token missing/)
    assert.is(signals.listenerCount('SIGTERM') + signals.listenerCount('SIGINT'), 0)
  })
}

test('signet echo says in one line that its port is in use, and ends with 1', () =>
  withServer(createServer(), async (port) => {
    const { stderr, exitCode } = run(['--port', String(port)])
    assert.is(await within(exitCode, 'the exit code'), 1)
    assert.is(
      stderr.text,
      `signet echo: cannot listen on 127.0.0.1 port ${port}: the port is in use already\n`,
    )
  }))

for (const argv of [
  ['--port', '65536'],
  ['--port', 'x'],
  ['--port', '-1'],
  ['--nope'],
  ['extra'],
  ['--port'],
]) {
  test(`signet echo ${argv.join(' ')} is wrong usage: 2, and the usage on stderr`, async () => {
    const { stdout, stderr, exitCode } = run(argv)
    assert.is(await within(exitCode, 'the exit code'), 2)
    assert.match(stderr.text, /^signet echo: .+\n\nUsage: signet echo/s)
    assert.is(stdout.text, '')
  })
}

test('signet echo --help prints the usage and ends with 0', async () => {
  const { stdout, exitCode } = run(['--help'])
  assert.is(await within(exitCode, 'the exit code'), 0)
  assert.match(stdout.text, /^Usage: signet echo/)
})

test.run()
