// The two services of examples/erp, as processes: they do what their README says, and nothing for whoever has not their key.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../support/wire.ts'

const test = suite('examples/erp-targets')

/** Tests run from build/, beside examples/. */
const TARGETS = fileURLToPath(new URL('../../../examples/erp/targets/', import.meta.url))
const KEY = 'a-key-for-tests'
const started: ChildProcess[] = []
test.after.each(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null) continue
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    assert.equal(await within(exit, 'the end of a target'), [0, null])
  }
})

function spawnTarget(name: string, env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [`${TARGETS}${name}.mjs`], {
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  return child
}

/** Starts a target. @returns what asks it */
async function start(name: string) {
  const child = spawnTarget(name, { [`${name.toUpperCase()}_API_KEY`]: KEY })
  const [line] = (await within(once(child.stdout!, 'data'), 'its address')) as [Buffer]
  const url = /http:\S+/.exec(line.toString())![0]
  return async (path: string, init: RequestInit = {}, key = KEY) => {
    const headers = { ...(key === '' ? {} : { 'X-API-Key': key }), ...init.headers }
    const response = await fetch(`${url}${path}`, { ...init, headers, signal: AbortSignal.timeout(5000) })
    const text = await response.text()
    const body = text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>)
    return { status: response.status, body, headers: response.headers }
  }
}

for (const name of ['transactions', 'contents']) {
  test(`${name} answers 401 without its key, whatever is asked`, async () => {
    const ask = await start(name)
    for (const key of ['', 'another', `${KEY}x`]) {
      for (const path of [`/shops/WAL001/${name}`, '/nowhere']) {
        const { status, headers } = await ask(path, {}, key)
        assert.is(status, 401)
        assert.ok(headers.has('WWW-Authenticate'))
      }
      assert.is((await ask(`/shops/WAL001/${name}/1`, { method: 'DELETE' }, key)).status, 401)
    }
    assert.is((await ask(`/shops/WAL001/${name}/1`)).status, 200)
  })

  test(`${name} are made, read, changed and removed, each shop's by itself`, async () => {
    const ask = await start(name)
    const of = (shop: string) => `/shops/${shop}/${name}`
    const made = await ask(of('NEW001'), { method: 'POST', body: '{"id":"7","a":1}' })
    assert.is(made.status, 201)
    const place = made.headers.get('Location') ?? ''
    assert.equal(made.body, { id: place.split('/').at(-1), a: 1 })
    assert.equal((await ask(of('NEW001'))).body, [made.body])
    const id = String(made.body?.id)
    assert.equal((await ask(place, { method: 'PUT', body: '{"a":2}' })).body, { a: 2, id })
    assert.equal((await ask(place)).body, { a: 2, id })
    assert.is((await ask(`${of('WAL001')}/${id}`)).status, 404)
    assert.is((await ask(place, { method: 'DELETE' })).status, 204)
    assert.is((await ask(place)).status, 404)
    assert.is((await ask(place, { method: 'DELETE' })).status, 404)
    assert.equal((await ask(of('NEW001'))).body, [])
  })

  test(`${name} say what is wrong with a request`, async () => {
    const ask = await start(name)
    const path = `/shops/WAL001/${name}`
    for (const body of ['', '{', '[]', 'null', '1']) {
      assert.is((await ask(path, { method: 'POST', body })).status, 400, body)
    }
    assert.is((await ask(path, { method: 'POST', body: `{"a":"${'x'.repeat(70_000)}"}` })).status, 413)
    const { status, headers } = await ask(path, { method: 'DELETE' })
    assert.equal([status, headers.get('Allow')], [405, 'GET, POST'])
    assert.is((await ask('/shops/WAL-001/x')).status, 404)
  })

  test(`${name} answer HEAD as GET, and /health without a key`, async () => {
    const ask = await start(name)
    const path = `/shops/WAL001/${name}`
    const [got, headed] = [await ask(path), await ask(path, { method: 'HEAD' })]
    assert.equal([headed.status, headed.body], [200, undefined])
    assert.is(headed.headers.get('Content-Length'), got.headers.get('Content-Length'))
    assert.is((await ask(path, { method: 'HEAD' }, '')).status, 401)
    assert.equal((await ask('/health', {}, '')).body, { healthy: true })
  })

  test(`${name} do not start without a key`, async () => {
    const child = spawnTarget(name, {})
    const exit = once(child, 'exit')
    const [text] = (await within(once(child.stderr!, 'data'), 'a message')) as [Buffer]
    assert.is(text.toString(), `${name}: ${name.toUpperCase()}_API_KEY is not set\n`)
    assert.equal(await within(exit, 'its end'), [78, null])
  })
}

test.run()
