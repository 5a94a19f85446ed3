// Conditions on who may do what. In: a text such as `params.shop_id == claims.user_id`, read once. Out: whether it holds for
// one request. What is not there equals nothing, and differs from nothing either: then no condition holds.

import assert from 'node:assert'
import { claimAt, textOf } from './claim.ts'
import type { Identity } from './identity.ts'

/** What conditions speak of. */
export interface Facts {
  readonly method: string
  readonly params: Readonly<Record<string, string | undefined>>
  readonly identity: Identity
}

/** Whether a condition holds. */
export type Condition = (facts: Facts) => boolean

type Operand =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly texts: readonly string[] }
  | { readonly kind: 'params' | 'claims'; readonly name: string }
  | { readonly kind: 'subject' | 'method' | 'roles' | 'scopes' }

type Operator = '==' | '!=' | 'in'

interface Parsed {
  readonly left: Operand
  readonly operator: Operator
  readonly right: Operand
}

/**
 * Compiles a condition: `LEFT == RIGHT`, `LEFT != RIGHT` or `LEFT in LIST`. Values are `subject`, `method`, `params.NAME`,
 * `claims.NAME`, and text in quotes; lists are `roles`, `scopes`, `claims.NAME`, and `['a', 'b']`. Text is compared octet by
 * octet, and whole numbers among the claims count as the text they are written as.
 *
 * @throws {AssertionError} where there are {@link conditionProblems}
 */
export function compileCondition(condition: string): Condition {
  const parsed = parse(condition)
  assert(typeof parsed === 'object', `${condition} ${parsed as string}`)
  const { left, operator, right } = parsed
  switch (operator) {
    case '==':
      return (facts) => bothThere(left, right, facts, (one, other) => one === other)
    case '!=':
      return (facts) => bothThere(left, right, facts, (one, other) => one !== other)
    case 'in':
      return (facts) => {
        const value = valueOf(left, facts)
        return value !== undefined && listOf(right, facts).includes(value)
      }
  }
}

/**
 * What is wrong with a condition, for the operator, a sentence without its subject; empty when nothing is.
 *
 * @param params names of the parameters that the route's path has
 */
export function conditionProblems(condition: string, params: readonly string[]): string[] {
  const parsed = parse(condition)
  if (typeof parsed === 'string') return [parsed]
  const { left, operator, right } = parsed
  const unknown = [left, right].flatMap((operand) =>
    operand.kind === 'params' && !params.includes(operand.name) ? [operand.name] : [],
  )
  const known = params.length === 0 ? 'no parameters at all' : params.join(', ')
  const problems = unknown.map((name) => `speaks of params.${name}, but the path has ${known}`)
  if (!isValue(left)) problems.push('begins with a list: a value is expected there')
  if (operator === 'in' ? !isList(right) : !isValue(right)) {
    const expected = operator === 'in' ? 'a list: roles, scopes, claims.NAME' : 'a value, not a list'
    problems.push(`needs ${expected} behind ${operator}${operator === 'in' ? ` or ['a', 'b']` : ''}`)
  }
  return problems
}

function isValue({ kind }: Operand): boolean {
  return kind !== 'list' && kind !== 'roles' && kind !== 'scopes'
}

function isList({ kind }: Operand): boolean {
  return kind === 'list' || kind === 'roles' || kind === 'scopes' || kind === 'claims'
}

// ── what holds ────────────────────────────────────────────────────────────────────────────────────────────────────

function bothThere(
  left: Operand,
  right: Operand,
  facts: Facts,
  holds: (one: string, other: string) => boolean,
): boolean {
  const one = valueOf(left, facts)
  const other = valueOf(right, facts)
  return one !== undefined && other !== undefined && holds(one, other)
}

function valueOf(operand: Operand, { method, params, identity }: Facts): string | undefined {
  switch (operand.kind) {
    case 'text':
      return operand.text
    case 'params':
      return Object.hasOwn(params, operand.name) ? params[operand.name] : undefined
    case 'claims':
      return textOf(claimAt(identity.claims, operand.name))
    case 'subject':
      return identity.subject
    case 'method':
      return method
    case 'list':
    case 'roles':
    case 'scopes':
      return undefined
  }
}

