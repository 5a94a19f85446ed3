// The request as middleware sees it. In: its head, and the body that was asked for. Out: the same with what was changed.

import { messageOf, type ProxyError } from '../errors.ts'
import type { FieldRules } from '../http/forward-fields.ts'
import { type Framing, NO_BODY } from '../http/framing.ts'
import { canonicalPath } from '../http/path.ts'
import type { Params } from '../http/path-tree.ts'
import type { RequestHead } from '../http/request.ts'
import { readTarget } from '../http/request-target.ts'
import { octetsOf } from './answer.ts'
import { bodyTooLarge, CollectedBody } from './collected-body.ts'
import { EditableFields } from './editable-fields.ts'
import type { MiddlewareRequest } from './middleware.ts'

/** Where the body of a request comes from. */
export interface BodySource {
  /** It is wanted, as data without framing. */
  onBodyWanted(expectsContinue: boolean): void
  /** It is larger than a middleware takes. */
  onBodyRefused(error: ProxyError): void
}

/** One request. */
export class RequestView implements MiddlewareRequest {
  readonly params: Params
  /** the request-target to forward, as the route has it; undefined for the received one */
  routeTarget: string | undefined = undefined
  readonly #rules: FieldRules
  readonly #received: RequestHead
  readonly #source: BodySource
  #ownTarget: string | undefined = undefined
  #body: CollectedBody | undefined = undefined
  #fields: EditableFields | undefined = undefined
  #replaced: Buffer | undefined = undefined
  #closed = false

  constructor(head: RequestHead, params: Params, rules: FieldRules, source: BodySource) {
    this.#received = head
    this.params = params
    this.#rules = rules
    this.#source = source
  }

  get fields(): EditableFields {
    this.#fields ??= new EditableFields(this.#received, this.#rules, this.#closed)
    return this.#fields
  }

  get method(): string {
    return this.#received.method
  }

  get authority(): string | undefined {
    return this.#received.authority
  }

  get target(): string {
    return this.#ownTarget ?? this.routeTarget ?? this.#received.target
  }

  set target(target: string) {
    this.#checkOpen()
    this.#ownTarget = originForm(this.method, target)
  }

  get path(): string {
    const [path = ''] = this.target.split('?', 1)
    return path
  }

  get query(): string {
    return this.target.slice(this.path.length + 1)
  }

  body(limit: number): Promise<Buffer> {
    if (!Number.isSafeInteger(limit) || limit < 0)
      throw new TypeError('a body is read with a limit, in octets')
    const body = this.#bodyWithin(limit)
    body.catch(() => undefined) // or a client that leaves ends the process, where a middleware has not waited for it yet
    return body
  }

  #bodyWithin(limit: number): Promise<Buffer> {
    const { framing, contentLength = 0, expectsContinue } = this.#received
    if (this.#body === undefined) {
      this.#checkOpen()
      this.#body = new CollectedBody(limit)
      if (contentLength > limit) return this.#refuse(limit)
      if (framing === NO_BODY) this.#body.end()
      else this.#source.onBodyWanted(expectsContinue)
    }
    return this.#body.whole.then((content) => {
      if (content.length > limit) return this.#refuse(limit)
      return Buffer.from(content) // what is done to it is not done to what is forwarded
    })
  }

  #refuse(limit: number): Promise<never> {
    const error = bodyTooLarge(limit)
    this.#source.onBodyRefused(error)
    return Promise.reject(error)
  }

  setBody(body: string | Uint8Array): void {
    this.#checkOpen()
    if (this.#body?.content === undefined && this.#received.framing !== NO_BODY)
      throw new TypeError('read the body first: await request.body(limit)')
    this.#replaced = octetsOf(body)
  }

  #checkOpen(): void {
    if (this.#closed) throw new TypeError('the request is on its way: it is too late to change it')
  }

  // ── for the exchange ────────────────────────────────────────────────────────────────────────────────────────

  /** The head to forward. */
  get head(): RequestHead {
    const head = this.#fields?.apply(this.#received) ?? this.#received
    if (this.#replaced !== undefined) {
      const { length } = this.#replaced
      const framing: Framing = length === 0 ? NO_BODY : { kind: 'length', length }
      return { ...head, framing, contentLength: length, expectsContinue: false }
    }
    return this.#body === undefined ? head : { ...head, expectsContinue: false }
  }

  /** The caller is let in: what is set from now on is for the upstream. */
  onAdmitted(): void {
    this.#fields?.late.clear()
  }

  /** Folded names of the fields that were set since then. */
  get late(): ReadonlySet<string> | undefined {
    return this.#fields?.late
  }

  /** Folded names of all fields that were changed. */
  get changed(): ReadonlySet<string> | undefined {
    return this.#fields?.touched
  }

  /** The request-target that was set. */
  get ownTarget(): string | undefined {
    return this.#ownTarget
  }

  /** The body that is being collected. */
  get collecting(): CollectedBody | undefined {
    return this.#body?.content === undefined ? this.#body : undefined
  }

  /** What is forwarded behind the head, framed as it says; undefined where the body was not asked for, nor set. */
  get framedBody(): Buffer | undefined {
    if (this.#replaced !== undefined) return this.#replaced
    return this.#received.framing.kind === 'chunked' ? this.#body?.chunked(this.changed) : this.#body?.content
  }

  /** It is on its way: nothing can be changed any more. */
  close(): void {
    this.#closed = true
    this.#fields?.close()
  }
}

/** @throws {TypeError} for a request-target that is no origin-form, or has more than one reading */
function originForm(method: string, target: string): string {
  try {
    if (!target.startsWith('/')) throw new TypeError('it does not begin with /')
    const { forwarded } = readTarget(method, target)
    const query = forwarded.indexOf('?')
    return query === -1
      ? canonicalPath(forwarded)
      : canonicalPath(forwarded.slice(0, query)) + forwarded.slice(query)
  } catch (thrown) {
    throw new TypeError(`${JSON.stringify(target)} is no request-target: ${messageOf(thrown)}`)
  }
}
