// The echo upstream: answers every request with what was received, as JSON, streamed; `signet echo`, and the
// built-in upstream of signet. A development tool, hence node:http. In: requests. Out: the same, to be read.

import type { EventEmitter } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { StringDecoder } from 'node:string_decoder'
import { parseArgs } from 'node:util'
import { messageOf } from '../errors.ts'
import type { Verification } from '../jwt/verify.ts'
import { serveWebSocket } from './echo-websocket.ts'

/** Checks a compact JWT: signature and claims. Resolves for bad tokens too; rejects when it cannot check. */
export type Verify = (jwt: string) => Promise<Verification>

/** Where a command prints: `process.stdout` and `process.stderr`, or what a test collects. */
export interface Output {
  write(text: string): unknown
}

/** What an echo needs from outside. */
export interface EchoOptions {
  readonly verify: Verify
  /** The field that carries the token; any case. */
  readonly jwtHeader: string
  /** Takes one line per exchange, without a line end; nothing from the token but whether it was good. */
  readonly log?: (line: string) => void
}

/** A running echo upstream. */
export interface Echo {
  /** Begins to accept on `port` (0: any free one); rejects with the system's error, e.g. `EADDRINUSE`. */
  listen(port: number, host: string): Promise<AddressInfo>
  /** Accepts no more, lets exchanges finish for `grace` milliseconds (fallback 0), then cuts them off. */
  close(grace?: number): Promise<void>
}

/** The `token` member of the echo. */
type TokenReport =
  | { readonly present: false; readonly verified: false; readonly reason: string }
  | { readonly present: true; readonly verified: false; readonly reason: string }
  | { readonly present: true; readonly verified: true; readonly claims: object }

const SSE_EVENTS = 5
const SSE_INTERVAL = 200 // milliseconds

const SERVER_OPTIONS = {
  maxHeaderSize: 1_048_576, // octets; above any limit signet can be given, so that signet's own decides
  keepAliveTimeout: 65_000, // ms; above that of usual pools: the side that reuses should be the one to close
  headersTimeout: 60_000, // ms
  requestTimeout: 0, // an upload may take its time; the idle timeout below still ends a stalled one
  // Only newer Node asks (24.9 on), and without it hands over every request with an Upgrade field: then
  // serveWebSocket refuses. To ignore the others (RFC 9110 §7.8) serves clients that offer h2c every time.
  shouldUpgradeCallback: (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === 'websocket',
}
const IDLE_TIMEOUT = 300_000 // milliseconds without an octet either way

/**
 * Prepares an echo upstream:
 * - `/health`: 200; `/sse`: five server-sent events, one per 200 ms
 * - `/echo`: the octets of the body, with the Content-Type they came with
 * - any other path: what was received, as JSON whose last members, body and trailers, follow as they arrive
 * - an upgrade to `websocket`, on any path: every frame back
 *
 * Nothing is collected: a client that does not read is not read either.
 */
export function createEcho({ verify, jwtHeader, log = () => {} }: EchoOptions): Echo {
  const tokenField = jwtHeader.toLowerCase()
  const sockets = new Set<Socket>()

  async function reportToken(request: IncomingMessage): Promise<TokenReport> {
    const tokens = pairs(request.rawHeaders).filter(([name]) => name.toLowerCase() === tokenField)
    const jwt = tokens[0]?.[1]
    if (jwt === undefined)
      return { present: false, verified: false, reason: `there is no ${tokenField} field` }
    // Whoever reads the first and whoever reads the last would see different people.
    if (tokens.length > 1) return unverified(`there are ${tokens.length} ${tokenField} fields`)
    try {
      const result = await verify(jwt)
      return result.ok ? { present: true, verified: true, claims: result.claims } : unverified(result.reason)
    } catch (error) {
      return unverified(`it could not be checked: ${messageOf(error)}`)
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request.url ?? '')
    const token = await reportToken(request)
    response.once('close', () => {
      log(lineOf(request, response.statusCode, token, response.writableFinished))
      if (closing) server.closeIdleConnections()
    })
    if (path === '/health') response.setHeader('content-type', 'text/plain').end('ok\n')
    else if (path === '/sse') sendEvents(request, response)
    else if (path === '/echo') await sendSame(request, response)
    else await sendReceived(request, response, token)
  }

  let closing = false
  const server = createServer(SERVER_OPTIONS, (request, response) => {
    // A client that went away, or sent a broken body, ends its own exchange and nothing else.
    response.on('error', () => response.destroy())
    answer(request, response).catch(() => response.destroy())
  })
  server.maxHeadersCount = 0 // no limit: an echo that leaves field lines out would hide a fault
  server.timeout = IDLE_TIMEOUT
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request, socket, head) => {
    const status = serveWebSocket(request, socket, head)
    ;(socket as Partial<Socket>).setTimeout?.(0) // the WebSocket has its own, longer deadline
    reportToken(request).then((token) => log(lineOf(request, status, token, true)))
  })

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.removeListener('error', reject)
          resolve(server.address() as AddressInfo) // a string only for pipes, null only when not listening
        })
      }),
    close: (grace = 0) =>
      new Promise((resolve) => {
        closing = true
        const cutOff = setTimeout(() => {
          for (const socket of sockets) socket.destroy() // with those of WebSockets, which the server forgets
        }, grace)
        server.close(() => {
          clearTimeout(cutOff)
          resolve()
        })
        server.closeIdleConnections()
      }),
  }
}

