// `introspection`: what an issuer says counts for a moment, is asked once, and no answer lets nobody in.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { IntrospectionAuthenticator } from '../../src/auth/introspection.ts'
import type { IntrospectionConfig } from '../../src/http/authentication.ts'
import { within } from '../support/wire.ts'
import { authorized, received, Server, told } from './support.ts'

const test = suite('auth/introspection')

const NOW = 1_800_000_000_000 // ms

interface Stand {
  readonly server: Server
  /** asks about a token; `now` moves the clock, in ms from the beginning */
  ask(token: string, now?: number): Promise<string>
}

async function withIssuer(
  answer: Server['answer'],
  use: (stand: Stand) => Promise<void>,
  change: Partial<IntrospectionConfig> = {},
): Promise<void> {
  const server = new Server(answer)
  const url = await server.listen()
  let now = NOW
  const authenticator = new IntrospectionAuthenticator(
    {
      kind: 'introspection',
      name: 'issuer',
      forward: false,
      endpoint: { url, timeout: 1500 },
      clientId: 'a:b c',
      clientSecret: 'ž&=',
      cache: 1000,
      policy: { subject: 'sub', leeway: 0, requiredClaims: [] },
      ...change,
    },
    { now: () => now, clock: () => 0 },
  )
  try {
    await use({
      server,
      ask: (token, after = 0) => {
        now = NOW + after
        return within(told(authenticator.authenticate(authorized(`Bearer ${token}`))), 'an outcome')
      },
    })
  } finally {
    authenticator.close()
    await server.close()
  }
}

const ACTIVE = { active: true, sub: 'ann', scope: 'a b', exp: NOW / 1000 + 60 }

test('the issuer gets token, hint, and the credentials of signet, each encoded', () =>
  withIssuer(
    () => ({ json: ACTIVE }),
    async ({ ask, server }) => {
      assert.is(await ask('a.b~c+/='), 'ann')
      const pair = Buffer.from('a%3Ab+c:%C5%BE%26%3D').toString('base64')
      assert.equal(server.got, [
        {
          method: 'POST',
          authorization: `Basic ${pair}`,
          body: 'token=a.b%7Ec%2B%2F%3D&token_type_hint=access_token',
        },
      ])
    },
  ))

for (const [what, json, expected] of [
  ['active', ACTIVE, 'ann'],
  ['not active', { active: false }, 'invalid'],
  ['not active, whatever else', { ...ACTIVE, active: false }, 'invalid'],
  ['expired already', { ...ACTIVE, exp: NOW / 1000 }, 'expired'],
  ['of nobody', { active: true }, 'invalid'],
  ['no answer at all', {}, 'unavailable'],
  ['active as a text', { ...ACTIVE, active: 'true' }, 'unavailable'],
  ['a subject that is no text', { ...ACTIVE, sub: { admin: true } }, 'unavailable'],
  ['a list', [ACTIVE], 'unavailable'],
  ['null', null, 'unavailable'],
  ['no JSON', '{"active":true', 'unavailable'],
  ['too much', { ...ACTIVE, filler: 'x'.repeat(300_000) }, 'unavailable'],
] as const) {
  test(`an answer that is ${what} makes it ${expected}`, () =>
    withIssuer(
      () => ({ json }),
      async ({ ask }) => assert.is(await ask('token'), expected),
    ))
}

for (const status of [201, 204, 301, 400, 401, 500, 503]) {
  test(`an answer of ${status} lets nobody in`, () =>
    withIssuer(
      () => ({ status, json: ACTIVE }),
      async ({ ask }) => assert.is(await ask('token'), 'unavailable'),
    ))
}

test('an answer counts for as long as it may, good or bad, and no longer than the token', () => {
  const exp = NOW / 1000 + 2
  const answers: Record<string, unknown> = { good: { ...ACTIVE, exp }, bad: { active: false } }
  return withIssuer(
    (body) => ({ json: answers[body.includes('good') ? 'good' : 'bad'] }),
    async ({ ask, server }) => {
      for (const [token, at, expected, asked] of [
        ['good', 0, 'ann', 1],
        ['good', 999, 'ann', 1],
        ['bad', 999, 'invalid', 2],
        ['bad', 1998, 'invalid', 2],
        ['good', 1000, 'ann', 3],
        ['good', 1999, 'ann', 3],
        ['good', 2000, 'expired', 4],
        ['bad', 2001, 'invalid', 5],
      ] as const) {
        assert.is(await ask(token, at), expected, `${token} at ${at}`)
        assert.is(server.got.length, asked, `${token} at ${at}`)
      }
    },
  )
})

test('a cache of 0 asks for each request', () =>
  withIssuer(
    () => ({ json: ACTIVE }),
    async ({ ask, server }) => {
      for (let times = 0; times < 3; times++) assert.is(await ask('token'), 'ann')
      assert.is(server.got.length, 3)
      await ask('token', -1) // the clock was set back
      assert.is(server.got.length, 4)
    },
    { cache: 0 },
  ))

test('a hundred requests with one token at the same time ask once', () =>
  withIssuer(
    () => ({ json: ACTIVE }),
    async ({ ask, server }) => {
      const all = await Promise.all(Array.from({ length: 100 }, () => ask('token')))
      assert.equal(new Set(all), new Set(['ann']))
      assert.is(server.got.length, 1)
    },
  ))

test('an issuer that does not answer is given up in time, and asked again by the next request', () =>
  withIssuer(
    () => 'never',
    async ({ ask, server }) => {
      const began = performance.now()
      assert.is(await ask('token'), 'unavailable')
      const took = performance.now() - began
      assert.ok(took >= 1490 && took < 4000, `${took} ms`)
      server.answer = () => ({ json: ACTIVE })
      assert.is(await ask('token'), 'ann')
    },
  ))

test('more questions than there may be under way are refused at once', () =>
  withIssuer(
    () => 'never',
    async ({ ask }) => {
      const waiting = Array.from({ length: 256 }, (_, at) => ask(`token${at}`))
      const began = performance.now()
      assert.is(await ask('another'), 'unavailable')
      assert.ok(performance.now() - began < 1000)
      assert.equal(new Set(await Promise.all(waiting)), new Set(['unavailable']))
    },
  ))

test('nothing that is no Bearer token is asked about', () =>
  withIssuer(
    () => ({ json: ACTIVE }),
    async ({ ask, server }) => {
      assert.is(await ask('two words'), 'invalid')
      assert.is(server.got.length, 0)
    },
  ))

test('nobody is listening: nobody comes in', async () => {
  const server = new Server(() => ({ json: ACTIVE }))
  const url = await server.listen()
  await server.close()
  const authenticator = new IntrospectionAuthenticator(
    {
      kind: 'introspection',
      name: 'issuer',
      forward: false,
      endpoint: { url, timeout: 1000 },
      clientId: 'a',
      clientSecret: 'b',
      cache: 1000,
      policy: { subject: 'sub', leeway: 0, requiredClaims: [] },
    },
    { now: () => NOW, clock: () => 0 },
  )
  assert.is(
    await within(told(authenticator.authenticate(authorized('Bearer x'))), 'an outcome'),
    'unavailable',
  )
  assert.is(await told(authenticator.authenticate(received([]))), '-')
  authenticator.close()
})

test.run()
