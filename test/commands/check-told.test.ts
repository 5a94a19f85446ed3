import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { credentialTables, toldTables } from '../../src/commands/check-told.ts'
import type { GatewayConfig } from '../../src/http/gateway.ts'
import { readSigningKey } from '../../src/jwt/signing-keys.ts'
import { gatewayTo, loopback } from '../support/gateways.ts'
import { makeKey } from '../support/keys.ts'

const test = suite('commands/check-told')

const keys = [
  { name: 'main', ...makeKey('ES256') },
  { name: 'main', ...makeKey('EdDSA') },
  { name: 'shared', ...makeKey('HS256') },
  { name: 'spare', ...makeKey('HS512') },
]
const kids = keys.map((key) => readSigningKey(key).kid)

test('keys say what they are for, and upstreams and routes what they are told, without a value of a field', () => {
  const { upstreams, routes } = gatewayTo([loopback(1)], {
    fields: { 'x-api-key': 'hunter2', 'x-more': 'hunter3' },
    token: { key: 'main', lifetime: 5000 },
  })
  const gateway: GatewayConfig = {
    upstreams,
    routes: [
      ...routes,
      {
        name: 'own',
        upstream: 'main',
        path: '/own',
        token: { key: 'shared', header: 'x-token', lifetime: 1000 },
      },
      { name: 'none', upstream: 'main', path: '/none', token: 'none' },
    ],
  }
  assert.equal(toldTables(keys, gateway, 'x-my-jwt'), [
    [
      ['KEY', 'ALGORITHM', 'KID', 'USE'],
      ['main', 'ES256', kids[0], 'signs, published'],
      ['main', 'EdDSA', kids[1], 'published'],
      ['shared', 'HS256', kids[2], 'signs'],
      ['spare', 'HS512', kids[3], '-'],
    ],
    [
      ['TOLD', 'FIELDS', 'TOKEN'],
      ['upstream main', 'x-api-key, x-more', 'x-my-jwt, by main, for 5000 ms'],
      ['route own', '-', 'x-token, by shared, for 1000 ms'],
      ['route none', '-', 'none'],
    ],
  ])
})

test('credentials say where their tokens come from, and routes which one they send, with which scope', () => {
  const { upstreams } = gatewayTo([loopback(1)], { credential: { use: 'partner' } })
  const common = { clientId: 'a', clientSecret: 'hunter2' }
  const as = (path: string) => ({ url: `https://as.test/${path}`, timeout: 1 })
  const gateway: GatewayConfig = {
    upstreams,
    credentials: [
      {
        kind: 'oauth2-code',
        name: 'time',
        ...common,
        authorizationEndpoint: as('authorize'),
        tokenEndpoint: as('token'),
        redirectUri: 'https://a.test/cb',
        maxConcurrent: 1,
      },
      {
        kind: 'oauth2-client-credentials',
        name: 'partner',
        ...common,
        tokenEndpoint: as('other'),
        margin: 1,
        scope: 'all',
      },
    ],
    routes: [
      { name: 'all', upstream: 'main', path: '/*' },
      { name: 'open', upstream: 'main', path: '/open', credential: 'none' },
      { name: 'time', upstream: 'main', path: '/time', credential: { use: 'time', scope: 'now' } },
    ],
  }
  assert.equal(credentialTables(gateway), [
    [
      ['CREDENTIAL', 'KIND', 'TOKEN ENDPOINT'],
      ['time', 'oauth2-code', 'https://as.test/token'],
      ['partner', 'oauth2-client-credentials', 'https://as.test/other'],
    ],
    [
      ['ROUTE', 'CREDENTIAL', 'SCOPE'],
      ['time', 'time', 'now'],
      ['all', 'partner', 'all'],
    ],
  ])
  assert.equal(credentialTables({ ...gateway, routes: [] }).length, 1)
})

test('what a configuration does not have has no table', () => {
  assert.equal(credentialTables(gatewayTo([loopback(1)])), [])
  assert.equal(credentialTables(undefined), [])
  assert.equal(toldTables([], gatewayTo([loopback(1)]), 'x-my-jwt'), [])
  assert.equal(toldTables([], undefined, 'x-my-jwt'), [])
})

test.run()
