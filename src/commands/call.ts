// `signet call`: posts a message through a running signet to the echo upstream, checks the token that arrived
// there and saves it. In: a URL and what to send. Out: what the upstream received, the token, an exit code.

import { open } from 'node:fs/promises'
import * as http from 'node:http'
import * as https from 'node:https'
import { parseArgs } from 'node:util'
import { messageOf } from '../errors.ts'
import type { Verification } from '../jwt/verify.ts'
import type { Output, Verify } from './echo.ts'

/** What `signet call` needs from outside. */
export interface CallOptions {
  /** `HTTP_PORT` says where signet listens when no URL is given. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: Output
  readonly stderr: Output
  /** Checks the token with the key signet signs with. */
  readonly verify: Verify
  /** The field that carries the token; `x-my-jwt` when not given. */
  readonly jwtHeader?: string
  /** Milliseconds for the whole exchange; 10 000 when not given. */
  readonly deadline?: number
}

const USAGE = `Usage: signet call [URL] [-d DATA] [-X METHOD] [-H 'Name: value']... [-o FILE]

Sends a request through signet to the echo upstream, prints what arrived there, checks the
token with the key of SIGNET_SECRET and saves it. Exit code 0 only for a genuine token.

  URL               default: http://127.0.0.1:PORT/protected, PORT being HTTP_PORT, else 8080
  -d, --data DATA   body to send (default: {"hello":"world"} with POST, PUT and PATCH)
  -X, --method M    method (default: POST)
  -H, --header F    field line to send; may be given more than once
  -o, --output FILE where the token is saved, readable for you alone (default: signet.jwt)
  -h, --help        this text
`

/** More than any echo of a command line; an upstream that is no echo must not fill the memory. */
const MAX_ANSWER = 16_777_216 // octets

/** A sentence for the user, and the end of the command. */
class CallFailure extends Error {
  /** 2 for wrong usage, 1 for everything that went wrong later. */
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/** What the command line asked for. */
interface Order {
  readonly url: URL
  readonly method: string
  readonly fields: readonly FieldPair[]
  readonly data: string | undefined
  readonly file: string
}

type FieldPair = readonly [name: string, value: string]

/** A whole response. */
interface Answer {
  readonly status: number
  readonly reason: string
  readonly body: string
  readonly milliseconds: number
}

/** The part of the echo's report that is shown. */
interface Report {
  readonly method: string
  readonly target: string
  readonly httpVersion: string
  readonly fields: readonly FieldPair[]
  readonly body: string
}

/**
 * `signet call`: one request, top to bottom.
 *
 * @param argv arguments after `call`
 * @returns the exit code: 0 when the token is genuine and saved (or for `--help`), 1 with one sentence on
 *   stderr when not, 2 with the usage for wrong usage
 */
export async function runCall(argv: readonly string[], options: CallOptions): Promise<number> {
  const { stdout, stderr, verify, jwtHeader = 'x-my-jwt', deadline = 10_000 } = options
  try {
    const order = readOrder(argv, options.env)
    if (order === 'help') {
      stdout.write(USAGE)
      return 0
    }
    const answer = await send(order, deadline)
    stdout.write(printable(`${order.method} ${order.url} → ${answer.status} ${answer.reason}`))
    stdout.write(`, ${answer.milliseconds} ms\n\n`)
    if (answer.status < 200 || answer.status > 299) throw new CallFailure(sayRefusal(answer))

    const report = readReport(answer.body)
    stdout.write(printable(sayReport(report, jwtHeader)))
    const jwt = tokenOf(report, jwtHeader)
    const verified = await check(jwt, verify)
    stdout.write(printable(sayToken(jwt, jwtHeader, verified.claims)))
    await save(order.file, jwt)
    stdout.write(printable(`Saved to ${order.file}\n`))
    return 0
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error
    stderr.write(printable(`signet call: ${error.message}\n`))
    if (error.exitCode === 2) stderr.write(`\n${USAGE}`)
    return error.exitCode
  }
}

const FLAGS = {
  data: { type: 'string', short: 'd' },
  method: { type: 'string', short: 'X' },
  header: { type: 'string', short: 'H', multiple: true },
  output: { type: 'string', short: 'o' },
  help: { type: 'boolean', short: 'h' },
} as const

function readOrder(argv: readonly string[], env: CallOptions['env']): Order | 'help' {
  const { values, positionals } = parseFlags(argv)
  if (values.help) return 'help'
  if (positionals.length > 1) throw wrong('one URL at most')

  // Compose hands over a variable that is not set as an empty one.
  const text = positionals[0] ?? `http://127.0.0.1:${env.HTTP_PORT || '8080'}/protected`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw wrong(`${text} is not an http:// or https:// URL`)
  // It would be printed, and end up in somebody's terminal log.
  if (url.username !== '' || url.password !== '') throw wrong('credentials go into -H, not into the URL')

  const method = (values.method ?? 'POST').toUpperCase() // as node:http would send it anyway
  if (!/^[!#$%&'*+.^_`|~0-9A-Z-]+$/.test(method)) throw wrong(`${method} is not a method`)
  if (method === 'CONNECT') throw wrong('CONNECT asks for a tunnel, not for an answer')
  const carriesBody = ['POST', 'PUT', 'PATCH'].includes(method)
  return {
    url,
    method,
    fields: (values.header ?? []).map(readField),
    data: values.data ?? (carriesBody ? '{"hello":"world"}' : undefined),
    file: values.output ?? 'signet.jwt',
  }
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true })
  } catch (error) {
    throw wrong((error as Error).message) // parseArgs throws nothing but TypeErrors
  }
}

