// Time and order: what signet does when octets come slowly, never, or in the wrong order, and when a peer ends the
// connection at the worst moment. The real process, raw octets on both sides, and nothing may be left open.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { unusedPort } from '../soak/process.ts'
import { ok, type Wire, within } from '../support/wire.ts'
import {
  chunkedPost,
  GET,
  Lanes,
  post,
  refusalOf,
  SWITCHING,
  statusOf,
  TimeStand,
  UPGRADE,
} from './time-stand.ts'

const test = suite('conformance/time-and-order')

/** Deadlines of the impatient signet, in ms: long enough for a busy machine, short enough to wait for. */
const SHORT = 700
const DEADLINES = {
  SIGNET_HEAD_TIMEOUT: `${SHORT}`,
  SIGNET_KEEP_ALIVE_TIMEOUT: `${SHORT}`,
  SIGNET_BODY_TIMEOUT: `${SHORT}`,
  SIGNET_SEND_TIMEOUT: `${SHORT}`,
  SIGNET_CONNECT_TIMEOUT: `${SHORT}`,
  SIGNET_RESPONSE_TIMEOUT: `${SHORT}`,
  SIGNET_STREAM_TIMEOUT: `${SHORT}`,
  SIGNET_TUNNEL_TIMEOUT: `${SHORT}`,
  SIGNET_HALF_CLOSE_TIMEOUT: `${SHORT}`,
}

const patient = new Lanes(test, 3)
const impatient = new Lanes(test, 5, DEADLINES)
const inOrder = patient.add.bind(patient)
const inTime = impatient.add.bind(impatient)

/** Sends one octet every `ms` until all are sent, or the peer has ended the connection. */
async function trickle(wire: Wire, octets: string, ms = 10): Promise<void> {
  for (const octet of octets) {
    if (wire.ending !== undefined) return
    wire.send(octet)
    await later(ms)
  }
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

// ── slow, but not too slow ────────────────────────────────────────────────────────────────────────────────────

inOrder('a request of one octet every 10 ms, head and body, arrives whole', async (stand) => {
  const client = await stand.client()
  await trickle(client, post('slow but sure'))
  const origin = await stand.origin()
  const { head, body } = await origin.message()
  assert.match(head, /^POST \/x HTTP\/1\.1\r\n/)
  assert.is(body.toString(), 'slow but sure')
  origin.send(ok('thanks'))
  assert.is((await client.message()).body.toString(), 'thanks')
})

inOrder('a chunked body of one octet every 10 ms arrives whole, framing and all', async (stand) => {
  const chunks = `${chunkedPost('slow', 'but', 'sure')}0\r\n\r\n`
  const { client, origin } = await stand.exchange(chunks.slice(0, chunks.indexOf('\r\n\r\n') + 4))
  await trickle(client, chunks.slice(chunks.indexOf('\r\n\r\n') + 4))
  assert.is(await origin.until('0\r\n\r\n'), '4\r\nslow\r\n3\r\nbut\r\n4\r\nsure\r\n0\r\n\r\n')
  origin.send(ok())
  assert.is(statusOf((await client.message()).head), 200)
})

inOrder('a response of one octet every 10 ms, head and body, arrives whole', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  await trickle(origin, ok('slow but sure'))
  assert.is((await client.message()).body.toString(), 'slow but sure')
})

inOrder('a chunked response of one octet every 10 ms arrives whole', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  await trickle(
    origin,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nslow \r\n4\r\nsure\r\n0\r\n\r\n',
  )
  assert.is((await client.message()).body.toString(), '5\r\nslow \r\n4\r\nsure\r\n0\r\n\r\n')
})

inOrder('pipelined requests of one octet every 5 ms are answered in order', async (stand) => {
  const client = await stand.client()
  const sent = trickle(
    client,
    '/1 /2 /3'.replace(/\S+ ?/g, (path) => GET.replace('/x', path.trim())),
    5,
  )
  let origin: Wire | undefined
  for (const path of ['/1', '/2', '/3']) {
    origin ??= await stand.origin()
    assert.ok((await origin.head()).startsWith(`GET ${path} `))
    origin.send(ok(path))
    assert.is((await client.message()).body.toString(), path)
  }
  await sent
})

