// Patterns → values, by find-my-way, of which this file is the one owner. It is given patterns that http/path-pattern.ts
// has vouched for and paths from http/path.ts, and does the matching alone: methods and hosts are http/route-table.ts's.

import findMyWay from 'find-my-way'
import { type PathPattern, type Piece, readPattern } from './path-pattern.ts'
import { isTooMuchWork, MAX_REGEX_INPUT } from './regex-work.ts'
import { compareSpecificity, specificityOf } from './route-order.ts'

/** What the parameters of a pattern stand for in a path, decoded, by name; the wildcard's name is `*`. */
export type Params = Readonly<Record<string, string | undefined>>

/** A value, and what its pattern's parameters stand for. */
export interface PathMatch<T> {
  readonly value: T
  readonly params: Params
}

/** find-my-way wants a method and a function for each pattern; both are of no use here. */
const METHOD = 'GET'
const HANDLER = () => {}

/**
 * Finds the most specific pattern that matches a path: from left to right static text, however little of it, before
 * parameters with text or a regex before a parameter alone before the wildcard ({@link compareSpecificity}), with a step
 * back where the rest does not match. The order they are given in means nothing. Case counts. A parameter is never an empty
 * segment: `/shops/` is not `/shops/:id`. A wildcard may be empty: `/a/` is `/a/*`, but `/a` is not.
 */
export class PathTree<T extends object> {
  readonly #router = createRouter()
  /** only what can match a path with a slash at its end: find-my-way itself lets a parameter be empty there */
  readonly #slashRouter = createRouter()

  /**
   * @param patterns none of them with a problem ({@link patternProblems}), and no two with one shape
   * @throws {Error} find-my-way's, when they are not like that
   */
  constructor(patterns: Iterable<readonly [pattern: string, value: T]>) {
    const read = Array.from(patterns, ([pattern, value]) => {
      const { pieces } = readPattern(pattern)
      return { pieces, value, specificity: specificityOf(pieces) }
    })
    // find-my-way itself orders only some of the parameters of one place; the others are tried as they were added.
    read.sort((a, b) => compareSpecificity(a.specificity, b.specificity))
    for (const { pieces, value } of read) {
      const text = patternText(pieces)
      this.#router.on(METHOD, text, HANDLER, value)
      if (mayEndInSlash(pieces)) this.#slashRouter.on(METHOD, text, HANDLER, value)
    }
  }

  /** @param path canonical ({@link canonicalPath}), without its query */
  find(path: string): PathMatch<T> | undefined {
    const router = path.endsWith('/') ? this.#slashRouter : this.#router
    const found = router.find(METHOD, path.includes('%') ? decodeOnce(path) : path)
    return found === null ? undefined : { value: found.store as T, params: found.params }
  }
}

/** What is wrong with a pattern, for the operator, each a sentence without its subject; empty when nothing is. */
export function patternProblems({ pieces, problems }: PathPattern): readonly string[] {
  if (
    problems.length > 0 ||
    pieces.every((piece) => piece.kind !== 'parameter' || piece.regex === undefined)
  ) {
    return problems
  }
  if (isTooMuchWork(pieces)) {
    return [
      'has a regex that could take very long: a repetition such as + or * is tried in every length where what comes next ' +
        'may match the same characters, and every such choice multiplies with the others of its segment; put a character ' +
        'between them that neither matches, as in :a([a-z]+)-:b([0-9]+), or say how many there are, as in [a-z]{8}',
    ]
  }
  try {
    createRouter().on(METHOD, patternText(pieces), HANDLER)
    return []
  } catch {
    return ['has a regex with a repetition within a repetition, or with more than 24 of them: write fewer']
  }
}

function createRouter() {
  return findMyWay({
    caseSensitive: true,
    maxParamLength: Number.POSITIVE_INFINITY, // a longer one would pass over to the next route, such as /*
    querystringParser: () => undefined,
  })
}

/** The pattern as find-my-way is to have it. */
function patternText(pieces: readonly Piece[]): string {
  return pieces
    .map((piece, at) => {
      if (piece.kind === 'static') return piece.text.replaceAll(':', '::')
      if (piece.kind === 'wildcard') return '*'
      // One that stands before a regex would have it tried from each of its ends on.
      const regex = piece.regex ?? (isBeforeRegex(pieces, at) ? '[\\s\\S]*?' : undefined)
      return regex === undefined ? `:${piece.name}` : `:${piece.name}(${boundedRegex(regex)})`
    })
    .join('')
}

/** Whether the parameter at `at` is the first of its segment, and another one there has a regex. */
function isBeforeRegex(pieces: readonly Piece[], at: number): boolean {
  const endsSegment = (piece: Piece) => piece.kind === 'static' && piece.text.includes('/')
  const previous = pieces[at - 1]
  const isFirst = previous === undefined || endsSegment(previous) || at === 1
  const end = pieces.findIndex((piece, index) => index > at && endsSegment(piece))
  const others = pieces.slice(at + 1, end === -1 ? undefined : end)
  return isFirst && others.some((piece) => piece.kind === 'parameter' && piece.regex !== undefined)
}

/** A regex that gives up at once on a long segment. */
function boundedRegex(regex: string): string {
  return `(?![\\s\\S]{${MAX_REGEX_INPUT + 1}})(?:${regex})`
}

function mayEndInSlash(pieces: readonly Piece[]): boolean {
  const last = pieces.at(-1)!
  if (last.kind === 'static') return last.text.endsWith('/')
  return last.kind === 'wildcard' || last.regex !== undefined
}

/**
 * A path as find-my-way is to have it: decoded, so that every spelling of a character is matched alike, reserved ones
 * too. `%25`, `%3F` and `%23` are left, which mean something to it; it decodes them itself, in parameters alone.
 */
function decodeOnce(path: string): string {
  return decodeURIComponent(path.replace(/%(?=25|3F|23)/g, '%25'))
}
