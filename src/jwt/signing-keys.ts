// The keys of the configuration: text as an operator has it, to something that signs. In: an algorithm, and a secret or a
// private key as PEM or JWK. Out: a key that is fit for its algorithm, and what verifiers need of it; or one problem.

import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { ConfigError } from '../errors.ts'
import { type HmacAlgorithm, type HmacKey, type KeyEncoding, readHmacKey, withKeyId } from './keys.ts'

/** Signatures that anybody can verify who has the public key (RFC 7518 §3.3, §3.4, RFC 8037 §3.1). */
export type PublicAlgorithm = 'ES256' | 'EdDSA' | 'RS256'

/** Every algorithm that tokens can be signed with. */
export type Algorithm = HmacAlgorithm | PublicAlgorithm

/** A key as it is written. */
export interface WrittenKey {
  readonly algorithm: Algorithm
  /** of HS*: the secret, as `encoding` (hex unless set) has it */
  readonly secret?: string
  readonly encoding?: KeyEncoding
  /** of the others: PEM, or a JWK as JSON */
  readonly privateKey?: string
  /** its name for verifiers, in place of the one that derives from it */
  readonly kid?: string
}

/** A public key as verifiers fetch it (RFC 7517 §4). */
export interface PublicJwk {
  readonly kid: string
  readonly [member: string]: string
}

/** A private key that was checked. `privateKey` is not enumerable, as the secret of {@link HmacKey} is not. */
export interface PrivateKey {
  readonly alg: PublicAlgorithm
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicJwk: PublicJwk
}

/** What tokens are signed with. */
export type SigningKey = (HmacKey & { readonly kid: string }) | PrivateKey

/** Bits of an RSA modulus at least (RFC 7518 §3.3). */
const MIN_RSA_BITS = 2048

/** What each algorithm takes: the type of key as Node names it, and how to make one. */
const KINDS: Readonly<Record<PublicAlgorithm, { readonly type: string; readonly make: string }>> = {
  ES256: { type: 'ec', make: 'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256' },
  EdDSA: { type: 'ed25519', make: 'openssl genpkey -algorithm ed25519' },
  RS256: { type: 'rsa', make: 'openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048' },
}

/** Members of a public JWK that the thumbprint is made of, in its order (RFC 7638 §3.2, RFC 8037 §2). */
const THUMBPRINT: Readonly<Record<PublicAlgorithm, readonly string[]>> = {
  ES256: ['crv', 'kty', 'x', 'y'],
  EdDSA: ['crv', 'kty', 'x'],
  RS256: ['e', 'kty', 'n'],
}

/** Whether tokens are verified with the same secret that signs them. */
export function isHmac(algorithm: Algorithm): algorithm is HmacAlgorithm {
  return algorithm.startsWith('HS')
}

/**
 * Reads a key.
 *
 * @throws {ConfigError} with one problem: what is wrong and what to do, with nothing of the key in it
 */
export function readSigningKey(written: WrittenKey): SigningKey {
  const { algorithm, secret, encoding = 'hex', privateKey, kid } = written
  if (isHmac(algorithm)) {
    if (secret === undefined) refuse(`${algorithm} signs with a secret`)
    const key = withKeyId(readHmacKey(secret, encoding, kid, algorithm))
    return key as HmacKey & { readonly kid: string } // withKeyId has seen to it
  }
  if (privateKey === undefined) refuse(`${algorithm} signs with a privateKey`)
  return readPrivateKey(privateKey, algorithm, kid)
}

function readPrivateKey(text: string, alg: PublicAlgorithm, kid: string | undefined): PrivateKey {
  const { key, jwk } = parse(text, alg)
  judge(key, alg)
  if (jwk?.alg !== undefined && jwk.alg !== alg && !(alg === 'EdDSA' && jwk.alg === 'Ed25519'))
    refuse(`the JWK says that it is for another algorithm than ${alg}`)
  const publicKey = createPublicKey(key)
  if (!arePair(key, publicKey, alg)) refuse('its public half belongs to another key')
  const members = publicKey.export({ format: 'jwk' }) as Record<string, string>
  const name = kid ?? jwk?.kid ?? thumbprint(members, alg)
  const publicJwk: PublicJwk = Object.freeze({ ...members, kid: name, alg, use: 'sig' })
  const made = Object.defineProperty({ alg, kid: name, publicJwk }, 'privateKey', { value: key })
  return Object.freeze(made) as PrivateKey
}

function parse(
  text: string,
  alg: PublicAlgorithm,
): { readonly key: KeyObject; readonly jwk?: { readonly alg?: string; readonly kid?: string } } {
  if (text.trimStart().startsWith('{')) return parseJwk(text)
  const { make } = KINDS[alg]
  if (/-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(text))
    refuse('it is encrypted, and there is nobody to ask for its password: decrypt it (openssl pkey)')
  if (/-----BEGIN (PUBLIC KEY|CERTIFICATE)-----/.test(text))
    refuse('it is public, and tokens are signed with the private key')
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    refuse(`there is no private key in PEM or JWK here; write file:PATH, and make one with \`${make}\``)
  try {
    return { key: createPrivateKey(text) }
  } catch {
    refuse('the PEM cannot be read') // what OpenSSL says of it helps nobody
  }
}

function parseJwk(text: string): {
  readonly key: KeyObject
  readonly jwk: { readonly alg?: string; readonly kid?: string }
} {
  try {
    const jwk: unknown = JSON.parse(text)
    const { alg, kid } = jwk as Record<string, unknown>
    const key = createPrivateKey({ key: jwk as Record<string, string>, format: 'jwk' })
    return {
      key,
      jwk: {
        ...(typeof alg === 'string' ? { alg } : {}),
        ...(typeof kid === 'string' && kid ? { kid } : {}),
      },
    }
  } catch {
    refuse('the JWK cannot be read, or has no private key in it') // the error would repeat octets of it
  }
}

/** Refuses a key that is none for its algorithm, or too weak for it. */
function judge(key: KeyObject, alg: PublicAlgorithm): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const { type: needed, make } = KINDS[alg]
  if (type !== needed || (type === 'ec' && details?.namedCurve !== 'prime256v1')) {
    const found = type === 'ec' ? `ec on ${details?.namedCurve ?? 'another curve'}` : type
    refuse(`it is a key of type ${found}, which ${alg} does not take; make one with \`${make}\``)
  }
  const bits = details?.modulusLength ?? 0
  if (type === 'rsa' && bits < MIN_RSA_BITS)
    refuse(`its modulus has ${bits} bits, and ${alg} needs at least ${MIN_RSA_BITS} (RFC 7518 §3.3)`)
}

/** Whether what one signs the other verifies: a JWK says both, and Node 20 believes it. */
function arePair(privateKey: KeyObject, publicKey: KeyObject, alg: PublicAlgorithm): boolean {
  const digest = alg === 'EdDSA' ? null : 'sha256'
  const probe = Buffer.from(alg)
  try {
    return verify(digest, probe, publicKey, sign(digest, probe, privateKey))
  } catch {
    return false // it cannot even sign
  }
}

/** The name of a public key that is its own (RFC 7638). */
function thumbprint(members: Readonly<Record<string, string>>, alg: PublicAlgorithm): string {
  const required = THUMBPRINT[alg].map((name) => [name, members[name]])
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(required)))
    .digest('base64url')
}

function refuse(problem: string): never {
  throw new ConfigError([`the key cannot be used: ${problem}`])
}
