// A signed token (RFC 7515 §7.1) → its claims. By a shared secret at once; by the keys that an issuer publishes through jose,
// which fetches them. The algorithm is pinned by the configuration: a token only says which of those it was made with.

import type { JwtConfig, RemoteConfig, SecretAlgorithm } from '../http/authentication.ts'
import { Remote } from './ask.ts'
import { type AuthContext, Rejection } from './authenticator.ts'
import { loadChecks } from './documents.ts'
import { HmacSignature } from './hmac.ts'
import type { Claims } from './token-claims.ts'

/** Verifies tokens of one issuer. */
export interface TokenVerifier {
  /** The claims that were signed, not judged yet; never throws, never rejects. */
  verify(token: string): Claims | Rejection | Promise<Claims | Rejection>
  close(): void
}

const NOT_SIGNED = 'the token is not signed by a key that is known'

/** Verifies by the secret or by the keys that are configured. */
export function createVerifier(key: JwtConfig['key'], context: AuthContext): TokenVerifier {
  return 'secret' in key
    ? new SecretVerifier(key.algorithms, Buffer.from(key.secret, 'base64url'))
    : new KeySetVerifier(key.algorithms, key.jwks, context)
}

/** By a secret that both sides know. */
export class SecretVerifier implements TokenVerifier {
  readonly #signatures: ReadonlyMap<string, HmacSignature>
  /** Most tokens have the same header as the one before. */
  #header = ''
  #signature: HmacSignature | undefined = undefined

  constructor(algorithms: readonly SecretAlgorithm[], secret: Buffer) {
    this.#signatures = new Map(algorithms.map((one) => [one, new HmacSignature(one, secret)]))
  }

  verify(token: string): Claims | Rejection {
    const first = token.indexOf('.')
    const last = token.lastIndexOf('.')
    if (!COMPACT.test(token))
      return new Rejection('invalid', 'the token is not of three parts (RFC 7515 §7.1)')
    const header = token.slice(0, first)
    if (header !== this.#header) {
      this.#signature = this.#signatureFor(header)
      this.#header = header
    }
    if (this.#signature === undefined)
      return new Rejection('invalid', 'the header of the token names no algorithm that is allowed')
    if (!this.#signature.matches(token.slice(0, last), token.slice(last + 1)))
      return new Rejection('invalid', NOT_SIGNED)
    return claimsIn(Buffer.from(token.slice(first + 1, last), 'base64url').toString('utf8'))
  }

  close(): void {
    // Nothing is open.
  }

  #signatureFor(header: string): HmacSignature | undefined {
    const { alg, crit } = objectIn(Buffer.from(header, 'base64url').toString('utf8')) ?? {}
    // RFC 7515 §4.1.11: whatever crit names has to be understood, and nothing is.
    return typeof alg === 'string' && crit === undefined ? this.#signatures.get(alg) : undefined
  }
}

/** ms that an issuer is left alone after it could not give its keys: who sends tokens must not be able to hurry it. */
const PAUSE = 1000

const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** By the keys that an issuer publishes: fetched when they are needed, again when a token names one that is not among them. */
class KeySetVerifier implements TokenVerifier {
  readonly #algorithms: readonly string[]
  readonly #remote: Remote
  readonly #config: RemoteConfig
  readonly #clock: () => number
  /** why its keys could not be had, and until when it is not asked again */
  #failed: { readonly error: unknown; readonly until: number } | undefined = undefined
  #loaded: Promise<(token: string) => Promise<Claims | Rejection>> | undefined = undefined

  constructor(algorithms: readonly string[], config: RemoteConfig, { clock }: AuthContext) {
    this.#algorithms = algorithms
    this.#config = config
    this.#clock = clock
    this.#remote = new Remote(config)
  }

  async verify(token: string): Promise<Claims | Rejection> {
    this.#loaded ??= this.#load()
    return (await this.#loaded)(token)
  }

  close(): void {
    this.#remote.close()
  }

  async #load(): Promise<(token: string) => Promise<Claims | Rejection>> {
    const [{ compactVerify, createRemoteJWKSet, customFetch, errors }, { keySet }] = await Promise.all([
      import('jose'),
      loadChecks(),
    ])
    const fetchKeys = async () => {
      if (this.#failed !== undefined && this.#clock() < this.#failed.until) throw this.#failed.error
      try {
        const found = keySet(await this.#remote.ask({ method: 'GET', fields: {} }))
        if (!found.ok) throw new Error(`no key set: ${found.reason}`)
        return { status: 200, json: async () => found.document } as unknown as Response // all that jose looks at
      } catch (error) {
        this.#failed = { error, until: this.#clock() + PAUSE }
        throw error
      }
    }
    const keys = createRemoteJWKSet(new URL(this.#config.url), {
      timeoutDuration: this.#config.timeout,
      [customFetch]: fetchKeys,
    })
    return async (token) => {
      try {
        const { payload } = await compactVerify(token, keys, { algorithms: [...this.#algorithms] })
        return claimsIn(Buffer.from(payload).toString('utf8'))
      } catch (error) {
        const { JWKSTimeout, JWKSInvalid, JOSEError } = errors
        const ofToken =
          error instanceof JOSEError && !(error instanceof JWKSTimeout || error instanceof JWKSInvalid)
        if (ofToken) return new Rejection('invalid', `${NOT_SIGNED} (${error.code})`)
        const reason = error instanceof Error ? error.message : String(error)
        return new Rejection('unavailable', `the keys of the issuer cannot be had: ${reason}`)
      }
    }
  }
}

function claimsIn(text: string): Claims | Rejection {
  return objectIn(text) ?? new Rejection('invalid', 'the token has no claims')
}

function objectIn(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Claims)
      : undefined
  } catch {
    return undefined
  }
}
