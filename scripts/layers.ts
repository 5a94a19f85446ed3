// Who may import whom in src/, and who owns what from outside. In: the text of every source file. Out: one sentence for
// each statement that breaks a rule. test/layers.test.ts runs it on src/ and proves that each rule bites.

import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import ts from 'typescript'

/** Path below `src/`, with forward slashes → text. */
export type Sources = ReadonlyMap<string, string>

/** Layers of {@link LAYERS} and {@link MAY_IMPORT}. */
type Layer = keyof typeof MAY_IMPORT

/** Where each layer lives: a folder, with its slash, or a file. */
const LAYERS: readonly (readonly [place: string, layer: Layer])[] = [
  ['errors.ts', 'errors'],
  ['http/', 'http'],
  ['jwt/', 'jwt'],
  ['auth/', 'auth'],
  ['credentials/', 'credentials'],
  ['limits/', 'limits'],
  ['net/', 'net'],
  ['compression/', 'compression'],
  ['middleware/', 'middleware'],
  ['admin/', 'admin'],
  ['config.ts', 'config'],
  ['config/', 'config'],
  ['setting-readers.ts', 'config'],
  ['exchange.ts', 'exchange'],
  ['gateway.ts', 'exchange'],
  ['admission-steps.ts', 'exchange'],
  ['forward.ts', 'exchange'],
  ['admission.ts', 'exchange'],
  ['login.ts', 'exchange'],
  ['told.ts', 'exchange'],
  ['log.ts', 'log'],
  ['checks.ts', 'exchange'],
  ['exchange-record.ts', 'record'],
  ['destination.ts', 'exchange'],
  ['observer.ts', 'proxy'],
  ['proxy.ts', 'proxy'],
  ['version.ts', 'errors'],
  ['options.ts', 'exchange'],
  ['library.ts', 'library'],
  ['library-options.ts', 'library'],
  ['index.ts', 'library'],
  ['workers/', 'workers'],
  ['commands/', 'commands'],
  ['main.ts', 'main'],
]

/** What a layer may import besides itself; `type x` allows `import type` alone. Lowest first, so never in a circle. */
const MAY_IMPORT = {
  errors: [],
  http: ['errors'],
  jwt: ['errors'],
  auth: ['errors', 'http', 'jwt'],
  credentials: ['errors', 'http', 'auth'],
  limits: ['errors', 'http'],
  net: ['errors', 'http'],
  compression: ['errors', 'http', 'net'],
  middleware: ['errors', 'http', 'net'],
  admin: ['errors', 'http', 'type net'],
  config: ['errors', 'http'],
  record: ['type errors', 'type http'],
  exchange: [
    'errors',
    'record',
    'http',
    'jwt',
    'auth',
    'credentials',
    'limits',
    'net',
    'compression',
    'middleware',
    'admin',
    'config',
  ],
  log: ['record'],
  proxy: [
    'errors',
    'record',
    'http',
    'jwt',
    'auth',
    'net',
    'compression',
    'middleware',
    'admin',
    'config',
    'exchange',
    'log',
  ],
  library: ['errors', 'record', 'http', 'jwt', 'middleware', 'config', 'exchange', 'log', 'proxy'],
  workers: ['errors', 'admin', 'type config', 'type http', 'type proxy'],
  commands: [
    'errors',
    'http',
    'jwt',
    'auth',
    'net',
    'compression',
    'admin',
    'config',
    'exchange',
    'log',
    'proxy',
    'workers',
  ],
  main: ['commands'],
} as const satisfies Record<string, readonly string[]>

/** Who may import what comes from outside. A package that is not listed has no owner; a module of Node is free to all. */
const OWNERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['node:net', ['net/', 'type commands/']],
  ['node:tls', ['net/', 'config/certificates.ts']],
  ['node:dns', ['net/']],
  ['node:fs', ['main.ts', 'commands/']],
  ['node:fs/promises', ['main.ts', 'commands/']],
  ['node:cluster', ['workers/']],
  ['node:zlib', ['compression/', 'config/']], // the configuration must know which codings this Node has
  ['node:process', ['main.ts', 'commands/']],
  ['llhttp-wasm', ['http/parser.ts']],
  ['jose', ['jwt/', 'auth/']],
  ['oauth4webapi', ['credentials/']],
  ['pino', ['log.ts']],
  ['pino-pretty', ['log.ts']],
  ['prom-client', ['admin/']],
  ['close-with-grace', ['commands/']],
  ['find-my-way', ['http/path-tree.ts']],
  ['rate-limiter-flexible', ['limits/']],
  ['ioredis', ['limits/redis-link.ts', 'type limits/']],
  ['negotiator', ['compression/']],
  ['compressible', ['compression/']],
  ['yaml', ['config/']],
  ['ajv/dist/2020.js', ['config/', 'auth/']],
  ['ipaddr.js', ['http/address.ts', 'net/address-list.ts']],
  ['selfsigned', ['commands/cert.ts']],
])

