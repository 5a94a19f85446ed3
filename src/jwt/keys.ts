// Secrets that tokens are signed with: text as an operator writes it, in a named encoding, to octets fit for an HMAC.
// In: text that somebody else read from a setting or a file. Out: an HmacKey, or one problem and its remedy.

import { createHmac } from 'node:crypto'
import { ConfigError } from '../errors.ts'

/** How the octets of a secret are written down as text. */
export type KeyEncoding = 'hex' | 'base64url' | 'utf8'

/** HMAC with SHA-256, SHA-384 and SHA-512 (RFC 7518 §3.2). */
export type HmacAlgorithm = 'HS256' | 'HS384' | 'HS512'

declare const checked: unique symbol

/**
 * A secret that is long enough for its algorithm; only {@link readHmacKey} makes one. `secret` is not
 * enumerable, so a key that ends up in a log, a spread or `JSON.stringify` leaves its octets behind.
 */
export interface HmacKey {
  readonly alg: HmacAlgorithm
  /** At least as many octets as the hash gives. */
  readonly secret: Buffer
  /** The name verifiers choose the key by (RFC 7515 §4.1.4), where it has one. */
  readonly kid?: string
  readonly [checked]: true
}

/** Octets a secret must have: as many as its hash gives (RFC 7518 §3.2). jose does not check this. */
export const MIN_SECRET_OCTETS: Readonly<Record<HmacAlgorithm, number>> = { HS256: 32, HS384: 48, HS512: 64 }

/**
 * The secret of the demonstration, as its task prints it: 83 hex digits, a blank in the middle of an octet,
 * and 45 more. Everybody knows it, so it protects nothing.
 */
export const DEMO_SECRET =
  'a9ddbcaba8c0ac1a0a812dc0c2f08514b23f2db0a68343cb8199ebb38a6d91e4ebfb378e22ad39c2d01 d0b4ec9c34aa91056862ddace3fbbd6852ee60c36acbf'

/**
 * Reads a secret. `Buffer.from` would stop without a word at the first octet it does not understand (the demo
 * secret's 42nd of 64), so the text is checked first, and nothing is repaired but white space.
 *
 * @param text the secret as written; white space means nothing in `hex` and `base64url`, and counts in `utf8`
 * @param encoding what to read the text as; never guessed, since most secrets can be read in several ways
 * @param kid the key's name for the JOSE header, if verifiers choose by it (RFC 7515 §4.1.4)
 * @param alg what it is for: the longer the hash, the longer the secret
 * @throws {ConfigError} with one problem: what is wrong, at which character of `text` (from 1), and what to
 * do. The one character that does not belong is shown, never anything else of the secret.
 */
export function readHmacKey(
  text: string,
  encoding: KeyEncoding,
  kid?: string,
  alg: HmacAlgorithm = 'HS512',
): HmacKey {
  const decoded = DECODERS[encoding](text)
  // Short Buffers share one pool, which any code that looks at `.buffer` can read: keep the secret out of it.
  const secret = Buffer.alloc(decoded.length, decoded)
  decoded.fill(0)
  const needed = MIN_SECRET_OCTETS[alg]
  if (secret.length < needed) {
    refuse(
      `${secret.length} octets as ${encoding}, and ${alg} needs at least ${needed} ` +
        `(RFC 7518 §3.2); generate one with \`openssl rand -hex ${needed}\``,
    )
  }
  return checkedKey(alg, secret, kid)
}

/**
 * The same key with a name that gives nothing of it away: 64 bits of an HMAC, which no hash of the secret is. Who guesses
 * secrets learns no more from it than from any signature.
 */
export function withKeyId(key: HmacKey): HmacKey {
  if (key.kid !== undefined) return key
  const name = createHmac('sha256', key.secret).update(`signet kid ${key.alg}`).digest()
  return checkedKey(key.alg, key.secret, name.subarray(0, 8).toString('base64url'))
}

/** The only place that may say that a key was checked. */
function checkedKey(alg: HmacAlgorithm, secret: Buffer, kid: string | undefined): HmacKey {
  const key = { alg, ...(kid === undefined ? {} : { kid }) }
  return Object.freeze(Object.defineProperty(key, 'secret', { value: secret })) as HmacKey
}

/**
 * Reads a secret that others sign with, or that is for another algorithm.
 *
 * @param octets that it must have at least
 * @throws {ConfigError} as {@link readHmacKey} does
 */
export function readSecret(text: string, encoding: KeyEncoding, octets: number): Buffer {
  const secret = DECODERS[encoding](text)
  if (secret.length < octets)
    refuse(
      `${secret.length} octets as ${encoding}, and its algorithm needs at least ${octets} (RFC 7518 §3.2)`,
    )
  return secret
}

const DECODERS: Readonly<Record<KeyEncoding, (text: string) => Buffer>> = {
  hex(text) {
    const digits = text.replace(/\s+/g, '')
    if (/^0x/i.test(digits)) refuse('it begins with 0x; remove the prefix and keep the digits')
    demandAlphabet(text, /[^\s0-9a-f]/i, 'a hex digit', 'write each octet as two of 0-9 and a-f')
    if (digits.length % 2 === 1) {
      refuse(`${digits.length} hex digits, an odd number; one was lost or added, so copy the secret again`)
    }
    return Buffer.from(digits, 'hex')
  },

  base64url(text) {
    const unpadded = text.replace(/(?:=\s*){1,2}$/, '')
    demandAlphabet(
      unpadded,
      /[^\s\w-]/,
      'of the base64url alphabet',
      'write A-Z, a-z, 0-9, - for +, and _ for /',
    )
    const characters = unpadded.replace(/\s+/g, '')
    const secret = Buffer.from(characters, 'base64url')
    // A length of 4n+1, or bits behind the last octet: what was encoded is not what is here (RFC 4648 §3.5).
    if (secret.toString('base64url') !== characters) {
      refuse(
        `${characters.length} base64url characters do not end with an octet; copy the secret again, whole`,
      )
    }
    return secret
  },

  utf8(text) {
    // A file that is not UTF-8 was decoded with U+FFFD for all that is not: different secrets become one.
    demandAlphabet(
      text,
      /[\uFFFD\uD800-\uDFFF]/u,
      'text',
      'give secrets that are not text as hex or base64url',
    )
    return Buffer.from(text, 'utf8')
  },
}

/** Refuses `text` at the first character that `foreign` matches; what precedes it is never shown. */
function demandAlphabet(text: string, foreign: RegExp, demanded: string, remedy: string): void {
  const at = text.search(foreign)
  if (at === -1) return
  refuse(`character ${at + 1}, ${describe(text.codePointAt(at)!)}, is not ${demanded}; ${remedy}`)
}

/** A character as itself if it can be seen, always with its code point: many look alike, or like nothing. */
function describe(codePoint: number): string {
  const name = `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`
  const character = String.fromCodePoint(codePoint)
  return /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character) ? `'${character}' (${name})` : name
}

function refuse(problem: string): never {
  throw new ConfigError([`the secret cannot be used: ${problem}`])
}
