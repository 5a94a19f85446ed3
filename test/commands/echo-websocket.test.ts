import { createHash, randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Frame, MAX_PAYLOAD, readFrame, writeFrame } from '../../src/commands/echo-websocket.ts'
import { converse, RawClient, sign, withEcho } from './support.ts'
import { eventually } from '../support/wire.ts'

const test = suite('commands/echo-websocket')

const TEXT = 0x1
const BINARY = 0x2
const CLOSE = 0x8
const PING = 0x9
const PONG = 0xa

/** A frame as a client sends it: masked (RFC 6455 §5.3). */
function masked({
  final = true,
  opcode,
  payload,
}: {
  final?: boolean
  opcode: number
  payload: Buffer | string
}) {
  const octets = Buffer.from(payload)
  const plain = writeFrame({ final, opcode, payload: octets })
  const head = plain.subarray(0, plain.length - octets.length)
  head[1]! |= 0x80
  const mask = randomBytes(4)
  return Buffer.concat([head, mask, octets.map((octet, at) => octet ^ mask[at & 3]!)])
}

function frame(opcode: number, payload: Buffer | string, final = true): Frame {
  return { final, opcode, payload: Buffer.from(payload) }
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const FIELDS = `Host: a\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`
const HANDSHAKE = `GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n${FIELDS}`

/** A client that has shaken hands; `received` holds frames alone. */
async function shakeHands(port: number, fields = ''): Promise<{ client: RawClient; head: string }> {
  const client = await RawClient.connect(port)
  client.socket.write(`${HANDSHAKE}${fields}\r\n`)
  const head = (await client.untilText('\r\n\r\n')).toString('latin1')
  client.received = Buffer.alloc(0)
  return { client, head }
}

/** Waits for exactly the frames given. */
async function expectFrames(client: RawClient, ...frames: Frame[]): Promise<void> {
  const expected = Buffer.concat(frames.map(writeFrame))
  const received = await client.until(
    ({ length }) => length >= expected.length,
    `${expected.length} octets of frames`,
  )
  assert.ok(received.equals(expected), `${received.toString('hex').slice(0, 80)} are the frames expected`)
}

test('the handshake is answered with the accept value of the example in RFC 6455 §1.3', () =>
  withEcho(async (port) => {
    const { client, head } = await shakeHands(port)
    assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
    assert.match(head, /^Upgrade: websocket$/im)
    assert.match(head, /^Connection: Upgrade$/im)
    assert.match(head, /^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=$/im)
    assert.not.match(head, /extensions|protocol:/i)
    client.socket.destroy()
  }))

test('the first subprotocol offered is selected (RFC 6455 §4.2.2)', () =>
  withEcho(async (port) => {
    const { client, head } = await shakeHands(port, 'Sec-WebSocket-Protocol: chat, superchat\r\n')
    assert.match(head, /^Sec-WebSocket-Protocol: chat$/m)
    client.socket.destroy()
  }))

test('the token of the upgrade request is judged in the log', () =>
  withEcho(async (port, _echo, log) => {
    const { client } = await shakeHands(port, `x-my-jwt: ${await sign()}\r\n`)
    client.socket.write(masked({ opcode: TEXT, payload: 'x' }))
    await expectFrames(client, frame(TEXT, 'x'))
    await eventually(() => log.length > 0, 'the log line, which waits for the signature to be checked')
    assert.equal(log, ['GET /chat 101 token verified'])
    client.socket.destroy()
  }))

const REFUSED: [what: string, octets: string, status: RegExp][] = [
  [
    'another version',
    HANDSHAKE.replace('Version: 13', 'Version: 8'),
    /^HTTP\/1\.1 426 .*Sec-WebSocket-Version: 13\r\n/s,
  ],
  ['a key that is not 16 octets', HANDSHAKE.replace(KEY, 'dGhlIHNhbXBsZQ=='), /^HTTP\/1\.1 400 /],
  ['another method', HANDSHAKE.replace('GET', 'POST'), /^HTTP\/1\.1 400 /],
]
for (const [what, octets, status] of REFUSED) {
  test(`a handshake with ${what} is refused (RFC 6455 §4.2.1)`, () =>
    withEcho(async (port) => {
      assert.match(`${(await converse(port, `${octets}\r\n`)).head}\r\n`, status)
    }))
}

test('an upgrade to anything else is ignored, or refused where node:http does not let us ignore it', () =>
  withEcho(async (port) => {
    const octets = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n'
    assert.match((await converse(port, octets)).head, /^HTTP\/1\.1 (200 OK|426 Upgrade Required)\r\n/)
  }))

const NORMAL = Buffer.from([0x03, 0xe8]) // 1000, RFC 6455 §7.4.1
const FRAMES: [what: string, frames: Frame[], answers: Frame[]][] = [
  ['a text frame', [frame(TEXT, 'h\u00e4llo')], [frame(TEXT, 'h\u00e4llo')]],
  ['an empty frame', [frame(BINARY, '')], [frame(BINARY, '')]],
  [
    'a frame with a 16 bit length',
    [frame(BINARY, Buffer.alloc(300, 7))],
    [frame(BINARY, Buffer.alloc(300, 7))],
  ],
  ['two frames', [frame(TEXT, 'a'), frame(TEXT, 'b')], [frame(TEXT, 'a'), frame(TEXT, 'b')]],
  [
    'a short frame behind a long one',
    [frame(BINARY, Buffer.alloc(300)), frame(TEXT, 'a')],
    [frame(BINARY, Buffer.alloc(300)), frame(TEXT, 'a')],
  ],
  ['a ping (RFC 6455 §5.5.2)', [frame(PING, 'are you there')], [frame(PONG, 'are you there')]],
  ['a pong nobody asked for', [frame(PONG, 'x'), frame(TEXT, 'a')], [frame(TEXT, 'a')]],
  [
    'a fragmented message with a ping in its midst (RFC 6455 §5.4)',
    [frame(TEXT, 'a', false), frame(PING, '?'), frame(0, 'b', false), frame(0, 'c')],
    [frame(TEXT, 'a', false), frame(PONG, '?'), frame(0, 'b', false), frame(0, 'c')],
  ],
  ['a close without a code (RFC 6455 §5.5.1)', [frame(CLOSE, '')], [frame(CLOSE, '')]],
  ['a close with its code', [frame(CLOSE, Buffer.from([0x03, 0xe8, 0x6f, 0x6b]))], [frame(CLOSE, NORMAL)]],
]
for (const [what, frames, answers] of FRAMES) {
  test(`${what} is answered the same, split at every octet or not at all`, () =>
    withEcho(async (port) => {
      const octets = Buffer.concat(frames.map((one) => masked(one)))
      const cuts =
        octets.length < 100 ? Array.from(octets, (_, at) => at) : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 200]
      await Promise.all(
        cuts.map(async (cut) => {
          const { client } = await shakeHands(port)
          // The answer to the ping says that the first part has been read, before the second is sent.
          client.socket.write(Buffer.concat([masked(frame(PING, 'p')), octets.subarray(0, cut)]))
          await client.until(({ length }) => length >= 3, 'the pong')
          client.socket.write(octets.subarray(cut))
          await expectFrames(client, frame(PONG, 'p'), ...answers)
          client.socket.destroy()
        }),
      )
    }))
}

