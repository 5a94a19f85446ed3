// Groups 1 to 5 as tests: one for each group, which lists every case that failed.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GROUPS } from './groups.ts'
import { describe, failuresOf, scoreOf } from './report.ts'
import { NO_ADDRESSES } from './stand.ts'

const test = suite('conformance/groups')

if (NO_ADDRESSES === undefined) {
  for (const { name, promise, run } of GROUPS) {
    test(`${name}: ${promise}`, async () => {
      const result = await run()
      const failures = failuresOf(result)
      assert.is(failures.length, 0, `${scoreOf(result)}\n${failures.map(describe).join('\n')}`)
      assert.equal(result.problems, [])
    })
  }
}

test.run()
