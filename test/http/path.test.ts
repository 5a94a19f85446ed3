import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import { canonicalPath } from '../../src/http/path.ts'

const test = suite('http/path')

/** The canonical path, or why there is none. */
function outcomeOf(path: string): string {
  try {
    return canonicalPath(path)
  } catch (error) {
    assert.instance(error, ProxyError)
    const { code, message } = error as ProxyError
    assert.is(code, 'ERR_PATH_AMBIGUOUS')
    return message.replace('the path has ', 'refused: ')
  }
}

const SLASH = 'refused: an encoded slash'
const BACKSLASH = 'refused: an encoded backslash'
const SEMICOLON = 'refused: a semicolon'
const ENCODED_SEMICOLON = 'refused: an encoded semicolon'
const CONTROL = 'refused: an encoded control character'
const EMPTY = 'refused: an empty segment'
const DOT = 'refused: a dot segment'
const UTF8 = 'refused: percent-encodings that are not UTF-8'

for (const [path, expected, why] of [
  // as it is
  ['/', '/', 'the root'],
  ['/a/b', '/a/b', 'nothing in it is ambiguous'],
  ['/a/', '/a/', 'a trailing slash means something'],
  ["/a-._~!$&'()*+,=:@|[]", "/a-._~!$&'()*+,=:@|[]", 'none of these divides a path'],
  ['/A', '/A', 'case counts (RFC 3986 §6.2.2.1)'],
  ['/.well-known/x', '/.well-known/x', 'a name may begin with a dot'],
  ['/...', '/...', 'three dots are a name'],
  ['/..a/b../.c', '/..a/b../.c', 'dots within names'],
  ['/a.', '/a.', 'a dot at the end of a name'],
  ['/%20', '/%20', 'a blank has no other spelling'],
  ['/%C3%A9', '/%C3%A9', 'UTF-8'],
  ['/%F0%9F%92%A9', '/%F0%9F%92%A9', 'UTF-8 of four octets'],
  ['/a%3Fb', '/a%3Fb', 'data: decoded once it divides no segments'],
  ['/a%23b', '/a%23b', 'the same'],
  ['/100%25', '/100%25', 'a percent sign as data'],
  ['/%252e%252E/', '/%252e%252E/', 'decoded once it is no dot segment, but the text %2e%2E'],
  ['/%252f', '/%252f', 'decoded once it is no slash, but the text %2f'],
  ['/%2B', '/%2B', 'reserved octets keep their spelling: some read + as a blank (RFC 3986 §2.2)'],

  // normalised (RFC 3986 §6.2.2)
  ['/%61%5a%30%2d%5F%7e', '/aZ0-_~', 'unreserved octets are decoded'],
  ['/a%2ejson', '/a.json', 'a dot within a name'],
  ['/%c3%a9', '/%C3%A9', 'digits in upper case'],
  ['/%2b%2C', '/%2B%2C', 'digits in upper case'],
  ['/%2541', '/%2541', 'decoded once, not twice'],

  // dot segments: removed by some (RFC 3986 §5.2.4)
  ['/.', DOT, 'at the end'],
  ['/..', DOT, 'at the end'],
  ['/./a', DOT, 'at the start'],
  ['/../a', DOT, 'at the start'],
  ['/a/../b', DOT, 'in the middle'],
  ['/a/./b', DOT, 'in the middle'],
  ['/a/..', DOT, 'at the end'],
  ['/%2e', DOT, 'encoded'],
  ['/%2e%2e/a', DOT, 'encoded'],
  ['/%2E./a', DOT, 'half encoded'],
  ['/a/.%2e', DOT, 'half encoded'],

  // what divides segments for some and not for others
  ['//', EMPTY, 'merged by some'],
  ['//a', EMPTY, 'an authority to some (RFC 3986 §3.3)'],
  ['/a//b', EMPTY, 'merged by some'],
  ['/a//', EMPTY, 'merged by some'],
  ['/a%2fb', SLASH, 'decoded before or after the path is divided'],
  ['/a%2Fb', SLASH, 'the same'],
  ['/..%2f', SLASH, 'a dot segment to those that decode first'],
  ['/a\\b', 'refused: a backslash', 'a slash to Windows'],
  ['/a%5cb', BACKSLASH, 'the same, encoded'],
  ['/a%5Cb', BACKSLASH, 'the same'],
  ['/a;b', SEMICOLON, 'a path parameter, dropped by some'],
  ['/..;/a', SEMICOLON, 'a dot segment where it is dropped'],
  ['/a;', SEMICOLON, 'though nothing follows'],
  ['/a%3bb', ENCODED_SEMICOLON, 'dropped by those that decode first'],
  ['/..%3B/a', ENCODED_SEMICOLON, 'a dot segment where it is dropped'],

  // what ends text, or is no text
  ['/a%00', CONTROL, 'the end of a string in C'],
  ['/%0d%0aX:y', CONTROL, 'CR LF'],
  ['/%0A', CONTROL, 'LF'],
  ['/%09', CONTROL, 'HTAB'],
  ['/%1f', CONTROL, 'the last of them'],
  ['/%7f', CONTROL, 'DEL'],
  ['/%ff', UTF8, 'no octet of UTF-8'],
  ['/%c3', UTF8, 'half a character'],
  ['/%c3/%a9', UTF8, 'a character in two segments'],
  ['/%c0%af', UTF8, 'a slash, overlong (RFC 3629 §10)'],
  ['/%c0%ae%c0%ae/', UTF8, 'dots, overlong'],
  ['/%ed%a0%80', UTF8, 'a surrogate (RFC 3629 §3)'],
] as const) {
  test(`${path} → ${expected}: ${why}`, () => assert.is(outcomeOf(path), expected))
}

