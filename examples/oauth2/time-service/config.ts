// What the time service goes by: the defaults, which work as they are, and the schema of all of it.

import type { Schema } from '../service/check.ts'
import { HOST, PORT, SIGNET_SECRET } from '../service/schemas.ts'

/** Everything that can be configured. */
export interface TimeServiceConfig {
  readonly host: string
  readonly port: number
  /** what signet signs with, and nobody else: hex digits, white space means nothing */
  readonly secret: string
  /** seconds since signet signed, after which a token no longer counts */
  readonly tokenAge: number
}

/** In effect where neither file nor variable says otherwise. The secret is signet's demo secret, as its task prints it. */
export const DEFAULTS: TimeServiceConfig = {
  host: '127.0.0.1',
  port: 5004,
  secret:
    'a9ddbcaba8c0ac1a0a812dc0c2f08514b23f2db0a68343cb8199ebb38a6d91e4ebfb378e22ad39c2d01 d0b4ec9c34aa91056862ddace3fbbd6852ee60c36acbf',
  tokenAge: 60,
}

/** What all of it has to look like, wherever it comes from. */
export const SCHEMA: Schema = {
  type: 'object',
  additionalProperties: false,
  required: Object.keys(DEFAULTS),
  properties: {
    host: HOST,
    port: PORT,
    secret: SIGNET_SECRET,
    tokenAge: { type: 'integer', errorMessage: 'an integer from 1 to 3600', minimum: 1, maximum: 3600 },
  },
}

/** Variables that override single values, for containers; signet reads its secret from the same. */
export const VARIABLES = {
  HTTP_HOST: 'host',
  HTTP_PORT: 'port',
  SIGNET_SECRET: 'secret',
} as const satisfies Record<string, keyof TimeServiceConfig>

/** The octets of the secret. */
export function secretOf({ secret }: Pick<TimeServiceConfig, 'secret'>): Uint8Array {
  return Buffer.from(secret.replace(/\s+/g, ''), 'hex')
}

/** Whether the secret is the one that everybody knows. */
export function demoSecretsOf(config: TimeServiceConfig): string[] {
  return Buffer.compare(secretOf(config), secretOf(DEFAULTS)) === 0 ? ['timeService.secret'] : []
}
