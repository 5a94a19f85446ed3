// `signet check FILE`: what does a configuration file mean? In: its path, and the environment that it may refer to. Out: the
// routes as a table, or every problem on a line of its own, as compilers write theirs.

import { parseArgs } from 'node:util'
import type { Config, GivenSetting, ReadConfig } from '../config.ts'
import { ConfigError } from '../errors.ts'
import type { GatewayConfig, TargetConfig } from '../http/gateway.ts'
import { inOrder } from '../http/route-order.ts'
import { credentialTables, toldTables } from './check-told.ts'
import type { Output } from './echo.ts'
import { loadSettings } from './settings.ts'
import { type Rows, table } from './table.ts'

/** What `signet check` needs from outside. */
export interface CheckOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: Output
  readonly stderr: Output
}

const USAGE = `Usage: signet check FILE [--print]

Reads a configuration file, together with the environment, as signet run --config FILE would. Exit code 0 and the routes,
in the order in which they are tried; or 78 and every problem as file:line:column key: reason.

  --print     every setting as well: its value, secrets masked, and where it came from
  -h, --help  this text
`

const EXIT_USAGE = 2
const EXIT_CONFIG = 78 // EX_CONFIG of sysexits.h

/**
 * `signet check`.
 *
 * @param argv arguments after `check`
 * @returns the exit code: 0 when all is well, 78 with the problems on stderr, 2 for wrong usage
 */
export async function runCheck(
  argv: readonly string[],
  { env, stdout, stderr }: CheckOptions,
): Promise<number> {
  const wrong = (problem: string) => {
    stderr.write(`signet check: ${problem}\n\n${USAGE}`)
    return EXIT_USAGE
  }
  let asked: { values: { help?: boolean; print?: boolean }; positionals: string[] }
  try {
    const options = { help: { type: 'boolean', short: 'h' }, print: { type: 'boolean' } } as const
    asked = parseArgs({ args: [...argv], options, allowPositionals: true })
  } catch (error) {
    return wrong((error as Error).message) // parseArgs throws nothing but TypeErrors
  }
  if (asked.values.help) {
    stdout.write(USAGE)
    return 0
  }
  const [file, ...others] = asked.positionals
  if (!file || others.length > 0) return wrong('one file is needed')

  try {
    const read = await loadSettings({ config: file }, env)
    const parts = [...(asked.values.print ? [settingsTable(read)] : []), ...gatewayTables(read.config)]
    stdout.write(parts.map((rows) => table(rows)).join('\n'))
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    stderr.write(error.problems.map((problem) => `${problem}\n`).join(''))
    return EXIT_CONFIG
  }
}

function settingsTable({ settings }: ReadConfig): Rows {
  const from = ({ source, label }: GivenSetting) => {
    // A place in the file says which setting it is, as does the row.
    if (source === 'file') return `file ${label.replace(/ \w+$/, '')}`
    return source === 'default' ? source : `${source} ${label}`
  }
  const rows = Object.entries(settings).map(([name, setting]) => [name, setting.text ?? '-', from(setting)])
  return [['SETTING', 'VALUE', 'FROM'], ...rows]
}

function gatewayTables({ gateway, upstream, edges, jwtHeader }: Config): Rows[] {
  const to = upstream?.authority ?? 'the built-in echo'
  const routes =
    gateway === undefined
      ? [
          ['ROUTE', 'HOST', 'PATH', 'METHODS', 'UPSTREAM'],
          ['default', '*', '/*', '*', to],
        ]
      : routesTable(gateway)
  const upstreams = gateway === undefined ? [] : [upstreamsTable(gateway)]
  return [
    routes,
    ...upstreams,
    ...(gateway === undefined ? [] : accessTables(gateway)),
    ...limitsTable(gateway),
    ...compressionTable(gateway),
    ...toldTables(edges.keys ?? [], gateway, jwtHeader),
    ...credentialTables(gateway),
    ...edgesTable(edges),
  ]
}

function routesTable({ routes }: GatewayConfig): Rows {
  const rows = inOrder(routes).map(({ name, host, path, methods, upstream, rewrite }) => {
    return [name, host ?? '*', path, methods?.join(',') ?? '*', upstream, rewrite ?? '-']
  })
  return [['ROUTE', 'HOST', 'PATH', 'METHODS', 'UPSTREAM', 'REWRITE'], ...rows]
}

/** Who may use which route; nothing where no route asks. */
function accessTables({ routes, authenticators = [] }: GatewayConfig): Rows[] {
  if (authenticators.length === 0) return []
  const rows = inOrder(routes).map(({ name, authenticate, scopes, roles, require }) => {
    const lists = [authenticate, scopes, roles, require].map((list, at) => list?.join(at === 3 ? '; ' : ', '))
    return [name, lists[0] ?? '* (nobody is asked)', ...lists.slice(1).map((list) => list ?? '-')]
  })
  const kinds = authenticators.map((one) => [one.name, one.kind, one.kind === 'session' ? one.login : '-'])
  return [
    [['ROUTE', 'AUTHENTICATE', 'SCOPES', 'ROLES', 'REQUIRE'], ...rows],
    [['AUTHENTICATOR', 'KIND', 'LOGIN'], ...kinds],
  ]
}

function upstreamsTable({ upstreams }: GatewayConfig): Rows {
  const rows = upstreams.map(({ name, targets, balance, host, health }) => {
    return [name, targets.map(showTarget).join(', '), balance, host, health?.path ?? '-']
  })
  return [['UPSTREAM', 'TARGETS', 'BALANCE', 'HOST', 'HEALTH'], ...rows]
}

function showTarget({ origin, weight }: TargetConfig): string {
  const url =
    origin.socketPath === undefined ? `${origin.tls ? 'https' : 'http'}://${origin.authority}` : origin.host
  return weight === 1 ? url : `${url} (weight ${weight})`
}

function limitsTable(gateway: GatewayConfig | undefined): Rows[] {
  const rows = (gateway?.routes ?? []).flatMap(({ name, limit }) => {
    if (limit === undefined) return []
    const { requests, window, by, store, whenDown } = limit
    return [[name, `${requests} in ${window / 1000} s`, by, store, store === 'memory' ? '-' : whenDown]]
  })
  return rows.length === 0 ? [] : [[['LIMIT', 'REQUESTS', 'BY', 'STORE', 'WHEN DOWN'], ...rows]]
}

function compressionTable(gateway: GatewayConfig | undefined): Rows[] {
  const rows = (gateway?.routes ?? []).flatMap(({ name, compress }) => {
    if (compress === undefined) return []
    const { encodings, minSize, types } = compress
    return [[name, encodings.join(', '), String(minSize), types?.join(', ') ?? 'all compressible']]
  })
  return rows.length === 0 ? [] : [[['COMPRESS', 'ENCODINGS', 'MIN OCTETS', 'TYPES'], ...rows]]
}

function edgesTable({ tls, proxyProtocol, trustedProxies, forward }: Config['edges']): Rows[] {
  const rows = [
    ...(tls ? [['tls', 'on']] : []),
    ...(proxyProtocol ? [['proxyProtocol', proxyProtocol.join(', ') || '-']] : []),
    ...(trustedProxies ? [['trustedProxies', trustedProxies.join(', ') || '-']] : []),
    ...(forward ? [['forward', `${forward.host} port ${forward.port}`]] : []),
    ...(forward?.allow ?? []).map(({ host, ports }) => ['forward to', `${host} port ${ports.join(', ')}`]),
  ]
  return rows.length === 0 ? [] : [[['LISTENER', ''], ...rows]]
}
