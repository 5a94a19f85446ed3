// Keys, static fields and tokens in a configuration file: what becomes of them, and what is wrong with them, and where.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { claimsProblems } from '../../src/jwt/claims-template.ts'
import { keyProblems } from '../../src/jwt/key-set.ts'
import { makePem } from '../support/keys.ts'
import { load, problemsOf } from './support.ts'

const test = suite('config/told-reader')

const checkTold = { keys: keyProblems, claims: claimsProblems }
const SECRET = 'ab'.repeat(64)

/** A file whose one upstream and route have these lines. */
function file({
  keys = '',
  upstream = '',
  route = '',
}: {
  keys?: string
  upstream?: string
  route?: string
}): string {
  const lines = (text: string) => text.replace(/^(?=.)/gm, '    ')
  return `${keys}\nupstreams:\n  app:\n    targets: [http://app]\n${lines(upstream)}\nroutes:\n  - upstream: app\n    path: /shops/:id\n${lines(route)}\n`
}

test('keys, fields and tokens become plain data, that of a route beside that of its upstream', async () => {
  const pem = makePem('ES256')
  const files = { '/etc/es.pem': `${pem}\n`, '/etc/old.pem': makePem('ES256'), '/etc/api.key': 'hunter2\n' }
  const text = file({
    keys: `keys:\n  one: { algorithm: HS256, secret: "$\{S}", kid: mine }\n  two:\n    - { algorithm: ES256, privateKey: file:es.pem }\n    - { algorithm: ES256, privateKey: file:old.pem }`,
    upstream: 'fields: { X-API-Key: file:api.key, X-A: "a b" }\ntoken: none',
    route: `fields: { x-b: "1" }\ntoken:\n  key: two\n  header: X-Token\n  audience: [a, b]\n  issuer: me\n  lifetime: 5000\n  claims: { sub: "{subject}", n: 1, l: ["{params.id}"] }`,
  })
  const { config, files: read } = await load(text, { files, env: { S: SECRET }, checkTold })
  const { keys, upstreams, routes } = config.gateway!
  assert.equal(keys, [
    { name: 'one', algorithm: 'HS256', secret: SECRET, kid: 'mine' },
    { name: 'two', algorithm: 'ES256', privateKey: pem },
    { name: 'two', algorithm: 'ES256', privateKey: files['/etc/old.pem'].trimEnd() },
  ])
  assert.equal(
    [upstreams[0]?.fields, upstreams[0]?.token],
    [{ 'x-api-key': 'hunter2', 'x-a': 'a b' }, 'none'],
  )
  assert.equal(routes[0]?.fields, { 'x-b': '1' })
  assert.equal(routes[0]?.token, {
    key: 'two',
    header: 'x-token',
    audience: ['a', 'b'],
    issuer: 'me',
    lifetime: 5000,
    claims: { sub: '{subject}', n: 1, l: ['{params.id}'] },
  })
  for (const path of ['/etc/es.pem', '/etc/old.pem', '/etc/api.key']) assert.ok(read.includes(path), path)
  assert.equal(structuredClone(config.gateway), config.gateway)
})

test('a token lives for a minute unless its lifetime is set; without a word about it nothing is said', async () => {
  const { config } = await load(file({ upstream: 'token: {}' }), { checkTold })
  assert.equal(config.gateway?.upstreams[0]?.token, { lifetime: 60_000 })
  assert.not.ok('token' in config.gateway!.routes[0]! || 'fields' in config.gateway!.routes[0]!)
})

