// The WebSocket half of the echo upstream (RFC 6455): handshake, then every frame back as it came, unmasked.
// In: an upgrade request and its socket. Out: the status it was answered with. No extensions, no library.

import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** The largest frame payload taken, in octets; a larger one fails the connection with 1009. */
export const MAX_PAYLOAD = 1_048_576

const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11' // RFC 6455 §1.3

const CLOSE = 0x8
const PING = 0x9
const PONG = 0xa
const OPCODES: ReadonlySet<number> = new Set([0x0, 0x1, 0x2, CLOSE, PING, PONG])

/** Why a connection is failed: the codes of RFC 6455 §7.4.1. */
type FailureStatus = 1002 | 1009

/** A frame as its sender meant it: payload unmasked (RFC 6455 §5.2). */
export interface Frame {
  readonly final: boolean
  readonly opcode: number
  readonly payload: Buffer
}

/** What the octets so far amount to: a frame of `size` octets, too few octets, or a fault. */
export type FrameReading =
  | { readonly kind: 'frame'; readonly frame: Frame; readonly size: number }
  | { readonly kind: 'incomplete'; readonly needed: number }
  | { readonly kind: 'fault'; readonly status: FailureStatus }

/**
 * Reads the frame at the front of `octets`. Pure, so a frame split at any octet reads as the whole one does.
 *
 * @returns the frame with its own copy of the payload; or how many octets are `needed` to say more (it may
 *   ask again); or the close status with which the connection must be failed
 */
export function readFrame(octets: Buffer): FrameReading {
  if (octets.length < 2) return { kind: 'incomplete', needed: 2 }
  const first = octets[0]!
  const second = octets[1]!
  const opcode = first & 0x0f
  const final = (first & 0x80) !== 0
  const short = second & 0x7f

  const reserved = (first & 0x70) !== 0 || !OPCODES.has(opcode)
  const unmasked = (second & 0x80) === 0 // RFC 6455 §5.1: a server fails a client that does not mask
  const badControl = opcode >= CLOSE && (!final || short > 125) // RFC 6455 §5.5
  if (reserved || unmasked || badControl) return { kind: 'fault', status: 1002 }

  const extended = short === 127 ? 8 : short === 126 ? 2 : 0
  const head = 2 + extended + 4
  if (octets.length < head) return { kind: 'incomplete', needed: head }
  const length =
    extended === 8 ? Number(octets.readBigUInt64BE(2)) : extended === 2 ? octets.readUInt16BE(2) : short
  // Judged by the announced length, so nothing is collected for a frame that will be refused.
  if (length > MAX_PAYLOAD) return { kind: 'fault', status: 1009 }

  const size = head + length
  if (octets.length < size) return { kind: 'incomplete', needed: size }
  const payload = Buffer.from(octets.subarray(head, size))
  for (let at = 0; at < length; at++) payload[at]! ^= octets[head - 4 + (at & 3)]!
  return { kind: 'frame', frame: { final, opcode, payload }, size }
}

