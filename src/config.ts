// Every setting, as one table: the type Config, its validation, --help and the README section derive from it.
// In: flags, environment variables, what the configuration file says, and a way to read a file. Out: a frozen Config, or
// all problems at once.

import { strict as assert } from 'node:assert'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import {
  ELSEWHERE,
  fileProblem,
  inOrder,
  type Path,
  type Place,
  type Problem,
  quote,
} from './config/problems.ts'
import { nearest } from './config/suggestion.ts'
import { ConfigError, messageOf } from './errors.ts'
import type { GatewayConfig, Origin } from './http/gateway.ts'
import {
  deadline,
  integer,
  limit,
  matching,
  oneOf,
  type Reader,
  readFieldName,
  readMethods,
  readOnOff,
  readOrigin,
  readProtocols,
  readWorkers,
  text,
} from './setting-readers.ts'

const GROUPS = ['listen', 'upstream', 'token', 'limits', 'deadlines', 'logs', 'process'] as const

/** One row of {@link SETTINGS}. The flag is its key in kebab-case: `headTimeout` is `--head-timeout`. */
export interface Setting<T> {
  readonly group: (typeof GROUPS)[number]
  /** Name of the environment variable. */
  readonly env: string
  /** The default, as a user would write it; a setting without one may stay `undefined`. */
  readonly fallback?: string
  readonly read: Reader<T>
  readonly unit?: string
  /** One line for `--help` and the README. */
  readonly doc: string
  /** The value must not appear in a message. */
  readonly secret?: true
  /** Only a start can change it: something was laid out or opened by it. */
  readonly fixed?: true
}

