// The programs of the system that the comparison uses where they are installed: where each is, and in which version.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A program that is there. */
export interface Found {
  readonly path: string
  readonly version: string
}

/** A program, and what brings it. */
export interface Program {
  /** Debian packages */
  readonly packages: readonly string[]
  readonly found: Found | undefined
}

/** Servers are in folders that are not always in PATH. */
const FOLDERS = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/usr/bin']

const nginx = find('nginx', ['-v'], /nginx\/([\d.]+)/)

/** All of them; `found` is looked up once, when the comparison starts. */
export const PROGRAMS = {
  haproxy: { packages: ['haproxy'], found: find('haproxy', ['-v'], /version ([\d.]+)/i) },
  nginx: { packages: ['nginx'], found: nginx },
  njs: { packages: ['nginx', 'libnginx-mod-http-js'], found: findNjs() },
  wrk: { packages: ['wrk'], found: find('wrk', ['-v'], /^wrk \D*([\d.]+)/) },
  aiohttp: { packages: ['python3-aiohttp', 'python3-jwt', 'python3-uvloop'], found: findAiohttp() },
} as const satisfies Record<string, Program>
export type ProgramName = keyof typeof PROGRAMS

/** The line that installs what these programs need. */
export function installLine(names: readonly ProgramName[]): string {
  const packages = new Set(names.flatMap((name) => PROGRAMS[name].packages))
  return `apt-get install ${[...packages].join(' ')}`
}

function find(name: string, argv: readonly string[], version: RegExp): Found | undefined {
  const path = FOLDERS.map((folder) => join(folder, name)).find((file) => existsSync(file))
  return path === undefined ? undefined : ask(path, argv, version)
}

function ask(path: string, argv: readonly string[], version: RegExp): Found | undefined {
  const { stdout, stderr } = spawnSync(path, argv, { encoding: 'utf8', timeout: 10_000 })
  const found = version.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[1]
  return found === undefined ? undefined : { path, version: found }
}

/** njs is a module that nginx loads; `path` is the module's. */
function findNjs(): Found | undefined {
  if (nginx === undefined) return undefined
  const built = spawnSync(nginx.path, ['-V'], { encoding: 'utf8', timeout: 10_000 }).stderr
  const folder = /--modules-path=(\S+)/.exec(built)?.[1] ?? join(dirname(nginx.path), '../lib/nginx/modules')
  const path = join(folder, 'ngx_http_js_module.so')
  if (!existsSync(path)) return undefined
  const asked = ask('dpkg-query', ['-W', '-f', '$' + '{Version}', 'libnginx-mod-http-js'], /^([\d.]+)/)
  return { path, version: asked?.version ?? 'of unknown version' }
}

/** Debian's packages belong to Debian's python3, which need not be the first in PATH. */
function findAiohttp(): Found | undefined {
  const script = [
    'import platform, importlib.util, aiohttp, jwt',
    'loop = " with uvloop" if importlib.util.find_spec("uvloop") else ""',
    'print("found", aiohttp.__version__, "with PyJWT", jwt.__version__, "on Python", platform.python_version() + loop)',
  ].join('\n')
  for (const python of ['python3', '/usr/bin/python3']) {
    const found = ask(python, ['-c', script], /^found (.*)/m)
    if (found !== undefined) return found
  }
  return undefined
}
