// The shape of the repository: who imports whom, what is depended on, and what must stay true of the files that start,
// build and describe signet.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findViolations, packagesOf, type Sources } from '../scripts/layers.ts'

/** The repository: the nearest folder above this file that has a package.json. */
const ROOT = rootAbove(dirname(fileURLToPath(import.meta.url)))

function rootAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootAbove(dirname(folder))
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

function readSources(): Sources {
  const names = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  const typescript = names.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  return new Map(typescript.map((name) => [name.split(sep).join('/'), read(join('src', name))]))
}

const layers = suite('layers')

layers('src/ keeps to its layers', () => {
  const sources = readSources()
  assert.ok(sources.size > 20, `found only ${sources.size} files`)
  assert.is(findViolations(sources).join('\n'), '')
})

layers('one process loads nothing of workers/: it is asked for by import() where there are several', () => {
  for (const [path, text] of readSources()) {
    if (path.startsWith('workers/') || path === 'commands/worker.ts') continue
    assert.not.match(text, /^import (?!type ).*workers\//m, path)
  }
  assert.match(read('src/commands/run.ts'), /await import\('\.\.\/workers\/workers\.ts'\)/)
})

layers('package.json depends at run time on what src/ imports, and on nothing else', () => {
  const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(read('package.json')) as {
    dependencies: Record<string, string>
    peerDependencies: Record<string, string>
    peerDependenciesMeta: Record<string, { optional: boolean }>
  }
  const optional = Object.keys(peerDependencies)
  assert.equal([...Object.keys(dependencies), ...optional].sort(), packagesOf(readSources()))
  for (const name of optional) {
    assert.ok(peerDependenciesMeta[name]?.optional, name)
    const loaded = [...readSources().values()].flatMap(
      (text) => text.match(new RegExp(`^import (?!type ).*'${name}'`, 'm')) ?? [],
    )
    assert.equal(loaded, [], `${name} is loaded by import() alone`)
  }
})

/** What a file imports from beside it or above, as paths below the repository. */
function importsOf(path: string): string[] {
  const found = read(path).matchAll(/(?:\bfrom|\bimport)[\s(]+'(\.[^']+)'/g)
  return [...found].map(([, to]) => join(dirname(path), to!).split(sep).join('/'))
}

/** Files of the conformance suite that read and judge: all but its tests of time, the differential test and what starts it. */
const JUDGES = /^(?!.*\.test\.ts$)(?!(time-|differential|fuzz|run\.|signet-reader|groups))/

layers('what judges signet shares no code with it: only the differential test reads by signet itself', () => {
  const folder = 'test/conformance'
  const names = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.ts'))
  const judges = names.filter((name) => JUDGES.test(name))
  for (const name of ['judge.ts', 'strict-parser.ts', 'strict-response.ts', 'meaning.ts', 'run-responses.ts'])
    assert.ok(judges.includes(name), name)
  const reached = new Set(judges.map((name) => `${folder}/${name}`))
  for (const path of reached) {
    for (const imported of importsOf(path)) {
      assert.not.match(imported, /^src\//, `${path} imports ${imported}`)
      reached.add(imported)
    }
  }
  const readers = names.filter((name) => importsOf(`${folder}/${name}`).some((to) => to.startsWith('src/')))
  assert.equal(readers, ['signet-reader.ts'])
})

// ---- Each rule bites: one broken file each, beside files that are in order.

const FINE: Record<string, string> = {
  'errors.ts': 'export class ProxyError extends Error {}',
  'http/fields.ts': "import { ProxyError } from '../errors.ts'\nexport const fields = new Set(['a'])",
  'jwt/mint.ts': "import { hash } from 'node:crypto'\nexport const mint = new Date(0)",
  'net/pool.ts':
    "import { connect } from 'node:net'\nimport { fields } from '../http/fields.ts'\nexport class Pool {}",
  'net/upstream.ts': "import { Pool } from './pool.ts'\nsetTimeout(() => {}, 1)",
  'admin/status.ts': "import type { Pool } from '../net/pool.ts'\nimport { Registry } from 'prom-client'",
  'config.ts': "import type { Origin } from './http/fields.ts'\nexport type T = { process: 1; console: 2 }",
  'exchange-record.ts': "import type { ProxyError } from './errors.ts'",
  'exchange.ts': "import { Pool } from './net/pool.ts'\nimport type { Minted } from './jwt/mint.ts'",
  'log.ts': "import pino from 'pino'\nimport type { ExchangeRecord } from './exchange-record.ts'",
  'proxy.ts': "import './exchange.ts'\nexport const clock = () => performance.now()",
  'workers/workers.ts': "import cluster from 'node:cluster'\nimport type { Config } from '../config.ts'",
  'commands/run.ts': "import type { Socket } from 'node:net'\nimport '../proxy.ts'\nprocess.exit()",
  'main.ts': "const { run } = await import('./commands/run.ts')\nprocess.exitCode = 1",
}

function violationsWith(path: string, text: string): string[] {
  return findViolations(new Map(Object.entries({ ...FINE, [path]: text })))
}

layers('files in order break no rule', () =>
  assert.equal(violationsWith('errors.ts', FINE['errors.ts']!), []),
)

const BROKEN: [path: string, text: string, violation: string][] = [
  ['errors.ts', "import './http/fields.ts'", 'errors may not import http'],
  ['http/a.ts', "import '../net/pool.ts'", 'http may not import net'],
  ['http/a.ts', "import type { Pool } from '../net/pool.ts'", 'http may not import net'],
  ['http/a.ts', "export type Pool = import('../net/pool.ts').Pool", 'http may not import net'],
  ['jwt/a.ts', "import '../http/fields.ts'", 'jwt may not import http'],
  ['net/a.ts', "import '../jwt/mint.ts'", 'net may not import jwt'],
  ['net/a.ts', "export const load = () => import('../jwt/mint.ts')", 'net may not import jwt'],
  ['net/a.ts', "import '../admin/status.ts'", 'net may not import admin'],
  ['admin/a.ts', "import { Pool } from '../net/pool.ts'", 'admin may not import net except by import type'],
  [
    'admin/a.ts',
    "import { type Pool } from '../net/pool.ts'",
    'admin may not import net except by import type',
  ],
  ['config.ts', "import { Pool } from './net/pool.ts'", 'config may not import net'],
  ['log.ts', "import './exchange.ts'", 'log may not import exchange'],
  ['exchange-record.ts', "import './errors.ts'", 'record may not import errors except by import type'],
  ['exchange.ts', "import './log.ts'", 'exchange may not import log'],
  ['exchange.ts', "import './proxy.ts'", 'exchange may not import proxy'],
  ['proxy.ts', "import './commands/run.ts'", 'proxy may not import commands'],
  ['commands/a.ts', "import '../main.ts'", 'commands may not import main'],
  ['workers/a.ts', "import '../proxy.ts'", 'workers may not import proxy except by import type'],
  ['workers/a.ts', "import '../commands/run.ts'", 'workers may not import commands'],
  ['commands/a.ts', "import cluster from 'node:cluster'", 'imports node:cluster, which belongs to workers/'],
  ['http/a.ts', "import './b.ts'", 'which is no file of src/'],
  ['http/a.ts', "import '../../scripts/layers.ts'", 'which is no file of src/'],
  ['other/a.ts', "import '../errors.ts'", 'is in no layer'],
  ['exchange.ts', "import { connect } from 'node:net'", 'imports node:net, which belongs to net/'],
  ['http/a.ts', "import type { Socket } from 'node:net'", 'imports node:net, which belongs to net/'],
  ['commands/a.ts', "import { connect } from 'node:net'", 'imports node:net, which belongs to net/'],
  ['net/a.ts', "import { connect } from 'net'", 'write node:net'],
  [
    'net/a.ts',
    "import * as llhttp from 'llhttp-wasm'",
    'imports llhttp-wasm, which belongs to http/parser.ts',
  ],
  ['commands/a.ts', "import { jwtVerify } from 'jose'", 'imports jose, which belongs to jwt/ and auth/'],
  ['proxy.ts', "import pino from 'pino'", 'imports pino, which belongs to log.ts'],
  ['proxy.ts', "import type { Logger } from 'pino'", 'imports pino, which belongs to log.ts'],
  ['proxy.ts', "import pretty from 'pino-pretty'", 'imports pino-pretty, which belongs to log.ts'],
  ['net/a.ts', "import { Counter } from 'prom-client'", 'imports prom-client, which belongs to admin/'],
  [
    'config.ts',
    "import { readFileSync } from 'node:fs'",
    'imports node:fs, which belongs to main.ts and commands/',
  ],
  ['jwt/a.ts', "import { open } from 'node:fs/promises'", 'imports node:fs/promises, which belongs to'],
  ['net/a.ts', "import { env } from 'node:process'", 'imports node:process, which belongs to'],
  ['net/a.ts', "import 'left-pad'", 'imports left-pad, which has no owner'],
  ['jwt/a.ts', 'export const key = process.env.KEY', 'uses process, which belongs to'],
  ['jwt/a.ts', 'export const key = globalThis.process.env.KEY', 'uses process, which belongs to'],
  ['net/a.ts', 'export const { env } = process', 'uses process, which belongs to'],
  ['proxy.ts', 'export const all = { process }', 'uses process, which belongs to'],
  ['net/a.ts', "console.log('here')", 'uses console, which belongs to nobody'],
  ['http/a.ts', 'export const date = () => Date.now()', 'reads the clock'],
  ['jwt/a.ts', 'export const date = () => new Date()', 'reads the clock'],
  ['http/a.ts', 'export const later = (f: () => void) => setTimeout(f, 1)', 'but http has no clock'],
  ['jwt/a.ts', 'export const now = performance.now', 'but jwt has no clock'],
  ['net/a.ts', 'export default class Pool {}', 'has a default export'],
  ['net/a.ts', 'const pool = 1\nexport default pool', 'has a default export'],
  ['net/a.ts', 'const pool = 1\nexport { pool as default }', 'has a default export'],
  ['net/a.ts', "export { Pool } from './pool.ts'", 'exports the names of another file'],
  ['net/a.ts', "export * from './pool.ts'", 'exports the names of another file'],
  ['net/index.ts', 'export const a = 1', 'is a barrel'],
  ['net/a.ts', 'let count = 0', 'has module-level state'],
  ['net/a.ts', 'export let count = 0', 'has module-level state'],
  ['net/a.ts', 'var count = 0', 'has module-level state'],
  ['net/a.ts', 'const pools = new Map<string, number>()', 'has module-level state'],
  ['net/a.ts', 'const waiting: number[] = []', 'has module-level state'],
  ['net/pool.ts', "import './upstream.ts'", 'net/pool.ts → net/upstream.ts → net/pool.ts is a circle'],
  ['net/pool.ts', "export const load = () => import('./upstream.ts')", 'is a circle'],
  ['net/a.ts', "import './a.ts'", 'net/a.ts → net/a.ts is a circle'],
  [
    'net/pool.ts',
    "import type { Upstream } from './upstream.ts'",
    'net/pool.ts → net/upstream.ts → net/pool.ts is a circle',
  ],
]

for (const [path, text, violation] of BROKEN) {
  layers(`${path} must not say ${text.replaceAll('\n', '; ')}`, () => {
    const found = violationsWith(path, text) // what goes against the order of layers closes a circle as well
    assert.ok(
      found.some((sentence) => sentence.startsWith(path) && sentence.includes(violation)),
      found.join('\n'),
    )
  })
}

const ALLOWED: [path: string, text: string][] = [
  ['http/a.ts', '// process.env, console.log and setTimeout in a comment'],
  ['http/a.ts', "export const say = 'process.env' + `console`"],
  ['net/a.ts', 'export function f(options: { process: 1 }) { let a = 0; return a + options.process }'],
]

for (const [path, text] of ALLOWED) {
  layers(`${path} may say ${text.replaceAll('\n', '; ')}`, () => {
    assert.equal(findViolations(new Map(Object.entries({ ...FINE, [path]: text }))), [])
  })
}

layers.run()

// ---- What starts, builds and describes signet

const files = suite('layers: files')

const withReadme = existsSync(join(ROOT, 'README.md')) ? files : files.skip

withReadme('the settings in README.md are those of the table', () => {
  const script = fileURLToPath(new URL(`../scripts/settings${extname(import.meta.url)}`, import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 20_000,
  })
  assert.is(status, 0, stderr)
})

const LOCKS = ['package-lock.json', 'docker/loadtest/package-lock.json']

for (const lock of LOCKS) {
  files(`${lock} installs from any registry: it names none`, () => {
    const { packages } = JSON.parse(read(lock)) as { packages: Record<string, object> }
    assert.ok(Object.keys(packages).length > 10)
    for (const [name, entry] of Object.entries(packages)) assert.not.ok('resolved' in entry, name)
  })
}

files('package-lock.json has the linter for every platform, without which npm ci refuses the file', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>
  }
  for (const { optionalDependencies = {} } of Object.values(packages))
    for (const name of Object.keys(optionalDependencies)) assert.ok(`node_modules/${name}` in packages, name)
})

