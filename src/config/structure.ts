// What a configuration says, wherever its values come from. In: values, and where each of them stands. Out: the settings and
// the structure in it, and every problem that can be seen without the flags and the environment; config.ts puts all three
// together.

import { type ConfigFile, type FileSetting, SETTINGS, type SettingName, type TargetPlace } from '../config.ts'
import type { Origin } from '../http/gateway.ts'
import { type AuthStructure, type ReadSecret, readAuthenticators } from './auth-reader.ts'
import {
  type CheckRoutes,
  type IsInstalled,
  readEdges,
  readRoutes,
  readUpstreams,
  type Structure,
} from './gateway-reader.ts'
import { type CredentialStructure, readCredentials } from './credential-reader.ts'
import type { Complain } from './given.ts'
import { ELSEWHERE, type Path, type Place, type Problem, quoteBriefly } from './problems.ts'
import { besideConfig, type ReferenceSources, type Resolved, resolveReferences } from './references.ts'
import { type CheckTold, createToldReader } from './told-reader.ts'
import { takeOutMisfits } from './validation.ts'

/** What a configuration is checked with. */
export interface StructureInput {
  readonly checkRoutes?: CheckRoutes
  readonly readSecret?: ReadSecret
  readonly checkTold?: CheckTold
  readonly isInstalled?: IsInstalled
}

/** Values, and where they stand. */
export interface ConfigDocument {
  /** plain objects, arrays and scalars; `null` when there is nothing */
  readonly data: unknown
  readonly problems: readonly Problem[]
  /** Where the value of a path stands, or its key; undefined when it is not there. */
  locate(path: Path, part?: 'key' | 'value'): Place | undefined
}

/**
 * Reads a configuration. Never throws: what is wrong is among the problems.
 *
 * @param document of which what does not fit is taken out
 * @param path of the file it comes from: relative paths begin in its folder
 * @param sources of references; undefined where `${NAME}` and `file:` mean nothing but themselves
 */
export function readStructure(
  document: ConfigDocument,
  path: string,
  input: StructureInput,
  sources: ReferenceSources | undefined,
): ConfigFile {
  const problems: Problem[] = [...document.problems]
  const complain = (where: Path, reason: string, part?: 'key'): void => {
    const { label, offset } = locateNearest(where, part)
    problems.push({ text: `${label}: ${reason}`, offset })
  }
  const locateNearest = (where: Path, part?: 'key') => {
    for (let length = where.length; length >= 0; length--) {
      const place = document.locate(where.slice(0, length), part)
      if (place !== undefined) return place
    }
    return { label: path, offset: ELSEWHERE }
  }

  const given = document.data ?? {}
  const resolved = sources === undefined ? unreferenced(given) : resolveReferences(given, path, sources)
  const { data, references, variables, problems: unresolved } = resolved
  for (const { path: where, reason } of unresolved) complain(where, reason)
  const refused = new Set(unresolved.map(({ path: where }) => JSON.stringify(where)))
  for (const { path: where, kind, reason } of takeOutMisfits(data, references, refused))
    complain(where, reason, kind === 'unknown key' ? 'key' : undefined)
  if (!isMapping(data)) return nothingRead(path, problems)

  const complainOfValue: Complain = (where, reason, about) => {
    const found =
      about === 'value'
        ? `found ${quoteBriefly(references.get(JSON.stringify(where)) ?? textAt(data, where))}, `
        : ''
    complain(where, found + reason, about === 'key' ? 'key' : undefined)
  }
  const structure: Structure = data // what does not fit the schema has been taken out
  const authentication: AuthStructure = data
  const authenticators = readAuthenticators(authentication, complainOfValue, input.readSecret)
  const obtaining: CredentialStructure = data
  const credentials = readCredentials(obtaining, complainOfValue)
  const edges = {
    ...readEdges(structure, complainOfValue, input),
    ...(authenticators && { authenticators }),
    ...(credentials && { credentials }),
  }
  const targets: TargetPlace[] = []
  const noteTarget = (origin: Origin, where: Path) => targets.push({ origin, ...locateNearest(where) })
  const names = {
    keys: Object.keys(structure.keys ?? {}),
    credentials: Object.keys(obtaining.credentials ?? {}),
  }
  const readTold = createToldReader(names, complainOfValue, input.checkTold)
  const upstreams = readUpstreams(structure.upstreams, complainOfValue, noteTarget, readTold)
  const routes = readRoutes(
    structure.routes,
    structure,
    complainOfValue,
    readTold,
    input.checkRoutes,
    authentication.authenticators,
    new Map(upstreams.map((upstream) => [upstream.name, upstream])),
  )
  if ('routes' in data && !('upstreams' in data))
    complain(['routes'], 'routes lead to upstreams, of which there are none: add the key "upstreams"', 'key')
  if ('authenticators' in data && !('routes' in data))
    complain(['authenticators'], 'no route asks for them: add the keys "routes" and "upstreams"', 'key')
  if ('credentials' in data && !('routes' in data))
    complain(['credentials'], 'no route uses them: add the keys "routes" and "upstreams"', 'key')
  if ('upstreams' in data && !('routes' in data))
    complain(['upstreams'], 'no route leads to an upstream: add the key "routes"', 'key')

  return {
    complete: true,
    settings: new Map(Object.entries(data).flatMap(([name, value]) => setting(name, value))),
    ...('routes' in data && { gateway: { upstreams, routes, ...edges } }),
    edges,
    targets,
    problems,
    files: path === '' ? resolved.files : [path, ...resolved.files],
    variables,
    locate: document.locate,
  }

  function setting(name: string, value: unknown): [SettingName, FileSetting][] {
    if (!isSetting(name)) return []
    const place = locateNearest([name])
    const written = references.get(JSON.stringify([name]))
    const fits = value !== undefined && !(Array.isArray(value) && value.includes(undefined))
    const raw = fits ? rawOf(value) : undefined
    const shown = written ?? raw ?? ''
    return [
      [
        name,
        { raw: raw !== undefined && name === 'secretFile' ? besideConfig(path, raw) : raw, shown, ...place },
      ],
    ]
  }
}

/** What is known of a configuration that could not be read at all. */
export function nothingRead(path: string, problems: readonly Problem[]): ConfigFile {
  return {
    complete: false,
    settings: new Map(),
    edges: {},
    targets: [],
    files: [path],
    variables: [],
    locate: () => undefined,
    problems,
  }
}

/** Values in which nothing refers to anything. */
function unreferenced(data: unknown): Resolved {
  return { data, references: new Map(), variables: [], files: [], problems: [] }
}

/** A value as a flag or a variable would have it. */
function rawOf(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  return Array.isArray(value) ? value.join(',') : String(value)
}

/** The text at a path, where there is one. */
function textAt(data: unknown, path: Path): string {
  let at = data
  for (const key of path) at = (at as Record<string | number, unknown> | undefined)?.[key]
  return typeof at === 'string' ? at : ''
}

function isSetting(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name) && name !== 'config'
}

function isMapping(data: unknown): data is Record<string, unknown> {
  return typeof data === 'object' && data !== null && !Array.isArray(data)
}
