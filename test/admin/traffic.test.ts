import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Traffic } from '../../src/admin/traffic.ts'
import type { TargetState } from '../../src/net/balancer.ts'
import { FAILURES, type FailureCode } from '../../src/errors.ts'

const test = suite('admin/traffic')

const TARGET: TargetState = {
  upstream: 'main',
  condition: 'up',
  origin: 'http://upstream.example:8081',
  open: 3,
  idle: 1,
  busy: 2,
  connecting: 1,
  waiting: 4,
  size: 64,
  queue: 256,
}

function fresh(startedAt = 0): Traffic {
  return new Traffic({ name: 'signet', version: '1.2.3', id: 'a1b2', startedAt })
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0)
}

const codes = Object.keys(FAILURES) as FailureCode[]
const exchange = fc.record({
  method: fc.oneof(fc.constantFrom('GET', 'POST', 'HEAD', 'DELETE', 'get', 'BREW', 'other'), fc.string()),
  status: fc.oneof(fc.integer({ min: 100, max: 599 }), fc.constantFrom(0, -1, 99, 600, 999, Number.NaN)),
  durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  upstreamMs: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }),
  failure: fc.option(fc.constantFrom(...codes), { nil: undefined }),
})

test('every finished exchange is in exactly one method, one status class and one status', () => {
  fc.assert(
    fc.property(fc.array(exchange), (exchanges) => {
      const traffic = fresh()
      for (const { method, status, durationMs, upstreamMs, failure } of exchanges) {
        traffic.exchangeStarted()
        traffic.exchangeFinished(method, status, durationMs, upstreamMs, failure)
      }
      const { requests, latencyMs, upstreamLatencyMs } = traffic.snapshot(0, [TARGET])
      assert.is(requests.processed, exchanges.length)
      assert.is(requests.inFlight, 0)
      assert.is(sum(requests.byMethod), exchanges.length)
      assert.is(sum(requests.byStatusClass), exchanges.length)
      assert.is(sum(requests.byStatus), exchanges.length)
      assert.is(sum(requests.failures), exchanges.filter(({ failure }) => failure !== undefined).length)
      assert.is(latencyMs.count, exchanges.length)
      assert.is(
        upstreamLatencyMs.count,
        exchanges.filter(({ upstreamMs }) => upstreamMs !== undefined).length,
      )
      const odd = exchanges.filter(({ status }) => !(status >= 100 && status < 600)).length
      assert.is(requests.byStatusClass.other, odd)
    }),
  )
})

test('a method that is not on the list is counted as other, whatever it is', () => {
  const traffic = fresh()
  const strange = ['BREW', 'get', '', '__proto__', 'constructor', 'toString', 'x'.repeat(10_000)]
  for (const method of strange) traffic.exchangeFinished(method, 200, 1, undefined, undefined)
  traffic.exchangeFinished('GET', 200, 1, undefined, undefined)
  const { byMethod } = traffic.snapshot(0, [TARGET]).requests
  assert.equal(Object.keys(byMethod), [
    ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'other'],
  ])
  assert.is(byMethod.other, strange.length)
  assert.is(byMethod.GET, 1)
})

test('the table of methods and statuses keeps its rows apart at both ends', () => {
  const traffic = fresh()
  traffic.exchangeFinished('GET', 599, 1, undefined, undefined)
  traffic.exchangeFinished('GET', 600, 1, undefined, undefined)
  traffic.exchangeFinished('HEAD', 100, 1, undefined, undefined)
  traffic.exchangeFinished('HEAD', 99, 1, undefined, undefined)
  assert.equal(traffic.requestCounts(), [
    { method: 'GET', status: '599', count: 1 },
    { method: 'GET', status: 'other', count: 1 },
    { method: 'HEAD', status: '100', count: 1 },
    { method: 'HEAD', status: 'other', count: 1 },
  ])
})

test('an exchange is in flight from its start to its finish', () => {
  const traffic = fresh()
  traffic.exchangeStarted()
  traffic.exchangeStarted()
  assert.is(traffic.inFlight, 2)
  traffic.exchangeFinished('GET', 502, 3, undefined, 'ERR_UPSTREAM_CLOSED')
  assert.is(traffic.inFlight, 1)
  assert.equal(traffic.snapshot(0, [TARGET]).requests.failures, { ERR_UPSTREAM_CLOSED: 1 })
})

