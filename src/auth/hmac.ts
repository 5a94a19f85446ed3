// Signatures by a shared secret (RFC 7518 §3.2), checked synchronously. In: a secret, and tokens. Out: whether a token was
// signed with it. One-shot hashes take half the time of createHmac (jwt/mint.ts does the same).

import { hash, timingSafeEqual } from 'node:crypto'
import type { SecretAlgorithm } from '../http/authentication.ts'

const HASHES = {
  HS256: { name: 'sha256', block: 64, digest: 32 },
  HS384: { name: 'sha384', block: 128, digest: 48 },
  HS512: { name: 'sha512', block: 128, digest: 64 },
} as const

/** Checks signatures of one algorithm and one secret. */
export class HmacSignature {
  readonly #hash: string
  readonly #block: number
  /** the key's block, XORed with ipad, then what is signed (RFC 2104 §2) */
  #inner: Buffer
  /** the same with opad, then the inner digest */
  readonly #outer: Buffer
  /** both signatures as text, of the length that they must have */
  readonly #expected: Buffer
  readonly #received: Buffer

  constructor(algorithm: SecretAlgorithm, secret: Buffer) {
    const { name, block, digest } = HASHES[algorithm]
    const key = secret.length > block ? hash(name, secret, 'buffer') : secret
    this.#hash = name
    this.#block = block
    this.#inner = padded(key, 0x36, block, block + 1024)
    this.#outer = padded(key, 0x5c, block, block + digest)
    const length = Math.ceil((digest * 4) / 3) // base64url without padding
    this.#expected = Buffer.alloc(length)
    this.#received = Buffer.alloc(length)
  }

  /** The signature of a text of ASCII, base64url. */
  sign(signed: string): string {
    const end = this.#block + signed.length
    if (end > this.#inner.length) {
      const longer = Buffer.alloc(end * 2)
      this.#inner.copy(longer, 0, 0, this.#block)
      this.#inner = longer
    }
    this.#inner.write(signed, this.#block, 'latin1')
    this.#outer.write(hash(this.#hash, this.#inner.subarray(0, end), 'binary'), this.#block, 'latin1')
    return hash(this.#hash, this.#outer, 'base64url')
  }

  /** Whether `signature` is that of `signed`; however far they agree, it takes the same time. */
  matches(signed: string, signature: string): boolean {
    if (signature.length !== this.#received.length) return false
    this.#expected.write(this.sign(signed), 'latin1')
    this.#received.write(signature, 'latin1')
    return timingSafeEqual(this.#expected, this.#received)
  }
}

/** Not from Buffer's shared pool, where other code could see it. */
function padded(key: Buffer, pad: number, block: number, size: number): Buffer {
  const octets = Buffer.alloc(size)
  octets.set(key)
  for (let at = 0; at < block; at++) octets[at]! ^= pad
  return octets
}
