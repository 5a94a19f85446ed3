// The status page, for programs as JSON and for people as one HTML file that needs no script and no other
// file.
// In: a snapshot, an Accept field value. Out: text; the connection code chooses, adds the fields, and sends
// it.

import { createHash } from 'node:crypto'
import { FAILURES, type FailureCode } from '../errors.ts'
import type { TargetState } from '../net/balancer.ts'
import { html, Markup } from './markup.ts'
import type { LatencySnapshot, SideSnapshot, Snapshot, WorkerSnapshot } from './traffic.ts'

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #59636e; --line: #d1d9e0 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --faint: #9198a1; --line: #3d444d }
}
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper) }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 0 3rem }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; align-self: start }
caption { text-align: start; font-weight: 600; padding-bottom: .25rem }
th, td { padding: .2rem .75rem .2rem 0; border-top: 1px solid var(--line); text-align: start }
thead th { color: var(--faint); font-weight: 400 }
tbody th { font-weight: 400; overflow-wrap: anywhere }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
h1 small, .faint { color: var(--faint); font-weight: 400 }
`

/** The Content-Security-Policy to send with {@link statusHtml}: only its own style sheet may apply. */
export const STATUS_PAGE_POLICY =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/**
 * The snapshot as JSON text (`application/json`), with the uptime in words added for whoever reads it raw.
 */
export function statusJson(snapshot: Snapshot): string {
  const { name, version, instance, uptimeSeconds, ...rest } = snapshot
  const uptime = durationInWords(uptimeSeconds)
  return `${JSON.stringify({ name, version, instance, uptimeSeconds, uptime, ...rest }, null, 2)}\n`
}

/**
 * The snapshot as a page (`text/html; charset=utf-8`).
 *
 * @param refreshSeconds how often the browser loads it anew; 0 for never
 */
export function statusHtml(snapshot: Snapshot, refreshSeconds = 5): string {
  const refresh = refreshSeconds > 0 ? html`<meta http-equiv="refresh" content="${refreshSeconds}">` : ''
  return `${html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh}
<title>${snapshot.name} status</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header>
<h1>${snapshot.name} <small>${snapshot.version}</small></h1>
<p class="faint">Instance ${snapshot.instance}, running for ${durationInWords(snapshot.uptimeSeconds)}
(${grouped(snapshot.uptimeSeconds)} s)</p>
</header>
<main>
${tablesOf(snapshot)}
</main>
</body>
</html>
`}`
}

/**
 * Whether a client would rather read HTML (RFC 9110 §12.5.1): it names an HTML type, and ranks it above JSON.
 * JSON also wins when both are named with the same weight. A wildcard alone names nothing: `curl` gets JSON.
 *
 * @param accept the field value, members of several lines joined by commas; undefined when there is none
 */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false
  const weights = weightsOf(accept)
  const page = Math.max(weights.get('text/html') ?? 0, weights.get('application/xhtml+xml') ?? 0)
  const named = weights.get('application/json')
  if (named !== undefined) return page > named
  // `text/html, */*`: who names HTML and lets anything else pass wants HTML.
  return page > 0 && page >= (weights.get('application/*') ?? weights.get('*/*') ?? 0)
}

/** A qvalue (RFC 9110 §12.4.2). */
const QVALUE = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * Weight by media range, lower case; a range given twice keeps its higher weight, a member with a malformed
 * weight is skipped. A comma or semicolon within a quoted parameter splits it too: at worst the other of two
 * representations is sent, and no pattern has to back up over an unclosed quote.
 */
function weightsOf(accept: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const member of accept.toLowerCase().split(',')) {
    const [range = '', ...parameters] = member.split(';').map((part) => part.trim())
    const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
    if (QVALUE.test(q)) weights.set(range, Math.max(weights.get(range) ?? 0, Number(q)))
  }
  return weights
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const

/** A duration for people: `1 day, 2 hours, 5 seconds`. Whole seconds; units that are zero are left out. */
export function durationInWords(seconds: number): string {
  let left = Math.floor(seconds)
  const words: string[] = []
  for (const [unit, length] of UNITS) {
    const count = Math.floor(left / length)
    left -= count * length
    if (count > 0) words.push(`${count} ${unit}${count === 1 ? '' : 's'}`)
  }
  return words.length > 0 ? words.join(', ') : '0 seconds'
}

type Row = readonly [label: string, ...cells: readonly (string | number)[]]

