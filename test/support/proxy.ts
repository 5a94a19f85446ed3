// A signet in this process, in front of a raw upstream, for black-box tests.

import { type Config, readConfig } from '../../src/config.ts'
import { DEMO_SECRET, readHmacKey } from '../../src/jwt/keys.ts'
import { exchangeFields } from '../../src/exchange-record.ts'
import { type GatewayConfig, plainGateway } from '../../src/http/gateway.ts'
import { type Changeable, createProxy, type Proxy } from '../../src/proxy.ts'
import { eventually, RawUpstream, Wire } from './wire.ts'

/** One line that was logged. */
export interface LogLine {
  readonly level: string
  readonly [key: string]: unknown
}

/** Proxy, upstream and log of one test. */
export interface Stand {
  readonly proxy: Proxy
  /** what it was started with, to be reloaded with changes */
  readonly changeable: Changeable
  readonly port: number
  readonly adminPort: number | undefined
  readonly forwardPort: number | undefined
  readonly upstream: RawUpstream
  readonly log: LogLine[]
  /** A new client connection. */
  client(): Promise<Wire>
  /** Log lines of exchanges, once there are `count` of them. */
  exchanges(count: number): Promise<LogLine[]>
  /** Ends everything. */
  close(): Promise<void>
}

/** The key that the tests' tokens are signed with. */
export const KEY = readHmacKey(DEMO_SECRET, 'hex')

/**
 * Starts a proxy on a free port in front of a new raw upstream.
 *
 * @param env settings, as environment variables; SIGNET_UPSTREAM may name another upstream
 * @param change what no environment variable can say
 * @param gateway what the configuration file would say
 * @param middleware what only a program can say
 */
export async function startStand(
  env: Record<string, string> = {},
  change: (config: Config) => Config = (config) => config,
  gateway: Partial<GatewayConfig> | ((upstreamPort: number) => Partial<GatewayConfig>) = {},
  middleware: Pick<Changeable, 'middleware' | 'middlewareTimeout'> = {},
): Promise<Stand> {
  const upstream = await RawUpstream.listen()
  const settings = {
    HTTP_PORT: '0',
    SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}`,
    SIGNET_DRAIN_TIMEOUT: '50',
    ...env,
  }
  const config = change(readConfig({ flags: {}, env: settings, readFile: () => '' }).config)
  const log: LogLine[] = []
  const at = (level: string) => (line: object) => {
    log.push({ level, ...line })
  }
  const logger = {
    isLevelEnabled: () => true,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  }
  const origin = config.upstream
  if (origin === undefined) throw new Error('the stand always has an upstream')
  const changeable: Changeable = {
    config,
    gateway: {
      ...plainGateway(origin),
      ...(typeof gateway === 'function' ? gateway(upstream.port) : gateway),
    },
    key: KEY,
    ...middleware,
  }
  const proxy = createProxy({
    ...changeable,
    version: '0.0.0-test',
    logger,
    logExchange: (record, subject) => logger.info(exchangeFields(record, subject)),
  })
  const { port, adminPort, forwardPort } = await proxy.listen()
  const clients: Wire[] = []
  return {
    proxy,
    changeable,
    port,
    adminPort,
    forwardPort,
    upstream,
    log,
    async client() {
      const wire = await Wire.connect(port)
      clients.push(wire)
      return wire
    },
    async exchanges(count) {
      const lines = () => log.filter((line) => line.event === 'exchange')
      await eventually(() => lines().length >= count, `${count} exchanges in the log`)
      return lines()
    },
    async close() {
      for (const wire of clients) wire.destroy()
      await proxy.close()
      await upstream.close()
    },
  }
}

/** Each way that sockets are read: every black-box test should hold for both. */
export const READ_PATHS = ['shared', 'events'] as const
