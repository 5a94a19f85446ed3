// What things of several kinds have in common in a configuration file, authenticators and credentials: each kind has keys of its
// own, and servers that are asked. In: values that fit the schema. Out: whether all is there; plain data; what is wrong.

import type { RemoteConfig } from '../http/authentication.ts'
import { messageOf } from '../errors.ts'
import { certificateProblem } from './certificates.ts'
import type { Complain, Given } from './given.ts'
import type { Path } from './problems.ts'

/** The keys of one kind, beside `kind`. */
export interface Keys<Key extends string> {
  readonly needed: readonly Key[]
  readonly others: readonly Key[]
}

/** @returns whether all is there that is needed */
export function judgeKeys<Key extends string>(
  raw: Readonly<Partial<Record<Key, unknown>>>,
  kind: string,
  { needed, others }: Keys<Key>,
  path: Path,
  complain: Complain,
): boolean {
  const known: readonly string[] = ['kind', ...needed, ...others]
  for (const key of Object.keys(raw)) {
    if (!known.includes(key))
      complain([...path, key], `${kind} has no such key; it has ${[...needed, ...others].join(', ')}`, 'key')
  }
  const missing = needed.filter((key) => !(key in raw))
  for (const key of missing) complain(path, `the key "${key}" is missing, which ${kind} needs`)
  return needed.every((key) => raw[key] !== undefined)
}

/** ms for an answer, where nothing is said. */
const DEFAULT_TIMEOUT = 2000

/** A server whose URL is `written` at `key` of what stands at `path`. */
export function readRemote(
  written: string | undefined,
  { ca, timeout = DEFAULT_TIMEOUT }: Given<{ readonly ca: string; readonly timeout: number }>,
  key: string,
  path: Path,
  complain: Complain,
): RemoteConfig | undefined {
  if (written === undefined) return undefined
  let url: URL
  try {
    url = new URL(written)
  } catch (error) {
    complain([...path, key], messageOf(error))
    return undefined
  }
  if (url.username !== '' || url.password !== '')
    complain([...path, key], 'a URL without user and password is expected here')
  const problem = ca === undefined ? undefined : certificateProblem(ca)
  if (problem !== undefined) complain([...path, 'ca'], problem)
  return { url: url.href, timeout, ...(ca !== undefined && { ca }) }
}
