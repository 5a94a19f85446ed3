// The schema: published, complete, a JSON Schema, and understood by those who get its messages.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { schemaText } from '../../src/commands/schema.ts'
import { SETTINGS } from '../../src/config.ts'
import { type JsonSchema, SCHEMA } from '../../src/config/schema.ts'

const test = suite('config/schema')

/** Tests run from build/, beside the sources. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true })
ajv.addVocabulary(['errorMessage'])
const check = ajv.compile(SCHEMA)

test('schema.json is up to date', () => {
  assert.is(readFileSync(`${ROOT}schema.json`, 'utf8'), schemaText(), 'run npm run settings')
})

test('signet schema prints it', () => {
  const main = `${ROOT}dist/main.js`
  const { status, stdout } = spawnSync(process.execPath, [main, 'schema'], {
    encoding: 'utf8',
    timeout: 10_000,
  })
  assert.is(status, 0)
  assert.is(stdout, schemaText())
  assert.is(spawnSync(process.execPath, [main, 'schema', 'x'], { timeout: 10_000 }).status, 2)
})

test('the script writes schema.json and notices a difference', () => {
  const script = fileURLToPath(new URL(`../../scripts/schema${extname(import.meta.url)}`, import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'signet-schema-'))
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [script, ...args], { cwd: folder, timeout: 10_000 }).status
  try {
    assert.is(run('--check'), 1)
    assert.is(run('--write'), 0)
    assert.is(run('--check'), 0)
    writeFileSync(join(folder, 'schema.json'), '{}\n')
    assert.is(run('--check'), 1)
    assert.is(run(), 2)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('every setting is in it but the path of the file', () => {
  const names = Object.keys(SCHEMA.properties ?? {})
  for (const name of Object.keys(SETTINGS)) assert.is(names.includes(name), name !== 'config', name)
})

test('the shape of a setting derives from its reader', () => {
  const { port, accessLog, logLevel, secret } = SCHEMA.properties as Record<string, JsonSchema>
  const { description, ...shape } = port!
  assert.equal(shape, {
    errorMessage: 'an integer from 0 to 65535',
    default: 8080,
    anyOf: [
      { type: 'integer', minimum: 0, maximum: 65_535, errorMessage: 'an integer from 0 to 65535' },
      { $ref: '#/$defs/reference' },
    ],
  })
  assert.is(description, SETTINGS.port.doc)
  assert.is(accessLog?.default, true)
  assert.equal(logLevel?.anyOf?.[0]?.enum, ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
  assert.is(secret?.writeOnly, true)
})

/** Every schema within a schema, with its path. */
function* schemasIn(schema: JsonSchema, path = ''): Generator<[path: string, schema: JsonSchema]> {
  yield [path, schema]
  for (const [name, one] of Object.entries(schema.properties ?? {})) yield* schemasIn(one, `${path}.${name}`)
  for (const [at, one] of (schema.anyOf ?? []).entries()) yield* schemasIn(one, `${path}|${at}`)
  if (schema.items) yield* schemasIn(schema.items, `${path}[]`)
  if (typeof schema.additionalProperties === 'object')
    yield* schemasIn(schema.additionalProperties, `${path}.*`)
}

test('every value says what is expected, and every key what it means', () => {
  for (const [path, schema] of schemasIn(SCHEMA)) {
    if (schema.$ref === undefined) assert.ok(schema.errorMessage, `errorMessage of ${path}`)
    if (!/\|/.test(path)) assert.ok(schema.description, `description of ${path}`)
    if (schema.type === 'object' && schema.properties) assert.is(schema.additionalProperties, false, path)
  }
})

for (const name of readdirSync(`${ROOT}configs`)) {
  test(`configs/${name} fits it, as editors see it`, () => {
    assert.ok(check(parse(readFileSync(`${ROOT}configs/${name}`, 'utf8'))), JSON.stringify(check.errors))
  })
}

test('a reference may stand where a number, a word or a text is expected', () => {
  for (const reference of [`$\{X}`, 'file:x', `a $\{X}`]) {
    const values = {
      port: reference,
      logLevel: reference,
      upstream: reference,
      upstreams: { a: reference, b: [reference] },
    }
    assert.ok(check(values), JSON.stringify(check.errors))
  }
  assert.not(check({ port: '8080' }))
})

test.run()
