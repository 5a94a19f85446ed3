import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type CallOptions, runCall } from '../../src/commands/call.ts'
import { Printed, sign, unsigned, verify, within, withEcho, withServer } from './support.ts'

const test = suite('commands/call')

let folder = ''
let file = ''
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signet-call-'))
  file = join(folder, 'token.jwt')
})
test.after.each(() => rm(folder, { recursive: true, force: true }))

async function run(argv: string[], options: Partial<CallOptions> = {}) {
  const stdout = new Printed()
  const stderr = new Printed()
  const running = runCall([...argv, '-o', file], { env: {}, stdout, stderr, verify, ...options })
  return { exitCode: await within(running, 'the exit code'), stdout: stdout.text, stderr: stderr.text }
}

/** The token as saved, or nothing. */
const saved = () => readFile(file, 'utf8').catch(() => undefined)

/** A proxy that adds the tokens given to every request and hands it to the echo. */
function withProxy(tokens: string[], use: (port: number) => Promise<void>): Promise<void> {
  return withEcho((echoPort) => {
    const relay = (received: IncomingMessage, reply: ServerResponse) => {
      const headers = { ...received.headers, 'x-my-jwt': tokens }
      const { method = '', url = '' } = received
      const forwarded = request(
        { port: echoPort, host: '127.0.0.1', method, path: url, headers },
        (response) => {
          reply.writeHead(response.statusCode ?? 502, response.headers)
          response.pipe(reply)
        },
      )
      forwarded.on('error', () => reply.destroy())
      received.pipe(forwarded)
    }
    return withServer(createServer(relay), use)
  })
}

test('a genuine token is shown with what the upstream received, and saved for its owner alone', async () => {
  const jwt = await sign()
  await withProxy([jwt], async (port) => {
    const { exitCode, stdout, stderr } = await run([], { env: { HTTP_PORT: String(port) } })
    assert.equal([exitCode, stderr], [0, ''])
    assert.match(
      stdout,
      new RegExp(
        `^POST http://127\\.0\\.0\\.1:${port}/protected → 200 OK, \\d+ ms\n\nThe upstream received:\n`,
      ),
    )
    assert.match(stdout, /\n {2}POST \/protected HTTP\/1\.1\n/)
    assert.match(stdout, /\n {2}content-type: application\/json\n/)
    assert.match(stdout, /\n {2}\{"hello":"world"\}\n/)
    assert.match(
      stdout,
      /\nThe token in x-my-jwt is genuine:\n\n {2}header {2}\{"alg":"HS512","typ":"JWT"\}\n {2}claims/,
    )
    assert.match(stdout, /"user": "username"/)
    assert.ok(stdout.endsWith(`\nSaved to ${file}\n`))
    assert.not.ok(stdout.includes(jwt), 'the signature is in the file only')
  })
  assert.is(await saved(), `${jwt}\n`)
  assert.is((await stat(file)).mode & 0o777, 0o600)
})

test('a file that everybody could read is taken from everybody before the token is in it', async () => {
  await writeFile(file, 'old and longer than any token'.repeat(100))
  await chmod(file, 0o644)
  const jwt = await sign()
  await withProxy([jwt], async (port) => {
    assert.is((await run([`http://127.0.0.1:${port}/`])).exitCode, 0)
  })
  assert.is(await saved(), `${jwt}\n`)
  assert.is((await stat(file)).mode & 0o777, 0o600)
})

test('method, data and field lines are sent as given, several of one name too', async () => {
  await withProxy([await sign()], async (port) => {
    const url = `http://127.0.0.1:${port}/a?b=c`
    const fields = ['-H', 'X-One: 1', '-H', 'X-ONE: 2', '-H', 'Content-Type: text/plain']
    const { exitCode, stdout } = await run([url, '-X', 'put', '-d', 'two\nlines', ...fields])
    assert.is(exitCode, 0)
    assert.match(stdout, /\n {2}PUT \/a\?b=c HTTP\/1\.1\n/)
    assert.match(stdout, /\n {2}x-one: 1, 2\n/) // joined by the fake proxy
    assert.match(stdout, /\n {2}content-type: text\/plain\n/)
    assert.match(stdout, /\n {2}two\n {2}lines\n/)
  })
})