const KEYS = `keys: { main: { algorithm: HS512, secret: ${SECRET} } }`
for (const [what, parts, expected] of [
  [
    'no key of that name',
    { keys: KEYS, upstream: 'token: { key: mian }' },
    ['5:19 upstreams.app.token.key: no key has this name (did you mean "main"?)'],
  ],
  [
    'no keys at all',
    { upstream: 'token: { key: main }' },
    ['5:19 upstreams.app.token.key: no key has this name'],
  ],
  [
    'an empty set',
    { keys: 'keys: {}' },
    ['1:7 keys: found a mapping, expected a mapping of names to keys, at least one'],
  ],
  [
    'an empty list',
    { keys: 'keys: { a: [] }' },
    [
      '1:12 keys.a: found an empty list, expected a mapping with algorithm and secret or privateKey, or a list of those',
    ],
  ],
  [
    'a secret that is too short',
    { keys: 'keys: { a: { algorithm: HS256, secret: abcd } }' },
    [
      '1:40 keys.a.secret: the secret cannot be used: 2 octets as hex, and HS256 needs at least 32 (RFC 7518 §3.2); generate one with `openssl rand -hex 32`',
    ],
  ],
  [
    'an algorithm that is none',
    { keys: 'keys: { a: { algorithm: none, secret: abcd } }' },
    ['1:25 keys.a.algorithm: found "none", expected one of HS256, HS384, HS512, ES256, EdDSA, RS256'],
  ],
  [
    'a key twice',
    {
      keys: `keys:\n  a: { algorithm: HS512, secret: ${SECRET} }\n  b: [{ algorithm: HS512, secret: ${SECRET} }]`,
    },
    ['3:35 keys.b[0].secret: another key has the same kid, or is the same'],
  ],
  [
    'a field that routing depends on',
    { route: 'fields: { Host: x }' },
    ['9:15 routes[0].fields.Host: expected another field: routing depends on it'],
  ],
  ...['Cookie', 'Content-Length', 'Connection', 'X_Forwarded_For'].map((name) => [
    name,
    { route: `fields: { ${name}: x }` },
    [new RegExp(`^9:15 routes\\[0\\]\\.fields\\.${name}: expected another field: `)],
  ]),
  ...['Content-Type', 'Set-Cookie', 'Accept', 'User-Agent', 'ETag', 'Cache-Control'].map((name) => [
    name,
    { upstream: `fields: { ${name}: x }` },
    [
      `5:15 upstreams.app.fields.${name}: expected another field: this one would be dropped from every request and response, since only signet may say it`,
    ],
  ]),
  [
    'no field name',
    { route: 'fields: { "a b": x }' },
    ['9:15 routes[0].fields["a b"]: expected a field name'],
  ],
  [
    'a field twice',
    { route: 'fields: { X-API-Key: x, x_api_key: y }' },
    ['9:29 routes[0].fields.x_api_key: to many upstreams this is the same as X-API-Key'],
  ],
  [
    'a field of the token’s name',
    { route: 'fields: { X_Token: x }\ntoken: { header: X-Token }' },
    ['9:15 routes[0].fields.X_Token: the token is sent in a field of this name'],
  ],
  [
    'a token in a field that it cannot be in',
    { route: 'token: { header: Cookie }' },
    ["9:22 routes[0].token.header: expected another field: it carries the client's own credentials"],
  ],
  [
    'a word that is none',
    { route: 'token: some' },
    [
      '9:12 routes[0].token: found "some", expected plain, none, or a mapping with keys of key, header, audience, issuer, lifetime, claims',
    ],
  ],
  [
    'a claim of another name',
    { route: 'token: { claims: { a: ["{params.shop}"], exp: 1 } }' },
    [
      '9:28 routes[0].token.claims.a[0]: there is no {params.shop}: the path has id',
      '9:51 routes[0].token.claims.exp: this claim is not for templates: set lifetime in its place',
    ],
  ],
  [
    'a template without quotes',
    { route: 'token: { claims: { a: {subject} } }' },
    [
      "9:28 routes[0].token.claims.a.subject: there is nothing here; a template such as '{subject}' stands in quotes",
    ],
  ],
  [
    'a lifetime of no time',
    { route: 'token: { lifetime: 1 }' },
    ['9:24 routes[0].token.lifetime: found 1, expected an integer from 1000 to 86400000, in ms'],
  ],
] as readonly [string, Parameters<typeof file>[0], readonly (string | RegExp)[]][]) {
  test(`${what} is refused`, async () => {
    const found = await problemsOf(file(parts), { checkTold })
    assert.is(found.length, expected.length, found.join('\n'))
    for (const [at, one] of expected.entries()) {
      if (typeof one === 'string') assert.is(found[at], one)
      else assert.match(found[at]!, one)
    }
  })
}

test('no value of a secret, a key or a field is in any message', async () => {
  const files = { '/etc/key': 'hunter2' }
  for (const parts of [
    { keys: 'keys: { a: { algorithm: HS256, secret: hunter2 } }' },
    { keys: 'keys: { a: { algorithm: HS256, secret: file:key } }' },
    { keys: 'keys: { a: { algorithm: HS256, secret: [hunter2] } }' },
    { keys: 'keys: { a: { algorithm: ES256, privateKey: hunter2 } }' },
    { keys: 'keys: { a: { algorithm: ES256, privateKey: file:key, kid: "a b" } }' },
    { upstream: 'fields: { X-A: "hunter2\\n" }' },
    { upstream: 'fields: { X-A: "hunter2ü" }' },
    { upstream: 'fields: { X-A: [hunter2] }' },
    { upstream: `fields: { X-A: "file:$\{KEY}" }` },
  ]) {
    const problems = await problemsOf(file(parts), { files, env: { KEY: 'hunter2' }, checkTold })
    assert.ok(problems.length > 0, JSON.stringify(parts))
    assert.not.match(problems.join('\n'), /hunter2(?!.*hex digit)/)
  }
})

test.run()
