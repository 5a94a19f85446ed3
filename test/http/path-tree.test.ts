import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { canonicalPath } from '../../src/http/path.ts'
import { outlineOf, parameterNames, readPattern, shapeOf } from '../../src/http/path-pattern.ts'
import { PathTree, patternProblems } from '../../src/http/path-tree.ts'
import { isTooMuchWork, MAX_REGEX_INPUT } from '../../src/http/regex-work.ts'
import { compareSpecificity, specificityOf } from '../../src/http/route-order.ts'

const test = suite('http/path-tree')

/** The pattern that matches and what its parameters stand for: `/a/:b b=c`; `none` when none does. */
function found(patterns: readonly string[], path: string): string {
  const tree = new PathTree(patterns.map((pattern) => [pattern, { pattern }] as const))
  const match = tree.find(path)
  if (match === undefined) return 'none'
  const params = Object.entries(match.params).map(([name, value]) => ` ${name}=${value}`)
  return `${match.value.pattern}${params.join('')}`
}

const LADDER = ['/a/b', '/a/:x([0-9]+)', '/a/:y', '/a/*', '/*']

for (const [what, patterns, rows] of [
  [
    'static text before a regex before a parameter before a wildcard',
    LADDER,
    [
      ['/a/b', '/a/b'],
      ['/a/1', '/a/:x([0-9]+) x=1'],
      ['/a/c', '/a/:y y=c'],
      ['/a/c/d', '/a/* *=c/d'],
      ['/a', '/* *=a'],
      ['/', '/* *='],
    ],
  ],
  [
    'a step back where the rest of the more specific pattern does not match',
    ['/a/b/c', '/a/:x/d', '/:y/b/e', '/a/*'],
    [
      ['/a/b/c', '/a/b/c'],
      ['/a/b/d', '/a/:x/d x=b'],
      ['/a/b/e', '/a/* *=b/e'],
      ['/z/b/e', '/:y/b/e y=z'],
      ['/z/b/f', 'none'],
    ],
  ],
  [
    'case counts',
    ['/Shops/:id'],
    [
      ['/Shops/A', '/Shops/:id id=A'],
      ['/shops/A', 'none'],
    ],
  ],
  [
    'a slash at the end counts',
    ['/a', '/b/'],
    [
      ['/a/', 'none'],
      ['/b', 'none'],
      ['/b/', '/b/'],
    ],
  ],
  [
    'a parameter is never an empty segment',
    ['/shops/:id', '/:any/', '/*'],
    [
      ['/shops/', '/:any/ any=shops'],
      ['/shops', '/* *=shops'],
      ['/', '/* *='],
      ['/shops/1', '/shops/:id id=1'],
      ['/shops/1/', '/* *=shops/1/'],
    ],
  ],
  [
    'a regex decides by itself whether it matches nothing',
    ['/a/:x([0-9]*)', '/b/:x([0-9]+)'],
    [
      ['/a/', '/a/:x([0-9]*) x='],
      ['/b/', 'none'],
    ],
  ],
  [
    'a wildcard may follow static text at once, and may be empty',
    ['/shops/:shop_id([A-Za-z0-9]+)/transactions*', '/x/*'],
    [
      ['/shops/a1/transactions', '/shops/:shop_id([A-Za-z0-9]+)/transactions* shop_id=a1 *='],
      ['/shops/a1/transactions/', '/shops/:shop_id([A-Za-z0-9]+)/transactions* shop_id=a1 *=/'],
      ['/shops/a1/transactions/7', '/shops/:shop_id([A-Za-z0-9]+)/transactions* shop_id=a1 *=/7'],
      ['/shops/a1/transactions7', '/shops/:shop_id([A-Za-z0-9]+)/transactions* shop_id=a1 *=7'],
      ['/shops/a-1/transactions', 'none'],
      ['/x', 'none'],
      ['/x/', '/x/* *='],
    ],
  ],
  [
    'several parameters may share a segment',
    ['/:from-:to.json', '/v:major([0-9]+).:minor([0-9]+)'],
    [
      ['/a-b.json', '/:from-:to.json from=a to=b'],
      ['/v1.2', '/v:major([0-9]+).:minor([0-9]+) major=1 minor=2'],
      ['/v1.x', 'none'],
    ],
  ],
  [
    'two colons are one',
    ['/a::b', '/:x/c::cancel'],
    [
      ['/a:b', '/a::b'],
      ['/a%3Ab', '/a::b'],
      ['/1/c:cancel', '/:x/c::cancel x=1'],
      ['/a::b', 'none'],
    ],
  ],
  [
    'a regex is anchored, whether it says so or not, alternatives and all',
    ['/a/:x(a|b)', '/c/:x(^a|b$)', '/d/:x(\\$)'],
    [
      ['/a/a', '/a/:x(a|b) x=a'],
      ['/a/b', '/a/:x(a|b) x=b'],
      ['/a/ab', 'none'],
      ['/a/xb', 'none'],
      ['/c/b', '/c/:x(^a|b$) x=b'],
      ['/c/ab', 'none'],
      ['/d/$', '/d/:x(\\$) x=$'],
    ],
  ],
  [
    'static text is matched decoded, reserved characters too, in whatever spelling they come',
    ['/caf\u00e9 x', '/@a+b,c'],
    [
      ['/caf%C3%A9%20x', '/caf\u00e9 x'],
      ['/@a+b,c', '/@a+b,c'],
      ['/%40a%2Bb%2Cc', '/@a+b,c'],
    ],
  ],
  [
    'parameters and wildcards are decoded once, regexes see them decoded',
    ['/p/:x', '/r/:x([a-z ]+)', '/w/*'],
    [
      ['/p/%3F%23%25%40', '/p/:x x=?#%@'],
      ['/p/%2541', '/p/:x x=%41'],
      ['/p/%252F', '/p/:x x=%2F'],
      ['/p/%25252F', '/p/:x x=%252F'],
      ['/p/%C3%A9%25', '/p/:x x=\u00e9%'],
      ['/r/a%20b', '/r/:x([a-z ]+) x=a b'],
      ['/w/a%3Fb/%25c', '/w/* *=a?b/%c'],
    ],
  ],
] as const satisfies readonly (readonly [
  string,
  readonly string[],
  readonly (readonly [string, string])[],
])[]) {
  for (const [path, expected] of rows) {
    test(`${what}: ${path} → ${expected}`, () => assert.is(found(patterns, path), expected))
  }
}