test('GET carries no body unless one is given', async () => {
  await withProxy([await sign()], async (port) => {
    const { exitCode, stdout } = await run([`http://127.0.0.1:${port}/`, '-X', 'GET'])
    assert.is(exitCode, 0)
    assert.not.match(stdout, /content-length|content-type|hello/i)
  })
})

test('control characters from the network are shown, not obeyed', async () => {
  await withProxy([await sign()], async (port) => {
    const { stdout } = await run([`http://127.0.0.1:${port}/`, '-d', '\u001b]0;title\u0007\u009b31m'])
    assert.ok(stdout.includes('\\x1b]0;title\\x07\\x9b31m'))
  })
})

const BAD_TOKENS: [what: string, tokens: () => Promise<string[]>, sentence: RegExp][] = [
  [
    'a forged token',
    async () => [await sign(Buffer.alloc(64, 1))],
    /^signet call: the token is not genuine: .*SIGNET_SECRET/,
  ],
  ['a token with alg none', async () => [unsigned()], /^signet call: the token is not genuine: /],
  ['text that is no token', async () => ['x'], /^signet call: the token is not genuine: /],
  ['no token', async () => [], /^signet call: the upstream received no x-my-jwt; /],
  [
    'two tokens',
    async () => [await sign(), await sign()],
    /^signet call: the upstream received 2 x-my-jwt fields/,
  ],
]
for (const [what, tokens, sentence] of BAD_TOKENS) {
  test(`${what} gives exit code 1 and one line, and nothing is saved`, async () => {
    await withProxy(await tokens(), async (port) => {
      const { exitCode, stderr } = await run([`http://127.0.0.1:${port}/`])
      assert.is(exitCode, 1)
      assert.match(stderr, sentence)
      assert.is(stderr.indexOf('\n'), stderr.length - 1)
    })
    assert.is(await saved(), undefined)
  })
}

test('a key that cannot be used gives exit code 1 and says so', async () => {
  await withProxy([await sign()], async (port) => {
    const broken = async () => {
      throw new Error('SIGNET_SECRET is too short')
    }
    const { exitCode, stderr } = await run([`http://127.0.0.1:${port}/`], { verify: broken })
    assert.equal(
      [exitCode, stderr],
      [1, 'signet call: the token could not be checked: SIGNET_SECRET is too short\n'],
    )
  })
})

test('another name for the field is honoured', async () => {
  await withProxy([await sign()], async (port) => {
    const { exitCode, stderr } = await run([`http://127.0.0.1:${port}/`], { jwtHeader: 'X-Other' })
    assert.is(exitCode, 1)
    assert.match(stderr, /received no X-Other/)
  })
})

/** Calls a server that answers every connection with `octets` and then ends it, unless told to keep it. */
async function callAnswering(octets: string, { keep = false, deadline = 5000 } = {}) {
  let printed = { exitCode: -1, stdout: '', stderr: '' }
  const server = createNetServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', () => (keep ? socket.write(octets) : socket.end(octets)))
  })
  await withServer(server, async (port) => {
    printed = await run([`http://127.0.0.1:${port}/protected`], { deadline })
  })
  return printed
}

