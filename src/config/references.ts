// Values that stand elsewhere: `${NAME}` in the environment, `file:path` in a file beside the configuration. In: the values
// of a document. Out: the same with what they refer to in their place; which they are, since those may be secrets.

import { dirname, isAbsolute, join } from 'node:path'
import { fileProblem, type Path } from './problems.ts'

/** Where references are looked up. */
export interface ReferenceSources {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string) => string
}

/** What became of the references. */
export interface Resolved {
  readonly data: unknown
  /** JSON of the path of each value that holds a reference → as it was written; nothing of what it refers to */
  readonly references: ReadonlyMap<string, string>
  /** names of the environment variables among them */
  readonly variables: readonly string[]
  /** paths of all files read, and of those that could not be */
  readonly files: readonly string[]
  readonly problems: readonly { readonly path: Path; readonly reason: string }[]
}

/** `$${`, `${NAME}`, or a `${` that has no end */
const REFERENCE = /\$\$\{|\$\{(?:([^{}]*)\})?/g

/**
 * Looks up all references. A value whose reference leads nowhere becomes `undefined`.
 *
 * @param configPath of the configuration file: relative paths begin in its folder
 */
export function resolveReferences(data: unknown, configPath: string, sources: ReferenceSources): Resolved {
  const references = new Map<string, string>()
  const variables: string[] = []
  const files: string[] = []
  const problems: { path: Path; reason: string }[] = []
  return { data: resolve(data, []), references, variables, files, problems }

  function resolve(value: unknown, path: Path): unknown {
    if (Array.isArray(value)) return value.map((item, at) => resolve(item, [...path, at]))
    if (typeof value === 'string') return resolveText(value, path)
    if (typeof value !== 'object' || value === null) return value
    const copy = Object.entries(value).map(([key, member]) => [key, resolve(member, [...path, key])])
    return Object.fromEntries(copy) // which defines its properties, `__proto__` too
  }

  function resolveText(written: string, path: Path): string | undefined {
    const fromFile = written.startsWith('file:')
    if (!fromFile && !written.includes('${')) return written
    references.set(JSON.stringify(path), written)
    const missing: string[] = []
    const text = written.replace(REFERENCE, (found, name: string | undefined) => {
      if (found === '$${') return '${'
      if (name !== undefined) variables.push(name)
      const value = name !== undefined && Object.hasOwn(sources.env, name) ? sources.env[name] : undefined
      if (value) return value
      missing.push(missingReason(name))
      return ''
    })
    if (missing.length > 0) {
      problems.push({ path, reason: missing.join('; ') })
      return undefined
    }
    if (!fromFile) return text
    const file = besideConfig(configPath, text.slice('file:'.length))
    files.push(file)
    try {
      return withoutLineEnd(sources.readFile(file))
    } catch (error) {
      // As it is written where a variable is in it: who takes a key for a path must not find it in the log.
      const shown = written === text ? file : written.slice('file:'.length)
      problems.push({
        path,
        reason: `the file ${JSON.stringify(shown)} cannot be read: ${fileProblem(error)}`,
      })
      return undefined
    }
  }
}

/** A path in the configuration file, as the process sees it. */
export function besideConfig(configPath: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(configPath), path)
}

function missingReason(name: string | undefined): string {
  if (name === undefined) return `a \${ without a }; write $\${ for these two characters themselves`
  if (!/^\w+$/.test(name)) return `\${ and } must enclose the name of an environment variable`
  return `the environment variable ${name} is not set`
}

/** White space may be part of a secret, save the newline that editors and `echo` end a file with. */
function withoutLineEnd(content: string): string {
  return content.replace(/\r?\n$/, '')
}
