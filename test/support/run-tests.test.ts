// The test runner itself: a file that fails in any way must never count as passed.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findTests, type Outcome, runFiles, summaryOf, type TestFile } from './run-tests.ts'

const test = suite('support/run-tests')

const HERE = dirname(fileURLToPath(import.meta.url))
const UVU = "import { suite } from 'uvu'\nimport { is } from 'uvu/assert'\nconst test = suite('made up')\n"
const ONE = "test('one', () => is(1, 1))\n"

/** Runs files with these texts; gives their outcomes by name, and all that was printed. */
async function run(texts: Record<string, string>, options: { deadline?: number; signal?: AbortSignal } = {}) {
  // Below this folder, so that uvu is found from there.
  const folder = mkdtempSync(join(HERE, 'made-up-'))
  const files = Object.entries(texts).map(([name, text]): TestFile => {
    const script = join(folder, `${name}.js`)
    if (text !== '') writeFileSync(script, UVU + text)
    return { name, script, alone: name.startsWith('alone'), deadline: options.deadline ?? 20_000 }
  })
  const printed: string[] = []
  try {
    const print = (text: string) => void printed.push(text)
    const signal = options.signal ?? new AbortController().signal
    const outcomes = await runFiles(files, { lanes: 2, print, grace: 300, signal })
    return { outcomes, printed: printed.join(''), of: (name: string) => find(outcomes, name) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function find(outcomes: readonly Outcome[], name: string): Outcome {
  return (
    outcomes.find(({ file }) => file.name === name) ?? (assert.unreachable(`no outcome of ${name}`) as never)
  )
}

test('passed, failed and skipped tests of several suites and files are summed', async () => {
  const { outcomes, printed, of } = await run({
    good: `${ONE}test.skip('two', () => {})\ntest.run()\nconst more = suite('more')\nmore('three', () => {})\nmore.run()`,
    bad: `${ONE}test('breaks', () => is('found', 'expected', 'the reason'))\ntest.run()`,
  })
  assert.equal([of('good').passed, of('good').failed, of('good').skipped], [2, 0, 1])
  assert.equal([of('bad').passed, of('bad').failed, of('bad').problem], [1, 1, undefined])
  assert.is(summaryOf(outcomes), '3 passed, 1 failed, 1 skipped')
  for (const part of ['"breaks"', 'the reason', '++expected', 'found', 'bad.js']) assert.match(printed, part)
  assert.not.match(printed, '•')
  assert.not.match(printed, 'Total:')
})

test('the summary is one line without skipped tests when there are none', async () => {
  const { outcomes } = await run({ good: `${ONE}test.run()` })
  assert.is(summaryOf(outcomes), '1 passed, 0 failed')
})

test('a file whose tests all passed can still say aloud what it could not try; the rest is not printed', async () => {
  const { printed, of } = await run({
    meek: `${ONE}console.error('! only half of it')\nconsole.log('chatter! ')\ntest.run()`,
  })
  assert.equal([of('meek').passed, of('meek').failed], [1, 0])
  assert.match(printed, /^ +! only half of it$/m)
  assert.not.match(printed, 'chatter')
})

const WRONG: [what: string, text: string, problem: RegExp][] = [
  ['was not compiled', '', /not compiled/],
  ['throws while it loads', `${ONE}throw new Error('broken')`, /ended with exit code 1/],
  ['has no test', 'test.run()', /ran no test/],
  ['does not run its tests', ONE, /ended before its tests did, or has none/],
  ['exits with 0 in the middle', "test('one', () => process.exit(0))\ntest.run()", /ended with exit code 1/],
  [
    'dies of a signal',
    "test('one', () => process.kill(process.pid, 'SIGKILL'))\ntest.run()",
    /died of SIGKILL/,
  ],
  [
    'fails after its tests',
    `${ONE}test.run()\nprocess.on('exit', () => { process.exitCode = 3 })`,
    /exit code 3/,
  ],
  [
    'waits for what never comes',
    "test('one', () => new Promise(() => {}))\ntest.run()",
    /ended with exit code 1/,
  ],
  ['keeps something open', `${ONE}test.run()\nsetInterval(() => {}, 1000)`, /keeps the process running/],
  [
    'leaves a process behind',
    `${ONE}test.run()\nconst { spawn } = await import('node:child_process')
     spawn(process.execPath, ['-e', 'setTimeout(() => {}, 30_000)'], { stdio: 'inherit' }).unref()`,
    /left a process running/,
  ],
]

test('a file that ends in any other way than well counts as one failure', async () => {
  const { of, outcomes } = await run(Object.fromEntries(WRONG.map(([what, text]) => [what, text])))
  for (const [what, , problem] of WRONG) {
    assert.match(of(what).problem ?? 'none', problem, what)
    assert.is(of(what).failed, 1, what)
    assert.match(of(what).report, problem)
  }
  assert.is(outcomes.length, WRONG.length)
})

test('a file that hangs is killed at its deadline, with the processes it started', async () => {
  const hang = `const { spawn } = await import('node:child_process')
    spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'inherit' })
    ${ONE}test('two', () => new Promise((resolve) => setTimeout(resolve, 60_000)))
    test.run()`
  const { of } = await run({ hang }, { deadline: 3000 })
  assert.match(of('hang').problem ?? 'none', /^killed: [01] of its tests ended within 3 s/)
  assert.ok(of('hang').ms < 10_000)
})

test('an interruption ends what runs and starts nothing more', async () => {
  const interrupted = new AbortController()
  setTimeout(() => interrupted.abort(), 500)
  const slow = "test('one', () => new Promise((resolve) => setTimeout(resolve, 60_000)))\ntest.run()"
  const { outcomes } = await run({ a: slow, b: slow, c: slow }, { signal: interrupted.signal })
  assert.equal(
    outcomes.map(({ problem }) => problem),
    ['it was interrupted', 'it was interrupted'],
  )
})

test('a file that must be alone starts when all others have ended', async () => {
  const { outcomes } = await run({
    'alone-a': `${ONE}test.run()`,
    b: `test('slow', () => new Promise((resolve) => setTimeout(resolve, 500)))\ntest.run()`,
    'alone-c': `${ONE}test.run()`,
    d: `${ONE}test.run()`,
  })
  assert.equal(
    outcomes.map(({ file }) => file.name),
    ['d', 'b', 'alone-a', 'alone-c'],
  )
})

test('the files run have the variables of the shell, save those that set up signet', async () => {
  process.env.SIGNET_USER = 'mallory'
  process.env.SIGNETS_NEIGHBOUR = 'there'
  try {
    const text =
      "test('one', () => is([process.env.SIGNET_USER, process.env.SIGNETS_NEIGHBOUR].join(), ',there'))\n"
    const { of } = await run({ env: `${text}test.run()` })
    assert.is(of('env').passed, 1, of('env').report)
  } finally {
    delete process.env.SIGNET_USER
    delete process.env.SIGNETS_NEIGHBOUR
  }
})

test('the tests are found by their sources, and by any word of their paths', () => {
  const root = mkdtempSync(join(HERE, 'made-up-'))
  try {
    for (const folder of ['test', 'test/net', 'build/test/net'])
      mkdirSync(join(root, folder), { recursive: true })
    for (const file of [
      'test/a.test.ts',
      'test/net/pool.test.ts',
      'test/net/memory.test.ts',
      'test/net/support.ts',
    ])
      writeFileSync(join(root, file), '')
    writeFileSync(join(root, 'build/test/net/stale.test.js'), '')
    const names = (...words: string[]) => findTests(root, words).map(({ name }) => name)
    assert.equal(names(), ['a', 'net/memory', 'net/pool'])
    assert.equal(names('pool', 'test/a.'), ['a', 'net/pool'])
    assert.equal(names('nothing'), [])
    assert.equal(
      findTests(root, ['net/']).map(({ alone }) => alone),
      [true, false],
    )
    assert.is(findTests(root, ['pool'])[0]?.script, join(root, 'build', 'test', 'net', 'pool.test.js'))
  } finally {
    rmSync(root, { recursive: true })
  }
})

test.run()