function tablesOf(snapshot: Snapshot): readonly Markup[] {
  const { requests, pool, tokens, tunnels, downstream, upstream } = snapshot
  return [
    table('Requests', undefined, [
      ['Processed', requests.processed],
      ['In flight', requests.inFlight],
      ['Sent again on another connection', requests.retried],
      ['Tokens minted', tokens.minted],
      ['Imitated identity fields dropped', tokens.imitationsDropped],
      ['Tunnels open', tunnels.open],
      ['Tunnels in total', tunnels.total],
    ]),
    table(
      'Latency in milliseconds',
      ['Part', 'p50', 'p90', 'p99', 'max'],
      [latencyRow('Whole exchange', snapshot.latencyMs), latencyRow('Upstream', snapshot.upstreamLatencyMs)],
    ),
    table('Requests by method', undefined, seen(requests.byMethod)),
    table('Responses by status class', undefined, Object.entries(requests.byStatusClass)),
    table('Responses by status', undefined, seen(requests.byStatus)),
    table('Failures', ['Code', 'Meaning', 'Side', 'Count'], failureRows(requests.failures)),
    table(
      'Connections',
      ['Side', 'Open', 'Total', 'Octets received', 'Octets sent'],
      [sideRow('Downstream', downstream), sideRow('Upstream', upstream)],
    ),
    table('Connection reuse and refusal', undefined, [
      ['Upstream connections reused', upstream.reused],
      ['Clients refused at the connection cap', downstream.refusedAtCap],
    ]),
    table('Upstream pool', undefined, [
      ['Origin', pool.origin],
      ['Open', `${grouped(pool.open)} of ${grouped(pool.size)}`],
      ['Idle', pool.idle],
      ['Busy', pool.busy],
      ['Connecting', pool.connecting],
      ['Exchanges waiting', `${grouped(pool.waiting)} of ${grouped(pool.queue)}`],
    ]),
    table('Upstream targets', TARGET_COLUMNS, snapshot.targets.map(targetRow)),
    ...(snapshot.workers === undefined
      ? []
      : [table('Workers', WORKER_COLUMNS, snapshot.workers.map(workerRow))]),
  ]
}

const TARGET_COLUMNS = ['Target', 'Upstream', 'Condition', 'Open', 'Busy', 'Waiting']

function targetRow({ origin, upstream, condition, open, busy, waiting }: TargetState): Row {
  return [origin, upstream, condition, open, busy, waiting]
}

const WORKER_COLUMNS = ['Worker', 'Process', 'State', 'Running for', 'Restarts', 'Requests', 'Connections']

function workerRow(worker: WorkerSnapshot): Row {
  const { pid, state, uptimeSeconds, restarts, requests, connections } = worker
  const runningFor = durationInWords(uptimeSeconds)
  return [String(worker.worker), String(pid), state, runningFor, restarts, requests, connections]
}

function latencyRow(label: string, latency: LatencySnapshot): Row {
  return [label, latency.p50, latency.p90, latency.p99, latency.max]
}

function sideRow(label: string, side: SideSnapshot): Row {
  return [label, side.open, side.total, side.octetsReceived, side.octetsSent]
}

function failureRows(failures: Snapshot['requests']['failures']): Row[] {
  return Object.entries(failures).map(([code, count]) => {
    // The keys come from the FAILURES table itself; Object.entries only cannot say so.
    const { title, side } = FAILURES[code as FailureCode]
    return [code, title, side, count]
  })
}

/** The counts that are not zero. */
function seen(counts: Readonly<Record<string, number>>): Row[] {
  return Object.entries(counts).filter(([, count]) => count > 0)
}

/** A table whose first cell in each row is its heading; without columns it is a list of names and values. */
function table(caption: string, columns: readonly string[] | undefined, rows: readonly Row[]): Markup {
  const width = columns?.length ?? 2
  const head = (columns ?? []).map((column) => html`<th scope="col">${column}</th>`)
  const body = rows.map(([label, ...cells]) => {
    const data = cells.map((cell) => html`<td>${typeof cell === 'number' ? grouped(cell) : cell}</td>`)
    return html`<tr><th scope="row">${label}</th>${data}</tr>\n`
  })
  const none = html`<tr><td colspan="${width}">none so far</td></tr>\n`
  return html`<table>
<caption>${caption}</caption>
${columns === undefined ? '' : html`<thead><tr>${head}</tr></thead>\n`}<tbody>
${rows.length > 0 ? body : none}</tbody>
</table>
`
}

const GROUPED = new Intl.NumberFormat('en', { maximumFractionDigits: 3 })

/** A number for people: thousands apart, at most three decimals. */
function grouped(value: number): string {
  return GROUPED.format(value)
}
