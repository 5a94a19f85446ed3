// What an operator sees before signet runs: settings from three places, every problem at once, and exit codes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf, type SignetProcess } from '../support/process.ts'
import { RawUpstream } from '../support/wire.ts'

const test = suite('proxy/settings')
const run = processesOf(test)
const closing = closedAfter(test)

const SECRET = 'c0ffee'.repeat(22)
const folder = mkdtempSync(join(tmpdir(), 'signet-settings-'))
test.after(() => rmSync(folder, { recursive: true }))

/** The process must refuse to start, with that code, saying these things and nothing that looks like an accident. */
async function assertRefused(
  signet: SignetProcess,
  code: number,
  ...said: (string | RegExp)[]
): Promise<void> {
  assert.equal(await signet.exited(10_000), { code, signal: null }, signet.stderr)
  for (const one of said) {
    if (typeof one === 'string') assert.ok(signet.stderr.includes(one), `${one} in ${signet.stderr}`)
    else assert.match(signet.stderr, one)
  }
  assert.is(signet.stdout, '')
  assert.not.match(signet.stderr, /\n\s+at |node:internal/, 'a stack is of no use to an operator')
}

/** The token that `signet` sends upstream. */
async function tokenOf(signet: SignetProcess, upstream: RawUpstream, name = 'x-my-jwt'): Promise<string> {
  const client = await signet.client()
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  return valuesOf(await (await upstream.accept()).head(), name)[0] ?? ''
}

async function listen(): Promise<RawUpstream> {
  return closing(await RawUpstream.listen())
}

// ── problems ──────────────────────────────────────────────────────────────────────────────────────────────────

test('every problem is reported at once, each with what was found and expected, and the exit code is 78', async () => {
  const signet = run([], {
    HTTP_PORT: '65536',
    SIGNET_UPSTREAM: 'ftp://a.test',
    SIGNET_LOG_LEVEL: 'loud',
    SIGNET_HEAD_TIMEOUT: '10s',
    SIGNET_HEAD_TIMOUT: '10',
    SIGNET_JWT_HEADER: 'Host',
    SIGNET_READ_PATH: 'fast',
    SIGNET_SECRET_ENCODING: 'rot13',
  })
  await assertRefused(
    signet,
    78,
    'HTTP_PORT: found "65536", expected an integer from 0 to 65535',
    'SIGNET_UPSTREAM: found "ftp://a.test", expected ',
    'SIGNET_LOG_LEVEL: found "loud", expected one of ',
    'SIGNET_HEAD_TIMEOUT: found "10s", expected an integer',
    'SIGNET_HEAD_TIMOUT: no setting has this name; did you mean SIGNET_HEAD_TIMEOUT?',
    'SIGNET_JWT_HEADER: found "Host", expected ',
    'SIGNET_READ_PATH: found "fast", expected one of shared, events',
    'SIGNET_SECRET_ENCODING: found "rot13", expected one of hex, base64url, utf8',
  )
})

test('a key that cannot be used is reported together with the other problems', async () => {
  const signet = run([], { HTTP_PORT: 'http', SIGNET_SECRET: 'abcd' })
  await assertRefused(signet, 78, 'HTTP_PORT: found "http"', 'SIGNET_SECRET: ', '2 octets as hex')
})

for (const [name, secret, said] of [
  ['is too short', 'ab'.repeat(63), /63 octets as hex, and HS512 needs at least 64/],
  ['is no hex', `${'ab'.repeat(63)}zz`, /character 127, 'z'/],
  ['has an odd number of digits', `${'ab'.repeat(64)}a`, /129 hex digits, an odd number/],
] as const) {
  test(`a key that ${name} is refused with 78, and is not shown`, async () => {
    const signet = run([], { SIGNET_SECRET: secret })
    await assertRefused(signet, 78, said)
    assert.not.match(signet.stderr, /(ab){4}/)
  })
}

test('a key from two places is refused: which of them counts?', async () => {
  const file = join(folder, 'key')
  writeFileSync(file, SECRET)
  const signet = run([], { SIGNET_SECRET: SECRET, SIGNET_SECRET_FILE: file })
  await assertRefused(signet, 78, 'SIGNET_SECRET and SIGNET_SECRET_FILE: found both')
})

test('a key file that is not there, or is empty, is refused with 78', async () => {
  const empty = join(folder, 'empty')
  writeFileSync(empty, ' \n')
  await assertRefused(
    run([], { SIGNET_SECRET_FILE: join(folder, 'none') }),
    78,
    'SIGNET_SECRET_FILE: ',
    'there is no such file',
  )
  await assertRefused(run([], { SIGNET_SECRET_FILE: empty }), 78, 'SIGNET_SECRET_FILE: ', 'it is empty')
})

test('the demo secret is refused in production', async () => {
  await assertRefused(run([], { NODE_ENV: 'production' }), 78, 'the demo secret is refused in production')
})

test('an unknown flag is refused with exit code 2 and the nearest known one', async () => {
  await assertRefused(
    run(['--head-timout', '5']),
    2,
    'unknown flag --head-timout; did you mean --head-timeout?',
  )
  await assertRefused(run(['run', '--nonsense']), 2, 'unknown flag --nonsense')
})

test('a flag without its value, and an argument that is none, are refused with exit code 2', async () => {
  await assertRefused(run(['--user']), 2, '--user')
  await assertRefused(run(['serve']), 2, 'argument 1 is neither a flag nor the value of one')
})

test('an upstream that is signet itself is refused with 78', async () => {
  const signet = run([], { HTTP_PORT: '8080', SIGNET_UPSTREAM: 'http://localhost:8080' })
  await assertRefused(signet, 78, 'signet would forward to itself')
})

