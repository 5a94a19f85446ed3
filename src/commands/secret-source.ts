// Where the commands that look at secrets and tokens get them from. In: what the command line named, the environment, stdin.
// Out: text. What is wrong is told without a character of it: whoever mistakes a secret for a file must not find it in a log.

import { readFileSync } from 'node:fs'
import { DEMO_SECRET, type KeyEncoding } from '../jwt/keys.ts'
import type { Output } from './echo.ts'

/** Standard input, of which a terminal is not waited for. */
export type Input = AsyncIterable<Buffer | string> & { readonly isTTY?: boolean }

/** What these commands need from outside. */
export interface SourceOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
}

/** A sentence for the user: what was asked for cannot be had. */
export class SourceError extends Error {}

/** What the command line says; at most one of them. */
export interface SecretSource {
  /** path, or `-` for stdin */
  readonly file?: string | undefined
  readonly variable?: string | undefined
  /** the secret itself */
  readonly secret?: string | undefined
}

/** A secret as it was written, and where. */
export interface FoundSecret {
  readonly text: string
  readonly from: string
}

/** Octets of what is read. */
const MOST_OCTETS = 1024 * 1024

/**
 * Reads a secret: the one named, or else that of the proxy with the same environment.
 *
 * @throws {SourceError} where there is none
 */
export async function findSecret(source: SecretSource, options: SourceOptions): Promise<FoundSecret> {
  const { env, stdin, stderr } = options
  const { file, variable, secret } = source
  if ([file, variable, secret].filter((one) => one !== undefined).length > 1)
    throw new SourceError('one secret at a time')
  if (secret !== undefined) {
    stderr.write(
      'warning: a secret on the command line stands in the list of processes, and in the history\n',
    )
    return found(secret, 'the command line')
  }
  if (file === '-') return found(await readAll(stdin), 'standard input')
  if (file !== undefined) return found(readText(file), 'the file')
  if (variable !== undefined) return found(env[variable] ?? '', `the variable ${variable}`)
  if (env.SIGNET_SECRET) return found(env.SIGNET_SECRET, 'SIGNET_SECRET')
  if (env.SIGNET_SECRET_FILE) return found(readText(env.SIGNET_SECRET_FILE), 'SIGNET_SECRET_FILE')
  return { text: DEMO_SECRET, from: 'the demo, since neither SIGNET_SECRET nor SIGNET_SECRET_FILE is set' }
}

/** The newline that editors and `echo` end a file with is none of a secret, as for the proxy. */
function found(content: string, from: string): FoundSecret {
  const text = content.replace(/\r?\n$/, '')
  if (text === '') throw new SourceError(`${from} has no secret in it`)
  return { text, from }
}

const ENCODINGS: Readonly<Record<string, KeyEncoding>> = { hex: 'hex', base64url: 'base64url', utf8: 'utf8' }

/**
 * How the proxy reads its secret, and why.
 *
 * @param flag what the command line says
 * @throws {SourceError} for a word that is none of the three
 */
export function encodingFrom(
  flag: string | undefined,
  { env }: Pick<SourceOptions, 'env'>,
): { readonly encoding: KeyEncoding; readonly why: string } {
  const word = flag ?? (env.SIGNET_SECRET_ENCODING || undefined)
  if (word === undefined) return { encoding: 'hex', why: 'SIGNET_SECRET_ENCODING is not set' }
  const encoding = Object.hasOwn(ENCODINGS, word) ? ENCODINGS[word] : undefined
  if (encoding === undefined) throw new SourceError('a secret is read as hex, base64url or utf8')
  return { encoding, why: flag === undefined ? 'SIGNET_SECRET_ENCODING says so' : 'the command line says so' }
}

/**
 * Reads a token: the one named, or what stands in stdin.
 *
 * @throws {SourceError} where there is none
 */
export async function findToken(argument: string | undefined, stdin: Input): Promise<string> {
  if (argument === undefined && stdin.isTTY === true) throw new SourceError('a token is needed')
  const text = argument === undefined || argument === '-' ? await readAll(stdin) : argument
  const token = text.trim().replace(/^Bearer +/i, '') // as it was copied from a field
  if (token === '') throw new SourceError('a token is needed')
  return token
}

/** A file as text. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new SourceError(code === 'ENOENT' ? 'there is no such file' : `the file cannot be read (${code})`)
  }
}

async function readAll(stdin: Input): Promise<string> {
  const pieces: Buffer[] = []
  let octets = 0
  for await (const piece of stdin) {
    pieces.push(Buffer.from(piece))
    octets += piece.length
    if (octets > MOST_OCTETS) throw new SourceError(`standard input has more than ${MOST_OCTETS} octets`)
  }
  return Buffer.concat(pieces).toString('utf8')
}
