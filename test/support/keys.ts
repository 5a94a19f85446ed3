// Signing keys made for one test, and good for nothing else.

import { generateKeyPairSync } from 'node:crypto'
import type { Algorithm, WrittenKey } from '../../src/jwt/signing-keys.ts'

/** Every algorithm that tokens can be signed with. */
export const ALGORITHMS: readonly Algorithm[] = ['HS256', 'HS384', 'HS512', 'ES256', 'EdDSA', 'RS256']

/** A new private key, PEM. */
export function makePem(algorithm: 'ES256' | 'EdDSA' | 'RS256'): string {
  const { privateKey } = {
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: () => generateKeyPairSync('ed25519'),
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  }[algorithm]()
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** A new key, as a configuration would have it. */
export function makeKey(algorithm: Algorithm): WrittenKey {
  if (algorithm === 'ES256' || algorithm === 'EdDSA' || algorithm === 'RS256')
    return { algorithm, privateKey: makePem(algorithm) }
  return { algorithm, secret: '5e'.repeat(64) }
}