// ── what cannot be opened ─────────────────────────────────────────────────────────────────────────────────────

test('a port that is in use ends the process with 1 and a line that says which', async () => {
  const { port } = await listen()
  const signet = run([], { HTTP_PORT: String(port) })
  assert.equal(await signet.exited(10_000), { code: 1, signal: null })
  assert.match(signet.stderr, new RegExp(`^signet: .*EADDRINUSE.*127\\.0\\.0\\.1:${port}\n$`, 'm'))
  assert.not.match(signet.stderr, /\n\s+at /)
})

test('an admin port that is in use ends the process with 1, although the main port was free', async () => {
  const { port } = await listen()
  const signet = run([], { SIGNET_ADMIN_PORT: String(port) })
  assert.equal(await signet.exited(10_000), { code: 1, signal: null })
  assert.match(signet.stderr, new RegExp(`^signet: .*EADDRINUSE.*127\\.0\\.0\\.1:${port}\n$`, 'm'))
})

test('an address that is not ours ends the process with 1 and a line that says which', async () => {
  const signet = run([], { HTTP_HOST: '192.0.2.1' })
  assert.equal(await signet.exited(10_000), { code: 1, signal: null })
  assert.match(signet.stderr, /^signet: .*EADDRNOTAVAIL.*192\.0\.2\.1.*\n$/m)
})

// ── what is used ──────────────────────────────────────────────────────────────────────────────────────────────

test('a flag wins over a variable, a variable over the default, and an empty variable is unset', async () => {
  const upstream = await listen()
  const signet = run(['--user', 'flag', '--upstream', `http://127.0.0.1:${upstream.port}`], {
    SIGNET_USER: 'variable',
    SIGNET_UPSTREAM: 'http://127.0.0.1:1',
    SIGNET_JWT_HEADER: 'x-variable',
    SIGNET_JWT_METHODS: '',
    SIGNET_SECRET: SECRET,
  })
  const { payload } = await jwtVerify(
    await tokenOf(signet, upstream, 'x-variable'),
    Buffer.from(SECRET, 'hex'),
  )
  assert.is((payload as { payload: { user: string } }).payload.user, 'flag')
})

for (const [encoding, text, key] of [
  ['hex', `${SECRET.slice(0, 61)} ${SECRET.slice(61)}\n`, Buffer.from(SECRET, 'hex')],
  ['base64url', Buffer.from(SECRET, 'hex').toString('base64url'), Buffer.from(SECRET, 'hex')],
  ['utf8', ` ${SECRET} \n`, Buffer.from(` ${SECRET} `)],
] as const) {
  test(`the key is read from a file, written as ${encoding}`, async () => {
    const upstream = await listen()
    const file = join(folder, `key-${encoding}`)
    writeFileSync(file, text)
    const signet = run([], {
      SIGNET_SECRET_FILE: file,
      SIGNET_SECRET_ENCODING: encoding,
      SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}`,
      NODE_ENV: 'production',
    })
    await jwtVerify(await tokenOf(signet, upstream), key, { algorithms: ['HS512'] })
    assert.not.match(signet.stderr, /WARNING/)
  })
}

test('without a secret the public demo secret is used, with a loud warning on the terminal and in the log', async () => {
  const signet = run()
  await signet.listening()
  assert.match(
    signet.stderr,
    /WARNING: no SIGNET_SECRET is set\. Tokens are signed with the demo secret, which is public/,
  )
  await signet.printed(() => signet.events('demo-secret').length === 1, 'the warning in the log')
  assert.is(signet.events('demo-secret')[0]?.level, 40)
})

test('with HTTP_PORT=0 any free port is taken and printed, with the line to try it', async () => {
  const signet = run()
  const port = await signet.listening()
  assert.ok(port > 0)
  assert.ok(
    signet.stderr.includes(`curl -d '{"hello":"world"}' http://127.0.0.1:${port}/protected`),
    signet.stderr,
  )
  await signet.printed(() => signet.events('listening').length === 1, 'the port in the log')
  assert.is(signet.events('listening')[0]?.port, port)
  const client = await signet.client()
  client.send('POST /protected HTTP/1.1\r\nHost: a.test\r\nContent-Length: 17\r\n\r\n{"hello":"world"}')
  const { head, body } = await client.message()
  assert.ok(head.startsWith('HTTP/1.1 200 '), head)
  assert.match(body.toString(), /hello/, 'the built-in echo tells what it received')
})

test('SIGNET_ADMIN_PORT=0 takes a free port too, on loopback, and prints it', async () => {
  const signet = run([], { SIGNET_ADMIN_PORT: '0', HTTP_HOST: '0.0.0.0' })
  const port = await signet.listening()
  await signet.printed(() => signet.events('listening').length === 1, 'the ports in the log')
  const adminPort = signet.events('listening')[0]?.adminPort
  assert.ok(typeof adminPort === 'number' && adminPort > 0 && adminPort !== port)
  assert.ok(signet.stderr.includes(`http://127.0.0.1:${adminPort}/status`), signet.stderr)
})

test('--help tells every setting, --version the version; both end with 0', async () => {
  const help = run(['--help'])
  assert.equal(await help.exited(10_000), { code: 0, signal: null })
  for (const name of [
    'HTTP_PORT',
    'SIGNET_UPSTREAM',
    'SIGNET_SECRET_FILE',
    '--drain-timeout',
    'signet call',
  ]) {
    assert.ok(help.stdout.includes(name), name)
  }
  assert.is(help.stderr, '')
  const version = run(['--version'])
  assert.equal(await version.exited(10_000), { code: 0, signal: null })
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
})

test.run()
