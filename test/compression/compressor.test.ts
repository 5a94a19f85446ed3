// One body through an encoder: what is gathered, flushed, held back and given up, and when.

import { Transform, type TransformCallback } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Compressor, type CompressorSink } from '../../src/compression/compressor.ts'
import { createEncoder, type Encoder } from '../../src/compression/encoders.ts'
import type { ProxyError } from '../../src/errors.ts'
import type { Deadlines } from '../../src/net/deadlines.ts'
import { decode, ENCODINGS_HERE, prose } from '../support/compressed.ts'
import { KIB, later } from '../support/flow.ts'
import { eventually } from '../support/wire.ts'

const test = suite('compression/compressor')

/** Lets everything through in upper case, and notes what it is asked to do; it works only when it is told to. */
class Upper extends Transform implements Encoder {
  readonly asked: string[] = []
  /** goes on with what it was asked to do last */
  go: () => void = () => undefined
  slow = false

  constructor() {
    super({ highWaterMark: 4 * KIB })
  }

  override _transform(octets: Buffer, _coding: string, done: TransformCallback): void {
    this.asked.push(
      octets.length === 0 ? 'flush' : octets.length > 20 ? String(octets.length) : octets.toString(),
    )
    this.go = () => {
      if (octets.length > 0) this.push(octets.toString().toUpperCase())
      done()
    }
    if (!this.slow) setImmediate(this.go)
  }

  flush(kind: number, done: () => void): void {
    assert.is(kind, 7)
    this.write(Buffer.alloc(0), done)
  }
}

/** A compressor, and all that comes of it. */
class Stand implements CompressorSink {
  readonly upper = new Upper()
  readonly watched = new Set<unknown>()
  readonly faults: unknown[] = []
  readonly events: string[] = []
  text = ''
  closed = 0
  readonly compressor: Compressor

  constructor() {
    const deadlines = {
      after: (ms: number) => ms,
      watch: (one: unknown) => this.watched.add(one),
      unwatch: (one: unknown) => this.watched.delete(one),
    } as unknown as Deadlines
    const context = { deadlines, onFault: (thrown: unknown) => void this.faults.push(thrown) }
    this.compressor = new Compressor({ stream: this.upper, flushKind: 7 }, context, this, () => this.closed++)
  }

  write(text: string): void {
    const octets = Buffer.from(`..${text}..`)
    this.compressor.write(octets, 2, octets.length - 2)
    octets.fill('x') // it was borrowed
  }

  comes(text: string): Promise<void> {
    return eventually(() => this.text === text, `${text}, with ${this.text}`)
  }

  onCompressed(octets: Buffer): void {
    this.text += octets.toString()
  }

  onRoom(): void {
    this.events.push('room')
  }

  onCompressedEnd(): void {
    this.events.push('end')
  }

  onCompressorFailed(error: ProxyError): void {
    this.events.push(`${error.code} ${error.message}`)
  }
}

test('what comes in one round of the event loop goes to the encoder together, and is flushed once', async () => {
  const stand = new Stand()
  for (const piece of ['a', 'b', 'c']) stand.write(piece)
  await stand.comes('ABC')
  await later(20)
  assert.equal(stand.upper.asked, ['abc', 'flush'])
  stand.write('d')
  await stand.comes('ABCD')
  await later(20)
  assert.equal(stand.upper.asked, ['abc', 'flush', 'd', 'flush'])
  stand.compressor.destroy()
})

test('what comes while the encoder works is gathered, and nothing is flushed before it', async () => {
  const stand = new Stand()
  stand.upper.slow = true
  stand.write('a')
  await eventually(() => stand.upper.asked.length === 1, 'the encoder to work')
  for (const piece of ['b', 'c', 'd']) stand.write(piece)
  await later(10)
  assert.equal(stand.upper.asked, ['a'])
  stand.upper.go()
  await eventually(() => stand.upper.asked.length === 2, 'the next batch')
  assert.equal(stand.upper.asked, ['a', 'bcd'])
  stand.compressor.destroy()
})

test('a body that is complete in the round that brought it is one batch, without a flush', async () => {
  const stand = new Stand()
  stand.write('a')
  stand.write('b')
  stand.compressor.end()
  await eventually(() => stand.events.length > 0, 'the end')
  assert.equal([stand.text, stand.events, stand.upper.asked], ['AB', ['end'], ['ab']])
  assert.equal([stand.closed, stand.watched.size, stand.faults], [1, 0, []])
})

test('the end while the encoder works comes after all that was gathered', async () => {
  const stand = new Stand()
  stand.upper.slow = true
  stand.write('a')
  await eventually(() => stand.upper.asked.length === 1, 'the encoder to work')
  stand.write('b')
  stand.compressor.end()
  stand.upper.slow = false
  stand.upper.go()
  await eventually(() => stand.events.length > 0, 'the end')
  assert.equal([stand.text, stand.events], ['AB', ['end']])
})

