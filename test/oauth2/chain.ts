// The whole example in this process, over real sockets: both signets by their own signet.yaml, the two services, and before the
// authorization server a front where a test can break each of its endpoints.

import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import * as resourceServer from '../../examples/oauth2/resource-server/config.ts'
import type { AuthorizationServerConfig } from '../../examples/oauth2/authorization-server/config.ts'
import { DEFAULTS as TIME_SERVICE } from '../../examples/oauth2/time-service/config.ts'
import { createTimeService } from '../../examples/oauth2/time-service/server.ts'
import * as webapp from '../../examples/oauth2/webapp/config.ts'
import { CHECKS } from '../../src/checks.ts'
import { signingKey } from '../../src/commands/serving.ts'
import { loadConfig } from '../../src/config/load.ts'
import { exchangeFields } from '../../src/exchange-record.ts'
import { createProxy } from '../../src/proxy.ts'
import { within } from '../support/wire.ts'
import { keptLog, type LogLine, Stand } from './support.ts'

/** From build/test/oauth2/. */
const EXAMPLE = new URL('../../../examples/oauth2/', import.meta.url)

/** What an endpoint of the authorization server does instead of its work. */
export type Fault = 'reset' | 'never' | 'nonsense' | 'garbage' | 'overload' | 'no-issuer'

/** What is otherwise than by default. */
export interface ChainOptions {
  readonly webapp?: Partial<webapp.WebappConfig>
  /** changes the webapp's signet.yaml */
  readonly yaml?: (text: string) => string
  readonly resourceServer?: Partial<resourceServer.ResourceServerConfig>
  readonly authorizationServer?: Partial<AuthorizationServerConfig>
  /** Stands between a role and who calls it. @returns the port to call in place of `port` */
  readonly tap?: (
    role: 'authorization-server' | 'resource-server' | 'time-service',
    port: number,
  ) => Promise<number>
}

/** Somewhere to ask, and what it has logged. */
interface Running {
  readonly port: number
  readonly lines: LogLine[]
  close(): Promise<void>
}

/** The system. */
export class Chain {
  readonly webapp: Running
  readonly resourceServer: Running
  readonly timeService: Running
  readonly authorizationServer: Stand
  readonly front: Front

  private constructor(
    parts: Pick<Chain, 'webapp' | 'resourceServer' | 'timeService'>,
    stand: Stand,
    front: Front,
  ) {
    this.webapp = parts.webapp
    this.resourceServer = parts.resourceServer
    this.timeService = parts.timeService
    this.authorizationServer = stand
    this.front = front
  }

  static async start(options: ChainOptions = {}): Promise<Chain> {
    const { tap = async (_role, port) => port } = options
    const front = await Front.listen()
    const issuer = `http://127.0.0.1:${await tap('authorization-server', front.port)}`
    const changes = { issuer, ...options.authorizationServer }
    const stand = await Stand.start(changes, () => Date.now() + front.ahead)
    front.target = stand.port
    const timeService = await startTimeService()
    const second = await startSignet('resource-server', {
      ...resourceServer.signetEnvironment({
        ...resourceServer.DEFAULTS,
        port: 0,
        authorizationServer: issuer,
        timeService: `http://127.0.0.1:${await tap('time-service', timeService.port)}`,
        ...options.resourceServer,
      }),
    })
    const first = await startSignet(
      'webapp',
      webapp.signetEnvironment({
        ...webapp.DEFAULTS,
        port: 0,
        authorizationServer: issuer,
        resourceServer: `http://127.0.0.1:${await tap('resource-server', second.port)}`,
        ...options.webapp,
      }),
      options.yaml,
    )
    return new Chain({ webapp: first, resourceServer: second, timeService }, stand, front)
  }

  async close(): Promise<void> {
    await this.webapp.close()
    await this.resourceServer.close()
    await this.timeService.close()
    await this.front.close()
    await this.authorizationServer.close()
  }
}

async function startTimeService(): Promise<Running> {
  const { log, lines } = keptLog()
  const service = createTimeService(TIME_SERVICE, { log })
  const { port } = await service.listen(0, '127.0.0.1')
  return { port, lines, close: () => service.close() }
}

async function startSignet(
  role: 'webapp' | 'resource-server',
  env: Readonly<Record<string, string>>,
  change: (text: string) => string = (text) => text,
): Promise<Running> {
  const path = fileURLToPath(new URL(`${role}/signet.yaml`, EXAMPLE))
  const settings = { SIGNET_DRAIN_TIMEOUT: '50', ...env }
  const readFile = (name: string) => change(readFileSync(name, 'utf8'))
  const { config } = await loadConfig({ flags: { config: path }, env: settings, readFile, ...CHECKS })
  const lines: LogLine[] = []
  const at = (level: string) => (line: object) => {
    lines.push({ level, ...line })
  }
  const logger = {
    isLevelEnabled: () => true,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  }
  const proxy = createProxy({
    config,
    gateway: config.gateway!,
    key: signingKey(config),
    version: '0.0.0-test',
    logger,
    logExchange: (record, subject) => logger.info(exchangeFields(record, subject)),
  })
  const { port } = await proxy.listen()
  return { port, lines, close: () => proxy.close() }
}

/** What is called in the place of the authorization server, and passes everything on but for what is broken. */
export class Front {
  readonly #server: Server
  /** path → what it does instead */
  readonly faults = new Map<string, Fault>()
  /** port of the authorization server */
  target = 0
  /** ms that the clock of the authorization server is ahead */
  ahead = 0

  private constructor(server: Server) {
    this.#server = server
  }

  static async listen(): Promise<Front> {
    const server = createServer()
    const front = new Front(server)
    server.on('request', (message, response) => front.#answer(message, response))
    await within(new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)), 'the front')
    return front
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From here on nobody listens. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  #answer(message: IncomingMessage, response: ServerResponse): void {
    const { method, url = '/', headers } = message
    const fault = this.faults.get(url.split('?')[0]!)
    switch (fault) {
      case 'reset':
        message.socket.resetAndDestroy()
        return
      case 'never':
        return
      case 'nonsense':
        response.end('<html>It works!</html>')
        return
      case 'garbage':
        message.socket.end('no HTTP\r\n\r\n')
        return
      case 'overload':
        response.writeHead(503).end()
        return
      case 'no-issuer':
      case undefined: {
        const to = { host: '127.0.0.1', port: this.target, method, path: url, headers, agent: false as const }
        const passed = request(to, (answer) => {
          const { location } = answer.headers
          const told = fault === 'no-issuer' ? { location: location?.replace(/&iss=[^&]*/, '') } : {}
          response.writeHead(answer.statusCode ?? 0, { ...answer.headers, ...told })
          answer.pipe(response)
        })
        passed.on('error', () => response.destroy())
        message.pipe(passed)
      }
    }
  }
}
