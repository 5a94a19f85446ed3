// Forwarding fields of trusted proxies: what the upstream is told, and who the client is in the log.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { exchange, standsOf } from '../support/stands.ts'
import { ok } from '../support/wire.ts'

const CHAIN = 'X-Forwarded-For: 203.0.113.1, 192.0.2.7\r\nX-Forwarded-For: 10.0.0.2\r\n'
const CLAIMS = `${CHAIN}X-Forwarded-Host: b.test\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.7;proto=https\r\n`
const OTHERS = 'X-Real-IP: 192.0.2.9\r\nX_Forwarded_For: 192.0.2.9\r\nX-My-Jwt: forged\r\n'
const TRUSTED = { trustedProxies: ['10.0.0.0/8', '127.0.0.1'] }
const OWN = 'for=127.0.0.1;host="a.test";proto=http'

const request = (fields: string) => `GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`

/** The lines of a head that tell where a request came from, sorted. */
function forwardingLines(head: string): string[] {
  return head.split('\r\n').filter((line) => /^(x.forwarded|forwarded|x-real)/i.test(line))
}

/** Names of the fields that were dropped, as the log has them. */
function dropped(stand: Stand): string[] {
  return stand.log
    .filter(({ event }) => event === 'field-dropped')
    .map(({ name }) => String(name).toLowerCase())
}

/** Counters of the status page. */
async function imitations(stand: Stand): Promise<number> {
  const wire = await stand.client()
  wire.send('GET /status HTTP/1.1\r\nHost: a.test\r\n\r\n')
  const text = (await wire.message()).body.toString()
  return Number(/"imitationsDropped": ?(\d+)/.exec(text)?.[1])
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/trusted-proxies (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  test('what a trusted proxy says is passed on with the hop that signet saw, and tells who the client is', async () => {
    const stand = await start({}, TRUSTED)
    const { forwarded } = await exchange(stand, request(CLAIMS + OTHERS), ok())
    assert.equal(forwardingLines(forwarded.head), [
      'X-Forwarded-For: 203.0.113.1, 192.0.2.7, 10.0.0.2, 127.0.0.1',
      'X-Forwarded-Host: b.test',
      'X-Forwarded-Proto: https',
      `Forwarded: for=192.0.2.7;proto=https, ${OWN}`,
    ])
    assert.is((await stand.exchanges(1))[0]?.client, '192.0.2.7')
    assert.match(forwarded.head, '\r\nHost: a.test\r\n') // what the route is chosen by is what this hop said
  })

  test('what is told again is no imitation, and everything else still is', async () => {
    const stand = await start({}, TRUSTED)
    await exchange(stand, request(CLAIMS + OTHERS), ok())
    assert.equal(
      dropped(stand)
        .filter((name) => /^x/.test(name))
        .sort(),
      ['x-my-jwt', 'x-real-ip', 'x_forwarded_for'],
    )
    assert.is(await imitations(stand), 1)
  })

  for (const [who, gateway] of [
    ['anybody, where nobody is trusted', {}],
    ['a peer that is not trusted', { trustedProxies: ['10.0.0.0/8', '::/0'] }],
  ] as const) {
    test(`what is said by ${who} is dropped as ever`, async () => {
      const stand = await start({}, gateway)
      const { forwarded } = await exchange(stand, request(CLAIMS), ok())
      assert.equal(forwardingLines(forwarded.head), [
        'X-Forwarded-For: 127.0.0.1',
        'X-Forwarded-Host: a.test',
        'X-Forwarded-Proto: http',
        `Forwarded: ${OWN}`,
      ])
      assert.is((await stand.exchanges(1))[0]?.client, '127.0.0.1')
      assert.is(dropped(stand).filter((name) => name.includes('forwarded')).length, 5)
    })
  }

  test('a chain that fills a head costs no more than the last of it, which is what is told', async () => {
    const stand = await start({}, TRUSTED)
    stand.upstream.serve(({ head }) => ok(forwardingLines(head).join('\n')))
    const wire = await stand.client()
    const rounds = 30
    const cost = async (fields: string) => {
      const before = process.cpuUsage()
      for (let round = 0; round < rounds; round++) {
        wire.send(request(fields))
        const [chain = '', , , elements = ''] = (await wire.message()).body.toString().split('\n')
        assert.ok(chain.split(',').length <= 33 && elements.split(',').length <= 33)
      }
      const { user, system } = process.cpuUsage(before)
      return (user + system) / rounds
    }
    const members = (member: string) =>
      Array.from({ length: 15_000 / (member.length + 1) }, () => member).join(',')
    await cost('')
    for (const fields of [
      `X-Forwarded-For: ${members('10.0.0.2')}\r\n`,
      `X-Forwarded-For: ${members('fd00::1')}\r\n`,
      `Forwarded: ${members('for=a')}\r\n`,
    ]) {
      const spent = await cost(fields)
      assert.ok(spent < 5000, `${spent} µs for ${fields.slice(0, 30)}`) // 10 to 35 ms it was, of signet alone
    }
    await stand.exchanges(4 * rounds)
  })

  test('each request on a connection of a trusted proxy is another client’s', async () => {
    const stand = await start({}, TRUSTED)
    stand.upstream.serve(({ head }) => ok(forwardingLines(head)[0]))
    const wire = await stand.client()
    for (const client of ['192.0.2.1', '192.0.2.2', undefined, '192.0.2.3']) {
      wire.send(request(client === undefined ? '' : `X-Forwarded-For: ${client}\r\n`))
      const chain = client === undefined ? '127.0.0.1' : `${client}, 127.0.0.1`
      assert.is((await wire.message()).body.toString(), `X-Forwarded-For: ${chain}`)
    }
    const logged = (await stand.exchanges(4)).map(({ client }) => client)
    assert.equal(logged, ['192.0.2.1', '192.0.2.2', '127.0.0.1', '192.0.2.3'])
  })

  test('trust goes by the address that a PROXY header names, not by who sends the header', async () => {
    const gateway = { trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'], proxyProtocol: ['127.0.0.0/8'] }
    const stand = await start({}, gateway)
    stand.upstream.serve(({ head }) => ok(forwardingLines(head)[0]))
    for (const [peer, chain] of [
      ['10.0.0.9', '192.0.2.7, 10.0.0.9'],
      ['192.0.2.9', '192.0.2.9'],
    ]) {
      const wire = await stand.client()
      wire.send(`PROXY TCP4 ${peer} 127.0.0.1 1 2\r\n${request('X-Forwarded-For: 192.0.2.7\r\n')}`)
      assert.is((await wire.message()).body.toString(), `X-Forwarded-For: ${chain}`)
    }
    const logged = (await stand.exchanges(2)).map(({ client }) => client)
    assert.equal(logged, ['192.0.2.7', '192.0.2.9'])
  })

  test('forwarding fields in a trailer section stop, whoever sends them', async () => {
    const stand = await start({}, TRUSTED)
    const body = '0\r\nX-Forwarded-For: 192.0.2.7\r\nX-Other: passes\r\n\r\n'
    const head = 'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n'
    const { forwarded } = await exchange(stand, head + body, ok())
    assert.is(forwarded.body.toString(), '0\r\nX-Other: passes\r\n\r\n')
    assert.ok(dropped(stand).includes('x-forwarded-for'))
  })

  test.run()
}
