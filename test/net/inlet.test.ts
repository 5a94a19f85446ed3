import type { Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Buffers } from '../../src/net/buffers.ts'
import { Inlet } from '../../src/net/inlet.ts'

const test = suite('net/inlet')

const KIB = 1024
const SHARED = 64 * KIB

/** An inlet, read for as Node would: it says where, the kernel puts `length` octets there, it is called. */
function open() {
  const buffers = new Buffers(Buffer.alloc(SHARED))
  const pieces: [Buffer, number][] = []
  let onPiece: (octets: Buffer, length: number) => void = () => undefined
  const inlet = new Inlet(buffers, {
    onPiece(octets, length) {
      pieces.push([octets, length])
      onPiece(octets, length)
    },
  })
  const { buffer, callback } = inlet.onread
  let next = where()
  function where(): Buffer {
    return (buffer as () => Buffer)()
  }
  return {
    buffers,
    inlet,
    pieces,
    where,
    /** Reads so many octets; meanwhile `during` is done. @returns where they were read to */
    read(length: number, during: typeof onPiece = () => undefined): Buffer {
      const octets = next
      assert.ok(length <= octets.length)
      onPiece = during
      assert.is(callback(length, octets), true)
      next = where()
      return octets
    },
  }
}

/** A socket that only counts. */
function counting() {
  const calls: string[] = []
  const note = (name: string) => () => calls.push(name)
  return {
    calls,
    socket: { pause: note('pause'), resume: note('resume'), on: note('on') } as unknown as Socket,
  }
}

test('small reads go to the shared region', () => {
  const { buffers, read, pieces } = open()
  for (const length of [1, 100, SHARED - 1]) assert.is(read(length), buffers.shared)
  assert.equal(
    pieces.map(([, length]) => length),
    [1, 100, SHARED - 1],
  )
})

test('a read that fills the shared region whole is followed by reads to a lent one, for as long as they are large', () => {
  const { buffers, read } = open()
  assert.is(read(SHARED), buffers.shared)
  const region = read(1024 * KIB)
  assert.is.not(region, buffers.shared)
  assert.is(read(64 * KIB), region)
  assert.is(read(64 * KIB - 1), region)
  assert.is(read(10), buffers.shared)
  assert.is(buffers.leaseOf(region)?.reading, false)
})

test('where pieces are kept nothing is lent, and what was lent goes back after the next read', () => {
  const { buffers, read, inlet } = open()
  inlet.mayBorrow = false
  read(SHARED)
  assert.is(read(SHARED), buffers.shared)
  inlet.mayBorrow = true
  read(SHARED)
  const region = read(512 * KIB)
  assert.is.not(region, buffers.shared)
  inlet.mayBorrow = false
  read(512 * KIB)
  assert.is(read(SHARED), buffers.shared)
  assert.is(buffers.leaseOf(region)?.reading, false)
})

test('a region that a pending write refers to is not read into again', () => {
  const { buffers, read } = open()
  read(SHARED)
  const refer = (octets: Buffer) => {
    buffers.leaseOf(octets)!.writing++
  }
  const first = read(512 * KIB, refer)
  const second = read(512 * KIB, refer)
  assert.is.not(second, first)
  assert.is.not(read(512 * KIB), first)
  buffers.written(buffers.leaseOf(first)!)
  assert.equal(buffers.leaseOf(first), { octets: first, reading: false, writing: 0 })
})

test('when all regions are referred to, reads go on in the shared one', () => {
  const { buffers, read } = open()
  read(SHARED)
  const used = new Set<Buffer>()
  for (let n = 0; n < 8; n++) {
    used.add(
      read(512 * KIB, (octets) => {
        buffers.leaseOf(octets)!.writing++
      }),
    )
  }
  assert.is(used.size, 8)
  assert.is(read(SHARED), buffers.shared)
  assert.is(read(SHARED), buffers.shared)
})

test('a socket that has closed keeps no region', () => {
  const { buffers, read, inlet, where } = open()
  read(SHARED)
  const region = read(512 * KIB)
  inlet.detach()
  assert.is(buffers.leaseOf(region)?.reading, false)
  assert.is(where(), buffers.shared)
  inlet.detach()
  assert.is(buffers.lend(), region)
})

test('pausing and going on reach the socket once each, however often they are asked for', () => {
  const { inlet } = open()
  const { socket, calls } = counting()
  inlet.attach(socket, 'shared')
  inlet.resume()
  inlet.pause()
  inlet.pause()
  inlet.resume()
  inlet.resume()
  assert.equal(calls, ['pause', 'resume'])
})

test('without onread the pieces come by data events, and nothing is lent', () => {
  const { inlet, pieces, where, buffers } = open()
  let emit: (piece: Buffer) => void = () => undefined
  const socket = { on: (_name: string, listener: typeof emit) => (emit = listener) } as unknown as Socket
  inlet.attach(socket, 'events')
  const piece = Buffer.alloc(SHARED)
  emit(piece)
  assert.is(pieces[0]?.[0], piece)
  assert.is(where(), buffers.shared)
})

test.run()