function unverified(reason: string): TokenReport {
  return { present: true, verified: false, reason }
}

/** `node:http`'s flat list → field lines, as received and in order. */
function pairs(flat: readonly string[]): [name: string, value: string][] {
  const lines: [string, string][] = []
  for (let at = 0; at + 1 < flat.length; at += 2) lines.push([flat[at]!, flat[at + 1]!])
  return lines
}

/** The path of a request-target in origin-form or absolute-form. */
function pathOf(target: string): string {
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
}

function lineOf(request: IncomingMessage, status: number, token: TokenReport, complete: boolean): string {
  const verdict = token.verified
    ? 'token verified'
    : `token ${token.present ? 'refused' : 'missing'}: ${token.reason}`
  return `${request.method} ${request.url} ${status} ${verdict}${complete ? '' : ' (cut short)'}`
}

function sendEvents(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  response.flushHeaders()
  let sent = 0
  const timer = setInterval(() => {
    sent += 1
    response.write(`event: tick\nid: ${sent}\ndata: {"n":${sent},"of":${SSE_EVENTS}}\n\n`)
    if (sent === SSE_EVENTS) response.end()
  }, SSE_INTERVAL)
  response.once('close', () => clearInterval(timer)) // comes after the last event too
}

async function sendSame(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('content-type', request.headers['content-type'] ?? 'application/octet-stream')
  for (const name of ['content-encoding', 'content-length']) {
    // the octets mean the same, and are as many
    const value = request.headers[name]
    if (value !== undefined) response.setHeader(name, value)
  }
  if (request.method === 'HEAD') response.end()
  else await pipeline(request, response)
}

async function sendReceived(
  request: IncomingMessage,
  response: ServerResponse,
  token: TokenReport,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  response.write(openReport(request, token)) // at once: the body may take long to arrive
  await pipeline(request, escapeBody(request), response)
}

/** The report up to and with the quotation mark that opens the body; one member per line, for a person. */
function openReport(request: IncomingMessage, token: TokenReport): string {
  const fields = pairs(request.rawHeaders).map((line) => `\n    ${JSON.stringify(line)}`)
  return `{
  "method": ${JSON.stringify(request.method)},
  "target": ${JSON.stringify(request.url)},
  "httpVersion": ${JSON.stringify(request.httpVersion)},
  "fields": [${fields.join(',')}${fields.length > 0 ? '\n  ' : ''}],
  "token": ${JSON.stringify(token, null, 2).replaceAll('\n', '\n  ')},
  "body": "`
}

