// The least that any Node relay does: one read and one write per message, through one shared buffer as in signet, one
// upstream connection for each client. Nothing is parsed and nothing signed: the floor, not a proxy.

import { connect, createServer, Socket } from 'node:net'
import { announce, upstream } from './environment.mjs'

const buffer = Buffer.alloc(64 * 1024)
const port = Number(new URL(upstream).port)

/** Socket options that pass what is read on to `other()`. */
function readInto(other) {
  function callback(length) {
    other().write(buffer.latin1Slice(0, length), 'latin1')
    return true
  }
  return { onread: { buffer, callback } }
}

const server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
  const origin = connect({ port, host: '127.0.0.1', noDelay: true, ...readInto(() => client) })
  const client = new Socket({
    handle: accepted._handle,
    readable: true,
    writable: true,
    ...readInto(() => origin),
  })
  accepted._handle = null
  for (const [one, other] of [
    [client, origin],
    [origin, client],
  ]) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroy())
  }
})
server.listen(0, '127.0.0.1', () => announce(server.address().port))
