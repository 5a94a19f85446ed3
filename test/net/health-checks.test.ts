import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { HealthConfig, Origin } from '../../src/http/gateway.ts'
import { createConnector } from '../../src/net/connector.ts'
import { HealthCheck } from '../../src/net/health-checks.ts'
import { makeCertificate } from '../support/certificates.ts'
import { noFault } from '../support/faults.ts'
import { later } from '../support/flow.ts'
import { loopback } from '../support/gateways.ts'
import { eventually, within } from '../support/wire.ts'

const test = suite('net/health-checks')

const CONFIG: HealthConfig = {
  path: '/healthz?deep=1',
  interval: 20,
  timeout: 500,
  statuses: [200, 299],
  unhealthy: 2,
  healthy: 3,
}

/** A target that answers as it is told, and its checks. */
interface Checked {
  answer: (response: ServerResponse, request: IncomingMessage) => void
  readonly requests: IncomingMessage[]
  readonly verdicts: string[]
  readonly check: HealthCheck
  readonly sockets: Set<Socket>
}

const open: (() => Promise<void>)[] = []
test.after.each(async () => {
  for (const close of open.splice(0)) await close()
})

async function listen(server: Server, path?: string): Promise<number> {
  await new Promise<void>((resolve) => server.listen(path ?? { port: 0, host: '127.0.0.1' }, resolve))
  const address = server.address() as AddressInfo | string
  return typeof address === 'string' ? 0 : address.port
}

function begin(server: Server, origin: Origin, settings: Partial<HealthConfig> = {}): Checked {
  const verdicts: string[] = []
  const requests: IncomingMessage[] = []
  const sockets = new Set<Socket>()
  const check = new HealthCheck(
    createConnector(origin),
    { ...CONFIG, ...settings },
    {
      authority: 'target.test',
      onVerdict: (well, reason) => verdicts.push(`${well ? 'well' : 'unwell'}: ${reason}`),
      onFault: noFault,
      random: () => 0,
    },
  )
  const checked: Checked = { answer: (response) => response.end('ok'), requests, verdicts, check, sockets }
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('request', (request, response) => {
    requests.push(request)
    checked.answer(response, request)
  })
  open.push(async () => {
    check.close()
    server.closeAllConnections()
    await within(new Promise((resolve) => server.close(resolve)), 'the target to close')
  })
  return checked
}

async function checkedBy(settings: Partial<HealthConfig> = {}): Promise<Checked> {
  const server = createServer()
  return begin(server, loopback(await listen(server)), settings)
}

const status = (code: number) => (response: ServerResponse) => {
  response.statusCode = code
  response.end()
}

test('a target is asked as it is written, each time on a connection of its own', async () => {
  const { requests, sockets } = await checkedBy()
  await eventually(() => requests.length >= 3, 'three checks')
  const [{ method, url, headers } = {}] = requests
  assert.equal([method, url, headers?.host], ['GET', '/healthz?deep=1', 'target.test'])
  assert.is(headers?.connection, 'close')
  assert.is(new Set(requests.map(({ socket }) => socket)).size, requests.length)
  await eventually(() => sockets.size <= 1, 'the connections to close')
})

test('a target that answers well is never spoken of', async () => {
  const { requests, verdicts } = await checkedBy()
  await eventually(() => requests.length >= 5, 'five checks')
  assert.equal(verdicts, [])
})

test('as many bad answers in a row make it unwell, and as many good ones well again', async () => {
  const checked = await checkedBy()
  await eventually(() => checked.requests.length >= 1, 'a check')
  const answers = [503, 200, 503, 503, 200, 200, 503, 200, 200, 200]
  const told: string[] = []
  checked.answer = (response) => {
    told.push(checked.verdicts.join())
    status(answers.shift() ?? 200)(response)
  }
  await eventually(() => told.length > 11, 'all answers')
  const [unwell, well] = ['unwell: health check: status 503', 'well: health check: status 200']
  assert.equal(checked.verdicts, [unwell, well])
  assert.equal(told.slice(0, 11), [
    ...Array(4).fill(''), // asked with the third 503 on its way
    ...Array(6).fill(unwell),
    `${unwell},${well}`,
  ])
})

