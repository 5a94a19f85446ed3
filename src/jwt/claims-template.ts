// Claims as the operator wants them. In: values with templates such as `{params.shop_id}` in their texts, compiled once, and
// what is known of one request. Out: members of a JSON object. Text that comes with a request is data there, never structure.

import assert from 'node:assert'

/** What templates can speak of. */
export interface TemplateFacts {
  readonly subject: string
  readonly method: string
  /** forwarded path, without a query */
  readonly path: string
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  /** what is asserted about the subject */
  readonly claims: Readonly<Record<string, unknown>>
  /** what the parameters of the route's path stand for */
  readonly params: Readonly<Record<string, string | undefined>>
}

/** Claims that were compiled. */
export interface ClaimsTemplate {
  /** Members as JSON, each with a comma behind it. A claim whose template has no value is left out, whole. */
  render(facts: TemplateFacts): string
}

/** Names of values, and of mappings of values: those are followed by a dot and a name. */
const VALUES: ReadonlySet<string> = new Set(['subject', 'method', 'path', 'scopes', 'roles'])
const MAPPINGS: ReadonlySet<string> = new Set(['claims', 'params'])

/** Claims that signet says itself, and what says them otherwise. */
const RESERVED: ReadonlyMap<string, string> = new Map([
  ['iat', 'signet says it itself'],
  ['jti', 'signet says it itself'],
  ['exp', 'set lifetime in its place'],
  ['aud', 'set audience in its place'],
  ['iss', 'set issuer in its place'],
])

/** JSON of a value, or undefined where something in it has none. A text alone never changes. */
type Part = string | ((facts: TemplateFacts) => string | undefined)

/**
 * Compiles claims. In their texts `{subject}`, `{method}`, `{path}`, `{scopes}`, `{roles}`, `{claims.name}` and
 * `{params.name}` stand for values, and `{{` and `}}` for braces. A text that is nothing but one of these keeps the value's
 * own type; amid other text a value must be text, a number or a boolean. What has no value is left out: the claim, or the member of a
 * mapping or a list within it.
 *
 * @throws {AssertionError} where there are {@link claimsProblems}
 */
export function compileClaims(claims: Readonly<Record<string, unknown>>): ClaimsTemplate {
  assert.deepEqual(claimsProblems(claims), [])
  const members = compileMembers(claims)
  if (members.every((member) => typeof member === 'string')) {
    const text = members.join('')
    return { render: () => text }
  }
  return {
    render(facts) {
      let text = ''
      for (let at = 0; at < members.length; at++) {
        const member = members[at]!
        text += typeof member === 'string' ? member : (member(facts) ?? '')
      }
      return text
    },
  }
}

/** A claim that cannot be: the keys that lead to it, and a sentence. */
export interface ClaimProblem {
  readonly path: readonly (string | number)[]
  readonly problem: string
}

/**
 * What is wrong with claims.
 *
 * @param params names of the parameters there are; any, where they are not known beforehand
 */
export function claimsProblems(
  claims: Readonly<Record<string, unknown>>,
  params?: readonly string[],
): ClaimProblem[] {
  return Object.entries(claims).flatMap(([name, value]): ClaimProblem[] => {
    const reserved = RESERVED.get(name)
    if (reserved !== undefined)
      return [{ path: [name], problem: `this claim is not for templates: ${reserved}` }]
    return valueProblems(value, [name], params)
  })
}

function valueProblems(
  value: unknown,
  path: readonly (string | number)[],
  params?: readonly string[],
): ClaimProblem[] {
  if (typeof value === 'string')
    return piecesOf(value).flatMap((piece) => {
      const problem = pieceProblem(piece, params)
      return problem === undefined ? [] : [{ path, problem }]
    })
  if (Array.isArray(value)) return value.flatMap((item, at) => valueProblems(item, [...path, at], params))
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, member]) => valueProblems(member, [...path, name], params))
  if (value === undefined || typeof value === 'boolean' || Number.isFinite(value)) return []
  // YAML reads {subject} without quotes as a mapping of the key subject to nothing.
  return [{ path, problem: "there is nothing here; a template such as '{subject}' stands in quotes" }]
}

// ── templates ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Literal text, or what stands in braces; a brace without its partner is neither. */
type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'name'; readonly text: string }
  | { readonly kind: 'stray'; readonly text: string }

const BRACES = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g