test('connections, octets and tunnels are counted on the side they belong to', () => {
  const traffic = fresh()
  for (let i = 0; i < 3; i++) traffic.connectionOpened('downstream')
  traffic.connectionClosed('downstream')
  traffic.connectionOpened('upstream')
  traffic.connectionRefusedAtCap()
  traffic.upstreamReused()
  traffic.downstream.octetsReceived += 10
  traffic.downstream.octetsSent += 20
  traffic.upstream.octetsReceived += 30
  traffic.upstream.octetsSent += 40
  traffic.tunnelOpened()
  traffic.tunnelOpened()
  traffic.tunnelClosed()
  const snapshot = traffic.snapshot(0, [TARGET])
  assert.equal(snapshot.downstream, {
    open: 2,
    total: 3,
    octetsReceived: 10,
    octetsSent: 20,
    refusedAtCap: 1,
  })
  assert.equal(snapshot.upstream, { open: 1, total: 1, octetsReceived: 30, octetsSent: 40, reused: 1 })
  assert.equal(snapshot.tunnels, { open: 1, total: 2 })
})

test('tokens, retries and dropped imitations are counted', () => {
  const traffic = fresh()
  traffic.tokenMinted()
  traffic.tokenMinted()
  traffic.retried()
  traffic.imitationDropped(2)
  traffic.imitationDropped(1)
  const { tokens, requests } = traffic.snapshot(0, [TARGET])
  assert.equal(tokens, { minted: 2, imitationsDropped: 3 })
  assert.is(requests.retried, 1)
})

test('what came of authentication is counted by authenticator and result, and added up over processes', () => {
  const [one, other] = [fresh(), fresh()]
  one.authenticated('users', 'success')
  one.authenticated('users', 'success')
  one.authenticated('-', 'missing')
  other.authenticated('users', 'success')
  other.authenticated('keys', 'invalid')
  one.add(structuredClone(other.tally()))
  assert.equal(one.authenticationCounts(), [
    { authenticator: 'users', result: 'success', count: 3 },
    { authenticator: '-', result: 'missing', count: 1 },
    { authenticator: 'keys', result: 'invalid', count: 1 },
  ])
})

test('octets and events are counted past 2^32', () => {
  const traffic = fresh()
  traffic.downstream.octetsSent += 2 ** 40
  traffic.downstream.octetsSent += 1
  traffic.tokensMinted = 2 ** 32 - 1
  traffic.tokenMinted()
  const snapshot = traffic.snapshot(0, [TARGET])
  assert.is(snapshot.downstream.octetsSent, 2 ** 40 + 1)
  assert.is(snapshot.tokens.minted, 2 ** 32)
})

test('the uptime is the distance on the monotonic clock, in seconds, and never negative', () => {
  assert.is(fresh(250).snapshot(1750, [TARGET]).uptimeSeconds, 1.5)
  assert.is(fresh(250).snapshot(0, [TARGET]).uptimeSeconds, 0)
})

test('a snapshot survives JSON unchanged and is untouched by what happens later', () => {
  const traffic = fresh()
  const target = { ...TARGET }
  const before = traffic.snapshot(0, [target])
  const text = JSON.stringify(before)
  traffic.exchangeFinished('GET', 200, 5, 3, undefined)
  traffic.connectionOpened('downstream')
  target.idle = 99
  assert.is(JSON.stringify(before), text)
  assert.equal(JSON.parse(text), before)
})

test('an exchange is recorded without allocating', () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void // the flag adds it to contexts made from now on
  const traffic = fresh()
  const run = (times: number) => {
    for (let i = 0; i < times; i++) {
      traffic.exchangeStarted()
      traffic.exchangeFinished('GET', 200, i & 1023, i & 511, undefined)
    }
  }
  // Compiling allocates too, in whichever round it happens; an allocation per exchange is in every round.
  const grown = Array.from({ length: 12 }, () => {
    gc()
    const before = process.memoryUsage().heapUsed
    run(100_000) // one number on the heap per exchange is over 1 MB, and still too little to be collected
    return process.memoryUsage().heapUsed - before
  })
  assert.ok(Math.min(...grown) < 100_000, `octets by round: ${grown.join(' ')}`)
})

test.run()
