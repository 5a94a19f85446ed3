// A configuration file as a whole: what becomes of settings and structure, what wins over what, and what contradicts what.

import * as zlib from 'node:zlib'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CheckRoutes } from '../../src/config/gateway-reader.ts'
import { ConfigError } from '../../src/errors.ts'
import { DEFAULT_EJECTION, plainGateway, type RouteConfig } from '../../src/http/gateway.ts'
import { createCertificate, load, problemsOf } from './support.ts'

const test = suite('config/config-file')

const ROUTED = 'upstreams: { app: "http://app" }\nroutes: [{ upstream: app }]\n'
const plain = (host: string, port = 80) => ({ host, port, authority: port === 80 ? host : `${host}:${port}` })

test('an empty file leaves every default', async () => {
  const { config, settings } = await load('')
  assert.is(config.port, 8080)
  assert.is(config.gateway, undefined)
  assert.equal(config.edges, {})
  assert.is(settings.port.source, 'default')
})

test('settings stand as YAML has them, or as text', async () => {
  const { config } = await load(
    'port: 1\naccessLog: false\nupgrades: [websocket, mqtt]\njwtMethods: GET, put\nworkers: auto\nuser: "1"\n',
  )
  assert.is(config.port, 1)
  assert.is(config.accessLog, false)
  assert.equal(config.upgrades, new Set(['websocket', 'mqtt']))
  assert.equal(config.jwtMethods, new Set(['GET', 'PUT']))
  assert.ok(config.workers >= 1)
  assert.is(config.user, '1')
  assert.is((await load('accessLog: off')).config.accessLog, false)
  assert.is((await load('{"port": 7}')).config.port, 7)
})

test('a reference may stand for a number, a list or a boolean', async () => {
  const env = { P: '7', M: 'GET,PUT', L: 'false', W: '3' }
  const text = 'port: $P\njwtMethods: $M\naccessLog: $L\nworkers: $W\n'.replace(
    /\$(\w)/g,
    (_, name) => `$\{${name}}`,
  )
  const { config } = await load(text, { env })
  assert.equal([config.port, config.accessLog, config.workers], [7, false, 3])
  assert.equal(config.jwtMethods, new Set(['GET', 'PUT']))
})

test('a flag wins over the environment, that over the file, that over the default', async () => {
  const { config, settings } = await load('port: 1\nhost: "::1"\nmaxFields: 3\n', {
    flags: { config: '/etc/signet.yaml', port: '2' },
    env: { HTTP_PORT: '3', HTTP_HOST: '::' },
  })
  assert.equal([config.port, config.host, config.maxFields, config.user], [2, '::', 3, 'username'])
  const { port, host, maxFields, user } = settings
  assert.equal(
    [port.source, host.source, maxFields.source, user.source],
    ['flag', 'environment', 'file', 'default'],
  )
  assert.equal(maxFields, { text: '3', source: 'file', label: '/etc/signet.yaml:3:12 maxFields' })
})

test('a mistake in the file is one even where a flag wins', async () => {
  assert.equal(
    await problemsOf('jwtHeader: Host', { flags: { config: '/etc/signet.yaml', 'jwt-header': 'x-ok' } }),
    ['1:12 jwtHeader: found "Host", expected another field: routing depends on it'],
  )
})

test('the file may be named by the environment; the flag wins', async () => {
  const files = { '/other.yaml': 'port: 8' }
  const env = { SIGNET_CONFIG: '/other.yaml' }
  assert.is((await load('port: 7', { files, flags: {}, env })).config.port, 8)
  assert.is((await load('port: 7', { files, env })).config.port, 7)
  assert.is((await load('port: 7', { files, flags: {}, env: { SIGNET_CONFIG: '' } })).config.port, 8080)
})