inTime('a body may take longer than its deadline, as long as octets keep coming within it', async (stand) => {
  const { client, origin } = await stand.exchange(post('').replace('Length: 0', 'Length: 8'))
  await trickle(client, '12345678', SHORT / 3)
  assert.is((await origin.take(8)).toString(), '12345678')
  origin.send(ok())
  assert.is(statusOf((await client.message()).head), 200)
})

inTime(
  'a response body may take longer than its deadline, as long as octets keep coming within it',
  async (stand) => {
    const { client, origin } = await stand.exchange(GET)
    origin.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n')
    await trickle(origin, '12345678', SHORT / 3)
    assert.is((await client.message()).body.toString(), '12345678')
  },
)

inTime('a request body that takes longer than the response deadline still gets its answer', async (stand) => {
  const { client, origin } = await stand.exchange(chunkedPost('1'))
  for (let chunk = 0; chunk < 5; chunk++) {
    await later(SHORT / 3)
    client.send('1\r\n.\r\n')
  }
  client.send('0\r\n\r\n')
  await origin.until('0\r\n\r\n')
  origin.send(ok())
  assert.is(statusOf((await client.message()).head), 200)
})

// ── stalled ───────────────────────────────────────────────────────────────────────────────────────────────────

inTime('a head that stops coming is refused with 408, and the connection ends', async (stand) => {
  const client = await stand.client()
  client.send('GET /x HTTP/1.1\r\nHos')
  assert.is(await refusalOf(client), '408 ERR_HEAD_TIMEOUT')
  assert.equal(await client.rest(), { octets: '', ending: 'fin' })
  assert.is(stand.connections, 0)
})

inTime('a head that keeps coming, but not whole within its deadline, is refused with 408', async (stand) => {
  const client = await stand.client()
  const sent = trickle(client, `GET /${'x'.repeat(200)}`, SHORT / 10)
  assert.is(await refusalOf(client), '408 ERR_HEAD_TIMEOUT')
  client.destroy()
  await sent
  assert.is(stand.connections, 0)
})

inTime('a connection that never says anything is closed silently', async (stand) => {
  const client = await stand.client()
  assert.is((await client.rest()).octets, '')
})

inTime('a connection that says nothing after its answer is closed silently', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  origin.send(ok())
  await client.message()
  assert.is((await client.rest()).octets, '')
})

/** Requests whose body stops coming: octets of the request, and what of it reaches the upstream. */
const STALLED_REQUESTS = [
  ['of known length', `${post('').replace('Length: 0', 'Length: 9')}abc`, 'abc'],
  ['within a chunk', `${chunkedPost('abc')}5\r\nde`, 'de'],
  ['between two chunks', chunkedPost('abc'), 'abc\r\n'],
  ['within a chunk size', `${chunkedPost('abc')}1`, 'abc\r\n1'],
  ['before the last empty line', `${chunkedPost('abc')}0\r\n`, '0\r\n'],
] as const

for (const [where, octets, taken] of STALLED_REQUESTS) {
  inTime(
    `a request body that stops coming (${where}) is refused with 408 and reaches nobody as whole`,
    async (stand) => {
      const { client, origin } = await stand.exchange(octets, taken)
      assert.is(await refusalOf(client), '408 ERR_BODY_TIMEOUT')
      await client.rest()
      await origin.rest() // its connection ends, so what it got cannot look complete
    },
  )
}

inTime('an upstream that never answers costs 504, and its connection', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  assert.is(await refusalOf(client), '504 ERR_RESPONSE_TIMEOUT')
  await origin.rest()
  client.send(GET) // the client's own connection goes on
  const next = await stand.origin()
  next.send(ok())
  assert.is(statusOf((await client.message()).head), 200)
})

inTime('a response head that stops coming costs 504', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  origin.send('HTTP/1.1 200 OK\r\nConte')
  assert.is(await refusalOf(client), '504 ERR_RESPONSE_TIMEOUT')
  await origin.rest()
})

