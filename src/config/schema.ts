// What a configuration file may hold, as a JSON Schema (2020-12): published as schema.json, so that editors complete and
// check, and what signet itself checks with. Settings derive from the SETTINGS table; the rest is written down here.

import { SETTINGS, type Setting } from '../config.ts'
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
    },
    { required: ['targets'] },
  ),
  errorMessage: `${ORIGIN}, a list of those, or a mapping with targets`,
  type: ['string', 'array', 'object'],
  pattern: `${ORIGIN_SHAPE}|\\$\\{|^file:`,
  items: TARGET,
  minItems: 1,
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
    upstreams: {
      type: 'object',
      description: 'where requests may be forwarded to, by name',
      errorMessage: 'a mapping of names to origins',
      propertyNames: {
        pattern: '^[A-Za-z0-9][\\w.-]{0,63}$',
        errorMessage: 'a name of 1 to 64 letters, digits, - _ and .',
      },
      additionalProperties: UPSTREAM,
    },
    routes: list('a list of routes', 'which requests go where', ROUTE, 1),
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