test('the secret may come from a reference or a file beside the configuration', async () => {
  const key = 'ab'.repeat(64)
  const files = { '/etc/key': `${key}\n` }
  assert.is((await load('secret: file:key', { files })).config.secretText, key)
  const { config, files: read, settings } = await load('secretFile: key', { files })
  assert.is(config.secretText, key)
  assert.equal(read, ['/etc/signet.yaml', '/etc/key'])
  assert.is(settings.secretFile.text, '/etc/key')
  assert.is((await load('secret: file:key', { files })).settings.secret.text, '***')
  assert.is((await load(`secret: $\{SIGNET_KEY}`, { env: { SIGNET_KEY: key } })).config.secretText, key)
})

test('no secret is in any message', async () => {
  const hidden = 'hunter2'.repeat(60)
  const files = { '/etc/key': hidden, '/etc/tls': hidden }
  const input = { files, env: { KEY: hidden }, checkSecret: () => undefined }
  const texts = [
    `secret: [${hidden}]`,
    `secret: { a: ${hidden} }`,
    'secretFile: file:key',
    `secretFile: $\{KEY}`,
    `secret: file:$\{KEY}`,
    'port: file:key',
    'logLevel: file:key',
    `jwtHeader: "x y $\{KEY}"`,
    'upstream: file:key',
    `tls: { certificate: ${hidden}, key: ${hidden} }`,
    'tls: { certificate: file:tls, key: file:tls }',
    'trustedProxies: [file:key]',
    'upstreams: { a: file:key, b: [file:key] }',
    `routes: [{ upstream: file:key, path: "$\{KEY}" }]\nupstreams: {}`,
    `upstream: http://me:${hidden}@app`,
    `upstreams: { a: "http://me:${hidden}@app" }`,
  ]
  for (const text of texts) {
    const problems = await problemsOf(text, input)
    assert.ok(problems.length > 0, text)
    assert.not.match(problems.join('\n'), 'hunter2')
  }
})

test('upstreams and routes become plain data, with every default', async () => {
  const text = `
upstreams:
  one: http://a:1
  many: [http://b, "https://[::1]:8443"]
  all:
    targets: [unix:/run/app.sock, { url: https://c, weight: 3 }, http://d]
    balance: least-busy
    host: target
    tls: { serverName: c.internal }
    ejection: { failures: 9 }
    health: { path: /ok, statuses: [200, 200] }
routes:
  - upstream: one
  - { host: A.Example.com, upstream: many }
  - { host: a.example.com, methods: [get], upstream: many }
  - { host: a.example.com, methods: [get], upstream: many }
  - { name: named, path: /x/:id, rewrite: /y/:id, upstream: all }
`
  const { gateway } = (await load(text)).config
  const base = { balance: 'round-robin', host: 'pass', ejection: DEFAULT_EJECTION }
  assert.equal(gateway?.upstreams, [
    { name: 'one', targets: [{ origin: plain('a', 1), weight: 1 }], ...base },
    {
      name: 'many',
      targets: [
        { origin: plain('b'), weight: 1 },
        { origin: { ...plain('::1', 8443), authority: '[::1]:8443', tls: {} }, weight: 1 },
      ],
      ...base,
    },
    {
      name: 'all',
      targets: [
        {
          origin: {
            host: 'unix:/run/app.sock',
            port: 0,
            authority: 'localhost',
            socketPath: '/run/app.sock',
          },
          weight: 1,
        },
        { origin: { host: 'c', port: 443, authority: 'c', tls: { serverName: 'c.internal' } }, weight: 3 },
        { origin: plain('d'), weight: 1 },
      ],
      balance: 'least-busy',
      host: 'target',
      ejection: { ...DEFAULT_EJECTION, failures: 9 },
      health: { path: '/ok', interval: 5000, timeout: 2000, unhealthy: 2, healthy: 2, statuses: [200, 200] },
    },
  ])
  assert.equal(gateway?.routes, [
    { name: '/*', upstream: 'one', path: '/*' },
    { name: 'a.example.com/*', upstream: 'many', path: '/*', host: 'a.example.com' },
    { name: 'GET a.example.com/*', upstream: 'many', path: '/*', host: 'a.example.com', methods: ['GET'] },
    { name: 'a.example.com/* #2', upstream: 'many', path: '/*', host: 'a.example.com', methods: ['GET'] },
    { name: 'named', upstream: 'all', path: '/x/:id', rewrite: '/y/:id' },
  ])
  assert.equal(structuredClone(gateway), gateway, 'it can be copied to another process')
})

