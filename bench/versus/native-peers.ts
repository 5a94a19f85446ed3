// How HAProxy, nginx and aiohttp are started: their templates in bench/peers, filled in and written for the run.

import type { How } from '../contestants.ts'
import { inRoot } from '../support/paths.ts'
import { freePort } from '../support/ports.ts'
import { fill, type Scratch } from '../support/scratch.ts'
import { readFileSync } from 'node:fs'
import { PROGRAMS, type ProgramName } from './programs.ts'

/** How a contestant is started in front of `upstream`; the secret is in hex. */
export type StartPeer = (upstream: string, secret: string, scratch: Scratch) => How | Promise<How>

/** Connections that a native peer accepts: those of the load and the idle ones beside it, on both sides. */
const CONNECTIONS = 6000
const TOKEN_HEADER = Buffer.from(JSON.stringify({ alg: 'HS512', typ: 'JWT' })).toString('base64url')

/** HAProxy in one of its settings. */
export function haproxy(settings: { token: boolean; bufferSize?: number; log?: boolean }): StartPeer {
  return async (upstream, secret, scratch) => {
    const port = await freePort()
    const key = Buffer.from(secret, 'hex').toString('base64')
    const file = scratch.write(`haproxy-${port}/haproxy.cfg`, inRoot('bench', 'peers', 'haproxy.cfg'), {
      port,
      upstream: portOf(upstream),
      connections: CONNECTIONS,
      buffers: settings.bufferSize === undefined ? '' : `tune.bufsize ${settings.bufferSize}`,
      log: settings.log === true ? 'log stdout format raw local0\n  option httplog' : '',
      token: settings.token ? template('haproxy-token.cfg', { header: TOKEN_HEADER, key }) : '',
    })
    // Without -W there is no master, and -db keeps it in the foreground: its PID is that of the one that works.
    return { program: pathOf('haproxy'), argv: ['-db', '-f', file], port }
  }
}

/** nginx in one of its settings. */
export function nginx(settings: { token: 'constant' | 'njs'; bodies?: 'unbuffered' | 'large' }): StartPeer {
  return async (upstream, secret, scratch) => {
    const port = await freePort()
    const folder = scratch.folder(`nginx-${port}`)
    const njs = settings.token === 'njs'
    if (njs)
      scratch.write(`nginx-${port}/token.js`, inRoot('bench', 'peers', 'njs-token.js'), { key: secret })
    const file = scratch.write(`nginx-${port}/nginx.conf`, inRoot('bench', 'peers', 'nginx.conf'), {
      port,
      upstream: portOf(upstream),
      connections: 2 * CONNECTIONS,
      modules: njs ? `load_module ${pathOf('njs')};` : '',
      http: njs ? 'js_import token.js;\n  js_set $jwt token.token;' : '',
      jwt: njs ? '$jwt' : 'a-constant',
      bodies: settings.bodies === undefined ? '' : BODIES[settings.bodies],
    })
    const argv = ['-p', folder, '-c', file, '-e', 'stderr']
    return { program: pathOf('nginx'), argv, port }
  }
}

/** What is said about large bodies: nothing is collected, in buffers as they come or of 256 KiB. */
const UNBUFFERED = 'proxy_buffering off;\n      proxy_request_buffering off;'
const BODIES = {
  unbuffered: UNBUFFERED,
  large: `${UNBUFFERED}
      proxy_buffer_size 256k;
      proxy_buffers 4 256k;
      proxy_busy_buffers_size 512k;
      client_body_buffer_size 256k;`,
}

/** The proxy that most would write in Python. */
export const aiohttp: StartPeer = (upstream, secret) => ({
  program: pathOf('aiohttp'),
  argv: [inRoot('bench', 'peers', 'aiohttp_pyjwt.py')],
  env: { BENCH_UPSTREAM: upstream, BENCH_SECRET: secret },
})

function template(name: string, values: Parameters<typeof fill>[1]): string {
  return fill(readFileSync(inRoot('bench', 'peers', name), 'utf8'), values).trim()
}

function portOf(origin: string): string {
  return new URL(origin).port
}

/** Where a program is that was found before. */
export function pathOf(name: ProgramName): string {
  const { found } = PROGRAMS[name]
  if (found === undefined) throw new Error(`${name} is not installed`)
  return found.path
}
