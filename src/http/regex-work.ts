// How long the regexes of a route can take at worst. In: the pieces of a pattern. Out: whether that is too long. By the
// structure of the regex alone: whoever runs signet learns it from the check, not from a client that looks for it.

import type { Piece } from './path-pattern.ts'

/** Characters that a regex is tried on at most, up to the end of the segment; on more it does not match. */
export const MAX_REGEX_INPUT = 255

/** Steps that one segment may take: with a repetition within a choice of ends, about the square of the input. 1 ms at most. */
const MOST_STEPS = 100_000

/**
 * Whether matching a segment could take more than {@link MOST_STEPS}. That is an upper bound, which counts every way there is
 * to match: a repetition has one where what comes next cannot match what it repeats, for then only the longest can go on;
 * else as many as it has lengths. The ways of what stands side by side multiply.
 *
 * @param pieces of a pattern whose regexes can be read
 */
export function isTooMuchWork(pieces: readonly Piece[]): boolean {
  return segmentsOf(pieces).some((segment) => workOf(segment, []).steps > MOST_STEPS)
}

/** What of a regex matters here. */
type Node =
  /** one character: itself, a class, an escape or a dot, as it stands in a regex */
  | { readonly kind: 'character'; readonly source: string }
  /** `^`, `$`, `\b`: takes no character and no time to speak of */
  | { readonly kind: 'anchor' }
  | { readonly kind: 'look'; readonly node: Node }
  | { readonly kind: 'sequence'; readonly nodes: readonly Node[] }
  | { readonly kind: 'choice'; readonly nodes: readonly Node[] }
  | { readonly kind: 'repetition'; readonly node: Node; readonly min: number; readonly max: number }

/** Characters, as in {@link Node}, by which something can begin; undefined for any. */
type Firsts = readonly string[] | undefined

/** What matching a node costs at worst. */
interface Work {
  /** in how many ways it can match and be gone on from */
  readonly ways: number
  /** characters looked at, for all of them */
  readonly steps: number
}

const ANYTHING: Node = { kind: 'character', source: '[^]' }

/** The segments that have a regex, each as one: text and parameters without a regex are part of what is tried. */
function segmentsOf(pieces: readonly Piece[]): Node[] {
  const segments: Node[] = []
  let nodes: Node[] = []
  let hasRegex = false
  const end = () => {
    if (hasRegex) segments.push({ kind: 'sequence', nodes })
    nodes = []
    hasRegex = false
  }
  for (const piece of pieces) {
    if (piece.kind === 'wildcard') continue
    if (piece.kind === 'static') {
      for (const character of piece.text) {
        if (character === '/') end()
        else for (const unit of character.split('')) nodes.push({ kind: 'character', source: literal(unit) })
      }
    } else if (piece.regex === undefined) {
      nodes.push(many(ANYTHING))
    } else {
      hasRegex = true
      nodes.push(parseRegex(piece.regex))
    }
  }
  end()
  return segments
}

function many(node: Node): Node {
  return { kind: 'repetition', node, min: 0, max: MAX_REGEX_INPUT }
}

