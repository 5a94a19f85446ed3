import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  durationInWords,
  prefersHtml,
  STATUS_PAGE_POLICY,
  statusHtml,
  statusJson,
} from '../../src/admin/status.ts'
import { type Snapshot, Traffic } from '../../src/admin/traffic.ts'
import { outline } from './html-outline.ts'

const test = suite('admin/status')

/** A process that has run for a bit more than a day and has seen something of everything. */
function snapshotOf({
  version = '1.2.3',
  id = 'a1b2',
  origin = 'http://upstream.example:8081',
} = {}): Snapshot {
  const traffic = new Traffic({ name: 'signet', version, id, startedAt: 500 })
  for (let i = 0; i < 1500; i++) {
    traffic.exchangeStarted()
    traffic.exchangeFinished('GET', 200, 20, 15, undefined)
  }
  traffic.exchangeStarted()
  traffic.exchangeFinished('POST', 502, 400, undefined, 'ERR_UPSTREAM_CLOSED')
  traffic.exchangeStarted()
  traffic.connectionOpened('downstream')
  traffic.connectionOpened('upstream')
  traffic.downstream.octetsReceived += 5_000_000_000
  traffic.tokenMinted()
  const counts = { open: 3, idle: 1, busy: 2, connecting: 0, waiting: 4, size: 64, queue: 256 }
  return traffic.snapshot(500 + 93_784_000, [{ upstream: 'main', condition: 'ejected', origin, ...counts }])
}

test('the JSON has this shape', () => {
  const { latencyMs, upstreamLatencyMs, ...rest } = JSON.parse(statusJson(snapshotOf()))
  assert.equal(rest, {
    name: 'signet',
    version: '1.2.3',
    instance: 'a1b2',
    uptimeSeconds: 93_784,
    uptime: '1 day, 2 hours, 3 minutes, 4 seconds',
    requests: {
      processed: 1501,
      inFlight: 1,
      byMethod: {
        GET: 1500,
        HEAD: 0,
        POST: 1,
        PUT: 0,
        PATCH: 0,
        DELETE: 0,
        OPTIONS: 0,
        TRACE: 0,
        CONNECT: 0,
        other: 0,
      },
      byStatusClass: { '1xx': 0, '2xx': 1500, '3xx': 0, '4xx': 0, '5xx': 1, other: 0 },
      byStatus: { 200: 1500, 502: 1 },
      failures: { ERR_UPSTREAM_CLOSED: 1 },
      retried: 0,
    },
    downstream: { open: 1, total: 1, octetsReceived: 5_000_000_000, octetsSent: 0, refusedAtCap: 0 },
    upstream: { open: 1, total: 1, octetsReceived: 0, octetsSent: 0, reused: 0 },
    pool: {
      origin: 'http://upstream.example:8081',
      open: 3,
      idle: 1,
      busy: 2,
      connecting: 0,
      waiting: 4,
      size: 64,
      queue: 256,
    },
    targets: [
      {
        upstream: 'main',
        condition: 'ejected',
        origin: 'http://upstream.example:8081',
        open: 3,
        idle: 1,
        busy: 2,
        connecting: 0,
        waiting: 4,
        size: 64,
        queue: 256,
      },
    ],
    tunnels: { open: 0, total: 0 },
    tokens: { minted: 1, imitationsDropped: 0 },
  })
  assert.equal([latencyMs.count, latencyMs.max], [1501, 400])
  assert.ok(Math.abs(latencyMs.p50 - 20) <= 20 / 64)
  assert.ok(Math.abs(latencyMs.p99 - 20) <= 20 / 64)
  assert.is(upstreamLatencyMs.count, 1500)
})

test('the page is well-formed and says what the JSON says', () => {
  const { text } = outline(statusHtml(snapshotOf()))
  for (const part of [
    ...['signet', '1.2.3', 'a1b2', '1 day, 2 hours, 3 minutes, 4 seconds', '93,784 s', '1,501'],
    ...[
      'ERR_UPSTREAM_CLOSED',
      'The upstream closed before it answered.',
      '5,000,000,000',
      '3 of 64',
      '4 of 256',
    ],
    ...['http://upstream.example:8081', 'p50', 'p90', 'p99', 'max', '2xx', 'POST', 'Tokens minted'],
    ...['Upstream targets', 'main', 'ejected'],
  ]) {
    assert.ok(text.includes(part), part)
  }
})

test('a page with nothing counted yet is well-formed', () => {
  const traffic = new Traffic({ name: 'signet', version: '1', id: 'x', startedAt: 0 })
  const { text } = outline(statusHtml(traffic.snapshot(0, [])))
  assert.ok(text.includes('none so far'))
  assert.ok(text.includes('running for 0 seconds'))
})

test('no text from outside can become markup', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'<>&"\'/ =scriptonx') })),
      (text) => {
        const plain = outline(statusHtml(snapshotOf()))
        const hostile = outline(statusHtml(snapshotOf({ version: text, id: text, origin: text })))
        assert.equal(hostile.elements, plain.elements)
        assert.ok(hostile.text.includes(`Instance ${text},`))
      },
    ),
  )
})