test('compress becomes plain data, with every default; false is as if it were not there', async () => {
  const compressOf = async (compress: string) => {
    const { gateway } = (
      await load(`upstreams: { a: "http://a" }\nroutes: [{ upstream: a, compress: ${compress} }]`)
    ).config
    return gateway?.routes[0]?.compress
  }
  const defaults = { minSize: 1024, encodings: ['br', 'zstd', 'gzip'] }
  assert.equal(await compressOf('true'), defaults)
  assert.equal(await compressOf('{}'), defaults)
  assert.equal(await compressOf('false'), undefined)
  assert.equal(await compressOf('{ minSize: 0, encodings: [gzip, br, gzip], types: [Text/*, a/b] }'), {
    minSize: 0,
    encodings: ['gzip', 'br'],
    types: ['text/*', 'a/b'],
  })
})

test('what compress cannot be is said where it stands', async () => {
  const problems = (compress: string) =>
    problemsOf(`upstreams: { a: "http://a" }\nroutes:\n  - upstream: a\n    compress: ${compress}`)
  const hasZstd = 'createZstdCompress' in zlib
  assert.equal(await problems('yes please'), [
    '4:15 routes[0].compress: found "yes please", expected true, false, or a mapping with keys of minSize, encodings, types',
  ])
  assert.equal(await problems('{ encodings: [] }'), [
    '4:28 routes[0].compress.encodings: found an empty list, expected a list of br, zstd, gzip',
  ])
  assert.equal(await problems('{ encodings: [deflate] }'), [
    '4:29 routes[0].compress.encodings[0]: found "deflate", expected one of br, zstd, gzip',
  ])
  assert.equal(await problems('{ minSize: -1 }'), [
    '4:26 routes[0].compress.minSize: found -1, expected an integer from 0 to 2147483647',
  ])
  assert.equal(await problems('{ types: [html] }'), [
    '4:25 routes[0].compress.types[0]: found "html", expected a media type, or type/*',
  ])
  assert.equal(
    await problems('{ encodings: [zstd] }'),
    hasZstd
      ? []
      : ['4:28 routes[0].compress.encodings: this Node has no zstd, which came with 22.15: add br or gzip'],
  )
  assert.equal(await problems('{ encodings: [zstd, gzip] }'), [])
})

test('what concerns the listener stands beside the routes, or alone', async () => {
  const { certificate, key } = await createCertificate('signet.test')
  const files = { '/etc/c.pem': certificate, '/etc/k.pem': key }
  const text =
    'tls: { certificate: file:c.pem, key: file:k.pem }\nproxyProtocol: [10.0.0.0/8]\ntrustedProxies: ["::1"]\n' +
    'forward: { port: 3128, allow: [{ host: "*.Example.com" }], privateAddresses: [127.0.0.1] }\n'
  const edges = {
    tls: { certificate: certificate.trimEnd(), key: key.trimEnd() },
    proxyProtocol: ['10.0.0.0/8'],
    trustedProxies: ['::1/128'],
    forward: {
      host: '127.0.0.1',
      port: 3128,
      allow: [{ host: '*.example.com', ports: [80, 443] }],
      privateAddresses: ['127.0.0.1/32'],
    },
  }
  const alone = (await load(`upstream: http://app\n${text}`, { files })).config
  assert.is(alone.gateway, undefined)
  assert.equal({ ...alone.edges, tls: trimmed(alone.edges.tls) }, edges)
  const { gateway, ...beside } = (await load(ROUTED + text, { files })).config
  assert.equal(beside.edges, alone.edges)
  assert.equal(gateway, { ...gateway, ...alone.edges })
  assert.equal({ ...plainGateway(plain('app')), ...alone.edges }.trustedProxies, ['::1/128'])
})

