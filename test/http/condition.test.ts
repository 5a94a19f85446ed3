// Conditions: what they say of a request, what holds where something is missing, and what an operator is told.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { compileCondition, conditionProblems } from '../../src/http/condition.ts'

const test = suite('http/condition')

const IDENTITY = {
  subject: 'ann',
  claims: {
    sub: 'ann',
    user_id: 'WAL001',
    number: 42,
    half: 0.5,
    empty: '',
    nothing: null,
    shops: ['WAL001', 'BBY001', 7],
    payload: { user: 'deep' },
    'https://a.test/role': 'url',
  },
  scopes: ['shops:read'],
  roles: ['clerk', 'admin'],
  authenticator: 'users',
}
const PARAMS = { shop_id: 'WAL001', other: 'BBY001', number: '42', empty: '' }
const facts = { method: 'GET', params: PARAMS, identity: IDENTITY }

for (const [condition, expected] of [
  ['params.shop_id == claims.user_id', true],
  ['params.other == claims.user_id', false],
  ['params.other != claims.user_id', true],
  ['params.shop_id != claims.user_id', false],
  ["subject == 'ann'", true],
  ['subject == "ann"', true],
  ["  subject=='ann'  ", true],
  ["subject == 'Ann'", false],
  ["method == 'GET'", true],
  ["method in ['GET', 'HEAD']", true],
  ["method in ['POST']", false],
  ["'admin' in roles", true],
  ["'root' in roles", false],
  ["'shops:read' in scopes", true],
  ['params.shop_id in claims.shops', true],
  ['params.empty in claims.shops', false],
  ["'7' in claims.shops", true],
  // A text is no list, whatever is in it.
  ["'WAL' in claims.user_id", false],
  // Whole numbers are the text they are written as; no other value is a text.
  ['params.number == claims.number', true],
  ["claims.half == '0.5'", false],
  ["claims.empty == ''", true],
  ['claims.payload.user == "deep"', true],
  ["claims.https://a.test/role == 'url'", true],
  // What is not there neither equals nor differs.
  ["claims.missing == ''", false],
  ["claims.missing != 'x'", false],
  ['claims.missing == claims.missing', false],
  ["claims.nothing != 'x'", false],
  ["claims.constructor != 'x'", false],
  ["claims.__proto__ != 'x'", false],
  ["claims.payload.constructor != 'x'", false],
  ['params.absent != claims.user_id', false],
  ["'x' in claims.missing", false],
  ['claims.missing in claims.shops', false],
] as const) {
  test(`${condition} ${expected ? 'holds' : 'does not hold'}`, () => {
    assert.is(compileCondition(condition)(facts), expected)
  })
}

for (const [condition, problem] of [
  ['', 'is empty'],
  ['subject', 'needs ==, != or in behind its first value'],
  ['subject ==', 'needs a value on both sides'],
  ["subject = 'a'", 'cannot be read from character 9 on'],
  ["subject == 'a' and method == 'GET'", 'has something behind its second value'],
  ["user == 'a'", 'has "user": there are subject'],
  ["params. == 'a'", 'has "params.": there are subject'],
  ["params.shop == 'a'", 'speaks of params.shop, but the path has shop_id, other'],
  ["roles == 'a'", 'begins with a list'],
  ["subject == ['a']", 'needs a value, not a list behind =='],
  ["'a' in subject", 'needs a list: roles, scopes, claims.NAME behind in'],
  ["'a' in params.shop_id", 'needs a list'],
  ["'a' in ['b', ", "has a list that is not of the form ['a', 'b']"],
  ["'a' in [b]", "has a list that is not of the form ['a', 'b']"],
  ["subject == 'a", 'cannot be read from character 12 on'],
] as const) {
  test(`${JSON.stringify(condition)} is refused: it ${problem}`, () => {
    const problems = conditionProblems(condition, ['shop_id', 'other'])
    assert.is(problems.length, 1, problems.join('; '))
    assert.ok(problems[0]?.startsWith(problem), problems[0])
  })
}

test('what is wrong is never compiled', () => {
  assert.throws(() => compileCondition('subject'), /needs ==/)
})

test.run()
