// The settings: what each accepts and refuses, what wins over what, and the texts that derive from the table.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type Config,
  type ConfigInput,
  type Edges,
  helpText,
  parseFlags,
  readConfig,
  SETTINGS,
  type Setting,
  type SettingName,
  type Source,
  settingsMarkdown,
  UsageError,
} from '../src/config.ts'
import { ConfigError } from '../src/errors.ts'
import type { Origin } from '../src/http/gateway.ts'

const test = suite('config')

const ROWS = Object.entries(SETTINGS) as [SettingName, Setting<unknown>][]
const KEY = '0123456789abcdef'.repeat(8)
const INT = 'an integer from'
const MS = `${INT} 1 to 2147483647, in ms`
const ORIGIN =
  'http://host:port, https://host:port or unix:/path, and nothing after it, the host a DNS name, IPv4 or [IPv6]'
const METHODS = '* or a comma list of methods'
const PROTOCOLS = 'none or a comma list of protocols'
const HOST = 'an address or a host name, IPv6 without brackets'

function flagOf(name: SettingName): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function read(given: Partial<ConfigInput> = {}) {
  const readFile = (path: string): string => assert.unreachable(`read ${path}`) as never
  const { config, settings, files } = readConfig({ flags: {}, env: {}, readFile, ...given })
  const sources = ROWS.map(([name]) => [name, settings[name].source])
  const origins = Object.fromEntries(sources) as Record<SettingName, Source>
  return { config, settings, origins, files }
}

