// src/options.ts. In: the schema in src/config/schema.ts. Out: with --write that file; with --check exit code 1 unless it is up
// to date. Run at the root of the repository.

import { readFileSync, writeFileSync } from 'node:fs'
import { SCHEMA } from '../src/config/schema.ts'
import { optionsText } from './option-types.ts'

const PATH = 'src/options.ts'

const [mode, ...rest] = process.argv.slice(2)
if (rest.length > 0 || (mode !== '--write' && mode !== '--check')) {
  fail(2, 'usage: options --write | --check')
} else if (mode === '--write') {
  writeFileSync(PATH, optionsText(SCHEMA))
} else if (readFileSync(PATH, 'utf8') !== optionsText(SCHEMA)) {
  fail(1, `${PATH} is out of date: run this with --write`)
}

function fail(code: number, message: string): void {
  process.stderr.write(`${message}\n`)
  process.exitCode = code
}
