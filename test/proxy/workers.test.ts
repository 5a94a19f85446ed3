// Several workers as one signet: they share the traffic, are replaced, are counted together and end together.

import { readdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { valuesOf } from '../support/heads.ts'
import { closedAfter, processesOf, type SignetProcess } from '../support/process.ts'
import { eventually, ok, RawUpstream, Wire } from '../support/wire.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const STATUS = 'GET /status HTTP/1.1\r\nHost: a.test\r\n\r\n'
const SECRETS = ['ab', 'cd'].map((octet) => octet.repeat(64))

const test = suite('proxy/workers')
const run = processesOf(test)
const closing = closedAfter(test)

interface Running {
  readonly signet: SignetProcess
  readonly upstream: RawUpstream
  readonly port: number
}

async function start(env: Record<string, string> = {}): Promise<Running> {
  const upstream = closing(await RawUpstream.listen())
  const signet = run([], {
    SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}`,
    SIGNET_WORKERS: '2',
    ...env,
  })
  const port = await signet.listening()
  await signet.printed(() => signet.events('listening').length === 1, 'the line that it listens')
  return { signet, upstream, port }
}

interface WorkerStatus {
  readonly worker: number
  readonly pid: number
  readonly state: string
  readonly restarts: number
  readonly requests: number
  readonly connections: number
}

/** A page, on a connection of its own. */
async function page(port: number, target: string): Promise<string> {
  const client = await Wire.connect(port)
  client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  const { body } = await client.message()
  client.destroy()
  return body.toString()
}

async function statusOf(port: number) {
  return JSON.parse(await page(port, '/status'))
}

async function workersOf(port: number): Promise<WorkerStatus[]> {
  return (await statusOf(port)).workers
}

/** Lines that workers have started, the first ones included. */
async function started(signet: SignetProcess, count: number): Promise<void> {
  const events = () => signet.events('worker-started').length
  await signet.printed(() => events() >= count, `${count} workers that started`, 10_000)
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Sends one request and takes its response. */
async function ask(client: Wire, request = GET): Promise<{ head: string; body: string }> {
  client.send(request)
  const { head, body } = await client.message()
  return { head, body: body.toString() }
}

// ── sharing ───────────────────────────────────────────────────────────────────────────────────────────────────────

test('each worker gets its share of the connections, and the pages count them all, whoever answers', async () => {
  const { upstream, port } = await start()
  upstream.serve(() => ok())
  const clients = await Promise.all(Array.from({ length: 20 }, () => Wire.connect(port)))
  for (let round = 0; round < 10; round++) await Promise.all(clients.map((client) => ask(client)))
  for (let asked = 0; asked < 4; asked++) {
    const status = await statusOf(port)
    const workers: WorkerStatus[] = status.workers
    assert.is(status.requests.processed, 200 + asked)
    assert.is(status.tokens.minted, 200)
    assert.is(status.latencyMs.count, 200 + asked)
    assert.ok(status.downstream.open >= 21, `${status.downstream.open}`) // those of earlier pages may still be closing
    assert.is(status.pool.size, 256)
    assert.equal(
      workers.map(({ worker, state, restarts }) => [worker, state, restarts]),
      [
        [1, 'serving', 0],
        [2, 'serving', 0],
      ],
    )
    assert.is(
      workers.reduce((sum, { requests }) => sum + requests, 0),
      200 + asked,
    )
    // Whoever is free gets the next: in turn, but not to the letter.
    for (const { connections } of workers) assert.ok(connections >= 2, `${connections} of 20`)
  }
  const metrics = await page(port, '/metrics')
  assert.match(metrics, /^signet_requests_total\{method="GET",code="200"\} 204$/m)
  assert.match(metrics, /^signet_jwt_signed_total 200$/m)
  assert.match(metrics, /^signet_request_duration_seconds_count 204$/m)
  assert.match(metrics, /^signet_connections_total\{side="downstream"\} 25$/m)
  assert.match(metrics, /^signet_workers\{state="serving"\} 2$/m)
  for (const client of clients) client.destroy()
})

test('the status page for people shows the workers', async () => {
  const { port } = await start()
  const client = await Wire.connect(port)
  const { head, body } = await ask(client, STATUS.replace('\r\n\r\n', '\r\nAccept: text/html\r\n\r\n'))
  assert.equal(valuesOf(head, 'content-type'), ['text/html; charset=utf-8'])
  assert.match(body, /<caption>Workers<\/caption>/)
  client.destroy()
})

test('the admin port answers for all of them too', async () => {
  const { signet } = await start({ SIGNET_ADMIN_PORT: '0' })
  const adminPort = Number(signet.events('listening')[0]?.adminPort)
  assert.is((await workersOf(adminPort)).length, 2)
})

test('questions that come at the same time are all answered, each with what was counted before it', async () => {
  const { upstream, port } = await start()
  upstream.serve(() => ok())
  const client = await Wire.connect(port)
  const answers: Promise<void>[] = []
  for (let count = 1; count <= 50; count++) {
    await ask(client)
    const minted = statusOf(port).then(({ tokens }) => assert.ok(tokens.minted >= count, `${tokens.minted}`))
    answers.push(minted)
  }
  await Promise.all(answers)
  client.destroy()
})

test('the limits are those of signet, and each worker has its share', async () => {
  const { port } = await start({ SIGNET_MAX_CONNECTIONS: '4', SIGNET_ADMIN_PORT: '0' })
  const clients = await Promise.all(Array.from({ length: 8 }, () => Wire.connect(port)))
  await eventually(
    () => clients.filter(({ ending }) => ending !== undefined).length >= 4,
    'four to be closed',
  )
  assert.is(clients.filter(({ ending }) => ending === undefined).length, 4)
  for (const client of clients) client.destroy()
})

test('a loop is seen whichever worker it comes back to', async () => {
  const { upstream, port } = await start()
  const first = await Wire.connect(port)
  first.send(GET)
  const wire = await upstream.accept()
  const via = valuesOf(await wire.head(), 'via')[0]
  for (let back = 0; back < 4; back++) {
    const client = await Wire.connect(port)
    const { head } = await ask(client, `GET / HTTP/1.1\r\nHost: a.test\r\nVia: ${via}\r\n\r\n`)
    assert.ok(head.startsWith('HTTP/1.1 508 '), head)
    client.destroy()
  }
  first.destroy()
})

// ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────────

test('the log has whole lines only, however long, each with its worker, and one for each exchange', async () => {
  const { signet, upstream, port } = await start({
    SIGNET_MAX_HEAD_SIZE: '32768',
    SIGNET_MAX_TARGET_SIZE: '16384',
  })
  upstream.serve(() => ok())
  const clients = await Promise.all(Array.from({ length: 16 }, () => Wire.connect(port)))
  const each = 60 // less than 1 MiB in all: of more than that lines may be lost, by design
  await Promise.all(
    clients.map(async (client, who) => {
      for (let count = 0; count < each; count++) {
        const path = `/${who}-${count}-${'x'.repeat(count % 12 === 0 ? 8000 : count)}`
        await ask(client, GET.replace('/', path))
      }
    }),
  )
  signet.signal('SIGTERM')
  for (const client of clients) client.end()
  assert.equal(await signet.exited(15_000), { code: 0, signal: null })
  assert.ok(signet.stdout.endsWith('\n'))
  const lines = signet.events('exchange') // this reads every line, as JSON
  assert.is(lines.length, clients.length * each)
  assert.is(new Set(lines.map(({ path }) => path)).size, lines.length)
  assert.is(new Set(lines.map(({ id }) => id)).size, lines.length)
  assert.equal([...new Set(lines.map(({ worker }) => worker))].sort(), [1, 2])
})

// ── replacing ─────────────────────────────────────────────────────────────────────────────────────────────────────

test('a worker that is killed is replaced, the other one goes on, and no count falls', async () => {
  const { signet, upstream, port } = await start()
  upstream.serve(() => ok())
  const clients = await Promise.all(Array.from({ length: 4 }, () => Wire.connect(port)))
  for (const client of clients) for (let count = 0; count < 10; count++) await ask(client)
  const before = await statusOf(port)
  const victim: WorkerStatus = before.workers[0]
  process.kill(victim.pid, 'SIGKILL')
  await signet.printed(() => signet.events('worker-died').length === 1, 'that it died')
  const [died] = signet.events('worker-died')
  assert.is(died?.worker, 1)
  assert.match(String(died?.reason), /SIGKILL/)
  const between = await Wire.connect(port) // before there is another one
  assert.ok((await ask(between)).head.startsWith('HTTP/1.1 200 '))
  await started(signet, 3)
  const after = await statusOf(port)
  assert.ok(after.requests.processed >= before.requests.processed + 1)
  assert.equal(after.workers.map(({ worker, restarts }: WorkerStatus) => [worker, restarts]).sort(), [
    [1, 1],
    [2, 0],
  ])
  const survivors = clients.filter(({ ending }) => ending === undefined)
  assert.ok(survivors.length > 0 && survivors.length < 4, `${survivors.length} of 4 survived`)
  for (const client of survivors) assert.ok((await ask(client)).head.startsWith('HTTP/1.1 200 '))
  for (const client of [...clients, between]) client.destroy()
})

test('when all of them die, all are replaced; the port stays what it was set to', async () => {
  const free = await RawUpstream.listen()
  const { port: chosen } = free
  await free.close()
  const { signet, upstream, port } = await start({ HTTP_PORT: String(chosen) })
  assert.is(port, chosen)
  upstream.serve(() => ok())
  for (const { pid } of await workersOf(port)) process.kill(pid, 'SIGKILL')
  await started(signet, 4)
  const client = await Wire.connect(port)
  assert.ok((await ask(client)).head.startsWith('HTTP/1.1 200 '))
  client.destroy()
})

test('a worker that dies again and again is replaced at growing distances', async () => {
  const { signet, port } = await start()
  const times: number[] = []
  for (let death = 1; death <= 4; death++) {
    const worker = (await workersOf(port)).find((one) => one.worker === 2)
    process.kill(worker?.pid ?? 0, 'SIGKILL')
    const died = performance.now()
    await started(signet, 2 + death)
    times.push(performance.now() - died)
  }
  const least = [100, 200, 400, 800]
  for (const [at, time] of times.entries()) assert.ok(time >= least[at]!, times.join(', '))
  assert.is((await workersOf(port)).find((one) => one.worker === 2)?.restarts, 4)
})

test('a worker that hangs is left out after a second, and that is said', async () => {
  const { upstream, port } = await start()
  upstream.serve(() => ok())
  const clients = await Promise.all(Array.from({ length: 4 }, () => Wire.connect(port)))
  for (const client of clients) await ask(client)
  const [hung, well] = await workersOf(port)
  process.kill(hung!.pid, 'SIGSTOP')
  try {
    // The one connection that the hung worker is handed waits with it; the next goes to the other.
    const answers = await Promise.race(
      [0, 1].map(async () => {
        const status = await statusOf(port)
        return status.workers as WorkerStatus[]
      }),
    )
    assert.equal(
      answers.map(({ worker, state }) => [worker, state]),
      [
        [hung!.worker, 'silent'],
        [well!.worker, 'serving'],
      ],
    )
    assert.is(answers[0]?.requests, hung!.requests)
  } finally {
    process.kill(hung!.pid, 'SIGCONT')
  }
  for (const client of clients) client.destroy()
})

// ── starting ──────────────────────────────────────────────────────────────────────────────────────────────────────

test('a port that is taken is said once and ends the start, with 1', async () => {
  const taken = closing(await RawUpstream.listen())
  const signet = run([], { SIGNET_WORKERS: '3', HTTP_PORT: String(taken.port) })
  assert.equal(await signet.exited(), { code: 1, signal: null })
  assert.match(signet.stderr, new RegExp(`^signet: .*EADDRINUSE.*${taken.port}.*\n$`))
})

test('wrong settings end it before there is any worker', async () => {
  const signet = run([], { SIGNET_WORKERS: '0' })
  assert.equal(await signet.exited(), { code: 78, signal: null })
  assert.match(signet.stderr, /SIGNET_WORKERS: found "0", expected auto or an integer from 1 to 256/)
  assert.is(signet.stdout, '')
})

test('nobody else can start a worker', async () => {
  const signet = run(['worker'])
  assert.equal(await signet.exited(), { code: 2, signal: null })
  assert.match(signet.stderr, /SIGNET_WORKERS/)
})

test('the command line of a worker does not show the secret', async () => {
  const upstream = closing(await RawUpstream.listen())
  const env = { SIGNET_WORKERS: '2', SIGNET_UPSTREAM: `http://127.0.0.1:${upstream.port}` }
  const signet = run(['--secret', SECRETS[0]!], env)
  const workers = await workersOf(await signet.listening())
  for (const { pid } of workers) {
    if (!readdirSync('/').includes('proc')) return
    assert.not.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), SECRETS[0]!)
  }
})

