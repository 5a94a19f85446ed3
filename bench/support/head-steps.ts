// The heads that benches are made with, and the steps of each on its way through. The octets lie in the shared read
// buffer, as on the road, each head in a place of its own; the text that is made is written out, as into a socket.

import { FieldSection } from '../../src/http/fields.ts'
import { FieldRules } from '../../src/http/forward-fields.ts'
import { ForwardingLines } from '../../src/http/forwarding.ts'
import { findHeadEnd, scanHead } from '../../src/http/head-scanner.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { readRequest } from '../../src/http/request.ts'
import { readResponse } from '../../src/http/response.ts'
import { rewriteRequest, rewriteResponse } from '../../src/http/rewrite.ts'
import { BROWSER_FIELDS, BROWSER_TARGET } from '../endpoints/requests.ts'

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
  `GET ${BROWSER_TARGET} HTTP/1.1`,
  'Host: shop.example.com',
  ...Object.entries(BROWSER_FIELDS).map(([name, value]) => `${name}: ${value}`),
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
    `${new ForwardingLines('127.0.0.1', 'http').lines({ authority: '127.0.0.1:8080', fields: new FieldSection('', []), rules: [] })}Via: 1.1 signet-0a1b2c3d\r\n` +
    `x-my-jwt: ${'x'.repeat(290)}\r\n`,
}

/** The steps of one head. All but the first two include those before them; what they return is of no use but to be used. */
export interface HeadSteps {
  /** octets of the head */
  readonly length: number
  /** its end, by indexOf */
  readonly find: () => number
  /** its end, octet by octet */
  readonly scan: () => number
  /** llhttp, in place */
  readonly parse: () => number
  /** … and judged: a RequestHead or ResponseHead */
  readonly read: () => number
  /** … and the text to forward */
  readonly rewrite: () => number
  /** … and written out: the whole road */
  readonly write: () => number
}

/** All heads there are. */
export const HEADS = {
  post: requestSteps(SMALL_POST, 0),
  browser: requestSteps(BROWSER, 16 * 1024),
  response: responseSteps(RESPONSE, 32 * 1024),
} as const satisfies Record<string, HeadSteps>

function head(...lines: string[]): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
}

/** Puts a head where the kernel would, and more octets behind it: a body, the next request, an older read. */
function received(octets: Buffer, at: number): number {
  const end = at + octets.copy(parser.region, at)
  parser.region.fill('x', end, end + 1024)
  return end
}

function requestSteps(octets: Buffer, start: number): HeadSteps {
  const end = received(octets, start)
  const { region } = parser
  const parse = () => parser.parseRequest(region, start, end)
  const read = () => readRequest(parse(), rules, MAX_TARGET_SIZE)
  const rewrite = () => rewriteRequest(read(), ADDITIONS)
  return {
    length: octets.length,
    find: () => findHeadEnd(region, start, end),
    scan: () => scanHead(region, start, end, 'none').end,
    parse: () => parse().targetEnd,
    read: () => read().method.length,
    rewrite: () => rewrite().length,
    write: () => out.write(rewrite(), 'latin1'),
  }
}

function responseSteps(octets: Buffer, start: number): HeadSteps {
  const end = received(octets, start)
  const { region } = parser
  const parse = () => parser.parseResponse(region, start, end)
  const read = () => readResponse(parse(), rules, 'POST')
  const rewrite = () => {
    const response = read()
    return rewriteResponse(response, { framing: response.framing, close: false, dateLine: '' })
  }
  return {
    length: octets.length,
    find: () => findHeadEnd(region, start, end),
    scan: () => scanHead(region, start, end, 'none').end,
    parse: () => parse().fields.count,
    read: () => read().status,
    rewrite: () => rewrite().length,
    write: () => out.write(rewrite(), 'latin1'),
  }
}
