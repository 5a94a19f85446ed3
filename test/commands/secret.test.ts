// `signet secret inspect`: what it says of a secret, where it takes one from, and that nothing of it is printed.

import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runSecret } from '../../src/commands/secret.ts'
import { DEMO_SECRET } from '../../src/jwt/keys.ts'
import { Printed, within } from './support.ts'

const test = suite('commands/secret')
const folder = mkdtempSync(join(tmpdir(), 'signet-secret-'))
test.after(() => rmSync(folder, { recursive: true }))

const GOOD = '0123456789abcdef'.repeat(8)

async function run(argv: readonly string[], env: Record<string, string> = {}, typed = '') {
  const stdout = new Printed()
  const stderr = new Printed()
  const stdin = Readable.from(typed === '' ? [] : [Buffer.from(typed)])
  const code = await within(runSecret(argv, { env, stdin, stdout, stderr }), 'the command')
  return { code, out: stdout.text, err: stderr.text }
}

function fileOf(content: string): string {
  const file = join(folder, 'secret')
  writeFileSync(file, content)
  return file
}

/** Lines about one reading each, columns by one blank. */
function rowsOf(out: string): string[] {
  const [, table = ''] = out.split('\n\n')
  return table.split('\n').map((line) => line.replace(/ {2,}/g, ' | '))
}

test('without a word it looks at the secret that the proxy would take: here the demo', async () => {
  const { code, out, err } = await run(['inspect'])
  assert.is(err, '')
  assert.is(code, 0)
  const [first = ''] = out.split('\n')
  assert.match(
    first,
    /^The secret from the demo, since .*: 129 characters, one of them white space, the 84th\.$/,
  )
  assert.equal(rowsOf(out).slice(0, 5), [
    'READING | OCTETS | FINGERPRINT | SIGNET',
    'hex | 64 | us4-kDHiGNuK | takes this',
    'base64url | 96 | -GpQoa6UGXEZ | with --secret-encoding base64url',
    'utf8 | 129 | UKupq_vlOLiy | with --secret-encoding utf8',
    'hex up to another character | 41 | IoovMC9k3yae | never',
  ])
  assert.match(
    out,
    /^signet reads it as hex, since SIGNET_SECRET_ENCODING is not set: 64 octets, and HS512 wants 64/m,
  )
})

const SOURCES: readonly [
  what: string,
  argv: string[],
  env: Record<string, string>,
  typed: string,
  from: string,
][] = [
  ['a file', ['FILE'], {}, '', 'the file'],
  ['standard input', ['-'], {}, `${GOOD}\n`, 'standard input'],
  ['a variable', ['--env', 'MINE'], { MINE: GOOD }, '', 'the variable MINE'],
  ['SIGNET_SECRET', [], { SIGNET_SECRET: GOOD }, '', 'SIGNET_SECRET'],
  ['SIGNET_SECRET_FILE', [], { SIGNET_SECRET_FILE: 'FILE' }, '', 'SIGNET_SECRET_FILE'],
]
for (const [what, argv, env, typed, from] of SOURCES) {
  test(`the secret is taken from ${what}, without the end of its line`, async () => {
    const file = fileOf(`${GOOD}\r\n`)
    const named = Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, value === 'FILE' ? file : value]),
    )
    const { code, out, err } = await run(
      ['inspect', ...argv.map((one) => (one === 'FILE' ? file : one))],
      named,
      typed,
    )
    assert.equal([code, err], [0, ''])
    assert.is(out.split('\n')[0], `The secret from ${from}: 128 characters.`)
  })
}

test('a secret on the command line is taken, with a warning', async () => {
  const { code, out, err } = await run(['inspect', '--secret', GOOD])
  assert.is(code, 0)
  assert.match(out, /^The secret from the command line: 128 characters\.$/m)
  assert.match(err, /^warning: .* list of processes/)
})

