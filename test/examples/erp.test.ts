// The example of an ERP platform, as its page has it: every command of examples/erp/README.md is run by a shell, with the
// processes that it starts, and answered as the comment behind it says. Needs dist/, bash, curl, openssl and ps.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
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
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { writeUser } from '../../src/http/users.ts'
import { account } from '../auth/support.ts'
import { valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf } from '../support/process.ts'
import { eventually, ok, RawUpstream, Wire, within } from '../support/wire.ts'

const test = suite('examples/erp')
const signet = processesOf(test)
const closing = closedAfter(test)

/** Tests run from build/, beside examples/. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const PAGE = readFileSync(join(ROOT, 'examples/erp/README.md'), 'utf8')

/** ms for one command: the longest sends 600 requests. */
const PATIENT = 15_000
/** ms in which Ctrl-C ends everything, and as many again for a busy machine. */
const A_SECOND = 1000
const BUSY = 1000

const started: ChildProcess[] = []
const folders: string[] = []
test.after.each(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) {
    for (const { pid } of processesIn(folder)) process.kill(pid, 'SIGKILL')
    rmSync(folder, { recursive: true })
  }
})

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

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

// ── commands, and what the page says comes of them ────────────────────────────────────────────────────────────────

/** One line of a page, and what its comment promises. */
interface Statement {
  readonly command: string
  readonly status?: string
  /** what is to be found in the answer, or not to be found in it */
  readonly found?: string
  readonly absent?: string
}

function statementsIn(text: string): Statement[] {
  return text.split('\n').flatMap((line): Statement[] => {
    if (line.trim() === '' || line.startsWith('#')) return []
    const [, command = line, status, more = ''] = /^(.*?) +# (\d{3})\b([^;]*)/.exec(line) ?? []
    if (status === undefined) return [{ command: line }]
    const [, absent] = /^ no (.+)/.exec(more) ?? []
    const found = absent === undefined ? more.trim() : ''
    return [{ command, status, ...(absent && { absent }), ...(found !== '' && { found }) }]
  })
}

/** All blocks of commands on a page. */
function blocksOf(page: string): string {
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block).join('\n')
}

/** A child process, and everything that it and its own have printed. */
class Talker {
  readonly child: ChildProcess
  readonly closed: Promise<number | null>
  text = ''

  constructor(file: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
    this.child = spawn(file, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
    started.push(this.child)
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.text += text
      })
    this.closed = new Promise((resolve) => this.child.once('close', resolve))
  }

  /** Waits until something has been printed. */
  async says(what: string | RegExp, ms = PATIENT): Promise<string> {
    const there = () => (typeof what === 'string' ? this.text.includes(what) : what.test(this.text))
    await eventually(
      () => there() || this.child.exitCode !== null,
      `${what}; it says ${this.text.slice(-2000)}`,
      ms,
    )
    assert.ok(there(), `it ended without ${what}: ${this.text.slice(-2000)}`)
    return this.text
  }
}

/** A shell that takes one command after the other. */
class Shell extends Talker {
  #count = 0

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    super('bash', ['--noprofile', '--norc', '-s'], cwd, env)
  }

  /** @returns what was printed meanwhile */
  async run(command: string): Promise<string> {
    const before = this.text.length
    const mark = `\n@${++this.#count}@`
    this.child.stdin?.write(`{ ${command}\n} </dev/null\necho; echo "@${this.#count}@$?@"\n`)
    await this.says(`${mark}`)
    await this.says(new RegExp(`${mark}\\d+@`))
    const [, code] = new RegExp(`${mark}(\\d+)@`).exec(this.text) ?? []
    const printed = this.text.slice(before, this.text.indexOf(mark))
    assert.is(code, '0', `${command} ended with ${code}: ${printed}`)
    return printed
  }
}

/**
 * Runs commands and looks at what comes of them.
 *
 * @param log what signet prints, and where
 * @returns how many of them were answered with a status
 */
async function walk(shell: Shell, statements: readonly Statement[], log: Talker): Promise<number> {
  for (const { command, status, found, absent } of statements) {
    const printed = await shell.run(command)
    const fail = `${command}\n${printed}`
    if (status !== undefined) assert.is(/^HTTP\/1\.1 (\d{3}) /m.exec(printed)?.[1], status, fail)
    if (found !== undefined) assert.ok(printed.includes(found), `${JSON.stringify(found)}: ${fail}`)
    if (absent !== undefined) assert.not.ok(printed.includes(absent), `no ${JSON.stringify(absent)}: ${fail}`)
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
    if (command.startsWith('sed ')) await log.says('"event":"reloaded"')
  }
  return statements.filter(({ status }) => status !== undefined).length
}

// ── the walk ──────────────────────────────────────────────────────────────────────────────────────────────────────

test('every command of the page does what the page says, with processes started by hand', async () => {
  const { folder, example, temporary, env } = copyOfExample()
  const ports = await freePorts(3)
  const page = PAGE.replaceAll(/\b(8001|8002|8080)\b/g, (port) =>
    String(ports[['8001', '8002', '8080'].indexOf(port)]),
  )
  const shell = new Shell(example, env)
  const answered = await walk(shell, statementsIn(blocksOf(page)), shell)
  assert.ok(answered > 30, `${answered} commands have a status`)
  assert.equal(readdirSync(temporary), [], 'nothing is left')
  await eventually(() => processesIn(folder).length === 0, 'the end of all processes')
})

/** `make example-erp`, but for make. */
function launch(env: NodeJS.ProcessEnv, example: string, more: NodeJS.ProcessEnv = {}): Talker {
  return new Talker(process.execPath, [join(example, 'start.mjs')], example, { ...env, ...more })
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

  const shell = new Shell(tmpdir(), { PATH: env.PATH })
  const last = printed.findIndex(({ command }) => command.includes('--compressed'))
  const copied = printed.slice(0, last + 1).filter(({ found }) => found !== 'ERR_LOGIN_REFUSED') // each takes a while
  const answered = await walk(shell, copied, launched)
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
