// What a configuration file may hold, as a JSON Schema (2020-12): published as schema.json, so that editors complete and
// check, and what signet itself checks with. Settings derive from the SETTINGS table; the rest is written down here.

import { SETTINGS, type Setting } from '../config.ts'
import { ENCODINGS } from '../http/gateway.ts'
import type { ValueShape } from '../setting-readers.ts'

type Type = 'object' | 'array' | 'string' | 'integer' | 'boolean'

/** The part of JSON Schema that is used here. */
export interface JsonSchema extends Omit<ValueShape, 'type' | 'items'> {
  readonly $schema?: string
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly title?: string
  readonly description?: string
  /** what is expected, where something else was found; editors show it too */
  readonly errorMessage?: string
  readonly type?: Type | readonly Type[]
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  /** a secret: no message repeats it */
  readonly writeOnly?: true
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly dependentRequired?: Readonly<Record<string, readonly string[]>>
  readonly additionalProperties?: boolean | JsonSchema
  readonly propertyNames?: JsonSchema
  readonly items?: JsonSchema
  readonly maxItems?: number
  readonly minProperties?: number
  readonly anyOf?: readonly JsonSchema[]
}

/** Values that a reference may stand for; the checked text then is what it refers to (`references.ts`). */
const REFERENCE = '#/$defs/reference'

const HOST_NAME = '[\\w-]+(\\.[\\w-]+)*\\.?'

/** A value as it is written, or a reference to one. */
function value(errorMessage: string, description: string, shape: JsonSchema): JsonSchema {
  const { default: fallback, examples, writeOnly, ...checked } = shape
  const outside = Object.entries({ default: fallback, examples, writeOnly }).filter(
    ([, it]) => it !== undefined,
  )
  return {
    description,
    errorMessage,
    ...Object.fromEntries(outside),
    anyOf: [{ ...checked, errorMessage, ...(writeOnly ? { writeOnly } : {}) }, { $ref: REFERENCE }],
  }
}

function integer(min: number, max: number, description: string, rest: JsonSchema = {}): JsonSchema {
  const shape = { type: 'integer', minimum: min, maximum: max, ...rest } as const
  return value(`an integer from ${min} to ${max}`, description, shape)
}

function ms(fallback: number, description: string): JsonSchema {
  const shape = { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1, default: fallback } as const
  return value('an integer from 1 to 2147483647, in ms', `ms ${description}`, shape)
}

function words(choices: readonly string[], description: string): JsonSchema {
  const shape = { type: 'string', enum: choices, default: choices[0] } as const
  return value(`one of ${choices.join(', ')}`, description, shape)
}

function text(errorMessage: string, description: string, pattern: string, rest: JsonSchema = {}): JsonSchema {
  return value(errorMessage, description, { type: 'string', pattern, ...rest })
}

function pem(what: string, description: string, rest: JsonSchema = {}): JsonSchema {
  return value(`${what} as PEM text, from a file as file:PATH`, description, {
    type: 'string',
    minLength: 1,
    ...rest,
  })
}

function list(errorMessage: string, description: string, items: JsonSchema, minItems = 0): JsonSchema {
  return { type: 'array', description, errorMessage, items, ...(minItems > 0 ? { minItems } : {}) }
}

function mapping(
  description: string,
  properties: Readonly<Record<string, JsonSchema>>,
  rest: Pick<JsonSchema, 'required' | 'dependentRequired'> = {},
): JsonSchema {
  const errorMessage = `a mapping with keys of ${Object.keys(properties).join(', ')}`
  return { type: 'object', description, errorMessage, properties, additionalProperties: false, ...rest }
}

const PORT = (description: string) => integer(0, 65_535, description)

const ADDRESSES = (description: string, rest: JsonSchema = {}) => ({
  ...list('a list of CIDR blocks such as 10.0.0.0/8', description, {
    ...text('a CIDR block such as 10.0.0.0/8 or ::1/128', 'CIDR block, or one address', '^[\\da-fA-F:./]+$'),
  }),
  ...rest,
})

