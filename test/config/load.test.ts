// A configuration file and a process: it runs by the file, and pays for reading one only where there is one.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { processesOf } from '../support/process.ts'

const test = suite('config/load')
const run = processesOf(test)

const folder = mkdtempSync(join(tmpdir(), 'signet-load-'))
test.after(() => rmSync(folder, { recursive: true }))

/** Packages that only a configuration file needs, and that this command line loads. */
function loaded(...args: string[]): string[] {
  const main = fileURLToPath(new URL('../../../dist/main.js', import.meta.url))
  // Node names every file that it loads; a wrong port ends signet before it listens.
  const env = { PATH: process.env.PATH, NODE_DEBUG: 'esm,module' }
  const options = { env, encoding: 'utf8', timeout: 20_000, maxBuffer: 2 ** 28 } as const
  const { stderr } = spawnSync(process.execPath, [main, '--port', 'x', ...args], options)
  assert.match(stderr, /--port: found "x"/)
  return ['ajv', 'yaml'].filter((name) => stderr.includes(`node_modules/${name}/`))
}

test('what a configuration file needs is loaded only where there is one', () => {
  const file = join(folder, 'empty.yaml')
  writeFileSync(file, '')
  assert.equal(loaded(), [])
  assert.equal(loaded('--config', file), ['ajv', 'yaml'])
})

test('signet runs by its configuration file, named by flag or variable', async () => {
  const file = join(folder, 'signet.yaml')
  writeFileSync(file, 'host: "::"\nuser: somebody\nlogLevel: info\nmaxFields: 50\n')
  for (const signet of [run(['run', '--config', file]), run([], { SIGNET_CONFIG: file })]) {
    await signet.listening()
    await signet.printed(() => signet.events('listening').length === 1, 'the line that says it listens')
    assert.is(signet.events('listening')[0]?.address, '::')
  }
})

test.run()
