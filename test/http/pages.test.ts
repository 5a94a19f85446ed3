import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { pageOf } from '../../src/http/pages.ts'

const test = suite('http/pages')

for (const [target, page] of [
  ['/status', 'status'],
  ['/status?', 'status'],
  ['/status?format=json', 'status'],
  ['/metrics', 'metrics'],
  ['/metrics?x=/y', 'metrics'],
] as const) {
  test(`${target} is the page ${page}`, () => {
    assert.is(pageOf(target), page)
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
  })
}

test.run()