const trimmed = (tls?: { certificate: string; key: string }) => ({
  certificate: tls?.certificate.trimEnd(),
  key: tls?.key.trimEnd(),
})

test('a certificate and a key must be PEM and belong together', async () => {
  const one = await createCertificate('one.test')
  const two = await createCertificate('two.test')
  const files = {
    '/etc/1.pem': one.certificate,
    '/etc/1.key': one.key,
    '/etc/2.key': two.key,
    '/etc/bad': 'x',
  }
  const tls = (certificate: string, key: string) =>
    problemsOf(`tls:\n  certificate: ${certificate}\n  key: ${key}\n`, { files })
  assert.equal(await tls('file:1.pem', 'file:1.key'), [])
  assert.equal(await tls('file:1.pem', 'file:2.key'), [
    '3:8 tls.key: this is not the key of the certificate, which is the first of its file',
  ])
  assert.equal(await tls('1.pem', 'file:bad'), [
    '2:16 tls.certificate: there is no certificate in PEM here; to read a file, write file:PATH',
    '3:8 tls.key: there is no private key in PEM here; to read a file, write file:PATH',
  ])
  assert.equal(
    await problemsOf(
      'upstreams: { a: { targets: [https://a], tls: { ca: file:bad } } }\nroutes: [{ upstream: a }]',
      {
        files,
      },
    ),
    ['1:52 upstreams.a.tls.ca: there is no certificate in PEM here; to read a file, write file:PATH'],
  )
})

test('upstream excludes routes, wherever it comes from', async () => {
  const reason = 'which sends everything to one origin: expected one of the two'
  const upstream = 'http://app'
  assert.equal(await problemsOf(ROUTED, { flags: { config: '/etc/signet.yaml', upstream } }), [
    `2:1 routes: found together with --upstream, ${reason}`,
  ])
  assert.equal(await problemsOf(ROUTED, { env: { SIGNET_UPSTREAM: upstream } }), [
    `2:1 routes: found together with SIGNET_UPSTREAM, ${reason}`,
  ])
  assert.equal(await problemsOf(`${ROUTED}upstream: ${upstream}`), [
    `2:1 routes: found together with 3:11 upstream, ${reason}`,
  ])
})

test('what is wrong with routes is said at the route it is about', async () => {
  const seen: (readonly RouteConfig[])[] = []
  const checkRoutes: CheckRoutes = (routes) => {
    seen.push(routes)
    return [{ route: 1, key: 'path', problem: 'the same as another' }]
  }
  const text =
    'upstreams: { a: http://a }\nroutes:\n  - { upstream: a }\n  - { upstream: a, path: x }\n  - { upstream: a, path: /b }\n'
  assert.equal(await problemsOf(text, { checkRoutes }), [
    '4:26 routes[1].path: found "x", expected a path that begins with /',
    '5:26 routes[2].path: the same as another',
  ])
  assert.equal(
    seen.map((routes) => routes.map(({ path }) => path)),
    [['/*', '/b']],
  )
})

test('a limit of a route, and the Redis it is counted in, become plain data, with every default', async () => {
  const { config } = await load(
    `redis: { url: "\${REDIS}" }\nupstreams: { app: "http://app" }\nroutes:\n` +
      '  - { upstream: app, path: /a, limit: { requests: 10, window: 60000 } }\n' +
      '  - { upstream: app, limit: { requests: 1, window: 1000, by: field:X-API-Key, store: redis, whenDown: closed } }\n',
    { env: { REDIS: 'redis://:hunter2@redis:6379/1' } },
  )
  assert.equal(config.gateway?.redis, { url: 'redis://:hunter2@redis:6379/1', timeout: 250 })
  assert.equal(
    config.gateway?.routes.map(({ limit }) => limit),
    [
      { requests: 10, window: 60_000, by: 'subject', store: 'memory', whenDown: 'open' },
      { requests: 1, window: 1000, by: 'field:x-api-key', store: 'redis', whenDown: 'closed' },
    ],
  )
})

