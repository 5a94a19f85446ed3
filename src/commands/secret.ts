// `signet secret inspect`: what is this secret? In: a secret, from a file, stdin or a variable. Out: its length and fingerprint
// under each reading, and which of them signet takes: enough to find out why two sides do not agree, and nothing of it.

import { parseArgs } from 'node:util'
import { type KeyEncoding, MIN_SECRET_OCTETS } from '../jwt/keys.ts'
import {
  FINGERPRINTED,
  fingerprintOf,
  readingsOf,
  type SecretReading,
  signatureOf,
} from '../jwt/secret-readings.ts'
import { encodingFrom, findSecret, findToken, SourceError, type SourceOptions } from './secret-source.ts'
import { type Rows, table } from './table.ts'

const USAGE = `Usage: signet secret inspect [FILE] [--encoding hex|base64url|utf8] [--token TOKEN]

Says of a secret how many octets it has under each reading, which reading signet takes, whether that is enough, and a
fingerprint of each, which the other side can compute as well. It prints nothing of the secret itself.

  FILE             file with the secret in it; - is standard input (default: what the proxy would take, by SIGNET_SECRET or
                   SIGNET_SECRET_FILE)
  --env NAME       the secret is in this variable
  --secret TEXT    the secret itself, for all to see in the list of processes
  --encoding E     how signet is told to read it (default: SIGNET_SECRET_ENCODING, else hex)
  --token TOKEN    a token of the other side, signed by HS256, HS384 or HS512: says which reading has signed it
  -h, --help       this text

Exit code 0 when signet can sign with it, 1 when not, 2 for wrong usage.

  openssl rand -hex 64 | signet secret inspect -
  signet secret inspect /run/secrets/signet --token "$TOKEN_THAT_IS_REFUSED"
`

const FLAGS = {
  env: { type: 'string' },
  secret: { type: 'string' },
  encoding: { type: 'string' },
  token: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

const WANTED = MIN_SECRET_OCTETS.HS512

/**
 * `signet secret`.
 *
 * @param argv arguments after `secret`
 * @returns the exit code: 0 when signet can sign with the secret (or for `--help`), 1 when not, 2 for wrong usage, or when there
 *   is no secret, with a line on stderr
 */
export async function runSecret(argv: readonly string[], options: SourceOptions): Promise<number> {
  const { stdin, stdout, stderr } = options
  try {
    const { values, positionals } = parse(argv)
    if (values.help) {
      stdout.write(USAGE)
      return 0
    }
    const [verb, file, ...others] = positionals
    if (verb !== 'inspect' || others.length > 0) throw new SourceError('inspect, and one file at most')
    const { encoding, why } = encodingFrom(values.encoding, options)
    const { text, from } = await findSecret({ file, variable: values.env, secret: values.secret }, options)
    const signed = values.token === undefined ? undefined : signatureOf(await findToken(values.token, stdin))
    if (values.token !== undefined && signed === undefined)
      throw new SourceError('the token is none of HS256, HS384 or HS512')

    const readings = readingsOf(text)
    stdout.write(`The secret from ${from}: ${describe(text)}.\n\n`)
    stdout.write(table(rowsOf(readings, encoding, signed)))
    const { good, verdict } = judge(readings, encoding)
    stdout.write(`\nsignet reads it as ${encoding}, since ${why}: ${verdict}.\n`)
    stdout.write(`A fingerprint is the first 12 characters of the signature of ${FINGERPRINTED}\n`)
    if (signed !== undefined) stdout.write(`${sayWhoSigned(readings, encoding, signed)}\n`)
    return good ? 0 : 1
  } catch (error) {
    if (!(error instanceof SourceError)) throw error
    stderr.write(`signet secret: ${error.message}\n\n${USAGE}`)
    return 2
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true })
  } catch (error) {
    throw new SourceError((error as Error).message) // parseArgs throws nothing but TypeErrors
  }
}

/** How long it is, and whether something in it cannot be seen. */
function describe(text: string): string {
  const blanks = [...text.matchAll(/\s/g)].length
  const first = text.search(/\s/) + 1
  const where = blanks === 1 ? 'one of them white space, the' : `${blanks} of them white space, the first the`
  return `${text.length} characters${blanks === 0 ? '' : `, ${where} ${first}${ordinal(first)}`}`
}

function ordinal(number: number): string {
  const ending = { 1: 'st', 2: 'nd', 3: 'rd' }[number % 10]
  return ending === undefined || Math.floor(number / 10) % 10 === 1 ? 'th' : ending
}

type Signed = ((octets: Buffer) => boolean) | undefined

function rowsOf(readings: readonly SecretReading[], taken: KeyEncoding, signed: Signed): Rows {
  const rows = readings.map((reading) => {
    const { name, octets } = reading
    const facts = Buffer.isBuffer(octets) ? [String(octets.length), fingerprintOf(octets)] : ['-', '-']
    const signs = signed === undefined ? [] : [Buffer.isBuffer(octets) && signed(octets) ? 'signed it' : '-']
    return [name, ...facts, signetsPart(reading, taken), ...signs]
  })
  return [['READING', 'OCTETS', 'FINGERPRINT', 'SIGNET', ...(signed === undefined ? [] : ['TOKEN'])], ...rows]
}

/** Whether signet reads it so. */
function signetsPart({ encoding, octets }: SecretReading, taken: KeyEncoding): string {
  if (encoding === undefined) return 'never'
  const enough = !Buffer.isBuffer(octets)
    ? ', but cannot'
    : octets.length < WANTED
      ? ', but it is too short'
      : ''
  return `${encoding === taken ? 'takes this' : `with --secret-encoding ${encoding}`}${enough}`
}

function judge(readings: readonly SecretReading[], taken: KeyEncoding): { good: boolean; verdict: string } {
  const octets = readings.find(({ encoding }) => encoding === taken)?.octets ?? ''
  if (!Buffer.isBuffer(octets)) return { good: false, verdict: `it cannot; ${octets}` }
  const found = `${octets.length} octets, and HS512 wants ${WANTED} at least (RFC 7518 §3.2)`
  if (octets.length >= WANTED) return { good: true, verdict: found }
  return { good: false, verdict: `too short: ${found}; openssl rand -hex ${WANTED} makes a good one` }
}

function sayWhoSigned(
  readings: readonly SecretReading[],
  taken: KeyEncoding,
  signed: (octets: Buffer) => boolean,
): string {
  const signer = readings.find(({ octets }) => Buffer.isBuffer(octets) && signed(octets))
  if (signer === undefined) return 'The token was signed with none of these: with another secret.'
  if (signer.encoding === taken) return 'The token was signed with the very octets that signet takes.'
  const remedy =
    signer.encoding === undefined
      ? `let the other side read it as ${taken}`
      : `let the other side read it as ${taken}, or signet with --secret-encoding ${signer.encoding}`
  return `The token was signed with the reading ${JSON.stringify(signer.name)}: ${remedy}.`
}