/** Every setting, in the order in which `--help` and the README show them. */
// biome-ignore format: a table, two lines to a row
export const SETTINGS = {
  port: { group: 'listen', env: 'HTTP_PORT', fixed: true, fallback: '8080', read: integer(0, 65_535),
    doc: 'port to accept on; 0 takes any free one and prints it' },
  host: { group: 'listen', env: 'HTTP_HOST', fixed: true, fallback: '127.0.0.1',
    read: matching(/^[\w.:%-]{1,255}$/, 'an address or a host name, IPv6 without brackets'),
    doc: 'address or host name to accept on' },
  adminPort: { group: 'listen', env: 'SIGNET_ADMIN_PORT', fixed: true, read: integer(0, 65_535),
    doc: 'port of the admin server, which does not run unless this is set; 0 takes any free one' },

  upstream: { group: 'upstream', env: 'SIGNET_UPSTREAM', read: readOrigin,
    doc: 'origin to forward to, http:// or https://host:port or unix:/path; else the built-in echo' },
  upgrades: { group: 'upstream', env: 'SIGNET_UPGRADES', fallback: 'websocket', read: readProtocols,
    doc: 'comma list of the protocols that may become a tunnel, or none' },

  secret: { group: 'token', env: 'SIGNET_SECRET', read: text(1, 65_536), secret: true,
    doc: 'signing key; as a flag it shows in the process list, so prefer the variable or a file' },
  secretFile: { group: 'token', env: 'SIGNET_SECRET_FILE', read: text(1, 4096),
    doc: 'path of a file with the signing key in it' },
  secretEncoding: { group: 'token', env: 'SIGNET_SECRET_ENCODING', fallback: 'hex',
    read: oneOf('hex', 'base64url', 'utf8'), doc: 'how the signing key is written: hex, base64url or utf8' },
  user: { group: 'token', env: 'SIGNET_USER', fallback: 'username', read: text(1, 256),
    doc: 'user that the token names' },
  jwtHeader: { group: 'token', env: 'SIGNET_JWT_HEADER', fallback: 'x-my-jwt', read: readFieldName,
    doc: 'field that carries the token upstream' },
  jwtMethods: { group: 'token', env: 'SIGNET_JWT_METHODS', fallback: '*', read: readMethods,
    doc: 'comma list of the methods whose requests get a token, or * for all of them' },

  maxHeadSize: { ...limit('octets', 1024, 262_144), env: 'SIGNET_MAX_HEAD_SIZE', fixed: true, fallback: '16384',
    doc: 'size of the head of a message' },
  maxTargetSize: { ...limit('octets', 64, 262_144), env: 'SIGNET_MAX_TARGET_SIZE', fallback: '8192',
    doc: 'size of a request-target, at most that of a head' },
  maxFields: { ...limit('field lines', 1, 2000), env: 'SIGNET_MAX_FIELDS', fixed: true, fallback: '100',
    doc: 'field lines in one message' },
  maxConnections: { ...limit('connections', 1, 1_000_000), env: 'SIGNET_MAX_CONNECTIONS', fixed: true, fallback: '10000',
    doc: 'client connections open at a time' },
  poolSize: { ...limit('connections', 1, 65_535), env: 'SIGNET_POOL_SIZE', fallback: '256',
    doc: 'connections to one origin' },
  poolQueue: { ...limit('exchanges', 0, 1_000_000), env: 'SIGNET_POOL_QUEUE', fallback: '1024',
    doc: 'exchanges that may wait for a connection to an origin' },
  maxCompressions: { ...limit('responses', 0, 65_535), env: 'SIGNET_MAX_COMPRESSIONS', fallback: '128',
    doc: 'responses compressed at a time; the others go as they are' },

  headTimeout: deadline('SIGNET_HEAD_TIMEOUT', '10000', 'for a request head to arrive whole'),
  keepAliveTimeout: deadline('SIGNET_KEEP_ALIVE_TIMEOUT', '60000',
    'for an idle client connection, which is then closed silently'),
  bodyTimeout: deadline('SIGNET_BODY_TIMEOUT', '30000', 'between two pieces of a request body'),
  sendTimeout: deadline('SIGNET_SEND_TIMEOUT', '60000', 'for a peer that takes no octet of what it is sent'),
  connectTimeout: deadline('SIGNET_CONNECT_TIMEOUT', '5000', 'for the upstream to accept a connection'),
  poolTimeout: deadline('SIGNET_POOL_TIMEOUT', '5000', 'for a connection to the upstream to come free'),
  responseTimeout: deadline('SIGNET_RESPONSE_TIMEOUT', '60000',
    'from the request sent to the whole head of its response'),
  streamTimeout: deadline('SIGNET_STREAM_TIMEOUT', '300000', 'between two pieces of a response body'),
  tunnelTimeout: deadline('SIGNET_TUNNEL_TIMEOUT', '3600000', 'for a tunnel without an octet either way'),
  poolIdleTimeout: deadline('SIGNET_POOL_IDLE_TIMEOUT', '4000',
    'for an idle upstream connection; below the 5 s at which Node servers close theirs'),
  poolConnectionAge: deadline('SIGNET_POOL_CONNECTION_AGE', '300000',
    'that an upstream connection carries requests: the next one looks its name up again'),
  halfCloseTimeout: deadline('SIGNET_HALF_CLOSE_TIMEOUT', '2000',
    'for a client that closed its sending side and may be gone, between octets of its response'),
  drainTimeout: { ...deadline('SIGNET_DRAIN_TIMEOUT', '10000', 'for running exchanges to end at shutdown'), fixed: true },

  logLevel: { group: 'logs', env: 'SIGNET_LOG_LEVEL', fallback: 'info',
    read: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    doc: 'least severe level logged: fatal, error, warn, info, debug, trace or silent' },
  accessLog: { group: 'logs', env: 'SIGNET_ACCESS_LOG', fallback: 'on', read: readOnOff,
    doc: 'a line for every exchange: on or off' },
  trace: { group: 'logs', env: 'SIGNET_TRACE', fallback: 'off', read: readOnOff,
    doc: "traceparent: a client's trace is continued or one begun, told upstream and logged: on or off" },

  config: { group: 'process', env: 'SIGNET_CONFIG', read: text(1, 4096),
    doc: 'path of a configuration file, YAML or JSON; signet check FILE tells what it says' },
  workers: { group: 'process', env: 'SIGNET_WORKERS', fixed: true, fallback: '1', read: readWorkers,
    doc: 'processes that share the traffic and its limits, or auto for as many as there are cores' },
  readPath: { group: 'process', env: 'SIGNET_READ_PATH', fixed: true, fallback: 'shared', read: oneOf('shared', 'events'),
    doc: "shared: sockets are read into one shared buffer; events: the fallback, by 'data' events" },
} as const satisfies Record<string, Setting<unknown>>

