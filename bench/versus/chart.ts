// The bar chart in the README, from bench/results.json: what a request and what a GiB cost, by proxy. Run alone, it
// draws docs/bench.svg anew: `node build/bench/versus/chart.js`.

import { writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { inRoot } from '../support/paths.ts'
import type { Kind } from './contestants.ts'
import { cpuOf, middle, readResults, type Results, type ResultsFile } from './results.ts'

const FILE = inRoot('docs', 'bench.svg')

/** One bar. */
export interface Bar {
  readonly label: string
  readonly kind: Kind
  readonly value: number
}

/** Bars that have a scale in common. */
export interface Panel {
  readonly title: string
  readonly unit: string
  readonly digits: number
  readonly bars: readonly Bar[]
}

const WIDTH = 800
const LABELS = 300
const VALUES = 90
const ROW = 24
const HEAD = 40
const GAP = 16
const LONGEST = WIDTH - LABELS - VALUES

/** Both panels of a run, cheapest first; those that were not measured are left out. */
export function panelsOf(results: Results): Panel[] {
  const panel = (id: string, title: string, unit: string, digits: number, scale: number): Panel => {
    const rows = results.workloads.find((workload) => workload.id === id)?.rows ?? []
    const bars = rows.flatMap((row): Bar[] => {
      const value = row.failure === undefined ? middle(row, cpuOf) : undefined
      return value === undefined ? [] : [{ label: row.contestant, kind: row.kind, value: value / scale }]
    })
    return { title, unit, digits, bars: bars.sort((a, b) => a.value - b.value) }
  }
  return [
    panel('a32', 'CPU time of a request: small POST, 32 connections', 'µs', 0, 1),
    panel('c', 'CPU time of 1 GiB relayed to a client', 's', 2, 1e6),
  ].filter(({ bars }) => bars.length > 0)
}

/** An SVG that needs no script and is readable on a light and on a dark page. */
export function drawChart(panels: readonly Panel[], caption: string): string {
  let y = 0
  const drawn = panels.map((panel) => {
    const text = drawPanel(panel, y)
    y += HEAD + panel.bars.length * ROW + GAP
    return text
  })
  const height = y + 24
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(panels.map(({ title }) => title).join('; '))}">
<style>${STYLE}</style>
${drawn.join('\n')}
<text class="caption" x="0" y="${height - 8}">${escape(caption)}</text>
</svg>
`
}

/** Text takes the page's side by the reader's preference; bars are of a middle tone that both bear. */
const STYLE = [
  'text{font:13px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}',
  '.title{font-weight:600;font-size:14px}',
  '.own{font-weight:600}',
  '.caption{font-size:11px;fill:#656d76}',
  'rect{fill:#8b949e}.signet{fill:#1a7f64}',
  '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.caption{fill:#9198a1}',
  'rect{fill:#6e7681}.signet{fill:#3fb68b}}',
].join('')

function drawPanel({ title, unit, digits, bars }: Panel, top: number): string {
  const most = Math.max(...bars.map(({ value }) => value))
  const rows = bars.map(({ label, kind, value }, at) => {
    const y = top + HEAD + at * ROW
    const width = Math.max(1, (value / most) * LONGEST)
    const own = kind === 'signet' ? ' class="own"' : ''
    return [
      `<text${own} x="${LABELS - 10}" y="${y + 13}" text-anchor="end">${escape(label)}</text>`,
      `<rect class="${kind}" x="${LABELS}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 7}" rx="2"/>`,
      `<text${own} x="${(LABELS + width + 6).toFixed(1)}" y="${y + 13}">${value.toFixed(digits)} ${unit}</text>`,
    ].join('')
  })
  return [`<text class="title" x="0" y="${top + 20}">${escape(title)}</text>`, ...rows].join('\n')
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (octet) => `&#${octet.charCodeAt(0)};`)
}

/** Draws the run of the newest Node that there is. @returns the file */
export function writeChart(file: ResultsFile = readResults()): string {
  const [newest] = Object.keys(file).sort((a, b) => Number(b) - Number(a))
  if (newest === undefined) throw new Error('bench/results.json is not there: run make bench-peers first')
  const results = file[newest]!
  const { machine } = results
  const caption = `One process on one core each; Node ${machine.node}, ${machine.processor}, ${machine.date}. Lower is better.`
  writeFileSync(FILE, drawChart(panelsOf(results), caption))
  return FILE
}

if (argv[1] === fileURLToPath(import.meta.url)) console.log(writeChart())