test('every table has a caption, and every heading cell a scope', () => {
  const { elements } = outline(statusHtml(snapshotOf()))
  const count = (name: string) => elements.filter((element) => element.name === name).length
  assert.ok(count('table') > 0)
  assert.is(count('caption'), count('table'))
  for (const { name, attributes } of elements)
    if (name === 'th') assert.match(attributes, /^scope="(row|col)"$/)
})

test('the page loads nothing and runs nothing, and its policy allows only its own style', () => {
  const page = statusHtml(snapshotOf())
  const { elements } = outline(page)
  for (const { name, attributes } of elements) {
    assert.not.ok(['script', 'link', 'img', 'iframe', 'object', 'form'].includes(name), name)
    assert.not.match(attributes, /(?:^| )(?:on[a-z]+|src|href|style)=/)
  }
  const style = /<style>([\s\S]*)<\/style>/.exec(page)![1]!
  assert.not.match(style, /url\(|@import/)
  const hash = createHash('sha256').update(style).digest('base64')
  assert.ok(STATUS_PAGE_POLICY.includes(`style-src 'sha256-${hash}'`))
  assert.ok(STATUS_PAGE_POLICY.startsWith("default-src 'none'"))
})

test('the page asks to be loaded anew every 5 seconds, or as told, or never', () => {
  assert.match(statusHtml(snapshotOf()), '<meta http-equiv="refresh" content="5">')
  assert.match(statusHtml(snapshotOf(), 30), '<meta http-equiv="refresh" content="30">')
  assert.not.match(statusHtml(snapshotOf(), 0), 'http-equiv="refresh"')
})

const CHROME = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'

const ACCEPTS: readonly (readonly [accept: string | undefined, html: boolean, why: string])[] = [
  [undefined, false, 'no field'],
  ['', false, 'an empty field'],
  ['*/*', false, 'curl'],
  ['application/json', false, 'a program'],
  ['application/json, */*;q=0.5', false, 'a program that takes anything'],
  ['text/*', false, 'a wildcard names nothing'],
  ['text/plain', false, 'neither'],
  [CHROME, true, 'a browser'],
  ['text/html', true, 'HTML alone'],
  ['application/xhtml+xml', true, 'XHTML alone'],
  ['TEXT/HTML', true, 'types ignore case (RFC 9110 §8.3.1)'],
  ['text/html;charset=utf-8', true, 'a parameter'],
  ['text/html, */*', true, 'a name beats a wildcard'],
  ['text/html;q=0.5, */*', false, 'anything else is better'],
  ['text/html;q=0.5, application/*;q=0.4, */*', true, 'the nearer wildcard decides'],
  ['text/html;q=0', false, 'refused'],
  ['text/html;q=0.000', false, 'refused, at length'],
  ['text/html;q=0, application/xhtml+xml', true, 'only one of the two refused'],
  ['text/html, application/json', false, 'equal'],
  ['text/html;q=0.9, application/json;q=0.8', true, 'HTML preferred'],
  ['text/html;q=0.8, application/json;q=0.9', false, 'JSON preferred'],
  ['text/html;q=0.1, application/json;q=0', true, 'JSON refused'],
  ['application/json;q=0.2 , text/html ;Q=0.3', true, 'optional whitespace, and a weight ignores case'],
  ['text/html;q=2', false, 'not a weight'],
  ['text/html;q=', false, 'no weight'],
  ['text/html;q=0.1234', false, 'more than three decimals'],
  [',, text/html ,,', true, 'empty members (RFC 9110 §5.6.1)'],
  ['text/htmlx', false, 'a longer name'],
  ['application/json;x="text/html"', false, 'a name within a parameter'],
]
for (const [accept, html, why] of ACCEPTS) {
  test(`Accept: ${accept} means ${html ? 'HTML' : 'JSON'} (${why})`, () =>
    assert.is(prefersHtml(accept), html))
}

test('a hostile Accept of 64 KiB is read within 100 ms of CPU time', () => {
  for (const unit of ['"', ',', ';', 'q=', '"\\', 'text/html;q="', ' ']) {
    const before = process.cpuUsage() // not wall time, which other processes take their share of
    prefersHtml(unit.repeat(65_536 / unit.length))
    const { user, system } = process.cpuUsage(before)
    assert.ok(user + system < 100_000, `${JSON.stringify(unit)}: ${user + system} µs`)
  }
})

const WORDS: readonly (readonly [seconds: number, words: string])[] = [
  [0, '0 seconds'],
  [0.999, '0 seconds'],
  [1, '1 second'],
  [59.9, '59 seconds'],
  [60, '1 minute'],
  [3601, '1 hour, 1 second'],
  [86_400, '1 day'],
  [400 * 86_400 + 7200, '400 days, 2 hours'],
]
for (const [seconds, words] of WORDS) {
  test(`${seconds} s is said as ${words}`, () => assert.is(durationInWords(seconds), words))
}

test.run()
