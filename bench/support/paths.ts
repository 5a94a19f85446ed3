// Where things are, whatever the working directory and the folder this was compiled to.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of signet's package.json, above this file. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)))

function findRoot(folder: string): string {
  const file = join(folder, 'package.json')
  if (existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name: string }).name === 'signet')
    return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('not inside the signet package')
  return findRoot(parent)
}

/** A file of the package as it is in the repository. */
export function inRoot(...path: string[]): string {
  return join(ROOT, ...path)
}

/** The compiled form of a bench program, such as `endpoints/upstream`: beside this file's folder. */
export function program(name: string): string {
  return fileURLToPath(new URL(`../${name}.js`, import.meta.url))
}

/** The proxy as it is shipped. @throws when it was not built */
export function signetMain(): string {
  const file = inRoot('dist', 'main.js')
  if (!existsSync(file)) throw new Error('dist/main.js is missing: run `npx tsc -p tsconfig.json` first')
  return file
}
