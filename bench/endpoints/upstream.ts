// The upstream of every bench, in a process of its own: raw sockets, keep-alive, pipelining, any framing.
// POST /anything answers a small JSON; /ten-kib 10 KiB; /check the token that arrived; /up how many octets did;
// /down?octets=N sends N, chunked with &chunked.

import { createServer, type AddressInfo, type Socket } from 'node:net'
import { BodyReader } from '../../src/http/body-reader.ts'
import { HeadReader } from '../../src/http/head-reader.ts'
import { SMALL_ANSWER, TEN_KIB_ANSWER } from './requests.ts'

const MAX_HEAD = 64 * 1024
const FILLER = Buffer.alloc(1024 * 1024, 'x')
/** What one chunk of a chunked response carries: about what servers write at once. */
const CHUNK = 64 * 1024
const CHUNKS = Buffer.concat(
  Array.from({ length: FILLER.length / CHUNK }, () => [
    Buffer.from(`${CHUNK.toString(16)}\r\n`),
    FILLER.subarray(0, CHUNK),
    Buffer.from('\r\n'),
  ]).flat(),
)

let date = new Date().toUTCString()
let small = response(SMALL_ANSWER)
let tenKib = response(TEN_KIB_ANSWER)
setInterval(() => {
  date = new Date().toUTCString()
  small = response(SMALL_ANSWER)
  tenKib = response(TEN_KIB_ANSWER)
}, 1000).unref()

function response(body: string): string {
  return `HTTP/1.1 200 OK\r\nDate: ${date}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

function serve(socket: Socket): void {
  const heads = new HeadReader(MAX_HEAD, true)
  const body = new BodyReader('ERR_BODY_MALFORMED', MAX_HEAD)
  let head = ''
  let inBody = false
  let received = 0
  const sink = {
    onBody: (_octets: Buffer, start: number, end: number) => {
      received += end - start
    },
    onTrailers: () => undefined,
  }

  /** The whole answer, or undefined when it is sent piece by piece. */
  function answer(): string | undefined {
    const target = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/1.1\r\n'))
    if (target.startsWith('/ten-kib')) return tenKib
    if (target.startsWith('/check')) return response(JSON.stringify({ jwt: fieldIn(head, 'x-my-jwt') }))
    if (target.startsWith('/up')) return response(JSON.stringify({ octets: received }))
    if (!target.startsWith('/down')) return small
    const query = new URLSearchParams(target.slice(target.indexOf('?')))
    sendMuch(socket, Number(query.get('octets')), query.has('chunked'))
    return undefined
  }

  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (piece) => {
    let out = ''
    let at = 0
    while (at < piece.length) {
      if (inBody) at = body.read(piece, at, piece.length, sink)
      else {
        const whole = heads.read(piece, at, piece.length)
        if (whole === 'too-large') throw new Error('no bench sends a head of that size')
        if (whole === 'incomplete') break
        at = whole.next
        head = whole.octets.toString('latin1', whole.start, whole.end)
        received = 0
        body.begin(framingOf(head))
      }
      inBody = !body.complete
      if (!inBody) out += answer() ?? ''
    }
    if (out !== '') socket.write(out, 'latin1')
  })
}

function framingOf(head: string) {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) return { kind: 'length', length: Number(length) } as const
  return /\r\ntransfer-encoding:/i.test(head) ? ({ kind: 'chunked' } as const) : ({ kind: 'none' } as const)
}

function fieldIn(head: string, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}: *([^\\r]*)`, 'i').exec(head)?.[1]
}

/** Sends `octets`, a multiple of {@link FILLER}, as fast as they are taken. */
function sendMuch(socket: Socket, octets: number, chunked: boolean): void {
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${octets}`
  const block = chunked ? CHUNKS : FILLER
  let left = octets / FILLER.length
  socket.write(`HTTP/1.1 200 OK\r\nDate: ${date}\r\nContent-Type: text/plain\r\n${framing}\r\n\r\n`)
  function next(): void {
    while (left > 0) {
      left--
      if (!socket.write(block)) {
        socket.once('drain', next)
        return
      }
    }
    if (chunked) socket.write('0\r\n\r\n')
  }
  next()
}

const server = createServer(serve)
server.listen(0, '127.0.0.1', () => {
  console.error(`listening  http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
