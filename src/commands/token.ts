// `signet token`: what is in a token, and does it count? In: a token as an argument or from stdin; a secret or a key set. Out:
// its header and claims as JSON on stdout, what is to be said of them on stderr, and an exit code.

import { parseArgs } from 'node:util'
import { Remote } from '../auth/ask.ts'
import { loadChecks } from '../auth/documents.ts'
import { ConfigError, messageOf } from '../errors.ts'
import { PUBLIC_ALGORITHMS } from '../http/authentication.ts'
import { type HmacAlgorithm, MIN_SECRET_OCTETS, readHmacKey } from '../jwt/keys.ts'
import { checkToken, type DecodedToken, decodeToken } from '../jwt/verify.ts'
import {
  encodingFrom,
  findSecret,
  findToken,
  readText,
  SourceError,
  type SourceOptions,
} from './secret-source.ts'

/** What `signet token` needs from outside. */
export interface TokenOptions extends SourceOptions {
  /** milliseconds since the epoch */
  readonly now: () => number
}

const USAGE = `Usage: signet token decode [TOKEN]
       signet token verify [TOKEN] [--jwks URL|FILE] [--algorithm A] [--issuer ISS] [--audience AUD]

Prints the header and the claims of a token as JSON: decode of any token, verify of one that counts, with the reason on
stderr where it does not. Without TOKEN, or for -, the token is read from standard input; Bearer before it is left out.

  --secret-file FILE   the secret to verify with; - is standard input (default: that of the proxy, by SIGNET_SECRET or
                       SIGNET_SECRET_FILE)
  --secret TEXT        the secret itself, for all to see in the list of processes
  --secret-encoding E  hex, base64url or utf8 (default: SIGNET_SECRET_ENCODING, else hex)
  --jwks URL|FILE      public keys in place of a secret: signet has them at /.well-known/jwks.json
  --algorithm A        the only one that counts (default: HS512, or all public ones with --jwks)
  --issuer ISS         what iss has to be
  --audience AUD       what aud has to have
  -h, --help           this text

Exit code 0 when the token counts, 1 when not, 2 for wrong usage or keys that cannot be had.

  signet token verify <signet.jwt
  signet call && signet token decode <signet.jwt
  signet token verify "$TOKEN" --jwks http://127.0.0.1:8080/.well-known/jwks.json --audience transactions
`

