// Many keep-alive connections that have made one request each and then say nothing: for bench/idle.
// In: port, how many. Out: a line on stdout when all are open; they stay until the process is ended.

import { connect } from 'node:net'

const [port, count] = process.argv.slice(2).map(Number) as [number, number]
const REQUEST = 'POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: 2\r\n\r\n{}'
/** How many are being opened at a time: the upstream's connections should not be what is measured. */
const AT_A_TIME = 16

let opened = 0
let answered = 0

function openNext(): void {
  if (opened++ >= count) return
  const socket = connect({ host: '127.0.0.1', port }, () => socket.write(REQUEST))
  socket.once('data', () => {
    answered++
    if (answered === count) console.log('all open')
    openNext()
  })
  socket.once('close', () => process.exit(1)) // then the figure would be wrong
}

for (let connection = 0; connection < AT_A_TIME; connection++) openNext()
