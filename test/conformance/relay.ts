// Two proxies that are not safe, to prove the judge by: one copies octets, the other reads HTTP as leniently as many have.
// Each connects to the upstream from its client's own address, so that the upstream can tell whose octets it sees.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Target } from './stand.ts'

/** A relay of octets: everything passes, both ways. */
export function startRelay(upstreamPort: number): Promise<Target> {
  return listen(upstreamPort, (piece, upstream) => upstream.write(piece))
}

/**
 * A naive proxy. It takes a bare LF for a line end, the first of several Content-Length lines, Content-Length where there
 * is Transfer-Encoding too, any coding with `chunked` in it for chunked, and `parseInt` for the judge of numbers. Heads are
 * written anew, tidily, with one Content-Length; bodies pass as they came.
 */
export function startNaiveProxy(upstreamPort: number): Promise<Target> {
  const states = new WeakMap<Socket, Naive>()
  return listen(upstreamPort, (piece, upstream) => {
    const state = states.get(upstream) ?? new Naive()
    states.set(upstream, state)
    upstream.write(Buffer.from(state.take(piece.toString('latin1')), 'latin1'))
  })
}

type OnPiece = (piece: Buffer, upstream: Socket) => void

async function listen(upstreamPort: number, onPiece: OnPiece): Promise<Target> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const localAddress = client.remoteAddress ?? '127.0.0.1'
    const upstream = connect({
      port: upstreamPort,
      host: '127.0.0.1',
      localAddress,
      allowHalfOpen: true,
      noDelay: true,
    })
    client.on('data', (piece) => {
      if (upstream.writable) onPiece(piece, upstream)
    })
    upstream.on('data', (piece) => {
      if (client.writable) client.write(piece)
    })
    client.on('end', () => upstream.end())
    upstream.on('end', () => client.end())
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => sockets.delete(one))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    died: () => undefined,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      return []
    },
  }
}

/** What the naive proxy knows of one connection. */
class Naive {
  #waiting = ''
  #bodyLeft = 0
  #chunks = false

  /** Takes octets from the client. @returns what goes upstream */
  take(octets: string): string {
    this.#waiting += octets
    let out = ''
    for (;;) {
      const next = this.#bodyLeft > 0 ? this.#body() : this.#chunks ? this.#chunk() : this.#head()
      if (next === undefined) return out
      out += next
    }
  }

  #cut(end: number): string {
    const cut = this.#waiting.slice(0, end)
    this.#waiting = this.#waiting.slice(end)
    return cut
  }

  #body(): string | undefined {
    if (this.#waiting === '') return undefined
    const body = this.#cut(this.#bodyLeft)
    this.#bodyLeft -= body.length
    return body
  }

  #chunk(): string | undefined {
    const [line] = /^.*\n/.exec(this.#waiting) ?? []
    if (line === undefined) return undefined
    const size = Number.parseInt(line, 16) || 0
    if (this.#waiting.length < line.length + size + 2) return undefined
    this.#chunks = size > 0
    return this.#cut(line.length + size + 2)
  }

  #head(): string | undefined {
    const [head] = /^[\s\S]*?\r?\n\r?\n/.exec(this.#waiting.replace(/^(\r?\n)+/, '')) ?? []
    if (head === undefined) return undefined
    this.#waiting = this.#waiting.replace(/^(\r?\n)+/, '').slice(head.length)
    const [start = '', ...lines] = head.split(/\r?\n/).filter((line) => line !== '')
    const fields = lines.map(
      (line) => [line.split(':', 1)[0]?.trim() ?? '', line.slice(line.indexOf(':') + 1).trim()] as const,
    )
    const valueOf = (wanted: string) => fields.find(([name]) => name.toLowerCase() === wanted)?.[1]
    const length = valueOf('content-length')
    this.#bodyLeft = Math.max(0, Number.parseInt(length ?? '', 10) || 0)
    this.#chunks = length === undefined && /chunked/i.test(valueOf('transfer-encoding') ?? '')
    const kept = fields.filter(([name]) => name.toLowerCase() !== 'content-length')
    const framing = length === undefined ? '' : `Content-Length: ${this.#bodyLeft}\r\n`
    return `${start}\r\n${kept.map(([name, value]) => `${name}: ${value}\r\n`).join('')}${framing}\r\n`
  }
}
