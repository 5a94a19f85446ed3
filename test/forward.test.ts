import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../src/errors.ts'
import { ForwardTable } from '../src/forward.ts'
import type { ForwardConfig, Origin } from '../src/http/gateway.ts'
import type { RequestHead } from '../src/http/request.ts'
import { Balancer } from '../src/net/balancer.ts'
import { Pool, type PoolContext } from '../src/net/pool.ts'
import { noFault } from './support/faults.ts'

const test = suite('forward')

const LIST: ForwardConfig = {
  host: '127.0.0.1',
  port: 0,
  allow: [{ host: '*.test', ports: [80, 443, 8080] }],
  privateAddresses: [],
}

/** A pool that connects nowhere, and notes that it was closed. */
class NotedPool extends Pool {
  readonly #onClosed: () => void

  constructor(origin: Origin, onClosed: () => void) {
    super(origin, {} as PoolContext) // nobody asks it for a connection
    this.#onClosed = onClosed
  }

  override close(): void {
    this.#onClosed()
  }
}

function tableOf(config: ForwardConfig) {
  const opened: string[] = []
  const closed: string[] = []
  const table = new ForwardTable(
    config,
    (upstream, { maxIdle }) =>
      new Balancer(upstream, {
        createPool: (origin) => {
          opened.push(`${origin.authority} ${maxIdle}`)
          return new NotedPool(origin, () => closed.push(origin.authority))
        },
        clock: () => 0,
        onChange: () => undefined,
        onFault: noFault,
      }),
  )
  const find = (method: string, received: string, authority: string | undefined) =>
    table.find({ method, received, authority } as RequestHead).value.upstream
  return {
    table,
    opened,
    closed,
    get: (authority: string) => find('GET', `http://${authority}/x`, authority),
    connect: (authority: string) => find('CONNECT', authority, authority),
    find,
  }
}

const fails = (code: string) => (error: unknown) => error instanceof ProxyError && error.code === code

test('a destination keeps its connections, by whatever spelling and method it is asked for', () => {
  const { get, connect, opened } = tableOf(LIST)
  const first = get('a.test:8080')
  assert.is(get('A.Test.:8080'), first)
  assert.is(connect('a.test:8080'), first)
  assert.is.not(get('a.test'), first)
  assert.is.not(connect('a.test'), get('a.test'))
  assert.equal(opened, ['a.test:8080 2', 'a.test 2', 'a.test 2'])
})

test('a list that is the same keeps connections; another one closes them', () => {
  const { table, get, closed } = tableOf(LIST)
  const first = get('a.test')
  table.update(structuredClone(LIST))
  assert.is(get('a.test'), first)
  assert.equal(closed, [])
  table.update({ ...LIST, allow: [...LIST.allow, { host: 'b.other', ports: [80] }] })
  assert.equal(closed, ['a.test'])
  assert.is.not(get('a.test'), first)
  get('b.other')
})

test('without a list everything is refused, and nothing stays open', () => {
  const { table, get, connect, closed } = tableOf(LIST)
  get('a.test')
  table.update(undefined)
  assert.equal(closed, ['a.test'])
  assert.equal(table.balancers, [])
  for (const ask of [() => get('a.test'), () => connect('a.test')])
    assert.throws(ask, fails('ERR_DESTINATION_FORBIDDEN'))
  table.update(LIST)
  get('a.test')
})

test('there are at most 128 destinations: the one used longest ago makes way', () => {
  const { table, get, closed } = tableOf(LIST)
  for (let n = 0; n < 128; n++) get(`${n}.test`)
  get('0.test')
  assert.equal(closed, [])
  get('next.test')
  assert.equal(closed, ['1.test'])
  assert.is(table.balancers.length, 128)
  for (let n = 0; n < 300; n++) get(`more-${n}.test`)
  assert.is(table.balancers.length, 128)
  assert.is(closed.length, 301)
})

test('what is not on the list takes nobody’s place', () => {
  const { table, get } = tableOf(LIST)
  get('a.test')
  assert.throws(() => get('a.other'), fails('ERR_DESTINATION_FORBIDDEN'))
  assert.throws(() => get('b.test:81'), fails('ERR_DESTINATION_FORBIDDEN'))
  assert.is(table.balancers.length, 1)
})

test('a request for an origin server is none for a forward proxy', () => {
  const { find } = tableOf(LIST)
  for (const [method, received, authority] of [
    ['GET', '/x', 'a.test'],
    ['OPTIONS', '*', 'a.test'],
    ['GET', 'http://a.test/', undefined],
  ] as const)
    assert.throws(() => find(method, received, authority), fails('ERR_TARGET_MALFORMED'))
})

test.run()
