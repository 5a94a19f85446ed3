// The bad clients of the soak: broken, hostile or impatient ones. Nobody checks what they get, but for one thing: what is
// no request must not be answered as one. Each leaves by itself, and what it leaves behind must not hurt the others.

import { connect, type Socket } from 'node:net'
import type { ClientContext } from './good-clients.ts'

/** A kind of bad client. */
export interface BadClient {
  readonly kind: string
  readonly weight: number
  readonly run: (context: ClientContext) => Promise<void>
}

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** A connection that swallows its own errors, and keeps the first line of what it is answered. */
class BadConnection {
  readonly socket: Socket
  firstLine = ''
  readonly closed: Promise<void>

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    this.socket.on('error', () => undefined)
    this.socket.on('data', (piece: Buffer) => {
      if (!this.firstLine.includes('\r\n')) this.firstLine += piece.toString('latin1', 0, 40)
    })
    this.socket.on('end', () => this.socket.end())
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
  }

  /** Waits until the connection has closed, or `ms` have gone by; then leaves. */
  async leave(ms: number, how: 'destroy' | 'resetAndDestroy' = 'destroy'): Promise<void> {
    await Promise.race([this.closed, later(ms)])
    this.socket[how]()
  }
}

const post = (length: number, target = '/sink') =>
  `POST ${target} HTTP/1.1\r\nHost: soak\r\nContent-Length: ${length}\r\n\r\n`
const CHUNKED = 'POST /sink HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n\r\n'
const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: soak\r\n\r\n`

/** Octets that are no request, or not a whole one; sent, they must not be answered with success. */
const GARBAGE: readonly ((context: ClientContext) => string | Buffer)[] = [
  ({ dice }) => Buffer.from(Array.from({ length: dice.between(1, 3000) }, () => dice.between(0, 255))),
  () => '\r\n\r\n\r\n\r\n',
  () => 'GET / HTTP/9.9\r\n\r\n',
  () => 'GET / HTTP/1.1\r\n\r\n',
  () => 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  () => 'GET / HTTP/1.1\nHost: a\n\n',
  () => `GET /${'x'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  () => `GET / HTTP/1.1\r\nHost: a\r\n${'X-A: b\r\n'.repeat(5000)}\r\n`,
  () => 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc',
  () => 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\nabc',
  () => `${CHUNKED}zz\r\n`,
  () => `${CHUNKED}3\r\nabcd\r\n`,
  () => `${CHUNKED}fffffffffffffff\r\n`,
  () => `${CHUNKED}1;${'x'.repeat(10_000)}\r\n`,
  () => `${CHUNKED}0\r\nX-My-Jwt : forged\r\n\r\n`,
]