files('the load test has the same autocannon as the benches', () => {
  const versionIn = (lock: string) =>
    (JSON.parse(read(lock)) as { packages: Record<string, { version: string }> }).packages[
      'node_modules/autocannon'
    ]?.version
  assert.is(versionIn('docker/loadtest/package-lock.json'), versionIn('package-lock.json'))
})

/** Instructions of the Dockerfile, without comments, each on one line. */
function instructions(): string[] {
  const text = read('Dockerfile')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
  return text.split('\n').filter((line) => line.trim() !== '')
}

files('the Dockerfile keeps to what the classic builder understands', () => {
  assert.not.match(read('Dockerfile'), /^#\s*(syntax|escape|check)\s*=/im)
  for (const line of instructions()) {
    assert.not.match(line, /^RUN\s+--/i, line) // --mount, --network, --security
    assert.not.match(line, /<<-?["']?\w/, line) // heredoc
    assert.not.match(line, /^(COPY|ADD)\s.*--(link|chmod|parents|exclude|checksum|keep-git-dir)/i, line)
    assert.not.match(line, /^HEALTHCHECK\s.*--start-interval/i, line)
    assert.not.match(line, /^FROM\s.*--platform/i, line)
    assert.not.match(line, /\$\{?(BUILDPLATFORM|TARGETPLATFORM|TARGETARCH)/, line)
  }
})

files('the last stage of the Dockerfile builds nothing and is no place for root', () => {
  const all = instructions()
  const last = all.slice(all.findLastIndex((line) => /^FROM\s/i.test(line)))
  const value = (instruction: string) =>
    last.filter((line) => line.startsWith(`${instruction} `)).at(-1) ?? ''
  assert.match(last[0]!, /^FROM node:26-bookworm-slim\b/)
  assert.is(last.filter((line) => /^(RUN|ADD)\s/i.test(line)).join('\n'), '')
  assert.match(value('USER'), /^USER [1-9]\d*(:[1-9]\d*)?$/)
  assert.match(value('HEALTHCHECK'), /CMD \["node", "dist\/main\.js", "health"\]$/)
  assert.match(value('ENTRYPOINT'), /^ENTRYPOINT \[/)
  assert.is(value('STOPSIGNAL'), 'STOPSIGNAL SIGTERM')
})

const withSecurity = existsSync(join(ROOT, 'SECURITY.md')) ? files : files.skip

withSecurity('every promise in SECURITY.md names the groups and tests that hold it, and they exist', () => {
  const [, table = ''] = read('SECURITY.md').split('\n| --- | --- | --- |\n')
  const rows = table.split('\n\n')[0]!.split('\n')
  assert.ok(rows.length > 10)
  for (const row of rows) {
    const holders = row.split('|').at(-2)!
    const tests = [...holders.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
    for (const name of tests) {
      const found = [`test/${name}.test.ts`, `test/conformance/${name}.test.ts`].some((path) =>
        existsSync(join(ROOT, path)),
      )
      assert.ok(found, `${name}, in ${row}`)
    }
    const rest = holders.replace(/`[^`]+`|[ ,;()]/g, '')
    assert.match(rest, /^((conformance)?groups?[1-7](–?[1-7])*)?$/, row)
    assert.ok(tests.length > 0 || rest !== '', row)
  }
})

files('the image says which version of signet is in it', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  assert.match(read('Dockerfile'), `org.opencontainers.image.version="${version}"`)
})

const COMPOSE_FILES = [
  'docker-compose.yml',
  'examples/erp/docker-compose.yml',
  'examples/oauth2/docker-compose.yml',
]

for (const path of COMPOSE_FILES) {
  files(`${path} keeps to what Compose v2 and docker-compose 1.29 both understand`, () => {
    const text = read(path).replace(/^\s*#.*\n/gm, '')
    const lines = text.split('\n')
    assert.not.match(text, /^(version|name|include|configs):/m)
    for (const key of [
      'develop',
      'start_period',
      'start_interval',
      'attach',
      'provenance',
      'required',
      'post_start',
    ])
      assert.not.match(text, new RegExp(`^\\s+${key}:`, 'm'))
    for (const line of lines) {
      assert.not.match(
        line,
        /^\s+[A-Z][A-Z0-9_]*: *(true|false|yes|no|on|off|[\d.]+)\s*$/,
        `quote the value: ${line}`,
      )
      assert.not.match(line, /\t|!reset|!override/, line)
    }
    assert.match(
      text,
      /^ {2}(?:proxy|signet|webapp):\n(?: {4}.*\n)*? {4}healthcheck:\n(?: {6}.*\n)*? {6}interval: 1s\n/m,
    )
  })
}

files.run()
