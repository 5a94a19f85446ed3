import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Buffers } from '../../src/net/buffers.ts'

const test = suite('net/buffers')

/** Eight is what docs/decisions/0002-shared-and-lent-read-buffers.md promises a process. */
const REGIONS = 8

function lendAll(buffers: Buffers): Buffer[] {
  return Array.from({ length: REGIONS }, () => buffers.lend()!)
}

test('eight regions of 2 MiB are lent, each to one socket, and no ninth', () => {
  const buffers = new Buffers(Buffer.alloc(16))
  const lent = lendAll(buffers)
  assert.is(new Set(lent.map(({ buffer }) => buffer)).size, REGIONS)
  assert.ok(lent.every(({ length }) => length === 2 * 1024 * 1024))
  assert.is(buffers.lend(), undefined)
})

test('a region that was given back is lent again, the one used most recently first', () => {
  const buffers = new Buffers(Buffer.alloc(16))
  const lent = lendAll(buffers)
  buffers.giveBack(lent[3]!)
  buffers.giveBack(lent[5]!)
  assert.is(buffers.lend(), lent[5])
  assert.is(buffers.lend(), lent[3])
  assert.is(buffers.lend(), undefined)
})

test('a region that a pending write refers to is lent to nobody, even though it was given back', () => {
  const buffers = new Buffers(Buffer.alloc(16))
  const [region] = lendAll(buffers)
  const lease = buffers.leaseOf(region!)!
  lease.writing = 2
  assert.ok(buffers.isReferredTo(region!))
  buffers.giveBack(region!)
  assert.is(buffers.lend(), undefined)
  buffers.written(lease)
  assert.is(buffers.lend(), undefined)
  buffers.written(lease)
  assert.not(buffers.isReferredTo(region!))
  assert.is(buffers.lend(), region)
})

test('a region that is still read into is lent to nobody, though what was written from it has gone', () => {
  const buffers = new Buffers(Buffer.alloc(16))
  const [region] = lendAll(buffers)
  const lease = buffers.leaseOf(region!)!
  lease.writing++
  buffers.written(lease)
  assert.is(buffers.lend(), undefined)
})

test('the shared region is no lease, and nor is a part of a lent one', () => {
  const shared = Buffer.alloc(16)
  const buffers = new Buffers(shared)
  const region = buffers.lend()!
  assert.is(buffers.leaseOf(shared), undefined)
  assert.is(buffers.leaseOf(region.subarray(0)), undefined)
  assert.not(buffers.isReferredTo(shared))
  buffers.giveBack(shared) // means nothing
  assert.is(buffers.leaseOf(region)?.octets, region)
})

test('the scratch buffer is the same one until a write keeps it, and large enough for anything', () => {
  const buffers = new Buffers(Buffer.alloc(16))
  const first = buffers.scratch(10)
  assert.is(buffers.scratch(128 * 1024), first)
  const larger = buffers.scratch(1_100_000)
  assert.ok(larger.length >= 1_100_000)
  buffers.abandonScratch()
  assert.is.not(buffers.scratch(10), larger)
})

test.run()
