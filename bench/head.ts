// What a head costs on its way through, step by step: `node build/bench/head.js`. ns per head, best of several rounds.

import { table } from './support/figures.ts'
import { HEADS, type HeadSteps } from './support/head-steps.ts'
import { nsPerCall } from './support/timing.ts'

const STEPS = {
  find: 'its end, by indexOf (findHeadEnd)',
  scan: 'its end, octet by octet (scanHead)',
  parse: 'llhttp, in place',
  read: '… and judged: a RequestHead or ResponseHead',
  rewrite: '… and the text to forward',
  write: '… and written out: the whole road',
} as const satisfies Partial<Record<keyof HeadSteps, string>>

const columns = {
  [`POST, 4 fields, ${HEADS.post.length} B`]: measured(HEADS.post),
  [`browser, 20 fields, ${HEADS.browser.length} B`]: measured(HEADS.browser),
  [`response, ${HEADS.response.length} B`]: measured(HEADS.response),
}

function measured(steps: HeadSteps): string[] {
  return [steps.find, steps.scan, steps.parse, steps.read, steps.rewrite, steps.write].map((step) =>
    nsPerCall(step).toFixed(0),
  )
}

console.log(
  `ns per head, Node ${process.versions.node}; each step includes those before it, but for the first two\n`,
)
console.log(
  table(
    ['', ...Object.keys(columns)],
    Object.values(STEPS).map((step, at) => [step, ...Object.values(columns).map((ns) => ns[at]!)]),
  ),
)
