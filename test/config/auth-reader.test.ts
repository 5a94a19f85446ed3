// Authenticators in the configuration file: what becomes of them, as plain data without a secret in clear where none is needed.

import { hash } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { routeProblems } from '../../src/http/route-table.ts'
import { writeUser } from '../../src/http/users.ts'
import { readSecret } from '../../src/jwt/keys.ts'
import { account } from '../auth/support.ts'
import { load, problemsOf } from './support.ts'

const test = suite('config/auth-reader')

const SECRET = 'ab'.repeat(32)
const READERS = { readSecret, checkRoutes: routeProblems }
const ROUTE = 'upstreams: { a: http://127.0.0.1:1 }\nroutes: [{ upstream: a, authenticate: [one] }]\n'

async function gatewayOf(authenticator: string, files: Readonly<Record<string, string>> = {}) {
  const { config } = await load(`authenticators:\n  one: ${authenticator}\n${ROUTE}`, { ...READERS, files })
  assert.equal(structuredClone(config.gateway), config.gateway, 'it can be sent to a worker')
  return config.gateway
}

const base64url = Buffer.from(SECRET, 'hex').toString('base64url')
const policy = { subject: 'sub', leeway: 0, requiredClaims: [] }
const common = { name: 'one', forward: false }

for (const [text, expected] of [
  ['{ kind: anonymous }', { ...common, kind: 'anonymous', subject: 'anonymous' }],
  ['{ kind: anonymous, subject: guest }', { ...common, kind: 'anonymous', subject: 'guest' }],
  [
    '{ kind: api-key, field: X-Partner, forward: true, keys: [{ subject: acme, key: k1, roles: [a] }] }',
    {
      ...common,
      forward: true,
      kind: 'api-key',
      field: 'x-partner',
      keys: [{ subject: 'acme', sha256: hash('sha256', 'k1', 'hex'), roles: ['a'], scopes: [] }],
    },
  ],
  [
    `{ kind: api-key, keys: [{ subject: acme, sha256: ${'AB'.repeat(32)}, scopes: [s] }] }`,
    {
      ...common,
      kind: 'api-key',
      field: 'x-api-key',
      keys: [{ subject: 'acme', sha256: SECRET, roles: [], scopes: ['s'] }],
    },
  ],
  [
    `{ kind: jwt, algorithms: [HS256], secret: ${SECRET} }`,
    {
      ...common,
      kind: 'jwt',
      key: { algorithms: ['HS256'], secret: base64url },
      policy: { ...policy, requiredClaims: ['exp'] },
    },
  ],
  [
    '{ kind: jwt, algorithms: [ES256, EdDSA], jwks: https://a.test/keys, timeout: 500, issuer: i, audience: [x],' +
      ' leeway: 5, requiredClaims: [], subject: payload.user }',
    {
      ...common,
      kind: 'jwt',
      key: { algorithms: ['ES256', 'EdDSA'], jwks: { url: 'https://a.test/keys', timeout: 500 } },
      policy: { subject: 'payload.user', leeway: 5, requiredClaims: [], issuer: 'i', audience: ['x'] },
    },
  ],
  [
    '{ kind: introspection, url: http://as.test/introspect, clientId: rs, clientSecret: s }',
    {
      ...common,
      kind: 'introspection',
      endpoint: { url: 'http://as.test/introspect', timeout: 2000 },
      clientId: 'rs',
      clientSecret: 's',
      cache: 5000,
      policy,
    },
  ],
] as const) {
  test(`${text} is read`, async () => {
    assert.equal((await gatewayOf(text))?.authenticators, [expected])
  })
}

test('users are read from their file, which is watched', async () => {
  const ann = await account('ann', 'correct horse')
  const files = { '/etc/users': `${writeUser(ann)}\n` }
  const text = `{ kind: session, users: file:users, secret: ${SECRET}, lifetime: 60 }`
  const expected = {
    ...common,
    kind: 'session',
    login: '/login',
    secret: base64url,
    lifetime: 60,
    users: [ann],
  }
  assert.equal((await gatewayOf(text, files))?.authenticators, [expected])
  const { files: watched } = await load(`authenticators:\n  one: ${text}\n${ROUTE}`, { ...READERS, files })
  assert.ok(watched.includes('/etc/users'))
})

test('what a route asks for is read', async () => {
  const text = `authenticators: { one: { kind: anonymous } }
upstreams: { a: http://127.0.0.1:1 }
routes:
  - upstream: a
    path: /:id
    authenticate: [one]
    require: [params.id == subject]
    scopes: [s:1]
    roles: [r]
    rewrite: /{claims.tenant}/{subject}
`
  const { config } = await load(text, READERS)
  const { authenticate, require, scopes, roles } = config.gateway?.routes[0] ?? {}
  assert.equal(
    { authenticate, require, scopes, roles },
    { authenticate: ['one'], require: ['params.id == subject'], scopes: ['s:1'], roles: ['r'] },
  )
})

test('authenticators that no route can ask for are a mistake', async () => {
  assert.equal(await problemsOf('authenticators: { one: { kind: anonymous } }', READERS), [
    '1:1 authenticators: no route asks for them: add the keys "routes" and "upstreams"',
  ])
})

test('authenticators behind one that takes everybody would never be asked, which is a mistake', async () => {
  const text = (names: string) => `authenticators: { any: { kind: anonymous }, other: { kind: anonymous } }
upstreams: { a: http://127.0.0.1:1 }
routes: [{ upstream: a, authenticate: [${names}] }]
`
  assert.equal(await problemsOf(text('any, other'), READERS), [
    '3:40 routes[0].authenticate[0]: it takes everybody, and nobody behind it is asked: name it last',
  ])
  assert.equal((await load(text('any'), READERS)).config.gateway?.routes[0]?.authenticate, ['any'])
})

test('two logins cannot have one path', async () => {
  const users = `${writeUser(await account('ann', 'correct horse'))}\n`
  const one = `{ kind: session, users: file:users, secret: ${SECRET} }`
  const text = `authenticators:\n  one: ${one}\n  two: ${one}\n${ROUTE}`
  assert.equal(await problemsOf(text, { ...READERS, files: { '/etc/users': users } }), [
    '3:8 authenticators.two: authenticator one has this path already',
  ])
})

test.run()
