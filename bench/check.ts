// `make bench-check`: what signet and its parts cost, against the budget in bench/budget.json. Prints a table; exit code 1
// when something is over. About a minute; the parts that need no quiet machine are in `make test` as well.

import { parseArgs } from 'node:util'
import * as allocation from './budget/allocation.ts'
import { judge, type Measured, readBudget, verdictTable } from './budget/budget.ts'
import * as cpu from './budget/cpu.ts'
import * as micro from './budget/micro.ts'
import { describeMachine } from './support/results.ts'
import { PROGRAMS } from './versus/programs.ts'

/** All parts, in the order they are measured; the micro-benches first, while this process has done nothing else. */
const PARTS: Readonly<Record<string, () => Measured[] | Promise<Measured[]>>> = {
  micro: micro.measureMicro,
  allocation: allocation.measureAllocation,
  cpu: cpu.measureCpu,
}
const HELP = `Usage: node build/bench/check.js [--only ${Object.keys(PARTS).join(',')}]
Compares what signet costs with bench/budget.json; exit code 1 when something is over.

  micro       parse, rewrite, mint and the log line, as ratios to a reference loop in the same run
  allocation  octets taken from the heap for an exchange
  cpu         CPU time of a request as ratios to a bare relay, HAProxy and the upstream; needs a quiet machine
`

const { values } = parseArgs({
  options: { only: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
})
if (values.help) {
  process.stdout.write(HELP)
  process.exit(0)
}
const wanted = values.only?.split(',') ?? Object.keys(PARTS)
const unknown = wanted.filter((part) => !Object.hasOwn(PARTS, part))
if (unknown.length > 0) {
  console.error(`no part is called ${unknown.join(', ')}; see --help`)
  process.exit(2)
}

const budget = readBudget([...micro.NAMES, ...allocation.NAMES, ...cpu.NAMES])
const measured: Measured[] = []
for (const [part, measure] of Object.entries(PARTS))
  if (wanted.includes(part)) measured.push(...(await measure()))
const verdicts = judge(budget, measured)
process.stdout.write(
  `${describeMachine({ haproxy: PROGRAMS.haproxy.found?.version ?? 'not installed' })}\n\n${verdictTable(verdicts)}\n`,
)
if (verdicts.some(({ outcome }) => outcome === 'OVER')) process.exitCode = 1
