// The samples in configs/ are what signet check says they are.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createCertificate } from './support.ts'

const test = suite('config/samples')

/** Tests run from build/, beside dist/ and configs/. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'signet-samples-'))
test.after(() => rmSync(folder, { recursive: true }))
test.before(async () => {
  const { certificate, key } = await createCertificate('signet.test')
  const files = {
    'tls.crt': certificate,
    'tls.key': key,
    'internal-ca.crt': certificate,
    'signet.key': 'ab'.repeat(64),
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
})

function signet(args: string[], env: Record<string, string> = {}) {
  const options = {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
    timeout: 10_000,
  } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/main.js', ...args], options)
  return { status, stdout, stderr }
}

const SAMPLES: Record<string, { env: Record<string, string>; upstreams: string[] }> = {
  development: { env: {}, upstreams: ['api', 'web'] },
  testing: {
    env: { UPSTREAM_URL: 'http://127.0.0.1:3000', NODE_ENV: 'production' },
    upstreams: ['127.0.0.1:3000'],
  },
  stage: {
    env: { CREDENTIALS: folder, DOMAIN: 'stage.example', NODE_ENV: 'production' },
    upstreams: ['api', 'web'],
  },
  production: { env: { CREDENTIALS: folder, NODE_ENV: 'production' }, upstreams: ['api', 'files', 'web'] },
}

test('every sample is checked here', () => {
  assert.equal(
    readdirSync(join(ROOT, 'configs')).sort(),
    Object.keys(SAMPLES)
      .map((name) => `${name}.yaml`)
      .sort(),
  )
})

for (const [name, { env, upstreams }] of Object.entries(SAMPLES)) {
  test(`configs/${name}.yaml passes signet check, and its routes are printed`, () => {
    const file = `configs/${name}.yaml`
    assert.match(
      readFileSync(join(ROOT, file), 'utf8'),
      /^# yaml-language-server: \$schema=\.\.\/schema\.json\n/,
    )
    const { status, stdout, stderr } = signet(['check', file], env)
    assert.equal({ status, stderr }, { status: 0, stderr: '' })
    const [head, ...routes] = stdout.split('\n\n')[0]!.trimEnd().split('\n')
    const column = head!.indexOf('UPSTREAM')
    assert.equal(
      routes.map((line) => line.slice(column).split(' ')[0]),
      upstreams,
    )
  })
}

test('--print says every setting, where it came from, and no secret', () => {
  const { status, stdout } = signet(['check', '--print', 'configs/testing.yaml'], {
    UPSTREAM_URL: 'http://app',
    HTTP_PORT: '81',
  })
  assert.is(status, 0)
  for (const line of [
    /^port +81 +environment HTTP_PORT$/m,
    /^user +tester +file configs\/testing\.yaml:13:7$/m,
    /^secret +\*\*\* +file configs\/testing\.yaml:11:9$/m,
    /^upstream +http:\/\/app +file /m,
    /^poolSize +256 +default$/m,
    /^adminPort +0 +file /m,
    /^secretFile +- +default$/m,
  ])
    assert.match(stdout, line)
  assert.not.match(stdout, /000102/)
})

test('limits are told, and nothing of the Redis they are counted in', () => {
  const file = join(folder, 'limits.yaml')
  writeFileSync(
    file,
    'redis: { url: redis://:hunter2@redis }\nupstreams: { app: "http://app" }\nroutes:\n' +
      '  - { name: a, path: /a, upstream: app, limit: { requests: 10, window: 60000 } }\n' +
      '  - { name: b, path: /b, upstream: app, limit: { requests: 1, window: 1000, by: address, store: redis } }\n' +
      '  - { name: c, upstream: app }\n',
  )
  const { status, stdout } = signet(['check', '--print', file])
  assert.is(status, 0)
  const limits = stdout.split('\n\n').find((table) => table.startsWith('LIMIT'))
  assert.equal(limits?.trimEnd().split('\n'), [
    'LIMIT  REQUESTS    BY       STORE   WHEN DOWN',
    'a      10 in 60 s  subject  memory  -',
    'b      1 in 1 s    address  redis   open',
  ])
  assert.not.match(stdout, /hunter2/)
})

test('what is compressed is told, and with what', () => {
  const file = join(folder, 'compress.yaml')
  writeFileSync(
    file,
    'upstreams: { app: "http://app" }\nroutes:\n' +
      '  - { name: a, path: /a, upstream: app, compress: true }\n' +
      '  - { name: b, path: /b, upstream: app, compress: { encodings: [gzip], minSize: 1, types: [text/*] } }\n' +
      '  - { name: c, path: /c, upstream: app, compress: false }\n' +
      '  - { name: d, upstream: app }\n',
  )
  const { status, stdout } = signet(['check', file])
  assert.is(status, 0)
  const table = stdout.split('\n\n').find((one) => one.startsWith('COMPRESS'))
  assert.equal(table?.trimEnd().split('\n'), [
    'COMPRESS  ENCODINGS       MIN OCTETS  TYPES',
    'a         br, zstd, gzip  1024        all compressible',
    'b         gzip            1           text/*',
  ])
})

test('wrong usage ends with 2, --help with 0', () => {
  assert.is(signet(['check']).status, 2)
  assert.is(signet(['check', 'a', 'b']).status, 2)
  assert.is(signet(['check', '--prnt', 'a']).status, 2)
  assert.is(signet(['check', '--help']).status, 0)
  assert.equal(signet(['check', 'nowhere.yaml']), {
    status: 78,
    stdout: '',
    stderr: 'nowhere.yaml: there is no such file\n',
  })
})

test('the help of signet lists check and schema', () => {
  const { stdout } = signet(['--help'])
  assert.match(stdout, /^ {2}signet check FILE /m)
  assert.match(stdout, /^ {2}signet schema /m)
})

test.run()
