// What a stranger is told of wrong files, by the real command. Each stands in wrong/, with the exact texts beside it.

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const test = suite('config/wrong')

/** Tests run from build/, beside dist/ and test/. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const FOLDER = `${ROOT}test/config/wrong`
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))

function signet(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${ROOT}dist/main.js`, ...args], {
    cwd: FOLDER,
    env: { PATH: process.env.PATH, WORDS: 'soon' },
    encoding: 'utf8',
    timeout: 10_000,
  })
  return { status, stdout, stderr }
}

function textsOf(file: string): string {
  return readFileSync(`${FOLDER}/${file.replace(/yaml$/, 'txt')}`, 'utf8')
}

test('there are twelve wrong files', () => assert.is(FILES.length, 12))

for (const file of FILES) {
  test(`${file} is refused with all that is wrong with it, in the order of its lines`, () => {
    assert.equal(signet('check', file), { status: 78, stdout: '', stderr: textsOf(file) })
  })

  test(`every text about ${file} says where, and repeats no secret`, () => {
    for (const line of textsOf(file).trimEnd().split('\n')) {
      // A setting that the file contradicts may stand elsewhere.
      assert.match(line, new RegExp(`^(${file}:\\d+:\\d+[ :]|[A-Z_]+: .*${file}:\\d+:\\d+ )`))
      assert.not.match(line, /hunter2|1234\b/)
    }
  })
}

test('signet run says the same, with the same exit code', () => {
  const [file = ''] = FILES
  const { status, stderr } = signet('run', '--config', file)
  assert.is(status, 78)
  assert.is(stderr.replace(/^ {2}/gm, ''), `signet cannot start:\n${textsOf(file)}`)
})

test.run()
