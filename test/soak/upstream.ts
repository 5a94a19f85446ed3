// The upstream of the soak, a process of its own. It answers by what the request asks for, checks what it is sent octet
// by octet, counts how often each request arrives, and misbehaves on order, saying what it did and to whom.
// In: argv: port, seed. Orders and reports by IPC: see ledger.ts. Ends with its parent.

import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { DEMO_SECRET, readHmacKey } from '../../src/jwt/keys.ts'
import type { Deed, Mood, Order, Report, Tally } from './ledger.ts'
import { BodyCheck, bodyPiece, Dice } from './pattern.ts'

const [port, seed] = process.argv.slice(2).map(Number) as [number, number]
const dice = new Dice(seed)
const { secret } = readHmacKey(DEMO_SECRET, 'hex')

/** Of 100 exchanges while the mood is bad. */
const SPOILT = 8
/** ms between two rounds of closing idle connections while the mood is bad. */
const CLOSES_EVERY = 20

let mood: Mood = 'well'
const deeds: Deed[] = []
const tally = { requests: 0, duplicated: [] as number[], repeated: 0, unsigned: 0, wrongBodies: 0 }
/** ids seen in this minute, and in the one before */
let seen = new Set<number>()
let seenBefore = new Set<number>()

/** A connection: the exchanges on it, none while it is idle; and the last that ended, if any. */
interface Connection {
  readonly exchanges: Set<number>
  last: number | undefined
  /** whether the answer that is under way ends when the connection does */
  untilClose: boolean
}
const connections = new Map<Socket, Connection>()

const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0, headersTimeout: 0 })
server.on('connection', (socket) => {
  connections.set(socket, { exchanges: new Set(), last: undefined, untilClose: false })
  socket.on('error', () => undefined)
  socket.on('close', () => connections.delete(socket))
})

function send(report: Report): void {
  process.send?.(report)
}

// ── one exchange ──────────────────────────────────────────────────────────────────────────────────────────────

const IDEMPOTENT: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])

function arrive(request: IncomingMessage): number {
  const id = Number(request.headers['x-soak-id'] ?? 0) // 0: a bad client's, which are not told apart
  tally.requests++
  if (!isSigned(request)) tally.unsigned++
  if (id > 0 && (seen.has(id) || seenBefore.has(id))) {
    if (IDEMPOTENT.has(request.method)) tally.repeated++
    else tally.duplicated.push(id)
  }
  seen.add(id)
  return id
}

/** Exactly one token, and a good one: whatever a client sent in its place must not have come through. */
function isSigned(request: IncomingMessage): boolean {
  const tokens = request.headersDistinct['x-my-jwt'] ?? []
  const [header, payload, signature] = tokens.length === 1 ? (tokens[0] as string).split('.') : []
  const expected = createHmac('sha512', secret).update(`${header}.${payload}`).digest('base64url')
  return signature === expected
}

/**
 * Ends a connection, and says what that cost: the exchange on it, which may be another by now; or the last one, since with
 * RST what the kernel has not sent yet of its answer is lost.
 */
function spoil(socket: Socket, byRst: boolean): void {
  const connection = connections.get(socket)
  if (connection === undefined) return // it has ended
  const { exchanges, last, untilClose } = connection
  const at = Date.now()
  byRst ||= untilClose // cut short by FIN, a body without a length is whole
  for (const id of exchanges) deeds.push({ kind: 'spoilt', at, id })
  if (exchanges.size === 0) deeds.push({ kind: 'closed-idle', at })
  if (exchanges.size === 0 && byRst && last !== undefined) deeds.push({ kind: 'spoilt', at, id: last })
  if (byRst) socket.resetAndDestroy()
  else socket.destroy()
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const id = arrive(request)
  const { socket } = request
  const url = new URL(request.url ?? '/', 'http://a')
  const untilClose = url.searchParams.get('framing') === 'close'
  const connection = connections.get(socket)
  if (connection !== undefined) connection.untilClose = untilClose
  connection?.exchanges.add(id)
  response.on('close', () => {
    connection?.exchanges.delete(id)
    if (connection !== undefined) connection.last = id
  })
  response.on('error', () => undefined)
  request.on('error', () => undefined)
  response.setHeader('x-soak-id', id)

  const spoils = mood === 'bad' && dice.percent(SPOILT)
  if (spoils && dice.percent(40)) {
    setTimeout(() => spoil(socket, dice.percent(50)), dice.between(0, 5))
    return
  }
  if (spoils && dice.percent(50)) {
    setTimeout(() => spoil(socket, dice.percent(50)), dice.between(0, 20))
  } else if (spoils && !untilClose) {
    // Answers, and closes without having said so: whatever is sent behind this exchange is lost.
    response.on('finish', () => {
      deeds.push({ kind: 'closed-idle', at: Date.now() })
      socket.end()
    })
  }
  const act = ACTS[url.pathname.split('/')[1] ?? '']
  if (act === undefined) response.writeHead(404).end()
  else Promise.resolve(act(request, response, id, url.searchParams)).catch(() => undefined) // the connection ended
}