test('a parameter may be as long as a path; a regex is tried on no more than so many characters', () => {
  const patterns = ['/p/:x', '/r/:x([a-z]+)', '/*']
  const long = 'a'.repeat(MAX_REGEX_INPUT)
  assert.is(found(patterns, `/p/${'a'.repeat(8000)}`), `/p/:x x=${'a'.repeat(8000)}`)
  assert.is(found(patterns, `/r/${long}`), `/r/:x([a-z]+) x=${long}`)
  assert.is(found(patterns, `/r/${long}a`), `/* *=r/${long}a`)
})

test('a regex that takes time by the square of its input is given too little of it to matter', () => {
  const tree = new PathTree([['/:x([a-z0-9]+-?[a-z0-9]+)', {}] as const])
  const started = process.cpuUsage()
  for (let round = 0; round < 100; round++) assert.is(tree.find(`/${'a'.repeat(8000)}!`), undefined)
  const { user } = process.cpuUsage(started)
  assert.ok(user < 1e6, `${user} µs`)
})

/** Regexes that ordinary routes have, alone in a segment or with text and parameters beside them. */
const ORDINARY = [
  ':a([A-Za-z0-9]+)',
  ':a(\\d+)',
  ':a(\\w{1,64})',
  ':a(.+)',
  ':a(.*)',
  ':a([^.]*)',
  ':a([a-z]+-[0-9]+)',
  ':a([a-z0-9]+-?[a-z0-9]+)',
  ':a([0-9a-f]{8}-[0-9a-f]{4})',
  ':a([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})',
  ':a(\\d{4}-\\d{2}-\\d{2})',
  ':a(en|de|fr|zh-Hant)',
  ':a((?:0|[1-9][0-9]*))',
  ':a((?!admin)[a-z]+)',
  ':a([A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})',
  'v:a(\\d+).:b(\\d+).:c(\\d+)',
  ':a([a-z]+)-:b([a-z]+)-:c([a-z]+)-:d([0-9]+).json',
  ':a(.+).:b(jpg|png|webp)',
  ':a-:b([a-z-]+)',
  ':a-:b([0-9]+).json',
]

for (const segment of ORDINARY) {
  test(`${segment} is no too long work`, () => {
    assert.equal(patternProblems(readPattern(`/x/${segment}/y`)), [])
  })
}

