// What finding a route costs: `node build/bench/routes.js`. ns per find, best of several rounds. The claim: with 1,000
// routes no more than 5 % of what a whole request costs over what it is with one.

import type { RouteConfig } from '../src/http/gateway.ts'
import { type RoutedHead, RouteTable } from '../src/http/route-table.ts'
import { table } from './support/figures.ts'
import { nsPerCall } from './support/timing.ts'

/** ns of CPU time that a whole request costs, about (bench/run) */
const REQUEST = 26_000
const MANY = 1000
/** requests that take turns, so that no one route is learned by heart; a power of two */
const HEADS = 256

/** A kind of route, by its number, and a request that takes it. */
interface Kind {
  readonly name: string
  readonly route: (index: number) => Partial<RouteConfig>
  readonly request: (index: number) => { readonly host?: string; readonly target: string }
}

const KINDS: readonly Kind[] = [
  {
    name: 'static path',
    route: (index) => ({ path: `/service-${index}/transactions` }),
    request: (index) => ({ target: `/service-${index}/transactions?limit=10` }),
  },
  {
    name: 'parameter',
    route: (index) => ({ path: `/service-${index}/shops/:shop_id/transactions` }),
    request: (index) => ({ target: `/service-${index}/shops/a1b2c3/transactions?limit=10` }),
  },
  {
    name: 'regex, wildcard',
    route: (index) => ({ path: `/service-${index}/shops/:shop_id([A-Za-z0-9]+)/transactions*` }),
    request: (index) => ({ target: `/service-${index}/shops/a1b2c3/transactions/7?limit=10` }),
  },
  {
    name: '… rewritten',
    route: (index) => ({
      path: `/service-${index}/shops/:shop_id([A-Za-z0-9]+)/transactions*`,
      rewrite: '/v1/{params.shop_id}/transactions{params.*}',
    }),
    request: (index) => ({ target: `/service-${index}/shops/a1b2c3/transactions/7?limit=10` }),
  },
  {
    name: '… with percent-encodings',
    route: (index) => ({ path: `/service-${index}/shops/:shop_id/transactions*` }),
    request: (index) => ({ target: `/service-${index}/shops/caf%C3%A9/transactions/7%2c8?limit=10` }),
  },
  {
    name: 'host',
    route: (index) => ({ host: `shop-${index}.example.com`, path: '/*' }),
    request: (index) => ({ host: `shop-${index}.example.com`, target: '/transactions?limit=10' }),
  },
  {
    name: 'host, static path',
    route: (index) => ({ host: `shop-${index}.example.com`, path: '/transactions' }),
    request: (index) => ({ host: `shop-${index}.example.com`, target: '/transactions?limit=10' }),
  },
  {
    name: 'suffix of a host',
    route: (index) => ({ host: `*.shop-${index}.example.com`, path: '/*' }),
    request: (index) => ({ host: `eu.shop-${index}.example.com`, target: '/transactions?limit=10' }),
  },
]

const plain = new RouteTable([{ name: 'default', upstream: 'u', path: '/*' }], ({ name }) => name)
const row = (name: string, one: number, many?: number) => [
  name,
  one.toFixed(0),
  many === undefined ? '–' : many.toFixed(0),
  many === undefined ? '–' : `${(((many - one) / REQUEST) * 100).toFixed(1)} %`,
]

console.log(
  `ns per find, Node ${process.versions.node}; more: of a request of ${REQUEST / 1000} µs, at most 5 %\n`,
)
console.log(
  table(
    ['', '1 route', `${MANY} routes`, 'more'],
    [
      row('no routes to tell apart: /* alone', measured(plain, headsOf(KINDS[0]!, 1))),
      ...KINDS.map((kind) => row(kind.name, ns(kind, 1), ns(kind, MANY))),
    ],
  ),
)

function ns(kind: Kind, count: number): number {
  const routes = Array.from({ length: count }, (_, index) => {
    return { name: `${index}`, upstream: 'u', path: '/*', ...kind.route(index) }
  })
  return measured(new RouteTable(routes, ({ name }) => name), headsOf(kind, count))
}

/** Requests for routes all over the table. */
function headsOf(kind: Kind, count: number): RoutedHead[] {
  return Array.from({ length: HEADS }, (_, turn) => {
    const { host = 'shop.example.com', target } = kind.request((turn * 7919) % count)
    return { method: 'GET', target, authority: host }
  })
}

function measured(routes: RouteTable<string>, heads: readonly RoutedHead[]): number {
  let turn = 0
  return nsPerCall(() => routes.find(heads[turn++ & (HEADS - 1)]!).value.length)
}