/** A frame → octets, unmasked, as servers send (RFC 6455 §5.1). */
export function writeFrame({ final, opcode, payload }: Frame): Buffer {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = (final ? 0x80 : 0) | opcode
  if (head.length === 2) head[1] = length
  else if (head.length === 4) {
    head[1] = 126
    head.writeUInt16BE(length, 2)
  } else {
    head[1] = 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  return Buffer.concat([head, payload])
}

/**
 * Answers the handshake (RFC 6455 §4.2.2) and echoes frames until either side closes.
 *
 * @param head octets that came behind the request head already
 * @param idleTimeout milliseconds without an octet from the client after which the connection is dropped
 * @returns the status sent: 101; 400 for a malformed handshake; 426 for another version or another protocol
 */
export function serveWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  idleTimeout = 3_600_000,
): 101 | 400 | 426 {
  socket.on('error', () => socket.destroy()) // a client that vanished is no news to an echo
  const key = request.headers['sec-websocket-key'] ?? ''
  const wanted = request.headers.upgrade?.toLowerCase() === 'websocket'
  if (!wanted || request.headers['sec-websocket-version'] !== '13') {
    // RFC 6455 §4.4 and RFC 9110 §15.5.22: say what would have been understood.
    return refuse(socket, 426, 'Upgrade Required', 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n')
  }
  if (request.method !== 'GET' || !/^[A-Za-z0-9+/]{22}==$/.test(key)) {
    return refuse(socket, 400, 'Bad Request', '')
  }
  const accept = createHash('sha1')
    .update(key + KEY_SUFFIX)
    .digest('base64')
  // A browser that offered subprotocols drops a connection that selects none: the first one offered will do.
  const protocol = request.headers['sec-websocket-protocol']?.split(',', 1)[0]?.trim()
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n${protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : ''}\r\n`,
  )
  echoFrames(socket, head, idleTimeout)
  return 101
}

function refuse<Status extends 400 | 426>(
  socket: Duplex,
  status: Status,
  reason: string,
  fields: string,
): Status {
  const options = fields === '' ? 'close' : 'close, Upgrade' // RFC 9110 §7.8: Upgrade is for this hop only
  const framing = `Connection: ${options}\r\nContent-Length: 0\r\n`
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${fields}${framing}\r\n`)
  linger(socket)
  return status
}

/** After our last octet: what still arrives is discarded, and a peer that does not close is cut off. */
function linger(socket: Duplex): void {
  socket.resume() // unread octets would turn our close into a reset, which can overtake the last frame
  const cutOff = setTimeout(() => socket.destroy(), 2000)
  socket.once('close', () => clearTimeout(cutOff))
}

function echoFrames(socket: Duplex, head: Buffer, idleTimeout: number): void {
  // Grows by doubling up to the largest frame, so that one sent octet by octet costs no more than its size.
  let store = Buffer.allocUnsafe(4096)
  let held = 0
  let needed = 2
  let message: 'none' | 'open' | 'closing' = 'none'
  const idle = setTimeout(() => socket.destroy(), idleTimeout)

  const close = (payload: Buffer) => {
    message = 'closing'
    socket.end(writeFrame({ final: true, opcode: CLOSE, payload }))
    linger(socket)
  }
  const fail = (status: FailureStatus) => close(Buffer.from([status >> 8, status & 0xff]))

  const answer = (frame: Frame) => {
    if (frame.opcode === CLOSE) {
      // RFC 6455 §5.5.1: the code comes back; half a code is a fault.
      if (frame.payload.length === 1) fail(1002)
      else close(frame.payload.subarray(0, 2))
    } else if (frame.opcode === PING) socket.write(writeFrame({ ...frame, opcode: PONG }))
    else if (frame.opcode !== PONG) {
      // RFC 6455 §5.4: a continuation needs a message to continue, anything else must begin one. Text is not
      // decoded: fragments go back as they came, valid UTF-8 or not.
      if ((frame.opcode === 0x0) !== (message === 'open')) return fail(1002)
      message = frame.final ? 'none' : 'open'
      socket.write(writeFrame(frame))
    }
  }

  const take = (piece: Buffer) => {
    if (message === 'closing') return
    idle.refresh()
    if (held + piece.length > store.length) {
      const grown = Buffer.allocUnsafe(Math.max(held + piece.length, store.length * 2))
      store.copy(grown, 0, 0, held)
      store = grown
    }
    held += piece.copy(store, held)
    let at = 0
    while (held - at >= needed) {
      const reading = readFrame(store.subarray(at, held))
      if (reading.kind === 'fault') return fail(reading.status)
      if (reading.kind === 'incomplete') {
        needed = reading.needed
        continue
      }
      answer(reading.frame)
      if (socket.writableEnded) return
      at += reading.size
      needed = 2
    }
    store.copy(store, 0, at, held)
    held -= at
    // A client that does not read its echo is not read either.
    if (socket.writableNeedDrain) socket.pause()
  }

  socket.on('drain', () => socket.resume())
  socket.once('end', () => socket.end())
  socket.once('close', () => clearTimeout(idle))
  if (head.length > 0) take(head)
  socket.on('data', take)
}
