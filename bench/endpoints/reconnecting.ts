// A load with a new connection for each request, where there is no wrk: autocannon knows no such thing that also tells
// latencies. In: a LoadSpec as JSON. Out: one line of JSON. Latency includes the handshake.

import { connect } from 'node:net'
import type { LoadSpec } from '../support/load.ts'
import { octetsOf, report } from './raw-request.ts'

const { port, connections, seconds, request } = JSON.parse(process.argv[2]!) as LoadSpec
const octets = octetsOf(request, port)

const latencies: number[] = []
const started = performance.now()
let failed = 0

/** One request on one connection, until the proxy closes it. */
function exchange(): Promise<void> {
  return new Promise((resolve) => {
    const began = performance.now()
    let answer = ''
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    socket.write(octets)
    socket.on('data', (piece) => (answer += piece.toString('latin1')))
    socket.on('error', () => undefined) // an answer that is not whole tells it
    socket.on('close', () => {
      if (answer.endsWith(request.answer)) latencies.push((performance.now() - began) * 1000)
      else failed++
      resolve()
    })
  })
}

async function client(): Promise<void> {
  while (performance.now() - started < seconds * 1000) await exchange()
}

await Promise.all(Array.from({ length: connections }, client))
const elapsed = (performance.now() - started) / 1000
report(latencies, { requests: latencies.length, perSecond: latencies.length / elapsed, failed })