const TLS = mapping(
  'TLS on the port that clients connect to',
  {
    certificate: pem('a certificate', 'certificate chain, PEM: file:cert.pem', {
      examples: ['file:cert.pem'],
    }),
    key: pem('a private key', 'its private key, PEM: file:key.pem', {
      examples: ['file:key.pem'],
      writeOnly: true,
    }),
  },
  { required: ['certificate', 'key'] },
)

const NAME: JsonSchema = {
  pattern: '^[A-Za-z0-9][\\w.-]{0,63}$',
  errorMessage: 'a name of 1 to 64 letters, digits, - _ and .',
}

const ALGORITHMS = ['HS256', 'HS384', 'HS512', 'ES256', 'EdDSA', 'RS256']

const KEY_MAPPING = mapping(
  'a key: its algorithm, and a secret (HS*) or a private key',
  {
    algorithm: value(`one of ${ALGORITHMS.join(', ')}`, 'what it signs with', {
      type: 'string',
      enum: ALGORITHMS,
    }),
    secret: value('a secret as text, from a file as file:PATH', 'of HS*: the secret', {
      type: 'string',
      minLength: 1,
      writeOnly: true,
    }),
    encoding: words(['hex', 'base64url', 'utf8'], 'how the secret is written'),
    privateKey: value(
      'a private key as PEM or JWK text, from a file as file:PATH',
      'of the others: the private key, PEM or JWK: file:key.pem',
      { type: 'string', minLength: 1, writeOnly: true, examples: ['file:key.pem'] },
    ),
    kid: text(
      '1 to 100 printable ASCII characters',
      'its name for verifiers, in place of the one that derives from it',
      '^[!-~]{1,100}$',
    ),
  },
  { required: ['algorithm'] },
)

const KEYS: JsonSchema = {
  type: 'object',
  description: 'keys that tokens are signed with, by name; public ones are at /.well-known/jwks.json',
  errorMessage: 'a mapping of names to keys, at least one',
  propertyNames: NAME,
  minProperties: 1,
  additionalProperties: {
    ...KEY_MAPPING,
    description: 'a key, or a list of keys: the first signs, all are published',
    errorMessage: 'a mapping with algorithm and secret or privateKey, or a list of those',
    type: ['object', 'array'],
    items: KEY_MAPPING,
    minItems: 1,
  },
}

const FIELDS: JsonSchema = {
  type: 'object',
  description: 'fields that are sent upstream, by name; nobody else can send them, to whatever upstream',
  errorMessage: 'a mapping of field names to values',
  propertyNames: { pattern: "^[\\w!#$%&'*+.^`|~-]+$", errorMessage: 'a field name' },
  additionalProperties: value('a field value of printable ASCII characters', 'value of the field', {
    type: 'string',
    pattern: '^[!-~]([\\t -~]{0,8190}[!-~])?$',
    writeOnly: true,
  }),
}

const AUDIENCE = text('a text', 'who the token is for', '^.+$')

const TOKEN: JsonSchema = {
  ...mapping('plain, none, or a mapping with what is different about the token', {
    key: text('the name of a key', "name of the key that signs; signet's own secret unless set", '^.+$'),
    header: text(
      'a field name',
      'field that carries the token; jwtHeader unless set',
      "^[\\w!#$%&'*+.^`|~-]+$",
    ),
    audience: {
      ...list('a text, or a list of texts', 'who the token is for (aud)', AUDIENCE, 1),
      type: ['string', 'array'],
      minLength: 1,
    },
    issuer: text('a text', 'who says so (iss)', '^.+$'),
    lifetime: value('an integer from 1000 to 86400000, in ms', 'ms until the token expires (exp)', {
      type: 'integer',
      minimum: 1000,
      maximum: 86_400_000,
      default: 60_000,
    }),
    claims: {
      type: 'object',
      description: "claims in place of payload; '{subject}' and its like stand for values",
      errorMessage: 'a mapping of claims to values',
      additionalProperties: true,
    },
  }),
  errorMessage: 'plain, none, or a mapping with keys of key, header, audience, issuer, lifetime, claims',
  type: ['string', 'object'],
  pattern: '^(plain|none)$',
}

