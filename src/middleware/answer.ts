// A response that a middleware gives by itself. In: status, fields, body. Out: a head like those that upstreams send, so that
// it goes the same way, and the octets of its body.

import { STATUS_CODES } from 'node:http'
import { FieldSection } from '../http/fields.ts'
import type { FieldRules } from '../http/forward-fields.ts'
import { NO_BODY } from '../http/framing.ts'
import type { ResponseHead } from '../http/response.ts'
import { EditableFields } from './editable-fields.ts'
import type { MiddlewareAnswer } from './middleware.ts'

/** A whole response. */
export interface Answer {
  readonly head: ResponseHead
  readonly body: Buffer
}

/** RFC 9110 §15.3.5, §15.3.6, §15.4.5: no content follows. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** @throws {TypeError} for what cannot be sent */
export function createAnswer({ status, fields = {}, body }: MiddlewareAnswer, rules: FieldRules): Answer {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new TypeError(`${status} is no status of a final response: 200 to 599`)
  const octets = octetsOf(body ?? '')
  if (WITHOUT_BODY.has(status) && octets.length > 0)
    throw new TypeError(`a response with ${status} has no body`)
  const bodiless = WITHOUT_BODY.has(status) && status !== 205 // which says that it is empty
  const empty: ResponseHead = {
    status,
    reason: STATUS_CODES[status] ?? '',
    minor: 1,
    framing: bodiless ? NO_BODY : { kind: 'length', length: octets.length },
    contentLength: bodiless ? undefined : octets.length,
    persistent: true,
    keepAliveSeconds: undefined,
    upgrade: undefined,
    hasDate: false,
    nominated: undefined,
    fields: new FieldSection('\r\n', []),
    rules: [],
  }
  const edited = new EditableFields(empty, rules)
  for (const [name, value] of Object.entries(fields)) edited.append(name, value)
  if (typeof body === 'string' && !edited.has('content-type'))
    edited.set('content-type', 'text/plain; charset=utf-8')
  return { head: { ...edited.apply(empty), hasDate: edited.has('date') }, body: octets }
}

/** Text as UTF-8; octets copied, since whose they are may change them. @throws {TypeError} for what is neither */
export function octetsOf(body: string | Uint8Array): Buffer {
  if (typeof body !== 'string' && !(body instanceof Uint8Array))
    throw new TypeError('a body is a text or a Uint8Array')
  return typeof body === 'string' ? Buffer.from(body, 'utf8') : Buffer.from(body)
}
