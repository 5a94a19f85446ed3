// Request head → route. In: the routes of the configuration, compiled once. Out: what stands for the most specific one
// that matches host, path and method, and the request-target to forward; or the refusal, 404 or 405.

import assert from 'node:assert'
import { ProxyError } from '../errors.ts'
import { claimAt, textOf } from './claim.ts'
import { conditionProblems } from './condition.ts'
import type { RouteConfig } from './gateway.ts'
import type { Identity } from './identity.ts'
import { allIn, TCHAR } from './octets.ts'
import { canonicalPath } from './path.ts'
import { outlineOf, type PathPattern, parameterNames, readPattern, shapeOf } from './path-pattern.ts'
import { type Params, type PathMatch, PathTree, patternProblems } from './path-tree.ts'
import { isAuthority } from './request-target.ts'
import {
  compileTemplate,
  PARAMS_SOURCE,
  type Template,
  type TemplateSources,
  templateProblems,
} from './template.ts'

/** What of a request head decides its route: a `RequestHead` is one. */
export interface RoutedHead {
  readonly method: string
  /** origin-form, or `*` */
  readonly target: string
  /** what Host says, port and all; HTTP/1.0 may have none */
  readonly authority: string | undefined
}

/** The route of one request. */
export interface RouteMatch<T> {
  /** what was made of the route's configuration */
  readonly value: T
  /** the request-target to forward, with its query as received; undefined for the received one */
  readonly target: string | undefined
  /** what the parameters of the route's path stand for; nothing where no route of the table asks for more than `/*` */
  readonly params: Params
  /**
   * The request-target to forward where it depends on who is asking; `target` says nothing then.
   *
   * @throws {ProxyError} `ERR_FORBIDDEN` when what is known of the caller makes no path
   */
  readonly rewrite?: (identity: Identity) => string
}

/** The path that every path matches, and `*` alone of what is no path. */
const ANY_PATH = '/*'
const NO_PARAMS: Params = {}

/** A route, compiled. */
interface Compiled<T> {
  readonly route: RouteConfig
  /** of its path */
  readonly shape: string
  readonly value: T
  readonly rewrite: Template | undefined
  /** names of the claims in its rewrite; undefined where that does not depend on the caller */
  readonly claims: readonly string[] | undefined
  /** the match of a request whose path needs no look */
  readonly match: RouteMatch<T>
}

/**
 * The routes of a configuration. Of those that match host, path and method the most specific has the request: an exact
 * host before the longest suffix before any host; then by path, as {@link PathTree} says: text first, so `/s/t*` before `/s/:x`; then one that names the method
 * before one that takes all. `*.example.com` is every name below `example.com`, however far, and not that name itself.
 * GET does not imply HEAD, nor anything OPTIONS: a route takes what it names.
 *
 * Paths are held to their canonical spelling ({@link canonicalPath}) as soon as one of the routes looks at them, since
 * then it matters that the upstream reads what was matched. Where all are `/*` without a rewrite, they pass as they come.
 */
export class RouteTable<T> {
  /** the one route that takes everything, without a look */
  readonly #only: RouteMatch<T> | undefined
  readonly #looksAtPaths: boolean
  readonly #hosts = new Map<string, HostRoutes<T>>()
  /** by what is behind the asterisk, with its dot */
  readonly #suffixes = new Map<string, HostRoutes<T>>()
  readonly #longestSuffix: number
  /** of all hosts, in a list like those of several */
  readonly #anyHost: readonly HostRoutes<T>[]

