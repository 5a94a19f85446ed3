// What the micro-benches of the budget are measured against, in the same run: work of the same kind that has nothing to
// do with signet's code, so that the speed of the machine cancels out. Budgets are ratios to these: whoever changes one
// measures all budgets anew.

import type { Act } from '../support/timing.ts'

const SIZE = 1024
const LINE = 'some-name: a value, and another one; of letters\r\n'
const octets = Buffer.from(LINE.repeat(SIZE / LINE.length + 1)).subarray(0, SIZE)
const COLON = 0x3a
const LF = 0x0a
/** 1 for what may be in a name. */
const LETTER = Uint8Array.from({ length: 256 }, (_, octet) =>
  Number(/[a-z-]/.test(String.fromCharCode(octet))),
)
const known = new Map([
  ['some-name', 1],
  ['another-name', 2],
])
const out = Buffer.alloc(2 * SIZE)

/**
 * Octets, the kind of work that heads and log lines are: each of 1 KiB is looked up in a table, the name of each line
 * becomes a string that is looked up in a map, and a text that is put together of them is written out.
 */
export const readOctets: Act = () => {
  let text = ''
  let letters = 0
  let sum = 0
  let line = 0
  for (let at = 0; at < SIZE; at++) {
    const octet = octets[at]!
    letters += LETTER[octet]!
    if (octet === LF) line = at + 1
    if (octet !== COLON) continue
    const name = octets.toString('latin1', line, at)
    sum += known.get(name) ?? 0
    text += `${name}: ${letters}\r\n`
  }
  return sum + out.write(text, 'latin1')
}
