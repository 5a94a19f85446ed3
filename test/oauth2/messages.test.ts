// The messages on the page of the example are those of a run.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { recordMessages, sectionOf, shapeOf } from '../../scripts/oauth2-messages.ts'

const test = suite('oauth2/messages')

/** From build/test/oauth2/. */
const PAGE = fileURLToPath(new URL('../../../examples/oauth2/README.md', import.meta.url))

test('each message of the flow is on the page as it is sent, but for what differs from run to run', async () => {
  const shown = sectionOf(readFileSync(PAGE, 'utf8'))
  const recorded = `\n${await recordMessages(() => 0)}\n`
  assert.fixture(
    shapeOf(shown),
    shapeOf(recorded),
    'bring it up to date: node build/scripts/oauth2-messages.js --write',
  )
  assert.is(shown.match(/^```http$/gm)?.length, 12)
})

test('what is compared leaves out values, and nothing else', () => {
  const line = 'x-request-id: 0af7651916cd43dd8448eb211c80319c'
  assert.is(shapeOf(line), 'x-request-id: <trace>')
  for (const kept of ['scope=current_time', '"expires_in":5', 'Authorization: Basic MTIzNDpxd2VydHk='])
    assert.is(shapeOf(kept), kept)
})

test.run()
