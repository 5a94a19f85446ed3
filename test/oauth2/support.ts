// An authorization server and a time service of one test, over real sockets, with a clock that the test moves.

import { createHash, randomBytes } from 'node:crypto'
import {
  type AuthorizationServerConfig,
  DEFAULTS,
} from '../../examples/oauth2/authorization-server/config.ts'
import { makeSigningKeys } from '../../examples/oauth2/authorization-server/core/signing-keys.ts'
import {
  type AuthorizationServer,
  createAuthorizationServer,
} from '../../examples/oauth2/authorization-server/server.ts'
import type { EventLog } from '../../examples/oauth2/service/http-service.ts'
import { within } from '../support/wire.ts'

/** One line that was logged. */
export type LogLine = Readonly<Record<string, unknown>>

/** A log that is kept. */
export function keptLog(): { readonly log: EventLog; readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const keep = (level: string) => (fields: object) => {
    lines.push({ level, ...fields })
  }
  return { log: { info: keep('info'), warn: keep('warn'), error: keep('error') }, lines }
}

/** A clock that stands still until it is moved. */
export class Clock {
  /** ms since the epoch; not at the beginning of a second */
  ms = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
  readonly now = () => this.ms
}

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** The body as JSON. */
export function jsonOf({ text }: Answer): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>
}

/** One request on a real socket; redirections are not followed. */
export function ask(port: number, path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = async () => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual', ...init })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  return within(answer(), `an answer to ${path}`)
}

/** Parameters; `undefined` leaves one out that would be there otherwise. */
export type Changes = Readonly<Record<string, string | undefined>>

function encode(parameters: Changes): string {
  const given = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return new URLSearchParams(given).toString()
}

/** Basic credentials as RFC 6749 §2.3.1 has them. */
export function basic(id: string, secret: string): string {
  const form = (text: string) => encode({ x: text }).slice('x='.length)
  return `Basic ${Buffer.from(`${form(id)}:${form(secret)}`).toString('base64')}`
}

export const CALLBACK = 'http://127.0.0.1:5003/callback'
export const WEBAPP = basic('1234', 'qwerty')
export const RESOURCE_SERVER = basic('resource-server', 'resource-server-secret')
export const BATCH = basic('batch', 'batch-secret')

/** A new verifier and its challenge (RFC 7636 §4.1, §4.2). */
export function pkce(): { readonly verifier: string; readonly challenge: string } {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

/** An authorization server, and a client that speaks to it. */
export class Stand {
  readonly server: AuthorizationServer
  readonly port: number
  readonly clock: Clock
  readonly lines: LogLine[]

  private constructor(server: AuthorizationServer, port: number, clock: Clock, lines: LogLine[]) {
    this.server = server
    this.port = port
    this.clock = clock
    this.lines = lines
  }

  /** @param now the clock it goes by; that of the stand unless one is given */
  static async start(changes: Partial<AuthorizationServerConfig> = {}, now?: () => number): Promise<Stand> {
    const clock = new Clock()
    const { log, lines } = keptLog()
    const config = { ...DEFAULTS, ...changes }
    const options = { keys: KEYS, log, now: now ?? clock.now }
    const server = await createAuthorizationServer(config, options)
    const { port } = await server.listen(0, '127.0.0.1')
    return new Stand(server, port, clock, lines)
  }

  /** Empties the log, which grows with every request. */
  forgetLog(): void {
    this.lines.length = 0
  }

  close(): Promise<void> {
    return this.server.close()
  }

  /** Asks for a code. @param verbatim a query behind the others, as it is */
  authorize(challenge: string, changes: Changes = {}, verbatim = ''): Promise<Answer> {
    const query = encode({
      response_type: 'code',
      client_id: '1234',
      redirect_uri: CALLBACK,
      scope: 'current_time',
      state: 'a state',
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...changes,
    })
    return ask(this.port, `/authorize?${query}${verbatim}`)
  }

  /** A code, and the verifier that belongs to it. */
  async code(changes: Changes = {}): Promise<{ code: string; verifier: string }> {
    const { verifier, challenge } = pkce()
    const answer = await this.authorize(challenge, changes)
    const code = sentBack(answer).get('code')
    if (code === null) throw new Error(`no code, but ${answer.headers.get('location')}`)
    return { code, verifier }
  }

  /** Posts a form. */
  post(path: string, parameters: Changes, authorization?: string): Promise<Answer> {
    return ask(this.port, path, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: encode(parameters),
    })
  }

  /** Exchanges a code for a token. */
  redeem(
    { code, verifier }: { code: string; verifier: string },
    changes: Changes = {},
    authorization: string | undefined = WEBAPP,
  ): Promise<Answer> {
    const parameters = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    }
    return this.post('/token', { ...parameters, ...changes }, authorization)
  }

  /** A token, by the whole flow. */
  async token(changes: Changes = {}): Promise<string> {
    const answer = await this.redeem(await this.code(changes))
    if (answer.status !== 200) throw new Error(`no token, but ${answer.text}`)
    return String(jsonOf(answer).access_token)
  }

  /** Asks about a token. */
  introspect(token: string, authorization: string | undefined = RESOURCE_SERVER): Promise<Answer> {
    return this.post('/introspect', { token, token_type_hint: 'access_token' }, authorization)
  }
}

/** Those that every stand signs with: made once, as that takes longer than a test. */
export const KEYS = makeSigningKeys()

/** The parameters that were sent to the callback. */
export function sentBack({ status, headers }: Answer): URLSearchParams {
  const location = headers.get('location') ?? ''
  if (status !== 302 || !location.startsWith(`${CALLBACK}?`))
    throw new Error(`expected a redirection to the callback, found ${status} ${location}`)
  return new URL(location).searchParams
}

/** The claims of a token, unchecked. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>
}