function wrong(problem: string): CallFailure {
  return new CallFailure(problem, 2)
}

function readField(line: string): FieldPair {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon))
  const value = line.slice(colon + 1).trim()
  try {
    http.validateHeaderName(name)
    http.validateHeaderValue(name, value)
  } catch {
    throw wrong(`-H ${JSON.stringify(line)} is not a field line, 'Name: value'`)
  }
  return [name, value]
}

/** One exchange on a connection of its own; `deadline`, in milliseconds, is for all of it. */
function send({ url, method, fields, data }: Order, deadline: number): Promise<Answer> {
  const started = performance.now()
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === 'https:' ? https : http
    const sending = request(url, { method, agent: false, signal: AbortSignal.timeout(deadline) })
    const fail = (error: NodeJS.ErrnoException) => reject(new CallFailure(sayFault(url, error, deadline)))

    if (data !== undefined) sending.setHeader('content-type', 'application/json')
    for (const name of new Set(fields.map(([given]) => given.toLowerCase()))) {
      const values = fields.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value)
      sending.setHeader(name, values.length === 1 ? values[0]! : values)
    }
    sending.on('error', fail)
    sending.once('response', (response) => {
      const pieces: Buffer[] = []
      let length = 0
      response.on('error', fail)
      response.on('data', (piece: Buffer) => {
        pieces.push(piece)
        length += piece.length
        if (length <= MAX_ANSWER) return
        reject(
          new CallFailure(`the answer of ${url} is larger than ${MAX_ANSWER} octets; that is not the echo`),
        )
        sending.destroy()
      })
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          reason: response.statusMessage ?? '',
          body: Buffer.concat(pieces).toString(),
          milliseconds: Math.round(performance.now() - started),
        }),
      )
    })
    sending.end(data)
  })
}

function sayFault(url: URL, error: NodeJS.ErrnoException, deadline: number): string {
  if (error.name === 'AbortError') return `${url} gave no whole answer within ${deadline} ms`
  if (error.code === 'ECONNREFUSED')
    return `${url} cannot be reached: nothing listens there. Is signet running?`
  if (error.code === 'ECONNRESET') return `${url} closed the connection before the answer was whole`
  return `${url} cannot be reached: ${error.message || error.code}`
}