inTime('interim responses do not put off the deadline of the final one', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  for (let interim = 0; interim < 20 && origin.ending === undefined; interim++) {
    origin.send('HTTP/1.1 103 Early Hints\r\n\r\n')
    await later(SHORT / 5)
  }
  await client.until('504 ')
  await origin.rest()
})

/** Responses whose body stops coming. */
const STALLED_RESPONSES = [
  ['of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'],
  ['within a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc'],
  ['between two chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ['before the last empty line', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n'],
  ['until the connection closes', 'HTTP/1.1 200 OK\r\n\r\nabc'],
] as const

for (const [where, octets] of STALLED_RESPONSES) {
  inTime(`a response body that stops coming (${where}) is cut short by RST`, async (stand) => {
    const { client, origin } = await stand.exchange(GET)
    origin.send(octets)
    await client.until('abc')
    assert.is((await client.rest()).ending, 'reset')
    await origin.rest()
    assert.equal(await stand.failures(), { ERR_RESPONSE_STALLED: 1 })
  })
}

inTime('an upstream that stops reading a request costs 504', async (stand) => {
  const { client, origin } = await stand.exchange(post('').replace('Length: 0', 'Length: 100000000'))
  origin.socket.pause()
  const piece = Buffer.alloc(1024 * 1024)
  for (let sent = 0; sent < 100; sent++) client.send(piece)
  assert.is(await refusalOf(client), '504 ERR_RESPONSE_TIMEOUT')
})

inTime('a client that stops reading its response is cut off, and the upstream with it', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  client.socket.pause()
  const piece = Buffer.alloc(1024 * 1024)
  origin.send('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n')
  for (let sent = 0; sent < 100; sent++) origin.send(piece)
  assert.equal(await stand.failures(), { ERR_CLIENT_STALLED: 1 })
  await origin.rest()
})

inTime('a tunnel without an octet either way ends', async (stand) => {
  const { client, origin } = await stand.exchange(UPGRADE)
  origin.send(SWITCHING)
  await client.head()
  await client.rest()
  await origin.rest()
})

// ── half-close ────────────────────────────────────────────────────────────────────────────────────────────────

inOrder('a client that closes its sending side behind its request still gets its answer', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  client.end()
  await later(50)
  origin.send(ok('still there'))
  assert.is((await client.message()).body.toString(), 'still there')
  assert.equal(await client.rest(), { octets: '', ending: 'fin' })
})

inOrder(
  'a client that closes its sending side behind pipelined requests gets all its answers',
  async (stand) => {
    const client = await stand.client()
    client.send(GET + GET + GET).end()
    const origin = await stand.origin()
    for (let request = 0; request < 3; request++) {
      await origin.head()
      origin.send(ok(`${request}`))
    }
    const { octets, ending } = await client.rest()
    assert.equal(octets.match(/\r\n\r\n\d/g), ['\r\n\r\n0', '\r\n\r\n1', '\r\n\r\n2'])
    assert.is(ending, 'fin')
  },
)

inTime('a client that closes its sending side waits no longer than its deadline', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  client.end()
  assert.is((await client.rest()).octets, '')
  await origin.rest()
  assert.equal(await stand.failures(), { ERR_CLIENT_CLOSED: 1 })
})

inTime('each octet of the response gives a client that closed its sending side more time', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  client.end()
  origin.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n')
  await trickle(origin, '123456', SHORT / 2)
  assert.is((await client.message()).body.toString(), '123456')
})

/** Where a client closes its sending side too early. */
const EARLY_ENDS = [
  ['within a head', 'GET /x HTTP/1.1\r\nHost: a\r\n', undefined],
  ['within a body of known length', `${post('').replace('Length: 0', 'Length: 9')}abc`, 'abc'],
  ['within a chunked body', chunkedPost('abc'), 'abc'],
  ['before the last empty line', `${chunkedPost('abc')}0\r\n`, 'abc\r\n0\r\n'],
] as const

