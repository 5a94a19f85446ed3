// The example of the code flow, as its page has it: everything is started by the one command, and every command of
// examples/oauth2/README.md is run by a shell and answered as the comment behind it says. Needs dist/, bash, curl, openssl, ps.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { closedAfter } from '../support/process.ts'
import { blocksOf, PATIENT, Shell, statementsIn, Talker, walk } from '../support/walk.ts'
import { eventually, RawUpstream, within } from '../support/wire.ts'

const test = suite('examples/oauth2')
const closing = closedAfter(test)

/** Tests run from build/, beside examples/. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const [, TRIED = ''] = readFileSync(join(ROOT, 'examples/oauth2/README.md'), 'utf8').split(
  /<!-- (?:try|tried) -->/,
)
const READY = 'Ctrl-C ends all of them'

/** ms in which Ctrl-C ends everything, and as many again for a busy machine. */
const A_SECOND = 1000
const BUSY = 1000

const started: Talker[] = []
test.after.each(async () => {
  for (const { child, closed } of started.splice(0)) {
    child.kill('SIGTERM') // upon which it ends its own
    await within(closed, 'the end of what was started')
  }
})

function kept<T extends Talker>(talker: T): T {
  started.push(talker)
  return talker
}

/** `make example-oauth2`, but for make. */
function launch(env: NodeJS.ProcessEnv = {}, args: readonly string[] = []): Talker {
  const script = join(ROOT, 'examples/oauth2/start.mjs')
  return kept(new Talker(process.execPath, [script, ...args], tmpdir(), { PATH: process.env.PATH, ...env }))
}

/** The processes that another one has started. */
function childrenOf({ child }: Talker): { pid: number; args: string }[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => {
    const [, pid, parent, args = ''] = /^ *(\d+) +(\d+) (.*)$/.exec(line) ?? []
    return Number(parent) === child.pid ? [{ pid: Number(pid), args }] : []
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** What a launcher prints to be copied: variable → URL. */
async function placesOf(launched: Talker): Promise<Record<string, string>> {
  const text = await launched.says(READY)
  return Object.fromEntries(
    [...text.matchAll(/^export (\w+)=(\S+)$/gm)].map(([, name, url]) => [name!, url!]),
  )
}

test('what the one command prints is the page, and each command does what the page says', async () => {
  const launched = launch()
  const places = await placesOf(launched)
  assert.equal(Object.keys(places), ['WEBAPP', 'AUTHORIZATION_SERVER', 'RESOURCE_SERVER', 'TIME_SERVICE'])
  const page = statementsIn(blocksOf(TRIED))
  assert.equal(
    statementsIn(launched.text.slice(launched.text.indexOf('\n# ──'), launched.text.indexOf(READY))),
    page,
  )
  const shell = kept(new Shell(tmpdir(), { PATH: process.env.PATH, ...places }))
  const answered = await walk(shell, page)
  assert.ok(answered > 18, `${answered} commands have a status`)
})

test('one grep finds a call in the logs of all, which are JSON', async () => {
  const launched = launch()
  const { WEBAPP } = await placesOf(launched)
  const response = await within(fetch(`${WEBAPP}/epoch_time`), 'an answer')
  assert.is(response.status, 200)
  const id = response.headers.get('x-request-id') ?? ''
  assert.match(id, /^[\da-f]{32}$/)
  const found = () =>
    [...launched.text.matchAll(/^(\S+) +\| (\{.*\})$/gm)].filter(([, , line]) => line!.includes(id))
  await eventually(() => found().length === 6, `six lines; there is ${launched.text}`)
  const lines = found().map(([, name, line]) =>
    [name, (JSON.parse(line!) as { path: string }).path].join(' '),
  )
  assert.equal(lines.sort(), [
    'authorization-server /authorize',
    'authorization-server /introspect',
    'authorization-server /token',
    'resource-server /epoch_time',
    'time-service /epoch_time',
    'webapp /epoch_time',
  ])
  const log = launched.text.slice(launched.text.indexOf(READY))
  assert.not.match(log, /eyJ|qwerty|resource-server-secret/)
})

test('Ctrl-C ends everything within a second, also while it starts', async () => {
  for (const moment of [60, 300, 600]) {
    const launched = launch()
    await new Promise((resolve) => setTimeout(resolve, moment))
    const children = childrenOf(launched)
    launched.child.kill('SIGINT')
    const code = await within(launched.closed, `the end at ${moment}`)
    // Node itself ends by the signal until it has read the first line of the file.
    assert.ok(code === 0 || (code === null && launched.text === ''), `${code} at ${moment}: ${launched.text}`)
    for (const { pid, args } of children) assert.not.ok(isAlive(pid), `${args} at ${moment}`)
  }
  const launched = launch()
  await launched.says(READY)
  const children = childrenOf(launched)
  assert.is(children.length, 4)
  const asked = performance.now()
  launched.child.kill('SIGINT')
  assert.is(await within(launched.closed, 'the end'), 0)
  const took = performance.now() - asked
  assert.ok(took < A_SECOND + BUSY, `it took ${took} ms`)
  for (const { pid, args } of children) assert.not.ok(isAlive(pid), args)
})

for (const [args, ready, count] of [
  [[], READY, 4],
  [['resource-server'], /"event":"listening"[\s\S]*"event":"listening"/, 2],
] as const) {
  test(`when one of ${count} dies, all end with its reason`, async () => {
    const launched = launch(count === 2 ? { HTTP_PORT: '0' } : {}, args)
    await launched.says(ready)
    const children = childrenOf(launched)
    assert.is(children.length, count)
    process.kill(children.find((child) => child.args.includes('time-service'))!.pid, 'SIGKILL')
    assert.is(await within(launched.closed, 'the end'), 1)
    assert.match(launched.text, /^examples\/oauth2: time-service has ended by SIGKILL$/m)
    for (const { pid, args } of children) assert.not.ok(isAlive(pid), args)
  })
}

test('a port that was asked for and is taken is no reason to take another', async () => {
  const taken = closing(await RawUpstream.listen())
  const launched = launch({ HTTP_PORT: String(taken.port) })
  assert.is(await within(launched.closed, 'its end', PATIENT), 1)
  assert.match(
    launched.text,
    new RegExp(`^examples/oauth2: webapp has ended with exit code 1:\n[\\s\\S]*${taken.port}`, 'm'),
  )
})

test.run()