test('the built-in echo is one for all of them', async () => {
  const signet = run([], { SIGNET_WORKERS: '2' })
  const port = await signet.listening()
  for (let count = 0; count < 4; count++) {
    const client = await Wire.connect(port)
    const { body } = await ask(client)
    assert.match(body, /"verified":\s*true/)
    client.destroy()
  }
  signet.signal('SIGTERM')
  assert.equal(await signet.exited(), { code: 0, signal: null })
  assert.is(signet.events('demo-secret').length, 1)
})

// ── ending ────────────────────────────────────────────────────────────────────────────────────────────────────────

test('SIGTERM: running exchanges of all workers end in peace, and nothing is left', async () => {
  const { signet, upstream, port } = await start()
  const workers = await workersOf(port)
  const clients = await Promise.all(Array.from({ length: 4 }, () => Wire.connect(port)))
  const wires: Wire[] = []
  for (const client of clients) {
    client.send(GET)
    const wire = await upstream.accept()
    await wire.head()
    wires.push(wire)
  }
  signet.signal('SIGTERM')
  await signet.printed(() => signet.events('stopping').length === 1, 'that it stops')
  await new Promise((resolve) => setTimeout(resolve, 200))
  for (const wire of wires) wire.send(ok('late'))
  for (const client of clients) {
    const { head, body } = await client.message()
    assert.is(body.toString(), 'late')
    assert.equal(valuesOf(head, 'connection'), ['close'])
    client.end()
  }
  assert.equal(await signet.exited(), { code: 0, signal: null })
  assert.is(signet.events('exchange').length, 5)
  assert.is(signet.events('stopped').length, 1)
  for (const { pid } of workers) assert.not(lives(pid))
})

