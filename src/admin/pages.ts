// signet's own pages. In: which one, and the request for it. Out: a whole response, drawn from what one process has counted or
// what all of them have.

import { ProxyError } from '../errors.ts'
import type { RequestHead } from '../http/request.ts'
import { writeResponse } from '../http/refusal.ts'
import type { Page } from '../http/pages.ts'
import type { TargetState } from '../net/balancer.ts'
import { type Metrics, renderSum } from './metrics.ts'
import { prefersHtml, STATUS_PAGE_POLICY, statusHtml, statusJson } from './status.ts'
import { type Reports, type Sum, sumOf } from './sum.ts'
import type { Snapshot, Traffic } from './traffic.ts'

/** The processes that share the traffic, this one included. */
export interface Siblings {
  /** names them all, where each of them by itself would choose a name: in Via and on the pages */
  readonly instance: string
  /** Asks them all what they have counted, for the pages. May reject. */
  ask(options: { readonly runtime: boolean }): Promise<Reports>
}

/** What the pages are drawn from. */
export interface PagesContext {
  readonly traffic: Traffic
  readonly targets: () => readonly TargetState[]
  readonly metrics: Metrics
  readonly version: string
  /** where this process is one of several */
  readonly siblings: Siblings | undefined
  /** the public keys as a document, and for how many seconds it may be kept */
  readonly keySet: () => { readonly text: string; readonly age: number }
  /** monotonic ms */
  readonly clock: () => number
  /** the present second as in Date (RFC 9110 §5.6.7) */
  readonly date: () => string
}

/** Answers requests for a page; several processes have to be asked first. */
export type AnswerPage = (page: Page, head: RequestHead, close: boolean) => Promise<string> | string

const VARY = 'Vary: Accept\r\n'
const HTML_FIELDS = `${VARY}Content-Security-Policy: ${STATUS_PAGE_POLICY}\r\n`

/** The pages of one signet. */
export function createPages(context: PagesContext): AnswerPage {
  const { traffic, targets, metrics, version, siblings, keySet, clock, date } = context

  /** What all processes have done, added up. */
  async function sum(all: Siblings, runtime: boolean): Promise<Sum> {
    return sumOf(await all.ask({ runtime }), traffic.instance, clock(), targets())
  }

  return (page, head, close) => {
    const withBody = head.method !== 'HEAD'
    const respond = (type: string, text: string, extra?: string) =>
      writeResponse(200, type, text, date(), close, withBody, extra)
    const status = (snapshot: Snapshot) =>
      prefersHtml(acceptOf(head))
        ? respond('text/html; charset=utf-8', statusHtml(snapshot), HTML_FIELDS)
        : respond('application/json', `${statusJson(snapshot)}\n`, VARY)

    if (page === 'keys') {
      if (head.method !== 'GET' && withBody) throw keysMethodRefusal(head.method)
      const { text, age } = keySet()
      const type = 'application/jwk-set+json' // RFC 7517 §8.5.2
      return writeResponse(200, type, `${text}\n`, date(), close, withBody, '', `public, max-age=${age}`)
    }
    if (page === 'metrics') {
      const text =
        siblings === undefined ? metrics.render() : sum(siblings, true).then((all) => renderSum(all, version))
      return text.then((rendered) => respond(metrics.contentType, rendered))
    }
    if (siblings === undefined) return status(traffic.snapshot(clock(), targets()))
    return sum(siblings, false).then(({ traffic: all, targets: summed, workers }) =>
      status({ ...all.snapshot(clock(), summed), workers }),
    )
  }
}

function keysMethodRefusal(method: string): ProxyError {
  return new ProxyError('ERR_METHOD_NOT_ALLOWED', `the public keys are for GET and HEAD, not for ${method}`, {
    fields: { Allow: 'GET, HEAD' },
  })
}

/** All values of Accept, joined by commas (RFC 9110 §5.3). */
function acceptOf({ fields }: RequestHead): string | undefined {
  let accept: string | undefined
  for (let line = 0; line < fields.count; line++) {
    if (fields.name(line).toLowerCase() !== 'accept') continue
    accept = accept === undefined ? fields.value(line) : `${accept},${fields.value(line)}`
  }
  return accept
}
