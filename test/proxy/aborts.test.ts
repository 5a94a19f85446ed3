// Peers that go away in the middle of things: the other side hears of it, and nothing is left behind.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Buffers } from '../../src/net/buffers.ts'
import { listenDeaf } from '../support/deaf-upstream.ts'
import { ENDLESS, fill, KIB, later, MIB, Pattern } from '../support/flow.ts'
import { poolUntil } from '../support/pool-state.ts'
import { READ_PATHS, type Stand, startStand } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { eventually, ok, type Wire, within } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`
const POST = `POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n`

/** How a peer goes away. */
const DEPARTURES = {
  RST: (wire: Wire) => wire.reset(),
  'closing its socket': (wire: Wire) => wire.destroy(),
}

/** What must have ended long before any deadline. */
const PROMPTLY = 1000

function nothingOpen({ proxy }: Stand): Promise<void> {
  return eventually(() => {
    const { downstream, upstream, deadlines } = proxy.open()
    return downstream === 0 && upstream === 0 && deadlines === 0
  }, 'nothing to be open')
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/aborts (${readPath})`)
  // A client that closes its socket sends FIN, after which it may still be there for as long as this.
  const start = standsOf(test, { SIGNET_READ_PATH: readPath, SIGNET_HALF_CLOSE_TIMEOUT: '50' })

  for (const [departure, leave] of Object.entries(DEPARTURES)) {
    test(`a client that leaves by ${departure} within a head is forgotten`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send('GET / HTTP/1.1\r\nHo')
      await eventually(() => stand.proxy.open().downstream === 1, 'a connection')
      leave(client)
      await nothingOpen(stand)
      assert.is(stand.upstream.wires.length, 0)
    })

    test(`a client that leaves by ${departure} within a body ends its upstream exchange`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`${POST}hi`)
      const upstream = await stand.upstream.accept()
      await upstream.until('hi')
      leave(client)
      await upstream.rest(PROMPTLY)
      await nothingOpen(stand)
    })

    test(`a client that leaves by ${departure} while its response is awaited ends its upstream exchange`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`${POST}0123456789`)
      const upstream = await stand.upstream.accept()
      await upstream.message()
      leave(client)
      await upstream.rest(PROMPTLY)
      await nothingOpen(stand)
      const [line] = await stand.exchanges(1)
      assert.is(line?.failure, 'ERR_CLIENT_CLOSED')
    })

    test(`a client that leaves by ${departure} while its connection is made leaves no exchange`, async () => {
      const deaf = await listenDeaf()
      try {
        const stand = await start({
          SIGNET_UPSTREAM: `http://127.0.0.1:${deaf.port}`,
          SIGNET_CONNECT_TIMEOUT: '300',
        })
        const client = await stand.client()
        client.send(`${POST}hi`)
        await eventually(() => stand.proxy.open().upstream === 1, 'a connection to be made')
        leave(client)
        await stand.exchanges(1)
        await nothingOpen(stand)
      } finally {
        deaf.close()
      }
    })

    test(`a client that leaves by ${departure} within a response ends its upstream exchange`, async () => {
      for (const head of [
        'HTTP/1.1 200 OK\r\n\r\n',
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      ]) {
        const stand = await start()
        const client = await stand.client()
        client.send(GET)
        const upstream = await stand.upstream.accept()
        await upstream.head()
        upstream.send(head)
        await client.head()
        leave(client)
        await upstream.rest(PROMPTLY)
        await nothingOpen(stand)
      }
    })

    test(`a client that leaves by ${departure} in the middle of a large response ends its upstream exchange`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      client.socket.pause()
      upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${ENDLESS}\r\n\r\n`)
      await fill(upstream, new Pattern('large'), ENDLESS, 50)
      leave(client)
      await upstream.rest(PROMPTLY)
      await nothingOpen(stand)
    })

    test(`an idle client that leaves by ${departure} leaves its upstream connection to others`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send(ok())
      await client.message()
      leave(client)
      await eventually(() => stand.proxy.open().downstream === 0, 'no client')
      const other = await stand.client()
      other.send(GET)
      await upstream.head()
    })
  }

  test('a client that leaves by RST has none of its pipelined requests begun', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET.repeat(5))
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.reset()
    await upstream.rest(PROMPTLY)
    await nothingOpen(stand)
    assert.is(upstream.pending.length, 0)
  })

  test('a client that closes its socket behind pipelined requests is not waited for, either', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET.repeat(5))
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.destroy()
    await upstream.rest(PROMPTLY)
    await nothingOpen(stand)
  })

  test('a response that is not yet whole when its client is gone never goes to another client', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1' })
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789')
    await client.until('0123456789')
    const other = await stand.client()
    other.send(GET)
    await poolUntil(stand, ({ waiting }) => waiting === 1, 'one waiting')
    client.reset()
    const next = await stand.upstream.accept()
    upstream.send('9876543210')
    await next.head()
    next.send(ok('mine'))
    assert.is((await other.message()).body.toString(), 'mine')
  })

  /** Whether what the client gets first is a refusal. */
  async function seenAtOnce(client: Wire): Promise<boolean> {
    await eventually(
      () => client.pending.length >= 'HTTP/1.1 502'.length || client.ending !== undefined,
      'an answer',
    )
    return client.pending.toString('latin1').startsWith('HTTP/1.1 502')
  }

  /** Responses that are not whole, and how the upstream ends each. */
  const CUT_SHORT = {
    'FIN within a Content-Length': ['Content-Length: 10\r\n', '01234', 'end'],
    'RST within a Content-Length': ['Content-Length: 10\r\n', '01234', 'reset'],
    'FIN before the first octet of a Content-Length': ['Content-Length: 11\r\n', '', 'end'],
    'FIN within a chunk': ['Transfer-Encoding: chunked\r\n', '5\r\n012', 'end'],
    'FIN within a chunk size': ['Transfer-Encoding: chunked\r\n', '5\r\n01234\r\n1', 'end'],
    'FIN between two chunks': ['Transfer-Encoding: chunked\r\n', '5\r\n01234\r\n', 'end'],
    'FIN within the last chunk': ['Transfer-Encoding: chunked\r\n', '5\r\n01234\r\n0\r\n', 'end'],
    'FIN within the trailer section': [
      'Transfer-Encoding: chunked\r\n',
      '5\r\n01234\r\n0\r\nX: 1\r\n',
      'end',
    ],
    'RST between two chunks': ['Transfer-Encoding: chunked\r\n', '5\r\n01234\r\n', 'reset'],
    'RST in a body that only FIN ends': ['', '01234', 'reset'],
  } as const
  for (const [how, [fields, body, ending]] of Object.entries(CUT_SHORT)) {
    for (const minor of [1, 0]) {
      for (const apart of [true, false]) {
        const when = apart ? 'later' : 'in one go with it'
        test(`a response that ends by ${how}, ${when}, never looks whole to HTTP/1.${minor}`, async () => {
          const stand = await start()
          const client = await stand.client()
          client.send(`GET / HTTP/1.${minor}\r\n${HOST}\r\n`)
          const upstream = await stand.upstream.accept()
          await upstream.head()
          upstream.send(`HTTP/1.1 200 OK\r\n${fields}\r\n${body}`)
          if (apart) await client.head()
          upstream[ending]()
          // Known in the turn that brought the head, nothing of it has left: then it is answered instead.
          const known = !apart && (await seenAtOnce(client))
          if (known) {
            assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
            client.end()
          } else {
            const { octets, ending: seen } = await client.rest()
            assert.is(seen, 'reset')
            assert.not.match(octets, /0\r\n\r\n$/)
          }
          const [line] = await stand.exchanges(1)
          assert.is(line?.side, 'upstream')
          await nothingOpen(stand)
        })
      }
    }
  }

  for (const minor of [1, 0]) {
    test(`a response that turns out malformed once its head has gone is cut short by RST for HTTP/1.${minor}`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`GET / HTTP/1.${minor}\r\n${HOST}\r\n`)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      await client.head()
      upstream.send('5\r\n01234\r\nx\r\n')
      const { octets, ending } = await client.rest()
      assert.is(ending, 'reset')
      assert.not.match(octets, /x\r\n$/)
      const [line] = await stand.exchanges(1)
      assert.equal([line?.side, line?.failure], ['upstream', 'ERR_RESPONSE_MALFORMED'])
      await nothingOpen(stand)
    })
  }

  test('an upstream that ends without an octet, or within its head, is 502', async () => {
    for (const octets of ['', 'HTTP/1.1 200 OK\r\nContent-']) {
      for (const leave of [(wire: Wire) => wire.end(), (wire: Wire) => wire.reset()]) {
        const stand = await start()
        const client = await stand.client()
        client.send(GET)
        const upstream = await stand.upstream.accept()
        await upstream.head()
        upstream.send(octets)
        await later(5)
        leave(upstream)
        assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
        const [line] = await stand.exchanges(1)
        assert.is(line?.failure, 'ERR_UPSTREAM_CLOSED')
      }
    }
  })

  test('a response without a length in progress when the drain deadline passes is cut by RST', async () => {
    const stand = await start({ SIGNET_DRAIN_TIMEOUT: '100' })
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\n\r\nhalf')
    await client.until('half')
    await stand.proxy.close()
    assert.is((await client.rest()).ending, 'reset')
    await nothingOpen(stand)
  })

  test('a response without a length is cut by RST for a client that closed its side and gets no more of it', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(GET).end()
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\n\r\nhalf')
    await upstream.rest()
    assert.match((await client.rest()).octets, /half$/)
    await eventually(() => client.socket.destroyed, 'the client to be cut off')
  })

  test('1,000 exchanges aborted on either side at any moment leave nothing behind', async () => {
    const regions = watchRegions()
    const before = resources()
    const stand = await startStand({
      SIGNET_READ_PATH: readPath,
      SIGNET_POOL_SIZE: '24', // fewer than there are clients, so that some wait
      SIGNET_POOL_IDLE_TIMEOUT: '100',
      SIGNET_HALF_CLOSE_TIMEOUT: '50',
    })
    try {
      playPlans(stand)
      const random = randomFrom(1)
      const plans = Array.from({ length: 1000 }, () => planFrom(random))
      await within(
        Promise.all(
          Array.from({ length: 40 }, async () => {
            for (let plan = plans.pop(); plan !== undefined; plan = plans.pop()) await follow(stand, plan)
          }),
        ),
        '1,000 exchanges',
        25_000,
      )
      for (const wire of stand.upstream.wires) wire.destroy()
      await nothingOpen(stand)
      assert.equal(regions.inUse(), [])
      assert.is(regions.lent() > 0, readPath === 'shared', 'large regions were lent at all')
      const begun = stand.log.filter(({ event }) => event === 'exchange')
      assert.is(new Set(begun.map(({ id }) => id)).size, begun.length, 'each exchange has one line')
    } finally {
      regions.restore()
      await stand.close()
    }
    await eventually(() => resources() <= before, 'as many open handles as before')
  })
  test.run()
}

/** An exchange, and what becomes of it. */
interface Plan {
  readonly upload: boolean
  readonly chunked: boolean
  /** octets of the body of request and response */
  readonly size: number
  readonly who: 'client' | 'upstream' | 'both' | 'nobody'
  /** octets that the one who leaves has sent of its message by then */
  readonly sent: number
  /** octets that it has received by then */
  readonly received: number
  readonly how: 'reset' | 'destroy' | 'end'
}

function planFrom(random: () => number): Plan {
  const pick = <T>(...all: readonly T[]): T => all[Math.floor(random() * all.length)]!
  const size = pick(0, 1, 100, 5 * KIB, 100 * KIB, 3 * MIB)
  return {
    upload: random() < 0.5,
    chunked: random() < 0.5,
    size,
    who: pick('client', 'client', 'upstream', 'upstream', 'both', 'nobody'),
    sent: pick(0, 1, 20, 80, 300, Math.floor(random() * size), size + 1000),
    received: pick(0, 0, 1, 20, 300, Math.floor(random() * size)),
    how: pick('reset', 'destroy', 'end'),
  }
}

/** A small generator of numbers, the same in every run. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** The octets of a message that a plan wants. */
function messageOf(startLine: string, { size, chunked, upload }: Plan, request: boolean): Buffer {
  const length = request && !upload ? 0 : size
  const body = Buffer.alloc(length, 'x')
  if (!chunked) return Buffer.concat([Buffer.from(`${startLine}Content-Length: ${length}\r\n\r\n`), body])
  const head = Buffer.from(`${startLine}Transfer-Encoding: chunked\r\n\r\n`)
  const chunk = length === 0 ? [] : [Buffer.from(`${length.toString(16)}\r\n`), body, Buffer.from('\r\n')]
  return Buffer.concat([head, ...chunk, Buffer.from('0\r\n\r\n')])
}

/** Sends and receives as planned, then leaves. */
async function play(wire: Wire, message: Buffer, { sent, received, how }: Plan): Promise<void> {
  const began = wire.socket.bytesRead
  wire.send(message.subarray(0, sent))
  const enough = wire.when(() => wire.socket.bytesRead - began >= received, 'octets').catch(() => undefined)
  await Promise.race([enough, later(50)]) // both may wait for each other
  if (how === 'end') wire.end()
  else wire[how]()
}

/** The upstream's part: the plan is in the request-target. */
function playPlans({ upstream }: Stand): void {
  upstream.onConnection(async (wire) => {
    wire.divert(() => undefined)
    for (;;) {
      let text = ''
      wire.divert((piece) => {
        if (text.length < 1000) text += piece.toString('latin1')
      })
      await wire.when(() => text.includes('\r\n'), 'a request', 20_000)
      const plan = JSON.parse(decodeURIComponent(/ \/(\S*) /.exec(text)?.[1] ?? '')) as Plan
      const message = messageOf('HTTP/1.1 200 OK\r\n', plan, false)
      if (plan.who === 'upstream' || plan.who === 'both') {
        await play(wire, message, plan)
        return
      }
      wire.send(message)
      if (!plan.upload) continue
      await later(20) // the body is not followed to its end: signet may have the connection in its pool by then
      wire.end()
      return
    }
  })
}

/** The client's part. */
async function follow(stand: Stand, plan: Plan): Promise<void> {
  const client = await stand.client()
  const target = encodeURIComponent(JSON.stringify(plan))
  const message = messageOf(`POST /${target} HTTP/1.1\r\n${HOST}`, plan, true)
  const received = { octets: 0 }
  client.divert((piece) => {
    received.octets += piece.length
  })
  if (plan.who === 'client' || plan.who === 'both') {
    await play(client, message, plan)
    if (plan.how === 'end') await Promise.race([client.rest().catch(() => undefined), later(150)])
  } else {
    client.send(message)
    const whole = client.when(() => received.octets >= plan.size, 'a response').catch(() => undefined)
    await Promise.race([whole, later(200)])
  }
  client.destroy()
}

/** Looks at the large regions of whatever proxies are started from now on. */
function watchRegions() {
  const { lend } = Buffers.prototype
  const seen = new Map<Buffer, Buffers>()
  Buffers.prototype.lend = function (this: Buffers) {
    const region = lend.call(this)
    if (region !== undefined) seen.set(region, this)
    return region
  }
  return {
    lent: () => seen.size,
    inUse: () => {
      const leases = [...seen].map(([region, buffers]) => buffers.leaseOf(region))
      return leases.filter((lease) => lease !== undefined && (lease.reading || lease.writing !== 0))
    },
    restore: () => {
      Buffers.prototype.lend = lend
    },
  }
}

/** Open sockets and servers of this process. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length
}