test('what is wrong with a limit is said where it is, and no password with it', async () => {
  const problems = await problemsOf(
    'upstreams: { app: "http://app" }\nroutes:\n' +
      '  - { path: /a, upstream: app, limit: { requests: 0, window: 1500, by: name, store: file, whenDown: maybe } }\n' +
      '  - { path: /b, upstream: app, limit: { window: 1000, store: redis } }\n' +
      'redi: { url: redis://a }\n',
  )
  assert.equal(problems, [
    '3:51 routes[0].limit.requests: found 0, expected an integer from 1 to 1000000000',
    '3:62 routes[0].limit.window: found 1500, expected whole seconds from 1000 to 86400000, in ms',
    '3:72 routes[0].limit.by: found "name", expected subject, address, or field: and the name of a field',
    '3:85 routes[0].limit.store: found "file", expected one of memory, redis',
    '3:101 routes[0].limit.whenDown: found "maybe", expected one of open, closed',
    '4:39 routes[1].limit: the key "requests" is missing (requests in a window)',
    '4:62 routes[1].limit.store: there is no Redis to count in: add the key "redis"',
    '5:1 redi: no such key (did you mean "redis"?)',
  ])
  for (const url of ['http://:hunter2@redis', 'redis://:hunter2@redis:99999']) {
    const [problem = '', ...others] = await problemsOf(`redis: { url: "${url}" }`)
    assert.match(problem, /^1:15 redis\.url: expected redis:\/\/host:port/)
    assert.equal(others, [])
  }
})

test('a Redis without the package for it is refused', async () => {
  const asked: string[] = []
  const isInstalled = (name: string) => {
    asked.push(name)
    return false
  }
  assert.equal(await problemsOf('redis: { url: redis://a }', { isInstalled }), [
    '1:1 redis: the package ioredis is missing: npm install ioredis',
  ])
  assert.equal(asked, ['ioredis'])
})

test('a file that cannot be read at all is the one problem', async () => {
  const env = { NODE_ENV: 'production' }
  assert.equal(await problemsOf('', { flags: { config: '/nowhere' }, env }), [
    '/nowhere: there is no such file',
  ])
  assert.equal(await problemsOf('port: [', { env }), ['1:8: a list that begins with [ must end with ]'])
  assert.equal(await problemsOf('', { env }), [
    'the demo secret is refused in production: set SIGNET_SECRET or SIGNET_SECRET_FILE',
  ])
})

test('a variable that the file refers to needs no setting', async () => {
  const env = { SIGNET_NAME: 'x', SIGNET_OTHER: 'y' }
  assert.equal(await problemsOf(`user: $\{SIGNET_NAME}`, { env }), ['SIGNET_OTHER: no setting has this name'])
})

test('no text makes it throw anything but a ConfigError', async () => {
  const keys = [
    'port',
    'upstreams',
    'routes',
    'tls',
    'forward',
    'trustedProxies',
    'secret',
    'a',
    'targets',
    'allow',
    '__proto__',
    'constructor',
    'config',
  ]
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.oneof(
        fc.string(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.constantFrom('http://a', `$\{X}`, 'file:x', '::1/8'),
      ),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom(...keys, 'host', 'path', 'methods', 'upstream', 'name', 'health'),
        tie('value'),
      ),
    ),
  }))
  const document = fc.dictionary(fc.constantFrom(...keys), value).map((data) => JSON.stringify(data))
  const pieces = fc.constantFrom(
    ...keys,
    ':',
    ' ',
    '\n',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '\t',
    '&a',
    '*a',
    '!x',
    '|',
    '#',
    '%',
    ',',
    '$' + '{',
    '\u0000',
    '\uD800',
  )
  const text = fc.oneof(
    fc.string(),
    document,
    fc.array(pieces, { maxLength: 40 }).map((all) => all.join('')),
  )
  await fc.assert(
    fc.asyncProperty(text, async (written) => {
      try {
        await load(written, { env: { X: '1' } })
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        for (const problem of error.problems) assert.match(problem, /^(\/etc\/signet\.yaml|[A-Z_]+: )/)
      }
    }),
    { numRuns: 150 },
  )
})

test.run()
