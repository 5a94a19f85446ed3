// A Redis of a test's own: a real redis-server on a free port, with nothing on disk.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { PATIENCE, within } from './wire.ts'

/** Whether there is a redis-server on this machine, or has to be: REDIS_REQUIRED, in CI, lets no test be skipped. */
export function hasRedis(): boolean {
  return (
    process.env.REDIS_REQUIRED === '1' ||
    spawnSync('redis-server', ['--version'], { timeout: PATIENCE }).status === 0
  )
}

/** A port where nobody listens at present. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A running redis-server. */
export class RedisServer {
  readonly port: number
  readonly #child: ChildProcess

  private constructor(port: number, child: ChildProcess) {
    this.port = port
    this.#child = child
  }

  /**
   * Starts it.
   *
   * @param settings further arguments, such as `--requirepass`
   */
  static async start(port: number, settings: readonly string[] = []): Promise<RedisServer> {
    const child = spawn(
      'redis-server',
      ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...settings],
      { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let printed = ''
    const ready = new Promise<void>((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text
        if (printed.includes('Ready to accept connections')) resolve()
      })
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`redis-server ended: ${printed}`)))
    })
    await within(ready, () => `redis-server; it printed ${printed}`)
    return new RedisServer(port, child)
  }

  /** Stops it in the middle of whatever it does; its connections stay. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  /** Goes on. */
  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends it, and all it has kept. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await within(exit, 'the end of redis-server')
  }
}
