// What is wrong with a text that is no YAML, for somebody who does not know YAML well. In: an error of the parser. Out: one
// sentence, which repeats nothing of the text: it may be a secret.

import type { ErrorCode, YAMLError } from 'yaml'

/** By the code of the parser's error. */
const REASONS: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'a value that begins with * must stand in quotes',
  BAD_ALIAS: 'a value that begins with * or & must stand in quotes',
  BAD_COLLECTION_TYPE: 'a word that begins with ! must stand in quotes',
  BAD_DIRECTIVE: 'a line that begins with % has no meaning here',
  BAD_DQ_ESCAPE: 'this is no escape sequence: write \\\\ for a backslash, or use single quotes',
  BAD_INDENT:
    'the indentation fits no line above: keys of one mapping, and items of one list, begin in one column',
  BAD_PROP_ORDER: 'a value that begins with !, & or * must stand in quotes',
  BAD_SCALAR_START: 'a value that begins with this character must stand in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'there cannot be a key within this value: check how the next line is indented, and quote a value with ": " in it',
  BLOCK_IN_FLOW: 'a bracket or brace above is not closed',
  DUPLICATE_KEY: 'this key has been given already',
  IMPOSSIBLE: 'this cannot be read',
  KEY_OVER_1024_CHARS: 'a key has at most 1024 characters',
  MISSING_CHAR: 'a character is missing',
  MULTILINE_IMPLICIT_KEY: 'a key and its colon must stand in one line',
  MULTIPLE_ANCHORS: 'a value that begins with & must stand in quotes',
  MULTIPLE_DOCS: 'a second document begins here, and a configuration file is one: remove the line ---',
  MULTIPLE_TAGS: 'a value that begins with ! must stand in quotes',
  NON_STRING_KEY: 'a key must be a word',
  RESOURCE_EXHAUSTION: 'this is nested too deeply to be read',
  TAB_AS_INDENT: 'a tab cannot indent: use blanks',
  TAG_RESOLVE_FAILED: 'a value that begins with ! must stand in quotes',
  UNEXPECTED_TOKEN: 'this is not expected here: is a quote, a comma or a bracket missing before it?',
}

/** Which character is missing, by what the parser says. */
const MISSING: readonly (readonly [RegExp, string])[] = [
  [/closing ["']quote/, 'a text that begins with a quote must end with one'],
  [/end with a \]/, 'a list that begins with [ must end with ]'],
  [/end with a \}/, 'a mapping that begins with { must end with }'],
  [/Missing ,/, 'a comma is missing'],
  [/Missing space after :/, 'a blank is missing after the colon'],
  [/followed by map values/, 'a colon and a value are missing after this key'],
  [/Comments must be separated/, 'a blank is missing before #'],
  [/without - indicator/, 'an item of a list begins with - and a blank'],
]

/** After these, what follows may be read as something that it is not. */
const MISLEADING: ReadonlySet<ErrorCode> = new Set([
  'BAD_INDENT',
  'BLOCK_AS_IMPLICIT_KEY',
  'BLOCK_IN_FLOW',
  'IMPOSSIBLE',
  'MISSING_CHAR',
  'MULTILINE_IMPLICIT_KEY',
  'MULTIPLE_DOCS',
  'RESOURCE_EXHAUSTION',
  'TAB_AS_INDENT',
  'UNEXPECTED_TOKEN',
])

/** The errors up to the first of those that make others of what is right. */
export function trustworthy<T extends Pick<YAMLError, 'code' | 'pos'>>(errors: readonly T[]): readonly T[] {
  const sorted = [...errors].sort((a, b) => a.pos[0] - b.pos[0])
  const misleading = sorted.findIndex(({ code }) => MISLEADING.has(code))
  return misleading === -1 ? sorted : sorted.slice(0, misleading + 1)
}

/**
 * Says what is wrong.
 *
 * @param line the text of the line
 */
export function explainSyntax({ code, message }: Pick<YAMLError, 'code' | 'message'>, line: string): string {
  const reason = MISSING.find(([what]) => what.test(message))?.[1] ?? REASONS[code]
  const braces = MISLEADING.has(code) && /[[{].*\$\{/.test(line)
  return braces ? `${reason}; within [ ] and { } a value with \${NAME} must stand in quotes` : reason
}
