// A strict reader of the Prometheus text format 0.0.4, for tests: it takes nothing a scraper might stumble
// over.
// In: a page. Out: families by name with their samples, or an error that names the line.

/** One line of a family. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric family: its HELP, its TYPE, its samples in order. */
export interface Family {
  readonly help: string
  readonly type: string
  readonly samples: Sample[]
}

const META = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(,|$)/y
// "Nan" is prom-client's spelling; Go's ParseFloat, which Prometheus uses, ignores case.
const VALUE = /^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN|Nan)$/
const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped'])
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { histogram: ['_bucket', '_sum', '_count'] }

/**
 * Reads a whole page.
 *
 * @throws {Error} on a malformed line, a sample outside its family, a family or a series given twice
 */
export function readExposition(page: string): Map<string, Family> {
  if (!page.endsWith('\n')) throw new Error('the last line has no end')
  const families = new Map<string, Family>()
  const series = new Set<string>()
  let help: { name: string; text: string } | undefined
  let current: { name: string; family: Family } | undefined
  for (const line of page.slice(0, -1).split('\n')) {
    if (line === '') continue
    const meta = META.exec(line)
    if (meta?.[1] === 'HELP') help = { name: meta[2]!, text: meta[3]! }
    else if (meta !== null) {
      const [, , name = '', type = ''] = meta
      if (help?.name !== name || families.has(name) || !TYPES.has(type)) throw new Error(`misplaced: ${line}`)
      current = { name, family: { help: help.text, type, samples: [] } }
      families.set(name, current.family)
    } else {
      const sample = readSample(line)
      const names = SUFFIXES[current?.family.type ?? '']?.map((end) => current?.name + end) ?? [current?.name]
      if (!names.includes(sample.name)) throw new Error(`outside its family: ${line}`)
      const key = sample.name + JSON.stringify(Object.entries(sample.labels).sort())
      if (series.has(key)) throw new Error(`given twice: ${line}`)
      series.add(key)
      current?.family.samples.push(sample)
    }
  }
  return families
}

function readSample(line: string): Sample {
  const [, name, inner = '', value] = SAMPLE.exec(line) ?? []
  if (name === undefined || value === undefined || !VALUE.test(value)) throw new Error(`malformed: ${line}`)
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < inner.length) {
    const label = LABEL.exec(inner)
    if (label === null || Object.hasOwn(labels, label[1]!)) throw new Error(`malformed labels: ${line}`)
    labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped))
  }
  const number = value.endsWith('Inf') ? Number(value.replace('Inf', 'Infinity')) : Number(value)
  return { name, labels, value: number }
}