const SCOPES_TEXT = '^[!#-\\[\\]-~]+( [!#-\\[\\]-~]+)*$'

const CREDENTIAL_USE: JsonSchema = {
  ...mapping(
    'name of a credential whose token is sent in Authorization, none, or a mapping of use and scope',
    {
      use: text('the name of a credential', 'name of the credential', '^.+$'),
      scope: text(
        'scopes with one blank between them',
        'scopes that are asked for in place of those of the credential',
        SCOPES_TEXT,
      ),
    },
    { required: ['use'] },
  ),
  errorMessage: 'the name of a credential, none, or a mapping with keys of use, scope',
  type: ['string', 'object'],
  minLength: 1,
}

const ORIGIN = 'http://host:port, https://host:port or unix:/path'
const ORIGIN_SHAPE = '^(https?://[^/?#@\\s]+/?|unix:/.+)$'

const TARGET: JsonSchema = {
  ...mapping(
    `one origin: ${ORIGIN}; or a mapping of url and weight`,
    {
      url: text(ORIGIN, `origin: ${ORIGIN}`, ORIGIN_SHAPE),
      weight: integer(1, 1000, 'share of the requests, relative to the other targets', { default: 1 }),
    },
    { required: ['url'] },
  ),
  errorMessage: `${ORIGIN}, or a mapping with keys of url, weight`,
  type: ['string', 'object'],
  pattern: `${ORIGIN_SHAPE}|\\$\\{|^file:`,
}

const UPSTREAM: JsonSchema = {
  ...mapping(
    'one origin, a list of origins that all do the same, or a mapping with targets',
    {
      targets: list('a list of origins', 'the origins: each a text, or url and weight', TARGET, 1),
      balance: words(
        ['round-robin', 'least-busy'],
        'which target gets a request: the next in turn, or that with the fewest running requests',
      ),
      host: text(
        'pass, target, or a host name with or without a port',
        'Host that is sent: pass as received, target as in its url, or this one',
        `^(${HOST_NAME}|\\[[\\da-fA-F:.]+\\])(:\\d{1,5})?$`,
        { default: 'pass', examples: ['pass', 'target'] },
      ),
      tls: mapping(
        'TLS to targets of https://; their certificates are always verified',
        {
          serverName: text(
            'a DNS name',
            'name asked for and verified, in place of the host',
            `^${HOST_NAME}$`,
          ),
          ca: pem('certificates', 'the only authorities trusted, PEM, in place of those of Node'),
          certificate: pem('a certificate', "signet's own certificate chain, PEM"),
          key: pem('a private key', 'its private key, PEM', { writeOnly: true }),
        },
        { dependentRequired: { certificate: ['key'], key: ['certificate'] } },
      ),
      ejection: mapping('when a target that fails is left alone', {
        failures: integer(1, 1000, 'failures in a row after which it is', { default: 3 }),
        duration: ms(10_000, 'that it is left alone'),
        slowStart: ms(10_000, 'over which its share grows again'),
      }),
      health: mapping(
        'requests that ask each target how it is',
        {
          path: text('a path that begins with /', 'path of a GET', '^/[!-~]*$'),
          interval: ms(5000, 'from one to the next'),
          timeout: ms(2000, 'for the response head'),
          statuses: {
            ...list(
              'two statuses, from and to, such as [200, 399]',
              'statuses that mean well: from, to',
              integer(100, 599, 'a status'),
              2,
            ),
            maxItems: 2,
            default: [200, 399],
          },
          unhealthy: integer(1, 1000, 'bad answers in a row after which a target is unwell', { default: 2 }),
          healthy: integer(1, 1000, 'good answers in a row after which it is well again', { default: 2 }),
        },
        { required: ['path'] },
      ),
      fields: FIELDS,
      token: TOKEN,
      credential: CREDENTIAL_USE,
    },
    { required: ['targets'] },
  ),
  errorMessage: `${ORIGIN}, a list of those, or a mapping with targets`,
  type: ['string', 'array', 'object'],
  pattern: `${ORIGIN_SHAPE}|\\$\\{|^file:`,
  items: TARGET,
  minItems: 1,
}