for (const segment of [
  ':a([a-z]*[a-z]*[a-z]*[a-z]*)',
  ':a([a-z]*[a-z]*[a-z]*)',
  ':a([a-z]{1,200}[a-z]{1,200}[a-z]{1,200})',
  ':a(.+-.+-.+)',
  ':a(\\w+\\d+[a-z0-9]+)',
  ':a(\\x41+A+\\u0041+\\101+)',
  ':a([a-z]+).:b(.+).:c(.+).:d(.+)',
  ':a(.*):b(.*):c(.*)',
  `:a(${'a?'.repeat(20)}${'a'.repeat(20)})`,
  ':a((?:a|a){20})',
  ':a((?:a|aa){24})',
  `:a(${'(?:a|a)'.repeat(30)})`,
  `:a(${'(?:|a)'.repeat(30)}b)`,
  ':a((?:[a-z]{1,9}){20})',
  ':a((?=.*.*.*x).+)',
]) {
  test(`${segment} is too long work, and the check says so`, () => {
    const found = patternProblems(readPattern(`/x/${segment}/y`))
    assert.is(found.length, 1)
    assert.match(found[0]!, 'could take very long')
  })
}

test('what is not refused as too long work takes no time to speak of, whatever the segment', () => {
  const character = fc.constantFrom(
    'a',
    'b',
    '-',
    '[ab]',
    '[^-]',
    '.',
    '\\w',
    '(?:a|b)',
    '(?:a|ab)',
    '(?:ab)',
  )
  const quantifier = fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,3}', '{0,}', '*?')
  const regex = fc
    .array(
      fc.tuple(character, quantifier).map((parts) => parts.join('')),
      { minLength: 1, maxLength: 8 },
    )
    .map((parts) => parts.join(''))
  const unit = fc.constantFrom('a', 'b', '-', 'ab', 'a-')
  let slowest = 0
  let tried = 0
  fc.assert(
    fc.property(regex, unit, fc.constantFrom('!', '', 'b'), (text, repeated, last) => {
      const pattern = readPattern(`/:x(${text})`)
      fc.pre(patternProblems(pattern).length === 0)
      const tree = new PathTree([[`/:x(${text})`, {}] as const])
      const path = `/${repeated.repeat(MAX_REGEX_INPUT).slice(0, MAX_REGEX_INPUT - 1)}${last}`
      tree.find(path)
      const started = process.cpuUsage()
      for (let round = 0; round < 3; round++) tree.find(path)
      slowest = Math.max(slowest, process.cpuUsage(started).user / 3)
      tried++
    }),
    { numRuns: 1500 },
  )
  assert.ok(tried > 500, `${tried}`)
  assert.ok(slowest < 10_000, `${slowest} µs`) // 3.3 s it was
})

test('a parameter before a regex does not have it tried on a path of any length', () => {
  const tree = new PathTree([['/:a-:b([0-9]+)', {}] as const])
  const started = process.cpuUsage()
  for (let round = 0; round < 100; round++) assert.is(tree.find(`/${'-'.repeat(8000)}`), undefined)
  const { user } = process.cpuUsage(started)
  assert.ok(user < 1e5, `${user} µs`)
})

test('two regexes whose parts could not be put apart are tried for the whole segment', () => {
  assert.not(isTooMuchWork(readPattern('/:a([a-z]*[a-z]*)/:b([a-z]*[a-z]*)').pieces))
  assert.ok(isTooMuchWork(readPattern('/:a([a-z]*[a-z]*)-:b(.*.*)').pieces))
})

// ── the order ─────────────────────────────────────────────────────────────────────────────────────────────────────

for (const [first, second, path] of [
  ['/s/:a-:b', '/s/:c([a-z-]+)', '/s/x-y'],
  ['/s/:a-:b', '/s/:c.:d', '/s/x-y.z'],
  ['/s/:a-:b.json', '/s/:a.json', '/s/x-y.json'],
  ['/s/:a-x', '/s/:c([0-9]+-x)', '/s/1-x'],
  ['/s/:a-x', '/s/:a-:b', '/s/1-x'],
  ['/s/:a.tar.gz', '/s/:a.gz', '/s/x.tar.gz'],
  ['/s/:a([a-z]+)-:b/*', '/s/:a-:b/z', '/s/x-y/z'],
  ['/s/:c([a-z-]+)', '/s/:a', '/s/x-y'],
  ['/s/v:x', '/s/:x([a-z0-9]+)', '/s/v1'],
  ['/s/t*', '/s/:x', '/s/tx'],
  ['/s/t*', '/s/:x([a-z]+)', '/s/tx'],
  ['/s/t*', '/s/:x/y', '/s/tx/y'],
  ['/s/tx', '/s/t*', '/s/tx'],
  ['/s/t*', '/s/*', '/s/tx'],
  ['/s/:x', '/s/*', '/s/tx'],
] as const) {
  test(`${first} is tried before ${second}, wherever they stand: ${path}`, () => {
    for (const patterns of [
      [first, second],
      [second, first],
    ]) {
      assert.is(found(patterns, path).split(' ')[0], first)
    }
  })
}

