import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Deadlines, NEVER, type Watched } from '../../src/net/deadlines.ts'
import { noFault } from '../support/faults.ts'
import { later } from '../support/flow.ts'

const test = suite('net/deadlines')

/** Two ticks of the sweep, and some for a busy machine. */
const LATE = 200 + 150

/** Something with a deadline, which notes when it was called. */
class Probe implements Watched {
  deadline = NEVER
  calls = 0
  at = 0
  readonly #then: () => void

  constructor(then: () => void = () => undefined) {
    this.#then = then
  }

  onDeadline(): void {
    this.calls++
    this.at = performance.now()
    this.#then()
  }
}

test('a deadline is never early, at most two ticks late, and passed once', async () => {
  const deadlines = new Deadlines(() => performance.now(), noFault)
  const probes: { probe: Probe; due: number }[] = []
  for (const ms of [0, 1, 50, 99, 100, 101, 250, 400]) {
    const probe = new Probe()
    deadlines.watch(probe)
    probe.deadline = deadlines.after(ms)
    probes.push({ probe, due: performance.now() + ms })
    await later(17) // at any moment between two sweeps
  }
  await later(900)
  for (const { probe, due } of probes) {
    const late = probe.at - due
    assert.is(probe.calls, 1)
    assert.ok(late >= -1 && late <= LATE, `${late} ms late`)
    deadlines.unwatch(probe)
  }
})

test('a deadline that is put off is not passed, and NEVER never is', async () => {
  const deadlines = new Deadlines(() => performance.now(), noFault)
  const [late, never] = [new Probe(), new Probe()]
  deadlines.watch(late)
  deadlines.watch(never)
  for (let n = 0; n < 6; n++) {
    late.deadline = deadlines.after(150)
    await later(80)
  }
  assert.is(late.calls, 0)
  await later(150 + LATE)
  assert.is(late.calls, 1)
  assert.is(never.calls, 0)
  deadlines.unwatch(late)
  deadlines.unwatch(never)
})

test('whoever is no longer watched is not called, not even when another call in the same sweep did that', async () => {
  const deadlines = new Deadlines(() => performance.now(), noFault)
  const second = new Probe()
  const first = new Probe(() => deadlines.unwatch(second))
  for (const probe of [first, second]) {
    deadlines.watch(probe)
    probe.deadline = deadlines.after(10)
  }
  await later(10 + LATE)
  assert.equal([first.calls, second.calls], [1, 0])
  deadlines.unwatch(first)
  assert.is(deadlines.size, 0)
})

test('a deadline may be set anew, and another watched, from within the call', async () => {
  const deadlines = new Deadlines(() => performance.now(), noFault)
  const other = new Probe()
  const probe = new Probe(() => {
    if (probe.calls > 1) return
    probe.deadline = deadlines.after(50)
    deadlines.watch(other)
    other.deadline = deadlines.after(50)
  })
  deadlines.watch(probe)
  probe.deadline = deadlines.after(0)
  await later(2 * (50 + LATE))
  assert.equal([probe.calls, other.calls], [2, 1])
  deadlines.unwatch(probe)
  deadlines.unwatch(other)
  assert.is(deadlines.size, 0)
})

test('a deadline that is set while nothing is watched counts from the present', async () => {
  let now = 0
  const deadlines = new Deadlines(() => now, noFault)
  now = 5000
  assert.ok(deadlines.after(100) >= 5100)
  const probe = new Probe()
  deadlines.watch(probe)
  deadlines.unwatch(probe)
  now = 90_000
  assert.ok(deadlines.after(100) >= 90_100)
})

test('one whose deadline throws is reported, and the others have their turn all the same', async () => {
  const faults: unknown[] = []
  const deadlines = new Deadlines(
    () => performance.now(),
    (thrown) => faults.push(thrown),
  )
  const fault = new Error('injected')
  const bad: Watched = {
    deadline: deadlines.after(10),
    onDeadline: () => {
      throw fault
    },
  }
  const probe = new Probe()
  deadlines.watch(bad)
  deadlines.watch(probe)
  probe.deadline = deadlines.after(10)
  await later(10 + LATE)
  assert.equal([faults, probe.calls], [[fault], 1])
  deadlines.unwatch(bad)
  deadlines.unwatch(probe)
})

test('what is watched keeps no process alive', () => {
  const before = process.getActiveResourcesInfo().length
  const deadlines = new Deadlines(() => performance.now(), noFault)
  const probe = new Probe()
  deadlines.watch(probe)
  assert.is(process.getActiveResourcesInfo().length, before)
  assert.is(deadlines.size, 1)
  deadlines.unwatch(probe)
})

test.run()
