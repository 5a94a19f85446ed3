// What `signet check` prints of keys, of what upstreams are told, and of credentials. In: a checked configuration. Out: rows, with nothing secret.

import type { GatewayConfig, KeyConfig, ToldConfig, TokenConfig } from '../http/gateway.ts'
import { inOrder } from '../http/route-order.ts'
import { isHmac, readSigningKey } from '../jwt/signing-keys.ts'
import type { Rows } from './table.ts'

/** Tables, the names of their columns first; none of what the configuration does not have. */
export function toldTables(
  keys: readonly KeyConfig[],
  gateway: Pick<GatewayConfig, 'upstreams' | 'routes'> | undefined,
  jwtHeader: string,
): Rows[] {
  const { upstreams = [], routes = [] } = gateway ?? {}
  const all: (readonly [string, ToldConfig])[] = [
    ...upstreams.map((upstream) => [`upstream ${upstream.name}`, upstream] as const),
    ...routes.map((route) => [`route ${route.name}`, route] as const),
  ]
  const told = all.filter(([, { fields, token }]) => fields !== undefined || token !== undefined)
  const tokens = told.flatMap(([, { token }]) => (typeof token === 'object' ? [token] : []))
  const toldRows = told.map(([who, { fields, token }]) => [
    who,
    Object.keys(fields ?? {}).join(', ') || '-',
    token === undefined ? '-' : showToken(token, jwtHeader),
  ])
  return [
    ...(keys.length === 0
      ? []
      : [[['KEY', 'ALGORITHM', 'KID', 'USE'], ...keys.map((key) => keyRow(key, keys, tokens))]]),
    ...(toldRows.length === 0 ? [] : [[['TOLD', 'FIELDS', 'TOKEN'], ...toldRows]]),
  ]
}

function keyRow(
  key: KeyConfig,
  keys: readonly KeyConfig[],
  tokens: readonly TokenConfig[],
): readonly string[] {
  const first = keys.find(({ name }) => name === key.name) === key
  const signs = first && tokens.some((token) => token.key === key.name)
  const uses = [...(signs ? ['signs'] : []), ...(isHmac(key.algorithm) ? [] : ['published'])]
  return [key.name, key.algorithm, readSigningKey(key).kid, uses.join(', ') || '-']
}

function showToken(token: NonNullable<ToldConfig['token']>, jwtHeader: string): string {
  if (typeof token === 'string') return token
  const { key = 'secret', header = jwtHeader, lifetime } = token
  return `${header}, by ${key}, for ${lifetime} ms`
}

/** Credentials, and what each route sends in Authorization; none where there are no credentials. */
export function credentialTables(gateway: GatewayConfig | undefined): Rows[] {
  const { credentials = [], routes = [], upstreams = [] } = gateway ?? {}
  if (credentials.length === 0) return []
  const kinds = credentials.map(({ name, kind, tokenEndpoint }) => [name, kind, tokenEndpoint.url])
  const uses = inOrder(routes).flatMap((route) => {
    const { credential = upstreams.find(({ name }) => name === route.upstream)?.credential } = route
    if (credential === undefined || credential === 'none') return []
    const { scope } = credentials.find(({ name }) => name === credential.use) ?? {}
    return [[route.name, credential.use, credential.scope ?? scope ?? '-']]
  })
  return [
    [['CREDENTIAL', 'KIND', 'TOKEN ENDPOINT'], ...kinds],
    ...(uses.length === 0 ? [] : [[['ROUTE', 'CREDENTIAL', 'SCOPE'], ...uses]]),
  ]
}
