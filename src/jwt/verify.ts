// The other end of the token, for `signet echo`, `signet call` and the tests; nothing on the road verifies.
// In: a compact JWT from outside. Out: its claims, or the reason why they must not be believed.

import { errors, jwtVerify } from 'jose'
import type { HmacKey } from './keys.ts'

/** The outcome of {@link verifyToken}: claims that were signed with the key, or one sentence for a human. */
export type Verification =
  | { readonly ok: true; readonly claims: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly reason: string }

/**
 * Verifies a token: its form, its signature, and its `exp` and `nbf` where it has them (RFC 7519 §7.2).
 *
 * @param jwt the value of the field, as received; a `Bearer ` before it makes it invalid
 * @param now milliseconds since the epoch; jose's own clock if left out
 * @returns a promise that rejects only for mistakes in signet, never for what is wrong with a token
 */
export async function verifyToken(
  jwt: string,
  key: HmacKey,
  { now }: { readonly now?: () => number } = {},
): Promise<Verification> {
  try {
    const { payload } = await jwtVerify(jwt, key.secret, {
      // Pinned: whoever made the token must not choose how it is checked (RFC 8725 §3.1).
      algorithms: [key.alg],
      ...(now === undefined ? {} : { currentDate: new Date(now()) }),
    })
    return { ok: true, claims: payload }
  } catch (error) {
    if (error instanceof errors.JOSEError) return { ok: false, reason: `${error.message} (${error.code})` }
    throw error
  }
}
