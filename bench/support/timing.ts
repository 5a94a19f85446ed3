// How long a piece of synchronous code takes, in CPU time, so that what else the machine does is not counted; the
// collector's threads are. Best of several rounds: what disturbs a measurement only adds to it.

const ROUNDS = 7
const NS_PER_ROUND = 50e6
const BATCH = 500

/** ns per call of `act`. What it returns is used, so that nothing can be left out as without effect. */
export function nsPerCall(act: () => number): number {
  let best = Number.POSITIVE_INFINITY
  let sum = 0
  for (let round = 0; round < ROUNDS; round++) {
    const started = process.cpuUsage()
    let calls = 0
    let elapsed = 0
    while (elapsed < NS_PER_ROUND) {
      for (let call = 0; call < BATCH; call++) sum += act()
      calls += BATCH
      const { user, system } = process.cpuUsage(started)
      elapsed = (user + system) * 1000
    }
    best = Math.min(best, elapsed / calls)
  }
  if (!Number.isFinite(sum)) throw new Error('nothing was measured')
  return best
}
