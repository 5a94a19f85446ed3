// The credentials in a request head, read when somebody asks for them. In: a head. Out: scheme and value of Authorization,
// values of other fields. More than one line of a kind is no credential at all: who knows which of them counts upstream.

import type { FieldSection } from '../http/fields.ts'
import type { RequestHead } from '../http/request.ts'

/** Found more than once, or not of the form that it has to have. */
export const MALFORMED = Symbol('malformed')

/** The credentials of one request. */
export class ReceivedCredentials {
  readonly head: RequestHead
  /** the client's address */
  readonly address: string
  /** `traceparent` for whoever is asked about them; undefined where nothing is traced */
  readonly trace: string | undefined
  #authorization: string | typeof MALFORMED | undefined
  #looked = false

  constructor(head: RequestHead, address: string, trace?: string) {
    this.head = head
    this.address = address
    this.trace = trace
  }

  /** The token of `Authorization: Bearer` (RFC 6750 §2.1); undefined where there is none. */
  get bearer(): string | typeof MALFORMED | undefined {
    return this.#of(BEARER)
  }

  /** What stands behind `Authorization: Basic` (RFC 7617 §2); undefined where there is nothing. */
  get basic(): string | typeof MALFORMED | undefined {
    return this.#of(BASIC)
  }

  /** The value of a field. @param name lower-case */
  field(name: string): string | typeof MALFORMED | undefined {
    return onlyValue(this.head.fields, name)
  }

  #of(scheme: RegExp): string | typeof MALFORMED | undefined {
    if (!this.#looked) {
      this.#looked = true
      this.#authorization = onlyValue(this.head.fields, 'authorization')
    }
    const value = this.#authorization
    if (typeof value !== 'string') return value
    const found = scheme.exec(value)
    if (found === null) return undefined
    return found[1] ?? MALFORMED
  }
}

/** A scheme, and what stands behind it if it is a token68 (RFC 9110 §11.2). */
const BEARER = /^bearer(?: +([\w.~+/-]+=*)$|$| )/i
const BASIC = /^basic(?: +([\w.~+/-]+=*)$|$| )/i

/** The value of the only field line with this name. */
function onlyValue(fields: FieldSection, name: string): string | typeof MALFORMED | undefined {
  let value: string | undefined
  for (let line = 0; line < fields.count; line++) {
    if (fields.nameEnd(line) - fields.lineStart(line) !== name.length) continue
    if (fields.name(line).toLowerCase() !== name) continue
    if (value !== undefined) return MALFORMED
    value = fields.value(line)
  }
  return value
}
