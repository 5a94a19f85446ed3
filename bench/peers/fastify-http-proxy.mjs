// @fastify/http-proxy: over undici, its default and fastest client; bodies are streamed, nothing is logged.

import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'
import { announce, KEEP_ALIVE, upstream } from './environment.mjs'
import { token } from './token.mjs'

const server = fastify({ logger: false, keepAliveTimeout: KEEP_ALIVE })
await server.register(httpProxy, {
  upstream,
  undici: { connections: 128, pipelining: 1 },
  replyOptions: {
    rewriteRequestHeaders: (_request, headers) => ({ ...headers, 'x-my-jwt': token() }),
    // It relays the upstream's Connection: keep-alive, even to a client whose connection Node then closes.
    rewriteHeaders: ({ connection: _, ...headers }) => headers,
  },
})
await server.listen({ port: 0, host: '127.0.0.1' })
announce(server.server.address().port)
