// Middleware around exchanges over real sockets: when each part of it runs, what it may change, and that its `finally` runs
// once, whatever becomes of the exchange.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { gunzipSync } from 'node:zlib'
import type { RouteConfig } from '../../src/http/gateway.ts'
import type { Middleware, MiddlewareExchange, MiddlewareFunction } from '../../src/middleware/middleware.ts'
import { compressing, prose, unchunked } from '../support/compressed.ts'
import { gatewayTo, loopback } from '../support/gateways.ts'
import { valuesOf } from '../support/heads.ts'
import { READ_PATHS, type Stand, startStand } from '../support/proxy.ts'
import { exchange } from '../support/stands.ts'
import { eventually, ok, RawUpstream, type Wire, within } from '../support/wire.ts'

const GET = 'GET /a?b=c HTTP/1.1\r\nHost: a.test\r\n\r\n'

/** What a middleware has gone through, in order. */
class Diary {
  readonly entries: string[] = []

  /** A middleware that writes down each of its parts. */
  of(name: string, phase: 'client-edge' | 'proxy' | 'target-edge' = 'proxy'): Middleware {
    const { entries } = this
    return {
      phase,
      name,
      async *run() {
        entries.push(`${name} before`)
        try {
          yield
          entries.push(`${name} after`)
          yield
          entries.push(`${name} well`)
        } finally {
          entries.push(`${name} finally`)
        }
      },
    }
  }

  /** Waits until `entry` has been written `count` times. */
  async until(entry: string, count = 1): Promise<void> {
    const there = () => this.entries.filter((one) => one === entry).length >= count
    await eventually(there, `${entry} in ${this.entries.join(', ')}`)
  }
}

/** A generator that waits, and one that does not, from the same parts. */
const KINDS: Readonly<
  Record<
    string,
    (
      act: (exchange: MiddlewareExchange) => void,
      after?: (exchange: MiddlewareExchange) => void,
    ) => MiddlewareFunction
  >
