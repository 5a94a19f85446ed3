// What becomes of the head of a response whose content is compressed, or might have been. In: the head as received. Out: the
// same with some lines stopped, and what is said in their place. Pure.

import { combinedValue, type FieldSection, listMembers } from '../http/fields.ts'
import type { FieldRule, FieldRules, LineRules } from '../http/forward-fields.ts'
import type { Encoding } from '../http/gateway.ts'
import type { RequestHead } from '../http/request.ts'
import type { ResponseHead } from '../http/response.ts'
import { type OnDrop, rewriteTrailers } from '../http/rewrite.ts'

/** A head, and the field lines that come with it. */
export interface AlteredHead {
  readonly head: ResponseHead
  /** whole lines of signet's own */
  readonly lines: string
}

/** By lower-case name: what would no longer be true of the content, and why. */
const UNTRUE: ReadonlyMap<string, FieldRule> = new Map(
  Object.entries({
    'accept-ranges': 'RFC 9110 §14.3: ranges are those of the upstream, which are not compressed',
    'content-md5': 'RFC 2616 §14.15: of the content before it was compressed',
    digest: 'RFC 3230 §4.3.2: the same',
    'content-digest': 'RFC 9530 §2: the same',
    'repr-digest': 'RFC 9530 §3: the same',
  }).map(([name, why]) => [name, { treatment: 'hop-by-hop', why } satisfies FieldRule]),
)

const SAID_ANEW: FieldRule = {
  treatment: 'hop-by-hop',
  why: 'RFC 9110 §8.8.1, §12.5.5: said anew, since the content may be compressed here',
}

/** The head of a response that is compressed for some clients, and not for this one. */
export function variedHead(received: ResponseHead): AlteredHead {
  const alteration = new Alteration(received)
  alteration.addVary()
  return alteration.done(received.contentLength)
}

/**
 * The head of a response whose content is compressed with `encoding`: that octets differ from what the upstream sent is
 * said by a weak ETag (RFC 9110 §8.8.1), and nothing is said that was true of those alone.
 */
export function compressedHead(received: ResponseHead, encoding: Encoding): AlteredHead {
  const alteration = new Alteration(received)
  alteration.addVary()
  alteration.dropUntrue()
  alteration.weakenTags(() => true)
  alteration.add(`Content-Encoding: ${encoding}`)
  return alteration.done(undefined)
}

/**
 * The head of a 304 for what may be compressed: its ETag is the one that the client has (RFC 9110 §15.4.5), which is weak if
 * it got the content compressed.
 */
export function notModifiedHead(received: ResponseHead, request: RequestHead): AlteredHead {
  const alteration = new Alteration(received)
  alteration.addVary()
  const known = combinedValue(request.fields, 'if-none-match') ?? ''
  alteration.weakenTags(
    (tag) => known.includes(`W/${tag}`) && !known.replaceAll(`W/${tag}`, '').includes(tag),
  )
  return alteration.done(received.contentLength)
}

/** The trailer section of a response that is compressed: without what was true only of the content before. */
export function compressedTrailers(
  trailers: FieldSection,
  rules: FieldRules,
  nominated: ReadonlySet<string> | undefined,
  onDrop: OnDrop,
): string {
  const stopped = new Set(['etag', ...UNTRUE.keys(), ...(nominated ?? [])])
  const tell: OnDrop = (fields, line, rule) => {
    onDrop(fields, line, rule ?? UNTRUE.get(fields.name(line).toLowerCase()))
  }
  return rewriteTrailers(trailers, rules, stopped, tell)
}

/** An opaque tag in quotes (RFC 9110 §8.8.3). */
const STRONG_TAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/

/** Changes to one head, step by step. */
class Alteration {
  readonly #received: ResponseHead
  readonly #rules: (FieldRule | undefined)[]
  #lines = ''

  constructor(received: ResponseHead) {
    this.#received = received
    this.#rules = [...received.rules]
  }

  add(line: string): void {
    this.#lines += `${line}\r\n`
  }

  /** One line of Vary with all that was said, and Accept-Encoding; what has it already stays as it is. */
  addVary(): void {
    const said = combinedValue(this.#received.fields, 'vary')
    const members = said === undefined ? [] : listMembers(said)
    if (members.includes('accept-encoding') || members.includes('*')) return
    this.#each((name, line) => {
      if (name === 'vary') this.#rules[line] = SAID_ANEW
    })
    this.add(said === undefined || said === '' ? 'Vary: Accept-Encoding' : `Vary: ${said}, Accept-Encoding`)
  }

  dropUntrue(): void {
    this.#each((name, line) => {
      this.#rules[line] = UNTRUE.get(name) ?? this.#rules[line]
    })
  }

  /** Strong tags for which `applies` become weak; what is no tag at all stops. */
  weakenTags(applies: (tag: string) => boolean): void {
    const { fields, nominated } = this.#received
    if (nominated?.has('etag') === true) return // it does not pass anyway
    this.#each((name, line) => {
      const tag = name === 'etag' ? fields.value(line) : 'W/'
      if (tag.startsWith('W/') || !applies(tag)) return
      this.#rules[line] = SAID_ANEW
      if (STRONG_TAG.test(tag)) this.add(`ETag: W/${tag}`)
    })
  }

  /** @param contentLength as it is told where no body follows; that of one that does is decided by its framing */
  done(contentLength: number | undefined): AlteredHead {
    const rules: LineRules = this.#rules
    return { head: { ...this.#received, rules, contentLength }, lines: this.#lines }
  }

  #each(look: (name: string, line: number) => void): void {
    const { fields } = this.#received
    for (let line = 0; line < fields.count; line++) look(fields.name(line).toLowerCase(), line)
  }
}
