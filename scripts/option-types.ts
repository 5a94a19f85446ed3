// JSON Schema → TypeScript: the types of the library's options. In: the schema of configuration files. Out: the text of
// src/options.ts, in which every key has its description. Pure.

import type { JsonSchema } from '../src/config/schema.ts'

/** Names of the types, by where what they describe stands; of two that are the same the first counts. */
const NAMES: Readonly<Record<string, string>> = {
  tls: 'TlsOptions',
  forward: 'ForwardOptions',
  'forward.allow[]': 'DestinationOptions',
  'keys.*': 'KeyOptions',
  redis: 'RedisOptions',
  'upstreams.*': 'UpstreamOptions',
  'upstreams.*.targets[]': 'TargetOptions',
  'upstreams.*.tls': 'UpstreamTlsOptions',
  'upstreams.*.credential': 'CredentialUseOptions',
  'upstreams.*.ejection': 'EjectionOptions',
  'upstreams.*.health': 'HealthOptions',
  'upstreams.*.token': 'TokenOptions',
  'routes[]': 'RouteOptions',
  'routes[].limit': 'LimitOptions',
  'routes[].compress': 'CompressionOptions',
  'authenticators.*': 'AuthenticatorOptions',
  'credentials.*': 'CredentialOptions',
  'authenticators.*.keys[]': 'ApiKeyOptions',
}

/** Keys that mean nothing in a program: `createProxy` refuses them. */
const LEFT_OUT = ['$schema', 'workers', 'logLevel']

/** What stands beside the keys of the schema. */
const BESIDE: Readonly<Record<string, string>> = {
  RouteOptions: `  /** what runs around the exchanges of this route, inside of what runs around all */
  readonly middleware?: readonly Middleware[] | undefined
`,
}

/** As in biome.json. */
const LINE_WIDTH = 110

const HEAD = `// The configuration as typed objects. Written by scripts/options.ts from the schema in config/schema.ts: change that, and run
// \`npm run settings\`.

import type { Middleware } from './middleware/middleware.ts'
`

/** The text of src/options.ts. */
export function optionsText(schema: JsonSchema): string {
  const named = new Map<string, string>()
  const declared: string[] = []

  function typeOf(part: JsonSchema, place: string): string {
    const { anyOf, ...rest } = part
    const own = { ...rest, ...anyOf?.[0] } // each anyOf was made by \`value\`: the value as it is written comes first
    if (own.enum !== undefined) return own.enum.map((one) => literal(one)).join(' | ')
    const types = [own.type].flat()
    const all = types.map((type) => {
      if (type === 'array') return listOf(own, place)
      if (type === 'object') return objectOf(own, place)
      if (type === 'string') return wordsOf(own.pattern) ?? 'string'
      return type === 'integer' ? 'number' : (type ?? 'unknown')
    })
    return [...new Set(all)].join(' | ')
  }

  function listOf({ items = {}, minItems, maxItems }: JsonSchema, place: string): string {
    // The items of `upstreams.*` are its targets too.
    const item = typeOf(items, place === 'upstreams.*' ? 'upstreams.*.targets[]' : `${place}[]`)
    if (minItems === 2 && maxItems === 2) return `readonly [${item}, ${item}]`
    return item.includes(' | ') ? `readonly (${item})[]` : `readonly ${item}[]`
  }

  function objectOf(own: JsonSchema, place: string): string {
    const { properties, additionalProperties, items: _, ...rest } = own
    if (properties === undefined) {
      const member =
        typeof additionalProperties === 'object' ? typeOf(additionalProperties, `${place}.*`) : 'unknown'
      return `Readonly<Record<string, ${member}>>`
    }
    const key = JSON.stringify(properties)
    const known = named.get(key)
    if (known !== undefined) return known
    const name = NAMES[place.replace(/^keys\.\*\[\]$/, 'keys.*')]
    if (name === undefined) throw new RangeError(`${place}: give the type of this object a name`)
    named.set(key, name)
    const members = membersOf(own, place)
    declared.push(
      `/** ${comment(rest.description ?? '')} */\nexport interface ${name} {\n${members.join('')}${BESIDE[name] ?? ''}}\n`,
    )
    return name
  }

  function membersOf(own: JsonSchema, place: string): string[] {
    return Object.entries(own.properties ?? {})
      .filter(([name]) => place !== '' || !LEFT_OUT.includes(name))
      .map(([name, member]) => {
        const optional = own.required?.includes(name) !== true
        const type = typeOf(member, place === '' ? name : `${place}.${name}`)
        return `  /** ${docOf(member)} */\n${lineOf(name, type, optional)}\n`
      })
  }

  const members = membersOf(schema, '')
  const root = `/** What a configuration file says, as an object. Durations are in ms. */\nexport interface ConfigOptions {\n${members.join('')}}\n`
  return [HEAD, ...declared, root].join('\n')
}

/** A member as the formatter has it. */
function lineOf(name: string, type: string, optional: boolean): string {
  if (!optional) return `  readonly ${name}: ${type}`
  const line = `  readonly ${name}?: ${type} | undefined`
  return line.length <= LINE_WIDTH ? line : `  readonly ${name}?:\n    | ${type}\n    | undefined`
}

function docOf({ description = '', default: fallback }: JsonSchema): string {
  const text = comment(description)
  return fallback === undefined ? text : `${text}; default: ${comment(JSON.stringify(fallback))}`
}

/** Nothing in it ends a comment. */
function comment(text: string): string {
  return text.replaceAll('*/', '*\\/')
}

/** A pattern that is a few words becomes those. */
function wordsOf(pattern: string | undefined): string | undefined {
  const words = /^\^(?:\((\w+(?:\|\w+)*)\)|(\w+))\$$/.exec(pattern ?? '')
  return (words?.[1] ?? words?.[2])?.split('|').map(literal).join(' | ')
}

function literal(value: string | boolean): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}
