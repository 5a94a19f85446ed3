// Field sections for units that look into them.

import { FieldSection } from '../../src/http/fields.ts'

const START_LINE = 'GET / HTTP/1.1\r\n'

/** A section of the given lines, each without its CR LF, with the offsets that a parser notes. */
export function sectionOf(lines: readonly string[]): FieldSection {
  const spans: number[] = []
  let text = START_LINE
  for (const line of lines) {
    const colon = text.length + line.indexOf(':')
    const valueStart = colon + 1 + /^[ \t]*/.exec(line.slice(line.indexOf(':') + 1))![0].length
    spans.push(text.length, colon, valueStart, text.length + line.length)
    text += `${line}\r\n`
  }
  return new FieldSection(`${text}\r\n`, spans)
}
