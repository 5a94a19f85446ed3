// The requests that loads are made of, and what each is answered with.

/** One request, sent again and again. */
export interface RequestSpec {
  readonly method: 'GET' | 'POST'
  readonly target: string
  readonly fields: Readonly<Record<string, string>>
  readonly body: string
  /** The body it is answered with. */
  readonly answer: string
}

/** What both upstreams answer to most targets. */
export const SMALL_ANSWER = JSON.stringify({ id: 42, name: 'signet', ok: true })
/** What both upstreams answer to /ten-kib. */
export const TEN_KIB_ANSWER = 'x'.repeat(10 * 1024)

/** What a browser sends with a request, but for Host. */
export const BROWSER_FIELDS = {
  Connection: 'keep-alive',
  'Cache-Control': 'max-age=0',
  'sec-ch-ua': '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Linux"',
  DNT: '1',
  'Upgrade-Insecure-Requests': '1',
  'User-Agent':
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
  'Sec-Fetch-Site': 'same-origin',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-User': '?1',
  'Sec-Fetch-Dest': 'document',
  Referer: 'https://shop.example.com/shops/42',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
  Cookie: `session=${'0123456789abcdef'.repeat(4)}; theme=dark; consent=${'x'.repeat(120)}`,
  'If-None-Match': 'W/"5f2b-18c3a1d2e40"',
  'X-Requested-With': 'fetch',
}
export const BROWSER_TARGET = '/shops/42/transactions?from=2026-01-01&to=2026-01-31&sort=-date'

export const SMALL_POST: RequestSpec = {
  method: 'POST',
  target: '/protected',
  fields: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ hello: 'world', list: [1, 2, 3] }),
  answer: SMALL_ANSWER,
}

/** Asks for the connection to be closed, so that each request has one of its own. */
export const CLOSING_POST: RequestSpec = {
  ...SMALL_POST,
  fields: { ...SMALL_POST.fields, Connection: 'close' },
}

export const TEN_KIB: RequestSpec = {
  method: 'GET',
  target: '/ten-kib',
  fields: {},
  body: '',
  answer: TEN_KIB_ANSWER,
}

export const BROWSER: RequestSpec = {
  method: 'GET',
  target: BROWSER_TARGET,
  fields: BROWSER_FIELDS,
  body: '',
  answer: SMALL_ANSWER,
}
