// What the primary process and its workers say to each other: plain data, copied from one to the other by Node.

import type { Report, Reports } from '../admin/sum.ts'
import type { Config } from '../config.ts'
import type { Origin } from '../http/route.ts'
import type { Listening } from '../proxy.ts'

/** All that makes one worker like the others. It holds the secret, which goes no other way to a worker. */
export interface Start {
  /** this worker's share of the limits */
  readonly config: Config
  readonly origin: Origin
  readonly version: string
  /** the name that all of them go by */
  readonly instance: string
}

/** From the primary to a worker. */
export type ToWorker =
  | { readonly type: 'start'; readonly number: number; readonly start: Start }
  /** tell what you have counted */
  | { readonly type: 'report'; readonly id: number; readonly runtime: boolean }
  /** here is what you asked for */
  | { readonly type: 'reports'; readonly id: number; readonly reports: Reports }
  /** end, since all of them end */
  | { readonly type: 'stop' }
  /** end, since another one has taken your place */
  | { readonly type: 'retire' }

/** From a worker to the primary. */
export type ToPrimary =
  /** its modules are there: it can be told what to do */
  | { readonly type: 'ready' }
  | { readonly type: 'listening'; readonly listening: Listening }
  /** it could not listen, and ends */
  | { readonly type: 'failed'; readonly reason: string }
  /** something unforeseen happened: it drains and ends, and another one is needed now */
  | { readonly type: 'leaving' }
  | { readonly type: 'report'; readonly id: number; readonly report: Report }
  /** its last word, when it ends in peace */
  | { readonly type: 'last'; readonly report: Report }
  /** somebody asked for a page: what have all of them counted? */
  | { readonly type: 'ask'; readonly id: number; readonly runtime: boolean }