  /**
   * @param make called once for each route, in order
   * @throws {AssertionError} where there are {@link routeProblems}
   */
  constructor(routes: readonly RouteConfig[], make: (route: RouteConfig) => T) {
    assert.deepEqual(routeProblems(routes), [])
    this.#looksAtPaths = routes.some(({ path, rewrite }) => path !== ANY_PATH || rewrite !== undefined)
    const all = routes.map((route) => compile(route, make(route)))
    const byHost = grouped(all, ({ route }) => route.host)
    for (const [host, ofHost] of byHost) {
      if (host === undefined) continue
      const hostRoutes = new HostRoutes(ofHost, this.#looksAtPaths)
      if (host.startsWith('*')) this.#suffixes.set(host.slice(1), hostRoutes)
      else this.#hosts.set(host, hostRoutes)
    }
    this.#longestSuffix = Math.max(0, ...Array.from(this.#suffixes.keys(), ({ length }) => length))
    const anyHost = byHost.get(undefined)
    this.#anyHost = anyHost === undefined ? [] : [new HostRoutes(anyHost, this.#looksAtPaths)]
    const only = routes.length === 1 ? routes[0]! : undefined
    const takesAll = only !== undefined && only.host === undefined && only.methods === undefined
    this.#only = takesAll && !this.#looksAtPaths ? all[0]!.match : undefined
  }

  /**
   * The route of a request.
   *
   * @throws {ProxyError} `ERR_NO_ROUTE`; `ERR_METHOD_NOT_ALLOWED`, with Allow; `ERR_PATH_AMBIGUOUS`
   */
  find(head: RoutedHead): RouteMatch<T> {
    return this.#only ?? this.#search(head)
  }

  #search({ method, target, authority }: RoutedHead): RouteMatch<T> {
    const mark = target.indexOf('?')
    const received = mark === -1 ? target : target.slice(0, mark)
    const path = this.#looksAtPaths && target !== '*' ? canonicalPath(received) : undefined
    const hosts = this.#hostsOf(authority)
    for (const host of hosts) {
      const found = host.find(method, path)
      if (found === undefined) continue
      if (path === undefined) return found.value.match
      const { value, rewrite, claims } = found.value
      if (rewrite !== undefined && claims !== undefined) {
        const query = target.slice(received.length)
        const { params } = found
        const later = (identity: Identity) => renderFor(rewrite, claims, params, identity) + query
        return { value, target: undefined, params, rewrite: later }
      }
      const forwarded = rewrite === undefined ? path : rewrite.render({ [PARAMS_SOURCE]: found.params })
      if (forwarded === received) return { value, target: undefined, params: found.params }
      return { value, target: forwarded + target.slice(received.length), params: found.params }
    }
    throw refusal(hosts, path)
  }