/** A value that is shown nowhere. */
function secret(description: string): JsonSchema {
  return value('text, best from a file as file:PATH or a variable', description, {
    type: 'string',
    minLength: 1,
    writeOnly: true,
  })
}

function seconds(fallback: number, description: string): JsonSchema {
  const shape = { type: 'integer', minimum: 0, maximum: 31_536_000, default: fallback } as const
  return value('an integer from 0 to 31536000, in seconds', `seconds ${description}`, shape)
}

const SCOPE = '^[!#-\\[\\]-~]{1,200}$'
const ROLE = '^[\\w.:/-]{1,200}$'
const SCOPES = (description: string, minItems = 0) =>
  list(
    'a list of scopes such as [shops:read]',
    description,
    text('a scope', 'scope (RFC 6749 §3.3)', SCOPE),
    minItems,
  )
const ROLES = (description: string, minItems = 0) =>
  list(
    'a list of roles such as [admin]',
    description,
    text('a role of letters, digits and -_.:/', 'role', ROLE),
    minItems,
  )
const CLAIM = (description: string, rest: JsonSchema = {}) =>
  text('the name of a claim', description, '^[!-~]+$', rest)
const HTTP_URL = (description: string) =>
  text('a URL that begins with http:// or https://', description, '^https?://[!-~]+$')

/** The kinds of authenticators, and the keys of each; `config/auth-reader.ts` holds them to it. */
const AUTHENTICATOR = mapping(
  'one way to find out who is asking',
  {
    kind: value(
      'one of anonymous, basic, api-key, jwt, introspection, session',
      'anonymous, basic, api-key, jwt, introspection or session',
      { type: 'string', enum: ['anonymous', 'basic', 'api-key', 'jwt', 'introspection', 'session'] },
    ),
    forward: value('true or false', 'whether the credential is forwarded to the upstream as well', {
      type: 'boolean',
      default: false,
    }),
    subject: text(
      'text',
      'anonymous: who everybody is; jwt and introspection: the claim that says who is asking, sub unless set',
      '^.{1,256}$',
    ),
    users: secret('basic and session: users as signet user add writes them: file:users'),
    field: text('a field name', 'api-key: field with the key', "^[\\w!#$%&'*+.^`|~-]+$", {
      default: 'x-api-key',
    }),
    keys: {
      ...list(
        'a list of mappings with subject and key or sha256',
        'api-key: the keys',
        mapping(
          'one key',
          {
            subject: text('text', 'who has it', '^.{1,256}$'),
            key: secret('the key itself'),
            sha256: text(
              '64 hex digits',
              'SHA-256 of the key, in hex, in place of the key',
              '^[\\da-fA-F]{64}$',
            ),
            roles: ROLES('roles of who has it'),
            scopes: SCOPES('scopes of who has it'),
          },
          { required: ['subject'] },
        ),
        1,
      ),
      maxItems: 1000,
    },
    secret: secret('jwt: secret of HS256, HS384 or HS512; session: secret that its tokens are signed with'),
    secretEncoding: words(['hex', 'base64url', 'utf8'], 'how secret is written'),
    jwks: HTTP_URL('jwt: URL of the key set of the issuer (RFC 7517)'),
    algorithms: list(
      'a list of algorithms such as [ES256]',
      'jwt: algorithms that tokens may be signed with; no other counts',
      text('an algorithm such as HS256 or ES256', 'algorithm (RFC 7518)', '^[\\w-]+$'),
      1,
    ),
    issuer: text('text', 'jwt and introspection: what iss has to be', '^.+$'),
    audience: list(
      'a list of texts',
      'jwt and introspection: aud has to name one of these',
      text('text', 'audience', '^.+$'),
      1,
    ),
    leeway: seconds(0, 'jwt and introspection: that clocks may differ'),
    requiredClaims: {
      ...list(
        'a list of names of claims',
        'jwt and introspection: claims that have to be there; exp for jwt unless set',
        CLAIM('claim'),
      ),
    },
    url: HTTP_URL('introspection: URL that is asked (RFC 7662)'),
    clientId: text('text', "introspection: signet's name there", '^.+$'),
    clientSecret: secret("introspection: signet's password there"),
    timeout: ms(2000, 'introspection and jwks: for a whole answer'),
    cache: value('an integer from 0 to 60000, in ms', 'ms introspection: that an answer counts', {
      type: 'integer',
      minimum: 0,
      maximum: 60_000,
      default: 5000,
    }),
    ca: pem('certificates', 'introspection and jwks: the only authorities trusted, PEM'),
    login: text(
      'a path that begins with /',
      'session: path that takes POST with username and password',
      '^/[!-~]*$',
      {
        default: '/login',
      },
    ),
    lifetime: value('an integer from 1 to 31536000, in seconds', 'seconds session: that a token is valid', {
      type: 'integer',
      minimum: 1,
      maximum: 31_536_000,
      default: 3600,
    }),
  },
  { required: ['kind'] },
)

