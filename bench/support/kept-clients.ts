// Clients over kept connections that make an exact number of requests, in this process: for what is counted per exchange
// and not per second.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { octetsOf } from '../endpoints/raw-request.ts'
import type { RequestSpec } from '../endpoints/requests.ts'

/** ms for one lot of requests. */
const DEADLINE = 60_000

/** Connections to one port that send one request again and again. */
export class KeptClients {
  readonly #sockets: readonly Socket[]
  readonly #octets: Buffer
  readonly #answer: string

  private constructor(sockets: readonly Socket[], octets: Buffer, answer: string) {
    this.#sockets = sockets
    this.#octets = octets
    this.#answer = answer
  }

  /** Opens the connections. */
  static async open(port: number, connections: number, request: RequestSpec): Promise<KeptClients> {
    const sockets = Array.from({ length: connections }, () =>
      connect({ host: '127.0.0.1', port, noDelay: true }),
    )
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    return new KeptClients(sockets, octetsOf(request, port), request.answer)
  }

  /** Makes so many requests, as fast as they are answered. @throws when an answer is wrong, missing or late */
  async exchange(requests: number): Promise<void> {
    let toSend = requests
    const client = (socket: Socket) =>
      new Promise<void>((resolve, reject) => {
        let answer = ''
        const leave = (error?: Error) => {
          clearTimeout(late)
          socket.off('data', read).off('close', gone).off('error', leave)
          if (error === undefined) resolve()
          else reject(error)
        }
        const late = setTimeout(() => leave(new Error('an answer took too long')), DEADLINE)
        const gone = () => leave(new Error('the connection was closed'))
        const next = () => {
          answer = ''
          if (toSend-- > 0) socket.write(this.#octets)
          else leave()
        }
        const read = (piece: Buffer) => {
          answer += piece.toString('latin1')
          if (!answer.endsWith(this.#answer)) return // it goes on
          if (answer.startsWith('HTTP/1.1 200 ')) next()
          else leave(new Error(`it was answered ${answer.slice(0, 200)}`))
        }
        socket.on('data', read).on('close', gone).on('error', leave)
        next()
      })
    await Promise.all(this.#sockets.map(client))
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