test('it is full from a batch on, and says when it no longer is', async () => {
  const stand = new Stand()
  stand.upper.slow = true
  stand.write('a')
  await eventually(() => stand.upper.asked.length === 1, 'the encoder to work')
  stand.write('b'.repeat(64 * KIB - 1))
  assert.not.ok(stand.compressor.full)
  stand.write('c')
  assert.ok(stand.compressor.full)
  assert.equal(stand.events, [])
  stand.upper.go()
  await eventually(() => stand.events.length > 0, 'room')
  assert.equal([stand.events, stand.compressor.full], [['room'], false])
  stand.compressor.destroy()
})

test('paused, nothing comes out and the encoder stops soon; resumed, everything does', async () => {
  const stand = new Stand()
  stand.compressor.pause()
  let sent = ''
  for (let n = 0; n < 10; n++) {
    const piece = String(n).repeat(KIB)
    sent += piece
    stand.write(piece)
    await later(5)
  }
  assert.is(stand.text, '')
  const taken = stand.upper.asked.filter((one) => one !== 'flush').reduce((sum, one) => sum + Number(one), 0)
  assert.ok(taken < sent.length, `${taken} of ${sent.length}`)
  stand.compressor.resume()
  await stand.comes(sent)
  stand.compressor.destroy()
})

test('given up, it is closed at once, says nothing more and takes nothing more', async () => {
  for (const moment of ['idle', 'gathering', 'working', 'paused', 'ending']) {
    const stand = new Stand()
    stand.upper.slow = moment !== 'idle' && moment !== 'gathering'
    if (moment !== 'idle') stand.write('a')
    if (moment === 'paused') stand.compressor.pause()
    if (moment === 'ending') stand.compressor.end()
    if (stand.upper.slow) await eventually(() => stand.upper.asked.length === 1, 'the encoder to work')
    stand.compressor.destroy()
    assert.equal([stand.closed, stand.watched.size, stand.upper.destroyed], [1, 0, true], moment)
    stand.write('b')
    stand.compressor.end()
    stand.compressor.resume()
    stand.compressor.destroy()
    stand.upper.go()
    await later(5)
    assert.equal([stand.text, stand.events, stand.closed, stand.faults], ['', [], 1, []], moment)
  }
})

test('an encoder that breaks fails the response, once', async () => {
  const stand = new Stand()
  stand.write('a')
  stand.upper.destroy(new Error('no memory'))
  await eventually(() => stand.events.length > 0, 'the failure')
  await later(10)
  assert.equal(stand.events, ['ERR_INTERNAL compression: no memory'])
  assert.equal([stand.closed, stand.faults.length], [1, 1])
})

test('a sink that throws fails the response, and not the process', async () => {
  const stand = new Stand()
  stand.onCompressed = () => {
    throw new Error('unforeseen')
  }
  stand.write('a')
  await eventually(() => stand.events.length > 0, 'the failure')
  assert.equal(stand.events, ['ERR_INTERNAL unforeseen'])
  assert.equal([stand.closed, stand.faults.length], [1, 1])
})

test('it has a deadline while the encoder works, and none while it waits for input or for its client', async () => {
  const stand = new Stand()
  const { compressor } = stand
  const never = Number.POSITIVE_INFINITY
  assert.is(compressor.deadline, never)
  stand.write('a')
  await stand.comes('A')
  await eventually(() => stand.upper.asked.length === 2 && compressor.deadline === never, 'rest')
  stand.upper.slow = true
  stand.write('b')
  await eventually(() => stand.upper.asked.length === 3, 'the encoder to work')
  assert.is(compressor.deadline, 30_000)
  compressor.pause()
  assert.is(compressor.deadline, never)
  compressor.resume()
  assert.is(compressor.deadline, 30_000)
  compressor.onDeadline()
  assert.equal(stand.events, ['ERR_INTERNAL compression: the encoder has made no progress'])
})

test('what comes out late, after a pause, starts no deadline that nothing would end', async () => {
  const stand = new Stand()
  stand.compressor.pause()
  stand.write('a')
  await eventually(() => stand.upper.asked.length === 2, 'the flush')
  await later(10)
  stand.compressor.resume()
  await stand.comes('A')
  assert.is(stand.compressor.deadline, Number.POSITIVE_INFINITY)
  stand.compressor.destroy()
})

for (const encoding of ENCODINGS_HERE) {
  test(`${encoding}: content of known and of unknown length decodes to what it was`, async () => {
    for (const length of [1, 2, 100, 1024, 16_383, 16_385, 300_000, 1_100_000]) {
      for (const known of [length, undefined]) {
        const body = prose(length)
        const { stream, flushKind } = createEncoder(encoding, known)
        const parts: Buffer[] = []
        stream.on('data', (octets: Buffer) => parts.push(octets))
        const half = length >> 1
        await new Promise<void>((resolve) =>
          stream.write(body.subarray(0, half), () => stream.flush(flushKind, resolve)),
        )
        stream.end(body.subarray(half))
        await new Promise((resolve) => stream.once('end', resolve))
        assert.ok(decode(encoding, Buffer.concat(parts)).equals(body), `${length}, ${known}`)
      }
    }
  })
}

test.run()
