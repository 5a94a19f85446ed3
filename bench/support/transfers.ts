// Has large bodies transferred by endpoints/transfer, in a process of its own: one connection, one after another.

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Transfer, TransferDone, TransferKind } from '../endpoints/transfer.ts'
import type { Children } from './children.ts'
import { program } from './paths.ts'

/** One connection to a proxy, for large bodies. */
export class TransferClient {
  readonly #children: Children
  readonly #client: ChildProcess
  readonly #port: number
  readonly #ended: Promise<unknown>

  constructor(children: Children, port: number) {
    this.#children = children
    this.#port = port
    const command = { name: 'the client', argv: [program('endpoints/transfer')], side: 'load' } as const
    this.#client = children.spawn(command, ['ignore', 'ignore', 'inherit', 'ipc'])
    this.#ended = once(this.#client, 'close')
  }

  /**
   * Transfers one body and checks that all of it arrived.
   *
   * @param octets a multiple of 1 MiB
   * @param deadline ms
   * @throws when it did not arrive, or not in time; the client is gone then
   */
  async transfer(kind: TransferKind, octets: number, deadline: number): Promise<TransferDone> {
    const late = setTimeout(() => this.#client.kill('SIGKILL'), deadline)
    try {
      this.#client.send({ port: this.#port, kind, octets } satisfies Transfer)
      const answer = await Promise.race([once(this.#client, 'message'), this.#ended])
      const [done] = answer as [unknown]
      if (typeof done !== 'object' || done === null) throw new Error('the client ended within a transfer')
      return done as TransferDone
    } finally {
      clearTimeout(late)
    }
  }

  /** Ends the connection. */
  close(): Promise<void> {
    return this.#children.stop(this.#client)
  }
}
