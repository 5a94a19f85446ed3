import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { wholeLines } from '../../src/workers/whole-lines.ts'

const test = suite('workers/whole-lines')

const TEXT = '{"a":"ü🙂"}\n\n{"b":1}\nthe rest of a line that a process did not live to end'
const OCTETS = Buffer.from(TEXT)

test('whatever two cuts the pieces are made by, each line comes out once and whole', () => {
  for (let first = 0; first <= OCTETS.length; first++) {
    for (let second = first; second <= OCTETS.length; second++) {
      const lines = wholeLines()
      const cuts = [OCTETS.subarray(0, first), OCTETS.subarray(first, second), OCTETS.subarray(second)]
      const given = cuts.map((piece) => lines(piece))
      assert.is(given.join(''), TEXT.slice(0, TEXT.lastIndexOf('\n') + 1))
      for (const text of given) assert.ok(text === '' || text.endsWith('\n'))
    }
  }
})

test.run()
