// Applications that were registered beforehand: their secrets, where their users return to, what they may do.

import { createHash, timingSafeEqual } from 'node:crypto'

/** What a client may ask the token endpoint for (RFC 6749 §4.1, §4.4). */
export const GRANT_TYPES = ['authorization_code', 'client_credentials'] as const
/** One of {@link GRANT_TYPES}. */
export type GrantType = (typeof GRANT_TYPES)[number]

/** One registration. */
export interface ClientRegistration {
  readonly id: string
  readonly secret: string
  /** may be empty: a resource server asks for no token */
  readonly grantTypes: readonly GrantType[]
  /** compared character by character (RFC 9700 §2.1) */
  readonly redirectUris: readonly string[]
  /** whether it may ask about tokens (RFC 7662) */
  readonly mayIntrospect: boolean
}

/** A registration without its secret. */
export type Client = Omit<ClientRegistration, 'secret'>

/** All registrations; they do not change. */
export class Clients {
  readonly #clients: ReadonlyMap<string, { readonly client: Client; readonly digest: Buffer }>

  constructor(registrations: readonly ClientRegistration[]) {
    this.#clients = new Map(
      registrations.map(({ secret, ...client }) => [client.id, { client, digest: digestOf(secret) }]),
    )
  }

  /** The client of that name, whoever says so. */
  find(id: string): Client | undefined {
    return this.#clients.get(id)?.client
  }

  /**
   * The client, if the secret is its own. Takes the same time for a wrong secret and for a client that does not exist:
   * digests are compared, since they are of one length, and all of them.
   */
  authenticate(id: string, secret: string): Client | undefined {
    const found = this.#clients.get(id)
    const given = digestOf(secret)
    const same = timingSafeEqual(given, found?.digest ?? digestOf(''))
    return same ? found?.client : undefined
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
