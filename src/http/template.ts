// The forwarded path as the operator wants it. In: a template such as `/v1/{params.shop_id}{params.*}`, read once, and
// the values of one request. Out: a canonical path in which a value is data and never a part of the path's own structure.

import assert from 'node:assert'
import { ProxyError } from '../errors.ts'
import { PATH } from './octets.ts'
import { canonicalPath } from './path.ts'
import { WILDCARD } from './path-pattern.ts'

/**
 * Where values come from, by name, and the names of the values: `any` where they are not known beforehand, `itself` where the
 * source is a value.
 */
export type TemplateSources = Readonly<Record<string, readonly string[] | 'any' | 'itself'>>

/** The values of one request, by source and name. */
export type TemplateValues = Readonly<Record<string, Readonly<Record<string, unknown>> | string>>

/** A template that was compiled. */
export interface Template {
  /**
   * The path with the values in their places, canonical.
   *
   * @throws {ProxyError} `ERR_PATH_AMBIGUOUS` when a value is missing, empty, or no text, or when with it the path has an
   * empty segment, a dot segment, or an encoded octet that no path may have
   */
  render(values: TemplateValues): string
}

interface Placeholder {
  readonly source: string
  /** empty where the source is the value */
  readonly name: string
  /** a wildcard's value: its slashes are the path's, and it may be empty */
  readonly manySegments: boolean
}

/** The source of what a pattern's parameters stand for, as it is called in templates. */
export const PARAMS_SOURCE = 'params'

/**
 * Compiles a template: literal text, percent-encoded as it is to be sent, and `{source.name}`. There is no way to escape
 * a brace, for no path has one: `%7B` and `%7D` are what it has. `{params.*}` is what a wildcard stands for, slashes and
 * all; every other value is within one segment.
 *
 * @throws {AssertionError} where there are {@link templateProblems}
 */
export function compileTemplate(template: string, sources: TemplateSources): Template {
  assert.deepEqual(templateProblems(template, sources), [])
  const parts = template.split(PLACEHOLDER)
  const literals = parts.filter((_, at) => at % 2 === 0)
  const placeholders = parts.filter((_, at) => at % 2 === 1).map((text) => readPlaceholder(text)!)
  return {
    render(values) {
      let path = literals[0]!
      for (let at = 0; at < placeholders.length; at++) {
        path += encoded(placeholders[at]!, values) + literals[at + 1]!
      }
      return canonicalPath(path)
    },
  }
}

/** What is wrong with a template, for the operator, each a sentence without its subject; empty when nothing is. */
export function templateProblems(template: string, sources: TemplateSources): string[] {
  if (!template.startsWith('/')) return ['does not begin with /']
  const parts = template.split(PLACEHOLDER)
  const placeholders = parts.filter((_, at) => at % 2 === 1)
  const problems = placeholders.flatMap((text) => placeholderProblem(text, sources) ?? [])
  const literalProblem = literalsProblem(parts.filter((_, at) => at % 2 === 0))
  return literalProblem === undefined ? problems : [...problems, literalProblem]
}

// ── placeholders ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Splits a template into literals and what stands in braces, by turns. */
const PLACEHOLDER = /\{([^{}]*)\}/

function readPlaceholder(text: string): Placeholder | undefined {
  const dot = text.indexOf('.')
  if (dot === -1 && text !== '') return { source: text, name: '', manySegments: false }
  if (dot < 1 || dot === text.length - 1) return undefined
  const source = text.slice(0, dot)
  const name = text.slice(dot + 1)
  return { source, name, manySegments: source === PARAMS_SOURCE && name === WILDCARD }
}

function placeholderProblem(text: string, sources: TemplateSources): string | undefined {
  const placeholder = readPlaceholder(text)
  const itself = placeholder?.name === '' && Object.hasOwn(sources, text) && sources[text] === 'itself'
  if (itself) return undefined
  if (placeholder === undefined || placeholder.name === '')
    return `has {${text}}, which is not of the form {source.name}`
  const { source, name } = placeholder
  if (!Object.hasOwn(sources, source)) {
    return `has {${text}}: there is no source "${source}", but ${listed(Object.keys(sources))}`
  }
  const names = sources[source]!
  if (names === 'itself') return `has {${text}}, where {${source}} is all there is`
  if (names === 'any' || names.includes(name)) return undefined
  return `has {${text}}: in ${source} there is no "${name}", but ${listed(names)}`
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'nothing at all' : names.join(', ')
}

function literalsProblem(literals: readonly string[]): string | undefined {
  const foreign = literals.join('').match(FOREIGN)
  if (foreign !== null) {
    const character = foreign[0]
    return character === '{' || character === '}'
      ? `has a ${character} without its partner: a brace itself is written %7B or %7D`
      : `has ${JSON.stringify(character)}, which no path has: ${advice(character)}`
  }
  try {
    // A value is never empty and never all of a percent-encoding, and so is an x.
    canonicalPath(literals.join('x'))
    return undefined
  } catch (error) {
    return `is never forwarded, since ${(error as ProxyError).message}`
  }
}

/** What no path may have in it, whole characters at a time. */
const FOREIGN = new RegExp(`[^${pathCharacters()}]`, 'u')

function pathCharacters(): string {
  const characters = Array.from(PATH.keys()).filter((octet) => PATH[octet] === 1)
  return characters.map((octet) => `\\x${octet.toString(16).padStart(2, '0')}`).join('')
}

function advice(character: string): string {
  if (character === '?') return 'the query is forwarded as it was received'
  try {
    return `write ${encodeURIComponent(character)}`
  } catch {
    return 'it is half a character' // a lone surrogate
  }
}

// ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────

function encoded({ source, name, manySegments }: Placeholder, values: TemplateValues): string {
  const from = values[source]
  const value = typeof from === 'object' ? from[name] : name === '' ? from : undefined
  // An inherited `constructor` is a function, and so no text either.
  if (typeof value !== 'string' || (value === '' && !manySegments)) {
    const placeholder = name === '' ? source : `${source}.${name}`
    throw new ProxyError('ERR_PATH_AMBIGUOUS', `{${placeholder}} has no value that could be a segment`)
  }
  // Most values need no encoding: saves 0.5 µs a path with two of them (bench/routes).
  if ((manySegments ? PLAIN_SEGMENTS : PLAIN_SEGMENT).test(value)) return value
  return manySegments ? value.split('/').map(encodeSegment).join('/') : encodeSegment(value)
}

/** Unreserved octets alone (RFC 3986 §2.3). */
const PLAIN_SEGMENT = /^[A-Za-z0-9._~-]*$/
const PLAIN_SEGMENTS = /^[A-Za-z0-9._~/-]*$/

/** What encodeURIComponent encodes although it means nothing in a path but itself (RFC 3986 §3.3). */
const HARMLESS = /%(?:24|26|2C|3A|3D|40)/g

/**
 * A value as part of a segment. What stays: unreserved octets and `!$&'()*,:=@`. Not `;`, which begins a path parameter,
 * and not `+`, which many take for a blank.
 */
function encodeSegment(value: string): string {
  let encodedValue: string
  try {
    encodedValue = encodeURIComponent(value)
  } catch (cause) {
    throw new ProxyError('ERR_PATH_AMBIGUOUS', 'a value for the path has half a surrogate pair', { cause })
  }
  return encodedValue.includes('%') ? encodedValue.replace(HARMLESS, decodeURIComponent) : encodedValue
}
