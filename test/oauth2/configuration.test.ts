import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as authorizationServer from '../../examples/oauth2/authorization-server/config.ts'
import { readSigningKeys } from '../../examples/oauth2/authorization-server/core/signing-keys.ts'
import { ConfigurationError, loadConfiguration } from '../../examples/oauth2/service/configuration.ts'
import * as resourceServer from '../../examples/oauth2/resource-server/config.ts'
import * as timeService from '../../examples/oauth2/time-service/config.ts'
import * as webapp from '../../examples/oauth2/webapp/config.ts'

const test = suite('oauth2/configuration')

const PARTS = { webapp, authorizationServer, resourceServer, timeService }

/** From build/test/oauth2/. */
const ROOT = new URL('../../../', import.meta.url)
const textOf = (path: string) => readFileSync(fileURLToPath(new URL(path, ROOT)), 'utf8')

function notFound(): string {
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
}

interface Given {
  readonly env?: Readonly<Record<string, string>>
  /** of the file, as JSON unless it is text */
  readonly file?: unknown
}

function load({ env = {}, file }: Given) {
  const read: string[] = []
  const configuration = loadConfiguration({
    part: 'authorizationServer',
    defaults: authorizationServer.DEFAULTS,
    schema: authorizationServer.SCHEMA,
    variables: authorizationServer.VARIABLES,
    env,
    readFile: (path) => {
      read.push(path)
      return file === undefined ? notFound() : typeof file === 'string' ? file : JSON.stringify(file)
    },
  })
  return { ...configuration, read }
}

