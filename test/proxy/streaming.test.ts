// Bodies of every size, both ways, octet for octet and as they come.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  Check,
  checked,
  chunked,
  expectWhole,
  type Habit,
  KIB,
  later,
  MIB,
  type Octets,
  Pattern,
  pour,
  response,
} from '../support/flow.ts'
import { poolState } from '../support/pool-state.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { ok, type Wire, within } from '../support/wire.ts'

/** Around every boundary in the code: small bodies, the shared region, lent regions, and far beyond them. */
const SIZES = [
  ...[0, 1, 4 * KIB - 1, 4 * KIB, 4 * KIB + 1],
  ...[64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 128 * KIB],
  ...[MIB - 1, MIB, MIB + 1, 5 * MIB, 40 * MIB],
]

/** Pieces of no size that the code knows. */
const ODD = [1, 4093, 7, 65_537, 131_071, 3, 1_048_583]

const HOST = 'Host: a.test\r\n'

/** How a body is framed: the fields that say so, and its octets on the wire. */
const FRAMINGS = {
  'Content-Length': (body: Pattern, length: number) => ({
    fields: `Content-Length: ${length}\r\n`,
    octets: body,
    length,
  }),
  chunks: (body: Pattern, length: number) => {
    const octets = chunked(body, length, ODD)
    return { fields: 'Transfer-Encoding: chunked\r\n', octets: whole(octets), length: octets.length }
  },
}

function whole(octets: Buffer): Octets {
  return { slice: (at: number, length: number) => octets.subarray(at, at + length) }
}

function sized(size: number): string {
  return size % MIB === 0 && size > 0 ? `${size / MIB} MiB` : `${size} octets`
}

/** Sends back whatever comes, no faster than it is taken. */
function echo(wire: Wire): void {
  wire.divert((piece) => {
    if (wire.socket.write(piece)) return
    wire.socket.pause()
    wire.socket.once('drain', () => wire.socket.resume())
  })
}

/** Answers `GET /name/size` with so many octets of the pattern of that name, in bursts. */
function serveLarge({ upstream }: Stand): void {
  let connections = 0
  upstream.onConnection(async (wire) => {
    const pieces = [[MIB], ODD, [64 * KIB], [300 * KIB, 5]][connections++ % 4]!
    for (;;) {
      const [, name = '', size] = /^GET (\S+)\/(\d+) /.exec(await wire.head(60_000)) ?? []
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
      await pour(wire, new Pattern(name), Number(size), { pieces, patience: 20_000 })
    }
  })
}

const HABITS: readonly Habit[] = [
  { every: Number.POSITIVE_INFINITY, rest: 0 },
  { every: 64 * KIB, rest: 1 },
  { every: 700 * KIB, rest: 15 },
  { every: 3 * MIB, rest: 150 },
  { every: 300 * KIB, rest: 0 },
]

/** Takes the body of `PUT /name/size`, which should be the pattern of that name, and says whether it was. */
function takeLarge({ upstream }: Stand): void {
  let connections = 0
  upstream.onConnection(async (wire) => {
    const habit = HABITS[connections++ % HABITS.length]!
    for (;;) {
      const [, method, name = '', size] = /^(\S+) (\S+)\/(\d+) /.exec(await wire.head(60_000)) ?? []
      const right =
        method === 'GET' ||
        (await checked(wire, new Pattern(name), Number(size), habit, 20_000).then(yes, no))
      wire.send(ok(`${name} ${right ? 'ok' : 'wrong'}`))
    }
  })
}

const yes = () => true
const no = () => false

/** The upstream connection that a request on a pool of one arrives on. */
async function serving(stand: Stand): Promise<Wire> {
  for (;;) {
    const open = stand.upstream.wires.find((wire) => wire.pending.length > 0 && !wire.socket.destroyed)
    if (open !== undefined) return open
    await later(2)
  }
}

