import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import type { RouteConfig } from '../../src/http/gateway.ts'
import { type RoutedHead, RouteTable, routeProblems } from '../../src/http/route-table.ts'

const test = suite('http/route-table')

/** `GET,POST *.a.test/x → /y`: methods, host, path and rewrite of a route; its name is the whole of it. */
function route(text: string): RouteConfig {
  const [, methods, host, path, rewrite] = /^(?:([A-Z,]+) )?([^/ ]*)(\/\S*)(?: → (.*))?$/.exec(text)!
  return {
    name: text,
    upstream: 'u',
    path: path!,
    ...(host === '' ? {} : { host: host! }),
    ...(methods === undefined ? {} : { methods: methods.split(',') }),
    ...(rewrite === undefined ? {} : { rewrite }),
  }
}

function tableOf(...texts: readonly string[]): RouteTable<string> {
  return new RouteTable(texts.map(route), ({ name }) => name)
}

/** `GET shop.test/a?b`: a request; without a host there is none. */
function head(text: string): RoutedHead {
  const [, method, authority, target] = /^(\S+) ([^/*]*)(\S*)$/.exec(text)!
  return { method: method!, authority: authority === '' ? undefined : authority, target: target! }
}

/** The route that a request takes and what becomes of its target, or the refusal. */
function outcomeOf(table: RouteTable<string>, request: string): string {
  try {
    const { value, target } = table.find(head(request))
    return target === undefined ? value : `${value} as ${target}`
  } catch (error) {
    assert.instance(error, ProxyError)
    const { code, fields } = error as ProxyError
    assert.is(fields !== undefined, code === 'ERR_METHOD_NOT_ALLOWED')
    return fields === undefined ? code : `${code}, Allow: ${fields.Allow}`
  }
}

const NO_ROUTE = 'ERR_NO_ROUTE'
const NOT_ALLOWED = 'ERR_METHOD_NOT_ALLOWED'
const AMBIGUOUS = 'ERR_PATH_AMBIGUOUS'

for (const [what, routes, requests] of [
  [
    'an exact host goes before the longest suffix, and that before any host',
    ['a.shop.test/*', '*.shop.test/*', '*.eu.shop.test/*', '/*'],
    [
      ['GET a.shop.test/', 'a.shop.test/*'],
      ['GET b.shop.test/', '*.shop.test/*'],
      ['GET c.b.shop.test/', '*.shop.test/*'],
      ['GET a.eu.shop.test/', '*.eu.shop.test/*'],
      ['GET eu.shop.test/', '*.shop.test/*'],
      ['GET shop.test/', '/*'],
      ['GET ashop.test/', '/*'],
      ['GET .shop.test/', '/*'],
      ['GET other.test/', '/*'],
      ['GET /', '/*'],
    ],
  ],
  [
    'case, port and the dot of the root do not count in a host',
    ['shop.test/*', '*.eu.test/*', '[::1]/*', '192.0.2.7/*'],
    [
      ['GET Shop.TEST/', 'shop.test/*'],
      ['GET shop.test:8080/', 'shop.test/*'],
      ['GET shop.test./', 'shop.test/*'],
      ['GET SHOP.test.:80/', 'shop.test/*'],
      ['GET a.EU.test.:80/', '*.eu.test/*'],
      ['GET [::1]/', '[::1]/*'],
      ['GET [::1]:8080/', '[::1]/*'],
      ['GET 192.0.2.7:80/', '192.0.2.7/*'],
      ['GET shop.test../', NO_ROUTE],
      ['GET [::2]/', NO_ROUTE],
      ['GET /', NO_ROUTE],
    ],
  ],
  [
    'a less specific host has what no path of a more specific one matches',
    ['shop.test/a', '*.test/a', '*.test/b', '/a', '/b', '/c'],
    [
      ['GET shop.test/a', 'shop.test/a'],
      ['GET shop.test/b', '*.test/b'],
      ['GET shop.test/c', '/c'],
      ['GET shop.test/d', NO_ROUTE],
    ],
  ],
  [
    'static text before a regex before a parameter before a wildcard, and a host before all of them',
    ['/a/b', '/a/:x([0-9]+)', '/a/:x', '/*', 'shop.test/*'],
    [
      ['GET x.test/a/b', '/a/b'],
      ['GET x.test/a/1', '/a/:x([0-9]+)'],
      ['GET x.test/a/c', '/a/:x'],
      ['GET x.test/a/b/c', '/*'],
      ['GET shop.test/a/b', 'shop.test/*'],
    ],
  ],
  [
    'a route that names the method goes before one for all, at the same path',
    ['/a/:x', 'GET /a/:y', 'POST,PUT /a/:z'],
    [
      ['GET /a/1', 'GET /a/:y'],
      ['PUT /a/1', 'POST,PUT /a/:z'],
      ['DELETE /a/1', '/a/:x'],
    ],
  ],
  [
    'a more specific path goes before the method, if it takes the method',
    ['GET /a/*', '/a/b', 'POST /a/:x([0-9]+)', '/*'],
    [
      ['GET /a/b', '/a/b'],
      ['GET /a/c', 'GET /a/*'],
      ['GET /a/1', 'GET /a/*'],
      ['POST /a/1', 'POST /a/:x([0-9]+)'],
      ['PUT /a/1', '/*'],
    ],
  ],
  [
    'where other methods match, Allow names them all, of all hosts that apply (RFC 9110 §15.5.6)',
    ['GET,HEAD /a', 'POST /:x', 'PUT shop.test/a', 'DELETE other.test/a', 'PATCH /b'],
    [
      ['OPTIONS x.test/a', `${NOT_ALLOWED}, Allow: GET, HEAD, POST`],
      ['OPTIONS shop.test/a', `${NOT_ALLOWED}, Allow: PUT, GET, HEAD, POST`],
      ['FOO x.test/c', `${NOT_ALLOWED}, Allow: POST`],
      ['get x.test/a', `${NOT_ALLOWED}, Allow: GET, HEAD, POST`],
      ['OPTIONS x.test/a/b', NO_ROUTE],
    ],
  ],
  [
    'GET implies no HEAD, and nothing implies OPTIONS',
    ['GET /a'],
    [
      ['HEAD /a', `${NOT_ALLOWED}, Allow: GET`],
      ['OPTIONS /a', `${NOT_ALLOWED}, Allow: GET`],
    ],
  ],
  [
    'the same path may have a regex for one method and another for the next',
    ['GET /a/:x([0-9]+)', 'POST /a/:x([a-z]+)'],
    [
      ['GET /a/1', 'GET /a/:x([0-9]+)'],
      ['POST /a/a', 'POST /a/:x([a-z]+)'],
      ['POST /a/1', `${NOT_ALLOWED}, Allow: GET`],
      ['GET /a/A', NO_ROUTE],
    ],
  ],
  [
    'the query is not matched, and goes along as it is',
    ['/a', '/b/:x → /c/{params.x}'],
    [
      ['GET /a?/../%2f;x', '/a'],
      ['GET /a?', '/a'],
      ['GET /b/1?y=%2f%zz', '/b/:x → /c/{params.x} as /c/1?y=%2f%zz'],
      ['GET /b/1?', '/b/:x → /c/{params.x} as /c/1?'],
      ['GET /b/a%3Fb?c', '/b/:x → /c/{params.x} as /c/a%3Fb?c'],
    ],
  ],
  [
    'what is forwarded is what was matched',
    ['/a', '/b/:x', '/*'],
    [
      ['GET /%61', '/a as /a'],
      ['GET /%61?%61', '/a as /a?%61'],
      ['GET /b/%c3%a9%7e', '/b/:x as /b/%C3%A9~'],
      ['GET /b/%C3%A9', '/b/:x'],
      ['GET /b/../a', AMBIGUOUS],
      ['GET /%2e%2e/a', AMBIGUOUS],
      ['GET /b%2fa', AMBIGUOUS],
      ['GET //a', AMBIGUOUS],
      ['GET /a;b', AMBIGUOUS],
      ['GET /a%5c', AMBIGUOUS],
    ],
  ],
  [
    'a rewrite puts parameters in their places, encoded, and refuses what would divide the path',
    [
      '/shops/:shop_id([A-Za-z0-9]+)/transactions* → /v1/{params.shop_id}/t{params.*}',
      '/:x → /x/{params.x}/y',
    ],
    [
      [
        'GET /shops/a1/transactions/7?z',
        '/shops/:shop_id([A-Za-z0-9]+)/transactions* → /v1/{params.shop_id}/t{params.*} as /v1/a1/t/7?z',
      ],
      [
        'GET /shops/a1/transactions',
        '/shops/:shop_id([A-Za-z0-9]+)/transactions* → /v1/{params.shop_id}/t{params.*} as /v1/a1/t',
      ],
      ['GET /a%20%25', '/:x → /x/{params.x}/y as /x/a%20%25/y'],
      ['GET /...', '/:x → /x/{params.x}/y as /x/.../y'],
      ['GET /%2e%2e', AMBIGUOUS],
    ],
  ],
  [
    'a rewrite to what was received changes nothing',
    ['/a/* → /a/{params.*}'],
    [
      ['GET /a/b?c', '/a/* → /a/{params.*}'],
      ['GET /a/%62?c', '/a/* → /a/{params.*} as /a/b?c'],
    ],
  ],
  [
    'a wildcard with nothing to stand for is no empty segment',
    ['/a* → /b/c{params.*}', '/d/* → /e/{params.*}'],
    [
      ['GET /a', '/a* → /b/c{params.*} as /b/c'],
      ['GET /d/', '/d/* → /e/{params.*} as /e/'],
    ],
  ],
  [
    'OPTIONS * is for routes with any path, and stays what it is (RFC 9112 §3.2.4)',
    ['/a', 'GET shop.test/*', 'OPTIONS *.test/* → /x/{params.*}'],
    [
      ['OPTIONS a.test*', 'OPTIONS *.test/* → /x/{params.*}'],
      ['OPTIONS shop.test*', 'OPTIONS *.test/* → /x/{params.*}'],
      ['OPTIONS other.example*', NO_ROUTE],
    ],
  ],
  [
    'OPTIONS * is told which methods there are',
    ['GET,POST /*', 'PUT /a'],
    [['OPTIONS a.test*', `${NOT_ALLOWED}, Allow: GET, POST`]],
  ],
  [
    'where no route looks at paths they pass as they come',
    ['shop.test/*', 'GET *.test/*'],
    [
      ['PUT shop.test//a/../%2f;%00', 'shop.test/*'],
      ['GET a.test/%61', 'GET *.test/*'],
      ['PUT a.test/%61', `${NOT_ALLOWED}, Allow: GET`],
      ['OPTIONS shop.test*', 'shop.test/*'],
      ['GET other.example/', NO_ROUTE],
    ],
  ],
  [
    'where a route looks at paths they are held to one reading for all routes',
    ['shop.test/*', '/a'],
    [
      ['GET shop.test//', AMBIGUOUS],
      ['GET shop.test/%61', 'shop.test/* as /a'],
    ],
  ],
  [
    'a rewrite looks at the path too',
    ['/* → /v1/{params.*}'],
    [
      ['GET /a/../b', AMBIGUOUS],
      ['GET /a/b?c', '/* → /v1/{params.*} as /v1/a/b?c'],
      ['GET /', '/* → /v1/{params.*} as /v1/'],
    ],
  ],
  [
    'the plain proxy takes everything, as it comes',
    ['/*'],
    [
      ['FOO /', '/*'],
      ['GET a.test//a/../%2f;%00?', '/*'],
      ['OPTIONS a.test*', '/*'],
    ],
  ],
] as const) {
  for (const [request, expected] of requests) {
    test(`${what}: ${request} → ${expected}`, () => {
      assert.is(outcomeOf(tableOf(...routes), request), expected)
      assert.is(outcomeOf(tableOf(...[...routes].reverse()), request).split(',')[0], expected.split(',')[0])
    })
  }
}

test('no routes, no match', () => {
  assert.is(outcomeOf(tableOf(), 'GET a.test/'), NO_ROUTE)
})

test('a match has the parameters, decoded, by the names that its own route gives them', () => {
  const table = tableOf('/:a/:b', 'GET /:c/:d', '/x/:e/*')
  assert.equal({ ...table.find(head('PUT /1/%C3%A9%25')).params }, { a: '1', b: 'é%' })
  assert.equal({ ...table.find(head('GET /1/2')).params }, { c: '1', d: '2' })
  assert.equal({ ...table.find(head('GET /x/1/2/3')).params }, { e: '1', '*': '2/3' })
})

test('the plain proxy has one match for all, made once: nothing of the request is looked at', () => {
  const table = tableOf('/*')
  const untouchable = new Proxy({} as RoutedHead, {
    get() {
      throw new Error('looked at')
    },
  })
  assert.is(table.find(untouchable), table.find(head('GET a.test/x')))
})

test('make is called once for each route, in order', () => {
  const made: string[] = []
  const routes = ['GET,PUT /a', '/a', 'x.test/a'].map(route)
  new RouteTable(routes, ({ name }) => made.push(name))
  assert.equal(
    made,
    routes.map(({ name }) => name),
  )
})

test('values may be anything, undefined too', () => {
  assert.is(new RouteTable([route('/a')], () => undefined).find(head('GET /a')).value, undefined)
  assert.is(new RouteTable([route('/a')], () => 0).find(head('GET /a')).value, 0)
})

test('a host of dots alone takes no time to speak of', () => {
  const table = tableOf('*.shop.test/*')
  const started = process.cpuUsage()
  for (let round = 0; round < 100; round++) {
    assert.is(outcomeOf(table, `GET ${'.'.repeat(16_000)}/`), NO_ROUTE)
  }
  const { user } = process.cpuUsage(started)
  assert.ok(user < 1e6, `${user} µs`)
})

test('a table with problems is not built', () => {
  assert.throws(() => tableOf('/a', '/a'))
})

/** All that a route can be in this test, in order of how specific it is: what comes first has the request. */
const HOSTS = ['s.t.test', '*.t.test', '*.test', '']
const PATHS = ['/a/b', '/a/:x([a-z])', '/a/:x', '/a/*', '/:y/b', '/*']
const METHODS = ['GET ', '']
const LADDER = HOSTS.flatMap((host) =>
  PATHS.flatMap((path) => METHODS.map((method) => `${method}${host}${path}`)),
)

test('whatever routes there are, the first of them by host, path and method has the request', () => {
  fc.assert(
    fc.property(
      fc.subarray(LADDER, { minLength: 2, maxLength: 8 }),
      fc.constantFrom('s.t.test', 'x.t.test', 'x.test', 'test'),
      fc.constantFrom('/a/b', '/a/c', '/a/cc', '/a/', '/a/b/c', '/c/b', '/c', '/'),
      fc.constantFrom('GET', 'PUT'),
      (routes, authority, target, method) => {
        const expected = routes.find((text) => {
          const { host = '', path, methods } = route(text)
          const hostMatches = host.startsWith('*') ? authority.endsWith(host.slice(1)) : host === authority
          return (
            (host === '' || hostMatches) &&
            PLAIN[path]!.test(target) &&
            (methods ?? [method]).includes(method)
          )
        })
        const outcome = outcomeOf(tableOf(...routes), `${method} ${authority}${target}`)
        if (expected !== undefined) assert.is(outcome, expected)
        else assert.match(outcome, method === 'GET' ? /^ERR_NO_ROUTE$/ : /^ERR_(NO_ROUTE|METHOD_NOT_ALLOWED)/)
      },
    ),
    { numRuns: 2000 },
  )
})

/** What the paths of the test above match, said in another way. */
const PLAIN: Readonly<Record<string, RegExp>> = {
  '/a/b': /^\/a\/b$/,
  '/a/:x([a-z])': /^\/a\/[a-z]$/,
  '/a/:x': /^\/a\/[^/]+$/,
  '/a/*': /^\/a\//,
  '/:y/b': /^\/[^/]+\/b$/,
  '/*': /^\//,
}

// ── problems ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Problems as lines: index, key, sentence. */
function problemsOf(...routes: readonly RouteConfig[]): string[] {
  return routeProblems(routes).map(({ route, key, problem }) => `${route} ${key} ${problem}`)
}

test('routes that can be told apart have no problems', () => {
  const routes = [...LADDER, '/b/:x-:y', 'POST /b/:x-:z', '/B/:x', '[::1]/a', 'x_y.test/a', 'QUERY /b']
  assert.equal(problemsOf(...routes.map(route)), [])
})

for (const [host, problem] of [
  ['Shop.test', 'upper-case'],
  ['shop.test.', 'ends with a dot'],
  ['shop.test:80', 'has a port'],
  ['[::1]:80', 'has a port'],
  ['*.shop.test:80', 'has a port'],
  ['*', 'not its first label'],
  ['a.*.test', 'not its first label'],
  ['*shop.test', 'not its first label'],
  ['*.*.test', 'not its first label'],
  ['*.', 'no host name'],
  ['*.[::1]', 'no host name'],
  ['', 'no host name'],
  ['::1', 'no host name'],
  ['a b', 'no host name'],
  ['http://a', 'no host name'],
  ['a@b', 'no host name'],
] as const) {
  test(`the host ${JSON.stringify(host)} has a problem: ${problem}`, () => {
    const found = problemsOf({ ...route('/a'), host })
    assert.is(found.length, 1)
    assert.ok(found[0]!.startsWith('0 host ') && found[0]!.includes(problem), found[0])
  })
}

for (const [methods, ...problems] of [
  [[], 'names none'],
  [['get'], 'write GET'],
  [['GET POST'], 'which is no method'],
  [[''], 'which is no method'],
  [['GET', 'GET'], 'has GET twice'],
  [['TRACE', 'CONNECT'], 'has TRACE', 'has CONNECT'],
] as const) {
  test(`the methods ${JSON.stringify(methods)} have a problem: ${problems.join(', ')}`, () => {
    const found = problemsOf({ ...route('/a'), methods })
    assert.is(found.length, problems.length)
    for (const [at, problem] of problems.entries()) {
      assert.ok(found[at]!.startsWith('0 methods ') && found[at]!.includes(problem), found[at])
    }
  })
}

for (const [first, second, problem] of [
  ['/a', '/a', 'is that of route "/a", with the same host and any method'],
  ['/a/:x', '/a/:y', 'is that of route "/a/:x", with the same host and any method'],
  ['GET,PUT /a', 'POST,PUT /a', 'is that of route "GET,PUT /a", with the same host and method (PUT)'],
  ['*.t.test/*', '*.t.test/*', 'is that of route "*.t.test/*", with the same host and any method'],
  ['/a/:x([0-9]+)', '/a/:x([a-z]+)', 'differs from that of route "/a/:x([0-9]+)" in a regex alone'],
  ['/a/:x([0-9]+)', 'GET /a/:x([a-z]+)', 'differs from that of route "/a/:x([0-9]+)" in a regex alone'],
  ['/a/:x([0-9]+)-b', '/a/:x-b', 'differs from that of route "/a/:x([0-9]+)-b" in a regex alone'],
  ['GET /a', 'POST /a', undefined],
  ['GET /a', '/a', undefined],
  ['/a', 'x.test/a', undefined],
  ['/a', '/A', undefined],
  ['/a', '/a/', undefined],
  ['GET /a/:x([0-9]+)', 'POST /a/:x([a-z]+)', undefined],
  ['/a/:x([0-9]+)', '/a/:x', undefined],
] as const) {
  test(`beside ${first}, ${second} ${problem ?? 'has no problem'}`, () => {
    const found = problemsOf(route(first), route(second))
    assert.is(found.length, problem === undefined ? 0 : 1)
    if (problem !== undefined) assert.ok(found[0]!.startsWith(`1 path ${problem}`), found[0])
  })
}

test('everything that is wrong is told, by route and key', () => {
  const found = problemsOf(
    { name: 'one', upstream: 'u', host: 'A.test', path: '/a//:b/:b', methods: [], rewrite: 'x' },
    route('/c/:d → /{params.e}/../'),
  )
  assert.equal(
    found.map((one) => one.split(' ').slice(0, 2).join(' ')),
    ['0 host', '0 path', '0 path', '0 methods', '0 rewrite', '1 rewrite', '1 rewrite'],
  )
  assert.is(found[5], '1 rewrite has {params.e}: in params there is no "e", but d')
})

test('a problem of one route is not told of the others', () => {
  assert.equal(
    routeProblems([route('/a'), route('/b/:x((?:a+)+)'), route('/c')]).map(({ route }) => route),
    [1],
  )
})

test.run()
