// Which of two routes is more specific. In: what routes are configured as. Out: an order of them that does not depend on
// the one they are given in. It is the order in which they are tried, which http/path-tree.ts brings about.

import type { RouteConfig } from './gateway.ts'
import { type Piece, readPattern, shapeOf } from './path-pattern.ts'

/**
 * What is tried at one place of a path. All but the last two are ranks of find-my-way itself: static text before
 * parameters before the rest of the path; of parameters those with text behind the last one in their segment before those
 * that are bound by a regex, or by text between them, before one alone.
 */
type Rank = 'text' | 'text at the end' | 'bound' | 'free' | 'rest'

const RANKS: readonly Rank[] = ['text', 'text at the end', 'bound', 'free', 'rest']

/** One step through a pattern: a character, all parameters of a segment with the text between them, or the wildcard. */
interface Step {
  readonly rank: number
  /** characters behind the last parameter: find-my-way tries `.tar.gz` before `.gz` */
  readonly suffix: number
  /** characters of text in the segment, from its first parameter on */
  readonly text: number
  /** parameters with a regex */
  readonly regexes: number
  /** tells it from all that match otherwise */
  readonly shape: string
}

/** What of a pattern decides its place. */
export type Specificity = readonly Step[]

/** @param pieces of a pattern without problems */
export function specificityOf(pieces: readonly Piece[]): Specificity {
  const steps: Step[] = []
  let segment: Piece[] = [] // from its first parameter on
  const endSegment = () => {
    if (segment.length > 0) steps.push(stepOf(segment))
    segment = []
  }
  for (const piece of pieces) {
    if (piece.kind === 'wildcard') {
      endSegment()
      steps.push(step('rest', '*'))
    } else if (piece.kind === 'parameter') segment.push(piece)
    else {
      const slash = piece.text.indexOf('/')
      const inSegment = segment.length === 0 ? '' : slash === -1 ? piece.text : piece.text.slice(0, slash)
      if (inSegment !== '') segment.push({ kind: 'static', text: inSegment })
      if (slash !== -1) endSegment()
      for (const character of piece.text.slice(inSegment.length)) steps.push(step('text', character))
    }
  }
  endSegment()
  return steps
}

function stepOf(segment: readonly Piece[]): Step {
  const last = segment.at(-1)!
  const suffix = last.kind === 'static' ? last.text.length : 0
  const text = segment.reduce((sum, piece) => sum + (piece.kind === 'static' ? piece.text.length : 0), 0)
  const regexes = segment.filter((piece) => piece.kind === 'parameter' && piece.regex !== undefined).length
  const rank = suffix > 0 ? 'text at the end' : segment.length > 1 || regexes > 0 ? 'bound' : 'free'
  return { ...step(rank, shapeOf(segment)), suffix, text, regexes }
}

function step(rank: Rank, shape: string): Step {
  return { rank: RANKS.indexOf(rank), suffix: 0, text: 0, regexes: 0, shape }
}

/**
 * Below 0 when `a` is tried before `b`, 0 for two of one shape. From left to right: where one of them ends it is first, as
 * it matches one path alone there; then by rank; of parameters those with more text at their end, with more text, with
 * more regexes. What is still alike is ordered by the alphabet: by something, so that it is never by the file.
 */
export function compareSpecificity(a: Specificity, b: Specificity): number {
  for (const [at, one] of a.entries()) {
    const other = b[at]
    if (other === undefined) return 1
    const order =
      one.rank - other.rank ||
      other.suffix - one.suffix ||
      other.text - one.text ||
      other.regexes - one.regexes ||
      compareText(one.shape, other.shape)
    if (order !== 0) return order
  }
  return a.length - b.length
}

/**
 * Routes in the order in which they are tried: by host, where a name goes before the names below one, the longer of which
 * go first, before any; then by path; then those that name methods. For a request only those count that it matches.
 *
 * @param routes none of them with a problem
 */
export function inOrder<R extends RouteConfig>(routes: readonly R[]): R[] {
  const specificities = new Map(
    routes.map((route) => [route, specificityOf(readPattern(route.path).pieces)] as const),
  )
  return [...routes].sort(
    (a, b) =>
      compareHosts(a.host, b.host) ||
      compareSpecificity(specificities.get(a)!, specificities.get(b)!) ||
      Number(a.methods === undefined) - Number(b.methods === undefined) ||
      compareText(a.methods?.join() ?? '', b.methods?.join() ?? ''),
  )
}

function compareHosts(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  const below = Number(a.startsWith('*')) - Number(b.startsWith('*'))
  if (below !== 0) return below
  return (a.startsWith('*') ? b.length - a.length : 0) || compareText(a, b)
}

/** Not by any locale's alphabet: the same everywhere. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
