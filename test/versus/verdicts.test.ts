import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { replaceSection } from '../../bench/support/results.ts'
import { fill } from '../../bench/support/scratch.ts'
import { drawChart, panelsOf } from '../../bench/versus/chart.ts'
import { report } from '../../bench/versus/report.ts'
import type { Results, Row } from '../../bench/versus/results.ts'
import { verdicts } from '../../bench/versus/verdicts.ts'
import { selectWorkloads } from '../../bench/versus/workloads.ts'

const test = suite('versus')

/** A row with one round for each CPU time, in µs. */
function row(contestant: string, ...cpu: number[]): Row {
  const kind = contestant.startsWith('signet') ? 'signet' : 'native'
  return { contestant, kind, rounds: cpu.map((system) => ({ user: 0, system })) }
}

function results(node: string, rows: Row[]): Results {
  return {
    machine: {
      date: '2026-01-01',
      node,
      v8: '1',
      processor: 'a <processor>',
      cores: 2,
      memory: '1 GiB',
      system: 'linux',
      load: 0,
      pinned: true,
    },
    versions: {},
    load: 'wrk',
    upstream: 'nginx',
    noInstructions: 'no counters',
    rounds: 3,
    seconds: 1,
    skipped: [],
    workloads: [{ id: 'a32', title: 'small', unit: 'request', rows }],
  }
}

function verdict(run: Results, what: string) {
  return verdicts(run).find((one) => one.what === what)!
}

test('a ratio is the median of the ratios of each round, so that a disturbed round does not decide', () => {
  const run = results('26.1.0', [row('signet', 9, 90, 10), row('HAProxy', 10, 100, 100)])
  assert.equal(verdict(run, '(a) CPU a request, of HAProxy'), {
    what: '(a) CPU a request, of HAProxy',
    target: '≤ 0.95 ×',
    measured: '0.90 ×',
    reached: true,
  })
})

test('the best of several peers is the one that signet has the hardest time with', () => {
  const run = results('26.1.0', [row('signet', 10), row('httpxy', 100), row('fast-proxy', 50)])
  const { measured, reached } = verdict(run, '(a) CPU a request, of the best Node peer')
  assert.equal([measured, reached], ['0.20 ×', false])
})

test('an older Node has 1.35 times as much room against others, and none against itself', () => {
  const run = results('20.1.0', [row('signet', 12), row('HAProxy', 10), row('signet, access log', 14)])
  assert.equal(verdict(run, '(a) CPU a request, of HAProxy').reached, true)
  assert.equal(verdict(run, '(a) CPU a request with the access log, of without').reached, false)
})

test('what was not measured, or failed, is neither reached nor missed', () => {
  const failed = { ...row('HAProxy', 10), failure: 'it ended' }
  const { measured, reached } = verdict(
    results('26.1.0', [row('signet', 10), failed]),
    '(a) CPU a request, of HAProxy',
  )
  assert.equal([measured, reached], ['–', undefined])
})

test('without counters there is no column of instructions', () => {
  const run = results('26.1.0', [row('signet', 10)])
  assert.not.match(report(run), '| instructions')
  assert.match(report({ ...run, noInstructions: undefined }), '| instructions')
})

test('the chart has a bar for each contestant that was measured, cheapest first, and escapes what it is told', () => {
  const run = results('26.1.0', [
    row('HAProxy', 20),
    row('signet', 10),
    { ...row('x', 1), failure: 'it ended' },
  ])
  const [panel] = panelsOf(run)
  assert.equal(
    panel!.bars.map(({ label, value }) => [label, value]),
    [
      ['signet', 10],
      ['HAProxy', 20],
    ],
  )
  const svg = drawChart(panelsOf(run), run.machine.processor)
  assert.is(svg.match(/<rect/g)?.length, 2)
  assert.match(svg, 'a &#60;processor&#62;')
})

test('a section of RESULTS.md replaces its own and leaves the others', () => {
  const before = '# Results\n\n## Node 26\n\nold\n\n## Node 20\n\nkept\n'
  const after = replaceSection(before, 'bench', '26', 'new')
  assert.is(after, '\n## Node 26\n\nnew\n\n## Node 20\n\nkept\n')
  const both = replaceSection(after, 'peers', '20', '### a: heading\n\npeers')
  assert.match(both, /^\n## Against peers, Node 20\n\n### a: heading\n\npeers\n\n## Node 26\n/)
  assert.is(replaceSection(both, 'peers', '20', '### a: heading\n\npeers'), both)
})

test('workloads are selected by letter; h is where those who log stand beside those who do not', () => {
  const ids = (list?: string) => selectWorkloads(list).map(({ id }) => id)
  assert.equal(ids('a,f'), ['a1', 'a32', 'a256', 'f'])
  assert.equal(ids('h'), ['a32'])
  assert.throws(() => ids('z'), 'no workload is called z')
})

test('a template that names what has no value is not written', () => {
  assert.is(fill('listen {{port}};', { port: 80 }), 'listen 80;')
  assert.throws(() => fill('{{port}}', {}), '{{port}}, which has no value')
})

test.run()
