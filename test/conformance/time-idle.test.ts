// One good client among thousands of idle and hundreds of slow ones: what the others cost it. The crowd is a process of
// its own, and signet may have descriptors enough for all of them.

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { settled, type SignetProcess, spawnWithLimit, startSignet } from '../soak/process.ts'
import { Wire, within } from '../support/wire.ts'
import { descriptorLimit } from './time-limits.ts'
import { statusOf } from './time-stand.ts'

const test = suite('conformance/time-idle')

/** Descriptors that both processes need: the crowd, and some for everything else. */
const DESCRIPTORS = 6000
const ROOMY = descriptorLimit() >= DESCRIPTORS
const IDLE = ROOMY ? 5000 : Math.max(100, descriptorLimit() - 500)
const SLOW = 200
/** Requests that the good client makes each time it is looked at. */
const REQUESTS = 300
/** ms by which half of them, and 99 in 100, may take longer among the crowd: on a busy machine, too. */
const MEDIAN_MORE = 5
const MOST_MORE = 100

const answer: RequestListener = (request, response) => {
  request.resume()
  if (request.method === 'POST') return // a slow one: it never ends
  response.end('ok')
}

/** Looks taken at both, of which the better one counts: what else the machine does passes, and the crowd stays. */
const LOOKS = 3

if (!ROOMY) {
  const why = `only ${IDLE} idle clients instead of 5000: ulimit -n allows ${descriptorLimit()}, and ${DESCRIPTORS} are needed`
  console.error(`! ${why}`)
  test.skip(why, () => undefined)
}

test(`${IDLE} idle and ${SLOW} slow clients: a good one is served as if alone`, async () => {
  const upstream = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, answer).listen(
    0,
    '127.0.0.1',
  )
  await once(upstream, 'listening')
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const limit = ROOMY ? { descriptors: DESCRIPTORS } : {}
  // The heads of the slow clients take longer than any deadline; here they are to be there for all of it.
  const env = { SIGNET_UPSTREAM: origin, SIGNET_HEAD_TIMEOUT: '60000', SIGNET_ACCESS_LOG: 'off' }
  const signet = await startSignet({ env, ...limit })
  try {
    await serve(signet, 50) // warm
    const alone = await best(signet)
    const before = await signet.measure()
    const crowd = await gather(signet.port, limit.descriptors)
    try {
      const { downstream } = await signet.status()
      assert.is(downstream.open, IDLE + SLOW + 1, 'all are connected')
      const among = await best(signet)
      const { heap, external, resident } = await signet.measure()
      const each = (heap + external - before.heap - before.external) / (IDLE + SLOW) / 1024
      if (process.env.VERBOSE) {
        console.log(`alone: ${show(alone)}; among ${IDLE} idle and ${SLOW} slow: ${show(among)}`)
        console.log(
          `${each.toFixed(1)} KiB a connection; ${Math.round((resident - before.resident) / 1048576)} MiB resident more`,
        )
      }
      const told = `among the crowd ${show(among)}, alone ${show(alone)}`
      assert.ok(percentile(among, 50) < percentile(alone, 50) + MEDIAN_MORE, told)
      assert.ok(percentile(among, 99) < percentile(alone, 99) + MOST_MORE, told)
      assert.ok(each < 32, `${each} KiB held for each connection`)
    } finally {
      crowd.kill('SIGKILL')
    }
    await settled(signet, 15_000)
    assert.ok(signet.alive())
  } finally {
    await signet.stop()
    upstream.closeAllConnections()
    upstream.close()
  }
})

/** Starts the crowd, and waits until all are connected. */
async function gather(port: number, descriptors: number | undefined) {
  const script = new URL('./time-crowd.js', import.meta.url).pathname
  const argv = [script, `${port}`, `${IDLE}`, `${SLOW}`]
  const crowd = spawnWithLimit(argv, descriptors, { env: {}, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const left = once(crowd, 'exit').then(() => Promise.reject(new Error('the crowd left')))
  left.catch(() => undefined) // it is ended at last
  await within(Promise.race([once(crowd, 'message'), left]), 'the crowd to gather', 40_000)
  return crowd
}

/** The best of several looks, by what 99 in 100 requests took. */
async function best(signet: SignetProcess): Promise<number[]> {
  const looks: number[][] = []
  for (let look = 0; look < LOOKS; look++) looks.push(await serve(signet, REQUESTS))
  return looks.reduce((least, look) => (percentile(look, 99) < percentile(least, 99) ? look : least))
}

/** One request after another on one connection. @returns ms that each took */
async function serve(signet: SignetProcess, requests: number): Promise<number[]> {
  const client = await Wire.connect(signet.port)
  const times: number[] = []
  for (let request = 0; request < requests; request++) {
    const begin = performance.now()
    client.send('GET /good HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.is(statusOf((await client.message()).head), 200)
    times.push(performance.now() - begin)
  }
  client.destroy()
  return times
}

function percentile(times: readonly number[], percent: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length * percent) / 100)] as number
}

function show(times: readonly number[]): string {
  return [50, 99].map((percent) => `p${percent} ${percentile(times, percent).toFixed(2)} ms`).join(', ')
}

test.run()
