import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Buffers } from '../../src/net/buffers.ts'
import { Deadlines, NEVER } from '../../src/net/deadlines.ts'
import { HIGH_WATER_MARK, Outlet } from '../../src/net/outlet.ts'
import { Turn } from '../../src/net/turn.ts'
import { noFault } from '../support/faults.ts'

const test = suite('net/outlet')

const KIB = 1024
const SHARED = 64 * KIB

/** A socket whose kernel takes writes at once, or when it is told to. */
class Slow extends Duplex {
  readonly taken: Buffer[] = []
  readonly calls: string[] = []
  open = true
  #waiting: { piece: Buffer; done: () => void } | undefined = undefined
  #refuses = false

  constructor() {
    super({ writableHighWaterMark: HIGH_WATER_MARK, decodeStrings: true, allowHalfOpen: true })
    this.on('error', () => undefined)
  }

  override _write(piece: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.#refuses) {
      done(new Error('ECONNRESET'))
      return
    }
    if (this.open) {
      this.taken.push(Buffer.from(piece))
      done()
    } else this.#waiting = { piece, done } // refers to the octets until they are taken
  }

  override _read(): void {}

  /** Takes what is pending, piece by piece. */
  async takeAll(): Promise<void> {
    this.open = true
    while (this.#waiting !== undefined) {
      const { piece, done } = this.#waiting
      this.#waiting = undefined
      this.taken.push(Buffer.from(piece))
      done()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** From now on the kernel knows the connection to be dead. */
  die(): void {
    this.#refuses = true
  }

  resetAndDestroy(): this {
    this.calls.push('reset')
    return this.destroy()
  }

  get all(): Buffer {
    return Buffer.concat(this.taken)
  }
}

function open(shared = Buffer.alloc(SHARED)) {
  const socket = new Slow()
  const buffers = new Buffers(shared)
  const deadlines = new Deadlines(() => performance.now(), noFault)
  const counts = { octetsReceived: 0, octetsSent: 0 }
  const told = { drained: 0, stalled: 0, refused: 0 }
  const turn = new Turn()
  const outlet = new Outlet(
    socket as unknown as Socket,
    { buffers, deadlines, turn, counts, limits: { sendTimeout: 1000 }, onFault: noFault },
    { onDrain: () => told.drained++, onStalled: () => told.stalled++, onRefused: () => told.refused++ },
  )
  return { socket, buffers, deadlines, turn, counts, told, outlet }
}

test('a head and a small body leave in one write', () => {
  const { socket, outlet, counts, turn } = open()
  outlet.text('HEAD\r\n\r\n')
  outlet.octets(Buffer.from('_body_'), 1, 5)
  assert.is(socket.taken.length, 0)
  turn.end()
  turn.end()
  assert.equal(socket.taken.map(String), ['HEAD\r\n\r\nbody'])
  assert.is(counts.octetsSent, 12)
  assert.is(outlet.position, 12)
})

test('a head and a larger piece leave in one write, octets above 127 as they are', () => {
  const { socket, outlet } = open()
  outlet.text('\xe9\r\n\r\n')
  const piece = Buffer.alloc(10_000, 0xe9)
  outlet.octets(piece, 0, piece.length)
  assert.is(socket.taken.length, 1)
  assert.equal(socket.all, Buffer.concat([Buffer.from('\xe9\r\n\r\n', 'latin1'), piece]))
})

for (const size of [1, 4 * KIB, 4 * KIB + 1, 10_000, SHARED]) {
  test(`a pending write of a piece of ${size} octets does not refer to the shared region`, async () => {
    const shared = Buffer.alloc(SHARED)
    const { socket, outlet, turn } = open(shared)
    socket.open = false
    for (let n = 0; n < 5; n++) {
      shared.fill(n)
      outlet.text(`${n}`)
      outlet.octets(shared, 0, size)
      turn.end()
      shared.fill(0xff)
    }
    await socket.takeAll()
    const expected = [0, 1, 2, 3, 4].flatMap((n) => [Buffer.from(`${n}`), Buffer.alloc(size, n)])
    assert.equal(socket.all, Buffer.concat(expected))
  })
}

test('a large piece in a lent region is written from where it lies, which is referred to until it has gone', async () => {
  const { socket, buffers, outlet, told } = open()
  const region = buffers.lend()!
  region.fill(1)
  outlet.octets(region, 0, SHARED)
  assert.not(buffers.isReferredTo(region), 'it was taken at once')
  socket.open = false
  outlet.octets(region, 0, SHARED)
  assert.ok(buffers.isReferredTo(region))
  assert.ok(outlet.full)
  await socket.takeAll()
  assert.not(buffers.isReferredTo(region))
  assert.not(outlet.full)
  assert.is(told.drained, 1)
})

test('several pieces of one region are referred to until the last of them has gone', async () => {
  const { socket, buffers, outlet, turn } = open()
  const region = buffers.lend()!
  socket.open = false
  outlet.octets(region, 0, SHARED)
  outlet.octets(region, SHARED, 2 * SHARED)
  outlet.octets(region, 2 * SHARED, 2 * SHARED + 10)
  turn.end()
  assert.is(buffers.leaseOf(region)?.writing, 1)
  await socket.takeAll()
  assert.is(buffers.leaseOf(region)?.writing, 0)
  assert.is(socket.all.length, 2 * SHARED + 10)
})

test('while one region is referred to, a piece of another is copied', async () => {
  const { socket, buffers, outlet } = open()
  const [first, second] = [buffers.lend()!, buffers.lend()!]
  first.fill(1)
  second.fill(2)
  socket.open = false
  outlet.octets(first, 0, SHARED)
  outlet.octets(second, 0, SHARED)
  assert.not(buffers.isReferredTo(second))
  second.fill(0xff) // whoever it is lent to next
  await socket.takeAll()
  assert.equal(socket.all, Buffer.concat([Buffer.alloc(SHARED, 1), Buffer.alloc(SHARED, 2)]))
  assert.not(buffers.isReferredTo(first))
})

test('a connection that has closed refers to nothing, and has no deadline', () => {
  const { socket, buffers, outlet, deadlines, turn } = open()
  const region = buffers.lend()!
  socket.open = false
  outlet.octets(region, 0, SHARED)
  assert.is(deadlines.size, 1)
  socket.destroy()
  outlet.detach()
  assert.not(buffers.isReferredTo(region))
  assert.is(deadlines.size, 0)
  outlet.octets(region, 0, SHARED)
  outlet.text('more')
  turn.end()
  assert.not(buffers.isReferredTo(region))
  assert.is(deadlines.size, 0)
})

test('an outlet is full when as much as the high-water mark waits, and not before', async () => {
  const { socket, outlet, told } = open()
  socket.open = false
  const piece = Buffer.alloc(10_000)
  let written = 0
  while (!outlet.full) {
    outlet.octets(piece, 0, piece.length)
    written += piece.length
  }
  assert.ok(written >= HIGH_WATER_MARK && written < HIGH_WATER_MARK + 2 * piece.length, `${written}`)
  await socket.takeAll()
  assert.is(told.drained, 1)
  assert.not(outlet.full)
})

test('a peer that takes nothing is told of when its deadline passes; one that takes something has it renewed', async () => {
  const { socket, outlet, told, deadlines, turn } = open()
  assert.is(outlet.deadline, NEVER)
  socket.open = false
  const piece = Buffer.alloc(SHARED)
  for (let n = 0; n < 3; n++) outlet.octets(piece, 0, piece.length)
  assert.is.not(outlet.deadline, NEVER)
  outlet.text('more') // no sign of life
  turn.end()

  const taking = socket.takeAll()
  socket.open = false
  outlet.onDeadline()
  assert.is(told.stalled, 0)
  outlet.onDeadline()
  assert.is(told.stalled, 1)
  await taking
  assert.is(deadlines.size, 0)
})

test('an outlet that was full when it ended has no deadline once everything has gone', async () => {
  const { socket, outlet, deadlines, buffers } = open()
  const region = buffers.lend()!
  socket.open = false
  outlet.octets(region, 0, SHARED)
  outlet.end()
  assert.is(deadlines.size, 1)
  await socket.takeAll()
  await new Promise((resolve) => setImmediate(resolve))
  assert.is(deadlines.size, 0)
  assert.not(outlet.full)
  assert.not(buffers.isReferredTo(region))
})

test('when the first write of an exchange is refused, all of the exchange is known to be unsent', () => {
  const { socket, outlet, counts, turn } = open()
  outlet.text('first')
  turn.end()
  outlet.mark()
  socket.die()
  outlet.text('HEAD ')
  outlet.octets(Buffer.from('\xe9 small '), 0, 9)
  outlet.octets(Buffer.alloc(5000, 'x'), 0, 5000)
  outlet.text(' trailer')
  turn.end()
  assert.ok(outlet.broken)
  assert.is(outlet.unsent, `HEAD ${Buffer.from('\xe9 small ').toString('latin1')}${'x'.repeat(5000)} trailer`)
  assert.is(counts.octetsSent, 5, 'nothing of it was sent')
})

test('when a later write of an exchange is refused, nothing is known to be unsent', () => {
  const { socket, outlet, turn } = open()
  outlet.mark()
  outlet.text('HEAD')
  turn.end()
  socket.die()
  outlet.text('body')
  turn.end()
  assert.ok(outlet.broken)
  assert.is(outlet.unsent, undefined)
})

test('an exchange that begins on a connection already broken is unsent as a whole', () => {
  const { socket, outlet, turn } = open()
  socket.destroy()
  outlet.mark()
  outlet.text('HEAD')
  turn.end()
  assert.is(outlet.unsent, 'HEAD')
})

test('an exchange can be answered from the turn on that comes after its first octets have left', () => {
  const { outlet, turn } = open()
  outlet.text('first')
  turn.end()
  outlet.mark()
  assert.not(outlet.answerable)
  outlet.text('HEAD')
  outlet.octets(Buffer.alloc(5000, 'x'), 0, 5000)
  assert.ok(outlet.begun, 'what is large leaves at once')
  assert.not(outlet.answerable)
  turn.end()
  assert.ok(outlet.answerable)
})

test('resetting drops what waits, except for the moment when everything has gone but FIN', () => {
  const { socket, outlet, turn } = open()
  socket.open = false
  outlet.text('waits')
  turn.end()
  outlet.reset()
  assert.equal(socket.calls, ['reset'])

  const other = open()
  other.socket._final = () => undefined // libuv is about to shut it down
  other.outlet.end()
  other.turn.end()
  other.outlet.reset()
  assert.equal(other.socket.calls, [])
  assert.ok(other.socket.destroyed)
})

test.run()
