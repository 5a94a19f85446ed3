// What the webapp goes by: the defaults, which work as they are, and what signet.yaml is told of them.

import type { Schema } from '../service/check.ts'
import { CLIENT_TEXT, HOST, ORIGIN, PORT, USER } from '../service/schemas.ts'

/** Everything that can be configured. */
export interface WebappConfig {
  readonly host: string
  readonly port: number
  /** its issuer, which is where it is called too */
  readonly authorizationServer: string
  readonly resourceServer: string
  readonly clientId: string
  readonly clientSecret: string
  /** as it is registered; nothing has to be there */
  readonly redirectUri: string
  /** whom every token is for: nobody is asked who they are */
  readonly user: string
}

/** In effect where neither file nor variable says otherwise. */
export const DEFAULTS: WebappConfig = {
  host: '127.0.0.1',
  port: 5003,
  authorizationServer: 'http://127.0.0.1:5001',
  resourceServer: 'http://127.0.0.1:5002',
  clientId: '1234',
  clientSecret: 'qwerty',
  redirectUri: 'http://127.0.0.1:5003/callback',
  user: 'username',
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
    resourceServer: ORIGIN,
    clientId: CLIENT_TEXT,
    clientSecret: CLIENT_TEXT,
    redirectUri: { type: 'string', errorMessage: 'an http or https URI', pattern: '^https?://[!-"$-~]+$' },
    user: USER,
  },
}

/** Variables that override single values, for containers. */
export const VARIABLES = {
  HTTP_HOST: 'host',
  HTTP_PORT: 'port',
  OAUTH2_ISSUER: 'authorizationServer',
  OAUTH2_RESOURCE_SERVER: 'resourceServer',
} as const satisfies Record<string, keyof WebappConfig>

/** The values as signet and its signet.yaml read them. */
export function signetEnvironment(config: WebappConfig): Record<string, string> {
  return {
    HTTP_HOST: config.host,
    HTTP_PORT: String(config.port),
    AUTHORIZATION_SERVER: config.authorizationServer,
    RESOURCE_SERVER: config.resourceServer,
    CLIENT_ID: config.clientId,
    CLIENT_SECRET: config.clientSecret,
    REDIRECT_URI: config.redirectUri,
    API_USER: config.user,
  }
}

/** Whether the client's secret is the one that everybody knows. */
export function demoSecretsOf({ clientSecret }: WebappConfig): string[] {
  return clientSecret === DEFAULTS.clientSecret ? ['webapp.clientSecret'] : []
}
