// All four as processes, as a container runs them.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventually, Wire, within } from '../support/wire.ts'
import { ask, type LogLine } from './support.ts'

const test = suite('oauth2/process')

const SERVICES = ['authorization-server', 'time-service'] as const
const SIGNETS = ['webapp', 'resource-server'] as const
const ALL = [...SERVICES, ...SIGNETS]
const running: ChildProcess[] = []
const folders: string[] = []

test.after.each(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A service, what it logs, and its exit code. Nothing is inherited but PATH. */
function run(service: (typeof ALL)[number], env: Readonly<Record<string, string>> = {}) {
  const main = fileURLToPath(new URL(`../../examples/oauth2/${service}/main.js`, import.meta.url))
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, HTTP_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.push(child)
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  const lines = () =>
    text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine)
  const event = (name: string) => lines().find((line) => line.event === name)
  return {
    lines,
    event,
    exited: () => within(closed, () => `the end of ${service}; it logged ${text}`),
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    listening: async () => {
      await eventually(() => event('listening') !== undefined, `${service} to listen`, 10_000)
      return Number(event('listening')?.port)
    },
  }
}

/** The folder of a configuration file. */
function configs(name: string, document: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'signet-oauth2-'))
  folders.push(folder)
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(document))
  return folder
}

for (const service of SERVICES) {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${service} listens without any settings, and ends within a second of ${signal}`, async () => {
      const one = run(service)
      const port = await one.listening()
      assert.is((await ask(port, '/health')).status, 200) // on a connection that stays open
      const halfSent = await Wire.connect(port)
      halfSent.send('GET /health HTTP/1.1\r\nHost: a\r\n')
      assert.is((await ask(port, '/health')).status, 200) // what was half sent has come too
      const sent = performance.now()
      one.kill(signal)
      assert.is(await one.exited(), 0)
      assert.ok(performance.now() - sent < 1000, `${performance.now() - sent} ms`)
      for (const line of one.lines()) assert.is(line.service, service)
      assert.is(one.event('stopping')?.signal, signal)
      assert.ok(one.event('stopped'))
      halfSent.destroy()
    })
  }

  test(`${service} ends with 1 when its port is taken`, async () => {
    const port = await run(service).listening()
    const one = run(service, { HTTP_PORT: String(port) })
    assert.is(await one.exited(), 1)
    assert.is(one.event('cannot-listen')?.code, 'EADDRINUSE')
  })
}

for (const service of ALL) {
  test(`${service} warns of secrets that everybody knows, and does not start on them in production`, async () => {
    const one = run(service)
    await one.listening()
    assert.ok(one.event('demo-secret'))
    const env = { OAUTH2_ENVIRONMENT: 'production', OAUTH2_CONFIGS: configs('production', {}) }
    const other = run(service, env)
    assert.is(await other.exited(), 78)
    assert.match(
      JSON.stringify(other.event('wrong-configuration')?.problems),
      /everybody knows the default; set your own/,
    )
  })

  test(`${service} says what is wrong with its configuration, and ends with 78`, async () => {
    const one = run(service, { HTTP_PORT: 'x' })
    assert.is(await one.exited(), 78)
    assert.equal(one.event('wrong-configuration')?.problems, [
      'HTTP_PORT: expected an integer from 0 to 65535',
    ])
  })
}

for (const role of SIGNETS) {
  test(`${role} is signet from its start to its end`, async () => {
    const one = run(role, { OAUTH2_ISSUER: 'http://127.0.0.1:1' })
    const port = await one.listening()
    assert.is((await ask(port, '/status')).status, 200)
    assert.is((await ask(port, '/current_time')).status, role === 'webapp' ? 503 : 401) // there is nobody to ask
    one.kill('SIGTERM')
    assert.is(await one.exited(), 0)
    assert.is(one.event('stopping')?.signal, 'SIGTERM')
  })
}

test('the file of an environment overrides the defaults of the roles that are signet', async () => {
  const folder = configs('stage', {
    webapp: { port: 0, user: 'ada', clientSecret: 'other' },
    resourceServer: { port: 0, secret: '0f'.repeat(64), clientSecret: 'other' },
  })
  for (const role of SIGNETS) {
    const env = { OAUTH2_ENVIRONMENT: 'stage', OAUTH2_CONFIGS: folder, HTTP_PORT: '' }
    const one = run(role, env)
    const port = await one.listening()
    assert.not([5002, 5003].includes(port))
    assert.is(one.event('demo-secret'), undefined)
  }
})

test('a signing key that cannot be read is a problem of the configuration', async () => {
  const folder = configs('testing', { authorizationServer: { signingKeyFile: '/nowhere/key.pem' } })
  const one = run('authorization-server', { OAUTH2_ENVIRONMENT: 'testing', OAUTH2_CONFIGS: folder })
  assert.is(await one.exited(), 78)
  assert.match(
    String(one.event('wrong-configuration')?.problems),
    /^authorizationServer\.signingKeyFile: ENOENT/,
  )
})

test.run()