/** What a refusal says of itself: the code of a problem document (RFC 9457), where there is one. */
function sayRefusal({ status, body }: Answer): string {
  const problem = asRecord(parseJson(body))
  const said = [problem?.code, problem?.title, problem?.detail].filter((part) => typeof part === 'string')
  // With the id an operator finds the log line, and in it the cause.
  const id = typeof problem?.requestId === 'string' ? ` (request ${problem.requestId})` : ''
  return `it was answered ${status}${said.length > 0 ? `: ${said.join(' ')}` : ''}${id}`
}

/** @throws {CallFailure} when `body` is not the report of `signet echo` */
function readReport(body: string): Report {
  const report = asRecord(parseJson(body))
  const texts = [report?.method, report?.target, report?.httpVersion, report?.body]
  const isField = (line: unknown) =>
    Array.isArray(line) && line.length === 2 && line.every((part) => typeof part === 'string')
  const fields = report?.fields
  if (texts.every((text) => typeof text === 'string') && Array.isArray(fields) && fields.every(isField)) {
    return report as unknown as Report // every member was looked at in the line above
  }
  throw new CallFailure(
    'the answer is not the JSON of the echo upstream; this command needs `signet echo` there',
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

/** @throws {CallFailure} unless exactly one token arrived */
function tokenOf(report: Report, jwtHeader: string): string {
  const tokens = report.fields.filter(([name]) => name.toLowerCase() === jwtHeader.toLowerCase())
  const jwt = tokens[0]?.[1]
  if (jwt === undefined)
    throw new CallFailure(`the upstream received no ${jwtHeader}; was it signet that you called?`)
  if (tokens.length > 1)
    throw new CallFailure(`the upstream received ${tokens.length} ${jwtHeader} fields, not one`)
  return jwt
}

async function check(jwt: string, verify: Verify): Promise<Verification & { ok: true }> {
  let verified: Verification
  try {
    verified = await verify(jwt)
  } catch (error) {
    throw new CallFailure(`the token could not be checked: ${messageOf(error)}`)
  }
  if (verified.ok) return verified
  const hint = /signature/i.test(verified.reason) ? '. Is SIGNET_SECRET the same here as in that signet?' : ''
  throw new CallFailure(`the token is not genuine: ${verified.reason}${hint}`)
}

function sayReport({ method, target, httpVersion, fields, body }: Report, jwtHeader: string): string {
  const lines = fields.map(([name, value]) => {
    // Its parts follow below, and a terminal is often shared: the signature stays in the file.
    const shown = name.toLowerCase() === jwtHeader.toLowerCase() ? redact(value) : value
    return `  ${name}: ${shown}\n`
  })
  const text = body === '' ? '' : `\n  ${body.replaceAll('\n', '\n  ')}\n`
  return `The upstream received:\n\n  ${method} ${target} HTTP/${httpVersion}\n${lines.join('')}${text}\n`
}

function redact(jwt: string): string {
  const signature = jwt.lastIndexOf('.')
  return signature === -1
    ? `(${jwt.length} characters, not a token)`
    : `${jwt.slice(0, signature)}.(signature)`
}

function sayToken(jwt: string, jwtHeader: string, claims: object): string {
  const header = Buffer.from(jwt.slice(0, jwt.indexOf('.')), 'base64url').toString()
  const indented = JSON.stringify(claims, null, 2).replaceAll('\n', '\n          ')
  return `The token in ${jwtHeader} is genuine:\n\n  header  ${header}\n  claims  ${indented}\n\n`
}

/** A token is a credential: mode 0600 even where the file was there before, set before anything is in it. */
async function save(path: string, jwt: string): Promise<void> {
  try {
    const file = await open(path, 'w', 0o600)
    try {
      const stats = await file.stat()
      // Not /dev/null, which root would lock away from everybody else.
      if (stats.isFile()) await file.chmod(0o600)
      await file.writeFile(`${jwt}\n`)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw new CallFailure(`the token is genuine but could not be saved: ${messageOf(error)}`)
  }
}

/** Whatever came over the network must not steer the terminal: control characters are shown as escapes. */
function printable(text: string): string {
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, (control) => {
    return `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