type Table = typeof SETTINGS

/** The key of a setting's row in {@link SETTINGS}. */
export type SettingName = keyof Table

type Values = {
  readonly [Name in SettingName]:
    | ReturnType<Table[Name]['read']>
    | (Table[Name] extends { readonly fallback: string } ? never : undefined)
}

/** Every setting's value, validated and frozen. Holds the secret: not to be logged whole. */
export interface Config extends Omit<Values, 'secret' | 'secretFile'> {
  /** The signing key as written, from the variable, the flag or the file; `jwt/keys.ts` decodes it. */
  readonly secretText: string | undefined
  /** Routes and upstreams; absent unless the configuration file has them. Then `upstream` is `undefined`. */
  readonly gateway?: GatewayConfig
  /** What the file says beside them, for `plainGateway` where there are no routes; in `gateway` already otherwise. */
  readonly edges: Edges
}

/** What concerns no single route or upstream. */
export type Edges = Omit<GatewayConfig, 'upstreams' | 'routes'>

/** Where a value came from. */
export type Source = 'flag' | 'environment' | 'file' | 'default'

/** A setting as the configuration file has it. */
export interface FileSetting extends Place {
  /** as a flag would have it; undefined when it does not fit the schema */
  readonly raw: string | undefined
  /** as it is written, before references are looked up */
  readonly shown: string
}

/** An origin, and where the configuration file has it. */
export interface TargetPlace extends Place {
  readonly origin: Origin
}

/** What a configuration file says, and what is wrong with it by itself. `config/config-file.ts` makes it. */
export interface ConfigFile {
  /** false when it could not be read at all, so that what is missing may well be in it */
  readonly complete: boolean
  readonly settings: ReadonlyMap<SettingName, FileSetting>
  readonly gateway?: GatewayConfig
  readonly edges: Edges
  /** all origins of upstreams */
  readonly targets: readonly TargetPlace[]
  readonly problems: readonly Problem[]
  /** paths of the file itself and of all that it refers to */
  readonly files: readonly string[]
  /** names of environment variables that it refers to: these need no setting */
  readonly variables: readonly string[]
  locate(path: Path, part?: 'key' | 'value'): Place | undefined
}

/** All that {@link readConfig} reads from. */
export interface ConfigInput {
  /** Long flag name, without dashes → raw value. */
  readonly flags: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Path → content as UTF-8; called for `secretFile` alone. */
  readonly readFile: (path: string) => string
  /** Throws `ConfigError` for a secret that is no key: so its problems are reported together with all others. */
  readonly checkSecret?: (text: string, encoding: Values['secretEncoding']) => void
  /** What the file that `config` names says; needed where it names one. */
  readonly file?: ConfigFile
}

/** A setting and its source, for whoever wants to know why it is what it is. */
export interface GivenSetting {
  /** the text it was read from, a secret masked; undefined where there is none, nor a default */
  readonly text: string | undefined
  readonly source: Source
  /** the name its user knows it by: flag, variable, or place in the file */
  readonly label: string
}

/** What {@link readConfig} gives. */
export interface ReadConfig {
  readonly config: Config
  readonly settings: Readonly<Record<SettingName, GivenSetting>>
  /** paths of all files that were read: a change of any of them may be a change of the configuration */
  readonly files: readonly string[]
}

