import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../src/errors.ts'
import { DEMO_SECRET, type KeyEncoding, readHmacKey } from '../../src/jwt/keys.ts'

const test = suite('jwt/keys')

const DEMO_DIGITS = DEMO_SECRET.replace(' ', '')
const OCTETS = Buffer.from(DEMO_DIGITS, 'hex')

const REMEDY = '(RFC 7518 §3.2); generate one with `openssl rand -hex 64`'

/** The one problem a text is refused for. */
function problemOf(text: string, encoding: KeyEncoding): string {
  let thrown: unknown
  try {
    readHmacKey(text, encoding)
  } catch (error) {
    thrown = error
  }
  assert.instance(thrown, ConfigError)
  const { problems } = thrown as ConfigError
  assert.is(problems.length, 1)
  return problems[0]!
}

test('the demo secret has its blank in the middle of an octet, where Buffer.from would stop', () => {
  assert.is(DEMO_SECRET.indexOf(' '), 83)
  assert.is(DEMO_SECRET.length, 129)
  assert.is(Buffer.from(DEMO_SECRET, 'hex').length, 41)
})

test('the demo secret decodes to 64 octets: those of its digits without the blank', () => {
  const key = readHmacKey(DEMO_SECRET, 'hex')
  assert.is(key.alg, 'HS512')
  assert.is(key.secret.length, 64)
  assert.is(key.secret.toString('hex'), DEMO_DIGITS)
})

for (const [what, text] of [
  ['a trailing line feed', `${DEMO_DIGITS}\n`],
  ['a trailing CR LF', `${DEMO_DIGITS}\r\n`],
  ['a byte order mark', `\uFEFF${DEMO_DIGITS}`],
  ['lines of 32 digits, indented', DEMO_DIGITS.replace(/.{32}/g, '\t$&\n')],
  ['a no-break space', `${DEMO_DIGITS.slice(0, 7)}\u00A0${DEMO_DIGITS.slice(7)}`],
  ['capital digits', DEMO_DIGITS.toUpperCase()],
] as const) {
  test(`a hex secret is the same octets with ${what}`, () => {
    assert.equal(readHmacKey(text, 'hex').secret, OCTETS)
  })
}

test('a hex secret is the same octets wherever a blank stands in it', () => {
  for (let at = 0; at <= DEMO_DIGITS.length; at++) {
    const text = `${DEMO_DIGITS.slice(0, at)} ${DEMO_DIGITS.slice(at)}`
    assert.equal(readHmacKey(text, 'hex').secret, OCTETS)
  }
})

test('the readings of one text are different keys, and none is taken for another', () => {
  const readings = [
    readHmacKey(DEMO_SECRET, 'hex'),
    readHmacKey(DEMO_SECRET, 'utf8'),
    readHmacKey(DEMO_DIGITS, 'utf8'),
    readHmacKey(`${DEMO_DIGITS} `, 'utf8'),
    readHmacKey(DEMO_DIGITS.toUpperCase(), 'utf8'),
    readHmacKey(DEMO_SECRET, 'base64url'),
  ]
  assert.equal(
    readings.map((key) => key.secret.length),
    [64, 129, 128, 129, 128, 96],
  )
  assert.is(new Set(readings.map((key) => key.secret.toString('hex'))).size, readings.length)
})