function listOf(operand: Operand, { identity }: Facts): readonly unknown[] {
  switch (operand.kind) {
    case 'list':
      return operand.texts
    case 'roles':
      return identity.roles
    case 'scopes':
      return identity.scopes
    case 'claims': {
      const claim = claimAt(identity.claims, operand.name)
      return Array.isArray(claim) ? claim.map(textOf) : []
    }
    default:
      return []
  }
}

// ── how it is written ─────────────────────────────────────────────────────────────────────────────────────────────

/** An operator, a text in quotes, a name, or a sign of a list. */
const TOKEN = /\s*(?:(==|!=|in(?![\w.]))|'([^']*)'|"([^"]*)"|([A-Za-z_][\w.:/-]*)|([[\],]))\s*/y

type Token =
  | { readonly kind: 'operator'; readonly text: Operator }
  | { readonly kind: 'text' | 'name' | 'sign'; readonly text: string }

/** @returns what is wrong, where it cannot be read */
function parse(condition: string): Parsed | string {
  const tokens = tokensOf(condition)
  if (typeof tokens === 'string') return tokens
  let at = 0
  try {
    const left = operand()
    const operator = tokens[at++]
    if (operator?.kind !== 'operator') return 'needs ==, != or in behind its first value'
    const right = operand()
    if (at < tokens.length)
      return 'has something behind its second value: write a condition of its own for it'
    return { left, operator: operator.text, right }
  } catch (error) {
    return (error as SyntaxError).message // nothing else is thrown below
  }

  function operand(): Operand {
    const token = tokens[at++] as Token | undefined
    if (token?.kind === 'text') return { kind: 'text', text: token.text }
    if (token?.kind === 'sign' && token.text === '[') return list()
    if (token?.kind === 'name') return named(token.text)
    throw new SyntaxError(
      'needs a value on both sides: subject, method, params.NAME, claims.NAME or a text in quotes',
    )
  }

  function list(): Operand {
    const texts: string[] = []
    for (;;) {
      const item = tokens[at++] as Token | undefined
      const sign = tokens[at++] as Token | undefined
      if (item?.kind !== 'text') throw new SyntaxError("has a list that is not of the form ['a', 'b']")
      texts.push(item.text)
      if (sign?.kind === 'sign' && sign.text === ']') return { kind: 'list', texts }
      if (sign?.kind !== 'sign' || sign.text !== ',') {
        throw new SyntaxError("has a list that is not of the form ['a', 'b']")
      }
    }
  }
}

function named(text: string): Operand {
  const dot = text.indexOf('.')
  const source = dot === -1 ? text : text.slice(0, dot)
  const name = text.slice(source.length + 1)
  if ((source === 'params' || source === 'claims') && name !== '') return { kind: source, name }
  if (
    dot === -1 &&
    (source === 'subject' || source === 'method' || source === 'roles' || source === 'scopes')
  )
    return { kind: source }
  throw new SyntaxError(
    `has ${JSON.stringify(text)}: there are subject, method, params.NAME, claims.NAME, roles and scopes; a text is in quotes`,
  )
}

function tokensOf(condition: string): Token[] | string {
  const tokens: Token[] = []
  let at = 0
  while (at < condition.length) {
    TOKEN.lastIndex = at
    const match = TOKEN.exec(condition)
    if (match === null) return `cannot be read from character ${at + 1} on`
    const [whole, operator, single, double, name, sign] = match
    const text = single ?? double
    if (operator !== undefined) tokens.push({ kind: 'operator', text: operator as Operator })
    else if (text !== undefined) tokens.push({ kind: 'text', text })
    else if (name !== undefined) tokens.push({ kind: 'name', text: name })
    else tokens.push({ kind: 'sign', text: sign ?? '' })
    at += whole.length
  }
  return tokens.length === 0 ? 'is empty' : tokens
}
