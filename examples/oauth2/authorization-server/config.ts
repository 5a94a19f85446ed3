// What the authorization server goes by: the defaults, which work as they are, and the schema of all of it.

import type { Schema } from '../service/check.ts'
import { CLIENT_TEXT, HOST, ORIGIN, PORT } from '../service/schemas.ts'
import { type ClientRegistration, GRANT_TYPES } from './core/clients.ts'

/** Everything that can be configured. */
export interface AuthorizationServerConfig {
  readonly host: string
  readonly port: number
  /** as it is called by all who call it (RFC 8414 §2) */
  readonly issuer: string
  /** `aud` of the tokens: the resource server */
  readonly audience: string
  /** user of a token when the request has no login_hint */
  readonly defaultUser: string
  /** PEM file of a P-256 key; absent: a key made at the start */
  readonly signingKeyFile?: string
  /** seconds that a token lives */
  readonly tokenLifetime: number
  /** seconds that a code lives */
  readonly codeLifetime: number
  /** codes that live at a time, used ones included */
  readonly codeLimit: number
  readonly clients: readonly ClientRegistration[]
}

/** In effect where neither file nor variable says otherwise. */
export const DEFAULTS: AuthorizationServerConfig = {
  host: '127.0.0.1',
  port: 5001,
  issuer: 'http://127.0.0.1:5001',
  audience: 'urn:example:time-service',
  defaultUser: 'username',
  tokenLifetime: 5,
  codeLifetime: 10, // from one request of the client to its next: no person is waited for
  codeLimit: 50_000, // 5000 flows a second, in some 20 MB
  clients: [
    {
      id: '1234',
      secret: 'qwerty',
      grantTypes: ['authorization_code'],
      redirectUris: ['http://127.0.0.1:5003/callback'],
      mayIntrospect: false,
    },
    {
      id: 'batch',
      secret: 'batch-secret',
      grantTypes: ['client_credentials'],
      redirectUris: [],
      mayIntrospect: false,
    },
    {
      id: 'resource-server',
      secret: 'resource-server-secret',
      grantTypes: [],
      redirectUris: [],
      mayIntrospect: true,
    },
  ],
}

function text(errorMessage: string, pattern: string, maxLength = 255): Schema {
  return { type: 'string', errorMessage, pattern, maxLength }
}

function integer(minimum: number, maximum: number, unit = ''): Schema {
  return {
    type: 'integer',
    errorMessage: `an integer from ${minimum} to ${maximum}${unit}`,
    minimum,
    maximum,
  }
}

const CLIENT: Schema = {
  type: 'object',
  errorMessage: 'a client: id, secret, grantTypes, redirectUris, mayIntrospect',
  additionalProperties: false,
  required: ['id', 'secret', 'grantTypes', 'redirectUris', 'mayIntrospect'],
  properties: {
    id: CLIENT_TEXT,
    secret: CLIENT_TEXT,
    grantTypes: {
      type: 'array',
      errorMessage: `a list of ${GRANT_TYPES.join(' and ')}`,
      uniqueItems: true,
      items: { enum: GRANT_TYPES, errorMessage: `one of ${GRANT_TYPES.join(', ')}` },
    },
    redirectUris: {
      type: 'array',
      errorMessage: 'a list of URIs',
      uniqueItems: true,
      // RFC 6749 §3.1.2: absolute, without a fragment.
      items: text('an http or https URI without a fragment', '^https?://[!-"$-~]+$', 2000),
    },
    mayIntrospect: { type: 'boolean', errorMessage: 'true or false' },
  },
}

/** What all of it has to look like, wherever it comes from. */
export const SCHEMA: Schema = {
  type: 'object',
  additionalProperties: false,
  required: Object.keys(DEFAULTS),
  properties: {
    host: HOST,
    port: PORT,
    issuer: ORIGIN,
    audience: text('a URI', '^[!-~]+$'),
    defaultUser: text('a user, 128 characters at most', '^\\P{C}+$', 128),
    signingKeyFile: text('a path', '.', 4096),
    tokenLifetime: integer(1, 3600, ', in seconds'),
    codeLifetime: integer(1, 600, ', in seconds (RFC 6749 §4.1.2: ten minutes at most)'),
    codeLimit: integer(1, 1_000_000),
    clients: {
      type: 'array',
      errorMessage: 'a list of one to 1000 clients',
      minItems: 1,
      maxItems: 1000,
      items: CLIENT,
    },
  },
}

/** Variables that override single values, for containers. */
export const VARIABLES = {
  HTTP_HOST: 'host',
  HTTP_PORT: 'port',
  OAUTH2_ISSUER: 'issuer',
} as const satisfies Record<string, keyof AuthorizationServerConfig>

/** The secrets of clients that are still those of the defaults, by where they stand. */
export function demoSecretsOf({ clients }: AuthorizationServerConfig): string[] {
  const known = new Set(DEFAULTS.clients.map(({ secret }) => secret))
  return clients
    .filter(({ secret }) => known.has(secret))
    .map(({ id }) => `authorizationServer.clients: the secret of ${JSON.stringify(id)}`)
}
