// The trace that a request belongs to (W3C Trace Context). In: the fields of a request. Out: what is said of it upstream, and
// the id by which the lines of all that took part in it are found.

import type { FieldSection } from './fields.ts'
import type { Withheld } from './rewrite.ts'

/** The trace of one request, as signet passes it on. */
export interface Trace {
  /** 32 hex digits, the same for all that take part in it */
  readonly id: string
  /** value of `traceparent` for whoever is asked on the way: the trace, and signet as the parent */
  readonly parent: string
  /** whether the client had begun it; if not, its `tracestate` speaks of another one */
  readonly continued: boolean
}

/** Gives random octets as hex. @param octets 8 or 16 */
export type NextTraceId = (octets: 8 | 16) => string

/** Version, trace, parent, flags (§3.2.2); of a later version that may have more, what this one knows (§3.2.4). */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-([\da-f]{2})($|-)/
const LENGTH = 55

/** Flags of a trace that begins here: there is a record of it, the line in the log (§3.2.2.5.1). */
const SAMPLED = '01'

/** Goes on with the trace of a request, or begins one where it has none, or none that can be read. */
export function traceOf(fields: FieldSection, nextId: NextTraceId): Trace {
  const received = onlyTraceparent(fields)
  const found = received === undefined ? null : TRACEPARENT.exec(received)
  if (found !== null) {
    const [, version, id = '', flags = ''] = found
    if (version !== '00' || received?.length === LENGTH) {
      // Flags that are not known are 0 (§3.2.2.5.3).
      const known = (Number.parseInt(flags, 16) & 3).toString()
      return { id, parent: `00-${id}-${nextId(8)}-0${known}`, continued: true }
    }
  }
  const id = nextId(16)
  return { id, parent: `00-${id}-${nextId(8)}-${SAMPLED}`, continued: false }
}

/** The value of the only `traceparent`: several are none (§3.2). */
function onlyTraceparent(fields: FieldSection): string | undefined {
  let value: string | undefined
  for (let line = 0; line < fields.count; line++) {
    if (fields.nameEnd(line) - fields.lineStart(line) !== 11) continue
    if (fields.name(line).toLowerCase() !== 'traceparent') continue
    if (value !== undefined) return undefined
    value = fields.value(line)
  }
  return value
}

/** Octets that are drawn at once: to draw them eight at a time costs ten times as much. */
const POOL = 4096

/**
 * Random ids.
 *
 * @param fill fills a buffer with random octets that nobody can foresee
 */
export function createTraceIds(fill: (pool: Buffer) => void): NextTraceId {
  const pool = Buffer.alloc(POOL)
  let at = POOL
  return (octets) => {
    if (at + octets > POOL) {
      fill(pool)
      at = 0
    }
    at += octets
    return pool.toString('hex', at - octets, at)
  }
}

const TRACE_STATE = 'tracestate'
const OF_ANOTHER_TRACE: Withheld = { names: new Set([TRACE_STATE]) }

/** Fields that are not forwarded with a trace, beside those that are not anyway: without `traceparent` its state means nothing. */
export function withheldWith(trace: Trace | undefined, withheld: Withheld | undefined): Withheld | undefined {
  if (trace === undefined || trace.continued) return withheld
  return withheld === undefined
    ? OF_ANOTHER_TRACE
    : { ...withheld, names: new Set([...withheld.names, TRACE_STATE]) }
}