type Act = (
  request: IncomingMessage,
  response: ServerResponse,
  id: number,
  query: URLSearchParams,
) => void | Promise<void>

const ACTS: Readonly<Record<string, Act>> = {
  /** Sends octets; how many, and how they are framed, is in the query. */
  down: async (request, response, id, query) => {
    request.resume()
    const octets = Number(query.get('octets'))
    if (query.get('framing') === 'length') response.setHeader('content-length', octets)
    if (query.get('framing') === 'close') {
      response.shouldKeepAlive = false
      response.useChunkedEncodingByDefault = false
    }
    if (request.method !== 'HEAD') await sendBody(response, id, octets)
    response.end()
  },
  /** Reads octets, and says how many and whether they were right. */
  up: async (request, response, id) => {
    const check = new BodyCheck(id)
    for await (const piece of request.iterator({ destroyOnReturn: false })) check.add(piece as Buffer)
    if (check.wrongAt !== -1) tally.wrongBodies++
    const text = `${check.octets} ${check.wrongAt === -1 ? 'right' : `wrong at ${check.wrongAt}`}`
    response.setHeader('content-length', text.length)
    response.end(text)
  },
  /** Reads, and answers in the end. */
  sink: (request, response) => {
    request.resume()
    request.on('end', () => response.end('read'))
  },
  /** Sends back what it reads, as it comes. */
  echo: (request, response) => {
    const { 'content-length': length } = request.headers
    if (length !== undefined) response.setHeader('content-length', length)
    request.pipe(response)
  },
  /** Answers before it has read the request, and reads the rest of it. */
  early: (request, response) => {
    response.setHeader('content-length', 5)
    response.end('early')
    request.resume()
  },
  /** Events, each in a piece of its own, some time after the one before. */
  events: async (request, response, id, query) => {
    request.resume()
    response.setHeader('content-type', 'text/event-stream')
    for (let event = 0; event < Number(query.get('events')) && !response.closed; event++) {
      response.write(`id: ${id}\ndata: ${event}\n\n`)
      await new Promise((resolve) => setTimeout(resolve, dice.between(1, 30)))
    }
    response.end()
  },
}

async function sendBody(response: ServerResponse, id: number, octets: number): Promise<void> {
  for (let sent = 0; sent < octets && !response.closed; ) {
    const piece = bodyPiece(id, sent, Math.min(octets - sent, dice.between(1, 65_521)))
    sent += piece.length
    if (response.write(piece)) continue
    await new Promise<void>((resolve) => {
      const go = () => {
        response.off('drain', go).off('close', go)
        resolve()
      }
      response.on('drain', go).on('close', go)
    })
  }
}

server.on('request', answer)
server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
  response.writeContinue()
  answer(request, response)
})

/** Another protocol: whatever comes goes back. */
server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
  const id = arrive(request)
  connections.get(socket)?.exchanges.add(id)
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-Soak-Id: ${id}\r\n\r\n`,
  )
  if (mood === 'bad' && dice.percent(SPOILT)) setTimeout(() => spoil(socket, true), dice.between(0, 50))
  socket.write(head)
  socket.pipe(socket)
})

// ── moods ─────────────────────────────────────────────────────────────────────────────────────────────────────

function goDown(): void {
  server.close()
  let idle = 0
  for (const [socket, { exchanges }] of connections) {
    if (exchanges.size === 0) idle++
    // By RST where an answer may be under way that has no length; else by whatever the kernel makes of it.
    if (exchanges.size > 0 || dice.percent(50)) socket.resetAndDestroy()
    else socket.destroy()
  }
  deeds.push({ kind: 'down', at: Date.now(), idle })
}

function listen(then: () => void): void {
  server.listen(port, '127.0.0.1', then)
}

function change(to: Mood): void {
  if (mood === 'down' && to !== 'down') listen(() => deeds.push({ kind: 'up', at: Date.now() }))
  if (mood !== 'down' && to === 'down') goDown()
  mood = to
}

/** Closes some connections that are between two exchanges, as servers do when they think them old. */
setInterval(() => {
  if (mood !== 'bad') return
  const isOld = ({ exchanges, last }: Connection) => last !== undefined && exchanges.size === 0
  const idle = [...connections].filter(([, connection]) => isOld(connection))
  for (let closing = dice.between(0, 2); closing > 0 && idle.length > 0; closing--) {
    const [[socket]] = idle.splice(dice.between(0, idle.length - 1), 1) as [[Socket, Connection]]
    spoil(socket, dice.percent(30))
  }
}, CLOSES_EVERY)

setInterval(() => {
  seenBefore = seen
  seen = new Set()
}, 60_000)

setInterval(reportDeeds, 250)

function reportDeeds(): void {
  if (deeds.length > 0) send({ type: 'deeds', deeds: deeds.splice(0) })
}

process.on('message', (order: Order) => {
  if (order.type === 'mood') change(order.mood)
  else {
    reportDeeds()
    send({ type: 'tally', tally: tally satisfies Tally })
  }
})
process.on('disconnect', () => process.exit())

listen(() => send({ type: 'listening', port }))