test('a signal to the whole group, as from a terminal, is taken once', async () => {
  const { signet, port } = await start()
  const workers = await workersOf(port)
  for (const { pid } of workers)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(pid, signal)
  assert.is((await workersOf(port)).length, 2) // they leave it to the primary
  signet.signal('SIGINT')
  assert.equal(await signet.exited(), { code: 0, signal: null })
  assert.is(signet.events('worker-died').length, 0)
})

test('the drain deadline holds for all of them at once', async () => {
  const { signet, upstream, port } = await start({ SIGNET_DRAIN_TIMEOUT: '300' })
  const clients = await Promise.all(Array.from({ length: 4 }, () => Wire.connect(port)))
  for (const client of clients) {
    client.send(GET)
    await (await upstream.accept()).head()
  }
  const began = performance.now()
  signet.signal('SIGTERM')
  assert.equal(await signet.exited(), { code: 0, signal: null })
  assert.ok(performance.now() - began < 2500)
  for (const client of clients) assert.ok((await client.message()).head.startsWith('HTTP/1.1 503 '))
})

test('a second signal ends them all at once, with 1', async () => {
  const { signet, upstream, port } = await start()
  const workers = await workersOf(port)
  const client = await Wire.connect(port)
  client.send(GET)
  await (await upstream.accept()).head()
  signet.signal('SIGTERM')
  await signet.printed(() => signet.events('stopping').length === 1, 'that it stops')
  signet.signal('SIGTERM')
  assert.equal(await signet.exited(), { code: 1, signal: null })
  await eventually(() => !workers.some(({ pid }) => lives(pid)), 'the end of all workers')
  assert.is((await client.rest()).octets, '')
})