const CREDENTIAL_KINDS = ['oauth2-code', 'oauth2-client-credentials']

/** The kinds of credentials, and the keys of each; `config/credential-reader.ts` holds them to it. */
const CREDENTIAL = mapping(
  'one way to obtain tokens for upstreams',
  {
    kind: value(
      `one of ${CREDENTIAL_KINDS.join(', ')}`,
      'oauth2-code: a new token for each request; oauth2-client-credentials: one that requests share',
      { type: 'string', enum: CREDENTIAL_KINDS },
    ),
    authorizationEndpoint: HTTP_URL('oauth2-code: URL where codes are granted (RFC 6749 §3.1)'),
    tokenEndpoint: HTTP_URL('URL that gives tokens (RFC 6749 §3.2)'),
    clientId: text('printable ASCII characters', "signet's name there", '^[ -~]{1,255}$'),
    clientSecret: secret("signet's password there"),
    redirectUri: text(
      'a URL that begins with http:// or https://, without a fragment',
      'oauth2-code: URL that is registered there for codes to be sent to; nothing has to be at it',
      '^https?://[^#\\s]+$',
    ),
    issuer: text('text', 'oauth2-code: what iss has to be (RFC 9207), which is needed then', '^.+$'),
    scope: text('scopes with one blank between them', 'scopes that are asked for', SCOPES_TEXT),
    audience: text('text', 'oauth2-client-credentials: audience that is asked for', '^.+$'),
    user: text(
      'text',
      'oauth2-code: whom a token is for (login_hint) where nobody was asked; the subject otherwise',
      '^.{1,256}$',
    ),
    timeout: ms(2000, 'for each whole answer'),
    margin: value(
      'an integer from 0 to 3600000, in ms',
      'ms oauth2-client-credentials: before its end that a token is not used any more',
      { type: 'integer', minimum: 0, maximum: 3_600_000, default: 10_000 },
    ),
    maxConcurrent: integer(1, 1000, 'oauth2-code: flows at once; up to 1024 more wait', { default: 16 }),
    ca: pem('certificates', 'the only authorities trusted, PEM'),
    allowHttp: value('true or false', 'whether http:// may lead to another machine, secrets in the clear', {
      type: 'boolean',
      default: false,
    }),
  },
  { required: ['kind'] },
)

const LIMIT = mapping(
  'how many requests a caller may send; beyond, 429',
  {
    requests: integer(1, 1_000_000_000, 'requests in a window'),
    window: value('whole seconds from 1000 to 86400000, in ms', "ms from a caller's first request on", {
      type: 'integer',
      minimum: 1000,
      maximum: 86_400_000,
      multipleOf: 1000,
    }),
    by: text(
      'subject, address, or field: and the name of a field',
      'what callers are told apart by: subject (who they are), address, or the value of a field; the address, where that is missing',
      "^(subject|address|field:[\\w!#$%&'*+.^`|~-]{1,100})$",
      { default: 'subject', examples: ['subject', 'address', 'field:x-api-key'] },
    ),
    store: words(
      ['memory', 'redis'],
      'where requests are counted: in this signet alone, or in Redis for all that share it',
    ),
    whenDown: words(
      ['open', 'closed'],
      'what becomes of requests that cannot be counted: they pass, or are refused with 503',
    ),
  },
  { required: ['requests', 'window'] },
)

