// The client of bench/relay, in a process of its own: large transfers, one after another over one raw connection.
// In: messages that say which. Out: a message when all of it has arrived, and was as much as it should be.

import { connect, type Socket } from 'node:net'
import { findHeadEnd } from '../../src/http/head-scanner.ts'

/** Which way the body goes, and how it is framed. */
export type TransferKind = 'down' | 'down, chunked' | 'up'

/** Asks for one transfer; answered by {@link TransferDone}. */
export interface Transfer {
  readonly port: number
  readonly kind: TransferKind
  /** of the body; a multiple of 1 MiB */
  readonly octets: number
}

/** One transfer is over. */
export interface TransferDone {
  readonly seconds: number
}

const BLOCK = Buffer.alloc(1024 * 1024, 'x')
const readBuffer = Buffer.alloc(1024 * 1024)

let socket: Socket | undefined
let onPiece: (piece: Buffer) => void = () => undefined

process.on('message', async (transfer: Transfer) => {
  socket ??= open(transfer.port)
  const started = performance.now()
  await (transfer.kind === 'up' ? sendUp(socket, transfer.octets) : fetchDown(socket, transfer))
  process.send?.({ seconds: (performance.now() - started) / 1000 } satisfies TransferDone)
})

function open(port: number): Socket {
  const onread = {
    buffer: readBuffer,
    callback: (length: number) => {
      onPiece(readBuffer.subarray(0, length))
      return true
    },
  }
  const opened = connect({ host: '127.0.0.1', port, noDelay: true, onread })
  opened.on('close', () => process.exit(1)) // one connection is what is measured
  return opened
}

function fetchDown(connection: Socket, { kind, octets }: Transfer): Promise<void> {
  const chunked = kind === 'down, chunked'
  return new Promise((resolve, reject) => {
    let headed = false
    let received = 0
    let tail = ''
    onPiece = (piece) => {
      let body = piece
      if (!headed) {
        const headEnd = findHeadEnd(piece, 0, piece.length)
        if (headEnd === -1) return reject(new Error('a response head in more than one piece'))
        headed = true
        body = piece.subarray(headEnd)
      }
      received += body.length
      if (chunked) tail = (tail + body.toString('latin1', Math.max(0, body.length - 5))).slice(-5)
      const complete = chunked ? tail === '0\r\n\r\n' : received >= octets
      if (!complete) return
      const right = chunked ? received > octets : received === octets
      if (right) resolve()
      else reject(new Error(`${received} octets arrived of ${octets}`))
    }
    const target = `/down?octets=${octets}${chunked ? '&chunked' : ''}`
    connection.write(`GET ${target} HTTP/1.1\r\nHost: bench\r\n\r\n`)
  })
}

function sendUp(connection: Socket, octets: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    onPiece = (piece) => {
      text += piece.toString('latin1')
      if (!text.endsWith('}')) return
      if (text.endsWith(`{"octets":${octets}}`)) resolve()
      else reject(new Error(`the upstream did not get ${octets} octets: ${text}`))
    }
    let left = octets / BLOCK.length
    function next(): void {
      while (left-- > 0) {
        if (!connection.write(BLOCK)) {
          connection.once('drain', next)
          return
        }
      }
    }
    connection.write(`POST /up HTTP/1.1\r\nHost: bench\r\nContent-Length: ${octets}\r\n\r\n`)
    next()
  })
}
