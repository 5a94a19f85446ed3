// `signet token`: what it says of tokens that are good, and of those that are not; by secrets, and by keys from elsewhere.

import { createHmac, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runToken } from '../../src/commands/token.ts'
import { closedAfter, processesOf } from '../support/process.ts'
import { ok, RawUpstream } from '../support/wire.ts'
import { Printed, within } from './support.ts'

const test = suite('commands/token')
const closing = closedAfter(test)
const start = processesOf(test)
const folder = mkdtempSync(join(tmpdir(), 'signet-token-'))
test.after(() => rmSync(folder, { recursive: true }))

const NOW = 1_795_000_000
const SECRET = Buffer.alloc(64, 7)
const ENV = { SIGNET_SECRET: SECRET.toString('hex') }

async function run(
  argv: readonly string[],
  { env = ENV, typed = '' }: { env?: Record<string, string>; typed?: string } = {},
) {
  const stdout = new Printed()
  const stderr = new Printed()
  const stdin = Readable.from(typed === '' ? [] : [Buffer.from(typed)])
  const options = { env, stdin, stdout, stderr, now: () => NOW * 1000 }
  const code = await within(runToken(argv, options), 'the command')
  return { code, out: stdout.text, err: stderr.text }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

function forge(claims: object, alg = 'HS512', secret = SECRET, digest = 'sha512'): string {
  const input = `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`
  return `${input}.${createHmac(digest, secret).update(input).digest('base64url')}`
}

const GOOD = forge({ iat: NOW - 12, exp: NOW + 48, sub: 'ann', aud: 'shop', iss: 'signet' })
const SHOWN = `{
  "header": {
    "alg": "HS512",
    "typ": "JWT"
  },
  "claims": {
    "iat": 1794999988,
    "exp": 1795000048,
    "sub": "ann",
    "aud": "shop",
    "iss": "signet"
  }
}
`
const TIMES = 'issued 2026-11-18T11:06:28.000Z, 12 s ago\nexpires 2026-11-18T11:07:28.000Z, in 48 s\n'

for (const [what, argv, typed] of [
  ['an argument', [GOOD], ''],
  ['standard input', [], `${GOOD}\n`],
  ['standard input behind a -', ['-'], `Bearer ${GOOD}\r\n`],
] as const) {
  test(`decode prints header and claims of a token from ${what} as JSON, and that it did not verify it`, async () => {
    assert.equal(await run(['decode', ...argv], { env: {}, typed }), {
      code: 0,
      out: SHOWN,
      err: `${TIMES}not verified\n`,
    })
  })

  test(`verify prints the same of one from ${what} that counts, and by which key`, async () => {
    const err = `${TIMES}verified: HS512, by the secret from SIGNET_SECRET\n`
    assert.equal(await run(['verify', ...argv], { typed }), { code: 0, out: SHOWN, err })
  })
}

test('decode takes what nobody would believe, and says since when it has expired', async () => {
  const { code, out, err } = await run(['decode', `${encode({ alg: 'none' })}.${encode({ exp: NOW - 3 })}.`])
  assert.is(code, 0)
  assert.equal(JSON.parse(out), { header: { alg: 'none' }, claims: { exp: NOW - 3 } })
  assert.is(err, 'expired 2026-11-18T11:06:37.000Z, 3 s ago\nnot verified\n')
})

for (const text of [
  'abc',
  'a.b.c',
  `${encode({ alg: 'HS512' })}.${Buffer.from('[]').toString('base64url')}.x`,
]) {
  test(`decode and verify refuse ${text}, which is no token`, async () => {
    for (const verb of ['decode', 'verify']) {
      const { code, out, err } = await run([verb, text])
      assert.equal([code, out], [1, ''])
      assert.match(err, /^signet token: this is no token: /)
    }
  })
}

const [header, , signature] = GOOD.split('.')
for (const [what, token, reason, ...argv] of [
  ['has expired', forge({ exp: NOW - 3 }), 'it expired 3 s ago'],
  ['expires in this second', forge({ exp: NOW }), 'it expired 0 s ago'],
  ['does not count yet', forge({ nbf: NOW + 5 }), 'it does not count before 5 s from now (nbf)'],
  [
    'was changed',
    `${header}.${encode({ sub: 'root' })}.${signature}`,
    'its signature is not by this key, or something in it was changed',
  ],
  [
    'is by another secret',
    forge({}, 'HS512', Buffer.alloc(64, 8)),
    'its signature is not by this key, or something in it was changed',
  ],
  [
    'has no algorithm',
    `${encode({ alg: 'none' })}.${encode({})}.`,
    'its algorithm is "none", which is refused: only HS512 counts',
  ],
  [
    'has a weaker algorithm',
    forge({}, 'HS256', SECRET, 'sha256'),
    'its algorithm is "HS256", which is refused: only HS512 counts',
  ],
  ['is for others', GOOD, 'the claim aud is "shop", which is not the one asked for', '--audience', 'bank'],
  ['is of others', GOOD, 'the claim iss is "signet", which is not the one asked for', '--issuer', 'me'],
  ['is for nobody', forge({}), 'the claim aud is missing', '--audience', 'bank'],
] as const) {
  test(`a token that ${what} does not count: 1, and the reason`, async () => {
    assert.equal(await run(['verify', token, ...argv]), {
      code: 1,
      out: '',
      err: `signet token: the token does not count: ${reason}\n`,
    })
  })
}

test('a secret of another algorithm, encoding and place is named by flags', async () => {
  const file = join(folder, 'secret')
  writeFileSync(file, 'thirty-two octets, as HS256 wants\n')
  const token = forge(
    { aud: ['a', 'shop'], iss: 'me' },
    'HS256',
    Buffer.from('thirty-two octets, as HS256 wants'),
    'sha256',
  )
  const flags = [
    '--secret-file',
    file,
    '--secret-encoding',
    'utf8',
    '--algorithm',
    'HS256',
    '--audience',
    'shop',
    '--issuer',
    'me',
  ]
  const { code, err } = await run(['verify', token, ...flags])
  assert.equal([code, err], [0, 'verified: HS256, by the secret from the file\n'])
})

// ── public keys ───────────────────────────────────────────────────────────────────────────────────────────────────

const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'jwk' },
} as never) as unknown as { privateKey: string; publicKey: object }

