// Does a request come through signet? In: the token of its x-my-jwt. Out: whom signet vouches for, or why it does not.

import { errors, jwtVerify } from 'jose'
import { compileCheck } from '../service/check.ts'

/** What a service needs to know signet's tokens again. */
export interface SignetTokenOptions {
  readonly secret: Uint8Array
  /** seconds since it was signed */
  readonly maxAge: number
  /** ms since the epoch */
  readonly now: () => number
}

/** Somebody whom signet vouches for. */
export interface SignetClaims {
  readonly jti: string
  readonly payload: { readonly user: string }
}

/** The outcome of a check. */
export type SignetVerdict =
  | { readonly ok: true; readonly claims: SignetClaims }
  | { readonly ok: false; readonly reason: string }

/** Seconds that signet's clock may be ahead. */
const CLOCK_SKEW = 5

const checkClaims = compileCheck<SignetClaims>({
  type: 'object',
  required: ['jti', 'payload'],
  properties: {
    jti: { type: 'string', errorMessage: 'an id', minLength: 1, maxLength: 255 },
    payload: {
      type: 'object',
      required: ['user'],
      properties: { user: { type: 'string', errorMessage: 'a user', minLength: 1 } },
    },
  },
})

/**
 * Prepares the check. Rejects only for a fault of our own.
 *
 * @returns takes the values of the field: there has to be exactly one
 */
export function createSignetVerifier({ secret, maxAge, now }: SignetTokenOptions) {
  return async (values: readonly string[]): Promise<SignetVerdict> => {
    const [token, another] = values
    if (token === undefined) return { ok: false, reason: 'there is no x-my-jwt' }
    if (another !== undefined) return { ok: false, reason: 'there is more than one x-my-jwt' }
    try {
      const { payload } = await jwtVerify(token, secret, {
        algorithms: ['HS512'], // pinned: a token does not choose how it is checked (RFC 8725 §3.1)
        maxTokenAge: maxAge,
        clockTolerance: CLOCK_SKEW,
        currentDate: new Date(now()),
      })
      const checked = checkClaims(payload)
      return checked.ok
        ? { ok: true, claims: checked.value }
        : { ok: false, reason: `its ${checked.misfits[0]?.path} is not as signet makes it` }
    } catch (error) {
      if (error instanceof errors.JOSEError) return { ok: false, reason: error.message }
      throw error
    }
  }
}
