// httpxy: its shared keep-alive agent (256 sockets) is the default since 0.5 and what its README advises.

import { createServer } from 'node:http'
import { createProxyServer } from 'httpxy'
import { announce, KEEP_ALIVE, upstream } from './environment.mjs'
import { token } from './token.mjs'

const proxy = createProxyServer({ target: upstream })
proxy.on('error', (_error, _request, response) => response.writeHead?.(502).end())

const server = createServer((request, response) => {
  request.headers['x-my-jwt'] = token()
  void proxy.web(request, response)
})
server.keepAliveTimeout = KEEP_ALIVE
server.listen(0, '127.0.0.1', () => announce(server.address().port))
