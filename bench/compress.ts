// What compression costs: `node build/bench/compress.js`. CPU time of signet per MiB of text that it compresses, against that
// of the same encoder alone and of signet without compression; and when a line of a slow stream is there, to be read by the
// client. The claims: at most 1.1 times the encoder alone; and as soon as it was sent.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { availableEncodings, createEncoder } from '../src/compression/encoders.ts'
import type { Encoding } from '../src/http/gateway.ts'
import { signetMain } from './support/paths.ts'
import { Children } from './support/children.ts'
import { figure, median, spread, table } from './support/figures.ts'
import { inRoot } from './support/paths.ts'
import { cpuBetween, cpuTime, residentMemory } from './support/proc.ts'
import { Scratch } from './support/scratch.ts'

const MEBIBYTE = 1024 ** 2
const ROUNDS = 5
/** times that the text goes through in a round */
const TIMES = 4
/** octets of a piece that the encoder alone is given */
const PIECE = 64 * 1024
/** lines of the slow stream, and ms between them */
const LINES = 100
const LINE_EVERY = 10
/** responses that are compressed at a time, when memory is looked at */
const CROWD = 100

const text = readFileSync(inRoot('node_modules', 'typescript', 'lib', 'typescript.js'))
const mebibytes = (TIMES * text.length) / MEBIBYTE
const line = Buffer.from(`${'{"event":"tick","id":"0123456789abcdef"}'.repeat(3)}\n`)

