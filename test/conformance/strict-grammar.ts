// The grammar that requests and responses share, as strict as RFC 9110 and RFC 9112 write it, for the tests alone: it
// shares no code with src/, so that both would have to be wrong in the same way. Octets are latin1 text, one each.

/** One field line: name as it stood, value without the white space around it. */
export type Field = readonly [name: string, value: string]

/** Why octets are not HTTP/1.1: what is wrong, where, and by which section. */
export class Complaint extends Error {
  readonly rfc: string
  /** offset of the line or the octet that is wrong */
  readonly at: number

  constructor(message: string, rfc: string, at: number) {
    super(message)
    this.rfc = rfc
    this.at = at
  }
}

/** The octets end within a message: nothing is wrong so far. */
export class Incomplete extends Error {}

/** Reads octets from first to last. */
export class Cursor {
  readonly text: string
  at: number

  constructor(text: string, at: number) {
    this.text = text
    this.at = at
  }

  /** Takes a line and its CR LF. A CR or an LF by itself is neither a line end nor anything else (RFC 9112 §2.2). */
  line(): string {
    const { text, at: start } = this
    for (let at = start; at < text.length; at++) {
      const octet = text.charCodeAt(at)
      if (octet === 0x0a) throw new Complaint('bare LF', 'RFC 9112 §2.2', at)
      if (octet !== 0x0d) continue
      if (at + 1 === text.length) break
      if (text.charCodeAt(at + 1) !== 0x0a) throw new Complaint('bare CR', 'RFC 9112 §2.2', at)
      this.at = at + 2
      return text.slice(start, at)
    }
    throw new Incomplete('within a line')
  }

  /** Takes exactly `count` octets. */
  take(count: bigint): string {
    if (BigInt(this.text.length - this.at) < count) throw new Incomplete('within a body')
    const taken = this.text.slice(this.at, this.at + Number(count))
    this.at += taken.length
    return taken
  }