test('frames right behind the request head are answered', () =>
  withEcho(async (port) => {
    const client = await RawClient.connect(port)
    client.socket.write(
      Buffer.concat([Buffer.from(`${HANDSHAKE}\r\n`), masked({ opcode: TEXT, payload: 'early' })]),
    )
    await client.until((received) => received.includes(writeFrame(frame(TEXT, 'early'))), 'the echo')
    client.socket.destroy()
  }))

test('a frame of 1 MiB comes back, also when it arrives in many small pieces', () =>
  withEcho(async (port) => {
    const { client } = await shakeHands(port)
    const payload = randomBytes(MAX_PAYLOAD)
    const octets = masked({ opcode: BINARY, payload })
    for (let at = 0; at < octets.length; at += 1000) client.socket.write(octets.subarray(at, at + 1000))
    const expected = writeFrame(frame(BINARY, payload))
    await client.until(({ length }) => length >= expected.length, 'the frame')
    const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex')
    assert.is(digest(client.received), digest(expected))
    client.socket.destroy()
  }))

/** A masked frame head that announces `length` in eight octets. */
function announce(length: bigint): Buffer {
  const head = Buffer.alloc(14)
  head[0] = 0x82
  head[1] = 0xff
  head.writeBigUInt64BE(length, 2)
  return head
}