const children = new Children()
const scratch = new Scratch()
let slow: Socket | undefined
const upstream = createServer((socket) => {
  socket.on('error', () => undefined)
  socket.on('data', (piece) => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\n'
    if (piece.includes('GET /slow')) {
      slow = socket
      socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`)
    } else {
      socket.write(`${head}Content-Length: ${text.length}\r\n\r\n`)
      socket.write(text)
    }
  })
})
try {
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { port: upstreamPort } = upstream.address() as AddressInfo
  const template = inRoot('bench', 'support', 'compress.yaml')
  const config = scratch.write('signet.yaml', template, { upstream: upstreamPort })
  const env = { HTTP_PORT: '0', SIGNET_SECRET: 'ab'.repeat(64), SIGNET_ACCESS_LOG: 'off' }
  const argv = [signetMain(), 'run', '--config', config]
  const { pid, port } = await children.startServer({ name: 'signet', argv, side: 'proxy', env })

  const through = async (accepted: string): Promise<{ ms: number; octets: number }> => {
    const from = cpuTime(pid)
    let octets = 0
    for (let time = 0; time < TIMES; time++) octets += await download(port, accepted)
    const used = cpuBetween(from, cpuTime(pid))
    return { ms: used === undefined ? Number.NaN : (used.user + used.system) / 1000 / mebibytes, octets }
  }
  await through('identity')
  const relayed = await rounds(() => through('identity').then(({ ms }) => ms))
  const rows = [['as it is', spread(relayed, 2), '–', '–', '1.00', '–']]
  for (const encoding of availableEncodings()) {
    const alone: number[] = []
    const proxied: number[] = []
    let octets = 0
    // They take turns, so that a machine that becomes slower does so for both.
    for (let round = 0; round < ROUNDS; round++) {
      alone.push(await compressAlone(encoding))
      const done = await through(encoding)
      proxied.push(done.ms)
      octets = done.octets
    }
    const ratio = Math.min(...proxied) / Math.min(...alone)
    const lines = await slowStream(port, encoding)
    const late = `${figure(median(lines), 2)} (${figure(Math.max(...lines), 2)})`
    rows.push([
      encoding,
      spread(proxied, 2),
      spread(alone, 2),
      ratio.toFixed(2),
      ((TIMES * text.length) / octets).toFixed(2),
      late,
    ])
  }
  console.log(`Node ${process.versions.node}, ${ROUNDS} rounds of ${mebibytes.toFixed(0)} MiB of text\n`)
  const header = ['', 'CPU ms/MiB', 'encoder alone', 'times, best', 'size ÷', 'line after ms (most)']
  console.log(table(header, rows))
  console.log('\nresident memory of signet, KiB for each response while it is compressed, of 100 at a time:')
  for (const encoding of availableEncodings())
    console.log(`  ${encoding.padEnd(5)} ${figure(await memoryEach(pid, port, encoding))}`)
} finally {
  await children.stopAll()
  slow?.destroy()
  upstream.close()
}

async function rounds(measure: () => Promise<number>): Promise<number[]> {
  const all: number[] = []
  for (let round = 0; round < ROUNDS; round++) all.push(await measure())
  return all
}

/** @returns CPU ms per MiB */
async function compressAlone(encoding: Encoding): Promise<number> {
  const from = process.cpuUsage()
  for (let time = 0; time < TIMES; time++) {
    const { stream } = createEncoder(encoding, text.length)
    stream.on('data', () => undefined)
    for (let at = 0; at < text.length; at += PIECE)
      await new Promise((resolve) => stream.write(text.subarray(at, at + PIECE), resolve))
    stream.end()
    await once(stream, 'end')
  }
  const { user, system } = process.cpuUsage(from)
  return (user + system) / 1000 / mebibytes
}

function ask(port: number, path: string, accepted: string): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ${accepted}\r\nConnection: close\r\n\r\n`)
  return socket
}

/** @returns octets that came */
async function download(port: number, accepted: string): Promise<number> {
  const socket = ask(port, '/', accepted)
  let octets = 0
  socket.on('data', (piece) => {
    octets += piece.length
  })
  await once(socket, 'close')
  return octets
}

function decoder(encoding: Encoding): Transform {
  if (encoding === 'br') return zlib.createBrotliDecompress()
  if (encoding === 'gzip') return zlib.createGunzip()
  return (zlib as unknown as { createZstdDecompress(): Transform }).createZstdDecompress()
}

/** ms from each line being sent to its last octet having been decoded by the client. */
async function slowStream(port: number, encoding: Encoding): Promise<number[]> {
  slow = undefined
  const socket = ask(port, '/slow', encoding)
  const decoding = decoder(encoding)
  let raw = Buffer.alloc(0)
  let inBody = false
  let decoded = 0
  let told: () => void = () => undefined
  decoding.on('error', () => undefined)
  decoding.on('data', (octets: Buffer) => {
    decoded += octets.length
    if (decoded % line.length === 0) told()
  })
  socket.on('data', (piece) => {
    raw = Buffer.concat([raw, piece])
    if (!inBody) {
      const end = raw.indexOf('\r\n\r\n')
      if (end === -1) return
      raw = raw.subarray(end + 4)
      inBody = true
      told()
    }
    for (let end = raw.indexOf('\r\n'); end !== -1; end = raw.indexOf('\r\n')) {
      const size = Number.parseInt(raw.toString('latin1', 0, end), 16)
      if (raw.length < end + size + 4) return
      decoding.write(raw.subarray(end + 2, end + 2 + size))
      raw = raw.subarray(end + size + 4)
    }
  })
  await new Promise<void>((resolve) => {
    told = resolve
  })
  const late: number[] = []
  for (let sent = 0; sent < LINES; sent++) {
    await new Promise((resolve) => setTimeout(resolve, LINE_EVERY))
    const at = performance.now()
    const there = new Promise<void>((resolve) => {
      told = resolve
    })
    slow!.write(`${line.length.toString(16)}\r\n${line.toString('latin1')}\r\n`)
    await there
    late.push(performance.now() - at)
  }
  socket.destroy()
  decoding.destroy()
  return late
}

/** KiB that signet grows by for each of many clients that do not read. */
async function memoryEach(pid: number, port: number, encoding: Encoding): Promise<number | undefined> {
  const before = residentMemory(pid)
  const sockets = Array.from({ length: CROWD }, () => {
    const socket = ask(port, '/', encoding)
    socket.pause()
    return socket
  })
  await new Promise((resolve) => setTimeout(resolve, 4000))
  const after = residentMemory(pid)
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 500))
  return before === undefined || after === undefined ? undefined : (after - before) / 1024 / CROWD
}
