// Field sections (RFC 9110 §5): where each line's name and value stand in the received text.
// In: the text of a head and the offsets the parser noted. Out: names, values, list members.

import { HTAB, SP } from './octets.ts'

/**
 * The field lines of one head, as offsets into its text: a line costs a string only when someone asks for it.
 * Offsets stand four to a line: name start, name end, value start, value end (white space after it included).
 */
export class FieldSection {
  /** The received text, an octet a character (latin1). */
  readonly text: string
  readonly #spans: readonly number[]

  constructor(text: string, spans: readonly number[]) {
    this.text = text
    this.#spans = spans
  }

  /** How many field lines there are. */
  get count(): number {
    return this.#spans.length >> 2
  }

  /** Where line `index` begins in the text, and so where the line before it has ended, CR LF included. */
  lineStart(index: number): number {
    return this.#spans[index << 2]!
  }

  /** Where the name of line `index` ends. */
  nameEnd(index: number): number {
    return this.#spans[(index << 2) + 1]!
  }

  /** Where line `index` has ended, CR LF included. */
  lineEnd(index: number): number {
    const next = (index + 1) << 2
    // The text ends with the empty line, which belongs to no field.
    return next < this.#spans.length ? this.#spans[next]! : this.text.length - 2
  }

  /** The name of line `index`, as received. */
  name(index: number): string {
    return this.text.slice(this.lineStart(index), this.nameEnd(index))
  }

  /** The value of line `index` without the white space around it (RFC 9110 §5.5). */
  value(index: number): string {
    return trim(this.text, this.#spans[(index << 2) + 2]!, this.#spans[(index << 2) + 3]!)
  }
}

/**
 * The values of all field lines with that name, in order, as one list (RFC 9110 §5.3).
 *
 * @param name lower-case
 * @returns undefined when there is no such line
 */
export function combinedValue(fields: FieldSection, name: string): string | undefined {
  let combined: string | undefined
  for (let line = 0; line < fields.count; line++) {
    if (fields.nameEnd(line) - fields.lineStart(line) !== name.length) continue
    if (fields.name(line).toLowerCase() !== name) continue
    combined = combined === undefined ? fields.value(line) : `${combined}, ${fields.value(line)}`
  }
  return combined
}

/** `text` without OWS at its ends (RFC 9110 §5.6.3). */
export function trimmed(text: string): string {
  return trim(text, 0, text.length)
}

/** `text[start, end)` without OWS at its ends. Not `String.trim`, which would eat obs-text such as NBSP. */
function trim(text: string, start: number, end: number): string {
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(octet: number): boolean {
  return octet === SP || octet === HTAB
}

/** The members of a comma-separated list (RFC 9110 §5.6.1), lower-case; empty ones are passed over. */
export function listMembers(value: string): string[] {
  const members: string[] = []
  for (const part of value.toLowerCase().split(',')) {
    const member = trimmed(part)
    if (member !== '') members.push(member)
  }
  return members
}

/**
 * A field name as an upstream may fold it: CGI, WSGI and PHP turn what is no letter or digit into one character,
 * so `X_My.Jwt` and `x-my-jwt` become the same variable there. Lower-case, every other octet a `-`.
 */
export function fold(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}
