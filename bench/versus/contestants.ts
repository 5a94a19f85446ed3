// Who is compared, as a table: its name, what it needs, how it is started, which workloads it takes part in. Those that
// sign do the whole job; what the others leave out stands in their names.

import { nodePeer, signet } from '../contestants.ts'
import { installedVersion } from '../support/node-peers.ts'
import { aiohttp, haproxy, nginx, type StartPeer } from './native-peers.ts'
import { PROGRAMS, type ProgramName } from './programs.ts'
import type { WorkloadId } from './workloads.ts'

/** One contestant. */
export interface Contestant {
  readonly name: ContestantName
  readonly kind: Kind
  /** What it signs tokens with; they are checked before anything is measured. */
  readonly token: 'HS512' | 'HS256' | 'none'
  readonly needs?: ProgramName
  /** The package of bench/package.json that it is, if any. */
  readonly peer?: string
  readonly workloads: readonly WorkloadId[]
  readonly start: StartPeer
}

/** What it is written in: verdicts and the chart ask. */
export type Kind = 'signet' | 'native' | 'node' | 'python'

/** The rows that verdicts are about, and the baseline of bench/budget. */
export const NAMES = {
  signet: 'signet',
  signetLog: 'signet, access log',
  signetTwo: 'signet, 2 workers',
  haproxy: 'HAProxy',
  haproxyLog: 'HAProxy, access log',
  haproxyLarge: 'HAProxy, 256 KiB buffers',
  haproxyBare: 'HAProxy, no token',
  nginxBare: 'nginx, no token',
  nginxNjs: 'nginx + njs, HS256',
  nginxUnbuffered: 'nginx unbuffered, no token',
  nginxLarge: 'nginx unbuffered, 256 KiB buffers, no token',
  bareRelay: 'bare relay, no token',
  httpxy: 'httpxy',
  fastProxy: 'fast-proxy',
  fastify: '@fastify/http-proxy',
  aiohttp: 'aiohttp + PyJWT',
} as const
export type ContestantName = (typeof NAMES)[keyof typeof NAMES]

const REQUESTS = ['a1', 'a32', 'a256', 'b', 'f', 'g', 'i'] as const
const BODIES = ['c', 'd', 'e'] as const
const ALL = [...REQUESTS, ...BODIES]

// biome-ignore format: a table
export const CONTESTANTS: readonly Contestant[] = [
  { name: NAMES.signet, kind: 'signet', token: 'HS512', workloads: [...ALL, 'p', 'm'], start: signet('off', { SIGNET_KEEP_ALIVE_TIMEOUT: '600000' }) },
  { name: NAMES.signetLog, kind: 'signet', token: 'HS512', workloads: [...REQUESTS, 'p'], start: signet('on', { SIGNET_KEEP_ALIVE_TIMEOUT: '600000' }) },
  { name: NAMES.signetTwo, kind: 'signet', token: 'HS512', workloads: ['a32', 'a256'], start: signet('off', { SIGNET_WORKERS: '2' }) },
  { name: NAMES.haproxy, kind: 'native', token: 'HS512', needs: 'haproxy', workloads: [...ALL, 'p'], start: haproxy({ token: true }) },
  { name: NAMES.haproxyLog, kind: 'native', token: 'HS512', needs: 'haproxy', workloads: ['a32'], start: haproxy({ token: true, log: true }) },
  { name: NAMES.haproxyLarge, kind: 'native', token: 'HS512', needs: 'haproxy', workloads: BODIES, start: haproxy({ token: true, bufferSize: 262_144 }) },
  { name: NAMES.haproxyBare, kind: 'native', token: 'none', needs: 'haproxy', workloads: REQUESTS, start: haproxy({ token: false }) },
  { name: NAMES.nginxBare, kind: 'native', token: 'none', needs: 'nginx', workloads: REQUESTS, start: nginx({ token: 'constant' }) },
  { name: NAMES.nginxNjs, kind: 'native', token: 'HS256', needs: 'njs', workloads: REQUESTS, start: nginx({ token: 'njs' }) },
  { name: NAMES.nginxUnbuffered, kind: 'native', token: 'none', needs: 'nginx', workloads: BODIES, start: nginx({ token: 'constant', bodies: 'unbuffered' }) },
  { name: NAMES.nginxLarge, kind: 'native', token: 'none', needs: 'nginx', workloads: BODIES, start: nginx({ token: 'constant', bodies: 'large' }) },
  { name: NAMES.httpxy, kind: 'node', token: 'HS512', peer: 'httpxy', workloads: ALL, start: nodePeer('httpxy') },
  { name: NAMES.fastProxy, kind: 'node', token: 'HS512', peer: 'fast-proxy', workloads: ALL, start: nodePeer('fast-proxy') },
  { name: NAMES.fastify, kind: 'node', token: 'HS512', peer: '@fastify/http-proxy', workloads: ALL, start: nodePeer('fastify-http-proxy') },
  { name: NAMES.aiohttp, kind: 'python', token: 'HS512', needs: 'aiohttp', workloads: ALL, start: aiohttp },
]

/** Whether all that a contestant needs is installed. */
export function isThere({ needs, peer }: Contestant): boolean {
  if (peer !== undefined) return installedVersion(peer) !== undefined
  return needs === undefined || PROGRAMS[needs].found !== undefined
}
