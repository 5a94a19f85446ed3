// What the primary process and its workers say to each other: plain data, copied from one to the other by Node.

import type { Report, Reports } from '../admin/sum.ts'
import type { Config } from '../config.ts'
import type { GatewayConfig } from '../http/gateway.ts'
import type { Listening } from '../proxy.ts'

/** All that makes one worker like the others. It holds the secret, which goes no other way to a worker. */
export interface Start {
  /** this worker's share of the limits */
  readonly config: Config
  readonly gateway: GatewayConfig
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
  /** go by this from now on */
  | { readonly type: 'reload'; readonly id: number; readonly start: Start }
  /** end, since all of them end */
  | { readonly type: 'stop' }

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
  /** it goes by what it was told, or, with a problem, by what it went by before */
  | { readonly type: 'reloaded'; readonly id: number; readonly problem?: string }
  /** its last word, when it ends in peace */
  | { readonly type: 'last'; readonly report: Report }
  /** somebody asked for a page: what have all of them counted? */
  | { readonly type: 'ask'; readonly id: number; readonly runtime: boolean }
