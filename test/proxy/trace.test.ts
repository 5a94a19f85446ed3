// SIGNET_TRACE, over real sockets: a client's trace goes on with signet as the parent, another begins where there is none, and
// both are found in the log; off, nothing of it is touched.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AuthenticatorConfig } from '../../src/http/authentication.ts'
import { valuesOf } from '../support/heads.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { ok, RawUpstream } from '../support/wire.ts'

const ID = 'ab'.repeat(16)
const RECEIVED = `00-${ID}-${'cd'.repeat(8)}-01`

const request = (...fields: string[]) =>
  `${['GET / HTTP/1.1', 'Host: a.test', ...fields].join('\r\n')}\r\n\r\n`

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/trace (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })
  const on = () => start({ SIGNET_TRACE: 'on' })

  test('a trace is continued: its id and its state pass, signet is the parent, the line in the log has the id', async () => {
    const stand = await on()
    const { forwarded } = await exchange(
      stand,
      request(`traceparent: ${RECEIVED}`, 'tracestate: vendor=value', 'Trace_Parent: x'),
      ok(),
    )
    const [parent, ...others] = valuesOf(forwarded.head, 'traceparent')
    assert.match(parent!, new RegExp(`^00-${ID}-[\\da-f]{16}-01$`))
    assert.is.not(parent, RECEIVED)
    assert.equal(others, [])
    assert.equal(valuesOf(forwarded.head, 'tracestate'), ['vendor=value'])
    assert.is((await stand.exchanges(1))[0]?.trace, ID)
  })

  test('where there is none, or two, or nonsense, one begins, without the state of another', async () => {
    const stand = await on()
    stand.upstream.serve(({ head }) => ok(head))
    const client = await stand.client()
    const seen = new Set<string>()
    for (const [at, fields] of [
      ['tracestate: vendor=value'],
      [`traceparent: ${RECEIVED}`, `traceparent: ${RECEIVED}`, 'tracestate: vendor=value'],
      ['traceparent: 00-nonsense', 'TraceState: vendor=value'],
      ['Connection: traceparent', 'traceparent: x'],
    ].entries()) {
      client.send(request(...fields))
      const head = (await client.message()).body.toString()
      const [parent = '', ...others] = valuesOf(head, 'traceparent')
      assert.match(parent, /^00-[\da-f]{32}-[\da-f]{16}-01$/)
      assert.equal([...others, ...valuesOf(head, 'tracestate')], [])
      assert.is((await stand.exchanges(at + 1))[at]?.trace, parent.slice(3, 35))
      seen.add(parent.slice(3, 35))
    }
    assert.is(seen.size, 4)
    const page = await (await fetch(`http://127.0.0.1:${stand.port}/metrics`)).text()
    assert.match(page, 'signet_header_spoof_total 0\n') // nothing that a client should not have said
  })

  test('each request of a connection has a trace of its own, and a refusal has one, too', async () => {
    const stand = await on()
    stand.upstream.serve(({ head }) => ok(head))
    const client = await stand.client()
    const parents: (string | undefined)[] = []
    for (let times = 0; times < 2; times++) {
      client.send(request())
      parents.push(valuesOf((await client.message()).body.toString(), 'traceparent')[0])
    }
    assert.is(new Set(parents).size, 2)
    client.send(`TRACE / HTTP/1.1\r\nHost: a.test\r\ntraceparent: ${RECEIVED}\r\n\r\n`)
    await client.message()
    const lines = await stand.exchanges(3)
    assert.is(lines[2]?.status, 501)
    assert.is(lines[2]?.trace, ID)
  })

  test('whoever is asked about a token is in the same trace', async () => {
    const asked: (string | undefined)[] = []
    const issuer = await RawUpstream.listen()
    issuer.serve(({ head }) => {
      asked.push(valuesOf(head, 'traceparent')[0])
      return ok('{"active":true,"sub":"ann"}')
    })
    const authenticator: AuthenticatorConfig = {
      kind: 'introspection',
      name: 'issuer',
      forward: false,
      endpoint: { url: `http://127.0.0.1:${issuer.port}/`, timeout: 2000 },
      clientId: 'a',
      clientSecret: 'b',
      cache: 0,
      policy: { subject: 'sub', leeway: 0, requiredClaims: [] },
    }
    const routes = [{ name: 'all', upstream: 'upstream', path: '/*', authenticate: ['issuer'] }]
    const stand = await start({ SIGNET_TRACE: 'on' }, { authenticators: [authenticator], routes })
    try {
      const fields = ['Authorization: Bearer t', `traceparent: ${RECEIVED}`]
      const { forwarded } = await exchange(stand, request(...fields), ok())
      assert.equal(valuesOf(forwarded.head, 'traceparent'), asked)
      assert.match(asked[0]!, ID)
    } finally {
      await issuer.close()
    }
  })

  test('off, which is the default, signet says nothing of it and leaves what is there', async () => {
    const stand = await start()
    const { forwarded } = await exchange(
      stand,
      request(`traceparent: ${RECEIVED}`, 'tracestate: vendor=value'),
      ok(),
    )
    assert.equal(valuesOf(forwarded.head, 'traceparent'), [RECEIVED])
    assert.equal(valuesOf(forwarded.head, 'tracestate'), ['vendor=value'])
    assert.not.ok('trace' in JSON.parse(JSON.stringify((await stand.exchanges(1))[0])))
  })

  test.run()
}