/** Segments of patterns that may stand side by side, and segments of paths that several of them match. */
const SIDE_BY_SIDE = [
  'a',
  'v*',
  '*',
  ':a',
  ':a([0-9]+)',
  ':a([a-z0-9-]+)',
  ':a-x',
  ':a-:b',
  'v:a',
  ':a.json',
  ':a-:b(x)',
  ':a.:b',
  ':a-:b.json',
  ':a(v[0-9]+)-:b.x',
  ':a(^[a-z]+$)',
  'v:a-:b',
  ':a::b',
  ':a-:b::c',
]
const AMBIGUOUS = ['v1-x', '1-x', 'v1.json', '1-x.json', 'v1-2.x', 'a-b.json', 'v1', 'a', '1', 'x:b', 'v-x:c']

test('whatever order patterns stand in, the same one is found, and it is the first by their specificity', () => {
  const segment = fc.constantFrom(...SIDE_BY_SIDE)
  const pattern = fc
    .tuple(segment, fc.option(segment, { nil: undefined }))
    .map(([one, two]) =>
      two === undefined || one.endsWith('*')
        ? `/s/${one}`
        : `/s/${one}/${two.replaceAll(/:([abc])\b/g, ':$1$1')}`,
    )
    .filter((text) => patternProblems(readPattern(text)).length === 0)
  const outline = (text: string) => outlineOf(readPattern(text).pieces)
  const patterns = fc.uniqueArray(pattern, { minLength: 2, maxLength: 8, selector: outline })
  const sets = patterns.chain((all) =>
    fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
  )
  const segments = fc.array(fc.constantFrom(...AMBIGUOUS), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(sets, segments, ([all, shuffled], path) => {
      const target = `/s/${path.join('/')}`
      const expected = all
        .map((text) => ({ text, specificity: specificityOf(readPattern(text).pieces) }))
        .sort((a, b) => compareSpecificity(a.specificity, b.specificity))
        .map(({ text }) => found([text], target))
        .find((outcome) => outcome !== 'none')
      assert.is(found(all, target), expected ?? 'none')
      assert.is(found(shuffled, target), expected ?? 'none')
    }),
    { numRuns: 1000 },
  )
})

test('what is found is the value itself, and params of no pattern have a prototype to inherit from', () => {
  const value = {}
  const match = new PathTree([['/:a', value] as const]).find('/b')!
  assert.is(match.value, value)
  assert.is(match.params.constructor, undefined)
})

test('whatever the value, a parameter and a wildcard come out as the client meant them', () => {
  const tree = new PathTree([
    ['/p/:x', {}],
    ['/w/*', {}],
  ] as const)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (value) => {
      fc.pre(!/[/\\;\x00-\x1f\x7f]|^\.{1,2}$/.test(value))
      const encoded = encodeURIComponent(value)
      assert.is(tree.find(canonicalPath(`/p/${encoded}`))?.params.x, value)
      assert.is(tree.find(canonicalPath(`/w/a/${encoded}`))?.params['*'], `a/${value}`)
    }),
  )
})

// ── patterns ──────────────────────────────────────────────────────────────────────────────────────────────────────

for (const pattern of [
  '/',
  '/*',
  '/a*',
  '/a/:b',
  '/a/:b/c/',
  '/:a-:b.:c',
  '/:a([0-9]+):b([a-z]+)',
  '/:id([^/]+)',
  '/:id((?:a|b)\\)c)',
  '/:id(^[0-9]{1,5}$)',
  '/a::b',
  '/caf\u00e9',
  '/.well-known/*',
  '/:__proto__',
]) {
  test(`${pattern} is a pattern, and find-my-way takes it`, () => {
    assert.equal(patternProblems(readPattern(pattern)), [])
    assert.ok(new PathTree([[pattern, {}] as const]))
  })
}

