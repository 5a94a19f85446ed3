// Asks another server by HTTP, for a key set or about a token. In: where, what, and until when. Out: the JSON of a 200. Not on
// the road: Node's own client does it, over connections of its own. Redirects are not followed, certificates always verified.

import type { Agent, IncomingMessage, RequestOptions } from 'node:http'
import type { RemoteConfig } from '../http/authentication.ts'

/** Connections to one server. */
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
}

/** Asks one server. */
export class Remote {
  readonly #config: RemoteConfig
  #agent: Agent | undefined = undefined
  #running = 0
  #closed = false

  constructor(config: RemoteConfig) {
    this.#config = config
  }

  /**
   * Asks. A connection that had been used before and is closed under the question has died of old age: then it is asked once
   * more (RFC 9112 §9.3.1), since asking changes nothing.
   *
   * @returns the JSON of its answer, not yet checked
   * @throws {Error} what went wrong, for the log: no connection, no answer in time, any status but 200, too much, no JSON
   */
  async ask(question: Question): Promise<unknown> {
    this.#running++
    let signal: AbortSignal | undefined
    try {
      // Not imported at the top: 14 MiB on Node 26, for those who need it alone.
      const client = this.#config.url.startsWith('https:')
        ? await import('node:https')
        : await import('node:http')
      signal = AbortSignal.timeout(this.#config.timeout) // for all of it, the name and the last octet included
      const send = this.#send.bind(this, client, question, signal)
      return await jsonOf((await send()) ?? (await send()))
    } catch (error) {
      throw new Error(signal?.aborted === true ? 'no answer in time' : describe(error), { cause: error })
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
    { method, fields, body }: Question,
    signal: AbortSignal,
  ): Promise<IncomingMessage | undefined> {
    const { url, ca } = this.#config
    this.#agent ??= new Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS, timeout: IDLE })
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
      const asked = request(url, options, resolve)
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

async function jsonOf(response: IncomingMessage | undefined): Promise<unknown> {
  if (response === undefined) throw new Error('it closes its connections')
  const { statusCode } = response
  if (statusCode !== 200) {
    response.destroy()
    throw new Error(`status ${statusCode}, not 200`)
  }
  const pieces: Buffer[] = []
  let octets = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    octets += piece.length
    if (octets > MOST_OCTETS) throw new Error(`more than ${MOST_OCTETS} octets`) // which ends the response, too
    pieces.push(piece)
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'))
  } catch {
    throw new Error('its answer is no JSON') // the reason would repeat some of it
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === '' && 'code' in error ? String(error.code) : error.message
}
