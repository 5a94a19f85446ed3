import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type FailureCode, ProxyError } from '../../src/errors.ts'
import { PATH, QUERY } from '../../src/http/octets.ts'
import { isAuthority, readTarget, type TargetForms } from '../../src/http/request-target.ts'

const test = suite('http/request-target')

/** What a target is forwarded as and which authority it names, or the failure. */
function outcomeOf(method: string, target: string, forms?: TargetForms): string {
  try {
    const { forwarded, authority } = readTarget(method, target, forms)
    return authority === undefined ? forwarded : `${forwarded} at ${authority}`
  } catch (error) {
    assert.instance(error, ProxyError)
    return (error as ProxyError).code
  }
}

const MALFORMED: FailureCode = 'ERR_TARGET_MALFORMED'

for (const [method, target, expected] of [
  // origin-form (RFC 9112 §3.2.1): as it came
  ['GET', '/', '/'],
  ['GET', '/a/b;c=d,e:f@g', '/a/b;c=d,e:f@g'],
  ['GET', '/?', '/?'],
  ['GET', '/a?b=c&d=/e?f', '/a?b=c&d=/e?f'],
  ['GET', '//b.test/x', '//b.test/x'],
  ['GET', '/a//b/../c/./', '/a//b/../c/./'],
  ['GET', '/%2e%2E/%00', '/%2e%2E/%00'],
  ['GET', '/100%25', '/100%25'],
  ['GET', '/100%', MALFORMED],
  ['GET', '/?a=%4', MALFORMED],
  ['GET', '/%zz', MALFORMED],
  ['GET', '/a|b[c]', '/a|b[c]'],
  ['GET', '/?a=^`{|}\\', '/?a=^`{|}\\'],
  ['GET', '/http://b.test/', '/http://b.test/'],
  ['GET', '/a#b', MALFORMED],
  ['GET', '/a?b#c', MALFORMED],
  ['GET', '/a\\b', MALFORMED],
  ['GET', '/a"b', MALFORMED],
  ['GET', '/a?"b', MALFORMED],
  ['GET', '/<a>', MALFORMED],
  ['GET', '/?<a>', MALFORMED],
  ['GET', '/{a}', MALFORMED],
  ['GET', '/a b', MALFORMED],
  ['GET', '/a\tb', MALFORMED],
  ['GET', '/a\rb', MALFORMED],
  ['GET', '/a\nb', MALFORMED],
  ['GET', '/a?\r\n', MALFORMED],
  ['GET', '/\0', MALFORMED],
  ['GET', '/\x7f', MALFORMED],
  ['GET', '/\xe9', MALFORMED],
  ['GET', '/?\xe9', MALFORMED],

  // absolute-form (RFC 9112 §3.2.2): becomes origin-form, and its authority counts
  ['GET', 'http://b.test', '/ at b.test'],
  ['GET', 'http://b.test/', '/ at b.test'],
  ['GET', 'http://b.test/x?y', '/x?y at b.test'],
  ['GET', 'http://b.test?y', '/?y at b.test'],
  ['GET', 'http://b.test//x', '//x at b.test'],
  ['GET', 'http://b.test/http://c.test/', '/http://c.test/ at b.test'],
  ['GET', 'HTTP://B.test:81/x', '/x at B.test:81'],
  ['GET', 'http://[::1]:81/x', '/x at [::1]:81'],
  ['POST', 'http://192.0.2.7/x', '/x at 192.0.2.7'],
  ['GET', 'http://b.test/x#y', MALFORMED],
  ['GET', 'http://b.test#y', MALFORMED],
  ['GET', 'http://b.test/x\\y', MALFORMED],
  ['GET', 'http://b.test\\x', MALFORMED],
  ['GET', 'http://b.test\\@c.test/', MALFORMED],
  ['GET', 'http://u@b.test/', MALFORMED],
  ['GET', 'http://u:p@b.test/', MALFORMED],
  ['GET', 'http://@b.test/', MALFORMED],
  ['GET', 'http://b.test,c.test/', MALFORMED],
  ['GET', 'http://b%2etest/', MALFORMED],
  ['GET', 'http://b.test:/', MALFORMED],
  ['GET', 'http://b.test:65536/', MALFORMED],
  ['GET', 'http://b.test:8a/', MALFORMED],
  ['GET', 'http://:80/', MALFORMED],
  ['GET', 'http://', MALFORMED],
  ['GET', 'http:///x', MALFORMED],
  ['GET', 'http://?x', MALFORMED],
  ['GET', 'http://::1/', MALFORMED],
  ['GET', 'http:/x', MALFORMED],
  ['GET', 'http:x', MALFORMED],
  ['GET', 'https://b.test/', 'ERR_MISDIRECTED'],
  ['GET', 'ftp://b.test/', 'ERR_MISDIRECTED'],
  ['GET', 'xhttp://b.test/', 'ERR_MISDIRECTED'],
  ['GET', '://b.test/', 'ERR_MISDIRECTED'],

  // asterisk-form (RFC 9112 §3.2.4): OPTIONS alone
  ['OPTIONS', '*', '*'],
  ['OPTIONS', '/', '/'],
  ['OPTIONS', 'http://b.test', '* at b.test'],
  ['OPTIONS', 'http://b.test/', '/ at b.test'],
  ['OPTIONS', 'http://b.test?x', '/?x at b.test'],
  ['OPTIONS', '*x', MALFORMED],
  ['OPTIONS', '**', MALFORMED],
  ['GET', '*', MALFORMED],
  ['POST', '*', MALFORMED],

  // authority-form (RFC 9112 §3.2.3): CONNECT alone
  ['CONNECT', 'b.test:443', 'ERR_CONNECT_UNSUPPORTED'],
  ['CONNECT', '/', 'ERR_CONNECT_UNSUPPORTED'],
  ['CONNECT', 'http://b.test/', 'ERR_CONNECT_UNSUPPORTED'],
  ['GET', 'b.test:443', MALFORMED],
  ['GET', 'b.test', MALFORMED],
  ['GET', 'x', MALFORMED],
  ['GET', '?x', MALFORMED],
  ['GET', '', MALFORMED],
] as const) {
  test(`${method} ${JSON.stringify(target)} is ${expected} (RFC 9112 §3.2)`, () => {
    assert.is(outcomeOf(method, target), expected)
  })
}