for (const [where, octets, taken] of EARLY_ENDS) {
  inOrder(`a client that closes its sending side ${where} has sent no request`, async (stand) => {
    const client = await stand.client()
    client.send(octets)
    const origin = taken === undefined ? undefined : await stand.origin()
    if (taken !== undefined) await origin?.until(taken)
    client.end()
    assert.not.match((await client.rest()).octets, /^HTTP\/1\.1 2/)
    await origin?.rest()
    if (origin === undefined) assert.is(stand.connections, 0)
  })
}

inOrder('an upstream that closes behind a whole response is not used again', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  origin.send(ok()).end()
  await client.message()
  await origin.rest() // signet closes its side too
  client.send(GET)
  const next = await stand.origin()
  await next.head()
  next.send(ok('anew'))
  assert.is((await client.message()).body.toString(), 'anew')
})

inOrder('an upstream that only closes its sending side within a body has cut it short', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  origin.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc')
  await client.until('abc')
  origin.end()
  assert.is((await client.rest()).ending, 'reset')
})

inOrder('the end of the upstream ends a body that has no other end', async (stand) => {
  const { client, origin } = await stand.exchange(GET)
  origin.send('HTTP/1.1 200 OK\r\n\r\nabc').end()
  const { octets, ending } = await client.rest()
  assert.match(octets, /\r\n\r\nabc$/)
  assert.match(octets, /\r\nConnection: close\r\n/i)
  assert.is(ending, 'fin')
})

inOrder('a tunnel passes on each half-close, and the other half goes on', async (stand) => {
  const { client, origin } = await stand.exchange(UPGRADE)
  origin.send(SWITCHING)
  await client.head()
  client.send('last words').end()
  assert.is((await origin.rest()).octets, 'last words')
  origin.send('and mine')
  assert.is((await client.take(8)).toString(), 'and mine')
  origin.end()
  assert.equal(await client.rest(), { octets: '', ending: 'fin' })
})

inOrder('a tunnel whose upstream closes first still carries what the client has to say', async (stand) => {
  const { client, origin } = await stand.exchange(UPGRADE)
  origin.send(`${SWITCHING}first`).end()
  await client.head()
  assert.equal(await client.rest(), { octets: 'first', ending: 'fin' })
  client.send('second').end()
  assert.is((await origin.rest()).octets, 'second')
})

// ── RST at every phase ────────────────────────────────────────────────────────────────────────────────────────

/** How a peer leaves: politely, or not. */
const ENDINGS = [
  ['RST', (wire: Wire) => wire.reset()],
  ['close', (wire: Wire) => wire.destroy()],
] as const

/** How far a client's exchange has come, from its octets to the state in which the client leaves. */
const LENGTH_9 = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'
const CHUNK_9 = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc'
const CLIENT_PHASES: readonly (readonly [
  phase: string,
  reach: (stand: TimeStand) => Promise<{ client: Wire; origin?: Wire }>,
  /** what is logged of the exchange that was cut off; undefined when there was none */
  failure: string | undefined,
])[] = [
  ['before its first octet', async (stand) => ({ client: await stand.client() }), undefined],
  ['within a head', async (stand) => ({ client: (await stand.client()).send('GET /x HT') }), undefined],
  [
    'within a body',
    (stand) => stand.exchange(`${post('').replace('Length: 0', 'Length: 9')}abc`, 'abc'),
    'ERR_CLIENT_CLOSED',
  ],
  ['within a chunk', (stand) => stand.exchange(`${chunkedPost()}9\r\nabc`, 'abc'), 'ERR_CLIENT_CLOSED'],
  ['while it waits for its answer', (stand) => stand.exchange(GET), 'ERR_CLIENT_CLOSED'],
  [
    'after an interim response',
    (stand) => upTo(stand, 'HTTP/1.1 103 Early Hints\r\n\r\n', '103'),
    'ERR_CLIENT_CLOSED',
  ],
  ['within a response', (stand) => upTo(stand, LENGTH_9, 'abc'), 'ERR_CLIENT_CLOSED'],
  ['within a chunked response', (stand) => upTo(stand, CHUNK_9, 'abc'), 'ERR_CLIENT_CLOSED'],
  [
    'within a response until close',
    (stand) => upTo(stand, 'HTTP/1.1 200 OK\r\n\r\nabc', 'abc'),
    'ERR_CLIENT_CLOSED',
  ],
  ['within its request, answered already', (stand) => answeredEarly(stand), undefined],
  ['in a tunnel', (stand) => upTo(stand, SWITCHING, '101', UPGRADE), undefined],
]

