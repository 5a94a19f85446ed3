import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCheck } from '../../src/commands/check.ts'
import type { RouteConfig } from '../../src/http/gateway.ts'
import { inOrder } from '../../src/http/route-order.ts'
import { RouteTable, routeProblems } from '../../src/http/route-table.ts'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const test = suite('http/route-order')

/** `GET a.test/b`: methods, host and path; the name is the whole of it. */
function route(text: string): RouteConfig {
  const [, method, host = '', path = ''] = /^(?:([A-Z]+) )?([^/ ]*)(\/\S*)$/.exec(text)!
  return {
    name: text,
    upstream: 'u',
    path,
    ...(host === '' ? {} : { host }),
    ...(method === undefined ? {} : { methods: [method] }),
  }
}

/** Each is tried before all below it. */
const ORDER = [
  'a.test/*',
  'b.test/*',
  '*.eu.a.test/*',
  '*.a.test/a',
  '*.a.test/*',
  '/a',
  '/a/b',
  '/a/b/c',
  'GET /a/b*',
  '/a/b*',
  '/a/v:x',
  '/a/:x.tar.gz',
  '/a/:x-:y.gz',
  '/a/:x.gz',
  '/a/:x-:y.:z',
  '/a/:x-:y',
  '/a/:x.:y',
  '/a/:x([0-9]+)',
  'GET /a/:x',
  'PUT /a/:x',
  '/a/:x',
  '/a/:x/b',
  '/a/*',
  '/:x([a-z]+)/b',
  '/:x/b',
  '/:x/*',
  '/*',
]

test('routes have one order, whatever order they are given in', () => {
  const routes = ORDER.map(route)
  assert.equal(routeProblems(routes), [])
  fc.assert(
    fc.property(fc.shuffledSubarray(routes, { minLength: 2 }), (some) => {
      const names = inOrder(some).map(({ name }) => name)
      assert.equal(
        names,
        ORDER.filter((name) => names.includes(name)),
      )
    }),
  )
})

test('it is the order in which they are tried: the first that matches alone has the request', () => {
  const path = fc.constantFrom(
    ...[
      '/a',
      '/a/b',
      '/a/bc',
      '/a/b/c',
      '/a/v1',
      '/a/x-y.tar.gz',
      '/a/x-y.gz',
      '/a/x-y.z',
      '/a/x-y',
      '/a/7',
      '/x/b',
      '/x/y/z',
      '/',
    ],
  )
  const host = fc.constantFrom('a.test', 'x.a.test', 'x.eu.a.test', 'other.test')
  const found = (routes: readonly RouteConfig[], target: string, authority: string) => {
    try {
      return new RouteTable(routes, ({ name }) => name).find({ method: 'GET', target, authority }).value
    } catch {
      return undefined // 404 or 405
    }
  }
  fc.assert(
    fc.property(
      fc.shuffledSubarray(ORDER.map(route), { minLength: 2 }),
      path,
      host,
      (some, target, authority) => {
        // Those that look at paths must be beside the one that is asked alone: otherwise it looks at none.
        const alone = inOrder(some).find((one) => found([one], target, authority) !== undefined)
        assert.is(found(some, target, authority), alone?.name)
      },
    ),
    { numRuns: 500 },
  )
})

test('signet check prints them in that order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-order-'))
  try {
    const routes = [...ORDER].reverse().map(route)
    const file = join(folder, 'signet.json')
    writeFileSync(file, JSON.stringify({ upstreams: { u: 'http://127.0.0.1:1' }, routes }))
    let printed = ''
    let problems = ''
    const stdout = { write: (text: string) => (printed += text) !== '' }
    const stderr = { write: (text: string) => (problems += text) !== '' }
    assert.is(await runCheck([file], { env: {}, stdout, stderr }), 0, problems)
    const rows = printed.split('\n\n')[0]!.split('\n').slice(1)
    assert.equal(
      rows.filter((row) => row !== '').map((row) => row.split(/ {2,}/)[0]),
      ORDER,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