test('every octet from %00 to %7F is decoded if unreserved, refused if it divides or ends, and kept otherwise', () => {
  for (let octet = 0; octet < 0x80; octet++) {
    const character = String.fromCharCode(octet)
    const encoding = `%${octet.toString(16).padStart(2, '0')}`
    const outcome = outcomeOf(`/a${encoding}a`)
    if (/[A-Za-z0-9._~-]/.test(character)) assert.is(outcome, `/a${character}a`)
    else if (/[\x00-\x1f\x7f/\\;]/.test(character)) assert.match(outcome, /^refused: an encoded /)
    else assert.is(outcome, `/a${encoding.toUpperCase()}a`)
  }
})

/** Paths as a hostile client makes them. */
const hostilePath = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '/',
        '/',
        '.',
        '..',
        '%2e',
        '%2E',
        '%2f',
        '%5c',
        ';',
        '%3b',
        '%25',
        '%252f',
        '%00',
        '//',
        'a',
      ),
      fc.constantFrom('é', '%c3%a9', '%C3', '%A9', '%41', '%7e', '%20', '%2B', '+', ':', '%3f', '%23', '|'),
      fc.nat(255).map((octet) => `%${octet.toString(16).padStart(2, '0')}`),
    ),
    { maxLength: 12 },
  )
  .map((parts) => `/${parts.join('').replaceAll('é', '%C3%A9')}`)

test('an accepted path, decoded once more, has the segments it had, and none that is dropped or merged', () => {
  let accepted = 0
  fc.assert(
    fc.property(hostilePath, (path) => {
      const canonical = outcomeOf(path)
      if (canonical.startsWith('refused')) return
      accepted++
      // As an upstream would that decodes first and divides then, and one that does it the other way round.
      const decodedFirst = decodeURIComponent(canonical).split('/')
      const dividedFirst = canonical.split('/').map((segment) => decodeURIComponent(segment))
      assert.equal(decodedFirst, dividedFirst)
      // And one that reads it as a browser would: dot segments, backslashes, tabs and line ends.
      const { pathname } = new URL(`http://a${canonical}`)
      assert.equal(pathname.split('/').map(decodeURIComponent), dividedFirst)
      for (const segment of dividedFirst) assert.not.match(segment, /^\.{1,2}$|[;\\\x00-\x1f\x7f]/)
      assert.not.ok(dividedFirst.slice(1, -1).includes(''), 'an empty segment')
    }),
    { numRuns: 3000 },
  )
  assert.ok(accepted > 300, `only ${accepted} paths were accepted`)
})

test('a canonical path is canonical: what is matched is what is forwarded', () => {
  fc.assert(
    fc.property(hostilePath, (path) => {
      const canonical = outcomeOf(path)
      if (!canonical.startsWith('refused')) assert.is(canonicalPath(canonical), canonical)
    }),
  )
})

test('the canonical path means what the received one does', () => {
  fc.assert(
    fc.property(hostilePath, (path) => {
      const canonical = outcomeOf(path)
      if (!canonical.startsWith('refused')) assert.is(decodeURIComponent(canonical), decodeURIComponent(path))
    }),
  )
})

test('a path of the longest kind takes no longer than its length asks for', () => {
  const started = process.cpuUsage()
  for (const part of ['%2e%2e%2e', '/.a', '%25', '/a', '%C3%A9', '.']) {
    const path = `/a${part.repeat(64 * 1024)}`
    assert.type(canonicalPath(path), 'string')
  }
  const { user } = process.cpuUsage(started)
  assert.ok(user < 2e6, `${user} µs`)
})

test.run()