async function upTo(stand: TimeStand, answer: string, marker: string, request = GET) {
  const reached = await stand.exchange(request)
  reached.origin.send(answer)
  await reached.client.until(marker)
  return reached
}

async function answeredEarly(stand: TimeStand) {
  const reached = await stand.exchange(`${post('').replace('Length: 0', 'Length: 9')}abc`, 'abc')
  reached.origin.send(ok('early'))
  await reached.client.until('early')
  return reached
}

for (const [ending, leave] of ENDINGS) {
  for (const [phase, reach, failure] of CLIENT_PHASES) {
    inTime(
      `a client that leaves by ${ending} ${phase} takes nothing with it but its exchange`,
      async (stand) => {
        const { client, origin } = await reach(stand)
        await later(20)
        leave(client)
        await origin?.rest() // the upstream is not left with half an exchange
        if (failure !== undefined) assert.equal(await stand.failures(), { [failure]: 1 })
        await answersStill(stand)
      },
    )
  }
}

/** signet answers the next client. */
async function answersStill(stand: TimeStand): Promise<void> {
  const { client, origin } = await stand.exchange(GET)
  origin.send(ok('as ever'))
  assert.is((await client.message()).body.toString(), 'as ever')
}

/** What the client of an upstream that leaves gets. */
type Outcome = 'refused' | 'reset' | 'whole'
const UPSTREAM_PHASES: readonly (readonly [
  phase: string,
  request: string,
  /** the marker in what the upstream reads before it says `answer` and leaves */
  taken: string,
  answer: string,
  /** what the client has seen by then */
  seen: string,
  byRst: Outcome,
  byFin: Outcome,
])[] = [
  ['before an answer to GET', GET, '\r\n\r\n', '', '', 'refused', 'refused'],
  ['before an answer to POST', post('abc'), 'abc', '', '', 'refused', 'refused'],
  [
    'within a request',
    `${post('').replace('Length: 0', 'Length: 9')}abc`,
    'abc',
    '',
    '',
    'refused',
    'refused',
  ],
  ['within a chunked request', chunkedPost('abc'), 'abc', '', '', 'refused', 'refused'],
  [
    'after an interim response',
    GET,
    '\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\n\r\n',
    '103',
    'refused',
    'refused',
  ],
  ['within a response head', GET, '\r\n\r\n', 'HTTP/1.1 200 O', '', 'refused', 'refused'],
  ['within a response', GET, '\r\n\r\n', LENGTH_9, 'abc', 'reset', 'reset'],
  ['within a chunked response', GET, '\r\n\r\n', CHUNK_9, 'abc', 'reset', 'reset'],
  ['within a response until close', GET, '\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\nabc', 'abc', 'reset', 'whole'],
  ['after its response', GET, '\r\n\r\n', ok('whole'), 'whole', 'whole', 'whole'],
]

