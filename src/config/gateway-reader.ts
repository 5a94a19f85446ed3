// The structural part of a configuration file. In: values that fit the schema, those that do not left out. Out: the plain
// data of http/gateway.ts, and what is wrong although each value fits.

import * as zlib from 'node:zlib'
import { messageOf } from '../errors.ts'
import type { RouteAccess } from '../http/authentication.ts'
import {
  type Certificate,
  type CompressionConfig,
  DEFAULT_EJECTION,
  type EjectionConfig,
  ENCODINGS,
  type ForwardConfig,
  type GatewayConfig,
  type HealthConfig,
  type LimitConfig,
  type Origin,
  type OriginTls,
  type RedisConfig,
  type RouteConfig,
  type TargetConfig,
  type ToldConfig,
  type UpstreamConfig,
} from '../http/gateway.ts'
import { parameterNames, readPattern } from '../http/path-pattern.ts'
import { readOrigin } from '../setting-readers.ts'
import { readBlock } from './addresses.ts'
import { certificateProblem, keyPairProblems } from './certificates.ts'
import type { Complain, Given } from './given.ts'
import type { Path } from './problems.ts'
import { nearest } from './suggestion.ts'
import { type CheckTold, type RawKey, type RawTold, readKeys, type ReadTold } from './told-reader.ts'

/** What is wrong with routes although each value fits: `http/route-table.ts` knows. */
export type CheckRoutes = (
  routes: readonly RouteConfig[],
) => readonly { route: number; key: 'host' | 'path' | 'methods' | 'rewrite' | 'require'; problem: string }[]

/** The structural keys, as the schema has them. */
export type Structure = Given<{
  tls: Certificate
  proxyProtocol: readonly string[]
  trustedProxies: readonly string[]
  forward: ForwardConfig
  keys: Readonly<Record<string, RawKey | readonly RawKey[]>>
  redis: RedisConfig
  upstreams: Readonly<Record<string, RawUpstream>>
  routes: readonly RawRoute[]
}>

type RawTarget = string | { readonly url: string; readonly weight: number }
type RawUpstream = string | readonly RawTarget[] | Whole

interface RawRoute extends Omit<RouteConfig, 'compress' | keyof RawTold>, Partial<RawTold> {
  readonly compress: boolean | CompressionConfig
}

interface Whole extends Partial<RawTold> {
  readonly targets: readonly RawTarget[]
  readonly balance: UpstreamConfig['balance']
  readonly host: string
  readonly tls: OriginTls
  readonly ejection: EjectionConfig
  readonly health: HealthConfig
}

/** Where nothing is said about how a target is asked. */
const DEFAULT_HEALTH: Omit<HealthConfig, 'path'> = {
  interval: 5000,
  timeout: 2000,
  statuses: [200, 399],
  unhealthy: 2,
  healthy: 2,
}

/** Whether a package that signet can do without can be loaded. */
export type IsInstalled = (name: string) => boolean

/** What cannot be told from the file alone. */
interface EdgeChecks {
  readonly checkTold?: CheckTold
  readonly isInstalled?: IsInstalled
}

/** Where nothing is said about how long a command to Redis may take, in ms. */
const DEFAULT_REDIS_TIMEOUT = 250

/** Everything that concerns no single route or upstream. */
export function readEdges(
  { tls, proxyProtocol, trustedProxies, forward, keys, redis }: Structure,
  complain: Complain,
  { checkTold, isInstalled }: EdgeChecks = {},
): Omit<GatewayConfig, 'upstreams' | 'routes'> {
  return Object.freeze({
    ...(tls && { tls: readKeyPair(tls, complain) }),
    ...(proxyProtocol && { proxyProtocol: readBlocks(proxyProtocol, ['proxyProtocol'], complain) }),
    ...(trustedProxies && { trustedProxies: readBlocks(trustedProxies, ['trustedProxies'], complain) }),
    ...(forward && { forward: readForward(forward, complain) }),
    ...(keys && { keys: readKeys(keys, complain, checkTold) }),
    ...(redis && { redis: readRedis(redis, complain, isInstalled) }),
  })
}

