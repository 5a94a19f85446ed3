// One upstream with several targets: who gets which request, where a request goes whose target fails, and how a target
// that died under load is left and found again.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { UpstreamConfig } from '../../src/http/gateway.ts'
import { gatewayTo, loopback } from '../support/gateways.ts'
import { later } from '../support/flow.ts'
import { valuesOf } from '../support/heads.ts'
import { READ_PATHS, type Stand, startStand } from '../support/proxy.ts'
import { eventually, ok, RawUpstream, type Wire, within } from '../support/wire.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET /x HTTP/1.1\r\n${HOST}\r\n`
const POST = `POST /x HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`

for (const readPath of READ_PATHS) {
  const test = suite(`proxy/targets-balance (${readPath})`)
  const stands: Stand[] = []
  const upstreams: RawUpstream[] = []
  test.after.each(async () => {
    for (const stand of stands.splice(0)) await stand.close()
    for (const upstream of upstreams.splice(0)) await upstream.close()
  })

  async function listen(): Promise<RawUpstream> {
    const upstream = await RawUpstream.listen()
    upstreams.push(upstream)
    return upstream
  }

  /** A port where nobody listens. */
  async function deadPort(): Promise<number> {
    const gone = await RawUpstream.listen()
    const { port } = gone
    await gone.close()
    return port
  }

  async function startAt(
    ports: readonly number[],
    settings: Partial<UpstreamConfig> = {},
    env: Record<string, string> = {},
    limits: { readonly poolConnectionAge?: number } = {},
  ): Promise<Stand> {
    const gateway = gatewayTo(ports.map(loopback), settings)
    const stand = await startStand(
      { SIGNET_READ_PATH: readPath, ...env },
      (config) => Object.assign({}, config, limits),
      gateway,
    )
    stands.push(stand)
    return stand
  }

  /** Sends one request on a new connection, and takes the answer. */
  async function ask(stand: Stand, request = GET): Promise<string> {
    const client = await stand.client()
    client.send(request)
    const { head, body } = await client.message()
    client.destroy()
    return `${head.slice(9, 12)} ${head.startsWith('HTTP/1.1 200') ? body.toString() : ''}`.trim()
  }

  const closeOnHead = async (wire: Wire) => {
    await wire.head()
    wire.end()
  }

  test('requests go round by weight', async () => {
    const targets = [await listen(), await listen()]
    for (const [n, target] of targets.entries()) target.serve(() => ok(String(n)))
    const [light, heavy] = targets.map(({ port }, n) => ({ origin: loopback(port), weight: n * 2 + 1 }))
    const stand = await startAt([], { targets: [light!, heavy!] } as Partial<UpstreamConfig>)
    const answers: string[] = []
    for (let n = 0; n < 8; n++) answers.push(await ask(stand))
    assert.equal(answers.sort(), [...Array(2).fill('200 0'), ...Array(6).fill('200 1')])
  })

  test('the least busy target is chosen', async () => {
    const targets = [await listen(), await listen()]
    const stand = await startAt(
      targets.map(({ port }) => port),
      { balance: 'least-busy' },
    )
    const held = await stand.client()
    held.send(GET)
    await (await targets[0]!.accept()).head()
    targets[1]!.serve(() => ok('other'))
    for (let n = 0; n < 4; n++) assert.is(await ask(stand), '200 other')
    assert.is(targets[0]!.wires.length, 1)
  })

  for (const [what, request] of Object.entries({ GET, POST })) {
    test(`${what} goes on to another target when there is no connection to the first, with the token it had`, async () => {
      const alive = await listen()
      const seen: string[] = []
      alive.serve(({ head, body }) => {
        seen.push(head)
        return ok(`${body.toString()}.`)
      })
      const stand = await startAt([await deadPort(), alive.port])
      for (let n = 0; n < 4; n++)
        assert.is(await ask(stand, request), `200 ${what === 'POST' ? 'hello' : ''}.`)
      assert.is(seen.length, 4)
      assert.is(alive.wires.length, 1, 'a connection that took one over is used again')
      const { body } = await (await stand.client()).send('GET /status HTTP/1.1\r\nHost: a\r\n\r\n').message()
      assert.is((JSON.parse(body.toString()) as { tokens: { minted: number } }).tokens.minted, 4)
    })
  }

  test('when there is no connection to any target, each is tried once, and it is 502', async () => {
    const stand = await startAt([await deadPort(), await deadPort(), await deadPort()])
    assert.is(await ask(stand), '502')
    assert.is((await stand.exchanges(1))[0]?.failure, 'ERR_UPSTREAM_UNREACHABLE')
  })

  test('a request is tried at no more than three targets, however many are gone', async () => {
    const alive = await listen()
    alive.serve(() => ok('alive'))
    const dead = [await deadPort(), await deadPort(), await deadPort()]
    const ejection = { failures: 1, duration: 60_000, slowStart: 0 }
    const stand = await startAt([...dead, alive.port], { ejection })
    assert.is(await ask(stand), '502')
    const ejected = stand.log.filter(({ event }) => event === 'target').map(({ target }) => target)
    assert.equal(
      ejected,
      dead.map((port) => `127.0.0.1:${port}`),
    )
    for (let n = 0; n < 4; n++) assert.is(await ask(stand), '200 alive')
  })

  test('a new connection that dies with a GET: it is sent once more, to another target, with a new token', async () => {
    const [first, second] = [await listen(), await listen()]
    const stand = await startAt([first.port, second.port])
    const client = await stand.client()
    client.send(GET)
    const wire = await first.accept()
    const head = await wire.head()
    wire.end()
    const next = await second.accept()
    const again = await next.head()
    assert.is.not(valuesOf(head, 'x-my-jwt')[0], valuesOf(again, 'x-my-jwt')[0])
    next.send(ok('second'))
    assert.is((await client.message()).body.toString(), 'second')
    assert.is((await stand.exchanges(1))[0]?.retried, true)
    assert.is((await stand.exchanges(1))[0]?.upstream, `127.0.0.1:${second.port}`)
  })

  test('a new connection that dies with a POST is 502: it may have been done', async () => {
    const [first, second] = [await listen(), await listen()]
    first.onConnection(closeOnHead)
    const stand = await startAt([first.port, second.port])
    assert.is(await ask(stand, POST), '502')
    await later(30)
    assert.is(second.wires.length, 0)
  })

  test('a GET is not sent a third time', async () => {
    const targets = [await listen(), await listen(), await listen()]
    for (const target of targets) target.onConnection(closeOnHead)
    const stand = await startAt(targets.map(({ port }) => port))
    assert.is(await ask(stand), '502')
    await later(30)
    assert.is(targets.flatMap(({ wires }) => wires).length, 2)
  })

  test('a response that has begun is not asked for elsewhere', async () => {
    const [first, second] = [await listen(), await listen()]
    first.onConnection(async (wire) => {
      await wire.head()
      wire.send('HTTP/1.1 200').end()
    })
    const stand = await startAt([first.port, second.port])
    assert.is(await ask(stand), '502')
    assert.is(second.wires.length, 0)
  })

  test('a used connection that died of age, and nobody at the other target: back to the first, on a new one', async () => {
    const first = await listen()
    const stand = await startAt([first.port, await deadPort()])
    const client = await stand.client()
    client.send(GET)
    const wire = await first.accept()
    await wire.head()
    wire.send(ok())
    await client.message()
    // The dead one has its turn, and hands this one over; then it is the turn of the first again.
    for (let n = 0; n < 2; n++) {
      client.send(GET)
      await wire.head()
      if (n === 0) {
        wire.send(ok())
        await client.message()
      }
    }
    wire.end()
    const next = await first.accept()
    await next.head()
    next.send(ok('again'))
    assert.is((await client.message()).body.toString(), 'again')
  })

  test('a target whose pool is full leaves its turn to another', async () => {
    const [first, second] = [await listen(), await listen()]
    const env = { SIGNET_POOL_SIZE: '1', SIGNET_POOL_QUEUE: '0' }
    const stand = await startAt([first.port, second.port], {}, env)
    const held = await stand.client()
    held.send(GET)
    await (await first.accept()).head()
    second.serve(() => ok('second'))
    for (let n = 0; n < 4; n++) assert.is(await ask(stand), '200 second')
    assert.equal(
      stand.log.filter(({ event }) => event === 'target'),
      [],
      'and that is no failure of its',
    )
  })

  for (const [what, request] of Object.entries({ GET, POST })) {
    test(`${what} that no connection came free for in time goes on to another target`, async () => {
      const [first, second] = [await listen(), await listen()]
      const env = { SIGNET_POOL_SIZE: '1', SIGNET_POOL_TIMEOUT: '100' }
      const stand = await startAt([first.port, second.port], {}, env)
      const held = await stand.client()
      held.send(GET)
      await (await first.accept()).head()
      second.serve(({ body }) => ok(`${body.toString()}.`))
      for (let n = 0; n < 3; n++)
        assert.is(await ask(stand, request), `200 ${what === 'POST' ? 'hello' : ''}.`)
      assert.equal(
        stand.log.filter(({ event }) => event === 'target'),
        [],
        'and that is no failure of its',
      )
    })
  }

  test('answers that cannot be read have no target ejected', async () => {
    const targets = [await listen(), await listen()]
    const answers = [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 'HTP/1.1 200 OK\r\n\r\n']
    for (const [n, target] of targets.entries()) target.serve(() => answers[n])
    const stand = await startAt(
      targets.map(({ port }) => port),
      { ejection: { failures: 1, duration: 60_000, slowStart: 0 } },
    )
    for (let n = 0; n < 4; n++) assert.is(await ask(stand), '502')
    const failures = (await stand.exchanges(4)).map(({ failure }) => failure)
    assert.equal([...new Set(failures)].sort(), ['ERR_RESPONSE_MALFORMED', 'ERR_RESPONSE_TOO_LARGE'])
    assert.equal(
      stand.log.filter(({ event }) => event === 'target'),
      [],
    )
  })

  test('Host can be that of the target, also of the second one; X-Forwarded-Host is what the client asked for', async () => {
    const second = await listen()
    const stand = await startAt([await deadPort(), second.port], { host: 'target' })
    const client = await stand.client()
    client.send(POST)
    const wire = await second.accept()
    const { head, body } = await wire.message()
    assert.equal(valuesOf(head, 'host'), [`127.0.0.1:${second.port}`])
    assert.equal(valuesOf(head, 'x-forwarded-host'), ['a.test'])
    assert.is(valuesOf(head, 'x-my-jwt').length, 1)
    assert.is(body.toString(), 'hello')
    wire.send(ok())
    await client.message()
  })

  test('a request that was not sent is written anew for a target with another Host, body and all', async () => {
    const [first, second] = [await listen(), await listen()]
    const stand = await startAt([first.port, second.port], { host: 'target' })
    const client = await stand.client()
    const wires: Wire[] = []
    for (const target of [first, second]) {
      client.send(GET)
      const wire = await target.accept()
      wires.push(wire)
      await wire.head()
      wire.send(ok())
      await client.message()
    }
    // Read in this order, in one turn: so it is written to a connection that the kernel knows to be reset.
    client.send(POST)
    wires[0]!.reset()
    const next = await second.accept()
    const { head, body } = await next.message()
    assert.equal(valuesOf(head, 'host'), [`127.0.0.1:${second.port}`])
    assert.is(body.toString(), 'hello')
    next.send(ok('done'))
    assert.is((await client.message()).body.toString(), 'done')
  })

  test('Host can be set', async () => {
    const target = await listen()
    target.serve(({ head }) => ok(valuesOf(head, 'host').join()))
    assert.is(await ask(await startAt([target.port], { host: 'set.test:81' })), '200 set.test:81')
  })

  test('a target that does not answer in time is ejected, and the pages say so', async () => {
    const [mute, good] = [await listen(), await listen()]
    good.serve(() => ok('good'))
    const ejection = { failures: 2, duration: 60_000, slowStart: 0 }
    const env = { SIGNET_RESPONSE_TIMEOUT: '100' }
    const stand = await startAt([mute.port, good.port], { ejection }, env)
    const answers: string[] = []
    for (let n = 0; n < 10; n++) answers.push(await ask(stand))
    assert.is(answers.filter((answer) => answer === '504').length, 2)
    assert.equal(answers.slice(4), Array(6).fill('200 good'))
    const { body } = await (await stand.client()).send('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n').message()
    const up = (port: number) => `signet_upstream_up{upstream="main",target="127.0.0.1:${port}"}`
    assert.ok(body.includes(`${up(mute.port)} 0\n`))
    assert.ok(body.includes(`${up(good.port)} 1\n`))
    const [line] = stand.log.filter(({ event }) => event === 'target')
    assert.equal([line?.target, line?.condition], [`127.0.0.1:${mute.port}`, 'ejected'])
  })

  test('a client that leaves is no failure of the target', async () => {
    const [first, second] = [await listen(), await listen()]
    const stand = await startAt([first.port, second.port], {
      ejection: { failures: 1, duration: 60_000, slowStart: 0 },
    })
    const client = await stand.client()
    client.send(GET)
    await (await first.accept()).head()
    client.reset()
    await stand.exchanges(1)
    assert.equal(
      stand.log.filter(({ event }) => event === 'target'),
      [],
    )
  })

  test('a target that says it is unwell is left alone until it is well again', async () => {
    const targets = [await listen(), await listen()]
    let well = true
    for (const [n, target] of targets.entries())
      target.serve(({ head }, wire) => {
        if (!head.startsWith('GET /healthz ')) return ok(String(n))
        wire.send(n === 0 && !well ? 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n' : ok())
        return undefined
      })
    const stand = await startAt(
      targets.map(({ port }) => port),
      {
        health: {
          path: '/healthz',
          interval: 20,
          timeout: 1000,
          statuses: [200, 299],
          unhealthy: 2,
          healthy: 2,
        },
        ejection: { failures: 3, duration: 100, slowStart: 0 },
      },
    )
    const told = () => stand.log.filter(({ event }) => event === 'target').map(({ condition }) => condition)
    well = false
    await eventually(() => told().length === 1, 'word of it')
    for (let n = 0; n < 4; n++) assert.is(await ask(stand), '200 1')
    well = true
    await eventually(() => told().length === 2, 'word of it')
    assert.equal(told(), ['unwell', 'up'])
    const answers = [await ask(stand), await ask(stand)]
    assert.equal(answers.sort(), ['200 0', '200 1'])
  })

  test('a connection takes no more requests after its time: the next looks the name up again', async () => {
    const target = await listen()
    target.serve(() => ok())
    const stand = await startAt([target.port], {}, {}, { poolConnectionAge: 300 })
    const client = await stand.client()
    const get = async () => {
      client.send(GET)
      await client.message()
    }
    await get()
    await get()
    assert.is(target.wires.length, 1)
    const began = performance.now()
    await eventually(() => stand.proxy.open().upstream === 0, 'an idle one to close')
    assert.ok(performance.now() - began < 2000)
    await get()
    const end = performance.now() + 1000
    while (performance.now() < end) await get() // never idle, and yet not for ever
    assert.ok(target.wires.length >= 3, `${target.wires.length} connections`)
    assert.ok(target.wires.length <= 8, `${target.wires.length} connections`)
  })

  // ── a target that dies under load ─────────────────────────────────────────────────────────────────────────

  const SERVER = `
    import { createServer } from 'node:http'
    const server = createServer((request, response) => {
      request.resume().on('end', () => setTimeout(() => response.end(process.argv[1]), 2))
    })
    server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write(server.address().port + '\\n'))`

  /** Starts a target as a process of its own. @returns it and its port */
  async function spawnTarget(name: string, port = 0): Promise<{ child: ChildProcess; port: number }> {
    const args = ['--input-type=module', '--eval', SERVER, name, String(port)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await within(once(child.stdout!, 'data'), 'a target to listen')) as [Buffer]
    return { child, port: Number(line.toString()) }
  }

  test('a target is killed under load: no GET fails, it is ejected, and found again when it is back', async () => {
    const targets = await Promise.all(['a', 'b', 'c'].map((name) => spawnTarget(name)))
    const children = targets.map(({ child }) => child)
    let loading = true
    const load: Promise<void>[] = []
    try {
      const ejection = { failures: 3, duration: 500, slowStart: 500 }
      const stand = await startAt(
        targets.map(({ port }) => port),
        { ejection },
      )
      const answers: { readonly by: string; readonly at: number }[] = []
      const keepAsking = async () => {
        const client = await stand.client()
        while (loading) {
          client.send(GET)
          const { head, body } = await client.message()
          answers.push({ by: `${head.slice(9, 12)} ${body.toString()}`, at: performance.now() })
        }
        client.destroy()
      }
      for (let n = 0; n < 24; n++) load.push(keepAsking())
      const since = (at: number, by: string) => answers.filter((one) => one.at > at && one.by === by).length
      await eventually(() => since(0, '200 b') > 200, 'load', 20_000)

      children[1]!.kill('SIGKILL')
      const ejected = () => stand.log.some((line) => line.event === 'target' && line.condition === 'ejected')
      await eventually(ejected, 'the dead target to be ejected')
      const atEjection = performance.now()
      await eventually(() => since(atEjection, '200 a') > 200, 'load on the others', 20_000)

      const again = await spawnTarget('b', targets[1]!.port)
      children.push(again.child)
      const back = performance.now()
      await eventually(() => since(back, '200 b') > 0, 'an answer of the one that is back')
      const first = answers.find((one) => one.at > back && one.by === '200 b')!.at - back
      assert.ok(first <= ejection.duration + 1000, `its first answer came after ${Math.round(first)} ms`)
      await later(ejection.slowStart)
      const settled = performance.now()
      await eventually(() => since(settled, '200 b') >= 100, 'its whole share', 20_000)
      loading = false
      await Promise.all(load)
      assert.equal([...new Set(answers.map(({ by }) => by))].sort(), ['200 a', '200 b', '200 c'])
      const failed = stand.log.filter((line) => line.event === 'exchange' && line.failure !== undefined)
      assert.equal(failed, [])
    } finally {
      loading = false
      await Promise.allSettled(load)
      for (const child of children) child.kill('SIGKILL')
    }
  })

  test('a target is killed under load: of POSTs only those fail that were on their way through one of its connections', async () => {
    const poolSize = 4
    const targets = await Promise.all(['a', 'b', 'c'].map((name) => spawnTarget(name)))
    let loading = true
    const load: Promise<void>[] = []
    try {
      const stand = await startAt(
        targets.map(({ port }) => port),
        { ejection: { failures: 3, duration: 60_000, slowStart: 0 } },
        { SIGNET_POOL_SIZE: String(poolSize) },
      )
      let answered = 0
      const failed: string[] = []
      const keepAsking = async () => {
        while (loading) {
          const client = await stand.client()
          for (let status = '200'; loading && status === '200'; answered++) {
            client.send(POST)
            status = (await client.message()).head.slice(9, 12)
            if (status !== '200') failed.push(status)
          }
          client.destroy()
        }
      }
      for (let n = 0; n < 24; n++) load.push(keepAsking())
      await eventually(() => answered > 1000, 'load', 20_000)
      assert.equal(failed, [])
      targets[1]!.child.kill('SIGKILL')
      const ejected = () => stand.log.some((line) => line.event === 'target' && line.condition === 'ejected')
      await eventually(ejected, 'the dead target to be ejected')
      const before = answered
      await eventually(() => answered > before + 1000, 'load on the others', 20_000)
      loading = false
      await Promise.all(load)
      // Twice, since the kernel may close connections before it closes the port, and take others on for it meanwhile.
      assert.ok(failed.length <= 2 * poolSize, `${failed.length} failed`)
      assert.equal(failed, Array(failed.length).fill('502'))
      const lines = stand.log.filter((line) => line.event === 'exchange' && line.failure !== undefined)
      assert.is(lines.length, failed.length)
      for (const line of lines)
        assert.equal(
          [line.failure, line.upstream],
          ['ERR_UPSTREAM_CLOSED', `127.0.0.1:${targets[1]!.port}`],
          JSON.stringify(line),
        )
    } finally {
      loading = false
      await Promise.allSettled(load)
      for (const { child } of targets) child.kill('SIGKILL')
    }
  })
  test.run()
}