for (const [ending, leave] of ENDINGS) {
  for (const [phase, request, taken, answer, seen, byRst, byFin] of UPSTREAM_PHASES) {
    const outcome = ending === 'RST' ? byRst : byFin
    inTime(
      `an upstream that leaves by ${ending} ${phase}: the client's answer is ${outcome}`,
      async (stand) => {
        const { client, origin } = await stand.exchange(request, taken)
        if (answer !== '') origin.send(answer)
        const begun = seen === '' ? '' : await client.until(seen)
        await later(20)
        leave(origin)
        if (outcome === 'refused') {
          if (begun !== '') await client.head()
          assert.is(await refusalOf(client), '502 ERR_UPSTREAM_CLOSED')
        } else if (outcome === 'reset') {
          assert.is((await client.rest()).ending, 'reset')
          assert.equal(await stand.failures(), { ERR_RESPONSE_CUT_SHORT: 1 })
        }
        assert.is(stand.connections, 1, 'it was not sent again')
        await answersStill(stand)
      },
    )
  }

  inTime(`a tunnel whose upstream leaves by ${ending} ends`, async (stand) => {
    const { client, origin } = await stand.exchange(UPGRADE)
    origin.send(SWITCHING)
    await client.head()
    leave(origin)
    await client.rest()
    await answersStill(stand)
  })

  inTime(
    `an upstream that answers early and leaves by ${ending}: the client has its answer`,
    async (stand) => {
      const { client, origin } = await stand.exchange(
        `${post('').replace('Length: 0', 'Length: 9')}abc`,
        'abc',
      )
      origin.send(ok('early'))
      assert.is((await client.message()).body.toString(), 'early')
      leave(origin)
      await later(20)
      client.send('defghi') // nobody reads it any more; the connection may go on behind it, or end
      await answersStill(stand)
    },
  )
}

inTime(
  'an answer before the request is through leaves nothing behind when the client is to close',
  async (stand) => {
    const request = post('', 'Connection: close\r\n').replace('Length: 0', 'Length: 9')
    const { client, origin } = await stand.exchange(`${request}abc`, 'abc')
    origin.send(ok('early'))
    assert.is((await client.message()).body.toString(), 'early')
    client.destroy()
    await origin.rest() // the rest of the request will never come
  },
)

// ── sent again, or not ────────────────────────────────────────────────────────────────────────────────────────

/** Requests on an upstream connection that has been used before and ends before an octet of the answer. */
const REPEATS = [
  ['GET', GET, true],
  ['DELETE without a body', GET.replace('GET', 'DELETE'), true],
  ['OPTIONS', GET.replace('GET', 'OPTIONS'), true],
  ['PUT without a body', 'PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n', true],
  ['PUT with a body', post('abc').replace('POST', 'PUT'), false],
  ['POST without a body', post(''), false],
  ['POST', post('abc'), false],
  ['PATCH', post('abc').replace('POST', 'PATCH'), false],
] as const

for (const [ending, leave] of ENDINGS) {
  for (const [what, request, repeated] of REPEATS) {
    const fate = repeated ? 'sent again, once' : 'not sent again'
    inOrder(`${what} is ${fate} when its reused connection ends by ${ending} unanswered`, async (stand) => {
      const { client, origin } = await stand.exchangeReused(
        request,
        request.endsWith('abc') ? 'abc' : '\r\n\r\n',
      )
      leave(origin)
      if (!repeated) {
        assert.is(await refusalOf(client), '502 ERR_UPSTREAM_CLOSED')
        assert.is(stand.connections, 1)
        return
      }
      const next = await stand.origin()
      await next.head()
      leave(next)
      assert.is(await refusalOf(client), '502 ERR_UPSTREAM_CLOSED')
      assert.is(stand.connections, 2)
    })
  }

  inOrder(
    `GET is not sent again when its connection ends by ${ending} within the response head`,
    async (stand) => {
      const { client, origin } = await stand.exchangeReused(GET)
      origin.send('HTTP/1.1 2')
      await later(20)
      leave(origin)
      assert.is(await refusalOf(client), '502 ERR_UPSTREAM_CLOSED')
      assert.is(stand.connections, 1)
    },
  )
}

// ── an upstream that is not there ─────────────────────────────────────────────────────────────────────────────

inTime('an upstream that closes every connection at once is asked once', async (stand) => {
  const client = await stand.client()
  for (let request = 1; request <= 5; request++) {
    client.send(GET)
    ;(await stand.origin()).destroy()
    assert.is(await refusalOf(client), '502 ERR_UPSTREAM_CLOSED')
    assert.is(stand.connections, request)
  }
})

