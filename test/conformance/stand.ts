// A real signet process for the conformance suite, with a secret that only this run knows, and clients that come from
// addresses of their own: so the upstream can tell whose request it sees without the request saying it.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Ended } from './strict-response.ts'

/** What a client talks to: signet, or something that is to be told from it. */
export interface Target {
  readonly port: number
  /** Why it is no longer running, if it is not. */
  died(): string | undefined
  /** Ends it. @returns what went wrong meanwhile, as sentences */
  close(): Promise<string[]>
}

/** Deadlines in ms, short enough to wait for and long enough for a busy machine. */
const DEADLINES = {
  SIGNET_HEAD_TIMEOUT: '1500',
  SIGNET_KEEP_ALIVE_TIMEOUT: '2500',
  SIGNET_BODY_TIMEOUT: '1500',
  SIGNET_SEND_TIMEOUT: '2500',
  SIGNET_RESPONSE_TIMEOUT: '2500',
  SIGNET_STREAM_TIMEOUT: '2000',
  SIGNET_HALF_CLOSE_TIMEOUT: '1000',
  SIGNET_DRAIN_TIMEOUT: '300',
}

/** ms after which a client stops waiting: longer than every deadline of signet's. */
export const PATIENCE = 8000

/** The program to judge: `SIGNET_MAIN`, or `dist/main.js` beside the nearest package.json above this file. */
export function findMain(): string {
  const { SIGNET_MAIN } = process.env
  if (SIGNET_MAIN) return SIGNET_MAIN
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    if (dirname(folder) === folder) throw new Error('no package.json above this file: set SIGNET_MAIN')
    folder = dirname(folder)
  }
  const main = join(folder, 'dist', 'main.js')
  if (!existsSync(main)) throw new Error(`${main} is missing: build first, or set SIGNET_MAIN`)
  return main
}

/** Starts signet in front of an upstream on loopback. `env` goes over the short deadlines and the quiet log. */
export async function startSignet(
  upstreamPort: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Target & { readonly secret: Buffer; readonly pid: number }> {
  const secret = randomBytes(64)
  const child = spawn(process.execPath, [findMain()], {
    env: {
      PATH: process.env.PATH,
      HTTP_PORT: '0',
      HTTP_HOST: '127.0.0.1',
      SIGNET_ADMIN_PORT: '0', // /status and /metrics are paths like any other
      SIGNET_UPSTREAM: `http://127.0.0.1:${upstreamPort}`,
      SIGNET_SECRET: secret.toString('hex'),
      SIGNET_ACCESS_LOG: 'off',
      SIGNET_POOL_QUEUE: '4096',
      // The fallback must pass groups 1 to 5 as well: SIGNET_READ_PATH=events npm run conformance -- 1 2 3 4 5.
      SIGNET_READ_PATH: process.env.SIGNET_READ_PATH ?? 'shared',
      ...DEADLINES,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = collect(child)
  const port = await listeningPort(child, output)
  let ending = false
  return {
    port,
    secret,
    pid: child.pid ?? 0,
    died: () =>
      child.exitCode === null && child.signalCode === null
        ? undefined
        : `the process ended: ${child.exitCode ?? child.signalCode}; ${output.text.slice(-2000)}`,
    async close() {
      if (ending) return []
      ending = true
      const problems: string[] = []
      if (child.exitCode === null && child.signalCode === null) {
        const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
        child.kill('SIGTERM')
        const late = setTimeout(() => {
          problems.push('the process did not end by itself')
          child.kill('SIGKILL')
        }, 5000)
        await exited
        clearTimeout(late)
      }
      if (child.exitCode !== 0) problems.push(`exit code ${child.exitCode ?? child.signalCode}`)
      for (const line of output.text.split('\n')) {
        if (/"event":"crash"|"level":"?(error|fatal|50|60)"?/.test(line)) problems.push(`logged: ${line}`)
      }
      return problems
    },
  }
}

function collect(child: ChildProcess): { text: string } {
  const output = { text: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output.text += text
    })
  }
  return output
}

async function listeningPort(child: ChildProcess, output: { text: string }): Promise<number> {
  const end = performance.now() + 15_000
  for (;;) {
    const line = /^\{.*"event":"listening".*\}$/m.exec(output.text)?.[0]
    if (line !== undefined) return (JSON.parse(line) as { port: number }).port
    if (child.exitCode !== null || performance.now() > end) {
      child.kill('SIGKILL')
      throw new Error(`signet did not start: ${output.text}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Why clients cannot have addresses of their own here; undefined where they can. */
export const NO_ADDRESSES =
  process.platform === 'darwin'
    ? 'macOS has no 127.0.0.2 without an alias: run the suite on Linux'
    : undefined

/** Loopback addresses nobody has had before in this run: 127.1.0.1 and on. */
export class Addresses {
  #next = 1

  /** The next address. */
  take(): string {
    const number = this.#next++
    return `127.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
  }
}

/** One client connection, which collects what it is sent. */
export class Client {
  readonly socket: Socket
  octets = ''
  ended: Ended = 'open'
  #wake: () => void = () => {}

  private constructor(port: number, address: string, octetByOctet: boolean) {
    const take = (text: string) => {
      this.octets += text
      this.#wake()
    }
    const onread = {
      buffer: Buffer.alloc(1),
      callback: (length: number, [octet]: Uint8Array) => {
        if (length > 0) take(String.fromCharCode(octet!))
        return true
      },
    }
    const socket = connect({
      port,
      host: '127.0.0.1',
      localAddress: address,
      allowHalfOpen: true,
      noDelay: true,
      ...(octetByOctet ? { onread } : {}),
    })
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', take)
    socket.on('end', () => this.#end('fin'))
    socket.on('error', () => this.#end('reset'))
    socket.on('close', () => this.#end('fin'))
  }

  /**
   * Connects from `address`.
   *
   * @param octetByOctet where RST must be told from FIN even if it comes together with the last octets: libuv takes any
   *   end of the connection for FIN when a read before it did not fill its buffer (uv__stream_io, POLLHUP)
   */
  static async connect(port: number, address: string, octetByOctet = false): Promise<Client> {
    const client = new Client(port, address, octetByOctet)
    await new Promise<void>((resolve, reject) => {
      client.socket.once('connect', resolve)
      client.socket.once('error', reject)
    })
    return client
  }

  /** Sends octets. What the peer no longer takes is no failure of ours. */
  send(octets: string): void {
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(Buffer.from(octets, 'latin1'))
  }

  /** Waits until `condition` holds or the peer has ended the connection. @returns false when `ms` were not enough */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#wake()
    }, ms)
    while (!late && this.ended === 'open' && !condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    clearTimeout(timer)
    return !late || condition()
  }

  /** Closes the sending side. */
  end(): void {
    if (!this.socket.destroyed) this.socket.end()
  }

  #end(how: Ended): void {
    if (this.ended === 'open') {
      this.ended = how
      this.socket.end()
    }
    this.#wake()
  }
}