/** Every kind. @param onFalseSuccess told when what is no request was answered as if it were one */
export function badClients(onFalseSuccess: (line: string) => void): readonly BadClient[] {
  return [
    {
      kind: 'garbage',
      weight: 30,
      run: async (context) => {
        const client = new BadConnection(context.port)
        client.socket.write(context.dice.of(GARBAGE)(context))
        await client.leave(300)
        if (client.firstLine.startsWith('HTTP/1.1 2')) onFalseSuccess(client.firstLine)
      },
    },
    {
      kind: 'abort within a head',
      weight: 8,
      run: async ({ port, dice }) => {
        const client = new BadConnection(port)
        client.socket.write(get('/down').slice(0, dice.between(0, 30)))
        await client.leave(dice.between(0, 50), dice.of(['destroy', 'resetAndDestroy']))
      },
    },
    {
      kind: 'abort within a body',
      weight: 8,
      run: async ({ port, dice }) => {
        const client = new BadConnection(port)
        if (dice.percent(50)) client.socket.write(post(1_000_000) + 'x'.repeat(dice.between(0, 100_000)))
        else client.socket.write(`${CHUNKED}ffff\r\n${'x'.repeat(dice.between(0, 65_535))}`)
        await client.leave(dice.between(0, 50), dice.of(['destroy', 'resetAndDestroy']))
      },
    },
    {
      kind: 'abort within a response',
      weight: 12,
      run: async ({ port, dice }) => {
        const client = new BadConnection(port)
        client.socket.write(
          get(`/down?octets=${dice.between(0, 5_000_000)}&framing=${dice.of(['length', 'chunked'])}`),
        )
        await client.leave(dice.between(0, 50), dice.of(['destroy', 'resetAndDestroy']))
      },
    },
    {
      kind: 'abort within pipelined requests',
      weight: 6,
      run: async ({ port, dice }) => {
        const client = new BadConnection(port)
        client.socket.write(
          `${get('/down?octets=100&framing=chunked')}${post(3)}abc`.repeat(dice.between(1, 30)),
        )
        await client.leave(dice.between(0, 30), dice.of(['destroy', 'resetAndDestroy']))
      },
    },
    {
      kind: 'half-close within a body',
      weight: 5,
      run: async ({ port, dice }) => {
        const client = new BadConnection(port)
        client.socket.end(post(1000) + 'x'.repeat(dice.between(0, 999)))
        await client.leave(1000)
      },
    },
    {
      kind: 'half-close and gone',
      weight: 5,
      run: async ({ port, dice }) => {
        const client = new BadConnection(port)
        client.socket.end(get('/events?events=100'))
        await client.leave(dice.between(0, 100))
      },
    },
    {
      kind: 'slowloris',
      weight: 6,
      run: async (context) => {
        const client = new BadConnection(context.port)
        const begin = context.dice.of(['GET /x', post(100_000), `${CHUNKED}fff\r\n`])
        client.socket.write(begin)
        for (let octet = 0; octet < 50 && !client.socket.destroyed && !context.stopping(); octet++) {
          await later(100)
          if (client.socket.writable) client.socket.write('x')
        }
        await client.leave(0)
      },
    },
    {
      kind: 'never reads',
      weight: 4,
      run: async (context) => {
        const client = new BadConnection(context.port)
        client.socket.pause()
        client.socket.write(get(`/down?octets=${20 * 1024 * 1024}&framing=length`))
        for (let waited = 0; waited < 4000 && !context.stopping(); waited += 100) await later(100)
        await client.leave(0, 'resetAndDestroy')
      },
    },
    {
      kind: 'never reads what it pipelines',
      weight: 3,
      run: async (context) => {
        const client = new BadConnection(context.port)
        client.socket.pause()
        client.socket.write(get('/down?octets=20000&framing=length').repeat(500))
        for (let waited = 0; waited < 2000 && !context.stopping(); waited += 100) await later(100)
        await client.leave(0, 'resetAndDestroy')
      },
    },
    {
      kind: 'says nothing',
      weight: 4,
      run: async ({ port, dice }) => {
        await new BadConnection(port).leave(dice.between(0, 1000))
      },
    },
    {
      kind: 'forges a token',
      weight: 6,
      run: async ({ port, dice }) => {
        const client = new BadConnection(port)
        const name = dice.of(['X-My-Jwt', 'x-my-jwt', 'X_My_Jwt', 'X-MY-JWT', 'X.My.Jwt'])
        client.socket.write(
          get('/down?octets=1&framing=length').replace(
            '\r\n\r\n',
            `\r\n${name}: forged\r\nConnection: ${name}\r\n\r\n`,
          ),
        )
        await client.leave(200)
      },
    },
    {
      kind: 'a tunnel that is torn',
      weight: 4,
      run: async ({ port, dice }) => {
        const client = new BadConnection(port)
        const fields = '\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'
        client.socket.write(get('/tunnel').replace('\r\n\r\n', fields))
        await later(dice.between(0, 50))
        if (client.socket.writable) client.socket.write('x'.repeat(dice.between(0, 200_000)))
        await client.leave(dice.between(0, 50), dice.of(['destroy', 'resetAndDestroy']))
      },
    },
  ]
}
