// Request-target → signet's own page, if it is one. Where requests go otherwise: http/route-table.ts.

/** A page that signet answers by itself. */
export type Page = 'status' | 'metrics' | 'keys'

const PAGES: ReadonlyMap<string, Page> = new Map([
  ['/status', 'status'],
  ['/metrics', 'metrics'],
])

/** The page at a request-target; a query changes nothing. */
export function pageOf(target: string): Page | undefined {
  if (target.length < 7 || (target.charCodeAt(1) !== 0x73 && target.charCodeAt(1) !== 0x6d)) return undefined
  const query = target.indexOf('?')
  return PAGES.get(query === -1 ? target : target.slice(0, query))
}

/** Where verifiers fetch the public keys (RFC 8615; the name is that of OpenID Connect). */
const KEYS_PATH = '/.well-known/jwks.json'

/** The page with the public keys, if it is that. */
export function keysPageOf(target: string): Page | undefined {
  if (!target.startsWith(KEYS_PATH)) return undefined
  return target.length === KEYS_PATH.length || target.charCodeAt(KEYS_PATH.length) === 0x3f
    ? 'keys'
    : undefined
}
