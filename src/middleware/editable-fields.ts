// The field section of a head while middleware may change it. In: the section as received. Out: the same until something was
// changed, and then a new one, in which what signet itself decides by is as it was.

import { FieldSection, fold, trimmed } from '../http/fields.ts'
import type { FieldRule, FieldRules, LineRules, Treatment } from '../http/forward-fields.ts'
import { allIn, TCHAR } from '../http/octets.ts'
import type { MessageFields } from './middleware.ts'

/** What heads of either kind have in common. */
interface Head {
  readonly fields: FieldSection
  readonly rules: LineRules
  readonly nominated: ReadonlySet<string> | undefined
}

/** One line of a section that is being changed. */
interface Line {
  /** with its CR LF */
  readonly text: string
  readonly nameLength: number
  readonly rule: FieldRule | undefined
}

/** Fields that mean nothing to signet itself, whose lines therefore anybody may change. */
const OPEN: ReadonlySet<Treatment> = new Set<Treatment>(['end-to-end', 'date'])

/** RFC 9110 §5.5: visible ASCII, obs-text, blanks and tabs; what cannot be in it ends a line or a text in C. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Fields of one head. */
export class EditableFields implements MessageFields {
  readonly #head: Head
  readonly #rules: FieldRules
  #lines: Line[] | undefined = undefined
  /** folded names of what was set: no client can nominate them away */
  readonly #own = new Set<string>()
  /** folded names of what was set since the caller was let in: it is for the upstream, and no credential of the client's */
  readonly late = new Set<string>()
  /** folded names of all that was changed, removed names included: no trailer section says them again */
  readonly touched = new Set<string>()
  #closed: boolean

  /** @param closed whether nothing can be changed from the first */
  constructor(head: Head, rules: FieldRules, closed = false) {
    this.#head = head
    this.#rules = rules
    this.#closed = closed
  }

  /** Whether something was changed. */
  get changed(): boolean {
    return this.#lines !== undefined
  }

  get(name: string): string | undefined {
    const values = this.getAll(name)
    return values.length === 0 ? undefined : values.join(', ')
  }

  getAll(name: string): readonly string[] {
    const lower = name.toLowerCase()
    const values: string[] = []
    for (const { text, nameLength, rule } of this.#all()) {
      if (nameLength !== name.length || rule?.treatment === 'asserted') continue
      if (text.slice(0, nameLength).toLowerCase() === lower)
        values.push(trimmed(text.slice(nameLength + 1, -2)))
    }
    return values
  }

  has(name: string): boolean {
    return this.getAll(name).length > 0
  }

  *[Symbol.iterator](): Iterator<readonly [string, string]> {
    for (const { text, nameLength, rule } of this.#all()) {
      // What imitates signet's own is shown to nobody: it will be dropped.
      if (rule?.treatment === 'asserted') continue
      yield [text.slice(0, nameLength).toLowerCase(), trimmed(text.slice(nameLength + 1, -2))]
    }
  }

  set(name: string, value: string): void {
    const line = this.#lineOf(name, value)
    this.#remove(name)
    this.#add(name, line)
    this.late.add(fold(name))
  }

  append(name: string, value: string): void {
    const line = this.#lineOf(name, value)
    // Beside a line of the client's it is no less a credential than that one, and goes where that goes.
    if (!this.#all().some((one) => isSpelling(one, fold(name)))) this.late.add(fold(name))
    this.#add(name, line)
  }

  delete(name: string): void {
    this.#check(name)
    this.#remove(name)
  }

  /** The head with what was changed. */
  apply<T extends Head>(head: T): T {
    if (this.#lines === undefined) return head
    const spans: number[] = []
    let all = ''
    for (const { text, nameLength } of this.#lines) {
      const start = all.length
      all += text
      spans.push(start, start + nameLength, start + nameLength + 1, all.length - 2)
    }
    const { nominated } = head
    return {
      ...head,
      fields: new FieldSection(`${all}\r\n`, spans),
      rules: this.#lines.map(({ rule }) => rule),
      nominated: nominated && new Set([...nominated].filter((name) => !this.#own.has(fold(name)))),
    }
  }

  /** Nothing can be changed any more. */
  close(): void {
    this.#closed = true
  }

  #all(): Line[] {
    if (this.#lines !== undefined) return this.#lines
    const { fields, rules } = this.#head
    const lines: Line[] = []
    for (let line = 0; line < fields.count; line++) {
      const start = fields.lineStart(line)
      const text = fields.text.slice(start, fields.lineEnd(line))
      lines.push({ text, nameLength: fields.nameEnd(line) - start, rule: rules[line] })
    }
    return lines
  }

  #add(name: string, line: Line): void {
    this.#lines = this.#all()
    this.#lines.push(line)
    this.#own.add(fold(name))
    this.touched.add(fold(name))
  }

  #remove(name: string): void {
    const folded = fold(name)
    this.#lines = this.#all().filter((line) => !isSpelling(line, folded))
    this.#own.delete(folded)
    this.touched.add(folded)
    this.late.delete(folded)
  }

  #lineOf(name: string, value: string): Line {
    const rule = this.#check(name)
    if (typeof value !== 'string' || !VALUE.test(value))
      throw new TypeError(`${name}: a field value must be text of one line, an octet a character`)
    return { text: `${name}: ${trimmed(value)}\r\n`, nameLength: name.length, rule }
  }

  /** @throws {TypeError} for a field that is not for middleware to change */
  #check(name: string): FieldRule | undefined {
    if (this.#closed) throw new TypeError(`${name}: the head is on its way, and it is too late to change it`)
    if (typeof name !== 'string' || name === '' || !allIn(TCHAR, name, 0, name.length))
      throw new TypeError(`${JSON.stringify(name)} is no field name`)
    const rule = this.#rules.lookUp(name, 0, name.length)
    if (rule !== undefined && !OPEN.has(rule.treatment))
      throw new TypeError(`${name} cannot be changed by middleware: ${rule.why}`)
    return rule
  }
}

/** Whether a line has the name that folds to this. What is folded keeps its length: most lines need not be. */
function isSpelling({ text, nameLength }: Line, folded: string): boolean {
  return nameLength === folded.length && fold(text.slice(0, nameLength)) === folded
}