/** Octets of a body → the inside of a JSON string, piece by piece; then the end of the report. */
function escapeBody(request: IncomingMessage): Transform {
  const decoder = new StringDecoder('utf8') // holds back a code point split over pieces; U+FFFD for faults
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      done(null, JSON.stringify(decoder.write(piece)).slice(1, -1))
    },
    flush(done) {
      const rest = JSON.stringify(decoder.end()).slice(1, -1)
      const trailers = pairs(request.rawTrailers)
      const last = trailers.length > 0 ? `,\n  "trailers": ${JSON.stringify(trailers)}` : ''
      done(null, `${rest}"${last}\n}\n`)
    },
  })
}

/** What `signet echo` needs from outside. */
export interface EchoCommandOptions {
  readonly verify: Verify
  readonly jwtHeader: string
  readonly stdout: Output
  readonly stderr: Output
  /** Where SIGTERM and SIGINT arrive: `process`, unless a test sends them. */
  readonly signals?: EventEmitter
}

const USAGE = `Usage: signet echo [--port N] [--host H]

An upstream to try signet with: it answers every request with what it received, and says
whether the token in it is genuine.

  --port N    port to accept on; 0 takes any free one and prints it (default: 8081)
  --host H    address to accept on (default: 127.0.0.1)
  -h, --help  this text

  POST /echo  returns the same octets     GET /sse     five server-sent events
  any other   returns a JSON report       GET /health  200
  Upgrade: websocket, on any path, returns every frame
`

/**
 * `signet echo`: serves until SIGTERM or SIGINT; exchanges then have two seconds to finish.
 *
 * @param argv arguments after `echo`
 * @returns the exit code: 0 after a signal or `--help`, 1 when it cannot listen, 2 for wrong usage
 */
export async function runEcho(argv: readonly string[], options: EchoCommandOptions): Promise<number> {
  const { verify, jwtHeader, stdout, stderr, signals = process } = options
  const wrong = (problem: string) => {
    stderr.write(`signet echo: ${problem}\n\n${USAGE}`)
    return 2
  }
  let flags: { port: string; host: string; help: boolean }
  try {
    flags = parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string', default: '8081' },
        host: { type: 'string', default: '127.0.0.1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    return wrong(messageOf(error))
  }
  if (flags.help) {
    stdout.write(USAGE)
    return 0
  }
  const port = Number(flags.port)
  if (!/^[0-9]{1,5}$/.test(flags.port) || port > 65_535)
    return wrong(`--port ${flags.port} is not a port, 0 to 65535`)

  const echo = createEcho({ verify, jwtHeader, log: (line) => stdout.write(`${line}\n`) })
  let address: AddressInfo
  try {
    address = await echo.listen(port, flags.host)
  } catch (error) {
    stderr.write(`signet echo: cannot listen on ${flags.host} port ${port}: ${whyNotListening(error)}\n`)
    return 1
  }
  // Listened for before anything is announced: whoever waits for the line may send the signal at once.
  const stopped = new Promise<void>((resolve) => {
    const stop = () => {
      for (const signal of ['SIGTERM', 'SIGINT']) signals.removeListener(signal, stop) // the next one kills
      resolve()
    }
    for (const signal of ['SIGTERM', 'SIGINT']) signals.on(signal, stop)
  })
  const authority = address.family === 'IPv6' ? `[${address.address}]` : address.address
  stdout.write(`signet echo listens on http://${authority}:${address.port}\n`)
  await stopped
  await echo.close(2000)
  return 0
}

function whyNotListening(error: unknown): string {
  switch (
    (error as NodeJS.ErrnoException).code // what listen rejects with is always a system error
  ) {
    case 'EADDRINUSE':
      return 'the port is in use already'
    case 'EACCES':
      return 'this user may not use that port'
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address'
    default:
      return messageOf(error)
  }
}
