import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import {
  compileTemplate,
  type TemplateSources,
  type TemplateValues,
  templateProblems,
} from '../../src/http/template.ts'

const test = suite('http/template')

const SOURCES: TemplateSources = { params: ['a', 'shop_id', '*'], claims: 'any' }

/** The rendered path, or why there is none. */
function rendered(template: string, values: TemplateValues): string {
  try {
    return compileTemplate(template, SOURCES).render(values)
  } catch (error) {
    assert.instance(error, ProxyError)
    assert.is((error as ProxyError).code, 'ERR_PATH_AMBIGUOUS')
    return `refused: ${(error as ProxyError).message}`
  }
}

test('a template puts parameters, wildcards and claims where they are asked for', () => {
  const values = { params: { shop_id: 's7', '*': '/2026/07/', a: 'x' }, claims: { sub: 'jo' } }
  assert.is(rendered('/v1/{params.shop_id}/transactions{params.*}', values), '/v1/s7/transactions/2026/07/')
  assert.is(rendered('/{params.a}{params.a}-{claims.sub}.json', values), '/xx-jo.json')
  assert.is(rendered('/fixed', values), '/fixed')
  assert.is(rendered('/', values), '/')
})

for (const [value, expected, why] of [
  ['x', '/v/x/w', 'as it is'],
  [
    "a-._~!$&'()*,:=@",
    "/v/a-._~!$&'()*,:=@/w",
    'unreserved octets, and what means nothing in a path but itself',
  ],
  ['a/b', 'refused: the path has an encoded slash', 'one segment stays one'],
  ['../x', 'refused: the path has an encoded slash', 'one segment stays one'],
  ['..', 'refused: the path has a dot segment', 'RFC 3986 §5.2.4'],
  ['.', 'refused: the path has a dot segment', 'RFC 3986 §5.2.4'],
  ['...', '/v/.../w', 'a name'],
  ['', 'refused: {params.a} has no value that could be a segment', 'the segment would be gone'],
  ['a\\b', 'refused: the path has an encoded backslash', 'a slash to Windows'],
  ['a;b', 'refused: the path has an encoded semicolon', 'a path parameter to some'],
  ['a\r\nX: y', 'refused: the path has an encoded control character', 'CR LF'],
  ['a\0', 'refused: the path has an encoded control character', 'the end of a string in C'],
  ['?q=1#f', '/v/%3Fq=1%23f/w', 'no query and no fragment'],
  ['%2e%2e', '/v/%252e%252e/w', 'text, not an encoding'],
  ['a+b c', '/v/a%2Bb%20c/w', 'some read + as a blank'],
  ['é"<>{}|^`[]', '/v/%C3%A9%22%3C%3E%7B%7D%7C%5E%60%5B%5D/w', 'the rest is encoded'],
  ['\ud800', 'refused: a value for the path has half a surrogate pair', 'it has no UTF-8'],
] as const) {
  test(`the value ${JSON.stringify(value)} → ${expected}: ${why}`, () => {
    assert.is(rendered('/v/{params.a}/w', { params: { a: value } }), expected)
  })
}

for (const [value, expected] of [
  ['', '/v/'],
  ['a/b', '/v/a/b'],
  ['a/', '/v/a/'],
  ['a b/?', '/v/a%20b/%3F'],
  ['/a', 'refused: the path has an empty segment'],
  ['a//b', 'refused: the path has an empty segment'],
  ['a/../b', 'refused: the path has a dot segment'],
  ['..', 'refused: the path has a dot segment'],
  ['%2e%2e/a', '/v/%252e%252e/a'],
] as const) {
  test(`the wildcard ${JSON.stringify(value)} → ${expected}`, () => {
    assert.is(rendered('/v/{params.*}', { params: { '*': value } }), expected)
  })
}

test('a claim called * is a value like any other', () => {
  assert.match(rendered('/{claims.*}', { claims: { '*': 'a/b' } }), /an encoded slash/)
})

test('dots from a value and from the template do not join to a dot segment', () => {
  assert.match(rendered('/v/.{params.a}', { params: { a: '.' } }), /a dot segment/)
  assert.match(rendered('/v/%2e{params.a}/x', { params: { a: '.' } }), /a dot segment/)
  assert.is(rendered('/v/.{params.a}', { params: { a: 'x' } }), '/v/.x')
})

for (const [what, claims] of [
  ['missing, though every object inherits one', {}],
  ['a number', { constructor: 7 }],
  ['null', { constructor: null }],
  ['a list', { constructor: ['x'] }],
] as const) {
  test(`a value that is ${what} is refused`, () => {
    assert.match(rendered('/{claims.constructor}', { claims }), /has no value/)
  })
}

