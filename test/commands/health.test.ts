import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type HealthOptions, runHealth } from '../../src/commands/health.ts'
import { Printed, within, withServer } from './support.ts'

const test = suite('commands/health')

async function run(argv: string[], env: HealthOptions['env'] = {}, deadline = 2000) {
  const stdout = new Printed()
  const stderr = new Printed()
  const exitCode = await within(runHealth(argv, { env, stdout, stderr, deadline }), 'the exit code')
  return { exitCode, stdout: stdout.text, stderr: stderr.text }
}

/** Answers every request with `status` and notes the request-targets in `asked`. */
function answering(status: number, asked: string[] = []) {
  return createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(status).end()
  })
}

test('200 is well: exit code 0, and not a word', () =>
  withServer(answering(200), async (port) => {
    assert.equal(await run([`http://127.0.0.1:${port}/x`]), { exitCode: 0, stdout: '', stderr: '' })
  }))

test('without a URL /status is asked on HTTP_PORT', async () => {
  const asked: string[] = []
  await withServer(answering(200, asked), async (port) => {
    assert.is((await run([], { HTTP_PORT: String(port), SIGNET_ADMIN_PORT: '' })).exitCode, 0)
  })
  assert.equal(asked, ['GET /status'])
})

test('without a URL SIGNET_ADMIN_PORT goes before HTTP_PORT', () =>
  withServer(answering(200), async (port) => {
    assert.is((await run([], { HTTP_PORT: '1', SIGNET_ADMIN_PORT: String(port) })).exitCode, 0)
  }))

test('where SIGNET_CONFIG names a file, its port and adminPort count, and variables before them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-health-'))
  const file = join(folder, 'signet.yaml')
  try {
    await withServer(answering(200), async (port) => {
      for (const text of [`port: ${port}`, `port: 1\nadminPort: ${port}`]) {
        writeFileSync(file, text)
        assert.equal(await run([], { SIGNET_CONFIG: file }), { exitCode: 0, stdout: '', stderr: '' })
      }
      writeFileSync(file, 'port: 1')
      assert.is((await run([], { SIGNET_CONFIG: file, HTTP_PORT: String(port) })).exitCode, 0)
      assert.is((await run([], { SIGNET_CONFIG: file, SIGNET_ADMIN_PORT: String(port) })).exitCode, 0)
      // What a running signet has refused says nothing of how it is.
      for (const text of [`port: ${port}\nprot: 1`, `port: ${port}\nroutes: 1`]) {
        writeFileSync(file, text)
        assert.is((await run([], { SIGNET_CONFIG: file })).exitCode, 0, text)
      }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

for (const status of [204, 301, 404, 503]) {
  test(`${status} is not well: exit code 1, and one line`, () =>
    withServer(answering(status), async (port) => {
      const { exitCode, stderr } = await run([`http://127.0.0.1:${port}/`])
      assert.equal([exitCode, stderr], [1, `signet health: http://127.0.0.1:${port}/ answered ${status}\n`])
    }))
}

test('a port nobody listens on is not well', async () => {
  let free = 0
  await withServer(createNetServer(), async (port) => {
    free = port
  })
  const { exitCode, stderr } = await run([], { HTTP_PORT: String(free) })
  assert.is(exitCode, 1)
  assert.match(
    stderr,
    /^signet health: http:\/\/127\.0\.0\.1:\d+\/status cannot be reached: .*ECONNREFUSED.*\n$/,
  )
})

test('a server that accepts and says nothing is not well once the deadline has passed', () =>
  withServer(createNetServer(), async (port) => {
    const { exitCode, stderr } = await run([`http://127.0.0.1:${port}/`], {}, 50)
    assert.equal(
      [exitCode, stderr],
      [1, `signet health: http://127.0.0.1:${port}/ did not answer within 50 ms\n`],
    )
  }))

test('a server that closes without an answer, or answers nonsense, is not well', async () => {
  for (const octets of ['', 'SSH-2.0-x\r\n']) {
    await withServer(
      createNetServer((socket) => socket.end(octets)),
      async (port) => {
        const { exitCode, stderr } = await run([`http://127.0.0.1:${port}/`])
        assert.is(exitCode, 1)
        assert.match(stderr, /^signet health: .+ cannot be reached: .+\n$/)
      },
    )
  }
})

test('a body that never ends does not keep the command: the connection is closed', () => {
  let closed: Promise<unknown> = Promise.reject(new Error('nobody asked'))
  closed.catch(() => {})
  const server = createServer((request, response) => {
    closed = once(request.socket, 'close')
    response.write('more to come')
  })
  return withServer(server, async (port) => {
    assert.is((await run([`http://127.0.0.1:${port}/`])).exitCode, 0)
    await within(closed, 'the end of the connection', 1000)
  })
})

for (const argv of [['a', 'b'], ['ftp://a/'], ['localhost'], ['--nope']]) {
  test(`signet health ${argv.join(' ')} is wrong usage: 2, and the usage on stderr`, async () => {
    const { exitCode, stderr } = await run(argv)
    assert.is(exitCode, 2)
    assert.match(stderr, /^signet health: .+\n\nUsage: signet health/s)
  })
}

test('a port setting that is no port is wrong usage', async () => {
  assert.is((await run([], { HTTP_PORT: '99999' })).exitCode, 2)
})

test('signet health --help prints the usage and ends with 0', async () => {
  const { exitCode, stdout, stderr } = await run(['--help'])
  assert.equal([exitCode, stderr], [0, ''])
  assert.match(stdout, /^Usage: signet health/)
})

test.run()
