// What every way to obtain a token for an upstream has in common. In: who is asking, what for. Out: the field line that carries
// the token, at once where it is there; or the failure.

import { type FailureCode, ProxyError } from '../errors.ts'

/** The request that a token is wanted for: an exchange. */
export interface TokenWaiter {
  /** `traceparent` of the request, for whoever is asked; undefined where nothing is traced */
  readonly trace: string | undefined
  /** whether nobody waits for it any more */
  readonly gone: boolean
}

/** Where the requests of a route get their token from. */
export interface TokenSource {
  /** name of the credential */
  readonly credential: string
  /**
   * @param subject who is asking; undefined where nobody was asked
   * @returns the whole line of Authorization, with its CR LF: a promise only where it has to be waited for
   * @throws {ProxyError} one of {@link CREDENTIAL_RESULTS}, thrown or as a rejection; with nothing of a token in it
   */
  authorize(subject: string | undefined, waiter: TokenWaiter): string | Promise<string>
  /** The upstream has answered 401. @param told the field lines it got, that of Authorization among them */
  onUnauthorized(told: string): void
}

/** One way to obtain tokens. */
export interface Credential {
  readonly name: string
  /** @param scope in place of that of the credential */
  sourceOf(scope: string | undefined): TokenSource
  /** It is no longer needed: what is under way comes to its end, and then connections of its own are closed. */
  close(): void
}

/** Why there is no token, by failure. */
export const CREDENTIAL_RESULTS = {
  ERR_CREDENTIAL_DENIED: 'denied',
  ERR_CREDENTIAL_REFUSED: 'refused',
  ERR_CREDENTIAL_MALFORMED: 'malformed',
  ERR_CREDENTIAL_TIMEOUT: 'timeout',
  ERR_CREDENTIAL_UNAVAILABLE: 'unavailable',
  ERR_CREDENTIAL_LIMIT: 'limited',
} as const satisfies Partial<Record<FailureCode, string>>

/** What came of a request that needed a token: it was there, it was obtained, or it was not to be had. */
export type CredentialResult =
  | 'cached'
  | 'success'
  | (typeof CREDENTIAL_RESULTS)[keyof typeof CREDENTIAL_RESULTS]

/** Who is told of it. None of it may throw. */
export interface CredentialObserver {
  /** One request had its token, or did not get it. */
  onResult(credential: string, result: CredentialResult): void
  /** An authorization server was asked for a token. @param duration ms until it was there, or was given up */
  onAsked(credential: string, duration: number): void
  /** Tokens that requests share cannot be had any more, or again. */
  onCondition(credential: string, condition: 'failing' | 'well', reason: string): void
}

/** What credentials need from outside. */
export interface CredentialContext {
  /** monotonic ms */
  readonly clock: () => number
  readonly observer: CredentialObserver
}

/** The result that a failure stands for; undefined for one that is no result, such as a client that has left. */
export function resultOf(error: unknown): CredentialResult | undefined {
  const results: Readonly<Partial<Record<FailureCode, CredentialResult>>> = CREDENTIAL_RESULTS
  return error instanceof ProxyError ? results[error.code] : undefined
}

/** The field line that carries a token (RFC 6750 §2.1). */
export function bearerLine(token: string): string {
  return `Authorization: Bearer ${token}\r\n`
}