test('when the primary is killed, the workers end what they have begun, and then themselves', async () => {
  const { signet, upstream, port } = await start()
  const workers = await workersOf(port)
  const client = await Wire.connect(port)
  client.send(GET)
  const wire = await upstream.accept()
  await wire.head()
  signet.signal('SIGKILL')
  await new Promise((resolve) => setTimeout(resolve, 300))
  wire.send(ok('late'))
  assert.is((await client.message()).body.toString(), 'late')
  client.end()
  await eventually(() => !workers.some(({ pid }) => lives(pid)), 'the end of all workers')
})

// ── another configuration for all of them (proxy/reload has what is the same for one) ─────────────────────────────

test('SIGHUP reads the secret file again; one that cannot be read changes nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-workers-'))
  const file = join(folder, 'secret')
  try {
    writeFileSync(file, SECRETS[0]!)
    const signet = run([], { SIGNET_WORKERS: '2', SIGNET_SECRET_FILE: file })
    const port = await signet.listening()
    const verifies = async () => {
      const client = await Wire.connect(port)
      const { body } = await ask(client)
      client.destroy()
      return body
    }
    const before = await verifies()
    const old = (await workersOf(port)).map(({ pid }) => pid)
    writeFileSync(file, 'zz')
    signet.signal('SIGHUP')
    await signet.printed(() => signet.events('reload-refused').length === 1, 'the refusal')
    writeFileSync(file, SECRETS[1]!)
    signet.signal('SIGHUP')
    await signet.printed(() => signet.events('reloaded').length === 1, 'the reload')
    const after = await verifies()
    for (const body of [before, after]) assert.match(body, /"verified":\s*true/)
    assert.equal(
      (await workersOf(port)).map(({ pid }) => pid),
      old,
    )
    const metrics = await page(port, '/metrics')
    assert.match(metrics, /^signet_config_reloads_total\{result="success"\} 1$/m)
    assert.match(metrics, /^signet_config_reloads_total\{result="failure"\} 1$/m)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a worker that does not take a configuration up in time is replaced by one that has it, and ended', async () => {
  const { signet, upstream, port } = await start({ SIGNET_DRAIN_TIMEOUT: '100' })
  upstream.serve(() => ok())
  const [stopped, other] = (await workersOf(port)).map(({ pid }) => pid)
  process.kill(stopped!, 'SIGSTOP')
  signet.signal('SIGHUP')
  await signet.printed(() => signet.events('worker-failed').length === 1, 'the complaint', 10_000)
  await signet.printed(() => signet.events('reloaded').length === 1, 'the reload', 10_000)
  await started(signet, 3)
  const workers = await workersOf(port)
  assert.ok(workers.some(({ pid }) => pid === other))
  assert.not.ok(workers.some(({ pid, state }) => pid === stopped && state === 'serving'))
  await eventually(() => !lives(stopped!), 'the end of the one that says nothing')
})

test.run()