function problemsOf(given: Partial<ConfigInput>): readonly string[] {
  try {
    read(given)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

function usageErrorOf(argv: string[]): string {
  try {
    parseFlags(argv)
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return assert.unreachable('no UsageError') as never
}

// ---- Defaults and types

const DEFAULTS: Config = {
  port: 8080,
  host: '127.0.0.1',
  adminPort: undefined,
  upstream: undefined,
  upgrades: new Set(['websocket']),
  secretText: undefined,
  secretEncoding: 'hex',
  user: 'username',
  jwtHeader: 'x-my-jwt',
  jwtMethods: '*',
  maxHeadSize: 16_384,
  maxTargetSize: 8192,
  maxFields: 100,
  maxConnections: 10_000,
  poolSize: 256,
  poolQueue: 1024,
  maxCompressions: 128,
  headTimeout: 10_000,
  keepAliveTimeout: 60_000,
  bodyTimeout: 30_000,
  sendTimeout: 60_000,
  connectTimeout: 5000,
  poolTimeout: 5000,
  responseTimeout: 60_000,
  streamTimeout: 300_000,
  tunnelTimeout: 3_600_000,
  poolIdleTimeout: 4000,
  poolConnectionAge: 300_000,
  halfCloseTimeout: 2000,
  drainTimeout: 10_000,
  logLevel: 'info',
  accessLog: true,
  trace: false,
  config: undefined,
  workers: 1,
  readPath: 'shared',
  edges: {},
}

test('nothing given yields the default of every setting', () => {
  const { config, origins } = read()
  assert.equal(config, DEFAULTS)
  assert.equal(Object.keys(origins).sort(), Object.keys(SETTINGS).sort())
  for (const source of Object.values(origins)) assert.is(source, 'default')
})

test('the configuration is frozen', () => {
  const { config, settings } = read({ env: { SIGNET_UPSTREAM: 'https://a:1' } })
  for (const part of [config, config.upstream, config.upstream?.tls, settings])
    assert.ok(Object.isFrozen(part))
})

test('every environment variable names one setting', () => {
  assert.is(new Set(ROWS.map(([, row]) => row.env)).size, ROWS.length)
  for (const [, row] of ROWS) assert.match(row.env, /^(HTTP|SIGNET)(_[A-Z]+)+$/)
})

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
// Checked by the compiler: a row whose `read` gives another type breaks the build here.
const TYPES: [
  Same<Config['port'], number>,
  Same<Config['adminPort'], number | undefined>,
  Same<Config['upstream'], Origin | undefined>,
  Same<Config['upgrades'], ReadonlySet<string>>,
  Same<Config['secretText'], string | undefined>,
  Same<Config['secretEncoding'], 'hex' | 'base64url' | 'utf8'>,
  Same<Config['jwtMethods'], '*' | ReadonlySet<string>>,
  Same<Config['headTimeout'], number>,
  Same<Config['accessLog'], boolean>,
  Same<Config['logLevel'], 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'>,
  Same<Config['readPath'], 'shared' | 'events'>,
  Same<Config['edges'], Edges>,
  Same<Extract<keyof Config, 'secret' | 'secretFile'>, never>,
] = [true, true, true, true, true, true, true, true, true, true, true, true, true]

test('the type of each value is exact', () => {
  assert.ok(TYPES.every(Boolean))
})

// ---- Values that are accepted

type Accepted = [name: SettingName, raw: string, value: unknown, env?: Record<string, string>]

const integers: [SettingName, number, number][] = [
  ['port', 0, 65_535],
  ['adminPort', 0, 65_535],
  ['maxHeadSize', 1024, 262_144],
  ['maxTargetSize', 64, 262_144],
  ['maxFields', 1, 2000],
  ['maxConnections', 1, 1_000_000],
  ['poolSize', 1, 65_535],
  ['poolQueue', 0, 1_000_000],
  ['maxCompressions', 0, 65_535],
  ...ROWS.filter(([, row]) => row.group === 'deadlines').map(([name]): [SettingName, number, number] => [
    name,
    1,
    2_147_483_647,
  ]),
]

const WIDE = { SIGNET_MAX_HEAD_SIZE: '262144', SIGNET_MAX_TARGET_SIZE: '64' }

function socket(socketPath: string): Origin {
  return { host: `unix:${socketPath}`, port: 0, authority: 'localhost', socketPath }
}

const ACCEPTED: Accepted[] = [
  ...integers.flatMap(([name, min, max]): Accepted[] => [
    [name, String(min), min, WIDE],
    [name, String(max), max, WIDE],
  ]),
  ['host', '0.0.0.0', '0.0.0.0'],
  ['host', '::', '::'],
  ['host', 'fe80::1%eth0', 'fe80::1%eth0'],
  ['host', 'my-host_1.example', 'my-host_1.example'],
  ['upstream', 'http://app', { host: 'app', port: 80, authority: 'app' }],
  ['upstream', 'http://app/', { host: 'app', port: 80, authority: 'app' }],
  ['upstream', 'http://app:80', { host: 'app', port: 80, authority: 'app' }],
  ['upstream', 'http://app:1', { host: 'app', port: 1, authority: 'app:1' }],
  ['upstream', 'http://app:65535/', { host: 'app', port: 65_535, authority: 'app:65535' }],
  ['upstream', 'HTTP://App.Example:3000', { host: 'app.example', port: 3000, authority: 'app.example:3000' }],
  ['upstream', 'http://my_app-1.svc.', { host: 'my_app-1.svc.', port: 80, authority: 'my_app-1.svc.' }],
  ['upstream', 'http://10.0.0.1:81', { host: '10.0.0.1', port: 81, authority: '10.0.0.1:81' }],
  ['upstream', 'http://[::1]', { host: '::1', port: 80, authority: '[::1]' }],
  ['upstream', 'http://[2001:DB8::1]:81', { host: '2001:db8::1', port: 81, authority: '[2001:db8::1]:81' }],
  ['upstream', 'https://app', { host: 'app', port: 443, authority: 'app', tls: {} }],
  ['upstream', 'HTTPS://App:443/', { host: 'app', port: 443, authority: 'app', tls: {} }],
  ['upstream', 'https://app:80', { host: 'app', port: 80, authority: 'app:80', tls: {} }],
  ['upstream', 'https://[::1]:8443', { host: '::1', port: 8443, authority: '[::1]:8443', tls: {} }],
  ['upstream', 'unix:/run/app.sock', socket('/run/app.sock')],
  ['upstream', `unix:/${'a'.repeat(106)}`, socket(`/${'a'.repeat(106)}`)],
  ['upgrades', 'none', new Set()],
  ['upgrades', 'None', new Set()],
  ['upgrades', 'WebSocket, mqtt', new Set(['websocket', 'mqtt'])],
  ['secretEncoding', 'hex', 'hex'],
  ['secretEncoding', 'base64url', 'base64url'],
  ['secretEncoding', 'utf8', 'utf8'],
  ['user', 'u', 'u'],
  ['user', '🙂'.repeat(256), '🙂'.repeat(256)],
  ['jwtHeader', 'X-Identity', 'x-identity'],
  ['jwtHeader', "!#$%&'*+-.^_`|~09azAZ", "!#$%&'*+-.^_`|~09azaz"],
  ['jwtHeader', 'x-forward', 'x-forward'],
  ['jwtHeader', 'proxyish', 'proxyish'],
  ['jwtHeader', 'my-host', 'my-host'],
  ['jwtMethods', '*', '*'],
  ['jwtMethods', 'GET', new Set(['GET'])],
  ['jwtMethods', 'get ,Post,M-SEARCH', new Set(['GET', 'POST', 'M-SEARCH'])],
  ...['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((l): Accepted => ['logLevel', l, l]),
  ['accessLog', 'on', true],
  ['accessLog', 'off', false],
  ['trace', 'on', true],
  ['trace', 'off', false],
  ['workers', '1', 1],
  ['workers', '256', 256],
  ['workers', 'auto', Math.min(availableParallelism(), 256)],
  ['readPath', 'shared', 'shared'],
  ['readPath', 'events', 'events'],
]

for (const [name, raw, value, env] of ACCEPTED) {
  test(`${name} accepts ${raw.slice(0, 40)}`, () => {
    const { config, origins } = read({ env: { ...env, [SETTINGS[name].env]: raw } })
    assert.equal(config[name as keyof Config], value)
    assert.is(origins[name], 'environment')
  })
}

// ---- Values that are refused

type Refused = [name: SettingName, raw: string, expected: string, found?: string]

const REFUSED: Refused[] = [
  ...integers.flatMap(([name, min, max]): Refused[] => {
    const unit = ROWS.find(([other]) => other === name)?.[1].unit
    const expected = `${INT} ${min} to ${max}${unit ? `, in ${unit}` : ''}`
    const shapes = [
      String(min - 1),
      String(max + 1),
      'x',
      '1.5',
      '1e3',
      '0x10',
      ' 1',
      '+1',
      '10s',
      '9'.repeat(400),
    ]
    return shapes.map((raw): Refused => [name, raw, expected])
  }),
  ['headTimeout', '0', MS],
  ['host', '[::1]', HOST],
  ['host', 'a b', HOST],
  ['host', 'http://a', HOST],
  ['host', 'a'.repeat(256), HOST],
  ['upstream', `unix:/${'a'.repeat(107)}`, 'unix: and the path of a socket, at most 107 octets'],
  ['upstream', `unix:/${'ü'.repeat(54)}`, 'unix: and the path of a socket, at most 107 octets'],
  ...[
    'app',
    'app:3000',
    '//app',
    'ftp://app',
    'http:app',
    'http:/app',
    'http:\\\\app',
    'http://',
    'http://:80',
    'http://app:',
    'https://',
    'https://app/path',
    'https:app',
    'unix:',
    'unix:app.sock',
    'unix:/a\0b',
    'http://app:0',
    'http://app:65536',
    'http://app:x',
    'http://app:-1',
    'http://app/path',
    'http://app//',
    'http://app?',
    'http://app/?q',
    'http://app#',
    'http://a..b',
    'http://.a',
    'http://a b',
    'http://a\tb',
    ' http://app',
    'http://app\n',
    'http://%61pp',
    'http://bücher',
    `http://${'a'.repeat(64)}`,
    'http://256.1.1.1',
    'http://1.2.3.4.5',
    'http://::1',
    'http://[::1',
    'http://[]',
    'http://[1::2::3]',
    'http://[fe80::1%eth0]',
  ].map((raw): Refused => ['upstream', raw, ORIGIN]),
  ['upstream', 'http://me@app', ORIGIN, '***@app'],
  ['upstream', 'http://me:pass@app:80', ORIGIN, '***@app:80'],
  ['upstream', 'http://me:p@ss/w@app\n', ORIGIN, '***@app\n'],
  ['upstream', 'https://me:pass@app', ORIGIN, '***@app'],
  ['upgrades', 'none,websocket', PROTOCOLS],
  ['upgrades', 'websocket,', PROTOCOLS],
  ['upgrades', 'web socket', PROTOCOLS],
  ['upgrades', 'h2c', 'no h2c: it would open a tunnel past every check'],
  ['upgrades', 'websocket, H2C', 'no h2c: it would open a tunnel past every check'],
  ['secretFile', '/'.repeat(4097), '1 to 4096 characters'],
  ['secretEncoding', 'HEX', 'one of hex, base64url, utf8'],
  ['user', 'u'.repeat(257), '1 to 256 characters'],
  ...['x my', 'x:y', 'x\r\ny', 'ü', 'x(y)', 'x,y'].map((raw): Refused => ['jwtHeader', raw, 'a field name']),
  ...['Content-Length', 'transfer-encoding', 'trailer'].map(
    (raw): Refused => ['jwtHeader', raw, 'another field: message framing depends on it'],
  ),
  ...['Connection', 'te', 'upgrade', 'keep-alive', 'proxy-authorization', 'Proxy-Connection'].map(
    (raw): Refused => ['jwtHeader', raw, 'another field: it concerns one connection alone'],
  ),
  ...['Host', 'via', 'forwarded', 'X-Forwarded-For', 'x-forwarded-'].map(
    (raw): Refused => ['jwtHeader', raw, 'another field: routing depends on it'],
  ),
  ['jwtHeader', 'Expect', 'another field: when the body is sent depends on it'],
  ...['Authorization', 'cookie'].map(
    (raw): Refused => ['jwtHeader', raw, "another field: it carries the client's own credentials"],
  ),
  ...['GET,', ',', 'GET,,PUT', 'GET PUT', 'GET,*', '*,*', 'G(T'].map(
    (raw): Refused => ['jwtMethods', raw, METHODS],
  ),
  ['logLevel', 'verbose', 'one of fatal, error, warn, info, debug, trace, silent'],
  ['logLevel', 'INFO', 'one of fatal, error, warn, info, debug, trace, silent'],
  ['accessLog', 'true', 'one of on, off'],
  ['trace', 'true', 'one of on, off'],
  ...['0', '-1', '257', 'x', '1e3', '1.5', ' 1', 'Auto'].map(
    (raw): Refused => ['workers', raw, `auto or ${INT} 1 to 256`],
  ),
  ['readPath', 'fast', 'one of shared, events'],
]

for (const [name, raw, expected, found = raw] of REFUSED) {
  test(`${name} refuses ${JSON.stringify(raw.slice(0, 40))}, by flag and by variable`, () => {
    const problem = `found ${JSON.stringify(found)}, expected ${expected}`
    const { env } = SETTINGS[name]
    assert.equal(problemsOf({ env: { [env]: raw } }), [`${env}: ${problem}`])
    assert.equal(problemsOf({ flags: { [flagOf(name)]: raw } }), [`--${flagOf(name)}: ${problem}`])
  })
}

for (const [name, row] of ROWS) {
  test(`${name} refuses an empty flag`, () => {
    const [problem, ...others] = problemsOf({ flags: { [flagOf(name)]: '' } })
    assert.ok(problem?.startsWith(`--${flagOf(name)}: ${row.secret ? '' : 'found "", '}expected `), problem)
    assert.equal(others, [])
  })
}

test('every setting is in both tables of cases', () => {
  const elsewhere = ['secret', 'secretFile', 'config']
  for (const [name] of ROWS) {
    if (elsewhere.includes(name)) continue
    assert.ok(
      ACCEPTED.some(([other]) => other === name),
      `accepted: ${name}`,
    )
    assert.ok(
      REFUSED.some(([other]) => other === name),
      `refused: ${name}`,
    )
  }
})

// ---- Precedence

test('a flag wins over the environment, and the environment over the default', () => {
  const { config, origins } = read({
    flags: { port: '1', 'max-fields': '3' },
    env: { HTTP_PORT: '2', HTTP_HOST: '::1' },
  })
  assert.equal([config.port, config.host, config.maxFields, config.user], [1, '::1', 3, 'username'])
  assert.equal(
    [origins.port, origins.host, origins.maxFields, origins.user],
    ['flag', 'environment', 'flag', 'default'],
  )
})

test('a flag hides what is wrong with its variable', () => {
  assert.is(read({ flags: { port: '1' }, env: { HTTP_PORT: 'x' } }).config.port, 1)
})

test('an empty variable is unset, even one that no setting has', () => {
  const env = Object.fromEntries(ROWS.map(([, row]) => [row.env, '']))
  const { config, origins } = read({ env: { ...env, SIGNET_UPSTEAM: '', SIGNET_OTHER: undefined } })
  assert.equal(config, DEFAULTS)
  assert.is(origins.port, 'default')
})

// ---- The secret

const SECRETS: [content: string, encoding: string, secretText: string][] = [
  [`${KEY}\n`, 'hex', KEY],
  [` \t${KEY}\r\n\n`, 'hex', KEY],
  [`${KEY}\n`, 'base64url', KEY],
  ['pass phrase', 'utf8', 'pass phrase'],
  [' pass phrase \n', 'utf8', ' pass phrase '],
  ['pass phrase\r\n', 'utf8', 'pass phrase'],
  ['pass phrase\n\n', 'utf8', 'pass phrase\n'],
]

for (const [content, encoding, secretText] of SECRETS) {
  test(`the secret file ${JSON.stringify(content.slice(-13))} holds a key in ${encoding}`, () => {
    const env = { SIGNET_SECRET_FILE: '/run/key', SIGNET_SECRET_ENCODING: encoding, NODE_ENV: 'production' }
    const paths: string[] = []
    const readFile = (path: string) => {
      paths.push(path)
      return content
    }
    const { config, origins } = read({ env, readFile })
    assert.is(config.secretText, secretText)
    assert.equal(paths, ['/run/key'])
    assert.is(origins.secretFile, 'environment')
    assert.is(origins.secret, 'default')
  })
}

test('the secret is taken as it is from the flag or the variable', () => {
  assert.is(
    read({ env: { SIGNET_SECRET: ` ${KEY}\n`, NODE_ENV: 'production' } }).config.secretText,
    ` ${KEY}\n`,
  )
  assert.is(read({ flags: { secret: KEY }, env: { SIGNET_SECRET: 'other' } }).config.secretText, KEY)
})

test('the secret and the secret file exclude each other', () => {
  assert.equal(
    problemsOf({ flags: { 'secret-file': '/run/key' }, env: { SIGNET_SECRET: KEY }, readFile: () => KEY }),
    ['SIGNET_SECRET and --secret-file: found both, expected one of them'],
  )
})

test('a secret file must be readable and hold something', () => {
  const env = { SIGNET_SECRET_FILE: '/run/key', NODE_ENV: 'production' }
  const problem = 'SIGNET_SECRET_FILE: found "/run/key", expected a file with a key in it'
  const missing = () => {
    throw Object.assign(new Error('ENOENT, open /run/key'), { code: 'ENOENT' })
  }
  assert.equal(problemsOf({ env, readFile: missing }), [`${problem}: there is no such file`])
  assert.equal(problemsOf({ env, readFile: () => ' \n' }), [`${problem}: it is empty`])
  assert.equal(problemsOf({ env: { ...env, SIGNET_SECRET_ENCODING: 'utf8' }, readFile: () => '\n' }), [
    `${problem}: it is empty`,
  ])
})

test('the demo secret is refused in production', () => {
  const problem = 'the demo secret is refused in production: set SIGNET_SECRET or SIGNET_SECRET_FILE'
  assert.equal(problemsOf({ env: { NODE_ENV: 'production' } }), [problem])
  assert.equal(problemsOf({ env: { NODE_ENV: 'production', SIGNET_SECRET: '' } }), [problem])
  assert.equal(problemsOf({ env: { NODE_ENV: 'development' } }), [])
})

test('no secret is in any message', () => {
  const secret = 'hunter2'.repeat(10_000)
  const env = { SIGNET_SECRET: secret, SIGNET_SECRET_FILE: '/run/key', SIGNET_SECRT: secret, HTTP_PORT: 'x' }
  const messages = [
    ...problemsOf({ env, readFile: () => secret }),
    ...problemsOf({ flags: { secret }, env: { SIGNET_SECRET_ENCODING: 'x' } }),
    ...problemsOf({ env: { SIGNET_UPSTREAM: 'http://me:hunter2@app' } }),
    usageErrorOf(['--secrt=hunter2']),
    usageErrorOf(['--secrt', 'hunter2']),
    usageErrorOf(['--secret', 'my', 'hunter2']),
    usageErrorOf(['--secret', '-hunter2']),
    usageErrorOf(['--secret', 'hunter2', '--port']),
  ]
  assert.is(messages.length, 12)
  for (const message of messages) assert.not.match(message, 'hunter2')
})

// ---- Settings that contradict each other

test('a request-target may be as large as a head and no larger', () => {
  assert.equal(problemsOf({ env: { SIGNET_MAX_HEAD_SIZE: '8192' } }), [])
  assert.equal(problemsOf({ flags: { 'max-head-size': '4096' } }), [
    'SIGNET_MAX_TARGET_SIZE: found "8192", expected at most 4096, the value of --max-head-size',
  ])
  assert.equal(problemsOf({ flags: { 'max-target-size': '16385' } }), [
    '--max-target-size: found "16385", expected at most 16384, the value of SIGNET_MAX_HEAD_SIZE',
  ])
})

const FORWARDS: [host: string, port: string, upstream: string, toItself: boolean][] = [
  ['127.0.0.1', '8080', 'http://127.0.0.1:8080', true],
  ['127.0.0.1', '8080', 'http://localhost:8080', true],
  ['127.0.0.1', '8080', 'http://0.0.0.0:8080', true],
  ['127.0.0.1', '80', 'http://127.0.0.1', true],
  ['0.0.0.0', '8080', 'http://127.0.0.1:8080', true],
  ['::', '8080', 'http://[::1]:8080', true],
  ['::', '8080', 'http://localhost:8080', true],
  ['LocalHost', '8080', 'http://localhost:8080', true],
  ['10.0.0.5', '8080', 'http://10.0.0.5:8080', true],
  ['127.0.0.1', '8080', 'http://127.0.0.1:8081', false],
  ['127.0.0.1', '8080', 'http://127.0.0.2:8080', false],
  ['127.0.0.1', '8080', 'http://[::1]:8080', false],
  ['127.0.0.1', '8080', 'http://app:8080', false],
  ['10.0.0.5', '8080', 'http://127.0.0.1:8080', false],
  ['127.0.0.1', '0', 'http://127.0.0.1:8080', false],
]

for (const [host, port, upstream, toItself] of FORWARDS) {
  test(`accepting on ${host} port ${port}, ${upstream} is ${toItself ? 'signet itself' : 'another'}`, () => {
    const env = { HTTP_HOST: host, HTTP_PORT: port, SIGNET_UPSTREAM: upstream }
    const problem = `SIGNET_UPSTREAM: found "${upstream}", but signet would forward to itself`
    assert.equal(problemsOf({ env }), toItself ? [problem] : [])
  })
}

test('all problems are reported at once', () => {
  const given = {
    flags: { port: 'x', 'head-timeout': '10s' },
    env: { SIGNET_UPSTEAM: 'http://app', SIGNET_USER: 'u'.repeat(257), NODE_ENV: 'production' },
  }
  const problems = [
    'SIGNET_UPSTEAM: no setting has this name; did you mean SIGNET_UPSTREAM?',
    '--port: found "x", expected an integer from 0 to 65535',
    `SIGNET_USER: found "${'u'.repeat(257)}", expected 1 to 256 characters`,
    `--head-timeout: found "10s", expected ${MS}`,
    'the demo secret is refused in production: set SIGNET_SECRET or SIGNET_SECRET_FILE',
  ]
  assert.equal(problemsOf(given), problems)
  assert.throws(
    () => read(given),
    (error: Error) => error.message === problems.join('\n'),
  )
})

// ---- Unknown variables

const UNKNOWN: [variable: string, hint: string][] = [
  ['SIGNET_UPSTEAM', '; did you mean SIGNET_UPSTREAM?'],
  ['SIGNET_PORT', '; did you mean HTTP_PORT?'],
  ['SIGNET_HSOT', '; did you mean HTTP_HOST?'],
  ['SIGNET_upstream', '; did you mean SIGNET_UPSTREAM?'],
  ['SIGNET_MAX_HEADSIZE', '; did you mean SIGNET_MAX_HEAD_SIZE?'],
  ['SIGNET_POOL_IDLE_TIMOUT', '; did you mean SIGNET_POOL_IDLE_TIMEOUT?'],
  ['SIGNET_SOMETHING_ELSE', ''],
  ['SIGNET_HEAD_DEADLINE', ''],
  ['SIGNET_', ''],
]

for (const [variable, hint] of UNKNOWN) {
  test(`${variable} is a problem, since no setting has it`, () => {
    assert.equal(problemsOf({ env: { [variable]: '1' } }), [`${variable}: no setting has this name${hint}`])
  })
}

test('variables of other programs are none of our business', () => {
  assert.equal(problemsOf({ env: { SIGNETS: '1', MY_SIGNET_X: '1', HTTP_PROXY: 'x', signet_x: '1' } }), [])
})

test('the service links of a Kubernetes service named signet are no settings', () => {
  const links = (name: string) => ({
    [`${name}_SERVICE_HOST`]: '10.0.0.1',
    [`${name}_SERVICE_PORT`]: '8080',
    [`${name}_SERVICE_PORT_HTTP`]: '8080',
    [`${name}_PORT`]: 'tcp://10.0.0.1:8080',
    [`${name}_PORT_8080_TCP`]: 'tcp://10.0.0.1:8080',
    [`${name}_PORT_8080_TCP_PROTO`]: 'tcp',
    [`${name}_PORT_8080_TCP_PORT`]: '8080',
    [`${name}_PORT_8080_TCP_ADDR`]: '10.0.0.1',
  })
  assert.equal(problemsOf({ env: { ...links('SIGNET'), ...links('SIGNET_CANARY') } }), [])
})

// ---- The command line

test('every setting has a flag, as two arguments or as one', () => {
  for (const [name] of ROWS) {
    const flags = { [flagOf(name)]: 'a=b c' }
    assert.equal(parseFlags([`--${flagOf(name)}`, 'a=b c']), { flags, help: false, version: false })
    assert.equal(parseFlags([`--${flagOf(name)}=a=b c`]), { flags, help: false, version: false })
  }
})

const COMMAND_LINES: [argv: string[], parsed: ReturnType<typeof parseFlags>][] = [
  [[], { flags: {}, help: false, version: false }],
  [['--help'], { flags: {}, help: true, version: false }],
  [['-h'], { flags: {}, help: true, version: false }],
  [['--version'], { flags: {}, help: false, version: true }],
  [
    ['--port', '1', '-h', '--port=2', '--user='],
    { flags: { port: '2', user: '' }, help: true, version: false },
  ],
]

for (const [argv, parsed] of COMMAND_LINES) {
  test(`the command line "${argv.join(' ')}" is understood`, () => assert.equal(parseFlags(argv), parsed))
}

const USAGE_ERRORS: [argv: string[], message: string | RegExp][] = [
  [['--upsteam', 'http://app'], 'unknown flag --upsteam; did you mean --upstream?'],
  [['--prot=1'], 'unknown flag --prot; did you mean --port?'],
  [['--maxFields', '1'], 'unknown flag --maxFields; did you mean --max-fields?'],
  [['--hlep'], 'unknown flag --hlep; did you mean --help?'],
  [['--versoin'], 'unknown flag --versoin; did you mean --version?'],
  [['--something-else'], 'unknown flag --something-else'],
  [['--constructor'], 'unknown flag --constructor'],
  [['--__proto__=1'], 'unknown flag --__proto__'],
  [['-x'], 'unknown flag -x'],
  [['--port'], /'--port <value>' argument missing/],
  [['--port', '--host', 'a'], 'argument 3 is neither a flag nor the value of one'],
  [['--user', '-x'], /'--user' argument is ambiguous/],
  [['--help=yes'], /'-h, --help' does not take an argument/],
  [['--port', '1', '2'], 'argument 3 is neither a flag nor the value of one'],
  [['--', '--port'], 'argument 2 is neither a flag nor the value of one'],
]

for (const [argv, message] of USAGE_ERRORS) {
  test(`the command line "${argv.join(' ')}" is not understood`, () => {
    if (typeof message === 'string') assert.is(usageErrorOf(argv), message)
    else assert.match(usageErrorOf(argv), message)
  })
}

// ---- Derived texts

test('the help shows every setting with its variable, default and unit, in 100 columns', () => {
  const lines = helpText().split('\n')
  for (const line of lines) assert.ok(line.length <= 100, line)
  for (const [name, row] of ROWS) {
    const at = lines.findIndex((line) => line.startsWith(`  --${flagOf(name)} `))
    const [flag, env, ...rest] = lines[at]!.trim().split(/\s+/)
    assert.equal([flag, env], [`--${flagOf(name)}`, row.env])
    assert.is(
      rest.join(' '),
      row.fallback === undefined ? 'not set' : [row.fallback, row.unit ?? []].flat().join(' '),
    )
    assert.is(lines[at + 1], `      ${row.doc}`)
  }
  for (const flag of ['-h, --help', '--version'])
    assert.ok(lines.some((line) => line.startsWith(`  ${flag} `)))
  assert.ok(helpText().endsWith('\n') && !helpText().includes('\n\n\n'))
})

test('the columns of the help are aligned', () => {
  const settings = helpText()
    .split('\n')
    .filter((line) => /^ {2}--.* [A-Z]+_/.test(line))
  assert.is(settings.length, ROWS.length)
  for (const line of settings) assert.match(line, /^ {2}--[a-z-]+ +(?<=^.{24})[A-Z_]+ +(?<=^.{51})\S/)
})

test('the Markdown table has a row of four cells for every setting', () => {
  const [head, rule, ...rows] = settingsMarkdown().split('\n')
  assert.is(head, '| Flag | Variable | Default | Meaning |')
  assert.is(rule, '| --- | --- | --- | --- |')
  assert.is(rows.length, ROWS.length)
  for (const row of rows) assert.is(row.split('|').length, 6, row)
  assert.ok(
    rows.includes(
      '| `--head-timeout` | `SIGNET_HEAD_TIMEOUT` | 10000 ms | for a request head to arrive whole |',
    ),
  )
})

test('the script prints the section, writes it into README.md, and notices a difference', () => {
  const script = fileURLToPath(new URL(`../scripts/settings${extname(import.meta.url)}`, import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'signet-settings-'))
  const readme = join(folder, 'README.md')
  const run = (...args: string[]) => {
    const { status, stdout } = spawnSync(process.execPath, [script, ...args], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 10_000,
    })
    return { status, stdout }
  }
  try {
    assert.equal(run(), { status: 0, stdout: `${settingsMarkdown()}\n` })
    writeFileSync(readme, 'top\n<!-- settings -->\nold\n<!-- /settings -->\nend\n')
    assert.is(run('--check').status, 1)
    assert.is(run('--write').status, 0)
    const written = `top\n<!-- settings -->\n\n${settingsMarkdown()}\n\n<!-- /settings -->\nend\n`
    assert.is(readFileSync(readme, 'utf8'), written)
    assert.is(run('--check').status, 0)
    assert.is(run('--write').status, 0)
    assert.is(readFileSync(readme, 'utf8'), written)
    writeFileSync(readme, 'no markers\n')
    assert.is(run('--check').status, 1)
    assert.is(run('--wirte').status, 2)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
