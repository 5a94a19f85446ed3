// What upstreams are told with proof, as the configuration file has it: keys, static fields, tokens, credentials. In: values that fit the
// schema, those that do not left out. Out: the plain data of http/gateway.ts, and what is wrong although each value fits.

import { messageOf } from '../errors.ts'
import { fold } from '../http/fields.ts'
import { isCommonField } from '../http/forward-fields.ts'
import { DEFAULT_LIFETIME, type KeyConfig, type ToldConfig, type TokenConfig } from '../http/gateway.ts'
import { readFieldName } from '../setting-readers.ts'
import { type RawUse, readUse } from './credential-reader.ts'
import type { Complain, Given } from './given.ts'
import type { Path } from './problems.ts'
import { nearest } from './suggestion.ts'

/** A key as the file has it. */
export type RawKey = Omit<KeyConfig, 'name'>

/** What an upstream or a route is told, as the file has it. */
export interface RawTold {
  readonly fields: Readonly<Record<string, string>>
  readonly token: 'plain' | 'none' | RawToken
  readonly credential: RawUse
}

type RawToken = Omit<TokenConfig, 'audience' | 'claims'> & {
  readonly audience: string | readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
}

/** What only jwt/ can say: whether keys can be used, and what is wrong with the templates of claims. */
export interface CheckTold {
  readonly keys: (
    keys: readonly KeyConfig[],
  ) => readonly { readonly key: number; readonly part?: keyof RawKey; readonly problem: string }[]
  /** @param params names that there are; any, where they are not known beforehand */
  readonly claims: (
    claims: Readonly<Record<string, unknown>>,
    params?: readonly string[],
  ) => readonly { readonly path: Path; readonly problem: string }[]
}

/** Reads what stands at an upstream or a route. @param base what the upstream of the route says */
export type ReadTold = (
  told: Given<Partial<RawTold>>,
  path: Path,
  params?: readonly string[],
  base?: ToldConfig,
) => ToldConfig

/** The keys, in the order of the file. */
export function readKeys(
  keys: Given<Readonly<Record<string, RawKey | readonly RawKey[]>>>,
  complain: Complain,
  check?: CheckTold,
): KeyConfig[] {
  const whole = Object.entries(keys).flatMap(([name, raw]) => {
    const path = ['keys', name]
    const list: readonly [Given<RawKey> | undefined, Path][] = isList(raw)
      ? raw.map((one, at) => [one, [...path, at]])
      : [[raw, path]]
    return list.flatMap(([one, where]) => {
      // A value that did not fit is missing here: what the others mean without it is nothing to complain of.
      if (one === undefined || Object.values(one).includes(undefined) || one.algorithm === undefined)
        return []
      return [{ key: { name, ...one } as KeyConfig, where }] // all that is given fits, and what must be there is
    })
  })
  const read = whole.map(({ key }) => key)
  for (const { key, part, problem } of check?.keys(read) ?? []) {
    const where = whole[key]?.where ?? ['keys']
    complain(part === undefined ? where : [...where, part], problem)
  }
  return read
}

/** Names of those that there are, whether they can be used or not. */
export interface ToldNames {
  readonly keys: readonly string[]
  readonly credentials: readonly string[]
}

/** @param names that may be referred to */
export function createToldReader(
  { keys, credentials }: ToldNames,
  complain: Complain,
  check?: CheckTold,
): ReadTold {
  return ({ fields, token, credential }, path, params, base = {}) => {
    const readCredential = credential && readUse(credential, credentials, [...path, 'credential'], complain)
    const readFields = fields && fieldsOf(fields, [...path, 'fields'])
    const readToken = typeof token === 'object' ? tokenOf(token, [...path, 'token'], params) : token
    const header = typeof readToken === 'object' ? readToken.header : undefined
    for (const name of Object.keys(fields ?? {}))
      if (header !== undefined && fold(name) === fold(header))
        complain([...path, 'fields', name], 'the token is sent in a field of this name', 'key')
    const told = {
      ...(readFields && { fields: readFields }),
      ...(readToken && { token: readToken }),
      ...(readCredential && { credential: readCredential }),
    }
    const whole = { ...base, ...told, fields: { ...base.fields, ...readFields } }
    if (Object.keys(told).length > 0 && saysAuthorizationTwice(whole))
      complain(
        readCredential ? [...path, 'credential'] : path,
        'Authorization has a value already, by fields or by token: the credential needs it',
        'key',
      )
    return told
  }

  function fieldsOf(given: Given<RawTold['fields']>, path: Path): Readonly<Record<string, string>> {
    const seen = new Map<string, string>()
    const read = Object.entries(given).flatMap(([name, value]) => {
      const problem = nameProblem(name)
      const same = seen.get(fold(name))
      if (problem !== undefined) complain([...path, name], problem, 'key')
      else if (same !== undefined)
        complain([...path, name], `to many upstreams this is the same as ${same}`, 'key')
      seen.set(fold(name), name)
      return value === undefined ? [] : [[name.toLowerCase(), value] as const]
    })
    return Object.fromEntries(read)
  }

  function tokenOf(given: Given<RawToken>, path: Path, params: readonly string[] | undefined): TokenConfig {
    const { key, header, audience, issuer, lifetime = DEFAULT_LIFETIME, claims } = given
    if (key !== undefined && !keys.includes(key)) {
      const near = nearest(key, keys)
      const hint = near === undefined ? '' : ` (did you mean "${near}"?)`
      complain([...path, 'key'], `no key has this name${hint}`)
    }
    const problem = header === undefined ? undefined : nameProblem(header)
    if (problem !== undefined) complain([...path, 'header'], problem)
    for (const { path: where, problem: wrong } of (claims && check?.claims(claims, params)) ?? [])
      complain([...path, 'claims', ...where], wrong)
    return {
      ...(key !== undefined && { key }),
      ...(header !== undefined && { header: header.toLowerCase() }),
      ...(audience !== undefined && {
        audience: isList(audience) ? audience.filter((one) => one !== undefined) : audience,
      }),
      ...(issuer !== undefined && { issuer }),
      lifetime,
      ...(claims && { claims }),
    }
  }
}

/** Two lines of Authorization would be none. */
function saysAuthorizationTwice({ fields = {}, token, credential = 'none' }: ToldConfig): boolean {
  if (credential === 'none') return false
  return 'authorization' in fields || (typeof token === 'object' && token.header === 'authorization')
}

/** Names that clients or upstreams have good reason to use, of which forward-fields.ts knows nothing else. */
const EVERYDAY =
  /^(accept(-.*)?|access-control-.*|allow|content-.*|etag|from|last-modified|link|origin|priority|referer|sec-.*|server|trace(parent|state)|user-agent)$/

/** What is wrong with a field for signet to assert: no client and no upstream can send it any more, to whatever route. */
function nameProblem(name: string): string | undefined {
  const lower = name.toLowerCase()
  if (lower === 'authorization') return undefined
  try {
    readFieldName(name)
  } catch (error) {
    return `expected ${messageOf(error)}`
  }
  if (!isCommonField(lower) && !EVERYDAY.test(lower)) return undefined
  return 'expected another field: this one would be dropped from every request and response, since only signet may say it'
}

function isList<T>(value: T): value is Extract<T, readonly unknown[]> {
  return Array.isArray(value)
}
