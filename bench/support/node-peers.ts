// The Node proxies to compare with: packages of bench/package.json, and no dependencies of signet.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { inRoot } from './paths.ts'

/** The version of a package in bench/node_modules, or undefined when it is not there. */
export function installedVersion(name: string): string | undefined {
  const file = inRoot('bench', 'node_modules', name, 'package.json')
  if (!existsSync(file)) return undefined
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** Fetches them for the first run, when one of these packages is missing. */
export function installPeers(packages: readonly string[]): void {
  if (packages.every((name) => installedVersion(name) !== undefined)) return
  console.error('installing the proxies to compare with: npm ci in bench/')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: inRoot('bench'),
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) console.error('npm ci did not succeed')
}