> = {
  'function*': (act, after) =>
    function* plain(exchange) {
      act(exchange)
      yield
      after?.(exchange)
    },
  'async function*': (act, after) =>
    async function* waiting(exchange) {
      act(exchange)
      yield
      after?.(exchange)
    },
  'async function* that waits': (act, after) =>
    async function* late(exchange) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      act(exchange)
      yield
      await new Promise((resolve) => setTimeout(resolve, 10))
      after?.(exchange)
    },
}

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/middleware, ${readPath}`)
  const open: Stand[] = []
  test.after.each(async () => {
    for (const stand of open.splice(0)) {
      await stand.close()
      await eventually(() => stand.proxy.open().deadlines === 0, 'no deadline to be left')
    }
  })

  async function start(
    middleware: readonly Middleware[],
    route: Partial<RouteConfig> = {},
    { env = {}, timeout }: { env?: Record<string, string>; timeout?: number } = {},
  ): Promise<Stand> {
    const routes = [{ name: 'all', upstream: 'upstream', path: '/*', ...route }]
    const stand = await startStand(
      { SIGNET_READ_PATH: readPath, ...env },
      undefined,
      {
        routes,
        authenticators: [{ kind: 'anonymous', name: 'anybody', subject: 'somebody', forward: false }],
      },
      { middleware: { all: middleware, routes: new Map() }, middlewareTimeout: timeout },
    )
    open.push(stand)
    return stand
  }

  test('parts before the yield run in order of phases, then as given; those after it in reverse', async () => {
    const diary = new Diary()
    const stand = await start([
      diary.of('t', 'target-edge'),
      diary.of('p1'),
      diary.of('c', 'client-edge'),
      diary.of('p2'),
    ])
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    assert.equal(diary.entries, ['c before', 'p1 before', 'p2 before', 't before'])
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n')
    await client.head()
    assert.equal(diary.entries.slice(4), ['t after', 'p2 after', 'p1 after', 'c after'])
    upstream.send('ok')
    await client.take(2)
    await diary.until('c finally')
    assert.equal(
      diary.entries.slice(8).sort(),
      [...['c', 'p1', 'p2', 't'].flatMap((one) => [`${one} finally`, `${one} well`])].sort(),
    )
  })

  for (const [kind, make] of Object.entries(KINDS)) {
    test(`${kind}: fields, target and the fields of the response change`, async () => {
      const stand = await start([
        make(
          ({ request }) => {
            request.target = '/changed?to=this'
            request.fields.set('X-Added', 'one')
            request.fields.append('x-added', 'two')
            request.fields.delete('x-gone')
          },
          ({ response }) => {
            response!.fields.set('X-Seen', String(response!.status))
            response!.fields.delete('server')
          },
        ),
      ])
      const { forwarded, response } = await exchange(
        stand,
        'GET / HTTP/1.1\r\nHost: a.test\r\nX-Gone: 1\r\nX_Gone: 2\r\nX-Added: 0\r\nX_Added: forged\r\nConnection: x-added\r\n\r\n',
        ok('body', 'Server: secret\r\n'),
      )
      assert.match(forwarded.head, /^GET \/changed\?to=this HTTP/)
      assert.equal(valuesOf(forwarded.head, 'x-added'), ['one', 'two'])
      assert.not.match(forwarded.head, /x.gone|forged/i)
      assert.equal(valuesOf(response.head, 'x-seen'), ['200'])
      assert.not.match(response.head, /server/i)
      assert.is(response.body.toString(), 'body')
    })

    test(`${kind}: a body streams through it, octet for octet, both ways`, async () => {
      const stand = await start([make(() => undefined)])
      const client = await stand.client()
      client.send('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n')
      const upstream = await stand.upstream.accept()
      await upstream.head()
      assert.is(await upstream.until('abc\r\n'), '3\r\nabc\r\n') // as it is without: chunk extensions stop here
      client.send('0\r\nX-Trailer: 1\r\n\r\n')
      await upstream.until('X-Trailer: 1\r\n\r\n')
      upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
      await client.head()
      await client.until('abc\r\n')
      upstream.send('0\r\n\r\n')
      await client.until('0\r\n\r\n')
    })

    test(`${kind}: one connection carries request after request, to the client and to the upstream`, async () => {
      const stand = await start([make(() => undefined)])
      stand.upstream.serve(() => ok('same'))
      const client = await stand.client()
      client.send(GET + GET + GET)
      for (let count = 0; count < 3; count++) assert.is((await client.message()).body.toString(), 'same')
      assert.is(stand.upstream.wires.length, 1)
    })

    test(`${kind}: it answers by itself, and the upstream is never asked`, async () => {
      const diary = new Diary()
      const stand = await start([
        diary.of('outer', 'client-edge'),
        make((exchange) => exchange.respond({ status: 418, fields: { 'X-Own': '1' }, body: 'tea' })),
        diary.of('inner'),
      ])
      const client = await stand.client()
      client.send(GET)
      const { head, body } = await client.message()
      assert.match(head, /^HTTP\/1\.1 418 /)
      assert.equal(valuesOf(head, 'x-own'), ['1'])
      assert.equal(valuesOf(head, 'content-type'), ['text/plain; charset=utf-8'])
      assert.is(body.toString(), 'tea')
      client.send(GET)
      assert.match((await client.message()).head, /^HTTP\/1\.1 418 /)
      assert.is(stand.upstream.wires.length, 0)
      await diary.until('outer finally', 2)
      assert.equal(diary.entries.slice(0, 4), ['outer before', 'outer after', 'outer well', 'outer finally'])
      assert.not.ok(diary.entries.some((entry) => entry.startsWith('inner')))
    })

    test(`${kind}: it answers in place of the upstream, whose body is dropped`, async () => {
      const stand = await start([
        make(
          () => undefined,
          ({ response }) => response!.fields.set('x-outer', String(response!.status)),
        ),
        make(
          () => undefined,
          (exchange) => exchange.respond({ status: 502, body: 'not that' }),
        ),
      ])
      const { client, response, upstream } = await exchange(
        stand,
        GET,
        'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsecr',
      )
      assert.match(response.head, /^HTTP\/1\.1 502 /)
      assert.equal(valuesOf(response.head, 'x-outer'), ['502'])
      assert.is(response.body.toString(), 'not that')
      await upstream.rest()
      client.send(GET)
      await (await stand.upstream.accept()).head() // the client's connection goes on
    })

    test(`${kind}: what it throws is 500 with a line that names it, and the others' finally runs`, async () => {
      for (const part of ['before', 'after']) {
        const diary = new Diary()
        const fail = () => {
          throw new Error('no such luck')
        }
        const broken = part === 'before' ? make(fail) : make(() => undefined, fail)
        const stand = await start([diary.of('outer'), broken, diary.of('inner')])
        stand.upstream.serve(() => ok('never seen'))
        const client = await stand.client()
        client.send(GET)
        const { head, body } = await client.message()
        assert.match(head, /^HTTP\/1\.1 500 /, part)
        assert.match(body.toString(), /ERR_MIDDLEWARE"/)
        assert.not.match(body.toString(), /luck/)
        await diary.until('outer finally')
        const [line] = await stand.exchanges(1)
        assert.match(String(line!.reason), /^the middleware (plain|waiting|late) has thrown: no such luck$/)
        assert.ok(stand.log.some(({ event, level }) => event === 'middleware' && level === 'error'))
        assert.is(diary.entries.filter((entry) => entry === 'outer finally').length, 1)
        assert.not.ok(diary.entries.includes('outer well'))
      }
    })
  }

  test('nobody but signet says what only signet may say', async () => {
    const refused: string[] = []
    const stand = await start(
      [
        function* ({ request }) {
          for (const name of [
            'x-my-jwt',
            'X_My_Jwt',
            'x-told',
            'x-forwarded-for',
            'forwarded',
            'via',
            'host',
            'content-length',
            'content_length',
            'transfer-encoding',
            'connection',
            'te',
            'upgrade',
            'expect',
            'trailer',
            'keep-alive',
            'proxy-authorization',
            'a b',
            '',
            'a\r\n',
          ])
            for (const change of [
              () => request.fields.set(name, 'v'),
              () => request.fields.append(name, 'v'),
              () => request.fields.delete(name),
            ])
              try {
                change()
              } catch (thrown) {
                assert.instance(thrown, TypeError)
                refused.push(name)
              }
          for (const value of ['a\r\nb', 'a\0', 'a\n', '\u{1f600}'])
            assert.throws(() => request.fields.set('x-a', value), TypeError)
          for (const target of ['', 'a', '*', '/a b', '/a\r\n', '/%2e%2e/', '/a//b', 'http://x/', '/%zz'])
            assert.throws(() => {
              request.target = target
            }, TypeError)
          yield
        },
      ],
      { fields: { 'x-told': 'by signet' } },
    )
    const { forwarded } = await exchange(
      stand,
      'GET / HTTP/1.1\r\nHost: a.test\r\nX-My-Jwt: forged\r\nX-Told: forged\r\n\r\n',
      ok(),
    )
    assert.is(refused.length, 20 * 3)
    assert.equal(valuesOf(forwarded.head, 'x-told'), ['by signet'])
    assert.is(valuesOf(forwarded.head, 'x-my-jwt').length, 1)
    assert.not.match(forwarded.head, /forged/)
  })

  test('a request is changed before it has gone, and a response before its head has', async () => {
    const late: string[] = []
    const stand = await start([
      async function* (exchange) {
        yield
        try {
          exchange.request.fields.set('x-a', 'late')
        } catch (thrown) {
          late.push((thrown as Error).message)
        }
        const { fields } = exchange.response!
        yield
        for (const change of [() => fields.set('x-a', 'late'), () => exchange.respond({ status: 200 })])
          try {
            change()
          } catch (thrown) {
            late.push((thrown as Error).message)
          }
      },
    ])
    await exchange(stand, GET, ok())
    await eventually(() => late.length === 3, 'three refusals')
    for (const message of late) assert.match(message, /too late/)
  })

  test('client-edge comes before it is asked who is asking, proxy behind that', async () => {
    const seen: unknown[] = []
    const look = (phase: 'client-edge' | 'proxy' | 'target-edge'): Middleware => ({
      phase,
      *run({ identity, upstream, route, request, id, client }) {
        seen.push([identity?.subject, upstream === undefined, route, request.params.rest])
        assert.ok(id !== '' && client === '127.0.0.1' && request.path === '/x/y' && request.query === 'b=c')
        yield
      },
    })
    const stand = await start([look('client-edge'), look('proxy'), look('target-edge')], {
      authenticate: ['anybody'],
      path: '/x/:rest',
    })
    await exchange(stand, GET.replace('/a', '/x/y'), ok())
    assert.equal(seen, [
      [undefined, true, 'all', 'y'],
      ['somebody', true, 'all', 'y'],
      ['somebody', false, 'all', 'y'],
    ])
  })

  test('a refusal by signet is a failure: finally runs, and knows why', async () => {
    const failures: unknown[] = []
    const stand = await start(
      [
        {
          phase: 'client-edge',
          async *run(exchange) {
            try {
              yield
              assert.unreachable()
            } finally {
              failures.push(exchange.failure)
            }
          },
        },
      ],
      { authenticate: ['anybody'], scopes: ['none:such'] },
    )
    const client = await stand.client()
    client.send(GET)
    assert.match((await client.message()).head, /^HTTP\/1\.1 403 /)
    await eventually(() => failures.length === 1, 'finally')
    assert.equal(failures, [{ code: 'ERR_SCOPE_INSUFFICIENT', status: 403 }])
  })

  test('each exchange has a state of its own, which its middleware share', async () => {
    const states: unknown[] = []
    const stand = await start([
      {
        phase: 'client-edge',
        *run({ state, request }) {
          state.path = request.path
          yield
        },
      },
      function* ({ state }) {
        states.push({ ...state })
        state.path = 'changed'
        yield
      },
    ])
    stand.upstream.serve(() => ok())
    const client = await stand.client()
    client.send(GET + GET.replace('/a', '/b'))
    await client.message()
    await client.message()
    assert.equal(states, [{ path: '/a' }, { path: '/b' }])
  })

  // ── bodies ────────────────────────────────────────────────────────────────────────────────────────────────────

  const BODIES = {
    'with Content-Length': ['Content-Length: 9\r\n', '{"a":"b"}', '{"a":"b"}'],
    chunked: [
      'Transfer-Encoding: chunked\r\n',
      '4;e\r\n{"a"\r\n5\r\n:"b"}\r\n0\r\nX-T: 1\r\n\r\n',
      '9\r\n{"a":"b"}\r\n0\r\nX-T: 1\r\n\r\n',
    ],
  } as const
  for (const [framed, [field, sent, forwardedBody]] of Object.entries(BODIES)) {
    const head = `PUT / HTTP/1.1\r\nHost: a.test\r\n${field}\r\n`

    test(`a body ${framed} is read when it is asked for, and is forwarded as it came`, async () => {
      for (const phase of ['client-edge', 'proxy', 'target-edge'] as const) {
        const stand = await start([
          {
            phase,
            async *run({ request, state }) {
              state.body = await request.body(9)
              assert.is(String(state.body), '{"a":"b"}')
              assert.is(String(await request.body(9)), '{"a":"b"}')
              yield
            },
          },
        ])
        const client = await stand.client()
        await client.sendSplit(head + sent, head.length, head.length + 3)
        const upstream = await stand.upstream.accept()
        const { head: forwarded, body } = await upstream.message()
        assert.match(forwarded, new RegExp(`\r\n${field}`))
        assert.is(body.toString(), forwardedBody)
        upstream.send(ok('read'))
        assert.is((await client.message()).body.toString(), 'read')
        client.send(head + sent)
        await upstream.message() // both connections go on
      }
    })

    test(`a body ${framed} that is larger than asked for is refused with 413`, async () => {
      const stand = await start([
        async function* ({ request }) {
          await request.body(8).catch(() => undefined) // whatever it makes of it
          yield
        },
      ])
      const client = await stand.client()
      client.send(head + sent)
      const response = await client.message()
      assert.match(response.head, /^HTTP\/1\.1 413 /)
      assert.match(response.body.toString(), /ERR_BODY_TOO_LARGE/)
      assert.is(stand.upstream.wires.length, 0)
    })

    test(`a body ${framed} is replaced`, async () => {
      const stand = await start([
        async function* ({ request }) {
          assert.throws(() => request.setBody('too soon'), /read the body first/)
          await request.body(1000)
          request.setBody('é')
          yield
        },
      ])
      const { forwarded } = await exchange(stand, head + sent, ok())
      assert.equal(valuesOf(forwarded.head, 'content-length'), ['2'])
      assert.not.match(forwarded.head, /transfer-encoding/i)
      assert.is(forwarded.body.toString('utf8'), 'é')
    })
  }

  test('a client that waits for 100 gets it from signet when its body is asked for, and the upstream is asked for none', async () => {
    const stand = await start([
      async function* ({ request }) {
        await request.body(10)
        yield
      },
    ])
    const client = await stand.client()
    client.send('PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n')
    assert.is(await client.head(), 'HTTP/1.1 100 Continue\r\n\r\n')
    client.send('hi')
    const upstream = await stand.upstream.accept()
    const { head, body } = await upstream.message()
    assert.not.match(head, /expect/i)
    assert.is(body.toString(), 'hi')
  })

  test('a request without a body has an empty one, and may be given one', async () => {
    const stand = await start([
      async function* ({ request }) {
        assert.is((await request.body(0)).length, 0)
        request.setBody(Buffer.from('new'))
        yield
      },
    ])
    const { forwarded } = await exchange(stand, GET, ok())
    assert.is(forwarded.body.toString(), 'new')
  })

  test('a large body that was read goes to the upstream whole', async () => {
    const stand = await start([
      async function* ({ request }) {
        await request.body(4_000_000)
        yield
      },
    ])
    const client = await stand.client()
    const body = Buffer.alloc(3_000_000, 'abcdefghij')
    client.send(`PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n`).send(body)
    const upstream = await stand.upstream.accept()
    assert.ok((await upstream.message()).body.equals(body))
  })

  test('a body that is asked for and not waited for is forwarded whole all the same', async () => {
    const stand = await start([
      function* ({ request }) {
        void request.body(100)
        yield
      },
    ])
    const { forwarded } = await exchange(
      stand,
      'PUT / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
      ok(),
    )
    assert.is(forwarded.body.toString(), '2\r\nhi\r\n0\r\n\r\n')
  })

  test('what middleware has set or removed, no trailer section says again', async () => {
    for (const collected of [true, false]) {
      const stand = await start([
        async function* ({ request }) {
          if (collected) await request.body(100)
          request.fields.set('x-role', 'user')
          request.fields.delete('x-gone')
          yield
        },
      ])
      const { forwarded } = await exchange(
        stand,
        'PUT / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n' +
          '2\r\nhi\r\n0\r\nX_Role: admin\r\nX-Gone: 1\r\nX-Sum: 1\r\n\r\n',
        ok(),
      )
      assert.is(forwarded.body.toString(), '2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n')
    }
  })

  test('a body is asked for with a limit that is one', async () => {
    const refused: unknown[] = []
    const stand = await start([
      function* ({ request }) {
        for (const limit of [Number.POSITIVE_INFINITY, Number.NaN, -1, 1.5, '10' as unknown as number])
          try {
            void request.body(limit)
          } catch (thrown) {
            refused.push(thrown)
          }
        yield
      },
    ])
    await exchange(stand, GET, ok())
    assert.is(refused.length, 5)
    for (const one of refused) assert.instance(one, TypeError)
  })

  test('a client that leaves within a body that nobody waits for yet ends its exchange and nothing else', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    try {
      for (const limit of [100, 1]) {
        const diary = new Diary()
        const stand = await start([
          diary.of('outer'),
          function* ({ request }) {
            void request.body(limit)
            yield
          },
        ])
        const client = await stand.client()
        client.send('PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nha')
        await diary.until('outer before')
        client.reset()
        await diary.until('outer finally')
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    } finally {
      process.off('unhandledRejection', note)
    }
    assert.equal(unhandled, [])
  })

  // ── how exchanges end ─────────────────────────────────────────────────────────────────────────────────────────

  test('finally runs once when the client goes: while it is waited for, while the upstream is, within the body', async () => {
    for (const moment of ['before', 'sent', 'after', 'body']) {
      const diary = new Diary()
      let aborted = 0
      const hang = (signal: AbortSignal) =>
        new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => {
            aborted++
            resolve()
          }),
        )
      const stand = await start([
        diary.of('outer'),
        async function* ({ signal }) {
          if (moment === 'before') await hang(signal)
          yield
          if (moment === 'after') await hang(signal)
        },
      ])
      const client = await stand.client()
      client.send(GET)
      await diary.until('outer before')
      if (moment !== 'before') {
        const upstream = await stand.upstream.accept()
        await upstream.head()
        if (moment !== 'sent') upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
        if (moment === 'body') await client.until('half')
        else await new Promise((resolve) => setTimeout(resolve, 20))
      }
      client.reset()
      await diary.until('outer finally')
      const [line] = await stand.exchanges(1)
      assert.is(line!.status === 499 || line!.failure === 'ERR_CLIENT_CLOSED', true, moment)
      assert.is(diary.entries.filter((entry) => entry === 'outer finally').length, 1, moment)
      assert.not.ok(diary.entries.includes('outer well'), moment)
      assert.is(aborted, moment === 'before' || moment === 'after' ? 1 : 0, moment)
    }
  })

  test('finally runs once when the upstream fails: before its head, within its body', async () => {
    for (const part of ['', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf']) {
      const diary = new Diary()
      const stand = await start([diary.of('one')])
      const client = await stand.client()
      client.send(GET)
      const upstream = await stand.upstream.accept()
      await upstream.head()
      if (part !== '') {
        upstream.send(part)
        await client.until('half')
      }
      upstream.destroy()
      if (part === '') assert.match((await client.message()).head, /^HTTP\/1\.1 502 /)
      else assert.is((await client.rest()).ending, 'reset')
      await diary.until('one finally')
      assert.equal(diary.entries.filter((entry) => entry === 'one finally').length, 1)
      assert.not.ok(diary.entries.includes('one well'))
    }
  })

  test('finally runs when the proxy is closed over a running exchange', async () => {
    const diary = new Diary()
    const stand = await start([diary.of('one')])
    const client = await stand.client()
    client.send(GET)
    await (await stand.upstream.accept()).head()
    await within(stand.proxy.close(), 'the proxy to close')
    await diary.until('one finally')
    assert.not.ok(diary.entries.includes('one after'))
    open.splice(0)
    await stand.upstream.close()
  })

  test('a middleware that hangs is given up at its deadline, with 504', async () => {
    for (const part of ['before', 'after']) {
      const reasons: unknown[] = []
      const diary = new Diary()
      const stand = await start(
        [
          diary.of('outer'),
          {
            phase: 'proxy',
            name: 'hangs',
            async *run({ signal }) {
              if (part === 'after') yield
              await new Promise((_, reject) =>
                signal.addEventListener('abort', () => {
                  reasons.push(signal.reason)
                  reject(signal.reason)
                }),
              )
            },
          },
        ],
        {},
        { timeout: 100 },
      )
      stand.upstream.serve(() => ok('late'))
      const client = await stand.client()
      client.send(GET)
      const { head, body } = await client.message()
      assert.match(head, /^HTTP\/1\.1 504 /, part)
      assert.match(body.toString(), /ERR_MIDDLEWARE_TIMEOUT/)
      const [line] = await stand.exchanges(1)
      assert.is(line!.reason, 'the middleware hangs took more than 100 ms')
      await diary.until('outer finally')
      assert.is(reasons.length, 1)
    }
  })

  // ── together with everything else ─────────────────────────────────────────────────────────────────────────────

  test('a tunnel: what stands after the yield sees 101, finally comes when it closes', async () => {
    const diary = new Diary()
    const statuses: unknown[] = []
    const stand = await start([
      diary.of('one'),
      async function* (exchange) {
        yield
        statuses.push(exchange.response?.status)
        exchange.response?.fields.set('x-seen', 'yes')
      },
    ])
    const client = await stand.client()
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst',
    )
    assert.equal(valuesOf(await client.head(), 'x-seen'), ['yes'])
    await client.until('first')
    client.send('back')
    await upstream.until('back')
    assert.equal(statuses, [101])
    assert.not.ok(diary.entries.includes('one finally'))
    client.end()
    upstream.end()
    await diary.until('one finally')
    assert.ok(diary.entries.includes('one well'))
  })

  test('a tunnel: what the upstream sends while it waits behind the 101 arrives whole, its end included', async () => {
    let goOn = () => {}
    const stand = await start([
      async function* () {
        yield
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
      },
    ])
    const client = await stand.client()
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    const upstream = await stand.upstream.accept()
    await upstream.head()
    for (const piece of ['Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst', ' second', ' third']) {
      upstream.send(piece.startsWith('C') ? `HTTP/1.1 101 Switching Protocols\r\n${piece}` : piece)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    upstream.end()
    await new Promise((resolve) => setTimeout(resolve, 20))
    goOn()
    assert.match(await client.head(), /^HTTP\/1\.1 101 /)
    assert.is((await client.rest()).octets.toString(), 'first second third')
  })

  test('an answer that comes while the upstream is asked stands in place of what that answers', async () => {
    for (const kind of ['a response', 'a body that is still awaited']) {
      const stand = await start([
        function* (exchange) {
          if (kind !== 'a response') void exchange.request.body(10)
          setTimeout(() => exchange.respond({ status: 418, body: 'tea' }), 20)
          yield
          exchange.response!.fields.set('x-seen', String(exchange.response!.status))
        },
      ])
      const client = await stand.client()
      client.send('PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\n')
      if (kind === 'a response') {
        client.send('hi')
        const upstream = await stand.upstream.accept()
        await upstream.message()
        await new Promise((resolve) => setTimeout(resolve, 50))
        upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Upstream: 1\r\n\r\nsecret')
      } else {
        await new Promise((resolve) => setTimeout(resolve, 50))
        client.send('hi')
      }
      const { head, body } = await client.message()
      assert.match(head, /^HTTP\/1\.1 418 /, kind)
      assert.equal(valuesOf(head, 'x-seen'), ['418'])
      assert.not.match(head, /x-upstream/i)
      assert.is(body.toString(), 'tea')
      assert.is(stand.upstream.wires.length, kind === 'a response' ? 1 : 0)
    }
  })

  test('what is thrown when the exchange has failed is logged, but for word of that', async () => {
    for (const [thrown, logged] of [
      [new Error('a mistake'), 1],
      [undefined, 0],
    ] as const) {
      const diary = new Diary()
      const stand = await start([
        diary.of('outer'),
        async function* ({ signal }) {
          try {
            await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          } catch (reason) {
            throw thrown ?? reason
          }
          yield
        },
      ])
      const client = await stand.client()
      client.send(GET)
      await diary.until('outer before')
      client.reset()
      await diary.until('outer finally')
      const told = () => stand.log.filter(({ event }) => event === 'middleware').length
      if (logged > 0) await eventually(() => told() > 0, 'a line about it')
      else await new Promise((resolve) => setTimeout(resolve, 20))
      assert.is(told(), logged)
    }
  })

  test('interim responses pass it by; the yield ends with the final head', async () => {
    const statuses: unknown[] = []
    const stand = await start([
      async function* (exchange) {
        yield
        statuses.push(exchange.response?.status)
      },
    ])
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
    assert.match(await client.head(), /^HTTP\/1\.1 103 /)
    assert.equal(statuses, [])
    upstream.send('HTTP/1.1 204 No Content\r\n\r\n')
    assert.match(await client.head(), /^HTTP\/1\.1 204 /)
    assert.equal(statuses, [204])
  })

  test('an answer to HEAD says what GET would bring, and has no body', async () => {
    const stand = await start([
      function* (exchange) {
        exchange.respond({ status: 200, body: 'four' })
        yield
      } as MiddlewareFunction,
    ])
    const client = await stand.client()
    client.send(GET.replace('GET', 'HEAD') + GET)
    assert.equal(valuesOf(await client.head(), 'content-length'), ['4'])
    assert.is((await client.message()).body.toString(), 'four')
  })

  test('HEAD, 204 and 304 of the upstream go through one that waits', async () => {
    const stand = await start([KINDS['async function* that waits']!(() => undefined)])
    const answers = [
      ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n'],
      ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'],
    ] as const
    const client = await stand.client()
    let upstream: Wire | undefined
    for (const [method, answer] of answers) {
      client.send(GET.replace('GET', method))
      upstream ??= await stand.upstream.accept()
      await upstream.head() // on the same connection as before
      upstream.send(answer)
      assert.is((await client.head()).slice(0, 12), answer.slice(0, 12))
    }
  })

  test('a body that ends with the connection is whole behind one that waits', async () => {
    const stand = await start([KINDS['async function* that waits']!(() => undefined)])
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    upstream.send('HTTP/1.1 200 OK\r\n\r\nall of it').end()
    const { octets, ending } = await client.rest()
    assert.match(octets, /\r\n\r\nall of it$/)
    assert.is(ending, 'fin')
  })

  test('an early response: what stands after the yield runs while the request is still coming in', async () => {
    const diary = new Diary()
    const stand = await start([diary.of('one')])
    const client = await stand.client()
    client.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf')
    const upstream = await stand.upstream.accept()
    await upstream.until('half')
    upstream.send(ok('early'))
    assert.is((await client.message()).body.toString(), 'early')
    assert.ok(diary.entries.includes('one after'))
  })

  test('a request that is sent again, on a new connection, has run through its middleware once', async () => {
    const diary = new Diary()
    const stand = await start([
      diary.of('one'),
      async function* ({ request }) {
        await request.body(100)
        yield
      },
    ])
    const client = await stand.client()
    client.send(GET)
    const first = await stand.upstream.accept()
    await first.head()
    first.send(ok())
    await client.message()
    client.send('PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nkept')
    await first.message()
    first.destroy()
    const second = await stand.upstream.accept()
    assert.is((await second.message()).body.toString(), 'kept')
    second.send(ok('again'))
    assert.is((await client.message()).body.toString(), 'again')
    assert.is(diary.entries.filter((entry) => entry === 'one before').length, 2)
  })

  for (const [kind, make] of Object.entries(KINDS)) {
    test(`${kind}: compression goes by what it has made of either head`, async () => {
      const stand = await start(
        [
          make(
            ({ request }) => request.fields.set('accept-encoding', 'gzip'),
            ({ response }) => response!.fields.set('content-type', 'text/plain'),
          ),
        ],
        compressing().routes![0]!,
      )
      const text = prose(4000)
      const { response } = await exchange(
        stand,
        GET,
        ok(text.toString('latin1'), 'Content-Type: image/png\r\n'),
      )
      assert.equal(valuesOf(response.head, 'content-encoding'), ['gzip'])
      assert.ok(gunzipSync(unchunked(response.body).data).equals(text))
    })
  }

  test('a request that goes to another target says so', async () => {
    const seen: unknown[] = []
    const middleware: Middleware = {
      phase: 'target-edge',
      *run(exchange) {
        seen.push(exchange.upstream)
        yield
        seen.push(exchange.upstream)
      },
    }
    const gone = await RawUpstream.listen()
    const { port: dead } = gone
    await gone.close()
    const stand = await startStand(
      { SIGNET_READ_PATH: readPath },
      undefined,
      (port) => gatewayTo([dead, port].map(loopback)),
      { middleware: { all: [middleware], routes: new Map() } },
    )
    open.push(stand)
    stand.upstream.serve(() => ok())
    const client = await stand.client()
    for (let count = 0; count < 2; count++) {
      client.send(GET)
      assert.match((await client.message()).head, /^HTTP\/1\.1 200 /)
    }
    const [first, live] = [dead, stand.upstream.port].map((port) => `127.0.0.1:${port}`)
    assert.equal(seen.sort(), [first, live, live, live].sort())
  })

  test('a limit is counted behind client-edge and before proxy', async () => {
    const diary = new Diary()
    const stand = await start([diary.of('edge', 'client-edge'), diary.of('inner')], {
      limit: { requests: 1, window: 60_000, by: 'field:x-tenant', store: 'memory', whenDown: 'open' },
    })
    stand.upstream.serve(() => ok())
    const client = await stand.client()
    client.send(GET + GET)
    assert.match((await client.message()).head, /^HTTP\/1\.1 200 /)
    assert.match((await client.message()).head, /^HTTP\/1\.1 429 /)
    await diary.until('edge finally', 2)
    assert.is(diary.entries.filter((entry) => entry === 'inner before').length, 1)
  })

  test('a slow upstream body holds back nothing: pauses of the client pass through one that waits', async () => {
    const stand = await start([KINDS['async function* that waits']!(() => undefined)])
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    const body = Buffer.alloc(5_000_000, '0123456789')
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`).send(body)
    assert.ok((await client.message()).body.equals(body))
  })

  test('a reload brings other middleware; what is under way keeps its own', async () => {
    const diary = new Diary()
    const stand = await start([diary.of('old')])
    const client = await stand.client()
    client.send(GET)
    const upstream = await stand.upstream.accept()
    await upstream.head()
    stand.proxy.reload({ ...stand.changeable, middleware: { all: [diary.of('new')], routes: new Map() } })
    upstream.send(ok())
    await client.message()
    await diary.until('old finally')
    client.send(GET)
    await upstream.head()
    await diary.until('new before')
    assert.equal(diary.entries.filter((entry) => entry === 'old before').length, 1)
  })

  test.run()
}

const unused = suite('proxy/middleware, plain functions')
unused('what is no generator is 500, and the process goes on', async () => {
  const stand = await startStand(
    {},
    undefined,
    {},
    {
      middleware: { all: [(async () => undefined) as unknown as MiddlewareFunction], routes: new Map() },
    },
  )
  const client = await stand.client()
  client.send(GET)
  assert.match((await client.message()).head, /^HTTP\/1\.1 500 /)
  const [line] = await stand.exchanges(1)
  assert.match(String(line!.reason), /a middleware is a generator function/)
  await stand.close()
})
unused.run()
