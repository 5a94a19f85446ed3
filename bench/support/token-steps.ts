// The tokens that benches are made with: signet's minter, and the two digests that no HS512 token can do without.

import { hash, randomUUID } from 'node:crypto'
import { DEMO_SECRET, readHmacKey } from '../../src/jwt/keys.ts'
import { createMinter, type Mint } from '../../src/jwt/mint.ts'

/** The configured user. */
export const USER = 'username'
export const key = readHmacKey(DEMO_SECRET, 'hex')

/** A minter as the proxy makes it. */
export const mint: Mint = createMinter({ key, user: USER, now: Date.now, nextId: randomUUID })

/** As many octets as the digests of one token are made of: a block of the key, then the text; then the inner digest. */
export const inner = Buffer.alloc(128 + 188, 'inner')
export const outer = Buffer.alloc(128 + 64, 'outer')

/** Both digests of a token, as signet makes them. */
export function hashTwice(): string {
  outer.write(hash('sha512', inner, 'binary'), 128, 'latin1')
  return hash('sha512', outer, 'base64url')
}
