// Stands that end with the test that started them, whatever became of it: uvu runs all files in one process.

import type { Test } from 'uvu'
import type { GatewayConfig } from '../../src/http/gateway.ts'
import { type Stand, startStand } from './proxy.ts'
import { Wire, type WireMessage } from './wire.ts'

/** Starts a stand that is closed after the test; `env`, `gateway` and `middleware` as for {@link startStand}. */
export type Start = (
  env?: Record<string, string>,
  gateway?: Partial<GatewayConfig>,
  middleware?: Parameters<typeof startStand>[3],
) => Promise<Stand>

/**
 * Gives the tests of a suite their stands.
 *
 * @param common settings that all of them have
 */
export function standsOf(test: Test, common: Record<string, string> = {}): Start {
  const open: Stand[] = []
  test.after.each(async () => {
    for (const stand of open.splice(0)) await stand.close()
  })
  return async (env = {}, gateway = {}, middleware = {}) => {
    const stand = await startStand({ ...common, ...env }, undefined, gateway, middleware)
    open.push(stand)
    return stand
  }
}

/** Both ends of one exchange, seen from the wire. */
export interface Seen {
  readonly client: Wire
  readonly upstream: Wire
  /** what the upstream received */
  readonly forwarded: WireMessage
  /** what the client received */
  readonly response: WireMessage
}

/** One exchange on new connections: sends `request`, answers it with `answer`, takes the response. */
export async function exchange(
  stand: Stand,
  request: string | Buffer,
  answer: string | Buffer,
): Promise<Seen> {
  const client = await stand.client()
  client.send(request)
  const upstream = await stand.upstream.accept()
  const forwarded = await upstream.message()
  upstream.send(answer)
  const response = await client.message()
  return { client, upstream, forwarded, response }
}

/** A request that has reached the upstream, and waits there for its response. */
export interface Hanging {
  readonly client: Wire
  readonly upstream: Wire
}

/**
 * Answers clients that read nothing, so that for some of them the exchange is over while its last octets still wait in
 * the process: with bodies of about the size that signet takes in before it has to pause.
 *
 * @param open a new client whose request hangs
 * @param port where /status is
 * @returns the clients and the sizes of their bodies
 */
export async function answerToDeafClients(open: () => Promise<Hanging>, port: number) {
  const first = await open()
  const before = await octetsFromUpstream(port)
  first.client.socket.pause()
  first.upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${ENDLESS}\r\n\r\n`).send(Buffer.alloc(ENDLESS))
  let taken = 0
  for (let last = -1; taken !== last; ) {
    last = taken
    await new Promise((resolve) => setTimeout(resolve, 100))
    taken = (await octetsFromUpstream(port)) - before
  }
  first.client.reset()

  const deaf: (Hanging & { readonly size: number })[] = []
  for (let less = 0; less < 16; less++) deaf.push({ ...(await open()), size: taken - less * 32 * 1024 })
  for (const { client, upstream, size } of deaf) {
    client.socket.pause()
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`).send(Buffer.alloc(size))
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  return deaf
}

const ENDLESS = 40_000_000

async function octetsFromUpstream(port: number): Promise<number> {
  const wire = await Wire.connect(port)
  wire.send('GET /status HTTP/1.1\r\nHost: a.test\r\n\r\n')
  const { body } = await wire.message()
  wire.destroy()
  return (JSON.parse(body.toString()) as { upstream: { octetsReceived: number } }).upstream.octetsReceived
}
