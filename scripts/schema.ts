// schema.json. In: the schema in src/config/schema.ts. Out: with --write that file; with --check exit code 1 unless it is up
// to date. Run at the root of the repository, where schema.json is.

import { readFileSync, writeFileSync } from 'node:fs'
import { schemaText } from '../src/commands/schema.ts'

const [mode, ...rest] = process.argv.slice(2)
if (rest.length > 0 || (mode !== '--write' && mode !== '--check')) {
  fail(2, 'usage: schema --write | --check')
} else if (mode === '--write') {
  writeFileSync('schema.json', schemaText())
} else if (published() !== schemaText()) {
  fail(1, 'schema.json is out of date: run this with --write')
}

function published(): string | undefined {
  try {
    return readFileSync('schema.json', 'utf8')
  } catch {
    return undefined // missing is as bad as old
  }
}

function fail(code: number, message: string): void {
  process.stderr.write(`${message}\n`)
  process.exitCode = code
}
