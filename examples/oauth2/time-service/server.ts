// The time service: two pages for whoever comes through signet. In: config. Out: something that listens and can be closed.

import { createHttpService, type EventLog, type HttpService } from '../service/http-service.ts'
import { currentTime, epochTime } from './clock.ts'
import { secretOf, type TimeServiceConfig } from './config.ts'
import { createSignetVerifier } from './signet-token.ts'

/** What the service needs beside its configuration. */
export interface TimeServiceOptions {
  readonly log: EventLog
  /** ms since the epoch; tests have a clock of their own */
  readonly now?: () => number
}

const PAGES: ReadonlyMap<string, (now: number) => object> = new Map<string, (now: number) => object>([
  ['/current_time', currentTime],
  ['/epoch_time', epochTime],
])

/** Prepares a time service; nothing is opened before `listen`. `/health` alone answers to everybody. */
export function createTimeService(
  config: TimeServiceConfig,
  { log, now = Date.now }: TimeServiceOptions,
): HttpService {
  const verify = createSignetVerifier({ secret: secretOf(config), maxAge: config.tokenAge, now })
  return createHttpService({
    log,
    handle: async ({ method, path, field }) => {
      if (path === '/health') return { status: 200, json: { status: 'ok' } }
      const verdict = await verify(field('x-my-jwt'))
      if (!verdict.ok) {
        const { reason } = verdict
        // No WWW-Authenticate, though RFC 9110 §15.5.2 wants one: no client can do anything about it, only signet.
        return { status: 401, json: { error: 'not_through_signet' }, log: { reason } }
      }
      const { jti, payload } = verdict.claims
      const facts = { user: payload.user, jti }
      const page = PAGES.get(path)
      if (page === undefined) return { status: 404, json: { error: 'not_found' }, log: facts }
      if (method !== 'GET') {
        return { status: 405, fields: { allow: 'GET' }, json: { error: 'method_not_allowed' }, log: facts }
      }
      return { status: 200, json: page(now()), log: facts }
    },
  })
}
