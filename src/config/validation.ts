// Does a document fit the schema? In: values. Out: what does not fit, in words that somebody can act on who has never seen
// the schema.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import { type Path, quoteBriefly } from './problems.ts'
import { type JsonSchema, SCHEMA, withoutReferences } from './schema.ts'
import { nearest } from './suggestion.ts'

/** Compiled once: it takes longer than to check a file by it. */
const check = compileSchema()

function compileSchema() {
  const ajv = new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true, logger: false })
  ajv.addVocabulary(['errorMessage'])
  return ajv.compile(withoutReferences(SCHEMA))
}

/** Something that does not fit. */
export interface Misfit {
  /** of the value; of the mapping, where a key is missing */
  readonly path: Path
  readonly kind: 'unknown key' | 'missing key' | 'value'
  readonly reason: string
}

/** An error with the schema it comes from, which the option `verbose` adds. */
type Found = ErrorObject & { readonly parentSchema: JsonSchema }

/** More keys than these are not listed for somebody who mistyped one. */
const MOST_LISTED = 20

/**
 * Checks a document whose references have been looked up, and takes out of it what does not fit.
 *
 * @param document changes: what does not fit becomes `undefined`, and the text of a reference a number where one is expected
 * @param references JSON of the path of each value that came by reference → as it was written, which is all that is shown
 * @param refused JSON of the paths of values that are `undefined` for a reason that is known already
 */
export function takeOutMisfits(
  document: unknown,
  references: ReadonlyMap<string, string>,
  refused: ReadonlySet<string>,
): readonly Misfit[] {
  const errors = (): Found[] => (check(document) ? [] : ((check.errors ?? []) as Found[])) // by `verbose`

  for (const error of errors()) {
    const path = pathOf(error.instancePath, document)
    const native = references.has(JSON.stringify(path)) ? nativeOf(error) : undefined
    if (native !== undefined) replace(document, path, native)
  }
  const misfits = new Map<string, Misfit>()
  for (const error of errors()) {
    const misfit = misfitOf(error, pathOf(error.instancePath, document), references)
    const about = misfit.kind === 'missing key' ? [...misfit.path, missingKey(error)] : misfit.path
    if (refused.has(JSON.stringify(about))) continue
    // A value may break several rules of its schema; one sentence sums them up.
    const key = JSON.stringify(about)
    if (!misfits.has(key)) misfits.set(key, misfit)
  }
  for (const { path, kind } of misfits.values())
    if (kind !== 'missing key') replace(document, path, undefined)
  return [...misfits.values()]
}

/** Text from elsewhere as the number or the boolean that is expected, if it reads like one. */
function nativeOf({ data, parentSchema }: Found): number | boolean | undefined {
  const types = [parentSchema.type].flat()
  if (typeof data !== 'string') return undefined
  if (types.includes('integer') && /^\d{1,15}$/.test(data)) return Number(data)
  return types.includes('boolean') && /^(true|false)$/.test(data) ? data === 'true' : undefined
}

function misfitOf(error: Found, path: Path, references: ReadonlyMap<string, string>): Misfit {
  const { parentSchema, keyword, params } = error
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params.additionalProperty)
      const reason = `no such key${hint(name, Object.keys(parentSchema.properties ?? {}))}`
      return { path: [...path, name], kind: 'unknown key', reason }
    }
    case 'required':
    case 'dependentRequired': {
      const name = missingKey(error)
      const beside = keyword === 'required' ? '' : `, which ${String(params.property)} needs`
      const description = parentSchema.properties?.[name]?.description
      const reason = `the key "${name}" is missing${beside}${description ? ` (${description})` : ''}`
      return { path, kind: 'missing key', reason }
    }
    default: {
      const name = error.propertyName
      if (name !== undefined || keyword === 'propertyNames') {
        const reason = `expected ${errorMessageOf(parentSchema.propertyNames ?? parentSchema)}`
        return { path: [...path, name ?? String(params.propertyName)], kind: 'unknown key', reason }
      }
      const found = shownValue(error, path, references)
      const expected = `expected ${errorMessageOf(parentSchema)}${quotesNeeded(error)}`
      return { path, kind: 'value', reason: found === undefined ? expected : `found ${found}, ${expected}` }
    }
  }
}

function missingKey({ params }: Found): string {
  return String(params.missingProperty)
}

function errorMessageOf({ errorMessage }: JsonSchema): string {
  return errorMessage ?? 'something else'
}

/** What was found; nothing of a secret, nor of what a reference leads to. */
function shownValue(
  { data, parentSchema }: Found,
  path: Path,
  references: ReadonlyMap<string, string>,
): string | undefined {
  const written = references.get(JSON.stringify(path))
  if (written !== undefined) return quoteBriefly(written)
  if (data === null) return 'nothing'
  if (Array.isArray(data)) return data.length === 0 ? 'an empty list' : 'a list'
  if (typeof data === 'object') return 'a mapping'
  if (parentSchema.writeOnly) return undefined
  return typeof data === 'string' ? quoteBriefly(data) : String(data)
}

/** YAML takes `123` and `true` for a number and a boolean. */
function quotesNeeded({ data, keyword, parentSchema }: Found): string {
  const types = [parentSchema.type].flat()
  const bare = typeof data === 'number' || typeof data === 'boolean'
  return keyword === 'type' && bare && types.includes('string') && !types.includes('array')
    ? ', in quotes'
    : ''
}

function hint(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  if (near !== undefined) return ` (did you mean "${near}"?)`
  return known.length > MOST_LISTED ? '' : `; there are ${known.join(', ')}`
}

/** The path that a JSON pointer (RFC 6901) names: in a list, a number. */
function pathOf(pointer: string, document: unknown): Path {
  const keys = pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  const path: (string | number)[] = []
  let at = document
  for (const key of keys) {
    path.push(Array.isArray(at) ? Number(key) : key)
    at = (at as Record<string, unknown> | null | undefined)?.[key]
  }
  return path
}

/** Puts a value in the place of another; the root stays. */
function replace(document: unknown, path: Path, value: unknown): void {
  const last = path.at(-1)
  if (last === undefined) return
  let at = document
  for (const key of path.slice(0, -1)) at = (at as Record<string | number, unknown> | undefined)?.[key]
  if (typeof at !== 'object' || at === null) return // taken out as a whole
  Object.defineProperty(at, last, { value, enumerable: true, writable: true, configurable: true })
}
