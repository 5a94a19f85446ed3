// What bodies and idle connections cost in resident memory, measured on a signet in a process of its own.

import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checked, KIB, MIB, Pattern, pour } from '../support/flow.ts'
import { processesOf, type SignetProcess } from '../support/process.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { ok, RawUpstream, Wire, within } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`
const GIB = 1024 * MIB
const IDLE = 2000
/** MiB. By 'data' events every read has a buffer of its own, which waits for the collector. */
const MOST_ADDED = { shared: 32, events: 128 }
const PATIENCE = 60_000

/** Octets of resident memory of a process. */
function residentOf({ pid }: SignetProcess): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
  return Number(kib) * KIB
}

/** Sends back whatever comes, no faster than it is taken. */
function echo(wire: Wire): void {
  wire.divert((piece) => {
    if (wire.socket.write(piece)) return
    wire.socket.pause()
    wire.socket.once('drain', () => wire.socket.resume())
  })
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/memory (${readPath})`)
  const run = processesOf(test)
  let upstream: RawUpstream
  test.before.each(async () => {
    upstream = await RawUpstream.listen()
  })
  test.after.each(() => upstream.close())

  function signet(): SignetProcess {
    const env = {
      SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}`,
      SIGNET_READ_PATH: readPath,
      SIGNET_LOG_LEVEL: 'silent',
    }
    return run([], env)
  }

  const most = MOST_ADDED[readPath]
  test(`1 GiB each way at once through one connection adds less than ${most} MiB`, async () => {
    const one = signet()
    const client = await one.client()
    const body = new Pattern('memory')
    const through = async (size: number) => {
      client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${size}\r\n\r\n`)
      const wire = upstream.wires.at(-1) ?? (await upstream.accept())
      await wire.head()
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
      echo(wire)
      await client.head()
      await Promise.all([
        pour(client, body, size, { pieces: [256 * KIB], patience: PATIENCE }),
        checked(client, body, size, undefined, PATIENCE),
      ])
      wire.keep(Buffer.alloc(0))
    }
    await through(16 * MIB) // the process warms up: code, and room for short-lived objects
    const before = residentOf(one)
    let peak = 0
    const watch = setInterval(() => {
      peak = Math.max(peak, residentOf(one))
    }, 20)
    try {
      await within(through(GIB), '1 GiB each way', PATIENCE)
    } finally {
      clearInterval(watch)
    }
    const added = (peak - before) / MIB
    assert.ok(added < most, `${added.toFixed(1)} MiB`)
  })

  test(`${IDLE} idle connections add at most 9 KB each`, async () => {
    const one = signet()
    const port = await one.listening()
    upstream.serve(() => ok())
    const open = async (count: number) => {
      const clients: Wire[] = []
      while (clients.length < count) {
        const some = await Promise.all(Array.from({ length: 50 }, () => Wire.connect(port)))
        await Promise.all(some.map((client) => client.send(GET).message()))
        clients.push(...some)
      }
      return clients
    }
    // The process warms up: code, and room for short-lived objects, which soon stops growing.
    const first = await open(200)
    for (let n = 0; n < 100; n++) await Promise.all(first.map((client) => client.send(GET).message()))
    const before = residentOf(one)
    const clients = await open(IDLE)
    const each = (residentOf(one) - before) / IDLE
    for (const client of [...first, ...clients]) client.destroy()
    assert.ok(each <= 9000, `${each.toFixed(0)} octets`)
  })
  test.run()
}
