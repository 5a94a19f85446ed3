// What a stand's pool looks like, asked of signet itself.

import type { PoolState } from '../../src/net/pool.ts'
import type { Stand } from './proxy.ts'
import { PATIENCE } from './wire.ts'

/** The pool at this moment, from /status. */
export async function poolState(stand: Stand): Promise<PoolState> {
  const client = await stand.client()
  const { body } = await client.send('GET /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n').message()
  client.destroy()
  return (JSON.parse(body.toString()) as { pool: PoolState }).pool
}

/** Waits until the pool looks as `condition` says. */
export async function poolUntil(
  stand: Stand,
  condition: (pool: PoolState) => boolean,
  what: string,
  ms = PATIENCE,
): Promise<PoolState> {
  const end = performance.now() + ms
  for (;;) {
    const pool = await poolState(stand)
    if (condition(pool)) return pool
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}: ${JSON.stringify(pool)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
