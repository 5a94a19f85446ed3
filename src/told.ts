// What upstreams are told with proof, compiled: static fields, and tokens of their own. In: a configuration. Out: for each
// route, what is added to its requests; the names of all these fields; the public keys for verifiers.

import type { GatewayConfig, RouteConfig, ToldConfig, TokenConfig, UpstreamConfig } from './http/gateway.ts'
import { fold } from './http/fields.ts'
import type { Identity } from './http/identity.ts'
import type { Params } from './http/path-tree.ts'
import { KEY_SET_AGE, keySetText, publicKeys, refuseReused, retire } from './jwt/key-set.ts'
import { type HmacKey, withKeyId } from './jwt/keys.ts'
import { createTokenMinter, type Minted } from './jwt/mint.ts'
import { type PublicJwk, readSigningKey, type SigningKey } from './jwt/signing-keys.ts'
import { tokenClaims } from './jwt/token-claims.ts'

/** What is added to the requests of one route. */
export interface Told {
  /** whole lines of the static fields */
  readonly lines: string
  /** absent for the plain token */
  readonly token?: ToldToken
}

/** A token of its own, or none. */
export interface ToldToken {
  /** what stands before the token in its line: name, colon, perhaps a scheme */
  readonly prefix: string
  readonly mint: (request: ToldRequest) => Minted | undefined
}

/** What a token may speak of. */
export interface ToldRequest {
  readonly method: string
  /** the forwarded request-target */
  readonly target: string
  readonly params: Params
  readonly identity: Identity | undefined
}

/** What tokens are made with, beside their configuration. */
export interface TellerContext {
  /** the gateway's own secret, for tokens that name no key */
  readonly key: HmacKey
  /** who a request is from, where nobody was asked */
  readonly user: string
  /** lower-case name of the field, where a token names none */
  readonly jwtHeader: string
  /** methods whose requests get a token */
  readonly jwtMethods: '*' | ReadonlySet<string>
  /** ms since the epoch */
  readonly now: () => number
  readonly nextId: () => string
  readonly onMinted: () => void
}

const NO_TOKEN: ToldToken = { prefix: '', mint: () => undefined }
const NOBODY: Pick<Identity, 'claims' | 'scopes' | 'roles'> = { claims: {}, scopes: [], roles: [] }

/** Tells upstreams what one configuration says. */
export class Teller {
  readonly #gateway: GatewayConfig
  readonly #context: TellerContext
  readonly #published: readonly PublicJwk[]
  readonly #tokens = new Map<TokenConfig, ToldToken>()

  /** @throws {ConfigError} when a key cannot be used */
  constructor(gateway: GatewayConfig, context: TellerContext) {
    this.#gateway = gateway
    this.#context = context
    this.#published = publicKeys(gateway.keys ?? [])
  }

  /**
   * What is added to the requests of a route; undefined where that is the plain token alone.
   *
   * @throws {ConfigError} when the key of its token cannot be used
   * @throws {RangeError} when no key has its name
   */
  tell(upstream: UpstreamConfig, route: RouteConfig): Told | undefined {
    const fields = new Map<string, string>()
    for (const told of [upstream, route])
      for (const [name, value] of Object.entries(told.fields ?? {}))
        fields.set(fold(name), `${name}: ${value}\r\n`)
    const token = route.token ?? upstream.token ?? 'plain'
    // One name, one value: the token's field is the token's.
    if (token !== 'none')
      fields.delete(fold((token === 'plain' ? undefined : token.header) ?? this.#context.jwtHeader))
    if (fields.size === 0 && token === 'plain') return undefined
    const lines = [...fields.values()].join('')
    return token === 'plain'
      ? { lines }
      : { lines, token: token === 'none' ? NO_TOKEN : this.#tokenOf(token) }
  }

  /** Lower-case names of all fields that some upstream is told. */
  get names(): string[] {
    return everyTold(this.#gateway).flatMap(({ fields = {}, token }) => [
      ...Object.keys(fields),
      ...(typeof token === 'object' && token.header !== undefined ? [token.header] : []),
    ])
  }

  /** Whether there is a public key that somebody may want. */
  get publishes(): boolean {
    return this.#published.length > 0 || (this.#gateway.retiredKeys?.length ?? 0) > 0
  }

  /** The public keys as a document, and for how many seconds it may be kept. */
  keySet(): { readonly text: string; readonly age: number } {
    const text = keySetText(this.#published, this.#gateway.retiredKeys ?? [], this.#context.now())
    return { text, age: KEY_SET_AGE }
  }

  /** Routes to one upstream share its token's minter. */
  #tokenOf(config: TokenConfig): ToldToken {
    const known = this.#tokens.get(config)
    if (known !== undefined) return known
    const { user, jwtHeader, jwtMethods, now, nextId, onMinted } = this.#context
    const key = this.#keyOf(config.key)
    const mint = createTokenMinter({ key, claims: tokenClaims(config), now, nextId })
    const { header = jwtHeader } = config
    const token: ToldToken = {
      prefix: header === 'authorization' ? 'authorization: Bearer ' : `${header}: `,
      mint({ method, target, params, identity }) {
        if (jwtMethods !== '*' && !jwtMethods.has(method)) return undefined
        onMinted()
        const { claims, scopes, roles } = identity ?? NOBODY
        const query = target.indexOf('?')
        const path = query === -1 ? target : target.slice(0, query)
        return mint({ subject: identity?.subject ?? user, method, path, params, claims, scopes, roles })
      },
    }
    this.#tokens.set(config, token)
    return token
  }

  /** The first key of that name: it is the one that signs. */
  #keyOf(name: string | undefined): SigningKey | HmacKey {
    if (name === undefined) return withKeyId(this.#context.key)
    const written = this.#gateway.keys?.find((key) => key.name === name)
    if (written === undefined) throw new RangeError(`no key is named ${name}`)
    return readSigningKey(written)
  }
}

/** All that is said about what upstreams are told. */
function everyTold({ upstreams, routes }: GatewayConfig): readonly ToldConfig[] {
  return [...upstreams, ...routes]
}

/**
 * `next`, with the public keys of `before` beside its own until the last token that they have signed has expired. To do it
 * twice is the same as to do it once, but for the time.
 *
 * @param now ms since the epoch
 * @throws {ConfigError} when a key cannot be read, or has the kid of another that tokens may still need
 */
export function retireKeys(before: GatewayConfig, next: GatewayConfig, now: number): GatewayConfig {
  const lifetimes = everyTold(before).map(({ token }) => (typeof token === 'object' ? token.lifetime : 0))
  const known = [...(before.retiredKeys ?? []), ...(next.retiredKeys ?? [])]
  const retiredKeys = retire(before.keys ?? [], known, Math.max(0, ...lifetimes), now)
  refuseReused(publicKeys(next.keys ?? []), retiredKeys)
  return retiredKeys.length === 0 ? next : { ...next, retiredKeys }
}
