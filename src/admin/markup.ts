// HTML that is escaped unless it was written here: a template tag whose values are text by default.
// In: literal markup in the source, values from anywhere. Out: Markup, which only this tag can make.

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A piece of HTML whose values are already escaped. */
export class Markup {
  readonly #text: string

  /** Only for {@link html}: `text` is taken as it is. */
  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** What may stand in a template: text and numbers are escaped, {@link Markup} is not, lists are joined. */
export type Content = string | number | Markup | readonly Markup[]

/** Builds HTML from a literal template. Safe between tags and inside quoted attributes, nowhere else. */
export function html(literals: TemplateStringsArray, ...values: readonly Content[]): Markup {
  let text = literals[0]!
  for (const [index, value] of values.entries()) text += textOf(value) + literals[index + 1]!
  return new Markup(text)
}

function textOf(value: Content): string {
  if (value instanceof Markup) return value.toString()
  if (typeof value === 'object') return value.join('')
  return String(value).replace(/[&<>"']/g, (character) => ESCAPES[character]!)
}
