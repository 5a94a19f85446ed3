// Does a value from outside fit its JSON Schema (2020-12)? In: values. Out: the same with a type, or what does not fit, in
// words for whoever sent it. No message repeats a value: it may be a secret.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'

/** The part of JSON Schema that the services use. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  /** what is expected, as a message says it behind "expected" */
  readonly errorMessage?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly uniqueItems?: boolean
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
}

/** Something that does not fit: where, from the root of the value, and why. */
export interface Misfit {
  /** `clients[0].secret`; empty for the root */
  readonly path: string
  readonly reason: string
}

/** The outcome of a {@link Check}. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly misfits: readonly Misfit[] }

/** Whether a value is what it should be; it is not changed. */
export type Check<T> = (value: unknown) => Checked<T>

/** An error with the schema it comes from, which the option `verbose` adds. */
type Found = ErrorObject & { readonly parentSchema: Schema }

/**
 * Compiles a schema, which takes longer than to check by it: once, at the start.
 *
 * @typeParam T what a value is that fits; that the two agree is for whoever writes them, side by side
 */
export function compileCheck<T>(schema: Schema): Check<T> {
  const ajv = new Ajv2020({ allErrors: true, verbose: true, logger: false })
  ajv.addVocabulary(['errorMessage'])
  const fits = ajv.compile<T>(schema)
  return (value) => {
    if (fits(value)) return { ok: true, value }
    const errors = (fits.errors ?? []) as Found[] // by `verbose`
    const misfits = new Map(errors.map((error) => misfitOf(error)).map((misfit) => [misfit.path, misfit]))
    return { ok: false, misfits: [...misfits.values()] } // one sentence for each value, whatever rules it breaks
  }
}

/** A misfit as one sentence, behind the name of what was checked. */
export function sentenceOf({ path, reason }: Misfit): string {
  return path === '' ? reason : `${path}: ${reason}`
}

function misfitOf({ instancePath, keyword, params, parentSchema }: Found): Misfit {
  const path = pathOf(instancePath)
  const below = (name: unknown) => (path === '' ? String(name) : `${path}.${String(name)}`)
  switch (keyword) {
    case 'required':
      return { path: below(params.missingProperty), reason: 'it is missing' }
    case 'additionalProperties': {
      const known = Object.keys(parentSchema.properties ?? {}).join(', ')
      return { path: below(params.additionalProperty), reason: `there is no such key; there are ${known}` }
    }
    default:
      return { path, reason: `expected ${parentSchema.errorMessage ?? parentSchema.type}` }
  }
}

/** A JSON pointer (RFC 6901) as it would be written in code. */
function pathOf(pointer: string): string {
  const keys = pointer.split('/').slice(1)
  return keys
    .map((key) => (/^\d+$/.test(key) ? `[${key}]` : `.${key.replaceAll('~1', '/').replaceAll('~0', '~')}`))
    .join('')
    .replace(/^\./, '')
}