/** A command line that cannot be understood. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

// Object.entries() widens the keys to string; these are all there are.
const ROWS = Object.entries(SETTINGS) as [SettingName, Setting<unknown>][]

/** What was found for a setting. */
interface Found extends Place {
  /** undefined also where the file has something that does not fit */
  readonly raw: string | undefined
  readonly source: Source
  /** what messages say was found */
  readonly shown: string
}
type AllFound = Readonly<Record<SettingName, Found>>

/** Settings that only a start can change. */
export const FIXED_SETTINGS = ROWS.flatMap(([name, row]) =>
  row.fixed === true ? [name] : [],
) as readonly Exclude<
  SettingName,
  'secret' | 'secretFile' // of these nothing is laid out at start
>[]

/** Path of the configuration file; undefined where there is none. */
export function configPath({ flags, env }: Pick<ConfigInput, 'flags' | 'env'>): string | undefined {
  return (flags.config ?? env.SIGNET_CONFIG) || undefined
}

/**
 * Reads every setting. A flag wins over a variable, that over the file, and that over the default; an empty variable is
 * unset. Where a configuration file may be named, `config/load.ts` reads it first.
 *
 * @returns the configuration, where the value of each setting came from, and which files were read
 * @throws {ConfigError} all problems at once: the setting as it was written, what was found and expected
 */
export function readConfig(input: ConfigInput): ReadConfig {
  assert(input.file !== undefined || configPath(input) === undefined, 'the configuration file was not read')
  const problems = [...(input.file?.problems ?? []), ...unknownVariables(input)]
  const attempt = <T>(offset: number, problem: string, read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      problems.push({ text: problem + messageOf(error), offset })
      return undefined
    }
  }
  const readText = (row: Setting<unknown>, { raw, label, shown, offset }: Omit<Found, 'source'>) => {
    if (raw === undefined) return undefined
    return attempt(offset, `${label}: ${row.secret ? '' : `found ${quote(shown)}, `}expected `, () =>
      row.read(raw),
    )
  }
  const found = mapRows((name, row) => find(name, row, input))
  const read = mapRows((name, row) => readText(row, found[name]))
  // A mistake in the file is one, even where a flag or a variable stands before it today.
  for (const [name, setting] of input.file?.settings ?? [])
    if (found[name].source !== 'file') readText(SETTINGS[name], setting)
  const values = read as Partial<Values> // each by its own row's `read`; partial, since some may have failed
  problems.push(...contradictions(values, found, input))

  const { secretFile: path, secretEncoding } = values
  const { label: pathLabel, offset: pathOffset } = found.secretFile
  const fromFile =
    path &&
    attempt(
      pathOffset,
      `${pathLabel}: found ${quote(found.secretFile.shown)}, expected a file with a key in it: `,
      () => secretIn(readFile(path, input), secretEncoding),
    )
  const secretText = values.secret ?? fromFile
  if (secretText !== undefined && secretEncoding !== undefined) {
    const { label, offset } = values.secret === undefined ? found.secretFile : found.secret
    attempt(offset, `${label}: `, () => input.checkSecret?.(secretText, secretEncoding))
  }
  const { edges = {}, gateway, files: named = [] } = input.file ?? {}
  const files = path ? [...named, path] : named
  if (problems.length > 0) throw new ConfigError(inOrder(problems), files)

  const { secret: _, secretFile: __, ...others } = values as Values // no problem, so none is missing
  const config = Object.freeze({ ...others, secretText, edges, ...(gateway && { gateway }) })
  const settings = mapRows((name, row) => {
    const { raw, source, label } = found[name]
    return { text: row.secret && raw !== undefined ? '***' : raw, source, label }
  })
  return { config, settings: Object.freeze(settings), files }
}

/** The table, with `map` of each row in its place. */
function mapRows<T>(map: (name: SettingName, row: Setting<unknown>) => T): Record<SettingName, T> {
  return Object.fromEntries(ROWS.map(([name, row]) => [name, map(name, row)])) as Record<SettingName, T>
}