const REDIS = mapping(
  'the Redis that limits are counted in; needs the package ioredis',
  {
    url: text(
      'redis://host:port or rediss://host:port',
      'redis:// or, over TLS, rediss://, with a user and a password where it wants them',
      '^rediss?://[^\\s]+$',
      { writeOnly: true, examples: ['redis://redis:6379', 'rediss://redis.internal:6380'] },
    ),
    timeout: integer(1, 60_000, 'ms that one command may take', { default: 250 }),
  },
  { required: ['url'] },
)

const COMPRESS: JsonSchema = {
  ...mapping('true, or which responses are compressed for clients that accept it', {
    minSize: integer(0, 2 ** 31 - 1, 'octets; what is known to be smaller is left as it is', {
      default: 1024,
    }),
    encodings: {
      ...list(
        `a list of ${ENCODINGS.join(', ')}`,
        'content codings, the preferred one first; zstd only where Node has it',
        value(`one of ${ENCODINGS.join(', ')}`, 'a content coding', { type: 'string', enum: [...ENCODINGS] }),
        1,
      ),
      default: [...ENCODINGS],
    },
    types: list(
      'a list of media types such as [text/html, application/*]',
      'media types; all that are known to be compressible unless this is set',
      text('a media type, or type/*', 'type/subtype, or type/*', '^[\\w!#$&^.+-]+/([\\w!#$&^.+-]+|\\*)$'),
      1,
    ),
  }),
  errorMessage: 'true, false, or a mapping with keys of minSize, encodings, types',
  type: ['boolean', 'object'],
}

const ROUTE = mapping(
  'which requests go to which upstream; of several that fit, the most specific one counts',
  {
    name: text(
      '1 to 100 printable ASCII characters',
      'name for logs and metrics',
      '^[!-~]([ -~]{0,98}[!-~])?$',
    ),
    host: text(
      'a host name, or *. and one',
      'example.com or *.example.com, without a port; any host',
      '^\\S+$',
    ),
    path: text(
      'a path that begins with /',
      '/a, /a/:b, /a/:b([0-9]+) or /a/*; any path unless this is set',
      '^/',
      { default: '/*' },
    ),
    methods: list(
      'a list of methods such as [GET, POST]',
      'methods; any unless this is set',
      text('a method', 'method such as GET', "^[\\w!#$%&'*+.^`|~-]+$"),
      1,
    ),
    upstream: text('the name of an upstream', 'name of the upstream', '^.+$'),
    rewrite: text('a path that begins with /', 'path that is forwarded in place of the received one', '^/'),
    authenticate: list(
      'a list of names of authenticators',
      'authenticators that are tried in this order; anybody may come in unless this is set',
      text('the name of an authenticator', 'name of an authenticator', '^.+$'),
      1,
    ),
    require: list(
      'a list of conditions',
      'conditions, all of which have to hold',
      text("a condition such as params.id == claims.sub or 'a' in roles", 'condition', '^.{1,1000}$'),
      1,
    ),
    scopes: SCOPES('scopes, all of which the caller needs', 1),
    roles: ROLES('roles, one of which the caller needs', 1),
    fields: FIELDS,
    token: TOKEN,
    credential: CREDENTIAL_USE,
    limit: LIMIT,
    compress: COMPRESS,
  },
  { required: ['upstream'] },
)

const FORWARD = mapping(
  'a port for clients that have signet as their forward proxy',
  {
    host: text('an address or a host name', 'address to accept on', '^[\\w.:%-]{1,255}$', {
      default: '127.0.0.1',
    }),
    port: PORT('port to accept on'),
    allow: list(
      'a list of mappings with host and ports',
      'where requests may go; nothing else is allowed',
      mapping(
        'hosts and ports that requests may go to',
        {
          host: text(
            'example.com, *.example.com or an address',
            'example.com, *.example.com or an address',
            `^((\\*\\.)?${HOST_NAME}|[\\da-fA-F:.]+)$`,
          ),
          ports: {
            ...list('a list of ports', 'ports', integer(1, 65_535, 'a port'), 1),
            default: [80, 443],
          },
        },
        { required: ['host'] },
      ),
      1,
    ),
    privateAddresses: ADDRESSES('private addresses that may be connected to all the same, as CIDR blocks', {
      default: [],
    }),
  },
  { required: ['port', 'allow'] },
)

