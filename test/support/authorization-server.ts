// An authorization server in this process: it grants codes and tokens as one should, unless a test says otherwise at either of
// its endpoints. Everything it was asked is kept.

import { hash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What an endpoint does: answers, says nothing, breaks the connection, or sends octets that are no HTTP. */
export type Play =
  | { readonly status: number; readonly fields?: Record<string, string>; readonly body?: string }
  | 'never'
  | 'reset'
  | 'garbage'

/** One question that was asked. */
export interface Asked {
  readonly endpoint: 'authorize' | 'token'
  readonly parameters: URLSearchParams
  readonly authorization: string | undefined
  readonly traceparent: string | undefined
}

interface Granted {
  readonly challenge: string
  readonly scope: string
  readonly user: string
}

/** The client that it knows. */
export const CLIENT = { clientId: '1234', clientSecret: 'qw:er ty' } as const

/** Where it sends codes to: nobody is there. */
export const REDIRECT_URI = 'http://webapp.test:5003/callback'

/** Scopes that it grants. */
const SCOPES = ['current_time', 'epoch_time']

/** An authorization server on loopback. */
export class AuthorizationServer {
  readonly asked: Asked[] = []
  /** every token that was given */
  readonly tokens: string[] = []
  /** seconds that tokens are good */
  lifetime = 5
  /** what the endpoints do in place of what they should; undefined for what they should */
  onAuthorize: ((parameters: URLSearchParams) => Play | undefined) | undefined = undefined
  onToken: ((parameters: URLSearchParams) => Play | undefined | Promise<Play | undefined>) | undefined =
    undefined
  /** questions that are being answered, and the most there ever were at a time */
  running = 0
  mostRunning = 0
  readonly #granted = new Map<string, Granted>()
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response))
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  /** @param port any free one unless given */
  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Connections open to it. */
  get connections(): number {
    return this.#sockets.size
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.origin)
    const endpoint = url.pathname === '/authorize' ? 'authorize' : 'token'
    const parameters =
      endpoint === 'authorize' ? url.searchParams : new URLSearchParams(await textOf(request))
    const { authorization, traceparent } = request.headers
    this.asked.push({ endpoint, parameters, authorization, traceparent: traceparent?.toString() })
    this.mostRunning = Math.max(this.mostRunning, ++this.running)
    response.on('close', () => this.running--)
    const play =
      endpoint === 'authorize'
        ? (this.onAuthorize?.(parameters) ?? this.#authorize(parameters))
        : ((await this.onToken?.(parameters)) ?? this.#token(parameters, authorization))
    if (play === 'never') return
    if (play === 'reset') return void request.socket.resetAndDestroy()
    if (play === 'garbage') return void request.socket.end('nonsense\r\n\r\n')
    response.writeHead(play.status, play.fields).end(play.body)
  }

  #authorize(parameters: URLSearchParams): Play {
    const { clientId } = CLIENT
    const get = (name: string) => parameters.get(name) ?? ''
    if (get('client_id') !== clientId || get('redirect_uri') !== REDIRECT_URI) return { status: 400 }
    const state = get('state')
    const proper = get('response_type') === 'code' && get('code_challenge_method') === 'S256'
    if (!proper || state === '') return redirect({ error: 'invalid_request', state })
    if (!SCOPES.includes(get('scope'))) return redirect({ error: 'access_denied', state })
    const code = `code-${this.asked.length}`
    this.#granted.set(code, {
      challenge: get('code_challenge'),
      scope: get('scope'),
      user: get('login_hint'),
    })
    return redirect({ code, state, iss: this.origin })
  }

  #token(parameters: URLSearchParams, authorization: string | undefined): Play {
    const { clientId, clientSecret } = CLIENT
    const encode = (text: string) => new URLSearchParams([['', text]]).toString().slice(1)
    const pair = Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString('base64')
    if (authorization !== `Basic ${pair}`) {
      return json(401, { error: 'invalid_client' }, { 'WWW-Authenticate': 'Basic realm="test"' })
    }
    if (parameters.get('grant_type') === 'client_credentials')
      return this.#give('signet', parameters.get('scope') ?? '')
    const code = parameters.get('code') ?? ''
    const granted = this.#granted.get(code)
    this.#granted.delete(code)
    const challenge = hash('sha256', parameters.get('code_verifier') ?? '', 'base64url')
    const proper = granted?.challenge === challenge && parameters.get('redirect_uri') === REDIRECT_URI
    return granted && proper ? this.#give(granted.user, granted.scope) : json(400, { error: 'invalid_grant' })
  }

  #give(user: string, scope: string): Play {
    const token = `token-${this.tokens.length}.${user}.${scope.replaceAll(' ', '+')}`
    this.tokens.push(token)
    return json(200, { access_token: token, token_type: 'Bearer', expires_in: this.lifetime, scope })
  }
}

/** A redirect to where codes are sent. */
export function redirect(parameters: Record<string, string>, to = REDIRECT_URI, status = 302): Play {
  return { status, fields: { Location: `${to}?${new URLSearchParams(parameters)}` } }
}

/** An answer in JSON. */
export function json(status: number, body: unknown, fields: Record<string, string> = {}): Play {
  return { status, fields: { 'Content-Type': 'application/json', ...fields }, body: JSON.stringify(body) }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const piece of request as AsyncIterable<Buffer>) text += piece.toString('latin1')
  return text
}
