// Request head → where it goes. One upstream for now, and signet's own pages; the route table takes this place.

/** Where requests are forwarded to. */
export interface Origin {
  /** DNS name or IP address, without brackets */
  readonly host: string
  readonly port: number
  /** as it stands in Host: brackets around IPv6, the default port left out */
  readonly authority: string
}

/** A page that signet answers by itself. */
export type Page = 'status' | 'metrics'

/** Where one request goes. */
export type Route =
  | { readonly kind: 'upstream'; readonly origin: Origin }
  | { readonly kind: 'page'; readonly page: Page }

/** Finds the route of a request-target. Compiled once, from the configuration. */
export type Router = (target: string) => Route

const PAGES: ReadonlyMap<string, Page> = new Map([
  ['/status', 'status'],
  ['/metrics', 'metrics'],
])

/**
 * Compiles the routes.
 *
 * @param ownPages false when the pages have a port of their own: then these paths are forwarded like any other
 */
export function createRouter(origin: Origin, ownPages: boolean): Router {
  const upstream: Route = { kind: 'upstream', origin }
  if (!ownPages) return () => upstream
  return (target) => {
    const page = pageOf(target)
    return page === undefined ? upstream : { kind: 'page', page }
  }
}

/** The page at a request-target; a query changes nothing. */
export function pageOf(target: string): Page | undefined {
  if (target.length < 7 || (target.charCodeAt(1) !== 0x73 && target.charCodeAt(1) !== 0x6d)) return undefined
  const query = target.indexOf('?')
  return PAGES.get(query === -1 ? target : target.slice(0, query))
}
