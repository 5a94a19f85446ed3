// What a head costs on its way through, step by step: `node build/bench/head.js`. ns per head, best of several rounds.
// The octets lie in the shared read buffer, as on the road; the text that is made is written out, as into a socket.

import { FieldRules } from '../src/http/forward-fields.ts'
import { ForwardingLines } from '../src/http/forwarding.ts'
import { findHeadEnd, scanHead } from '../src/http/head-scanner.ts'
import { createHeadParser } from '../src/http/parser.ts'
import { readRequest } from '../src/http/request.ts'
import { readResponse } from '../src/http/response.ts'
import { rewriteRequest, rewriteResponse } from '../src/http/rewrite.ts'
import { table } from './support/figures.ts'
import { nsPerCall } from './support/timing.ts'

const MAX_TARGET_SIZE = 8192
const parser = createHeadParser({ region: 64 * 1024, maxHeadSize: 16 * 1024, maxFields: 100 })
const rules = new FieldRules(['x-my-jwt'])
const out = Buffer.alloc(16 * 1024)

const SMALL_POST = head(
  'POST /protected HTTP/1.1',
  'Host: 127.0.0.1:8080',
  'Connection: keep-alive',
  'Content-Type: application/json',
  'Content-Length: 33',
)
const BROWSER = head(
  'GET /shops/42/transactions?from=2026-01-01&to=2026-01-31&sort=-date HTTP/1.1',
  'Host: shop.example.com',
  'Connection: keep-alive',
  'Cache-Control: max-age=0',
  'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
  'sec-ch-ua-mobile: ?0',
  'sec-ch-ua-platform: "Linux"',
  'DNT: 1',
  'Upgrade-Insecure-Requests: 1',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-User: ?1',
  'Sec-Fetch-Dest: document',
  'Referer: https://shop.example.com/shops/42',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  `Cookie: session=${'0123456789abcdef'.repeat(4)}; theme=dark; consent=${'x'.repeat(120)}`,
  'If-None-Match: W/"5f2b-18c3a1d2e40"',
  'X-Requested-With: fetch',
)
const RESPONSE = head(
  'HTTP/1.1 200 OK',
  'Date: Thu, 01 Jan 2026 00:00:00 GMT',
  'Content-Type: application/json',
  'Content-Length: 37',
)

const ADDITIONS = {
  fallbackAuthority: '127.0.0.1:9000',
  upgrade: undefined,
  lines:
    `${new ForwardingLines('127.0.0.1').lines('127.0.0.1:8080')}Via: 1.1 signet-0a1b2c3d\r\n` +
    `x-my-jwt: ${'x'.repeat(290)}\r\n`,
}

function head(...lines: string[]): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
}

/** Puts a head where the kernel would, and more octets behind it: a body, the next request, an older read. */
function received(octets: Buffer): number {
  parser.region.fill('x', octets.length, octets.length + 1024)
  return octets.copy(parser.region)
}

/** ns of each step on the road of a request head; each includes the ones before it, but for the search. */
function requestSteps(octets: Buffer): number[] {
  const end = received(octets)
  const { region } = parser
  const parse = () => parser.parseRequest(region, 0, end)
  const read = () => readRequest(parse(), rules, MAX_TARGET_SIZE)
  const rewrite = () => rewriteRequest(read(), ADDITIONS)
  return [
    nsPerCall(() => findHeadEnd(region, 0, end)),
    nsPerCall(() => scanHead(region, 0, end, 'none').end),
    nsPerCall(() => parse().targetEnd),
    nsPerCall(() => read().method.length),
    nsPerCall(() => rewrite().length),
    nsPerCall(() => out.write(rewrite(), 'latin1')),
  ]
}

function responseSteps(octets: Buffer): number[] {
  const end = received(octets)
  const { region } = parser
  const parse = () => parser.parseResponse(region, 0, end)
  const read = () => readResponse(parse(), rules, 'POST')
  const rewrite = () => {
    const response = read()
    return rewriteResponse(response, { framing: response.framing, close: false, dateLine: '' })
  }
  return [
    nsPerCall(() => findHeadEnd(region, 0, end)),
    nsPerCall(() => scanHead(region, 0, end, 'none').end),
    nsPerCall(() => parse().fields.count),
    nsPerCall(() => read().status),
    nsPerCall(() => rewrite().length),
    nsPerCall(() => out.write(rewrite(), 'latin1')),
  ]
}

const STEPS = [
  'its end, by indexOf (findHeadEnd)',
  'its end, octet by octet (scanHead)',
  'llhttp, in place',
  '… and judged: a RequestHead or ResponseHead',
  '… and the text to forward',
  '… and written out: the whole road',
]
const HEADS = {
  [`POST, 4 fields, ${SMALL_POST.length} B`]: requestSteps(SMALL_POST),
  [`browser, 20 fields, ${BROWSER.length} B`]: requestSteps(BROWSER),
  [`response, ${RESPONSE.length} B`]: responseSteps(RESPONSE),
}
const columns = Object.values(HEADS)
console.log(
  `ns per head, Node ${process.versions.node}; each step includes those before it, but for the first two\n`,
)
console.log(
  table(
    ['', ...Object.keys(HEADS)],
    STEPS.map((step, at) => [step, ...columns.map((ns) => ns[at]!.toFixed(0))]),
  ),
)
