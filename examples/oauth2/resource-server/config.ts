// What the signet before the time service goes by: the defaults, which work as they are, and what signet.yaml is told of them.

import type { Schema } from '../service/check.ts'
import { CLIENT_TEXT, HOST, ORIGIN, PORT, SIGNET_SECRET, USER } from '../service/schemas.ts'
import { DEFAULTS as TIME_SERVICE, secretOf } from '../time-service/config.ts'

/** Everything that can be configured. */
export interface ResourceServerConfig {
  readonly host: string
  readonly port: number
  /** its issuer, which is where it is called too */
  readonly authorizationServer: string
  readonly timeService: string
  /** as whom it asks about tokens */
  readonly clientId: string
  readonly clientSecret: string
  /** `aud` that tokens have to have */
  readonly audience: string
  /** who may ask for the time */
  readonly user: string
  /** what the time service knows signet by: its own `secret` */
  readonly secret: string
}

/** In effect where neither file nor variable says otherwise. */
export const DEFAULTS: ResourceServerConfig = {
  host: '127.0.0.1',
  port: 5002,
  authorizationServer: 'http://127.0.0.1:5001',
  timeService: 'http://127.0.0.1:5004',
  clientId: 'resource-server',
  clientSecret: 'resource-server-secret',
  audience: 'urn:example:time-service',
  user: 'username',
  secret: TIME_SERVICE.secret,
}

/** What all of it has to look like, wherever it comes from. */
export const SCHEMA: Schema = {
  type: 'object',
  additionalProperties: false,
  required: Object.keys(DEFAULTS),
  properties: {
    host: HOST,
    port: PORT,
    authorizationServer: ORIGIN,
    timeService: ORIGIN,
    clientId: CLIENT_TEXT,
    clientSecret: CLIENT_TEXT,
    audience: { type: 'string', errorMessage: 'a URI', pattern: '^[!-~]+$' },
    user: USER,
    secret: SIGNET_SECRET,
  },
}

/** Variables that override single values, for containers. */
export const VARIABLES = {
  HTTP_HOST: 'host',
  HTTP_PORT: 'port',
  OAUTH2_ISSUER: 'authorizationServer',
  OAUTH2_TIME_SERVICE: 'timeService',
  SIGNET_SECRET: 'secret',
} as const satisfies Record<string, keyof ResourceServerConfig>

/** The values as signet and its signet.yaml read them. */
export function signetEnvironment(config: ResourceServerConfig): Record<string, string> {
  return {
    HTTP_HOST: config.host,
    HTTP_PORT: String(config.port),
    AUTHORIZATION_SERVER: config.authorizationServer,
    TIME_SERVICE: config.timeService,
    CLIENT_ID: config.clientId,
    CLIENT_SECRET: config.clientSecret,
    AUDIENCE: config.audience,
    API_USER: config.user,
    SIGNET_SECRET: Buffer.from(secretOf(config)).toString('hex'),
  }
}

/** Which secrets are those that everybody knows. */
export function demoSecretsOf(config: ResourceServerConfig): string[] {
  return [
    ...(config.clientSecret === DEFAULTS.clientSecret ? ['resourceServer.clientSecret'] : []),
    ...(Buffer.compare(secretOf(config), secretOf(DEFAULTS)) === 0 ? ['resourceServer.secret'] : []),
  ]
}