/** Whether the one upstream connection comes to rest. */
async function restsSoon(stand: Stand): Promise<boolean> {
  for (let tries = 0; tries < 30; tries++) {
    if ((await poolState(stand)).idle === 1) return true
    await later(5)
  }
  return false
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/streaming (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  for (const [framing, frame] of Object.entries(FRAMINGS)) {
    for (const size of SIZES) {
      test(`a request body of ${sized(size)} in ${framing} reaches the upstream octet for octet`, async () => {
        const stand = await start()
        const { fields, octets, length } = frame(new Pattern(`up ${size}`), size)
        const client = await stand.client()
        client.send(`PUT / HTTP/1.1\r\n${HOST}${fields}\r\n`)
        const upstream = await stand.upstream.accept()
        const poured = pour(client, octets, length, { pieces: ODD })
        await upstream.head()
        await checked(upstream, octets, length)
        await poured
        upstream.send(ok())
        assert.is((await client.message()).body.toString(), 'ok')
        assert.is(upstream.pending.length, 0)
      })

      test(`a response body of ${sized(size)} in ${framing} reaches the client octet for octet`, async () => {
        const stand = await start()
        const { fields, octets, length } = frame(new Pattern(`down ${size}`), size)
        const client = await stand.client()
        client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
        const upstream = await stand.upstream.accept()
        await upstream.head()
        upstream.send(`HTTP/1.1 200 OK\r\n${fields}\r\n`)
        const poured = pour(upstream, octets, length, { pieces: ODD })
        await client.head()
        await checked(client, octets, length)
        await poured
      })
    }
  }

  for (const size of SIZES) {
    test(`a response of ${sized(size)} that ends with its connection does so for the client, too`, async () => {
      const stand = await start()
      const body = new Pattern(`until close ${size}`)
      const client = await stand.client()
      client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send('HTTP/1.1 200 OK\r\n\r\n')
      void pour(upstream, body, size, { pieces: ODD }).then(() => upstream.end())
      assert.match(await client.head(), /\r\nConnection: close\r\n/)
      const check = new Check(body)
      client.divert(check.take)
      assert.is((await client.rest()).ending, 'fin')
      expectWhole(check, size)
    })
  }

  test('chunks pass as they came, and their extensions are dropped', async () => {
    const stand = await start()
    const client = await stand.client()
    const body = '1;a=b\r\nx\r\n0003 ;q="\\""\r\nabc\r\n000;last\r\n\r\n'.replace(' ;', ';')
    const bare = '1\r\nx\r\n0003\r\nabc\r\n000\r\n\r\n'
    client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${body}`)
    const upstream = await stand.upstream.accept()
    assert.is((await upstream.message()).body.toString(), bare)
    upstream.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)
    assert.is((await client.message()).body.toString(), bare)
  })

  test('the head of a request and what has come of its body leave in one write', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`)
    const upstream = await stand.upstream.accept()
    const pieces: string[] = []
    upstream.divert((piece) => pieces.push(piece.toString('latin1')))
    await upstream.when(() => pieces.join('').endsWith('hello'), 'the body')
    assert.is(pieces.length, 1)
  })

  test('a body is echoed while it is being sent, 40 MiB both ways at once', async () => {
    const stand = await start()
    const raw = chunked(new Pattern('echo'), 40 * MIB, ODD)
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    echo(upstream)
    const poured = pour(client, whole(raw), raw.length, { pieces: ODD })
    await client.head()
    await checked(client, whole(raw), raw.length)
    await poured
  })

  /** How long one piece is under way, at most: far below what a piece held back for the next would take. */
  const AT_ONCE = 250

  const EVENTS = {
    chunks: { fields: 'Transfer-Encoding: chunked\r\n', event: (n: number) => `a\r\ndata: ${n}\n\n\r\n` },
    'Content-Length': { fields: 'Content-Length: 5000\r\n', event: (n: number) => `data: ${n}\n\n` },
    'until close': { fields: '', event: (n: number) => `data: ${n}\n\n` },
  }
  for (const [framing, { fields, event }] of Object.entries(EVENTS)) {
    test(`each event of a response in ${framing} arrives before the next one is sent`, async () => {
      const stand = await start()
      const client = await stand.client()
      client.send(`GET /events HTTP/1.1\r\n${HOST}\r\n`)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      upstream.send(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${fields}\r\n`)
      await client.head(AT_ONCE)
      for (let n = 10; n < 30; n++) {
        upstream.send(event(n))
        assert.is((await client.take(event(n).length, AT_ONCE)).toString(), event(n))
      }
    })
  }

  test('each piece of a request body arrives before the next one is sent', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`)
    const upstream = await stand.upstream.accept()
    await upstream.head(AT_ONCE)
    for (let n = 10; n < 30; n++) {
      client.send(`2\r\n${n}\r\n`)
      assert.is((await upstream.take(7, AT_ONCE)).toString(), `2\r\n${n}\r\n`)
    }
  })

  test('what a connection carries next leaves alone what its last client has yet to read', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '1' })
    const bodies = [new Pattern('first'), new Pattern('last'), new Pattern('after')] as const
    const last = 1000 * KIB
    // What goes into the kernel's buffers is not known: one of these leaves the last read pending in signet.
    for (let first = 2 * MIB; first <= 4.5 * MIB; first += 256 * KIB) {
      const slow = await stand.client()
      slow.socket.pause()
      slow.send(`GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n`)
      const upstream = await serving(stand)
      await upstream.head()
      upstream.send(response(bodies[0], first))
      const stopped = await Promise.race([
        upstream.when(() => upstream.pending.length > 0, 'GET /2'),
        later(200, true),
      ])
      if (!stopped) {
        await upstream.head()
        upstream.send(response(bodies[1], last))
        if (await restsSoon(stand)) {
          const quick = await stand.client()
          quick.send(`GET /quick HTTP/1.1\r\n${HOST}\r\n`)
          await upstream.head()
          upstream.send(response(bodies[2], 3 * MIB))
          await quick.head()
          await checked(quick, bodies[2], 3 * MIB)
        }
        slow.socket.resume()
        await slow.head()
        await checked(slow, bodies[0], first)
        await slow.head()
        await checked(slow, bodies[1], last)
      }
      slow.destroy()
      if (stopped) break
    }
  })

  test('20 downloads at once, to readers of every speed, each with the next request behind it, stay apart', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '32' })
    serveLarge(stand)
    const size = (n: number) => 5 * MIB + n * 100_003
    await within(
      Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          const client = await stand.client()
          const habit = HABITS[n % HABITS.length]!
          const requests = [0, 1, 2].map((turn) => `GET /${n}-${turn}/${size(n)} HTTP/1.1\r\n${HOST}\r\n`)
          client.send(requests.join(''))
          for (const turn of [0, 1, 2]) {
            await client.head(20_000)
            await checked(client, new Pattern(`/${n}-${turn}`), size(n), habit, 20_000)
          }
        }),
      ),
      '60 downloads',
      25_000,
    )
  })

  test('20 uploads at once, to upstreams of every speed, each with the next request behind it, stay apart', async () => {
    const stand = await start({ SIGNET_POOL_SIZE: '16' })
    takeLarge(stand)
    const size = (n: number) => 3 * MIB + n * 100_003
    await within(
      Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          const client = await stand.client()
          for (const turn of [0, 1]) {
            const target = `/${n}-${turn}/${size(n)}`
            client.send(`PUT ${target} HTTP/1.1\r\n${HOST}Content-Length: ${size(n)}\r\n\r\n`)
            await pour(client, new Pattern(`/${n}-${turn}`), size(n), {
              pieces: [MIB, ODD[n % 7]!],
              patience: 20_000,
            })
          }
          client.send(`GET /last/5 HTTP/1.1\r\n${HOST}\r\n`)
          for (const answer of [`/${n}-0 ok`, `/${n}-1 ok`, '/last ok']) {
            assert.is((await client.message(20_000)).body.toString(), answer)
          }
        }),
      ),
      '40 uploads',
      25_000,
    )
  })

  test('16 bodies are echoed at once, and none gets octets of another', async () => {
    const stand = await start()
    stand.upstream.onConnection(async (wire) => {
      await wire.head(20_000)
      wire.send('HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n')
      echo(wire)
    })
    await within(
      Promise.all(
        Array.from({ length: 16 }, async (_, n) => {
          const raw = chunked(new Pattern(`echo ${n}`), 4 * MIB + n * 65_537, [
            ODD[n % ODD.length]! + 200_000,
            70_000,
          ])
          const client = await stand.client()
          client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`)
          const poured = pour(client, whole(raw), raw.length, { pieces: [600_000, 13], patience: 20_000 })
          await client.head(20_000)
          await checked(client, whole(raw), raw.length, HABITS[n % HABITS.length], 20_000)
          await poured
        }),
      ),
      '16 echoes',
      25_000,
    )
  })
  test.run()
}
