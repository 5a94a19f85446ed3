import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { claimsProblems, compileClaims, type TemplateFacts } from '../../src/jwt/claims-template.ts'

const test = suite('jwt/claims-template')

const FACTS: TemplateFacts = {
  subject: 'WAL001',
  method: 'GET',
  path: '/shops/1',
  scopes: ['read', 'write'],
  roles: ['user'],
  claims: { role: 'admin', age: 7, deep: { er: [1, 2] }, 'https://a.test/b': 'dotted', no: null, yes: true },
  params: { shop_id: 'BBY"1', '*': 'a/b' },
}

/** The members as an object. */
function rendered(claims: Record<string, unknown>, facts: TemplateFacts = FACTS): unknown {
  const text = compileClaims(claims).render(facts)
  return JSON.parse(`{${text.slice(0, -1)}}`)
}

for (const [template, value] of [
  ['plain', 'plain'],
  ['{subject}', 'WAL001'],
  ['{method}', 'GET'],
  ['{path}', '/shops/1'],
  ['{scopes}', ['read', 'write']],
  ['{roles}', ['user']],
  ['{claims.role}', 'admin'],
  ['{claims.age}', 7],
  ['{claims.deep}', { er: [1, 2] }],
  ['{claims.deep.er}', [1, 2]],
  ['{claims.https://a.test/b}', 'dotted'],
  ['{params.shop_id}', 'BBY"1'],
  ['{params.*}', 'a/b'],
  ['shop:{params.shop_id}/{claims.age}-{claims.yes}', 'shop:BBY"1/7-true'],
  ['{{subject}}', '{subject}'],
  ['{{{subject}}}', '{WAL001}'],
] as const) {
  test(`${template} is ${JSON.stringify(value)}`, () =>
    assert.equal(rendered({ it: template }), { it: value }))
}

test('what is no text stays as it is, and templates stand at any depth', () => {
  const claims = { a: 1, b: true, c: { d: ['{subject}', 2, { e: '{claims.age}' }], f: {} }, g: [], h: 'text' }
  assert.equal(rendered(claims), {
    a: 1,
    b: true,
    c: { d: ['WAL001', 2, { e: 7 }], f: {} },
    g: [],
    h: 'text',
  })
})

test('what has no value is left out, whole: the claim, the member, the item', () => {
  for (const template of [
    '{claims.none}',
    '{claims.no}',
    '{params.none}',
    'a{params.none}b',
    '{claims.constructor}',
    '{claims.deep.none}',
    '{claims.role.length}',
    'a {claims.deep}', // a mapping amid text
    'a {scopes}',
  ]) {
    assert.equal(rendered({ before: 1, it: template, after: 2 }), { before: 1, after: 2 }, template)
    assert.equal(rendered({ it: { a: template, b: [template, 1] } }), { it: { b: [1] } }, template)
  }
})

test('claims without templates are written once', () => {
  const template = compileClaims({ a: 1, b: { c: ['d'] } })
  assert.is(template.render(FACTS), '"a":1,"b":{"c":["d"]},')
  assert.is(compileClaims({}).render(FACTS), '')
})

test('no value can be more than a value, whatever is in it', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  fc.assert(
    fc.property(text, text, fc.jsonValue(), (subject, id, claim) => {
      const facts = { ...FACTS, subject, params: { id }, claims: { claim } }
      const found = rendered(
        { a: '{subject}', b: 'x{params.id}{subject}y', c: '{claims.claim}', d: 1 },
        facts,
      )
      const expected = JSON.parse(
        JSON.stringify({ a: subject, b: `x${id}${subject}y`, c: claim ?? undefined, d: 1 }),
      )
      assert.equal(found, expected)
    }),
    { numRuns: 500 },
  )
})

const THERE_ARE = 'but subject, method, path, scopes, roles, claims.NAME and params.NAME'
for (const [claims, path, problem] of [
  [{ a: '{user}' }, 'a', `there is no {user}, ${THERE_ARE}`],
  [{ a: '{claims}' }, 'a', `there is no {claims}, ${THERE_ARE}`],
  [{ a: '{params.}' }, 'a', `there is no {params.}, ${THERE_ARE}`],
  [{ a: '{subject.x}' }, 'a', `there is no {subject.x}, ${THERE_ARE}`],
  [{ a: ['x', '{}'] }, 'a.1', `there is no {}, ${THERE_ARE}`],
  [{ a: { b: '{params.shop}' } }, 'a.b', 'there is no {params.shop}: the path has shop_id, *'],
  [{ a: 'x{' }, 'a', 'there is a { without its partner: a brace itself is written {{'],
  [{ a: '}x' }, 'a', 'there is a } without its partner: a brace itself is written }}'],
  [
    { a: { subject: null } },
    'a.subject',
    "there is nothing here; a template such as '{subject}' stands in quotes",
  ],
  [{ a: Number.NaN }, 'a', "there is nothing here; a template such as '{subject}' stands in quotes"],
  [{ iat: 1 }, 'iat', 'this claim is not for templates: signet says it itself'],
  [{ jti: 'x' }, 'jti', 'this claim is not for templates: signet says it itself'],
  [{ exp: 1 }, 'exp', 'this claim is not for templates: set lifetime in its place'],
  [{ aud: 'x' }, 'aud', 'this claim is not for templates: set audience in its place'],
  [{ iss: 'x' }, 'iss', 'this claim is not for templates: set issuer in its place'],
] as const) {
  test(`${JSON.stringify(claims)} is refused: ${problem}`, () => {
    const found = claimsProblems(claims, ['shop_id', '*'])
    assert.equal(
      found.map((one) => [one.path.join('.'), one.problem]),
      [[path, problem]],
    )
    if (path !== 'a.b') assert.throws(() => compileClaims(claims)) // which knows no path
  })
}

test('parameters are not judged where the path is not known', () => {
  assert.equal(claimsProblems({ a: '{params.any}' }), [])
})

test.run()
