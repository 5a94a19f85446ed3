// The public keys that verifiers fetch (RFC 7517 §5). In: the keys of the configuration, and those that were in one before.
// Out: the document, and which keys stay in it for how long.

import { isDeepStrictEqual } from 'node:util'
import { ConfigError } from '../errors.ts'
import { isHmac, type PublicJwk, readSigningKey, type WrittenKey } from './signing-keys.ts'

/** A public key that was in a configuration, and until when tokens that it has signed may turn up: ms since the epoch. */
export interface RetiredKey {
  readonly jwk: PublicJwk
  readonly until: number
}

/** ms beyond the lifetime of its last token that an old key stays: the clocks of verifiers differ. */
const LEEWAY = 60_000

/** Seconds that verifiers may keep the document: a new key should be in it for as long before it signs. */
export const KEY_SET_AGE = 60

/** The public keys among these, in order. @throws {ConfigError} when one of them cannot be read */
export function publicKeys(keys: readonly WrittenKey[]): PublicJwk[] {
  return keys.flatMap((written) => {
    const key = readSigningKey(written)
    return 'publicJwk' in key ? [key.publicJwk] : []
  })
}

/** Whether there is a key that can be published. */
export function hasPublicKey(keys: readonly WrittenKey[]): boolean {
  return keys.some(({ algorithm }) => !isHmac(algorithm))
}

/** The document: all that are configured, then those that are not any more and that tokens may still need. */
export function keySetText(
  current: readonly PublicJwk[],
  retired: readonly RetiredKey[],
  now: number,
): string {
  const names = new Set(current.map(({ kid }) => kid))
  const kept = retired.filter(({ jwk, until }) => until > now && !names.has(jwk.kid))
  return JSON.stringify({ keys: [...current, ...kept.map(({ jwk }) => jwk)] })
}

/**
 * What is kept beside a new configuration. Keys that are still in it are among them: they may leave with the next one, when
 * nobody knows any more how long their tokens live.
 *
 * @param before the keys that could sign until now
 * @param retired what was kept beside these
 * @param lifetime ms of the longest token that they have signed
 */
export function retire(
  before: readonly WrittenKey[],
  retired: readonly RetiredKey[],
  lifetime: number,
  now: number,
): RetiredKey[] {
  const until = now + lifetime + LEEWAY
  const leaving = publicKeys(before).map((jwk) => ({ jwk, until }))
  const kept = new Map<string, RetiredKey>()
  for (const one of [...retired, ...leaving]) {
    if (one.until > now && one.until > (kept.get(one.jwk.kid)?.until ?? 0)) kept.set(one.jwk.kid, one)
  }
  return [...kept.values()]
}

/**
 * Refuses a kid that stood for another key until now: verifiers keep keys by their kid, and would believe no token of one of
 * the two.
 *
 * @throws {ConfigError} one problem for each
 */
export function refuseReused(current: readonly PublicJwk[], known: readonly RetiredKey[]): void {
  const problems = current.flatMap((jwk) => {
    const former = known.find((one) => one.jwk.kid === jwk.kid)
    if (former === undefined || isDeepStrictEqual(former.jwk, jwk)) return []
    return [
      `the kid ${JSON.stringify(jwk.kid)} has been that of another key: give the new key one of its own`,
    ]
  })
  if (problems.length > 0) throw new ConfigError(problems)
}

/** A key that cannot be used: its index, what is wrong with it, and which part of it that is about. */
export interface KeyProblem {
  readonly key: number
  readonly part?: 'secret' | 'privateKey' | 'kid'
  readonly problem: string
}

/** What is wrong with keys, each by itself and all together. */
export function keyProblems(keys: readonly WrittenKey[]): KeyProblem[] {
  const names = new Map<string, number>()
  return keys.flatMap((written, key): KeyProblem[] => {
    const hmac = isHmac(written.algorithm)
    const [part, other] = hmac ? (['secret', 'privateKey'] as const) : (['privateKey', 'secret'] as const)
    if (written[other] !== undefined)
      return [{ key, part: other, problem: `${written.algorithm} has none, but a ${part}` }]
    if (written[part] === undefined)
      return [{ key, problem: `the key "${part}" is missing, which ${written.algorithm} signs with` }]
    try {
      const { kid } = readSigningKey(written)
      const same = names.get(kid)
      names.set(kid, names.get(kid) ?? key)
      if (same === undefined) return []
      const named = written.kid !== undefined
      return [
        {
          key,
          part: named ? 'kid' : part,
          problem: `another key has the same kid${named ? '' : ', or is the same'}`,
        },
      ]
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      return error.problems.map((problem) => ({ key, part, problem }))
    }
  })
}
