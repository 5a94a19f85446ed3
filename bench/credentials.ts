// What a credential costs whose token is there, and what a trace: `node build/bench/credentials.js`. ns of CPU time per request,
// best of several rounds.

import { createServer } from 'node:http'
import { randomFillSync } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { composeAdmission, withCredential } from '../src/admission-steps.ts'
import type { CredentialContext } from '../src/credentials/credential.ts'
import { ClientCredential } from '../src/credentials/oauth2-client-credentials.ts'
import { Traffic } from '../src/admin/traffic.ts'
import { createTraceIds, traceOf } from '../src/http/trace.ts'
import { FieldRules } from '../src/http/forward-fields.ts'
import { createHeadParser } from '../src/http/parser.ts'
import { readRequest } from '../src/http/request.ts'
import { table } from './support/figures.ts'

const ROUNDS = 7
const REQUESTS = 1_000_000

const server = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.end(`{"access_token":"${'a'.repeat(300)}","token_type":"Bearer","expires_in":3600}`)
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo

const traffic = new Traffic({ name: 'bench', version: '0', id: '0', startedAt: 0 })
const context: CredentialContext = {
  clock: () => performance.now(),
  observer: {
    onResult: (credential, result) => traffic.credentialNeeded(credential, result),
    onAsked: () => undefined,
    onCondition: () => undefined,
  },
}
const credential = new ClientCredential(
  {
    kind: 'oauth2-client-credentials',
    name: 'partner',
    tokenEndpoint: { url: `http://127.0.0.1:${port}/`, timeout: 1000 },
    clientId: 'a',
    clientSecret: 'b',
    margin: 1000,
  },
  context,
)
const admit = composeAdmission(withCredential([], credential.sourceOf(undefined), context.observer.onResult))!

const parser = createHeadParser({ region: 65_536, maxHeadSize: 16_384, maxFields: 100 })
const rules = new FieldRules(['x-my-jwt'])
function headOf(...fields: string[]) {
  const text = `${['GET / HTTP/1.1', 'Host: a.test', 'Accept: */*', 'User-Agent: bench', ...fields].join('\r\n')}\r\n\r\n`
  const octets = Buffer.from(text, 'latin1')
  return readRequest(parser.parseRequest(octets, 0, octets.length), rules, 8192)
}
const plain = headOf()
const traced = headOf(`traceparent: 00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`)
const nextId = createTraceIds(randomFillSync)

let octets = 0
const notes = {
  trace: undefined,
  gone: false,
  tellClient: () => undefined,
  tellUpstream: (lines: string) => {
    octets += lines.length
  },
}
const match = { value: undefined as never, target: undefined, params: {} }
await admit(plain, '192.0.2.1', match, notes)

const CONTESTANTS: readonly (readonly [name: string, request: () => unknown])[] = [
  ['a token that is there', () => admit(plain, '192.0.2.1', match, notes)],
  ['a trace that begins', () => traceOf(plain.fields, nextId)],
  ['a trace that goes on', () => traceOf(traced.fields, nextId)],
]

/** ns of CPU time of one request. */
function measure(request: () => unknown): number {
  const before = process.cpuUsage()
  for (let times = 0; times < REQUESTS; times++) request()
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / REQUESTS
}

const rows = CONTESTANTS.map(([name, request]) => {
  const rounds = Array.from({ length: ROUNDS }, () => measure(request))
  return [name, String(Math.round(Math.min(...rounds)))]
})
process.stdout.write(`${table(['request', 'ns of CPU'], rows)}\n`)
if (octets === 0) throw new Error('no token was told')
credential.close()
server.closeAllConnections()
server.close()