function find(name: SettingName, row: Setting<unknown>, { flags, env, file }: ConfigInput): Found {
  const flag = flagOf(name)
  const from = (source: Source, raw: string | undefined, label: string): Found => {
    return { raw, source, label, shown: raw ?? '', offset: ELSEWHERE }
  }
  if (flags[flag] !== undefined) return from('flag', flags[flag], `--${flag}`)
  if (env[row.env]) return from('environment', env[row.env], row.env)
  const inFile = file?.settings.get(name)
  return inFile === undefined ? from('default', row.fallback, row.env) : { ...inFile, source: 'file' }
}

/** @throws {Error} why it cannot be read */
function readFile(path: string, input: ConfigInput): string {
  try {
    return input.readFile(path)
  } catch (error) {
    throw new Error(fileProblem(error))
  }
}

function secretIn(content: string, encoding: Values['secretEncoding'] | undefined): string {
  // White space is part of a utf8 key, save the newline that editors and `echo` end a file with.
  const key = encoding === 'utf8' ? content.replace(/\r?\n$/, '') : content.trim()
  if (key === '') throw new Error('it is empty')
  return key
}

/** What is wrong although each value is right by itself. */
function contradictions(values: Partial<Values>, found: AllFound, { env, file }: ConfigInput): Problem[] {
  const problems: Problem[] = []
  const complain = ({ label, offset }: Place, problem: string) => {
    problems.push({ text: `${label}: ${problem}`, offset })
  }
  const { maxTargetSize = 0, maxHeadSize = maxTargetSize, upstream, host = '', port } = values
  if (maxTargetSize > maxHeadSize) {
    const most = `${maxHeadSize}, the value of ${found.maxHeadSize.label}`
    complain(found.maxTargetSize, `found "${maxTargetSize}", expected at most ${most}`)
  }
  const accepts = (otherHost: string, otherPort: number) => {
    return otherPort !== 0 && otherPort === port && host !== '' && sameHost(otherHost, host.toLowerCase())
  }
  if (upstream && accepts(upstream.host, upstream.port)) {
    complain(found.upstream, `found ${quote(found.upstream.shown)}, but signet would forward to itself`)
  }
  const given = (name: SettingName) => found[name].source !== 'default'
  if (given('secret') && given('secretFile')) {
    const both = `${found.secret.label} and ${found.secretFile.label}`
    problems.push({ text: `${both}: found both, expected one of them`, offset: found.secret.offset })
  }
  if (!given('secret') && !given('secretFile') && env.NODE_ENV === 'production' && file?.complete !== false) {
    const text = 'the demo secret is refused in production: set SIGNET_SECRET or SIGNET_SECRET_FILE'
    problems.push({ text, offset: ELSEWHERE })
  }

  if (file === undefined) return problems
  const routed = file.locate(['routes'], 'key') ?? file.locate(['upstreams'], 'key')
  if (routed !== undefined && given('upstream')) {
    const other = found.upstream.label
    complain(
      routed,
      `found together with ${other}, which sends everything to one origin: expected one of the two`,
    )
  }
  for (const target of file.targets) {
    const { host: targetHost, port: targetPort } = target.origin
    if (accepts(targetHost, targetPort))
      complain(target, 'here signet itself accepts: it would forward to itself')
  }
  const { forward } = file.edges
  const forwardPort = file.locate(['forward', 'port'])
  if (forward && forwardPort && accepts(forward.host, forward.port)) {
    complain(forwardPort, `found ${forward.port}, where signet accepts already (${found.port.label})`)
  }
  return problems
}

/** Whether two hosts are this machine by the same address, as far as can be said without DNS. */
function sameHost(a: string, b: string): boolean {
  const several = /^(localhost|0\.0\.0\.0|::)$/ // each of these stands for more than one address
  const local = /^(localhost|0\.0\.0\.0|::|::1|127(\.\d+){3})$/
  return a === b || (local.test(a) && local.test(b) && (several.test(a) || several.test(b)))
}

