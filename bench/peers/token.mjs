// What every peer does beside proxying: a fresh HS512 token per request, by jsonwebtoken, with the claims of signet's.
// The key, BENCH_SECRET in hex, is prepared once: a KeyObject is the form jsonwebtoken needs not convert.

import { createSecretKey, randomUUID } from 'node:crypto'
import jwt from 'jsonwebtoken'

const key = createSecretKey(Buffer.from(process.env.BENCH_SECRET, 'hex'))

/** One token; jsonwebtoken adds `iat` by itself. */
export function token() {
  const date = new Date().toISOString().slice(0, 10)
  const claims = { jti: randomUUID(), payload: { user: 'username', date } }
  return jwt.sign(claims, key, { algorithm: 'HS512' })
}
