// The options of the library. In: objects of a program. Out: what a proxy is made from, read by the code that reads
// configuration files; or every problem at once, each by the keys that lead to it.

import { CHECKS } from './checks.ts'
import { readConfig } from './config.ts'
import { ELSEWHERE, type Path, type Problem, showPath } from './config/problems.ts'
import type { ReferenceSources } from './config/references.ts'
import { type ConfigDocument, readStructure } from './config/structure.ts'
import { ConfigError } from './errors.ts'
import type { RouteMiddleware } from './gateway.ts'
import { type GatewayConfig, plainGateway } from './http/gateway.ts'
import { readHmacKey } from './jwt/keys.ts'
import { middlewareProblem } from './middleware/chain.ts'
import type { Middleware } from './middleware/middleware.ts'
import type { ConfigOptions } from './options.ts'
import type { Changeable } from './proxy.ts'

/** Who takes the lines of the log: a pino logger is one. Its level is its own. */
export interface Logger {
  /** whether lines of a level are wanted; all are unless this is there */
  isLevelEnabled?(level: string): boolean
  debug(line: object, message?: string): void
  info(line: object, message?: string): void
  warn(line: object, message?: string): void
  error(line: object, message?: string): void
}

/** What a proxy is made from: all that a configuration file may say, and what only a program can. */
export interface Options extends ConfigOptions {
  /** what runs around all exchanges that have a route, outside of what each route has */
  readonly middleware?: readonly Middleware[] | undefined
  /** ms that one middleware may be waited for; default: 30000 */
  readonly middlewareTimeout?: number | undefined
  /** where the log goes; nowhere, unless this is set. The first one stays through reloads. */
  readonly logger?: Logger | undefined
  /** what `${NAME}` and `file:PATH` refer to, and `secretFile`; unless this is set they mean nothing but themselves */
  readonly references?: ReferenceSources | undefined
}

/** Keys of {@link Options} that no configuration file has. */
const OWN = ['middleware', 'middlewareTimeout', 'logger', 'references']

/** Keys of a configuration file that mean nothing here, and what to do instead. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['workers', 'middleware are functions, which no other process has: start several processes yourself'],
  ['logLevel', 'the logger that is given has a level of its own'],
])

/** Levels of objects within each other, as in a file. */
const MOST_LEVELS = 32

/** ms: what a Node timer holds at most. */
const LONGEST_TIMEOUT = 2 ** 31 - 1

/**
 * Reads options.
 *
 * @throws {ConfigError} all problems at once
 */
export function readOptions(options: Options): Changeable {
  const problems: Problem[] = []
  const complain = (path: Path, reason: string) => {
    problems.push({ text: `${showPath(path)}: ${reason}`, offset: ELSEWHERE })
  }
  if (typeof options !== 'object' || options === null) throw new ConfigError(['options: expected an object'])
  const { middleware = [], middlewareTimeout, logger, references } = options
  checkAll(middleware, ['middleware'], complain)
  if (middlewareTimeout !== undefined && !isTimeout(middlewareTimeout))
    complain(['middlewareTimeout'], `expected an integer from 1 to ${LONGEST_TIMEOUT}, in ms`)
  if (logger !== undefined && !hasMethods(logger, ['debug', 'info', 'warn', 'error']))
    complain(['logger'], 'expected an object with the methods debug, info, warn and error')
  const sources = isSources(references) ? references : undefined
  if (sources !== references) complain(['references'], 'expected an object with env and the method readFile')

  const data = copyOf(options, complain)
  const ofRoutes = takeMiddleware(data, complain)
  if (data.secret === undefined && data.secretFile === undefined)
    complain(['secret'], 'a program has no demo secret: give it 64 octets or more, in hex')
  if (data.upstream === undefined && data.routes === undefined && data.upstreams === undefined)
    complain(['upstream'], 'there is no built-in echo here: name an origin, or give upstreams and routes')

  const file = readStructure(documentOf(data, problems), '', CHECKS, sources)
  const readFile = sources?.readFile ?? refuseFiles
  const { config } = readConfig({ flags: {}, env: {}, readFile, checkSecret: CHECKS.checkSecret, file })
  const gateway = config.gateway ?? { ...plainGateway(config.upstream!), ...config.edges } // one of the two, as checked
  return {
    config,
    gateway,
    key: readHmacKey(config.secretText!, config.secretEncoding), // as checked
    middleware: routeMiddleware(middleware, ofRoutes, gateway),
    middlewareTimeout,
  }
}

