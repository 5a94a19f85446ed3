// One worker's share of what the settings allow to all of them. In: the Config of signet. Out: that of a worker.

import type { Config } from '../config.ts'

/**
 * The configuration of each of several workers. What a setting limits is what users mean by it: connections of signet,
 * not of a process nobody told them of. Rounded up, so that no worker has none.
 */
export function shareOf(config: Config): Config {
  const share = (limit: number) => Math.ceil(limit / config.workers)
  return {
    ...config,
    maxConnections: share(config.maxConnections),
    poolSize: share(config.poolSize),
    poolQueue: share(config.poolQueue),
  }
}