function readRedis(
  { url = '', timeout = DEFAULT_REDIS_TIMEOUT }: Given<RedisConfig>,
  complain: Complain,
  isInstalled: IsInstalled = () => true,
): RedisConfig {
  if (!isInstalled('ioredis'))
    complain(['redis'], 'the package ioredis is missing: npm install ioredis', 'key')
  if (url !== '' && !URL.canParse(url)) complain(['redis', 'url'], 'expected redis://host:port')
  return { url, timeout }
}

function readKeyPair({ certificate = '', key = '' }: Given<Certificate>, complain: Complain): Certificate {
  judgeKeyPair({ certificate, key }, ['tls'], complain)
  return { certificate, key }
}

function judgeKeyPair(
  { certificate = '', key = '' }: Given<Certificate>,
  path: Path,
  complain: Complain,
): void {
  if (certificate === '' || key === '') return // missing, which the schema has said
  for (const { part, problem } of keyPairProblems(certificate, key)) complain([...path, part], problem)
}

function readBlocks(blocks: Given<readonly string[]>, path: Path, complain: Complain): readonly string[] {
  return itemsOf(blocks, (block, at) => attempt(() => readBlock(block), [...path, at], complain))
}

function readForward(
  { host = '127.0.0.1', port = 0, allow = [], privateAddresses = [] }: Given<ForwardConfig>,
  complain: Complain,
): ForwardConfig {
  return {
    host,
    port,
    allow: itemsOf(allow, ({ host: allowed = '', ports = [80, 443] }) => ({
      host: allowed.toLowerCase(),
      ports: itemsOf(ports, (one) => one),
    })),
    privateAddresses: readBlocks(privateAddresses, ['forward', 'privateAddresses'], complain),
  }
}

/** Told of each origin, and where it stands. */
export type NoteTarget = (origin: Origin, path: Path) => void

/** The upstreams, in the order of the file. */
export function readUpstreams(
  upstreams: Structure['upstreams'],
  complain: Complain,
  noteTarget: NoteTarget,
  readTold: ReadTold,
): UpstreamConfig[] {
  return Object.entries(upstreams ?? {}).flatMap(([name, raw]) =>
    raw === undefined ? [] : [readUpstream(name, raw, complain, noteTarget, readTold)],
  )
}

function readUpstream(
  name: string,
  raw: Given<RawUpstream>,
  complain: Complain,
  noteTarget: NoteTarget,
  readTold: ReadTold,
): UpstreamConfig {
  const path = ['upstreams', name]
  const whole = typeof raw === 'string' ? { targets: [raw] } : isList(raw) ? { targets: raw } : raw
  const { targets = [], balance = 'round-robin', host = 'pass', tls, ejection, health }: Given<Whole> = whole
  const pathOf = (at: number): Path => {
    return typeof raw === 'string' ? path : isList(raw) ? [...path, at] : [...path, 'targets', at]
  }
  const seen = new Map<string, number>()
  const read = itemsOf(targets, (target, at): TargetConfig | undefined => {
    const text = typeof target === 'string'
    const { url, weight = 1 }: Given<Exclude<RawTarget, string>> = text ? { url: target } : target
    const place = text ? pathOf(at) : [...pathOf(at), 'url']
    const origin = url === undefined ? undefined : attempt(() => readOrigin(url), place, complain)
    if (origin === undefined) return undefined
    const same = seen.get(keyOf(origin))
    if (same !== undefined)
      complain(place, `this origin is the same as targets[${same}]; give one a weight, if it is to get more`)
    else seen.set(keyOf(origin), at)
    noteTarget(origin, place)
    return { origin: origin.tls && tls ? { ...origin, tls: defined<OriginTls>(tls) } : origin, weight }
  })
  if (tls !== undefined) judgeOriginTls(tls, read, [...path, 'tls'], complain)
  return {
    name,
    targets: read,
    balance,
    host,
    ejection: { ...DEFAULT_EJECTION, ...defined<EjectionConfig>(ejection ?? {}) },
    ...(health && { health: readHealth(health, [...path, 'health'], complain) }),
    ...readTold(whole, path),
  }
}

