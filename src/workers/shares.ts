// One worker's share of what the settings allow to all of them. In: the configuration of signet. Out: that of a worker.

import type { Config } from '../config.ts'
import type { GatewayConfig, RouteConfig } from '../http/gateway.ts'

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
    maxCompressions: share(config.maxCompressions),
  }
}

/**
 * The routes of each of several workers: what a limit allows is divided, where each of them counts for itself. Connections are
 * handed out in turn, so a caller with one connection has but the share of one worker.
 */
export function gatewayShareOf(gateway: GatewayConfig, workers: number): GatewayConfig {
  return { ...gateway, routes: gateway.routes.map((route) => routeShareOf(route, workers)) }
}

function routeShareOf(route: RouteConfig, workers: number): RouteConfig {
  const { limit } = route
  if (limit === undefined || limit.store !== 'memory') return route
  return { ...route, limit: { ...limit, requests: Math.ceil(limit.requests / workers) } }
}
