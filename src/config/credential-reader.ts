// The credentials of a configuration file, and who uses them. In: values that fit the schema, those that do not left out. Out:
// the plain data of http/credentials.ts; what is wrong although each value fits.

import type { RemoteConfig } from '../http/authentication.ts'
import type { CredentialConfig, CredentialUse } from '../http/credentials.ts'
import type { Complain, Given } from './given.ts'
import { judgeKeys, type Keys, readRemote } from './kinds.ts'
import type { Path } from './problems.ts'
import { nearest } from './suggestion.ts'

/** The structural key that is read here. */
export interface CredentialStructure {
  readonly credentials?: Readonly<Record<string, Given<RawCredential> | undefined>>
}

interface RawCredential {
  readonly kind: CredentialConfig['kind']
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
  readonly issuer: string
  readonly scope: string
  readonly audience: string
  readonly user: string
  readonly timeout: number
  readonly margin: number
  readonly maxConcurrent: number
  readonly ca: string
  readonly allowHttp: boolean
}

type Key = keyof RawCredential

const COMMON = ['scope', 'timeout', 'ca', 'allowHttp'] as const

/** The keys of each kind, beside `kind`. */
const KEYS: Readonly<Record<CredentialConfig['kind'], Keys<Key>>> = {
  'oauth2-code': {
    needed: ['authorizationEndpoint', 'tokenEndpoint', 'clientId', 'clientSecret', 'redirectUri'],
    others: ['issuer', 'user', 'maxConcurrent', ...COMMON],
  },
  'oauth2-client-credentials': {
    needed: ['tokenEndpoint', 'clientId', 'clientSecret'],
    others: ['audience', 'margin', ...COMMON],
  },
}

/** Flows at once, where nothing is said. */
const DEFAULT_CONCURRENT = 16
/** ms before its end that a token is not used any more, where nothing is said. */
const DEFAULT_MARGIN = 10_000

/** The credentials, in the order of the file; undefined where there is no such key. */
export function readCredentials(
  { credentials }: CredentialStructure,
  complain: Complain,
): readonly CredentialConfig[] | undefined {
  if (credentials === undefined) return undefined
  return Object.entries(credentials).flatMap(([name, raw]) => {
    if (raw?.kind === undefined) return []
    const path = ['credentials', name]
    if (name === 'none')
      complain(path, 'expected another name: none is what a route says that wants none', 'key')
    const read = judgeKeys(raw, raw.kind, KEYS[raw.kind], path, complain)
      ? readOne(name, raw, raw.kind, path, complain)
      : undefined
    return read === undefined ? [] : [read]
  })
}

function readOne(
  name: string,
  raw: Given<RawCredential>,
  kind: CredentialConfig['kind'],
  path: Path,
  complain: Complain,
): CredentialConfig | undefined {
  const tokenEndpoint = readEndpoint(raw, 'tokenEndpoint', path, complain)
  const { clientId = '', clientSecret = '', scope } = raw
  const common = { name, clientId, clientSecret, ...(scope !== undefined && { scope }) }
  switch (kind) {
    case 'oauth2-code': {
      const authorizationEndpoint = readEndpoint(raw, 'authorizationEndpoint', path, complain)
      const { redirectUri = '', issuer, user, maxConcurrent = DEFAULT_CONCURRENT } = raw
      if (!URL.canParse(redirectUri)) complain([...path, 'redirectUri'], 'expected a whole URL')
      if (tokenEndpoint === undefined || authorizationEndpoint === undefined) return undefined
      return {
        ...common,
        kind,
        authorizationEndpoint,
        tokenEndpoint,
        redirectUri,
        maxConcurrent,
        ...(issuer !== undefined && { issuer }),
        ...(user !== undefined && { user }),
      }
    }
    case 'oauth2-client-credentials': {
      const { audience, margin = DEFAULT_MARGIN } = raw
      return (
        tokenEndpoint && {
          ...common,
          kind,
          tokenEndpoint,
          margin,
          ...(audience !== undefined && { audience }),
        }
      )
    }
  }
}

/** Secrets, codes and tokens go there: not in the clear over a network, unless that is said. */
function readEndpoint(
  raw: Given<RawCredential>,
  key: 'authorizationEndpoint' | 'tokenEndpoint',
  path: Path,
  complain: Complain,
): RemoteConfig | undefined {
  const remote = readRemote(raw[key], raw, key, path, complain)
  if (remote === undefined) return undefined
  const { protocol, hostname, hash } = new URL(remote.url)
  if (hash !== '') complain([...path, key], 'a URL without a fragment is expected here (RFC 6749 §3)')
  const here = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
  if (protocol === 'http:' && !here && raw.allowHttp !== true)
    complain(
      [...path, key],
      'secrets would go over the network in the clear: expected https://, or allowHttp: true',
    )
  return remote
}

/** What a route or an upstream says, as the file has it: a name, or a mapping. */
export type RawUse = string | CredentialUse

/** Reads what stands at a route or an upstream. @param names of all credentials, whether they can be used or not */
export function readUse(
  given: Given<RawUse>,
  names: readonly string[],
  path: Path,
  complain: Complain,
): 'none' | CredentialUse | undefined {
  if (given === 'none') return given
  const { use, scope }: Given<CredentialUse> = typeof given === 'string' ? { use: given } : given
  if (use === undefined) return undefined
  if (!names.includes(use)) {
    const near = nearest(use, names)
    const hint = near === undefined ? '' : ` (did you mean "${near}"?)`
    complain(typeof given === 'string' ? path : [...path, 'use'], `no credential has this name${hint}`)
  }
  return { use, ...(scope !== undefined && { scope }) }
}