for (const [template, ...problems] of [
  ['', 'does not begin with /'],
  ['v1', 'does not begin with /'],
  ['{params.a}', 'does not begin with /'],
  ['/{params.b}', 'has {params.b}: in params there is no "b", but a, shop_id, *'],
  ['/{header.a}', 'has {header.a}: there is no source "header", but params, claims'],
  ['/{constructor.a}', 'has {constructor.a}: there is no source "constructor", but params, claims'],
  ['/{a}', 'has {a}, which is not of the form {source.name}'],
  ['/{}', 'has {}, which is not of the form {source.name}'],
  ['/{.a}', 'has {.a}, which is not of the form {source.name}'],
  ['/{params.}', 'has {params.}, which is not of the form {source.name}'],
  ['/{params.a', 'has a { without its partner: a brace itself is written %7B or %7D'],
  ['/params.a}', 'has a } without its partner: a brace itself is written %7B or %7D'],
  ['/{{params.a}}', 'has a { without its partner: a brace itself is written %7B or %7D'],
  ['/a?b={params.a}', 'has "?", which no path has: the query is forwarded as it was received'],
  ['/a b', 'has " ", which no path has: write %20'],
  ['/a#b', 'has "#", which no path has: write %23'],
  ['/é', 'has "é", which no path has: write %C3%A9'],
  ['/\u{1f4a9}', 'has "\u{1f4a9}", which no path has: write %F0%9F%92%A9'],
  ['/a\r\nb', 'has "\\r", which no path has: write %0D'],
  ['/\ud800', 'has "\\ud800", which no path has: it is half a character'],
  ['/a//{params.a}', 'is never forwarded, since the path has an empty segment'],
  ['/a/../{params.a}', 'is never forwarded, since the path has a dot segment'],
  ['/%2e%2e/{params.a}', 'is never forwarded, since the path has a dot segment'],
  ['/a;b', 'is never forwarded, since the path has a semicolon'],
  ['/a%2fb', 'is never forwarded, since the path has an encoded slash'],
  ['/%{params.a}', 'is never forwarded, since the path has percent-encodings that are not UTF-8'],
  ['/%4{params.a}', 'is never forwarded, since the path has percent-encodings that are not UTF-8'],
  ['/%C3{params.a}', 'is never forwarded, since the path has percent-encodings that are not UTF-8'],
  [
    '/{a}/{b.c}//',
    'has {a}, which is not of the form {source.name}',
    'has {b.c}: there is no source "b", but params, claims',
    'is never forwarded, since the path has an empty segment',
  ],
] as const) {
  test(`${JSON.stringify(template)} ${problems.join('; ')}`, () => {
    assert.equal(templateProblems(template, SOURCES), problems)
    assert.throws(() => compileTemplate(template, SOURCES))
  })
}

test('where a path has no parameters the operator is told so', () => {
  assert.equal(templateProblems('/{params.a}', { params: [] }), [
    'has {params.a}: in params there is no "a", but nothing at all',
  ])
})

for (const template of [
  '/',
  '/a/',
  '/%7Bid%7D',
  '/{params.a}',
  '/{params.*}',
  '/x{params.*}',
  '/{claims.a.b}',
]) {
  test(`${template} is a template`, () => assert.equal(templateProblems(template, SOURCES), []))
}

/** Values as an enemy would choose them, and as people have them. */
const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({
    unit: fc.constantFrom('.', '/', '\\', ';', '%', '?', '#', '2', 'e', 'f', '\r', '\n', '\0', 'é'),
  }),
  fc.constantFrom('..', '.', '', '%2e', '%2F', '../..', '\ud800', 'a+b', '{params.a}', '%0d%0a'),
)

test('whatever the values, the path has the segments of the template, means the values, and divides nothing', () => {
  let accepted = 0
  const template = compileTemplate('/v1/{params.a}/{claims.sub}.json/x{params.shop_id}y', SOURCES)
  fc.assert(
    fc.property(value, value, value, (a, sub, shop_id) => {
      let path: string
      try {
        path = template.render({ params: { a, shop_id }, claims: { sub } })
      } catch (error) {
        assert.is((error as ProxyError).code, 'ERR_PATH_AMBIGUOUS')
        // A refusal has a reason: some value that no segment can stand for.
        assert.ok([a, sub, shop_id].some((one) => /^\.{0,2}$|[/\\;\x00-\x1f\x7f]|\p{Surrogate}/u.test(one)))
        return
      }
      accepted++
      assert.equal(path.split('/').map(decodeURIComponent), ['', 'v1', a, `${sub}.json`, `x${shop_id}y`])
      assert.not.match(path, /[^!-~]|[?#\\;]|\/\/|\/\.\.?(\/|$)|%2f|%5c/i)
    }),
    { numRuns: 3000 },
  )
  assert.ok(accepted > 300, `only ${accepted} were accepted`)
})

test('whatever the wildcard, its segments are those of the path', () => {
  let accepted = 0
  const template = compileTemplate('/v1/{params.*}', SOURCES)
  fc.assert(
    fc.property(fc.array(value, { maxLength: 4 }), (segments) => {
      const wildcard = segments.join('/')
      let path: string
      try {
        path = template.render({ params: { '*': wildcard } })
      } catch (error) {
        assert.is((error as ProxyError).code, 'ERR_PATH_AMBIGUOUS')
        return
      }
      accepted++
      assert.equal(path.split('/').map(decodeURIComponent), ['', 'v1', ...wildcard.split('/')])
      assert.not.match(path, /[^!-~]|[?#\\;]|\/\/|\/\.\.?(\/|$)|%2f|%5c/i)
    }),
    { numRuns: 2000 },
  )
  assert.ok(accepted > 200, `only ${accepted} were accepted`)
})

test('a source may be a value itself, and stands in a template by its name alone', () => {
  const sources = { params: ['a'], subject: 'itself' } as const
  const template = compileTemplate('/{subject}/{params.a}', sources)
  assert.is(template.render({ subject: 'a b?', params: { a: 'x' } }), '/a%20b%3F/x')
  assert.throws(() => template.render({ subject: 'a/b', params: { a: 'x' } }), /an encoded slash/)
  assert.equal(templateProblems('/{subject.x}', sources), [
    'has {subject.x}, where {subject} is all there is',
  ])
  assert.equal(templateProblems('/{params}', sources), [
    'has {params}, which is not of the form {source.name}',
  ])
  assert.throws(() => template.render({ subject: '', params: { a: 'x' } }), /\{subject\} has no value/)
  assert.throws(() => template.render({ params: { a: 'x' } }), /\{subject\} has no value/)
})

test.run()
