// What signet takes from elsewhere: login, key sets, answers to introspection, tokens. In: JSON. Out: what it is, or what is wrong
// with it, by a JSON Schema each. The checker is loaded only where one of them is needed.

import type { JSONSchemaType } from 'ajv/dist/2020.js'

/** Body of a login. */
export interface LoginDocument {
  readonly username: string
  readonly password: string
}

/** Answer to introspection (RFC 7662 §2.2); the claims of an active token are whatever its issuer says. */
export interface IntrospectionDocument {
  readonly active: boolean
}

/** A token for an upstream (RFC 6749 §5.1). */
export interface TokenDocument {
  readonly access_token: string
  readonly token_type: string
  /** seconds; not said by every server */
  readonly expires_in?: number
  readonly scope?: string
}

/** A set of keys (RFC 7517 §5), as far as jose does not look itself. */
export interface KeySetDocument {
  readonly keys: readonly { readonly kty: string }[]
}

const LOGIN: JSONSchemaType<LoginDocument> = {
  type: 'object',
  required: ['username', 'password'],
  properties: {
    username: { type: 'string', minLength: 1, maxLength: 255 },
    password: { type: 'string', minLength: 1, maxLength: 1024 },
  },
}

const INTROSPECTION = {
  type: 'object',
  required: ['active'],
  properties: {
    active: { type: 'boolean' },
    scope: { type: 'string' },
    client_id: { type: 'string' },
    username: { type: 'string' },
    token_type: { type: 'string' },
    exp: { type: 'number' },
    iat: { type: 'number' },
    nbf: { type: 'number' },
    sub: { type: 'string' },
    aud: { type: ['string', 'array'], items: { type: 'string' } },
    iss: { type: 'string' },
    jti: { type: 'string' },
  },
} as const

/** Of the token no more than what may stand behind `Bearer` (RFC 6750 §2.1), and no more than fits into a head. */
const TOKEN = {
  type: 'object',
  required: ['access_token', 'token_type'],
  properties: {
    access_token: { type: 'string', pattern: '^[A-Za-z0-9._~+/-]+=*$', maxLength: 8192 },
    token_type: { type: 'string', pattern: '^[Bb][Ee][Aa][Rr][Ee][Rr]$' },
    expires_in: { type: 'number', minimum: 0 },
    scope: { type: 'string' },
  },
} as const

const KEY_SET = {
  type: 'object',
  required: ['keys'],
  properties: {
    keys: {
      type: 'array',
      maxItems: 100,
      items: {
        type: 'object',
        required: ['kty'],
        properties: {
          kty: { type: 'string' },
          use: { type: 'string' },
          key_ops: { type: 'array', items: { type: 'string' } },
          alg: { type: 'string' },
          kid: { type: 'string' },
        },
      },
    },
  },
} as const

/** A document checked, or one sentence about what is wrong, with nothing of its values in it. */
export type Checked<T> =
  | { readonly ok: true; readonly document: T }
  | { readonly ok: false; readonly reason: string }

/** Checks one kind of document. */
export type Check<T> = (data: unknown) => Checked<T>

/** Checks of all kinds. */
export interface Checks {
  readonly login: Check<LoginDocument>
  readonly introspection: Check<IntrospectionDocument>
  readonly keySet: Check<KeySetDocument>
  readonly token: Check<TokenDocument>
}

/** Loads the checker, and compiles the schemas. */
export async function loadChecks(): Promise<Checks> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const ajv = new Ajv2020({ allowUnionTypes: true, logger: false })
  function check<T>(schema: object): Check<T> {
    const validate = ajv.compile<T>(schema)
    return (data) => {
      if (validate(data)) return { ok: true, document: data }
      const { instancePath = '', message = 'does not fit' } = validate.errors?.[0] ?? {}
      return { ok: false, reason: `${instancePath === '' ? 'the document' : instancePath} ${message}` }
    }
  }
  return {
    login: check<LoginDocument>(LOGIN),
    introspection: check<IntrospectionDocument>(INTROSPECTION),
    keySet: check<KeySetDocument>(KEY_SET),
    token: check<TokenDocument>(TOKEN),
  }
}
