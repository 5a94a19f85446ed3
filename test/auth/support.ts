// What the tests of authenticators share: heads as signet reads them, accounts that cost little, a server that answers as told.

import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ReceivedCredentials } from '../../src/auth/credential.ts'
import { hashPassword } from '../../src/auth/passwords.ts'
import type { Outcome } from '../../src/auth/authenticator.ts'
import { Rejection } from '../../src/auth/authenticator.ts'
import type { UserConfig } from '../../src/http/authentication.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { readRequest } from '../../src/http/request.ts'

const parser = createHeadParser({ region: 65_536, maxHeadSize: 65_536, maxFields: 100 })
const rules = new FieldRules([])

/** The credentials of a GET with these field lines. */
export function received(fields: readonly string[], address = '192.0.2.1'): ReceivedCredentials {
  const lines = ['GET / HTTP/1.1', 'Host: a.test', ...fields, '', ''].join('\r\n')
  const octets = Buffer.from(lines, 'latin1')
  const head = readRequest(parser.parseRequest(octets, 0, octets.length), rules, 8192)
  return new ReceivedCredentials(head, address)
}

/** The same with one Authorization. */
export function authorized(value: string, address?: string): ReceivedCredentials {
  return received([`Authorization: ${value}`], address)
}

/** User and password as Basic has them. */
export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

/** scrypt parameters that cost a millisecond. */
export const CHEAP = { cost: 4, blockSize: 8, parallelism: 1 } as const

/** An account whose password costs little to check. */
export async function account(name: string, password: string, role = 'user'): Promise<UserConfig> {
  return { name, role, password: await hashPassword(password, CHEAP) }
}

/** An outcome in short: the subject; the kind of a rejection; `-` for none. */
export async function told(outcome: Outcome | Promise<Outcome>): Promise<string> {
  const settled = await outcome
  if (settled === undefined) return '-'
  return settled instanceof Rejection ? settled.kind : settled.subject
}

/** One request that a {@link Server} got. */
export interface Got {
  readonly method: string | undefined
  readonly authorization: string | undefined
  readonly body: string
}

/** What a {@link Server} answers with. */
export type Answer = { readonly status?: number; readonly json: unknown } | 'never'

/** A server on loopback that answers with what `answer` gives, `'never'` for nothing at all. */
export class Server {
  readonly got: Got[] = []
  readonly #server = createServer((request, response) => {
    void bodyOf(request).then(async (body) => {
      this.got.push({ method: request.method, authorization: request.headers.authorization, body })
      const answer = await this.answer(body)
      if (answer === 'never') return
      response.writeHead(answer.status ?? 200, { 'Content-Type': 'application/json' })
      response.end(typeof answer.json === 'string' ? answer.json : JSON.stringify(answer.json))
    })
  })
  answer: (body: string) => Answer | Promise<Answer>

  constructor(answer: Server['answer']) {
    this.answer = answer
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const piece of request as AsyncIterable<Buffer>) body += piece.toString('latin1')
  return body
}
