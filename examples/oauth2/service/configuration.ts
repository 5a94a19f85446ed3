// What a service goes by. In: defaults, the file of the environment it runs in, variables. Out: all of it, checked, or every
// problem at once: what is wrong, where, and what to do.

import { compileCheck, type Schema } from './check.ts'

/** Why a service cannot start. */
export class ConfigurationError extends Error {
  /** one sentence each */
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.name = 'ConfigurationError'
    this.problems = problems
  }
}

/** Environments that may have a file of their own. */
export const ENVIRONMENTS = ['production', 'stage', 'development', 'testing'] as const
/** One of {@link ENVIRONMENTS}. */
export type Environment = (typeof ENVIRONMENTS)[number]

/** Names each service's part of a configuration file: all share one file, and each reads its own part. */
const PARTS = ['webapp', 'authorizationServer', 'resourceServer', 'timeService'] as const

const FILE: Schema = {
  type: 'object',
  errorMessage: `an object with the keys ${PARTS.join(', ')}`,
  additionalProperties: false,
  properties: Object.fromEntries(
    PARTS.map((part) => [part, { type: 'object', errorMessage: 'an object' } as const]),
  ),
}

/** How one service is configured. */
export interface ConfigurationOptions<T> {
  readonly part: (typeof PARTS)[number]
  readonly defaults: T
  /** of the whole, all of whose properties are listed */
  readonly schema: Schema
  /** variable → the property that it overrides; a number where the schema wants one */
  readonly variables: Readonly<Record<string, keyof T & string>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** text of a file in UTF-8; throws as `node:fs` does */
  readonly readFile: (path: string) => string
}

/** A configuration, and where it comes from. */
export interface Configuration<T> {
  readonly values: T
  /** undefined: nobody named one, and there is nothing but defaults and variables */
  readonly environment: Environment | undefined
}

/**
 * The defaults, overridden by the file of the environment that `OAUTH2_ENVIRONMENT` names, then by variables. Files are
 * `<environment>.json` in the folder that `OAUTH2_CONFIGS` names. An environment that is named has to have its file: without
 * it, a production would run with the secrets that everybody knows.
 *
 * @throws {ConfigurationError} with every problem that was found
 */
export function loadConfiguration<T extends object>(options: ConfigurationOptions<T>): Configuration<T> {
  const { part, defaults, schema, variables, env, readFile } = options
  const environment = environmentOf(env.OAUTH2_ENVIRONMENT)
  const path = `${env.OAUTH2_CONFIGS || 'examples/oauth2/configs'}/${environment}.json`
  const fromFile = environment === undefined ? {} : readPart(path, part, readFile)
  const sources = new Map(Object.keys(fromFile).map((key) => [key, `${path}: ${part}.`]))
  const values: Record<string, unknown> = Object.fromEntries(
    [defaults, fromFile].flatMap((one) => Object.entries(one)),
  )
  for (const [variable, key] of Object.entries(variables)) {
    const text = env[variable]
    if (text === undefined || text === '') continue
    const wantsNumber = schema.properties?.[key]?.type === 'integer'
    values[key] = wantsNumber && /^\d{1,15}$/.test(text) ? Number(text) : text
    sources.set(key, `${variable}: `)
  }
  const checked = compileCheck<T>(schema)(values)
  if (checked.ok) return { values: checked.value, environment }
  throw new ConfigurationError(
    checked.misfits.map(({ path: at, reason }) => {
      const key = /^[^.[]*/.exec(at)![0]
      const source = sources.get(key) ?? `${part}.`
      return source.endsWith(': ') ? `${source}${reason}` : `${source}${at}: ${reason}`
    }),
  )
}

function environmentOf(name: string | undefined): Environment | undefined {
  if (name === undefined || name === '') return undefined
  const found = ENVIRONMENTS.find((one) => one === name)
  if (found !== undefined) return found
  const choices = ENVIRONMENTS.join(', ')
  throw new ConfigurationError([
    `OAUTH2_ENVIRONMENT: expected one of ${choices}, or nothing for the defaults`,
  ])
}

function readPart(path: string, part: string, readFile: (path: string) => string): object {
  let text: string
  try {
    text = readFile(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error) // what node:fs throws
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`
    throw new ConfigurationError([`${path}: ${why}; copy example.json to it and change what differs`])
  }
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // Not JSON.parse's own words: they quote the text, and there are secrets in it.
    throw new ConfigurationError([`${path}: it is not JSON; compare it with example.json`])
  }
  const checked = compileCheck<Record<string, object | undefined>>(FILE)(document)
  if (!checked.ok)
    throw new ConfigurationError(
      checked.misfits.map(({ path: at, reason }) => `${path}: ${at}${at && ': '}${reason}`),
    )
  return checked.value[part] ?? {}
}

/**
 * Secrets that everybody knows are for trying it out.
 *
 * @param known where they stand
 * @returns the same, to be warned of
 * @throws {ConfigurationError} where they would be relied upon
 */
export function refuseDemoSecrets(
  known: readonly string[],
  environment: Environment | undefined,
): readonly string[] {
  if (known.length > 0 && environment === 'production')
    throw new ConfigurationError(known.map((one) => `${one}: everybody knows the default; set your own`))
  return known
}
