// `signet schema`: the JSON Schema of configuration files, for editors. In: nothing. Out: the schema on stdout.

import { parseArgs } from 'node:util'
import { SCHEMA } from '../config/schema.ts'
import type { Output } from './echo.ts'

const USAGE = `Usage: signet schema

Prints the JSON Schema (2020-12) of configuration files. Editors complete and check a YAML file that begins with
# yaml-language-server: $schema=PATH

  -h, --help  this text
`

const EXIT_USAGE = 2

/** The schema as text, as it is published in schema.json. */
export function schemaText(): string {
  return `${JSON.stringify(SCHEMA, undefined, 2)}\n`
}

/**
 * `signet schema`.
 *
 * @param argv arguments after `schema`
 * @returns the exit code: 0, or 2 for wrong usage
 */
export function runSchema(
  argv: readonly string[],
  { stdout, stderr }: { readonly stdout: Output; readonly stderr: Output },
): number {
  try {
    const { values } = parseArgs({ args: [...argv], options: { help: { type: 'boolean', short: 'h' } } })
    stdout.write(values.help ? USAGE : schemaText())
    return 0
  } catch (error) {
    stderr.write(`signet schema: ${(error as Error).message}\n\n${USAGE}`) // parseArgs throws nothing but TypeErrors
    return EXIT_USAGE
  }
}
