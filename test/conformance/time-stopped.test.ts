// signet is stopped, its peers go on, and when it runs again all of that has happened at once: what came first can only be
// told from the order in which it is read. So the races that nobody can win by chance are won every time.

import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type SignetProcess, settled, startSignet } from '../soak/process.ts'
import { READ_PATHS } from '../support/proxy.ts'
import { eventually, ok, RawUpstream, Wire } from '../support/wire.ts'

const HOST = 'Host: a\r\n'
const get = (target: string) => `GET ${target} HTTP/1.1\r\n${HOST}\r\n`
const post = (target: string, body: string) =>
  `POST ${target} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`

/** What victims send, on a connection whose upstream has just said something that nobody asked for. */
const VICTIMS = {
  'a GET': get('/victim'),
  'a POST without a body': post('/victim', ''),
  'a POST': post('/victim', 'hello'),
  'a POST in chunks': `POST /victim HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  'a POST of 30,000 octets': post('/victim', 'x'.repeat(30_000)),
  'a POST of 300,000 octets': post('/victim', 'x'.repeat(300_000)),
  'half a POST': post('/victim', 'hello').slice(0, -2),
  'three GETs': get('/victim').repeat(3),
} as const

/** Those of which some has left before all of the turn is read; they may be refused. */
const LARGE = ['a POST of 30,000 octets', 'a POST of 300,000 octets']

/** What an upstream says unasked. */
const SURPLUS = {
  'a whole response': ok('evil'),
  'a whole response and FIN': ok('evil'),
  'half a response': ok('evil').slice(0, 20),
  'an interim response': 'HTTP/1.1 100 Continue\r\n\r\n',
  'one octet': 'H',
} as const

/** How a client is gone before signet has seen it. */
const LEAVINGS = {
  nothing: '',
  'half a request': post('/gone', 'hello').slice(0, 20),
  'a request': post('/gone', 'hello'),
  'three requests': get('/gone').repeat(3),
} as const

/** Whether a process can be stopped here, and seen to be. */
const LINUX = process.platform === 'linux'

for (const readPath of READ_PATHS) {
  const test = suite(`conformance/time-stopped (${readPath})`)
  const onLinux = LINUX ? test : test.skip
  let upstream: RawUpstream
  let signet: SignetProcess

  test.before(async () => {
    upstream = await RawUpstream.listen()
    const env = { SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}`, SIGNET_READ_PATH: readPath }
    signet = await startSignet({ env })
  })
  test.after(async () => {
    await upstream?.close()
    await signet?.stop()
  })

  for (const [victim, request] of Object.entries(VICTIMS)) {
    onLinux(`octets of an idle upstream connection never answer ${victim} that comes meanwhile`, async () => {
      for (const [what, surplus] of Object.entries(SURPLUS)) {
        for (const first of ['the client', 'the upstream'] as const)
          await race(victim, request, what, surplus, first)
      }
    })
  }

  /** An upstream says `surplus` on an idle connection while a client asks: its request must be answered on another. */
  async function race(
    victim: string,
    request: string,
    what: string,
    surplus: string,
    first: 'the client' | 'the upstream',
  ): Promise<void> {
    const where = `${what}, ${first} first`
    const client = await Wire.connect(signet.port)
    client.send(get('/warm'))
    const old = await upstream.accept()
    await old.head()
    old.send(ok('warm'))
    assert.is((await client.message()).body.toString(), 'warm', where)

    await stop(signet.pid)
    const asks = () => void client.send(request)
    const says = () => void (what.endsWith('FIN') ? old.send(surplus).end() : old.send(surplus))
    for (const act of first === 'the client' ? [asks, says] : [says, asks]) act()
    await later(10)
    process.kill(signet.pid, 'SIGCONT')

    const connected = () => upstream.wires.at(-1) !== old
    await eventually(() => connected() || client.pending.length > 0, 'its way to the upstream, or an answer')
    if (!connected()) {
      // Large bodies are written as they come: some of it had left, so that it could not be sent elsewhere.
      const { head, body } = await client.message()
      assert.ok(LARGE.includes(victim), `${where}: ${head}`)
      assert.match(head, /^HTTP\/1\.1 502 /, where)
      assert.match(body.toString(), /"ERR_UPSTREAM_CLOSED"/)
      await old.rest()
      for (const wire of [client, old]) wire.destroy()
      return settled(signet)
    }
    const next = await upstream.accept()
    if (victim === 'half a POST') client.send('lo')
    for (let answers = victim === 'three GETs' ? 3 : 1; answers > 0; answers--) {
      await next.message()
      next.send(ok('own'))
      const { head, body } = await client.message()
      assert.match(head, /^HTTP\/1\.1 200 /, where)
      assert.is(body.toString(), 'own', where)
    }
    assert.not.match(old.pending.toString('latin1'), /victim/, `${where}: nothing of it was sent there`)
    for (const wire of [client, old, next]) wire.destroy()
    await settled(signet)
  }

  for (const [what, octets] of Object.entries(LEAVINGS)) {
    onLinux(
      `a client that sends ${what} and is gone before it was accepted: none of it is forwarded`,
      async () => {
        const { tokens: before } = await signet.status()
        const connections = upstream.wires.length
        await stop(signet.pid)
        for (let client = 0; client < 5; client++) {
          const wire = await Wire.connect(signet.port)
          wire.send(octets)
          await later(5)
          wire.reset()
        }
        await later(20)
        process.kill(signet.pid, 'SIGCONT')
        // What comes behind them is served, by a new connection: so they have been looked at.
        const client = await Wire.connect(signet.port)
        client.send(get('/good'))
        const wire = await upstream.accept()
        assert.match(await wire.head(), /^GET \/good /)
        wire.send(ok('good'))
        assert.is((await client.message()).body.toString(), 'good')
        await later(50)
        assert.is(upstream.wires.length, connections + 1, 'nothing else reached the upstream')
        const { tokens } = await signet.status()
        assert.is(tokens.minted, before.minted + 1)
        for (const end of [client, wire]) end.destroy()
        await settled(signet)
        assert.ok(signet.alive())
      },
    )
  }

  test.run()
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Stops a process, and waits until it stands still. */
async function stop(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  const stands = () => / T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/, ''))
  await eventually(stands, `process ${pid} to stand still`)
}