for (const [target, expected] of [
  ['b.test:443', 'b.test:443 at b.test:443'],
  ['10.0.0.1:80', '10.0.0.1:80 at 10.0.0.1:80'],
  ['[::1]:443', '[::1]:443 at [::1]:443'],
  ['b.test', MALFORMED],
  ['[::1]', MALFORMED],
  ['b.test:', MALFORMED],
  ['b.test:65536', MALFORMED],
  ['u@b.test:443', MALFORMED],
  ['b.test:443/', MALFORMED],
  ['http://b.test:443', MALFORMED],
  ['/', MALFORMED],
  ['*', MALFORMED],
] as const) {
  test(`to a forward proxy, CONNECT ${target} is ${expected} (RFC 9112 §3.2.3)`, () => {
    assert.is(outcomeOf('CONNECT', target, { scheme: 'http', takesConnect: true }), expected)
  })
}

test('absolute-form over TLS says https, and nothing else (RFC 9110 §7.4)', () => {
  const forms = { scheme: 'https', takesConnect: false } as const
  assert.is(outcomeOf('GET', 'https://b.test/x', forms), '/x at b.test')
  assert.is(outcomeOf('GET', 'http://b.test/x', forms), 'ERR_MISDIRECTED')
})

test('every octet of a path and of a query is allowed by its set, in origin-form and in absolute-form', () => {
  for (let octet = 0; octet < 256; octet++) {
    // A percent sign is one of them only as part of a percent-encoding (RFC 3986 §2.1).
    const text = octet === 0x25 ? '%41' : String.fromCharCode(octet)
    const inPath = PATH[octet] === 1 || text === '?'
    const inQuery = QUERY[octet] === 1
    for (const before of ['', 'http://b.test']) {
      const at = before === '' ? '' : ' at b.test'
      assert.is(
        outcomeOf('GET', `${before}/a${text}b`),
        inPath ? `/a${text}b${at}` : MALFORMED,
        `octet ${octet}`,
      )
      assert.is(
        outcomeOf('GET', `${before}/?a${text}`),
        inQuery ? `/?a${text}${at}` : MALFORMED,
        `octet ${octet}`,
      )
    }
  }
})

for (const [text, valid] of [
  ['a', true],
  ['a.test', true],
  ['A.Test', true],
  ['a.test.', true],
  ['a_b-c~d', true],
  ['xn--nxasmq6b.test', true],
  ['192.0.2.7', true],
  ['a:0', true],
  ['a:80', true],
  ['a:00080', true],
  ['a:65535', true],
  ['[::]', true],
  ['[::1]', true],
  ['[::1]:8080', true],
  ['[2001:DB8::a]', true],
  ['[::ffff:192.0.2.7]', true],
  ['', false],
  [' ', false],
  ['a ', false],
  [' a', false],
  ['a b', false],
  ['a,b', false],
  ['a, a', false],
  ['a;b', false],
  ['a/', false],
  ['a/b', false],
  ['a?b', false],
  ['a#b', false],
  ['a\\b', false],
  ['a%2eb', false],
  ['u@a', false],
  ['u:p@a', false],
  ['@a', false],
  ['http://a', false],
  ['"a"', false],
  ['a\0', false],
  ['\xe9', false],
  ['*', false],
  [':', false],
  [':80', false],
  ['a:', false],
  ['a::80', false],
  ['a:80:80', false],
  ['a:65536', false],
  ['a:99999', false],
  ['a:000080', false],
  ['a:8a', false],
  ['a:-1', false],
  ['a:+1', false],
  ['a: 80', false],
  ['a:80 ', false],
  ['::1', false],
  ['[', false],
  ['[]', false],
  ['[:', false],
  ['[]:80', false],
  ['[::1', false],
  ['::1]', false],
  ['[::1]]', false],
  ['[[::1]]', false],
  ['[::1]a', false],
  ['[::1]:', false],
  ['[::1]:65536', false],
  ['[::1]80', false],
  ['[::g]', false],
  ['[a.test]', false],
  ['[::1%25eth0]', false],
  ['[::1%eth0]', false],
  ['[v1.a]', false],
  ['a[::1]', false],
] as const) {
  test(`${JSON.stringify(text)} is ${valid ? 'a host with an optional port' : 'no authority'} (RFC 9110 §7.2)`, () => {
    assert.is(isAuthority(text), valid)
    const target = `http://${text}/`
    // What holds for Host holds for an absolute-form, but that there the authority ends with the first / or ?.
    if (!/[/?]/.test(text)) assert.is(outcomeOf('GET', target), valid ? `/ at ${text}` : MALFORMED)
  })
}

test.run()
