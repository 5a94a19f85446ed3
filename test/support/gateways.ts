// Gateway configurations for tests: one upstream, to which everything goes.

import {
  DEFAULT_EJECTION,
  type GatewayConfig,
  type Origin,
  type UpstreamConfig,
} from '../../src/http/gateway.ts'

/** An origin on loopback. */
export function loopback(port: number): Origin {
  return { host: '127.0.0.1', port, authority: `127.0.0.1:${port}` }
}

/** Everything to `origins`, of equal weight. */
export function gatewayTo(
  origins: readonly Origin[],
  settings: Partial<Omit<UpstreamConfig, 'name'>> = {},
): GatewayConfig {
  const upstream: UpstreamConfig = {
    name: 'main',
    targets: origins.map((origin) => ({ origin, weight: 1 })),
    balance: 'round-robin',
    host: 'pass',
    ejection: DEFAULT_EJECTION,
    ...settings,
  }
  return { upstreams: [upstream], routes: [{ name: 'all', upstream: 'main', path: '/*' }] }
}
