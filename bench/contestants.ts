// Who is measured, as a table: what it is called, how it is started, what it needs. Each does the same job: pass the
// request on, with a fresh HS512 token in x-my-jwt, and the response back. Two rows say what part of it is not theirs.

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

/** How a contestant is started in front of `upstream`; the secret is in hex. */
export type Start = (upstream: string, secret: string) => How
export type How = Omit<Command, 'name' | 'side'>

/** The row that every other is compared with. */
export const REFERENCE = 'signet'

// biome-ignore format: a table
export const CONTESTANTS: readonly Contestant[] = [
  { name: 'upstream alone', signs: false },
  { name: 'bare relay, no token', signs: false, command: nodePeer('bare-relay') },
  { name: REFERENCE, signs: true, command: signet('off') },
  { name: 'signet, access log', signs: true, command: signet('on') },
  { name: 'httpxy', signs: true, peer: 'httpxy', command: nodePeer('httpxy') },
  { name: 'fast-proxy', signs: true, peer: 'fast-proxy', command: nodePeer('fast-proxy') },
  { name: '@fastify/http-proxy', signs: true, peer: '@fastify/http-proxy', command: nodePeer('fastify-http-proxy') },
]

/** signet as it is shipped. Its log, when it writes one, goes to /dev/null. */
export function signet(accessLog: 'on' | 'off', more: Readonly<Record<string, string>> = {}): Start {
  return (upstream, secret) => ({
    argv: [signetMain()],
    env: {
      HTTP_PORT: '0',
      SIGNET_UPSTREAM: upstream,
      SIGNET_SECRET: secret,
      SIGNET_ACCESS_LOG: accessLog,
      ...more,
    },
  })
}

/** A program of bench/peers. */
export function nodePeer(file: string): Start {
  return (upstream, secret) => ({
    argv: [inRoot('bench', 'peers', `${file}.mjs`)],
    env: { BENCH_UPSTREAM: upstream, BENCH_SECRET: secret },
  })
}