function piecesOf(template: string): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  for (const found of template.matchAll(BRACES)) {
    const [whole, name] = found
    if (found.index > from) pieces.push({ kind: 'text', text: template.slice(from, found.index) })
    if (name !== undefined) pieces.push({ kind: 'name', text: name })
    else pieces.push({ kind: whole.length === 2 ? 'text' : 'stray', text: whole[0]! })
    from = found.index + whole.length
  }
  if (from < template.length) pieces.push({ kind: 'text', text: template.slice(from) })
  return pieces
}

function pieceProblem(piece: Piece, params: readonly string[] | undefined): string | undefined {
  const { kind, text } = piece
  if (kind === 'text') return undefined
  if (kind === 'stray')
    return `there is a ${text} without its partner: a brace itself is written ${text}${text}`
  const dot = text.indexOf('.')
  const source = dot === -1 ? text : text.slice(0, dot)
  const name = dot === -1 ? '' : text.slice(dot + 1)
  if (dot === -1 ? VALUES.has(source) : MAPPINGS.has(source) && name !== '') {
    if (source !== 'params' || params === undefined || params.includes(name)) return undefined
    return `there is no {${text}}: the path has ${params.length === 0 ? 'no parameters' : params.join(', ')}`
  }
  return `there is no {${text}}, but ${[...VALUES].join(', ')}, claims.NAME and params.NAME`
}

// ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The members of an object, each with its comma; those that never change are joined. */
function compileMembers(members: Readonly<Record<string, unknown>>): Part[] {
  const parts: Part[] = []
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined) continue
    const key = `${JSON.stringify(name)}:`
    const part = compileValue(value)
    const last = parts.at(-1)
    if (typeof part !== 'string') {
      parts.push((facts) => {
        const text = part(facts)
        return text === undefined ? undefined : `${key}${text},`
      })
    } else if (typeof last === 'string') parts[parts.length - 1] = `${last}${key}${part},`
    else parts.push(`${key}${part},`)
  }
  return parts
}

function compileValue(value: unknown): Part {
  if (typeof value === 'string') return compileText(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const list = Array.isArray(value)
  const parts = list
    ? value.map((item) => ended(compileValue(item)))
    : compileMembers(value as Record<string, unknown>)
  const [open, close] = list ? ['[', ']'] : ['{', '}']
  if (parts.every((part) => typeof part === 'string')) return open + parts.join('').slice(0, -1) + close
  return (facts) => {
    let text = ''
    for (const part of parts) text += typeof part === 'string' ? part : (part(facts) ?? '')
    return open + text.slice(0, -1) + close
  }
}

/** An item of a list, with its comma. */
function ended(part: Part): Part {
  if (typeof part === 'string') return `${part},`
  return (facts) => {
    const text = part(facts)
    return text === undefined ? undefined : `${text},`
  }
}

function compileText(template: string): Part {
  const pieces = piecesOf(template)
  const [first] = pieces
  if (pieces.length === 1 && first?.kind === 'name') {
    const read = readerOf(first.text)
    return (facts) => JSON.stringify(read(facts)) // undefined for undefined
  }
  if (pieces.every(({ kind }) => kind === 'text'))
    return JSON.stringify(pieces.map(({ text }) => text).join(''))
  const readers = pieces.map(({ kind, text }) => (kind === 'text' ? () => text : readerOf(text)))
  return (facts) => {
    let text = ''
    for (const read of readers) {
      const value = read(facts)
      if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
        return undefined
      text += value
    }
    return JSON.stringify(text)
  }
}

function readerOf(name: string): (facts: TemplateFacts) => unknown {
  const dot = name.indexOf('.')
  if (dot === -1) {
    const source = name as 'subject' | 'method' | 'path' | 'scopes' | 'roles' // claimsProblems has seen to it
    return (facts) => facts[source]
  }
  const member = name.slice(dot + 1)
  if (name.startsWith('params.')) return ({ params }) => own(params, member)
  const steps = member.split('.')
  // A claim may have dots in its name, as those do that are URLs (RFC 7519 §4.2).
  return ({ claims }) =>
    own(claims, member) ?? (steps.length === 1 ? undefined : steps.reduce(own, claims as unknown))
}

/** A member that is an object's own: `constructor` is everybody's. */
function own(from: unknown, name: string): unknown {
  if (typeof from !== 'object' || from === null || !Object.hasOwn(from, name)) return undefined
  return (from as Record<string, unknown>)[name] ?? undefined
}
