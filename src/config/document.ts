// The text of a configuration file, as YAML 1.2, of which JSON is a part. In: text. Out: plain values, and for each of them
// and each key where it stands; or what is wrong with the text.

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
} from 'yaml'
import { type Path, type Problem, showPath } from './problems.ts'
import type { ConfigDocument } from './structure.ts'
import { explainSyntax, trustworthy } from './syntax.ts'

/** Levels of mappings and lists within each other; the schema has seven. */
const MOST_LEVELS = 32
/** Uses of anchors in one file. Each may hold others, so a short text could stand for an endless one. */
const MOST_ALIASES = 100

/** Told of what is wrong, and where. */
type Complain = (offset: number, reason: string, path?: Path) => void
/** Told where each key and each value begins. */
type Note = (path: Path, part: 'key' | 'value', offset: number) => void

/**
 * Reads a configuration file. Never throws; there is no data when the text is no YAML.
 *
 * @param name as it is named in messages: `signet.yaml`
 */
export function parseConfig(name: string, text: string): ConfigDocument {
  const lines = new LineCounter()
  const problems: Problem[] = []
  const offsets = new Map<string, number>()
  const label = (offset: number, path: Path) => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col} ${showPath(path)}`.trimEnd()
  }
  const complain: Complain = (offset, reason, path = []) => {
    problems.push({ text: `${label(offset, path)}: ${reason}`, offset })
  }
  const note: Note = (path, part, offset) => offsets.set(JSON.stringify([part, path]), offset)

  const document = parse(text, lines, complain)
  // What the parser did not understand may be anything; keys that stand twice leave the rest as it is.
  const data = document && problems.length === 0 ? valuesOf(document, note, complain) : undefined
  return {
    data,
    problems,
    locate(path, part = 'value') {
      const offset = offsets.get(JSON.stringify([part, path])) ?? offsets.get(JSON.stringify(['value', path]))
      return offset === undefined ? undefined : { label: label(offset, path), offset }
    },
  }
}

/** The nodes of a text; complains of what is no YAML. */
function parse(text: string, lines: LineCounter, complain: Complain): Document.Parsed | undefined {
  try {
    // Keys that stand twice are found below, where their path is known.
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
    for (const error of trustworthy([...document.errors, ...document.warnings])) {
      const [at] = error.pos
      const line = text.slice(text.lastIndexOf('\n', at - 1) + 1).split('\n', 1)[0] ?? ''
      complain(at, explainSyntax(error, line))
    }
    if (document.directives.yaml.version !== '1.2')
      complain(0, 'this must be YAML 1.2: remove the line %YAML')
    return document
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    complain(0, 'this is nested too deeply to be read') // the parser calls itself, level by level
    return undefined
  }
}

/** The values of a document. */
function valuesOf(document: Document.Parsed, note: Note, complain: Complain): unknown {
  let aliases = 0
  const open = new Set<unknown>() // anchors that are being used
  return convert(document.contents, [], 0)

  /** @param fallback offset of a value that is left out */
  function convert(node: unknown, path: Path, fallback: number): unknown {
    const offset = offsetOf(node) ?? fallback
    note(path, 'value', offset)
    if (path.length > MOST_LEVELS) {
      complain(offset, `this is nested too deeply: at most ${MOST_LEVELS} levels`)
      return undefined
    }
    if (isMap(node)) return mapping(node.items, path)
    if (isSeq(node)) return node.items.map((item, at) => convert(item, [...path, at], offset))
    if (isAlias(node)) return target(node, path, offset)
    const value = isScalar(node) ? node.value : null
    if (value === null || /^(string|number|boolean)$/.test(typeof value)) return value
    complain(offset, 'this kind of value has no meaning here', path)
    return undefined
  }

  function target(alias: Alias, path: Path, offset: number): unknown {
    aliases++
    const source = aliases > MOST_ALIASES ? undefined : alias.resolve(document)
    if (source !== undefined && !open.has(source)) {
      open.add(source)
      const value = convert(source, path, offset)
      open.delete(source)
      return value
    }
    if (aliases > MOST_ALIASES) {
      if (aliases === MOST_ALIASES + 1) complain(offset, `more than ${MOST_ALIASES} uses of anchors`, path)
    } else if (source === undefined)
      complain(offset, 'no anchor above has this name; a text with * must stand in quotes', path)
    else complain(offset, 'an anchor cannot hold itself', path)
    return undefined
  }

  function mapping(pairs: readonly { key: unknown; value: unknown }[], path: Path): object {
    const values = {}
    const seen = new Set<string>()
    for (const { key, value } of pairs) {
      const offset = offsetOf(key) ?? 0
      const name = isScalar(key) ? String(key.source ?? key.value) : undefined
      if (name === undefined || seen.has(name)) {
        const reason = name === undefined ? 'a key must be a word' : 'this key has been given already'
        complain(offset, reason, name === undefined ? path : [...path, name])
        continue
      }
      seen.add(name)
      note([...path, name], 'key', offset)
      const property = { value: convert(value, [...path, name], offset), enumerable: true, writable: true }
      // Not by assignment: `__proto__` is a key like any other.
      Object.defineProperty(values, name, { ...property, configurable: true })
    }
    return values
  }
}

function offsetOf(node: unknown): number | undefined {
  return (node as ParsedNode | null)?.range?.[0] // what parseDocument gives is made of nothing else
}
