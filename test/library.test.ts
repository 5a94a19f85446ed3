// signet as a library: what is in the package, that it compiles and runs in a project of its own, that importing it does
// nothing, and that its options are what configuration files may say. The page about it runs as it stands.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { optionsText } from '../scripts/option-types.ts'
import { SCHEMA } from '../src/config/schema.ts'
import { ConfigError } from '../src/errors.ts'
import { createProxy, type Proxy } from '../src/library.ts'
import type { Options } from '../src/library-options.ts'
import { VERSION } from '../src/version.ts'
import { makeCertificate } from './support/certificates.ts'
import { eventually, ok, RawUpstream, Wire, within } from './support/wire.ts'

/** Tests run from build/, beside src/ and docs/. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SECRET = 'ab'.repeat(64)
/** ms for npm and tsc */
const SLOW = 60_000

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

// ── the package ───────────────────────────────────────────────────────────────────────────────────────────────────

const pack = suite('library: package')
let project = ''
let packed: string[] = []
const children: ChildProcess[] = []

pack.before(() => {
  project = mkdtempSync(join(tmpdir(), 'signet-library-'))
  // Without scripts: dist/ is there already, and other tests are using it.
  const { stdout, stderr, status } = spawnSync(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--offline', '--pack-destination', project],
    { cwd: ROOT, encoding: 'utf8', timeout: SLOW },
  )
  assert.is(status, 0, stderr)
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  packed = files.map(({ path }) => path).sort()
  const modules = join(project, 'node_modules')
  mkdirSync(join(modules, 'signet'), { recursive: true })
  const tar = ['-xzf', join(project, filename), '--strip-components=1', '-C', join(modules, 'signet')]
  assert.is(spawnSync('tar', tar, { timeout: SLOW }).status, 0)
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  writeFileSync(join(project, 'package.json'), '{"type":"module"}')
})

pack.after.each(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await within(exit, 'the end of a process')
  }
})

pack.after(() => rmSync(project, { recursive: true, force: true }))

/** Runs a file of the project to its end. */
function run(name: string, text: string, env: Record<string, string> = {}) {
  writeFileSync(join(project, name), text)
  return spawnSync(process.execPath, [name], {
    cwd: project,
    encoding: 'utf8',
    timeout: 20_000,
    env: { PATH: process.env.PATH, ...env },
  })
}

pack('it holds what src/ compiles to, and what speaks of it: nothing else', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => `dist/${name.split(sep).join('/').slice(0, -3)}`)
  const meant = [
    ...sources.flatMap((name) => [`${name}.js`, `${name}.d.ts`]),
    ...['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', 'schema.json'],
  ]
  assert.equal(packed, meant.sort(), 'if dist/ has files of sources that are gone, remove dist/ and build')
})

pack('every path in exports is there', () => {
  const { exports } = JSON.parse(read('package.json')) as {
    exports: Record<string, string | Record<string, string>>
  }
  assert.equal(Object.keys(exports), ['.', './package.json', './schema.json'])
  for (const target of Object.values(exports).flatMap((one) =>
    typeof one === 'string' ? [one] : Object.values(one),
  ))
    assert.ok(packed.includes(target.slice(2)), target)
})

pack('importing it has no effect: no handle, no listener, no output, and the process ends', () => {
  const { stdout, stderr, status } = run(
    'import.mjs',
    `// What reads the files of modules is not the library's.
     const resources = () => process.getActiveResourcesInfo().filter((name) => !/^(FS|CloseReq)/.test(name))
     const look = () => JSON.stringify([process.eventNames(), process.stdout.eventNames(), Object.keys(globalThis), resources()])
     process.stderr.eventNames() // made when it is first looked at, as stdout is
     look()
     const before = look()
     const signet = await import('signet')
     const after = look()
     if (before !== after) throw new Error(before + after)
     process.exitCode = Object.keys(signet).join() === 'ConfigError,createProxy' ? 7 : 1`,
  )
  assert.equal([stdout, stderr, status], ['', '', 7])
})

pack('nothing but its entry can be imported', () => {
  const { status, stderr } = run('deep.mjs', "await import('signet/dist/proxy.js')")
  assert.is(status, 1)
  assert.match(stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/)
})