/** Globals that few may touch: the others receive what they need as an argument. */
const GLOBAL_OWNERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['process', ['main.ts', 'commands/', 'workers/', 'admin/']], // the process is what admin/ measures
  ['console', []], // commands print where they are told, everything else logs
])

/** Layers without a clock of their own, and what would be one. */
const TIMELESS: readonly Layer[] = ['errors', 'http', 'jwt', 'config']
const CLOCKS: ReadonlySet<string> = new Set(['performance', 'setTimeout', 'setInterval', 'setImmediate'])

/** One module that a file asks for. */
export interface Import {
  /** as written */
  readonly specifier: string
  /** gone after compilation: `import type`, or `import('x')` as a type */
  readonly typeOnly: boolean
  readonly line: number
}

/**
 * Everything in `sources` that breaks a rule.
 *
 * @returns one sentence each, beginning with `path:line`, by path; none when all is well
 */
export function findViolations(sources: Sources): string[] {
  const files = [...sources].sort(([a], [b]) => (a < b ? -1 : 1))
  const parsed = files.map(([path, text]) => ({ path, tree: parse(path, text) }))
  const imports = new Map(parsed.map(({ path, tree }) => [path, importsOf(tree)]))
  return [
    ...parsed.flatMap(({ path, tree }) => [
      ...(imports.get(path) ?? []).flatMap((found) => judgeImport(path, found, sources)),
      ...judgeShape(path, tree),
      ...judgeGlobals(path, tree),
    ]),
    ...findCircles(imports),
  ]
}

/** The packages that `sources` import, by name, sorted. */
export function packagesOf(sources: Sources): string[] {
  const names = [...sources].flatMap(([path, text]) =>
    importsOf(parse(path, text))
      .filter(({ specifier }) => !isRelative(specifier) && !isBuiltin(specifier))
      .map(({ specifier }) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')),
  )
  return [...new Set(names)].sort()
}

function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
}

/** Every import and re-export of a file, static, dynamic or within a type. */
export function importsOf(tree: ts.SourceFile): Import[] {
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean) => {
    if (specifier && ts.isStringLiteralLike(specifier))
      found.push({ specifier: specifier.text, typeOnly, line: lineOf(tree, specifier) })
  }
  for (const node of nodesOf(tree)) {
    // `import { type A }` stays as `import {}` with verbatimModuleSyntax: it loads the module, so it is no type import.
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly === true)
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false)
  }
  return found
}

/** May `path` import this? */
function judgeImport(path: string, { specifier, typeOnly, line }: Import, sources: Sources): string[] {
  const at = `${path}:${line}`
  if (!isRelative(specifier)) {
    if (isBuiltin(specifier) && !specifier.startsWith('node:'))
      return [`${at} imports ${specifier}: write node:${specifier}`]
    const owners = OWNERS.get(specifier)
    if (owners === undefined && isBuiltin(specifier)) return []
    if (owners === undefined)
      return [`${at} imports ${specifier}, which has no owner: give it one in scripts/layers.ts`]
    return ownedBy(owners, path, typeOnly)
      ? []
      : [`${at} imports ${specifier}, which belongs to ${owners.join(' and ')}`]
  }
  const target = resolve(path, specifier)
  const from = layerOf(path)
  const to = layerOf(target)
  if (from === undefined) return [`${at} is in no layer: give it one in scripts/layers.ts`]
  if (to === undefined || !sources.has(target))
    return [`${at} imports ${specifier}, which is no file of src/`]
  const allowed: readonly string[] = MAY_IMPORT[from]
  if (from === to || allowed.includes(to) || (typeOnly && allowed.includes(`type ${to}`))) return []
  const types = allowed.includes(`type ${to}`) ? ' except by import type' : ''
  return [`${at} imports ${specifier}: ${from} may not import ${to}${types}`]
}

/** The one file that exports the names of others: what `exports` of package.json points at. */
const ENTRY = 'index.ts'

