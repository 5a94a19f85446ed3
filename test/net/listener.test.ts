import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FieldRules } from '../../src/http/forward-fields.ts'
import type { Certificate } from '../../src/http/gateway.ts'
import { createHeadParser } from '../../src/http/parser.ts'
import { Buffers } from '../../src/net/buffers.ts'
import { Deadlines } from '../../src/net/deadlines.ts'
import type { Downstream } from '../../src/net/downstream.ts'
import { canReadShared, Listener, type ReceptionConfig } from '../../src/net/listener.ts'
import { Turn } from '../../src/net/turn.ts'
import { connectTls, makeCertificate } from '../support/tls.ts'
import { eventually, ok, Wire } from '../support/wire.ts'

const test = suite('net/listener')

test('this Node lets an accepted socket be taken over', async () => {
  assert.is(await canReadShared(), true)
})

test('finding that out leaves nothing open', async () => {
  const before = process.getActiveResourcesInfo().length
  await Promise.all([canReadShared(), canReadShared(), canReadShared()])
  await eventually(() => process.getActiveResourcesInfo().length <= before, 'as many open handles as before')
})

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const LINE = 'PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n'

/** A listener whose answers tell how the client is seen: scheme, address, and what it is forwarded with. */
async function listenerWith(reception: ReceptionConfig): Promise<{ listener: Listener; port: number }> {
  const parser = createHeadParser({ region: 64 * 1024, maxHeadSize: 8192, maxFields: 100 })
  const timeouts = { headTimeout: 1000, keepAliveTimeout: 5000, bodyTimeout: 1000, sendTimeout: 1000 }
  const onFault = (thrown: unknown) => {
    throw thrown
  }
  const listener = new Listener({
    downstream: {
      parser,
      rules: new FieldRules(['x-my-jwt']),
      buffers: new Buffers(parser.region),
      deadlines: new Deadlines(() => performance.now(), onFault),
      turn: new Turn(),
      counts: { octetsReceived: 0, octetsSent: 0 },
      limits: { maxHeadSize: 8192, maxTargetSize: 1000, halfCloseTimeout: 1000, ...timeouts },
      begin: (head, client: Downstream) => ({
        start() {
          client.sendHead(ok(client.forwarding.lines(head)), false)
        },
        ready: true,
        onRequestBody: () => undefined,
        onRequestTrailers: () => undefined,
        onRequestEnd: () => client.finish(),
        onClientDrain: () => undefined,
        onClientFailed: () => undefined,
      }),
      onRefused: (error) => () => `HTTP/1.1 ${error.status} Refused\r\nContent-Length: 0\r\n\r\n`,
      onFault,
      draining: () => false,
    },
    takesConnect: false,
    readPath: 'shared',
    maxConnections: 100,
    onOpened: () => undefined,
    onClosed: () => undefined,
    onDropped: () => undefined,
    onError: onFault,
    reception,
  })
  const { port } = await listener.listen(0, '127.0.0.1')
  return { listener, port }
}

/** Runs `use` with a listener, and ends it and all that `open` has opened. */
async function withListener(
  reception: ReceptionConfig,
  use: (
    listener: Listener,
    port: number,
    open: <T extends Wire | { wire: Wire }>(one: Promise<T>) => Promise<T>,
  ) => Promise<void>,
): Promise<void> {
  const { listener, port } = await listenerWith(reception)
  const opened: Wire[] = []
  try {
    await use(listener, port, async (one) => {
      const client = await one
      opened.push(client instanceof Wire ? client : client.wire)
      return client
    })
  } finally {
    listener.destroy()
    for (const wire of opened) wire.destroy()
    await eventually(() => listener.connections === 0, 'no connection left')
  }
}

async function toldTo(wire: Wire, first = ''): Promise<string> {
  return (await wire.send(first + GET).message()).body.toString()
}

const certificates = Promise.all([makeCertificate(), makeCertificate()])

test('a new certificate is for new connections: those that are open go on with theirs', async () => {
  const [before, after] = await certificates
  await withListener({ tls: before }, async (listener, port, open) => {
    const old = await open(connectTls(port, before))
    listener.update({ tls: after })
    const fresh = await open(connectTls(port, after))
    for (const { wire } of [old, fresh]) assert.match(await toldTo(wire), 'proto=https')
    let refused = false
    await connectTls(port, before).catch(() => {
      refused = true
    })
    assert.ok(refused, 'the old certificate is not shown any more')
  })
})

test('TLS can be turned on and off, and PROXY headers and trust with it, for connections to come', async () => {
  const [tls] = await certificates
  await withListener({}, async (listener, port, open) => {
    const plain = await open(Wire.connect(port))
    assert.match(await toldTo(plain), /For: 127\.0\.0\.1\r\n[\s\S]*proto=http\r\n/)

    listener.update({ tls, proxyProtocol: ['127.0.0.0/8'] })
    const secure = await open(connectTls(port, tls, {}, LINE))
    assert.match(await toldTo(secure.wire), /For: 192\.0\.2\.7\r\n[\s\S]*proto=https\r\n/)
    assert.match(await toldTo(plain), /proto=http\r\n/)

    listener.update({ trustedProxies: ['127.0.0.1'] })
    const trusted = await open(Wire.connect(port))
    const claim = GET.replace('\r\n\r\n', '\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n')
    assert.match((await trusted.send(claim).message()).body.toString(), 'For: 198.51.100.1, 127.0.0.1\r\n')
    assert.match(await toldTo(secure.wire), /For: 192\.0\.2\.7\r\n[\s\S]*proto=https\r\n/)
    assert.match((await plain.send(claim).message()).body.toString(), 'For: 127.0.0.1\r\n')

    listener.update({})
    const again = await open(Wire.connect(port))
    assert.match((await again.send(claim).message()).body.toString(), 'For: 127.0.0.1\r\n')
  })
})

test('a connection that waits for its PROXY header goes on as it began', async () => {
  await withListener({ proxyProtocol: ['127.0.0.1'] }, async (listener, port, open) => {
    const waiting = await open(Wire.connect(port))
    await eventually(() => listener.connections === 1, 'one connection')
    listener.update({})
    assert.match(await toldTo(waiting, LINE), 'For: 192.0.2.7\r\n')
    const fresh = await open(Wire.connect(port))
    assert.match(await toldTo(fresh), 'For: 127.0.0.1\r\n')
  })
})

for (const [what, bad] of [
  ['a certificate that is none', async () => ({ tls: { certificate: 'x', key: 'x' } })],
  [
    'a key of another certificate',
    async () => {
      const [one, other] = await certificates
      return { tls: { certificate: one.certificate, key: other.key } satisfies Certificate }
    },
  ],
  ['a bad block of peers', async () => ({ proxyProtocol: ['10/8'] })],
  ['a bad block of proxies', async () => ({ trustedProxies: ['localhost'] })],
] as const) {
  test(`${what} changes nothing, and is told`, async () => {
    const [tls] = await certificates
    await withListener({ tls }, async (listener, port, open) => {
      const config: ReceptionConfig = await bad()
      assert.throws(() => listener.update(config))
      const { wire } = await open(connectTls(port, tls))
      assert.match(await toldTo(wire), 'proto=https')
    })
  })
}

test.run()