pack('it compiles in a strict project, and its types know what fits', () => {
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'es2022',
        lib: ['es2023'],
        types: ['node'],
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        noEmit: true,
        skipLibCheck: false,
      },
      files: ['typed.ts'],
    }),
  )
  writeFileSync(
    join(project, 'typed.ts'),
    `import { ConfigError, createProxy, type Middleware, type MiddlewareExchange, type Options, type Proxy } from 'signet'
const plain: Middleware = function* (exchange) { exchange.request.fields.set('a', 'b'); yield }
const named = async function* (exchange: MiddlewareExchange) {
  const body: Buffer = await exchange.request.body(100)
  exchange.respond({ status: 200, body })
  yield
  const status: number | undefined = exchange.response?.status
  exchange.state.status = status
}
const options: Options = {
  secret: 'ab', port: 0, compress: undefined as never, accessLog: false,
  upstreams: { a: 'http://a', b: ['http://b', { url: 'http://c', weight: 2 }], c: { targets: ['http://d'], balance: 'least-busy' } },
  routes: [{ upstream: 'a', compress: { minSize: 1 }, limit: { requests: 1, window: 1000 }, middleware: [plain, { phase: 'target-edge', run: named }] }],
  keys: { k: [{ algorithm: 'HS256', secret: 'a' }] },
  middleware: [named], logger: console, references: { env: process.env, readFile: () => '' },
}
// @ts-expect-error: no such word
const wrongWord: Options = { upstreams: { a: { targets: [], balance: 'any' } } }
// @ts-expect-error: an upstream is missing
const missing: Options = { routes: [{ path: '/' }] }
// @ts-expect-error: one process
const workers: Options = { workers: 2 }
// @ts-expect-error: no generator
const none: Middleware = async () => undefined
export async function main(): Promise<void> {
  const proxy: Proxy = createProxy(options)
  const { port } = await proxy.listen()
  const stay: readonly string[] = proxy.reload(options)
  console.log(port, stay, ConfigError.name, wrongWord, missing, workers, none)
  await proxy[Symbol.asyncDispose]()
}
`.replace(' compress: undefined as never,', ''),
  )
  const tsc = join(project, 'node_modules/typescript/bin/tsc')
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', project], {
    encoding: 'utf8',
    timeout: SLOW,
  })
  assert.is(stdout, '')
  assert.is(status, 0)
})

// ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** The blocks of the page that are files, by name. */
function files(): Map<string, string> {
  const blocks = read('docs/library.md').matchAll(/^```js\n\/\/ (\S+\.mjs)\n(.*?)^```$/gms)
  return new Map(Array.from(blocks, ([, name, text]) => [name!, text!]))
}

