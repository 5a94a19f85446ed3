// The files that a bench writes for the programs it starts: in one folder, which goes when the bench ends.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A folder of its own under the system's temporary one. */
export class Scratch {
  readonly #folder = mkdtempSync(join(tmpdir(), 'signet-bench-'))

  constructor() {
    process.on('exit', () => rmSync(this.#folder, { recursive: true, force: true }))
  }

  /** A new folder in it. */
  folder(name: string): string {
    const path = join(this.#folder, name)
    mkdirSync(path, { recursive: true })
    return path
  }

  /** Fills a template in and writes it. @returns its path */
  write(name: string, template: string, values: Values): string {
    const path = join(this.#folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, fill(readFileSync(template, 'utf8'), values), { mode: 0o600 })
    return path
  }
}

/** What stands for each `{{name}}` of a template. */
export type Values = Readonly<Record<string, string | number>>

/**
 * Puts values into a template.
 *
 * @throws when the template names one that is not there
 */
export function fill(template: string, values: Values): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_all, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`the template names {{${name}}}, which has no value`)
    return String(value)
  })
}