const FLAGS = {
  'secret-file': { type: 'string' },
  secret: { type: 'string' },
  'secret-encoding': { type: 'string' },
  jwks: { type: 'string' },
  algorithm: { type: 'string' },
  issuer: { type: 'string' },
  audience: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** ms that a server of keys may take. */
const KEYS_DEADLINE = 5000

/**
 * `signet token`.
 *
 * @param argv arguments after `token`
 * @returns the exit code: 0 when the token could be read or verified (or for `--help`), 1 when not, 2 with a line on stderr for
 *   wrong usage, or for keys that cannot be had
 */
export async function runToken(argv: readonly string[], options: TokenOptions): Promise<number> {
  const { stdin, stdout, stderr, now } = options
  try {
    const { values, positionals } = parse(argv)
    if (values.help) {
      stdout.write(USAGE)
      return 0
    }
    const [verb, argument, ...others] = positionals
    if ((verb !== 'decode' && verb !== 'verify') || others.length > 0)
      throw new SourceError('decode or verify, and one token at most')
    const keys = verb === 'verify' ? await keysFrom(values, options) : undefined
    const token = await findToken(argument, stdin)
    const decoded = decodeToken(token)
    if (decoded === undefined)
      return refuse('this is no token: it has not three parts of base64url, the first two of them JSON')
    if (keys === undefined) {
      stdout.write(show(decoded))
      stderr.write(`${timesOf(decoded, now())}not verified\n`)
      return 0
    }
    const { issuer, audience } = values
    const demands = {
      algorithms: keys.algorithms,
      issuer,
      audience: audience === undefined ? undefined : [audience],
      now,
    }
    const result = await checkToken(token, keys.keys, demands)
    if (!result.ok) return refuse(`the token does not count: ${result.reason}`)
    stdout.write(show(decoded))
    stderr.write(`${timesOf(decoded, now())}verified: ${decoded.header.alg}, by ${keys.from}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof SourceError)) throw error
    stderr.write(`signet token: ${error.message}\n\n${USAGE}`)
    return 2
  }

  function refuse(reason: string): 1 {
    stderr.write(`signet token: ${reason}\n`)
    return 1
  }
}

type Flags = ReturnType<typeof parse>['values']

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true })
  } catch (error) {
    throw new SourceError((error as Error).message) // parseArgs throws nothing but TypeErrors
  }
}

/** What a token is verified with. */
interface Keys {
  readonly keys: Parameters<typeof checkToken>[1]
  readonly algorithms: readonly string[]
  readonly from: string
}

async function keysFrom(values: Flags, options: SourceOptions): Promise<Keys> {
  const { jwks, algorithm } = values
  const given = [values.secret, values['secret-file'], values['secret-encoding']]
  if (jwks === undefined) return secretFrom(values, options)
  if (given.some((one) => one !== undefined)) throw new SourceError('a secret or --jwks, not both')
  const algorithms = PUBLIC_ALGORITHMS.filter((one) => algorithm === undefined || one === algorithm)
  if (algorithms.length === 0)
    throw new SourceError(`with --jwks an algorithm is one of ${PUBLIC_ALGORITHMS.join(', ')}`)
  const { keySet } = await loadChecks()
  const checked = keySet(await documentAt(jwks))
  if (!checked.ok) throw new SourceError(`${jwks} is no key set: ${checked.reason}`)
  return { keys: { keys: [...checked.document.keys] }, algorithms, from: jwks }
}

async function secretFrom(values: Flags, options: SourceOptions): Promise<Keys> {
  const { algorithm = 'HS512' } = values
  if (!isSecretAlgorithm(algorithm))
    throw new SourceError('with a secret the algorithm is HS256, HS384 or HS512; other keys come with --jwks')
  const { encoding } = encodingFrom(values['secret-encoding'], options)
  const { text, from } = await findSecret({ file: values['secret-file'], secret: values.secret }, options)
  try {
    const { secret } = readHmacKey(text, encoding, undefined, algorithm)
    return { keys: secret, algorithms: [algorithm], from: `the secret from ${from}` }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new SourceError(error.problems.join('; '))
  }
}

function isSecretAlgorithm(name: string): name is HmacAlgorithm {
  return Object.hasOwn(MIN_SECRET_OCTETS, name)
}

async function documentAt(place: string): Promise<unknown> {
  if (!/^https?:\/\//i.test(place)) {
    const text = readText(place)
    try {
      return JSON.parse(text)
    } catch {
      throw new SourceError('the file of keys is no JSON')
    }
  }
  const remote = new Remote({ url: place, timeout: KEYS_DEADLINE })
  try {
    return await remote.ask({ method: 'GET', fields: {} })
  } catch (error) {
    throw new SourceError(`the keys cannot be had from ${place}: ${messageOf(error)}`)
  } finally {
    remote.close()
  }
}

function show({ header, claims }: DecodedToken): string {
  return `${JSON.stringify({ header, claims }, undefined, 2)}\n`
}

/** When it was issued and when it ends, for people. */
function timesOf({ claims: { iat, exp } }: DecodedToken, now: number): string {
  const second = Math.floor(now / 1000)
  const issued = isSecond(iat) ? [`issued ${dateOf(iat)}, ${second - iat} s ago`] : []
  const left = isSecond(exp) ? exp - second : 0
  const ends = isSecond(exp)
    ? [`${left > 0 ? `expires ${dateOf(exp)}, in ${left} s` : `expired ${dateOf(exp)}, ${-left} s ago`}`]
    : []
  return [...issued, ...ends, ''].join('\n')
}

/** Whether it is a second that dates have words for. */
function isSecond(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= 8_640_000_000_000
}

function dateOf(second: number): string {
  return new Date(second * 1000).toISOString()
}
