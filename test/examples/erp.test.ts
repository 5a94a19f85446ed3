// The example of an ERP platform, as its page has it: every command of examples/erp/README.md is run by a shell, with the
// processes that it starts, and answered as the comment behind it says. Needs dist/, bash, curl, openssl and ps.

import { execFileSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { writeUser } from '../../src/http/users.ts'
import { account } from '../auth/support.ts'
import { valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf } from '../support/process.ts'
import { blocksOf, freePorts, PATIENT, Shell, statementsIn, Talker, walk } from '../support/walk.ts'
import { eventually, ok, RawUpstream, Wire, within } from '../support/wire.ts'

const test = suite('examples/erp')
const signet = processesOf(test)
const closing = closedAfter(test)

/** Tests run from build/, beside examples/. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const PAGE = readFileSync(join(ROOT, 'examples/erp/README.md'), 'utf8')

/** ms in which Ctrl-C ends everything, and as many again for a busy machine. */
const A_SECOND = 1000
const BUSY = 1000

const started: Talker[] = []
const folders: string[] = []
test.after.each(async () => {
  for (const { child } of started.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) {
    for (const { pid } of processesIn(folder)) process.kill(pid, 'SIGKILL')
    rmSync(folder, { recursive: true })
  }
})

/** The same, ended with the test that started it. */
function kept<T extends Talker>(talker: T): T {
  started.push(talker)
  return talker
}

/** A copy of the example, as deep below a folder with dist/ as in the repository; its temporary files have a folder there. */
function copyOfExample(): { folder: string; example: string; temporary: string; env: NodeJS.ProcessEnv } {
  const folder = mkdtempSync(join(tmpdir(), 'signet-walk-'))
  folders.push(folder)
  const [example, bin, temporary] = ['examples/erp', 'bin', 'tmp'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  cpSync(join(ROOT, 'examples/erp'), example, { recursive: true })
  cpSync(join(ROOT, 'examples/support'), join(folder, 'examples/support'), { recursive: true })
  for (const made of [bin, temporary]) mkdirSync(made)
  symlinkSync(join(ROOT, 'dist'), join(folder, 'dist'))
  symlinkSync(process.execPath, join(bin, 'node'))
  return { folder, example, temporary, env: { PATH: `${bin}:${process.env.PATH}`, TMPDIR: temporary } }
}

/** Processes that were started with a path in this folder. */
function processesIn(folder: string): { pid: number; args: string }[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,args='], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => {
    const [, pid = '', args = ''] = /^ *(\d+) (.*)$/.exec(line) ?? []
    return args.includes(folder) ? [{ pid: Number(pid), args }] : []
  })
}

/** What the page does not say of its commands. @param log what signet prints, and where */
function lookAt(log: Talker) {
  return (command: string, printed: string) => {
    if (command.includes('uniq -c')) {
      const counts = [...printed.matchAll(/^ *(\d+) (200|429)$/gm)].map(([, count, of]) => [
        Number(count),
        of,
      ])
      assert.equal(counts, [
        [599, '200'],
        [1, '429'],
      ])
    }
    return command.startsWith('sed ') ? log.says('"event":"reloaded"') : undefined
  }
}

// ── the walk ──────────────────────────────────────────────────────────────────────────────────────────────────────

test('every command of the page does what the page says, with processes started by hand', async () => {
  const { folder, example, temporary, env } = copyOfExample()
  const ports = await freePorts(3)
  const page = PAGE.replaceAll(/\b(8001|8002|8080)\b/g, (port) =>
    String(ports[['8001', '8002', '8080'].indexOf(port)]),
  )
  const shell = kept(new Shell(example, env))
  const answered = await walk(shell, statementsIn(blocksOf(page)), lookAt(shell))
  assert.ok(answered > 30, `${answered} commands have a status`)
  assert.equal(readdirSync(temporary), [], 'nothing is left')
  await eventually(() => processesIn(folder).length === 0, 'the end of all processes')
})

/** `make example-erp`, but for make. */
function launch(env: NodeJS.ProcessEnv, example: string, more: NodeJS.ProcessEnv = {}): Talker {
  return kept(new Talker(process.execPath, [join(example, 'start.mjs')], example, { ...env, ...more }))
}

const READY = 'Ctrl-C ends all three'

