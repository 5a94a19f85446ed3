import { SignJWT, UnsecuredJWT } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DEFAULTS, demoSecretsOf, secretOf } from '../../examples/oauth2/time-service/config.ts'
import { createTimeService } from '../../examples/oauth2/time-service/server.ts'
import { DEMO_SECRET } from '../../src/jwt/keys.ts'
import { closedAfter } from '../support/process.ts'
import { KEY, startStand } from '../support/proxy.ts'
import { eventually, Wire } from '../support/wire.ts'
import { ask, Clock, jsonOf, keptLog } from './support.ts'

const test = suite('oauth2/time-service')
const closed = closedAfter(test)

async function start() {
  const clock = new Clock()
  const { log, lines } = keptLog()
  const service = closed(createTimeService(DEFAULTS, { log, now: clock.now }))
  const { port } = await service.listen(0, '127.0.0.1')
  return { port, clock, lines }
}

const now = (clock: Clock) => Math.floor(clock.ms / 1000)

/** Claims as signet makes them, of a request that came `age` seconds ago. */
function claims(clock: Clock, age = 0) {
  return { iat: now(clock) - age, payload: { user: 'ada', date: '2026-01-02' }, jti: 'token-1' }
}

/** A token with such claims, but for what is changed. */
function sign(clock: Clock, { age = 0, ...changes }: Record<string, unknown> & { age?: number } = {}) {
  return new SignJWT({ ...claims(clock, age), ...changes })
    .setProtectedHeader({ alg: 'HS512', typ: 'JWT' })
    .sign(KEY.secret)
}

test('GET /current_time is the time in RFC 3339, GET /epoch_time in whole seconds', async () => {
  const { port, clock } = await start()
  const headers = { 'x-my-jwt': await sign(clock) }
  const current = await ask(port, '/current_time', { headers })
  assert.is(current.status, 200)
  assert.is(current.headers.get('content-type'), 'application/json')
  assert.is(current.headers.get('cache-control'), 'no-store')
  assert.is(current.text, '{"current_time":"2026-01-02T03:04:05.678Z"}')
  assert.is(
    (await ask(port, '/epoch_time?a=b', { headers })).text,
    `{"epoch_time":${Date.UTC(2026, 0, 2, 3, 4, 5) / 1000}}`,
  )
})

test('a request that comes through signet is answered: both have the same secret by default', async () => {
  assert.is(DEFAULTS.secret, DEMO_SECRET)
  const { log, lines } = keptLog()
  const service = closed(createTimeService(DEFAULTS, { log }))
  const { port } = await service.listen(0, '127.0.0.1')
  const signet = closed(await startStand({ SIGNET_UPSTREAM: `http://127.0.0.1:${port}`, SIGNET_USER: 'ada' }))
  const headers = { 'x-request-id': 'call-1', 'x-my-jwt': 'forged' }
  const answer = await ask(signet.port, '/epoch_time', { headers })
  assert.is(answer.status, 200)
  assert.ok(Math.abs(Number(jsonOf(answer).epoch_time) - Date.now() / 1000) < 5)
  await eventually(() => lines.length === 1, 'the line')
  assert.is(lines[0]?.user, 'ada')
  assert.is(lines[0]?.id, 'call-1')
})

test('the secret that everybody knows is known, however it is written', () => {
  const spaced = DEFAULTS.secret.replaceAll(' ', '').toUpperCase().replace(/../g, '$& ')
  assert.equal(demoSecretsOf({ ...DEFAULTS, secret: spaced }), ['timeService.secret'])
  assert.equal(demoSecretsOf({ ...DEFAULTS, secret: '00'.repeat(64) }), [])
  assert.is(secretOf(DEFAULTS).length, 64)
})

const OTHER = Buffer.alloc(64, 1)