const FAULTS: [what: string, octets: Buffer, status: number][] = [
  ['an unmasked frame (RFC 6455 §5.1)', writeFrame(frame(TEXT, 'x')), 1002],
  ['a reserved bit (RFC 6455 §5.2)', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
  ['a reserved opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
  ['a fragmented ping (RFC 6455 §5.5)', masked({ opcode: PING, payload: '', final: false }), 1002],
  ['a ping of 126 octets', masked({ opcode: PING, payload: 'x'.repeat(126) }), 1002],
  ['a close of one octet', masked({ opcode: CLOSE, payload: 'x' }), 1002],
  ['a continuation of nothing (RFC 6455 §5.4)', masked({ opcode: 0, payload: 'x' }), 1002],
  ['a frame of 1 MiB and one octet, as soon as it is announced', announce(BigInt(MAX_PAYLOAD + 1)), 1009],
  ['a frame of 2^64-1 octets', announce(2n ** 64n - 1n), 1009],
  ['HTTP where frames belong', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 1002],
]
for (const [what, octets, status] of FAULTS) {
  test(`${what} fails the connection with ${status}`, () =>
    withEcho(async (port) => {
      const { client } = await shakeHands(port)
      client.socket.write(octets)
      await client.untilEnd()
      assert.equal(client.received, writeFrame(frame(CLOSE, Buffer.from([status >> 8, status & 0xff]))))
      client.socket.destroy()
    }))
}

test('a new message inside a fragmented one fails the connection (RFC 6455 §5.4)', () =>
  withEcho(async (port) => {
    const { client } = await shakeHands(port)
    client.socket.write(
      Buffer.concat([masked({ opcode: TEXT, payload: 'a', final: false }), masked(frame(TEXT, 'b'))]),
    )
    await client.untilEnd()
    const close = frame(CLOSE, Buffer.from([0x03, 0xea]))
    assert.equal(client.received, Buffer.concat([frame(TEXT, 'a', false), close].map(writeFrame)))
    client.socket.destroy()
  }))

test('a client that does not read its frames is not read either', () =>
  withEcho(async (port) => {
    const { client } = await shakeHands(port)
    const octets = masked(frame(BINARY, Buffer.alloc(MAX_PAYLOAD)))
    // Kernel buffers take some megabytes, but not 256 MiB: the echo would have to hold them.
    const written = await client.flood(octets, 256)
    assert.ok(written < 64, `${written} MiB went in while nothing came out`)
    client.socket.destroy()
  }))

test('random octets never bring the echo down', () =>
  withEcho(async (port) => {
    for (let round = 0; round < 50; round++) {
      const { client } = await shakeHands(port)
      client.socket.write(randomBytes(200))
      client.socket.end()
      await client.untilEnd()
    }
    assert.match((await converse(port, 'GET /health HTTP/1.0\r\n\r\n')).head, /^HTTP\/1\.1 200 OK/)
  }))

test('a client that leaves without a close, or with a reset, harms nobody else', () =>
  withEcho(async (port) => {
    for (const abort of ['end', 'destroy', 'resetAndDestroy'] as const) {
      const { client } = await shakeHands(port)
      client.socket.write(masked({ opcode: TEXT, payload: 'x' }).subarray(0, 3))
      client.socket[abort]()
      await client.untilEnd()
    }
    assert.match((await converse(port, 'GET /health HTTP/1.0\r\n\r\n')).head, /^HTTP\/1\.1 200 OK/)
  }))

test('every prefix of a frame asks for more octets than it has, and never more than the frame has', () => {
  for (const size of [0, 5, 125, 126, 65_535, 65_536]) {
    const octets = masked({ opcode: BINARY, payload: randomBytes(size) })
    for (let length = 0; length < Math.min(octets.length, 200); length++) {
      const reading = readFrame(octets.subarray(0, length))
      assert.is(reading.kind, 'incomplete')
      if (reading.kind === 'incomplete') assert.ok(reading.needed > length && reading.needed <= octets.length)
    }
    const reading = readFrame(octets)
    assert.is(reading.kind === 'frame' && reading.size, octets.length)
  }
})

test.run()
