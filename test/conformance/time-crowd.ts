// A crowd of clients as a process of its own, so that it costs the good client it stands beside nothing but signet's
// time. In: argv: port, idle clients, slow clients. Out: 'here' to its parent when all have come. Ends with its parent.

import { connect, type Socket } from 'node:net'

/** Connections being made at a time: more would overflow the listener's backlog. */
const AT_ONCE = 100
/** ms between two octets of a slow client. */
const PACE = 100

const [port, idle, slow] = process.argv.slice(2).map(Number) as [number, number, number]

process.on('disconnect', () => process.exit())

/** A client that has had one answer and says nothing more, on a connection that stays. */
function beIdle(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /idle HTTP/1.1\r\nHost: a\r\n\r\n'))
    socket.once('data', () => resolve(socket))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('signet closed an idle client')))
  })
}

/** A client that sends a head without an end, or a body that takes for ever, octet by octet. */
function beSlow(at: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const begin = at % 2 === 0 ? 'GET /' : 'POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n'
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(begin)
      setInterval(() => socket.write('x'), PACE)
      resolve(socket)
    })
    socket.on('error', reject)
  })
}

const sockets: Socket[] = []
const come = async (count: number, one: (at: number) => Promise<Socket>) => {
  for (let at = 0; at < count; at += AT_ONCE) {
    const more = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, offset) => one(at + offset))
    sockets.push(...(await Promise.all(more)))
  }
}

await come(idle, beIdle)
await come(slow, beSlow)
process.send?.('here')