test('what counts as well can be said', async () => {
  const checked = await checkedBy({ statuses: [401, 404], unhealthy: 1 })
  checked.answer = status(404)
  const before = checked.requests.length
  await eventually(() => checked.requests.length > before + 2, 'checks')
  assert.equal(checked.verdicts.slice(0, 1).join().includes('404'), false)
  checked.answer = status(200)
  await eventually(() => checked.verdicts.at(-1) === 'unwell: health check: status 200', 'a verdict')
})

test('no answer in time is a bad one, and there is never more than one check at a time', async () => {
  const checked = await checkedBy({ timeout: 60, interval: 5 })
  let most = 0
  checked.answer = () => {
    most = Math.max(most, checked.sockets.size)
  }
  await eventually(() => checked.verdicts.length > 0, 'a verdict')
  assert.equal(checked.verdicts, ['unwell: health check: no response head in time'])
  assert.is(most, 1)
})

test('a head is enough: the body is not waited for', async () => {
  const checked = await checkedBy({ timeout: 10_000 })
  checked.answer = (response) => response.writeHead(200).flushHeaders()
  await eventually(() => checked.requests.length >= 3, 'three checks')
  assert.equal(checked.verdicts, [])
})

for (const [what, answer] of Object.entries({
  'a connection that closes': (_response: ServerResponse, { socket }: IncomingMessage) => socket.destroy(),
  'an answer that is none': (_response: ServerResponse, { socket }: IncomingMessage) => socket.end('what?'),
  'another protocol': (_response: ServerResponse, { socket }: IncomingMessage) =>
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
}))
  test(`${what} is a bad answer`, async () => {
    const checked = await checkedBy()
    checked.answer = answer
    await eventually(() => checked.verdicts.length > 0, 'a verdict')
    assert.match(checked.verdicts[0]!, /^unwell: /)
  })

test('a target where nobody listens is unwell', async () => {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  const elsewhere = createServer()
  await listen(elsewhere)
  const { verdicts } = begin(elsewhere, loopback(port))
  await eventually(() => verdicts.length > 0, 'a verdict')
  assert.match(verdicts[0]!, /^unwell: .*ECONNREFUSED/)
})

test('once closed it asks no more, and says no more', async () => {
  const checked = await checkedBy({ unhealthy: 1 })
  checked.answer = () => undefined
  await eventually(() => checked.requests.length === 1, 'a check')
  checked.check.close()
  await eventually(() => checked.sockets.size === 0, 'its connection to close')
  await later(3 * CONFIG.interval)
  assert.is(checked.requests.length, 1)
  assert.equal(checked.verdicts, [])
})

test('a target over TLS is verified like its requests', async () => {
  const { certificate, key } = await makeCertificate({ names: ['target.test'], isAuthority: true })
  for (const [serverName, expected] of [
    ['target.test', /^$/],
    ['other.test', /^unwell: .*serverName/],
  ] as const) {
    const server = createSecureServer({ cert: certificate, key })
    const origin = { ...loopback(await listen(server)), tls: { ca: certificate, serverName } }
    const checked = begin(server, origin)
    await eventually(() => checked.requests.length > 3 || checked.verdicts.length > 0, 'checks')
    assert.match(checked.verdicts.join(), expected)
  }
})

test('a target behind a Unix socket is asked there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-'))
  const socketPath = join(folder, 'target.sock')
  const server = createServer()
  await listen(server, socketPath)
  const origin = { host: `unix:${socketPath}`, port: 0, authority: 'localhost', socketPath }
  const { requests } = begin(server, origin)
  await eventually(() => requests.length >= 2, 'checks')
  open.push(() => Promise.resolve(rmSync(folder, { recursive: true })))
})

test.run()
