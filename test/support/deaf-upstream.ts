// An upstream that listens and never accepts: its backlog is full, so that connecting to it takes for ever.

import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { within } from './wire.ts'

export interface DeafUpstream {
  readonly port: number
  close(): void
}

/** Listens in a process of its own, whose event loop then stands still. */
const SCRIPT = `
  const server = require('node:net').createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, server.address().port + '\\n')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
  })`

/** Starts one, and fills its backlog. */
export async function listenDeaf(): Promise<DeafUpstream> {
  const child = spawn(process.execPath, ['-e', SCRIPT], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = Number(await within(new Promise((resolve) => child.stdout.once('data', resolve)), 'the port'))
  const fillers: Socket[] = []
  for (let connected = true; connected; ) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    fillers.push(socket)
    connected = await Promise.race([
      new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true))),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 200)),
    ])
  }
  return {
    port,
    close() {
      for (const socket of fillers) socket.destroy()
      child.kill('SIGKILL')
    },
  }
}
