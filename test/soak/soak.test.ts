// A short soak, so that `make test` runs one too; SOAK_SECONDS makes it longer.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../support/wire.ts'
import { exitOf } from './process.ts'

const test = suite('soak/soak')

const SECONDS = Number(process.env.SOAK_SECONDS ?? 10)

test(`a soak of ${SECONDS} s loses nothing, doubles nothing and leaves nothing behind`, async () => {
  const script = fileURLToPath(new URL('./soak.js', import.meta.url))
  const child = spawn(process.execPath, [script, '--seconds', `${SECONDS}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const exited = exitOf(child)
  try {
    assert.is(await within(exited, () => `the soak to end: ${printed}`, SECONDS * 1000 + 90_000), 0, printed)
  } finally {
    child.kill('SIGKILL')
  }
})

test.run()
