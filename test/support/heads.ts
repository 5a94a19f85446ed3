// Heads as a test writes them down: exact, but for the three things that differ from run to run.

import { type JWTPayload, jwtVerify } from 'jose'
import { KEY } from './proxy.ts'

const JWT = /^(x-my-jwt: )[\w-]+\.[\w-]+\.[\w-]{86}(?=\r\n)/gm
const PSEUDONYM = /^(Via: 1\.[01] )signet-[0-9a-f]{8}(?=\r\n)/gm
const DATE = /^Date: ([A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT)(?=\r\n)/gm

/** ms by which two looks at the clock may differ in one test. */
const TOLERANCE = 10_000

/** `head` with `<jwt>`, `<signet>` and `<now>` in the place of the token, the instance and the present second. */
export function masked(head: string): string {
  return head
    .replace(JWT, '$1<jwt>')
    .replace(PSEUDONYM, '$1<signet>')
    .replace(DATE, (line, date: string) => (isNow(date) ? 'Date: <now>' : line))
}

function isNow(date: string): boolean {
  return Math.abs(Date.parse(date) - Date.now()) < TOLERANCE
}

/** The field lines signet adds last to every request it forwards, and the empty line; see {@link masked}. */
export function asserted(authority: string | undefined, minor = 1, token = 'x-my-jwt: <jwt>\r\n'): string {
  const host = authority === undefined ? '' : `;host="${authority}"`
  const forwardedHost = authority === undefined ? '' : `X-Forwarded-Host: ${authority}\r\n`
  return (
    `X-Forwarded-For: 127.0.0.1\r\n${forwardedHost}X-Forwarded-Proto: http\r\n` +
    `Forwarded: for=127.0.0.1${host};proto=http\r\nVia: 1.${minor} <signet>\r\n${token}\r\n`
  )
}

/** The values of all field lines with that name, in order, white space around them left out. */
export function valuesOf(head: string, name: string): string[] {
  const lines = head.split('\r\n').slice(1)
  const wanted = lines.filter((line) => line.slice(0, line.indexOf(':')).toLowerCase() === name.toLowerCase())
  return wanted.map((line) => line.slice(line.indexOf(':') + 1).trim())
}

/** The names of all field lines, in order, as they stand. */
export function namesIn(head: string): string[] {
  const lines = head.split('\r\n').slice(1, -2)
  return lines.map((line) => line.slice(0, line.indexOf(':')))
}

/** The claims of the one token in `head`, as an upstream that trusts signet's key reads them. */
export async function claimsIn(head: string, name = 'x-my-jwt'): Promise<JWTPayload> {
  const tokens = valuesOf(head, name)
  if (tokens.length !== 1) throw new Error(`expected one ${name}, found ${tokens.length}`)
  const { payload } = await jwtVerify(tokens[0]!, KEY.secret, { algorithms: ['HS512'] })
  return payload
}

/** What a refusal tells the client. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly requestId: string
}

/** The body of a refusal. */
export function problemIn(body: Buffer): Problem {
  return JSON.parse(body.toString('utf8')) as Problem
}