for (const [what, text, encoding, problem] of [
  [
    'a letter that is no hex digit, with its position in the text as written',
    DEMO_SECRET.replace(' d0b4', ' dOb4'),
    'hex',
    "character 86, 'O' (U+004F), is not a hex digit; write each octet as two of 0-9 and a-f",
  ],
  [
    'a separator between octets',
    DEMO_DIGITS.replace(/..(?=.)/g, '$&:'),
    'hex',
    "character 3, ':' (U+003A), is not a hex digit; write each octet as two of 0-9 and a-f",
  ],
  [
    'quotation marks around it',
    `"${DEMO_DIGITS}"`,
    'hex',
    `character 1, '"' (U+0022), is not a hex digit; write each octet as two of 0-9 and a-f`,
  ],
  [
    'a digit of another script',
    `${DEMO_DIGITS.slice(0, -1)}\u0661`,
    'hex',
    "character 128, '\u0661' (U+0661), is not a hex digit; write each octet as two of 0-9 and a-f",
  ],
  [
    'a character that cannot be seen, by its code point',
    `${DEMO_DIGITS}\0`,
    'hex',
    'character 129, U+0000, is not a hex digit; write each octet as two of 0-9 and a-f',
  ],
  [
    'a character outside the basic plane',
    `${DEMO_DIGITS}\u{1F511}`,
    'hex',
    "character 129, '\u{1F511}' (U+1F511), is not a hex digit; write each octet as two of 0-9 and a-f",
  ],
  ['a leading 0x', `0x${DEMO_SECRET}`, 'hex', 'it begins with 0x; remove the prefix and keep the digits'],
  [
    'a leading 0X behind a blank',
    ` 0X${DEMO_SECRET}`,
    'hex',
    'it begins with 0x; remove the prefix and keep the digits',
  ],
  [
    'an odd number of digits',
    DEMO_SECRET.slice(0, -1),
    'hex',
    '127 hex digits, an odd number; one was lost or added, so copy the secret again',
  ],
  [
    'one octet too few',
    DEMO_SECRET.slice(0, -2),
    'hex',
    `63 octets as hex, and HS512 needs at least 64 ${REMEDY}`,
  ],
  ['no text', '', 'hex', `0 octets as hex, and HS512 needs at least 64 ${REMEDY}`],
  [
    'one octet too few',
    OCTETS.subarray(1).toString('base64url'),
    'base64url',
    `63 octets as base64url, and HS512 needs at least 64 ${REMEDY}`,
  ],
  [
    'the other base64 alphabet',
    ` ${'A'.repeat(86)}+A`,
    'base64url',
    "character 88, '+' (U+002B), is not of the base64url alphabet; write A-Z, a-z, 0-9, - for +, and _ for /",
  ],
  [
    'padding in the middle',
    `${'A'.repeat(80)}==${'A'.repeat(80)}`,
    'base64url',
    "character 81, '=' (U+003D), is not of the base64url alphabet; write A-Z, a-z, 0-9, - for +, and _ for /",
  ],
  [
    'a number of characters no octets encode to',
    'A'.repeat(89),
    'base64url',
    '89 base64url characters do not end with an octet; copy the secret again, whole',
  ],
  [
    'bits behind its last octet',
    `${'A'.repeat(89)}B`,
    'base64url',
    '90 base64url characters do not end with an octet; copy the secret again, whole',
  ],
  [
    'one octet too few',
    `${'é'.repeat(31)}e`,
    'utf8',
    `63 octets as utf8, and HS512 needs at least 64 ${REMEDY}`,
  ],
  [
    'what is left of a file that was not UTF-8',
    `${'a'.repeat(70)}\uFFFD`,
    'utf8',
    "character 71, '\uFFFD' (U+FFFD), is not text; give secrets that are not text as hex or base64url",
  ],
  [
    'half a surrogate pair',
    `\uD83D${'a'.repeat(70)}`,
    'utf8',
    'character 1, U+D83D, is not text; give secrets that are not text as hex or base64url',
  ],
] as const) {
  test(`a ${encoding} secret with ${what} is refused in one sentence`, () => {
    assert.is(problemOf(text, encoding), `the secret cannot be used: ${problem}`)
  })
}

test('a base64url secret may be padded, and broken into lines', () => {
  const text = OCTETS.toString('base64url')
  for (const same of [text, `${text}==`, `${text}=\n=\n`, `\n${text.slice(0, 41)}\n\t${text.slice(41)}\n`]) {
    assert.equal(readHmacKey(same, 'base64url').secret, OCTETS)
  }
})

test('a utf8 secret is its octets, every white space included', () => {
  const text = ` ${'é\u{1F511}'.repeat(11)}\n`
  assert.equal(readHmacKey(text, 'utf8').secret, Buffer.from(text))
})

test('64 octets or more come back from each encoding as they were', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 300 }), (octets) => {
      const secret = Buffer.from(octets)
      for (const encoding of ['hex', 'base64url'] as const) {
        assert.equal(readHmacKey(secret.toString(encoding), encoding).secret, secret)
      }
    }),
  )
})

test('a refusal shows nothing of the secret but the one character that does not belong', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 20, maxLength: 100 }),
      fc.nat(),
      fc.constantFrom('!', 'z', '"', '0x', '\0', ''),
      (octets, seed, foreign) => {
        const digits = createHash('sha512').update(octets).digest('hex').slice(0, 127)
        const at = seed % digits.length
        const text = digits.slice(0, at) + foreign + digits.slice(at)
        const problem = problemOf(text, 'hex')
        // Six digits in a row: fewer could be a number or a word of the sentence.
        for (let from = 0; from + 6 <= digits.length; from++) {
          assert.not.ok(problem.includes(digits.slice(from, from + 6)), problem)
        }
      },
    ),
  )
})

test('a secret is not kept in the pool that short Buffers share', () => {
  for (const encoding of ['hex', 'base64url', 'utf8'] as const) {
    const { secret } = readHmacKey(DEMO_DIGITS, encoding)
    assert.is(secret.buffer.byteLength, secret.length)
  }
})

test('a key that is logged, spread or serialized leaves its secret behind', () => {
  const key = readHmacKey(DEMO_SECRET, 'hex', 'demo')
  assert.is(JSON.stringify({ key }), '{"key":{"alg":"HS512","kid":"demo"}}')
  assert.equal(Object.keys({ ...key }), ['alg', 'kid'])
  for (const shown of [inspect(key), inspect({ key }, { depth: 9 }), String(key)]) {
    assert.not.match(shown, /a9|secret/)
  }
})

test('a key has a kid only when it was given one', () => {
  assert.is(readHmacKey(DEMO_SECRET, 'hex', '2025-06').kid, '2025-06')
  assert.not.ok('kid' in readHmacKey(DEMO_SECRET, 'hex'))
})

test.run()
