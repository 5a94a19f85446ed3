// Credentials in the configuration file: what becomes of them, and of what routes and upstreams say about them.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { load, problemsOf } from './support.ts'

const test = suite('config/credential-reader')

const UPSTREAM = 'upstreams: { a: http://127.0.0.1:1 }\n'
const COMMON = { clientId: '1234', clientSecret: 'qwerty' }
const CLIENT = "clientId: '1234', clientSecret: qwerty"

async function gatewayOf(text: string) {
  const { config } = await load(text, { files: { '/etc/secret': 'qwerty\n' } })
  assert.equal(structuredClone(config.gateway), config.gateway, 'it can be sent to a worker')
  return config.gateway
}

for (const [text, expected] of [
  [
    `{ kind: oauth2-code, authorizationEndpoint: 'https://as.test/a?b=c', tokenEndpoint: https://as.test/t, ${CLIENT}, redirectUri: 'http://w.test:5003/cb' }`,
    {
      kind: 'oauth2-code',
      authorizationEndpoint: { url: 'https://as.test/a?b=c', timeout: 2000 },
      tokenEndpoint: { url: 'https://as.test/t', timeout: 2000 },
      redirectUri: 'http://w.test:5003/cb',
      maxConcurrent: 16,
    },
  ],
  [
    `{ kind: oauth2-code, authorizationEndpoint: http://as:1/a, tokenEndpoint: http://as:1/t, allowHttp: true, clientId: '1234', clientSecret: file:secret,` +
      ' redirectUri: https://w.test/cb?x=y, issuer: https://as, scope: a b, user: demo, timeout: 500, maxConcurrent: 64 }',
    {
      kind: 'oauth2-code',
      authorizationEndpoint: { url: 'http://as:1/a', timeout: 500 },
      tokenEndpoint: { url: 'http://as:1/t', timeout: 500 },
      redirectUri: 'https://w.test/cb?x=y',
      issuer: 'https://as',
      scope: 'a b',
      user: 'demo',
      maxConcurrent: 64,
    },
  ],
  [
    `{ kind: oauth2-client-credentials, tokenEndpoint: https://as.test/t, ${CLIENT} }`,
    {
      kind: 'oauth2-client-credentials',
      tokenEndpoint: { url: 'https://as.test/t', timeout: 2000 },
      margin: 10_000,
    },
  ],
  [
    `{ kind: oauth2-client-credentials, tokenEndpoint: 'http://[::1]:1/t', ${CLIENT}, scope: s, audience: x, margin: 0 }`,
    {
      kind: 'oauth2-client-credentials',
      tokenEndpoint: { url: 'http://[::1]:1/t', timeout: 2000 },
      scope: 's',
      audience: 'x',
      margin: 0,
    },
  ],
] as const) {
  test(`${text} is read`, async () => {
    const gateway = await gatewayOf(
      `credentials: { one: ${text} }\n${UPSTREAM}routes: [{ upstream: a, credential: one }]`,
    )
    assert.equal(gateway?.credentials, [{ name: 'one', ...COMMON, ...expected }])
    assert.equal(gateway?.routes[0]?.credential, { use: 'one' })
  })
}

const ONE = `credentials: { one: { kind: oauth2-client-credentials, tokenEndpoint: https://as.test/t, ${CLIENT} } }\n`

test('routes and upstreams name a credential, a scope with it, or none', async () => {
  const gateway = await gatewayOf(
    `${ONE}upstreams: { a: { targets: ['http://127.0.0.1:1'], credential: { use: one, scope: x y } } }\n` +
      'routes: [{ upstream: a }, { path: /b, upstream: a, credential: none }, { path: /c, upstream: a, credential: one }]',
  )
  assert.equal(gateway?.upstreams[0]?.credential, { use: 'one', scope: 'x y' })
  assert.equal(
    gateway?.routes.map(({ credential }) => credential),
    [undefined, 'none', { use: 'one' }],
  )
})

for (const [what, text, expected] of [
  [
    'no route',
    `${ONE}port: 1`,
    ['1:1 credentials: no route uses them: add the keys "routes" and "upstreams"'],
  ],
  [
    'no credential of that name',
    `${UPSTREAM}routes: [{ upstream: a, credential: one }]`,
    ['2:37 routes[0].credential: no credential has this name'],
  ],
  [
    'Authorization of the upstream as well',
    `${ONE}upstreams: { a: { targets: ['http://127.0.0.1:1'], token: { header: Authorization } } }\nroutes: [{ upstream: a, credential: one }]`,
    [
      '3:25 routes[0].credential: Authorization has a value already, by fields or by token: the credential needs it',
    ],
  ],
  ...['localhost.evil.test', '127.0.0.1.evil.test', '10.0.0.1', '[::2]'].map(
    (host) =>
      [
        `a secret in the clear to ${host}`,
        `credentials:\n  one: { kind: oauth2-client-credentials, ${CLIENT}, tokenEndpoint: 'http://${host}/' }\n${UPSTREAM}routes: [{ upstream: a }]`,
        [
          '2:98 credentials.one.tokenEndpoint: secrets would go over the network in the clear: expected https://, or allowHttp: true',
        ],
      ] as const,
  ),
] as const) {
  test(`${what} is refused`, async () => assert.equal(await problemsOf(text), expected))
}

test.run()