/** A mistyped variable would otherwise leave its setting at the default, unnoticed. */
function unknownVariables({ env, file }: ConfigInput): Problem[] {
  const known = ROWS.map(([, row]) => row.env)
  // A Kubernetes service named signet gives these to every pod in its namespace (service links).
  const link = /^SIGNET_(\w+_)?(SERVICE_(HOST|PORT\w*)=|PORT=(tcp|udp|sctp):|PORT_\d+_(TCP|UDP|SCTP)\w*=)/
  return Object.entries(env)
    .filter(([name, value]) => name.startsWith('SIGNET_') && value && !known.includes(name))
    .filter(([name]) => !file?.variables.includes(name))
    .filter(([name, value]) => !link.test(`${name}=${value}`))
    .map(([name]) => ({
      text: `${name}: no setting has this name${didYouMean(name, known)}`,
      offset: ELSEWHERE,
    }))
}

/**
 * Splits a command line into raw values by flag; which values are valid is for {@link readConfig} to say.
 *
 * @param argv arguments without the interpreter and the script
 * @throws {UsageError} an unknown flag, with the nearest known one; a flag without its value; anything else
 */
export function parseFlags(argv: readonly string[]): {
  readonly flags: Readonly<Record<string, string>>
  readonly help: boolean
  readonly version: boolean
} {
  const options: NonNullable<ParseArgsConfig['options']> = {
    ...Object.fromEntries(ROWS.map(([name]) => [flagOf(name), { type: 'string' }])),
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean' },
  }
  // The lenient pass names what the strict one would reject; its errors leave no room for a suggestion.
  for (const token of parseArgs({ args: [...argv], options, strict: false, tokens: true }).tokens) {
    if (token.kind === 'option' && !Object.hasOwn(options, token.name)) {
      const known = Object.keys(options).map((flag) => `--${flag}`)
      throw new UsageError(`unknown flag ${token.rawName}${didYouMean(token.rawName, known)}`)
    }
    if (token.kind === 'positional') {
      // Its text is not shown: it may be the rest of a secret that was not quoted.
      throw new UsageError(`argument ${token.index + 1} is neither a flag nor the value of one`)
    }
  }
  try {
    const { help, version, ...flags } = parseArgs({ args: [...argv], options }).values
    return { flags: flags as Record<string, string>, help: help === true, version: version === true }
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}

/** The text of `--help`, at most 100 columns wide. */
export function helpText(): string {
  const line = (flag: string, env: string, fallback: string) =>
    `  ${flag.padEnd(22)}${env.padEnd(27)}${fallback}`
  const groups = GROUPS.map((group) => [
    `\n${group}:`,
    ...ROWS.filter(([, row]) => row.group === group).map(
      ([name, row]) => `${line(`--${flagOf(name)}`, row.env, defaultOf(row))}\n      ${row.doc}`,
    ),
  ])
  return [
    'Usage: signet [--flag value]...\n',
    'Settings, each by its flag, its environment variable and its default; a flag wins over a variable.',
    ...groups.flat(),
    '\n  -h, --help            print this text\n  --version             print the version\n',
  ].join('\n')
}

/** The settings as a Markdown table, for the README. */
export function settingsMarkdown(): string {
  const rows = ROWS.map(([name, row]) => [`\`--${flagOf(name)}\``, `\`${row.env}\``, defaultOf(row), row.doc])
  return [['Flag', 'Variable', 'Default', 'Meaning'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

function flagOf(name: SettingName): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function defaultOf({ fallback, unit }: Setting<unknown>): string {
  return fallback === undefined ? 'not set' : unit === undefined ? fallback : `${fallback} ${unit}`
}

/** The candidate nearest to what was typed, as a question; empty when none is near. */
function didYouMean(typed: string, candidates: readonly string[]): string {
  const near = nearest(typed, candidates)
  return near === undefined ? '' : `; did you mean ${near}?`
}