for (const [pattern, ...problems] of [
  ['', /^does not begin with \//],
  ['a', /^does not begin with \//],
  ['*', /^does not begin with \//],
  ['/a*b', /^has a \* before its end/],
  ['/*/a', /^has a \* before its end/],
  ['/:a([0-9]+)*', /^has a \* in a segment with a parameter/],
  ['/:a-*', /^has a \* in a segment with a parameter/],
  ['/:', /without a name.*::/],
  ['/:/a', /without a name/],
  ['/:(a)', /without a name/],
  ['/:a?', /^has "\?" after :a/],
  ['/:a*', /^has "\*" after :a/],
  ['/:a:b', /^has ":" after :a/],
  ['/:a b', /^has " " after :a/],
  ['/:a(', /regex of :a that never ends/],
  ['/:a([)])', /outside of a parameter|cannot be read|never ends/],
  ['/:a((?:x)', /regex of :a that never ends/],
  ['/a(b)', /^has a \( outside of a parameter/],
  ['/a)', /^has a \) outside of a parameter/],
  ['/:a([z-a])', /regex of :a that cannot be read/],
  ['/:a()', /empty regex of :a/],
  ['/:a((b|c))', /group in the regex of :a.*\(\?:/],
  ['/:a((?<n>b))', /group in the regex of :a/],
  ['/:a([/:?]+)', /"\/:" in the regex of :a/],
  ['/:a((?:x+)+)', /could take very long|within a repetition/],
  ['/:a((?:[a-z]*)*)/b', /could take very long|within a repetition/],
  ['/:a([a-z]*[a-z]*[a-z]*)', /could take very long.*between them/],
  ['/:a(x?(?:y?)?)', /within a repetition/],
  ['/:a(^$)', /empty regex of :a/],
  ['/:a/:a', /two parameters with the name a$/],
  ['/:a(x)-:a(y)/:b', /two parameters with the name a$/],
  ['/%2f', /percent sign/],
  ['/caf%C3%A9', /percent sign/],
  ['/a?b', /no query is matched/],
  ['/a#b', /which no request has/],
  ['/a//b', /an empty segment/],
  ['//', /an empty segment/],
  ['/a;b', /a semicolon/],
  ['/a\\b', /an encoded backslash/],
  ['/a/../b', /a dot segment/],
  ['/./:a', /a dot segment/],
  ['/a\nb', /an encoded control character/],
  ['/\ud800', /not Unicode/],
  ['/a//:b/:b', /an empty segment/, /two parameters with the name b/],
  ['/:a((x))/:b((y))', /regex of :a/, /regex of :b/],
] as const) {
  test(`${JSON.stringify(pattern)} is no pattern: ${problems.join(', ')}`, () => {
    const found = patternProblems(readPattern(pattern))
    assert.is(found.length, problems.length, found.join('\n'))
    for (const [at, problem] of problems.entries()) assert.match(found[at]!, problem)
  })
}

test('the names of the parameters are told in order, the wildcard last', () => {
  const { pieces } = readPattern('/a/:b-:c(x)/d::e/*')
  assert.equal(parameterNames(pieces), ['b', 'c', '*'])
})

const CLASSES: readonly (readonly string[])[] = [
  // one shape each, by twos: what differs is a name
  ['/a/:b', '/a/:c'],
  ['/a/:b(x)', '/a/:c(x)'],
  ['/:a-:b', '/:c-:d'],
  ['/a/*', '/a/*'],
  ['/a::b', '/a::b'],
]

test('a shape is the same whatever the parameters are called, and no other pattern has it', () => {
  const shapes = CLASSES.map((patterns) => new Set(patterns.map((one) => shapeOf(readPattern(one).pieces))))
  for (const shape of shapes) assert.is(shape.size, 1)
  assert.is(new Set(shapes.flatMap((shape) => [...shape])).size, CLASSES.length)
})

/** Segments, all for one place, of which many have one outline. */
const SEGMENTS = [
  'a',
  ':a',
  ':a([0-9]+)',
  ':a([a-z]+)',
  ':a-x',
  ':a([0-9]+)-x',
  ':a-:b',
  ':a-:b(x)',
  ':a(x)-:b',
  'v:a',
]
const SEGMENT_PAIRS = SEGMENTS.flatMap((one) => SEGMENTS.map((other) => [one, other] as const))

test('two patterns can stand in one tree exactly if their outlines differ', () => {
  let together = 0
  for (const [one, other] of SEGMENT_PAIRS) {
    for (const rest of ['', '/', '/c', '/:z', '/*']) {
      const patterns = [`/s/${one}${rest}`, `/s/${other}${rest}`] as const
      const [first, second] = patterns.map((pattern) => outlineOf(readPattern(pattern).pieces))
      const both = () => new PathTree(patterns.map((pattern) => [pattern, {}] as const))
      if (first === second) assert.throws(both, /already declared/)
      else assert.ok(both(), `${++together}`)
    }
  }
  assert.ok(together > 0 && together < SEGMENT_PAIRS.length * 5)
})

test.run()