function problemsOf(given: Given): readonly string[] {
  try {
    load(given)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
  throw new Error('it was taken')
}

test('without anything the defaults count, and no file is looked for', () => {
  const { values, environment, read } = load({})
  assert.equal(values, authorizationServer.DEFAULTS)
  assert.is(environment, undefined)
  assert.equal(read, [])
})

test('variables override the file of the environment, and that the defaults', () => {
  const { values, environment, read } = load({
    env: { OAUTH2_ENVIRONMENT: 'stage', OAUTH2_CONFIGS: '/etc/oauth2', HTTP_PORT: '6001', HTTP_HOST: '' },
    file: { authorizationServer: { port: 7001, defaultUser: 'ada' }, timeService: { port: 7004 } },
  })
  assert.equal(read, ['/etc/oauth2/stage.json'])
  assert.is(environment, 'stage')
  assert.equal(values, { ...authorizationServer.DEFAULTS, port: 6001, defaultUser: 'ada' })
})

const PATH = 'examples/oauth2/configs/testing.json'

const WRONG: readonly (readonly [name: string, given: Given, problems: readonly string[]])[] = [
  [
    'an unknown environment',
    { env: { OAUTH2_ENVIRONMENT: 'prod' } },
    [
      'OAUTH2_ENVIRONMENT: expected one of production, stage, development, testing, or nothing for the defaults',
    ],
  ],
  [
    'an environment without its file',
    {},
    [`${PATH}: there is no such file; copy example.json to it and change what differs`],
  ],
  ['no JSON', { file: '{"secret": qwerty}' }, [`${PATH}: it is not JSON; compare it with example.json`]],
  [
    'no object',
    { file: [] },
    [`${PATH}: expected an object with the keys webapp, authorizationServer, resourceServer, timeService`],
  ],
  [
    'an unknown part',
    { file: { timeservice: {} } },
    [
      `${PATH}: timeservice: there is no such key; there are webapp, authorizationServer, resourceServer, timeService`,
    ],
  ],
  [
    'an unknown key, and a wrong value',
    { file: { authorizationServer: { prot: 1, port: '5001' } } },
    [
      `${PATH}: authorizationServer.prot: there is no such key; there are ${Object.keys(authorizationServer.SCHEMA.properties ?? {}).join(', ')}`,
      `${PATH}: authorizationServer.port: expected an integer from 0 to 65535`,
    ],
  ],
  [
    'a client that is not whole',
    { file: { authorizationServer: { clients: [{ id: '1', secret: '' }] } } },
    [
      ...['grantTypes', 'redirectUris', 'mayIntrospect'].map(
        (key) => `${PATH}: authorizationServer.clients[0].${key}: it is missing`,
      ),
      `${PATH}: authorizationServer.clients[0].secret: expected visible ASCII characters, 255 at most`,
    ],
  ],
  [
    'an issuer with a path',
    { file: { authorizationServer: { issuer: 'https://a/b' } } },
    [
      `${PATH}: authorizationServer.issuer: expected an http or https origin without a path, such as https://as.example`,
    ],
  ],
  [
    'a wrong variable',
    { file: {}, env: { HTTP_PORT: '65536' } },
    ['HTTP_PORT: expected an integer from 0 to 65535'],
  ],
  [
    'a variable that is no number',
    { file: {}, env: { HTTP_PORT: '0x1' } },
    ['HTTP_PORT: expected an integer from 0 to 65535'],
  ],
]

for (const [name, { env, file }, problems] of WRONG) {
  test(`${name} is refused, with what, where and what to do`, () => {
    assert.equal(problemsOf({ env: { OAUTH2_ENVIRONMENT: 'testing', ...env }, file }), problems)
  })
}

test('no problem repeats a value, which may be a secret', () => {
  const hidden = 'hunter\u00e4'
  const client = { ...authorizationServer.DEFAULTS.clients[0], secret: hidden, id: hidden }
  const problems = problemsOf({
    env: { OAUTH2_ENVIRONMENT: 'testing' },
    file: { authorizationServer: { clients: [client] } },
  })
  assert.is(problems.length, 2)
  assert.not.match(problems.join(), hidden)
})

test('example.json has every key but one that stands for itself, and starts nothing before its secrets are filled in', () => {
  const text = textOf('examples/oauth2/configs/example.json')
  for (const [part, { DEFAULTS, SCHEMA }] of Object.entries(PARTS)) {
    const example = (JSON.parse(text) as Record<string, Record<string, unknown>>)[part]!
    assert.equal(Object.keys(example).sort(), Object.keys(DEFAULTS).sort())
    const loadExample = (filled: string) =>
      loadConfiguration<object>({
        part: part as 'timeService', // the keys above
        defaults: DEFAULTS,
        schema: SCHEMA,
        variables: {},
        env: { OAUTH2_ENVIRONMENT: 'production' },
        readFile: () => filled,
      })
    assert.throws(() => loadExample(text), /[sS]ecret: expected/)
    loadExample(text.replaceAll(/("secret"|"clientSecret"): ""/g, `$1: "${'0f'.repeat(64)}"`))
  }
})

test('files of an environment are kept out of git and out of images', () => {
  assert.match(
    textOf('.gitignore'),
    /^examples\/oauth2\/configs\/\*\n!examples\/oauth2\/configs\/example\.json$/m,
  )
  assert.match(
    textOf('.dockerignore'),
    /^examples\/oauth2\/configs\/\*\n!examples\/oauth2\/configs\/example\.json\n*$(?![\s\S])/m,
  ) // last: nothing lets it in again
})

/** Every `${NAME}` of a signet.yaml. */
const referencesOf = (role: string) =>
  [...textOf(`examples/oauth2/${role}/signet.yaml`).matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name!)

for (const [role, { DEFAULTS, signetEnvironment }] of [
  ['webapp', { ...webapp, signetEnvironment: () => webapp.signetEnvironment(webapp.DEFAULTS) }],
  [
    'resource-server',
    { ...resourceServer, signetEnvironment: () => resourceServer.signetEnvironment(resourceServer.DEFAULTS) },
  ],
] as const) {
  test(`signet.yaml of the ${role} is told all that it refers to, and nothing that nobody reads`, () => {
    const environment = signetEnvironment()
    const read = new Set([...referencesOf(role), 'HTTP_HOST', 'HTTP_PORT'])
    if (role === 'resource-server') read.add('SIGNET_SECRET')
    assert.equal(Object.keys(environment).sort(), [...read].sort())
    assert.is(Object.keys(environment).length, Object.keys(DEFAULTS).length)
  })
}

test('a user that would be more than a user in a condition is refused', () => {
  const { DEFAULTS, SCHEMA } = resourceServer
  const file = { resourceServer: { user: "x' || 'a" } }
  const load = () =>
    loadConfiguration({
      part: 'resourceServer',
      defaults: DEFAULTS,
      schema: SCHEMA,
      variables: {},
      env: { OAUTH2_ENVIRONMENT: 'testing' },
      readFile: () => JSON.stringify(file),
    })
  assert.throws(load, /resourceServer\.user: expected a user/)
})

test('the defaults of all four fit together', () => {
  const [app, , introspecting] = authorizationServer.DEFAULTS.clients
  const at = (config: { readonly port: number }) => `http://127.0.0.1:${config.port}`
  const { issuer, audience } = authorizationServer.DEFAULTS
  const { clientId, clientSecret, redirectUri, ...calls } = webapp.DEFAULTS
  assert.equal([clientId, clientSecret, [redirectUri]], [app?.id, app?.secret, app?.redirectUris])
  assert.equal([calls.authorizationServer, calls.resourceServer], [issuer, at(resourceServer.DEFAULTS)])
  const { DEFAULTS } = resourceServer
  assert.equal([DEFAULTS.clientId, DEFAULTS.clientSecret], [introspecting?.id, introspecting?.secret])
  assert.equal(
    [DEFAULTS.authorizationServer, DEFAULTS.audience, DEFAULTS.timeService],
    [issuer, audience, at(timeService.DEFAULTS)],
  )
})

test('the secrets of the defaults are known, and others are not', () => {
  const { DEFAULTS, demoSecretsOf } = authorizationServer
  assert.is(demoSecretsOf(DEFAULTS).length, 3)
  assert.equal(webapp.demoSecretsOf(webapp.DEFAULTS), ['webapp.clientSecret'])
  assert.equal(webapp.demoSecretsOf({ ...webapp.DEFAULTS, clientSecret: 'other' }), [])
  assert.equal(resourceServer.demoSecretsOf(resourceServer.DEFAULTS), [
    'resourceServer.clientSecret',
    'resourceServer.secret',
  ])
  const own = { ...resourceServer.DEFAULTS, clientSecret: 'other', secret: '0f'.repeat(64) }
  assert.equal(resourceServer.demoSecretsOf(own), [])
  const clients = DEFAULTS.clients.map((client, at) => (at === 0 ? client : { ...client, secret: 'other' }))
  assert.equal(demoSecretsOf({ ...DEFAULTS, clients }), ['authorizationServer.clients: the secret of "1234"'])
})

test('a signing key is a P-256 key in PEM, or the reason says what it is not', () => {
  assert.throws(() => readSigningKeys('nonsense'), /no private key in PEM; make one with `openssl/)
  const pemOf = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString()
  const made = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { privateKey, publicKey } = readSigningKeys(pemOf(made.privateKey))
  assert.ok(privateKey.equals(made.privateKey))
  assert.ok(publicKey.equals(made.publicKey))
  assert.throws(
    () => readSigningKeys(pemOf(generateKeyPairSync('ed25519').privateKey)),
    /not on the curve P-256/,
  )
})

test.run()