test('the encoding of the environment counts, and a flag before it', async () => {
  const text = 'correct horse '.repeat(5)
  const env = { SIGNET_SECRET: text, SIGNET_SECRET_ENCODING: 'utf8' }
  const said = await run(['inspect'], env)
  assert.is(said.code, 0)
  assert.match(said.out, /^signet reads it as utf8, since SIGNET_SECRET_ENCODING says so: 70 octets/m)
  const flagged = await run(['inspect', '--encoding', 'hex'], env)
  assert.is(flagged.code, 1)
  assert.match(
    flagged.out,
    /^signet reads it as hex, since the command line says so: it cannot; character 2 is not/m,
  )
})

test('a secret that is too short ends with 1, and says how long it should be', async () => {
  const { code, out } = await run(['inspect', '-'], {}, 'ab'.repeat(63))
  assert.is(code, 1)
  assert.is(
    rowsOf(out)[1]?.replace(/\| [\w-]{12} \|/, '| … |'),
    'hex | 63 | … | takes this, but it is too short',
  )
  assert.match(out, /: too short: 63 octets, and HS512 wants 64 at least .*openssl rand -hex 64/)
})

const SIGNED: readonly [secret: Buffer, sentence: RegExp][] = [
  [
    Buffer.from(DEMO_SECRET.replace(' ', ''), 'hex'),
    /^The token was signed with the very octets that signet takes\.$/m,
  ],
  [
    Buffer.from(DEMO_SECRET),
    /^The token was signed with the reading "utf8": .* hex, or signet with --secret-encoding utf8\.$/m,
  ],
  [
    Buffer.from(DEMO_SECRET, 'hex'),
    /^The token was signed with the reading "hex up to another character": let .* as hex\.$/m,
  ],
  [Buffer.from('another'), /^The token was signed with none of these: with another secret\.$/m],
]
for (const [secret, sentence] of SIGNED) {
  test(`a token of the other side tells which reading it took: ${sentence.source.slice(27, 60)}`, async () => {
    const input = 'eyJhbGciOiJIUzI1NiJ9.e30'
    const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    assert.match((await run(['inspect', '--token', token])).out, sentence)
    assert.match((await run(['inspect', '--token', '-'], {}, `Bearer ${token}\n`)).out, sentence)
  })
}

test('nothing of a secret is printed, whatever becomes of it', async () => {
  const secrets = ['hunter2hunter2', 'p4ssw\u00f6rd with blanks', 'ffee', `${'ab'.repeat(70)}zz`]
  for (const secret of secrets) {
    for (const argv of [
      ['inspect', '-'],
      ['inspect', secret],
      ['inspect', '--secret', secret],
      ['inspect', secret, secret],
    ]) {
      const { out, err } = await run(argv, {}, secret)
      const printed = out + err
      for (const part of [secret, ...secret.split(' ').filter((word) => word.length > 4)])
        assert.not.ok(printed.includes(part), `${part} in ${printed}`)
      assert.not.match(printed, /U\+/)
    }
  }
})

for (const [what, argv, message] of [
  ['no verb', [], 'inspect, and one file at most'],
  ['two files', ['inspect', 'a', 'b'], 'inspect, and one file at most'],
  ['a file that is not there', ['inspect', join(folder, 'none')], 'there is no such file'],
  ['two secrets', ['inspect', 'a', '--env', 'B'], 'one secret at a time'],
  ['a variable that is not set', ['inspect', '--env', 'NONE'], 'the variable NONE has no secret in it'],
  ['an empty stdin', ['inspect', '-'], 'standard input has no secret in it'],
  [
    'an encoding that is none',
    ['inspect', '--encoding', 'base64'],
    'a secret is read as hex, base64url or utf8',
  ],
  ['a token that is none', ['inspect', '--token', 'x'], 'the token is none of HS256, HS384 or HS512'],
] as const) {
  test(`${what} is wrong usage`, async () => {
    const { code, out, err } = await run(argv)
    assert.equal([code, out], [2, ''])
    assert.ok(err.startsWith(`signet secret: ${message}\n\nUsage: signet secret inspect`), err)
  })
}

test('--help is the usage, with examples', async () => {
  const { code, out, err } = await run(['inspect', '--help'])
  assert.equal([code, err], [0, ''])
  assert.match(
    out,
    /^Usage: signet secret inspect [\s\S]*\n {2}openssl rand -hex 64 \| signet secret inspect -\n/,
  )
})

test.run()
