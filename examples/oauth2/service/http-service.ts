// HTTP for a small service, by node:http: limits, deadlines, the request id, one log line per request, the end. In: a
// function from request to answer, which knows nothing of sockets. Out: something that listens and can be closed.

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { compileCheck } from './check.ts'

/** Where events go: pino, or what a test collects. */
export interface EventLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** A request whose head is there. */
export interface ServiceRequest {
  readonly method: string
  /** of the request-target, as sent */
  readonly path: string
  /** without the question mark; empty when there is none */
  readonly query: string
  /** Values of a field, one for each of its lines. @param name lower-case */
  field(name: string): readonly string[]
  /** The whole body as UTF-8. @throws {RequestError} 413 or 400 when it is too long or not UTF-8 */
  body(): Promise<string>
}

/** What is answered. */
export interface ServiceAnswer {
  readonly status: number
  readonly fields?: Readonly<Record<string, string>>
  /** sent as JSON; no body when absent */
  readonly json?: object
  /** facts for the log line, never secrets, codes or tokens */
  readonly log?: object
}

/** A request that is refused before anybody has looked at what it wants. */
export class RequestError extends Error {
  readonly status: 400 | 413

  constructor(status: 400 | 413, message: string) {
    super(message)
    this.name = 'RequestError'
    this.status = status
  }
}

/** What a service needs from outside. */
export interface HttpServiceOptions {
  readonly handle: (request: ServiceRequest) => Promise<ServiceAnswer> | ServiceAnswer
  readonly log: EventLog
}

/** A service that listens and can be closed. */
export interface HttpService {
  /** Begins to accept on `port` (0: any free one); rejects with the system's error. */
  listen(port: number, host: string): Promise<AddressInfo>
  /** Accepts no more, lets requests end for a quarter of a second, then cuts them off. */
  close(): Promise<void>
}

/** Octets of a body: no parameter of these services comes near it. */
const MAX_BODY = 8192
const MAX_CONNECTIONS = 4096
/** ms for what is under way when a service is closed: it has to be gone within a second. */
const GRACE = 250

const SERVER_OPTIONS = {
  maxHeaderSize: 16_384, // octets
  headersTimeout: 5_000, // ms for a head
  requestTimeout: 10_000, // ms for a whole request; what is left of a body that was refused is read and dropped until then
  connectionsCheckingInterval: 1_000, // ms between two looks at the deadlines
  keepAliveTimeout: 65_000, // ms; above that of usual pools: the side that reuses should be the one to close
}
/** ms in which a socket has to move: a client that does not read its answer. */
const IDLE_TIMEOUT = 70_000

/** What came from whoever called before, and goes into the log: one call can be followed by one grep. */
const CHECK_REQUEST_ID = compileCheck<string>({ type: 'string', pattern: '^[\\w.:@/+=-]{1,128}$' })
/** W3C Trace Context §3.2, whatever its version. */
const CHECK_TRACEPARENT = compileCheck<string>({
  type: 'string',
  pattern: '^(?!ff)[\\da-f]{2}-(?!0{32})[\\da-f]{32}-(?!0{16})[\\da-f]{16}-[\\da-f]{2}$',
})

/** Prepares a service; nothing is opened before `listen`. */
export function createHttpService({ handle, log }: HttpServiceOptions): HttpService {
  let closing = false

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now()
    const traceparent = only(CHECK_TRACEPARENT, message, 'traceparent')
    // That of the trace where nobody has given one: the same for all who are asked during one call.
    const id = only(CHECK_REQUEST_ID, message, 'x-request-id') ?? traceparent?.split('-')[1] ?? randomUUID()
    const request = requestOf(message)
    const { status, fields, json, log: facts } = await outcomeOf(request, id)
    response.once('close', () => {
      const ms = Math.round((performance.now() - started) * 1000) / 1000
      const cut = response.writableFinished ? {} : { cutShort: true }
      const { method, path } = request
      log.info({ event: 'request', id, traceparent, method, path, status, ms, ...cut, ...facts }, 'request')
    })
    const body = json === undefined ? '' : JSON.stringify(json)
    response.writeHead(status, {
      'x-request-id': id,
      'cache-control': 'no-store',
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      'content-length': Buffer.byteLength(body),
      ...fields,
      ...(closing ? { connection: 'close' } : {}),
    })
    response.end(body)
  }

  /** Whatever goes wrong is an answer too. */
  async function outcomeOf(request: ServiceRequest, id: string): Promise<ServiceAnswer> {
    try {
      return await handle(request)
    } catch (error) {
      if (error instanceof RequestError) {
        const { status, message } = error
        return { status, json: { error: 'invalid_request', error_description: message } }
      }
      const { message, stack } = error instanceof Error ? error : new Error(String(error))
      log.error({ event: 'fault', id, reason: message, stack }, 'a fault of the service itself')
      return { status: 500, json: { error: 'server_error' } }
    }
  }

  const server = createServer(SERVER_OPTIONS, (message, response) => {
    // A client that went away ends its own request and nothing else.
    response.on('error', () => response.destroy())
    answer(message, response).catch(() => response.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  server.timeout = IDLE_TIMEOUT

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.removeListener('error', reject)
          resolve(server.address() as AddressInfo) // a string only for pipes, null only when not listening
        })
      }),
    close: () =>
      new Promise((resolve) => {
        closing = true
        const cutOff = setTimeout(() => server.closeAllConnections(), GRACE)
        server.close(() => {
          clearTimeout(cutOff)
          resolve()
        })
        server.closeIdleConnections()
      }),
  }
}

function requestOf(message: IncomingMessage): ServiceRequest {
  const [path = '', ...rest] = (message.url ?? '').split('?')
  return {
    method: message.method ?? '',
    path,
    query: rest.join('?'),
    field: (name) => message.headersDistinct[name] ?? [],
    body: () => readBody(message),
  }
}

async function readBody(message: IncomingMessage): Promise<string> {
  const tooLong = () => new RequestError(413, `the body is longer than ${MAX_BODY} octets`)
  // The answer does not wait for the rest, which node:http reads and drops.
  if (Number(message.headers['content-length'] ?? 0) > MAX_BODY) throw tooLong()
  const pieces: Buffer[] = []
  let length = 0
  const body = await new Promise<Buffer>((resolve, reject) => {
    message.on('data', (piece: Buffer) => {
      length += piece.length
      if (length > MAX_BODY) reject(tooLong())
      else pieces.push(piece)
    })
    message.once('end', () => resolve(Buffer.concat(pieces)))
    message.once('close', () => reject(new RequestError(400, 'the body was cut short')))
    message.once('error', () => reject(new RequestError(400, 'the body was cut short')))
  })
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new RequestError(400, 'the body is not UTF-8')
  }
}

/** The one value of a field, if it is as it should be. */
function only(
  check: ReturnType<typeof compileCheck<string>>,
  message: IncomingMessage,
  name: string,
): string | undefined {
  const checked = check(message.headersDistinct[name]?.join())
  return checked.ok ? checked.value : undefined
}
