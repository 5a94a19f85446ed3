// Large streams of octets through both ends of a test, checked as they go by: nothing is kept.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { PATIENCE, type Wire, within } from './wire.ts'

export const KIB = 1024
export const MIB = 1024 * 1024

/** Octets that the kernel may hold on both hops, and signet beside it. */
export const MOST_UNDER_WAY = 2 * (kernelHolds('tcp_wmem') + kernelHolds('tcp_rmem')) + 3 * MIB
/** More octets than can be under way. */
export const ENDLESS = MOST_UNDER_WAY + 8 * MIB

/** The largest send or receive buffer that the kernel gives a socket, in octets. */
function kernelHolds(which: 'tcp_wmem' | 'tcp_rmem'): number {
  return Number(readFileSync(`/proc/sys/net/ipv4/${which}`, 'latin1').trim().split(/\s+/)[2])
}

/** Prime, so that an octet that is off by any region of a buffer is not the octet that should be there. */
const PERIOD = 262_139

/** A stream of octets that any part of can be had. */
export interface Octets {
  /** The octets from `at` on: `length` of them, or fewer, but at least one. */
  slice(at: number, length: number): Buffer
}

/** Octets that tell by their value where in which stream they belong, up to the period. Has no end. */
export class Pattern implements Octets {
  readonly #octets: Buffer

  /** @param seed streams with different seeds have nothing in common */
  constructor(seed: string | number) {
    this.#octets = createHash('shake256', { outputLength: PERIOD }).update(String(seed)).digest()
  }

  slice(at: number, length: number): Buffer {
    const start = at % PERIOD
    return this.#octets.subarray(start, start + length)
  }
}

/** The first `length` octets of a stream, in chunks of `sizes` in turn and a last chunk (RFC 9112 §7.1). */
export function chunked(octets: Octets, length: number, sizes: readonly number[] = [64 * KIB]): Buffer {
  const parts: Buffer[] = []
  for (let done = 0, turn = 0; done < length; turn++) {
    const size = Math.min(length - done, sizes[turn % sizes.length]!)
    parts.push(Buffer.from(`${size.toString(16)}\r\n`))
    for (const end = done + size; done < end; ) {
      const part = octets.slice(done, end - done)
      parts.push(part)
      done += part.length
    }
    parts.push(Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

/** A whole response with so many octets of a stream, to be sent in one write. */
export function response(octets: Octets, length: number): Buffer {
  const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`)
  const all = Buffer.concat([head], head.length + length)
  for (let done = 0; done < length; ) done += octets.slice(done, length - done).copy(all, head.length + done)
  return all
}

/** Compares a stream with what it should be, piece by piece. */
export class Check {
  readonly #octets: Octets
  /** octets that have come */
  received = 0
  /** offset of the first piece that was wrong */
  wrong: number | undefined = undefined

  constructor(octets: Octets) {
    this.#octets = octets
  }

  readonly take = (piece: Buffer): void => {
    for (let done = 0; done < piece.length; ) {
      const expected = this.#octets.slice(this.received, piece.length - done)
      if (expected.length === 0) throw new Error(`more octets than there should be: ${this.received}`)
      const same = piece.compare(expected, 0, expected.length, done, done + expected.length) === 0
      if (!same) this.wrong ??= this.received
      done += expected.length
      this.received += expected.length
    }
  }
}

/** How {@link pour} sends. */
export interface Pouring {
  /** octets of the pieces, in turn; they are written one by one */
  readonly pieces?: readonly number[]
  /** ms to wait for the peer to take more */
  readonly patience?: number
}

/** Sends the first `length` octets of a stream, no faster than they are taken. */
export async function pour(wire: Wire, octets: Octets, length: number, options: Pouring = {}): Promise<void> {
  const { pieces = [64 * KIB], patience = PATIENCE } = options
  for (let done = 0, turn = 0; done < length; turn++) {
    const end = Math.min(length, done + pieces[turn % pieces.length]!)
    while (done < end) {
      const piece = octets.slice(done, end - done)
      done += piece.length
      if (!wire.socket.write(piece)) await drained(wire, patience)
      if (wire.socket.destroyed)
        throw new Error(`the connection was closed after ${done} of ${length} octets`)
    }
  }
}

function drained({ socket }: Wire, patience: number): Promise<void> {
  if (socket.destroyed) return Promise.resolve()
  const promise = new Promise<void>((resolve) => {
    const go = () => {
      socket.off('drain', go)
      socket.off('close', go)
      resolve()
    }
    socket.on('drain', go)
    socket.on('close', go)
  })
  return within(promise, 'the peer to take octets', patience)
}

/** A reader as nasty as they come: how many ms it rests, and after how many octets. */
export interface Habit {
  readonly every: number
  readonly rest: number
}

/** Reads whatever comes. */
const EAGER: Habit = { every: Number.POSITIVE_INFINITY, rest: 0 }

/** Takes the next `length` octets, which should be the first of a stream; fails when they are not. */
export async function checked(
  wire: Wire,
  octets: Octets,
  length: number,
  { every, rest }: Habit = EAGER,
  patience = 2 * PATIENCE,
): Promise<void> {
  const check = new Check(octets)
  const behind: Buffer[] = []
  let atOnce = 0
  wire.divert((piece) => {
    const own = Math.min(piece.length, length - check.received)
    check.take(piece.subarray(0, own))
    if (own < piece.length) behind.push(piece.subarray(own))
    atOnce += own
    if (atOnce < every || check.received === length) return
    atOnce = 0
    wire.socket.pause()
    setTimeout(() => wire.socket.resume(), rest)
  })
  await wire.when(
    () => check.received === length,
    () => `${length} octets, with ${check.received} of them`,
    patience,
  )
  wire.keep(Buffer.concat(behind))
  expectWhole(check, length)
}

/** Fails unless exactly `length` octets have come and all were right. */
export function expectWhole(check: Check, length: number): void {
  if (check.wrong !== undefined)
    throw new Error(`wrong octets at or behind offset ${check.wrong} of ${length}`)
  if (check.received !== length) throw new Error(`expected ${length} octets, got ${check.received}`)
}

/** Octets that a connection takes while nobody reads at its other end: sends until nothing has moved for `quiet` ms. */
export async function fill(wire: Wire, octets: Octets, most: number, quiet = 100): Promise<number> {
  const { socket } = wire
  let written = 0
  while (written < most) {
    const piece = octets.slice(written, Math.min(256 * KIB, most - written))
    written += piece.length
    if (socket.write(piece)) continue
    const moved = await Promise.race([
      new Promise<boolean>((resolve) => socket.once('drain', () => resolve(true))),
      later(quiet).then(() => false),
    ])
    if (!moved) break
  }
  return written
}

/** Resolves after `ms`, with `value`. */
export function later<T>(ms: number, value?: T): Promise<T | undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms))
}
