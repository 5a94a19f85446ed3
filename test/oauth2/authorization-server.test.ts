import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify, SignJWT, UnsecuredJWT } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DEFAULTS } from '../../examples/oauth2/authorization-server/config.ts'
import { makeSigningKeys } from '../../examples/oauth2/authorization-server/core/signing-keys.ts'
import { closedAfter } from '../support/process.ts'
import { eventually, Wire } from '../support/wire.ts'
import {
  ask,
  basic,
  BATCH,
  CALLBACK,
  type Changes,
  claimsOf,
  jsonOf,
  KEYS,
  pkce,
  RESOURCE_SERVER,
  sentBack,
  Stand,
  WEBAPP,
} from './support.ts'

const test = suite('oauth2/authorization-server')
const closed = closedAfter(test)
const start = async (...args: Parameters<typeof Stand.start>) => closed(await Stand.start(...args))

/** What a client is told may hold no other characters (RFC 6749 §4.1.2.1, §5.2). */
const DESCRIPTION = /^[ !#-[\]-~]+$/

// ---- The flow

for (const scope of ['current_time', 'epoch_time']) {
  test(`a code for ${scope} becomes a token for it (RFC 6749 §4.1)`, async () => {
    const stand = await start()
    const { verifier, challenge } = pkce()
    const answer = await stand.authorize(challenge, { scope, login_hint: 'ada', state: 'x &=%\u007e' })
    const back = sentBack(answer)
    assert.equal([...back.keys()], ['code', 'state', 'iss'])
    assert.is(back.get('state'), 'x &=%~')
    assert.is(back.get('iss'), DEFAULTS.issuer) // RFC 9207
    assert.is(answer.headers.get('cache-control'), 'no-store')

    const token = await stand.redeem({ code: back.get('code')!, verifier })
    assert.is(token.status, 200)
    assert.is(token.headers.get('cache-control'), 'no-store')
    assert.is(token.headers.get('pragma'), 'no-cache')
    const { access_token, ...rest } = jsonOf(token)
    assert.equal(rest, { token_type: 'Bearer', expires_in: 5, scope })

    const { jti, ...claims } = claimsOf(String(access_token))
    const now = Math.floor(stand.clock.ms / 1000)
    const expected = {
      iss: DEFAULTS.issuer,
      aud: 'urn:example:time-service',
      sub: 'ada',
      username: 'ada',
      client_id: '1234',
      scope,
      iat: now,
      exp: now + 5,
    }
    assert.equal(claims, expected)
    assert.match(String(jti), /^[\da-f-]{36}$/)

    const introspection = await stand.introspect(String(access_token))
    assert.is(introspection.status, 200)
    assert.equal(jsonOf(introspection), { active: true, token_type: 'Bearer', ...expected, jti })
  })
}

test('without a login_hint the token is for the user of the configuration', async () => {
  const stand = await start({ defaultUser: 'Grace H.' })
  assert.is(claimsOf(await stand.token()).sub, 'Grace H.')
})

test('without a state there is none in the answer', async () => {
  const stand = await start()
  const back = sentBack(await stand.authorize(pkce().challenge, { state: undefined }))
  assert.equal([...back.keys()], ['code', 'iss'])
})

test('parameters that are unknown are ignored, and those without a value are omitted (RFC 6749 §3.1)', async () => {
  const stand = await start()
  const changes = { nonce: '1', prompt: 'none', state: '', login_hint: '' }
  const answer = await stand.authorize(pkce().challenge, changes)
  assert.equal([...sentBack(answer).keys()], ['code', 'iss'])
})

test('a client may have registered a redirection URI with a query of its own', async () => {
  const uri = `${CALLBACK}?a=%7E`
  const clients = DEFAULTS.clients.map((client) => ({ ...client, redirectUris: [uri] }))
  const stand = await start({ clients })
  const answer = await stand.authorize(pkce().challenge, { redirect_uri: uri })
  assert.ok(answer.headers.get('location')?.startsWith(`${uri}&code=`), `${answer.headers.get('location')}`)
})

test('what the metadata says is where it is (RFC 8414), and the key there verifies tokens', async () => {
  const stand = await start()
  const metadata = jsonOf(await ask(stand.port, '/.well-known/oauth-authorization-server'))
  assert.equal(metadata, {
    issuer: DEFAULTS.issuer,
    authorization_endpoint: `${DEFAULTS.issuer}/authorize`,
    token_endpoint: `${DEFAULTS.issuer}/token`,
    introspection_endpoint: `${DEFAULTS.issuer}/introspect`,
    jwks_uri: `${DEFAULTS.issuer}/jwks`,
    scopes_supported: ['current_time', 'epoch_time'],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'client_credentials'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  })
  const jwks = jsonOf(await ask(stand.port, '/jwks'))
  assert.not.match(JSON.stringify(jwks), /"d":/) // the private part
  const keys = createLocalJWKSet(jwks as unknown as JSONWebKeySet)
  const currentDate = new Date(stand.clock.ms)
  const { protectedHeader } = await jwtVerify(await stand.token(), keys, { currentDate, typ: 'at+jwt' })
  assert.is(protectedHeader.alg, 'ES256')
})

// ---- The authorization endpoint refuses

interface Refusal {
  readonly name: string
  readonly changes?: Changes
  readonly verbatim?: string
  readonly error: string
}

const REFUSED_AT_CALLBACK: readonly Refusal[] = [
  { name: 'an unknown scope', changes: { scope: 'admin' }, error: 'invalid_scope' },
  {
    name: 'an unknown scope beside a known one',
    changes: { scope: 'current_time admin' },
    error: 'invalid_scope',
  },
  {
    name: 'both scopes: a token is for one endpoint',
    changes: { scope: 'current_time epoch_time' },
    error: 'invalid_scope',
  },
  { name: 'no scope', changes: { scope: undefined }, error: 'invalid_scope' },
  { name: 'a scope in other letters', changes: { scope: 'Current_Time' }, error: 'invalid_scope' },
  { name: 'a scope with a line end', changes: { scope: 'current_time\n' }, error: 'invalid_request' },
  { name: 'a name of every object', changes: { scope: 'constructor' }, error: 'invalid_scope' },
  {
    name: 'another response type',
    changes: { response_type: 'token' },
    error: 'unsupported_response_type',
  },
  { name: 'no response type', changes: { response_type: undefined }, error: 'invalid_request' },
  { name: 'no challenge', changes: { code_challenge: undefined }, error: 'invalid_request' },
  { name: 'a challenge that is none', changes: { code_challenge: 'short' }, error: 'invalid_request' },
  { name: 'the method plain', changes: { code_challenge_method: 'plain' }, error: 'invalid_request' },
  {
    name: 'no method, which means plain',
    changes: { code_challenge_method: undefined },
    error: 'invalid_request',
  },
  { name: 'a user with a line end', changes: { login_hint: 'a\nb' }, error: 'invalid_request' },
  { name: 'an endless user', changes: { login_hint: 'a'.repeat(129) }, error: 'invalid_request' },
  { name: 'a scope twice', verbatim: '&scope=epoch_time', error: 'invalid_request' },
  { name: 'the same scope twice', verbatim: '&scope=current_time', error: 'invalid_request' },
]

for (const { name, changes, verbatim, error } of REFUSED_AT_CALLBACK) {
  test(`${name} is refused at the callback, with state and iss (RFC 6749 §4.1.2.1)`, async () => {
    const stand = await start()
    const back = sentBack(await stand.authorize(pkce().challenge, changes, verbatim))
    assert.equal([...back.keys()], ['error', 'error_description', 'state', 'iss'])
    assert.is(back.get('error'), error)
    assert.match(back.get('error_description')!, DESCRIPTION)
    assert.is(back.get('state'), 'a state')
    assert.is(back.get('iss'), DEFAULTS.issuer)
    assert.is(stand.server.held.codes, 0)
  })
}

for (const [name, changes, verbatim] of [
  ['with control characters', { state: 'a\r\nLocation: x' }, ''],
  ['that is endless', { state: 'a'.repeat(1025) }, ''],
  ['given twice', {}, '&state=other'],
] as const) {
  test(`a state ${name} is refused, and not sent back`, async () => {
    const stand = await start()
    const back = sentBack(await stand.authorize(pkce().challenge, changes, verbatim))
    assert.equal([...back.keys()], ['error', 'error_description', 'iss'])
    assert.is(back.get('error'), 'invalid_request')
  })
}

for (const [name, changes, verbatim] of [
  ['an unknown client', { client_id: '1235' }, ''],
  ['no client', { client_id: undefined }, ''],
  ['a client twice', {}, '&client_id=1234'],
  ['no redirection URI', { redirect_uri: undefined }, ''],
  ['another redirection URI', { redirect_uri: 'http://evil.example/callback' }, ''],
  ['a redirection URI twice', {}, `&redirect_uri=${encodeURIComponent(CALLBACK)}`],
  ['a redirection URI with a slash more', { redirect_uri: `${CALLBACK}/` }, ''],
  ['a redirection URI with a query', { redirect_uri: `${CALLBACK}?a=b` }, ''],
  ['a redirection URI with a fragment', { redirect_uri: `${CALLBACK}#a` }, ''],
  ['a redirection URI with another port', { redirect_uri: 'http://127.0.0.1:5004/callback' }, ''],
  ['a redirection URI in other letters', { redirect_uri: CALLBACK.replace('callback', 'Callback') }, ''],
  ['a redirection URI with a step back', { redirect_uri: `${CALLBACK}/../callback` }, ''],
  ['the redirection URI of nobody but the client named', { client_id: 'batch' }, ''],
  ['a line end in the redirection URI', { redirect_uri: `${CALLBACK}\r\nSet-Cookie: a=b` }, ''],
] as const) {
  test(`${name} is told to the user alone: 400, and no redirection (RFC 6749 §4.1.2.1)`, async () => {
    const stand = await start()
    const answer = await stand.authorize(pkce().challenge, changes, verbatim)
    assert.is(answer.status, 400)
    assert.is(answer.headers.get('location'), null)
    assert.is(jsonOf(answer).error, 'invalid_request')
    assert.match(String(jsonOf(answer).error_description), DESCRIPTION)
    assert.is(stand.server.held.codes, 0)
  })
}

test('a client that is not registered for codes gets none', async () => {
  const clients = DEFAULTS.clients.map((client) =>
    client.id === 'batch' ? { ...client, redirectUris: [CALLBACK] } : client,
  )
  const stand = await start({ clients })
  const back = sentBack(await stand.authorize(pkce().challenge, { client_id: 'batch' }))
  assert.is(back.get('error'), 'unauthorized_client')
})

// ---- The token endpoint refuses

/** RFC 6749 §5.2. */
function assertRefused(
  answer: { status: number; headers: Headers; text: string },
  status: number,
  error: string,
): void {
  assert.is(answer.status, status, answer.text)
  const body = jsonOf(answer)
  assert.is(body.error, error, answer.text)
  assert.match(String(body.error_description), DESCRIPTION)
  assert.is(answer.headers.get('cache-control'), 'no-store')
  assert.is(/^Basic /.test(answer.headers.get('www-authenticate') ?? ''), status === 401)
}

for (const [name, authorization, changes] of [
  ['a wrong secret', basic('1234', 'qwertz'), {}],
  ['a secret that begins well', basic('1234', 'qwerty1'), {}],
  ['the secret of another', basic('1234', 'batch-secret'), {}],
  ['an unknown client', basic('1235', 'qwerty'), {}],
  ['an unknown client with no secret', basic('1235', ''), {}],
  ['a client with no secret', basic('1234', ''), {}],
  ['no credentials', '', {}],
  ['another scheme', 'Bearer MTIzNDpxd2VydHk=', {}],
  ['Basic that is no base64', 'Basic ::::', {}],
  ['Basic without a colon', `Basic ${btoa('1234')}`, {}],
  ['a per cent sign without digits', `Basic ${btoa('1234:qwert%')}`, {}],
  ['a wrong secret in the form', '', { client_id: '1234', client_secret: 'qwertz' }],
  ['an id alone in the form', '', { client_id: '1234' }],
] as const) {
  test(`${name} is 401 invalid_client, and does not use up the code`, async () => {
    const stand = await start()
    const code = await stand.code()
    const refused = await stand.post(
      '/token',
      { grant_type: 'authorization_code', ...changes },
      authorization === '' ? undefined : authorization,
    )
    assertRefused(refused, 401, 'invalid_client')
    assert.is((await stand.redeem(code)).status, 200)
  })
}

test('a client may prove who it is in the form, but in one way alone (RFC 6749 §2.3)', async () => {
  const stand = await start()
  const inForm = { client_id: '1234', client_secret: 'qwerty' }
  const form = (code: { code: string; verifier: string }) => ({
    grant_type: 'authorization_code',
    code: code.code,
    code_verifier: code.verifier,
    redirect_uri: CALLBACK,
  })
  const code = await stand.code()
  assertRefused(await stand.redeem(code, inForm), 400, 'invalid_request')
  assertRefused(await stand.redeem(code, { client_id: 'batch' }), 400, 'invalid_request')
  assert.is((await stand.redeem(code, { client_id: '1234' })).status, 200)
  assert.is((await stand.post('/token', { ...form(await stand.code()), ...inForm })).status, 200)
})

test('two Authorization fields are refused', async () => {
  const stand = await start()
  const wire = await Wire.connect(stand.port)
  const body = 'grant_type=client_credentials&scope=epoch_time'
  wire.send(
    `POST /token HTTP/1.1\r\nHost: a\r\nAuthorization: ${BATCH}\r\nAuthorization: ${BATCH}\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  const message = await wire.message()
  assert.match(message.head, /^HTTP\/1\.1 400 /)
  wire.destroy()
})

test('id and secret are encoded as in a form before they become Basic (RFC 6749 §2.3.1)', async () => {
  const [first, ...others] = DEFAULTS.clients
  const stand = await start({ clients: [{ ...first!, id: 'a:b +%', secret: 'c:d &=+%41' }, ...others] })
  const code = await stand.code({ client_id: 'a:b +%' })
  assert.is((await stand.redeem(code, {}, basic('a:b +%', 'c:d &=+%41'))).status, 200)
})

test('a code that is used twice gives nothing, and what was issued for it is revoked (RFC 6749 §4.1.2)', async () => {
  const stand = await start()
  const code = await stand.code()
  const token = String(jsonOf(await stand.redeem(code)).access_token)
  assert.is(jsonOf(await stand.introspect(token)).active, true)
  for (let again = 0; again < 2; again++) assertRefused(await stand.redeem(code), 400, 'invalid_grant')
  assert.equal(jsonOf(await stand.introspect(token)), { active: false })
  assert.is(stand.server.held.revocations, 1)
})

test('of two uses at once one is the first, and neither has a token that counts', async () => {
  const stand = await start()
  const code = await stand.code()
  const answers = await Promise.all([stand.redeem(code), stand.redeem(code)])
  assert.equal(answers.map(({ status }) => status).sort(), [200, 400])
  const token = String(jsonOf(answers.find(({ status }) => status === 200)!).access_token)
  assert.equal(jsonOf(await stand.introspect(token)), { active: false })
})

test('a code of another client is refused, and stays good for its own', async () => {
  const clients = DEFAULTS.clients.map((client) => ({
    ...client,
    grantTypes: ['authorization_code'] as const,
  }))
  const stand = await start({ clients })
  const code = await stand.code()
  assertRefused(await stand.redeem(code, {}, BATCH), 400, 'invalid_grant')
  const token = String(jsonOf(await stand.redeem(code)).access_token)
  assertRefused(await stand.redeem(code, {}, BATCH), 400, 'invalid_grant')
  assert.is(jsonOf(await stand.introspect(token)).active, true) // nor can it revoke what is not its own
})

for (const [name, changes, error] of [
  ['a wrong verifier', { code_verifier: pkce().verifier }, 'invalid_grant'],
  ['another redirection URI', { redirect_uri: `${CALLBACK}/` }, 'invalid_grant'],
] as const) {
  test(`${name} is refused, and there is no second guess`, async () => {
    const stand = await start()
    const code = await stand.code()
    assertRefused(await stand.redeem(code, changes), 400, error)
    assertRefused(await stand.redeem(code), 400, 'invalid_grant')
  })
}

for (const [name, changes, error] of [
  ['no verifier', { code_verifier: undefined }, 'invalid_request'],
  ['a verifier that is too short', { code_verifier: 'a'.repeat(42) }, 'invalid_request'],
  ['no redirection URI', { redirect_uri: undefined }, 'invalid_request'],
  ['no code', { code: undefined }, 'invalid_request'],
  ['a code that was never given', { code: 'a'.repeat(43) }, 'invalid_grant'],
  ['no grant type', { grant_type: undefined }, 'invalid_request'],
  ['an unknown grant type', { grant_type: 'password' }, 'unsupported_grant_type'],
  ['a grant type of another client', { grant_type: 'client_credentials' }, 'unauthorized_client'],
] as const) {
  test(`${name} is ${error}`, async () => {
    const stand = await start()
    assertRefused(await stand.redeem(await stand.code(), changes), 400, error)
  })
}

test('a code lives ten seconds', async () => {
  const stand = await start()
  const [good, late] = [await stand.code(), await stand.code()]
  stand.clock.ms += 9_999
  assert.is((await stand.redeem(good)).status, 200)
  stand.clock.ms += 1
  assertRefused(await stand.redeem(late), 400, 'invalid_grant')
})

// ---- The client's own token

test('client_credentials gives a token for the client itself, for one scope (RFC 6749 §4.4)', async () => {
  const stand = await start()
  const grant_type = 'client_credentials'
  const answer = await stand.post('/token', { grant_type, scope: 'epoch_time' }, BATCH)
  assert.is(answer.status, 200)
  const { access_token, ...rest } = jsonOf(answer)
  assert.equal(rest, { token_type: 'Bearer', expires_in: 5, scope: 'epoch_time' })
  const { active, sub, client_id, username } = jsonOf(await stand.introspect(String(access_token)))
  assert.equal(
    { active, sub, client_id, username },
    { active: true, sub: 'batch', client_id: 'batch', username: undefined },
  )
  for (const scope of [undefined, 'admin', 'epoch_time admin', 'epoch_time current_time'])
    assertRefused(await stand.post('/token', { grant_type, scope }, BATCH), 400, 'invalid_scope')
})

// ---- Introspection

test('a token is active for five seconds from the second it was issued in, and not a ms longer', async () => {
  const stand = await start()
  const token = await stand.token()
  stand.clock.ms = Number(claimsOf(token).exp) * 1000 - 1
  assert.is(jsonOf(await stand.introspect(token)).active, true)
  stand.clock.ms += 1
  assert.equal(jsonOf(await stand.introspect(token)), { active: false })
})

test('after six real seconds a token is not active any more', async () => {
  const stand = await start({}, Date.now)
  const token = await stand.token()
  assert.is(jsonOf(await stand.introspect(token)).active, true)
  await wait(6000)
  assert.equal(jsonOf(await stand.introspect(token)), { active: false })
})

/** A token of one's own making, good but for what is changed. */
function forge(
  stand: Stand,
  changes: Record<string, unknown> = {},
  { typ = 'at+jwt', key = KEYS.privateKey, alg = 'ES256' } = {},
) {
  const now = Math.floor(stand.clock.ms / 1000)
  const { issuer: iss, audience: aud } = DEFAULTS
  const claims = {
    iss,
    aud,
    sub: 'a',
    client_id: '1234',
    scope: 'epoch_time',
    iat: now,
    exp: now + 5,
    jti: '1',
  }
  return new SignJWT({ ...claims, ...changes }).setProtectedHeader({ alg, typ }).sign(key)
}

test('a token of the right making is active: what follows fails for one reason each', async () => {
  const stand = await start()
  assert.is(jsonOf(await stand.introspect(await forge(stand))).active, true)
})

const secretOfPublicKey = () => Buffer.from(KEYS.publicKey.export({ format: 'pem', type: 'spki' }))

const INACTIVE: readonly (readonly [name: string, token: (stand: Stand) => Promise<string> | string])[] = [
  ['by another key', (stand) => forge(stand, {}, { key: makeSigningKeys().privateKey })],
  [
    'by the public key as a secret',
    async (stand) => {
      const good = await forge(stand)
      return new SignJWT(claimsOf(good))
        .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
        .sign(secretOfPublicKey())
    },
  ],
  ['with alg none', async (stand) => new UnsecuredJWT(claimsOf(await forge(stand))).encode()],
  ['whose signature was cut off', async (stand) => (await forge(stand)).replace(/[^.]*$/, '')],
  [
    'whose signature was changed',
    async (stand) => {
      const token = await forge(stand)
      const at = token.lastIndexOf('.') + 9
      return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
    },
  ],
  [
    'whose claims were changed',
    async (stand) => {
      const [head, , signature] = (await forge(stand)).split('.')
      const claims = { ...claimsOf(await forge(stand)), sub: 'root' }
      return `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`
    },
  ],
  ['for another audience', (stand) => forge(stand, { aud: 'urn:example:other' })],
  ['by another issuer', (stand) => forge(stand, { iss: 'http://127.0.0.1:5002' })],
  ['of another type', (stand) => forge(stand, {}, { typ: 'JWT' })],
  ['without exp', (stand) => forge(stand, { exp: undefined })],
  ['without a subject', (stand) => forge(stand, { sub: undefined })],
  ['that is not valid yet', (stand) => forge(stand, { nbf: Math.floor(stand.clock.ms / 1000) + 1 })],
  ['that is garbage', () => 'garbage'],
  ['that is garbage in three parts', () => 'e30.e30.e30'],
  ['that is encrypted', () => 'a.b.c.d.e'],
]

for (const [name, tokenFor] of INACTIVE) {
  test(`a token ${name} is not active, and nobody is told why (RFC 7662 §2.2)`, async () => {
    const stand = await start()
    const answer = await stand.introspect(await tokenFor(stand))
    assert.is(answer.status, 200)
    assert.is(answer.text, '{"active":false}')
  })
}

test('a token of another server with the same name is not active', async () => {
  const stand = await start()
  const other = await start({ issuer: 'http://127.0.0.1:5009' })
  assert.equal(jsonOf(await stand.introspect(await other.token())), { active: false })
})

test('introspection is for clients that may: 401 without credentials or with wrong ones, 403 for others', async () => {
  const stand = await start()
  const token = await stand.token()
  const nobody = await stand.post('/introspect', { token })
  assertRefused(nobody, 401, 'invalid_client')
  assertRefused(await stand.introspect(token, basic('resource-server', 'x')), 401, 'invalid_client')
  assertRefused(await stand.introspect(token, WEBAPP), 403, 'unauthorized_client')
  assertRefused(await stand.post('/introspect', {}, RESOURCE_SERVER), 400, 'invalid_request')
})

// ---- HTTP

for (const path of ['/token', '/introspect']) {
  test(`${path} takes forms alone, once each parameter, and not too much`, async () => {
    const stand = await start()
    const send = (body: string | Uint8Array, type = 'application/x-www-form-urlencoded') =>
      ask(stand.port, path, {
        method: 'POST',
        headers: { 'content-type': type, authorization: RESOURCE_SERVER },
        body,
      })
    const form = 'token=a&grant_type=client_credentials'
    assertRefused(await send(`${form}&token=a&scope=b&scope=b`), 400, 'invalid_request')
    assertRefused(await send('{"token":"a"}', 'application/json'), 400, 'invalid_request')
    assertRefused(await send(form, 'text/plain'), 400, 'invalid_request')
    assertRefused(await send(form, 'application/x-www-form-urlencodedly'), 400, 'invalid_request')
    assertRefused(await send(Buffer.from('token=\xff', 'latin1')), 400, 'invalid_request')
    assertRefused(await send(`token=${'a'.repeat(8192)}`), 413, 'invalid_request')
    const tooMuch = await send('a'.repeat(4_000_000))
    assertRefused(tooMuch, 413, 'invalid_request')
    const good = await send(form, 'Application/x-www-form-urlencoded; charset=UTF-8')
    assert.match(good.text, /^\{"active":false\}$|unauthorized_client/)
  })

  test(`a body of ${path} whose length nobody tells is read up to the limit, and the connection stays in step`, async () => {
    const stand = await start()
    const wire = await Wire.connect(stand.port)
    const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n`
    const chunk = `${(4096).toString(16)}\r\n${'a'.repeat(4096)}\r\n`
    wire.send(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(100)}`)
    assert.match((await wire.message()).head, /^HTTP\/1\.1 413 /)
    wire.send('0\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.is((await wire.message()).body.toString(), '{"status":"ok"}')
    wire.destroy()
  })
}

for (const [method, path, status, allow] of [
  ['POST', '/authorize', 405, 'GET'],
  ['GET', '/token', 405, 'POST'],
  ['GET', '/introspect', 405, 'POST'],
  ['DELETE', '/jwks', 405, 'GET'],
  ['GET', '/', 404, null],
  ['GET', '/token/', 404, null],
  ['GET', '/__proto__', 404, null],
] as const) {
  test(`${method} ${path} is ${status}`, async () => {
    const stand = await start()
    const answer = await ask(stand.port, path, { method })
    assert.is(answer.status, status)
    assert.is(answer.headers.get('allow'), allow)
    assert.is(answer.headers.get('content-type'), 'application/json')
  })
}

test('one call can be followed by its id; neither secrets nor codes nor tokens are logged', async () => {
  const stand = await start()
  const headers = {
    'x-request-id': 'call-1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  }
  const answer = await ask(stand.port, '/health', { headers })
  assert.is(answer.headers.get('x-request-id'), 'call-1')
  const code = await stand.code({ login_hint: 'ada' })
  const token = String(jsonOf(await stand.redeem(code)).access_token)
  await stand.introspect(token)
  await stand.introspect('garbage')
  await eventually(() => stand.lines.length === 5, 'five lines')
  const [health, authorize, redeem, active, inactive] = stand.lines
  assert.is(health?.id, 'call-1')
  assert.is(health?.traceparent, headers.traceparent)
  assert.is(authorize?.path, '/authorize')
  assert.is(authorize?.user, 'ada')
  assert.is(redeem?.jti, claimsOf(token).jti)
  assert.is(active?.jti, redeem?.jti)
  assert.is(inactive?.active, false)
  const all = JSON.stringify(stand.lines)
  for (const hidden of [code.code, code.verifier, token, 'qwerty', WEBAPP]) assert.not(all.includes(hidden))
})

for (const [name, value] of [
  ['a line of log', 'a","level":"fatal'],
  ['endless', 'a'.repeat(129)],
] as const) {
  test(`a request id that is ${name} is replaced`, async () => {
    const stand = await start()
    const answer = await ask(stand.port, '/health', {
      headers: { 'x-request-id': value, traceparent: '00-1' },
    })
    assert.match(answer.headers.get('x-request-id')!, /^[\da-f-]{36}$/)
    await eventually(() => stand.lines.length === 1, 'the line')
    assert.is(stand.lines[0]?.traceparent, undefined)
  })
}

// ---- What is held

test('when there are as many codes as there may be, no more are given, and none of them is lost', async () => {
  const stand = await start({ codeLimit: 3 })
  const codes = [await stand.code(), await stand.code(), await stand.code()]
  const back = sentBack(await stand.authorize(pkce().challenge))
  assert.is(back.get('error'), 'temporarily_unavailable')
  for (const code of codes) assert.is((await stand.redeem(code)).status, 200)
  stand.clock.ms += 10_000
  assert.is((await stand.redeem(await stand.code())).status, 200)
})

test('every code can be used twice in its last moment, at the limit too', async () => {
  const stand = await start({ codeLimit: 2, codeLifetime: 1 })
  for (let round = 0; round < 8; round++) {
    const codes = [await stand.code(), await stand.code()]
    stand.clock.ms += 999
    for (const code of codes) {
      assert.is((await stand.redeem(code)).status, 200)
      assertRefused(await stand.redeem(code), 400, 'invalid_grant')
    }
    stand.clock.ms += 1
  }
  assert.ok(stand.server.held.revocations <= 12, `${stand.server.held.revocations} revocations`)
})

/** One call, whole, and the code once more, for a revocation. */
async function flow(stand: Stand): Promise<void> {
  const code = await stand.code()
  const token = String(jsonOf(await stand.redeem(code)).access_token)
  assert.is(jsonOf(await stand.introspect(token)).active, true)
  assert.is((await stand.redeem(code)).status, 400)
}

async function flows(stand: Stand, count: number): Promise<void> {
  for (let round = 0; round < count / 20; round++)
    await Promise.all(Array.from({ length: 20 }, () => flow(stand)))
}

/** Octets that are still referred to. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void // there since the line before
  collect()
  return process.memoryUsage().heapUsed
}

test('after 2000 flows nothing is held that has expired, traffic or not, and memory is what it was', async () => {
  const stand = await start()
  const empty = () => eventually(() => isEmpty(stand), 'the stores to be empty')
  await flows(stand, 1000) // until all that is done once has been
  stand.clock.ms += 10_000
  await empty()
  stand.forgetLog()
  const before = heapUsed()

  await flows(stand, 2000)
  assert.equal(stand.server.held, { codes: 2000, revocations: 2000 })
  stand.clock.ms += 10_000
  await empty()
  stand.forgetLog()
  const grown = heapUsed() - before
  assert.ok(grown < 500_000, `${grown} octets more after 2000 flows`) // one code alone is some 500
})

function isEmpty({ server }: Stand): boolean {
  const { codes, revocations } = server.held
  return codes + revocations === 0
}

test.run()
