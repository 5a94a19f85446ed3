// The settings section of README.md. In: the table in src/config.ts. Out: the section on stdout;
// with --write in README.md, between its markers; with --check exit code 1 unless it is there already.
// Run at the root of the repository, where README.md is.

import { readFileSync, writeFileSync } from 'node:fs'
import { settingsMarkdown } from '../src/config.ts'

const SECTION = /(?<=^<!-- settings -->\n).*?(?=^<!-- \/settings -->$)/ms

const [mode, ...rest] = process.argv.slice(2)
if (rest.length > 0 || (mode !== undefined && mode !== '--write' && mode !== '--check')) {
  fail(2, 'usage: settings [--write | --check]')
} else if (mode === undefined) {
  process.stdout.write(`${settingsMarkdown()}\n`)
} else {
  const readme = readFileSync('README.md', 'utf8')
  // A function, since `$` has a meaning in a replacement string.
  const updated = readme.replace(SECTION, () => `\n${settingsMarkdown()}\n\n`)
  if (!SECTION.test(readme)) fail(1, 'README.md has no lines <!-- settings --> and <!-- /settings -->')
  else if (mode === '--write') writeFileSync('README.md', updated)
  else if (updated !== readme) fail(1, 'the settings in README.md are out of date: run this with --write')
}

function fail(code: number, message: string): void {
  process.stderr.write(`${message}\n`)
  process.exitCode = code
}
