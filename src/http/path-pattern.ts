// The grammar of a route's path. In: a pattern as the operator wrote it. Out: its pieces, and what is wrong with it.
// find-my-way takes more than this and understands some of it in ways that surprise: what it is given is decided here.

import { ProxyError } from '../errors.ts'
import { canonicalPath } from './path.ts'

/** One piece of a pattern, in order. */
export type Piece =
  /** text that stands for itself, decoded */
  | { readonly kind: 'static'; readonly text: string }
  /** `:name` or `:name(regex)`: within one segment, never a whole empty one */
  | { readonly kind: 'parameter'; readonly name: string; readonly regex: string | undefined }
  /** `*`, at the end: all that is left */
  | { readonly kind: 'wildcard' }

/** A pattern that was read. Its pieces mean nothing unless there are no problems. */
export interface PathPattern {
  readonly pieces: readonly Piece[]
  /** for the operator, each a sentence without its subject: `begins with …` */
  readonly problems: readonly string[]
}

/** The name by which what a wildcard stands for is known. */
export const WILDCARD = '*'

/** Reads a pattern: `/a`, `/a/:b`, `/a/:b([0-9]+)`, `/a/:b-:c.json`, `/a/*`, `/a*`; `::` is a colon. Never throws. */
export function readPattern(pattern: string): PathPattern {
  const scanned = scan(pattern)
  if (typeof scanned === 'string') return { pieces: [], problems: [scanned] }
  return { pieces: scanned, problems: [...textProblems(scanned), ...parameterProblems(scanned)] }
}

/** The names of all parameters, the wildcard included. */
export function parameterNames(pieces: readonly Piece[]): string[] {
  return pieces.flatMap((piece) =>
    piece.kind === 'static' ? [] : piece.kind === 'wildcard' ? [WILDCARD] : [piece.name],
  )
}

/** What a pattern matches, whatever its parameters are called: two with the same shape match the same paths. */
export function shapeOf(pieces: readonly Piece[]): string {
  return write(pieces, (regex) => (regex === undefined ? PLAIN : `${REGEX}${regex}${REGEX}`))
}

/**
 * The shape without what the regexes say. find-my-way does not tell two patterns with one outline apart, and to it every
 * parameter that shares its segment with another one, or with text behind it, is a regex.
 */
export function outlineOf(pieces: readonly Piece[]): string {
  return write(pieces, (regex) => (regex === undefined ? PLAIN : REGEX))
    .split('/')
    .map((segment) => (ALONE.test(segment) ? segment : segment.replaceAll(PLAIN, REGEX)))
    .join('/')
}

/** What parameters are written as in shapes and outlines: no pattern has control characters. */
const PLAIN = '\x01'
const REGEX = '\x02'

/** A segment with one parameter, at its end. */
const ALONE = /^[^\x01\x02]*\x01$/

function write(pieces: readonly Piece[], parameter: (regex: string | undefined) => string): string {
  const parts = pieces.map((piece) => {
    if (piece.kind === 'static') return piece.text
    return piece.kind === 'wildcard' ? WILDCARD : parameter(piece.regex)
  })
  return parts.join('')
}

// ── the pieces ────────────────────────────────────────────────────────────────────────────────────────────────────

const NAME = /^[A-Za-z0-9_]*/

/** @returns the pieces, or what makes it impossible to tell them apart */
function scan(pattern: string): Piece[] | string {
  if (!pattern.startsWith('/')) return 'does not begin with /'
  const pieces: Piece[] = []
  let text = ''
  let at = 0
  let inSegment = false // whether a parameter stands in this segment already
  const endText = () => {
    if (text !== '') pieces.push({ kind: 'static', text })
    text = ''
  }
  while (at < pattern.length) {
    const character = pattern[at]!
    if (character === '*') {
      if (at !== pattern.length - 1) return 'has a * before its end: it stands for all that is left'
      if (inSegment) return 'has a * in a segment with a parameter: put a / between them'
      endText()
      pieces.push({ kind: 'wildcard' })
      at++
    } else if (character === ':' && pattern[at + 1] !== ':') {
      const parameter = scanParameter(pattern, at + 1)
      if (typeof parameter === 'string') return parameter
      endText()
      const { name, regex } = parameter
      pieces.push({ kind: 'parameter', name, regex })
      inSegment = true
      at = parameter.end
    } else {
      if (character === '(' || character === ')') {
        return `has a ${character} outside of a parameter: a regex follows a name, as in :id([0-9]+)`
      }
      if (character === '/') inSegment = false
      text += character
      at += character === ':' ? 2 : 1
    }
  }
  endText()
  return pieces
}