inTime('an upstream that answers and closes at once loses no answer', async (stand) => {
  const client = await stand.client()
  for (let request = 1; request <= 50; request++) {
    client.send(request % 2 === 0 ? GET : post('abc'))
    const origin = await stand.origin()
    await origin.until(request % 2 === 0 ? '\r\n\r\n' : 'abc')
    origin.send(ok(`${request}`)).end()
    // It closed without a word about it: the next request must not be given to what is left of it.
    const { head, body } = await client.message()
    assert.is(statusOf(head), 200)
    assert.is(body.toString(), `${request}`)
    await origin.rest()
  }
})

test('an upstream that is not there costs 502 at once, for every request', async () => {
  const port = await unusedPort()
  const stand = await TimeStand.start({ SIGNET_UPSTREAM: `http://127.0.0.1:${port}` })
  try {
    const client = await stand.client()
    for (let request = 0; request < 20; request++) {
      client.send(GET)
      assert.is(await refusalOf(client), '502 ERR_UPSTREAM_UNREACHABLE')
      const poster = await stand.client()
      poster.send(post('abc'))
      assert.is(await refusalOf(poster), '502 ERR_UPSTREAM_UNREACHABLE')
    }
    await stand.settle()
  } finally {
    await stand.close()
  }
})

test('an upstream that never accepts costs 504, and a client that leaves meanwhile costs nothing', async () => {
  const hole = await openBlackHole()
  const stand = await TimeStand.start({ ...DEADLINES, SIGNET_UPSTREAM: `http://127.0.0.1:${hole.port}` })
  try {
    const clients = await Promise.all([stand.client(), stand.client(), stand.client()])
    for (const client of clients) client.send(GET)
    const [first, second, third] = clients as [Wire, Wire, Wire]
    await later(SHORT / 3)
    first.reset()
    second.destroy()
    assert.is(await refusalOf(third), '504 ERR_CONNECT_TIMEOUT')
    await stand.settle()
  } finally {
    await stand.close()
    await hole.close()
  }
})

/**
 * A socket that listens and never accepts, with its backlog full: a process that has stopped. Connections to it hang,
 * as to a host that drops every packet.
 */
async function openBlackHole(): Promise<{ port: number; close(): Promise<void> }> {
  const script = `
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      process.send(server.address().port, () => process.kill(process.pid, 'SIGSTOP'))
    })`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const [port] = (await within(once(child, 'message'), 'the black hole to listen')) as [number]
  const fillers: Socket[] = []
  const ended = once(child, 'exit')
  let connected = 0
  for (let filler = 0; filler < 8; filler++) {
    fillers.push(connect(port, '127.0.0.1', () => connected++).on('error', () => undefined))
  }
  await later(300) // nothing tells when a backlog is full: those that fit have connected by now
  assert.ok(connected < fillers.length, 'the backlog is full')
  return {
    port,
    async close() {
      for (const filler of fillers) filler.destroy()
      child.kill('SIGKILL')
      await ended
    },
  }
}

// ── pipelining ────────────────────────────────────────────────────────────────────────────────────────────────

for (const [ending, leave] of ENDINGS) {
  inOrder(`a client that pipelines 20 requests and leaves by ${ending} in the middle`, async (stand) => {
    const client = await stand.client()
    const requests = Array.from({ length: 20 }, (_, at) =>
      (at % 3 === 1 ? post('abc') : GET).replace('/x', `/${at}`),
    )
    client.send(requests.join(''))
    const origin = await stand.origin()
    for (let at = 0; at < 7; at++) {
      const { head } = await origin.message()
      assert.ok(head.split(' ')[1] === `/${at}`, `request ${at} is next`)
      origin.send(ok(`${at}`))
      assert.is((await client.message()).body.toString(), `${at}`)
    }
    await origin.head()
    leave(client)
    assert.not.match((await origin.rest()).octets, /HTTP\/1\.1/) // nothing of what was pipelined behind it goes out
    assert.is(stand.connections, 1)
    assert.equal(await stand.failures(), { ERR_CLIENT_CLOSED: 1 })
    await answersStill(stand)
  })
}

test.run()
