// signet as a library, with the middleware that `bench/middleware` asks for by name: `middleware-proxy.js VARIANT UPSTREAM`.

import { createProxy } from '../../src/library.ts'
import type { Middleware } from '../../src/middleware/middleware.ts'

/** What runs around each exchange, by the name of the variant. */
const VARIANTS: Readonly<Record<string, readonly Middleware[]>> = {
  none: [],
  'function*': [
    function* empty() {
      yield
    },
  ],
  'async function*': [
    async function* empty() {
      yield
    },
  ],
  'async function*, a field each way': [
    async function* fields(exchange) {
      exchange.request.fields.set('x-tenant', 'a')
      yield
      exchange.response?.fields.set('x-served-by', 'signet')
    },
  ],
}

const [variant = '', upstream = ''] = process.argv.slice(2)
const proxy = createProxy({
  port: 0,
  upstream,
  secret: 'ab'.repeat(64),
  accessLog: false,
  middleware: VARIANTS[variant],
})
const { port } = await proxy.listen()
process.stderr.write(`listening http://127.0.0.1:${port}\n`)
process.once('SIGTERM', () => void proxy.close())
