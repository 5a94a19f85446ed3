// A strict reader of HTML, for tests: every element closed in order, every attribute quoted, every & an
// entity.
// In: a page. Out: its elements and its text, or an error that names the octet offset.

/** Elements that have no content and no end tag (HTML Living Standard §13.1.2). */
const VOID = new Set(['meta', 'link', 'br', 'hr', 'img', 'input'])
const TOKEN = /<!DOCTYPE html>|<\/([a-z][a-z0-9]*)>|<([a-z][a-z0-9]*)((?: [a-z-]+="[^"<>]*")*)>|[^<>]+/y
const ENTITY = /&(?!(?:amp|lt|gt|quot|#39);)/

/** What a page is made of. */
export interface Outline {
  readonly elements: readonly { readonly name: string; readonly attributes: string }[]
  /** The text between the tags, entities resolved. */
  readonly text: string
}

/**
 * Reads a whole page.
 *
 * @throws {Error} when the page is not well-formed
 */
export function outline(page: string): Outline {
  const elements: { name: string; attributes: string }[] = []
  const open: string[] = []
  let text = ''
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < page.length) {
    const at = TOKEN.lastIndex
    const token = TOKEN.exec(page)
    if (token === null) throw new Error(`no tag and no text at ${at}: ${page.slice(at, at + 40)}`)
    const [all, ended, started, attributes = ''] = token
    if (open.at(-1) !== 'style' && ENTITY.test(all)) throw new Error(`a bare & at ${at}: ${all}`)
    if (ended !== undefined) {
      if (open.pop() !== ended) throw new Error(`</${ended}> ends what is not open, at ${at}`)
    } else if (started !== undefined) {
      elements.push({ name: started, attributes: attributes.trim() })
      if (!VOID.has(started)) open.push(started)
    } else if (!all.startsWith('<')) text += all
  }
  if (open.length > 0) throw new Error(`never ended: ${open.join(', ')}`)
  return { elements, text: unescaped(text) }
}

const CHARACTERS: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }

function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_entity, name: string) => CHARACTERS[name]!)
}