const NOT_BY_SIGNET: readonly (readonly [name: string, token: (clock: Clock) => Promise<string> | string])[] =
  [
    ['garbage', () => 'garbage'],
    [
      'by another secret',
      (clock) => new SignJWT(claims(clock)).setProtectedHeader({ alg: 'HS512' }).sign(OTHER),
    ],
    ['with alg none', (clock) => new UnsecuredJWT(claims(clock)).encode()],
    [
      'with HS256',
      (clock) => new SignJWT(claims(clock)).setProtectedHeader({ alg: 'HS256' }).sign(KEY.secret),
    ],
    ['behind Bearer', async (clock) => `Bearer ${await sign(clock)}`],
    ['two in one field', async (clock) => `${await sign(clock)}, ${await sign(clock)}`],
    ['of a minute ago', (clock) => sign(clock, { age: 66 })],
    ['of the future', (clock) => sign(clock, { age: -6 })],
    ['without iat', (clock) => sign(clock, { iat: undefined })],
    ['that has expired', (clock) => sign(clock, { exp: now(clock) - 6 })],
    ['without a user', (clock) => sign(clock, { payload: {} })],
    ['whose user is no text', (clock) => sign(clock, { payload: { user: 1 } })],
    ['without jti', (clock) => sign(clock, { jti: undefined })],
  ]

for (const [name, tokenFor] of NOT_BY_SIGNET) {
  test(`a token ${name} is 401, on every path but /health`, async () => {
    const { port, clock, lines } = await start()
    const headers = { 'x-my-jwt': await tokenFor(clock) }
    for (const path of ['/current_time', '/epoch_time', '/other']) {
      const answer = await ask(port, path, { headers })
      assert.is(answer.status, 401)
      assert.is(answer.text, '{"error":"not_through_signet"}')
    }
    assert.is((await ask(port, '/health', { headers })).status, 200)
    await eventually(() => lines.length === 4, 'four lines')
    assert.type(lines[0]?.reason, 'string')
  })
}

test('no token is 401, and so are two of them, both good', async () => {
  const { port, clock } = await start()
  assert.is((await ask(port, '/epoch_time')).status, 401)
  const token = await sign(clock)
  const wire = await Wire.connect(port)
  wire.send(`GET /epoch_time HTTP/1.1\r\nHost: a\r\nX-My-Jwt: ${token}\r\nx-my-jwt: ${token}\r\n\r\n`)
  assert.match((await wire.message()).head, /^HTTP\/1\.1 401 /)
  wire.send(`GET /epoch_time HTTP/1.1\r\nHost: a\r\nX-My-Jwt: ${token}\r\n\r\n`)
  assert.match((await wire.message()).head, /^HTTP\/1\.1 200 /)
  wire.destroy()
})

for (const [method, path, status, allow] of [
  ['POST', '/current_time', 405, 'GET'],
  ['PUT', '/epoch_time', 405, 'GET'],
  ['OPTIONS', '/epoch_time', 405, 'GET'],
  ['GET', '/', 404, null],
  ['GET', '/current_time/', 404, null],
  ['GET', '/constructor', 404, null],
] as const) {
  test(`${method} ${path} is ${status}, in JSON`, async () => {
    const { port, clock } = await start()
    const answer = await ask(port, path, { method, headers: { 'x-my-jwt': await sign(clock) } })
    assert.is(answer.status, status)
    assert.is(answer.headers.get('allow'), allow)
    assert.type(jsonOf(answer).error, 'string')
  })
}

test('what a request was called before is logged, with its user, and not its token', async () => {
  const { port, clock, lines } = await start()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const token = await sign(clock)
  const headers = { 'x-my-jwt': token, 'x-request-id': '05cbdbf9-2s', traceparent }
  const answer = await ask(port, '/epoch_time?token=a', { headers })
  assert.is(answer.headers.get('x-request-id'), '05cbdbf9-2s')
  await eventually(() => lines.length === 1, 'the line')
  const { ms, ...line } = lines[0]!
  assert.type(ms, 'number')
  assert.equal(line, {
    level: 'info',
    event: 'request',
    id: '05cbdbf9-2s',
    traceparent,
    method: 'GET',
    path: '/epoch_time',
    status: 200,
    user: 'ada',
    jti: 'token-1',
  })
})

test.run()