/** Two origins with one key are one. */
function keyOf({ host, port, tls }: Origin): string {
  return `${tls === undefined ? 'http' : 'https'}://${host}:${port}`
}

function judgeOriginTls(
  tls: Given<OriginTls>,
  targets: readonly TargetConfig[],
  path: Path,
  complain: Complain,
): void {
  if (targets.length > 0 && targets.every(({ origin }) => origin.tls === undefined))
    complain(path, 'no target of this upstream begins with https://, so there is nothing to encrypt', 'key')
  const problem = tls.ca === undefined ? undefined : certificateProblem(tls.ca)
  if (problem !== undefined) complain([...path, 'ca'], problem)
  judgeKeyPair(tls, path, complain)
}

function readHealth(
  { path = '/', statuses: range, ...others }: Given<HealthConfig>,
  at: Path,
  complain: Complain,
): HealthConfig {
  const { statuses, ...defaults } = DEFAULT_HEALTH
  const [from = statuses[0], to = statuses[1]] = range ?? statuses
  if (from > to) complain([...at, 'statuses'], `found [${from}, ${to}], expected the lower status first`)
  return { path, ...defaults, ...defined<typeof defaults>(others), statuses: [from, to] }
}

/** The routes, in the order of the file. @param told what each upstream is told already, by its name */
export function readRoutes(
  routes: Structure['routes'],
  { upstreams, redis }: Pick<Structure, 'upstreams' | 'redis'>,
  complain: Complain,
  readTold: ReadTold,
  checkRoutes?: CheckRoutes,
  authenticators: Authenticators = {},
  told: ReadonlyMap<string, ToldConfig> = new Map(),
): RouteConfig[] {
  const names = new Map<string, number>()
  const known = Object.keys(upstreams ?? {})
  const whole: { readonly at: number; readonly route: RouteConfig }[] = []
  for (const [at, route] of (routes ?? []).entries()) {
    if (route === undefined) continue
    const { name, host, path = '/*', methods, upstream, rewrite, limit, compress } = route
    if (upstream !== undefined && upstreams !== undefined && !known.includes(upstream)) {
      const near = nearest(upstream, known)
      const hint = near === undefined ? '' : ` (did you mean "${near}"?)`
      complain(['routes', at, 'upstream'], `no upstream has this name${hint}`)
    }
    const access = readAccess(route, authenticators, ['routes', at], complain)
    const same = name === undefined ? undefined : names.get(name)
    if (same !== undefined) complain(['routes', at, 'name'], `routes[${same}] has this name already`)
    if (name !== undefined) names.set(name, at)
    if (limit?.store === 'redis' && redis === undefined)
      complain(['routes', at, 'limit', 'store'], 'there is no Redis to count in: add the key "redis"')
    // A value that did not fit is missing here: what the others mean without it is nothing to complain of.
    if ('path' in route && route.path === undefined) continue
    if (('host' in route && host === undefined) || ('methods' in route && methods === undefined)) continue
    whole.push({
      at,
      route: {
        name: name ?? '',
        upstream: upstream ?? '',
        path,
        ...(host !== undefined && { host: host.toLowerCase() }),
        ...(methods && { methods: itemsOf(methods, (method) => method.toUpperCase()) }),
        ...(rewrite !== undefined && { rewrite }),
        ...access,
        ...readTold(
          route,
          ['routes', at],
          parameterNames(readPattern(path).pieces),
          told.get(upstream ?? ''),
        ),
        ...(limit && { limit: readLimit(limit) }),
        ...readCompress(compress, ['routes', at, 'compress'], complain),
      },
    })
  }
  const named = nameRoutes(whole.map(({ route }) => route))
  for (const { route, key, problem } of checkRoutes?.(named) ?? [])
    complain(['routes', whole[route]?.at ?? 0, key], problem)
  return named
}

/** What the file says of authenticators, as far as routes have to know it. */
type Authenticators = Readonly<Record<string, { readonly kind?: string | undefined } | undefined>>