  /** The routes that are for an authority, the most specific host first. */
  #hostsOf(authority: string | undefined): readonly HostRoutes<T>[] {
    if (authority === undefined || (this.#hosts.size === 0 && this.#suffixes.size === 0)) return this.#anyHost
    const host = hostOf(authority)
    const found: HostRoutes<T>[] = []
    const exact = this.#hosts.get(host)
    if (exact !== undefined) found.push(exact)
    // No label may be missing before the dot; and a host of dots alone must not take long.
    let dot = host.indexOf('.', Math.max(1, host.length - this.#longestSuffix))
    for (; dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const below = this.#suffixes.get(host.slice(dot))
      if (below !== undefined) found.push(below)
    }
    found.push(...this.#anyHost)
    return found
  }
}

/** The routes of one host: a tree for each method that one of them names, and one for all others. */
class HostRoutes<T> {
  readonly #named = new Map<string, MethodRoutes<T>>()
  readonly #others: MethodRoutes<T>

  constructor(routes: readonly Compiled<T>[], looksAtPaths: boolean) {
    const unnamed = routes.filter(({ route }) => route.methods === undefined)
    this.#others = methodRoutes(unnamed, looksAtPaths)
    for (const method of new Set(routes.flatMap(({ route }) => route.methods ?? []))) {
      const named = routes.filter(({ route }) => route.methods?.includes(method))
      const shapes = new Set(named.map(({ shape }) => shape))
      const rest = unnamed.filter(({ shape }) => !shapes.has(shape))
      this.#named.set(method, methodRoutes([...named, ...rest], looksAtPaths))
    }
  }

  /** @param path undefined for a request that has none, or whose path needs no look: then `/*` alone matches */
  find(method: string, path: string | undefined): PathMatch<Compiled<T>> | undefined {
    return findIn(this.#named.get(method) ?? this.#others, path)
  }

  /** The methods that could have been used at this path, apart from routes that take all. */
  methodsAt(path: string | undefined): string[] {
    return Array.from(this.#named).flatMap(([method, routes]) => (findIn(routes, path) ? [method] : []))
  }
}

/** The routes of one host that take one method. */
interface MethodRoutes<T> {
  /** none when paths need no look */
  readonly tree: PathTree<Compiled<T>> | undefined
  readonly anyPath: PathMatch<Compiled<T>> | undefined
}

function methodRoutes<T>(routes: readonly Compiled<T>[], looksAtPaths: boolean): MethodRoutes<T> {
  const anyPath = routes.find(({ route }) => route.path === ANY_PATH)
  const patterns = routes.map((compiled) => [compiled.route.path, compiled] as const)
  return {
    tree: looksAtPaths ? new PathTree(patterns) : undefined,
    anyPath: anyPath && { value: anyPath, params: NO_PARAMS },
  }
}

function findIn<T>(
  { tree, anyPath }: MethodRoutes<T>,
  path: string | undefined,
): PathMatch<Compiled<T>> | undefined {
  return path === undefined || tree === undefined ? anyPath : tree.find(path)
}

function compile<T>(route: RouteConfig, value: T): Compiled<T> {
  const pattern = readPattern(route.path)
  return {
    route,
    shape: shapeOf(pattern.pieces),
    value,
    rewrite:
      route.rewrite === undefined ? undefined : compileTemplate(route.rewrite, sourcesOf(pattern, route)),
    claims: claimsOf(route.rewrite ?? ''),
    match: { value, target: undefined, params: NO_PARAMS },
  }
}

/** What a rewrite may speak of: of the caller only where the caller is known. */
function sourcesOf({ pieces }: PathPattern, { authenticate }: RouteConfig): TemplateSources {
  const params = { [PARAMS_SOURCE]: parameterNames(pieces) }
  return authenticate === undefined ? params : { ...params, claims: 'any', subject: 'itself' }
}

/** Names of the claims in a rewrite; undefined where it says nothing of the caller. */
function claimsOf(rewrite: string): string[] | undefined {
  const names = Array.from(rewrite.matchAll(/\{claims\.([^{}]+)\}/g), ([, name = '']) => name)
  return names.length > 0 || rewrite.includes('{subject}') ? names : undefined
}

function renderFor(
  rewrite: Template,
  names: readonly string[],
  params: Params,
  { subject, claims }: Identity,
): string {
  const texts = Object.fromEntries(names.map((name) => [name, textOf(claimAt(claims, name))]))
  try {
    return rewrite.render({ [PARAMS_SOURCE]: params, claims: texts, subject })
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    throw new ProxyError('ERR_FORBIDDEN', `the caller has no path here: ${error.message}`, { cause: error })
  }
}

/** `Shop.Example.com.:8080` → `shop.example.com`: what names are compared by (RFC 3986 §3.2.2, RFC 1034 §3.1). */
function hostOf(authority: string): string {
  const colon = authority.indexOf(':', authority.indexOf(']') + 1)
  const host = (colon === -1 ? authority : authority.slice(0, colon)).toLowerCase()
  return host.endsWith('.') ? host.slice(0, -1) : host
}

/** RFC 9110 §15.5.5, §15.5.6. */
function refusal<T>(hosts: readonly HostRoutes<T>[], path: string | undefined): ProxyError {
  const methods = new Set(hosts.flatMap((host) => host.methodsAt(path)))
  if (methods.size === 0) return new ProxyError('ERR_NO_ROUTE', 'no route for this host and path')
  const allow = [...methods].join(', ')
  return new ProxyError('ERR_METHOD_NOT_ALLOWED', `routes for this host and path take ${allow}`, {
    fields: { Allow: allow },
  })
}

function grouped<K, V>(values: readonly V[], keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>()
  for (const value of values) {
    const group = groups.get(keyOf(value))
    if (group === undefined) groups.set(keyOf(value), [value])
    else group.push(value)
  }
  return groups
}

// ── what is wrong with the configuration ──────────────────────────────────────────────────────────────────────────

/** Something that keeps a route from working, for the operator. */
export interface RouteProblem {
  /** index of the route */
  readonly route: number
  readonly key: 'host' | 'path' | 'methods' | 'rewrite' | 'require'
  /** a sentence without its subject, the value at `key`: `does not begin with /` */
  readonly problem: string
}

/** Everything that is wrong with `routes`, in their order. */
export function routeProblems(routes: readonly RouteConfig[]): RouteProblem[] {
  const patterns = routes.map(({ path }) => readPattern(path))
  const clashes = clashesOf(routes, patterns)
  return routes.flatMap((config, route) => {
    const pattern = patterns[route]!
    const of = (key: RouteProblem['key'], problems: readonly string[]) =>
      problems.map((problem) => ({ route, key, problem }))
    return [
      ...of('host', config.host === undefined ? [] : hostProblems(config.host)),
      ...of('path', patternProblems(pattern)),
      ...of('path', clashes.get(route) ?? []),
      ...of('methods', config.methods === undefined ? [] : methodsProblems(config.methods)),
      ...of(
        'rewrite',
        config.rewrite === undefined ? [] : templateProblems(config.rewrite, sourcesOf(pattern, config)),
      ),
      ...of(
        'require',
        (config.require ?? []).flatMap((condition) =>
          conditionProblems(condition, parameterNames(pattern.pieces)).map(
            (problem) => `${JSON.stringify(condition)} ${problem}`,
          ),
        ),
      ),
    ]
  })
}

function hostProblems(host: string): string[] {
  const name = host.startsWith('*.') ? host.slice(2) : host
  if (name.includes('*')) return ['has a * that is not its first label: write example.com or *.example.com']
  if (!isAuthority(name) || (name !== host && name.startsWith('['))) {
    return ['is no host name: write example.com or *.example.com']
  }
  if (/:[0-9]+$/.test(name) && !name.endsWith(']'))
    return ['has a port, which routes do not look at: leave it out']
  if (name !== name.toLowerCase()) return ['has upper-case letters: write it in lower case']
  return name.endsWith('.') ? ['ends with a dot: leave it out'] : []
}

/** Methods that never come as far as a route, and why. */
const NEVER_ROUTED: ReadonlyMap<string, string> = new Map([
  ['CONNECT', 'asks for a tunnel, which no route leads to'],
  ['TRACE', 'is refused, since it would show the token to the client'],
])

function methodsProblems(methods: readonly string[]): string[] {
  if (methods.length === 0) return ['names none: leave it out for any method']
  return methods.flatMap((method, at) => {
    if (method === '' || !allIn(TCHAR, method, 0, method.length)) {
      return [`has ${JSON.stringify(method)}, which is no method (RFC 9110 §9.1)`]
    }
    if (method !== method.toUpperCase()) {
      return [`has ${method}: methods are told apart by case, so write ${method.toUpperCase()}`]
    }
    const never = NEVER_ROUTED.get(method)
    if (never !== undefined) return [`has ${method}, which ${never}`]
    return methods.indexOf(method) === at ? [] : [`has ${method} twice`]
  })
}

/** What keeps a route from standing beside an earlier one, by index. */
function clashesOf(
  routes: readonly RouteConfig[],
  patterns: readonly PathPattern[],
): Map<number, readonly string[]> {
  const readable = routes.flatMap((config, route) => {
    const { pieces, problems } = patterns[route]!
    return problems.length === 0 ? [{ config, route, pieces }] : []
  })
  const alike = grouped(readable, ({ config, pieces }) => `${config.host ?? ''} ${outlineOf(pieces)}`)
  const clashes = new Map<number, readonly string[]>()
  for (const group of alike.values()) {
    for (const [at, { config, route, pieces }] of group.entries()) {
      for (const earlier of group.slice(0, at)) {
        const clash = clashBetween(config, earlier.config, shapeOf(pieces) === shapeOf(earlier.pieces))
        if (clash === undefined) continue
        clashes.set(route, [clash])
        break
      }
    }
  }
  return clashes
}

/** Why two routes with one host and outline cannot both be, if so. */
function clashBetween(route: RouteConfig, earlier: RouteConfig, sameShape: boolean): string | undefined {
  const name = JSON.stringify(earlier.name)
  const common = route.methods?.find((method) => earlier.methods?.includes(method))
  if (sameShape) {
    if (common !== undefined) return `is that of route ${name}, with the same host and method (${common})`
    const both = route.methods === undefined && earlier.methods === undefined
    return both ? `is that of route ${name}, with the same host and any method` : undefined
  }
  if (route.methods !== undefined && earlier.methods !== undefined && common === undefined) return undefined
  return (
    `differs from that of route ${name} in a regex alone, by which they cannot be told apart: ` +
    'leave the regex of one of them out, and it gets what the other one does not match'
  )
}