/** Starts a file of the page. @returns the first number in what it says, once `said` is in it */
async function start(name: string, said: RegExp, env: Record<string, string>) {
  writeFileSync(join(project, name), files().get(name)!)
  const child = spawn(process.execPath, [name], {
    cwd: project,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => {
      output += piece.toString()
    })
  await eventually(() => said.test(output) || child.exitCode !== null, `${said} of ${name}`)
  const [, number = ''] = said.exec(output) ?? assert.unreachable(output) ?? []
  return { child, number, output: () => output }
}

/** An origin, and what it was asked. */
async function origin(name: string) {
  const seen: { url: string | undefined; headers: Record<string, unknown> }[] = []
  const server = createServer(({ url, headers }, response) => {
    seen.push({ url, headers })
    response.writeHead(200, { 'Content-Type': 'text/plain' }).end(name)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { seen, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

pack('the page: hello.mjs', async () => {
  const { server, url, seen } = await origin('hello')
  const { number } = await start('hello.mjs', /listening on (\d+)/, { PORT: '0', UPSTREAM: url })
  const response = await fetch(`http://127.0.0.1:${number}/a`, { signal: AbortSignal.timeout(5000) })
  assert.is(await response.text(), 'hello')
  assert.match(response.headers.get('server-timing') ?? '', /^upstream;dur=\d+$/)
  assert.match(String(seen[0]?.headers['x-my-jwt']), /^ey/)
  server.closeAllConnections()
  server.close()
})

pack('the page: the tutorial', async () => {
  const added = spawnSync(
    process.execPath,
    [join(project, 'node_modules/signet/dist/main.js'), 'user', 'add', 'users', 'WAL001'],
    { cwd: project, input: 'wal001-wal001\n', encoding: 'utf8', timeout: 20_000 },
  )
  assert.is(added.status, 0, added.stderr)
  const [first, second] = [await freePort(), await freePort()]
  await start('targets.mjs', /contents listens[\s\S]*|transactions listens[\s\S]*contents/, {
    TRANSACTIONS_PORT: String(first),
    CONTENTS_PORT: String(second),
  })
  const gateway = await start('erp.mjs', /listening on (\d+)/, {
    PORT: '0',
    SIGNET_KEY: SECRET,
    SESSION_KEY: 'cd'.repeat(32),
    TRANSACTIONS_URL: `http://127.0.0.1:${first}`,
    CONTENTS_URL: `http://127.0.0.1:${second}`,
  })
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${gateway.number}${path}`, { ...init, signal: AbortSignal.timeout(5000) })
  const login = await ask('/login', {
    method: 'POST',
    body: '{"username":"WAL001","password":"wal001-wal001"}',
    headers: { 'Content-Type': 'application/json' },
  })
  const { token } = (await login.json()) as { token: string }
  const headers = { Authorization: `Bearer ${token}` }
  for (const [path, service, url] of [
    ['/shops/WAL001/transactions', 'transactions', '/shops/WAL001/transactions'],
    ['/shops/WAL001/contents/1', 'contents', '/shops/WAL001/contents/1'],
    ['/transactions?a=b', 'transactions', '/shops/WAL001/transactions?a=b'],
  ] as const) {
    const response = await ask(path, { headers: { ...headers, 'X-API-Key': 'guess', X_Tenant: 'other' } })
    assert.is(response.status, 200, path)
    assert.ok(response.headers.get('content-encoding'))
    assert.ok(response.headers.get('x-request-id'))
    const body = (await response.json()) as Record<string, unknown>
    assert.equal([body.service, body.url, body.tenant], [service, url, 'WAL001'])
  }
  assert.is((await ask('/shops/BBY001/transactions', { headers })).status, 403)
  assert.is((await ask('/shops/WAL001/transactions')).status, 401)
  await eventually(
    () => /contents\/1 200 \d+ ms\n[\s\S]*ERR_FORBIDDEN[\s\S]*ERR_UNAUTHENTICATED/.test(gateway.output()),
    'what timed has to say',
  )
  const exit = once(gateway.child, 'exit')
  gateway.child.kill('SIGTERM')
  assert.equal(await within(exit, 'the end of the gateway'), [0, null])
})

async function freePort(): Promise<number> {
  const { server } = await origin('')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

pack('the page: all else that is code compiles', () => {
  const blocks = [...read('docs/library.md').matchAll(/^```js\n(?!\/\/ \S+\.mjs)(.*?)^```$/gms)]
  assert.is(blocks.length, 2)
  for (const [, text] of blocks) {
    const { status, stderr } = run(
      'block.mjs',
      `async function* fromCookie() {}\nasync function* audit() {}\n${text}`,
    )
    assert.is(status, 0, stderr)
  }
})

pack.run()

// ── options ───────────────────────────────────────────────────────────────────────────────────────────────────────

const options = suite('library: options')
const open: { close(): Promise<void> }[] = []
options.after.each(async () => {
  for (const one of open.splice(0).reverse()) await within(one.close(), 'the end')
})

async function listen(given: Partial<Options> = {}) {
  const upstream = await RawUpstream.listen()
  const all = {
    port: 0,
    secret: SECRET,
    drainTimeout: 50,
    ...(given.upstreams ? {} : { upstream: `http://127.0.0.1:${upstream.port}` }),
    ...given,
  }
  const proxy = createProxy(all)
  open.push(upstream, proxy)
  const listening = await proxy.listen()
  return { upstream, proxy, all, ...listening }
}

async function answered(port: number): Promise<string> {
  const client = await Wire.connect(port)
  open.push({ close: async () => client.destroy() })
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  return (await client.message()).head
}

function problemsOf(given: unknown): readonly string[] {
  try {
    createProxy(given as Options)
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems
    throw thrown
  }
  throw new Error('it was taken')
}

options('src/options.ts is what the schema comes to: `npm run settings` writes it', () => {
  assert.is(read('src/options.ts'), optionsText(SCHEMA))
})

options('the version is that of package.json', () => {
  assert.is(VERSION, (JSON.parse(read('package.json')) as { version: string }).version)
})

const WRONG: readonly [given: object, ...problems: RegExp[]][] = [
  [{}, /^secret: a program has no demo secret/, /^upstream: there is no built-in echo/],
  [{ upstream: 'http://a', secret: 'abc' }, /^secret: /],
  [{ upstream: 'ftp://a', secret: SECRET }, /^upstream: found "ftp:\/\/a", expected http/],
  [
    { upstream: 'http://a', secret: SECRET, port: '80' },
    /^port: found "80", expected an integer from 0 to 65535/,
  ],
  [{ upstream: 'http://a', secret: SECRET, prot: 80 }, /^prot: no such key \(did you mean "port"\?\)/],
  [{ upstream: 'http://a', secret: SECRET, workers: 2 }, /^workers: middleware are functions/],
  [{ upstream: 'http://a', secret: SECRET, logLevel: 'info' }, /^logLevel: the logger that is given/],
  [
    { upstream: 'http://a', secret: SECRET, logger: { info() {} } },
    /^logger: expected an object with the methods/,
  ],
  [
    { upstream: 'http://a', secret: SECRET, references: { readFile() {} } },
    /^references: expected an object with env/,
  ],
  [
    { upstream: 'http://a', secretFile: 'key' },
    /^secretFile: .*files are read by references\.readFile alone/,
  ],
  [
    { upstream: 'http://a', secret: SECRET, middleware: [() => 0, 'a'] },
    /^middleware\[1\]: expected a generator function/,
  ],
  [{ upstream: 'http://a', secret: SECRET, middleware: {} }, /^middleware: expected a list/],
  [
    { upstream: 'http://a', secret: SECRET, middlewareTimeout: 0 },
    /^middlewareTimeout: expected an integer from 1/,
  ],
  [
    {
      secret: SECRET,
      upstreams: { a: 'http://a' },
      routes: [{ upstream: 'b', path: 'x', middleware: [{ run() {} }] }],
    },
    /^routes\[0\]\.middleware\[0\]: expected a phase/,
    /^routes\[0\]\.path: found "x", expected a path that begins with \//,
    /^routes\[0\]\.upstream: no upstream has this name/,
  ],
  [
    { upstream: 'http://a', secret: SECRET, tls: { certificate: 'file:a', key: 'file:b' } },
    /^tls\.certificate: /,
  ],
  [{ upstream: '$' + '{UPSTREAM}', secret: SECRET }, /^upstream: found "\$\{UPSTREAM\}"/],
]

for (const [given, ...problems] of WRONG) {
  options(`refused at once: ${JSON.stringify(given).replaceAll(SECRET, '…')}`, () => {
    const found = problemsOf(given)
    for (const problem of problems)
      assert.ok(
        found.some((text) => problem.test(text)),
        found.join('\n'),
      )
    for (const text of found) assert.not.match(text, new RegExp(SECRET))
  })
}

options('what is no object is refused as such', () => {
  for (const given of [undefined, null, 'text', 1])
    assert.equal(problemsOf(given), ['options: expected an object'])
})

options('every type of the options can be imported by its name', () => {
  const names = Array.from(read('src/options.ts').matchAll(/^export interface (\w+)/gm), ([, name]) => name)
  assert.ok(names.length > 10)
  const exported = /export type \{([^}]*)\} from '\.\/options\.ts'/.exec(read('src/index.ts'))?.[1]
  assert.equal(exported?.match(/\w+/g), names.sort())
})

options('what is nested without an end is refused', () => {
  const endless: Record<string, unknown> = {}
  endless.endless = endless
  assert.ok(
    problemsOf({ upstream: 'http://a', secret: SECRET, keys: endless }).some((text) =>
      /nested too deeply/.test(text),
    ),
  )
})

options('options stay as they were given', () => {
  const run = function* () {}
  const given = Object.freeze({
    secret: SECRET,
    upstreams: { a: 'http://127.0.0.1:1' },
    routes: [Object.freeze({ upstream: 'a', limit: undefined, middleware: Object.freeze([run]) })],
  })
  createProxy(given)
  assert.is(given.routes[0]!.middleware[0], run)
})

options('no environment is read, and no file, unless by references', async () => {
  process.env.SIGNET_PORT_OF_NOTHING = 'x'
  process.env.HTTP_PORT = 'x'
  try {
    const { upstream, port } = await listen({
      upstreams: { a: { targets: ['http://127.0.0.1:1'], fields: { 'X-Plain': '$' + '{HOME}' } } },
      routes: [{ upstream: 'a', path: '/none' }],
    })
    assert.ok(port > 0 && upstream.port > 0)
  } finally {
    delete process.env.SIGNET_PORT_OF_NOTHING
    delete process.env.HTTP_PORT
  }
  const { certificate, key } = await makeCertificate({ names: ['a.test'] })
  const readFile = (path: string) =>
    ({ 'a.crt': certificate, 'a.key': key, secret: SECRET })[path] ?? assert.unreachable(path) ?? ''
  const upstream = await RawUpstream.listen()
  const proxy = createProxy({
    port: 0,
    upstream: '$' + '{UPSTREAM}',
    secretFile: 'secret',
    tls: { certificate: 'file:a.crt', key: 'file:a.key' },
    references: { env: { UPSTREAM: `http://127.0.0.1:${upstream.port}` }, readFile },
  })
  open.push(upstream, proxy)
  assert.ok((await proxy.listen()).port > 0)
})

options('middleware of all routes stands outside of that of one, and each route has its own', async () => {
  const order: string[] = []
  const note = (name: string) =>
    function* () {
      order.push(name)
      yield
      order.push(`${name} after`)
    }
  const upstream = await RawUpstream.listen()
  const target = `http://127.0.0.1:${upstream.port}`
  upstream.serve(() => ok())
  const { port } = await listen({
    upstreams: { a: target, b: target },
    routes: [
      { upstream: 'a', path: '/other', middleware: [note('other')] },
      { upstream: 'b', middleware: [note('route')] },
    ],
    middleware: [note('all')],
  })
  open.push(upstream)
  await answered(port)
  assert.equal(order, ['all', 'route', 'route after', 'all after'])
})

options('a logger gets the lines; console will do', async () => {
  const lines: object[] = []
  const take = (line: object) => void lines.push(line)
  const { upstream, port } = await listen({ logger: { debug: take, info: take, warn: take, error: take } })
  upstream.serve(() => ok())
  await answered(port)
  await eventually(() => lines.length > 0, 'a line')
  const line = lines.find((one) => 'event' in one && one.event === 'exchange') as Record<string, unknown>
  assert.is(line.status, 200)
})

options(
  'a reload takes all options anew, says what only a start can change, and is refused whole',
  async () => {
    const { upstream, proxy, all, port } = await listen()
    upstream.serve(() => ok())
    const field = function* (exchange: {
      response: { fields: { set(name: string, value: string): void } } | undefined
    }) {
      yield
      exchange.response?.fields.set('X-New', 'yes')
    }
    assert.throws(
      () => proxy.reload({ ...all, user: '' }),
      (thrown: unknown) => thrown instanceof ConfigError,
    )
    assert.not.match(await answered(port), /x-new/i)
    assert.equal(proxy.reload({ ...all, middleware: [field], maxFields: 50 }), ['maxFields'])
    assert.match(await answered(port), /x-new: yes/i)
  },
)

options('it listens once, and closes as often as asked', async () => {
  const { proxy, all, port } = await listen()
  await rejects(proxy.listen(), /listens once/)
  await Promise.all([proxy.close(), proxy.close()])
  await proxy[Symbol.asyncDispose]()
  assert.throws(() => proxy.reload(all), /only what listens/)
  await rejects(proxy.listen(), /listens once/)
  await rejects(Wire.connect(port), /./)

  const early = createProxy(all)
  const listening = early.listen()
  assert.throws(() => early.reload(all), /only what listens/)
  await listening
  assert.equal(early.reload(all), [])
  await early.close()

  const unused = createProxy(all)
  assert.throws(() => unused.reload(all), /only what listens/)
  await unused.close()
  await rejects(unused.listen(), /listens once/)
})

options('a port that is taken is an error of listen, and closing it then is fine', async () => {
  const { port, all } = await listen()
  const other: Proxy = createProxy({ ...all, port })
  await rejects(other.listen(), /EADDRINUSE/)
  await other.close()
})

async function rejects(promise: Promise<unknown>, message: RegExp): Promise<void> {
  try {
    await promise
  } catch (thrown) {
    assert.match(thrown instanceof AggregateError ? String(thrown.errors) : String(thrown), message)
    return
  }
  assert.unreachable(`expected ${message}`)
}

options.run()