  /** Takes `expected`, or complains. */
  expect(expected: string, message: string, rfc: string): void {
    const found = this.text.slice(this.at, this.at + expected.length)
    if (found === expected) this.at += expected.length
    else if (expected.startsWith(found)) throw new Incomplete(`before ${JSON.stringify(expected)}`)
    else throw new Complaint(message, rfc, this.at)
  }
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const FIELD_VALUE = /^[\t -~\x80-\xff]*$/

/** `token` (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Takes a field section and the empty line behind it (RFC 9112 §5). */
export function readFields(cursor: Cursor): Field[] {
  const fields: Field[] = []
  for (;;) {
    const { at } = cursor
    const line = cursor.line()
    if (line === '') return fields
    fields.push(readField(line, at))
  }
}

function readField(line: string, at: number): Field {
  if (/^[\t ]/.test(line))
    throw new Complaint('a line that begins with a blank: obs-fold', 'RFC 9112 §5.2', at)
  const colon = line.indexOf(':')
  if (colon === -1) throw new Complaint('a field line without a colon', 'RFC 9112 §5', at)
  const name = line.slice(0, colon)
  if (/[\t ]$/.test(name)) throw new Complaint('a blank before the colon', 'RFC 9112 §5.1', at)
  if (!isToken(name)) throw new Complaint('a field name that is no token', 'RFC 9110 §5.1', at)
  const value = trimBlanks(line.slice(colon + 1))
  if (!FIELD_VALUE.test(value)) throw new Complaint('a control in a field value', 'RFC 9110 §5.5', at)
  return [name, value]
}

/** Without OWS at both ends; obs-text such as NBSP is no white space (RFC 9110 §5.6.3). */
export function trimBlanks(text: string): string {
  return text.replace(/^[\t ]+/, '').replace(/[\t ]+$/, '')
}

/** All values of fields named `name`, in order. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value)
}

/** The lower-case options of Connection (RFC 9110 §7.6.1). */
export function connectionOptions(fields: readonly Field[]): string[] {
  return valuesOf(fields, 'connection')
    .flatMap((value) => value.split(','))
    .map((option) => trimBlanks(option).toLowerCase())
    .filter((option) => option !== '')
}

/** How a body is framed, as its head says. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: bigint }
  | { readonly kind: 'chunked'; readonly codings: readonly string[] }

/**
 * The framing that the fields state, where they state one (RFC 9112 §6.3). Both framings, several lengths and codings
 * that do not end in exactly one chunked are complaints: this parser repairs nothing.
 */
export function statedFraming(fields: readonly Field[], minor: number, at: number): Framing {
  const lengths = valuesOf(fields, 'content-length')
  const codings = valuesOf(fields, 'transfer-encoding')
  if (codings.length > 0) {
    if (lengths.length > 0)
      throw new Complaint('both Transfer-Encoding and Content-Length', 'RFC 9112 §6.3', at)
    if (minor === 0) throw new Complaint('Transfer-Encoding in HTTP/1.0', 'RFC 9112 §6.1', at)
    return { kind: 'chunked', codings: readCodings(codings, at) }
  }
  const [length] = lengths
  if (length === undefined) return { kind: 'none' }
  if (lengths.length > 1) throw new Complaint('several Content-Length lines', 'RFC 9112 §6.3', at)
  if (!/^[0-9]+$/.test(length))
    throw new Complaint('a Content-Length that is not 1*DIGIT', 'RFC 9110 §8.6', at)
  return { kind: 'length', length: BigInt(length) }
}

/** The codings under chunked. A sender's grammar: no empty list members, no parameters, chunked last and once. */
function readCodings(values: readonly string[], at: number): string[] {
  const codings = values
    .join(',')
    .split(',')
    .map((coding) => trimBlanks(coding).toLowerCase())
  if (!codings.every(isToken)) throw new Complaint('a transfer coding that is no token', 'RFC 9112 §7', at)
  if (codings.at(-1) !== 'chunked') throw new Complaint('chunked is not the last coding', 'RFC 9112 §6.3', at)
  if (codings.indexOf('chunked') !== codings.length - 1)
    throw new Complaint('chunked twice', 'RFC 9112 §6.1', at)
  return codings.slice(0, -1)
}

/** A body in chunks, taken apart. */
export interface ChunkedBody {
  readonly data: string
  readonly trailers: readonly Field[]
}

/** How chunks were written, as far as they were read: kept even when they go wrong later. */
export interface ChunkNotes {
  /** the most digits that any chunk size was written with */
  digits: number
  /** all chunk extensions, one behind the other, each without its first `;` */
  extensions: string
}

const CHUNK_LINE = /^([0-9A-Fa-f]+)([\s\S]*)$/
const EXTENSION =
  /^(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/

/**
 * Takes a chunked body (RFC 9112 §7.1).
 *
 * @param anyExtension what stands between `;` and CR LF need not follow the grammar, as long as it is visible ASCII,
 *   blanks and tabs
 */
export function readChunked(cursor: Cursor, anyExtension: boolean, notes?: ChunkNotes): ChunkedBody {
  let data = ''
  for (;;) {
    const { at } = cursor
    refuseEarly(cursor)
    const line = CHUNK_LINE.exec(cursor.line())
    if (line === null) throw new Complaint('a chunk size that is not 1*HEXDIG', 'RFC 9112 §7.1', at)
    const [, size, extension] = line as unknown as [string, string, string]
    if (!EXTENSION.test(extension) && !(anyExtension && /^;[\t -~]*$/.test(extension))) {
      throw new Complaint('a malformed chunk extension', 'RFC 9112 §7.1.1', at)
    }
    if (notes !== undefined) {
      notes.digits = Math.max(notes.digits, size.length)
      notes.extensions += extension.slice(1)
    }
    const length = BigInt(`0x${size}`)
    if (length === 0n) return { data, trailers: readFields(cursor) }
    data += cursor.take(length)
    cursor.expect('\r\n', 'chunk data that does not end where its size says', 'RFC 9112 §7.1')
  }
}

/** An octet that cannot begin a chunk size is wrong before its line has ended. */
function refuseEarly({ text, at }: Cursor): void {
  if (at < text.length && !/[0-9A-Fa-f]/.test(text.charAt(at))) {
    throw new Complaint('a chunk size that is not 1*HEXDIG', 'RFC 9112 §7.1', at)
  }
}