test('what the one command prints is the page, can be copied, and is logged without a secret', async () => {
  const { example, env } = copyOfExample()
  const launched = launch(env, example)
  const text = await launched.says(READY)
  const printed = statementsIn(text.slice(text.indexOf('\nexport '), text.indexOf(READY)))
  const exported = printed.filter(({ command }) => command.startsWith('export '))
  const [, page] = PAGE.split(/<!-- (?:try|tried) -->/)
  assert.equal(printed.slice(exported.length), statementsIn(blocksOf(page!)))

  const shell = kept(new Shell(tmpdir(), { PATH: env.PATH }))
  const last = printed.findIndex(({ command }) => command.includes('--compressed'))
  const copied = printed.slice(0, last + 1).filter(({ found }) => found !== 'ERR_LOGIN_REFUSED') // each takes a while
  const answered = await walk(shell, copied, lookAt(launched))
  assert.ok(answered > 20, `${answered} commands have a status`)
  const log = (await launched.says(/"encoding":"\w+","jti":"[^"]+","subject":"WAL001"/)).slice(text.length)
  for (const { command } of exported.filter(({ command }) => command.includes('KEY')))
    assert.not.match(log, command.split('=')[1]!)
  assert.not.match(log, /wal001-demo|eyJ/)
})

test('Ctrl-C ends it and leaves nothing, also while it starts', async () => {
  for (const moment of [60, 250, 450]) {
    const { folder, example, temporary, env } = copyOfExample()
    const launched = launch(env, example)
    await new Promise((resolve) => setTimeout(resolve, moment))
    launched.child.kill('SIGINT')
    const code = await within(launched.closed, `the end at ${moment}`)
    // Node itself ends by the signal until it has read the first line of the file.
    assert.ok(code === 0 || (code === null && launched.text === ''), `${code} at ${moment}: ${launched.text}`)
    assert.not.match(launched.text, /examples\/erp:/)
    assert.equal(processesIn(folder), [], `at ${moment}`)
    assert.equal(readdirSync(temporary), [], `at ${moment}`)
  }
})

test('two of them stand beside each other, on ports of their own; when one of the three dies, the others end', async () => {
  const copies = [copyOfExample(), copyOfExample()] as const
  const launched = copies.map(({ env, example }) => launch(env, example))
  const ports = new Set<string>()
  for (const one of launched)
    for (const [, port] of (await one.says(READY)).matchAll(/^export \w+=http:\/\/127\.0\.0\.1:(\d+)$/gm))
      ports.add(port!)
  assert.is(ports.size, 6)
  const [first, second] = launched as [Talker, Talker]
  const target = processesIn(copies[0].folder).find(({ args }) => args.includes('transactions.mjs'))
  process.kill(target!.pid, 'SIGKILL')
  assert.is(await within(first.closed, 'the end of the first'), 1)
  assert.match(first.text, /^examples\/erp: transactions has ended by SIGKILL$/m)

  assert.is(processesIn(copies[1].folder).length, 4, 'the second goes on')
  const asked = performance.now()
  second.child.kill('SIGINT')
  assert.is(await within(second.closed, 'the end of the second'), 0)
  const took = performance.now() - asked
  assert.ok(took < A_SECOND + BUSY, `it took ${took} ms`)
  for (const { folder, temporary } of copies) {
    assert.equal(processesIn(folder), [])
    assert.equal(readdirSync(temporary), [])
  }
})

test('a port that was asked for and is taken is no reason to take another', async () => {
  const taken = closing(await RawUpstream.listen())
  const { folder, temporary, example, env } = copyOfExample()
  const launched = launch(env, example, { HTTP_PORT: String(taken.port) })
  assert.is(await within(launched.closed, 'its end', PATIENT), 1)
  assert.match(
    launched.text,
    new RegExp(`^examples/erp: signet has ended with exit code 1:\n.*${taken.port}`, 'm'),
  )
  assert.equal(processesIn(folder), [])
  assert.equal(readdirSync(temporary), [])
})

// ── what the page cannot show ─────────────────────────────────────────────────────────────────────────────────────

test('a service gets the key of the gateway once, whatever a client calls its own, and not the session', async () => {
  const service = closing(await RawUpstream.listen())
  const { example, env } = copyOfExample()
  writeFileSync(join(example, 'users'), `${writeUser(await account('WAL001', 'wal001-demo'))}\n`)
  const one = signet(['run', '--config', join(example, 'signet.yaml')], {
    PATH: env.PATH ?? '',
    SESSION_SECRET: 'ab'.repeat(32),
    TRANSACTIONS_URL: `http://127.0.0.1:${service.port}`,
    CONTENTS_URL: 'http://127.0.0.1:1',
    TRANSACTIONS_API_KEY: 'the-key',
    CONTENTS_API_KEY: 'another',
  })
  const port = await one.listening()
  const client = await Wire.connect(port)
  const body = '{"username":"WAL001","password":"wal001-demo"}'
  client.send(`POST /login HTTP/1.1\r\nHost: erp\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  const { token } = JSON.parse((await client.message()).body.toString()) as { token: string }
  const guesses = ['X-API-Key', 'x-api-key', 'X_API_KEY', 'x_Api-Key']
    .map((name) => `${name}: guess\r\n`)
    .join('')
  client.send(
    `GET /transactions/1 HTTP/1.1\r\nHost: erp\r\nAuthorization: Bearer ${token}\r\n${guesses}Connection: x-api-key\r\n\r\n`,
  )
  const upstream = await service.accept()
  const head = await upstream.head()
  assert.match(head, /^GET \/shops\/WAL001\/transactions\/1 HTTP/)
  assert.equal(head.match(/^x[-_]api[-_]key: .*$/gim), ['x-api-key: the-key'])
  assert.equal(valuesOf(head, 'authorization'), [])
  upstream.send(ok())
  assert.match((await client.message()).head, /^HTTP\/1\.1 200 /)
  client.destroy()
})

test('the second screen of README.md is this very configuration, in twenty lines', () => {
  const [, shown = ''] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? []
  const config = readFileSync(join(ROOT, 'examples/erp/signet.yaml'), 'utf8').replace(/^#.*\n/gm, '')
  assert.is(shown, config)
  assert.is(shown.trimEnd().split('\n').length, 20)
})

test.run()