function literal(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

// ── the work ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** @param next by what that which follows can begin; empty at the end of the segment */
function workOf(node: Node, next: Firsts): Work {
  switch (node.kind) {
    case 'character':
      return { ways: 1, steps: 1 }
    case 'anchor':
      return { ways: 1, steps: 1 }
    case 'look':
      // It is not gone back into; and what it looks at may be anything.
      return { ways: 1, steps: 1 + workOf(node.node, undefined).steps }
    case 'sequence':
      return sequenceWork(node.nodes, next)
    case 'choice': {
      const works = node.nodes.map((one) => workOf(one, next))
      const steps = works.reduce((sum, work) => sum + work.steps, 0)
      const apart = node.nodes.every(
        (one, at) =>
          !isNullable(one) &&
          node.nodes.slice(at + 1).every((other) => areApart(firstsOf(one, []), firstsOf(other, []))),
      )
      const ways = works.map((work) => work.ways)
      return { ways: apart ? Math.max(...ways) : ways.reduce((sum, one) => sum + one, 0), steps }
    }
    case 'repetition':
      return repetitionWork(node, next)
  }
}

function sequenceWork(nodes: readonly Node[], next: Firsts): Work {
  let after = next
  let total: Work = { ways: 1, steps: 0 }
  for (const node of [...nodes].reverse()) {
    const { ways, steps } = workOf(node, after)
    total = { ways: ways * total.ways, steps: steps + ways * total.steps }
    after = firstsOf(node, after)
  }
  return total
}

function repetitionWork({ node, min, max }: Node & { kind: 'repetition' }, next: Firsts): Work {
  const again = firstsOf(node, [])
  const { ways, steps } = workOf(node, max > 1 ? union(again, next) : next)
  let reached = 1 // ways to have matched it so many times
  let total = 0
  let ends = min === 0 ? 1 : 0
  for (let times = 1; times <= max && total < Number.MAX_SAFE_INTEGER; times++) {
    total += reached * steps
    reached *= ways
    if (times >= min) ends += reached
  }
  // Where it may go on it does; to end earlier leaves a character that what follows cannot take.
  const onlyLongest = ways === 1 && (min === max || (!isNullable(node) && areApart(again, next)))
  return { ways: onlyLongest ? 1 : ends, steps: total }
}

function isNullable(node: Node): boolean {
  switch (node.kind) {
    case 'character':
      return false
    case 'anchor':
    case 'look':
      return true
    case 'sequence':
      return node.nodes.every(isNullable)
    case 'choice':
      return node.nodes.some(isNullable)
    case 'repetition':
      return node.min === 0 || isNullable(node.node)
  }
}

/** By what `node` can begin, or `next` where it can be nothing. What looks around is not looked into: anything. */
function firstsOf(node: Node, next: Firsts): Firsts {
  switch (node.kind) {
    case 'character':
      return [node.source]
    case 'anchor':
      return next
    case 'look':
      return undefined
    case 'sequence':
      return node.nodes.reduceRight<Firsts>((after, one) => firstsOf(one, after), next)
    case 'choice':
      return node.nodes.map((one) => firstsOf(one, next)).reduce(union, [])
    case 'repetition':
      return isNullable(node) ? union(firstsOf(node.node, next), next) : firstsOf(node.node, next)
  }
}

function union(one: Firsts, other: Firsts): Firsts {
  return one === undefined || other === undefined ? undefined : [...new Set([...one, ...other])]
}

/** Whether no character is among both. */
function areApart(one: Firsts, other: Firsts): boolean {
  if (one === undefined || other === undefined) return false
  if (one.length === 0 || other.length === 0) return true
  return !new RegExp(`(?=${one.join('|')})(?:${other.join('|')})`).test(EVERY_UNIT)
}

/** Every UTF-16 code unit, which is what a regex without flags takes for a character. */
const EVERY_UNIT = Array.from({ length: 256 }, (_, page) =>
  String.fromCharCode(...Array.from({ length: 256 }, (_unit, at) => page * 256 + at)),
).join('')

// ── the structure ─────────────────────────────────────────────────────────────────────────────────────────────────

const ANCHOR = /\^|\$|\\[bB]/y
const OPENING = /\((\?(?:[:=!]|<[=!]))?/y
const QUANTIFIER = /(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y
/** A class, an escape with all its digits, or a character that stands for itself. */
const CHARACTER =
  /\[(?:\\.|[^\]\\])*\]|\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|c[A-Za-z]|[0-3][0-7]{0,2}|[4-7][0-7]?|.)|./sy

/** @param regex that RegExp takes, without capturing groups */
function parseRegex(regex: string): Node {
  let at = 0
  const take = (what: RegExp) => {
    what.lastIndex = at
    const found = what.exec(regex)
    if (found !== null) at = what.lastIndex
    return found
  }
  const choice = (): Node => {
    const nodes = [sequence()]
    while (regex[at] === '|') {
      at++
      nodes.push(sequence())
    }
    return nodes.length === 1 ? nodes[0]! : { kind: 'choice', nodes }
  }
  const sequence = (): Node => {
    const nodes: Node[] = []
    while (at < regex.length && regex[at] !== '|' && regex[at] !== ')') nodes.push(quantified(one()))
    return { kind: 'sequence', nodes }
  }
  const quantified = (node: Node): Node => {
    const found = take(QUANTIFIER)
    if (found === null) return node
    const [, sign, least, comma, most] = found
    const min = sign === undefined ? Number(least) : sign === '+' ? 1 : 0
    const open = sign === undefined ? comma !== undefined && most === '' : sign !== '?'
    const max = open ? MAX_REGEX_INPUT : sign === '?' ? 1 : Number(comma === undefined ? least : most)
    // More than there are characters is no more than that, unless it repeats what takes none.
    return {
      kind: 'repetition',
      node,
      min: Math.min(min, MAX_REGEX_INPUT),
      max: Math.min(max, MAX_REGEX_INPUT),
    }
  }
  const one = (): Node => {
    if (take(ANCHOR) !== null) return { kind: 'anchor' }
    const opening = take(OPENING)
    if (opening === null) return { kind: 'character', source: take(CHARACTER)![0] }
    const node = choice()
    at++ // the parenthesis that closes it
    return opening[1] === undefined || opening[1] === '?:' ? node : { kind: 'look', node }
  }
  return choice()
}