function scanParameter(
  pattern: string,
  start: number,
): { name: string; regex: string | undefined; end: number } | string {
  const name = NAME.exec(pattern.slice(start))![0]
  const end = start + name.length
  if (name === '') return 'has a : without a name: write :: for a colon'
  const next = pattern[end]
  if (next === '(') {
    const close = closingParenthesis(pattern, end)
    if (close === -1) {
      return `has a regex of :${name} that never ends: every ( needs its ), and one in [...] a \\ before it`
    }
    // Its own anchors mean what is so anyway: it is held against all that its parameter stands for.
    const regex = pattern
      .slice(end + 1, close)
      .replace(/^\^/, '')
      .replace(/(?<!\\)\$$/, '')
    return { name, regex, end: close + 1 }
  }
  if (next === undefined || next === '/' || next === '-' || next === '.')
    return { name, regex: undefined, end }
  return `has ${JSON.stringify(next)} after :${name}: a name is letters, digits and _, and ends before / - . or a regex`
}

/** Where the parenthesis at `open` is closed, in find-my-way's way of counting; -1 when nowhere. */
function closingParenthesis(pattern: string, open: number): number {
  let depth = 0
  for (let at = open; at < pattern.length; at++) {
    const character = pattern[at]
    if (character === '\\') at++
    else if (character === '(') depth++
    else if (character === ')' && --depth === 0) return at
  }
  return -1
}

// ── what is wrong with them ───────────────────────────────────────────────────────────────────────────────────────

/** What no path that reaches a route can have in it, so that the pattern would never match. */
function textProblems(pieces: readonly Piece[]): string[] {
  const texts = pieces.map((piece) => (piece.kind === 'static' ? piece.text : ''))
  if (texts.some((text) => text.includes('%'))) {
    return [
      'has a percent sign: paths are matched decoded, so write the character itself, or match it by a regex',
    ]
  }
  if (texts.some((text) => text.includes('?'))) {
    return ['has a ?: no query is matched, and an optional parameter takes two routes']
  }
  if (texts.some((text) => text.includes('#'))) return ['has a #, which no request has']
  const sample = pieces.map((piece) => (piece.kind === 'static' ? piece.text : 'x')).join('')
  try {
    canonicalPath(encodeURI(sample))
    return []
  } catch (error) {
    // encodeURI throws URIError for half a surrogate pair.
    const why = error instanceof ProxyError ? error.message : 'the path has text that is not Unicode'
    return [`matches nothing, since requests are refused where ${why}`]
  }
}

function parameterProblems(pieces: readonly Piece[]): string[] {
  const names = parameterNames(pieces)
  const repeated = new Set(names.filter((name, at) => names.indexOf(name) !== at))
  return [
    ...Array.from(repeated, (name) => `has two parameters with the name ${name}`),
    ...pieces.flatMap((piece) =>
      piece.kind === 'parameter' && piece.regex !== undefined ? regexProblems(piece.name, piece.regex) : [],
    ),
  ]
}

function regexProblems(name: string, regex: string): string[] {
  if (regex === '') return [`has an empty regex of :${name}`]
  if (regex.includes('/:')) return [`has "/:" in the regex of :${name}, which has no / to match`]
  let groups: number
  try {
    // The empty alternative matches whatever the rest is, with a place for each group.
    groups = new RegExp(`(?:${regex})|`).exec('')!.length - 1
  } catch (error) {
    return [`has a regex of :${name} that cannot be read: ${(error as Error).message}`]
  }
  // find-my-way would take what the group has caught for the next parameter.
  return groups === 0 ? [] : [`has a group in the regex of :${name}: write (?:...) in place of (...)`]
}