function refuseFiles(): never {
  throw new Error('files are read by references.readFile alone')
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function')
}

function isSources(value: unknown): value is ReferenceSources {
  return hasMethods(value, ['readFile']) && typeof (value as { env?: unknown }).env === 'object'
}

function isTimeout(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LONGEST_TIMEOUT
}

// ── middleware ────────────────────────────────────────────────────────────────────────────────────────────────────

type Complain = (path: Path, reason: string) => void

function checkAll(all: unknown, path: Path, complain: Complain): all is readonly Middleware[] {
  if (!Array.isArray(all)) complain(path, 'expected a list of middleware')
  else
    for (const [at, one] of all.entries()) {
      const problem = middlewareProblem(one)
      if (problem !== undefined) complain([...path, at], problem)
    }
  return Array.isArray(all)
}

/** Takes the middleware out of the routes, which the schema knows nothing of. @returns it, by number of the route */
function takeMiddleware(data: Data, complain: Complain): (readonly Middleware[])[] {
  if (!Array.isArray(data.routes)) return []
  return data.routes.map((route: unknown, at) => {
    if (typeof route !== 'object' || route === null || !('middleware' in route)) return []
    const { middleware } = route
    delete route.middleware
    return checkAll(middleware, ['routes', at, 'middleware'], complain) ? middleware : []
  })
}

function routeMiddleware(
  all: readonly Middleware[],
  ofRoutes: readonly (readonly Middleware[])[],
  { routes }: GatewayConfig,
): RouteMiddleware | undefined {
  const own = routes.map(({ name }, at) => [name, [...(ofRoutes[at] ?? [])]] as const)
  return { all: [...all], routes: new Map(own) } // as checked, whatever becomes of the caller's lists
}

// ── values, and where they stand ──────────────────────────────────────────────────────────────────────────────────

type Data = Record<string, unknown>

/** The values alone: what is done to them is not done to the caller's. What is `undefined` is not there. */
function copyOf(options: Options, complain: Complain): Data {
  const given = Object.entries(options).filter(([key]) => !OWN.includes(key) && !REFUSED.has(key))
  for (const [key, reason] of REFUSED) {
    const value = (options as Data)[key]
    if (value !== undefined && !(key === 'workers' && value === 1)) complain([key], reason)
  }
  return copy(Object.fromEntries(given), []) as Data // an object stays one

  function copy(value: unknown, path: Path): unknown {
    if (path.length > MOST_LEVELS) {
      complain(path.slice(0, 1), `this is nested too deeply: at most ${MOST_LEVELS} levels`)
      return null
    }
    if (path.length === 3 && path[0] === 'routes' && path[2] === 'middleware') return value
    if (Array.isArray(value)) return value.map((item, at) => copy(item, [...path, at]))
    if (typeof value !== 'object' || value === null) return value
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    return Object.fromEntries(members.map(([key, member]) => [key, copy(member, [...path, key])]))
  }
}

/** Values as a document, in which the keys that lead to one say where it stands. */
function documentOf(data: Data, problems: readonly Problem[]): ConfigDocument {
  const places = new Map<string, number>()
  note(data, [])
  return {
    data,
    problems,
    locate(path) {
      const offset = places.get(JSON.stringify(path))
      return offset === undefined ? undefined : { label: showPath(path) || 'options', offset }
    },
  }

  function note(value: unknown, path: Path): void {
    places.set(JSON.stringify(path), places.size)
    if (Array.isArray(value)) for (const [at, item] of value.entries()) note(item, [...path, at])
    else if (typeof value === 'object' && value !== null)
      for (const [key, member] of Object.entries(value)) note(member, [...path, key])
  }
}
