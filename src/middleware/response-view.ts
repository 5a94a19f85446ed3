// The head of a response as middleware sees it.

import type { FieldRules } from '../http/forward-fields.ts'
import type { ResponseHead } from '../http/response.ts'
import { EditableFields } from './editable-fields.ts'
import type { MiddlewareResponse } from './middleware.ts'

/** One response. */
export class ResponseView implements MiddlewareResponse {
  readonly fields: EditableFields
  readonly #head: ResponseHead

  constructor(head: ResponseHead, rules: FieldRules) {
    this.#head = head
    this.fields = new EditableFields(head, rules)
  }

  get status(): number {
    return this.#head.status
  }

  /** It goes to the client: nothing can be changed any more. @returns the head with what was */
  close(): ResponseHead {
    this.fields.close()
    if (!this.fields.changed) return this.#head
    return { ...this.fields.apply(this.#head), hasDate: this.fields.has('date') }
  }
}
