// The keys that tokens are signed with: new ones, or those of a file.

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { SigningKeys } from './access-tokens.ts'

/** OpenSSL's name of P-256, the one curve of ES256 (RFC 7518 §3.4). */
const CURVE = 'prime256v1'

/** New keys, which nobody else has: tokens do not outlive the process, but then they do not outlive five seconds. */
export function makeSigningKeys(): SigningKeys {
  return generateKeyPairSync('ec', { namedCurve: CURVE })
}

/**
 * The keys of a private key in PEM.
 *
 * @throws {TypeError} what is wrong with it and what to do, without any of it
 */
export function readSigningKeys(pem: string): SigningKeys {
  const remedy = 'make one with `openssl ecparam -name prime256v1 -genkey -noout`'
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(pem)
  } catch {
    throw new TypeError(`it holds no private key in PEM; ${remedy}`)
  }
  if (privateKey.asymmetricKeyDetails?.namedCurve !== CURVE)
    throw new TypeError(`its key is not on the curve P-256, which ES256 signs with; ${remedy}`)
  return { privateKey, publicKey: createPublicKey(privateKey) }
}
