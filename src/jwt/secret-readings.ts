// What one secret may be read as: by signet, and by the other side, whose tokens then do not verify. In: its text. Out: its
// readings, and what tells them apart but tells nothing of the secret: how long they are, and what they sign.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { messageOf } from '../errors.ts'
import { type HmacAlgorithm, type KeyEncoding, readSecret } from './keys.ts'

/** One reading of a secret. */
export interface SecretReading {
  readonly name: string
  /** what signet calls it; undefined for a reading that signet never takes */
  readonly encoding: KeyEncoding | undefined
  /** the octets, or why there are none */
  readonly octets: Buffer | string
}

/** Readings that have been seen elsewhere, none of which signet takes. */
const OTHERS: readonly (readonly [name: string, read: (text: string) => Buffer])[] = [
  ['hex up to another character', (text) => Buffer.from(text, 'hex')], // as Node's Buffer.from reads it, without a word
  ['base64, leniently', (text) => Buffer.from(text, 'base64')],
  ['utf8 without white space', (text) => Buffer.from(text.replace(/\s+/g, ''))],
  ['utf8 with a line feed', (text) => Buffer.from(`${text}\n`)], // of a file, or of echo
  ['utf8 with a blank behind', (text) => Buffer.from(`${text} `)],
  ['utf8 with 0x before', (text) => Buffer.from(`0x${text}`)],
  ['utf8 in capitals', (text) => Buffer.from(text.toUpperCase())],
  ['utf8, the first capital', (text) => Buffer.from(text.slice(0, 1).toUpperCase() + text.slice(1))],
]

const ENCODINGS: readonly KeyEncoding[] = ['hex', 'base64url', 'utf8']

/**
 * All readings of a secret: signet's three, and those of others that come to other octets.
 *
 * @param text as it was written, without the end of its line
 */
export function readingsOf(text: string): readonly SecretReading[] {
  const readings = ENCODINGS.map((encoding): SecretReading => {
    return { name: encoding, encoding, octets: octetsAs(encoding, text) }
  })
  for (const [name, read] of OTHERS) {
    const octets = read(text)
    const known = readings.some((one) => Buffer.isBuffer(one.octets) && one.octets.equals(octets))
    if (octets.length > 0 && !known) readings.push({ name, encoding: undefined, octets })
  }
  return readings
}

/** Whose secret it is may see the character that does not belong; what is printed here is shown to the other side. */
const SHOWN_CHARACTER = /^(character \d+), (?:'.' \(U\+[0-9A-F]+\)|U\+[0-9A-F]+), /su

function octetsAs(encoding: KeyEncoding, text: string): Buffer | string {
  try {
    return readSecret(text, encoding, 0)
  } catch (error) {
    return messageOf(error)
      .replace(/^the secret cannot be used: /, '')
      .replace(SHOWN_CHARACTER, '$1 ')
  }
}

/** What is signed for a fingerprint: a token of HS512, issued at the epoch, that no verifier believes by its age. */
export const FINGERPRINTED = [{ alg: 'HS512', typ: 'JWT' }, { iat: 0 }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.')

/** How two sides find out whether they have the same octets: 72 bits of a signature, of which nobody learns the secret. */
export function fingerprintOf(octets: Buffer): string {
  return createHmac('sha512', octets).update(FINGERPRINTED).digest('base64url').slice(0, 12)
}

const HASHES: Readonly<Record<HmacAlgorithm, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }

/**
 * Which octets have signed a token.
 *
 * @returns what says so, or undefined for what is no token of HS256, HS384 or HS512
 */
export function signatureOf(jwt: string): ((octets: Buffer) => boolean) | undefined {
  const [header = '', claims = '', signature = '', ...more] = jwt.split('.')
  const algorithm = algorithmIn(header)
  if (algorithm === undefined || more.length > 0) return undefined
  const received = Buffer.from(signature, 'base64url')
  return (octets) => {
    const expected = createHmac(HASHES[algorithm], octets).update(`${header}.${claims}`).digest()
    return expected.length === received.length && timingSafeEqual(expected, received)
  }
}

function algorithmIn(header: string): HmacAlgorithm | undefined {
  try {
    const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as { alg?: unknown }
    return typeof alg === 'string' && Object.hasOwn(HASHES, alg) ? (alg as HmacAlgorithm) : undefined
  } catch {
    return undefined
  }
}
