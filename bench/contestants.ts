// Who is measured, as a table: what it is called, how it is started, what it needs. Each does the same job: pass the
// request on, with a fresh HS512 token in x-my-jwt, and the response back. Two rows say what part of it is not theirs.

import { existsSync, readFileSync } from 'node:fs'
import type { Command } from './support/children.ts'
import { inRoot, signetMain } from './support/paths.ts'

/** One contestant. */
export interface Contestant {
  readonly name: string
  /** The package of bench/package.json that it is, if any. */
  readonly peer?: string
  /** Whether it does the whole job, so that its tokens are checked and it can be compared. */
  readonly signs: boolean
  /** How it is started in front of `upstream`; undefined for the upstream itself. */
  readonly command?: Start
}

type Start = (upstream: string, secret: string) => Omit<Command, 'name' | 'side'>

/** The row that every other is compared with. */
export const REFERENCE = 'signet'

// biome-ignore format: a table
export const CONTESTANTS: readonly Contestant[] = [
  { name: 'upstream alone', signs: false },
  { name: 'bare relay, no token', signs: false, command: peer('bare-relay') },
  { name: REFERENCE, signs: true, command: signet('off') },
  { name: 'signet, access log', signs: true, command: signet('on') },
  { name: 'httpxy', signs: true, peer: 'httpxy', command: peer('httpxy') },
  { name: 'fast-proxy', signs: true, peer: 'fast-proxy', command: peer('fast-proxy') },
  { name: '@fastify/http-proxy', signs: true, peer: '@fastify/http-proxy', command: peer('fastify-http-proxy') },
]

/** signet as it is shipped. Its log, when it writes one, goes to /dev/null. */
export function signet(accessLog: 'on' | 'off'): Start {
  return (upstream, secret) => ({
    argv: [signetMain()],
    env: { HTTP_PORT: '0', SIGNET_UPSTREAM: upstream, SIGNET_SECRET: secret, SIGNET_ACCESS_LOG: accessLog },
  })
}

function peer(file: string): Start {
  return (upstream, secret) => ({
    argv: [inRoot('bench', 'peers', `${file}.mjs`)],
    env: { BENCH_UPSTREAM: upstream, BENCH_SECRET: secret },
  })
}

/** The version of a package in bench/node_modules, or undefined when it is not there. */
export function installedVersion(name: string): string | undefined {
  const file = inRoot('bench', 'node_modules', name, 'package.json')
  if (!existsSync(file)) return undefined
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
