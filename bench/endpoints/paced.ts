// A load that sends at a steady rate, however fast it is answered: what latency is at half of what a proxy can do.
// In: a LoadSpec with a rate, as JSON. Out: one line of JSON.
//
// autocannon spends each second's requests at once and then waits for the next, which measures bursts. Here a request is
// due every 1/rate seconds. One that finds every connection busy waits, and its wait counts as latency: a proxy that
// stalls is not spared the requests it held up (coordinated omission).

import { connect, type Socket } from 'node:net'
import type { LoadSpec } from '../support/load.ts'
import { octetsOf, report } from './raw-request.ts'

const { port, connections, seconds, rate, request } = JSON.parse(process.argv[2]!) as LoadSpec & {
  rate: number
}
/** ms without a due request before the clock is looked at again, when no answer does it sooner. */
const TICK = 1
/** Requests of the first moments, until all connections are open and warm, are not counted. */
const SKIPPED_MS = 200
/** ms that the last answers have. */
const LAST_ANSWERS = 2000

const octets = octetsOf(request, port)
const lastOctet = Buffer.from(request.answer).at(-1)

interface Client {
  readonly socket: Socket
  /** when its request was due, in ms */
  due: number
}

const idle: Client[] = []
/** Times at which requests were due that found no connection. */
const waiting: number[] = []
const latencies: number[] = []
let sent = 0
let failed = 0

function open(): Promise<Client> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    const client: Client = { socket, due: 0 }
    socket.once('connect', () => resolve(client))
    socket.on('error', () => failed++)
    socket.on('close', () => {
      const at = idle.indexOf(client)
      if (at !== -1) idle.splice(at, 1)
    })
    socket.on('data', (piece) => {
      if (piece.at(-1) !== lastOctet) return // the answer goes on
      const now = performance.now()
      if (client.due - started > SKIPPED_MS) latencies.push((now - client.due) * 1000)
      const next = waiting.shift()
      if (next === undefined) idle.push(client)
      else send(client, next)
      sendDue(now)
    })
  })
}

function send(client: Client, due: number): void {
  client.due = due
  client.socket.write(octets)
}

/**
 * Sends what has become due. Latency counts from here, not from the very moment it became due: that this process can
 * be up to a tick late is not the proxy's doing.
 */
function sendDue(now: number): void {
  const target = Math.min(((now - started) / 1000) * rate, rate * seconds)
  for (; sent < target; sent++) {
    const client = idle.shift()
    if (client === undefined) waiting.push(now)
    else send(client, now)
  }
}

let started = performance.now()
for (let client = 0; client < connections; client++) idle.push(await open())
started = performance.now()
const timer = setInterval(() => {
  const now = performance.now()
  sendDue(now)
  const elapsed = now - started
  const complete = sent >= rate * seconds && idle.length === connections
  if (!complete && elapsed < seconds * 1000 + LAST_ANSWERS) return
  clearInterval(timer)
  const unanswered = connections - idle.length + waiting.length
  const requests = sent - unanswered
  report(latencies, { requests, perSecond: requests / seconds, failed: failed + unanswered })
  process.exit(0)
}, TICK)
