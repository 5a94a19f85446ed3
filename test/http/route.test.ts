import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createRouter, type Origin, pageOf } from '../../src/http/route.ts'

const test = suite('http/route')

const ORIGIN: Origin = { host: 'upstream.test', port: 80, authority: 'upstream.test' }

for (const [target, page] of [
  ['/status', 'status'],
  ['/status?', 'status'],
  ['/status?format=json', 'status'],
  ['/metrics', 'metrics'],
  ['/metrics?x=/y', 'metrics'],
] as const) {
  test(`${target} is the page ${page}`, () => {
    assert.is(pageOf(target), page)
    assert.equal(createRouter(ORIGIN, true)(target), { kind: 'page', page })
  })
  test(`${target} goes upstream when the pages have a port of their own`, () => {
    assert.equal(createRouter(ORIGIN, false)(target), { kind: 'upstream', origin: ORIGIN })
  })
}

for (const target of [
  '/',
  '*',
  '/?/status',
  '/Status',
  '/STATUS',
  '/status/',
  '/status/x',
  '/status;x',
  '//status',
  '/./status',
  '/%73tatus',
  '/statu',
  '/statuss',
  '/sxxxxxx',
  '/metric',
  '/metricss',
  '/mxxxxxxx',
  '/x/status',
  '/x?y=/metrics',
  'status',
]) {
  test(`${target} goes upstream, since a page is found by its exact path alone`, () => {
    assert.is(pageOf(target), undefined)
    assert.equal(createRouter(ORIGIN, true)(target), { kind: 'upstream', origin: ORIGIN })
  })
}

test('routing allocates nothing: the same target gives the same upstream', () => {
  const route = createRouter(ORIGIN, true)
  assert.is(route('/a'), route('/b'))
})

test.run()
