// What a trusted proxy says of where a request came from. In: a request head. Out: the part of it that can be read in one
// way only, and passed on: the rest may come from the client, by way of a proxy that appends to whatever it gets.

import { FORWARDING } from './forward-fields.ts'
import { trimmed } from './fields.ts'
import { isAuthority, isIPv4, isIPv6 } from './request-target.ts'
import type { RequestHead } from './request.ts'

/** The part of a request head that is looked at here. */
export type ForwardingHead = Pick<RequestHead, 'authority' | 'fields' | 'rules'>

/**
 * Members of a list that are read at most, from its end: no honest chain has more proxies. Each costs a look, and some of
 * them one at the list of trusted proxies, and a client can fill a head with them.
 */
export const MAX_MEMBERS = 32

/** What can be read of the forwarding fields of a request. */
export interface Told {
  /** the last members of X-Forwarded-For, up to the last that is no address; see {@link addressIn} */
  readonly chain: readonly string[]
  readonly host: string | undefined
  readonly proto: string | undefined
  /** the last elements of Forwarded (RFC 7239 §4), up to the last that is malformed */
  readonly elements: readonly string[]
  /** indexes of the field lines that are read as a whole */
  readonly lines: ReadonlySet<number>
}

/** What a field's line is made of: members of a list, or one value alone. */
interface Kind {
  /** where the member begins that ends before `end`; 0 for the first one */
  readonly startOf: (value: string) => (end: number) => number
  readonly isValid: (member: string) => boolean
}

const ALONE: Kind['startOf'] = () => () => 0

const FIELDS: ReadonlyMap<string, Kind> = new Map([
  ['x-forwarded-for', { startOf: (value) => (end) => afterComma(value, end), isValid: isNode }],
  ['x-forwarded-host', { startOf: ALONE, isValid: isAuthority }],
  ['x-forwarded-proto', { startOf: ALONE, isValid: (value) => /^https?$/i.test(value) }],
  ['forwarded', { startOf: elementStarts, isValid: isElement }],
] satisfies [string, Kind][])

/** What is known of one field while its lines are read, the last one first. */
interface Reading {
  readonly kind: Kind
  /** the last one first */
  readonly members: string[]
  lines: number
  /** how many members may still be read */
  left: number
}

/** Reads the forwarding fields of a request whose peer is trusted: from their ends, and no further than they count. */
export function readTold({ fields, rules }: ForwardingHead): Told {
  const told = new Map<string, Reading>()
  for (const [name, kind] of FIELDS) told.set(name, { kind, members: [], lines: 0, left: MAX_MEMBERS })
  const whole = new Set<number>()
  for (let line = fields.count - 1; line >= 0; line--) {
    if (rules[line] !== FORWARDING) continue
    const reading = told.get(fields.name(line).toLowerCase())
    if (reading === undefined) continue
    reading.lines++
    if (readLine(reading, fields.value(line))) whole.add(line)
  }
  // Said twice, it can be read in two ways.
  const only = (name: string) => (told.get(name)!.lines === 1 ? told.get(name)!.members[0] : undefined)
  return {
    chain: told.get('x-forwarded-for')!.members.reverse(),
    host: only('x-forwarded-host'),
    proto: only('x-forwarded-proto'),
    elements: told.get('forwarded')!.members.reverse(),
    lines: whole,
  }
}

/**
 * Adds the members of a line. Empty ones are passed over (RFC 9110 §5.6.1.2), but count: they may be many, too.
 *
 * @returns whether all of it was read
 */
function readLine(reading: Reading, value: string): boolean {
  if (reading.left === 0) return false
  const { kind, members } = reading
  const startOf = kind.startOf(value)
  let end = value.length
  for (;;) {
    const start = startOf(end)
    const member = trimmed(value.slice(start, end))
    if (member !== '' && !kind.isValid(member)) {
      reading.left = 0 // what stands before it came by way of it
      return false
    }
    if (member !== '') members.push(member)
    reading.left--
    if (start === 0) return true
    if (reading.left === 0) return false
    end = start - 1
  }
}

// ── X-Forwarded-For ─────────────────────────────────────────────────────────────────────────────────────────────────

/** An address with brackets, a port, or both, as some proxies write it. */
const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?$/

/** The address in a member of X-Forwarded-For: as it stands there, or without brackets and port; '' where there is none. */
export function addressIn(member: string): string {
  if (isIPv4(member) || isIPv6(member)) return member
  const [, six = '', four = ''] = WITH_PORT.exec(member) ?? []
  if (isIPv6(six)) return six
  return isIPv4(four) ? four : ''
}

function afterComma(value: string, end: number): number {
  return end === 0 ? 0 : value.lastIndexOf(',', end - 1) + 1
}

/** Not `unknown`, nor a name that hides one (RFC 7239 §6.2, §6.3): who comes before that cannot be relied on. */
function isNode(member: string): boolean {
  return addressIn(member) !== ''
}

// ── Forwarded ───────────────────────────────────────────────────────────────────────────────────────────────────────

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
/** RFC 9110 §5.6.4, without obs-text. */
const QUOTED = '"(?:[\\t !\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\t -\\x7e])*"'
const PAIR = `(${TOKEN})=(?:${TOKEN}|${QUOTED})`
/** RFC 7239 §4. */
const ELEMENT = new RegExp(`^${PAIR}(?:;${PAIR})*$`)

/** Where the elements of a Forwarded line begin, of which only those commas part two that are in no quoted string. */
function elementStarts(value: string): (end: number) => number {
  const starts = [0]
  let quoted = false
  for (let at = 0; at < value.length; at++) {
    const octet = value[at]
    if (octet === '"') quoted = !quoted
    else if (octet === '\\' && quoted) at++
    else if (octet === ',' && !quoted) starts.push(at + 1)
  }
  return () => starts.pop() ?? 0 // asked from the last one to the first
}

/** Whether an element is well-formed; "each parameter MUST NOT occur more than once" (RFC 7239 §4). */
function isElement(element: string): boolean {
  if (!ELEMENT.test(element)) return false
  const names = Array.from(element.matchAll(new RegExp(PAIR, 'g')), ([, name = '']) => name.toLowerCase())
  return new Set(names).size === names.length
}
