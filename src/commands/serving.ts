// One process that proxies: its log, its limits, its proxy. In: a Config. Out: where it listens, and how it ends. The same
// for a signet of one process and for each of several workers.

import type { Config } from '../config.ts'
import { FORWARD_IDLE } from '../forward.ts'
import type { GatewayConfig } from '../http/gateway.ts'
import { DEMO_SECRET, type HmacKey, readHmacKey } from '../jwt/keys.ts'
import type { Log } from '../log.ts'
import type { Siblings } from '../admin/pages.ts'
import { ADMIN_CONNECTIONS, createProxy, type Listening, type Proxy } from '../proxy.ts'
import { mostDescriptors, watchDescriptors } from './descriptors.ts'

/** What a process proxies with. */
export interface ServingOptions {
  readonly config: Config
  readonly gateway: GatewayConfig
  readonly version: string
  readonly log: Log
  readonly siblings?: Siblings
}

/** A proxy that listens. */
export interface Serving {
  readonly proxy: Proxy
  readonly listening: Listening
  /** Goes by another configuration: {@link Proxy.reload}. */
  reload(config: Config, gateway: GatewayConfig): void
}

/**
 * Listens.
 *
 * @throws what the system reports, such as EADDRINUSE
 */
export async function startServing({ config, log, ...others }: ServingOptions): Promise<Serving> {
  const { logger } = log
  const otherFiles = OTHER_FILES + (config.adminPort === undefined ? 0 : ADMIN_CONNECTIONS)
  const maxConnections = fittingConnections(
    config.maxConnections,
    config.poolSize * gatewayTargets(others.gateway) +
      (others.gateway.forward === undefined ? 0 : FORWARD_IDLE),
    mostDescriptors() - otherFiles,
  )
  if (maxConnections < config.maxConnections) {
    const reason = `open files are limited: at most ${maxConnections} client connections (see ulimit -n)`
    logger.warn({ event: 'limited', maxConnections }, reason)
  }
  const proxy = createProxy({
    ...others,
    config: { ...config, maxConnections },
    key: signingKey(config),
    logger,
    logExchange: log.exchange,
  })
  const listening = await proxy.listen()
  const stopWatching = watchDescriptors(() => {
    const reason = 'no file descriptor is left: new connections are closed unanswered (see ulimit -n)'
    logger.error({ event: 'exhausted', reason }, reason)
  })
  const close = () => {
    stopWatching()
    return proxy.close()
  }
  const reload = (next: Config, gateway: GatewayConfig) => {
    const { level } = logger
    logger.level = next.logLevel // before: what is made new asks once whether its lines are wanted
    try {
      proxy.reload({ config: next, gateway, key: signingKey(next) })
    } catch (error) {
      logger.level = level
      throw error
    }
  }
  return { proxy: { ...proxy, close }, listening, reload }
}

/** The key that `config` names: the public demo secret where it names none. */
export function signingKey({ secretText, secretEncoding }: Config): HmacKey {
  return secretText === undefined ? readHmacKey(DEMO_SECRET, 'hex') : readHmacKey(secretText, secretEncoding)
}

/** Each target has connections of its own. */
function gatewayTargets({ upstreams }: GatewayConfig): number {
  return upstreams.reduce((sum, { targets }) => sum + targets.length, 0)
}

/** Descriptors for all that is no connection: the event loop, the log, modules that are still to be read. */
const OTHER_FILES = 24

/**
 * As many client connections as there are descriptors for, with room left for connections to the upstream: beyond,
 * the kernel would close connections without a word to anyone, and requests would find no way to the upstream.
 *
 * @param poolSize connections to all upstreams together
 * @param files descriptors for connections of either kind
 */
function fittingConnections(wanted: number, poolSize: number, files: number): number {
  const forUpstream = Math.min(poolSize, Math.floor(files / 4))
  return Math.max(1, Math.min(wanted, files - forUpstream))
}
