// The authenticators of a configuration file. In: values that fit the schema, those that do not left out. Out: the plain data
// of http/authentication.ts; what is wrong although each value fits: keys of another kind, secrets, users, URLs.

import { strict as assert } from 'node:assert'
import { hash } from 'node:crypto'
import { messageOf } from '../errors.ts'
import {
  type ApiKey,
  type AuthenticatorConfig,
  type JwtConfig,
  PUBLIC_ALGORITHMS,
  SECRET_ALGORITHMS,
  type TokenPolicy,
  type UserConfig,
} from '../http/authentication.ts'
import { pageOf } from '../http/pages.ts'
import { readUsers } from '../http/users.ts'
import { readFieldName } from '../setting-readers.ts'
import { itemsOf } from './gateway-reader.ts'
import type { Complain, Given } from './given.ts'
import { judgeKeys, type Keys, readRemote } from './kinds.ts'
import type { Path } from './problems.ts'

/**
 * Reads a secret.
 *
 * @param octets that it must have at least
 * @throws {Error} what is wrong with it, with nothing of it
 */
export type ReadSecret = (text: string, encoding: 'hex' | 'base64url' | 'utf8', octets: number) => Buffer

/** The structural key that is read here. */
export interface AuthStructure {
  readonly authenticators?: Readonly<Record<string, Given<RawAuthenticator> | undefined>>
}

interface RawKey {
  readonly subject: string
  readonly key: string
  readonly sha256: string
  readonly roles: readonly string[]
  readonly scopes: readonly string[]
}

interface RawAuthenticator {
  readonly kind: AuthenticatorConfig['kind']
  readonly forward: boolean
  readonly subject: string
  readonly users: string
  readonly field: string
  readonly keys: readonly RawKey[]
  readonly secret: string
  readonly secretEncoding: 'hex' | 'base64url' | 'utf8'
  readonly jwks: string
  readonly algorithms: readonly string[]
  readonly issuer: string
  readonly audience: readonly string[]
  readonly leeway: number
  readonly requiredClaims: readonly string[]
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly timeout: number
  readonly cache: number
  readonly ca: string
  readonly login: string
  readonly lifetime: number
}

type Key = keyof RawAuthenticator

const POLICY = ['subject', 'issuer', 'audience', 'leeway', 'requiredClaims'] as const

/** The keys of each kind, beside `kind`. */
const KEYS: Readonly<Record<AuthenticatorConfig['kind'], Keys<Key>>> = {
  anonymous: { needed: [], others: ['subject'] },
  basic: { needed: ['users'], others: ['forward'] },
  'api-key': { needed: ['keys'], others: ['field', 'forward'] },
  jwt: {
    needed: ['algorithms'],
    others: ['secret', 'secretEncoding', 'jwks', 'timeout', 'ca', ...POLICY, 'forward'],
  },
  introspection: {
    needed: ['url', 'clientId', 'clientSecret'],
    others: ['timeout', 'cache', 'ca', ...POLICY, 'forward'],
  },
  session: { needed: ['users', 'secret'], others: ['secretEncoding', 'login', 'lifetime', 'forward'] },
}

/** The least octets of a secret, by algorithm (RFC 7518 §3.2). */
const LEAST_OCTETS = { HS256: 32, HS384: 48, HS512: 64 } as const

/** The authenticators, in the order of the file; undefined where there is no such key. */
export function readAuthenticators(
  { authenticators }: AuthStructure,
  complain: Complain,
  readSecret: ReadSecret | undefined,
): readonly AuthenticatorConfig[] | undefined {
  if (authenticators === undefined) return undefined
  const logins = new Map<string, string>()
  return Object.entries(authenticators).flatMap(([name, raw]) => {
    if (raw?.kind === undefined) return []
    const path = ['authenticators', name]
    const before = judgeKeys(raw, raw.kind, KEYS[raw.kind], path, complain)
    const read = before ? readOne(name, raw, raw.kind, path, complain, readSecret) : undefined
    if (read?.kind === 'session') {
      const other = logins.get(read.login)
      if (other !== undefined) complain([...path, 'login'], `authenticator ${other} has this path already`)
      logins.set(read.login, name)
    }
    return read === undefined ? [] : [read]
  })
}