const head = (status: string) => `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`
const PROBLEM = {
  title: 'The upstream cannot be reached.',
  status: 502,
  code: 'ERR_UPSTREAM_UNREACHABLE',
  requestId: 'r1',
}
const BAD_ANSWERS: [what: string, octets: string, sentence: RegExp][] = [
  [
    'a problem document',
    `${head('502 Bad Gateway')}${JSON.stringify(PROBLEM)}`,
    /: it was answered 502: ERR_UPSTREAM_UNREACHABLE The upstream cannot be reached\. \(request r1\)\n$/,
  ],
  ['a refusal in other words', `${head('404 Not Found')}<html>`, /: it was answered 404\n$/],
  ['a redirection', head('302 Found'), /: it was answered 302\n$/],
  [
    'an answer that is not JSON',
    `${head('200 OK')}hello`,
    /: the answer is not the JSON of the echo upstream/,
  ],
  [
    'JSON of another form',
    `${head('200 OK')}{"fields":[["a"]]}`,
    /: the answer is not the JSON of the echo upstream/,
  ],
  ['null', `${head('200 OK')}null`, /: the answer is not the JSON of the echo upstream/],
  ['no answer at all', '', /: http.+ closed the connection before the answer was whole\n$/],
  [
    'half an answer',
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{',
    /: http.+ closed the connection before/,
  ],
  ['no HTTP', 'SSH-2.0-x\r\n', /: http.+ cannot be reached: Parse Error/],
]
for (const [what, octets, sentence] of BAD_ANSWERS) {
  test(`${what} gives exit code 1 and one clear line`, async () => {
    const { exitCode, stderr } = await callAnswering(octets)
    assert.is(exitCode, 1)
    assert.match(stderr, sentence)
    assert.is(await saved(), undefined)
  })
}

test('an answer without end is cut off', async () => {
  const { exitCode, stderr } = await callAnswering(`${head('200 OK')}${'x'.repeat(17_000_000)}`, {
    keep: true,
  })
  assert.is(exitCode, 1)
  assert.match(stderr, /is larger than 16777216 octets/)
})

for (const [what, octets] of [
  ['no answer', ''],
  ['half an answer', `${head('200 OK')}{`],
] as const) {
  test(`${what} within the deadline gives exit code 1`, async () => {
    const { exitCode, stderr } = await callAnswering(octets, { keep: true, deadline: 100 })
    assert.is(exitCode, 1)
    assert.match(stderr, /gave no whole answer within 100 ms\n$/)
  })
}

test('a port nobody listens on gives exit code 1 and a hint', async () => {
  let free = 0
  await withServer(createNetServer(), async (port) => {
    free = port
  })
  const { exitCode, stderr } = await run([], { env: { HTTP_PORT: String(free) } })
  assert.is(exitCode, 1)
  const why = 'cannot be reached: nothing listens there. Is signet running?'
  assert.is(stderr, `signet call: http://127.0.0.1:${free}/protected ${why}\n`)
})

test('a file that cannot be written gives exit code 1 and says so', async () => {
  await withProxy([await sign()], async (port) => {
    file = folder
    const { exitCode, stderr } = await run([`http://127.0.0.1:${port}/`])
    assert.is(exitCode, 1)
    assert.match(stderr, /^signet call: the token is genuine but could not be saved: .*EISDIR/)
  })
})

const WRONG: string[][] = [
  ['a', 'b'],
  ['localhost:8080/x'],
  ['ftp://a/'],
  ['http://user:secret@a/'],
  ['-H', 'no colon'],
  ['-H', ': x'],
  ['-H', 'a b: x'],
  ['-H', 'a: x\r\ny: z'],
  ['-X', 'A B'],
  ['-X', 'CONNECT'],
  ['--nope'],
]
for (const argv of WRONG) {
  test(`signet call ${JSON.stringify(argv)} is wrong usage: 2, and the usage on stderr`, async () => {
    const { exitCode, stdout, stderr } = await run(argv)
    assert.equal([exitCode, stdout], [2, ''])
    assert.match(stderr, /^signet call: .+\n\nUsage: signet call/s)
  })
}

test('signet call --help prints the usage and ends with 0', async () => {
  const { exitCode, stdout, stderr } = await run(['--help'])
  assert.equal([exitCode, stderr], [0, ''])
  assert.match(stdout, /^Usage: signet call/)
})

test.run()