function signed(claims: object, kid: string | undefined = 'one'): string {
  const input = `${encode({ alg: 'EdDSA', kid })}.${encode(claims)}`
  return `${input}.${sign(null, Buffer.from(input), createPrivateKey(privateKey)).toString('base64url')}`
}

const KEY_SET = JSON.stringify({ keys: [{ ...publicKey, kid: 'one', alg: 'EdDSA' }] })

function keyFile(content: string, name = 'keys.json'): string {
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}

test('a token is verified by public keys from a file, and from a URL', async () => {
  const server = closing(await RawUpstream.listen())
  server.serve(() => ok(KEY_SET))
  for (const place of [keyFile(KEY_SET), `http://127.0.0.1:${server.port}/keys`]) {
    const { code, err } = await run(['verify', signed({ sub: 'ann' }), '--jwks', place])
    assert.equal([code, err], [0, `verified: EdDSA, by ${place}\n`])
  }
})

test('what public keys do not vouch for does not count: another key, a secret in place of a key', async () => {
  const file = keyFile(KEY_SET)
  for (const [token, reason] of [
    [signed({}, 'two'), /no key of the set fits it \(kid "two", alg "EdDSA"\)/],
    [GOOD, /its algorithm is "HS512", which is refused: only RS256, /],
    [`${signed({}).split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`, /its signature is not by this key/],
  ] as const) {
    const { code, out, err } = await run(['verify', token, '--jwks', file])
    assert.equal([code, out], [1, ''])
    assert.match(err, reason)
  }
})

test('keys that no algorithm can use are a reason, and no crash', async () => {
  const broken = keyFile(JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AA', kid: 'one' }] }))
  const { code, err } = await run(['verify', signed({}), '--jwks', broken])
  assert.is(code, 1)
  assert.match(err, /^signet token: the token does not count: the key that it names cannot be used: /)
})

test('keys that cannot be had end with 2, and why', async () => {
  const server = closing(await RawUpstream.listen())
  server.serve(() => 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
  const url = `http://127.0.0.1:${server.port}/keys`
  for (const [place, reason] of [
    [url, `the keys cannot be had from ${url}: status 404, not 200`],
    [join(folder, 'none.json'), 'there is no such file'],
    [keyFile('{', 'no.json'), 'the file of keys is no JSON'],
    [keyFile('{"keys":1}'), 'is no key set: /keys must be array'],
  ] as const) {
    const { code, err } = await run(['verify', GOOD, '--jwks', place])
    assert.is(code, 2)
    assert.ok(err.includes(reason), err)
  }
})

for (const [what, argv, message] of [
  ['no verb', [], 'decode or verify, and one token at most'],
  ['another verb', ['sign', 'x'], 'decode or verify, and one token at most'],
  ['two tokens', ['decode', 'x', 'y'], 'decode or verify, and one token at most'],
  ['no token', ['verify'], 'a token is needed'],
  ['a secret and keys', ['verify', 'x', '--jwks', 'f', '--secret', 'y'], 'a secret or --jwks, not both'],
  [
    'an algorithm of public keys for a secret',
    ['verify', 'x', '--algorithm', 'none'],
    'with a secret the algorithm is HS256',
  ],
  [
    'a secret algorithm for public keys',
    ['verify', 'x', '--jwks', 'f', '--algorithm', 'HS512'],
    'with --jwks an algorithm is one of RS256',
  ],
] as const) {
  test(`${what} is wrong usage`, async () => {
    const { code, out, err } = await run(argv)
    assert.equal([code, out], [2, ''])
    assert.ok(err.startsWith(`signet token: ${message}`), err)
    assert.match(err, /\n\nUsage: signet token decode/)
  })
}

test('a secret that is too short ends with 2, and nothing of it is printed', async () => {
  const { code, err } = await run(['verify', GOOD], { env: { SIGNET_SECRET: 'abcd' } })
  assert.is(code, 2)
  assert.match(err, /2 octets as hex, and HS512 needs at least 64/)
  assert.not.match(err, /abcd/)
})

test('the help of signet has both commands, and each its own', async () => {
  for (const [args, words] of [
    [['--help'], /^ {2}signet secret inspect .*\n {2}signet token /m],
    [['token', '--help'], /^Usage: signet token decode/],
    [['secret', '--help'], /^Usage: signet secret inspect/],
  ] as const) {
    const one = start(args)
    assert.equal(await one.exited(), { code: 0, signal: null })
    assert.match(one.stdout, words)
  }
})

test.run()