function readOne(
  name: string,
  raw: Given<RawAuthenticator>,
  kind: AuthenticatorConfig['kind'],
  path: Path,
  complain: Complain,
  readSecret: ReadSecret | undefined,
): AuthenticatorConfig | undefined {
  const common = { name, forward: raw.forward ?? false }
  const users = () => attempt(() => readUsers(raw.users ?? ''), [...path, 'users'], complain)
  const secret = (octets: number) => {
    assert(readSecret !== undefined, 'there is a way to read secrets')
    const read = () => readSecret(raw.secret ?? '', raw.secretEncoding ?? 'hex', octets).toString('base64url')
    return attempt(read, [...path, 'secret'], complain)
  }
  switch (kind) {
    case 'anonymous':
      return { ...common, kind, subject: raw.subject ?? 'anonymous' }
    case 'basic': {
      const accounts = users()
      return accounts && { ...common, kind, users: accounts }
    }
    case 'api-key': {
      const field = attempt(() => readField(raw.field ?? 'x-api-key'), [...path, 'field'], complain)
      const keys = readKeys(raw.keys ?? [], [...path, 'keys'], complain)
      return field === undefined ? undefined : { ...common, kind, field, keys }
    }
    case 'jwt': {
      const key = readJwtKey(raw, path, complain, secret)
      return key && { ...common, kind, key, policy: readPolicy(raw, ['exp']) }
    }
    case 'introspection': {
      const endpoint = readRemote(raw.url, raw, 'url', path, complain)
      const { clientId = '', clientSecret = '', cache = 5000 } = raw
      return (
        endpoint && { ...common, kind, endpoint, clientId, clientSecret, cache, policy: readPolicy(raw, []) }
      )
    }
    case 'session':
      return readSession(common, raw, path, complain, users(), secret(LEAST_OCTETS.HS256))
  }
}

function readField(written: string): string {
  try {
    return readFieldName(written)
  } catch (error) {
    throw new Error(`expected ${messageOf(error)}`)
  }
}

function readSession(
  common: { readonly name: string; readonly forward: boolean },
  { login = '/login', lifetime = 3600 }: Given<RawAuthenticator>,
  path: Path,
  complain: Complain,
  users: readonly UserConfig[] | undefined,
  secret: string | undefined,
): AuthenticatorConfig | undefined {
  if (/[?#]/.test(login)) complain([...path, 'login'], 'a path has neither ? nor #')
  if (pageOf(login) !== undefined) complain([...path, 'login'], 'here is a page of signet already')
  return users && secret !== undefined
    ? { ...common, kind: 'session', login, secret, lifetime, users }
    : undefined
}

function readKeys(keys: Given<readonly RawKey[]>, path: Path, complain: Complain): ApiKey[] {
  const seen = new Set<string>()
  return itemsOf(keys, (raw, at): ApiKey | undefined => {
    const { subject = '', key, sha256, roles = [], scopes = [] } = raw
    if ('key' in raw === 'sha256' in raw)
      complain([...path, at], 'expected one of the keys "key" and "sha256"', 'key')
    if (key !== undefined && /^\s|\s$|[^\x20-\x7e]/.test(key)) {
      complain([...path, at, 'key'], 'a key is of visible ASCII characters, without blanks at its ends')
      return undefined
    }
    const digest = key === undefined ? sha256?.toLowerCase() : hash('sha256', key, 'hex')
    if (digest === undefined) return undefined
    if (seen.has(digest)) complain([...path, at], 'this key stands above already')
    seen.add(digest)
    const all = (texts: Given<readonly string[]>) => itemsOf(texts, (text) => text)
    return { subject, sha256: digest, roles: all(roles), scopes: all(scopes) }
  })
}

function readJwtKey(
  raw: Given<RawAuthenticator>,
  path: Path,
  complain: Complain,
  readSecret: (octets: number) => string | undefined,
): JwtConfig['key'] | undefined {
  const algorithms = itemsOf(raw.algorithms ?? [], (algorithm) => algorithm)
  if ('secret' in raw === 'jwks' in raw) {
    complain(path, 'expected one of the keys "secret" and "jwks"', 'key')
    return undefined
  }
  const bySecret = 'secret' in raw
  const allowed: readonly string[] = bySecret ? SECRET_ALGORITHMS : PUBLIC_ALGORITHMS
  const wrong = algorithms.findIndex((algorithm) => !allowed.includes(algorithm))
  if (wrong !== -1) {
    const kind = bySecret ? 'a secret' : 'a key set'
    complain([...path, 'algorithms', wrong], `no algorithm for ${kind}: there are ${allowed.join(', ')}`)
    return undefined
  }
  if (!bySecret) {
    const jwks = readRemote(raw.jwks, raw, 'jwks', path, complain)
    // All of them are among those that are allowed.
    return jwks && { algorithms: algorithms as (typeof PUBLIC_ALGORITHMS)[number][], jwks }
  }
  if (raw.secret === undefined) return undefined
  const known = algorithms as (typeof SECRET_ALGORITHMS)[number][]
  const secret = readSecret(Math.max(0, ...known.map((algorithm) => LEAST_OCTETS[algorithm])))
  return secret === undefined ? undefined : { algorithms: known, secret }
}

function readPolicy(
  { subject = 'sub', issuer, audience, leeway = 0, requiredClaims }: Given<RawAuthenticator>,
  required: readonly string[],
): TokenPolicy {
  return {
    subject,
    leeway,
    requiredClaims: requiredClaims === undefined ? required : itemsOf(requiredClaims, (claim) => claim),
    ...(issuer !== undefined && { issuer }),
    ...(audience && { audience: itemsOf(audience, (one) => one) }),
  }
}

function attempt<T>(read: () => T, path: Path, complain: Complain): T | undefined {
  try {
    return read()
  } catch (error) {
    complain(path, messageOf(error))
    return undefined
  }
}
