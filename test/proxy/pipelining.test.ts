// Requests sent without waiting for answers (RFC 9112 §9.3.2): forwarded one by one, answered in order, whatever the
// pieces they come in, and whatever comes between them.

import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asserted, claimsIn, masked, problemIn, valuesOf } from '../support/heads.ts'
import { READ_PATHS, type Stand } from '../support/proxy.ts'
import { standsOf } from '../support/stands.ts'
import { eventually, ok, type Wire, type WireMessage } from '../support/wire.ts'

const H = 'Host: a.test\r\n'

/** A request that can be told from the others. */
function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\n${H}\r\n`
}

/** The request-target in a head. */
function targetOf(head: string): string {
  return head.split(' ')[1] ?? ''
}

/** One request of the property: its head says which one it is. */
interface Planned {
  readonly method: string
  readonly framing: 'none' | 'length' | 'chunked'
  readonly parts: readonly Uint8Array[]
  readonly trailers: boolean
  readonly answer: 'length' | 'chunked' | 'empty'
  readonly emptyLineFirst: boolean
}

const planned: fc.Arbitrary<Planned> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD'),
  framing: fc.constantFrom('none', 'length', 'chunked'),
  parts: fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }), { maxLength: 4 }),
  trailers: fc.boolean(),
  answer: fc.constantFrom('length', 'chunked', 'empty'),
  emptyLineFirst: fc.boolean(),
})

/** The body as it stands on the wire. */
function bodyOf({ framing, parts, trailers }: Planned): Buffer {
  if (framing === 'none') return Buffer.alloc(0)
  if (framing === 'length') return Buffer.concat(parts)
  const chunks = parts.flatMap((part) => [
    Buffer.from(`${part.length.toString(16)}\r\n`),
    part,
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...chunks, Buffer.from(trailers ? '0\r\nX-Sum: 1\r\n\r\n' : '0\r\n\r\n')])
}

function framingLineOf({ framing, parts }: Planned): string {
  if (framing === 'none') return ''
  if (framing === 'chunked') return 'Transfer-Encoding: chunked\r\n'
  return `Content-Length: ${parts.reduce((sum, part) => sum + part.length, 0)}\r\n`
}

function octetsOf(plan: Planned, target: string): Buffer {
  const head = `${plan.emptyLineFirst ? '\r\n' : ''}${plan.method} ${target} HTTP/1.1\r\n${H}${framingLineOf(plan)}\r\n`
  return Buffer.concat([Buffer.from(head), bodyOf(plan)])
}

/** What the upstream answers to it: names the target, so that answers cannot be mixed up unnoticed. */
function answerTo({ answer, method }: Planned, target: string): string {
  const start = `HTTP/1.1 200 OK\r\nDate: x\r\nX-Target: ${target}\r\n`
  if (answer === 'empty') return `${start}Content-Length: 0\r\n\r\n`
  const body =
    method === 'HEAD' ? '' : answer === 'length' ? target : `3\r\n${target.slice(0, 3)}\r\n0\r\n\r\n`
  return `${start}${answer === 'length' ? `Content-Length: ${target.length}` : 'Transfer-Encoding: chunked'}\r\n\r\n${body}`
}

/** Offsets to cut `length` octets at. */
function cutsIn(seeds: readonly number[], length: number): number[] {
  return seeds.map((seed) => Math.floor(seed * length)).sort((a, b) => a - b)
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/pipelining (${readPath})`)
  const start = standsOf(test, { SIGNET_READ_PATH: readPath })

  /** Answers each request with its target, `ms` after it came. Returns what has come. */
  function answerSlowly(stand: Stand, ms: number): WireMessage[] {
    const received: WireMessage[] = []
    stand.upstream.serve((message, wire) => {
      received.push(message)
      setTimeout(() => wire.send(ok(targetOf(message.head))), ms)
      return undefined
    })
    return received
  }

  async function takeAnswers(client: Wire, count: number): Promise<string[]> {
    const answers: string[] = []
    while (answers.length < count) answers.push((await client.message()).body.toString('latin1'))
    return answers
  }

  test('requests sent at once are answered in order by a slow upstream, each with a token of its own', async () => {
    const stand = await start()
    const received = answerSlowly(stand, 5)
    const client = await stand.client()
    const targets = Array.from({ length: 30 }, (_, index) => `/${index}`)
    client.send(targets.map(get).join(''))
    assert.equal(await takeAnswers(client, 30), targets)
    assert.equal(
      received.map(({ head }) => targetOf(head)),
      targets,
    )
    const ids = await Promise.all(received.map(async ({ head }) => (await claimsIn(head)).jti))
    assert.is(new Set(ids).size, 30)
  })

  test('no octet of a request goes upstream before the one before it is answered', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(get('/1') + get('/2'))
    const upstream = await stand.upstream.accept()
    assert.is(masked(await upstream.head()), `GET /1 HTTP/1.1\r\n${H}${asserted('a.test')}`)
    await upstream.silent(50)
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh')
    await upstream.silent(50)
    assert.is(stand.upstream.wires.length, 1)
    upstream.send('i')
    assert.is(masked(await upstream.head()), `GET /2 HTTP/1.1\r\n${H}${asserted('a.test')}`)
  })

  test('bodies of every framing between the requests are not mistaken for requests', async () => {
    const stand = await start()
    const received = answerSlowly(stand, 1)
    const client = await stand.client()
    const decoy = get('/smuggled')
    const chunk = `${decoy.length.toString(16)}\r\n${decoy}\r\n0\r\n\r\n`
    client.send(
      `POST /1 HTTP/1.1\r\n${H}Content-Length: ${decoy.length}\r\n\r\n${decoy}` +
        `POST /2 HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${chunk}` +
        `POST /3 HTTP/1.1\r\n${H}Content-Length: 0\r\n\r\n${get('/4')}`,
    )
    assert.equal(await takeAnswers(client, 4), ['/1', '/2', '/3', '/4'])
    assert.equal(
      received.map(({ body }) => body.toString()),
      [decoy, chunk, '', ''],
    )
  })

  test("signet's own pages and refusals take their turn among the answers", async () => {
    const stand = await start()
    answerSlowly(stand, 20)
    const client = await stand.client()
    client.send(
      get('/1') +
        get('/status') +
        get('/metrics') +
        get('/2') +
        `OPTIONS * HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\n` +
        `TRACE / HTTP/1.1\r\n${H}\r\n` +
        get('/3'),
    )
    assert.is((await client.message()).body.toString(), '/1')
    assert.is(JSON.parse((await client.message()).body.toString()).name, 'signet')
    assert.match((await client.message()).body.toString(), /^# HELP signet_/)
    assert.is((await client.message()).body.toString(), '/2')
    assert.equal(valuesOf((await client.message()).head, 'content-length'), ['0'])
    assert.is(problemIn((await client.message()).body).code, 'ERR_METHOD_UNKNOWN')
    assert.is((await client.message()).body.toString(), '/3')
  })

  test('a status page sees the exchanges answered before it on its connection as over', async () => {
    const stand = await start()
    answerSlowly(stand, 5)
    const client = await stand.client()
    client.send(get('/1') + get('/2') + get('/status'))
    assert.equal(await takeAnswers(client, 2), ['/1', '/2'])
    const { requests } = JSON.parse((await client.message()).body.toString())
    assert.is(requests.processed, 2)
    assert.is(requests.inFlight, 1)
  })

  test('each exchange is logged with its own sizes, whatever was pipelined behind it', async () => {
    const stand = await start()
    answerSlowly(stand, 5)
    const client = await stand.client()
    const parts = [
      get('/1'),
      `POST /22 HTTP/1.1\r\n${H}Content-Length: 1000\r\n\r\n${'x'.repeat(1000)}`,
      get('/status?333'),
      get('/4444'),
      'GET / HTTP/1.1\r\nno colon\r\n\r\n',
    ]
    client.send(parts.join(''))
    const sizes: number[] = []
    for (const _ of parts) {
      const { head, body } = await client.message()
      sizes.push(head.length + body.length)
    }
    const lines = await stand.exchanges(5)
    assert.equal(
      lines.map(({ path, octetsIn, octetsOut }) => [path, octetsIn, octetsOut]),
      ['/1', '/22', '/status', '/4444', '-'].map((path, index) => [path, parts[index]?.length, sizes[index]]),
    )
  })

  test('whoever asks for the end gets it: what is pipelined behind is neither forwarded nor answered', async () => {
    const stand = await start()
    const received = answerSlowly(stand, 5)
    const client = await stand.client()
    client.send(`${get('/1')}GET /2 HTTP/1.1\r\n${H}Connection: close\r\n\r\n${get('/3')}`)
    assert.is((await client.message()).body.toString(), '/1')
    const last = await client.message()
    assert.is(last.body.toString(), '/2')
    assert.equal(valuesOf(last.head, 'connection'), ['close'])
    assert.equal(await client.rest(), { octets: '', ending: 'fin' })
    assert.is(received.length, 2)
  })

  test('a response that ends with its connection is the last, whatever was pipelined behind its request', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(get('/1') + get('/2'))
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\n\r\nuntil the end').end()
    const { octets, ending } = await client.rest()
    assert.is(masked(octets), 'HTTP/1.1 200 OK\r\nDate: <now>\r\nConnection: close\r\n\r\nuntil the end')
    assert.is(ending, 'fin')
    assert.is(stand.upstream.wires.length, 1)
  })

  test('a failed exchange in the middle is answered in its turn, and those behind it go on', async () => {
    const stand = await start()
    stand.upstream.serve(({ head }, wire) => {
      if (targetOf(head) !== '/2') return ok(targetOf(head))
      wire.end()
      return undefined
    })
    const client = await stand.client()
    client.send(`${get('/1')}POST /2 HTTP/1.1\r\n${H}Content-Length: 2\r\n\r\nhi${get('/3')}${get('/4')}`)
    assert.is((await client.message()).body.toString(), '/1')
    assert.is(problemIn((await client.message()).body).code, 'ERR_UPSTREAM_CLOSED')
    assert.equal(await takeAnswers(client, 2), ['/3', '/4'])
  })

  test('more requests than are taken in ahead wait in the kernel, and are answered all the same', async () => {
    const stand = await start()
    stand.upstream.serve(({ head }) => ok(targetOf(head)))
    const client = await stand.client()
    const targets = Array.from({ length: 300 }, (_, index) => `/${index}/${'x'.repeat(2000)}`)
    client.send(targets.map(get).join(''))
    assert.equal(await takeAnswers(client, 300), targets)
  })

  test('thousands of requests that signet answers by itself need no deep stack', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(`OPTIONS * HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\n`.repeat(3000))
    for (let count = 0; count < 3000; count++) await client.head()
  })

  // ── half-closed clients ─────────────────────────────────────────────────────────────────────────────────────

  for (const delay of [0, 20]) {
    test(`requests and then FIN: all are answered, then comes the end (upstream takes ${delay} ms)`, async () => {
      const stand = await start()
      const received = answerSlowly(stand, delay)
      const client = await stand.client()
      client.send(get('/1') + get('/2') + get('/3')).end()
      assert.equal(await takeAnswers(client, 3), ['/1', '/2', '/3'])
      assert.equal(await client.rest(), { octets: '', ending: 'fin' })
      assert.is(received.length, 3)
      await eventually(() => stand.proxy.open().downstream === 0, 'the client connection to be gone')
    })
  }

  for (const last of [get('/status'), `TRACE / HTTP/1.1\r\n${H}\r\n`, 'GET / HTTP/1.1\r\nno colon\r\n\r\n']) {
    test(`requests and then FIN, the last answered by signet: ${JSON.stringify(last.slice(0, 12))}`, async () => {
      const stand = await start()
      answerSlowly(stand, 20)
      const client = await stand.client()
      client.send(get('/1') + last).end()
      assert.equal(await takeAnswers(client, 1), ['/1'])
      assert.ok((await client.message()).body.length > 0)
      assert.equal(await client.rest(), { octets: '', ending: 'fin' })
    })
  }

  test('requests, half a request and then FIN: the whole ones are answered', async () => {
    const stand = await start()
    answerSlowly(stand, 20)
    const client = await stand.client()
    client.send(`${get('/1')}${get('/2')}GET /3 HTTP/1.1\r\nHos`).end()
    assert.equal(await takeAnswers(client, 2), ['/1', '/2'])
    assert.is((await client.rest()).octets, '')
  })

  test('a client that resets takes the exchanges it has pipelined with it', async () => {
    const stand = await start()
    const client = await stand.client()
    client.send(get('/1') + get('/2'))
    const upstream = await stand.upstream.accept()
    await upstream.head()
    client.reset()
    assert.is((await upstream.rest()).octets, '')
    assert.is((await stand.exchanges(1))[0]?.failure, 'ERR_CLIENT_CLOSED')
    await eventually(() => stand.proxy.open().downstream === 0, 'the client connection to be gone')
    assert.is(stand.upstream.wires.length, 1)
  })

  // ── the property ────────────────────────────────────────────────────────────────────────────────────────────

  test('any requests, cut at any octets into any writes, arrive upstream as the same requests, answers in order', async () => {
    const stand = await start()
    const plans = new Map<string, Planned>()
    const received = new Map<string, WireMessage>()
    let answerCuts: readonly number[] = []
    stand.upstream.serve((message, wire) => {
      const target = targetOf(message.head)
      received.set(target, message)
      const answer = answerTo(plans.get(target)!, target)
      void wire.sendSplit(answer, ...cutsIn(answerCuts, answer.length))
      return undefined
    })
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 12 })
    let run = 0
    const property = fc.asyncProperty(
      fc.array(planned, { minLength: 1, maxLength: 6 }),
      cuts,
      cuts,
      fc.boolean(),
      async (list, requestCuts, cutsOfAnswers, endsBehind) => {
        run++
        answerCuts = cutsOfAnswers
        const targets = list.map((_, index) => `/${run}/${index}`)
        for (const [index, plan] of list.entries()) plans.set(targets[index]!, plan)
        const octets = Buffer.concat(list.map((plan, index) => octetsOf(plan, targets[index]!)))
        const client = await stand.client()
        await client.sendSplit(octets, ...cutsIn(requestCuts, octets.length))
        if (endsBehind) client.end()
        for (const [index, plan] of list.entries()) {
          const target = targets[index]!
          const ends = endsBehind && index === list.length - 1
          const sent = answerTo(plan, target)
          // RFC 9110 §9.3.2: that there would be chunks need not be said to HEAD, and is not.
          const expected = plan.method === 'HEAD' ? sent.replace('Transfer-Encoding: chunked\r\n', '') : sent
          const answer = await client.take(expected.length + (ends ? 'Connection: close\r\n'.length : 0))
          const withoutEnd = answer.toString('latin1').replace('Connection: close\r\n', '')
          assert.is(withoutEnd, expected)
          const { head, body } = received.get(target)!
          const request = `${plan.method} ${target} HTTP/1.1\r\n${H}${framingLineOf(plan)}${asserted('a.test')}`
          assert.is(masked(head), request)
          assert.ok(body.equals(bodyOf(plan)), `body of ${target}`)
        }
        if (!endsBehind) client.end()
        assert.equal(await client.rest(), { octets: '', ending: 'fin' })
        plans.clear()
        received.clear()
      },
    )
    await fc.assert(property, { numRuns: 150 })
    await eventually(() => stand.proxy.open().downstream === 0, 'all client connections to be gone')
    assert.is(
      stand.upstream.wires.length,
      1,
      'one upstream connection was enough, since nothing was ever in doubt',
    )
  })

  test.run()
}