/** Who may use a route. */
function readAccess(
  { authenticate, require, scopes, roles }: Given<RouteAccess>,
  authenticators: Authenticators,
  path: Path,
  complain: Complain,
): RouteAccess {
  for (const [key, demand] of Object.entries({ require, scopes, roles })) {
    if (demand !== undefined && authenticate === undefined)
      complain([...path, key], 'nobody is asked who they are: add the key "authenticate"', 'key')
  }
  const all = (texts: Given<readonly string[]>) => itemsOf(texts, (text) => text)
  for (const [at, name] of (authenticate ?? []).entries()) {
    if (name === undefined) continue
    const near = nearest(name, Object.keys(authenticators))
    const hint = near === undefined ? '' : ` (did you mean "${near}"?)`
    if (!Object.hasOwn(authenticators, name))
      complain([...path, 'authenticate', at], `no authenticator has this name${hint}`)
    else if (authenticate?.indexOf(name) !== at)
      complain([...path, 'authenticate', at], 'this authenticator is named twice')
    else if (authenticators[name]?.kind === 'anonymous' && at < authenticate.length - 1)
      complain(
        [...path, 'authenticate', at],
        'it takes everybody, and nobody behind it is asked: name it last',
      )
  }
  return {
    ...(authenticate && { authenticate: all(authenticate) }),
    ...(require && { require: all(require) }),
    ...(scopes && { scopes: all(scopes) }),
    ...(roles && { roles: all(roles) }),
  }
}

function readLimit({
  requests = 1,
  window = 1000,
  by = 'subject',
  store = 'memory',
  whenDown = 'open',
}: Given<LimitConfig>): LimitConfig {
  // The schema has seen that `by` is a word or the name of a field, of which the case is of no matter.
  return { requests, window, by: by.toLowerCase() as LimitConfig['by'], store, whenDown }
}

/** Octets below which compression gains nothing: what is saved fits into the same packet. */
const DEFAULT_MIN_SIZE = 1024

function readCompress(
  given: Given<RawRoute['compress']> | undefined,
  path: Path,
  complain: Complain,
): Pick<RouteConfig, 'compress'> {
  if (given === undefined || given === false) return {}
  const {
    minSize = DEFAULT_MIN_SIZE,
    encodings = ENCODINGS,
    types,
  }: Given<CompressionConfig> = given === true ? {} : given
  const wanted = itemsOf(encodings, (encoding) => encoding)
  if (wanted.length > 0 && wanted.every((encoding) => encoding === 'zstd' && !('createZstdCompress' in zlib)))
    complain([...path, 'encodings'], 'this Node has no zstd, which came with 22.15: add br or gzip')
  const lower = types && itemsOf(types, (type) => type.toLowerCase())
  return { compress: { minSize, encodings: [...new Set(wanted)], ...(lower && { types: lower }) } }
}

/** Gives names to routes without one: host and path, methods where those are not enough, a number where nothing is. */
function nameRoutes(routes: readonly RouteConfig[]): RouteConfig[] {
  const taken = new Set(routes.map(({ name }) => name))
  return routes.map((route) => {
    if (route.name !== '') return route
    const place = `${route.host ?? ''}${route.path}`
    let name = place
    if (taken.has(name)) name = `${route.methods?.join(',') ?? 'any'} ${place}`
    for (let number = 2; taken.has(name); number++) name = `${place} #${number}`
    taken.add(name)
    return { ...route, name }
  })
}

/** What `read` makes of each item that is there. */
export function itemsOf<T, Result>(
  items: readonly (T | undefined)[],
  read: (item: T, at: number) => Result | undefined,
): Result[] {
  return items.flatMap((item, at) => {
    const result = item === undefined ? undefined : read(item, at)
    return result === undefined ? [] : [result]
  })
}

/** Without the keys that have not been given. */
function defined<T>(given: Given<T>): Partial<T> {
  // Given<T> is T, save that its values may be undefined: those that are go.
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>
}

function isList<T>(value: T): value is Extract<T, readonly unknown[]> {
  return Array.isArray(value)
}

function attempt<T>(read: () => T, path: Path, complain: Complain): T | undefined {
  try {
    return read()
  } catch (error) {
    complain(path, `expected ${messageOf(error)}`, 'value')
    return undefined
  }
}