/** No barrel, no default export, no state that belongs to a module. */
function judgeShape(path: string, tree: ts.SourceFile): string[] {
  const found: string[] = []
  const complain = (node: ts.Node, problem: string) => found.push(`${path}:${lineOf(tree, node)} ${problem}`)
  if (/(^|\/)index\.ts$/.test(path) && path !== ENTRY)
    found.push(`${path}:1 is a barrel: import from where a name is declared`)
  for (const node of tree.statements) {
    if (ts.isExportDeclaration(node) && node.moduleSpecifier && path !== ENTRY)
      complain(node, 'exports the names of another file')
    if (ts.isExportAssignment(node) || isDefault(node)) complain(node, 'has a default export: give it a name')
    if (!ts.isVariableStatement(node)) continue
    if (!(node.declarationList.flags & ts.NodeFlags.Const))
      complain(node, 'has module-level state: let or var')
    for (const { initializer } of node.declarationList.declarations)
      if (initializer && isEmptyCollection(initializer))
        complain(node, 'has module-level state: a collection to be filled')
  }
  return found
}

function isDefault(node: ts.Statement): boolean {
  if (ts.isExportDeclaration(node) && node.exportClause && ts.isNamedExports(node.exportClause))
    return node.exportClause.elements.some(({ name }) => name.text === 'default')
  return (
    ts.canHaveModifiers(node) &&
    node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword) === true
  )
}

function isEmptyCollection(node: ts.Expression): boolean {
  if (ts.isArrayLiteralExpression(node)) return node.elements.length === 0
  if (!ts.isNewExpression(node) || !ts.isIdentifier(node.expression)) return false
  return /^(Weak)?(Map|Set)$/.test(node.expression.text) && !node.arguments?.length
}

/** The environment, the console and the clock belong to few. */
function judgeGlobals(path: string, tree: ts.SourceFile): string[] {
  const layer = layerOf(path)
  const timeless = layer !== undefined && TIMELESS.includes(layer)
  const found: string[] = []
  for (const node of nodesOf(tree)) {
    if (timeless && readsDate(node))
      found.push(`${path}:${lineOf(tree, node)} reads the clock: take it as an argument`)
    if (!ts.isIdentifier(node) || !isReference(node)) continue
    const owners = GLOBAL_OWNERS.get(node.text)
    if (owners && !ownedBy(owners, path, false))
      found.push(
        `${path}:${lineOf(tree, node)} uses ${node.text}, which belongs to ${owners.join(' and ') || 'nobody'}`,
      )
    if (timeless && CLOCKS.has(node.text))
      found.push(
        `${path}:${lineOf(tree, node)} uses ${node.text}, but ${layer} has no clock: take it as an argument`,
      )
  }
  return found
}

/** `Date.now` or `new Date()`; `new Date(ms)` is arithmetic. */
function readsDate(node: ts.Node): boolean {
  const isDate = (what: ts.Node) => ts.isIdentifier(what) && what.text === 'Date'
  if (ts.isNewExpression(node)) return isDate(node.expression) && !node.arguments?.length
  return ts.isPropertyAccessExpression(node) && isDate(node.expression) && node.name.text === 'now'
}

/** Whether an identifier means a variable, not a member of something else or the name of a new thing. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent))
    return (
      parent.expression === node ||
      (ts.isIdentifier(parent.expression) && parent.expression.text === 'globalThis')
    )
  if (ts.isQualifiedName(parent)) return false
  if (ts.isBindingElement(parent)) return parent.initializer === node
  if (ts.isShorthandPropertyAssignment(parent)) return true
  return !('name' in parent && parent.name === node)
}

/** Files that import each other, be it for types alone, each circle once. */
function findCircles(imports: ReadonlyMap<string, readonly Import[]>): string[] {
  const circles: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const visit = (path: string, trail: readonly string[]) => {
    if (state.get(path) === 'open')
      circles.push(`${[...trail.slice(trail.indexOf(path)), path].join(' → ')} is a circle`)
    if (state.has(path)) return
    state.set(path, 'open')
    for (const { specifier } of imports.get(path) ?? [])
      if (isRelative(specifier)) visit(resolve(path, specifier), [...trail, path])
    state.set(path, 'done')
  }
  for (const path of imports.keys()) visit(path, [])
  return circles
}

function* nodesOf(tree: ts.Node): Generator<ts.Node> {
  const waiting: ts.Node[] = [tree]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    yield node
    const children: ts.Node[] = []
    ts.forEachChild(node, (child) => {
      children.push(child)
    })
    waiting.push(...children.reverse())
  }
}

function layerOf(path: string): Layer | undefined {
  return LAYERS.find(([place]) => isIn(place, path))?.[1]
}

function ownedBy(owners: readonly string[], path: string, typeOnly: boolean): boolean {
  return owners.some((owner) => isIn(owner, path) || (typeOnly && isIn(owner.replace(/^type /, ''), path)))
}

function isIn(place: string, path: string): boolean {
  return place.endsWith('/') ? path.startsWith(place) : path === place
}

function isRelative(specifier: string): boolean {
  return /^\.{0,2}\//.test(specifier)
}

function resolve(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier)
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
}