/** The schema, as it is published. */
export const SCHEMA: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'signet configuration',
  ...mapping('The configuration file of signet. Durations are in ms.', {
    // JSON has no comment by which an editor could be told.
    $schema: text(
      'the address of this schema',
      'the address of this schema, for editors; signet looks at none',
      '.*',
    ),
    ...Object.fromEntries(Object.entries(SETTINGS).flatMap(settingSchema)),
    tls: TLS,
    proxyProtocol: ADDRESSES('peers that begin each connection with a PROXY header, as CIDR blocks'),
    trustedProxies: ADDRESSES('peers whose X-Forwarded-* and Forwarded are believed, as CIDR blocks'),
    forward: FORWARD,
    keys: KEYS,
    redis: REDIS,
    upstreams: {
      type: 'object',
      description: 'where requests may be forwarded to, by name',
      errorMessage: 'a mapping of names to origins',
      propertyNames: NAME,
      additionalProperties: UPSTREAM,
    },
    routes: list('a list of routes', 'which requests go where', ROUTE, 1),
    authenticators: {
      type: 'object',
      description: 'ways to find out who is asking, by name',
      errorMessage: 'a mapping of names to authenticators',
      propertyNames: {
        pattern: '^[A-Za-z0-9][\\w.-]{0,63}$',
        errorMessage: 'a name of 1 to 64 letters, digits, - _ and .',
      },
      additionalProperties: AUTHENTICATOR,
    },
    credentials: {
      type: 'object',
      description: 'ways to obtain tokens for upstreams, by name',
      errorMessage: 'a mapping of names to credentials',
      propertyNames: NAME,
      additionalProperties: CREDENTIAL,
    },
  }),
  errorMessage: 'a mapping of settings to values',
  $defs: {
    reference: {
      description: `\${NAME} from the environment, file:PATH from a file`,
      errorMessage: 'a reference',
      type: 'string',
      pattern: '\\$\\{|^file:',
    },
  },
}

/** The schema of a setting; none for the path of the file, which cannot say where it is itself. */
function settingSchema([name, row]: [string, Setting<unknown>]): [string, JsonSchema][] {
  if (name === 'config') return []
  const { shape, expected } = row.read
  const fallback = row.fallback === undefined ? {} : { default: nativeDefault(row.fallback, shape) }
  const secret = row.secret ? ({ writeOnly: true } as const) : {}
  const description =
    row.unit === undefined || row.doc.startsWith(row.unit) ? row.doc : `${row.unit}: ${row.doc}`
  const items = shape.items && { items: { ...shape.items, errorMessage: 'a word without blanks' } }
  return [[name, value(expected, description, { ...shape, ...items, ...fallback, ...secret })]]
}

/** A default as the file would have it. */
function nativeDefault(fallback: string, { type }: ValueShape): string | number | boolean {
  const types = [type].flat()
  if (types.includes('integer') && /^\d+$/.test(fallback)) return Number(fallback)
  return types.includes('boolean') ? fallback === 'on' : fallback
}

/** The schema for values whose references have been looked up already: none is accepted in their place. */
export function withoutReferences(schema: JsonSchema): JsonSchema {
  const strip = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(strip)
    if (typeof part !== 'object' || part === null) return part
    const { anyOf, ...rest } = part as JsonSchema
    // Each anyOf was made by `value`, above: the value as it is written comes first.
    return Object.fromEntries(
      Object.entries({ ...rest, ...anyOf?.[0] }).map(([key, member]) => [
        key,
        key === 'pattern' && typeof member === 'string'
          ? member.replace('|\\$\\{|^file:', '')
          : strip(member),
      ]),
    )
  }
  return strip(schema) as JsonSchema // the same shape, but for what was taken away
}
