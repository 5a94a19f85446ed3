// Asks another server by HTTP: for a key set, about a token, for a token. In: where, what, and until when. Out: the JSON of a
// 200, or the whole reply. Not on the road: Node's own client does it, over connections of its own. Redirects are not followed,
// certificates always verified.

import type { Agent, IncomingHttpHeaders, IncomingMessage, RequestOptions } from 'node:http'
import type { RemoteConfig } from '../http/authentication.ts'

/** Connections to one server, unless more are asked for. */
const MOST_CONNECTIONS = 16
/** Octets of an answer. */
const MOST_OCTETS = 256 * 1024
/** ms that an idle connection is kept: below the 5 s at which Node servers close theirs. */
const IDLE = 4000

/** Node's own, over TLS or not. */
type Client =
  | Pick<typeof import('node:http'), 'Agent' | 'request'>
  | Pick<typeof import('node:https'), 'Agent' | 'request'>

/** One question. */
export interface Question {
  readonly method: 'GET' | 'POST'
  readonly fields: Readonly<Record<string, string>>
  readonly body?: string
  /** added to that of the URL, without `?` */
  readonly query?: string
}

/** A whole reply, whatever its status. */
export interface Reply {
  readonly status: number
  readonly fields: IncomingHttpHeaders
  readonly body: Buffer
}

/** Why there is no answer: none in time, none at all, or one that is not as it has to be. */
export class AskError extends Error {
  readonly kind: 'timeout' | 'unavailable' | 'malformed'

  /** @param message for the log; nothing of what was asked or answered */
  constructor(kind: AskError['kind'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'AskError'
    this.kind = kind
  }
}

/** Asks one server. */
export class Remote {
  readonly #config: RemoteConfig
  readonly #connections: number
  #agent: Agent | undefined = undefined
  #running = 0
  #closed = false

  /** @param connections at most to this server: with more questions at once, the others wait, and their time runs */
  constructor(config: RemoteConfig, connections = MOST_CONNECTIONS) {
    this.#config = config
    this.#connections = connections
  }

  /**
   * Asks for JSON.
   *
   * @returns the JSON of its answer, not yet checked
   * @throws {AskError} no connection, no answer in time, any status but 200, too much, no JSON
   */
  ask(question: Question): Promise<unknown> {
    return this.#within(question, jsonOf)
  }

  /**
   * Asks for whatever there is.
   *
   * @throws {AskError} no connection, no answer in time, too much
   */
  exchange(question: Question): Promise<Reply> {
    return this.#within(question, replyOf)
  }

  /**
   * A connection that had been used before and is closed under the question has died of old age: then it is asked once more
   * (RFC 9112 §9.3.1), since asking changes nothing.
   */
  async #within<T>(question: Question, take: (response: IncomingMessage) => Promise<T>): Promise<T> {
    this.#running++
    let signal: AbortSignal | undefined
    try {
      // Not imported at the top: 14 MiB on Node 26, for those who need it alone.
      const client = this.#config.url.startsWith('https:')
        ? await import('node:https')
        : await import('node:http')
      signal = AbortSignal.timeout(this.#config.timeout) // for all of it, the name and the last octet included
      const send = this.#send.bind(this, client, question, signal)
      const response = (await send()) ?? (await send())
      if (response === undefined) throw new AskError('unavailable', 'it closes its connections')
      return await take(response)
    } catch (error) {
      if (signal?.aborted === true) throw new AskError('timeout', 'no answer in time', { cause: error })
      throw error instanceof AskError ? error : new AskError(kindOf(error), describe(error), { cause: error })
    } finally {
      this.#running--
      this.#closeIfDone()
    }
  }

  /** It is no longer needed: what is under way comes to its end, and then its connections are closed. */
  close(): void {
    this.#closed = true
    this.#closeIfDone()
  }

  #closeIfDone(): void {
    if (!this.#closed || this.#running > 0) return
    this.#agent?.destroy()
    this.#agent = undefined
  }

  /** @returns undefined when the connection had died of old age */
  #send(
    { Agent, request }: Client,
    { method, fields, body, query }: Question,
    signal: AbortSignal,
  ): Promise<IncomingMessage | undefined> {
    const { url, ca } = this.#config
    this.#agent ??= new Agent({ keepAlive: true, maxSockets: this.#connections, timeout: IDLE })
    const options: RequestOptions & { readonly ca?: string; readonly rejectUnauthorized: true } = {
      agent: this.#agent,
      method,
      headers: {
        Accept: 'application/json',
        'User-Agent': 'signet',
        ...fields,
        ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
      },
      signal,
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
    }
    return new Promise((resolve, reject) => {
      const asked = request(query === undefined ? url : withQuery(url, query), options, resolve)
      asked.on('error', (error) => {
        const ofAge = asked.reusedSocket && 'code' in error && error.code === 'ECONNRESET'
        if (ofAge) resolve(undefined)
        else reject(error)
      })
      // After 101, which nobody asked for, there is neither an answer nor an error (Node 20 and 26).
      asked.on('close', () => reject(new Error('closed without an answer')))
      asked.end(body)
    })
  }
}

async function jsonOf(response: IncomingMessage): Promise<unknown> {
  const { statusCode } = response
  if (statusCode !== 200) {
    response.destroy()
    throw new AskError('malformed', `status ${statusCode}, not 200`)
  }
  return parseJson(await bodyOf(response))
}

async function replyOf(response: IncomingMessage): Promise<Reply> {
  const { statusCode = 0, headers } = response
  return { status: statusCode, fields: headers, body: await bodyOf(response) }
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  let octets = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    octets += piece.length
    // Thrown in here it ends the response, too.
    if (octets > MOST_OCTETS) throw new AskError('malformed', `more than ${MOST_OCTETS} octets`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** @throws {AskError} with nothing of what could not be read */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new AskError('malformed', 'its answer is no JSON') // the reason would repeat some of it
  }
}

function withQuery(url: string, query: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${query}`
}

/** What is no HTTP is nonsense; anything else that goes wrong with a connection may be better the next time. */
function kindOf(error: unknown): AskError['kind'] {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code.startsWith('HPE_') ? 'malformed' : 'unavailable'
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === '' && 'code' in error ? String(error.code) : error.message
}
