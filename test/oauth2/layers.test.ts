import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const test = suite('oauth2/layers')

/** Seen from build/test/oauth2/. */
const ROOT = fileURLToPath(new URL('../../../examples/oauth2/', import.meta.url))

/** Every file, and what it imports: paths below examples/oauth2/, and modules and packages by their names. */
function readImports(): ReadonlyMap<string, readonly string[]> {
  const names = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  return new Map(
    names.map((name) => {
      const path = name.split(sep).join('/')
      const found = readFileSync(join(ROOT, name), 'utf8').matchAll(/(?:\bfrom|\bimport)[\s(]+'([^']+)'/g)
      const imported = [...found].map(([, to]) => to!)
      return [path, imported.map((to) => (to.startsWith('.') ? posix.join(posix.dirname(path), to) : to))]
    }),
  )
}

/** Who may import what. */
const MAY_IMPORT: readonly (readonly [who: RegExp, what: RegExp])[] = [
  [/^authorization-server\/core\//, /^(authorization-server\/core\/|node:(assert\/strict|crypto)$|jose$)/],
  [
    /^authorization-server\/transport\//,
    /^(authorization-server\/(core|transport)\/|service\/(check|http-service)\.ts$)/,
  ],
  [/^authorization-server\/config\.ts$/, /^(authorization-server\/core\/|service\/(check|schemas)\.ts$)/],
  [/^time-service\/clock\.ts$/, /^(?!)/],
  [/^time-service\//, /^(time-service|service)\/|^jose$|^node:fs$/],
  [/^authorization-server\//, /^(authorization-server|service)\/|^node:fs$/],
  [/^webapp\//, /^(webapp|service)\/|^node:crypto$/],
  [/^resource-server\//, /^(resource-server|service)\/|^time-service\/config\.ts$/],
  [/^service\/schemas\.ts$/, /^service\/check\.ts$/],
  [/^service\/run-signet\.ts$/, /^service\/|^node:(fs|url)$|^pino$/],
  [/^service\//, /^service\/|^node:(crypto|events|http|net)$|^ajv\/dist\/2020\.js$|^pino$/],
]

test('the core knows no HTTP, neither service knows the other, and neither knows how signet is made', () => {
  const files = readImports()
  assert.ok(files.size > 15, `found only ${files.size} files`)
  for (const [path, imported] of files) {
    const [, allowed] = MAY_IMPORT.find(([who]) => who.test(path)) ?? []
    assert.ok(allowed, `${path} is in no layer`)
    for (const to of imported) assert.match(to, allowed, `${path} imports ${to}`)
  }
})

test('each layer is there: no rule speaks of nothing', () => {
  const paths = [...readImports().keys()]
  for (const [who] of MAY_IMPORT)
    assert.ok(
      paths.some((path) => who.test(path)),
      String(who),
    )
})

test.run()
