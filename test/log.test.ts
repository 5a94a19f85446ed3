import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../src/errors.ts'
import type { ExchangeRecord } from '../src/exchange-record.ts'
import { exchangeFields } from '../src/exchange-record.ts'
import { ENCODINGS } from '../src/http/gateway.ts'
import { exchangeLine, openLog } from '../src/log.ts'

const test = suite('log')

const record: ExchangeRecord = {
  id: 'abc-1',
  client: '127.0.0.1',
  method: 'GET',
  path: '/x',
  status: 200,
  failure: undefined,
  octetsIn: 10,
  octetsOut: 20,
  duration: 1.23456,
  upstreamDuration: 0.98765,
  upstream: 'origin:80',
  reused: true,
  retried: false,
  jti: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  route: 'shops',
  subject: undefined,
  encoding: undefined,
}

test('the line of an exchange is the JSON of its fields, whatever octets its texts are made of', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 })
  const some = (value: fc.Arbitrary<string>) => fc.option(value, { nil: undefined })
  const arbitrary = fc.record({
    id: text,
    trace: fc.option(fc.stringMatching(/^[\da-f]{32}$/), { nil: undefined }),
    client: text,
    method: text,
    path: text,
    status: fc.nat(999),
    failure: fc.option(
      text.map((message) => new ProxyError('ERR_POOL_FULL', message)),
      { nil: undefined },
    ),
    octetsIn: fc.nat(),
    octetsOut: fc.nat(),
    duration: fc.double({ min: 0, max: 1e6, noNaN: true }),
    upstreamDuration: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }),
    upstream: some(text),
    reused: fc.boolean(),
    retried: fc.boolean(),
    jti: some(text),
    route: some(text),
    subject: some(text),
    encoding: fc.constantFrom(undefined, ...ENCODINGS),
  })
  fc.assert(
    fc.property(arbitrary, text, (random, subject) => {
      const line = exchangeLine(random, subject, 1234)
      assert.ok(line.endsWith('}\n') && line.indexOf('\n') === line.length - 1, 'exactly one line')
      const expected = JSON.parse(
        JSON.stringify({ level: 30, time: 1234, ...exchangeFields(random, subject) }),
      )
      assert.equal(JSON.parse(line), expected)
    }),
    { numRuns: 500 },
  )
})

test('exchanges and events come out in the order they were logged, whole at the end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-log-'))
  const path = join(folder, 'log')
  const fd = openSync(path, 'w')
  try {
    const log = openLog({ level: 'info', pretty: false, fd })
    log.logger.info({ event: 'first' })
    log.exchange(record, 'someone')
    log.logger.warn({ event: 'last', token: 'secret', nested: { jwt: 'secret' } }, 'words')
    await log.close()
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    assert.equal(
      lines.map((line) => JSON.parse(line).event),
      ['first', 'exchange', 'last'],
    )
    assert.not.match(lines.join(), 'secret')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('what is handed over while a write is under way is written before the log is closed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-log-'))
  const path = join(folder, 'log')
  try {
    const log = openLog({ level: 'info', pretty: false, fd: openSync(path, 'w') })
    for (let line = 0; line < 1000; line++) log.exchange(record, 'someone')
    log.logger.info({ event: 'last' })
    await log.close()
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    assert.is(lines.length, 1001)
    assert.is(JSON.parse(lines.at(-1)!).event, 'last')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a level above info leaves exchanges out', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-log-'))
  const path = join(folder, 'log')
  const fd = openSync(path, 'w')
  try {
    const log = openLog({ level: 'warn', pretty: false, fd })
    log.exchange(record, 'someone')
    log.logger.warn({ event: 'only' })
    await log.close()
    assert.is(readFileSync(path, 'utf8').trimEnd().split('\n').length, 1)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
